//! The table of kinds: the one place where a kind is registered.
//!
//! To add a kind: a folder with its types, translation and tests; a variant of [`Kind`] and of
//! [`Resource`]; the compiler then asks for the rest.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResourceExt;
use kube::api::{ApiResource, DynamicObject};
use serde_json::Value;

use crate::profile::RuntimeProfile;
use crate::service::{self, PinterestService};
use crate::translate::TranslateError;

/// One of the kinds of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A long-running service.
    Service,
}

impl Kind {
    /// Every kind, in the order in which people meet them.
    pub const ALL: &'static [Kind] = &[Kind::Service];

    /// As `kind:` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Service => "PinterestService",
        }
    }

    /// The kind that `spelling` means; plural spellings (the talk's `PinterestJobSets`) are
    /// accepted, in the case that `kind:` is written in.
    pub fn from_spelling(spelling: &str) -> Option<Kind> {
        Kind::ALL
            .iter()
            .copied()
            .find(|kind| spelling == kind.name() || spelling.strip_suffix('s') == Some(kind.name()))
    }

    /// How clients find the kind's resources.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Kind::Service => PinterestService::api_resource(),
        }
    }

    /// Everything that a translation of this kind may make.
    pub fn owned(self) -> Vec<ApiResource> {
        match self {
            Kind::Service => service::owned(),
        }
    }

    /// The kind's definition as the derive makes it; [`crate::crds`] returns the finished one.
    pub(crate) fn raw_crd(self) -> CustomResourceDefinition {
        match self {
            Kind::Service => PinterestService::crd(),
        }
    }

    /// Reads a resource of this kind.
    ///
    /// # Errors
    /// What `serde` says when the value has another shape.
    pub fn read(self, value: Value) -> Result<Resource, serde_json::Error> {
        match self {
            Kind::Service => Ok(Resource::Service(Box::new(serde_json::from_value(value)?))),
        }
    }
}

/// A workload's resource, of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Resource {
    /// A long-running service.
    Service(Box<PinterestService>),
}

impl Resource {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Resource::Service(_) => Kind::Service,
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Resource::Service(service) => &service.metadata,
        }
    }

    /// Its metadata, to be changed.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Resource::Service(service) => &mut service.metadata,
        }
    }

    /// Its name; empty when it has none.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its namespace; `default` when it has none.
    pub fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or("default")
    }

    /// As JSON, the shape that the API server takes.
    pub fn to_json(&self) -> Value {
        let value = match self {
            Resource::Service(service) => serde_json::to_value(service),
        };
        value.unwrap_or_else(|error| unreachable!("resources are plain data: {error}"))
    }

    /// Its containers, init containers first, with whether each is one.
    pub fn containers(&self) -> Vec<(&Container, bool)> {
        match self {
            Resource::Service(service) => {
                let pod = &service.spec.template.spec;
                let init = pod.initcontainers.iter().map(|c| (c, true));
                init.chain(pod.containers.iter().map(|c| (c, false)))
                    .collect()
            }
        }
    }

    /// Its containers, to be changed.
    pub fn containers_mut(&mut self) -> Vec<&mut Container> {
        match self {
            Resource::Service(service) => {
                let pod = &mut service.spec.template.spec;
                pod.initcontainers
                    .iter_mut()
                    .chain(&mut pod.containers)
                    .collect()
            }
        }
    }

    /// Port that its pods listen on, when it says: the load balancer's target, else the first
    /// container port.
    pub fn port(&self) -> Option<u16> {
        match self {
            Resource::Service(service) => service::port(&service.spec),
        }
    }

    /// Replicas asked for, where the kind has them.
    pub fn replicas(&self) -> Option<i32> {
        match self {
            Resource::Service(service) => Some(service.spec.replicas),
        }
    }

    /// Seconds that a rollout may stand still before it has failed.
    pub fn progress_deadline_seconds(&self) -> u32 {
        match self {
            Resource::Service(service) => service
                .spec
                .progressdeadlineseconds
                .map_or(600, i32::unsigned_abs),
        }
    }

    /// What it becomes in Kubernetes; see the kind's own `translate`.
    ///
    /// # Errors
    /// [`TranslateError`] when the resource and the profile do not fit together.
    pub fn translate(
        &self,
        profile: &RuntimeProfile,
    ) -> Result<Vec<DynamicObject>, TranslateError> {
        match self {
            Resource::Service(service) => service::translate(service, profile),
        }
    }

    /// Sets the image of each container that `images` names.
    pub fn pin(&mut self, images: &BTreeMap<String, String>) {
        for container in self.containers_mut() {
            if let Some(reference) = images.get(&container.name) {
                container.image = Some(reference.clone());
            }
        }
    }
}
