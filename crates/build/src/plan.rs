//! Decides which images are built for a workload. Pure.
//!
//! - With a `.hermez.yaml` that lists images, those are built.
//! - Else a Dockerfile next to the config file builds one image, named as the workload, from the
//!   config file's folder.
//! - A container runs a built image if its `image` is that image's name (a tag or digest behind it
//!   does not matter), or if it has no `image` at all.
//! - All other images are external: they are used as they are, pinned to a digest.

use std::collections::BTreeMap;

use crate::config::{HermezYaml, ImageConfig, clean_path, is_image_name, shorten};

/// Time limit of a build that names none: 20 minutes, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 20 * 60 * 1000;

/// A container of the workload, as the config file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// Name of the container.
    pub container: String,
    /// Its `image`, if it has one.
    pub image: Option<String>,
}

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanInput<'a> {
    /// Name of the workload.
    pub workload: &'a str,
    /// Path of the config file from the repository's root.
    pub config_path: &'a str,
    /// Its containers, init containers too.
    pub containers: &'a [ContainerImage],
    /// The `.hermez.yaml`, if there is one.
    pub hermez_yaml: Option<HermezYaml>,
    /// Whether a file `Dockerfile` lies in the config file's folder.
    pub dockerfile_next_to_config: bool,
}

/// What will be built, and what will be used as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildPlan {
    /// Images to build, in the order of `.hermez.yaml`.
    pub images: Vec<ImagePlan>,
    /// Images that are only pinned to a digest, in the order of the containers.
    pub external: Vec<ExternalImage>,
}

/// An image to build. Paths count from the repository's root; the root itself is `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePlan {
    /// Name, as containers write it.
    pub name: String,
    /// Path of the Dockerfile.
    pub dockerfile: String,
    /// Path of the build context.
    pub context: String,
    /// Stage to build; the last when absent.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// Time limit, in milliseconds.
    pub timeout_ms: u64,
    /// Containers that run it; never empty.
    pub containers: Vec<String>,
}

/// An image that is used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalImage {
    /// The reference, as the containers write it.
    pub image: String,
    /// Containers that run it.
    pub containers: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The config file has no containers.
    #[error("the config file has no container")]
    NoContainers,
    /// A container has no image, and nothing is built that it could run.
    #[error("container `{container}` has no image, and there is nothing to build one from")]
    NothingToBuild {
        /// The container.
        container: String,
        /// Folder of the config file.
        folder: String,
    },
    /// A container has no image, several are built, and none has the container's name.
    #[error(
        "container `{container}` has no image, and which of {} it runs is not clear",
        list(built)
    )]
    WhichImage {
        /// The container.
        container: String,
        /// Names of the images that are built.
        built: Vec<String>,
    },
    /// An image would be built that no container runs.
    #[error("the image `{image}` would be built from `{dockerfile}`, but no container runs it")]
    Unused {
        /// Name of the image.
        image: String,
        /// Its Dockerfile.
        dockerfile: String,
        /// What the containers run instead.
        containers: Vec<String>,
    },
    /// The workload's name, and so the image's, cannot be one.
    #[error("`{name}` cannot be the name of an image")]
    ImageName {
        /// The name.
        name: String,
    },
    /// The config file's path leaves the repository.
    #[error("`{path}` is not a path inside the repository")]
    ConfigPath {
        /// The path.
        path: String,
    },
}

impl PlanError {
    /// What to write.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoContainers => "Add a container under spec.template.spec.containers".to_owned(),
            Self::NothingToBuild { container, folder } => format!(
                "Commit a Dockerfile in `{folder}`, or write `image:` in container `{container}`"
            ),
            Self::WhichImage { container, built } => format!(
                "Write one of them in container `{container}`, such as `image: {}`",
                built.first().map_or("", String::as_str)
            ),
            Self::Unused {
                image, containers, ..
            } => match containers.as_slice() {
                [] => format!("Write `image: {image}` in the container that runs it"),
                [one] => format!(
                    "Write `image: {image}` in container `{one}`, or leave its `image` out; if nothing is to be built, take the Dockerfile (or its entry in .hermez.yaml) away"
                ),
                many => format!(
                    "Write `image: {image}` in the container that runs it ({}); if nothing is to be built, take the Dockerfile (or its entry in .hermez.yaml) away",
                    list(many)
                ),
            },
            Self::ImageName { .. } => {
                "Use lower-case letters, digits and `-` in metadata.name".to_owned()
            }
            Self::ConfigPath { .. } => {
                "Write the config file's path from the repository's root".to_owned()
            }
        })
    }
}

