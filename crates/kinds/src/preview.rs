//! A pull request's own instance of a workload: the same resource under another name, and small. Pure.
//!
//! What would reach beyond the instance is taken away: load balancers (it is reached through the
//! preview gateway), autoscaling, a Service's name that another resource has. What runs by a
//! schedule is suspended, and runs on request.

use serde_json::{Value, json};

use crate::config::{Config, ConfigError};
use crate::kind::Kind;
use crate::names::{PREVIEW_OF_LABEL, PULL_REQUEST_LABEL, RUN_ANNOTATION};

/// What a preview is to be.
#[derive(Debug, Clone, Copy)]
pub struct PreviewOf<'a> {
    /// Name of the instance.
    pub instance: &'a str,
    /// Number of the pull request.
    pub pull_request: i64,
    /// Pods, where the kind has a count.
    pub replicas: i32,
    /// Number of the deploy: jobs run once for each.
    pub deploy_id: i64,
}

/// Whether a preview of this kind can sleep at no pods, and wake again.
pub fn sleeps(kind: Kind) -> bool {
    matches!(kind, Kind::Service | Kind::StatefulSet)
}

/// Whether a preview of this kind runs once for each deploy, so that a push must not bring it out.
pub fn runs_once(kind: Kind) -> bool {
    matches!(kind, Kind::JobSet | Kind::TrainingJob)
}

/// Longest name of an instance of this kind, in characters.
pub fn longest_name(kind: Kind) -> usize {
    match kind {
        // The names of their pods and runs begin with it.
        Kind::CronJob | Kind::StatefulSet => 52,
        _ => 63,
    }
}

/// The config of a pull request's own instance.
///
/// # Errors
/// [`ConfigError`] when what is left breaks a rule of its kind.
pub fn preview(config: &Config, of: PreviewOf<'_>) -> Result<Config, ConfigError> {
    let kind = config.resource.kind();
    let mut shaped = config.clone();
    let mut value = config.resource.to_json();
    let metadata = &mut value["metadata"];
    metadata["name"] = of.instance.into();
    metadata["labels"][PREVIEW_OF_LABEL] = config.name.as_str().into();
    metadata["labels"][PULL_REQUEST_LABEL] = of.pull_request.to_string().into();
    if runs_once(kind) {
        metadata["annotations"][RUN_ANNOTATION] = of.deploy_id.to_string().into();
    }
    if let Some(Value::Object(spec)) = value.get_mut("spec") {
        for field in ["autoscaling", "loadbalancer", "servicename"] {
            spec.remove(field);
        }
        if kind.is_scaled() {
            spec.insert("replicas".to_owned(), of.replicas.into());
        }
        if kind == Kind::CronJob {
            spec.insert("suspend".to_owned(), true.into());
        }
        if kind == Kind::StatefulSet {
            let policy = json!({ "whendeleted": "Delete", "whenscaled": "Retain" });
            spec.insert("persistentvolumeclaimretentionpolicy".to_owned(), policy);
        }
    }
    shaped.resource = kind
        .read(value)
        .unwrap_or_else(|error| unreachable!("only known fields were changed: {error}"));
    // Read again as a file would be, by all rules of its kind.
    Config::from_manifest(shaped.to_manifest_yaml().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::WORKLOAD_LABEL;

    fn mk(kind: &str, spec: &str) -> Config {
        let file = format!(
            "apiVersion: pinterest.com/v1\nkind: {kind}\nmetadata:\n  name: hello\n  project: demo\n  namespace: team\nspec:\n{spec}  template:\n    spec:\n      containers:\n        - name: hello\n          image: x\n          ports:\n            - containerPort: 8080\n"
        );
        crate::config::parse("hello.yaml", file.as_bytes()).expect("valid")
    }

    fn of(instance: &str) -> PreviewOf<'_> {
        PreviewOf {
            instance,
            pull_request: 12,
            replicas: 1,
            deploy_id: 7,
        }
    }

    #[test]
    fn a_service_is_small_and_not_reached_from_outside() {
        let spec = "  loadbalancer:\n    port: 80\n    targetport: 8080\n  autoscaling:\n    min: 3\n    max: 9\n    cpu: 70\n";
        let config = mk("PinterestService", spec);
        let shaped = preview(&config, of("hello-pr-12")).expect("valid");
        assert_eq!(
            (shaped.name.as_str(), shaped.namespace.as_str()),
            ("hello-pr-12", "team")
        );
        assert_eq!(shaped.project, "demo");
        let value = shaped.resource.to_json();
        assert_eq!(value["spec"]["replicas"], 1);
        assert!(value["spec"].get("autoscaling").is_none(), "{value}");
        assert!(value["spec"].get("loadbalancer").is_none(), "{value}");
        let labels = &value["metadata"]["labels"];
        assert_eq!(labels[WORKLOAD_LABEL], "hello-pr-12");
        assert_eq!(labels[PREVIEW_OF_LABEL], "hello");
        assert_eq!(labels[PULL_REQUEST_LABEL], "12");
        assert_eq!(shaped.port(), Some(8080));
        assert_eq!(config.name, "hello", "the workload's own is untouched");
    }

    #[test]
    fn a_cron_job_waits_to_be_asked() {
        let config = mk("PinterestCronJob", "  schedule: '@daily'\n");
        let shaped = preview(&config, of("hello-pr-12")).expect("valid");
        assert_eq!(shaped.resource.to_json()["spec"]["suspend"], true);
    }

    #[test]
    fn a_stateful_set_takes_its_volumes_with_it() {
        let config = mk(
            "PinterestStatefulset",
            "  replicas: 3\n  servicename: hello\n",
        );
        let shaped = preview(&config, of("hello-pr-12")).expect("valid");
        let spec = &shaped.resource.to_json()["spec"];
        assert_eq!(
            spec["persistentvolumeclaimretentionpolicy"]["whendeleted"],
            "Delete"
        );
        assert!(spec.get("servicename").is_none(), "{spec}");
        assert_eq!(spec["replicas"], 1);
    }

    #[test]
    fn a_name_that_is_too_long_is_said() {
        let config = mk("PinterestService", "");
        let error = preview(&config, of(&"x".repeat(64))).unwrap_err();
        assert!(error.to_string().contains("63"), "{error}");
    }
}
