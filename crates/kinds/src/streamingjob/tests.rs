//! Streaming jobs and what they become.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::rbac::v1::Role;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

use super::*;
use crate::{RuntimeProfile, config};

const FLINK: &str = "\
flink:
  job: {class: com.example.Clicks, jar: /opt/flink/usrlib/clicks.jar, args: [--topic, clicks]}
  state: {dir: file:///state, volume: state}
template:
  spec:
    containers:
      - name: flink
        image: clicks:1
    volumes:
      - {name: state, persistentVolumeClaim: {claimName: clicks}}
";

fn mk_file(spec: &str) -> String {
    let mut file = String::from(
        "apiVersion: pinterest.com/v1\nkind: PinterestStreamingJob\nmetadata:\n  name: clicks\n  namespace: prod\n  project: web\nspec:\n",
    );
    for line in spec.lines() {
        file.extend(["  ", line, "\n"]);
    }
    file
}

fn mk_job(spec: &str) -> PinterestStreamingJob {
    let file = mk_file(spec);
    let config = config::parse("clicks.yaml", file.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let crate::Resource::StreamingJob(job) = config.resource else {
        unreachable!("it is a streaming job")
    };
    *job
}

fn plain(job: &PinterestStreamingJob) -> Vec<DynamicObject> {
    translate(job, &RuntimeProfile::plain()).expect("translates")
}

fn yaml(objects: &[DynamicObject]) -> String {
    let documents = objects
        .iter()
        .map(|object| serde_saphyr::to_string(object).expect("plain data"));
    documents.collect::<Vec<_>>().join("---\n")
}

fn get<T: DeserializeOwned>(objects: &[DynamicObject], kind: &str, name: &str) -> T {
    let is = |object: &&DynamicObject| {
        object
            .types
            .as_ref()
            .is_some_and(|types| types.kind == kind)
            && object.metadata.name.as_deref() == Some(name)
    };
    let object = objects
        .iter()
        .find(is)
        .unwrap_or_else(|| panic!("no {kind}/{name}"));
    serde_json::from_value(serde_json::to_value(object).expect("plain data")).expect(kind)
}

fn revision_of(job: &PinterestStreamingJob) -> String {
    revision(&job.metadata, &job.spec, &RuntimeProfile::plain()).expect("translates")
}

#[test]
fn a_flink_job_translates_as_reviewed() {
    insta::assert_snapshot!(yaml(&plain(&mk_job(FLINK))));
}

#[test]
fn a_flink_job_translates_through_the_pinterest_profile_as_reviewed() {
    let job = mk_job(&format!(
        "iamrole: role1\nconfigs: {{TOPIC: clicks}}\n{FLINK}"
    ));
    let objects = translate(&job, &RuntimeProfile::pinterest()).expect("translates");
    insta::assert_snapshot!(yaml(&objects));
}

#[test]
fn a_container_translates_as_reviewed() {
    let job = mk_job(
        "engine: container\nreplicas: 3\ntemplate:\n  spec:\n    containers:\n      - name: consumer\n        image: consumer:1\n",
    );
    insta::assert_snapshot!(yaml(&plain(&job)));
}

#[test]
fn a_later_start_has_names_of_its_own_and_begins_from_its_savepoint() {
    let job = mk_job(FLINK);
    let start = Start {
        number: 7,
        job_id: "0123456789abcdef0123456789abcdef",
        from: Some("file:///state/savepoints/savepoint-1"),
        revision: "abc",
        runs: true,
    };
    let objects = translate_start(&job.metadata, &job.spec, &RuntimeProfile::plain(), &start)
        .expect("translates");
    let manager: Deployment = get(&objects, "Deployment", "clicks-jobmanager");
    let pod = manager.spec.expect("a spec").template;
    let labels = pod
        .metadata
        .and_then(|metadata| metadata.labels)
        .expect("labels");
    assert_eq!(labels["pinterest.com/attempt"], "7");
    assert_eq!(labels["pinterest.com/revision"], "abc");
    let args = pod.spec.expect("a spec").containers[0]
        .args
        .clone()
        .expect("arguments");
    assert_eq!(
        args.join(" "),
        "--jars file:///opt/flink/usrlib/clicks.jar --job-classname com.example.Clicks \
         --job-id 0123456789abcdef0123456789abcdef --host $(POD_IP) --fromSavepoint file:///state/savepoints/savepoint-1 \
         --topic clicks"
    );
    let service: Service = get(&objects, "Service", "clicks-jobmanager");
    let selector = service
        .spec
        .and_then(|spec| spec.selector)
        .expect("a selector");
    assert_eq!(selector["pinterest.com/attempt"], "7");
    let config: ConfigMap = get(&objects, "ConfigMap", "clicks-flink");
    let text = &config.data.expect("data")["config.yaml"];
    assert!(
        text.contains("kubernetes.cluster-id: \"clicks-g7\"\n"),
        "{text}"
    );
    let role: Role = get(&objects, "Role", "clicks-flink");
    let names = role.rules.expect("rules")[1]
        .resource_names
        .clone()
        .expect("names");
    assert_eq!(
        names,
        [
            "clicks-g7-cluster-config-map",
            "clicks-g7-0123456789abcdef0123456789abcdef-config-map",
        ]
    );
}

#[test]
fn the_revision_follows_what_runs_and_nothing_else() {
    let one = mk_job(&format!(
        "replicas: 2\n{}",
        FLINK.replace("flink:\n", "flink:\n  parallelism: 1\n")
    ));
    let same = [
        mk_job(&format!(
            "replicas: 3\n{}",
            FLINK.replace("flink:\n", "flink:\n  parallelism: 1\n")
        )),
        mk_job(&format!(
            "replicas: 2\nsuspend: true\n{}",
            FLINK.replace("flink:\n", "flink:\n  parallelism: 1\n")
        )),
        mk_job(&format!(
            "replicas: 2\n{}",
            FLINK.replace(
                "flink:\n",
                "flink:\n  parallelism: 1\n  upgrade: {mode: stateless}\n"
            )
        )),
    ];
    for other in &same {
        assert_eq!(revision_of(&one), revision_of(other));
    }
    let others = [
        FLINK.replace("clicks:1", "clicks:2"),
        FLINK.replace("--topic, clicks", "--topic, others"),
        FLINK.replace("flink:\n", "flink:\n  configuration: {a.b: c}\n"),
        FLINK.replace("flink:\n", "flink:\n  restartnonce: again\n"),
        format!("replicas: 2\n{FLINK}"),
        format!("configs: {{A: b}}\n{FLINK}"),
    ];
    let base = revision_of(&mk_job(FLINK));
    for other in &others {
        assert_ne!(base, revision_of(&mk_job(other)), "{other}");
    }
    let mut deployed = mk_job(FLINK);
    let annotations = deployed.metadata.annotations.get_or_insert_default();
    annotations.insert(crate::names::DEPLOY_ANNOTATION.to_owned(), "9".to_owned());
    assert_eq!(
        base,
        revision_of(&deployed),
        "a deploy of the same is no upgrade"
    );
}

#[test]
fn the_resources_of_both_sides_and_the_users_probes_are_kept() {
    let spec = FLINK
        .replace(
            "flink:\n",
            "flink:\n  jobmanager: {memory: 700m, resources: {limits: {memory: 1Gi}}}\n  taskmanager: {slots: 4, memory: 800m}\n  highavailability: false\n",
        )
        .replace(
            "image: clicks:1\n",
            "image: clicks:1\n        resources: {limits: {memory: 2Gi}}\n        livenessProbe: {exec: {command: [\"true\"]}}\n",
        );
    let objects = plain(&mk_job(&spec));
    for (role, memory) in [("jobmanager", "1Gi"), ("taskmanager", "2Gi")] {
        let deployment: Deployment = get(&objects, "Deployment", &format!("clicks-{role}"));
        let pod = deployment
            .spec
            .and_then(|spec| spec.template.spec)
            .expect("pods");
        let limits = pod.containers[0]
            .resources
            .clone()
            .and_then(|r| r.limits)
            .expect("limits");
        assert_eq!(limits["memory"].0, memory);
        let probe = pod.containers[0].liveness_probe.clone().expect("a probe");
        assert!(probe.exec.is_some() && probe.tcp_socket.is_none());
        assert_eq!(
            pod.service_account_name, None,
            "no rights without high availability"
        );
    }
    let config: ConfigMap = get(&objects, "ConfigMap", "clicks-flink");
    let text = &config.data.expect("data")["config.yaml"];
    for line in [
        "jobmanager.memory.process.size: \"700m\"",
        "taskmanager.memory.process.size: \"800m\"",
        "parallelism.default: \"4\"",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("high-availability"), "{text}");
}

#[test]
fn a_suspended_job_has_no_pods() {
    let objects = plain(&mk_job(&format!("suspend: true\n{FLINK}")));
    for role in ["jobmanager", "taskmanager"] {
        let deployment: Deployment = get(&objects, "Deployment", &format!("clicks-{role}"));
        assert_eq!(deployment.spec.and_then(|spec| spec.replicas), Some(0));
    }
}

/// What the parser says of a spec, each problem as `line:column field message; hint`.
fn problems(spec: &str) -> Vec<String> {
    let file = mk_file(spec);
    let error = config::parse("clicks.yaml", file.as_bytes()).expect_err("refused");
    let line = |problem: &config::Problem| {
        let mark = problem.mark.map_or(String::new(), |mark| {
            format!("{}:{}", mark.line, mark.column)
        });
        format!(
            "{mark} {} {}; {}",
            problem.field.as_deref().unwrap_or_default(),
            problem.message,
            problem.hint.as_deref().unwrap_or_default()
        )
    };
    error.problems().iter().map(line).collect()
}

#[test]
fn mistakes_are_told_with_their_place_and_what_to_write() {
    let cases = [
        FLINK.replace("flink:\n", "engine: container\nflink:\n"),
        "template: {spec: {containers: [{name: a}]}}\n".to_owned(),
        FLINK.replace("image: clicks:1", "command: [run]"),
        format!("replicas: 0\n{FLINK}"),
        FLINK.replace("flink:\n", "flink:\n  parallelism: 3\n"),
        FLINK.replace("flink:\n", "flink:\n  parallelism: 0\n"),
        FLINK.replace("volume: state}", "volume: other}"),
        FLINK.replace("dir: file:///state", "dir: s3://bucket"),
        FLINK.replace("dir: file:///state", "dir: /state"),
        FLINK.replace("flink:\n", "flink:\n  jobmanager: {replicas: 2}\n  highavailability: false\n"),
        FLINK.replace("flink:\n", "flink:\n  upgrade: {mode: rolling}\n"),
        FLINK.replace(
            "flink:\n",
            "flink:\n  configuration:\n    parallelism.default: \"3\"\n    high-availability.type: none\n    kubernetes.cluster-id: a\n    state.backend.type: rocksdb\n",
        ),
    ];
    let told: Vec<String> = cases.iter().map(|case| problems(case).join("\n")).collect();
    insta::assert_snapshot!(told.join("\n"));
}
