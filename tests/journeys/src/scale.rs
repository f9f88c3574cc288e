//! Who says how many pods there are: the config file, a person, an autoscaler, kubectl. None of them
//! loses it to a deploy, and each gives it back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    CreateDeploy, DeployState, Page, ScaleBounds, ScaleChange, ScaleChangeState, ScaleOwner,
    ScaleStatus,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::hermez::{Refused, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::stage::Stage;
use crate::wait::until;

/// Longest time for a build, a rollout, or an autoscaler's look.
const LIMIT: Duration = Duration::from_mins(3);

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let stage = Stage::open(sandbox, sandbox.hermez()?, "scaled").await?;
    let scaled = Scaled { stage };
    let figures = scaled.travel().await;
    scaled.stage.clean_up().await?;
    figures
}

struct Scaled {
    stage: Stage,
}

impl Scaled {
    async fn travel(&self) -> Result<Value> {
        self.bring_out().await?;
        self.refuse().await?;
        let by_hand_ms = self.by_hand().await?;
        let back_ms = self.for_a_while().await?;
        self.to_zero_and_back().await?;
        self.by_kubectl().await?;
        self.by_kubectl_after_a_person().await?;
        let autoscaled_ms = self.by_load().await?;
        let autoscaler_ms = self.by_the_autoscaler().await?;
        self.turn_the_autoscaler_off().await?;
        self.by_the_file().await?;
        self.read_the_ledger().await?;
        Ok(json!({
            "journey": "scale",
            "by_hand_to_ready_ms": by_hand_ms,
            "end_to_file_ms": back_ms,
            "autoscaling_to_ready_ms": autoscaled_ms,
            "autoscaler_to_known_ms": autoscaler_ms,
        }))
    }

    /// Before there is anything, nothing can be scaled; then the file says two.
    async fn bring_out(&self) -> Result<()> {
        let sample = Sample {
            name: &self.stage.name,
            namespace: &self.stage.name,
            replicas: 2,
            ready_after_s: 0,
            extra_step: "",
        };
        sample.write(&self.stage.clone, "first\n")?;
        self.stage.clone.commit_and_push("First page").await?;
        let create = ask(&self.stage.url, "service.yaml");
        self.stage.hermez.create_workload(&create).await?;
        let nothing = self.refused("scale", &number(3)).await?;
        anyhow::ensure!(nothing.status == 409, "nothing runs yet: {nothing}");
        self.deploy().await?;
        let status = self.owned(ScaleOwner::File, 2).await?;
        let last = status.last_change.context("a last change")?;
        anyhow::ensure!(last.by == "deploy", "{last:?}");
        Ok(())
    }

    /// Numbers and times that nobody means.
    async fn refuse(&self) -> Result<()> {
        for count in [-1, 10_001, 10_000_000] {
            let refused = self.refused("scale", &number(count)).await?;
            let detail = refused.problem.detail.clone().unwrap_or_default();
            anyhow::ensure!(
                refused.status == 422 && detail.contains(&count.to_string()),
                "{count}: {refused}"
            );
        }
        let over = json!({"replicas": 3, "reason": "x", "until": "2020-01-01T00:00:00Z"});
        let no_reason = json!({"replicas": 3, "reason": "  "});
        let follows_nothing = json!({"min": 1, "max": 3, "reason": "x"});
        let turned = json!({"min": 4, "max": 3, "cpu": 70, "reason": "x"});
        let behaves = |rules: Value| {
            let behavior = json!({"scaleDown": rules});
            json!({"min": 1, "max": 3, "cpu": 70, "behavior": behavior, "reason": "x"})
        };
        let too_calm = behaves(json!({"stabilizationWindowSeconds": 7200}));
        let unknown = behaves(json!({"selectPolicy": "Fast"}));
        for (what, body) in [
            ("scale", over),
            ("scale", no_reason),
            ("autoscaling", follows_nothing),
            ("autoscaling", turned),
            ("autoscaling", too_calm),
            ("autoscaling", unknown),
        ] {
            let refused = self.refused(what, &body).await?;
            anyhow::ensure!(refused.status == 422, "{body}: {refused}");
        }
        self.owned(ScaleOwner::File, 2).await?;
        let ledger = self.ledger().await?;
        anyhow::ensure!(ledger.is_empty(), "{ledger:?}");
        Ok(())
    }

