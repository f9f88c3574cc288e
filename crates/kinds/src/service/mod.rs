//! PinterestService: a long-running service.
//!
//! `types` is what users write, `behavior` how fast it may scale, `translate` is what it becomes.

mod behavior;
mod translate;
mod types;

#[cfg(test)]
mod tests;

pub use translate::{owned, replicas, selector, translate};
pub use types::*;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::DynamicObject;

use crate::config::Violation;
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

    fn violations(&self) -> Vec<Violation> {
        let settings = [
            ("maxsurge", &self.spec.maxsurge, "25%"),
            (
                "maxunavailable",
                &self.spec.maxunavailable,
                "25%, at most 100%",
            ),
        ];
        let wrong = settings.into_iter().filter(|(name, value, _)| {
            let most = if *name == "maxsurge" { 9999 } else { 100 };
            !value.as_ref().is_none_or(|value| is_share(value, most))
        });
        let wrong = wrong.map(|(name, _, hint)| Violation {
            field: format!("spec.{name}"),
            message: "neither a number of pods nor a percentage".to_owned(),
            hint: Some(format!("write 1 or {hint}")),
        });
        let autoscaling = self.spec.autoscaling.iter();
        wrong
            .chain(autoscaling.flat_map(Autoscaling::violations))
            .collect()
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}

/// Whether a value is a number of pods, or a percentage of at most `most`.
fn is_share(value: &IntOrString, most: u32) -> bool {
    match value {
        IntOrString::Int(pods) => *pods >= 0,
        IntOrString::String(text) => {
            let digits = text.strip_suffix('%').filter(|digits| digits.len() <= 4);
            let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse::<u32>().ok())
                .is_some_and(|percent| percent <= most)
        }
    }
}

/// Port that the pods listen on, when the spec says: the load balancer's target, else the first
/// container port.
pub fn port(spec: &PinterestServiceSpec) -> Option<u16> {
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
