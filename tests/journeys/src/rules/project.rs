//! A window of the whole project holds what a push asks for, says which one it is and when it opens,
//! and lets the deploy go when it is changed.

use anyhow::Result;
use hermez_api::{DeployState, DeployWindows, HoldingRule, RuleScope, ScopeRules, WorkloadRules};
use jiff::{SignedDuration, Timestamp, Unit};

use super::{Rules, begun_after, every_day};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Rules {
    /// Gives the time from the change of the window to the deploy's beginning, in milliseconds.
    pub(super) async fn hold_by_the_project(&self) -> Result<i64> {
        let path = format!("/projects/{}/rules/windows", self.stage.name);
        let opens = (Timestamp::now() + HOUR + HOUR).round(Unit::Minute)?;
        let shut = every_day(opens, opens + HOUR);
        self.refuse_windows(&path, opens).await?;
        let set: ScopeRules = self.stage.hermez.put(&path, &shut).await?;
        anyhow::ensure!(
            set.windows.as_ref() == Some(&shut) && set.changed_by.as_deref() == Some("owner"),
            "{set:?}"
        );
        self.shut_until(opens).await?;

        let before = self.trace().await?;
        let pushed = self.push("fifth").await?;
        let held = self.held(pushed.id, HoldingRule::Window).await?.summary;
        let project = format!("outside the deploy window of project {}", self.stage.name);
        let when = opens.strftime("opens %a %-d %b %H:%M UTC").to_string();
        anyhow::ensure!(
            held.state == DeployState::Queued
                && held.requested_by == "push"
                && held.message.contains(&project)
                && held.message.contains(&when)
                && held.held.as_ref().and_then(|held| held.until) == Some(opens),
            "{held:#?}"
        );
        let after = self.trace().await?;
        anyhow::ensure!(after == before, "{before:?} became {after:?}");

        let changed = Timestamp::now();
        let open = every_day(changed - HOUR, changed + HOUR);
        let _: ScopeRules = self.stage.hermez.put(&path, &open).await?;
        let deploy = self.succeeds(pushed.id).await?;
        let late = begun_after(&deploy, changed)?;
        self.stage.hermez.delete(&path).await?;
        Ok(late)
    }

    /// What never opens is refused, by itself and beside the workload's own window.
    async fn refuse_windows(&self, path: &str, opens: Timestamp) -> Result<()> {
        let closes = opens + HOUR;
        let windows = every_day(opens, closes);
        let mut no_days = windows.clone();
        for window in &mut no_days.windows {
            window.days.clear();
        }
        let none = DeployWindows {
            windows: Vec::new(),
            ..windows.clone()
        };
        for (windows, words) in [
            (&every_day(opens, opens), "never opens"),
            (&no_days, "names no day"),
            (&none, "has 0 windows"),
        ] {
            self.window_refused(path, windows, words).await?;
        }
        let nowhere = format!("/projects/{}-nowhere/rules/windows", self.stage.name);
        self.window_refused(&nowhere, &windows, "no workload belongs to such a project")
            .await?;

        let own = every_day(closes, closes + HOUR);
        let _: ScopeRules = self.put("rules/windows", &own).await?;
        let apart = format!("never open when the deploy window of {}", self.stage.name);
        self.window_refused(path, &windows, &apart).await?;
        let own = format!("/workloads/{}/rules/windows", self.stage.name);
        self.stage.hermez.delete(&own).await
    }

    async fn window_refused(&self, path: &str, windows: &DeployWindows, words: &str) -> Result<()> {
        let problem = self.stage.put_refused(path, windows, 422).await?;
        let detail = problem.detail.clone().unwrap_or_default();
        anyhow::ensure!(detail.contains(words), "`{words}` is not in {problem:?}");
        Ok(())
    }

    /// The workload's rules say that it is the project's window, and until when.
    async fn shut_until(&self, opens: Timestamp) -> Result<()> {
        let seen: WorkloadRules = self.get("rules").await?;
        anyhow::ensure!(
            seen.own.windows.is_none() && seen.of_project.windows.is_some(),
            "{seen:?}"
        );
        let [hold] = seen.verdict.holds.as_slice() else {
            anyhow::bail!("one rule holds it: {:?}", seen.verdict);
        };
        anyhow::ensure!(
            !seen.verdict.allowed
                && hold.rule == HoldingRule::Window
                && hold.scope == RuleScope::Project
                && hold.allowed_at == Some(opens),
            "{hold:?} is not until {opens}"
        );
        Ok(())
    }
}
