//! Which workloads may move to the newest version of the runtime profile next. Pure.
//!
//! A rollout goes in waves: at most [`Limits::at_once`] workloads are on their way at the same
//! time. One that was well before it was moved and is not well after it stops the rollout until it
//! is, or until another version comes. What was unwell before is moved last and stops nothing.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Which workload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Name of its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// How a workload does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It is what its spec says, and available.
    Well,
    /// It is on its way, or not available.
    Unsettled,
    /// It cannot go on by itself; why, in words.
    Stalled(String),
}

/// A workload as the rollout sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Which.
    pub key: Key,
    /// The version that it runs with, as its status says; none before it runs.
    pub profile: Option<String>,
    /// How it does.
    pub health: Health,
    /// Whether a rollout may move it at all. What runs to an end is left alone: it takes the newest
    /// version when it is started again.
    pub moves: bool,
}

/// A workload that was told to move and is not known to be well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Which.
    #[serde(flatten)]
    pub key: Key,
    /// Since when.
    pub since: Timestamp,
    /// Whether it was well before.
    pub was_well: bool,
}

/// How fast a rollout may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Share of all workloads that may be on their way at the same time, in percent (1 to 100);
    /// at least one workload.
    pub percent: u32,
    /// How long a workload may take until it is well again.
    pub patience: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            percent: 5,
            patience: SignedDuration::from_mins(10),
        }
    }
}

impl Limits {
    /// How many of `total` workloads may be on their way at the same time.
    pub fn at_once(&self, total: usize) -> usize {
        (total * self.percent.clamp(1, 100) as usize / 100).max(1)
    }
}

/// What a rollout remembers, from one step to the next and over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The newest version, which workloads move to.
    pub target: String,
    /// Since when.
    pub begun_at: Option<Timestamp>,
    /// Workloads that were told to move and are not known to be well.
    pub moving: Vec<Move>,
    /// Workloads that were unwell before they were moved and still are: they have the newest
    /// version, and nobody waits for them.
    pub given_up: Vec<Key>,
    /// Why nothing more is moved; none while all is well.
    pub stopped: Option<String>,
}

impl State {
    /// Whether a workload was told to take the newest version.
    pub fn is_told(&self, key: &Key) -> bool {
        self.moving.iter().any(|moving| moving.key == *key) || self.given_up.contains(key)
    }
}

/// One step: what has arrived is let go, and as many as may are told to move.
pub fn step(
    before: &State,
    target: &str,
    paused: bool,
    workloads: &[Workload],
    limits: Limits,
    now: Timestamp,
) -> State {
    let anew = before.target != target;
    let mut state = State {
        target: target.to_owned(),
        begun_at: if anew { Some(now) } else { before.begun_at },
        moving: Vec::new(),
        given_up: Vec::new(),
        stopped: None,
    };
    let find = |key: &Key| workloads.iter().find(|workload| workload.key == *key);
    if !anew {
        let still = |key: &&Key| {
            find(key).is_some_and(|workload| {
                workload.health != Health::Well || workload.profile.as_deref() != Some(target)
            })
        };
        state.given_up = before.given_up.iter().filter(still).cloned().collect();
    }
    for moving in &before.moving {
        let Some(workload) = find(&moving.key) else {
            continue;
        };
        let mut moving = moving.clone();
        if anew {
            // It has been disturbed already: it goes on to the newer version at once.
            moving.since = now;
        }
        match judge(workload, &moving, target, limits, now) {
            Arrival::Arrived => {}
            Arrival::OnTheWay => state.moving.push(moving),
            Arrival::Failed(why) => {
                if moving.was_well {
                    let why = format!("{} was moved to {target} and {why}", moving.key);
                    state.stopped.get_or_insert(why);
                    state.moving.push(moving);
                } else {
                    state.given_up.push(moving.key);
                }
            }
        }
    }
    if paused || state.stopped.is_some() {
        return state;
    }
    let total = workloads.iter().filter(|workload| workload.moves).count();
    let free = limits.at_once(total).saturating_sub(state.moving.len());
    let next = waiting(&state, workloads).into_iter().take(free);
    let next: Vec<Move> = next
        .map(|workload| Move {
            key: workload.key.clone(),
            since: now,
            was_well: workload.health == Health::Well,
        })
        .collect();
    state.moving.extend(next);
    state
}

