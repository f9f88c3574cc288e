//! Which version of the runtime profile a resource is translated through now.
//!
//! A resource keeps the version that its pods were made with until the rollout reaches it. One that
//! is new, or whose own spec changed, takes the newest: its pods are made anew anyway. What the pods
//! were made with stands on the objects that make them, so that it is true even when a controller
//! was killed between writing them and writing the status.

use std::sync::{Arc, PoisonError, RwLock};

use hermez_kinds::names::{PROFILE_ANNOTATION, SPEC_ANNOTATION};
use hermez_kinds::{Kind, RuntimeProfile};
use kube::api::{DynamicObject, ResourceExt};
use serde_json::Value;
use tokio::sync::Notify;

use super::decide::{Key, State};
use super::versions::Versions;
use crate::difference;
use crate::owned::Objects;

/// What the objects that make a resource's pods say of the version that they were made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The profile's label.
    pub profile: String,
    /// Hash of the resource's spec; none when an older Hermez made it.
    pub spec: Option<String>,
}

/// Where the versions are told from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Book(Arc<Inner>);

struct Inner {
    pages: RwLock<Pages>,
    /// A resource's state may have changed.
    stirred: Notify,
}

struct Pages {
    newest: Arc<RuntimeProfile>,
    versions: Versions,
    /// None where every resource takes the newest at once.
    rollout: Option<State>,
}

impl Book {
    /// Every resource takes the newest version at once.
    pub(crate) fn of_one(newest: Arc<RuntimeProfile>) -> Book {
        Book::new(newest, Versions::new(), None)
    }

    /// Resources take the newest version as the rollout says.
    pub(crate) fn new(
        newest: Arc<RuntimeProfile>,
        versions: Versions,
        rollout: Option<State>,
    ) -> Book {
        let pages = RwLock::new(Pages {
            newest,
            versions,
            rollout,
        });
        let stirred = Notify::new();
        Book(Arc::new(Inner { pages, stirred }))
    }

