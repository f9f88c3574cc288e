//! Flink's configuration: what Hermez writes, what users may write, and which keys are not theirs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::flink::{JOB_MANAGER, cluster_id};
use super::{Flink, Start};
use crate::config::Violation;
use crate::translate::Translation;

/// Port of the job manager's RPC.
pub(super) const RPC_PORT: i32 = 6123;
/// Port of the job manager's blob server.
pub(super) const BLOB_PORT: i32 = 6124;
/// Port of the REST API.
pub(super) const REST_PORT: i32 = 8081;
/// Port of a task manager's RPC.
pub(super) const TASK_RPC_PORT: i32 = 6122;

/// Flink's own defaults of the memory of a whole process.
const JOB_MANAGER_MEMORY: &str = "1600m";
const TASK_MANAGER_MEMORY: &str = "1728m";

/// What Flink needs of a Java that is newer than 11; the value of its own configuration file.
const JAVA_OPTIONS: &str = "--add-exports=java.base/sun.net.util=ALL-UNNAMED --add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.api=ALL-UNNAMED --add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.parser=ALL-UNNAMED --add-exports=jdk.compiler/com.sun.tools.javac.tree=ALL-UNNAMED \
    --add-exports=jdk.compiler/com.sun.tools.javac.util=ALL-UNNAMED --add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED \
    --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.net=ALL-UNNAMED \
    --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.lang.reflect=ALL-UNNAMED \
    --add-opens=java.base/java.text=ALL-UNNAMED --add-opens=java.base/java.time=ALL-UNNAMED \
    --add-opens=java.base/java.util=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED \
    --add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED --add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED";

/// Keys that Hermez writes, each with what to write instead; a key that ends with a dot stands for
/// all below it.
const OWNED: &[(&str, &str)] = &[
    ("$internal.", "leave it out"),
    ("blob.server.port", "leave it out"),
    (
        "execution.checkpointing.dir",
        "write flink.state.checkpointdir",
    ),
    (
        "execution.checkpointing.externalized-checkpoint-retention",
        "leave it out: checkpoints are kept when the job is canceled",
    ),
    (
        "execution.checkpointing.interval",
        "write flink.checkpointintervalseconds",
    ),
    (
        "execution.checkpointing.savepoint-dir",
        "write flink.state.savepointdir",
    ),
    (
        "execution.savepoint.ignore-unclaimed-state",
        "write flink.job.allownonrestoredstate",
    ),
    ("execution.savepoint.path", "write flink.initialsavepoint"),
    (
        "execution.shutdown-on-application-finish",
        "leave it out: the job manager must live to tell how the job ended",
    ),
    (
        "execution.state-recovery.",
        "write flink.initialsavepoint and flink.job.allownonrestoredstate",
    ),
    (
        "execution.submit-failed-job-on-application-error",
        "leave it out: a job that cannot start must be seen in the status",
    ),
    ("high-availability", "write flink.highavailability"),
    ("high-availability.", "write flink.highavailability"),
    ("job-result-store.", "leave it out"),
    ("jobmanager.bind-host", "leave it out"),
    (
        "jobmanager.memory.process.size",
        "write flink.jobmanager.memory",
    ),
    ("jobmanager.rpc.", "leave it out"),
    ("kubernetes.", "leave it out"),
    ("parallelism.default", "write flink.parallelism"),
    ("rest.address", "leave it out"),
    ("rest.bind-address", "leave it out"),
    ("rest.bind-port", "leave it out"),
    ("rest.port", "leave it out"),
    ("state.checkpoints.dir", "write flink.state.checkpointdir"),
    ("state.savepoints.dir", "write flink.state.savepointdir"),
    ("taskmanager.bind-host", "leave it out"),
    (
        "taskmanager.memory.process.size",
        "write flink.taskmanager.memory",
    ),
    (
        "taskmanager.numberOfTaskSlots",
        "write flink.taskmanager.slots",
    ),
    ("taskmanager.rpc.port", "leave it out"),
];

