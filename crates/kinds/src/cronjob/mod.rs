//! PinterestCronJob: work that runs by a schedule.
//!
//! `types` is what users write, `schedule` reads when it runs, `translate` is what it becomes.

pub mod schedule;
mod translate;
mod types;

#[cfg(test)]
mod tests;

pub use schedule::{Schedule, ScheduleError};
pub use translate::{DEFAULT_TIME_ZONE, owned, translate};
pub use types::*;

use kube::api::DynamicObject;

use crate::config::Violation;
use crate::kind::WorkloadResource;
use crate::template::Template;
use crate::{RuntimeProfile, TranslateError};

impl WorkloadResource for PinterestCronJob {
    fn templates(&self) -> Vec<(&str, &Template)> {
        vec![("", &self.spec.template)]
    }

    fn templates_mut(&mut self) -> Vec<&mut Template> {
        vec![&mut self.spec.template]
    }

    fn violations(&self) -> Vec<Violation> {
        let schedule = Schedule::parse(&self.spec.schedule).err();
        let schedule = schedule.map(|error| Violation {
            field: "spec.schedule".into(),
            message: error.to_string(),
            hint: error.hint,
        });
        let zone = self.spec.timezone.as_deref().and_then(zone_violation);
        schedule.into_iter().chain(zone).collect()
    }

    fn translate(&self, profile: &RuntimeProfile) -> Result<Vec<DynamicObject>, TranslateError> {
        translate(self, profile)
    }
}

fn zone_violation(name: &str) -> Option<Violation> {
    let likely = schedule::time_zone(name).err()?;
    let hint = match likely {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => "write an IANA name, for example America/Los_Angeles".to_owned(),
    };
    Some(Violation {
        field: "spec.timezone".into(),
        message: format!("there is no time zone \"{}\"", crate::yaml::shorten(name)),
        hint: Some(hint),
    })
}