    fn read<T>(&self, look: impl FnOnce(&Pages) -> T) -> T {
        look(&self.0.pages.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Pages)) {
        change(&mut self.0.pages.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The newest version.
    pub(crate) fn newest(&self) -> Arc<RuntimeProfile> {
        self.read(|pages| pages.newest.clone())
    }

    /// All versions that are known.
    pub(crate) fn versions(&self) -> Versions {
        self.read(|pages| pages.versions.clone())
    }

    pub(crate) fn set_newest(&self, newest: Arc<RuntimeProfile>) {
        self.write(|pages| {
            pages.versions.insert(newest.label(), newest.clone());
            pages.newest = newest;
        });
    }

    pub(crate) fn set_rollout(&self, state: State) {
        self.write(|pages| pages.rollout = Some(state));
    }

    pub(crate) fn forget(&self, label: &str) {
        self.write(|pages| {
            pages.versions.remove(label);
        });
    }

    /// Says that a resource's state may have changed.
    pub(crate) fn stir(&self) {
        self.0.stirred.notify_one();
    }

    /// Waits until a resource's state may have changed.
    pub(crate) async fn stirred(&self) {
        self.0.stirred.notified().await;
    }

    /// The version for a resource.
    ///
    /// # Errors
    /// The label of the version that it keeps, when that is not known any more.
    pub(crate) fn choose(
        &self,
        key: &Key,
        mark: Option<&Mark>,
        spec: &SpecHash,
    ) -> Result<Arc<RuntimeProfile>, String> {
        self.read(|pages| {
            let newest = || Ok(pages.newest.clone());
            let (Some(rollout), Some(mark)) = (&pages.rollout, mark) else {
                return newest();
            };
            let same_spec = mark.spec.as_deref().is_none_or(|marked| spec.is(marked));
            if !same_spec || mark.profile == pages.newest.label() || rollout.is_told(key) {
                return newest();
            }
            let kept = pages.versions.get(&mark.profile).cloned();
            kept.ok_or_else(|| mark.profile.clone())
        })
    }
}

/// The mark on a resource's objects; where they differ, one that has the newest version counts.
/// Objects of an older Hermez carry none: then the status says it.
pub(crate) fn mark(owned: &Objects, status: &Value, newest: &str) -> Option<Mark> {
    let marks = owned.iter().filter(|(_, object)| makes_pods(object));
    let mut marks = marks.filter_map(|(_, object)| {
        let annotations = object.annotations();
        let profile = annotations.get(PROFILE_ANNOTATION).cloned();
        Some(Mark {
            profile: profile.or_else(|| Some(status["profile"].as_str()?.to_owned()))?,
            spec: annotations.get(SPEC_ANNOTATION).cloned(),
        })
    });
    let first = marks.next()?;
    if first.profile == newest {
        return Some(first);
    }
    Some(marks.find(|mark| mark.profile == newest).unwrap_or(first))
}

/// Whether an object makes pods.
pub(crate) fn makes_pods(object: &DynamicObject) -> bool {
    let template = |path| object.data.pointer(path).is_some();
    template("/spec/template") || template("/spec/jobTemplate")
}

/// Whether a rollout may move resources of a kind. What runs to an end is left alone: moving it
/// would throw away what it has done.
pub(crate) fn moves(kind: Kind) -> bool {
    !matches!(kind, Kind::JobSet | Kind::TrainingJob)
}

/// The hash of a resource's spec without what autoscalers and people scale by: scaling must not
/// restart pods.
pub(crate) struct SpecHash {
    now: String,
    /// As an older Hermez marked it, with the autoscaling.
    older: String,
}

impl SpecHash {
    pub(crate) fn of(kind: Kind, object: &DynamicObject) -> SpecHash {
        let mut spec = object.data.get("spec").cloned().unwrap_or(Value::Null);
        let mut hash_without = |name: &str| {
            if kind.is_scaled()
                && let Value::Object(fields) = &mut spec
            {
                fields.remove(name);
            }
            difference::hash(&spec)
        };
        let older = hash_without("replicas");
        let now = hash_without("autoscaling");
        SpecHash { now, older }
    }

    /// As objects are marked with it.
    pub(crate) fn mark(&self) -> &str {
        &self.now
    }

    /// Whether objects marked so were made from this spec.
    fn is(&self, marked: &str) -> bool {
        marked == self.now || marked == self.older
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::decide::Move;
    use super::*;

    fn mk_profile(version: u32) -> Arc<RuntimeProfile> {
        Arc::new(RuntimeProfile {
            version,
            ..RuntimeProfile::plain()
        })
    }

    fn mk_key(name: &str) -> Key {
        Key {
            kind: "PinterestService".into(),
            namespace: "ns".into(),
            name: name.into(),
        }
    }

    fn mk_book(told: &[&str]) -> Book {
        let versions = [("plain@1".to_owned(), mk_profile(1))].into();
        let moving = told.iter().map(|name| Move {
            key: mk_key(name),
            since: jiff::Timestamp::UNIX_EPOCH,
            was_well: true,
        });
        let state = State {
            target: "plain@2".into(),
            moving: moving.collect(),
            ..State::default()
        };
        Book::new(mk_profile(2), versions, Some(state))
    }

    fn chosen(book: &Book, name: &str, mark: Option<(&str, Option<&str>)>) -> Result<u32, String> {
        let mark = mark.map(|(profile, spec)| Mark {
            profile: profile.into(),
            spec: spec.map(str::to_owned),
        });
        let spec = SpecHash {
            now: "spec".into(),
            older: "older".into(),
        };
        let chosen = book.choose(&mk_key(name), mark.as_ref(), &spec);
        chosen.map(|profile| profile.version)
    }

    #[test]
    fn a_resource_keeps_its_version_until_it_is_told() {
        let book = mk_book(&["told"]);
        assert_eq!(chosen(&book, "a", Some(("plain@1", Some("spec")))), Ok(1));
        assert_eq!(chosen(&book, "a", Some(("plain@1", Some("older")))), Ok(1));
        assert_eq!(chosen(&book, "a", Some(("plain@1", None))), Ok(1));
        assert_eq!(
            chosen(&book, "told", Some(("plain@1", Some("spec")))),
            Ok(2)
        );
    }

    #[test]
    fn what_is_new_or_has_changed_takes_the_newest() {
        let book = mk_book(&[]);
        assert_eq!(chosen(&book, "a", None), Ok(2));
        assert_eq!(chosen(&book, "a", Some(("plain@1", Some("other")))), Ok(2));
    }

    #[test]
    fn a_version_that_is_lost_is_not_replaced_in_passing() {
        let lost = chosen(&mk_book(&[]), "a", Some(("plain@0", Some("spec"))));
        assert_eq!(lost, Err("plain@0".to_owned()));
        let told = chosen(&mk_book(&["a"]), "a", Some(("plain@0", Some("spec"))));
        assert_eq!(told, Ok(2));
    }

    #[test]
    fn scaling_is_no_change_of_the_spec() {
        let hash = |spec: Value| {
            let object = json!({"metadata": {"name": "a"}, "spec": spec});
            let object = serde_json::from_value(object).expect("an object");
            SpecHash::of(Kind::Service, &object)
        };
        let one = hash(json!({"replicas": 1, "a": 1}));
        assert!(one.is(hash(json!({"replicas": 2, "a": 1})).mark()));
        let scaled = json!({"replicas": 1, "a": 1, "autoscaling": {"min": 1}});
        assert!(one.is(hash(scaled.clone()).mark()));
        assert!(!one.is(hash(json!({"replicas": 1, "a": 2})).mark()));
        // As it was marked before autoscaling was left out.
        let mut without_replicas = scaled.clone();
        without_replicas
            .as_object_mut()
            .map(|fields| fields.remove("replicas"));
        assert!(hash(scaled).is(&difference::hash(&without_replicas)));
    }
}