    /// A person's number outlives a deploy, within the bounds.
    async fn by_hand(&self) -> Result<u128> {
        let begun = Instant::now();
        self.post("scale", &number(3)).await?;
        self.pods(3).await?;
        let took = begun.elapsed().as_millis();
        let status = self.owned(ScaleOwner::Person, 3).await?;
        anyhow::ensure!(status.message.starts_with("owner: a launch"), "{status:?}");
        self.stage.clone.write("message.txt", "second\n")?;
        self.stage.clone.commit_and_push("Second page").await?;
        self.deploy().await?;
        self.pods(3).await?;
        self.owned(ScaleOwner::Person, 3).await?;

        let bounds = ScaleBounds { min: 2, max: 3 };
        let path = format!("/workloads/{}/scale/bounds", self.stage.name);
        let set: ScaleBounds = self.stage.hermez.put(&path, &bounds).await?;
        anyhow::ensure!(set == bounds, "{set:?}");
        let refused = self.refused("scale", &number(4)).await?;
        let detail = refused.problem.detail.clone().unwrap_or_default();
        anyhow::ensure!(detail.contains("2 to 3 pods"), "{refused}");
        let wide = json!({"min": 1, "max": 9, "cpu": 70, "reason": "x"});
        let refused = self.refused("autoscaling", &wide).await?;
        anyhow::ensure!(refused.status == 422, "{refused}");
        let bounds = ScaleBounds { min: 0, max: 6 };
        let _: ScaleBounds = self.stage.hermez.put(&path, &bounds).await?;
        Ok(took)
    }

    /// A number with an end goes by itself.
    async fn for_a_while(&self) -> Result<u128> {
        let end = Timestamp::now() + SignedDuration::from_secs(8);
        let body = json!({"replicas": 4, "reason": "a while", "until": end});
        let asked = self.post("scale", &body).await?;
        anyhow::ensure!(asked.state == ScaleChangeState::Active, "{asked:?}");
        self.owned(ScaleOwner::Person, 4).await?;
        self.owned(ScaleOwner::File, 2).await?;
        let late = Timestamp::now().duration_since(end).as_millis();
        self.pods(2).await?;
        let ledger = self.ledger().await?;
        let ended = ledger.first().context("an entry")?;
        anyhow::ensure!(
            ended.id == asked.id && ended.state == ScaleChangeState::Ended,
            "{ended:?}"
        );
        Ok(u128::try_from(late)?)
    }

    async fn to_zero_and_back(&self) -> Result<()> {
        self.post("scale", &number(0)).await?;
        self.pods(0).await?;
        self.deploy().await?;
        self.owned(ScaleOwner::Person, 0).await?;
        self.release().await?;
        self.pods(2).await?;
        self.owned(ScaleOwner::File, 2).await?;
        // Again: nothing changes.
        self.release().await?;
        self.owned(ScaleOwner::File, 2).await?;
        Ok(())
    }

    /// Who scales beside Hermez is named, left alone by deploys, and can be taken back.
    async fn by_kubectl(&self) -> Result<()> {
        self.kubectl_scale(3).await?;
        let status = self.owned(ScaleOwner::Other, 3).await?;
        anyhow::ensure!(status.message.starts_with("kubectl"), "{status:?}");
        self.deploy().await?;
        self.owned(ScaleOwner::Other, 3).await?;
        self.release().await?;
        self.owned(ScaleOwner::File, 2).await?;
        self.deploy().await?;
        self.owned(ScaleOwner::File, 2).await?;
        Ok(())
    }

    /// Who scales beside Hermez after a person did is named instead of them.
    async fn by_kubectl_after_a_person(&self) -> Result<()> {
        self.post("scale", &number(4)).await?;
        self.owned(ScaleOwner::Person, 4).await?;
        self.kubectl_scale(3).await?;
        let status = self.owned(ScaleOwner::Other, 3).await?;
        anyhow::ensure!(status.message.starts_with("kubectl"), "{status:?}");
        let last = status.last_change.context("a last change")?;
        anyhow::ensure!(last.by == "kubectl", "{last:?}");
        self.deploy().await?;
        self.owned(ScaleOwner::Other, 3).await?;
        self.release().await?;
        self.owned(ScaleOwner::File, 2).await?;
        Ok(())
    }

