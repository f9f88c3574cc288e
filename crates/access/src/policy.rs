//! The decision: pure, without clock, network or database.

/// What a principal may do. More roles come with policies; [`authorize`] stays the one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Owner,
    /// Look at everything, change nothing.
    Viewer,
    /// A forge: tell about pushes to its one repository.
    Forge,
    /// Hermez itself, acting on what it was told before.
    System,
}

impl Role {
    /// As it is kept and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Viewer => "viewer",
            Self::Forge => "forge",
            Self::System => "system",
        }
    }

    /// The role of this name; an unknown one may only look.
    pub fn parse(name: &str) -> Self {
        match name {
            "owner" => Self::Owner,
            "forge" => Self::Forge,
            "system" => Self::System,
            _ => Self::Viewer,
        }
    }
}

/// How somebody was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// An API token.
    Token {
        /// Its number.
        id: i64,
    },
    /// A browser's session.
    Session {
        /// Its number.
        id: i64,
    },
    /// A webhook's signature.
    Webhook {
        /// The repository's number.
        repository_id: i64,
    },
    /// Hermez itself.
    System,
}

impl Via {
    /// As the API shows it: `token`, `session`, `webhook` or `system`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::Session { .. } => "session",
            Self::Webhook { .. } => "webhook",
            Self::System => "system",
        }
    }
}

/// Somebody or something that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Number; 0 for forges and for Hermez itself.
    pub id: i64,
    /// Unique name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How they were recognised.
    pub via: Via,
}

impl Principal {
    /// Hermez itself.
    pub fn system() -> Self {
        Self {
            id: 0,
            name: "hermez".to_owned(),
            role: Role::System,
            via: Via::System,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Look at anything but what the three below are for.
    Read,
    /// Look at the record of changes.
    AuditRead,
    /// Look at who may sign in.
    PrincipalRead,
    /// Add somebody who may sign in.
    PrincipalCreate,
    /// Look at tokens.
    TokenRead,
    /// Make a token.
    TokenCreate,
    /// Revoke a token.
    TokenRevoke,
    /// Make a login link.
    LoginLinkCreate,
    /// Use a login link.
    LoginLinkRedeem,
    /// End one's own session.
    SessionEnd,
    /// Read a repository to plan a workload (this uses credentials and fetches).
    WorkloadPlan,
    /// Create a workload.
    WorkloadCreate,
    /// Change a workload's settings.
    WorkloadUpdate,
    /// Delete a workload.
    WorkloadDelete,
    /// Fetch a workload's repository.
    WorkloadSync,
    /// Keep a workload from running by its schedule.
    WorkloadSuspend,
    /// Let a workload run by its schedule again.
    WorkloadResume,
    /// Run a workload now.
    RunCreate,
    /// Tell about a push.
    Push,
    /// Ask for a build.
    BuildCreate,
    /// Stop a build.
    BuildCancel,
    /// Ask for a deploy.
    DeployCreate,
    /// Stop a deploy.
    DeployCancel,
    /// Pause or resume the rollout of the runtime profile.
    ProfileRollout,
    /// Put back what somebody edited in the cluster.
    DriftCorrect,
    /// Bring back what ran before.
    DeployRollback,
    /// Deploy commits that are picked onto what runs.
    DeployHotfix,
    /// Propose a pull request that takes back what a rollback left.
    DeployRevert,
    /// Replace the pods of what runs.
    DeployRestart,
    /// Hold a rollout.
    DeployPause,
    /// Let a rollout go on.
    DeployResume,
    /// Take a workload's pin off.
    WorkloadUnpin,
    /// Change how many pods a workload has.
    WorkloadScale,
    /// Set when deploys may begin, or who must approve them.
    RulesUpdate,
    /// Set what new versions must pass.
    GatesUpdate,
    /// Set how new versions reach a workload's pods.
    StrategyUpdate,
    /// Promote a canary.
    DeployPromote,
    /// Freeze deploys.
    FreezeCreate,
    /// End a freeze.
    FreezeEnd,
    /// Grant an exception from a freeze.
    FreezeExcept,
    /// Lock a workload.
    WorkloadLock,
    /// Take one's own lock off.
    WorkloadUnlock,
    /// Take somebody else's lock off.
    LockBreak,
    /// Approve a deploy.
    DeployApprove,
    /// Reject a deploy.
    DeployReject,
    /// Deploy a pull request beside what runs.
    PreviewDeploy,
    /// Let the commit of a fork be deployed.
    PreviewAllow,
    /// Let a preview sleep, or wake it.
    PreviewSleep,
    /// Remove a preview.
    PreviewRemove,
    /// Share a preview with whoever has a link, or end that.
    PreviewShare,
}

impl Action {
    /// As the record of changes has it, for example `workload.create`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::AuditRead => "audit.read",
            Self::PrincipalRead => "principal.read",
            Self::PrincipalCreate => "principal.create",
            Self::TokenRead => "token.read",
            Self::TokenCreate => "token.create",
            Self::TokenRevoke => "token.revoke",
            Self::LoginLinkCreate => "login_link.create",
            Self::LoginLinkRedeem => "login_link.redeem",
            Self::SessionEnd => "session.end",
            Self::WorkloadPlan => "workload.plan",
            Self::WorkloadCreate => "workload.create",
            Self::WorkloadUpdate => "workload.update",
            Self::WorkloadDelete => "workload.delete",
            Self::WorkloadSync => "workload.sync",
            Self::WorkloadSuspend => "workload.suspend",
            Self::WorkloadResume => "workload.resume",
            Self::RunCreate => "run.create",
            Self::Push => "push",
            Self::BuildCreate => "build.create",
            Self::BuildCancel => "build.cancel",
            Self::DeployCreate => "deploy.create",
            Self::DeployCancel => "deploy.cancel",
            Self::ProfileRollout => "profile.rollout",
            Self::DriftCorrect => "drift.correct",
            Self::DeployRollback => "deploy.rollback",
            Self::DeployHotfix => "deploy.hotfix",
            Self::DeployRevert => "deploy.revert",
            Self::DeployRestart => "deploy.restart",
            Self::DeployPause => "deploy.pause",
            Self::DeployResume => "deploy.resume",
            Self::WorkloadUnpin => "workload.unpin",
            Self::WorkloadScale => "workload.scale",
            Self::RulesUpdate => "rules.update",
            Self::GatesUpdate => "gates.update",
            Self::StrategyUpdate => "strategy.update",
            Self::DeployPromote => "deploy.promote",
            Self::FreezeCreate => "freeze.create",
            Self::FreezeEnd => "freeze.end",
            Self::FreezeExcept => "freeze.except",
            Self::WorkloadLock => "workload.lock",
            Self::WorkloadUnlock => "workload.unlock",
            Self::LockBreak => "lock.break",
            Self::DeployApprove => "deploy.approve",
            Self::DeployReject => "deploy.reject",
            Self::PreviewDeploy => "preview.deploy",
            Self::PreviewAllow => "preview.allow",
            Self::PreviewSleep => "preview.sleep",
            Self::PreviewRemove => "preview.remove",
            Self::PreviewShare => "preview.share",
        }
    }
}

