//! A PinterestService with everything: from a repository to HTTP, and what kubectl does with it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{DeployState, Workload};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::wait::until;

/// Longest time for anything on the road.
const LIMIT: Duration = Duration::from_mins(3);

/// Runs the journey; times are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let road = Road::prepare(sandbox).await?;
    let result = road.travel().await;
    road.clean_up().await?;
    result
}

struct Road<'a> {
    sandbox: &'a Sandbox,
    hermez: Hermez,
    forge: Forge,
    clone: Clone,
    name: String,
    url: String,
}

impl<'a> Road<'a> {
    async fn prepare(sandbox: &'a Sandbox) -> Result<Self> {
        let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
        let (name, url, clone) = Clone::of_new(&forge, "service").await?;
        Ok(Self {
            sandbox,
            hermez,
            forge,
            clone,
            name,
            url,
        })
    }

    /// The sample's config file with everything that a service may ask for.
    fn config(&self) -> String {
        let sample = Sample {
            name: &self.name,
            namespace: &self.name,
            replicas: 2,
            ready_after_s: 0,
            extra_step: "",
        };
        let more = "  autoscaling:
    min: 2
    max: 4
    cpu: 70
    behavior: {scaleDown: {stabilizationWindowSeconds: 60}}
  configs:
    GREETING: hello
  iamrole: role1
  maxsurge: 1
  maxunavailable: 0
  minreadyseconds: 1
  revisionhistorylimit: 3
  terminationgraceperiodseconds: 10
  drainseconds: 1
  template:
    metadata: {labels: {team: journeys}}
";
        let config = sample.config().replace("  template:\n", more);
        let spread = "    spec:
      topologyspreadconstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway}
";
        config.replace("    spec:\n", spread)
    }

    async fn travel(&self) -> Result<Value> {
        let name = self.name.as_str();
        let sample = Sample {
            name,
            namespace: name,
            replicas: 2,
            ready_after_s: 0,
            extra_step: "",
        };
        sample.write(&self.clone, "everything\n")?;
        self.clone.write("service.yaml", self.config())?;
        let commit = self
            .clone
            .commit_and_push("A service with everything")
            .await?;
        self.hermez
            .create_workload(&ask(&self.url, "service.yaml"))
            .await?;
        self.hermez.artifact_available(name, &commit, LIMIT).await?;
        let begun = Instant::now();
        let asked = self.hermez.deploy(name, &commit).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        let deployed = begun.elapsed();
        let address = until("an address", LIMIT, || async {
            let workload: Workload = self.hermez.get(&format!("/workloads/{name}")).await?;
            Ok(workload.url)
        })
        .await?;
        until("it answers", LIMIT, || async {
            let Ok(answer) = reqwest::get(&address).await else {
                return Ok(None);
            };
            Ok((answer.text().await.unwrap_or_default() == "everything\n").then_some(()))
        })
        .await?;
        self.check_objects().await?;
        let kubectl = self.check_kubectl().await?;
        Ok(json!({
            "journey": "service",
            "deploy_ms": deployed.as_millis() as u64,
            "kubectl_checks": kubectl,
        }))
    }

    async fn check_objects(&self) -> Result<()> {
        let client = self.sandbox.kube().await?;
        let (name, of) = (self.name.as_str(), self.name.as_str());
        let deployment: Deployment = Api::namespaced(client.clone(), of).get(name).await?;
        let spec = deployment.spec.context("a spec")?;
        let pod = spec.template.spec.context("a pod")?;
        anyhow::ensure!(
            spec.revision_history_limit == Some(3) && spec.min_ready_seconds == Some(1)
        );
        anyhow::ensure!(pod.termination_grace_period_seconds == Some(10));
        let stop = pod.containers[0]
            .lifecycle
            .clone()
            .and_then(|lifecycle| lifecycle.pre_stop);
        anyhow::ensure!(
            stop.and_then(|stop| stop.sleep)
                .is_some_and(|sleep| sleep.seconds == 1)
        );
        anyhow::ensure!(
            pod.topology_spread_constraints
                .is_some_and(|all| all[0].label_selector.is_some())
        );
        let scaler: HorizontalPodAutoscaler = Api::namespaced(client.clone(), of).get(name).await?;
        let target = scaler.spec.context("a spec")?.scale_target_ref;
        anyhow::ensure!(target.kind == "PinterestService", "{target:?}");
        let budget: PodDisruptionBudget = Api::namespaced(client.clone(), of).get(name).await?;
        anyhow::ensure!(
            budget
                .spec
                .is_some_and(|spec| spec.max_unavailable.is_some())
        );
        let _: Service = Api::namespaced(client.clone(), of).get(name).await?;
        let configs: ConfigMap = Api::namespaced(client, of)
            .get(&format!("{name}-configs"))
            .await?;
        anyhow::ensure!(configs.data.is_some_and(|data| data["GREETING"] == "hello"));
        Ok(())
    }

    /// What people do with kubectl; how many things were checked.
    async fn check_kubectl(&self) -> Result<usize> {
        let name = self.name.as_str();
        let mut checks = 0;
        let mut check = |what: &str, said: &str, words: &[&str]| {
            for word in words {
                anyhow::ensure!(said.contains(word), "{what}: {word:?} is not in: {said}");
                checks += 1;
            }
            Ok(())
        };
        let said = self
            .kubectl(&["explain", "pinterestservice.spec.autoscaling"])
            .await?;
        check(
            "explain",
            &said,
            &["Fewest pods, 1 to 10000", "behavior", "metrics"],
        )?;
        let said = self.kubectl(&["get", "psvc", name]).await?;
        check(
            "get",
            &said,
            &["READY", "DESIRED", "UP-TO-DATE", "AVAILABLE", "True"],
        )?;
        let said = self.kubectl(&["get", "hermez", "--output=name"]).await?;
        check(
            "the category",
            &said,
            &[&format!("pinterestservice.pinterest.com/{name}")],
        )?;
        let which = format!("psvc/{name}");
        let said = self.kubectl(&["scale", &which, "--replicas=3"]).await?;
        check("scale", &said, &["scaled"])?;
        let ready = "--for=jsonpath={.status.readyReplicas}=3";
        self.kubectl(&["wait", &which, ready, "--timeout=120s"])
            .await?;
        let said = self
            .kubectl(&["wait", &which, "--for=condition=Available", "--timeout=60s"])
            .await?;
        check("wait", &said, &["condition met"])?;
        let events = self
            .kubectl(&["get", "events", "--field-selector=reason=Applied"])
            .await?;
        check(
            "events",
            &events,
            &["applied", "Deployment/", "through plain@1"],
        )?;

        // By hand, in a file, as one applies anything else.
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("own.yaml");
        let own = format!(
            "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata: {{name: own, namespace: {name}}}\nspec:\n  configs: {{A: b}}\n  template: {{spec: {{containers: [{{name: own, image: 'debian:bookworm-slim', command: [sleep, '1000']}}]}}}}\n  terminationgraceperiodseconds: 1\n"
        );
        std::fs::write(&file, own)?;
        let file = format!("--filename={}", file.display());
        let said = self.kubectl(&["apply", "--server-side", &file]).await?;
        check("apply", &said, &["serverside-applied"])?;
        self.kubectl(&[
            "wait",
            "psvc/own",
            "--for=condition=Available",
            "--timeout=120s",
        ])
        .await?;
        let said = self.kubectl(&["apply", "--server-side", &file]).await?;
        check("apply again", &said, &["serverside-applied"])?;

        // Orphans stay on request; otherwise all that it made goes, and nothing else.
        self.kubectl(&["delete", "psvc/own", "--cascade=orphan"])
            .await?;
        let said = self
            .kubectl(&[
                "get",
                "deployment/own",
                "configmap/own-configs",
                "--output=name",
            ])
            .await?;
        check(
            "orphans",
            &said,
            &["deployment.apps/own", "configmap/own-configs"],
        )?;
        self.kubectl(&["delete", "deployment/own", "configmap/own-configs"])
            .await?;
        self.kubectl(&["create", "configmap", "foreign"]).await?;
        self.kubectl(&["delete", &which, "--cascade=foreground"])
            .await?;
        let left = self
            .kubectl(&[
                "get",
                "deployment,service,hpa,pdb,configmap",
                "--output=name",
            ])
            .await?;
        check("delete", &left, &["configmap/foreign"])?;
        anyhow::ensure!(!left.contains(name), "left behind: {left}");
        Ok(checks)
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let status = &self.sandbox.status;
        let mut command = Command::new(&status.kubectl);
        command.arg("--kubeconfig").arg(&status.kubeconfig);
        command.arg("--namespace").arg(&self.name).args(arguments);
        let output = command.output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "kubectl {arguments:?}: {said}{error}"
        );
        Ok(said)
    }

    async fn clean_up(&self) -> Result<()> {
        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: Api<Namespace> = Api::all(self.sandbox.kube().await?);
        namespaces
            .delete(&self.name, &DeleteParams::default())
            .await?;
        Ok(())
    }
}
