//! Services and what they become.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PodSpec, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;

use super::*;
use crate::names::{CONFIGS_ANNOTATION, IAMROLE_ANNOTATION};
use crate::{RuntimeProfile, config};

mod injection;
mod talk;

/// A service with `spec` below `spec:`, and one container `hello` unless `spec` has a template.
fn mk_service(spec: &str) -> PinterestService {
    let mut file = String::from(
        "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: hello\n  namespace: prod\n  project: web\nspec:\n",
    );
    let template =
        "template:\n  spec:\n    containers:\n      - name: hello\n        image: hello:1\n";
    let template = if spec.contains("template:") {
        ""
    } else {
        template
    };
    for line in spec.lines().chain(template.lines()) {
        file.extend(["  ", line, "\n"]);
    }
    let config = config::parse("hello.yaml", file.as_bytes()).unwrap_or_else(|e| panic!("{e}"));
    let crate::Resource::Service(service) = config.resource else {
        unreachable!("it is a service")
    };
    *service
}

fn plain(spec: &str) -> Vec<DynamicObject> {
    translate(&mk_service(spec), &RuntimeProfile::plain()).expect("translates")
}

fn kinds(objects: &[DynamicObject]) -> Vec<String> {
    let kind = |object: &DynamicObject| {
        let name = object.metadata.name.clone().unwrap_or_default();
        format!(
            "{}/{name}",
            object.types.as_ref().map_or("", |types| &types.kind)
        )
    };
    objects.iter().map(kind).collect()
}

fn get<T: DeserializeOwned>(objects: &[DynamicObject], kind: &str) -> T {
    let object = objects
        .iter()
        .find(|object| {
            object
                .types
                .as_ref()
                .is_some_and(|types| types.kind == kind)
        })
        .unwrap_or_else(|| panic!("a {kind} among {:?}", kinds(objects)));
    let value = serde_json::to_value(object).expect("plain data");
    serde_json::from_value(value).expect("of that kind")
}

fn pod(objects: &[DynamicObject]) -> PodSpec {
    let deployment: Deployment = get(objects, "Deployment");
    deployment
        .spec
        .and_then(|spec| spec.template.spec)
        .expect("pods")
}

fn names<'a, T>(items: Option<&'a Vec<T>>, name: impl Fn(&'a T) -> &'a str) -> Vec<&'a str> {
    items.into_iter().flatten().map(name).collect()
}

#[test]
fn the_least_service_is_one_deployment() {
    let objects = plain("");
    assert_eq!(kinds(&objects), ["Deployment/hello"]);
    let deployment: Deployment = get(&objects, "Deployment");
    let labels = deployment.metadata.labels.expect("labels");
    assert_eq!(labels["app"], "hello");
    assert_eq!(labels["name"], "hello");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "hermez");
    assert_eq!(labels["pinterest.com/workload"], "hello");
    assert_eq!(labels["pinterest.com/project"], "web");
    let spec = deployment.spec.expect("spec");
    assert_eq!(spec.replicas, Some(1));
    assert_eq!(
        spec.selector
            .match_labels
            .expect("selector")
            .into_iter()
            .collect::<Vec<_>>(),
        [("name".to_owned(), "hello".to_owned())]
    );
    let pods = spec.template.metadata.expect("metadata");
    assert_eq!(pods.labels, Some(labels));
    assert_eq!(pods.annotations, None);
    assert_eq!(spec.strategy, None);
}

#[test]
fn plain_adds_nothing_to_the_containers() {
    let service = mk_service("iamrole: role1");
    let objects = translate(&service, &RuntimeProfile::plain()).expect("translates");
    let pod = pod(&objects);
    assert_eq!(pod.containers, service.spec.template.spec.containers);
    assert_eq!((pod.volumes, pod.init_containers), (None, None));
    let deployment: Deployment = get(&objects, "Deployment");
    let annotations = deployment
        .spec
        .and_then(|s| s.template.metadata)
        .and_then(|m| m.annotations);
    assert_eq!(
        annotations.expect("annotations")[IAMROLE_ANNOTATION],
        "role1"
    );
}

