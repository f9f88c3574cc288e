//! A stateful set from its repository to pods that keep their data: through an update, a lost pod, an
//! update in part, a pull request, a person's scaling, a change that cannot be, and its end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    Deploy, DeployState, DeploySummary, PullRequest, Receipt, Workload, WorkloadStatus,
};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams,
};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sandbox::Sandbox;
use crate::visitor::{Shows, visit};
use crate::wait::until;

/// Longest time for a build or a rollout.
const LIMIT: Duration = Duration::from_mins(3);

const PROGRAM: &str = include_str!("../../../examples/statefulset/server.pl");

/// Runs the journey; times are milliseconds.
///
/// # Errors
/// When anything on the way is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
    let (name, url, clone) = Clone::of_new(&forge, "notes").await?;
    let journey = Journey {
        hermez,
        forge,
        clone,
        name,
        url,
    };
    let result = journey.travel(sandbox).await;
    let cleaned = journey.clean_up(sandbox).await;
    // What went wrong on the way is worth more than what clean-up did not find.
    let figures = result?;
    cleaned?;
    Ok(figures)
}

struct Journey {
    hermez: Hermez,
    forge: Forge,
    clone: Clone,
    name: String,
    url: String,
}

impl Journey {
    fn config(&self, replicas: i32, partition: i32, storage: &str, release: &str) -> String {
        format!(
            "apiVersion: pinterest.com/v1
kind: PinterestStatefulset
metadata:
  name: {0}
  project: journeys
  namespace: {0}
spec:
  replicas: {replicas}
  partition: {partition}
  terminationgraceperiodseconds: 5
  loadbalancer:
    port: 8080
  volumeclaims:
    - name: data
      storage: {storage}
  configs:
    NOTES_FOLDER: /data
    RELEASE: {release}
  template:
    spec:
      containers:
        - name: {0}
          image: {0}
          ports:
            - containerPort: 8080
          volumeMounts:
            - name: data
              mountPath: /data
          readinessProbe:
            tcpSocket:
              port: 8080
            periodSeconds: 1
",
            self.name
        )
    }

