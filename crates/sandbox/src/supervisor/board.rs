//! The status of everything, as the components' tasks report it. Owns the
//! writing of `state.json`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::component::Component as Definition;
use super::host_pids::HostPids;
use super::{Context, Error, plan};
use crate::paths::Layout;
use crate::status::{self, Component, ComponentState, LoadBalancer, Phase, Status};

/// The sample's Service, whose address the status names.
const SAMPLE: &str = "hello";

/// The current status, and everyone who waits for it to change.
#[derive(Debug)]
pub(crate) struct Board {
    layout: Layout,
    host_pids: HostPids,
    status: watch::Sender<Status>,
}

impl Board {
    pub(super) fn new(context: &Context, host_pids: HostPids, components: &[Definition]) -> Self {
        let (layout, ports, tools) = (&context.layout, context.settings.ports, &context.tools);
        let status = Status {
            phase: Phase::Starting,
            data_dir: layout.root().to_owned(),
            supervisor: Some(host_pids.supervisor()),
            server: format!("http://127.0.0.1:{}", ports.server),
            sample: None,
            forge: format!("http://127.0.0.1:{}", ports.forge),
            forge_user: super::forge::USER.to_owned(),
            forge_password_file: layout.forge_secret("password"),
            forge_token_file: layout.forge_secret("token"),
            registry: format!("127.0.0.1:{}", ports.registry),
            kubeconfig: layout.kubeconfig(),
            token_file: layout.token(),
            hermez: tools.hermez.clone().unwrap_or_default(),
            kubectl: tools.kubectl.clone(),
            buildctl: tools.buildctl.clone(),
            buildkit: plan::buildkit_address(context),
            cgroup: context.settings.cgroup(),
            load_balancers: Vec::new(),
            components: components
                .iter()
                .map(|component| Component {
                    name: component.name.to_owned(),
                    state: ComponentState::Waiting,
                    pid: None,
                    restarts: 0,
                    log: layout.log(component.name),
                })
                .collect(),
        };
        Self {
            layout: layout.clone(),
            host_pids,
            status: watch::Sender::new(status),
        }
    }

    /// Where the cluster keeps its files.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            status.phase = status.derive_phase();
            *status != before
        });
    }

    fn change_component(&self, name: &str, change: impl FnOnce(&mut Component)) {
        self.change(|status| {
            if let Some(component) = status
                .components
                .iter_mut()
                .find(|component| component.name == name)
            {
                change(component);
            }
        });
    }

    /// A component has another state and no process.
    pub(super) fn set(&self, name: &str, state: ComponentState) {
        self.change_component(name, |component| {
            component.state = state;
            if state != ComponentState::Ready {
                component.pid = None;
            }
        });
    }

    /// A component has been started.
    pub(super) fn started(&self, name: &str, pid: Option<u32>) {
        let pid = pid.and_then(|pid| self.host_pids.of_child(pid));
        self.change_component(name, |component| {
            component.restarts += u32::from(component.state == ComponentState::Restarting);
            component.state = ComponentState::Starting;
            component.pid = pid;
        });
    }

    /// The load balancers have changed.
    pub(super) fn set_load_balancers(&self, mut load_balancers: Vec<LoadBalancer>) {
        load_balancers.sort();
        self.change(|status| {
            status.sample = load_balancers
                .iter()
                .find(|balancer| balancer.name == SAMPLE)
                .and_then(|balancer| {
                    Some(format!(
                        "http://{}:{}/",
                        balancer.address,
                        balancer.ports.first()?
                    ))
                });
            status.load_balancers = load_balancers;
        });
    }

    /// The cluster is on its way down.
    pub(super) fn stopping(&self) {
        self.change(|status| status.phase = Phase::Stopping);
        let _ = status::write(&self.layout, &self.status.borrow());
    }

    /// Everything has ended.
    pub(super) fn stopped(&self) -> Result<(), Error> {
        self.change(|status| status.phase = Phase::Stopped);
        Ok(status::write(&self.layout, &self.status.borrow())?)
    }

    /// Waits until every component named has a state that will do.
    pub(super) async fn wait_for(&self, names: &[&str], will_do: impl Fn(ComponentState) -> bool) {
        let mut receiver = self.status.subscribe();
        // Fails only when the board is gone, and then there is nothing to wait for.
        let _ = receiver
            .wait_for(|status| {
                names.iter().all(|name| {
                    status
                        .component(name)
                        .is_none_or(|component| will_do(component.state))
                })
            })
            .await;
    }

    /// Writes `state.json` after each change, at most every few milliseconds.
    pub(super) async fn write_changes(self: Arc<Self>) {
        let mut receiver = self.status.subscribe();
        receiver.mark_changed();
        while receiver.changed().await.is_ok() {
            let status = receiver.borrow_and_update().clone();
            if let Err(error) = status::write(&self.layout, &status) {
                tracing::error!(%error, "cannot write the status");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
