//! A second cluster beside the one that a journey runs on: its API server, scheduler and controllers
//! are real, and its nodes are played.

use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result};
use hermez_sandbox::components::Tools;
use hermez_sandbox::launch;
use hermez_sandbox::paths::Layout;
use hermez_sandbox::status::{self, Phase, Status};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::played::Played;
use crate::sandbox::Sandbox;
use crate::wait::until;

/// Longest time for a cluster to be ready.
const LIMIT: Duration = Duration::from_mins(3);

/// A cluster beside another.
pub struct Second {
    /// Its addresses and files.
    pub sandbox: Sandbox,
    /// Its nodes, with the namespace for what runs on them.
    pub played: Option<Played>,
    layout: Layout,
    child: Child,
}

impl Second {
    /// Starts a cluster with the same components as the other, without Hermez, with played nodes and
    /// this namespace.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(sandbox: &Sandbox, namespace: &str) -> Result<Self> {
        let first = Layout::new(&sandbox.status.data_dir);
        let tools = std::fs::read(launch::tools_file(&first)).context("the cluster's tools")?;
        let tools = Tools {
            hermez: None,
            ..serde_json::from_slice(&tools)?
        };
        let mut folder = sandbox.status.data_dir.clone().into_os_string();
        folder.push("-2");
        let layout = Layout::new(std::path::PathBuf::from(folder));
        launch::stop(layout.root())?;
        let supervisor = sandbox.status.hermez.with_file_name("hermez-sandbox");
        let child = launch::start(&layout, &supervisor, &tools, true)?;
        let mut second = Second {
            sandbox: Sandbox {
                status: sandbox.status.clone(),
            },
            played: None,
            layout,
            child,
        };
        let made = second.make_ready(namespace).await;
        if made.is_err() {
            second.stop()?;
        }
        made.map(|()| second)
    }

    async fn make_ready(&mut self, namespace: &str) -> Result<()> {
        let status = until("the second cluster is ready", LIMIT, || async {
            let status = status::read(self.layout.root()).ok();
            let status = status.filter(Status::is_running);
            anyhow::ensure!(
                status.as_ref().is_none_or(|it| it.phase != Phase::Failed),
                "the second cluster does not start: {status:?}"
            );
            Ok(status.filter(|it| it.phase == Phase::Ready))
        })
        .await?;
        self.sandbox = Sandbox { status };
        // Its one real node could not pull images from the other's registry.
        let nodes: Api<Node> = Api::all(self.sandbox.kube().await?);
        for node in nodes.list(&ListParams::default()).await? {
            nodes.cordon(&node.name_any()).await?;
        }
        self.played = Some(Played::start(&self.sandbox, namespace.to_owned()).await?);
        Ok(())
    }

    /// A signal to its API server, for example SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal_api_server(&self, signal: nix::sys::signal::Signal) -> Result<()> {
        let component = self.sandbox.status.component("kube-apiserver");
        let pid = component.and_then(|it| it.pid).context("an API server")?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into()?), signal)?;
        Ok(())
    }

    /// Takes the cluster away with all that it wrote.
    ///
    /// # Errors
    /// When something of it is left.
    pub async fn clean_up(mut self) -> Result<()> {
        if let Some(played) = self.played.take() {
            played.stop().await?;
        }
        self.stop()
    }

    fn stop(&mut self) -> Result<()> {
        launch::stop(self.layout.root())?;
        self.child.wait()?;
        std::fs::remove_dir_all(self.layout.root())?;
        Ok(())
    }
}
