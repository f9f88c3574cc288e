//! How members find each other: the variables of each framework, and the checkpoint.
//!
//! A rank is the pod's index in its role plus the members of the roles before it. Kubernetes adds
//! nothing up: where a role is not the first, the controller writes the rank as a label when it
//! lets the pod go, which is before any container starts, and the variable reads the label.

use k8s_openapi::api::core::v1::{EnvVar, PersistentVolumeClaimVolumeSource, Volume, VolumeMount};
use serde_json::{Value, json};

use super::{Checkpoint, Framework, Members, PinterestTrainingJobSpec, Role, job_name};
use crate::names::{INDEX_ANNOTATION, RANK_LABEL};
use crate::run::{Attempt, field, literal};

/// Variables of every gang.
const OWN: &[&str] = &[
    "HERMEZ_WORKLOAD",
    "HERMEZ_ROLE",
    "HERMEZ_INDEX",
    "HERMEZ_RANK",
    "HERMEZ_SIZE",
    "HERMEZ_COORDINATOR",
    "HERMEZ_PORT",
    "HERMEZ_HOST",
    "HERMEZ_ATTEMPT",
    "HERMEZ_RUN",
    "HERMEZ_CHECKPOINT_DIR",
    "JOB_COMPLETION_INDEX",
];
/// PyTorch's, and those of torchrun.
const PYTORCH: &[&str] = &[
    "MASTER_ADDR",
    "MASTER_PORT",
    "NODE_RANK",
    "GROUP_RANK",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "PET_NNODES",
    "PET_NODE_RANK",
    "PET_NPROC_PER_NODE",
    "PET_MASTER_ADDR",
    "PET_MASTER_PORT",
];

/// Names of all variables that members get.
pub(super) fn names(spec: &PinterestTrainingJobSpec) -> Vec<&'static str> {
    let more: &[&str] = match spec.framework {
        Framework::None => &[],
        Framework::Pytorch => PYTORCH,
        Framework::Tensorflow => &["TF_CONFIG"],
    };
    OWN.iter().chain(more).copied().collect()
}

/// What tells the members of a role who they are and where the others are.
pub(super) fn of_members(
    name: &str,
    spec: &PinterestTrainingJobSpec,
    (members, first): (&Members, i32),
    attempt: &Attempt,
) -> Vec<EnvVar> {
    let index = format!("metadata.annotations['{INDEX_ANNOTATION}']");
    let rank = match first {
        0 => index.clone(),
        _ => format!("metadata.labels['{RANK_LABEL}']"),
    };
    let coordinator = spec
        .ranked()
        .first()
        .map_or_else(String::new, |(members, _)| {
            format!("{}-0.{name}", job_name(name, members.role))
        });
    let job = job_name(name, members.role);
    let mut env = vec![
        literal("HERMEZ_WORKLOAD", &name),
        literal("HERMEZ_ROLE", &members.role.name()),
        field("HERMEZ_INDEX", &index),
        field("HERMEZ_RANK", &rank),
        literal("HERMEZ_SIZE", &spec.size()),
        literal("HERMEZ_COORDINATOR", &coordinator),
        literal("HERMEZ_PORT", &spec.port()),
        literal("HERMEZ_HOST", &format!("{job}-$(HERMEZ_INDEX).{name}")),
        literal("HERMEZ_ATTEMPT", &attempt.number),
        literal("HERMEZ_RUN", &attempt.revision),
    ];
    if let Some(checkpoint) = &spec.checkpoint {
        env.push(literal("HERMEZ_CHECKPOINT_DIR", &checkpoint.mountpath));
    }
    match spec.framework {
        Framework::None => {}
        Framework::Pytorch => env.extend(pytorch(spec, &coordinator, &rank)),
        Framework::Tensorflow => {
            env.push(literal("TF_CONFIG", &tensorflow(name, spec, members.role)));
        }
    }
    env
}

fn pytorch(spec: &PinterestTrainingJobSpec, coordinator: &str, rank: &str) -> Vec<EnvVar> {
    let port = spec.port();
    let mut env = vec![
        literal("MASTER_ADDR", &coordinator),
        literal("MASTER_PORT", &port),
        field("NODE_RANK", rank),
        field("GROUP_RANK", rank),
        literal("PET_NNODES", &spec.size()),
        field("PET_NODE_RANK", rank),
        literal("PET_NPROC_PER_NODE", &spec.processespernode),
        literal("PET_MASTER_ADDR", &coordinator),
        literal("PET_MASTER_PORT", &port),
    ];
    // With several processes in a member, torchrun gives each its own.
    if spec.processespernode == 1 {
        env.extend([
            field("RANK", rank),
            literal("WORLD_SIZE", &spec.size()),
            literal("LOCAL_RANK", &0),
            literal("LOCAL_WORLD_SIZE", &1),
        ]);
    }
    env
}

/// TF_CONFIG, with the index put in by Kubernetes when the container starts.
fn tensorflow(name: &str, spec: &PinterestTrainingJobSpec, role: Role) -> String {
    let mut cluster = serde_json::Map::new();
    for (members, _) in spec.ranked() {
        // The evaluator stands beside the cluster.
        if members.role != Role::Evaluator {
            let job = job_name(name, members.role);
            let host = |index| json!(format!("{job}-{index}.{name}:{}", spec.port()));
            let hosts: Vec<Value> = (0..members.replicas).map(host).collect();
            cluster.insert(members.role.name().to_owned(), hosts.into());
        }
    }
    // The index is a number, so that it cannot go through a JSON value as a variable.
    format!(
        r#"{{"cluster":{},"task":{{"type":"{}","index":$(HERMEZ_INDEX)}}}}"#,
        Value::Object(cluster),
        role.name()
    )
}

/// The volume that checkpoints are kept in.
pub(super) fn checkpoint_volume(checkpoint: &Checkpoint) -> Volume {
    match (&checkpoint.volume, &checkpoint.claim) {
        (Some(volume), _) => volume.clone(),
        (None, claim) => Volume {
            name: "checkpoint".into(),
            persistent_volume_claim: claim.as_ref().map(|claim| {
                PersistentVolumeClaimVolumeSource {
                    claim_name: claim.clone(),
                    read_only: None,
                }
            }),
            ..Volume::default()
        },
    }
}

/// That volume and where members find it.
pub(super) fn checkpoint(spec: &PinterestTrainingJobSpec) -> Option<(Volume, VolumeMount)> {
    let checkpoint = spec.checkpoint.as_ref()?;
    let volume = checkpoint_volume(checkpoint);
    let mount = VolumeMount {
        name: volume.name.clone(),
        mount_path: checkpoint.mountpath.clone(),
        ..VolumeMount::default()
    };
    Some((volume, mount))
}
