//! Config files as people write them, right and wrong.

use std::collections::BTreeMap;

use super::*;

const TALK: &str = "\
apiVersion: pinterest.com/v1
kind: PinterestService
metadata:
  name: exampleservice
  project: exampleproject
  namespace: default
spec:
  iamrole: role1
  loadbalancer:
    port: 8080
  replicas: 3 #Default 1
  sidecarconfig:
    sidecar1:
      deps:
        - example.dep
    sidecar2:
      log_level: info
  template:
    spec:
      initcontainers:
        - name: init
          image: gcr.io/kuar-demo/kuar-amd64:1
      containers:
        - name: exampleservice
          image: gcr.io/kuar-demo/kuar-amd64:1
";

/// A service with `spec` below `spec:`.
fn service(spec: &str) -> String {
    let mut file = String::from(
        "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: hello\nspec:\n",
    );
    for line in spec.lines() {
        file.extend(["  ", line, "\n"]);
    }
    file
}

const CONTAINER: &str = "template:\n  spec:\n    containers:\n      - name: hello\n";

fn refuse(file: &str) -> ConfigError {
    parse("hello.yaml", file.as_bytes()).expect_err("must be refused")
}

/// The problems as lines, to be compared.
fn problems(file: &str) -> Vec<String> {
    let place = |p: hermez_api::Place| {
        let at = p
            .line
            .map(|l| format!("{l}:{} ", p.column.unwrap_or(0)))
            .unwrap_or_default();
        let field = p.field.map(|f| format!("{f}: ")).unwrap_or_default();
        let hint = p.hint.map(|h| format!(" | {h}")).unwrap_or_default();
        format!("{at}{field}{}{hint}", p.message)
    };
    refuse(file).places().into_iter().map(place).collect()
}

#[test]
fn the_talks_example_is_read() {
    let config = parse("service.yaml", TALK.as_bytes()).expect("valid");
    assert_eq!(config.name, "exampleservice");
    assert_eq!(config.project, "exampleproject");
    assert_eq!(config.namespace, "default");
    assert_eq!(config.kind(), "PinterestService");
    assert_eq!(config.port(), Some(8080));
    assert_eq!(config.replicas(), Some(3));
    let containers = config.containers();
    assert_eq!(containers.len(), 2);
    assert!(containers[0].init && containers[0].name == "init");
    let labels = config.resource.metadata().labels.as_ref().expect("labels");
    assert_eq!(labels[PROJECT_LABEL], "exampleproject");
    let Resource::Service(service) = &config.resource else {
        unreachable!("it is a service")
    };
    assert_eq!(service.spec.iamrole.as_deref(), Some("role1"));
    assert_eq!(service.spec.sidecarconfig["sidecar2"]["log_level"], "info");
}

#[test]
fn what_is_left_out_has_defaults() {
    let config = parse("hello.yaml", service(CONTAINER).as_bytes()).expect("valid");
    assert_eq!(
        (config.namespace.as_str(), config.project.as_str()),
        ("default", "default")
    );
    assert_eq!(config.replicas(), Some(1));
    assert_eq!(config.port(), None);
    assert_eq!(config.containers()[0].image, None);
}

#[test]
fn plural_spellings_of_kinds_are_accepted() {
    let file = TALK.replace("kind: PinterestService", "kind: PinterestServices");
    let config = parse("x.yaml", file.as_bytes()).expect("valid");
    assert_eq!(config.kind(), "PinterestService");
    assert!(
        config
            .to_manifest_yaml()
            .contains("kind: PinterestService\n")
    );
}

#[test]
fn a_pinned_manifest_reads_back_as_itself() {
    let mut config = parse("service.yaml", TALK.as_bytes()).expect("valid");
    let digest = format!(
        "127.0.0.1:5000/hermez/exampleservice@sha256:{}",
        "a".repeat(64)
    );
    config.pin(&BTreeMap::from([(
        "exampleservice".to_owned(),
        digest.clone(),
    )]));
    assert_eq!(
        config.containers()[1].image.as_deref(),
        Some(digest.as_str())
    );
    assert_eq!(
        config.containers()[0].image.as_deref(),
        Some("gcr.io/kuar-demo/kuar-amd64:1")
    );
    let manifest = config.to_manifest_yaml();
    let again = Config::from_manifest(manifest.as_bytes()).expect("a manifest is a config file");
    assert_eq!(again, config);
    assert_eq!(again.to_manifest_yaml(), manifest);
}

#[test]
fn an_unknown_field_names_the_nearest() {
    assert_eq!(
        problems(&service(&format!("loadBalancer:\n  port: 80\n{CONTAINER}"))),
        ["6:3 spec.loadBalancer: unknown field \"loadBalancer\" | did you mean \"loadbalancer\"?"]
    );
}

#[test]
fn an_unknown_field_within_a_container_names_the_nearest() {
    let file = service(&format!(
        "{CONTAINER}        readinessprobe:\n          httpGet:\n            prot: 1\n        image: x\n"
    ));
    assert_eq!(
        problems(&file),
        [
            "10:11 spec.template.spec.containers[0].readinessprobe: unknown field \"readinessprobe\" | did you mean \"readinessProbe\"?"
        ]
    );
    let file = file.replace("readinessprobe", "readinessProbe");
    assert_eq!(
        problems(&file),
        [
            "12:15 spec.template.spec.containers[0].readinessProbe.httpGet.prot: unknown field \"prot\" | did you mean \"port\"?",
            "12:15 spec.template.spec.containers[0].readinessProbe.httpGet.port: \"port\" is missing | port: Name or number of the port to access on the container. Number must be in the range 1 to 65535. Name must be an IANA_SVC_NAME."
        ]
    );
}

