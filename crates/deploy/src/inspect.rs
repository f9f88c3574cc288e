//! What a commit says about a workload: its config file, and what is to be built for it.

use std::collections::BTreeMap;

use hermez_api::{Category, CreateWorkload, PlannedImage, WorkloadPlan};
use hermez_build::{BuildPlan, ContainerImage, PlanInput};
use hermez_kinds::{Config, Kind};
use hermez_source::{CommitId, Credential, RepositoryUrl};
use hermez_store::WorkloadRecord;

use crate::{Road, RoadError};

/// Name of the optional file that says what to build.
const HERMEZ_YAML: &str = ".hermez.yaml";

/// A commit, as a workload reads it.
pub(crate) struct Read {
    pub(crate) config: Config,
    pub(crate) plan: BuildPlan,
}

/// What was found out about a workload that may be created.
pub(crate) struct Inspected {
    pub(crate) url: RepositoryUrl,
    pub(crate) credential: Option<Credential>,
    /// Whether the credential was given with the request.
    pub(crate) credential_is_new: bool,
    pub(crate) default_branch: String,
    pub(crate) commit: CommitId,
    pub(crate) plan: WorkloadPlan,
}

impl Road {
    /// Reads the config file and plans the build at a commit, of that workload where there is one.
    pub(crate) async fn read(
        &self,
        url: &RepositoryUrl,
        commit: &CommitId,
        config_path: &str,
        of: Option<&WorkloadRecord>,
    ) -> Result<Read, RoadError> {
        let mirrors = &self.parts().mirrors;
        let bytes = mirrors.read_file(url, commit, config_path).await?;
        let config = hermez_kinds::config::parse(config_path, &bytes)?;
        // Before the build is planned: what to build follows from the name.
        if let Some(workload) = of {
            belongs(&config, workload)?;
        }
        let folder = folder_of(config_path);
        let mut hermez_yaml = None;
        for file in [in_folder(folder, HERMEZ_YAML), HERMEZ_YAML.to_owned()] {
            if hermez_yaml.is_none() && mirrors.exists(url, commit, &file).await? {
                let bytes = mirrors.read_file(url, commit, &file).await?;
                let read = hermez_build::parse_hermez_yaml(&bytes);
                hermez_yaml =
                    Some(read.map_err(|problem| RoadError::HermezYaml { file, problem })?);
            }
        }
        let dockerfile = in_folder(folder, "Dockerfile");
        let containers: Vec<ContainerImage> = config
            .containers()
            .into_iter()
            .map(|container| ContainerImage {
                container: container.name,
                image: container.image,
            })
            .collect();
        let plan = hermez_build::plan(PlanInput {
            workload: &config.name,
            config_path,
            containers: &containers,
            hermez_yaml,
            dockerfile_next_to_config: mirrors.exists(url, commit, &dockerfile).await?,
        })?;
        Ok(Read { config, plan })
    }

    /// Reads the repository and the config file that a workload shall be created from. A mirror
    /// that was made for it is removed again when this fails.
    pub(crate) async fn inspect(&self, ask: &CreateWorkload) -> Result<Inspected, RoadError> {
        let url = RepositoryUrl::parse(ask.repository.trim())?;
        let known = self
            .parts()
            .store
            .repository_by_identity(&url.identity())
            .await?;
        let result = self.inspect_known(ask, &url, known.as_ref()).await;
        if result.is_err()
            && known.is_none()
            && let Err(error) = self.parts().mirrors.remove(&url).await
        {
            tracing::warn!(%error, "a mirror that is not needed could not be removed");
        }
        result
    }

    async fn inspect_known(
        &self,
        ask: &CreateWorkload,
        url: &RepositoryUrl,
        known: Option<&hermez_store::RepositoryRecord>,
    ) -> Result<Inspected, RoadError> {
        let given = given_credential(ask)?;
        let credential_is_new = given.is_some();
        let credential = match (given, known) {
            (Some(given), _) => Some(given),
            (None, Some(known)) => self.credential(url, known)?,
            (None, None) => None,
        };
        let mirrors = &self.parts().mirrors;
        if known.is_some() {
            mirrors.sync(url, credential.as_ref()).await?;
        } else {
            self.first_sync(url, credential.as_ref()).await?;
        }
        let default_branch = mirrors.default_branch(url).await?;
        let branch = ask
            .branch
            .clone()
            .filter(|branch| !branch.is_empty())
            .unwrap_or_else(|| default_branch.clone());
        let commit = mirrors.resolve(url, &branch).await?;
        let read = self.read(url, &commit, &ask.config, None).await?;
        let plan = workload_plan(ask, url, &branch, &commit, &read);
        Ok(Inspected {
            url: url.clone(),
            credential,
            credential_is_new,
            default_branch,
            commit,
            plan,
        })
    }

