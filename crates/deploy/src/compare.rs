//! What lies between two versions: commits, images, manifests.

use std::collections::BTreeMap;

use hermez_api::{ArtifactImage, ChangedCommit, ChangedImage, DeployComparison};
use hermez_kinds::Config;
use hermez_source::{Commit, CommitId, RepositoryUrl};
use hermez_store::{DeployRecord, StoreError, WorkloadRecord};
use similar::TextDiff;

use crate::receipt::mask::Masks;
use crate::{Road, RoadError};

/// Most commits listed on each side.
const COMMITS: usize = 100;
/// Most bytes of a diff.
const DIFF_BYTES: usize = 64 * 1024;

/// A unified diff of two manifests; empty when they are the same, cut at 64 KiB.
pub fn manifest_diff(from: &str, to: &str, names: (&str, &str)) -> String {
    if from == to {
        return String::new();
    }
    let diff = TextDiff::from_lines(from, to);
    let mut text = diff
        .unified_diff()
        .context_radius(3)
        .header(names.0, names.1)
        .to_string();
    if text.len() > DIFF_BYTES {
        let end = text.floor_char_boundary(DIFF_BYTES);
        text.truncate(end);
        text.push_str("\n… the rest is left out\n");
    }
    text
}

/// The secrets that stand in these manifests. What cannot be read as one names no secrets; names and
/// looks still give them away.
fn secrets_of<'a>(manifests: impl IntoIterator<Item = &'a String>) -> Masks {
    let configs = manifests
        .into_iter()
        .filter_map(|text| Config::from_manifest(text.as_bytes()).ok());
    let documents: Vec<_> = configs.map(|config| config.resource.to_json()).collect();
    Masks::of(&documents)
}

/// Images whose digest differs, by name.
pub fn changed_images(from: &[ArtifactImage], to: &[ArtifactImage]) -> Vec<ChangedImage> {
    let by_name = |images: &[ArtifactImage]| -> BTreeMap<String, String> {
        let pairs = images.iter();
        pairs
            .map(|image| (image.name.clone(), image.reference.clone()))
            .collect()
    };
    let (from, to) = (by_name(from), by_name(to));
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().map(|name| ChangedImage {
        name: name.clone(),
        from: from.get(name).cloned(),
        to: to.get(name).cloned(),
    });
    changed.filter(|image| image.from != image.to).collect()
}

fn listed(commits: Vec<Commit>) -> Vec<ChangedCommit> {
    commits
        .into_iter()
        .take(COMMITS)
        .map(|commit| ChangedCommit {
            id: commit.id.to_string(),
            title: commit.title,
            author: commit.author,
            committed_at: commit.committed_at,
        })
        .collect()
}

impl Road {
    /// Compares two deploys of one workload. What cannot be had (a commit that left the repository,
    /// a manifest that the registry forgot) is named in `missing`.
    pub async fn compare(&self, from: i64, to: i64) -> Result<DeployComparison, RoadError> {
        let (from, to) = (self.deploy(from).await?, self.deploy(to).await?);
        if from.workload_id != to.workload_id {
            let message = format!(
                "is of {}, and deploy {} is of {}: only deploys of one workload can be compared",
                to.workload, from.id, from.workload
            );
            return Err(RoadError::Invalid {
                field: "to",
                message,
                hint: "List a workload's deploys: hermez history WORKLOAD",
            });
        }
        let workload = self.parts().store.workload_by_id(from.workload_id).await?;
        let key = from.workload.clone();
        let what = "workload";
        let workload = workload.ok_or(StoreError::NotFound { what, key })?;
        self.compare_records(&workload, &from, &to).await
    }

    pub(crate) async fn compare_records(
        &self,
        workload: &WorkloadRecord,
        from: &DeployRecord,
        to: &DeployRecord,
    ) -> Result<DeployComparison, RoadError> {
        let mut missing = Vec::new();
        let (coming, leaving) = match self.commits_between(workload, from, to).await {
            Ok(found) => found,
            Err(error) => {
                missing.push(format!("the commits between them: {error}"));
                (Vec::new(), Vec::new())
            }
        };
        let more_commits = coming.len() > COMMITS || leaving.len() > COMMITS;
        let (from_images, from_manifest) = self.version(from, &mut missing).await?;
        let (to_images, to_manifest) = self.version(to, &mut missing).await?;
        let names = (format!("deploy {}", from.id), format!("deploy {}", to.id));
        let manifest_diff = match (&from_manifest, &to_manifest) {
            (Some(from), Some(to)) => {
                let diff = manifest_diff(from, to, (&names.0, &names.1));
                secrets_of([from, to]).mask_diff(&diff)
            }
            _ => String::new(),
        };
        let took = |deploy: &DeployRecord| {
            let finished = deploy.finished_at?;
            let took = finished.duration_since(deploy.created_at).as_millis();
            i64::try_from(took).ok()
        };
        Ok(DeployComparison {
            from: from.summary(),
            to: to.summary(),
            coming: listed(coming),
            leaving: listed(leaving),
            more_commits,
            images: changed_images(&from_images, &to_images),
            manifest_diff,
            from_took_ms: took(from),
            to_took_ms: took(to),
            missing,
        })
    }

