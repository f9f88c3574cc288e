//! The ConfigMaps that Flink itself makes for high availability, and never deletes while its job is
//! not over. Those of this start are given the resource as their owner, so that they go with it;
//! those of earlier starts are deleted.

use hermez_kinds::names::CONTROLLER_MANAGER;
use hermez_kinds::streamingjob::{PinterestStreamingJob, cluster_id};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions, ResourceExt};
use kube::{Client, Resource};
use serde_json::json;

/// Flink's own label of such ConfigMaps.
const SELECTOR: &str = "configmap-type=high-availability";
/// Most that are looked at, of all jobs of a namespace.
const LIMIT: u32 = 500;

/// Adopts the ConfigMaps of a start and deletes those of earlier ones. What fails is tried again at
/// the next look.
pub(super) async fn adopt(client: &Client, job: &PinterestStreamingJob, number: i64) {
    if let Err(error) = try_to_adopt(client, job, number).await {
        tracing::debug!(%error, "Flink's ConfigMaps could not be adopted");
    }
}

async fn try_to_adopt(
    client: &Client,
    job: &PinterestStreamingJob,
    number: i64,
) -> Result<(), kube::Error> {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let namespace = job.metadata.namespace.as_deref().unwrap_or("default");
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(SELECTOR).limit(LIMIT);
    for map in api.list_metadata(&params).await? {
        let cluster = map.labels().get("app").map(String::as_str);
        let Some(of) = cluster.and_then(|cluster| number_of(name, cluster)) else {
            continue;
        };
        if of < number {
            let params = DeleteParams::default().preconditions(Preconditions {
                uid: map.uid(),
                ..Preconditions::default()
            });
            ignore_gone(api.delete(&map.name_any(), &params).await.map(drop))?;
        } else if map.owner_references().is_empty()
            && let Some(owner) = job.controller_owner_ref(&())
        {
            let patch = json!({"metadata": {"uid": map.uid(), "ownerReferences": [owner]}});
            let params = PatchParams {
                field_manager: Some(CONTROLLER_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            let name = map.name_any();
            let patched = api
                .patch_metadata(&name, &params, &Patch::Merge(&patch))
                .await;
            ignore_gone(patched.map(drop))?;
        }
    }
    Ok(())
}

/// The number of the start that a cluster id of this workload's names.
fn number_of(name: &str, cluster: &str) -> Option<i64> {
    let number = cluster
        .strip_prefix(name)?
        .strip_prefix("-g")?
        .parse()
        .ok()?;
    (cluster_id(name, number) == cluster).then_some(number)
}

/// An object that is gone, or another one by now, is none of ours.
fn ignore_gone(outcome: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match outcome {
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::number_of;

    #[test]
    fn a_cluster_id_is_of_one_workload_only() {
        assert_eq!(number_of("clicks", "clicks-g12"), Some(12));
        for other in [
            "clicks",
            "clicks-g",
            "clicks-g1-g2",
            "clicks-g+1",
            "clicks-g01",
            "other-g1",
        ] {
            assert_eq!(number_of("clicks", other), None, "{other}");
        }
        assert_eq!(number_of("clicks-g1", "clicks-g1-g2"), Some(2));
    }
}
