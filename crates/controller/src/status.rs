//! What a PinterestService's status says, from its spec and its Deployment. Pure.
//!
//! The conditions follow kstatus: `Reconciling` and `Stalled` are `True` only while they hold,
//! beside `Available` and `Progressing` as a Deployment has them.

use hermez_kinds::service::PinterestServiceStatus;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Everything that a status is made of.
pub(crate) struct Seen<'a> {
    /// Generation of the resource.
    pub generation: Option<i64>,
    /// The Deployment, when there is one.
    pub deployment: Option<&'a Deployment>,
    /// Why it cannot go on: the condition's reason and message.
    pub stalled: Option<(&'static str, String)>,
    /// The runtime profile, as NAME@VERSION.
    pub profile: String,
    /// The status as it stands.
    pub before: &'a PinterestServiceStatus,
    /// Now.
    pub now: Timestamp,
}

/// The status that follows from what was seen.
pub(crate) fn service(seen: &Seen<'_>) -> PinterestServiceStatus {
    let status = seen
        .deployment
        .and_then(|deployment| deployment.status.as_ref());
    let count = |of: fn(&k8s_openapi::api::apps::v1::DeploymentStatus) -> Option<i32>| {
        status.and_then(of).unwrap_or(0)
    };
    let before = &seen.before.conditions;
    let condition = |kind: &str, truth: &str, reason: &str, message: String| {
        let same = before
            .iter()
            .find(|old| old.type_ == kind && old.status == truth);
        Condition {
            type_: kind.to_owned(),
            status: truth.to_owned(),
            reason: reason.to_owned(),
            message,
            observed_generation: seen.generation,
            last_transition_time: same
                .map_or(Time(seen.now), |old| old.last_transition_time.clone()),
        }
    };
    let mut conditions: Vec<Condition> = ["Available", "Progressing"]
        .into_iter()
        .map(|kind| match native(seen.deployment, kind) {
            Some(found) => condition(
                kind,
                &found.status,
                found.reason.as_deref().unwrap_or("Unknown"),
                found.message.clone().unwrap_or_default(),
            ),
            None => condition(
                kind,
                "Unknown",
                "NoDeployment",
                "there is no Deployment yet".into(),
            ),
        })
        .collect();
    let settled = seen.deployment.is_some_and(is_settled);
    if let Some((reason, message)) = &seen.stalled {
        conditions.push(condition("Stalled", "True", reason, message.clone()));
    } else if let Some(late) =
        native(seen.deployment, "Progressing").filter(|c| c.status == "False")
    {
        let message = late.message.clone().unwrap_or_default();
        conditions.push(condition(
            "Stalled",
            "True",
            "ProgressDeadlineExceeded",
            message,
        ));
    } else if !settled {
        let message = "the Deployment is not at the wanted state yet".to_owned();
        conditions.push(condition("Reconciling", "True", "RollingOut", message));
    }
    PinterestServiceStatus {
        observed_generation: seen.generation,
        replicas: count(|s| s.replicas),
        ready_replicas: count(|s| s.ready_replicas),
        available_replicas: count(|s| s.available_replicas),
        updated_replicas: count(|s| s.updated_replicas),
        selector: seen.deployment.and_then(selector),
        profile: Some(seen.profile.clone()),
        conditions,
    }
}

fn native<'a>(deployment: Option<&'a Deployment>, kind: &str) -> Option<&'a DeploymentCondition> {
    let conditions = deployment?.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether all wanted pods are of the newest version and available, and no others are left.
fn is_settled(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else {
        return false;
    };
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
}

fn selector(deployment: &Deployment) -> Option<String> {
    let labels = deployment.spec.as_ref()?.selector.match_labels.as_ref()?;
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Some(pairs.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_deployment(updated: i32, available: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"name": "a"}}, "template": {}},
            "status": {
                "observedGeneration": 2, "replicas": 2, "updatedReplicas": updated,
                "readyReplicas": available, "availableReplicas": available,
                "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}],
            },
        }))
        .expect("a Deployment")
    }

    fn mk_status(
        deployment: Option<&Deployment>,
        stalled: Option<(&'static str, String)>,
    ) -> PinterestServiceStatus {
        let before = PinterestServiceStatus::default();
        let profile = "plain@1".to_owned();
        service(&Seen {
            generation: Some(5),
            deployment,
            stalled,
            profile,
            before: &before,
            now: Timestamp::UNIX_EPOCH,
        })
    }

    fn truth<'a>(status: &'a PinterestServiceStatus, kind: &str) -> Option<&'a str> {
        let found = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == kind);
        found.map(|condition| condition.status.as_str())
    }

    #[test]
    fn a_settled_service_is_neither_reconciling_nor_stalled() {
        let status = mk_status(Some(&mk_deployment(2, 2)), None);
        assert_eq!(truth(&status, "Available"), Some("True"));
        assert_eq!(truth(&status, "Reconciling"), None);
        assert_eq!(truth(&status, "Stalled"), None);
        assert_eq!(status.selector.as_deref(), Some("name=a"));
        assert_eq!(status.observed_generation, Some(5));
    }

    #[test]
    fn a_rollout_is_reconciling() {
        let status = mk_status(Some(&mk_deployment(1, 2)), None);
        assert_eq!(truth(&status, "Reconciling"), Some("True"));
        assert_eq!(truth(&mk_status(None, None), "Available"), Some("Unknown"));
    }

    #[test]
    fn a_refusal_is_stalled_and_says_why() {
        let status = mk_status(None, Some(("Refused", "quota".to_owned())));
        let stalled = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Stalled")
            .expect("stalled");
        assert_eq!(
            (stalled.reason.as_str(), stalled.message.as_str()),
            ("Refused", "quota")
        );
    }

    #[test]
    fn the_time_of_a_condition_stays_while_it_holds() {
        let first = mk_status(Some(&mk_deployment(2, 2)), None);
        let deployment = mk_deployment(2, 2);
        let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(60);
        let seen = Seen {
            generation: Some(5),
            deployment: Some(&deployment),
            stalled: None,
            profile: "plain@1".to_owned(),
            before: &first,
            now: later,
        };
        assert_eq!(service(&seen), first);
    }
}
