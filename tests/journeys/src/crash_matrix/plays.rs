//! What is played, and which effects must be seen of it.

/// What is played at each point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// The other of two versions, which have their artifacts, is deployed.
    Deploy,
    /// A commit is pushed, and is built and deployed by itself.
    Push,
    /// The pods are replaced.
    Restart,
    /// A deploy is held while it is verified, and let go on.
    Pause,
    /// A deploy is canceled while it is verified.
    Cancel,
    /// What ran before is brought back by a person.
    Rollback,
    /// A version that the API server refuses fails, and what ran is brought back by itself.
    Fail,
    /// A rollout strategy is set, a version is tried as a canary and promoted, and the strategy goes.
    Canary,
    /// A commit is picked onto what runs, pushed as a branch, built and deployed.
    Hotfix,
    /// A pull request is opened and gets its preview; it is closed, and the preview goes.
    Preview,
    /// A number of pods is asked for, with an end after which the file's comes back.
    Scale,
    /// A rule holds a deploy, which goes on when two people have approved it, and the rule goes.
    Held,
    /// What a rollback left is taken back in the repository, as a pull request.
    Revert,
    /// A preview is put to sleep, and the next visit wakes it.
    Sleep,
    /// The number of pods follows their load, and is the file's again.
    Autoscale,
    /// A workload is created from another repository, deployed, and deleted.
    Create,
    /// A canary that waits for a word is canceled instead.
    CancelCanary,
    /// Behind a canary that waits, a deploy is superseded by a newer one, and a restart is canceled;
    /// the canary makes way, and the newer one is brought out.
    Queue,
    /// A commit whose build fails is deployed.
    BuildFails,
    /// A version goes through two clusters in waves, and the strategy goes.
    Waves,
}

/// The write of the resource, which is another thing in each play.
const RESOURCE: &str = "PATCH pinterestservices by hermez";
/// What is asked for, in one transaction with its line of the record.
const ASKED: &str = "insert audit_entry, insert deploy";

/// What is seen of another workload from its creation to its end.
const ANOTHER: &[&str] = &[
    "insert workload",
    "forge: POST hooks",
    "insert build",
    ASKED,
    "PATCH pinterestservices of another",
    "DELETE pinterestservices of another",
    "update workload",
    "forge: DELETE hooks",
];

/// What is seen of a canary that is canceled; all of it is its own.
const CANARY_CANCELED: &[&str] = &[
    "update deploy cancel",
    "DELETE pinterestservices of a canary",
    "update deploy to canceled",
];

/// What is seen of deploys that wait for another; all of it is their own: the first that is asked
/// for, superseded and canceled is one that waits.
const QUEUED: &[&str] = &[
    ASKED,
    "update deploy to queued",
    "update deploy to superseded",
    "update deploy cancel",
    "update deploy to canceled",
    "update deploy to applying",
];

/// What is seen of a deploy whose build fails; all of it is its own.
const BUILD_FAILED: &[&str] = &[
    "update build to queued",
    "update deploy to building",
    "update build to failed",
    "update deploy to failed",
];

impl Play {
    /// All plays, in the order in which they are played.
    pub const ALL: [Self; 20] = [
        Self::Deploy,
        Self::Push,
        Self::Restart,
        Self::Pause,
        Self::Cancel,
        Self::Rollback,
        Self::Fail,
        Self::Canary,
        Self::Hotfix,
        Self::Preview,
        Self::Scale,
        Self::Held,
        Self::Revert,
        Self::Sleep,
        Self::Autoscale,
        Self::Create,
        Self::CancelCanary,
        Self::Queue,
        Self::BuildFails,
        Self::Waves,
    ];

