//! Rules hold deploys back and let them go by themselves: a window, a freeze with an exception,
//! approvals, locks; of a workload and of its project, for what people and what pushes ask for. It
//! has a server of its own: others are not to be frozen.

mod people;
mod project;
mod push;

use anyhow::{Context, Result};
use hermez_api::{
    ApprovalRule, AuditEntry, CreateFreeze, CreateFreezeException, CreateLock, CreateRestart,
    Deploy, DeployState, DeploySummary, DeployWindow, DeployWindows, Freeze, HoldingRule, Page,
    RollbackPlan, ScopeRules, UpdateWorkload, Weekday, Workload, WorkloadLock, WorkloadRules,
};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};

use crate::hermez::Refused;
use crate::sandbox::Sandbox;
use crate::server::{Options, Server};
use crate::stage::{LIMIT, Stage};
use crate::wait::until;
/// Longest time from when a rule lets go until the deploy begins.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(5);

const WEEK: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

/// A window between these times of every day, by the clocks of UTC.
fn every_day(from: Timestamp, to: Timestamp) -> DeployWindows {
    let time = |at: Timestamp| at.strftime("%H:%M").to_string();
    DeployWindows {
        time_zone: "UTC".to_owned(),
        windows: vec![DeployWindow {
            days: WEEK.to_vec(),
            from: time(from),
            to: time(to),
        }],
    }
}

/// Milliseconds from when a rule let go until the deploy began, which is not before, and at once.
fn begun_after(deploy: &Deploy, let_go: Timestamp) -> Result<i64> {
    let begun = deploy.summary.started_at.context("it began")?;
    let late = begun.as_millisecond() - let_go.as_millisecond();
    anyhow::ensure!(
        late >= 0 && i128::from(late) < AT_ONCE.as_millis(),
        "begun at {begun}, the rule let go at {let_go}"
    );
    Ok(late)
}

/// Runs the journey with a server of its own; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let server = Server::start(sandbox, Options::default()).await?;
    let stage = Stage::open(sandbox, server.hermez()?, "rules").await?;
    let rules = Rules { stage };
    let figures = rules.travel().await;
    let figures = figures.with_context(|| server.last_words());
    rules.stage.clean_up().await?;
    server.end().await?;
    figures
}

struct Rules {
    stage: Stage,
}

impl Rules {
    async fn travel(&self) -> Result<Value> {
        let first = self.bring_out_the_first().await?;
        let window_ms = self.wait_for_the_window(&first).await?;
        self.pass_the_freeze(&first).await?;
        let approval_ms = self.ask_for_approval().await?;
        self.lock(&first).await?;
        self.freeze_everything(&first).await?;
        let fix = self.break_a_lock(&first).await?;
        self.fix_while_frozen(&fix).await?;
        let project_ms = self.hold_by_the_project().await?;
        let thawed_ms = self.push_while_frozen().await?;
        self.ask_two(&first).await?;
        Ok(json!({
            "journey": "rules",
            "window_open_to_begun_ms": window_ms,
            "approved_to_begun_ms": approval_ms,
            "window_changed_to_begun_ms": project_ms,
            "freeze_ended_to_begun_ms": thawed_ms,
        }))
    }

    /// The sample in a project of its own.
    async fn bring_out_the_first(&self) -> Result<String> {
        let sample = self.stage.sample(1);
        sample.write(&self.stage.clone, "first\n")?;
        let project = format!("project: {}", self.stage.name);
        let config = sample.config().replace("project: journeys", &project);
        self.stage.clone.write("service.yaml", config)?;
        let first = self.stage.clone.commit_and_push("First page").await?;
        self.stage.create().await?;
        let asked = self.deploy(&first).await?;
        anyhow::ensure!(asked.held.is_none(), "{asked:?}");
        self.succeeds(asked.id).await?;
        Ok(first)
    }

