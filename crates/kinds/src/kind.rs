//! The table of kinds: the one place where a kind is registered.
//!
//! To add a kind: a folder with its types, translation and tests, [`WorkloadResource`] for its
//! resource, and its line in the table below.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::CustomResourceExt;
use kube::api::{ApiResource, DynamicObject};
use serde_json::Value;

use crate::config::Violation;
use crate::profile::RuntimeProfile;
use crate::template::Template;
use crate::translate::TranslateError;

/// What every kind's resource says of itself.
pub trait WorkloadResource {
    /// Its templates of pods, each with the name of its group; a kind whose pods are all alike has
    /// one group without a name.
    fn templates(&self) -> Vec<(&str, &Template)>;

    /// Its templates, to be changed, in the order of [`WorkloadResource::templates`].
    fn templates_mut(&mut self) -> Vec<&mut Template>;

    /// Port that its pods listen on, when it says.
    fn port(&self) -> Option<u16> {
        let templates = self.templates();
        templates
            .first()
            .and_then(|(_, template)| template.first_port())
    }

    /// Replicas asked for, where the kind has them.
    fn replicas(&self) -> Option<i32> {
        None
    }

    /// Seconds that a rollout may stand still before it has failed.
    fn progress_deadline_seconds(&self) -> u32 {
        600
    }

    /// What is wrong with it that no schema can say, each at its field.
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// What it becomes in Kubernetes, in the order in which to apply it.
    ///
    /// # Errors
    /// [`TranslateError`] when the resource and the profile do not fit together.
    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError>;
}

/// Writes [`Kind`] and [`Resource`] from the table of kinds.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident: $module:ident::$type:ident;)+) => {
        /// One of the kinds of workload.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Kind {
            /// Every kind, in the order in which people meet them.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)+];

            /// As `kind:` writes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$variant => stringify!($type),)+
                }
            }

            /// How clients find the kind's resources.
            pub fn api_resource(self) -> ApiResource {
                match self {
                    $(Kind::$variant => crate::$module::$type::api_resource(),)+
                }
            }

            /// Everything that a translation of this kind may make.
            pub fn owned(self) -> Vec<ApiResource> {
                match self {
                    $(Kind::$variant => crate::$module::owned(),)+
                }
            }

            /// The kind's definition as the derive makes it; [`crate::crds`] returns the finished one.
            pub(crate) fn raw_crd(self) -> CustomResourceDefinition {
                match self {
                    $(Kind::$variant => crate::$module::$type::crd(),)+
                }
            }

            /// Reads a resource of this kind.
            ///
            /// # Errors
            /// What `serde` says when the value has another shape.
            pub fn read(self, value: Value) -> Result<Resource, serde_json::Error> {
                match self {
                    $(Kind::$variant => Ok(Resource::$variant(Box::new(serde_json::from_value(value)?))),)+
                }
            }
        }

        /// A workload's resource, of any kind.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Resource {
            $($(#[doc = $doc])+ $variant(Box<crate::$module::$type>),)+
        }

        impl Resource {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Resource::$variant(_) => Kind::$variant,)+
                }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Resource::$variant(resource) => &resource.metadata,)+
                }
            }

            /// Its metadata, to be changed.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self {
                    $(Resource::$variant(resource) => &mut resource.metadata,)+
                }
            }

            /// As JSON, the shape that the API server takes.
            ///
            /// # Panics
            /// Never: resources are plain data.
            pub fn to_json(&self) -> Value {
                let value = match self {
                    $(Resource::$variant(resource) => serde_json::to_value(resource),)+
                };
                value.unwrap_or_else(|error| unreachable!("resources are plain data: {error}"))
            }

            fn inner(&self) -> &dyn WorkloadResource {
                match self {
                    $(Resource::$variant(resource) => resource.as_ref(),)+
                }
            }

            fn inner_mut(&mut self) -> &mut dyn WorkloadResource {
                match self {
                    $(Resource::$variant(resource) => resource.as_mut(),)+
                }
            }
        }
    };
}

kinds! {
    /// A long-running service.
    Service: service::PinterestService;
    /// Work that runs by a schedule.
    CronJob: cronjob::PinterestCronJob;
    /// Groups of jobs that start and fail together.
    JobSet: jobset::PinterestJobSet;
    /// Pods that keep their names and their data.
    StatefulSet: statefulset::PinterestStatefulset;
    /// A streaming application that survives upgrades.
    StreamingJob: streamingjob::PinterestStreamingJob;
    /// A gang of workers that trains a model.
    TrainingJob: trainingjob::PinterestTrainingJob;
}

impl Kind {
    /// The kind that `spelling` means; plural spellings (the talk's `PinterestJobSets`) are
    /// accepted, in the case that `kind:` is written in.
    pub fn from_spelling(spelling: &str) -> Option<Kind> {
        Kind::ALL
            .iter()
            .copied()
            .find(|kind| spelling == kind.name() || spelling.strip_suffix('s') == Some(kind.name()))
    }

    /// Whether its resources have the scale subresource: `spec.replicas`, which people and
    /// autoscalers change.
    pub fn is_scaled(self) -> bool {
        matches!(self, Kind::Service | Kind::StatefulSet | Kind::StreamingJob)
    }
}

impl Resource {
    /// Its name; empty when it has none.
    pub fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its namespace; `default` when it has none.
    pub fn namespace(&self) -> &str {
        self.metadata().namespace.as_deref().unwrap_or("default")
    }

    /// Its containers, each with its name within the resource and whether it is an init container.
    /// The name is the container's own, behind the group's and a `/` where there are groups.
    pub fn containers(&self) -> Vec<(String, &Container, bool)> {
        let templates = self.inner().templates().into_iter();
        let containers = templates.flat_map(|(group, template)| {
            let named =
                move |(container, init): (_, bool)| (path(group, container), container, init);
            template.containers().map(named).collect::<Vec<_>>()
        });
        containers.collect()
    }

    /// Port that its pods listen on, when it says.
    pub fn port(&self) -> Option<u16> {
        self.inner().port()
    }

    /// Replicas asked for, where the kind has them.
    pub fn replicas(&self) -> Option<i32> {
        self.inner().replicas()
    }

    /// Seconds that a rollout may stand still before it has failed.
    pub fn progress_deadline_seconds(&self) -> u32 {
        self.inner().progress_deadline_seconds()
    }

    /// What is wrong with it that no schema can say.
    pub fn violations(&self) -> Vec<Violation> {
        self.inner().violations()
    }

    /// What it becomes in Kubernetes; see the kind's own `translate`.
    ///
    /// # Errors
    /// [`TranslateError`] when the resource and the profile do not fit together.
    pub fn translate(
        &self,
        profile: &RuntimeProfile,
    ) -> Result<Vec<DynamicObject>, TranslateError> {
        self.inner().translate(profile)
    }

    /// Sets the image of each container that `images` names (as [`Resource::containers`] does).
    pub fn pin(&mut self, images: &BTreeMap<String, String>) {
        let templates = self.inner().templates().into_iter();
        let groups: Vec<String> = templates.map(|(group, _)| group.to_owned()).collect();
        for (group, template) in groups.iter().zip(self.inner_mut().templates_mut()) {
            for container in template.containers_mut() {
                if let Some(reference) = images.get(&path(group, container)) {
                    container.image = Some(reference.clone());
                }
            }
        }
    }
}

/// A container's name within its resource.
fn path(group: &str, container: &Container) -> String {
    match group {
        "" => container.name.clone(),
        group => format!("{group}/{}", container.name),
    }
}
