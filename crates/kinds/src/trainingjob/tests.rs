//! What a training job becomes, and what is wrong with one.

use std::fmt::Write;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{EnvVar, PodSpec};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::json;

use super::*;
use crate::config::{self, ConfigError};
use crate::names::{GANG_GATE, KIND_LABEL};
use crate::run::Attempt;

const FILE: &str = include_str!("../../../../examples/trainingjob/trainingjob.yaml");

fn parse(file: &str) -> Result<PinterestTrainingJob, ConfigError> {
    let config = config::parse("trainingjob.yaml", file.as_bytes())?;
    let crate::Resource::TrainingJob(job) = config.resource else {
        unreachable!("it is a training job")
    };
    Ok(*job)
}

/// A training job with that spec, and for each role and number a member.
fn mk(spec: &str, members: &[(&str, i32)]) -> Result<PinterestTrainingJob, ConfigError> {
    let mut file = String::from(
        "apiVersion: pinterest.com/v1\nkind: PinterestTrainingJob\nmetadata:\n  name: job\nspec:\n  members:\n",
    );
    for (role, replicas) in members {
        write!(file, "    - role: {role}\n      replicas: {replicas}\n      template: {{spec: {{containers: [{{name: a, image: b}}]}}}}\n"
        ).expect("text");
    }
    for line in spec.lines() {
        writeln!(file, "  {line}").expect("text");
    }
    parse(&file)
}

fn jobs(job: &PinterestTrainingJob) -> Vec<Job> {
    let first = Attempt::first(revision(job));
    let objects = attempt(job, &RuntimeProfile::plain(), &first).expect("translates");
    objects.jobs.into_iter().map(|job| job.job).collect()
}

fn pod(job: &Job) -> PodSpec {
    job.spec
        .clone()
        .and_then(|spec| spec.template.spec)
        .expect("pods")
}

fn variable(job: &Job, name: &str) -> Option<String> {
    let pod = pod(job);
    let env: Vec<EnvVar> = pod.containers[0].env.clone().unwrap_or_default();
    let found = env.into_iter().find(|env| env.name == name)?;
    let field = found
        .value_from
        .and_then(|source| source.field_ref)
        .map(|field| field.field_path);
    found.value.or(field)
}

fn yaml(objects: &[DynamicObject]) -> String {
    let objects = objects
        .iter()
        .map(|object| serde_saphyr::to_string(object).expect("plain data"));
    objects.collect::<Vec<_>>().join("---\n")
}

#[test]
fn the_example_translates_as_reviewed() {
    let job = parse(FILE).expect("valid");
    let plain = translate(&job, &RuntimeProfile::plain()).expect("translates");
    insta::assert_snapshot!("plain", yaml(&plain));
    let pinterest = translate(&job, &RuntimeProfile::pinterest()).expect("translates");
    insta::assert_snapshot!("pinterest", yaml(&pinterest));
}

#[test]
fn pytorchs_ranks_are_indices_unless_a_master_comes_first() {
    let index = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
    let alone = jobs(&mk("framework: pytorch", &[("worker", 4)]).expect("valid"));
    assert_eq!(alone.len(), 1);
    assert_eq!(variable(&alone[0], "RANK").as_deref(), Some(index));
    assert_eq!(variable(&alone[0], "WORLD_SIZE").as_deref(), Some("4"));
    assert_eq!(
        variable(&alone[0], "MASTER_ADDR").as_deref(),
        Some("job-worker-0.job")
    );
    assert_eq!(variable(&alone[0], "MASTER_PORT").as_deref(), Some("29500"));
    assert_eq!(variable(&alone[0], "TF_CONFIG"), None);

    let two = jobs(&mk("framework: pytorch", &[("worker", 2), ("master", 1)]).expect("valid"));
    assert_eq!(
        two.iter().map(ResourceExt::name_any).collect::<Vec<_>>(),
        ["job-master", "job-worker"]
    );
    assert_eq!(variable(&two[0], "RANK").as_deref(), Some(index));
    assert_eq!(
        variable(&two[1], "RANK").as_deref(),
        Some("metadata.labels['pinterest.com/rank']")
    );
    for job in &two {
        assert_eq!(variable(job, "WORLD_SIZE").as_deref(), Some("3"));
        assert_eq!(
            variable(job, "MASTER_ADDR").as_deref(),
            Some("job-master-0.job")
        );
    }
}

#[test]
fn torchrun_ranks_its_own_processes() {
    let job = mk("framework: pytorch\nprocessespernode: 8", &[("worker", 2)]).expect("valid");
    let jobs = jobs(&job);
    let value = |name: &str| variable(&jobs[0], name);
    assert_eq!(value("PET_NPROC_PER_NODE").as_deref(), Some("8"));
    assert_eq!(value("PET_NNODES").as_deref(), Some("2"));
    assert_eq!(
        (value("RANK"), value("WORLD_SIZE"), value("LOCAL_RANK")),
        (None, None, None)
    );
}

