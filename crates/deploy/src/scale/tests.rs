use hermez_api::AutoscalingSettings;
use proptest::prelude::*;

use super::*;

const BOUNDS: ScaleBounds = ScaleBounds { min: 2, max: 50 };

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

fn mk_change(until: Option<i64>) -> ScaleChange {
    ScaleChange {
        id: 7,
        workload: "hello".into(),
        kind: ScaleChangeKind::Replicas,
        replicas: Some(5),
        replicas_before: Some(2),
        autoscaling: None,
        fixed: false,
        reason: "a launch".into(),
        by: "ada".into(),
        at: time(0),
        until: until.map(time),
        state: ScaleChangeState::Pending,
        message: None,
    }
}

fn mk_facts(change: Option<i64>, manager: &str, autoscaling: bool) -> ScaleFacts {
    ScaleFacts {
        change,
        autoscaling: autoscaling.then(|| serde_json::json!({"min": 1, "max": 3, "cpu": 70})),
        autoscaler_off: false,
        written_by: Some((manager.to_owned(), Some(time(0)))),
        by_deploy: manager == "hermez",
    }
}

#[test]
fn numbers_out_of_bounds_say_which_are_taken() {
    assert_eq!(check_replicas(0, BOUNDS), Ok(0));
    assert_eq!(check_replicas(2, BOUNDS), Ok(2));
    let error = |count| check_replicas(count, BOUNDS).unwrap_err();
    assert_eq!(error(-1), "is -1, and a number of pods cannot be negative");
    for count in [1, 51, 10_000_000, i64::MAX] {
        assert_eq!(
            error(count),
            format!("is {count}, and this workload takes 2 to 50 pods, or 0")
        );
    }
}

#[test]
fn an_end_is_in_the_future_and_not_too_far() {
    assert_eq!(check_until(None, time(0)), Ok(()));
    assert_eq!(check_until(Some(time(1)), time(0)), Ok(()));
    assert!(
        check_until(Some(time(0)), time(0))
            .unwrap_err()
            .contains("over")
    );
    let far = Some(time(400 * 86_400));
    assert!(check_until(far, time(0)).unwrap_err().contains("a year"));
}

#[test]
fn a_change_holds_until_its_end() {
    let change = mk_change(Some(60));
    let five = Scaling::Replicas {
        replicas: 5,
        fixed: false,
    };
    assert_eq!(wanted(&change, time(59)), five);
    assert_eq!(wanted(&change, time(60)), Scaling::File);
    let write = after(&change, Ok(Scaled::Written), time(1));
    assert_eq!(
        (write.state, write.due_at),
        (ScaleChangeState::Active, Some(time(60)))
    );
    let write = after(&change, Ok(Scaled::Written), time(61));
    assert_eq!((write.state, write.due_at), (ScaleChangeState::Ended, None));
}

#[test]
fn what_the_cluster_does_not_take_now_is_tried_again() {
    let change = mk_change(None);
    let away = ClusterError::Unreachable("x".into());
    let write = after(&change, Err(&away), time(0));
    assert_eq!(write.state, ScaleChangeState::Pending);
    assert!(write.due_at.is_some_and(|due| due > time(0)));
    let no = ClusterError::Refused {
        object: "PinterestService/hello".into(),
        message: "quota".into(),
    };
    let write = after(&change, Err(&no), time(0));
    assert_eq!(
        (write.state, write.due_at),
        (ScaleChangeState::Refused, None)
    );
    assert!(
        write
            .message
            .is_some_and(|message| message.contains("quota"))
    );
}

