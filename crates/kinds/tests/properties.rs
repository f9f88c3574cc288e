//! What holds for every valid resource of every kind, made up from the kinds' own definitions.

#[path = "support/specs.rs"]
mod specs;

use hermez_kinds::{Kind, RuntimeProfile, config};

/// Resources of each kind that are tried.
const CASES: usize = 16;

#[test]
fn every_valid_resource_translates_and_always_to_the_same() {
    for kind in Kind::ALL.iter().copied() {
        for config in specs::valid(kind, CASES, 1) {
            for profile in [RuntimeProfile::plain(), RuntimeProfile::pinterest()] {
                let first = config.resource.translate(&profile);
                let first = first.unwrap_or_else(|error| {
                    panic!("{}\n{error}", config.to_manifest_yaml());
                });
                let again = config.resource.translate(&profile).expect("translates");
                assert_eq!(first, again, "{}", config.to_manifest_yaml());
                // Through its manifest, as an artifact keeps it.
                let manifest = config.to_manifest_yaml();
                let read = hermez_kinds::Config::from_manifest(manifest.as_bytes());
                let read = read.unwrap_or_else(|error| panic!("{manifest}\n{error}"));
                assert_eq!(
                    read.resource.translate(&profile).expect("translates"),
                    first
                );
            }
        }
    }
}

#[test]
fn every_object_belongs_to_its_workload_and_is_among_those_that_are_watched() {
    for kind in Kind::ALL.iter().copied() {
        let owned = kind.owned();
        for config in specs::valid(kind, CASES, 2) {
            let objects = config.resource.translate(&RuntimeProfile::pinterest());
            let mut names = std::collections::BTreeSet::new();
            for object in objects.expect("translates") {
                let types = object.types.clone().expect("a kind");
                let watched = owned.iter().any(|native| native.kind == types.kind);
                assert!(
                    watched,
                    "{} makes a {} that is not watched",
                    kind.name(),
                    types.kind
                );
                let name = object.metadata.name.clone().unwrap_or_default();
                assert!(names.insert((types.kind, name)), "twice: {object:?}");
                let labels = object.metadata.labels.unwrap_or_default();
                assert_eq!(labels["app.kubernetes.io/managed-by"], "hermez");
                assert_eq!(labels["pinterest.com/workload"], config.name);
            }
        }
    }
}

#[test]
fn what_is_refused_is_refused_with_a_place() {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    for kind in Kind::ALL.iter().copied() {
        let strategy = specs::resources(kind);
        for _ in 0..CASES {
            let made = strategy.new_tree(&mut runner).expect("a value").current();
            if let Err(error) = config::parse("made.yaml", made.to_string().as_bytes()) {
                let places = error.places();
                assert!(
                    !places.is_empty() && places.iter().all(|place| !place.message.is_empty()),
                    "{made}"
                );
            }
        }
    }
}
