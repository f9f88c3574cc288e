//! The rules that hold deploys back: setting them, asking them, approving and rejecting. What they
//! say is decided in [`crate::policy`].

use hermez_api::{
    ApprovalRule, CreateFreeze, CreateFreezeException, CreateLock, DeployKind, DeployWindows,
    Freeze, HeldDeploy, RulesVerdict, ScopeRules, WorkloadLock, WorkloadRules,
};
use hermez_store::{
    DeployRecord, NewApproval, NewException, NewFreeze, RulesRecord, Scope, Store, StoreError,
    WorkloadRecord,
};
use jiff::{SignedDuration, Timestamp};

use crate::policy::window::Windows;
use crate::policy::{Held, Rule, Verdict, Wanted, approval, approval_rules, lock, verdict};
use crate::requests::{bounded, invalid};
use crate::{Road, RoadError};

/// Most people that an approval rule names.
const PEOPLE_MAX: usize = 50;
/// Most approvals that a rule asks for.
const APPROVALS_MAX: u32 = 20;
/// Most freezes that are not over.
const FREEZES_MAX: u64 = 200;
/// Longest name of a project, in characters.
const PROJECT_MAX: usize = 253;

/// What windows and approval rules are set for, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesOf {
    /// A workload.
    Workload(String),
    /// A project.
    Project(String),
}

/// What a waiting deploy was seen to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// As it is shown.
    pub held: HeldDeploy,
    /// When to look again by itself.
    pub look_again_at: Option<Timestamp>,
}

/// What a deploy waits for now; nothing when it may begin. Only the workload's own instance is
/// under its rules: a preview beside it is nobody's production.
pub(crate) async fn waits(
    store: &Store,
    workload: Option<&WorkloadRecord>,
    deploy: &DeployRecord,
    manifest: Option<&str>,
) -> Result<Option<Waits>, StoreError> {
    let Some(workload) = workload.filter(|it| it.name == deploy.instance) else {
        return Ok(None);
    };
    let now = Timestamp::now();
    let rules = store.rules_of(workload, now).await?;
    let found = judge(store, workload, deploy, manifest, &rules, now).await?;
    Ok(found.held().map(|held| Waits {
        look_again_at: found.look_again_at(),
        held,
    }))
}

/// The deploy as the rules see it.
fn wanted<'a>(
    workload: &'a WorkloadRecord,
    deploy: &'a DeployRecord,
    manifest: Option<&'a str>,
) -> Wanted<'a> {
    Wanted {
        kind: deploy.kind,
        by: &deploy.requested_by,
        workload: &workload.name,
        project: &workload.project,
        deploy_id: Some(deploy.id),
        commit: &deploy.commit,
        manifest: deploy.manifest.as_deref().or(manifest),
    }
}

async fn judge(
    store: &Store,
    workload: &WorkloadRecord,
    deploy: &DeployRecord,
    manifest: Option<&str>,
    rules: &RulesRecord,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let wanted = wanted(workload, deploy, manifest);
    let given = if approval_rules(&wanted, rules).is_empty() {
        Vec::new()
    } else {
        store.approvals(deploy.id).await?
    };
    Ok(verdict(&wanted, rules, &given, now))
}

/// How long to wait for a change: until a rule lets go, or as long as without rules.
pub(crate) fn wait_until(
    waits: Option<&Waits>,
    now: Timestamp,
    longest: std::time::Duration,
) -> std::time::Duration {
    let at = waits.and_then(|waits| waits.look_again_at);
    let left = at.map(|at| at.duration_since(now).max(SignedDuration::ZERO));
    let left = left.and_then(|left| std::time::Duration::try_from(left).ok());
    left.map_or(longest, |left| left.min(longest))
}

fn reason_of(text: &str) -> Result<String, RoadError> {
    let missing = || {
        invalid(
            "reason",
            "is missing",
            "Say why, for those who read the record",
        )
    };
    bounded("reason", Some(text))?.ok_or_else(missing)
}

fn refused_lock(lock: &WorkloadLock, workload: &str) -> RoadError {
    RoadError::Held(Held {
        rule: Rule::Locked,
        message: lock::message(lock),
        hint: Some(lock::hint(lock, workload)),
    })
}

