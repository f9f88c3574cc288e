//! A Flink cluster for one job (application mode): ConfigMap, service account with the rights that
//! high availability needs, Service, job manager, task managers.
//!
//! Both are Deployments that are replaced as a whole (`Recreate`): two job managers of different
//! versions must never run beside each other. The job manager is no Job: it must live on after its
//! job has ended, so that its REST API can be asked how.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
    HTTPGetAction, ObjectFieldSelector, PodTemplateSpec, Probe, ResourceRequirements, Service,
    ServiceAccount, ServicePort, ServiceSpec, TCPSocketAction, Volume, VolumeMount,
};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::DynamicObject;

use super::configuration::{BLOB_PORT, LOG4J, REST_PORT, RPC_PORT, TASK_RPC_PORT, config_yaml};
use super::translate::label;
use super::{Flink, PinterestStreamingJobSpec, Start};
use crate::config::Violation;
use crate::names::{ATTEMPT_LABEL, REVISION_LABEL};
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// Role of the job manager's pods.
pub(super) const JOB_MANAGER: &str = "jobmanager";
/// Role of the task managers' pods.
const TASK_MANAGER: &str = "taskmanager";
/// Where the configuration is mounted.
const CONFIGURATION: &str = "/etc/flink";
/// Name of the volume of the configuration.
const VOLUME: &str = "flink-configuration";

/// Name of the Service of a job's RPC and REST API (port `rest`).
pub fn service_name(name: &str) -> String {
    format!("{name}-{JOB_MANAGER}")
}

/// What Flink calls the cluster of a job's start; its ConfigMaps begin with it.
pub fn cluster_id(name: &str, number: i64) -> String {
    format!("{name}-g{number}")
}

/// What the pods of a start are made of.
#[derive(serde::Serialize)]
pub(super) struct Parts {
    configuration: String,
    job_manager: PodTemplateSpec,
    task_manager: PodTemplateSpec,
}

/// What no schema can say.
pub(super) fn violations(spec: &PinterestStreamingJobSpec, flink: &Flink) -> Vec<Violation> {
    let mut violations = Vec::new();
    let slots = spec.replicas.saturating_mul(flink.taskmanager.slots);
    if let Some(parallelism) = flink.parallelism.filter(|wanted| *wanted > slots) {
        violations.push(Violation {
            field: "spec.flink.parallelism".to_owned(),
            message: format!(
                "a parallelism of {parallelism} needs {parallelism} slots; {} task managers with {} each have {slots}",
                spec.replicas, flink.taskmanager.slots
            ),
            hint: Some("raise replicas or flink.taskmanager.slots, or lower flink.parallelism".to_owned()),
        });
    }
    if let Some(volume) = &flink.state.volume {
        let volumes = &spec.template.spec.volumes;
        if !volumes.iter().any(|found| found.name == *volume) {
            violations.push(Violation {
                field: "spec.flink.state.volume".to_owned(),
                message: format!("the template has no volume \"{volume}\""),
                hint: Some(format!(
                    "add a volume \"{volume}\" to template.spec.volumes that all pods share, or leave it out for a dir such as s3://bucket/name"
                )),
            });
        }
    }
    violations
}

/// The pods' parts and the configuration of a start.
pub(super) fn parts(
    translation: &Translation<'_>,
    spec: &PinterestStreamingJobSpec,
    flink: &Flink,
    start: &Start<'_>,
) -> Result<Parts, TranslateError> {
    let slots = spec.replicas.saturating_mul(flink.taskmanager.slots);
    let parallelism = flink.parallelism.unwrap_or(slots);
    Ok(Parts {
        configuration: config_yaml(translation, flink, parallelism, start),
        job_manager: pods(translation, spec, flink, start, JOB_MANAGER)?,
        task_manager: pods(translation, spec, flink, start, TASK_MANAGER)?,
    })
}

/// The objects of a start, in the order in which to apply them.
pub(super) fn objects(
    translation: &Translation<'_>,
    spec: &PinterestStreamingJobSpec,
    flink: &Flink,
    start: &Start<'_>,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let parts = parts(translation, spec, flink, start)?;
    let configuration = ConfigMap {
        metadata: translation.object(&configuration_name(translation)),
        data: Some(
            [
                ("config.yaml".to_owned(), parts.configuration),
                ("log4j-console.properties".to_owned(), LOG4J.to_owned()),
            ]
            .into(),
        ),
        ..ConfigMap::default()
    };
    let mut objects = vec![dynamic(&configuration)];
    if flink.highavailability {
        objects.extend(rights(translation, spec, start));
    }
    let count = |wanted: i32| if start.runs { wanted } else { 0 };
    let managers = count(flink.jobmanager.replicas);
    let workers = count(spec.replicas);
    objects.push(dynamic(&service(translation, start)));
    objects.push(dynamic(&deployment(
        translation,
        JOB_MANAGER,
        managers,
        flink,
        parts.job_manager,
    )));
    objects.push(dynamic(&deployment(
        translation,
        TASK_MANAGER,
        workers,
        flink,
        parts.task_manager,
    )));
    Ok(objects)
}