/// What something is to be done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The server as a whole.
    Server,
    /// A workload, by its name (which need not exist yet).
    Workload(String),
    /// A repository, by its number.
    Repository(i64),
    /// A repository that is not known yet, by its URL without credentials.
    RepositoryUrl(String),
    /// A build, by its number.
    Build(i64),
    /// A deploy, by its number.
    Deploy(i64),
    /// A token, by its number.
    Token(String),
    /// A principal, by its name.
    Principal(String),
    /// A project, by its name.
    Project(String),
    /// A freeze, by its number.
    Freeze(i64),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Workload(name) => write!(f, "workload/{name}"),
            Self::Repository(id) => write!(f, "repository/{id}"),
            Self::RepositoryUrl(url) => write!(f, "repository/{url}"),
            Self::Build(id) => write!(f, "build/{id}"),
            Self::Deploy(id) => write!(f, "deploy/{id}"),
            Self::Token(id) => write!(f, "token/{id}"),
            Self::Principal(name) => write!(f, "principal/{name}"),
            Self::Project(name) => write!(f, "project/{name}"),
            Self::Freeze(id) => write!(f, "freeze/{id}"),
        }
    }
}

/// The answer of [`authorize`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Allow,
    /// It may not.
    Deny {
        /// Why not, as a clause.
        reason: String,
    },
}