/// Keys that are Hermez', and values that Flink could not read.
pub(super) fn violations(flink: &Flink) -> Vec<Violation> {
    let at = |key: &str| format!("spec.flink.configuration.{key}");
    let mut violations = Vec::new();
    for (key, value) in &flink.configuration {
        let owned = OWNED
            .iter()
            .find(|(owned, _)| key == owned || (owned.ends_with('.') && key.starts_with(owned)));
        if let Some((_, instead)) = owned {
            violations.push(Violation {
                field: at(key),
                message: "this key of Flink's is written by Hermez".to_owned(),
                hint: Some((*instead).to_owned()),
            });
        } else if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == ':') {
            violations.push(Violation {
                field: at(key),
                message: format!("{key:?} is not a key of Flink's"),
                hint: Some(
                    "write keys as in Flink's config.yaml, for example state.backend.type"
                        .to_owned(),
                ),
            });
        } else if value.contains(['\n', '\r']) {
            violations.push(Violation {
                field: at(key),
                message: "a value has one line".to_owned(),
                hint: Some("take the line break out".to_owned()),
            });
        }
    }
    violations
}

impl Flink {
    /// URL of the folder of checkpoints.
    pub fn checkpoint_dir(&self) -> String {
        let own = self.state.checkpointdir.clone();
        own.unwrap_or_else(|| self.below("checkpoints"))
    }

    /// URL of the folder of savepoints.
    pub fn savepoint_dir(&self) -> String {
        let own = self.state.savepointdir.clone();
        own.unwrap_or_else(|| self.below("savepoints"))
    }

    fn below(&self, folder: &str) -> String {
        format!("{}/{folder}", self.state.dir.trim_end_matches('/'))
    }
}

/// Flink's `config.yaml` for a start.
pub(super) fn config_yaml(
    translation: &Translation<'_>,
    flink: &Flink,
    parallelism: i32,
    start: &Start<'_>,
) -> String {
    // What a job may want differently.
    let mut all: BTreeMap<String, String> = [
        ("env.java.opts.all", JAVA_OPTIONS),
        ("state.checkpoints.num-retained", "3"),
        ("web.submit.enable", "false"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    all.extend(flink.configuration.clone());
    let memory = |own: &Option<String>, default: &str| own.clone().unwrap_or(default.to_owned());
    let mut own = vec![
        ("blob.server.port", BLOB_PORT.to_string()),
        (
            "execution.checkpointing.interval",
            format!("{} s", flink.checkpointintervalseconds),
        ),
        (
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION".to_owned(),
        ),
        (
            "execution.shutdown-on-application-finish",
            "false".to_owned(),
        ),
        ("jobmanager.bind-host", "0.0.0.0".to_owned()),
        (
            "jobmanager.memory.process.size",
            memory(&flink.jobmanager.memory, JOB_MANAGER_MEMORY),
        ),
        (
            "jobmanager.rpc.address",
            format!("{}-{JOB_MANAGER}", translation.name()),
        ),
        ("jobmanager.rpc.port", RPC_PORT.to_string()),
        ("parallelism.default", parallelism.to_string()),
        ("rest.bind-address", "0.0.0.0".to_owned()),
        ("rest.port", REST_PORT.to_string()),
        ("state.checkpoints.dir", flink.checkpoint_dir()),
        ("state.savepoints.dir", flink.savepoint_dir()),
        ("taskmanager.bind-host", "0.0.0.0".to_owned()),
        (
            "taskmanager.memory.process.size",
            memory(&flink.taskmanager.memory, TASK_MANAGER_MEMORY),
        ),
        (
            "taskmanager.numberOfTaskSlots",
            flink.taskmanager.slots.to_string(),
        ),
        ("taskmanager.rpc.port", TASK_RPC_PORT.to_string()),
    ];
    if flink.highavailability {
        own.extend([
            ("high-availability.type", "kubernetes".to_owned()),
            ("high-availability.storageDir", flink.below("ha")),
            (
                "high-availability.cluster-id",
                cluster_id(translation.name(), start.number),
            ),
            (
                "kubernetes.cluster-id",
                cluster_id(translation.name(), start.number),
            ),
            ("kubernetes.namespace", translation.namespace().to_owned()),
            // A job that ended is not run again by the next job manager.
            ("job-result-store.delete-on-commit", "false".to_owned()),
            (
                "execution.submit-failed-job-on-application-error",
                "true".to_owned(),
            ),
        ]);
    }
    all.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    let mut yaml = String::new();
    for (key, value) in all {
        // JSON's strings are YAML's.
        let value = serde_json::Value::from(value);
        let _ = writeln!(yaml, "{key}: {value}");
    }
    yaml
}

/// Where Flink's logs go: to the console, and nowhere else.
pub(super) const LOG4J: &str = "\
monitorInterval = 30
rootLogger.level = ${env:ROOT_LOG_LEVEL:-INFO}
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
";
