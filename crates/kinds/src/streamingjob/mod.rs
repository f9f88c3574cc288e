//! PinterestStreamingJob: a streaming application that survives upgrades.
//!
//! `types` is what users write, `status` what the controller answers, `translate` and `flink` what
//! it becomes, `configuration` Flink's own configuration and which of its keys are Hermez'.

mod configuration;
mod flink;
mod status;
#[cfg(test)]
mod tests;
mod translate;
mod types;

pub use flink::{cluster_id, service_name};
pub use status::*;
pub use translate::{Start, owned, revision, translate, translate_start};
pub use types::*;

use kube::api::DynamicObject;

use crate::config::Violation;
use crate::kind::WorkloadResource;
use crate::template::Template;
use crate::{RuntimeProfile, TranslateError};

impl WorkloadResource for PinterestStreamingJob {
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
        let seconds = match &self.spec.flink {
            // The savepoint, the new version, and the way back.
            Some(flink) => flink.upgrade.timeoutseconds.saturating_mul(3),
            None => self.spec.progressdeadlineseconds.unwrap_or(600),
        };
        u32::try_from(seconds).unwrap_or(600)
    }

    fn violations(&self) -> Vec<Violation> {
        let Some(flink) = &self.spec.flink else {
            return Vec::new();
        };
        let mut violations = configuration::violations(flink);
        violations.extend(flink::violations(&self.spec, flink));
        violations
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}
