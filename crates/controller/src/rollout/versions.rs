//! The versions of runtime profiles, as the cluster keeps them: each in an immutable ConfigMap of
//! Hermez' own namespace, and beside them what the rollout remembers.
//!
//! They are kept in the cluster and not in the database because the controller needs them to render
//! what already runs: a controller that starts with an empty database, or beside another one, must
//! find the very version that a workload's pods were made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use hermez_kinds::RuntimeProfile;
use hermez_kinds::names::{CONTROLLER_MANAGER, PART_LABEL};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::decide::State;
use crate::ControllerError;

/// Name of the ConfigMap with what the rollout remembers.
pub(crate) const STATE_NAME: &str = "hermez-profiles";
/// Value of the label on ConfigMaps that hold a version.
const PART: &str = "runtime-profile";
/// Key of a version in its ConfigMap.
const CONTENT: &str = "profile.json";
/// Field manager of people's pauses, which they set through the API.
const PAUSE_MANAGER: &str = "hermez";

/// Versions by their label (`NAME@VERSION`).
pub type Versions = BTreeMap<String, Arc<RuntimeProfile>>;

/// A version that was offered and cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why, and what to do.
    pub message: String,
    /// When it was offered first.
    pub at: jiff::Timestamp,
}

/// What the ConfigMap of the rollout holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The rollout.
    pub rollout: State,
    /// The newest offer, when it was refused.
    pub refused: Option<Refused>,
}

/// Whether `offered` may become the newest version.
///
/// # Errors
/// Why not, and what to do.
pub fn admit(
    known: &Versions,
    newest: Option<&RuntimeProfile>,
    offered: &RuntimeProfile,
) -> Result<(), String> {
    let (name, version) = (&offered.name, offered.version);
    if known
        .get(&offered.label())
        .is_some_and(|known| **known != *offered)
    {
        return Err(format!(
            "version {version} of the runtime profile \"{name}\" is known with other content: raise version to {}",
            version + 1
        ));
    }
    match newest {
        Some(newest) if newest.name == *name && newest.version > version => Err(format!(
            "version {version} of the runtime profile \"{name}\" is older than version {}, which is in use: to go back, give the old content the version {}",
            newest.version,
            newest.version + 1
        )),
        _ => Ok(()),
    }
}

/// Hermez' own namespace in a cluster.
#[derive(Clone)]
pub(crate) struct Home {
    client: Client,
    namespace: String,
}

impl Home {
    pub(crate) fn new(client: Client, namespace: &str) -> Home {
        Home {
            client,
            namespace: namespace.to_owned(),
        }
    }

