//! A cron job from its repository to its runs: by schedule, by hand with other arguments, of a pull
//! request once on request, suspended and resumed, failing, and gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{
    CreateRun, DeployState, DeploySummary, Page, PullRequest, Run, RunOutcome, RunTrigger,
    ScheduleStatus, WorkloadStatus,
};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::{Value, json};

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, Refused, ask};
use crate::sandbox::{Sandbox, unique};
use crate::wait::until;

/// Longest time for a build, a rollout, or a run that a schedule starts within a minute.
const LIMIT: Duration = Duration::from_mins(3);

/// What runs: it says what it was asked for, and fails where it is told to.
const SCRIPT: &str = "echo \"report of $REPORT_TABLE for: $*\"\ntest -z \"$FAIL\"\n";

/// Runs the journey; times are milliseconds.
///
/// # Errors
/// When anything on the way is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let (hermez, forge) = (sandbox.hermez()?, sandbox.forge()?);
    let (name, url, clone) = Clone::of_new(&forge, "report").await?;
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
    fn path(&self, rest: &str) -> String {
        format!("/workloads/{}/{rest}", self.name)
    }

    fn config(&self, schedule: &str, table: &str) -> String {
        format!(
            "apiVersion: pinterest.com/v1
kind: PinterestCronJob
metadata:
  name: {0}
  project: journeys
  namespace: {0}
spec:
  schedule: \"{schedule}\"
  timezone: Europe/Berlin
  backofflimit: 1
  terminationgraceperiodseconds: 1
  configs:
    REPORT_TABLE: {table}
  template:
    spec:
      containers:
        - name: {0}
          image: {0}
          args: [--day, today]
",
            self.name
        )
    }

    async fn travel(&self, sandbox: &Sandbox) -> Result<Value> {
        let dockerfile = "FROM debian:bookworm-slim\nCOPY report.sh /report.sh\nENTRYPOINT [\"/bin/sh\", \"/report.sh\"]\n";
        self.clone.write("Dockerfile", dockerfile)?;
        self.clone.write("report.sh", SCRIPT)?;
        self.clone
            .write("job.yaml", self.config("* * * * *", "visits"))?;
        self.clone
            .write("never.yaml", self.config("0 0 30 2 *", "visits"))?;
        let first = self.clone.commit_and_push("First report").await?;
        self.refuses_what_never_fires().await?;
        self.hermez
            .create_workload(&ask(&self.url, "job.yaml"))
            .await?;
        let deploy_ms = self.deploy(&first).await?;

        let run_now_ms = self.runs_by_hand(&first).await?;
        self.runs_of_a_pull_request(sandbox).await?;
        let scheduled = self.runs_by_schedule().await?;
        self.stays_suspended().await?;
        self.tells_of_a_failure().await?;
        let runs: Page<Run> = self.hermez.get(&self.path("runs")).await?;

        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        let crons: Api<CronJob> = Api::namespaced(sandbox.kube().await?, &self.name);
        until("the CronJob goes with the workload", LIMIT, || async {
            Ok(crons.get_opt(&self.name).await?.is_none().then_some(()))
        })
        .await?;
        Ok(json!({
            "journey": "cronjob",
            "deploy_ms": deploy_ms,
            "run_now_to_succeeded_ms": run_now_ms,
            "scheduled_run": scheduled,
            "runs_remembered": runs.items.len(),
        }))
    }

    /// A schedule that never fires is no workload, and the answer says where it is wrong.
    async fn refuses_what_never_fires(&self) -> Result<()> {
        let plan = ask(&self.url, "never.yaml");
        let answer = self.hermez.post::<_, Value>("/workloads/plan", &plan).await;
        let error = answer
            .err()
            .context("a schedule that never fires is planned")?;
        let refused = error.downcast_ref::<Refused>().context("a problem")?;
        let place = refused.problem.places.first().context("a place")?;
        anyhow::ensure!(
            place.field.as_deref() == Some("spec.schedule")
                && place.line == Some(8)
                && place
                    .message
                    .starts_with("day of the month, column 5: it never fires"),
            "{place:?}"
        );
        Ok(())
    }

    async fn deploy(&self, commit: &str) -> Result<u64> {
        self.hermez
            .artifact_available(&self.name, commit, LIMIT)
            .await?;
        let begun = Instant::now();
        let asked = self.hermez.deploy(&self.name, commit).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        Ok(begun.elapsed().as_millis() as u64)
    }

    async fn status(&self) -> Result<WorkloadStatus> {
        self.hermez.get(&self.path("status")).await
    }

    async fn run_ends(&self, name: &str) -> Result<Run> {
        until(&format!("the run {name} ends"), LIMIT, || async {
            let runs: Page<Run> = self.hermez.get(&self.path("runs")).await?;
            let found = runs.items.into_iter().find(|run| run.name == name);
            Ok(found.filter(|run| run.outcome != RunOutcome::Running))
        })
        .await
    }

    /// With other arguments, once for one key, and told in the history and the log.
    async fn runs_by_hand(&self, commit: &str) -> Result<u64> {
        let ask = CreateRun {
            arguments: Some(vec!["--day".into(), "the day before".into()]),
            environment: BTreeMap::from([("REPORT_TABLE".into(), "clicks".into())]),
        };
        let (key, begun) = (unique("key"), Instant::now());
        let path = self.path("runs");
        let run: Run = self.hermez.post_once(&path, &ask, &key).await?;
        let again: Run = self.hermez.post_once(&path, &ask, &key).await?;
        anyhow::ensure!(
            run.name == again.name,
            "one key, one run: {run:?} {again:?}"
        );
        let ended = self.run_ends(&run.name).await?;
        let took = begun.elapsed().as_millis() as u64;
        anyhow::ensure!(
            ended.outcome == RunOutcome::Succeeded
                && ended.trigger == RunTrigger::Manual
                && ended.by.is_some()
                && ended.commit.as_deref() == Some(commit)
                && ended.succeeded_pods == 1
                && ended.pods.len() == 1,
            "{ended:#?}"
        );
        until("the run's words are in the log", LIMIT, || async {
            let log: Value = self.hermez.get(&self.path("log?tail_lines=1000")).await?;
            let lines = log["items"].as_array().context("lines")?;
            let said = |line: &Value| line["text"] == "report of clicks for: --day the day before";
            Ok(lines.iter().any(said).then_some(()))
        })
        .await?;
        let audit: Value = self.hermez.get("/audit?limit=50").await?;
        let entries = audit["items"].as_array().context("entries")?;
        let target = format!("workload/{}", self.name);
        let is_it =
            |entry: &&Value| entry["action"] == "run.create" && entry["target"] == target.as_str();
        anyhow::ensure!(
            entries.iter().filter(is_it).count() == 1,
            "recorded once: {audit}"
        );
        Ok(took)
    }

    /// The cron job of a pull request is suspended, though its schedule says each minute; it runs when
    /// it is asked to, and goes with the pull request.
    async fn runs_of_a_pull_request(&self, sandbox: &Sandbox) -> Result<()> {
        self.clone
            .git(&["checkout", "--quiet", "-b", "topic"])
            .await?;
        let config = self.config("* * * * *", "shares");
        self.clone.write("job.yaml", config)?;
        self.clone.commit("A third table").await?;
        self.clone.push_to("topic").await?;
        self.clone.git(&["checkout", "--quiet", "main"]).await?;
        let title = "A third table";
        let number = self.forge.open_pull(&self.name, "topic", title).await?;
        let path = |rest: &str| self.path(&format!("pull-requests/{number}/{rest}"));
        let asked: DeploySummary = self.hermez.post(&path("deploys"), &json!({})).await?;
        let deploy = self.hermez.deploy_ends(asked.id, LIMIT).await?;
        anyhow::ensure!(
            deploy.summary.state == DeployState::Succeeded,
            "{deploy:#?}"
        );
        let kube = sandbox.kube().await?;
        let instance = format!("{}-pr-{number}", self.name);
        let crons: Api<CronJob> = Api::namespaced(kube.clone(), &self.name);
        let cron = crons.get(&instance).await?.spec.context("its spec")?;
        anyhow::ensure!(cron.suspend == Some(true), "{cron:?}");
        let pull = self.path(&format!("pull-requests/{number}"));
        let last_used = || async {
            let pull: PullRequest = self.hermez.get(&pull).await?;
            Ok::<_, anyhow::Error>(pull.preview.context("a preview")?.last_used_at)
        };
        let before = last_used().await?;
        let run: Run = self.hermez.post(&path("runs"), &json!({})).await?;
        let after = last_used().await?;
        anyhow::ensure!(after > before, "a run is a use: {before} {after}");
        let jobs: Api<Job> = Api::namespaced(kube, &self.name);
        let its_run = || async { jobs.get_status(&run.name).await.map(|it| it.status) };
        until("the pull request's run succeeds", LIMIT, || async {
            let status = its_run().await?.unwrap_or_default();
            anyhow::ensure!(status.failed.unwrap_or(0) == 0, "{status:?}");
            Ok((status.succeeded == Some(1)).then_some(()))
        })
        .await?;
        let close = json!({ "state": "closed" });
        let user = self.forge.user();
        let pull = format!("/repos/{user}/{}/pulls/{number}", self.name);
        self.forge.call(Method::PATCH, &pull, Some(close)).await?;
        until("its CronJob goes with it", LIMIT, || async {
            Ok(crons.get_opt(&instance).await?.is_none().then_some(()))
        })
        .await
    }

    async fn runs_by_schedule(&self) -> Result<Value> {
        let run = until("a run by schedule", LIMIT, || async {
            let runs: Page<Run> = self.hermez.get(&self.path("runs")).await?;
            let mut runs = runs.items.into_iter();
            Ok(runs.find(|run| run.trigger == RunTrigger::Schedule))
        })
        .await?;
        let ended = self.run_ends(&run.name).await?;
        anyhow::ensure!(ended.outcome == RunOutcome::Succeeded, "{ended:#?}");
        let status = self.status().await?;
        let schedule = status.schedule.context("a schedule")?;
        anyhow::ensure!(
            schedule.timezone == "Europe/Berlin"
                && schedule.last_scheduled_at.is_some()
                && schedule.next.len() == 3,
            "{schedule:#?}"
        );
        let created = ended.created_at.context("a time")?.as_second();
        Ok(json!({ "seconds_after_the_minute": created % 60 }))
    }

    /// A deploy does not undo a person's word, and a person can take it back.
    async fn stays_suspended(&self) -> Result<()> {
        let nothing = json!({});
        let told: ScheduleStatus = self.hermez.post(&self.path("suspend"), &nothing).await?;
        anyhow::ensure!(told.suspended && told.next.is_empty(), "{told:?}");
        self.clone
            .write("job.yaml", self.config("* * * * *", "likes"))?;
        let second = self.clone.commit_and_push("Another table").await?;
        self.deploy(&second).await?;
        let status = self.status().await?;
        let schedule = status.schedule.context("a schedule")?;
        anyhow::ensure!(
            schedule.suspended,
            "a deploy leaves it suspended: {schedule:?}"
        );
        let told: ScheduleStatus = self.hermez.post(&self.path("resume"), &nothing).await?;
        anyhow::ensure!(!told.suspended, "{told:?}");
        until("it runs by its schedule again", LIMIT, || async {
            let schedule = self.status().await?.schedule.context("a schedule")?;
            Ok((!schedule.suspended && !schedule.next.is_empty()).then_some(()))
        })
        .await
    }

    async fn tells_of_a_failure(&self) -> Result<()> {
        let ask = CreateRun {
            arguments: None,
            environment: BTreeMap::from([("FAIL".into(), "yes".into())]),
        };
        let run: Run = self.hermez.post(&self.path("runs"), &ask).await?;
        let ended = self.run_ends(&run.name).await?;
        let why = ended.message.clone().unwrap_or_default();
        anyhow::ensure!(
            ended.outcome == RunOutcome::Failed
                && ended.failed_pods == 2
                && why.contains("backoff"),
            "{ended:#?}"
        );
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
            .await?;
        Ok(())
    }
}
