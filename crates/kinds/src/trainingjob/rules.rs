//! What is wrong with a training job that no schema can say: host names that are too long,
//! variables and mounts that are taken.

use super::{PinterestTrainingJob, job_name, variables};
use crate::config::Violation;
use crate::run;

/// Longest host name, in characters.
const HOST_LIMIT: usize = 63;

/// Everything that is wrong, in the order of the spec.
pub(super) fn violations(job: &PinterestTrainingJob) -> Vec<Violation> {
    let spec = &job.spec;
    let taken = variables::names(spec);
    let mut violations = run::reserved_configs(&spec.configs, &taken);
    let name = job.metadata.name.as_deref().unwrap_or_default();
    for (at, members) in spec.members.iter().enumerate() {
        let template = format!("spec.members[{at}].template");
        violations.extend(run::reserved(&members.template, &template, &taken));
        violations.extend(mounts(job, at));
        let host = format!("{}-{}", job_name(name, members.role), members.replicas - 1);
        if host.len() > HOST_LIMIT {
            violations.push(Violation {
                field: "metadata.name".into(),
                message: format!(
                    "the host name {host} would have {} characters, and may have {HOST_LIMIT}",
                    host.len()
                ),
                hint: Some("shorten the name".into()),
            });
        }
    }
    violations
}

/// Volumes and mounts of a template that are in the checkpoint's way.
fn mounts(job: &PinterestTrainingJob, at: usize) -> Vec<Violation> {
    let Some(checkpoint) = &job.spec.checkpoint else {
        return Vec::new();
    };
    let mut violations = Vec::new();
    let volume = variables::checkpoint_volume(checkpoint).name;
    let pod = &job.spec.members[at].template.spec;
    let place = format!("spec.members[{at}].template.spec");
    for (number, own) in pod.volumes.iter().enumerate() {
        if own.name == volume {
            violations.push(Violation {
                field: format!("{place}.volumes[{number}].name"),
                message: format!("\"{volume}\" is the checkpoint's volume"),
                hint: Some("give this volume another name".into()),
            });
        }
    }
    for (number, container) in pod.containers.iter().enumerate() {
        for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
            if mount.mount_path == checkpoint.mountpath {
                violations.push(Violation {
                    field: format!("{place}.containers[{number}].volumeMounts[{index}].mountPath"),
                    message: format!("the checkpoint is mounted at {}", mount.mount_path),
                    hint: Some("mount this volume elsewhere, or leave it out".into()),
                });
            }
        }
    }
    violations
}
