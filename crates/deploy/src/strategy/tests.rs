use hermez_api::{CanaryStep, PodStatus, Wave};

use super::*;

fn refusal_of(kind: &str, strategy: &RolloutStrategy) -> Option<String> {
    let known = ["local".to_owned(), "east".to_owned()];
    check(("hello", kind), strategy, &known)
        .err()
        .map(|error| error.to_string())
}

fn canary(steps: &[(u32, u32)]) -> RolloutStrategy {
    let steps = steps.iter().map(|(percent, seconds)| CanaryStep {
        percent: *percent,
        seconds: *seconds,
        wait: false,
    });
    RolloutStrategy {
        canary: steps.collect(),
        waves: Vec::new(),
    }
}

fn waves(waves: &[&[&str]]) -> RolloutStrategy {
    let waves = waves.iter().map(|names| Wave {
        clusters: names.iter().map(|name| (*name).to_owned()).collect(),
        bake_seconds: 0,
    });
    RolloutStrategy {
        canary: Vec::new(),
        waves: waves.collect(),
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_is_wrong() {
    for (strategy, expected) in [
        (canary(&[(0, 0)]), "is 0"),
        (canary(&[(101, 0)]), "is 101"),
        (canary(&[(50, 0), (10, 0)]), "goes down"),
        (canary(&[(10, 86_401)]), "86401"),
        (canary(&[(10, 0); 11]), "11 steps"),
        (waves(&[&["local"], &["mars"]]), "mars"),
        (waves(&[&["local"], &["local"]]), "twice"),
        (waves(&[&["east"]]), "leave out `local`"),
        (waves(&[&["local"], &[]]), "0 clusters"),
    ] {
        let refusal = refusal_of("PinterestService", &strategy).expect("refused");
        assert!(
            refusal.contains(expected),
            "{refusal} does not say {expected}"
        );
    }
    let right = [
        canary(&[(10, 60), (50, 0), (100, 0)]),
        waves(&[&["local"], &["east"]]),
    ];
    for strategy in right {
        assert_eq!(refusal_of("PinterestService", &strategy), None);
    }
}

#[test]
fn a_bake_that_is_too_long_is_told_what_waves_have() {
    let mut strategy = waves(&[&["local"]]);
    strategy.waves[0].bake_seconds = 86_401;
    let refused = check(
        ("hello", "PinterestService"),
        &strategy,
        &["local".to_owned()],
    );
    let Err(RoadError::Invalid { hint, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(hint.contains("hermez deploys pause"), "{hint}");
}

#[test]
fn only_some_kinds_have_canaries_and_waves() {
    let refusal = refusal_of("PinterestCronJob", &waves(&[&["local"]])).expect("refused");
    assert!(refusal.contains("PinterestCronJob"), "{refusal}");
    let refusal = refusal_of("PinterestStatefulset", &canary(&[(10, 0)]));
    assert!(refusal.is_some());
    assert_eq!(
        refusal_of("PinterestStatefulset", &waves(&[&["local"]])),
        None
    );
}

#[test]
fn pods_outside_of_the_servers_own_cluster_say_where_they_are() {
    let pod = || PodStatus {
        name: "web-0".to_owned(),
        started_at: None,
        status: "Running".to_owned(),
        message: None,
        ready: true,
        updated: true,
        restarts: 0,
        node: None,
        containers: Vec::new(),
    };
    let told = |cluster| place::told_apart(vec![pod()], cluster, "local");
    assert_eq!(told("local")[0].name, "web-0");
    assert_eq!(told("east")[0].name, "web-0 in east");
}
