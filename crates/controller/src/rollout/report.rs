//! What people ask of runtime profiles: how a rollout does, and what another version would change.
//!
//! Read from the cluster alone, so that every replica can answer, whichever of them leads.

use std::collections::BTreeMap;
use std::sync::Arc;

use hermez_kinds::profile::diff::{self, Change};
use hermez_kinds::{Kind, RuntimeProfile};
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::Value;

use super::decide::{Key, State, waiting};
use super::versions::{Home, Refused, Versions};
use super::{book, workload};
use crate::{ControllerError, of_class};

/// Resources that are asked for in one request.
const PAGE: u32 = 500;

/// How the rollout of the runtime profile does.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The rollout, as the leader wrote it last.
    pub rollout: State,
    /// Whether people paused it.
    pub paused: bool,
    /// The newest offer, when it was refused.
    pub refused: Option<Refused>,
    /// Versions that are kept or in use, each with how many workloads have it.
    pub versions: BTreeMap<String, usize>,
    /// Workloads that wait to be moved, in the order in which they will be.
    pub waiting: Vec<Key>,
    /// Workloads that run to an end: they keep their version until they are started again.
    pub left_alone: usize,
}

/// What a version would change.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The version's label.
    pub target: String,
    /// Equal changes, the most common first.
    pub groups: Vec<Group>,
    /// Workloads of which nothing would change.
    pub unchanged: usize,
}

/// Workloads of which the same would change.
#[derive(Debug, Clone)]
pub struct Group {
    /// Which.
    pub workloads: Vec<Key>,
    /// What.
    pub changes: Vec<Change>,
    /// Why it cannot be translated through the version at all.
    pub refusal: Option<String>,
}

/// How the rollout does.
pub async fn overview(
    client: Client,
    namespace: &str,
    class: Option<&str>,
) -> Result<Overview, ControllerError> {
    let home = Home::new(client.clone(), namespace);
    let (remembered, paused) = home.remembered().await?;
    let mut versions: BTreeMap<String, usize> = home
        .versions()
        .await?
        .into_keys()
        .map(|label| (label, 0))
        .collect();
    let mut workloads = Vec::new();
    for (kind, object) in resources(&client, class).await? {
        workloads.push(workload(kind, &object));
    }
    for workload in &workloads {
        if let Some(label) = &workload.profile {
            *versions.entry(label.clone()).or_default() += 1;
        }
    }
    let rollout = remembered.rollout;
    let elsewhere =
        |profile: &Option<String>| profile.as_ref().is_some_and(|p| *p != rollout.target);
    let left_alone = workloads
        .iter()
        .filter(|one| !one.moves && elsewhere(&one.profile))
        .count();
    let waiting = waiting(&rollout, &workloads);
    Ok(Overview {
        waiting: waiting
            .into_iter()
            .map(|workload| workload.key.clone())
            .collect(),
        rollout,
        paused,
        refused: remembered.refused,
        versions,
        left_alone,
    })
}

/// The versions that are kept, and the newest of them.
pub async fn versions(
    client: Client,
    namespace: &str,
) -> Result<(Versions, Option<Arc<RuntimeProfile>>), ControllerError> {
    let home = Home::new(client, namespace);
    let versions = home.versions().await?;
    let (remembered, _) = home.remembered().await?;
    let newest = versions.get(&remembered.rollout.target).cloned();
    Ok((versions, newest))
}

/// What `target` would change; the newest version that is in use when there is none.
///
/// # Errors
/// When the cluster does not answer.
pub async fn diff(
    client: Client,
    namespace: &str,
    class: Option<&str>,
    target: Option<RuntimeProfile>,
) -> Result<Diff, ControllerError> {
    let (versions, newest) = versions(client.clone(), namespace).await?;
    let newest = || newest.map_or_else(RuntimeProfile::plain, |newest| newest.as_ref().clone());
    let target = target.unwrap_or_else(newest);
    let resources = resources(&client, class).await?;
    let compare = move || compare(&resources, &versions, &target);
    let compared = tokio::task::spawn_blocking(compare).await;
    compared.map_err(|error| ControllerError::Broken(error.to_string()))
}