/// Decides what to build.
pub fn plan(input: PlanInput<'_>) -> Result<BuildPlan, PlanError> {
    if input.containers.is_empty() {
        return Err(PlanError::NoContainers);
    }
    let config_path = clean_path(input.config_path).ok_or_else(|| PlanError::ConfigPath {
        path: shorten(input.config_path),
    })?;
    let folder = folder_of(&config_path);
    let listed = input.hermez_yaml.map_or_else(Vec::new, |file| file.images);
    let mut images = if listed.is_empty() && input.dockerfile_next_to_config {
        vec![next_to_config(input.workload, &folder)?]
    } else {
        listed
            .into_iter()
            .map(|image| from_list(image, &folder))
            .collect()
    };
    let mut external: Vec<ExternalImage> = Vec::new();
    for container in input.containers {
        match built_for(container, &images, &folder)? {
            Some(index) => images[index].containers.push(container.container.clone()),
            None => add_external(&mut external, container),
        }
    }
    if let Some(unused) = images.iter().find(|image| image.containers.is_empty()) {
        return Err(PlanError::Unused {
            image: unused.name.clone(),
            dockerfile: unused.dockerfile.clone(),
            containers: input
                .containers
                .iter()
                .map(|c| c.container.clone())
                .collect(),
        });
    }
    Ok(BuildPlan { images, external })
}

/// An image of `.hermez.yaml`, its defaults filled in.
fn from_list(image: ImageConfig, folder: &str) -> ImagePlan {
    let context = match (image.context, &image.dockerfile) {
        (Some(context), _) => context,
        (None, Some(dockerfile)) => folder_of(dockerfile),
        (None, None) => folder.to_owned(),
    };
    ImagePlan {
        name: image.name,
        dockerfile: image
            .dockerfile
            .unwrap_or_else(|| join(&context, "Dockerfile")),
        context,
        target: image.target,
        args: image.args,
        timeout_ms: image.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS),
        containers: Vec::new(),
    }
}

/// The image of the Dockerfile next to the config file.
fn next_to_config(workload: &str, folder: &str) -> Result<ImagePlan, PlanError> {
    if !is_image_name(workload) {
        return Err(PlanError::ImageName {
            name: shorten(workload),
        });
    }
    Ok(ImagePlan {
        name: workload.to_owned(),
        dockerfile: join(folder, "Dockerfile"),
        context: folder.to_owned(),
        target: None,
        args: BTreeMap::new(),
        timeout_ms: DEFAULT_TIMEOUT_MS,
        containers: Vec::new(),
    })
}

/// Which built image a container runs; `None`: an external one.
fn built_for(
    container: &ContainerImage,
    images: &[ImagePlan],
    folder: &str,
) -> Result<Option<usize>, PlanError> {
    let Some(image) = &container.image else {
        return match images {
            [] => Err(PlanError::NothingToBuild {
                container: container.container.clone(),
                folder: folder.to_owned(),
            }),
            [_] => Ok(Some(0)),
            many => many
                .iter()
                .position(|image| image.name == container.container)
                .map(Some)
                .ok_or_else(|| PlanError::WhichImage {
                    container: container.container.clone(),
                    built: many.iter().map(|image| image.name.clone()).collect(),
                }),
        };
    };
    let name = without_tag(image);
    Ok(images.iter().position(|image| image.name == name))
}

fn add_external(external: &mut Vec<ExternalImage>, container: &ContainerImage) {
    let Some(image) = &container.image else {
        return;
    };
    let name = container.container.clone();
    match external.iter_mut().find(|known| &known.image == image) {
        Some(known) => known.containers.push(name),
        None => external.push(ExternalImage {
            image: image.clone(),
            containers: vec![name],
        }),
    }
}

/// A reference without its tag and digest.
fn without_tag(reference: &str) -> &str {
    let name = reference
        .split_once('@')
        .map_or(reference, |(name, _)| name);
    // A colon before the last slash belongs to a port.
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

fn folder_of(path: &str) -> String {
    path.rsplit_once('/')
        .map_or(".", |(folder, _)| folder)
        .to_owned()
}

fn join(folder: &str, name: &str) -> String {
    if folder == "." {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