/// The workloads that still wait to be moved, in the order in which they will be.
pub fn waiting<'a>(state: &State, workloads: &'a [Workload]) -> Vec<&'a Workload> {
    let mut waiting: Vec<&Workload> = workloads
        .iter()
        .filter(|workload| {
            let elsewhere = workload.profile.as_ref();
            let elsewhere = elsewhere.is_some_and(|profile| *profile != state.target);
            workload.moves && elsewhere && !state.is_told(&workload.key)
        })
        .collect();
    // What is well comes first. Then in an order that spreads a wave over namespaces and projects.
    waiting.sort_by_cached_key(|workload| {
        let unwell = workload.health != Health::Well;
        (unwell, scatter(&workload.key), workload.key.clone())
    });
    waiting
}

enum Arrival {
    Arrived,
    OnTheWay,
    Failed(String),
}

fn judge(
    workload: &Workload,
    moving: &Move,
    target: &str,
    limits: Limits,
    now: Timestamp,
) -> Arrival {
    let there = workload.profile.as_deref() == Some(target);
    match &workload.health {
        Health::Well if there => Arrival::Arrived,
        Health::Stalled(why) if there => Arrival::Failed(format!("cannot go on: {why}")),
        _ if now.duration_since(moving.since) > limits.patience => Arrival::Failed(format!(
            "is not well after {} seconds",
            limits.patience.as_secs()
        )),
        _ => Arrival::OnTheWay,
    }
}

