//! PinterestJobSet: groups of jobs that start and fail together.
//!
//! `types` is what users write, `rules` what no schema can check of it, `translate` what it becomes.

mod rules;
#[cfg(test)]
mod tests;
mod translate;
mod types;

pub use translate::{attempt, job_name, owned, revision, translate};
pub use types::*;

use kube::api::DynamicObject;

use crate::config::Violation;
use crate::kind::WorkloadResource;
use crate::template::Template;
use crate::{RuntimeProfile, TranslateError};

impl WorkloadResource for PinterestJobSet {
    fn templates(&self) -> Vec<(&str, &Template)> {
        let groups = self.spec.replicatedjobs.iter();
        groups
            .map(|group| (group.name.as_str(), &group.template))
            .collect()
    }

    fn templates_mut(&mut self) -> Vec<&mut Template> {
        let groups = self.spec.replicatedjobs.iter_mut();
        groups.map(|group| &mut group.template).collect()
    }

    fn violations(&self) -> Vec<Violation> {
        rules::violations(self)
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}