fn configuration_name(translation: &Translation<'_>) -> String {
    format!("{}-flink", translation.name())
}

/// What high availability may do: make ConfigMaps, and read and write the two of this start.
fn rights(
    translation: &Translation<'_>,
    spec: &PinterestStreamingJobSpec,
    start: &Start<'_>,
) -> Vec<DynamicObject> {
    let cluster = cluster_id(translation.name(), start.number);
    let names = vec![
        format!("{cluster}-cluster-config-map"),
        format!("{cluster}-{}-config-map", start.job_id),
    ];
    let rule = |verbs: &[&str], names: Option<Vec<String>>| PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec!["configmaps".to_owned()]),
        resource_names: names,
        verbs: verbs.iter().map(ToString::to_string).collect(),
        ..PolicyRule::default()
    };
    let name = configuration_name(translation);
    let role = Role {
        metadata: translation.object(&name),
        rules: Some(vec![
            rule(&["create"], None),
            rule(
                &["get", "list", "watch", "update", "patch", "delete"],
                Some(names),
            ),
        ]),
    };
    let own_account = spec.template.spec.serviceaccountname.is_none();
    let binding = RoleBinding {
        metadata: translation.object(&name),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: account(translation, spec),
            namespace: Some(translation.namespace().to_owned()),
            ..Subject::default()
        }]),
    };
    let account = ServiceAccount {
        metadata: translation.object(&name),
        ..ServiceAccount::default()
    };
    let account = own_account.then(|| dynamic(&account));
    let rest = [dynamic(&role), dynamic(&binding)];
    account.into_iter().chain(rest).collect()
}

fn account(translation: &Translation<'_>, spec: &PinterestStreamingJobSpec) -> String {
    let own = spec.template.spec.serviceaccountname.clone();
    own.unwrap_or_else(|| configuration_name(translation))
}

