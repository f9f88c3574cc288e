//! Where a deploy is at work: its clusters, and its canary in them.

use hermez_api::{DeployState, Health, PlacementStatus, PodStatus};
use hermez_cluster::{Cluster, ClusterError, Rollout, WorkloadKey};
use hermez_kinds::Kind;
use hermez_store::DeployRecord;

use super::{canary, waves};
use crate::Road;

/// A cluster in which a deploy is at work.
pub(crate) struct Place {
    /// Its name.
    pub name: String,
    /// The cluster, once there is a connection.
    pub cluster: Option<Cluster>,
    /// What the deploy changes there.
    pub key: WorkloadKey,
}

impl Place {
    /// The cluster, where it answers.
    pub fn answering(&self) -> Option<&Cluster> {
        let cluster = self.cluster.as_ref();
        cluster.filter(|cluster| *cluster.connected().borrow())
    }
}

/// Whether a canary with this key is of that deploy, which has ended. Another server may try its own
/// in the same cluster, under numbers of its own: those are left alone.
fn is_left(deploy: &DeployRecord, key: &WorkloadKey) -> bool {
    deploy.finished_at.is_some() && hermez_kinds::canary::name(&deploy.workload) == key.name
}

/// The pods of a cluster as the server tells of them: a stateful set's have the same names in every
/// cluster, so that a name says where its pod is, unless that is the server's own cluster.
pub(super) fn told_apart(mut pods: Vec<PodStatus>, cluster: &str, own: &str) -> Vec<PodStatus> {
    if cluster != own {
        for pod in &mut pods {
            pod.name = format!("{} in {cluster}", pod.name);
        }
    }
    pods
}

/// What a canary of this workload is called.
pub(crate) fn canary_key(key: &WorkloadKey) -> WorkloadKey {
    WorkloadKey {
        namespace: key.namespace.clone(),
        name: hermez_kinds::canary::name(&key.name),
    }
}

impl Road {
    /// Names of all clusters that this server knows, its own first.
    pub(crate) fn cluster_names(&self) -> Vec<String> {
        let own = self.parts().cluster_name.clone();
        let others = self.parts().clusters.keys().cloned();
        std::iter::once(own).chain(others).collect()
    }

    /// The cluster of this name.
    pub(crate) fn cluster_called(&self, name: &str) -> Result<Cluster, ClusterError> {
        if name == self.parts().cluster_name {
            return self.cluster();
        }
        let Some(cluster) = self.parts().clusters.get(name) else {
            let message = format!("this server does not know the cluster {name}");
            return Err(ClusterError::Unreachable(message));
        };
        let cluster = cluster.borrow().clone();
        cluster.ok_or_else(|| {
            ClusterError::Unreachable(format!("there is no connection to {name} yet"))
        })
    }

    /// Whether something of a workload is in a cluster; also where that is not known, but not in one
    /// that this server was not told of: there is no way to it.
    pub(crate) fn may_run_in(&self, name: &str, key: &WorkloadKey) -> bool {
        if !self.cluster_names().iter().any(|known| known == name) {
            return false;
        }
        match self.cluster_called(name) {
            Ok(cluster) if *cluster.connected().borrow() => cluster.declared(key).is_some(),
            _ => true,
        }
    }

    /// Where a deploy is at work now: the clusters of its wave, or its canary.
    pub(crate) fn places(&self, deploy: &DeployRecord, key: &WorkloadKey) -> Vec<Place> {
        let own = || self.parts().cluster_name.clone();
        let (names, key) = match (deploy.state, waves::wave(deploy)) {
            (DeployState::Canary, _) => (vec![own()], canary_key(key)),
            (_, Some(wave)) => (wave.clusters.clone(), key.clone()),
            (_, None) => (vec![own()], key.clone()),
        };
        let places = names
            .into_iter()
            .map(|name| self.place_in(name, key.clone()));
        places.collect()
    }

    /// The pods of everything that a deploy has reached: its waves so far, and its canary. Outside of
    /// the server's own cluster a pod's name says in which it is.
    pub(crate) fn pods_reached(&self, deploy: &DeployRecord, key: &WorkloadKey) -> Vec<PodStatus> {
        let mut places = self.places(deploy, key);
        if deploy.state != DeployState::Canary {
            let plan = deploy.plan.iter();
            let before = plan.flat_map(|plan| &plan.waves[..plan.wave.min(plan.waves.len())]);
            let before = before.flat_map(|wave| &wave.clusters);
            places.extend(before.map(|name| self.place_in(name.clone(), key.clone())));
            if canary::has_canary(deploy) {
                places.push(self.place_in(self.parts().cluster_name.clone(), canary_key(key)));
            }
        }
        let own = &self.parts().cluster_name;
        let there = places
            .iter()
            .filter_map(|it| Some((it, it.cluster.as_ref()?)));
        there
            .flat_map(|(place, cluster)| {
                told_apart(cluster.status(&place.key).pods, &place.name, own)
            })
            .collect()
    }

    fn place_in(&self, name: String, key: WorkloadKey) -> Place {
        Place {
            cluster: self.cluster_called(&name).ok(),
            key,
            name,
        }
    }

    /// The place where a deploy failed, or its first.
    pub(crate) fn place_of_failure(
        &self,
        deploy: &DeployRecord,
        key: &WorkloadKey,
    ) -> Option<Place> {
        let mut places = self.places(deploy, key);
        let failed = places.iter().position(|place| {
            let rollout = place
                .answering()
                .map(|it| it.rollout(&place.key, deploy.id));
            matches!(rollout, Some(Rollout::Failed { .. }))
        });
        let at = failed.unwrap_or(0);
        (at < places.len()).then(|| places.swap_remove(at))
    }

    /// Takes a workload's canary out of the cluster; succeeds when there is none.
    pub(crate) async fn remove_canary(&self, key: &WorkloadKey) -> Result<(), ClusterError> {
        self.cluster()?
            .delete(Kind::Service, &canary_key(key))
            .await
    }

    /// Takes canaries away whose deploys have ended: the cluster was away just then.
    pub(crate) async fn sweep_canaries(&self) {
        let Ok(cluster) = self.cluster() else { return };
        for (key, deploy) in cluster.canaries() {
            let Some(id) = deploy else { continue };
            match self.parts().store.deploy(id).await {
                Ok(Some(deploy)) if is_left(&deploy, &key) => {}
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for canaries that are left");
                    return;
                }
            }
            match cluster.delete(Kind::Service, &key).await {
                Ok(()) => tracing::info!(canary = %key.name, "took a canary away that was left"),
                Err(error) => {
                    tracing::warn!(canary = %key.name, %error, "cannot take a canary away that was left");
                }
            }
        }
    }

    pub(crate) fn placement(&self, name: String, key: &WorkloadKey) -> PlacementStatus {
        match self.cluster_called(&name) {
            Ok(cluster) => {
                let status = cluster.status(key);
                let known = *cluster.connected().borrow();
                PlacementStatus {
                    health: if known {
                        status.health
                    } else {
                        Health::Unknown
                    },
                    reason: if known {
                        status.reason
                    } else {
                        "The cluster does not answer".to_owned()
                    },
                    pods_ready: status.pods_ready,
                    pods_desired: status.pods_desired,
                    commit: status.commit,
                    cluster: name,
                }
            }
            Err(error) => PlacementStatus {
                cluster: name,
                health: Health::Unknown,
                reason: error.to_string(),
                pods_ready: 0,
                pods_desired: 0,
                commit: None,
            },
        }
    }
}
