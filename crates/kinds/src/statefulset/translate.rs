//! PinterestStatefulset → ConfigMap, a headless Service, StatefulSet, Service before all pods,
//! PodDisruptionBudget; whichever of them its spec asks for.
//!
//! The claims of its volumes are made by the StatefulSet and belong to nobody else: they outlive it
//! unless the retention policy says otherwise.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, PersistentVolumeClaimSpec, Service, ServicePort, ServiceSpec,
    VolumeResourceRequirements,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{ApiResource, DynamicObject};

use super::{
    AccessMode, Balancer, PinterestStatefulset, PinterestStatefulsetSpec, PodManagementPolicy,
    Retention, UpdateStrategy, VolumeClaim,
};
use crate::kind::Kind;
use crate::names::KIND_LABEL;
use crate::profile::RuntimeProfile;
use crate::template::Template;
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// Everything that a translation may make; what is no longer made is pruned from these.
pub fn owned() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
    ]
}

/// Name of the Service that gives the pods their host names.
pub fn service_name(name: &str, spec: &PinterestStatefulsetSpec) -> String {
    spec.servicename
        .clone()
        .unwrap_or_else(|| format!("{name}-headless"))
}

/// What it becomes, in the order in which to apply it. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate(
    resource: &PinterestStatefulset,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let translation = Translation::new(Kind::StatefulSet, &resource.metadata, profile);
    let spec = &resource.spec;
    let mut objects = Vec::new();
    objects.extend(translation.config_map(&spec.configs).as_ref().map(dynamic));
    objects.push(dynamic(&headless(&translation, spec)));
    objects.push(dynamic(&stateful_set(&translation, spec)?));
    if let Some(balancer) = &spec.loadbalancer {
        objects.push(dynamic(&before_all(&translation, balancer)));
    }
    if spec.replicas >= 2 {
        objects.push(dynamic(&disruption_budget(&translation)));
    }
    Ok(objects)
}

fn stateful_set(
    translation: &Translation<'_>,
    spec: &PinterestStatefulsetSpec,
) -> Result<StatefulSet, TranslateError> {
    let policy = match spec.podmanagementpolicy {
        PodManagementPolicy::OrderedReady => "OrderedReady",
        PodManagementPolicy::Parallel => "Parallel",
    };
    let retention = |retention: Retention| match retention {
        Retention::Retain => "Retain".to_owned(),
        Retention::Delete => "Delete".to_owned(),
    };
    let retention = spec
        .persistentvolumeclaimretentionpolicy
        .as_ref()
        .map(|policy| StatefulSetPersistentVolumeClaimRetentionPolicy {
            when_deleted: Some(retention(policy.whendeleted)),
            when_scaled: Some(retention(policy.whenscaled)),
        });
    let claims: Vec<PersistentVolumeClaim> = spec.volumeclaims.iter().map(claim).collect();
    let mut pods = translation.pods(&Pods {
        template: &spec.template,
        place: "spec.template",
        role: "",
        iamrole: spec.iamrole.as_deref(),
        configs: &spec.configs,
        sidecarconfig: &spec.sidecarconfig,
        terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
    })?;
    // The controller looks at these pods.
    let labels = pods.metadata.get_or_insert_default();
    let labels = labels.labels.get_or_insert_default();
    labels.insert(KIND_LABEL.to_owned(), Kind::StatefulSet.name().to_owned());
    Ok(StatefulSet {
        metadata: translation.workload_object(),
        spec: Some(StatefulSetSpec {
            replicas: Some(spec.replicas),
            service_name: Some(service_name(translation.name(), spec)),
            selector: translation.selector(),
            pod_management_policy: Some(policy.to_owned()),
            update_strategy: Some(strategy(spec, translation.is_paused())),
            min_ready_seconds: spec.minreadyseconds,
            revision_history_limit: spec.revisionhistorylimit,
            persistent_volume_claim_retention_policy: retention,
            volume_claim_templates: (!claims.is_empty()).then_some(claims),
            template: pods,
            ..StatefulSetSpec::default()
        }),
        status: None,
    })
}