    /// A deploy waits for its window, says until when, and goes on by itself.
    async fn wait_for_the_window(&self, commit: &str) -> Result<i64> {
        // Between 30 and 90 seconds from now, to the minute as windows are.
        let opens = Timestamp::now() + SignedDuration::from_secs(60);
        let opens = opens.round(Unit::Minute)?;
        let empty = every_day(opens, opens);
        let never = self.put::<_, ScopeRules>("rules/windows", &empty);
        let never = never.await.map_err(anyhow::Error::downcast::<Refused>);
        anyhow::ensure!(
            matches!(&never, Err(Ok(refused)) if refused.status == 422),
            "a window that never opens is refused: {never:?}"
        );
        let closes = opens + SignedDuration::from_hours(1);
        let set: ScopeRules = self.put("rules/windows", &every_day(opens, closes)).await?;
        anyhow::ensure!(set.changed_by.as_deref() == Some("owner"), "{set:?}");
        let seen: WorkloadRules = self.get("rules").await?;
        let held = seen.verdict.held.context("it is outside of the window")?;
        anyhow::ensure!(held.until == Some(opens), "{held:?} is not until {opens}");

        let asked = self.deploy(commit).await?;
        let held = self.held(asked.id, HoldingRule::Window).await?;
        anyhow::ensure!(
            held.summary.state == DeployState::Queued
                && held.summary.message.contains("outside the deploy window"),
            "{held:#?}"
        );
        let deploy = self.succeeds(asked.id).await?;
        let begun = deploy.summary.started_at.context("it began")?;
        let late = begun.duration_since(opens);
        anyhow::ensure!(
            late >= SignedDuration::ZERO && late < AT_ONCE && deploy.summary.held.is_none(),
            "begun at {begun}, the window opened at {opens}"
        );
        self.stage
            .hermez
            .delete(&format!("/workloads/{}/rules/windows", self.stage.name))
            .await?;
        Ok(i64::try_from(late.as_millis())?)
    }

    /// A freeze holds deploys and no restarts; an exception lets one deploy through, and what it brings
    /// out runs from then on, though a restart was asked for later.
    async fn pass_the_freeze(&self, commit: &str) -> Result<()> {
        let body = CreateFreeze {
            project: Some(self.stage.name.clone()),
            from: None,
            until: None,
            reason: "the sale".to_owned(),
        };
        let freeze: Freeze = self.stage.hermez.post("/freezes", &body).await?;
        self.stage.clone.write("message.txt", "the fix\n")?;
        let fix = self.stage.clone.commit_and_push("The fix").await?;
        let asked = self.deploy(&fix).await?;
        let message = asked.held.map(|held| held.message).unwrap_or_default();
        anyhow::ensure!(message.contains("frozen by owner"), "{message}");
        self.held(asked.id, HoldingRule::Freeze).await?;
        let path = format!("/workloads/{}/restart", self.stage.name);
        let body = CreateRestart::default();
        let restart: DeploySummary = self.stage.hermez.post(&path, &body).await?;
        self.succeeds(restart.id).await?;
        self.held(asked.id, HoldingRule::Freeze).await?;

        let path = format!("/freezes/{}/exceptions", freeze.id);
        let body = CreateFreezeException {
            workload: None,
            deploy_id: Some(asked.id),
            reason: "the fix".to_owned(),
        };
        let _: Freeze = self.stage.hermez.post(&path, &body).await?;
        self.succeeds(asked.id).await?;
        let path = format!("/workloads/{}", self.stage.name);
        let workload: Workload = self.stage.hermez.get(&path).await?;
        let current = workload.summary.current.context("what runs")?;
        let plan: RollbackPlan = self.get("rollback").await?;
        anyhow::ensure!(
            (current.id, plan.change.from.id) == (asked.id, asked.id),
            "deploy {} was written after restart {}: {current:?} {plan:?}",
            asked.id,
            restart.id
        );
        let next = self.deploy(commit).await?;
        self.held(next.id, HoldingRule::Freeze).await?;
        let path = format!("/freezes/{}/end", freeze.id);
        let _: Freeze = self.stage.hermez.post(&path, &json!({})).await?;
        self.succeeds(next.id).await?;
        Ok(())
    }