    /// Finds the commit that a revision names. A full commit id is looked for in the mirror first; a
    /// branch or tag may have moved since, so the repository is asked before (and the mirror
    /// believed where the repository does not answer).
    pub(crate) async fn resolve(
        &self,
        repository: &hermez_store::RepositoryRecord,
        revision: &str,
    ) -> Result<(RepositoryUrl, hermez_source::Commit), RoadError> {
        let url = RepositoryUrl::parse(&repository.url)?;
        let mirrors = &self.parts().mirrors;
        let known = match CommitId::parse(revision) {
            Ok(commit) => mirrors.resolve(&url, commit.as_str()).await.ok(),
            Err(_) => None,
        };
        let found = match known {
            Some(found) => found,
            None => {
                self.resolve_after_fetch(repository.id, &url, revision)
                    .await?
            }
        };
        let commit = mirrors.commit(&url, &found).await?;
        Ok((url, commit))
    }

    /// The commit of a build or of a deploy, which was found when it was asked for. One that only a
    /// pull request has is no revision that could be found again; it is there all the same.
    pub(crate) async fn commit_of_build(
        &self,
        repository: &hermez_store::RepositoryRecord,
        commit: &str,
    ) -> Result<(RepositoryUrl, hermez_source::Commit), RoadError> {
        let url = RepositoryUrl::parse(&repository.url)?;
        if let Ok(id) = CommitId::parse(commit)
            && let Ok(found) = self.parts().mirrors.commit(&url, &id).await
        {
            return Ok((url, found));
        }
        self.resolve(repository, commit).await
    }
}

impl Road {
    async fn resolve_after_fetch(
        &self,
        repository_id: i64,
        url: &RepositoryUrl,
        revision: &str,
    ) -> Result<CommitId, RoadError> {
        let mirrors = &self.parts().mirrors;
        let _alone = self.alone_on(url).await;
        // The push's own fetch may have brought it while we waited for our turn.
        if CommitId::parse(revision).is_ok()
            && let Ok(found) = mirrors.resolve(url, revision).await
        {
            return Ok(found);
        }
        let fetched = self.sync(repository_id).await;
        match (mirrors.resolve(url, revision).await, fetched) {
            (Ok(found), _) => Ok(found),
            // Why it could not be fetched matters more than that it is not here.
            (Err(_), Err(error)) => Err(error),
            (Err(error), Ok(_)) => Err(error.into()),
        }
    }
}

/// The config file at this commit still is that of the workload.
fn belongs(config: &Config, workload: &WorkloadRecord) -> Result<(), RoadError> {
    let fields = [
        (
            "metadata.name",
            config.name.as_str(),
            workload.name.as_str(),
        ),
        (
            "metadata.namespace",
            config.namespace.as_str(),
            workload.namespace.as_str(),
        ),
        ("kind", config.kind(), workload.kind.as_str()),
    ];
    for (field, found, expected) in fields {
        if found != expected {
            let (found, expected) = (found.to_owned(), expected.to_owned());
            return Err(RoadError::AnotherWorkload {
                field,
                found,
                expected,
            });
        }
    }
    Ok(())
}

fn given_credential(ask: &CreateWorkload) -> Result<Option<Credential>, RoadError> {
    match (&ask.username, &ask.password) {
        (_, Some(password)) if !password.is_empty() => {
            let username = ask.username.clone().filter(|name| !name.is_empty());
            // Forges take any user name beside an access token.
            Ok(Some(Credential::new(
                username.unwrap_or_else(|| "git".to_owned()),
                password.clone(),
            )))
        }
        (Some(username), _) if !username.is_empty() => Err(RoadError::Invalid {
            field: "password",
            message: "is missing: a user name alone opens no repository".to_owned(),
            hint: "Give the password (better: an access token) too, or leave the user name out",
        }),
        _ => Ok(None),
    }
}

