//! Whether a deploy may be asked for: branch, pin, bad artifact.

use std::fmt;

use hermez_api::{BadArtifact, Pin};
use jiff::{SignedDuration, Timestamp};

/// Who asks, as far as rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A person or a program of theirs.
    Person,
    /// A push to this branch.
    Push {
        /// The branch's name.
        branch: &'a str,
    },
}

/// A deploy that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub origin: Origin<'a>,
    /// Commit (40 hexadecimal digits).
    pub commit: &'a str,
    /// Why an artifact that is marked as bad is to be deployed all the same.
    pub override_bad: Option<&'a str>,
}

/// What is known of the workload when the deploy is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy<'a> {
    /// Branch whose pushes are deployed by themselves.
    pub auto_deploy: Option<&'a str>,
    /// The pin.
    pub pin: Option<&'a Pin>,
    /// The mark that the commit's artifact bears.
    pub bad: Option<&'a BadArtifact>,
    /// The newest commit of the pushed branch, as the mirror has it.
    pub head: Option<&'a str>,
    /// The commit of the newest deploy (restarts left out), whatever became of it.
    pub newest: Option<&'a str>,
}

/// A rule that can hold a deploy back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Pushes to this branch are not deployed by themselves.
    NotAutomatic,
    /// A newer commit was pushed; its own push deploys it.
    Overtaken,
    /// The newest deploy is of this commit already.
    AlreadyAsked,
    /// The workload is pinned.
    Pinned,
    /// The artifact is marked as bad.
    BadArtifact,
    /// Somebody else locked the workload.
    Locked,
}

impl Rule {
    /// A stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::NotAutomatic => "not_automatic",
            Rule::Overtaken => "overtaken",
            Rule::AlreadyAsked => "already_asked",
            Rule::Pinned => "pinned",
            Rule::BadArtifact => "bad_artifact",
            Rule::Locked => "locked",
        }
    }
}

/// Why a deploy is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The rule.
    pub rule: Rule,
    /// What it says, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Whether a deploy may be asked for now, and if not, which rule holds it back.
///
/// A person may deploy to a pinned workload (they see the pin and mean it); a push may not. Nobody
/// deploys a bad artifact without saying why.
pub fn gate(request: &Request<'_>, policy: &Policy<'_>, now: Timestamp) -> Result<(), Held> {
    let held = |rule, message: String, hint: Option<&str>| {
        Err(Held {
            rule,
            message,
            hint: hint.map(str::to_owned),
        })
    };
    if let Origin::Push { branch } = request.origin {
        if policy.auto_deploy != Some(branch) {
            let message = format!("pushes to {branch} are not deployed by themselves");
            return held(Rule::NotAutomatic, message, None);
        }
        if let Some(pin) = policy.pin {
            let message = format!(
                "pinned by {} for {}: {}",
                pin.by,
                span(now.duration_since(pin.at)),
                pin.reason
            );
            return held(
                Rule::Pinned,
                message,
                Some("take the pin off: hermez unpin"),
            );
        }
        if policy.head.is_some_and(|head| head != request.commit) {
            let message = format!("a newer commit was pushed to {branch}");
            return held(Rule::Overtaken, message, None);
        }
        if policy.newest == Some(request.commit) {
            let message = "the newest deploy is of this commit already".to_owned();
            return held(Rule::AlreadyAsked, message, None);
        }
    }
    match (policy.bad, request.override_bad) {
        (Some(bad), None) => held(
            Rule::BadArtifact,
            bad_message(bad, now),
            Some("deploy another commit, or say why this one is right: --override-bad REASON"),
        ),
        _ => Ok(()),
    }
}

/// What a mark says, in one sentence.
pub(crate) fn bad_message(bad: &BadArtifact, now: Timestamp) -> String {
    format!(
        "this artifact was marked as bad by {} {} ago, when {} was rolled back from deploy {}: {}",
        bad.by,
        span(now.duration_since(bad.at)),
        bad.workload,
        bad.deploy_id,
        bad.reason
    )
}