fn no_longer(id: i64) -> RoadError {
    RoadError::NotNow {
        message: format!("deploy {id} has begun or ended, and waits for nobody"),
        hint: format!("look at it: hermez deploys show {id}"),
    }
}

/// Whether people of this role may approve deploys.
fn may_approve(role: &str) -> bool {
    hermez_access::Role::parse(role) == hermez_access::Role::Owner
}

impl Road {
    /// Refuses what somebody else's lock forbids.
    pub(crate) async fn refuse_if_locked(
        &self,
        workload: &WorkloadRecord,
        by: &str,
        now: Timestamp,
    ) -> Result<(), RoadError> {
        let found = self.parts().store.lock_of(workload.id).await?;
        match found.filter(|it| lock::is_on(it, now) && it.by != by) {
            Some(other) => Err(refused_lock(&other, &workload.name)),
            None => Ok(()),
        }
    }

    /// What would hold a deploy of a commit that `by` asks for now. A lock refuses it at once.
    pub(crate) async fn held_from_the_first(
        &self,
        workload: &WorkloadRecord,
        commit: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<HeldDeploy>, RoadError> {
        let rules = self.parts().store.rules_of(workload, now).await?;
        if let Some(other) = &rules.lock
            && lock::is_on(other, now)
            && other.by != by
        {
            return Err(refused_lock(other, &workload.name));
        }
        Ok(verdict(&asked(workload, commit, by), &rules, &[], now).held())
    }

    /// The rules of a workload, and what they would say to a deploy that `by` asked for now.
    pub async fn rules(&self, workload: &str, by: &str) -> Result<WorkloadRules, RoadError> {
        let workload = self.workload(workload).await?;
        let now = Timestamp::now();
        let rules = self.parts().store.rules_of(&workload, now).await?;
        let found = verdict(&asked(&workload, "", by), &rules, &[], now);
        Ok(WorkloadRules {
            verdict: RulesVerdict {
                allowed: found.holds.is_empty(),
                held: found.held(),
                holds: found.holds,
            },
            workload: workload.name,
            project: workload.project,
            own: rules.own,
            of_project: rules.of_project,
            freezes: rules.freezes,
            lock: rules.lock.filter(|it| lock::is_on(it, now)),
        })
    }

    /// The rules of a project.
    pub async fn project_rules(&self, project: &str) -> Result<ScopeRules, RoadError> {
        self.require_project(project).await?;
        let scope = Scope::Project(project.to_owned());
        Ok(self.parts().store.scope_rules(&scope).await?)
    }

    /// Checks that there is such a project: one that some workload belongs to.
    async fn require_project(&self, project: &str) -> Result<(), RoadError> {
        if project.chars().count() <= PROJECT_MAX && self.parts().store.has_project(project).await?
        {
            return Ok(());
        }
        let shown: String = project.chars().take(60).collect();
        Err(RoadError::Invalid {
            field: "project",
            message: format!("is `{shown}`, and no workload belongs to such a project"),
            hint: "See the projects with hermez workload list",
        })
    }

    async fn scope(&self, of: &RulesOf) -> Result<Scope, RoadError> {
        match of {
            RulesOf::Workload(name) => Ok(Scope::Workload(self.workload(name).await?.id)),
            RulesOf::Project(name) => {
                self.require_project(name).await?;
                Ok(Scope::Project(name.clone()))
            }
        }
    }

    /// Sets, or takes away, when deploys may begin. What never opens is refused.
    pub async fn set_windows(
        &self,
        of: &RulesOf,
        windows: Option<&DeployWindows>,
        by: &str,
    ) -> Result<ScopeRules, RoadError> {
        let scope = self.scope(of).await?;
        let (store, now) = (&self.parts().store, Timestamp::now());
        if let Some(windows) = windows {
            let others = match of {
                RulesOf::Workload(name) => {
                    let project = self.workload(name).await?.project;
                    let rules = store.scope_rules(&Scope::Project(project.clone())).await?;
                    let windows = rules.windows.into_iter();
                    windows
                        .map(|it| (format!("project {project}"), it))
                        .collect()
                }
                RulesOf::Project(name) => store.windows_in_project(name).await?,
            };
            Windows::check(windows, &others, now).map_err(RoadError::Window)?;
        }
        Ok(store.set_windows(&scope, windows, by, now).await?)
    }

    /// Sets, or takes away, who must approve deploys.
    pub async fn set_approvals(
        &self,
        of: &RulesOf,
        rule: Option<&ApprovalRule>,
        by: &str,
    ) -> Result<ScopeRules, RoadError> {
        let scope = self.scope(of).await?;
        let store = &self.parts().store;
        let rule = match rule {
            Some(rule) => Some(self.checked_approvals(rule).await?),
            None => None,
        };
        let now = Timestamp::now();
        Ok(store.set_approvals(&scope, rule.as_ref(), by, now).await?)
    }

    async fn checked_approvals(&self, rule: &ApprovalRule) -> Result<ApprovalRule, RoadError> {
        let mut people: Vec<String> = rule.people.iter().map(|it| it.trim().to_owned()).collect();
        people.sort();
        people.dedup();
        let role = rule.role.as_deref().map(str::trim);
        let role = role.filter(|role| !role.is_empty());
        if rule.count == 0 || rule.count > APPROVALS_MAX {
            let message = format!("is {}; 1 to {APPROVALS_MAX} are possible", rule.count);
            let hint = "For no approvals take the rule away: hermez rules approvals clear";
            return Err(invalid("count", &message, hint));
        }
        if role.is_some() != people.is_empty() {
            let hint = "Name the people who may approve, or a role, and not both";
            return Err(invalid("people", "does not go with `role`", hint));
        }
        if people.len() > PEOPLE_MAX {
            let message = format!("has {} names; at most {PEOPLE_MAX}", people.len());
            return Err(invalid("people", &message, "Name a role instead"));
        }
        if let Some(role) = role
            && hermez_access::Role::parse(role).as_str() != role
        {
            let message = format!("is `{}`", role.chars().take(40).collect::<String>());
            return Err(invalid(
                "role",
                &message,
                "Roles that people have: owner, viewer",
            ));
        }
        if role.is_none() && rule.count as usize > people.len() {
            let message = format!(
                "is {}, and {} may approve: no deploy could ever begin",
                rule.count,
                people.len()
            );
            return Err(invalid(
                "count",
                &message,
                "Ask for fewer, or name more people",
            ));
        }
        let mut able = 0;
        for name in &people {
            let found = self.parts().store.principal_by_name(name).await?;
            able += u32::from(found.as_ref().is_some_and(|it| may_approve(&it.role)));
            if found.is_none() {
                let shown: String = name.chars().take(60).collect();
                let message = format!("names `{shown}`, whom this server does not know");
                return Err(invalid(
                    "people",
                    &message,
                    "See your own name with hermez whoami",
                ));
            }
        }
        if let Some(role) = role.filter(|role| may_approve(role)) {
            let there = self.parts().store.count_principals(role).await?;
            if u64::from(rule.count) > there {
                let message = format!(
                    "is {}, and {there} have the role {role}: no deploy could ever begin",
                    rule.count
                );
                let hint = "Ask for fewer, or add people first: hermez principal create";
                return Err(invalid("count", &message, hint));
            }
        }
        let never = match role {
            Some(role) if !may_approve(role) => Some(format!(
                "is `{role}`, a role that may approve nothing: no deploy could ever begin"
            )),
            None if able < rule.count => Some(format!(
                "has {able} who may approve by their role, and {} are asked for: no deploy could ever begin",
                rule.count
            )),
            _ => None,
        };
        if let Some(message) = never {
            let field = if role.is_some() { "role" } else { "people" };
            return Err(invalid(field, &message, "Viewers only look: name owners"));
        }
        Ok(ApprovalRule {
            people,
            role: role.map(str::to_owned),
            ..rule.clone()
        })
    }

    /// Freezes deploys of a project, or all.
    pub async fn create_freeze(&self, ask: &CreateFreeze, by: &str) -> Result<Freeze, RoadError> {
        let (store, now) = (&self.parts().store, Timestamp::now());
        let reason = reason_of(&ask.reason)?;
        if let Some(project) = &ask.project {
            self.require_project(project).await?;
        }
        let from = ask.from.unwrap_or(now);
        if ask.until.is_some_and(|until| until <= now) {
            let hint = "Name a time to come, or none for a freeze without an end";
            return Err(invalid("until", "is past", hint));
        }
        if ask.until.is_some_and(|until| until <= from) {
            let hint = "A freeze begins before it ends";
            return Err(invalid("until", "is not after `from`", hint));
        }
        if store.count_open_freezes(now).await? >= FREEZES_MAX {
            return Err(RoadError::NotNow {
                message: format!("there are {FREEZES_MAX} freezes that are not over"),
                hint: "end those that are no longer wanted: hermez freeze end ID".to_owned(),
            });
        }
        let new = NewFreeze {
            project: ask.project.clone(),
            from,
            until: ask.until,
            reason,
            by: by.to_owned(),
        };
        Ok(store.create_freeze(&new, now).await?)
    }

    /// Ends a freeze; one that is over stays as it is.
    pub async fn end_freeze(&self, id: i64, by: &str) -> Result<Freeze, RoadError> {
        Ok(self
            .parts()
            .store
            .end_freeze(id, by, Timestamp::now())
            .await?)
    }

    /// Lets a workload, or one deploy, through a freeze.
    pub async fn except_from_freeze(
        &self,
        id: i64,
        ask: &CreateFreezeException,
        by: &str,
    ) -> Result<Freeze, RoadError> {
        let store = &self.parts().store;
        let reason = reason_of(&ask.reason)?;
        let workload_id = match (&ask.workload, ask.deploy_id) {
            (Some(name), None) => self.workload(name).await?.id,
            (None, Some(deploy)) => self.deploy(deploy).await?.workload_id,
            _ => {
                let hint = "Name a workload or a deploy";
                return Err(invalid(
                    "workload",
                    "or `deploy_id` is wanted, one of them",
                    hint,
                ));
            }
        };
        let missing = || StoreError::NotFound {
            what: "freeze",
            key: id.to_string(),
        };
        let freeze = store.freeze(id).await?.ok_or_else(missing)?;
        if let (Some(project), Some(workload)) =
            (&freeze.project, store.workload_by_id(workload_id).await?)
            && workload.project != *project
        {
            let message = format!("{} is not of project {project}", workload.name);
            let hint = "it is not under this freeze: hermez freeze list".to_owned();
            return Err(RoadError::NotNow { message, hint });
        }
        let new = NewException {
            workload_id,
            deploy_id: ask.deploy_id,
            reason,
            by: by.to_owned(),
        };
        let granted = store.except_from_freeze(id, &new, Timestamp::now()).await?;
        granted.ok_or_else(|| RoadError::NotNow {
            message: format!("freeze {id} is over, or has too many exceptions"),
            hint: "see what holds: hermez freeze list".to_owned(),
        })
    }

    /// Locks a workload, so that only `by` deploys it; changes one's own lock.
    pub async fn lock_workload(
        &self,
        workload: &str,
        ask: &CreateLock,
        by: &str,
    ) -> Result<WorkloadLock, RoadError> {
        let now = Timestamp::now();
        let reason = reason_of(&ask.reason)?;
        if ask.until.is_some_and(|until| until <= now) {
            let hint = "Name a time to come, or none for a lock without an end";
            return Err(invalid("until", "is past", hint));
        }
        let workload = self.workload(workload).await?;
        let new = WorkloadLock {
            by: by.to_owned(),
            at: now,
            until: ask.until,
            reason,
        };
        let store = &self.parts().store;
        let there = store.lock_workload(workload.id, &new, now).await?;
        if there.by != by {
            return Err(refused_lock(&there, &workload.name));
        }
        Ok(there)
    }

    /// Whose lock is on a workload.
    pub async fn lock_owner(&self, workload: &str) -> Result<Option<String>, RoadError> {
        let workload = self.workload(workload).await?;
        let found = self.parts().store.lock_of(workload.id).await?;
        let found = found.filter(|it| lock::is_on(it, Timestamp::now()));
        Ok(found.map(|it| it.by))
    }

    /// Takes a workload's lock off: one's own, or (`break_it`) somebody else's. Says whether there
    /// was one.
    pub async fn unlock_workload(
        &self,
        workload: &str,
        by: &str,
        break_it: bool,
    ) -> Result<bool, RoadError> {
        let workload = self.workload(workload).await?;
        let store = &self.parts().store;
        let Some(there) = store.lock_of(workload.id).await? else {
            return Ok(false);
        };
        if there.by != by && lock::is_on(&there, Timestamp::now()) && !break_it {
            return Err(refused_lock(&there, &workload.name));
        }
        Ok(store.unlock_workload(workload.id, &there.by).await?)
    }

    /// Approves a deploy, once for each person.
    pub async fn approve_deploy(
        &self,
        id: i64,
        comment: Option<&str>,
        by: &str,
        role: &str,
    ) -> Result<DeployRecord, RoadError> {
        let comment = bounded("comment", comment)?;
        let deploy = self.deploy(id).await?;
        let artifact = self.artifact_of(&deploy).await?;
        let manifest = artifact.map(|artifact| artifact.manifest);
        let rules = self.needs_approval(&deploy).await?;
        if deploy.requested_by == by {
            return Err(RoadError::NotNow {
                message: format!("{by} asked for deploy {id}, and cannot approve it"),
                hint: "ask one of those who may".to_owned(),
            });
        }
        let rules: Vec<&ApprovalRule> = rules.iter().collect();
        let workload = self
            .parts()
            .store
            .workload_by_id(deploy.workload_id)
            .await?;
        let may = workload.is_some_and(|workload| {
            let wanted = wanted(&workload, &deploy, manifest.as_deref());
            rules
                .iter()
                .any(|rule| approval::may_approve(&wanted, rule, by, role))
        });
        if !may {
            let who: Vec<String> = rules.iter().map(|rule| who(rule)).collect();
            return Err(RoadError::NotNow {
                message: format!("{by} is none of those who approve deploy {id}"),
                hint: format!("ask {}", who.join(", or ")),
            });
        }
        let new = NewApproval {
            deploy_id: id,
            by: by.to_owned(),
            role: role.to_owned(),
            comment,
            manifest: deploy.manifest.clone().or(manifest),
        };
        let store = &self.parts().store;
        let approved = store.approve_deploy(&new, Timestamp::now()).await?;
        approved.ok_or_else(|| no_longer(id))
    }

    /// Rejects a deploy that waits for approvals, which ends it.
    pub async fn reject_deploy(
        &self,
        id: i64,
        reason: &str,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = reason_of(reason)?;
        let deploy = self.deploy(id).await?;
        if deploy.rejection.is_none() {
            self.needs_approval(&deploy).await?;
        }
        let store = &self.parts().store;
        let rejected = store
            .reject_deploy(id, by, &reason, Timestamp::now())
            .await?;
        rejected.ok_or_else(|| no_longer(id))
    }

    /// The rules on approvals that a deploy is under; refused when there are none.
    async fn needs_approval(&self, deploy: &DeployRecord) -> Result<Vec<ApprovalRule>, RoadError> {
        let id = deploy.id;
        let store = &self.parts().store;
        let workload = store.workload_by_id(deploy.workload_id).await?;
        let mut found = Vec::new();
        if let Some(workload) = workload.filter(|it| it.name == deploy.instance) {
            let rules = store.rules_of(&workload, Timestamp::now()).await?;
            let wanted = wanted(&workload, deploy, None);
            let of = approval_rules(&wanted, &rules).into_iter();
            found.extend(of.map(|(_, rule)| rule.clone()));
        }
        if found.is_empty() {
            return Err(RoadError::NotNow {
                message: format!("deploy {id} needs no approval"),
                hint: format!("to stop it: hermez deploys cancel {id}"),
            });
        }
        Ok(found)
    }
}

/// Who approves under a rule, in words.
fn who(rule: &ApprovalRule) -> String {
    match &rule.role {
        Some(role) => format!("somebody with the role {role}"),
        None => rule.people.join(", "),
    }
}

/// A deploy of a commit that is only thought of.
fn asked<'a>(workload: &'a WorkloadRecord, commit: &'a str, by: &'a str) -> Wanted<'a> {
    Wanted {
        kind: DeployKind::Regular,
        by,
        workload: &workload.name,
        project: &workload.project,
        deploy_id: None,
        commit,
        manifest: None,
    }
}