/// Whether `principal` may do `action` to `target`.
pub fn authorize(principal: &Principal, action: Action, target: &Target) -> Decision {
    let deny = |reason: &str| Decision::Deny {
        reason: reason.to_owned(),
    };
    match (principal.role, principal.via) {
        (Role::Owner | Role::System, _) => Decision::Allow,
        (Role::Viewer, _) => match action {
            Action::Read | Action::SessionEnd => Decision::Allow,
            _ => deny("viewers may look and change nothing"),
        },
        (Role::Forge, Via::Webhook { repository_id }) => match (action, target) {
            (Action::Push, Target::Repository(id)) if *id == repository_id => Decision::Allow,
            _ => deny("a webhook may tell about pushes to its own repository, and nothing else"),
        },
        (Role::Forge, _) => deny("a forge speaks by webhooks only"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk(role: Role, via: Via) -> Principal {
        Principal {
            id: 1,
            name: "someone".to_owned(),
            role,
            via,
        }
    }

    /// Every action there is; a new one fails to compile here until it is added.
    #[expect(clippy::too_many_lines, reason = "a list is as long as what it lists")]
    fn all() -> Vec<Action> {
        use Action as A;
        let all = [
            A::Read,
            A::AuditRead,
            A::PrincipalRead,
            A::PrincipalCreate,
            A::TokenRead,
            A::TokenCreate,
            A::TokenRevoke,
            A::LoginLinkCreate,
            A::LoginLinkRedeem,
            A::SessionEnd,
            A::WorkloadPlan,
            A::WorkloadCreate,
            A::WorkloadUpdate,
            A::WorkloadDelete,
            A::WorkloadSync,
            A::WorkloadSuspend,
            A::WorkloadResume,
            A::RunCreate,
            A::Push,
            A::BuildCreate,
            A::BuildCancel,
            A::DeployCreate,
            A::DeployCancel,
            A::ProfileRollout,
            A::DriftCorrect,
            A::DeployRollback,
            A::DeployHotfix,
            A::DeployRevert,
            A::DeployRestart,
            A::DeployPause,
            A::DeployResume,
            A::WorkloadUnpin,
            A::WorkloadScale,
            A::RulesUpdate,
            A::GatesUpdate,
            A::StrategyUpdate,
            A::DeployPromote,
            A::FreezeCreate,
            A::FreezeEnd,
            A::FreezeExcept,
            A::WorkloadLock,
            A::WorkloadUnlock,
            A::LockBreak,
            A::DeployApprove,
            A::DeployReject,
            A::PreviewDeploy,
            A::PreviewAllow,
            A::PreviewSleep,
            A::PreviewRemove,
            A::PreviewShare,
        ];
        for action in all {
            match action {
                A::Read
                | A::AuditRead
                | A::PrincipalRead
                | A::PrincipalCreate
                | A::TokenRead
                | A::TokenCreate
                | A::TokenRevoke
                | A::LoginLinkCreate
                | A::LoginLinkRedeem
                | A::SessionEnd
                | A::WorkloadPlan
                | A::WorkloadCreate
                | A::WorkloadUpdate
                | A::WorkloadDelete
                | A::WorkloadSync
                | A::WorkloadSuspend
                | A::WorkloadResume
                | A::RunCreate
                | A::Push
                | A::BuildCreate
                | A::BuildCancel
                | A::DeployCreate
                | A::DeployCancel
                | A::ProfileRollout
                | A::DriftCorrect
                | A::DeployRollback
                | A::DeployHotfix
                | A::DeployRevert
                | A::DeployRestart
                | A::DeployPause
                | A::DeployResume
                | A::WorkloadUnpin
                | A::WorkloadScale
                | A::RulesUpdate
                | A::GatesUpdate
                | A::StrategyUpdate
                | A::DeployPromote
                | A::FreezeCreate
                | A::FreezeEnd
                | A::FreezeExcept
                | A::WorkloadLock
                | A::WorkloadUnlock
                | A::LockBreak
                | A::DeployApprove
                | A::DeployReject
                | A::PreviewDeploy
                | A::PreviewAllow
                | A::PreviewSleep
                | A::PreviewRemove
                | A::PreviewShare => {}
            }
        }
        all.to_vec()
    }

    fn allowed(principal: &Principal, target: &Target) -> Vec<&'static str> {
        let decide = |action: &Action| authorize(principal, *action, target) == Decision::Allow;
        let allowed = all().into_iter().filter(decide);
        allowed.map(Action::as_str).collect()
    }

    #[test]
    fn owners_may_do_everything() {
        let owner = mk(Role::Owner, Via::Token { id: 1 });
        assert_eq!(allowed(&owner, &Target::Server).len(), all().len());
    }

    #[test]
    fn viewers_only_look() {
        let viewer = mk(Role::Viewer, Via::Session { id: 1 });
        let target = Target::Workload("hello".to_owned());
        assert_eq!(allowed(&viewer, &target), ["read", "session.end"]);
    }

    #[test]
    fn a_forge_tells_about_its_own_repository_only() {
        let forge = mk(Role::Forge, Via::Webhook { repository_id: 7 });
        assert_eq!(allowed(&forge, &Target::Repository(7)), ["push"]);
        assert!(allowed(&forge, &Target::Repository(8)).is_empty());
        assert!(allowed(&forge, &Target::Server).is_empty());
        assert!(
            allowed(
                &mk(Role::Forge, Via::Token { id: 1 }),
                &Target::Repository(7)
            )
            .is_empty()
        );
    }

    #[test]
    fn an_unknown_role_may_only_look() {
        assert_eq!(Role::parse("wizard"), Role::Viewer);
        for role in [Role::Owner, Role::Viewer, Role::Forge, Role::System] {
            assert_eq!(Role::parse(role.as_str()), role);
        }
    }

    #[test]
    fn names_of_actions_differ() {
        let mut names: Vec<_> = all().into_iter().map(Action::as_str).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }
}
