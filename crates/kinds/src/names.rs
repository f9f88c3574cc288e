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

/// Label of a pull request's own instance with the name of the workload that it is of.
pub const PREVIEW_OF_LABEL: &str = "hermez.dev/preview-of";
/// Label of a pull request's own instance with the pull request's number.
pub const PULL_REQUEST_LABEL: &str = "hermez.dev/pull-request";

/// Label of a canary with the name of the workload that it is tried beside.
pub const CANARY_OF_LABEL: &str = "hermez.dev/canary-of";

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

/// Annotation of an object that makes pods with the runtime profile that it was translated through,
/// as `NAME@VERSION`.
pub const PROFILE_ANNOTATION: &str = "hermez.dev/profile";
/// Annotation of an object that makes pods with the hash of its resource's spec, replicas and
/// autoscaling apart.
pub const SPEC_ANNOTATION: &str = "hermez.dev/spec";
/// Label of a resource that only the Hermez of this class looks after; without it, the Hermez
/// without a class does. So that two of them share a cluster and never a resource.
pub const CLASS_LABEL: &str = "hermez.dev/class";
/// Label of what Hermez keeps for itself in its own namespace, with what it is.
pub const PART_LABEL: &str = "hermez.dev/part";
/// Namespace of what Hermez keeps for itself, unless it is told another.
pub const OWN_NAMESPACE: &str = "hermez-system";
/// Annotation of a Job that was started by hand, with the value `manual`; kubectl writes it too.
pub const MANUAL_ANNOTATION: &str = "cronjob.kubernetes.io/instantiate";
/// Annotation of a Job with the name of the person who started it.
pub const RUN_BY_ANNOTATION: &str = "hermez.dev/run-by";
/// Field manager of what people set by hand through Hermez (`suspend`); deploys leave it alone.
pub const HAND_MANAGER: &str = "hermez-hand";
/// Annotation of a resource with the number of the change by which a person, through Hermez, says how
/// many pods it has: deploys leave the number alone.
pub const SCALE_ANNOTATION: &str = "hermez.dev/scale";
/// Annotation of a resource whose autoscaling a person has set (`hand`) or turned off (`off`):
/// deploys leave it alone.
pub const AUTOSCALING_ANNOTATION: &str = "hermez.dev/autoscaling";
/// Annotation of a resource with what its config file says of the number of pods, as JSON: what comes
/// back when nobody else says how many there are.
pub const FILE_SCALE_ANNOTATION: &str = "hermez.dev/file-scale";
/// Annotation of a resource with the number of the change that last gave the number of pods back to the
/// config file: whoever set another one after that keeps it when the same change is tried again.
pub const RELEASED_ANNOTATION: &str = "hermez.dev/scale-released";
/// Label of jobs, Deployments and their pods with the number of the attempt that they belong to.
pub const ATTEMPT_LABEL: &str = "pinterest.com/attempt";
/// Label of pods with their workload's kind, where the controller watches them.
pub const KIND_LABEL: &str = "pinterest.com/kind";
/// Label of a pod of a gang with its rank; written when the pod is let go.
pub const RANK_LABEL: &str = "pinterest.com/rank";
/// Gate that holds the pods of a gang back until all of them can start.
pub const GANG_GATE: &str = "pinterest.com/gang";
/// Annotation of a resource: another value runs an unchanged spec once more.
pub const RUN_ANNOTATION: &str = "hermez.dev/run";
/// Annotation of a job with the hash of the pods that it was made with, which cannot change.
pub const TEMPLATE_ANNOTATION: &str = "hermez.dev/template";
/// Kubernetes' own annotation of a job's pod with its index.
pub const INDEX_ANNOTATION: &str = "batch.kubernetes.io/job-completion-index";
/// Annotation of a streaming job that asks for a savepoint whenever it is changed.
pub const SAVEPOINT_ANNOTATION: &str = "pinterest.com/savepoint";
