//! A pull request's own instance of a workload: the same resource under another name, and small. Pure.
//!
//! What would reach beyond the instance is taken away: load balancers (it is reached through the
//! preview gateway), autoscaling, a Service's name that another resource has. What runs by a
//! schedule is suspended, and runs on request.

use serde_json::{Map, Value, json};

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
        // So does the name of its job manager's Service.
        Kind::StreamingJob => 50,
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
            // Its few pods would be those that keep the old version.
            for field in ["partition", "updatestrategy"] {
                spec.remove(field);
            }
        }
        if let Some(Value::Object(flink)) = spec.get_mut("flink") {
            shrink(flink, of.replicas);
        }
    }
    shaped.resource = kind
        .read(value)
        .unwrap_or_else(|error| unreachable!("only known fields were changed: {error}"));
    // Read again as a file would be, by all rules of its kind.
    Config::from_manifest(shaped.to_manifest_yaml().as_bytes())
}

/// Makes a Flink job no larger than so many task managers, with no job manager that stands by.
fn shrink(flink: &mut Map<String, Value>, task_managers: i32) {
    let each = flink.get("taskmanager").and_then(|it| it.get("slots"));
    let slots = i64::from(task_managers) * each.and_then(Value::as_i64).unwrap_or(1);
    if let Some(parallelism) = flink.get_mut("parallelism")
        && parallelism.as_i64().is_some_and(|wanted| wanted > slots)
    {
        *parallelism = slots.into();
    }
    let managers = flink.get_mut("jobmanager");
    if let Some(managers) = managers.and_then(|it| it.get_mut("replicas")) {
        *managers = json!(1);
    }
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
    fn a_push_reaches_every_pod_of_a_stateful_set() {
        for held in ["partition: 2", "updatestrategy: OnDelete"] {
            let spec = format!("  replicas: 3\n  {held}\n");
            let config = mk("PinterestStatefulset", &spec);
            let shaped = preview(&config, of("hello-pr-12")).expect("valid");
            let spec = &shaped.resource.to_json()["spec"];
            assert!(spec.get("partition").is_none(), "{spec}");
            assert_eq!(spec["updatestrategy"], "RollingUpdate");
        }
    }

    #[test]
    fn a_flink_job_fits_into_its_slots() {
        let spec = "  replicas: 4\n  flink:\n    job:\n      class: Counting\n    state:\n      dir: s3://bucket/hello\n    parallelism: 8\n    jobmanager:\n      replicas: 2\n    taskmanager:\n      slots: 2\n";
        let config = mk("PinterestStreamingJob", spec);
        for (replicas, parallelism) in [(1, 2), (3, 6), (10, 8)] {
            let of = PreviewOf {
                replicas,
                ..of("hello-pr-12")
            };
            let shaped = preview(&config, of).expect("valid");
            let spec = &shaped.resource.to_json()["spec"];
            assert_eq!(spec["replicas"], replicas);
            assert_eq!(spec["flink"]["parallelism"], parallelism, "{spec}");
            assert_eq!(spec["flink"]["jobmanager"]["replicas"], 1, "{spec}");
        }
        let free = spec.replace("    parallelism: 8\n", "");
        let shaped = preview(&mk("PinterestStreamingJob", &free), of("hello-pr-12"));
        let spec = shaped.expect("valid").resource.to_json();
        assert!(spec["spec"]["flink"].get("parallelism").is_none(), "{spec}");
    }

    #[test]
    fn the_longest_name_is_valid_and_a_longer_one_is_not() {
        let flink =
            "  flink:\n    job:\n      class: Counting\n    state:\n      dir: s3://bucket/hello\n";
        for (kind, spec) in [
            ("PinterestService", ""),
            ("PinterestStatefulset", ""),
            ("PinterestCronJob", "  schedule: '@daily'\n"),
            ("PinterestStreamingJob", flink),
        ] {
            let config = mk(kind, spec);
            let most = longest_name(config.resource.kind());
            let longest = preview(&config, of(&"x".repeat(most)));
            assert!(longest.is_ok(), "{kind} {most}");
            let longer = preview(&config, of(&"x".repeat(most + 1)));
            assert!(longer.is_err(), "{kind} {most}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_said() {
        let config = mk("PinterestService", "");
        let error = preview(&config, of(&"x".repeat(64))).unwrap_err();
        assert!(error.to_string().contains("63"), "{error}");
    }
}
