//! PinterestTrainingJob: a gang of workers that trains a model.
//!
//! `types` is what users write, `rules` what no schema can check of it, `variables` how members
//! find each other, `translate` what it becomes.

mod rules;
#[cfg(test)]
mod tests;
mod translate;
mod types;
mod variables;

pub use translate::{attempt, job_name, owned, revision, translate};
pub use types::*;

use kube::api::DynamicObject;

use crate::config::Violation;
use crate::kind::WorkloadResource;
use crate::template::Template;
use crate::{RuntimeProfile, TranslateError};

impl PinterestTrainingJobSpec {
    /// The members, each with the rank of the first of its role; in the order of their ranks.
    pub fn ranked(&self) -> Vec<(&Members, i32)> {
        let mut members: Vec<&Members> = self.members.iter().collect();
        members.sort_by_key(|members| members.role);
        let mut next = 0;
        let ranked = members.into_iter().map(|members| {
            let first = next;
            next += members.replicas;
            (members, first)
        });
        ranked.collect()
    }

    /// Members of the whole gang.
    pub fn size(&self) -> i32 {
        self.members.iter().map(|members| members.replicas).sum()
    }

    /// Whether the training has succeeded when the members of this role have: TensorFlow's
    /// parameter servers never end, and a chief speaks for all.
    pub fn leads(&self, role: Role) -> bool {
        let has_chief = self
            .members
            .iter()
            .any(|members| members.role == Role::Chief);
        match role {
            Role::Master | Role::Chief => true,
            Role::Worker => !has_chief,
            Role::Ps | Role::Evaluator => false,
        }
    }

    /// Port of the rendezvous.
    pub fn port(&self) -> i32 {
        let usual = match self.framework {
            Framework::Tensorflow => 2222,
            Framework::None | Framework::Pytorch => 29500,
        };
        self.port.unwrap_or(usual)
    }
}

impl WorkloadResource for PinterestTrainingJob {
    fn templates(&self) -> Vec<(&str, &Template)> {
        let members = self.spec.members.iter();
        members
            .map(|members| (members.role.name(), &members.template))
            .collect()
    }

    fn templates_mut(&mut self) -> Vec<&mut Template> {
        let members = self.spec.members.iter_mut();
        members.map(|members| &mut members.template).collect()
    }

    fn port(&self) -> Option<u16> {
        u16::try_from(self.spec.port()).ok()
    }

    fn violations(&self) -> Vec<Violation> {
        rules::violations(self)
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}