    async fn commits_between(
        &self,
        workload: &WorkloadRecord,
        from: &DeployRecord,
        to: &DeployRecord,
    ) -> Result<(Vec<Commit>, Vec<Commit>), RoadError> {
        let id = |deploy: &DeployRecord| {
            CommitId::parse(&deploy.commit).map_err(|_| RoadError::Invalid {
                field: "commit",
                message: format!("`{}` of deploy {} is no commit", deploy.commit, deploy.id),
                hint: "Compare with another deploy",
            })
        };
        let (from, to) = (id(from)?, id(to)?);
        if from == to {
            return Ok((Vec::new(), Vec::new()));
        }
        let repository = self
            .parts()
            .store
            .repository(workload.repository_id)
            .await?;
        let key = workload.repository_id.to_string();
        let what = "repository";
        let repository = repository.ok_or(StoreError::NotFound { what, key })?;
        let url = RepositoryUrl::parse(&repository.url)?;
        self.require_mirror(&repository).await?;
        let mirrors = &self.parts().mirrors;
        let coming = mirrors
            .commits_between(&url, &from, &to, COMMITS + 1)
            .await?;
        let leaving = mirrors
            .commits_between(&url, &to, &from, COMMITS + 1)
            .await?;
        Ok((coming, leaving))
    }

    /// A deploy's images and the text of its manifest.
    pub(crate) async fn version(
        &self,
        deploy: &DeployRecord,
        missing: &mut Vec<String>,
    ) -> Result<(Vec<ArtifactImage>, Option<String>), RoadError> {
        let store = &self.parts().store;
        let artifact = store.artifact(deploy.workload_id, &deploy.commit).await?;
        let reference = deploy.manifest.clone();
        let reference = reference.or_else(|| Some(artifact.as_ref()?.manifest.clone()));
        let images = artifact.map(|artifact| artifact.images).unwrap_or_default();
        let Some(reference) = reference else {
            missing.push(format!(
                "the manifest of deploy {}: it was never built",
                deploy.id
            ));
            return Ok((images, None));
        };
        match self.manifest(&reference).await {
            Ok(bytes) => Ok((images, Some(String::from_utf8_lossy(&bytes).into_owned()))),
            Err(error) => {
                missing.push(format!("the manifest of deploy {}: {error}", deploy.id));
                Ok((images, None))
            }
        }
    }

    /// The deploy with this number.
    pub(crate) async fn deploy(&self, id: i64) -> Result<DeployRecord, RoadError> {
        let key = id.to_string();
        let missing = StoreError::NotFound {
            what: "deploy",
            key,
        };
        Ok(self.parts().store.deploy(id).await?.ok_or(missing)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_image(name: &str, digest: &str) -> ArtifactImage {
        ArtifactImage {
            name: name.into(),
            reference: format!("r/{name}@sha256:{digest}"),
            built: true,
        }
    }

    #[test]
    fn a_diff_shows_what_changes_and_nothing_for_the_same() {
        let diff = manifest_diff("a: 1\nb: 2\n", "a: 1\nb: 3\n", ("deploy 1", "deploy 2"));
        assert_eq!(
            diff,
            "--- deploy 1\n+++ deploy 2\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n"
        );
        assert_eq!(manifest_diff("a", "a", ("x", "y")), "");
    }

    #[test]
    fn a_secret_that_changes_is_a_change_that_does_not_show_it() {
        let manifest = |value: &str| {
            format!("env:\n- name: DB_PASSWORD\n  value: {value}\n- name: MODE\n  value: fast\n")
        };
        let (from, to) = (manifest("hunter22"), manifest("hunter33"));
        let diff = manifest_diff(&from, &to, ("deploy 1", "deploy 2"));
        let diff = secrets_of([&from, &to]).mask_diff(&diff);
        assert!(!diff.contains("hunter"), "{diff}");
        assert!(diff.contains("-  value: ***\n+  value: ***\n"), "{diff}");
        assert!(diff.contains("value: fast"), "{diff}");
    }

    #[test]
    fn a_diff_is_bounded() {
        let diff = manifest_diff(&"é\n".repeat(50_000), &"è\n".repeat(50_000), ("x", "y"));
        assert!(diff.len() < DIFF_BYTES + 100, "{}", diff.len());
        assert!(diff.ends_with("left out\n"));
    }

    #[test]
    fn images_that_differ_are_named() {
        let from = [
            mk_image("app", "1"),
            mk_image("same", "1"),
            mk_image("old", "1"),
        ];
        let to = [
            mk_image("app", "2"),
            mk_image("same", "1"),
            mk_image("new", "1"),
        ];
        let names: Vec<_> = changed_images(&from, &to)
            .into_iter()
            .map(|image| (image.name, image.from.is_some(), image.to.is_some()))
            .collect();
        let wanted = [
            ("app", true, true),
            ("new", false, true),
            ("old", true, false),
        ];
        assert_eq!(
            names,
            wanted.map(|(name, from, to)| (name.to_owned(), from, to))
        );
    }
}