#[test]
fn a_wrong_type_says_what_was_found_and_expected() {
    assert_eq!(
        problems(&service(&format!(
            "replicas: three\nconfigs:\n  DEBUG: 1\n  X: true\n{CONTAINER}"
        ))),
        [
            "6:13 spec.replicas: found the text \"three\", expected a whole number",
            "8:12 spec.configs.DEBUG: found the number 1, expected text | write it in quotes: \"1\"",
            "9:8 spec.configs.X: found true, expected text | write it in quotes: \"true\"",
        ]
    );
    assert_eq!(
        problems(&service(
            "template:\n  spec:\n    containers:\n      name: hello\n"
        )),
        [
            "9:9 spec.template.spec.containers: found a map, expected a list | begin each item with \"- \""
        ]
    );
}

#[test]
fn numbers_have_ranges() {
    assert_eq!(
        problems(&service(&format!(
            "replicas: 10001\nloadbalancer:\n  port: 0\n{CONTAINER}"
        ))),
        [
            "6:13 spec.replicas: found 10001, expected 0 to 10000",
            "8:11 spec.loadbalancer.port: found 0, expected 1 to 65535",
        ]
    );
}

#[test]
fn missing_fields_are_named() {
    let file = "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata: {}\nspec:\n  template:\n    spec:\n      containers: []\n";
    assert_eq!(
        problems(file),
        [
            "3:11 metadata.name: \"name\" is missing | name: the workload's name, for example my-service",
            "7:19 spec.template.spec.containers: found 0 items, expected at least 1",
        ]
    );
    assert_eq!(
        problems("kind: PinterestService\n"),
        ["1:1 apiVersion: \"apiVersion\" is missing | write apiVersion: pinterest.com/v1"]
    );
}

#[test]
fn unknown_kinds_list_the_known() {
    assert_eq!(
        problems(&TALK.replace("PinterestService", "PintrestService")),
        [
            "2:7 kind: found the text \"PintrestService\", expected one of PinterestService, PinterestCronJob, PinterestJobSet, PinterestStatefulset, PinterestStreamingJob, PinterestTrainingJob | did you mean \"PinterestService\"?"
        ]
    );
    assert_eq!(
        problems(&TALK.replace("pinterest.com/v1", "apps/v1")),
        [
            "1:13 apiVersion: found the text \"apps/v1\", expected pinterest.com/v1 | write apiVersion: pinterest.com/v1 and one of PinterestService, PinterestCronJob, PinterestJobSet, PinterestStatefulset, PinterestStreamingJob, PinterestTrainingJob"
        ]
    );
}

#[test]
fn illegal_names_come_with_a_legal_one() {
    assert_eq!(
        problems(&service(CONTAINER).replace("name: hello\nspec", "name: My_Service\nspec")),
        [
            "4:9 metadata.name: \"My_Service\" is not a legal name: at most 63 characters of a-z, 0-9 and '-', a letter first, a letter or digit last | write name: my-service"
        ]
    );
    let long = "a".repeat(64);
    let error =
        refuse(&service(CONTAINER).replace("name: hello\nspec", &format!("name: {long}\nspec")));
    assert_eq!(error.problems()[0].kind, ProblemKind::IllegalName);
}

#[test]
fn the_definitions_rules_are_asked_with_their_place() {
    assert_eq!(
        problems(&service(&format!(
            "autoscaling:\n  min: 3\n  max: 2\n  cpu: 70\n{CONTAINER}"
        ))),
        [
            "6:3 spec.autoscaling: autoscaling.max must be at least autoscaling.min | raise max or lower min"
        ]
    );
    assert_eq!(
        problems(&service(&format!("{CONTAINER}      - name: hello\n"))),
        ["7:5 spec.template.spec: two containers have the same name | give each its own name"]
    );
    assert_eq!(
        problems(&service(&format!(
            "replicas: 9\nautoscaling:\n  max: 4\n  cpu: 70\n{CONTAINER}"
        ))),
        [
            "5:1 spec: autoscaling owns the number of replicas | leave replicas out, or write a number from autoscaling.min to autoscaling.max"
        ]
    );
}

#[test]
fn files_that_are_no_text_or_too_large_are_refused() {
    let error = parse("x", &[0xff, 0xfe]).expect_err("not text");
    assert_eq!(error.problems()[0].kind, ProblemKind::NotText);
    let error = parse("x", &vec![b'#'; SIZE_LIMIT + 1]).expect_err("too large");
    assert_eq!(error.problems()[0].kind, ProblemKind::TooLarge);
    assert_eq!(
        refuse("- a\n- b\n").problems()[0].kind,
        ProblemKind::WrongType
    );
    assert_eq!(refuse("").problems()[0].kind, ProblemKind::NotYaml);
}

#[test]
fn status_cannot_be_written() {
    assert!(problems(&format!("{TALK}status: {{}}\n"))[0].contains("unknown field \"status\""));
}

#[test]
fn the_report_shows_the_line() {
    let error = refuse(&service(&format!("replica: 2\n{CONTAINER}")));
    assert_eq!(
        error.to_string(),
        "hello.yaml:6:3: spec.replica: unknown field \"replica\""
    );
    let mut drawn = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
        .render_report(&mut drawn, &error)
        .expect("drawn");
    assert!(drawn.contains("replica: 2"), "{drawn}");
    assert!(drawn.contains("did you mean \"replicas\"?"), "{drawn}");
}
