//! A canary: the new version of a service, small, beside the old one and behind the same Service.
//! Pure.
//!
//! It is a PinterestService of its own name. Its pods bear the workload's label `name`, by which the
//! workload's Service finds them, and its Deployment selects them by a label of their own. What a
//! workload has once (the Service, the autoscaler, the disruption budget) it does not have.

use serde_json::Value;

use crate::config::{Config, ConfigError};
use crate::kind::Kind;
use crate::names::CANARY_OF_LABEL;

/// What a canary's name has after the workload's.
const SUFFIX: &str = "-canary";

/// Whether a canary of this kind can be tried: only where requests are shared out among pods.
pub fn is_possible(kind: Kind) -> bool {
    kind == Kind::Service
}

/// Name of a workload's canary.
pub fn name(workload: &str) -> String {
    format!("{workload}{SUFFIX}")
}

/// The config of a workload's canary with that many pods.
///
/// # Errors
/// [`ConfigError`] when what is left breaks a rule of its kind: a name that is too long.
pub fn canary(config: &Config, replicas: i32) -> Result<Config, ConfigError> {
    let kind = config.resource.kind();
    let mut shaped = config.clone();
    let mut value = config.resource.to_json();
    let metadata = &mut value["metadata"];
    metadata["name"] = name(&config.name).into();
    metadata["labels"][CANARY_OF_LABEL] = config.name.as_str().into();
    if let Some(Value::Object(spec)) = value.get_mut("spec") {
        for field in ["autoscaling", "loadbalancer"] {
            spec.remove(field);
        }
        spec.insert("replicas".to_owned(), replicas.into());
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
    use crate::names::{NAME_LABEL, WORKLOAD_LABEL};
    use crate::profile::RuntimeProfile;
    use crate::service::{PinterestService, translate};

    fn mk() -> Config {
        let file = "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: hello\n  project: demo\n  namespace: team\nspec:\n  loadbalancer:\n    port: 80\n    targetport: 8080\n  autoscaling:\n    min: 3\n    max: 9\n    cpu: 70\n  template:\n    spec:\n      containers:\n        - name: hello\n          image: x\n";
        crate::config::parse("hello.yaml", file.as_bytes()).expect("valid")
    }

    fn objects(config: &Config) -> Vec<Value> {
        let service: PinterestService =
            serde_json::from_value(config.resource.to_json()).expect("a service");
        let objects = translate(&service, &RuntimeProfile::plain()).expect("translated");
        let objects = objects.iter().map(serde_json::to_value);
        objects.collect::<Result<_, _>>().expect("JSON")
    }

    #[test]
    fn its_pods_stand_behind_the_workloads_service_and_are_its_own() {
        let config = mk();
        let canary = canary(&config, 2).expect("valid");
        assert_eq!(
            (canary.name.as_str(), canary.namespace.as_str()),
            ("hello-canary", "team")
        );
        let made = objects(&canary);
        assert_eq!(made.len(), 1, "a Deployment and nothing else: {made:?}");
        let deployment = &made[0];
        assert_eq!(deployment["kind"], "Deployment");
        assert_eq!(deployment["spec"]["replicas"], 2);
        let pods = &deployment["spec"]["template"]["metadata"]["labels"];
        let (own, workloads) = (
            &deployment["spec"]["selector"]["matchLabels"],
            objects(&config),
        );
        assert_eq!(own[WORKLOAD_LABEL], "hello-canary");
        assert_eq!(own.as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(pods[WORKLOAD_LABEL], "hello-canary");
        let service = workloads.iter().find(|it| it["kind"] == "Service");
        let selector = &service.expect("a Service")["spec"]["selector"];
        assert_eq!(selector[NAME_LABEL], "hello");
        assert_eq!(pods[NAME_LABEL], "hello");
        // The workload's own pods are not the canary's.
        let deployment = workloads.iter().find(|it| it["kind"] == "Deployment");
        let pods = &deployment.expect("a Deployment")["spec"]["template"]["metadata"]["labels"];
        assert_eq!(pods[WORKLOAD_LABEL], "hello");
    }

    #[test]
    fn a_name_that_is_too_long_is_said() {
        let mut config = mk();
        config.name = "a".repeat(60);
        assert!(canary(&config, 1).is_err());
    }
}
