//! What a component is: a name, a command, what it needs, and how to tell that
//! it is ready. Declarative; [`super::run`] does the running.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::network;

/// Whether a component stays or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Stays; it is ready when the probe says so, and started again when it dies.
    Service(Probe),
    /// Ends; it is done when it has succeeded, and started again until it has.
    Task,
}

/// How to tell that a component is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It answers 200 to this request.
    Http {
        /// In the cluster's network namespace, not on the machine.
        in_cluster: bool,
        /// Where to ask.
        address: SocketAddr,
        /// The path to ask for.
        path: &'static str,
    },
    /// It accepts connections in the cluster's network namespace.
    Tcp(SocketAddr),
    /// It accepts connections on this socket.
    Unix(PathBuf),
    /// The API server says that it is ready.
    Api,
}

/// A process that the supervisor runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Names of components that must be ready before it starts, and that stop
    /// after it.
    pub(super) needs: &'static [&'static str],
    pub(super) command: Vec<OsString>,
    pub(super) environment: Vec<(&'static str, OsString)>,
}

impl Component {
    /// A component that runs in the machine's network namespace.
    pub(super) fn new(name: &'static str, program: impl Into<OsString>) -> Self {
        Self {
            name,
            kind: Kind::Task,
            needs: &[],
            command: vec![program.into()],
            environment: Vec::new(),
        }
    }

    /// One that runs in the cluster's network namespace.
    pub(super) fn in_cluster(name: &'static str, program: impl Into<OsString>) -> Self {
        let mut component = Self::new(name, "nsenter");
        component
            .command
            .push(format!("--net={}", network::FILE).into());
        component.command.push("--".into());
        component.command.push(program.into());
        component
    }

    /// Makes it one that stays.
    pub(super) fn service(mut self, probe: Probe) -> Self {
        self.kind = Kind::Service(probe);
        self
    }

    pub(super) fn needs(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    pub(super) fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds `--name=value`, where the value may be a path.
    pub(super) fn flag(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let mut flag = OsString::from(format!("--{name}="));
        flag.push(value.into());
        self.command.push(flag);
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }
}