    /// The number follows the load from now on: there is an autoscaler, with what was set.
    async fn by_load(&self) -> Result<u128> {
        let begun = Instant::now();
        let behavior = json!({"scaleDown": {"stabilizationWindowSeconds": 60}});
        let body =
            json!({"min": 3, "max": 5, "cpu": 70, "behavior": behavior, "reason": "it is busy"});
        self.post("autoscaling", &body).await?;
        self.owned(ScaleOwner::Autoscaler, 3).await?;
        self.pods(3).await?;
        let took = begun.elapsed().as_millis();
        let scaler = until("there is an autoscaler", LIMIT, || async {
            Ok(self.scalers().get_opt(&self.stage.name).await?)
        })
        .await?;
        let spec = scaler.spec.context("a spec")?;
        let window = spec
            .behavior
            .and_then(|behavior| behavior.scale_down?.stabilization_window_seconds);
        anyhow::ensure!(
            (spec.min_replicas, spec.max_replicas, window) == (Some(3), 5, Some(60)),
            "its settings"
        );
        Ok(took)
    }

    /// What Kubernetes' autoscaler writes is named as its own, and no deploy resets it. Nobody measures the
    /// load here, so that it is written as the autoscaler's controller writes it: to the subresource
    /// `scale`, by `kube-controller-manager`.
    async fn by_the_autoscaler(&self) -> Result<u128> {
        let begun = Instant::now();
        self.scale_as("kube-controller-manager", 4).await?;
        self.autoscaled_to(4).await?;
        let took = begun.elapsed().as_millis();
        self.deploy().await?;
        // Neither the file's two nor the least that the autoscaler may have.
        self.autoscaled_to(4).await?;
        self.pods(4).await?;
        anyhow::ensure!(
            self.scalers().get_opt(&self.stage.name).await?.is_some(),
            "a deploy leaves it"
        );
        Ok(took)
    }

    /// Waits until there are to be so many pods, and the autoscaler has written that.
    async fn autoscaled_to(&self, replicas: i32) -> Result<()> {
        let path = format!("/workloads/{}/scale", self.stage.name);
        let what = format!("the autoscaler itself says {replicas}");
        let status = until(&what, LIMIT, || async {
            let status: ScaleStatus = self.stage.hermez.get(&path).await?;
            let last = status.last_change.as_ref();
            let own = last.is_some_and(|last| last.by == "autoscaler");
            Ok((own && status.replicas == Some(replicas)).then_some(status))
        })
        .await?;
        anyhow::ensure!(
            status.owner == ScaleOwner::Autoscaler
                && status.autoscaling.as_ref().is_some_and(|it| it.max == 5),
            "{status:?}"
        );
        Ok(())
    }

    /// Where an autoscaler says how many, a person's number turns it off or is refused.
    async fn turn_the_autoscaler_off(&self) -> Result<()> {
        let refused = self.refused("scale", &number(1)).await?;
        anyhow::ensure!(refused.status == 409, "{refused}");
        let fixed = json!({"replicas": 1, "reason": "look at one", "fixed": true});
        self.post("scale", &fixed).await?;
        self.pods(1).await?;
        self.deploy().await?;
        self.owned(ScaleOwner::Person, 1).await?;
        until("the autoscaler is off", LIMIT, || async {
            let scaler = self.scalers().get_opt(&self.stage.name).await?;
            Ok(scaler.is_none().then_some(()))
        })
        .await?;
        self.release().await?;
        self.pods(2).await?;
        self.owned(ScaleOwner::File, 2).await?;
        Ok(())
    }

    /// An autoscaler of the config file waits until a person gives the number back, and then has it,
    /// whatever its bounds become.
    async fn by_the_file(&self) -> Result<()> {
        self.post("scale", &number(3)).await?;
        self.deploy_autoscaled(5).await?;
        self.owned(ScaleOwner::Person, 3).await?;
        // It stays off for the next number too.
        self.post("scale", &number(4)).await?;
        self.owned(ScaleOwner::Person, 4).await?;
        anyhow::ensure!(
            self.scalers().get_opt(&self.stage.name).await?.is_none(),
            "the number is a person's"
        );
        self.release().await?;
        self.owned(ScaleOwner::Autoscaler, 4).await?;
        // From a deploy on the number has an owner, without which Kubernetes notes nobody.
        self.deploy().await?;
        self.scale_as("kube-controller-manager", 5).await?;
        self.autoscaled_to(5).await?;
        self.deploy_autoscaled(4).await?;
        self.owned(ScaleOwner::Autoscaler, 4).await?;
        Ok(())
    }

