//! One try of a build: from the commit to the published artifact.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hermez_api::ArtifactImage;
use hermez_artifact::{ArtifactError, ManifestArtifact, PinnedImage, image_repository, image_tag};
use hermez_build::{BuildError, ImageBuild, ImagePlan};
use hermez_source::{CommitId, RepositoryUrl, SourceError};
use hermez_store::{BuildOutcome, BuildRecord, Lease, StoreError, WorkloadRecord};
use tokio_util::sync::CancellationToken;

use crate::inspect::{Read, pins};
use crate::{Road, RoadError, progress};

/// How a try ends before it has an artifact.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TryError {
    #[error(transparent)]
    Road(#[from] RoadError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error("cannot use the folder {folder}: {error}")]
    Folder {
        folder: String,
        error: std::io::Error,
    },
}

impl From<StoreError> for TryError {
    fn from(error: StoreError) -> Self {
        TryError::Road(error.into())
    }
}

impl From<SourceError> for TryError {
    fn from(error: SourceError) -> Self {
        TryError::Road(error.into())
    }
}

impl TryError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            TryError::Road(error) => error
                .hint()
                .or_else(|| error.places().into_iter().find_map(|place| place.hint)),
            TryError::Build(error) => error.hint(),
            TryError::Artifact(error) => error.hint(),
            TryError::Folder { .. } => Some("check the server's disk, then build again".to_owned()),
        }
    }

    pub(crate) fn is_transient(&self) -> bool {
        match self {
            TryError::Road(error) => error.is_transient(),
            TryError::Build(error) => error.is_transient(),
            TryError::Artifact(error) => error.is_transient(),
            TryError::Folder { .. } => false,
        }
    }

    /// What is wrong, with the places in the user's files.
    pub(crate) fn message(&self) -> String {
        let TryError::Road(error) = self else {
            return self.to_string();
        };
        let places: Vec<String> = error
            .places()
            .into_iter()
            .map(|place| match place.line {
                Some(line) => format!("{}:{line}: {}", place.file, place.message),
                None => format!("{}: {}", place.file, place.message),
            })
            .collect();
        if places.is_empty() {
            error.to_string()
        } else {
            places.join("; ")
        }
    }
}

/// One try, from the commit to the published artifact.
pub(crate) async fn attempt(
    road: &Road,
    lease: Lease,
    build: &BuildRecord,
    folder: PathBuf,
    cancel: CancellationToken,
) -> Result<BuildOutcome, TryError> {
    let store = &road.parts().store;
    let missing = |what: &'static str, key: i64| StoreError::NotFound {
        what,
        key: key.to_string(),
    };
    let workload = store.workload_by_id(build.workload_id).await?;
    let workload = workload.ok_or_else(|| missing("workload", build.workload_id))?;
    let repository = store.repository(workload.repository_id).await?;
    let repository = repository.ok_or_else(|| missing("repository", workload.repository_id))?;
    let (url, commit) = road.commit_of_build(&repository, &build.commit).await?;
    let path = &workload.config_path;
    let read = road.read(&url, &commit.id, path, Some(&workload)).await?;
    let Read { config, plan } = read;

    let mut images = Vec::new();
    let mut references = BTreeMap::new();
    if !plan.images.is_empty() {
        export(road, lease, &url, &commit.id, &folder).await?;
    }
    let mut steps = 0;
    for image in &plan.images {
        progress::say(
            store,
            lease,
            format!("building image {} from {}", image.name, image.dockerfile),
        )
        .await?;
        let (reference, seen) = build_image(
            road, lease, &workload, &url, build, image, &folder, steps, &cancel,
        )
        .await?;
        steps += seen;
        progress::say(store, lease, format!("pushed {reference}")).await?;
        references.insert(image.name.clone(), reference.clone());
        images.push(PinnedImage {
            name: image.name.clone(),
            reference,
            built: true,
        });
    }
    for image in &plan.external {
        let reference = road.parts().registry.resolve(&image.image).await?;
        progress::say(
            store,
            lease,
            format!("pinned {} to {reference}", image.image),
        )
        .await?;
        references.insert(image.image.clone(), reference.clone());
        images.push(PinnedImage {
            name: image.image.clone(),
            reference,
            built: false,
        });
    }
    let mut config = config;
    config.pin(&pins(&plan, &references));
    let yaml = config.to_manifest_yaml();
    let published = road
        .parts()
        .registry
        .publish(ManifestArtifact {
            workload: &workload.name,
            commit: commit.id.as_str(),
            yaml: yaml.as_bytes(),
            images: &images,
            source: &url.to_string(),
            created: commit.committed_at,
        })
        .await?;
    // The deploy that waits for it is the next to read it.
    let reference = published.reference.clone();
    road.inner.manifests.keep(reference, yaml.as_bytes());
    let images = images
        .into_iter()
        .map(
            |PinnedImage {
                 name,
                 reference,
                 built,
             }| ArtifactImage {
                name,
                reference,
                built,
            },
        )
        .collect();
    Ok(BuildOutcome::Succeeded {
        manifest: published.reference,
        images,
        committed_at: commit.committed_at,
    })
}

/// Writes the commit's tree into the build's folder, and says what was left out.
async fn export(
    road: &Road,
    lease: Lease,
    url: &RepositoryUrl,
    commit: &CommitId,
    folder: &Path,
) -> Result<(), TryError> {
    let unusable = |error| TryError::Folder {
        folder: folder.display().to_string(),
        error,
    };
    if let Err(error) = tokio::fs::remove_dir_all(folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(unusable(error));
    }
    tokio::fs::create_dir_all(folder).await.map_err(unusable)?;
    let report = road.parts().mirrors.export(url, commit, folder).await?;
    for left_out in &report.left_out {
        let text = format!("left out {}: {}", left_out.path, left_out.reason);
        progress::say(&road.parts().store, lease, text).await?;
    }
    Ok(())
}

/// Builds and pushes one image; gives its reference and how many steps it took.
#[allow(clippy::too_many_arguments)] // all of it is one image's surroundings, used this once
async fn build_image(
    road: &Road,
    lease: Lease,
    workload: &WorkloadRecord,
    url: &RepositoryUrl,
    build: &BuildRecord,
    image: &ImagePlan,
    folder: &Path,
    first_step: i32,
    cancel: &CancellationToken,
) -> Result<(String, i32), TryError> {
    let buildkit = &road.parts().buildkit;
    let repository = image_repository(&workload.name, &image.name);
    let label = |name: &str| format!("org.opencontainers.image.{name}");
    let request = ImageBuild {
        context_dir: folder.to_owned(),
        plan: image.clone(),
        push_as: format!(
            "{}/{repository}:{}",
            buildkit.registry,
            image_tag(&build.commit)
        ),
        labels: BTreeMap::from([
            (label("revision"), build.commit.clone()),
            (label("source"), url.to_string()),
        ]),
        masks: Vec::new(),
    };
    let (events, seen) = progress::channel();
    let (built, recorded) = tokio::join!(
        buildkit.build(request, events, cancel.clone()),
        progress::record(&road.parts().store, lease, first_step, seen),
    );
    // How the build ended matters more than a line that could not be kept.
    let built = built?;
    Ok((built.reference_by_digest, recorded?))
}
