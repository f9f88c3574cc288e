//! Labels, annotations and field managers that Hermez writes.
//!
//! Owns the words only. They are part of the contract with clusters that already run: changing one
//! orphans what was made under the old name.

/// API group of the six kinds.
pub const GROUP: &str = "pinterest.com";
/// API version of the six kinds.
pub const VERSION: &str = "v1";
/// `apiVersion` of the six kinds.
pub const API_VERSION: &str = "pinterest.com/v1";
/// Category that lists all six kinds: `kubectl get hermez`.
pub const CATEGORY: &str = "hermez";

/// Field manager of deploys, which write the custom resource.
pub const DEPLOY_MANAGER: &str = "hermez";
/// Field manager of the controller, which writes what the custom resource is translated to.
pub const CONTROLLER_MANAGER: &str = "hermez-controller";

/// Label `app` of the talk.
pub const APP_LABEL: &str = "app";
/// Label `name` of the talk; pods are selected by it.
pub const NAME_LABEL: &str = "name";
/// Kubernetes' own label for the tool that manages an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "hermez";
/// Selects everything that Hermez made.
pub const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=hermez";
/// Label that names the workload on everything made for it.
pub const WORKLOAD_LABEL: &str = "pinterest.com/workload";
/// Label that names the project (`metadata.project` of the config file).
pub const PROJECT_LABEL: &str = "pinterest.com/project";

/// Label that tells the groups of a workload's pods from each other (`jobmanager`, `taskmanager`).
pub const ROLE_LABEL: &str = "pinterest.com/role";
/// Label of a pod with the revision of its workload's spec that it was made from.
pub const REVISION_LABEL: &str = "pinterest.com/revision";

/// Annotation with the commit (40 hexadecimal digits) that was deployed.
pub const COMMIT_ANNOTATION: &str = "hermez.dev/commit";
/// Annotation with the number of the deploy.
pub const DEPLOY_ANNOTATION: &str = "hermez.dev/deploy";
/// Annotation with the repository's URL, without credentials.
pub const REPOSITORY_ANNOTATION: &str = "hermez.dev/repository";
/// Annotation with the time of the last restart that was asked for; it stands on the pods too, so
/// that they are replaced when it changes.
pub const RESTARTED_ANNOTATION: &str = "hermez.dev/restarted-at";
/// Annotation that holds a rollout (`true`).
pub const PAUSED_ANNOTATION: &str = "hermez.dev/paused";
/// Annotation with the hash of what the controller last applied.
pub const APPLIED_ANNOTATION: &str = "hermez.dev/applied";
/// Annotation of a pod template with the hash of `configs`, so that pods restart when it changes.
pub const CONFIGS_ANNOTATION: &str = "hermez.dev/configs";
/// Annotation with the role that the workload's pods take (`iamrole` of the talk).
pub const IAMROLE_ANNOTATION: &str = "pinterest.com/iamrole";