/// FNV-1a of a key: the same in every process.
fn scatter(key: &Key) -> u64 {
    let text = key.to_string();
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn mk_workload(name: &str, profile: &str, health: Health) -> Workload {
        Workload {
            key: Key {
                kind: "PinterestService".into(),
                namespace: "ns".into(),
                name: name.into(),
            },
            profile: Some(profile.into()),
            health,
            moves: true,
        }
    }

    fn names(state: &State) -> Vec<&str> {
        state
            .moving
            .iter()
            .map(|moving| moving.key.name.as_str())
            .collect()
    }

    #[test]
    fn one_goes_at_a_time_and_the_next_when_it_is_well() {
        let mut all = vec![
            mk_workload("a", "p@1", Health::Well),
            mk_workload("b", "p@1", Health::Well),
        ];
        let limits = Limits::default();
        let first = step(&State::default(), "p@2", false, &all, limits, at(0));
        assert_eq!(first.moving.len(), 1);
        let again = step(&first, "p@2", false, &all, limits, at(1));
        assert_eq!(again, first, "nothing has arrived");
        let moved = all.iter_mut().find(|one| one.key == first.moving[0].key);
        let moved = moved.expect("one of them");
        moved.profile = Some("p@2".into());
        moved.health = Health::Unsettled;
        assert_eq!(step(&first, "p@2", false, &all, limits, at(2)), first);
        for one in all.iter_mut().filter(|one| one.key == first.moving[0].key) {
            one.health = Health::Well;
        }
        let second = step(&first, "p@2", false, &all, limits, at(3));
        assert_eq!(second.moving.len(), 1);
        assert_ne!(second.moving[0].key, first.moving[0].key);
    }

    #[test]
    fn what_does_not_become_well_stops_it_until_a_newer_version_comes() {
        let mut all = vec![
            mk_workload("a", "p@1", Health::Well),
            mk_workload("b", "p@1", Health::Well),
        ];
        let limits = Limits::default();
        let first = step(&State::default(), "p@2", false, &all, limits, at(0));
        for one in all.iter_mut().filter(|one| one.key == first.moving[0].key) {
            one.profile = Some("p@2".into());
            one.health = Health::Stalled("its image cannot be pulled".into());
        }
        let stopped = step(&first, "p@2", false, &all, limits, at(1));
        assert_eq!(names(&stopped), names(&first));
        let why = stopped.stopped.clone().expect("stopped");
        assert!(
            why.contains("p@2") && why.contains("cannot be pulled"),
            "{why}"
        );
        // The version that mends it goes to the one that is broken first.
        let mended = step(&stopped, "p@3", false, &all, limits, at(2));
        assert_eq!((names(&mended), &mended.stopped), (names(&first), &None));
    }

    #[test]
    fn patience_ends_and_a_pause_holds() {
        let all = vec![
            mk_workload("a", "p@1", Health::Well),
            mk_workload("b", "p@1", Health::Well),
        ];
        let limits = Limits {
            percent: 100,
            patience: SignedDuration::from_secs(5),
        };
        let paused = step(&State::default(), "p@2", true, &all, limits, at(0));
        assert!(paused.moving.is_empty());
        let begun = step(&paused, "p@2", false, &all, limits, at(1));
        assert_eq!(begun.moving.len(), 2);
        let late = step(&begun, "p@2", false, &all, limits, at(7));
        let why = late.stopped.expect("stopped");
        assert!(why.contains("is not well after 5 seconds"), "{why}");
    }

    #[test]
    fn what_was_unwell_before_goes_last_and_stops_nothing() {
        let stalled = || Health::Stalled("a bad image".into());
        let mut all = vec![
            mk_workload("a", "p@1", stalled()),
            mk_workload("b", "p@1", Health::Well),
        ];
        let limits = Limits::default();
        let mut state = step(&State::default(), "p@2", false, &all, limits, at(0));
        assert_eq!(names(&state), ["b"]);
        all[1].profile = Some("p@2".into());
        state = step(&state, "p@2", false, &all, limits, at(1));
        assert_eq!(names(&state), ["a"]);
        all[0].profile = Some("p@2".into());
        state = step(&state, "p@2", false, &all, limits, at(2));
        assert_eq!((names(&state).len(), &state.stopped), (0, &None));
    }

    fn health() -> impl Strategy<Value = Health> {
        prop_oneof![
            4 => Just(Health::Well),
            1 => Just(Health::Unsettled),
            1 => Just(Health::Stalled("why".into())),
        ]
    }

    fn workloads() -> impl Strategy<Value = Vec<Workload>> {
        let one = (
            health(),
            prop::option::weighted(0.95, 0..3_u8),
            prop::bool::weighted(0.9),
        );
        prop::collection::vec(one, 0..120).prop_map(|all| {
            let named = all.into_iter().enumerate();
            named
                .map(|(index, (health, profile, moves))| Workload {
                    profile: profile.map(|version| format!("p@{version}")),
                    moves,
                    ..mk_workload(&format!("w{index}"), "", health)
                })
                .collect()
        })
    }

    proptest! {
        /// Whatever was before: the limit holds, and only who may be moved is.
        #[test]
        fn a_step_keeps_to_the_limit(
            all in workloads(), later in prop::collection::vec(health(), 120),
            percent in 1..=100_u32, paused: bool, seconds in 0..2_000_i64,
        ) {
            let limits = Limits { percent, ..Limits::default() };
            let first = step(&State::default(), "p@2", paused, &all, limits, at(0));
            let at_once = limits.at_once(all.iter().filter(|one| one.moves).count());
            prop_assert!(first.moving.len() <= at_once);
            prop_assert!(!paused || first.moving.is_empty());
            let mut then = all.clone();
            for (one, health) in then.iter_mut().zip(later) {
                one.health = health;
            }
            let second = step(&first, "p@2", paused, &then, limits, at(seconds));
            prop_assert!(second.moving.len() <= at_once.max(first.moving.len()));
            for moving in &second.moving {
                let one = all.iter().find(|one| one.key == moving.key).expect("known");
                prop_assert!(one.moves);
                prop_assert!(one.profile.as_ref().is_some_and(|profile| profile != "p@2"));
            }
            let more = second.moving.iter().any(|moving| !first.moving.iter().any(|old| old.key == moving.key));
            prop_assert!(!(more && second.stopped.is_some()), "a rollout that stopped moves nothing");
            // A step is a function, and taking it again changes nothing.
            prop_assert_eq!(step(&second, "p@2", paused, &then, limits, at(seconds)), second);
        }

        /// Where every workload becomes well, everything arrives, never too many at a time.
        #[test]
        fn a_rollout_ends(all in workloads(), percent in 1..=100_u32) {
            let limits = Limits { percent, ..Limits::default() };
            let mut all = all;
            let at_once = limits.at_once(all.iter().filter(|one| one.moves).count());
            let mut state = State::default();
            for second in 0..=(2 * all.len() as i64 + 2) {
                state = step(&state, "p@2", false, &all, limits, at(second));
                prop_assert!(state.moving.len() <= at_once);
                prop_assert_eq!(&state.stopped, &None);
                for one in &mut all {
                    if state.moving.iter().any(|moving| moving.key == one.key) {
                        one.health = if one.profile.as_deref() == Some("p@2") { Health::Well } else { Health::Unsettled };
                        one.profile = Some("p@2".into());
                    }
                }
            }
            prop_assert!(state.moving.is_empty());
            prop_assert!(waiting(&state, &all).is_empty());
        }
    }
}