    /// A push waits for somebody; one's own deploy is not approved by oneself; no means no.
    async fn ask_for_approval(&self) -> Result<i64> {
        let rule = ApprovalRule {
            count: 1,
            people: Vec::new(),
            role: Some("owner".to_owned()),
            rollback_needs_approval: false,
        };
        let _: ScopeRules = self.put("rules/approvals", &rule).await?;
        let on = UpdateWorkload {
            auto_deploy: Some("main".to_owned()),
            ..UpdateWorkload::default()
        };
        let path = format!("/workloads/{}", self.stage.name);
        let _: Workload = self.stage.hermez.patch(&path, &on).await?;

        let pushed = self.push("second").await?;
        let waiting = self.held(pushed.id, HoldingRule::Approval).await?;
        let approvals = waiting.summary.held.and_then(|held| held.approvals);
        let approvals = approvals.context("it says how far the approvals are")?;
        anyhow::ensure!(approvals.needed == 1 && approvals.given.is_empty());
        let approve = format!("/deploys/{}/approve", pushed.id);
        let approved = Timestamp::now();
        for _ in 0..2 {
            let body = json!({ "comment": "looks right" });
            let _: DeploySummary = self.stage.hermez.post(&approve, &body).await?;
        }
        let deploy = self.succeeds(pushed.id).await?;
        let begun = deploy.summary.started_at.context("it began")?;
        let took = begun.duration_since(approved);
        anyhow::ensure!(took < AT_ONCE, "begun {took:#} after it was approved");
        let late = self
            .refused(&format!("/deploys/{}/reject", pushed.id))
            .await?;
        anyhow::ensure!(late.status == 409, "{late}");

        let own = self.deploy(&pushed.commit).await?;
        self.held(own.id, HoldingRule::Approval).await?;
        let approve = format!("/deploys/{}/approve", own.id);
        let refused = self.refused(&approve).await?;
        anyhow::ensure!(refused.status == 409, "{refused}");
        self.second_person(own.id).await?;

        let pushed = self.push("third").await?;
        self.held(pushed.id, HoldingRule::Approval).await?;
        let reject = format!("/deploys/{}/reject", pushed.id);
        let body = json!({ "reason": "not on a Friday" });
        let _: DeploySummary = self.stage.hermez.post(&reject, &body).await?;
        let ended = self
            .stage
            .hermez
            .deploy_ends(pushed.id, LIMIT)
            .await?
            .summary;
        anyhow::ensure!(
            ended.state == DeployState::Canceled
                && ended.message == "rejected by owner: not on a Friday",
            "{ended:?}"
        );
        self.stage
            .hermez
            .delete(&format!("{path}/rules/approvals"))
            .await?;
        Ok(i64::try_from(took.as_millis())?)
    }

    /// Who asked may not approve and who only looks may not; a second person lets it begin.
    async fn second_person(&self, deploy: i64) -> Result<()> {
        let approve = format!("/deploys/{deploy}/approve");
        let looks = self.stage.somebody("viewer", "viewer").await?.0;
        let no = looks.post::<_, DeploySummary>(&approve, &json!({})).await;
        let no = no.map_err(anyhow::Error::downcast::<Refused>);
        anyhow::ensure!(
            matches!(&no, Err(Ok(refused)) if refused.status == 403),
            "{no:?}"
        );
        let (second, name) = self.stage.somebody("approver", "owner").await?;
        let body = json!({ "comment": "read it" });
        let approved: DeploySummary = second.post(&approve, &body).await?;
        anyhow::ensure!(approved.requested_by == "owner", "{approved:?}");
        self.succeeds(deploy).await?;
        let audit = format!("/audit?action=deploy.approve&target=deploy/{deploy}");
        let page: Page<AuditEntry> = self.stage.hermez.get(&audit).await?;
        let did = page.items.iter();
        let did: Vec<_> = did
            .map(|it| (it.principal.as_str(), it.outcome.as_str()))
            .collect();
        anyhow::ensure!(
            did.len() == 3 && did[0] == (name.as_str(), "allowed") && did[1].1 == "denied",
            "{did:?}"
        );
        Ok(())
    }

    /// While it is locked a push is refused, and the record says by whom; the owner deploys.
    async fn lock(&self, commit: &str) -> Result<()> {
        let body = CreateLock {
            reason: "a migration".to_owned(),
            until: None,
        };
        for _ in 0..2 {
            let lock: WorkloadLock = self.put("lock", &body).await?;
            anyhow::ensure!(lock.by == "owner", "{lock:?}");
        }
        self.stage.clone.write("message.txt", "fourth\n")?;
        let pushed = self.stage.clone.commit_and_push("Fourth page").await?;
        let audit = format!(
            "/audit?action=deploy.create&target=workload/{}",
            self.stage.name
        );
        let refused = until("the push is refused", LIMIT, || async {
            let page: Page<AuditEntry> = self.stage.hermez.get(&audit).await?;
            let of_push = |entry: &AuditEntry| entry.detail["commit"] == pushed.as_str();
            Ok(page.items.into_iter().find(of_push))
        })
        .await?;
        let why = refused.detail["error"].as_str().unwrap_or_default();
        anyhow::ensure!(
            refused.outcome == "failed" && why.contains("ocked by owner since"),
            "{refused:?}"
        );
        let asked = self.deploy(commit).await?;
        self.succeeds(asked.id).await?;
        for _ in 0..2 {
            let path = format!("/workloads/{}/lock", self.stage.name);
            self.stage.hermez.delete(&path).await?;
        }
        Ok(())
    }