#[test]
fn tensorflows_config_names_everyone_and_leaves_the_index_to_kubernetes() {
    let members = [("worker", 2), ("chief", 1), ("ps", 1), ("evaluator", 1)];
    let jobs = jobs(&mk("framework: tensorflow\nport: 3333", &members).expect("valid"));
    assert_eq!(
        jobs.iter().map(ResourceExt::name_any).collect::<Vec<_>>(),
        ["job-chief", "job-worker", "job-ps", "job-evaluator"]
    );
    let config = variable(&jobs[3], "TF_CONFIG").expect("a configuration");
    assert!(config.contains("\"index\":$(HERMEZ_INDEX)"), "{config}");
    let config: serde_json::Value =
        serde_json::from_str(&config.replace("$(HERMEZ_INDEX)", "0")).expect("JSON");
    assert_eq!(
        config,
        json!({
            "cluster": {"chief": ["job-chief-0.job:3333"], "worker": ["job-worker-0.job:3333", "job-worker-1.job:3333"], "ps": ["job-ps-0.job:3333"]},
            "task": {"type": "evaluator", "index": 0},
        })
    );
    // Kubernetes puts in only what stands before.
    let pod = pod(&jobs[0]);
    let names: Vec<&str> = pod.containers[0]
        .env
        .iter()
        .flatten()
        .map(|env| env.name.as_str())
        .collect();
    let place = |name: &str| names.iter().position(|found| *found == name);
    assert!(place("HERMEZ_INDEX") < place("TF_CONFIG"));
}

#[test]
fn members_are_held_back_fail_as_one_and_share_the_checkpoint() {
    let spec = "checkpoint: {claim: disk, mountpath: /ck}";
    let jobs = jobs(&mk(spec, &[("worker", 3)]).expect("valid"));
    let spec = jobs[0].spec.clone().expect("a spec");
    assert_eq!(
        (spec.completions, spec.parallelism, spec.backoff_limit),
        (Some(3), Some(3), Some(0))
    );
    let labels = spec
        .template
        .metadata
        .and_then(|metadata| metadata.labels)
        .expect("labels");
    assert_eq!(labels[KIND_LABEL], "PinterestTrainingJob");
    let pod = pod(&jobs[0]);
    assert_eq!(pod.scheduling_gates.expect("gates")[0].name, GANG_GATE);
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
    assert_eq!(pod.subdomain.as_deref(), Some("job"));
    let volume = &pod.volumes.expect("volumes")[0];
    assert_eq!(
        volume
            .persistent_volume_claim
            .as_ref()
            .map(|claim| claim.claim_name.as_str()),
        Some("disk")
    );
    let mount = &pod.containers[0].volume_mounts.as_ref().expect("mounts")[0];
    assert_eq!(
        (mount.name.as_str(), mount.mount_path.as_str()),
        ("checkpoint", "/ck")
    );
    assert_eq!(
        variable(&jobs[0], "HERMEZ_CHECKPOINT_DIR").as_deref(),
        Some("/ck")
    );
    assert_eq!(variable(&jobs[0], "HERMEZ_ATTEMPT").as_deref(), Some("1"));
}

#[test]
fn who_leads_decides_when_the_training_has_succeeded() {
    let with = |members: &[(&str, i32)], spec: &str| mk(spec, members).expect("valid").spec;
    let chief = with(
        &[("chief", 1), ("worker", 2), ("ps", 1)],
        "framework: tensorflow",
    );
    assert!(chief.leads(Role::Chief) && !chief.leads(Role::Worker) && !chief.leads(Role::Ps));
    let none = with(&[("worker", 2), ("ps", 1)], "framework: tensorflow");
    assert!(none.leads(Role::Worker) && !none.leads(Role::Ps));
    assert_eq!(none.size(), 3);
}

/// Roles, each with how many.
type Roles<'a> = &'a [(&'a str, i32)];

#[test]
fn what_is_in_the_way_is_refused_at_its_place() {
    let taken = FILE.replace("name: LEARNING_RATE", "name: MASTER_PORT");
    let error = parse(&taken).expect_err("refused").to_string();
    assert!(error.contains("spec.members[0].template.spec.containers[0].env[0].name: MASTER_PORT is set by Hermez for every member"), "{error}");
    let long = mk("", &[("worker", 1000)]).map(|mut job| {
        job.metadata.name = Some("a".repeat(60));
        job.violations()
    });
    let long = long.expect("valid");
    assert_eq!((long.len(), long[0].field.as_str()), (1, "metadata.name"));
    let rules: [(&str, Roles<'_>, &str); 4] = [
        ("", &[("master", 1)], "spec: members has no workers"),
        (
            "",
            &[("worker", 1), ("worker", 1)],
            "spec: two members have the same role",
        ),
        (
            "",
            &[("worker", 1), ("ps", 1)],
            "spec: the roles chief, ps and evaluator are TensorFlow's",
        ),
        (
            "checkpoint: {mountpath: /a}",
            &[("worker", 1)],
            "spec.checkpoint: a checkpoint is kept in one place",
        ),
    ];
    for (spec, members, words) in rules {
        let error = mk(spec, members).expect_err("refused").to_string();
        assert!(error.contains(words), "{words:?} is not in: {error}");
    }
}
