//! Two people must approve: those who are named, or those with a role; never who asked, and nobody
//! for two.

use anyhow::Result;
use hermez_api::{ApprovalRule, AuditEntry, Deploy, DeploySummary, HoldingRule, Page, ScopeRules};
use jiff::Timestamp;
use serde_json::json;

use super::{Rules, begun_after};
use crate::hermez::{Hermez, Refused};
use crate::stage::LIMIT;
use crate::wait::until;

/// Somebody who is signed in, and their name.
type Person = (Hermez, String);

fn named(count: u32, people: &[&str]) -> ApprovalRule {
    ApprovalRule {
        count,
        people: people.iter().map(|name| (*name).to_owned()).collect(),
        role: None,
        rollback_needs_approval: false,
    }
}

impl Rules {
    pub(super) async fn ask_two(&self, commit: &str) -> Result<()> {
        let ada = self.stage.somebody("ada", "owner").await?;
        let ben = self.stage.somebody("ben", "owner").await?;
        let eve = self.stage.somebody("eve", "owner").await?;
        let owner = (self.stage.hermez.clone(), "owner".to_owned());
        self.refuse_approval_rules(&ada.1).await?;

        // Whoever is named and asks may not approve all the same.
        let rule = named(2, &[&ada.1, &ben.1, &owner.1]);
        let _: ScopeRules = self.put("rules/approvals", &rule).await?;
        let asked = self.deploy(commit).await?.id;
        let held = self.held(asked, HoldingRule::Approval).await?.summary.held;
        let approvals = held.and_then(|held| held.approvals);
        anyhow::ensure!(
            approvals.as_ref().is_some_and(|it| it.needed == 2
                && it.given.is_empty()
                && it.people == [ada.1.as_str(), ben.1.as_str()]),
            "{approvals:?}"
        );
        self.may_not(&owner, asked, "cannot approve it").await?;
        self.may_not(&eve, asked, "is none of those who approve")
            .await?;
        self.approve_in_turn(asked, &ada, &ben).await?;
        self.approvals_are_on_record(asked, [&ben.1, &ada.1, &ada.1, &eve.1, &owner.1])
            .await?;

        let rule = ApprovalRule {
            role: Some("owner".to_owned()),
            ..named(2, &[])
        };
        let _: ScopeRules = self.put("rules/approvals", &rule).await?;
        let asked = ada.0.deploy(&self.stage.name, commit).await?.id;
        self.may_not(&ada, asked, "cannot approve it").await?;
        self.approve_in_turn(asked, &owner, &eve).await?;
        let path = format!("/workloads/{}/rules/approvals", self.stage.name);
        self.stage.hermez.delete(&path).await
    }

    /// Rules that no deploy could ever meet, each by what is wrong with it.
    async fn refuse_approval_rules(&self, somebody: &str) -> Result<()> {
        let path = format!("/workloads/{}/rules/approvals", self.stage.name);
        let viewer = format!("viewer-of-{}", self.stage.name);
        for (rule, words) in [
            (named(0, &[somebody]), "count is 0"),
            (named(2, &[somebody]), "count is 2, and 1 may approve"),
            (named(1, &["nobody-here"]), "people names `nobody-here`"),
            (named(1, &[&viewer]), "people has 0 who may approve"),
        ] {
            let problem = self.stage.put_refused(&path, &rule, 422).await?;
            let detail = problem.detail.clone().unwrap_or_default().to_lowercase();
            anyhow::ensure!(detail.contains(words), "`{words}` is not in {problem:?}");
        }
        Ok(())
    }

    /// This person's approval is refused, in these words.
    async fn may_not(&self, person: &Person, deploy: i64, words: &str) -> Result<()> {
        let path = format!("/deploys/{deploy}/approve");
        let answer = person.0.post::<_, DeploySummary>(&path, &json!({})).await;
        let answer = answer.map_err(anyhow::Error::downcast::<Refused>);
        let Err(Ok(refused)) = &answer else {
            anyhow::bail!("{} approved deploy {deploy}: {answer:?}", person.1);
        };
        let detail = refused.problem.detail.as_deref().unwrap_or_default();
        anyhow::ensure!(
            refused.status == 409 && detail.contains(words),
            "`{words}` is not in {refused}"
        );
        Ok(())
    }

    /// One approves twice, which counts once; with the other's approval it begins, not before.
    async fn approve_in_turn(&self, deploy: i64, one: &Person, other: &Person) -> Result<()> {
        let approve = format!("/deploys/{deploy}/approve");
        for comment in ["read it", "read it again"] {
            let body = json!({ "comment": comment });
            let _: DeploySummary = one.0.post(&approve, &body).await?;
        }
        let counted = until("the first approval counts", LIMIT, || async {
            let seen: Deploy = self.stage.hermez.get(&format!("/deploys/{deploy}")).await?;
            anyhow::ensure!(seen.summary.started_at.is_none(), "{seen:#?}");
            let approvals = seen.summary.held.and_then(|held| held.approvals);
            Ok(approvals.filter(|it| !it.given.is_empty()))
        })
        .await?;
        let by: Vec<&str> = counted.given.iter().map(|it| it.by.as_str()).collect();
        anyhow::ensure!(
            counted.needed == 2 && by == [one.1.as_str()] && !counted.people.contains(&one.1),
            "{counted:?}"
        );
        let approved = Timestamp::now();
        let _: DeploySummary = other.0.post(&approve, &json!({})).await?;
        let ended = self.succeeds(deploy).await?;
        begun_after(&ended, approved)?;
        Ok(())
    }

    /// Who approved and who was refused stands in the record, the newest first.
    async fn approvals_are_on_record(&self, deploy: i64, who: [&str; 5]) -> Result<()> {
        let audit = format!("/audit?action=deploy.approve&target=deploy/{deploy}");
        let page: Page<AuditEntry> = self.stage.hermez.get(&audit).await?;
        let outcomes = ["allowed", "allowed", "allowed", "failed", "failed"];
        let wanted: Vec<_> = who.into_iter().zip(outcomes).collect();
        let did: Vec<_> = page
            .items
            .iter()
            .map(|it| (it.principal.as_str(), it.outcome.as_str()))
            .collect();
        anyhow::ensure!(did == wanted, "{did:?} is not {wanted:?}");
        Ok(())
    }
}
