//! Rules that hold deploys back: windows, freezes, approvals and locks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A day of the week.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// Times of a week in which deploys may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployWindow {
    /// Days on which it opens (1 to 7).
    pub days: Vec<Weekday>,
    /// When it opens, by the clocks of the time zone: `HH:MM`, from `00:00` to `23:59`.
    pub from: String,
    /// When it closes: `HH:MM`, up to `24:00`. Earlier than `from` means on the next day.
    pub to: String,
}

/// When deploys of a workload, or of a project's workloads, may begin: in any of the windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployWindows {
    /// An IANA time zone, for example `Europe/Berlin`.
    pub time_zone: String,
    /// The windows (1 to 20).
    pub windows: Vec<DeployWindow>,
}

/// How many must approve a deploy, and who may. Never the one who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// Approvals that a deploy needs (1 to 20).
    pub count: u32,
    /// Names of those who may approve (at most 50); either these or `role`.
    #[serde(default)]
    pub people: Vec<String>,
    /// Everybody with this role may approve, for example `owner`.
    #[serde(default)]
    pub role: Option<String>,
    /// Whether rollbacks need approvals, too.
    #[serde(default)]
    pub rollback_needs_approval: bool,
}

/// The rules that are set for one workload, or for one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeRules {
    /// When deploys may begin; any time when absent.
    pub windows: Option<DeployWindows>,
    /// Who must approve; nobody when absent.
    pub approvals: Option<ApprovalRule>,
    /// Who changed them last.
    pub changed_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
}

/// What a rule is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleScope {
    /// One workload.
    Workload,
    /// All workloads of a project.
    Project,
    /// All workloads.
    Everywhere,
}

/// Asks for a freeze: no deploys until it is over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFreeze {
    /// Project whose workloads are frozen; all workloads when absent.
    #[serde(default)]
    pub project: Option<String>,
    /// When it begins; now when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// When it is over; when somebody ends it when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why (1 to 1,000 characters).
    pub reason: String,
}

/// No deploys for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Freeze {
    /// Rising number.
    pub id: i64,
    /// Project whose workloads are frozen; all workloads when absent.
    pub project: Option<String>,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When it is over; when somebody ends it when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// When they did.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When somebody ended it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// What may be deployed all the same.
    pub exceptions: Vec<FreezeException>,
}

/// Asks for an exception from a freeze: for a workload or for one deploy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateFreezeException {
    /// Workload that may be deployed as long as the freeze lasts.
    #[serde(default)]
    pub workload: Option<String>,
    /// Deploy that may begin.
    #[serde(default)]
    pub deploy_id: Option<i64>,
    /// Why (1 to 1,000 characters).
    pub reason: String,
}

/// What may be deployed in spite of a freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreezeException {
    /// Workload that may be deployed.
    pub workload: String,
    /// The one deploy that is meant; all of the workload when absent.
    pub deploy_id: Option<i64>,
    /// Why.
    pub reason: String,
    /// Who granted it.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Asks for a workload's lock.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLock {
    /// Why nobody else is to deploy (1 to 1,000 characters).
    pub reason: String,
    /// When it comes off by itself; never when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// Only one person may deploy a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadLock {
    /// Who may.
    pub by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When it comes off by itself; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// Approves a deploy.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApproval {
    /// What there is to say (at most 1,000 characters).
    #[serde(default)]
    pub comment: Option<String>,
}

/// Rejects a deploy, which ends it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRejection {
    /// Why (1 to 1,000 characters).
    pub reason: String,
}

/// An approval that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Who approved.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What they said.
    pub comment: Option<String>,
}

/// How far the approvals of a deploy are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalState {
    /// Approvals that it needs.
    pub needed: u32,
    /// Those that count, oldest first.
    pub given: Vec<Approval>,
    /// Names of those who may still approve; empty where a role may.
    pub people: Vec<String>,
    /// The role whose members may approve, where it is a role.
    pub role: Option<String>,
}

/// A kind of rule that can hold back a deploy that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldingRule {
    /// Somebody else locked the workload.
    Lock,
    /// The project, or everything, is frozen.
    Freeze,
    /// It is outside of the deploy window.
    Window,
    /// Approvals are missing.
    Approval,
}

/// What a deploy waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldDeploy {
    /// The first of the rules that hold it.
    pub rule: HoldingRule,
    /// What the rules say.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// When it goes on by itself; absent where somebody has to do something.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// How far its approvals are, where it needs some.
    pub approvals: Option<ApprovalState>,
}

/// One rule that holds a deploy back now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    /// The kind of rule.
    pub rule: HoldingRule,
    /// What it is set for.
    pub scope: RuleScope,
    /// What it says.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// When this rule allows it by itself; absent where somebody has to do something.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub allowed_at: Option<Timestamp>,
}

/// What would become of a deploy that the caller asked for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RulesVerdict {
    /// Whether it could begin at once.
    pub allowed: bool,
    /// What it would wait for.
    pub held: Option<HeldDeploy>,
    /// Each rule that would hold it.
    pub holds: Vec<Hold>,
}

/// The rules of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadRules {
    /// The workload.
    pub workload: String,
    /// Its project.
    pub project: String,
    /// What is set for the workload itself.
    pub own: ScopeRules,
    /// What is set for its project; both must allow a deploy.
    pub of_project: ScopeRules,
    /// Freezes that hold it now or will, of the project and everywhere.
    pub freezes: Vec<Freeze>,
    /// The lock.
    pub lock: Option<WorkloadLock>,
    /// What would become of a deploy that the caller asked for now.
    pub verdict: RulesVerdict,
}

/// The rules of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectRules {
    /// The project.
    pub project: String,
    /// What is set for it.
    #[serde(flatten)]
    pub rules: ScopeRules,
}
