//! The pods of a workload as users write them, the same for every kind.
//!
//! Field names are the talk's (`initcontainers`); inside a container they are Kubernetes' own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Container, LocalObjectReference, PodSecurityContext, Toleration,
    TopologySpreadConstraint, Volume,
};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The schema of `sidecarconfig`: which keys a sidecar takes, the runtime profile says.
pub(crate) fn sidecar_config_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 50,
        "additionalProperties": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true
        }
    })
}

/// The pods of a workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Template {
    /// Labels and annotations of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// What runs in them.
    pub spec: TemplateSpec,
}

/// Labels and annotations of pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TemplateMetadata {
    /// Labels of the pods, beside those that Hermez writes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub annotations: BTreeMap<String, String>,
}

/// What runs in a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.containers.all(c, self.containers.exists_one(d, d.name == c.name))").message(
        "two containers have the same name: give each its own name"
    ),
    validation = Rule::new("!has(self.initcontainers) || self.initcontainers.all(c, self.initcontainers.exists_one(d, d.name == c.name) && !self.containers.exists(d, d.name == c.name))").message(
        "an init container has the name of another container: give each its own name"
    )
)]
pub struct TemplateSpec {
    /// Containers that run to their end, one after the other, before the others start; in
    /// Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub initcontainers: Vec<Container>,
    /// Containers, in Kubernetes' own shape. A container whose image is left out, or named as an
    /// image that Hermez builds, runs the image of the commit.
    #[schemars(length(min = 1, max = 20))]
    pub containers: Vec<Container>,
    /// Volumes, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub volumes: Vec<Volume>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodeselector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub tolerations: Vec<Toleration>,
    /// Nodes and pods to be near to or far from, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How to spread over zones and nodes, in Kubernetes' own shape. A constraint without
    /// labelSelector counts the pods of this workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub topologyspreadconstraints: Vec<TopologySpreadConstraint>,
    /// Service account of the pods (default when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub serviceaccountname: Option<String>,
    /// Priority class of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priorityclassname: Option<String>,
    /// Secrets to pull images with, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub imagepullsecrets: Vec<LocalObjectReference>,
    /// Security settings of the pods, in Kubernetes' own shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub securitycontext: Option<PodSecurityContext>,
}

impl Template {
    /// Its containers, init containers first, with whether each is one.
    pub fn containers(&self) -> impl Iterator<Item = (&Container, bool)> {
        let init = self
            .spec
            .initcontainers
            .iter()
            .map(|container| (container, true));
        init.chain(
            self.spec
                .containers
                .iter()
                .map(|container| (container, false)),
        )
    }

    /// Its containers, to be changed.
    pub fn containers_mut(&mut self) -> impl Iterator<Item = &mut Container> {
        self.spec
            .initcontainers
            .iter_mut()
            .chain(&mut self.spec.containers)
    }

    /// The first port that a container names.
    pub fn first_port(&self) -> Option<u16> {
        let containers = self.spec.containers.iter();
        let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
        ports
            .next()
            .and_then(|port| u16::try_from(port.container_port).ok())
    }
}