/// Pauses or resumes the rollout.
pub async fn pause(client: Client, namespace: &str, paused: bool) -> Result<(), ControllerError> {
    Home::new(client, namespace).pause(paused).await
}

/// All resources of all kinds, of one class.
async fn resources(
    client: &Client,
    class: Option<&str>,
) -> Result<Vec<(Kind, DynamicObject)>, ControllerError> {
    let mut all = Vec::new();
    for kind in Kind::ALL.iter().copied() {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.api_resource());
        let mut page = ListParams::default().limit(PAGE).labels(&of_class(class));
        loop {
            let list = match api.list(&page).await {
                Ok(list) => list,
                // The kind is not served: there are none.
                Err(kube::Error::Api(answer)) if answer.code == 404 => break,
                Err(error) => return Err(error.into()),
            };
            let next = list.metadata.continue_.clone();
            all.extend(list.items.into_iter().map(|object| (kind, object)));
            match next {
                Some(next) if !next.is_empty() => page = page.continue_token(&next),
                _ => break,
            }
        }
    }
    Ok(all)
}

/// Groups equal changes. Pure.
fn compare(
    resources: &[(Kind, DynamicObject)],
    versions: &Versions,
    target: &RuntimeProfile,
) -> Diff {
    let mut groups: BTreeMap<(Vec<Change>, Option<String>), Vec<Key>> = BTreeMap::new();
    let mut unchanged = 0;
    for (kind, object) in resources {
        let label = object
            .data
            .pointer("/status/profile")
            .and_then(Value::as_str);
        let Some(label) = label.filter(|_| book::moves(*kind)) else {
            continue;
        };
        let mut value = serde_json::to_value(object).unwrap_or_default();
        value.as_object_mut().map(|fields| fields.remove("status"));
        let Ok(resource) = kind.read(value) else {
            continue;
        };
        let before = versions
            .get(label)
            .map(|profile| resource.translate(profile));
        let (changes, refusal) = match (before, resource.translate(target)) {
            (_, Err(error)) => {
                let refusal = diff::general(&resource, &error.to_string());
                (Vec::new(), Some(refusal))
            }
            (Some(Ok(before)), Ok(after)) => (diff::changes(&resource, &before, &after), None),
            (_, Ok(after)) => (diff::changes(&resource, &[], &after), None),
        };
        if changes.is_empty() && refusal.is_none() {
            unchanged += 1;
            continue;
        }
        let key = workload(*kind, object).key;
        groups.entry((changes, refusal)).or_default().push(key);
    }
    let groups = groups
        .into_iter()
        .map(|((changes, refusal), workloads)| Group {
            workloads,
            changes,
            refusal,
        });
    let mut groups: Vec<Group> = groups.collect();
    groups.sort_by_key(|group| {
        (
            group.refusal.is_none(),
            std::cmp::Reverse(group.workloads.len()),
        )
    });
    Diff {
        target: target.label(),
        groups,
        unchanged,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_service(name: &str, image: &str) -> (Kind, DynamicObject) {
        let service = json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestService",
            "metadata": {"name": name, "namespace": "prod"},
            "spec": {
                "sidecarconfig": if image == "asks" { json!({"other": {}}) } else { json!({}) },
                "template": {"spec": {"containers": [{"name": "web", "image": image}]}},
            },
            "status": {"profile": "plain@1"},
        });
        (
            Kind::Service,
            serde_json::from_value(service).expect("an object"),
        )
    }

    #[test]
    fn a_thousand_equal_changes_are_one_group() {
        let mut all: Vec<_> = (0..1000)
            .map(|i| mk_service(&format!("s{i}"), "x"))
            .collect();
        all.push(mk_service("asking", "asks"));
        let plain = RuntimeProfile::plain();
        let versions: Versions = [(plain.label(), Arc::new(plain.clone()))].into();
        let target = RuntimeProfile::pinterest();
        let diff = compare(&all, &versions, &target);
        assert_eq!(diff.groups.len(), 2);
        assert!(
            diff.groups[0]
                .refusal
                .as_ref()
                .is_some_and(|why| why.contains("other"))
        );
        assert_eq!(diff.groups[1].workloads.len(), 1000);
        let none = compare(&all[..1000], &versions, &plain);
        assert_eq!((none.groups.len(), none.unchanged), (0, 1000));
    }
}
