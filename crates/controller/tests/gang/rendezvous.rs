//! Members that find each other through their variables, and train on after a loss.

use std::path::PathBuf;
use std::time::Duration;

use hermez_kinds::PinterestTrainingJob;
use hermez_kinds::run::Phase;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::support::{Sandbox, within};
use crate::work::{holds, host, perl, shell, training};

/// The program of the journey too.
const ALL_REDUCE: &str = include_str!("../../../../tests/journeys/fixtures/allreduce.pl");
const WORKERS: i64 = 4;
const STEPS: i64 = 40;

/// A folder of the node as a claim named `checkpoint`; goes with the test's namespace.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    async fn new(sandbox: &Sandbox) -> Disk {
        let data = std::env::var_os("HERMEZ_SANDBOX").expect("a sandbox");
        let folder = PathBuf::from(data)
            .join("test-volumes")
            .join(&sandbox.namespace);
        std::fs::create_dir_all(&folder).expect("a folder");
        let namespace: Api<Namespace> = Api::all(sandbox.client.clone());
        let namespace = namespace
            .get(&sandbox.namespace)
            .await
            .expect("our namespace");
        let size = json!({"storage": "1Mi"});
        let volume = json!({
            "metadata": {"name": sandbox.namespace, "ownerReferences": [{
                "apiVersion": "v1", "kind": "Namespace", "name": sandbox.namespace, "uid": namespace.uid(),
            }]},
            "spec": {
                "capacity": size, "accessModes": ["ReadWriteMany"], "storageClassName": "",
                "hostPath": {"path": folder}, "persistentVolumeReclaimPolicy": "Retain",
            },
        });
        let volume: PersistentVolume = serde_json::from_value(volume).expect("a volume");
        let volumes: Api<PersistentVolume> = Api::all(sandbox.client.clone());
        volumes
            .create(&PostParams::default(), &volume)
            .await
            .expect("made");
        let claim = json!({
            "metadata": {"name": "checkpoint"},
            "spec": {
                "accessModes": ["ReadWriteMany"], "storageClassName": "",
                "volumeName": sandbox.namespace, "resources": {"requests": size},
            },
        });
        let claim: PersistentVolumeClaim = serde_json::from_value(claim).expect("a claim");
        sandbox
            .api()
            .create(&PostParams::default(), &claim)
            .await
            .expect("made");
        Disk { folder }
    }

    fn read(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(file)).ok()
    }

    /// Steps that the checkpoint has.
    fn steps(&self) -> i64 {
        let text = self.read("checkpoint").unwrap_or_default();
        text.split(' ')
            .next()
            .and_then(|step| step.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn four_workers_reduce_lose_one_and_end_with_the_right_result() {
    within(async |sandbox| {
        let disk = Disk::new(&sandbox).await;
        let mut template = perl(ALL_REDUCE);
        template["spec"]["containers"][0]["env"] = json!([{"name": "STEPS", "value": STEPS.to_string()}]);
        let members = json!([{"role": "worker", "replicas": WORKERS, "template": template}]);
        let more = json!({
            "framework": "pytorch",
            "checkpoint": {"claim": "checkpoint", "mountpath": "/checkpoint"},
        });
        sandbox.deploy(&training(&sandbox.namespace, "sum", members, more)).await.expect("applied");
        sandbox.training_is("sum", Phase::Running).await;
        let some = async {
            while disk.steps() < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), some).await.expect("three steps");
        let pods = sandbox.pods("sum").await;
        assert_eq!(pods.iter().map(host).collect::<Vec<_>>(), ["sum-worker-0", "sum-worker-1", "sum-worker-2", "sum-worker-3"]);
        let lost = pods[2].name_any();
        sandbox.api::<k8s_openapi::api::core::v1::Pod>().delete(&lost, &DeleteParams::default()).await.expect("deleted");

        let job = sandbox.training_is("sum", Phase::Completed).await;
        let status = job.status.expect("a status");
        assert_eq!((status.run.attempt, status.run.restarts), (2, 1), "{status:#?}");
        assert!(status.run.last_failure.clone().is_some_and(|why| why.contains("the member sum-worker-")), "{status:#?}");
        assert_eq!((status.desired_pods, status.ready_pods), (4, 4));
        assert!(holds(&status.conditions, "Completed").is_some());
        let began = disk.read("began-2").expect("a second attempt");
        let resumed: i64 = began.split(' ').next().and_then(|step| step.parse().ok()).expect("a step");
        assert!((3..STEPS).contains(&resumed), "it went on from its checkpoint: {began}");
        let right = STEPS * (STEPS + 1) / 2 * WORKERS * (WORKERS + 1) / 2;
        assert_eq!(disk.read("result"), Some(format!("{right}\n")));
        for (rank, pod) in sandbox.pods("sum").await.iter().enumerate() {
            let log = sandbox.log(pod).await;
            assert_eq!(
                log,
                format!("rank {rank} of 4 has met the others\nrank {rank} begins after step {resumed}\nrank {rank} ends with {right}\n")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn ranks_go_on_after_a_master_with_a_template_of_its_own() {
    within(async |sandbox| {
        let say = r#"echo "$RANK/$WORLD_SIZE $NODE_RANK $PET_NODE_RANK/$PET_NNODES $MASTER_ADDR:$MASTER_PORT $LOCAL_RANK $HERMEZ_ROLE-$HERMEZ_INDEX""#;
        let members = json!([
            {"role": "worker", "replicas": 2, "template": shell(say)},
            {"role": "master", "template": shell(&format!("echo master; {say}"))},
        ]);
        let more = json!({"framework": "pytorch", "port": 23456});
        sandbox.deploy(&training(&sandbox.namespace, "ranks", members, more)).await.expect("applied");
        sandbox.training_is("ranks", Phase::Completed).await;
        let mut logs = Vec::new();
        for pod in sandbox.pods("ranks").await {
            logs.push(sandbox.log(&pod).await);
        }
        assert_eq!(
            logs,
            [
                "master\n0/3 0 0/3 ranks-master-0.ranks:23456 0 master-0\n",
                "1/3 1 1/3 ranks-master-0.ranks:23456 0 worker-0\n",
                "2/3 2 2/3 ranks-master-0.ranks:23456 0 worker-1\n",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn tensorflows_members_read_their_cluster_and_the_chief_ends_it() {
    within(async |sandbox| {
        let say = r#"printf '%s\n' "$TF_CONFIG""#;
        let members = json!([
            {"role": "ps", "replicas": 2, "template": shell(&format!("{say}; trap 'exit 0' TERM; while :; do sleep 0.1; done"))},
            // It ends when every server answers to its name, as the cluster says it.
            {"role": "chief", "template": shell(&format!("{say}; for n in 0 1; do until getent hosts tf-ps-$n.tf; do sleep 0.1; done; done >/dev/null; sleep 1"))},
            {"role": "worker", "replicas": 2, "template": shell(say)},
        ]);
        sandbox.deploy(&training(&sandbox.namespace, "tf", members, json!({"framework": "tensorflow"}))).await.expect("applied");
        let running = |job: &PinterestTrainingJob| {
            job.status.as_ref().is_some_and(|status| status.run.phase == Phase::Running || status.run.phase.is_over())
        };
        sandbox.until::<PinterestTrainingJob>("tf", "running", running).await;
        let cluster = json!({
            "chief": ["tf-chief-0.tf:2222"],
            "worker": ["tf-worker-0.tf:2222", "tf-worker-1.tf:2222"],
            "ps": ["tf-ps-0.tf:2222", "tf-ps-1.tf:2222"],
        });
        for pod in sandbox.pods("tf").await {
            let name = host(&pod);
            let (_, task) = name.split_once('-').expect("a role");
            let (role, index) = task.split_once('-').expect("an index");
            let log = sandbox.log(&pod).await;
            let said: Value = serde_json::from_str(log.trim()).unwrap_or_else(|e| panic!("{e}: {log}"));
            let index: i64 = index.parse().expect("a number");
            assert_eq!(said, json!({"cluster": cluster, "task": {"type": role, "index": index}}));
        }
        sandbox.training_is("tf", Phase::Completed).await;
        sandbox.gone::<k8s_openapi::api::batch::v1::Job>("tf-ps").await;
    })
    .await;
}