    /// The play of that name, as it is printed, in any letters.
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |play: &Self| format!("{play:?}").eq_ignore_ascii_case(name.trim());
        Self::ALL.into_iter().find(is_it)
    }

    /// Parts of the names of its points that are its own, although a play before it had them.
    pub fn own(self) -> &'static [&'static str] {
        match self {
            Self::Deploy | Self::Push | Self::Pause | Self::Cancel => &[],
            Self::Restart | Self::Rollback | Self::Fail => &["insert deploy", RESOURCE],
            Self::Canary => &["canary", "promoted"],
            Self::Hotfix => &["insert deploy"],
            Self::Preview => &["preview", "insert deploy"],
            Self::Scale => &["scale", "PATCH pinterestservices"],
            Self::Held => &[
                "rule_set",
                "insert deploy",
                "update deploy held",
                "update deploy to applying",
            ],
            Self::Revert => &["git push", "POST pulls", "deploy_revert"],
            Self::Sleep => &["preview"],
            Self::Autoscale => &[
                "scale",
                "PATCH pinterestservices",
                "horizontalpodautoscalers",
            ],
            Self::Create => &[
                "insert workload",
                "update workload",
                "insert build",
                "insert deploy",
                "hooks",
                "of another",
            ],
            Self::CancelCanary => CANARY_CANCELED,
            Self::Queue => QUEUED,
            Self::BuildFails => BUILD_FAILED,
            Self::Waves => &["cluster east", "the next wave"],
        }
    }

    /// Parts of the names of effects that must have been seen when it was played: a proxy that sees
    /// nothing proves nothing.
    pub fn must_see(self) -> &'static [&'static str] {
        match self {
            Self::Deploy => &[
                ASKED,
                "update deploy to applying",
                "update deploy to rolling_out",
                "update deploy to verifying",
                "update deploy to succeeded",
                RESOURCE,
                "PATCH deployments by hermez-controller",
            ],
            Self::Push => &[
                "insert push",
                "delete push",
                "insert build",
                "update build to running",
                "update build to succeeded",
                "PUT the image",
                "PUT the manifest",
                ASKED,
            ],
            Self::Restart | Self::Rollback => &["insert deploy", RESOURCE],
            Self::Pause | Self::Cancel => &["insert audit_entry, insert deploy", "update deploy"],
            Self::Fail => &["insert deploy", "update deploy to failed"],
            Self::Canary => &[
                "workload_strategy",
                "update deploy to canary",
                "PATCH pinterestservices of a canary",
                "DELETE pinterestservices of a canary",
                "PATCH deployments of a canary",
                RESOURCE,
                "update deploy to succeeded",
            ],
            Self::Hotfix => &[
                "forge: git push",
                "insert deploy, insert hotfix",
                "insert build",
                "update build to succeeded",
                "update deploy to succeeded",
                RESOURCE,
            ],
            Self::Preview => &[
                "insert preview",
                "update build to succeeded",
                "PATCH pinterestservices of a preview",
                "forge: POST issues",
                "forge: POST statuses",
                "update preview to removing",
                "DELETE pinterestservices of a preview",
                "update preview to removed",
            ],
            Self::Scale => &[
                "insert scale_change",
                "PATCH pinterestservices",
                "update scale_change to active",
                "update scale_change to ended",
            ],
            Self::Held => &[
                "rule_set",
                ASKED,
                "insert deploy_approval",
                "update deploy held",
                "update deploy to applying",
                "update deploy to succeeded",
            ],
            Self::Revert => &[
                "forge: git push",
                "forge: POST pulls",
                "insert deploy_revert",
            ],
            Self::Sleep => &[
                "update preview to sleeping",
                "update preview to waking",
                "update preview to active",
                "PATCH pinterestservices of a preview",
                "PATCH deployments of a preview",
            ],
            Self::Autoscale => &[
                "insert scale_change",
                "PATCH pinterestservices",
                "PATCH horizontalpodautoscalers",
                "DELETE horizontalpodautoscalers",
                "update scale_change to active",
                "update scale_change to ended",
            ],
            Self::Create => ANOTHER,
            Self::CancelCanary => CANARY_CANCELED,
            Self::Queue => QUEUED,
            Self::BuildFails => BUILD_FAILED,
            Self::Waves => &[
                "cluster east: PATCH pinterestservices by hermez",
                "cluster east: PATCH deployments by hermez-controller",
                "update deploy to applying the next wave",
                "update deploy to succeeded",
            ],
        }
    }

    /// Whether each push of it has one line in the record. In the others, what is pushed is no branch
    /// that matters, and a server that is away when it is told of it does not follow it.
    pub fn records_pushes(self) -> bool {
        self == Self::Push
    }

    /// Whether what is kept of the first (marks, pins, the resource in the second cluster) is there at
    /// every further one.
    pub fn leaves_marks(self) -> bool {
        matches!(
            self,
            Self::Rollback | Self::Fail | Self::Revert | Self::Waves
        )
    }
}
