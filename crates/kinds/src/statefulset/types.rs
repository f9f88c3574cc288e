//! What users write in a PinterestStatefulset, and what the controller answers in its status.
//!
//! The doc comments are what `kubectl explain` prints, and the messages of the rules are what
//! people read when the API server refuses their file: each says what to write or to do. What
//! Kubernetes cannot change on a StatefulSet is refused here already, by rules that see the old
//! spec.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::template::{Template, sidecar_config_schema};

/// Pods that keep their names and their data.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestStatefulset",
    plural = "pintereststatefulsets",
    singular = "pintereststatefulset",
    shortname = "psts",
    category = "hermez",
    namespaced,
    status = "PinterestStatefulsetStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Pods that keep their names and their data.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Pods that are ready"
    ),
    printcolumn(
        name = "Desired",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Pods wanted"
    ),
    printcolumn(
        name = "Up-to-date",
        type_ = "integer",
        json_path = ".status.updatedReplicas",
        description = "Pods of the newest version"
    ),
    printcolumn(
        name = "Partition",
        type_ = "integer",
        json_path = ".spec.partition",
        description = "Pods with a lower number keep the old version"
    ),
    printcolumn(
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Available')].status",
        description = "Whether all pods are there"
    ),
    printcolumn(
        name = "Commit",
        type_ = "string",
        json_path = ".metadata.annotations.hermez\\.dev/commit",
        description = "Commit that was deployed"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since it was created"
    ),
    validation = Rule::new("size(self.metadata.name) <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be at most 52 characters of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: the names and labels of its pods begin with it"
    )
)]
#[x_kube(
    validation = Rule::new("!has(self.partition) || self.updatestrategy == 'RollingUpdate'").message(
        "partition belongs to updatestrategy RollingUpdate: leave partition out, or leave updatestrategy out"
    ),
    validation = Rule::new("!has(self.volumeclaims) || self.volumeclaims.all(c, self.volumeclaims.exists_one(d, d.name == c.name))").message(
        "two volumeclaims have the same name: give each its own name"
    ),
    validation = Rule::new("has(self.volumeclaims) == has(oldSelf.volumeclaims) && (!has(self.volumeclaims) || self.volumeclaims == oldSelf.volumeclaims)").message(
        "volumeclaims cannot be changed once the pods have them: to grow a volume, edit its PersistentVolumeClaim; for anything else delete this resource (its claims stay, unless whendeleted is Delete) and deploy it again"
    ),
    validation = Rule::new("has(self.servicename) == has(oldSelf.servicename) && (!has(self.servicename) || self.servicename == oldSelf.servicename)").message(
        "servicename cannot be changed, it is part of the pods' host names: delete this resource (its claims stay, unless whendeleted is Delete) and deploy it again"
    ),
    validation = Rule::new("self.podmanagementpolicy == oldSelf.podmanagementpolicy").message(
        "podmanagementpolicy cannot be changed: delete this resource (its claims stay, unless whendeleted is Delete) and deploy it again"
    )
)]
pub struct PinterestStatefulsetSpec {
    /// Role that the pods take, for example role1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub iamrole: Option<String>,

    /// One address before all pods, beside the one that each pod has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loadbalancer: Option<Balancer>,

    /// Number of pods, 0 to 10000; 1 when left out. They are called NAME-0, NAME-1 and so on.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: i32,

    /// Volumes that each pod has of its own and keeps; containers mount them by name. They cannot
    /// be changed later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub volumeclaims: Vec<VolumeClaim>,

    /// What becomes of the volumes when pods go for good (kept when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistentvolumeclaimretentionpolicy: Option<RetentionPolicy>,

    /// Name of the Service that gives the pods their host names, POD.SERVICENAME (NAME-headless
    /// when left out). It cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub servicename: Option<String>,

    /// OrderedReady makes the pods one after the other, each when the one before is ready; Parallel
    /// makes them at once (OrderedReady when left out). It cannot be changed later.
    #[serde(default)]
    pub podmanagementpolicy: PodManagementPolicy,

    /// RollingUpdate replaces the pods one by one, the highest number first; OnDelete replaces a pod
    /// when somebody deletes it (RollingUpdate when left out).
    #[serde(default)]
    pub updatestrategy: UpdateStrategy,

    /// A rolling update replaces only pods with this number or a higher one; the others keep the old
    /// version (0 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub partition: Option<i32>,

    /// Seconds that a pod must be ready before it counts as available (0 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub minreadyseconds: Option<i32>,

    /// Old versions to keep in the cluster (10 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub revisionhistorylimit: Option<i32>,

    /// Seconds that a rollout may take before it has failed (600 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progressdeadlineseconds: Option<i32>,

    /// Seconds that a pod gets to end by itself (30 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub terminationgraceperiodseconds: Option<i64>,

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

fn one() -> i32 {
    1
}

/// One address before all pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Balancer {
    /// Port that it listens on, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Port that the pods listen on, a number or the name of a container's port; the same as port
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targetport: Option<IntOrString>,
    /// Keeps the address inside of the cluster (false when left out).
    #[serde(default)]
    pub internal: bool,
}

/// A volume that each pod has of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VolumeClaim {
    /// Name, as the containers' volumeMounts write it. The claim is called NAME-POD.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// Size, for example 10Gi.
    #[schemars(
        length(min = 1, max = 20),
        regex(pattern = r"^[0-9]+(\.[0-9]+)?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
    )]
    pub storage: String,
    /// Storage class (the cluster's default when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storageclass: Option<String>,
    /// Who may mount it at the same time (ReadWriteOnce when left out).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub accessmodes: Vec<AccessMode>,
}

/// Who may mount a volume at the same time; Kubernetes' own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum AccessMode {
    #[allow(missing_docs)] // Kubernetes' own words.
    ReadWriteOnce,
    #[allow(missing_docs)]
    ReadOnlyMany,
    #[allow(missing_docs)]
    ReadWriteMany,
    #[allow(missing_docs)]
    ReadWriteOncePod,
}

/// What becomes of the volumes when pods go for good.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RetentionPolicy {
    /// When the resource is deleted: Retain keeps them, Delete deletes them (Retain when left out).
    #[serde(default)]
    pub whendeleted: Retention,
    /// When there are fewer replicas: Retain keeps them, Delete deletes them (Retain when left out).
    #[serde(default)]
    pub whenscaled: Retention,
}

/// Whether volumes are kept.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Retention {
    #[default]
    #[allow(missing_docs)] // Kubernetes' own words; the fields say what they mean.
    Retain,
    #[allow(missing_docs)]
    Delete,
}

/// In which order pods are made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum PodManagementPolicy {
    #[default]
    #[allow(missing_docs)] // Kubernetes' own words; the field says what they mean.
    OrderedReady,
    #[allow(missing_docs)]
    Parallel,
}

/// How pods come to a new version.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum UpdateStrategy {
    #[default]
    #[allow(missing_docs)] // Kubernetes' own words; the field says what they mean.
    RollingUpdate,
    #[allow(missing_docs)]
    OnDelete,
}

/// How it does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestStatefulsetStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of the deploy that this status speaks of, where one wrote the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Pods that have been ready for long enough.
    pub available_replicas: i32,
    /// Pods of the newest version.
    pub updated_replicas: i32,
    /// Version of the pods below the partition, and of all pods once an update is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<String>,
    /// The newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_revision: Option<String>,
    /// The newest version, as its pods carry it in the label controller-revision-hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Pods wanted.
    pub desired_pods: i32,
    /// Pods that are ready.
    pub ready_pods: i32,
    /// Selects the pods; read by autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Reconciling, Stalled and Available, after Kubernetes' conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
