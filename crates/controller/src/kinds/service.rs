//! PinterestService: its status follows its Deployment's. Pure.
//!
//! Beside `Available` and `Progressing` as a Deployment has them, `Reconciling` and `Stalled` are
//! `True` only while they hold.

use hermez_kinds::service::PinterestServiceStatus;
use hermez_kinds::status::Conditions;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus};

use super::{Refusal, Seen};

/// The status that follows from what was seen.
pub(super) fn status(seen: &Seen<'_>, stalled: Option<&Refusal>) -> PinterestServiceStatus {
    let deployment: Option<Deployment> = seen.named("Deployment", seen.resource.name());
    from_deployment(seen, deployment.as_ref(), stalled)
}

fn from_deployment(
    seen: &Seen<'_>,
    deployment: Option<&Deployment>,
    stalled: Option<&Refusal>,
) -> PinterestServiceStatus {
    let status = deployment.and_then(|deployment| deployment.status.as_ref());
    let count = |of: fn(&DeploymentStatus) -> Option<i32>| status.and_then(of).unwrap_or(0);
    let before: PinterestServiceStatus = seen.before();
    let mut conditions = Conditions::new(&before.conditions, seen.generation, seen.now);
    for kind in ["Available", "Progressing"] {
        match native(deployment, kind) {
            Some(found) => conditions.push(
                kind,
                &found.status,
                found.reason.as_deref().unwrap_or("Unknown"),
                found.message.clone().unwrap_or_default(),
            ),
            None => conditions.push(
                kind,
                "Unknown",
                "NoDeployment",
                "there is no Deployment yet",
            ),
        }
    }
    let late = native(deployment, "Progressing").filter(|found| found.status == "False");
    if let Some(Refusal { reason, message }) = stalled {
        conditions.push("Stalled", "True", reason, message.clone());
    } else if let Some(late) = late {
        let message = late.message.clone().unwrap_or_default();
        conditions.push("Stalled", "True", "ProgressDeadlineExceeded", message);
    } else if !deployment.is_some_and(is_settled) {
        let message = "the Deployment is not at the wanted state yet";
        conditions.push("Reconciling", "True", "RollingOut", message);
    }
    PinterestServiceStatus {
        observed_generation: seen.generation,
        replicas: count(|s| s.replicas),
        ready_replicas: count(|s| s.ready_replicas),
        available_replicas: count(|s| s.available_replicas),
        updated_replicas: count(|s| s.updated_replicas),
        selector: deployment.and_then(selector),
        profile: Some(seen.profile.label()),
        conditions: conditions.finish(),
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
    use hermez_kinds::{Kind, RuntimeProfile};
    use jiff::Timestamp;
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
        stalled: Option<&Refusal>,
        before: &PinterestServiceStatus,
        second: i64,
    ) -> PinterestServiceStatus {
        let resource = json!({"apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": []}}}});
        let seen = Seen {
            resource: &Kind::Service.read(resource).expect("a service"),
            generation: Some(5),
            profile: &RuntimeProfile::plain(),
            owned: &Vec::new(),
            before: &serde_json::to_value(before).expect("plain data"),
            now: Timestamp::from_second(second).expect("a time"),
        };
        from_deployment(&seen, deployment, stalled)
    }

    fn fresh(deployment: Option<&Deployment>, stalled: Option<&Refusal>) -> PinterestServiceStatus {
        mk_status(deployment, stalled, &PinterestServiceStatus::default(), 0)
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
        let status = fresh(Some(&mk_deployment(2, 2)), None);
        assert_eq!(truth(&status, "Available"), Some("True"));
        assert_eq!(truth(&status, "Reconciling"), None);
        assert_eq!(truth(&status, "Stalled"), None);
        assert_eq!(status.selector.as_deref(), Some("name=a"));
        assert_eq!(status.observed_generation, Some(5));
    }

    #[test]
    fn a_rollout_is_reconciling() {
        let status = fresh(Some(&mk_deployment(1, 2)), None);
        assert_eq!(truth(&status, "Reconciling"), Some("True"));
        assert_eq!(truth(&fresh(None, None), "Available"), Some("Unknown"));
    }

    #[test]
    fn a_refusal_is_stalled_and_says_why() {
        let refusal = Refusal {
            reason: "Refused",
            message: "quota".to_owned(),
        };
        let status = fresh(None, Some(&refusal));
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
        let first = fresh(Some(&mk_deployment(2, 2)), None);
        let deployment = mk_deployment(2, 2);
        assert_eq!(mk_status(Some(&deployment), None, &first, 60), first);
    }
}
