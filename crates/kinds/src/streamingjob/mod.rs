//! PinterestStreamingJob: a streaming application that survives upgrades.
//!
//! `types` is what users write, `translate` is what it becomes.

mod translate;
mod types;

pub use translate::{owned, translate};
pub use types::*;

use kube::api::DynamicObject;

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

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}