    /// A freeze of everything holds a deploy; an exception for the workload lets all of its go.
    async fn freeze_everything(&self, commit: &str) -> Result<()> {
        let body = CreateFreeze {
            project: None,
            from: None,
            until: None,
            reason: "the holidays".to_owned(),
        };
        let freeze: Freeze = self.stage.hermez.post("/freezes", &body).await?;
        anyhow::ensure!(freeze.project.is_none(), "{freeze:?}");
        let asked = self.deploy(commit).await?;
        let held = self.held(asked.id, HoldingRule::Freeze).await?;
        let message = &held.summary.message;
        anyhow::ensure!(
            message.contains("verything is frozen by owner"),
            "{message}"
        );
        let path = format!("/freezes/{}/exceptions", freeze.id);
        let body = CreateFreezeException {
            workload: Some(self.stage.name.clone()),
            deploy_id: None,
            reason: "it must go on".to_owned(),
        };
        let _: Freeze = self.stage.hermez.post(&path, &body).await?;
        self.succeeds(asked.id).await?;
        let next = self.deploy(commit).await?;
        anyhow::ensure!(next.held.is_none(), "{next:?}");
        self.succeeds(next.id).await?;
        let path = format!("/freezes/{}/end", freeze.id);
        let _: Freeze = self.stage.hermez.post(&path, &json!({})).await?;
        Ok(())
    }

    /// Somebody else's lock refuses a deploy and a hotfix, and comes off when it is broken, which is
    /// on record. Gives a commit that fits on the first page.
    async fn break_a_lock(&self, commit: &str) -> Result<String> {
        let (other, name) = self.stage.somebody("locker", "owner").await?;
        let lock = format!("/workloads/{}/lock", self.stage.name);
        let body = CreateLock {
            reason: "a migration".to_owned(),
            until: None,
        };
        let taken: WorkloadLock = other.put(&lock, &body).await?;
        anyhow::ensure!(taken.by == name, "{taken:?}");
        self.refused_by_lock("deploys", &json!({ "commit": commit }), &name)
            .await?;
        let fix = self.push_a_fix().await?;
        self.refused_by_lock("hotfixes", &json!({ "commits": [fix] }), &name)
            .await?;
        let (clone, url) = (&self.stage.clone, self.stage.url.as_str());
        let pushed = clone
            .git(&["ls-remote", url, "refs/heads/hotfix/*"])
            .await?;
        anyhow::ensure!(pushed.is_empty(), "it was pushed all the same: {pushed}");

        let Err(kept) = self.stage.hermez.delete(&lock).await else {
            anyhow::bail!("somebody else's lock came off without being broken");
        };
        anyhow::ensure!(kept.to_string().contains("deploy-held"), "{kept:#}");
        let broken = format!("{lock}?break=true&reason=away");
        self.stage.hermez.delete(&broken).await?;
        let seen: WorkloadRules = self.get("rules").await?;
        anyhow::ensure!(seen.lock.is_none() && seen.verdict.allowed, "{seen:?}");
        let audit = format!(
            "/audit?action=lock.break&target=workload/{}",
            self.stage.name
        );
        let page: Page<AuditEntry> = self.stage.hermez.get(&audit).await?;
        let [entry] = page.items.as_slice() else {
            anyhow::bail!("it was broken once: {:?}", page.items);
        };
        anyhow::ensure!(
            entry.principal == "owner"
                && entry.outcome == "allowed"
                && entry.detail["of"] == name.as_str()
                && entry.detail["reason"] == "away",
            "{entry:?}"
        );
        Ok(fix)
    }

