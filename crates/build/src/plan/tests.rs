//! Which images are built, and what is said where none can be.

use super::*;
use crate::parse_hermez_yaml;

fn mk_containers(list: &[(&str, Option<&str>)]) -> Vec<ContainerImage> {
    list.iter()
        .map(|(name, image)| ContainerImage {
            container: (*name).to_owned(),
            image: image.map(str::to_owned),
        })
        .collect()
}

fn mk_plan(
    containers: &[(&str, Option<&str>)],
    dockerfile: bool,
    yaml: Option<&str>,
) -> Result<BuildPlan, PlanError> {
    plan(PlanInput {
        workload: "web",
        config_path: "services/web/service.yaml",
        containers: &mk_containers(containers),
        hermez_yaml: yaml.map(|text| parse_hermez_yaml(text.as_bytes()).unwrap()),
        dockerfile_next_to_config: dockerfile,
    })
}

#[test]
fn a_dockerfile_next_to_the_config_builds_the_workloads_image() {
    for image in [None, Some("web"), Some("web:1"), Some("web@sha256:00")] {
        let plan = mk_plan(&[("main", image), ("proxy", Some("envoy:1"))], true, None).unwrap();
        assert_eq!(
            plan.images,
            [ImagePlan {
                name: "web".into(),
                dockerfile: "services/web/Dockerfile".into(),
                context: "services/web".into(),
                target: None,
                args: BTreeMap::new(),
                timeout_ms: 1_200_000,
                containers: vec!["main".into()],
            }]
        );
        assert_eq!(plan.external[0].image, "envoy:1");
    }
}

#[test]
fn at_the_root_the_context_is_the_root() {
    let plan = plan(PlanInput {
        workload: "web",
        config_path: "./service.yaml",
        containers: &mk_containers(&[("main", None)]),
        hermez_yaml: None,
        dockerfile_next_to_config: true,
    })
    .unwrap();
    assert_eq!(
        (
            plan.images[0].dockerfile.as_str(),
            plan.images[0].context.as_str()
        ),
        ("Dockerfile", ".")
    );
}

#[test]
fn without_a_dockerfile_all_images_are_external_and_listed_once() {
    let plan = mk_plan(
        &[
            ("a", Some("gcr.io/x/y:1")),
            ("b", Some("redis")),
            ("c", Some("redis")),
        ],
        false,
        None,
    )
    .unwrap();
    assert!(plan.images.is_empty());
    assert_eq!(plan.external[1].containers, ["b", "c"]);
}

#[test]
fn hermez_yaml_decides_over_the_dockerfile() {
    let yaml = "build:\n  images:\n    - {name: api, dockerfile: api/Dockerfile.prod}\n    - {name: worker, context: jobs, timeout: 1m}\n    - {name: both, context: ., dockerfile: x/Dockerfile}\n";
    let plan = mk_plan(
        &[
            ("api", None),
            ("worker", Some("worker:dev")),
            ("z", Some("both")),
        ],
        true,
        Some(yaml),
    )
    .unwrap();
    let seen: Vec<_> = plan
        .images
        .iter()
        .map(|i| {
            (
                i.name.as_str(),
                i.dockerfile.as_str(),
                i.context.as_str(),
                i.timeout_ms,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("api", "api/Dockerfile.prod", "api", 1_200_000),
            ("worker", "jobs/Dockerfile", "jobs", 60_000),
            ("both", "x/Dockerfile", ".", 1_200_000),
        ]
    );
}

#[test]
fn a_hermez_yaml_without_images_leaves_the_rule_of_the_dockerfile() {
    let plan = mk_plan(&[("main", None)], true, Some("{}")).unwrap();
    assert_eq!(plan.images[0].name, "web");
}

#[test]
fn a_port_is_no_tag() {
    assert_eq!(without_tag("localhost:5000/web"), "localhost:5000/web");
    assert_eq!(without_tag("localhost:5000/web:1"), "localhost:5000/web");
    assert_eq!(without_tag("web:1@sha256:aa"), "web");
}

#[test]
fn what_cannot_be_planned_says_what_to_write() {
    let two = "build: {images: [{name: api}, {name: worker}]}";
    let check = |result: Result<BuildPlan, PlanError>, says: &str| {
        let error = result.unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.contains(says), "{error}: {hint}");
    };
    check(mk_plan(&[], true, None), "containers");
    check(
        mk_plan(&[("main", None)], false, None),
        "Dockerfile in `services/web`",
    );
    check(
        mk_plan(&[("main", Some("nginx"))], true, None),
        "`image: web` in container `main`",
    );
    check(
        mk_plan(&[("a", Some("x")), ("b", Some("y"))], true, None),
        "(`a`, `b`)",
    );
    check(
        mk_plan(&[("main", None), ("api", None)], true, Some(two)),
        "`image: api`",
    );
    check(
        mk_plan(&[("api", None)], true, Some(two)),
        "`image: worker` in container `api`",
    );
}