fn workload_plan(
    ask: &CreateWorkload,
    url: &RepositoryUrl,
    branch: &str,
    commit: &CommitId,
    read: &Read,
) -> WorkloadPlan {
    let Read { config, plan } = read;
    WorkloadPlan {
        name: config.name.clone(),
        workload_type: config.kind().to_owned(),
        project: config.project.clone(),
        namespace: config.namespace.clone(),
        category: ask.category.unwrap_or(Category::Production),
        repository: url.to_string(),
        config: ask.config.clone(),
        branch: branch.to_owned(),
        commit: commit.as_str().to_owned(),
        builds: plan
            .images
            .iter()
            .map(|image| PlannedImage {
                name: image.name.clone(),
                dockerfile: image.dockerfile.clone(),
                context: image.context.clone(),
                containers: image.containers.clone(),
            })
            .collect(),
        external_images: plan
            .external
            .iter()
            .map(|image| image.image.clone())
            .collect(),
        port: config.port(),
        replicas: config.replicas(),
        warnings: warnings(config, plan),
    }
}

/// What is worth knowing about a config file that is right.
fn warnings(config: &Config, plan: &BuildPlan) -> Vec<String> {
    let not_built = plan
        .external
        .iter()
        .filter(|external| external.image == config.name)
        .map(|external| {
            format!(
                "the image `{}` is not built, for no Dockerfile stands beside the config file; it is looked for in the public registry",
                external.image
            )
        });
    // Of the other kinds, nothing waits for a pod to be ready.
    let serves = matches!(config.resource.kind(), Kind::Service | Kind::StatefulSet);
    let containers = config.resource.containers();
    let unprobed = containers
        .into_iter()
        .filter(|(_, container, init)| serves && !init && container.readiness_probe.is_none())
        .map(|(name, ..)| {
            format!(
                "container `{name}` has no readinessProbe: it counts as ready, and takes traffic, as soon as it has started"
            )
        });
    not_built.chain(unprobed).collect()
}

/// Which reference each container gets: by container's name.
pub(crate) fn pins(
    plan: &BuildPlan,
    references: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let built = plan
        .images
        .iter()
        .map(|image| (&image.name, &image.containers));
    let external = plan
        .external
        .iter()
        .map(|image| (&image.image, &image.containers));
    built
        .chain(external)
        .filter_map(|(image, containers)| Some((references.get(image)?, containers)))
        .flat_map(|(reference, containers)| {
            containers
                .iter()
                .map(move |name| (name.clone(), reference.clone()))
        })
        .collect()
}

/// The folder of a path; empty for the root.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn in_folder(folder: &str, file: &str) -> String {
    if folder.is_empty() {
        file.to_owned()
    } else {
        format!("{folder}/{file}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_in_the_folder_of_the_config_file() {
        assert_eq!(
            in_folder(folder_of("service.yaml"), "Dockerfile"),
            "Dockerfile"
        );
        assert_eq!(
            in_folder(folder_of("a/b/service.yaml"), "Dockerfile"),
            "a/b/Dockerfile"
        );
    }

    #[test]
    fn an_image_that_nothing_builds_is_worth_a_word() {
        let file = "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata: {name: hello}\nspec: {template: {spec: {containers: [{name: app, image: hello, readinessProbe: {tcpSocket: {port: 80}}}]}}}\n";
        let config = hermez_kinds::config::parse("service.yaml", file.as_bytes()).expect("right");
        let said = |dockerfile_next_to_config| {
            let plan = hermez_build::plan(PlanInput {
                workload: "hello",
                config_path: "service.yaml",
                containers: &[ContainerImage {
                    container: "app".to_owned(),
                    image: Some("hello".to_owned()),
                }],
                hermez_yaml: None,
                dockerfile_next_to_config,
            });
            warnings(&config, &plan.expect("a plan"))
        };
        assert_eq!(said(true), Vec::<String>::new());
        let said = said(false);
        assert!(
            said.len() == 1 && said[0].contains("no Dockerfile"),
            "{said:?}"
        );
    }

    #[test]
    fn a_user_name_needs_its_password() {
        let mut ask = CreateWorkload {
            repository: String::new(),
            config: String::new(),
            branch: None,
            username: Some("ada".into()),
            password: None,
            category: None,
        };
        assert!(matches!(
            given_credential(&ask),
            Err(RoadError::Invalid {
                field: "password",
                ..
            })
        ));
        ask.password = Some("secret".into());
        assert_eq!(
            given_credential(&ask)
                .expect("given")
                .map(|given| given.username),
            Some("ada".to_owned())
        );
        (ask.username, ask.password) = (None, None);
        assert!(given_credential(&ask).expect("none").is_none());
    }
}