    async fn travel(&self, sandbox: &Sandbox) -> Result<Value> {
        let client = sandbox.kube().await?;
        let dockerfile = "FROM debian:bookworm-slim\nCOPY server.pl /server.pl\nCMD [\"perl\", \"/server.pl\"]\n";
        self.clone.write("Dockerfile", dockerfile)?;
        self.clone.write("server.pl", PROGRAM)?;
        let first = self.push(&self.config(1, 0, "1Mi", "one")).await?;
        self.hermez
            .create_workload(&ask(&self.url, "set.yaml"))
            .await?;
        let (_, first_ms) = self.deploy(&first, DeployState::Succeeded).await?;
        let address = self.address().await?;
        self.note(&address, "kept").await?;

        let second = self.push(&self.config(1, 0, "1Mi", "two")).await?;
        let (_, update_ms) = self.deploy(&second, DeployState::Succeeded).await?;
        self.has_notes(&address, "kept\n").await?;

        let begun = Instant::now();
        let pods: Api<Pod> = Api::namespaced(client.clone(), &self.name);
        self.lose(&pods, &format!("{}-0", self.name)).await?;
        self.has_notes(&address, "kept\n").await?;
        let lost_pod_ms = begun.elapsed().as_millis() as u64;

        self.scales(&client).await?;
        let restart_ms = self.restarts_with_a_pause(&pods).await?;
        self.has_notes(&address, "kept\n").await?;
        let rollback_ms = self.comes_back_from_what_does_not_start(&client).await?;
        self.has_notes(&address, "kept\n").await?;
        self.updates_in_part().await?;
        self.follows_a_pull_request(sandbox).await?;
        self.refuses_what_cannot_be().await?;

        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        until("the pods go with the workload", LIMIT, || async {
            let left = pods.list(&kube::api::ListParams::default()).await?;
            Ok(left.items.is_empty().then_some(()))
        })
        .await?;
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client, &self.name);
        let kept = claims
            .list(&kube::api::ListParams::default())
            .await?
            .items
            .len();
        anyhow::ensure!(kept == 3, "the claims of three pods stay: {kept}");
        Ok(json!({
            "journey": "statefulset",
            "first_deploy_ms": first_ms,
            "update_ms": update_ms,
            "lost_pod_to_data_ms": lost_pod_ms,
            "restart_of_three_ms": restart_ms,
            "rollback_of_broken_ms": rollback_ms,
            "claims_kept": kept,
        }))
    }

    async fn push(&self, config: &str) -> Result<String> {
        self.clone.write("set.yaml", config)?;
        self.clone.commit_and_push("A change of the set").await
    }

    async fn deploy(&self, commit: &str, expected: DeployState) -> Result<(Deploy, u64)> {
        self.hermez
            .artifact_available(&self.name, commit, LIMIT)
            .await?;
        let begun = Instant::now();
        let asked = self.hermez.deploy(&self.name, commit).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(deploy.summary.state == expected, "{deploy:#?}");
        Ok((deploy, begun.elapsed().as_millis() as u64))
    }

    async fn status(&self) -> Result<WorkloadStatus> {
        self.hermez
            .get(&format!("/workloads/{}/status", self.name))
            .await
    }

    async fn address(&self) -> Result<String> {
        until("an address", LIMIT, || async {
            let path = format!("/workloads/{}", self.name);
            let workload: Workload = self.hermez.get(&path).await?;
            Ok(workload.url)
        })
        .await
    }

    async fn note(&self, address: &str, text: &str) -> Result<()> {
        let http = reqwest::Client::new();
        until("a note is taken", LIMIT, || async {
            let answer = http.post(address).body(text.to_owned()).send().await;
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await
    }

    async fn has_notes(&self, address: &str, expected: &str) -> Result<()> {
        until(&format!("the notes are {expected:?}"), LIMIT, || async {
            let Ok(answer) = reqwest::get(address).await else {
                return Ok(None);
            };
            let text = answer.text().await.unwrap_or_default();
            Ok((text == expected).then_some(()))
        })
        .await
    }

    /// Takes a pod away, and waits until another of its name is ready.
    async fn lose(&self, pods: &Api<Pod>, name: &str) -> Result<()> {
        let lost = pods.get(name).await?.metadata.uid;
        let at_once = DeleteParams::default().grace_period(0);
        pods.delete(name, &at_once).await?;
        until("another pod of its name", LIMIT, || async {
            let Some(pod) = pods.get_opt(name).await? else {
                return Ok(None);
            };
            let conditions = pod.status.and_then(|status| status.conditions);
            let mut conditions = conditions.into_iter().flatten();
            let ready = conditions.any(|found| found.type_ == "Ready" && found.status == "True");
            Ok((ready && pod.metadata.uid != lost).then_some(()))
        })
        .await
    }

    /// A person scales; the deploys that follow leave the number alone.
    async fn scales(&self, client: &kube::Client) -> Result<()> {
        let kind = GroupVersionKind::gvk("pinterest.com", "v1", "PinterestStatefulset");
        let native = ApiResource::from_gvk_with_plural(&kind, "pintereststatefulsets");
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &self.name, &native);
        let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
        api.patch_scale(&self.name, &PatchParams::default(), &scale)
            .await?;
        until("three pods", LIMIT, || async {
            let status = self.status().await?;
            Ok((status.pods_ready == 3 && status.pods_desired == 3).then_some(()))
        })
        .await
    }

    /// Numbers of the pods that there are, by Kubernetes.
    async fn numbers(&self, pods: &Api<Pod>) -> Result<BTreeSet<String>> {
        let all = pods.list(&kube::api::ListParams::default()).await?;
        Ok(all
            .items
            .into_iter()
            .filter_map(|it| it.metadata.uid)
            .collect())
    }

    /// A restart makes each pod anew; held in the middle, it changes no more of them.
    async fn restarts_with_a_pause(&self, pods: &Api<Pod>) -> Result<u64> {
        let before = self.numbers(pods).await?;
        let begun = Instant::now();
        let path = format!("/workloads/{}/restart", self.name);
        let asked: DeploySummary = self.hermez.post(&path, &json!({})).await?;
        until("the first pod goes", LIMIT, || async {
            let left = self.numbers(pods).await?.intersection(&before).count();
            Ok((left < 3).then_some(()))
        })
        .await?;
        let path = |verb: &str| format!("/deploys/{}/{verb}", asked.id);
        let _: DeploySummary = self.hermez.post(&path("pause"), &json!({})).await?;
        until("it says that it is held", LIMIT, || async {
            let status = self.status().await?;
            let deploy: Deploy = self.hermez.get(&format!("/deploys/{}", asked.id)).await?;
            let held = deploy.summary.message.contains("paused it") && status.pods_ready == 3;
            Ok(held.then_some(()))
        })
        .await?;
        let held = self.numbers(pods).await?;
        let left = held.intersection(&before).count();
        anyhow::ensure!(
            (1..3).contains(&left),
            "some are old, some new: {left} of {held:?}"
        );
        // Long enough for another pod to go, if nothing held them.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let still = self.numbers(pods).await?;
        anyhow::ensure!(still == held, "{held:?} became {still:?}");
        let _: DeploySummary = self.hermez.post(&path("resume"), &json!({})).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        let after = self.numbers(pods).await?;
        anyhow::ensure!(after.is_disjoint(&before), "{before:?} became {after:?}");
        Ok(begun.elapsed().as_millis() as u64)
    }

    /// A version that does not start stands neither in the way of what ran before, nor of the next one.
    async fn comes_back_from_what_does_not_start(&self, client: &kube::Client) -> Result<u64> {
        self.clone.write("server.pl", "die qq{no config};\n")?;
        let bad = self.push(&self.config(1, 0, "1Mi", "bad")).await?;
        let (failed, _) = self.deploy(&bad, DeployState::Failed).await?;
        let message = &failed.summary.message;
        anyhow::ensure!(message.contains("ended with exit code"), "{failed:#?}");
        let begun = Instant::now();
        let path = format!("/workloads/{}/rollback", self.name);
        let why = json!({ "reason": "it does not start" });
        let asked: DeploySummary = self.hermez.post(&path, &why).await?;
        let back = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        let state = back.summary.state;
        anyhow::ensure!(state == DeployState::Succeeded, "{back:#?}");
        let took = begun.elapsed().as_millis() as u64;

        self.clone.write("server.pl", PROGRAM)?;
        self.stands_still().await?;
        self.is_refused(client).await?;
        let good = self.push(&self.config(1, 0, "1Mi", "good")).await?;
        self.deploy(&good, DeployState::Succeeded).await?;
        Ok(took)
    }

    /// A pod that runs and never gets ready: the rollout has failed once it stands still.
    async fn stands_still(&self) -> Result<()> {
        let config = self.config(1, 0, "1Mi", "worse");
        let config = config
            .replace(
                "tcpSocket:\n              port: 8080",
                "tcpSocket:\n              port: 8081",
            )
            .replace(
                "  partition: 0\n",
                "  partition: 0\n  progressdeadlineseconds: 15\n",
            );
        let worse = self.push(&config).await?;
        let (failed, _) = self.deploy(&worse, DeployState::Failed).await?;
        let message = &failed.summary.message;
        anyhow::ensure!(
            failed.failure_cause.as_deref() == Some("probe")
                && message.contains("does not pass its readiness probe: connection refused")
                && message.contains("no step forward for 15 s"),
            "{failed:#?}"
        );
        Ok(())
    }

    /// The namespace takes only pods that are restricted: what it says of them is the failure.
    async fn is_refused(&self, client: &kube::Client) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let enforce = async |level: Value| {
            let labels = json!({ "pod-security.kubernetes.io/enforce": level });
            let patch = Patch::Merge(json!({ "metadata": { "labels": labels } }));
            namespaces
                .patch(&self.name, &PatchParams::default(), &patch)
                .await
        };
        enforce(json!("restricted")).await?;
        let denied = self.push(&self.config(1, 0, "1Mi", "denied")).await?;
        let (failed, _) = self.deploy(&denied, DeployState::Failed).await?;
        enforce(Value::Null).await?;
        let path = format!("/deploys/{}/receipt", failed.summary.id);
        let receipt: Receipt = self.hermez.get(&path).await?;
        let found = &receipt.evidence;
        anyhow::ensure!(
            found.cause == "admission" && found.sentence.contains("violates PodSecurity"),
            "{receipt:#?}"
        );
        Ok(())
    }

    async fn updates_in_part(&self) -> Result<()> {
        let third = self.push(&self.config(1, 2, "1Mi", "three")).await?;
        self.deploy(&third, DeployState::Succeeded).await?;
        let status = self.status().await?;
        let mut pods: Vec<(String, bool)> = status
            .pods
            .iter()
            .map(|pod| (pod.name.replace(&self.name, "pod"), pod.updated))
            .collect();
        pods.sort();
        let expected = [("pod-0", false), ("pod-1", false), ("pod-2", true)];
        let expected = expected.map(|(name, updated)| (name.to_owned(), updated));
        anyhow::ensure!(pods == expected, "the last pod alone is new: {status:#?}");
        Ok(())
    }

    /// A pull request's set has one pod, which each push reaches, though the file's partition would hold
    /// it back; closed, it is gone with its volume.
    async fn follows_a_pull_request(&self, sandbox: &Sandbox) -> Result<()> {
        let token = std::fs::read_to_string(&sandbox.status.token_file)?;
        let git = async |words: &[&str]| self.clone.git(words).await;
        git(&["checkout", "--quiet", "-b", "topic"]).await?;
        self.push_topic("first").await?;
        let title = "Another answer";
        let number = self.forge.open_pull(&self.name, "topic", title).await?;
        let path = format!("/workloads/{}/pull-requests/{number}", self.name);
        let deploys = format!("{path}/deploys");
        let asked: DeploySummary = self.hermez.post(&deploys, &json!({})).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        let state = deploy.summary.state;
        anyhow::ensure!(state == DeployState::Succeeded, "{deploy:#?}");
        let pull: PullRequest = self.hermez.get(&path).await?;
        let page = pull.preview.and_then(|preview| preview.url);
        let page: Url = page.context("a URL")?.parse()?;
        let answers = async |expected: &str| {
            until(&format!("it answers {expected:?}"), LIMIT, || async {
                let answer = visit(&page, Shows::Token(token.trim()), false).await?;
                Ok((answer.text == expected).then_some(()))
            })
            .await
        };
        answers("first").await?;
        self.push_topic("second").await?;
        answers("second").await?;

        git(&["checkout", "--quiet", "main"]).await?;
        let pull = format!("/repos/{}/{}/pulls/{number}", self.forge.user(), self.name);
        let close = json!({ "state": "closed" });
        self.forge.call(Method::PATCH, &pull, Some(close)).await?;
        let kube = sandbox.kube().await?;
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(kube, &self.name);
        until("its volume goes with it", LIMIT, || async {
            let left = claims.list(&kube::api::ListParams::default()).await?;
            Ok((left.items.len() == 3).then_some(()))
        })
        .await
    }

    /// Pushes a program that answers with a word, where there are no notes, to `topic`.
    async fn push_topic(&self, word: &str) -> Result<()> {
        let answer = format!("my $notes = \"{word}\";");
        let program = PROGRAM.replace("my $notes = \"\";", &answer);
        self.clone.write("server.pl", program)?;
        self.clone.commit("Another answer").await?;
        self.clone.push_to("topic").await
    }

    async fn refuses_what_cannot_be(&self) -> Result<()> {
        let fourth = self.push(&self.config(1, 2, "2Mi", "three")).await?;
        let (deploy, _) = self.deploy(&fourth, DeployState::Failed).await?;
        let message = &deploy.summary.message;
        anyhow::ensure!(
            message.contains("volumeclaims cannot be changed")
                && message.contains("PersistentVolumeClaim"),
            "{deploy:#?}"
        );
        let status = self.status().await?;
        let ready = status.pods_ready;
        anyhow::ensure!(ready == 3, "what ran runs on: {status:#?}");
        Ok(())
    }

    async fn clean_up(&self, sandbox: &Sandbox) -> Result<()> {
        // Gone already where all went well.
        let _ = self
            .hermez
            .delete(&format!("/workloads/{}", self.name))
            .await;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: Api<Namespace> = Api::all(sandbox.kube().await?);
        namespaces
            .delete(&self.name, &DeleteParams::default())
            .await
            .context("the namespace")?;
        Ok(())
    }
}