    /// A hotfix that is frozen says so at once, and not only when it is built.
    async fn fix_while_frozen(&self, fix: &str) -> Result<()> {
        let body = CreateFreeze {
            project: Some(self.stage.name.clone()),
            from: None,
            until: None,
            reason: "the sale".to_owned(),
        };
        let freeze: Freeze = self.stage.hermez.post("/freezes", &body).await?;
        let path = format!("/workloads/{}/hotfixes", self.stage.name);
        let body = json!({ "commits": [fix] });
        let asked: DeploySummary = self.stage.hermez.post(&path, &body).await?;
        let rule = asked.held.as_ref().map(|held| held.rule);
        anyhow::ensure!(rule == Some(HoldingRule::Freeze), "{asked:?}");
        let cancel = format!("/deploys/{}/cancel", asked.id);
        let _: DeploySummary = self.stage.hermez.post(&cancel, &json!({})).await?;
        self.stage.ends(asked.id, DeployState::Canceled).await?;
        let path = format!("/freezes/{}/end", freeze.id);
        let _: Freeze = self.stage.hermez.post(&path, &json!({})).await?;
        Ok(())
    }

    /// What is posted there is refused, because this person has locked the workload.
    async fn refused_by_lock(&self, what: &str, body: &Value, by: &str) -> Result<()> {
        let path = format!("/workloads/{}/{what}", self.stage.name);
        let problem = self.stage.post_refused(&path, body, 409).await?;
        let detail = problem.detail.clone().unwrap_or_default();
        anyhow::ensure!(
            problem.kind == "urn:hermez:problem:deploy-held"
                && detail.contains(&format!("ocked by {by}")),
            "{what}: {problem:?}"
        );
        Ok(())
    }

    /// Pushes a commit that fits on the first page, to a branch that is not deployed by itself.
    async fn push_a_fix(&self) -> Result<String> {
        self.stage.clone.write("notes.txt", "mended\n")?;
        let fix = self.stage.clone.commit("Mend the notes").await?;
        let url = self.stage.url.as_str();
        let push = ["push", "--quiet", url, "HEAD:refs/heads/fix"];
        self.stage.clone.git(&push).await?;
        Ok(fix)
    }

    /// Pushes a new page to `main`; gives the deploy that comes of it.
    async fn push(&self, page: &str) -> Result<DeploySummary> {
        self.stage.clone.write("message.txt", format!("{page}\n"))?;
        let commit = self
            .stage
            .clone
            .commit_and_push(&format!("The {page} page"))
            .await?;
        until("the push is asked for", LIMIT, || async {
            let page: Page<DeploySummary> = self.get("deploys?limit=1").await?;
            let newest = page.items.into_iter().next();
            Ok(newest.filter(|newest| newest.commit == commit))
        })
        .await
    }

    /// Waits until a deploy is queued and says that this rule holds it.
    async fn held(&self, id: i64, rule: HoldingRule) -> Result<Deploy> {
        until("it says what it waits for", LIMIT, || async {
            let deploy: Deploy = self.stage.hermez.get(&format!("/deploys/{id}")).await?;
            let summary = &deploy.summary;
            let held = summary.held.as_ref();
            let says = held.is_some_and(|it| it.rule == rule && it.message == summary.message);
            anyhow::ensure!(
                summary.started_at.is_none() && summary.finished_at.is_none(),
                "{summary:?} should wait"
            );
            Ok(says.then_some(deploy))
        })
        .await
    }

    async fn refused(&self, path: &str) -> Result<Refused> {
        let body = json!({ "reason": "a journey" });
        let body = if path.ends_with("reject") {
            body
        } else {
            json!({})
        };
        match self
            .stage
            .hermez
            .post::<_, DeploySummary>(path, &body)
            .await
        {
            Ok(deploy) => anyhow::bail!("{path} should have been refused: {deploy:?}"),
            Err(error) => error.downcast::<Refused>(),
        }
    }

    async fn deploy(&self, commit: &str) -> Result<DeploySummary> {
        self.stage.deploy(commit).await
    }

    async fn succeeds(&self, id: i64) -> Result<Deploy> {
        self.stage.ends(id, DeployState::Succeeded).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T> {
        let path = format!("/workloads/{}/{what}", self.stage.name);
        self.stage.hermez.get(&path).await
    }

    async fn put<B, T>(&self, what: &str, body: &B) -> Result<T>
    where
        B: serde::Serialize + Sync,
        T: serde::de::DeserializeOwned,
    {
        let path = format!("/workloads/{}/{what}", self.stage.name);
        self.stage.hermez.put(&path, body).await
    }
}
