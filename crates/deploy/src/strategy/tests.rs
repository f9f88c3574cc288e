use hermez_api::{CanaryStep, Wave};

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