/// A length of time by its largest unit.
fn span(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mk_pin() -> Pin {
        Pin {
            by: "ada".into(),
            at: Timestamp::UNIX_EPOCH,
            reason: "it crashes".into(),
            deploy_id: Some(4),
        }
    }

    fn mk_bad() -> BadArtifact {
        BadArtifact {
            digest: "sha256:0".into(),
            workload: "hello".into(),
            deploy_id: 3,
            commit: "c".into(),
            reason: "it crashes".into(),
            by: "ada".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(7_200).expect("a time")
    }

    fn ask(origin: Origin<'static>) -> Request<'static> {
        Request {
            origin,
            commit: "new",
            override_bad: None,
        }
    }

    const PUSH: Origin<'static> = Origin::Push { branch: "main" };

    fn rule(request: &Request<'_>, policy: &Policy<'_>) -> Option<&'static str> {
        let held = gate(request, policy, now()).err()?;
        Some(held.rule.as_str())
    }

    #[test]
    fn a_push_is_deployed_only_where_its_branch_is_asked_for() {
        let on = Policy {
            auto_deploy: Some("main"),
            head: Some("new"),
            newest: Some("old"),
            ..Policy::default()
        };
        assert_eq!(rule(&ask(PUSH), &on), None);
        let other = Origin::Push { branch: "feature" };
        assert_eq!(rule(&ask(other), &on), Some("not_automatic"));
        assert_eq!(rule(&ask(PUSH), &Policy::default()), Some("not_automatic"));
        let overtaken = Policy {
            head: Some("newer"),
            ..on
        };
        assert_eq!(rule(&ask(PUSH), &overtaken), Some("overtaken"));
        let again = Policy {
            newest: Some("new"),
            ..on
        };
        assert_eq!(rule(&ask(PUSH), &again), Some("already_asked"));
    }

    #[test]
    fn a_pin_holds_pushes_back_and_people_not() {
        let pin = mk_pin();
        let policy = Policy {
            auto_deploy: Some("main"),
            pin: Some(&pin),
            ..Policy::default()
        };
        let held = gate(&ask(PUSH), &policy, now()).unwrap_err();
        assert_eq!(held.message, "pinned by ada for 2 h: it crashes");
        assert_eq!(rule(&ask(Origin::Person), &policy), None);
    }

    #[test]
    fn a_bad_artifact_needs_a_reason() {
        let bad = mk_bad();
        let policy = Policy {
            bad: Some(&bad),
            ..Policy::default()
        };
        let held = gate(&ask(Origin::Person), &policy, now()).unwrap_err();
        assert_eq!(
            held.message,
            "this artifact was marked as bad by ada 2 h ago, when hello was rolled back from deploy 3: it crashes"
        );
        let override_bad = Some("the cause was elsewhere");
        let meant = Request {
            override_bad,
            ..ask(Origin::Person)
        };
        assert_eq!(rule(&meant, &policy), None);
    }

    proptest! {
        /// Whatever else is known, a push never passes a pin or a mark, and a person's answer
        /// depends on the mark alone.
        #[test]
        fn no_push_passes_a_pin(
            auto in proptest::option::of("[a-c]"), branch in "[a-c]", head in proptest::option::of("[n-p]"),
            newest in proptest::option::of("[n-p]"), commit in "[n-p]",
            pinned: bool, marked: bool, at in -10_000_000_i64..10_000_000,
        ) {
            let (pin, bad) = (mk_pin(), mk_bad());
            let policy = Policy {
                auto_deploy: auto.as_deref(),
                pin: pinned.then_some(&pin),
                bad: marked.then_some(&bad),
                head: head.as_deref(),
                newest: newest.as_deref(),
            };
            let now = Timestamp::from_second(at).expect("a time");
            let by = |origin| Request { origin, commit: &commit, override_bad: None };
            let push = gate(&by(Origin::Push { branch: &branch }), &policy, now);
            let person = gate(&by(Origin::Person), &policy, now);
            prop_assert!(push.is_err() || !(pinned || marked));
            prop_assert!(push.is_err() || auto.as_deref() == Some(branch.as_str()));
            prop_assert_eq!(person.is_err(), marked);
            if let Err(held) = push {
                prop_assert!(!held.message.is_empty());
            }
        }
    }
}