/// How pods are replaced. A StatefulSet has no pause of its own: below a partition that no pod
/// reaches, each stays as it is.
fn strategy(spec: &PinterestStatefulsetSpec, paused: bool) -> StatefulSetUpdateStrategy {
    match spec.updatestrategy {
        UpdateStrategy::OnDelete => StatefulSetUpdateStrategy {
            type_: Some("OnDelete".into()),
            rolling_update: None,
        },
        UpdateStrategy::RollingUpdate => StatefulSetUpdateStrategy {
            type_: Some("RollingUpdate".into()),
            rolling_update: Some(RollingUpdateStatefulSetStrategy {
                partition: Some(if paused {
                    i32::MAX
                } else {
                    spec.partition.unwrap_or(0)
                }),
                max_unavailable: None,
            }),
        },
    }
}

fn claim(claim: &VolumeClaim) -> PersistentVolumeClaim {
    let mode = |mode: &AccessMode| {
        let word = match mode {
            AccessMode::ReadWriteOnce => "ReadWriteOnce",
            AccessMode::ReadOnlyMany => "ReadOnlyMany",
            AccessMode::ReadWriteMany => "ReadWriteMany",
            AccessMode::ReadWriteOncePod => "ReadWriteOncePod",
        };
        word.to_owned()
    };
    let modes: Vec<String> = match claim.accessmodes.as_slice() {
        [] => vec![mode(&AccessMode::ReadWriteOnce)],
        modes => modes.iter().map(mode).collect(),
    };
    let size = Quantity(claim.storage.clone());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(claim.name.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(modes),
            storage_class_name: claim.storageclass.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), size)])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// Gives each pod a host name. Pods find each other before they are ready, as members of a group
/// that forms must.
fn headless(translation: &Translation<'_>, spec: &PinterestStatefulsetSpec) -> Service {
    let ports = container_ports(&spec.template);
    Service {
        metadata: translation.object(&service_name(translation.name(), spec)),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            selector: translation.selector().match_labels,
            ports: (!ports.is_empty()).then_some(ports),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// The ports that containers name, each once.
fn container_ports(template: &Template) -> Vec<ServicePort> {
    let containers = template.spec.containers.iter();
    let mut ports: Vec<ServicePort> = Vec::new();
    for port in containers.flat_map(|container| container.ports.iter().flatten()) {
        let number = port.container_port;
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let name = port.name.clone().unwrap_or_else(|| {
            let number = number.to_string();
            match protocol {
                "TCP" => format!("port-{number}"),
                other => format!("{}-{number}", other.to_lowercase()),
            }
        });
        let same = |known: &ServicePort| {
            let known_protocol = known.protocol.as_deref() == Some(protocol);
            known.name.as_ref() == Some(&name) || (known.port == number && known_protocol)
        };
        if ports.iter().any(same) {
            continue;
        }
        ports.push(ServicePort {
            name: Some(name),
            port: number,
            target_port: Some(IntOrString::Int(number)),
            protocol: Some(protocol.to_owned()),
            ..ServicePort::default()
        });
    }
    ports
}

fn before_all(translation: &Translation<'_>, balancer: &Balancer) -> Service {
    let target = balancer.targetport.clone();
    let kind = if balancer.internal {
        "ClusterIP"
    } else {
        "LoadBalancer"
    };
    Service {
        metadata: translation.object(translation.name()),
        spec: Some(ServiceSpec {
            type_: Some(kind.into()),
            selector: translation.selector().match_labels,
            ports: Some(vec![ServicePort {
                name: Some("main".into()),
                port: balancer.port,
                target_port: Some(target.unwrap_or(IntOrString::Int(balancer.port))),
                protocol: Some("TCP".into()),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
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
