//! PinterestService: a long-running service.
//!
//! `types` is what users write, `translate` is what it becomes.

mod translate;
mod types;

#[cfg(test)]
mod tests;

pub use translate::{owned, replicas, selector, translate};
pub use types::*;

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
