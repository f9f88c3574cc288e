//! What becomes of a preview next. Pure: a function of its row, of what was seen, and of `now`.

use hermez_api::PreviewState;
use hermez_source::forge::PullState;
use hermez_store::PreviewRecord;
use jiff::{SignedDuration, Timestamp};

/// How often the forge is asked about a pull request that has a preview, in case it told nothing.
pub const CHECK_AFTER: SignedDuration = SignedDuration::from_mins(10);
/// How long one that wakes is looked at all the time: most are up by then.
const WAKES_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// What was seen of a preview's surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether its workload is there.
    pub workload_lives: bool,
    /// Whether its kind can sleep.
    pub can_sleep: bool,
    /// Whether a deploy of it has not ended.
    pub deploying: bool,
    /// Pods that are ready; nothing while the cluster does not answer.
    pub ready: Option<usize>,
    /// Time without a request after which it sleeps.
    pub idle: SignedDuration,
    /// Time without a request after which it is removed.
    pub expiry: SignedDuration,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing until something changes.
    Wait,
    /// Begin to remove it, for this reason.
    Remove(String),
    /// Delete its object, and note that it is gone.
    Delete,
    /// Let it sleep.
    Sleep,
    /// Tell the cluster how many pods it has.
    Scale(i32),
    /// Note that it is awake, after so many milliseconds.
    Awake(i64),
    /// Ask the forge about its pull request.
    Check,
}

/// What becomes of a preview next.
pub fn next(preview: &PreviewRecord, facts: &Facts, now: Timestamp) -> Step {
    match preview.state {
        PreviewState::Removed => return Step::Wait,
        // A deploy that is at work could make it again; it was told to stop, and its end wakes us.
        PreviewState::Removing if facts.deploying => return Step::Wait,
        PreviewState::Removing => return Step::Delete,
        PreviewState::Active | PreviewState::Sleeping | PreviewState::Waking => {}
    }
    if !facts.workload_lives {
        return Step::Remove("its workload was deleted".to_owned());
    }
    let unused = now.duration_since(preview.last_used_at);
    if unused >= facts.expiry && !facts.deploying {
        let days = facts.expiry.as_hours() / 24;
        return Step::Remove(format!("nobody used it for {days} days"));
    }
    if facts.can_sleep
        && !facts.deploying
        && let Some(applied) = preview.applied_replicas
    {
        let asleep = preview.state == PreviewState::Sleeping;
        let wanted = if asleep { 0 } else { preview.replicas };
        if applied != wanted {
            return Step::Scale(wanted);
        }
        // One that wakes and does not come up is no use either; whoever waits for it uses it.
        if !asleep && unused >= facts.idle {
            return Step::Sleep;
        }
    }
    if preview.state == PreviewState::Waking && facts.ready.is_some_and(|ready| ready > 0) {
        let since = preview.waking_since.unwrap_or(now);
        let took = now.as_millisecond() - since.as_millisecond();
        return Step::Awake(took.max(0));
    }
    if now.duration_since(preview.checked_at) >= CHECK_AFTER {
        return Step::Check;
    }
    Step::Wait
}

/// Whether it may be awake any moment.
pub fn wakes_soon(preview: &PreviewRecord, now: Timestamp) -> bool {
    let since = preview.waking_since;
    preview.state == PreviewState::Waking
        && since.is_some_and(|since| now.duration_since(since) < WAKES_WITHIN)
}

/// What a pull request leads to, as the forge says that it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// A deploy of its newest commit.
    Deploy,
    /// A build of its newest commit, which may not be deployed yet.
    Build,
    /// The end of its preview, for this reason.
    Remove(String),
}

/// What is known of a pull request and a workload, for [`wish`].
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a> {
    /// How it is.
    pub state: PullState,
    /// Its newest commit.
    pub head: &'a str,
    /// Whether its newest commit may be deployed.
    pub allowed: bool,
    /// Whether the workload's pull requests are deployed by themselves.
    pub auto: bool,
    /// Whether its kind runs once for each deploy.
    pub runs_once: bool,
    /// The commit that its living preview was asked for last.
    pub previewed: Option<&'a str>,
    /// The commit of the preview before, where time or somebody took it away: it is not made again by
    /// itself before there is something new to see.
    pub given_up: Option<&'a str>,
}

/// Why previews end with their pull requests.
const MERGED: &str = "the pull request was merged";
const CLOSED: &str = "the pull request was closed";

/// Whether a preview was removed for this reason because its pull request had ended: opened again,
/// it is previewed again.
pub fn was_ended(why: &str) -> bool {
    matches!(why, MERGED | CLOSED)
}