#[test]
fn a_loadbalancer_becomes_a_service() {
    let service: Service = get(
        &plain("loadbalancer: {port: 80, targetport: 8080}"),
        "Service",
    );
    let spec = service.spec.expect("spec");
    assert_eq!(spec.type_.as_deref(), Some("LoadBalancer"));
    assert_eq!(spec.selector.expect("selector")["name"], "hello");
    let port = &spec.ports.expect("ports")[0];
    assert_eq!(
        (port.port, port.target_port.clone()),
        (80, Some(IntOrString::Int(8080)))
    );
    let service: Service = get(&plain("loadbalancer: {port: 80}"), "Service");
    let ports = service.spec.and_then(|spec| spec.ports).expect("ports");
    assert_eq!(ports[0].target_port, Some(IntOrString::Int(80)));
}

#[test]
fn configs_become_a_config_map_that_all_containers_read() {
    let spec = "configs:\n  LEVEL: info\ntemplate:\n  spec:\n    initcontainers:\n      - {name: init, image: x}\n    containers:\n      - {name: hello, image: x}\n";
    let objects = plain(spec);
    assert_eq!(
        kinds(&objects),
        ["ConfigMap/hello-configs", "Deployment/hello"]
    );
    let map: ConfigMap = get(&objects, "ConfigMap");
    assert_eq!(map.data.expect("data")["LEVEL"], "info");
    let pod = pod(&objects);
    for container in pod.init_containers.iter().flatten().chain(&pod.containers) {
        let sources = container.env_from.as_ref().expect("sources");
        let name = sources[0]
            .config_map_ref
            .as_ref()
            .map(|reference| reference.name.as_str());
        assert_eq!(name, Some("hello-configs"), "{}", container.name);
    }
    // Pods read variables once: another configuration must be another template.
    let hash = |spec: &str| {
        let deployment: Deployment = get(&plain(spec), "Deployment");
        let metadata = deployment.spec.and_then(|spec| spec.template.metadata);
        metadata.and_then(|m| m.annotations).expect("annotations")[CONFIGS_ANNOTATION].clone()
    };
    assert_eq!(hash(spec), hash(spec));
    assert_ne!(hash(spec), hash(&spec.replace("info", "debug")));
}

#[test]
fn a_service_account_is_said_under_both_its_names() {
    let spec = "template:\n  spec:\n    serviceaccountname: team\n    containers:\n      - {name: hello, image: x}\n";
    let named = pod(&plain(spec));
    assert_eq!(named.service_account_name.as_deref(), Some("team"));
    assert_eq!(named.service_account, named.service_account_name);
}

#[test]
fn autoscaling_becomes_an_autoscaler_of_the_resource() {
    let objects = plain("autoscaling: {min: 2, max: 5, cpu: 70, memory: 80}");
    assert_eq!(
        kinds(&objects),
        [
            "Deployment/hello",
            "HorizontalPodAutoscaler/hello",
            "PodDisruptionBudget/hello"
        ]
    );
    let scaler: HorizontalPodAutoscaler = get(&objects, "HorizontalPodAutoscaler");
    let spec = scaler.spec.expect("spec");
    assert_eq!(spec.scale_target_ref.kind, "PinterestService");
    assert_eq!((spec.min_replicas, spec.max_replicas), (Some(2), 5));
    let target = |name: &str| {
        let metrics = spec
            .metrics
            .iter()
            .flatten()
            .filter_map(|metric| metric.resource.as_ref());
        let mut metrics = metrics.filter(|resource| resource.name == name);
        metrics
            .next()
            .and_then(|resource| resource.target.average_utilization)
    };
    assert_eq!((target("cpu"), target("memory")), (Some(70), Some(80)));
}

#[test]
fn the_number_of_pods_is_the_resources_within_the_autoscalers_bounds() {
    let wanted = |spec: &str| {
        let deployment: Deployment = get(&plain(spec), "Deployment");
        deployment.spec.and_then(|spec| spec.replicas)
    };
    assert_eq!(wanted("replicas: 7"), Some(7));
    assert_eq!(wanted("autoscaling: {min: 3, max: 5, cpu: 70}"), Some(3));
    assert_eq!(
        wanted("replicas: 4\nautoscaling: {min: 3, max: 5, cpu: 70}"),
        Some(4)
    );
    // A person's pause stands.
    assert_eq!(
        wanted("replicas: 0\nautoscaling: {min: 3, max: 5, cpu: 70}"),
        Some(0)
    );
}

#[test]
fn two_replicas_allow_a_disruption_budget() {
    assert_eq!(kinds(&plain("replicas: 1")), ["Deployment/hello"]);
    let objects = plain("replicas: 2");
    let budget: PodDisruptionBudget = get(&objects, "PodDisruptionBudget");
    assert_eq!(
        budget.spec.and_then(|spec| spec.max_unavailable),
        Some(IntOrString::Int(1))
    );
}

