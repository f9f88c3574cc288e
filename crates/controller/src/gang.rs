//! Letting the pods of a gang go, all at once and only when there is room for all. The only IO of
//! gangs: what fits where is decided by [`fit`].
//!
//! Assumption: one process admits gangs at a time, so that two of them are not given the same room.
//! Where that fails, or other schedulers take it, the gang's own time-out gives it back.

use hermez_kinds::names::{GANG_GATE, RANK_LABEL};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::kinds::fit::{self, is_gated};

/// Pods that may start when there is room for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Gang {
    /// Their namespace.
    pub namespace: String,
    /// The pods, each with its rank.
    pub pods: Vec<(Pod, i32)>,
    /// Whether room has to be found first; not when some of them were let go already.
    pub check: bool,
}

/// Lets the gang go, or says what it is short of.
pub(crate) async fn admit(client: &Client, gang: &Gang) -> Result<Option<String>, kube::Error> {
    static ONE: Mutex<()> = Mutex::const_new(());
    let _one = ONE.lock().await;
    if gang.check {
        let nodes: Api<Node> = Api::all(client.clone());
        let pods: Api<Pod> = Api::all(client.clone());
        let unfinished = "status.phase!=Succeeded,status.phase!=Failed";
        let (nodes, pods) =
            futures::try_join!(async { nodes.list(&ListParams::default()).await }, async {
                pods.list(&ListParams::default().fields(unfinished)).await
            },)?;
        if let Err(short) = fit::fits(&nodes.items, &pods.items, &members(gang)) {
            return Ok(Some(short));
        }
    }
    let api: Api<Pod> = Api::namespaced(client.clone(), &gang.namespace);
    for (pod, rank) in gang.pods.iter().filter(|(pod, _)| is_gated(pod)) {
        let patch = Patch::Merge(opened(pod, *rank));
        match api
            .patch(&pod.name_any(), &PatchParams::default(), &patch)
            .await
        {
            Ok(_) => {}
            // Gone, or another pod by now: the next look decides anew.
            Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn members(gang: &Gang) -> Vec<&Pod> {
    gang.pods.iter().map(|(pod, _)| pod).collect()
}

/// The change that opens a pod's gate; gates of others stay.
fn opened(pod: &Pod, rank: i32) -> Value {
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten());
    let others: Vec<_> = gates.filter(|gate| gate.name != GANG_GATE).collect();
    json!({
        "metadata": { "uid": pod.uid(), "labels": { RANK_LABEL: rank.to_string() } },
        "spec": { "schedulingGates": others },
    })
}

/// Says in the status that is about to be written what the gang is short of.
pub(crate) fn remember(short: Option<String>, status: &mut Option<Value>) {
    let Some(fields) = status.as_mut().and_then(Value::as_object_mut) else {
        return;
    };
    match short {
        Some(short) => fields.insert("waiting".to_owned(), short.into()),
        None => fields.remove("waiting"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_gate_is_opened_and_only_of_this_pod() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "a", "uid": "u"},
            "spec": {"containers": [], "schedulingGates": [{"name": GANG_GATE}, {"name": "other"}]},
        }))
        .expect("a pod");
        assert_eq!(
            opened(&pod, 3),
            json!({
                "metadata": {"uid": "u", "labels": {"pinterest.com/rank": "3"}},
                "spec": {"schedulingGates": [{"name": "other"}]},
            })
        );
    }

    #[test]
    fn what_is_short_stands_in_the_status_as_long_as_it_is() {
        let mut status = Some(json!({"phase": "Waiting"}));
        remember(Some("2 cpu".into()), &mut status);
        assert_eq!(
            status,
            Some(json!({"phase": "Waiting", "waiting": "2 cpu"}))
        );
        remember(None, &mut status);
        assert_eq!(status, Some(json!({"phase": "Waiting"})));
    }
}