/// Reaches the job managers of this start only: whoever asks never hears of another version's job.
fn service(translation: &Translation<'_>, start: &Start<'_>) -> Service {
    let mut selector = translation.selector_of(JOB_MANAGER).match_labels;
    let labels = selector.get_or_insert_default();
    labels.insert(ATTEMPT_LABEL.to_owned(), start.number.to_string());
    let port = |name: &str, port: i32| ServicePort {
        name: Some(name.to_owned()),
        port,
        target_port: Some(IntOrString::Int(port)),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: translation.object(&service_name(translation.name())),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector,
            // Task managers look for the job manager before it is ready.
            publish_not_ready_addresses: Some(true),
            ports: Some(vec![
                port("rpc", RPC_PORT),
                port("blob", BLOB_PORT),
                port("rest", REST_PORT),
            ]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn deployment(
    translation: &Translation<'_>,
    role: &str,
    replicas: i32,
    flink: &Flink,
    template: PodTemplateSpec,
) -> Deployment {
    let name = format!("{}-{role}", translation.name());
    let mut labels = translation.labels();
    labels.insert(crate::names::ROLE_LABEL.to_owned(), role.to_owned());
    Deployment {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels),
            owner_references: translation.object(&name).owner_references,
            ..translation.workload_object()
        },
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            selector: translation.selector_of(role),
            strategy: Some(DeploymentStrategy {
                type_: Some("Recreate".to_owned()),
                rolling_update: None,
            }),
            // The way back is the controller's, through a savepoint.
            revision_history_limit: Some(0),
            progress_deadline_seconds: Some(flink.upgrade.timeoutseconds),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pods(
    translation: &Translation<'_>,
    spec: &PinterestStreamingJobSpec,
    flink: &Flink,
    start: &Start<'_>,
    role: &str,
) -> Result<PodTemplateSpec, TranslateError> {
    let mut template = spec.template.clone();
    if flink.highavailability {
        template.spec.serviceaccountname = Some(account(translation, spec));
    }
    template.spec.volumes.push(Volume {
        name: VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: configuration_name(translation),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    });
    if let Some(main) = template.spec.containers.first_mut() {
        run_flink(main, flink, start, role);
    }
    let mut pods = translation.pods(&Pods {
        template: &template,
        place: "spec.template",
        role,
        iamrole: spec.iamrole.as_deref(),
        configs: &spec.configs,
        sidecarconfig: &spec.sidecarconfig,
        terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
    })?;
    label(&mut pods, REVISION_LABEL, start.revision);
    label(&mut pods, ATTEMPT_LABEL, &start.number.to_string());
    Ok(pods)
}

/// Makes the template's first container the one that runs Flink.
fn run_flink(main: &mut Container, flink: &Flink, start: &Start<'_>, role: &str) {
    let (script, args, ports, resources): (_, _, &[(&str, i32)], _) = match role {
        JOB_MANAGER => (
            "standalone-job.sh",
            job_arguments(flink, start),
            &[("rpc", RPC_PORT), ("blob", BLOB_PORT), ("rest", REST_PORT)],
            &flink.jobmanager.resources,
        ),
        _ => (
            "taskmanager.sh",
            // Else it waits for the job manager to find out.
            vec!["-D".to_owned(), "taskmanager.host=$(POD_IP)".to_owned()],
            &[("rpc", TASK_RPC_PORT)],
            &flink.taskmanager.resources,
        ),
    };
    let program = format!("{}/bin/{script}", flink.home.trim_end_matches('/'));
    main.command = Some(vec![program, "start-foreground".to_owned()]);
    main.args = Some(args);
    // What a process that cannot start says is all that there is to tell why.
    let policy = || "FallbackToLogsOnError".to_owned();
    main.termination_message_policy.get_or_insert_with(policy);
    let env = main.env.get_or_insert_default();
    env.push(EnvVar {
        name: "FLINK_CONF_DIR".to_owned(),
        value: Some(CONFIGURATION.to_owned()),
        value_from: None,
    });
    env.push(pod_address());
    let mounts = main.volume_mounts.get_or_insert_default();
    mounts.push(VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: CONFIGURATION.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    });
    if let Some(volume) = &flink.state.volume {
        let path = flink.state.dir.trim_start_matches("file://");
        mounts.push(VolumeMount {
            name: volume.clone(),
            mount_path: path.to_owned(),
            ..VolumeMount::default()
        });
    }
    let known = main.ports.get_or_insert_default();
    for (name, port) in ports {
        if !known.iter().any(|found| found.container_port == *port) {
            known.push(ContainerPort {
                name: Some((*name).to_owned()),
                container_port: *port,
                ..ContainerPort::default()
            });
        }
    }
    if let Some(resources) = resources {
        main.resources = Some(ResourceRequirements::clone(resources));
    }
    probes(main, role);
}

/// Arguments of `standalone-job.sh`; the job's own come last.
fn job_arguments(flink: &Flink, start: &Start<'_>) -> Vec<String> {
    let mut args = Vec::new();
    // It takes all words up to the next option, so that it must not be the last one.
    if let Some(jar) = &flink.job.jar {
        let url = match jar.strip_prefix('/') {
            Some(path) => format!("file:///{path}"),
            None => jar.clone(),
        };
        args.extend(["--jars".to_owned(), url]);
    }
    args.extend([
        "--job-classname".to_owned(),
        flink.job.class.clone(),
        "--job-id".to_owned(),
        start.job_id.to_owned(),
    ]);
    if flink.highavailability {
        // Each job manager is known by its own address, not by the Service's.
        args.extend(["--host".to_owned(), "$(POD_IP)".to_owned()]);
    }
    if let Some(from) = start.from {
        args.extend(["--fromSavepoint".to_owned(), from.to_owned()]);
        if flink.job.allownonrestoredstate {
            args.push("--allowNonRestoredState".to_owned());
        }
    }
    args.extend(flink.job.args.iter().cloned());
    args
}

fn pod_address() -> EnvVar {
    EnvVar {
        name: "POD_IP".to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "status.podIP".to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// Probes, unless the template has its own. A start may take ten minutes: how long an upgrade may
/// take the controller judges.
fn probes(main: &mut Container, role: &str) {
    let manager = role == JOB_MANAGER;
    let port = if manager { RPC_PORT } else { TASK_RPC_PORT };
    let period = 2;
    main.startup_probe.get_or_insert_with(|| Probe {
        tcp_socket: Some(tcp(port)),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(300),
        ..Probe::default()
    });
    main.readiness_probe.get_or_insert_with(|| Probe {
        http_get: manager.then(|| HTTPGetAction {
            path: Some("/config".to_owned()),
            port: IntOrString::Int(REST_PORT),
            ..HTTPGetAction::default()
        }),
        tcp_socket: (!manager).then(|| tcp(TASK_RPC_PORT)),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        ..Probe::default()
    });
    main.liveness_probe.get_or_insert_with(|| Probe {
        tcp_socket: Some(tcp(port)),
        period_seconds: Some(30),
        timeout_seconds: Some(5),
        failure_threshold: Some(5),
        ..Probe::default()
    });
}

fn tcp(port: i32) -> TCPSocketAction {
    TCPSocketAction {
        port: IntOrString::Int(port),
        ..TCPSocketAction::default()
    }
}
