//! What users write in a PinterestCronJob, and what the controller answers in its status.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::template::{Template, sidecar_config_schema};

/// Work that runs by a schedule.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestCronJob",
    plural = "pinterestcronjobs",
    singular = "pinterestcronjob",
    shortname = "pcj",
    category = "hermez",
    namespaced,
    status = "PinterestCronJobStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Work that runs by a schedule.",
    validation = Rule::new("size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be at most 63 characters of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: it becomes a label and the name of a Service"
    )
)]
pub struct PinterestCronJobSpec {
    /// Role that the pods take, for example role1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub iamrole: Option<String>,

    /// Configuration of sidecars, by the sidecar's name; the runtime profile says which there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "sidecar_config_schema")]
    pub sidecarconfig: BTreeMap<String, serde_json::Value>,

    /// Environment variables for every container, kept in the ConfigMap NAME-configs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 1000))]
    pub configs: BTreeMap<String, String>,

    /// The pods.
    pub template: Template,
}

/// How it does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestCronJobStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Reconciling, Stalled and Available, after Kubernetes' conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