#[test]
fn rollout_settings_go_to_the_deployment() {
    let spec = "maxsurge: 50%\nmaxunavailable: 0\nminreadyseconds: 3\nrevisionhistorylimit: 4\nprogressdeadlineseconds: 60\nterminationgraceperiodseconds: 5";
    let objects = plain(spec);
    let deployment: Deployment = get(&objects, "Deployment");
    let spec = deployment.spec.expect("spec");
    let rolling = spec
        .strategy
        .and_then(|strategy| strategy.rolling_update)
        .expect("rolling");
    assert_eq!(rolling.max_surge, Some(IntOrString::String("50%".into())));
    assert_eq!(rolling.max_unavailable, Some(IntOrString::Int(0)));
    assert_eq!(spec.min_ready_seconds, Some(3));
    assert_eq!(spec.revision_history_limit, Some(4));
    assert_eq!(spec.progress_deadline_seconds, Some(60));
    assert_eq!(pod(&objects).termination_grace_period_seconds, Some(5));
}

#[test]
fn spread_constraints_count_the_workloads_own_pods() {
    let spec = "template:\n  spec:\n    containers: [{name: hello, image: x}]\n    topologyspreadconstraints:\n      - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}\n";
    let pod = pod(&plain(spec));
    let constraint = &pod.topology_spread_constraints.expect("constraints")[0];
    let labels = constraint
        .label_selector
        .as_ref()
        .and_then(|s| s.match_labels.as_ref());
    assert_eq!(labels.expect("labels")["name"], "hello");
}

#[test]
fn objects_are_owned_once_the_service_has_a_uid() {
    let mut service = mk_service("replicas: 2\nloadbalancer: {port: 80}\nconfigs: {A: b}");
    let objects = translate(&service, &RuntimeProfile::plain()).expect("translates");
    assert!(
        objects
            .iter()
            .all(|object| object.metadata.owner_references.is_none())
    );
    service.metadata.uid = Some("uid-1".into());
    let objects = translate(&service, &RuntimeProfile::plain()).expect("translates");
    assert_eq!(objects.len(), 4);
    for object in &objects {
        let owner = &object.metadata.owner_references.as_ref().expect("owner")[0];
        assert_eq!(
            (owner.kind.as_str(), owner.uid.as_str()),
            ("PinterestService", "uid-1")
        );
        assert_eq!(
            (owner.controller, owner.block_owner_deletion),
            (Some(true), Some(true))
        );
    }
}

#[test]
fn the_deploys_marks_go_to_the_deployment_and_not_to_its_pods() {
    let mut service = mk_service("");
    let annotations = service.metadata.annotations.get_or_insert_default();
    annotations.insert("hermez.dev/commit".into(), "c0ffee".into());
    annotations.insert("hermez.dev/deploy".into(), "7".into());
    annotations.insert("else".into(), "where".into());
    let objects = translate(&service, &RuntimeProfile::plain()).expect("translates");
    let deployment: Deployment = get(&objects, "Deployment");
    let own = deployment.metadata.annotations.expect("annotations");
    assert_eq!(
        (
            own["hermez.dev/commit"].as_str(),
            own["hermez.dev/deploy"].as_str()
        ),
        ("c0ffee", "7")
    );
    assert!(!own.contains_key("else"));
    let pods = deployment
        .spec
        .and_then(|spec| spec.template.metadata)
        .expect("metadata");
    assert_eq!(pods.annotations, None);
}

#[test]
fn hermez_labels_cannot_be_taken() {
    let spec = "template:\n  metadata:\n    labels: {name: other}\n  spec:\n    containers: [{name: hello, image: x}]\n";
    let error = translate(&mk_service(spec), &RuntimeProfile::plain()).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "spec.template.metadata.labels.name: this label is Hermez' own and always \"hello\"; leave it out"
    );
    // The same value says nothing new.
    assert_eq!(
        kinds(&plain(&spec.replace("other", "hello"))),
        ["Deployment/hello"]
    );
}

#[test]
fn a_ports_name_is_looked_up() {
    let spec = "loadbalancer: {port: 80, targetport: web}\ntemplate:\n  spec:\n    containers:\n      - {name: hello, image: x, ports: [{name: web, containerPort: 8080}]}\n";
    assert_eq!(port(&mk_service(spec).spec), Some(8080));
    assert_eq!(port(&mk_service("").spec), None);
}

