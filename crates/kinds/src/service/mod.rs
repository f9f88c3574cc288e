//! PinterestService: a long-running service.
//!
//! `types` is what users write, `translate` is what it becomes.

mod translate;
mod types;

#[cfg(test)]
mod tests;

pub use translate::{owned, replicas, selector, translate};
pub use types::*;

use kube::api::DynamicObject;

use crate::kind::WorkloadResource;
use crate::template::Template;
use crate::{RuntimeProfile, TranslateError};

impl WorkloadResource for PinterestService {
    fn templates(&self) -> Vec<(&str, &Template)> {
        vec![("", &self.spec.template)]
    }

    fn templates_mut(&mut self) -> Vec<&mut Template> {
        vec![&mut self.spec.template]
    }

    fn port(&self) -> Option<u16> {
        port(&self.spec)
    }

    fn replicas(&self) -> Option<i32> {
        Some(self.spec.replicas)
    }

    fn progress_deadline_seconds(&self) -> u32 {
        let seconds = self.spec.progressdeadlineseconds;
        seconds.map_or(600, i32::unsigned_abs)
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}

/// Port that the pods listen on, when the spec says: the load balancer's target, else the first
/// container port.
pub fn port(spec: &PinterestServiceSpec) -> Option<u16> {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

    let ports = || {
        let containers = spec.template.spec.containers.iter();
        containers.flat_map(|c| c.ports.iter().flatten())
    };
    let port = match &spec.loadbalancer {
        Some(balancer) => match &balancer.targetport {
            None => Some(balancer.port),
            Some(IntOrString::Int(number)) => Some(*number),
            Some(IntOrString::String(name)) => ports()
                .find(|port| port.name.as_deref() == Some(name))
                .map(|port| port.container_port),
        },
        None => ports().next().map(|port| port.container_port),
    };
    port.and_then(|port| u16::try_from(port).ok())
}
