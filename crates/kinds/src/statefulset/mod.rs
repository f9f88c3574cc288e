//! PinterestStatefulset: pods that keep their names and their data.
//!
//! `types` is what users write, `translate` is what it becomes.

mod translate;
mod types;

#[cfg(test)]
mod tests;

pub use translate::{owned, service_name, translate};
pub use types::*;

use kube::api::DynamicObject;

use crate::config::Violation;
use crate::kind::WorkloadResource;
use crate::template::Template;
use crate::{RuntimeProfile, TranslateError};

impl WorkloadResource for PinterestStatefulset {
    fn templates(&self) -> Vec<(&str, &Template)> {
        vec![("", &self.spec.template)]
    }

    fn templates_mut(&mut self) -> Vec<&mut Template> {
        vec![&mut self.spec.template]
    }

    fn replicas(&self) -> Option<i32> {
        Some(self.spec.replicas)
    }

    fn progress_deadline_seconds(&self) -> u32 {
        let seconds = self.spec.progressdeadlineseconds;
        seconds.map_or(600, i32::unsigned_abs)
    }

    fn violations(&self) -> Vec<Violation> {
        let claimed = self.spec.volumeclaims.iter().enumerate();
        let unmounted = claimed.filter(|(_, claim)| !self.mounts(&claim.name));
        let unmounted = unmounted.map(|(index, claim)| Violation {
            field: format!("spec.volumeclaims[{index}].name"),
            message: format!("no container mounts the volume \"{}\"", claim.name),
            hint: Some(format!(
                "add volumeMounts: [{{name: {}, mountPath: /data}}] to a container",
                claim.name
            )),
        });
        let name = self.metadata.name.as_deref().unwrap_or_default();
        let clash =
            self.spec.loadbalancer.is_some() && self.spec.servicename.as_deref() == Some(name);
        let clash = clash.then(|| Violation {
            field: "spec.servicename".into(),
            message: format!("\"{name}\" is the name of the loadbalancer's Service"),
            hint: Some(format!(
                "leave servicename out ({name}-headless), or choose another"
            )),
        });
        let sizes = self.spec.volumeclaims.iter().enumerate();
        let sizes = sizes.filter(|(_, claim)| !is_size(&claim.storage));
        let sizes = sizes.map(|(index, claim)| Violation {
            field: format!("spec.volumeclaims[{index}].storage"),
            message: format!("\"{}\" is not a size", crate::yaml::shorten(&claim.storage)),
            hint: Some("write a number and a unit, for example 10Gi".into()),
        });
        sizes.chain(unmounted).chain(clash).collect()
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}

impl PinterestStatefulset {
    /// Whether a container mounts the volume of that name, as a folder or as a device.
    fn mounts(&self, volume: &str) -> bool {
        self.spec.template.containers().any(|(container, _)| {
            let mounts = container.volume_mounts.iter().flatten();
            let devices = container.volume_devices.iter().flatten();
            mounts
                .map(|mount| &mount.name)
                .chain(devices.map(|device| &device.name))
                .any(|name| name == volume)
        })
    }
}

/// Whether a text is a Kubernetes quantity above nought.
fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let units = [
        "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    let is_number = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_positive = digits.parse::<f64>().is_ok_and(|size| size > 0.0);
    units.contains(&unit) && is_number && is_positive
}
