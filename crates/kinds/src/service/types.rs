//! What users write in a PinterestService, and what the controller answers in its status.
//!
//! Field names are the talk's; inside a container they are Kubernetes' own. The doc comments are
//! what `kubectl explain` prints, and the messages of the rules are what people read when the API
//! server refuses their file: each says what to write.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::{HorizontalPodAutoscalerBehavior, MetricSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::template::{Template, sidecar_config_schema};

/// A service: pods that run all the time, all alike, with an optional load balancer before them.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pinterest.com",
    version = "v1",
    kind = "PinterestService",
    plural = "pinterestservices",
    singular = "pinterestservice",
    shortname = "psvc",
    category = "hermez",
    namespaced,
    status = "PinterestServiceStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A service: pods that run all the time, all alike, with an optional load balancer before them.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Pods that take traffic"
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
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Available')].status",
        description = "Whether enough pods take traffic"
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
    validation = Rule::new("size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name must be at most 63 characters of a-z, 0-9 and '-', begin with a letter and end with a letter or digit: it becomes a label and the name of a Service"
    )
)]
#[x_kube(
    validation = Rule::new("!has(self.maxsurge) || string(self.maxsurge).matches('^([0-9]{1,9}|[0-9]{1,4}%)$')").message(
        "maxsurge must be a number of pods or a percentage: write 1 or 25%"
    ),
    validation = Rule::new("!has(self.maxunavailable) || string(self.maxunavailable).matches('^([0-9]{1,9}|(100|[0-9]{1,2})%)$')").message(
        "maxunavailable must be a number of pods or a percentage up to 100%: write 0 or 25%"
    ),
    validation = Rule::new("!has(self.maxsurge) || !has(self.maxunavailable) || !(string(self.maxsurge) in ['0', '0%', '00%']) || !(string(self.maxunavailable) in ['0', '0%', '00%'])").message(
        "maxsurge and maxunavailable cannot both be 0, a rollout could not move: let one of them be 1 or more"
    ),
    validation = Rule::new("!has(self.drainseconds) || self.drainseconds < (has(self.terminationgraceperiodseconds) ? self.terminationgraceperiodseconds : 30)").message(
        "drainseconds must be less than terminationgraceperiodseconds (30 when left out), or the pod is killed before it can end: raise terminationgraceperiodseconds"
    ),
    validation = Rule::new("!has(self.autoscaling) || self.replicas <= 1 || (self.replicas >= self.autoscaling.min && self.replicas <= self.autoscaling.max)").message(
        "autoscaling owns the number of replicas: leave replicas out, or write a number from autoscaling.min to autoscaling.max"
    )
)]
pub struct PinterestServiceSpec {
    /// Role that the service's pods take, for example role1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub iamrole: Option<String>,

    /// Makes the service reachable from outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loadbalancer: Option<LoadBalancer>,

    /// Number of pods, 0 to 10000; 1 when left out. With autoscaling, the autoscaler writes it.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: i32,

    /// Lets the number of pods follow their load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

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

    /// Pods that a rollout may add beyond the number wanted: a number or a percentage (25% when
    /// left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxsurge: Option<IntOrString>,

    /// Pods that a rollout may take away from the number wanted: a number or a percentage (25%
    /// when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxunavailable: Option<IntOrString>,

    /// Seconds that a pod must be ready before it counts as available (0 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub minreadyseconds: Option<i32>,

    /// Old versions to keep in the cluster (10 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub revisionhistorylimit: Option<i32>,

    /// Seconds without progress after which a rollout has failed (600 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progressdeadlineseconds: Option<i32>,

    /// Seconds that a pod gets to end by itself (30 when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub terminationgraceperiodseconds: Option<i64>,

    /// Seconds that a pod goes on answering after it was told to end, so that load balancers stop
    /// sending first (0 when left out). They count into the time that it gets to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub drainseconds: Option<i32>,
}

fn one() -> i32 {
    1
}

/// How the service is reached from outside of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LoadBalancer {
    /// Port that the load balancer listens on, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Port that the pods listen on, a number or the name of a container's port; the same as port
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targetport: Option<IntOrString>,
}

/// How the number of pods follows their load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.max >= self.min").message(
        "autoscaling.max must be at least autoscaling.min: raise max or lower min"
    ),
    validation = Rule::new("has(self.cpu) || has(self.memory) || (has(self.metrics) && size(self.metrics) > 0)").message(
        "autoscaling needs something to follow: write cpu: 70 (percent of the requested CPU), memory, or metrics"
    )
)]
pub struct Autoscaling {
    /// Fewest pods, 1 to 10000 (1 when left out).
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10000))]
    pub min: i32,
    /// Most pods, 1 to 10000.
    #[schemars(range(min = 1, max = 10000))]
    pub max: i32,
    /// Average CPU use to aim at, in percent of what the containers request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu: Option<i32>,
    /// Average memory use to aim at, in percent of what the containers request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub memory: Option<i32>,
    /// Other metrics, as a HorizontalPodAutoscaler writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub metrics: Vec<MetricSpec>,
    /// How fast to scale, as a HorizontalPodAutoscaler writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<HorizontalPodAutoscalerBehavior>,
}

/// How the service does; written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PinterestServiceStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that take traffic.
    pub ready_replicas: i32,
    /// Pods that have been ready for long enough.
    pub available_replicas: i32,
    /// Pods of the newest version.
    pub updated_replicas: i32,
    /// Selects the pods; read by autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Runtime profile that the pods were translated through, as NAME@VERSION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Available, Progressing, Reconciling and Stalled, after Kubernetes' conventions.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
