//! The ways in which the sample is made to fail.

use k8s_openapi::api::core::v1::Pod;

/// A value that only the manifest calls a secret, so that nothing but its being known masks it.
pub(super) const SECRET: &str = "correct horse battery staple";

/// A way to fail.
pub(super) struct Failure {
    pub name: &'static str,
    /// What replaces the container's own part of the config file.
    pub container: &'static str,
    pub cause: &'static str,
    /// Words of the sentence.
    pub says: &'static [&'static str],
    /// Words of the last lines; empty where the container never ran.
    pub lines: &'static [&'static str],
}

pub(super) const FAILURES: [Failure; 7] = [
    Failure {
        name: "crash_loop",
        container: "          command: [\"sh\", \"-c\", \"echo connecting with $DB_PASSWORD; echo 'GET /?api_key=abc123'; echo postgres://ada:hunter2@db/x; exit 3\"]\n",
        cause: "crash_loop",
        says: &["crash", "exit code 3"],
        lines: &["connecting with ***", "api_key=***", "postgres://***@db/x"],
    },
    Failure {
        name: "segmentation_fault",
        container: "          command: [\"sh\", \"-c\", \"echo before the fault; sh -c 'kill -SEGV $$$$'; exit $?\"]\n",
        cause: "crash_loop",
        says: &["exit code 139 (SIGSEGV)"],
        lines: &["before the fault"],
    },
    Failure {
        name: "out_of_memory",
        container: "          command: [\"perl\", \"-e\", \"$| = 1; print qq(filling memory\\\\n); my @a; push @a, q(x) x 1000000 while 1\"]\n          resources:\n            limits:\n              memory: 32Mi\n",
        cause: "crash_loop",
        says: &["ran out of memory (its limit is 32Mi)"],
        lines: &["filling memory"],
    },
    Failure {
        name: "probe",
        container: "          readinessProbe:\n            httpGet:\n              path: /\n              port: 8081\n            periodSeconds: 1\n",
        cause: "probe",
        says: &["readiness probe", "connection refused"],
        lines: &["listening on 8080"],
    },
    Failure {
        name: "unschedulable",
        container: "          resources:\n            requests:\n              cpu: \"1000\"\n",
        cause: "unschedulable",
        says: &["no node", "Insufficient cpu"],
        lines: &[],
    },
    Failure {
        name: "config_missing",
        container: "          envFrom:\n            - configMapRef:\n                name: nowhere\n",
        cause: "config_missing",
        says: &["nowhere", "not found"],
        lines: &[],
    },
    Failure {
        name: "secret_missing",
        container: "          envFrom:\n            - secretRef:\n                name: unheard-of\n",
        cause: "config_missing",
        says: &["unheard-of", "not found"],
        lines: &[],
    },
];

/// Sources of a volume that are not there; the last is a key that a ConfigMap of every namespace lacks.
pub(super) const VOLUMES: [&str; 3] = [
    "persistentVolumeClaim:\n            claimName: nowhere\n",
    "configMap:\n            name: nowhere\n",
    "configMap:\n            name: kube-root-ca.crt\n            items:\n              - {key: nowhere, path: nowhere}\n",
];

/// Whether a pod shows that failure to whoever looks at the cluster.
pub(super) fn shows(pod: &Pod, cause: &str) -> bool {
    let Some(status) = &pod.status else {
        return false;
    };
    let mut containers = status.container_statuses.iter().flatten();
    let waits = |reason: &str| {
        let states = status.container_statuses.iter().flatten();
        let mut waiting = states.filter_map(|it| it.state.as_ref()?.waiting.as_ref());
        waiting.any(|it| it.reason.as_deref() == Some(reason))
    };
    match cause {
        // The second end in a row; one may be come over.
        "crash_loop" => waits("CrashLoopBackOff"),
        "config_missing" => waits("CreateContainerConfigError"),
        "unschedulable" => {
            status.conditions.iter().flatten().any(|it| {
                it.type_ == "PodScheduled" && it.reason.as_deref() == Some("Unschedulable")
            })
        }
        _ => containers.any(|it| !it.ready && it.started == Some(true)),
    }
}