#[test]
fn a_cluster_that_does_not_take_it_keeps_no_other_from_it() {
    let change = mk_change(Some(60));
    let own = Ok(Scaled::Written);
    let away = in_cluster(ClusterError::Unreachable("no answer".into()), "east");
    let write = after_all(&change, own, Some(&away), time(0));
    assert_eq!(write.state, ScaleChangeState::Pending);
    let message = write.message.expect("it is said");
    assert!(message.contains("east: no answer"), "{message}");
    // It is taken back where it holds.
    let no = ClusterError::Refused {
        object: "PinterestService/hello".into(),
        message: "quota".into(),
    };
    let no = in_cluster(no, "east");
    let write = after_all(&change, own, Some(&no), time(0));
    assert_eq!(
        (write.state, write.due_at),
        (ScaleChangeState::Active, change.until)
    );
    let message = write.message.expect("it is said");
    assert!(
        message.contains("PinterestService/hello in east"),
        "{message}"
    );
    // What the server's own cluster says comes first.
    let write = after_all(&change, Err(&no), Some(&away), time(0));
    assert_eq!(write.state, ScaleChangeState::Refused);
}

#[test]
fn everybody_can_be_the_owner() {
    let change = mk_change(Some(60));
    let said = |facts: ScaleFacts, replicas, standing| owner(&facts, Some(replicas), standing);
    assert_eq!(
        said(mk_facts(Some(7), "hermez-hand", false), 5, Some(&change)),
        (
            ScaleOwner::Person,
            "ada until 2027-01-15 08:01:00 UTC: a launch".to_owned()
        )
    );
    let of = |facts, replicas| said(facts, replicas, None).0;
    assert_eq!(of(mk_facts(None, "hermez", false), 2), ScaleOwner::File);
    assert_eq!(of(mk_facts(None, "kubectl", false), 2), ScaleOwner::Other);
    assert_eq!(
        of(mk_facts(None, "hermez", true), 2),
        ScaleOwner::Autoscaler
    );
    // An autoscaler moves a person's number, but for the 0 at which it stands still.
    let scaled = || mk_facts(Some(7), "kube-controller-manager", true);
    let (by_load, _) = said(scaled(), 4, Some(&change));
    assert_eq!(by_load, ScaleOwner::Autoscaler);
    let (person, _) = said(scaled(), 0, Some(&change));
    assert_eq!(person, ScaleOwner::Person);
    // What it wrote last outlives it.
    let left = mk_facts(None, "kube-controller-manager", false);
    let (other, message) = said(left, 7, None);
    assert_eq!(other, ScaleOwner::Other);
    assert!(message.contains("hermez scale --file"), "{message}");
}