/// What a pull request leads to. The same for every event of it, however often and late.
pub fn wish(pull: &Pull<'_>) -> Wish {
    match pull.state {
        PullState::Open => {}
        _ if pull.previewed.is_none() => return Wish::Nothing,
        PullState::Merged => return Wish::Remove(MERGED.to_owned()),
        PullState::Closed => return Wish::Remove(CLOSED.to_owned()),
    }
    let wanted = pull.previewed.is_some() || pull.auto;
    let is_new = pull.previewed.or(pull.given_up) != Some(pull.head);
    if !wanted || !is_new || pull.runs_once {
        Wish::Nothing
    } else if pull.allowed {
        Wish::Deploy
    } else {
        Wish::Build
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
    }

    /// A preview that is awake and was used at second 0.
    pub(crate) fn mk_preview(state: PreviewState) -> PreviewRecord {
        PreviewRecord {
            id: 1,
            workload_id: 1,
            instance: "hello-pr-12".into(),
            pull_request: 12,
            title: "Say hello".into(),
            author: "ada".into(),
            head_commit: "a".repeat(40),
            head_branch: "topic".into(),
            from_fork: false,
            forge_url: "http://forge/pulls/12".into(),
            state,
            replicas: 1,
            applied_replicas: Some(i32::from(state != PreviewState::Sleeping)),
            port: Some(8080),
            created_at: at(0),
            created_by: "ada".into(),
            last_used_at: at(0),
            checked_at: at(0),
            waking_since: (state == PreviewState::Waking).then(|| at(0)),
            last_wake_ms: None,
            removed_at: None,
            removed_why: None,
            share_hash: None,
            comment_id: None,
            told: String::new(),
            tries: 0,
            retry_at: at(0),
        }
    }

    fn facts() -> Facts {
        Facts {
            workload_lives: true,
            can_sleep: true,
            deploying: false,
            ready: Some(1),
            idle: SignedDuration::from_mins(5),
            expiry: SignedDuration::from_hours(24 * 7),
        }
    }

    #[test]
    fn an_idle_one_sleeps_and_a_used_one_does_not() {
        let preview = mk_preview(PreviewState::Active);
        assert_eq!(next(&preview, &facts(), at(299)), Step::Wait);
        assert_eq!(next(&preview, &facts(), at(300)), Step::Sleep);
        let deploying = Facts {
            deploying: true,
            ..facts()
        };
        assert_eq!(next(&preview, &deploying, at(300)), Step::Wait);
        let cannot = Facts {
            can_sleep: false,
            ..facts()
        };
        assert_eq!(next(&preview, &cannot, at(300)), Step::Wait);
    }

    #[test]
    fn the_cluster_is_told_what_the_state_says() {
        let mut preview = mk_preview(PreviewState::Sleeping);
        preview.applied_replicas = Some(1);
        assert_eq!(next(&preview, &facts(), at(0)), Step::Scale(0));
        let mut preview = mk_preview(PreviewState::Waking);
        preview.applied_replicas = Some(0);
        assert_eq!(next(&preview, &facts(), at(0)), Step::Scale(1));
        preview.applied_replicas = Some(-1);
        assert_eq!(next(&preview, &facts(), at(0)), Step::Scale(1));
        // Nothing was written yet: there is nothing to tell.
        preview.applied_replicas = None;
        preview.state = PreviewState::Active;
        assert_eq!(next(&preview, &facts(), at(0)), Step::Wait);
    }

    #[test]
    fn waking_ends_with_the_first_ready_pod() {
        let preview = mk_preview(PreviewState::Waking);
        assert_eq!(next(&preview, &facts(), at(3)), Step::Awake(3_000));
        for ready in [Some(0), None] {
            let facts = Facts { ready, ..facts() };
            assert_eq!(next(&preview, &facts, at(3)), Step::Wait);
        }
    }

    #[test]
    fn what_wakes_is_looked_at_all_the_time_for_a_minute() {
        let preview = mk_preview(PreviewState::Waking);
        let soon = |seconds| wakes_soon(&preview, at(seconds));
        assert_eq!([soon(0), soon(59), soon(60)], [true, true, false]);
        assert!(!wakes_soon(&mk_preview(PreviewState::Active), at(0)));
    }

    #[test]
    fn what_wakes_and_does_not_come_up_sleeps_again() {
        let mut preview = mk_preview(PreviewState::Waking);
        let facts = Facts {
            ready: Some(0),
            ..facts()
        };
        assert_eq!(next(&preview, &facts, at(299)), Step::Wait);
        assert_eq!(next(&preview, &facts, at(300)), Step::Sleep);
        preview.last_used_at = at(200);
        assert_eq!(next(&preview, &facts, at(300)), Step::Wait, "it is used");
    }

    #[test]
    fn what_nobody_uses_is_removed() {
        let preview = mk_preview(PreviewState::Sleeping);
        let week = 7 * 24 * 3600;
        let gone = Step::Remove("nobody used it for 7 days".into());
        assert_eq!(next(&preview, &facts(), at(week)), gone);
        let mut removing = preview;
        removing.state = PreviewState::Removing;
        assert_eq!(next(&removing, &facts(), at(week)), Step::Delete);
        let deploying = Facts {
            deploying: true,
            ..facts()
        };
        assert_eq!(next(&removing, &deploying, at(week)), Step::Wait);
        removing.state = PreviewState::Removed;
        assert_eq!(next(&removing, &facts(), at(week)), Step::Wait);
    }

    #[test]
    fn the_forge_is_asked_now_and_then() {
        let mut preview = mk_preview(PreviewState::Sleeping);
        preview.last_used_at = at(600);
        assert_eq!(next(&preview, &facts(), at(599)), Step::Wait);
        assert_eq!(next(&preview, &facts(), at(600)), Step::Check);
    }

    fn pull() -> Pull<'static> {
        Pull {
            state: PullState::Open,
            head: "b",
            allowed: true,
            auto: true,
            runs_once: false,
            previewed: None,
            given_up: None,
        }
    }

    #[test]
    fn a_pull_request_leads_to_what_it_is_now() {
        assert_eq!(wish(&pull()), Wish::Deploy);
        let old = Pull {
            previewed: Some("a"),
            auto: false,
            ..pull()
        };
        assert_eq!(wish(&old), Wish::Deploy, "its preview follows");
        let strange = Pull {
            allowed: false,
            ..pull()
        };
        assert_eq!(
            wish(&strange),
            Wish::Build,
            "it is ready when it is allowed"
        );
        let same = Pull {
            previewed: Some("b"),
            ..pull()
        };
        assert_eq!(wish(&same), Wish::Nothing, "an event that came twice");
        let left = Pull {
            given_up: Some("a"),
            ..pull()
        };
        assert_eq!(wish(&left), Wish::Deploy, "there is something new to see");
        for quiet in [
            Pull {
                given_up: Some("b"),
                ..pull()
            },
            Pull {
                auto: false,
                ..pull()
            },
            Pull {
                runs_once: true,
                ..pull()
            },
            Pull {
                state: PullState::Closed,
                ..pull()
            },
        ] {
            assert_eq!(wish(&quiet), Wish::Nothing, "{quiet:?}");
        }
        let closed = Pull {
            state: PullState::Merged,
            ..old
        };
        assert_eq!(
            wish(&closed),
            Wish::Remove("the pull request was merged".into())
        );
    }

    proptest! {
        /// Whatever is known: a fork that nobody allowed is never deployed, and what is not open
        /// never either.
        #[test]
        fn nothing_strange_is_deployed(state in 0..3_u8, allowed: bool, auto: bool, once: bool,
            previewed in proptest::option::of("[ab]"), given_up in proptest::option::of("[ab]")) {
            let state = [PullState::Open, PullState::Closed, PullState::Merged][usize::from(state)];
            let pull = Pull { state, head: "b", allowed, auto, runs_once: once,
                previewed: previewed.as_deref(), given_up: given_up.as_deref() };
            if wish(&pull) == Wish::Deploy {
                prop_assert!(allowed && state == PullState::Open && !once);
                prop_assert!(previewed.as_deref() != Some("b"));
            }
        }

        /// A step that is done leads to another one or to none: a preview does not oscillate.
        #[test]
        fn steps_come_to_rest(state in 0..4_u8, applied in proptest::option::of(-1..3_i32),
            used in 0..700_000_i64, now in 0..700_000_i64, ready in proptest::option::of(0..3_usize),
            can_sleep: bool) {
            let states = [PreviewState::Active, PreviewState::Sleeping, PreviewState::Waking,
                PreviewState::Removing];
            let mut preview = mk_preview(states[usize::from(state)]);
            preview.applied_replicas = applied;
            preview.last_used_at = at(used);
            let facts = Facts { can_sleep, ready, ..facts() };
            let mut rest = false;
            for _ in 0..8 {
                match next(&preview, &facts, at(now)) {
                    Step::Wait => { rest = true; break; }
                    Step::Remove(_) => preview.state = PreviewState::Removing,
                    Step::Delete => preview.state = PreviewState::Removed,
                    Step::Sleep => preview.state = PreviewState::Sleeping,
                    Step::Scale(replicas) => preview.applied_replicas = Some(replicas),
                    Step::Awake(_) => preview.state = PreviewState::Active,
                    Step::Check => preview.checked_at = at(now),
                }
            }
            prop_assert!(rest, "{preview:?}");
            if can_sleep && applied.is_some() && now - used >= 300 {
                let awake = matches!(preview.state, PreviewState::Active | PreviewState::Waking);
                prop_assert!(!awake, "{preview:?}");
            }
        }
    }
}
