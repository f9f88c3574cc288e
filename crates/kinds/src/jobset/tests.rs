//! What a job set becomes, and what is wrong with one.

use std::fmt::Write;

use kube::ResourceExt;
use kube::api::DynamicObject;

use super::*;
use crate::config::{self, ConfigError};
use crate::names::RUN_ANNOTATION;
use crate::run::Attempt;

const FILE: &str = include_str!("../../../../examples/jobset/jobset.yaml");

fn parse(file: &str) -> Result<PinterestJobSet, ConfigError> {
    let config = config::parse("jobset.yaml", file.as_bytes())?;
    let crate::Resource::JobSet(set) = config.resource else {
        unreachable!("it is a job set")
    };
    Ok(*set)
}

fn mk_set(file: &str) -> PinterestJobSet {
    parse(file).unwrap_or_else(|error| panic!("{error:?}"))
}

/// A job set of groups, each as the lines of a list's item without its template.
fn file(groups: &[&str]) -> String {
    let mut file = String::from(
        "apiVersion: pinterest.com/v1\nkind: PinterestJobSet\nmetadata:\n  name: set\nspec:\n  replicatedjobs:\n",
    );
    for group in groups {
        write!(
            file,
            "    - {group}\n      template: {{spec: {{containers: [{{name: a, image: b}}]}}}}\n"
        )
        .expect("text");
    }
    file
}

fn yaml(objects: &[DynamicObject]) -> String {
    let objects = objects
        .iter()
        .map(|object| serde_saphyr::to_string(object).expect("plain data"));
    objects.collect::<Vec<_>>().join("---\n")
}

#[test]
fn the_example_translates_as_reviewed() {
    let set = mk_set(FILE);
    let plain = translate(&set, &RuntimeProfile::plain()).expect("translates");
    insta::assert_snapshot!("plain", yaml(&plain));
    let pinterest = translate(&set, &RuntimeProfile::pinterest()).expect("translates");
    insta::assert_snapshot!("pinterest", yaml(&pinterest));
}

#[test]
fn a_profiles_sidecars_do_not_keep_a_job_from_ending() {
    let set = mk_set(FILE);
    let first = Attempt::first(revision(&set));
    let objects = attempt(&set, &RuntimeProfile::pinterest(), &first).expect("translates");
    for job in objects.jobs {
        let pod = job
            .job
            .spec
            .and_then(|spec| spec.template.spec)
            .expect("pods");
        let own = &set
            .spec
            .replicatedjobs
            .iter()
            .find(|group| group.name == job.group)
            .expect("its group");
        assert_eq!(pod.containers.len(), own.template.spec.containers.len());
        let init = pod.init_containers.unwrap_or_default();
        let goes_on = |name: &str| {
            let container = init.iter().find(|container| container.name == name);
            container.and_then(|container| container.restart_policy.as_deref()) == Some("Always")
        };
        let sidecars = RuntimeProfile::pinterest().everywhere.sidecars;
        assert!(
            sidecars.iter().all(|sidecar| goes_on(&sidecar.name)),
            "{init:#?}"
        );
    }
}

#[test]
fn the_revision_is_of_what_makes_the_pods() {
    let set = mk_set(FILE);
    let word = revision(&set);
    assert_eq!(word.len(), 10);
    let other = |change: &dyn Fn(&mut PinterestJobSet)| {
        let mut other = set.clone();
        change(&mut other);
        revision(&other) != word
    };
    assert!(!other(&|set| set.spec.suspend = true));
    assert!(!other(&|set| set.spec.ttlsecondsafterfinished = Some(1)));
    assert!(!other(&|set| set.spec.failurepolicy = None));
    assert!(!other(&|set| {
        set.annotations_mut()
            .insert("hermez.dev/deploy".into(), "9".into());
    }));
    assert!(other(&|set| set.spec.replicatedjobs[0]
        .template
        .spec
        .containers[0]
        .image = None));
    assert!(other(&|set| set.spec.replicatedjobs[0].replicas = 9));
    assert!(other(&|set| {
        set.spec.configs.insert("MORE".into(), "x".into());
    }));
    assert!(other(&|set| {
        set.annotations_mut()
            .insert(RUN_ANNOTATION.into(), "2".into());
    }));
}