#[test]
fn an_autoscaler_that_cannot_be_made_is_refused() {
    let settings = |more: serde_json::Value| {
        let mut settings = serde_json::json!({"min": 2, "max": 9, "cpu": 70});
        let fields = more.as_object().into_iter().flatten();
        for (name, value) in fields {
            settings[name] = value.clone();
        }
        serde_json::from_value::<AutoscalingSettings>(settings).expect("settings")
    };
    let said = |more| match check_settings(&settings(more)) {
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    };
    let behavior = |rules: serde_json::Value| serde_json::json!({"behavior": {"scaleDown": rules}});
    let window =
        |seconds: i32| behavior(serde_json::json!({"stabilizationWindowSeconds": seconds}));
    assert_eq!(said(window(3_600)), None);
    for (more, words) in [
        (window(7_200), "from 0 to 3600"),
        (
            behavior(serde_json::json!({"selectPolicy": "Fast"})),
            "Max or Min or Disabled",
        ),
        (
            behavior(serde_json::json!({"policies": []})),
            "the list is empty",
        ),
        (serde_json::json!({"behavior": 5}), "cannot be read"),
    ] {
        let message = said(more).expect("refused");
        assert!(message.starts_with("behavior "), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let wide = settings(serde_json::json!({}));
    assert!(check_bounds(&wide, BOUNDS).is_ok());
    for (min, max) in [(3, 50), (2, 8), (10, 50)] {
        let error = check_bounds(&wide, ScaleBounds { min, max }).expect_err("beyond them");
        let bounds = format!("{min} to {max} pods");
        assert!(error.to_string().contains(&bounds), "{error}");
    }
}

#[test]
fn whoever_writes_over_a_person_s_number_is_the_owner() {
    let change = mk_change(None);
    let of = |manager, replicas| {
        let facts = mk_facts(Some(7), manager, false);
        owner(&facts, Some(replicas), Some(&change))
    };
    let (other, message) = of("kubectl", 9);
    assert_eq!(other, ScaleOwner::Other);
    assert!(message.starts_with("kubectl, which"), "{message}");
    let last = last_change(&mk_facts(Some(7), "kubectl", false), None, Some(&change));
    assert_eq!(last.expect("somebody").by, "kubectl");
    // Whoever writes the same number changes nothing, and Hermez and an autoscaler write for others.
    assert_eq!(of("kubectl", 5).0, ScaleOwner::Person);
    for manager in ["hermez", "hermez-hand", "kube-controller-manager"] {
        assert_eq!(of(manager, 9).0, ScaleOwner::Person, "{manager}");
    }
}

#[test]
fn an_autoscaler_that_a_person_has_set_owns_whoever_wrote_last() {
    let mut change = mk_change(None);
    (change.kind, change.replicas) = (ScaleChangeKind::Autoscaling, None);
    for manager in ["hermez-hand", "kube-controller-manager", "kubectl"] {
        let facts = mk_facts(Some(7), manager, true);
        let (owner, message) = owner(&facts, Some(3), Some(&change));
        assert_eq!(owner, ScaleOwner::Autoscaler, "{manager}");
        assert!(message.contains("as ada set it"), "{message}");
    }
    // It stands still where somebody takes all the pods away.
    let facts = mk_facts(Some(7), "kubectl", true);
    assert_eq!(owner(&facts, Some(0), Some(&change)).0, ScaleOwner::Other);
}

proptest! {
    /// Whatever is asked for, what is taken is 0 or within the bounds.
    #[test]
    fn only_numbers_within_the_bounds_are_taken(
        count in prop_oneof![-10_i64..200, any::<i64>()], min in 0..50_i32, more in 0..50_i32,
    ) {
        let bounds = ScaleBounds { min, max: min + more };
        let taken = check_replicas(count, bounds);
        let right = count == 0 || (i64::from(min)..=i64::from(min + more)).contains(&count);
        prop_assert_eq!(taken.is_ok(), right);
        if let Ok(taken) = taken {
            prop_assert_eq!(i64::from(taken), count);
        }
    }

    /// A change that has ended never comes due again, and one that stands either is due or has no end.
    #[test]
    fn nothing_ends_without_being_due(until in proptest::option::of(1..200_i64), now in 0..400_i64, ended: bool) {
        let change = mk_change(until);
        let written = if ended { Scaled::Overtaken } else { Scaled::Written };
        let write = after(&change, Ok(written), time(now));
        if write.state == ScaleChangeState::Active {
            prop_assert_eq!(write.due_at, change.until);
            prop_assert!(change.until.is_none_or(|until| until > time(now)));
        } else {
            prop_assert_eq!(write.due_at, None);
        }
    }
}

#[test]
fn who_changed_the_number_last_is_told_by_the_cluster_and_by_the_ledger() {
    let mut over = mk_change(Some(60));
    over.state = ScaleChangeState::Ended;
    let mut facts = mk_facts(None, "hermez", false);
    // The config file names no number: after the end nobody owns it in the cluster.
    facts.written_by = None;
    let last = last_change(&facts, None, Some(&over)).expect("the ledger knows");
    assert_eq!(last.message, "the time that ada had set was over");
    assert_eq!(last.at, Some(time(60)));
    assert_eq!(last_change(&facts, None, None), None);
    // Whoever wrote to the cluster itself is named, even where it does not say when.
    facts.written_by = Some(("kubectl".to_owned(), None));
    facts.by_deploy = false;
    let last = last_change(&facts, None, Some(&over)).expect("the cluster knows");
    assert_eq!(last.by, "kubectl");
}