    /// Deploys a config file whose autoscaler has from 2 to `max` pods.
    async fn deploy_autoscaled(&self, max: i32) -> Result<()> {
        let autoscaling = format!("  autoscaling: {{min: 2, max: {max}, cpu: 70}}\n  template:");
        let config = self.stage.sample(2).config();
        let config = config.replacen("  template:", &autoscaling, 1);
        self.stage.clone.write("service.yaml", config)?;
        let message = format!("At most {max} pods");
        self.stage.clone.commit_and_push(&message).await?;
        self.deploy().await
    }

    /// Everything that was asked for is there, the newest first, and nothing stands any more.
    async fn read_the_ledger(&self) -> Result<()> {
        let ledger = self.ledger().await?;
        let states: Vec<_> = ledger.iter().map(|change| change.state).collect();
        anyhow::ensure!(
            ledger.len() == 14
                && ledger.is_sorted_by(|newer, older| newer.id > older.id)
                && states.iter().all(|state| matches!(
                    state,
                    ScaleChangeState::Ended | ScaleChangeState::Replaced
                )),
            "{ledger:#?}"
        );
        Ok(())
    }

    /// `kubectl scale`.
    async fn kubectl_scale(&self, replicas: i32) -> Result<()> {
        self.scale_as("kubectl", replicas).await
    }

    async fn scale_as(&self, manager: &str, replicas: i32) -> Result<()> {
        let params = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        let body = json!({"spec": {"replicas": replicas}});
        self.resources()
            .patch_scale(&self.stage.name, &params, &Patch::Merge(&body))
            .await?;
        Ok(())
    }

    fn resources(&self) -> Api<DynamicObject> {
        let kind = hermez_kinds::Kind::Service.api_resource();
        Api::namespaced_with(self.stage.kube.clone(), &self.stage.name, &kind)
    }

    fn scalers(&self) -> Api<HorizontalPodAutoscaler> {
        Api::namespaced(self.stage.kube.clone(), &self.stage.name)
    }

    async fn deploy(&self) -> Result<()> {
        let latest = CreateDeploy {
            commit: None,
            latest: true,
            branch: None,
            reason: None,
            override_bad: None,
        };
        let path = format!("/workloads/{}/deploys", self.stage.name);
        let asked: hermez_api::DeploySummary = self.stage.hermez.post(&path, &latest).await?;
        let deploy = self.stage.hermez.deploy_ends(asked.id, LIMIT).await?;
        let state = deploy.summary.state;
        anyhow::ensure!(state == DeployState::Succeeded, "{deploy:#?}");
        Ok(())
    }

    async fn post(&self, what: &str, body: &Value) -> Result<ScaleChange> {
        let path = format!("/workloads/{}/{what}", self.stage.name);
        self.stage.hermez.post(&path, body).await
    }

    async fn release(&self) -> Result<()> {
        let path = format!("/workloads/{}/scale?reason=over", self.stage.name);
        self.stage.hermez.delete(&path).await
    }

    async fn refused(&self, what: &str, body: &Value) -> Result<Refused> {
        match self.post(what, body).await {
            Ok(change) => anyhow::bail!("{body} should have been refused: {change:?}"),
            Err(error) => error.downcast::<Refused>(),
        }
    }

    async fn ledger(&self) -> Result<Vec<ScaleChange>> {
        let path = format!("/workloads/{}/scale/changes", self.stage.name);
        let page: Page<ScaleChange> = self.stage.hermez.get(&path).await?;
        Ok(page.items)
    }

    /// Waits until that one says that there are to be so many pods.
    async fn owned(&self, owner: ScaleOwner, replicas: i32) -> Result<ScaleStatus> {
        let path = format!("/workloads/{}/scale", self.stage.name);
        let what = format!("{owner:?} says {replicas}");
        until(&what, LIMIT, || async {
            let status: ScaleStatus = self.stage.hermez.get(&path).await?;
            let right = status.owner == owner && status.replicas == Some(replicas);
            Ok(right.then_some(status))
        })
        .await
    }

    /// Waits until so many pods are there, all of them to stay.
    async fn pods(&self, count: usize) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.stage.kube.clone(), &self.stage.name);
        until(&format!("there are {count} pods"), LIMIT, || async {
            let there = pods.list(&ListParams::default()).await?.items;
            let ready = there.iter().filter(|pod| {
                let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
                let mut conditions = conditions.into_iter().flatten();
                conditions.any(|it| it.type_ == "Ready" && it.status == "True")
            });
            Ok((ready.count() == count && there.len() == count).then_some(()))
        })
        .await
    }
}

fn number(replicas: i64) -> Value {
    json!({"replicas": replicas, "reason": "a launch"})
}