#[test]
fn a_whole_service_translates_as_reviewed() {
    let spec = "iamrole: role1\nreplicas: 3\nloadbalancer: {port: 8080}\nconfigs: {LEVEL: info}";
    let yaml: Vec<String> = plain(spec)
        .iter()
        .map(|object| serde_saphyr::to_string(object).expect("plain data"))
        .collect();
    insta::assert_snapshot!(yaml.join("---\n"));
}

fn refusal(spec: &str) -> String {
    let file = format!(
        "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata: {{name: hello}}\nspec:\n  template: {{spec: {{containers: [{{name: a, image: b}}]}}}}\n  {}\n",
        spec.replace('\n', "\n  ")
    );
    let error = config::parse("hello.yaml", file.as_bytes()).expect_err("refused");
    let places = error.places().into_iter();
    let told =
        places.map(|place| format!("{} ({})", place.message, place.hint.unwrap_or_default()));
    told.collect::<Vec<_>>().join("; ")
}

#[test]
fn a_rollout_that_cannot_move_is_refused() {
    for (spec, words) in [
        ("maxsurge: 0\nmaxunavailable: 0%", "cannot both be 0"),
        ("maxsurge: a few", "write 1 or 25%"),
        ("maxunavailable: 150%", "write 0 or 25%"),
        ("maxunavailable: -1", "write 0 or 25%"),
        ("drainseconds: 30", "raise terminationgraceperiodseconds"),
    ] {
        let told = refusal(spec);
        assert!(told.contains(words), "{spec}: {told}");
    }
    for spec in [
        "maxsurge: 0\nmaxunavailable: 1",
        "maxsurge: 150%",
        "drainseconds: 29",
    ] {
        drop(plain(spec));
    }
}

#[test]
fn an_autoscaler_that_kubernetes_would_not_take_is_refused() {
    let scaled = |behavior: &str| format!("autoscaling: {{max: 3, cpu: 70, behavior: {behavior}}}");
    let policy = |policy: &str| format!("{{scaleUp: {{policies: [{policy}]}}}}");
    for (behavior, words) in [
        (
            "{scaleDown: {stabilizationWindowSeconds: 7200}}".to_owned(),
            "write a number from 0 to 3600",
        ),
        (
            "{scaleUp: {stabilizationWindowSeconds: -1}}".to_owned(),
            "write a number from 0 to 3600",
        ),
        (
            "{scaleDown: {selectPolicy: Fast}}".to_owned(),
            "write Max or Min or Disabled",
        ),
        (policy(""), "the list is empty"),
        (
            policy("{type: Nodes, value: 1, periodSeconds: 60}"),
            "write Pods or Percent",
        ),
        (
            policy("{type: Pods, value: 0, periodSeconds: 60}"),
            "write 1 or more",
        ),
        (
            policy("{type: Pods, value: 1, periodSeconds: 0}"),
            "write a number from 1 to 1800",
        ),
        (
            policy("{type: Percent, value: 1, periodSeconds: 1801}"),
            "write a number from 1 to 1800",
        ),
    ] {
        let told = refusal(&scaled(&behavior));
        assert!(told.contains(words), "{behavior}: {told}");
    }
    for behavior in [
        "{}",
        "{scaleUp: {}}",
        "{scaleDown: {stabilizationWindowSeconds: 3600, selectPolicy: Disabled}}",
        "{scaleUp: {policies: [{type: Percent, value: 900, periodSeconds: 1800}]}}",
    ] {
        drop(plain(&scaled(behavior)));
    }
}

#[test]
fn a_pod_that_drains_answers_on_unless_it_says_itself_what_it_does() {
    let template = "template:\n  spec:\n    containers:\n      - {name: a, image: x}\n      - {name: b, image: x, lifecycle: {preStop: {exec: {command: [bye]}}}}\n";
    let pod = pod(&plain(&format!("drainseconds: 5\n{template}")));
    let stop = |index: usize| {
        pod.containers[index]
            .lifecycle
            .clone()
            .and_then(|l| l.pre_stop)
    };
    assert_eq!(
        stop(0)
            .and_then(|stop| stop.sleep)
            .map(|sleep| sleep.seconds),
        Some(5)
    );
    assert!(stop(1).is_some_and(|stop| stop.sleep.is_none() && stop.exec.is_some()));
}