#[test]
fn attempts_differ_in_their_labels_and_variables_alone() {
    let set = mk_set(FILE);
    let of = |number: i32| {
        let attempt = Attempt {
            number,
            ..Attempt::first(revision(&set))
        };
        yaml(
            &super::attempt(&set, &RuntimeProfile::plain(), &attempt)
                .expect("translates")
                .all(),
        )
    };
    let (first, second) = (of(1), of(2));
    let changed: Vec<&str> = (first.lines().zip(second.lines()))
        .filter(|(old, new)| old != new)
        .map(|(_, new)| new.trim())
        .collect();
    assert!(!changed.is_empty());
    for line in changed {
        let known = line.starts_with("pinterest.com/attempt:")
            || line.starts_with("hermez.dev/template:")
            || line == "value: '2'"
            || line == "value: \"2\"";
        assert!(known, "{line}");
    }
}

#[test]
fn what_no_schema_can_say_is_refused_at_its_place() {
    let cases: &[(&[&str], &str)] = &[
        (
            &[
                "name: a\n      dependson: [{name: b}]",
                "name: b\n      dependson: [{name: a}]",
            ],
            "jobset.yaml:11:20: spec.replicatedjobs[1].dependson[0].name: the groups wait for each other: a → b → a",
        ),
        (
            &["name: a\n      dependson: [{name: a}]"],
            "jobset.yaml:8:20: spec.replicatedjobs[0].dependson[0].name: the groups wait for each other: a → a",
        ),
        (
            &[
                "name: a",
                "name: b\n      dependson: [{name: a}, {name: c}]",
            ],
            "jobset.yaml:10:31: spec.replicatedjobs[1].dependson[1].name: there is no group \"c\"",
        ),
        (
            &[
                "name: a23456789-123456789-123456789-1234567\n      replicas: 1000\n      parallelism: 10000",
            ],
            "",
        ),
    ];
    for (groups, words) in cases {
        match (parse(&file(groups)), words.is_empty()) {
            (Ok(_), true) => {}
            (Err(error), false) => assert_eq!(error.to_string(), *words),
            (other, _) => panic!("{words}: {other:?}"),
        }
    }
    // A diamond is no circle.
    let diamond = file(&[
        "name: a\n      dependson: [{name: b}, {name: c}]",
        "name: b\n      dependson: [{name: d}]",
        "name: c\n      dependson: [{name: d}]",
        "name: d",
    ]);
    assert_eq!(parse(&diamond).expect("valid").violations(), []);
}

#[test]
fn names_that_no_host_can_have_are_refused() {
    let long = "a".repeat(40);
    let text = file(&[&format!(
        "name: {long}\n      replicas: 1000\n      parallelism: 10000"
    )]);
    let text = text.replace("name: set", "name: set-of-many-letters");
    let error = parse(&text).expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!(
            "jobset.yaml:7:7: spec.replicatedjobs[0].name: the host name set-of-many-letters-{long}-999-9999 would have 69 characters, and may have 63"
        )
    );
}

#[test]
fn variables_that_tell_who_a_member_is_cannot_be_taken() {
    let text = file(&["name: a"]).replace(
        "image: b}",
        "image: b, env: [{name: HERMEZ_INDEX, value: x}]}",
    );
    let error = parse(&text).expect_err("refused");
    assert!(
        error
            .to_string()
            .contains("template.spec.containers[0].env[0].name: HERMEZ_INDEX is set by Hermez"),
        "{error}"
    );
    let text = file(&["name: a"]).replace(
        "spec:\n  replicated",
        "spec:\n  configs: {HERMEZ_GROUP: x}\n  replicated",
    );
    let error = parse(&text).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "jobset.yaml:6:13: spec.configs.HERMEZ_GROUP: HERMEZ_GROUP is set by Hermez for every member"
    );
}

#[test]
fn containers_are_named_with_their_group() {
    let set = crate::Resource::JobSet(Box::new(mk_set(FILE)));
    let names: Vec<String> = set
        .containers()
        .into_iter()
        .map(|(name, _, _)| name)
        .collect();
    assert_eq!(names, ["split/split", "count/count", "merge/merge"]);
}
