//! PinterestService → ConfigMap, Deployment, Service, HorizontalPodAutoscaler,
//! PodDisruptionBudget; whichever of them its spec asks for.
//!
//! The number of pods has one owner, `spec.replicas` of the resource: people scale it, and the
//! autoscaler aims at the resource's own scale subresource.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, LifecycleHandler, PodTemplateSpec, Service, ServicePort, ServiceSpec,
    SleepAction,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Resource;
use kube::api::{ApiResource, DynamicObject};

use super::{Autoscaling, LoadBalancer, PinterestService, PinterestServiceSpec};
use crate::kind::Kind;
use crate::names::API_VERSION;
use crate::profile::RuntimeProfile;
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// Everything that a translation may make; what is no longer made is pruned from these.
pub fn owned() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Deployment>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<HorizontalPodAutoscaler>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
    ]
}

/// What a service becomes, in the order in which to apply it.
///
/// Pure: the same service and profile always give the same objects. They carry an owner reference
/// once the service has a `uid`.
///
/// # Errors
/// [`TranslateError`] when the service and the profile do not fit together.
pub fn translate(
    service: &PinterestService,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let translation = Translation::new(Kind::Service, &service.metadata, profile);
    let spec = &service.spec;
    let mut objects = Vec::new();
    objects.extend(translation.config_map(&spec.configs).as_ref().map(dynamic));
    objects.push(dynamic(&deployment(&translation, spec)?));
    if let Some(balancer) = &spec.loadbalancer {
        objects.push(dynamic(&load_balancer(&translation, balancer)));
    }
    if let Some(autoscaling) = &spec.autoscaling {
        objects.push(dynamic(&autoscaler(&translation, autoscaling)));
    }
    let fewest = spec
        .autoscaling
        .as_ref()
        .map_or(spec.replicas, |autoscaling| autoscaling.min);
    // The workload's own budget counts a canary's pods, too; with two, none could be evicted.
    if fewest >= 2 && !translation.is_canary() {
        objects.push(dynamic(&disruption_budget(&translation)));
    }
    Ok(objects)
}

/// Pods that the Deployment is told to run.
pub fn replicas(spec: &PinterestServiceSpec) -> i32 {
    match &spec.autoscaling {
        // Before the autoscaler has spoken for the first time. Nought is a person's pause.
        Some(autoscaling) if spec.replicas > 0 => spec
            .replicas
            .clamp(autoscaling.min, autoscaling.max.max(autoscaling.min)),
        _ => spec.replicas,
    }
}

fn deployment(
    translation: &Translation<'_>,
    spec: &PinterestServiceSpec,
) -> Result<Deployment, TranslateError> {
    let rolling = RollingUpdateDeployment {
        max_surge: spec.maxsurge.clone(),
        max_unavailable: spec.maxunavailable.clone(),
    };
    let strategy = (rolling != RollingUpdateDeployment::default()).then(|| DeploymentStrategy {
        type_: Some("RollingUpdate".into()),
        rolling_update: Some(rolling),
    });
    Ok(Deployment {
        metadata: translation.workload_object(),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas(spec)),
            selector: translation.selector(),
            strategy,
            min_ready_seconds: spec.minreadyseconds,
            revision_history_limit: spec.revisionhistorylimit,
            progress_deadline_seconds: spec.progressdeadlineseconds,
            paused: translation.is_paused().then_some(true),
            template: pods(translation, spec)?,
        }),
        status: None,
    })
}

fn pods(
    translation: &Translation<'_>,
    spec: &PinterestServiceSpec,
) -> Result<PodTemplateSpec, TranslateError> {
    let mut template = spec.template.clone();
    if let Some(seconds) = spec.drainseconds.filter(|seconds| *seconds > 0) {
        template
            .spec
            .containers
            .iter_mut()
            .for_each(|container| drain(container, seconds));
    }
    translation.pods(&Pods {
        template: &template,
        place: "spec.template",
        role: "",
        iamrole: spec.iamrole.as_deref(),
        configs: &spec.configs,
        sidecarconfig: &spec.sidecarconfig,
        terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
    })
}

/// Has a container go on answering for a while after its pod was told to end, unless it says itself
/// what it does then.
fn drain(container: &mut Container, seconds: i32) {
    let lifecycle = container.lifecycle.get_or_insert_default();
    lifecycle.pre_stop.get_or_insert_with(|| LifecycleHandler {
        sleep: Some(SleepAction {
            seconds: i64::from(seconds),
        }),
        ..LifecycleHandler::default()
    });
}

fn load_balancer(translation: &Translation<'_>, balancer: &LoadBalancer) -> Service {
    let target = balancer
        .targetport
        .clone()
        .unwrap_or(IntOrString::Int(balancer.port));
    Service {
        metadata: translation.object(translation.name()),
        spec: Some(ServiceSpec {
            type_: Some("LoadBalancer".into()),
            selector: translation.selector().match_labels,
            ports: Some(vec![ServicePort {
                name: Some("main".into()),
                port: balancer.port,
                target_port: Some(target),
                protocol: Some("TCP".into()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn autoscaler(translation: &Translation<'_>, autoscaling: &Autoscaling) -> HorizontalPodAutoscaler {
    let utilization = |name: &str, percent: Option<i32>| {
        percent.map(|percent| MetricSpec {
            type_: "Resource".into(),
            resource: Some(ResourceMetricSource {
                name: name.into(),
                target: MetricTarget {
                    type_: "Utilization".into(),
                    average_utilization: Some(percent),
                    ..MetricTarget::default()
                },
            }),
            ..MetricSpec::default()
        })
    };
    let own = [
        utilization("cpu", autoscaling.cpu),
        utilization("memory", autoscaling.memory),
    ];
    let metrics = own
        .into_iter()
        .flatten()
        .chain(autoscaling.metrics.iter().cloned());
    HorizontalPodAutoscaler {
        metadata: translation.object(translation.name()),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(API_VERSION.into()),
                kind: Kind::Service.name().into(),
                name: translation.name().into(),
            },
            min_replicas: Some(autoscaling.min),
            max_replicas: autoscaling.max,
            metrics: Some(metrics.collect()),
            behavior: autoscaling.behavior.clone(),
        }),
        status: None,
    }
}

fn disruption_budget(translation: &Translation<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: translation.object(translation.name()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(translation.selector()),
            // Pods that are not ready anyway must not keep a node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

/// The name by which an autoscaler finds the pods.
pub fn selector(service: &PinterestService) -> String {
    format!(
        "{}={}",
        crate::names::NAME_LABEL,
        service.meta().name.as_deref().unwrap_or_default()
    )
}