    pub(crate) fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes the namespace, unless it is there.
    pub(crate) async fn make(&self) -> Result<(), ControllerError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        if namespaces.get_opt(&self.namespace).await?.is_some() {
            return Ok(());
        }
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(self.namespace.clone());
        match namespaces.create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(answer)) if answer.code != 409 => {
                Err(kube::Error::Api(answer).into())
            }
            Err(kube::Error::Api(_)) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every version that is kept. One that cannot be read is left out, and said in the log.
    pub(crate) async fn versions(&self) -> Result<Versions, ControllerError> {
        let ours = ListParams::default().labels(&format!("{PART_LABEL}={PART}"));
        let mut versions = Versions::new();
        for config_map in self.config_maps().list(&ours).await? {
            let content = config_map.data.as_ref().and_then(|data| data.get(CONTENT));
            match serde_json::from_str::<RuntimeProfile>(content.map_or("", String::as_str)) {
                Ok(profile) => {
                    versions.insert(profile.label(), Arc::new(profile));
                }
                Err(error) => {
                    tracing::warn!(config_map = config_map.metadata.name, %error, "a version of a runtime profile cannot be read");
                }
            }
        }
        Ok(versions)
    }

    /// Keeps a version.
    pub(crate) async fn keep(&self, profile: &RuntimeProfile) -> Result<(), ControllerError> {
        let content = serde_json::to_string_pretty(profile)
            .unwrap_or_else(|error| unreachable!("profiles are plain data: {error}"));
        let config_map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(config_map_name(&profile.name, profile.version)),
                labels: Some([(PART_LABEL.to_owned(), PART.to_owned())].into()),
                ..ObjectMeta::default()
            },
            immutable: Some(true),
            data: Some([(CONTENT.to_owned(), content)].into()),
            ..ConfigMap::default()
        };
        let parameters = PostParams {
            field_manager: Some(CONTROLLER_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match self.config_maps().create(&parameters, &config_map).await {
            Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Forgets a version that nobody uses.
    pub(crate) async fn forget(&self, profile: &RuntimeProfile) -> Result<(), ControllerError> {
        let name = config_map_name(&profile.name, profile.version);
        match self
            .config_maps()
            .delete(&name, &DeleteParams::default())
            .await
        {
            Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// What the rollout remembers, and whether people paused it.
    pub(crate) async fn remembered(&self) -> Result<(Remembered, bool), ControllerError> {
        let config_map = self.config_maps().get_opt(STATE_NAME).await?;
        let data = config_map.and_then(|found| found.data).unwrap_or_default();
        let state = data.get("state").map(|text| serde_json::from_str(text));
        let remembered = match state {
            Some(Ok(remembered)) => remembered,
            Some(Err(error)) => {
                tracing::warn!(%error, "what the rollout of runtime profiles remembered cannot be read; it begins anew");
                Remembered::default()
            }
            None => Remembered::default(),
        };
        Ok((remembered, is_paused(&data)))
    }

    /// Writes what the rollout remembers.
    pub(crate) async fn remember(&self, remembered: &Remembered) -> Result<(), ControllerError> {
        let text = serde_json::to_string_pretty(remembered)
            .unwrap_or_else(|error| unreachable!("what is remembered is plain data: {error}"));
        self.apply(CONTROLLER_MANAGER, "state", &text).await
    }

    /// Pauses or resumes the rollout.
    pub(crate) async fn pause(&self, paused: bool) -> Result<(), ControllerError> {
        self.make().await?;
        self.apply(PAUSE_MANAGER, "paused", &paused.to_string())
            .await
    }

    async fn apply(&self, manager: &str, key: &str, text: &str) -> Result<(), ControllerError> {
        let patch = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": STATE_NAME, "namespace": self.namespace},
            "data": {key: text},
        });
        let parameters = PatchParams::apply(manager).force();
        let api = self.config_maps();
        api.patch(STATE_NAME, &parameters, &Patch::Apply(&patch))
            .await?;
        Ok(())
    }
}

/// Whether the data of the rollout's ConfigMap say that people paused it.
pub(crate) fn is_paused(data: &BTreeMap<String, String>) -> bool {
    data.get("paused").is_some_and(|paused| paused == "true")
}

fn config_map_name(name: &str, version: u32) -> String {
    format!("hermez-profile-{name}-{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_profile(version: u32, overridable: &str) -> RuntimeProfile {
        RuntimeProfile {
            version,
            overridable: [overridable.to_owned()].into(),
            ..RuntimeProfile::plain()
        }
    }

    #[test]
    fn a_version_is_one_content_and_they_only_grow() {
        let first = mk_profile(1, "A");
        let known: Versions = [(first.label(), Arc::new(first.clone()))].into();
        assert_eq!(admit(&known, Some(&first), &first), Ok(()));
        assert_eq!(admit(&known, Some(&first), &mk_profile(2, "B")), Ok(()));
        let other = admit(&known, Some(&first), &mk_profile(1, "B")).expect_err("refused");
        assert!(other.contains("raise version to 2"), "{other}");
        let older = admit(&known, Some(&mk_profile(3, "C")), &first).expect_err("refused");
        assert!(older.contains("is older than version 3"), "{older}");
        // A profile of another name counts for itself.
        let other = RuntimeProfile {
            name: "other".into(),
            ..first
        };
        assert_eq!(admit(&known, Some(&mk_profile(3, "C")), &other), Ok(()));
    }
}
