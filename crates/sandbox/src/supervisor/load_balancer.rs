//! Services of type LoadBalancer, on this machine: each gets a loopback address
//! of its own, where its ports answer.
//!
//! # Guarantees
//! - A Service keeps its address for as long as it lives, over restarts too.
//! - A port that cannot be opened is said in an Event of the Service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ObjectReference, Service};
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::forward::{self, Side};
use super::network::Namespace;
use super::{Context, Error, probe};
use crate::status::{ComponentState, LoadBalancer};

/// What a Service wants.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    cluster_address: Ipv4Addr,
    ports: Vec<u16>,
}

/// A namespace and a name.
type Name = (String, String);

struct Open {
    wanted: Wanted,
    number: u8,
    stop: CancellationToken,
    listeners: Vec<JoinHandle<()>>,
}

struct Balancers {
    context: Context,
    namespace: Namespace,
    board: Arc<Board>,
    client: Client,
    recorder: Recorder,
    open: BTreeMap<Name, Open>,
}

/// Serves load balancers until `stop`.
pub(super) async fn run(
    context: Context,
    namespace: Namespace,
    board: Arc<Board>,
    stop: CancellationToken,
) {
    let serve = async {
        board
            .wait_for(&["bootstrap"], ComponentState::is_ready)
            .await;
        let client = match probe::client(&context.layout.pki("load-balancer.kubeconfig")).await {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "no load balancers"),
        };
        let reporter = Reporter {
            controller: "hermez-sandbox".to_owned(),
            instance: None,
        };
        let recorder = Recorder::new(client.clone(), reporter);
        let mut balancers = Balancers {
            context,
            namespace,
            board: Arc::clone(&board),
            client,
            recorder,
            open: BTreeMap::new(),
        };
        balancers.watch().await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = serve => {}
    }
}

impl Balancers {
    async fn watch(&mut self) {
        let services: Api<Service> = Api::all(self.client.clone());
        let mut events = pin!(watcher(services, watcher::Config::default()).default_backoff());
        let mut listed = BTreeSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(service)) => {
                    listed.insert(name_of(&service));
                    self.apply(&service).await;
                }
                Ok(watcher::Event::InitDone) => {
                    let gone: Vec<Name> = self
                        .open
                        .keys()
                        .filter(|name| !listed.contains(*name))
                        .cloned()
                        .collect();
                    for name in gone {
                        self.close(&name).await;
                    }
                }
                Ok(watcher::Event::Apply(service)) => self.apply(&service).await,
                Ok(watcher::Event::Delete(service)) => self.close(&name_of(&service)).await,
                Err(error) => tracing::warn!(%error, "watching Services"),
            }
        }
    }

    async fn apply(&mut self, service: &Service) {
        let name = name_of(service);
        let Some(wanted) = wanted(service) else {
            return self.close(&name).await;
        };
        if self
            .open
            .get(&name)
            .is_none_or(|open| open.wanted != wanted)
        {
            let before = self.open.get(&name).map(|open| open.number);
            self.close(&name).await;
            let preferred = before.or_else(|| self.number_of(service));
            if let Err(reason) = self.open(&name, wanted, preferred).await {
                tracing::warn!(service = ?name, reason, "no load balancer");
                return self.tell(service, &reason).await;
            }
        }
        if let Err(error) = self.publish(service, &name).await {
            tracing::warn!(service = ?name, %error, "cannot write the Service's status");
        }
    }

    /// The number of the address that the Service has already, if it is ours.
    fn number_of(&self, service: &Service) -> Option<u8> {
        let [_, _, _, number] = address_in_status(service)?.octets();
        let ours =
            address_in_status(service)? == self.context.settings.load_balancer_address(number);
        ours.then_some(number)
    }

    async fn open(
        &mut self,
        name: &Name,
        wanted: Wanted,
        preferred: Option<u8>,
    ) -> Result<(), String> {
        let mut used: BTreeSet<u8> = self.open.values().map(|open| open.number).collect();
        let mut reason = "every address is taken".to_owned();
        // Another program may listen on the very address: try a few.
        for _ in 0..4 {
            let Some(number) = allocate(preferred, &used) else {
                break;
            };
            used.insert(number);
            match self.listen(&wanted, number).await {
                Ok(open) => {
                    self.open.insert(name.clone(), open);
                    self.report();
                    return Ok(());
                }
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }

    async fn listen(&self, wanted: &Wanted, number: u8) -> Result<Open, String> {
        let address = self.context.settings.load_balancer_address(number);
        let mut sockets = Vec::new();
        for port in &wanted.ports {
            let listener = TcpListener::bind((address, *port)).await;
            sockets.push((
                listener.map_err(|error| format!("cannot listen on {address}:{port}: {error}"))?,
                *port,
            ));
        }
        let stop = CancellationToken::new();
        let listeners = sockets
            .into_iter()
            .map(|(listener, port)| {
                let target = SocketAddr::from((wanted.cluster_address, port));
                tokio::spawn(forward::serve(
                    listener,
                    Side::Cluster(self.namespace.clone()),
                    target,
                    stop.clone(),
                ))
            })
            .collect();
        Ok(Open {
            wanted: wanted.clone(),
            number,
            stop,
            listeners,
        })
    }

    async fn close(&mut self, name: &Name) {
        let Some(open) = self.open.remove(name) else {
            return;
        };
        open.stop.cancel();
        for listener in open.listeners {
            let _ = listener.await;
        }
        self.report();
    }

    fn report(&self) {
        let balancer = |((namespace, name), open): (&Name, &Open)| LoadBalancer {
            namespace: namespace.clone(),
            name: name.clone(),
            address: self.context.settings.load_balancer_address(open.number),
            ports: open.wanted.ports.clone(),
        };
        self.board
            .set_load_balancers(self.open.iter().map(balancer).collect());
    }

    /// Writes the address into the Service's status, if it is not there.
    async fn publish(&self, service: &Service, name: &Name) -> Result<(), Error> {
        let Some(open) = self.open.get(name) else {
            return Ok(());
        };
        let address = self.context.settings.load_balancer_address(open.number);
        if address_in_status(service) == Some(address) {
            return Ok(());
        }
        // Proxy: the address is outside of the cluster; kube-proxy leaves it alone.
        let ingress = serde_json::json!([{ "ip": address, "ipMode": "Proxy" }]);
        let patch = serde_json::json!({ "status": { "loadBalancer": { "ingress": ingress } } });
        let services: Api<Service> = Api::namespaced(self.client.clone(), &name.0);
        let patched = services
            .patch_status(&name.1, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        match patched {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop).map_err(|error| Box::new(error).into()),
        }
    }

    async fn tell(&self, service: &Service, reason: &str) {
        let event = Event {
            type_: EventType::Warning,
            reason: "LoadBalancerFailed".to_owned(),
            note: Some(reason.to_owned()),
            action: "Listen".to_owned(),
            secondary: None,
        };
        let reference: ObjectReference = service.object_ref(&());
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::warn!(%error, "cannot publish an Event");
        }
    }
}

fn name_of(service: &Service) -> Name {
    (service.namespace().unwrap_or_default(), service.name_any())
}

/// What the Service wants of us; nothing when it is another's or not ready.
fn wanted(service: &Service) -> Option<Wanted> {
    let spec = service.spec.as_ref()?;
    let ours = spec.type_.as_deref() == Some("LoadBalancer") && spec.load_balancer_class.is_none();
    if !ours || service.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let ports: Vec<u16> = spec
        .ports
        .iter()
        .flatten()
        .filter(|port| {
            port.protocol
                .as_deref()
                .is_none_or(|protocol| protocol == "TCP")
        })
        .filter_map(|port| u16::try_from(port.port).ok())
        .collect();
    let cluster_address = spec.cluster_ip.as_deref()?.parse().ok()?;
    (!ports.is_empty()).then_some(Wanted {
        cluster_address,
        ports,
    })
}

fn address_in_status(service: &Service) -> Option<Ipv4Addr> {
    let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
    balancer
        .ingress
        .as_ref()?
        .first()?
        .ip
        .as_deref()?
        .parse()
        .ok()
}

/// The preferred number if it is free, else the lowest that is. 0, 1 and 255
/// are left out: people take them for something special.
fn allocate(preferred: Option<u8>, used: &BTreeSet<u8>) -> Option<u8> {
    preferred
        .into_iter()
        .chain(2..=254)
        .find(|number| !used.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_service(kind: &str, ports: &serde_json::Value) -> Service {
        serde_json::from_value(serde_json::json!({
            "metadata": { "name": "hello", "namespace": "default" },
            "spec": { "type": kind, "clusterIP": "10.96.0.7", "ports": ports },
            "status": { "loadBalancer": { "ingress": [{ "ip": "127.70.1.9" }] } },
        }))
        .unwrap()
    }

    #[test]
    fn only_load_balancers_with_tcp_ports_are_wanted() {
        let ports = serde_json::json!([{ "port": 80 }, { "port": 53, "protocol": "UDP" }]);
        let wanted_ports = wanted(&mk_service("LoadBalancer", &ports)).unwrap().ports;
        assert_eq!(wanted_ports, [80]);
        assert_eq!(wanted(&mk_service("ClusterIP", &ports)), None);
        let udp = serde_json::json!([{ "port": 53, "protocol": "UDP" }]);
        assert_eq!(wanted(&mk_service("LoadBalancer", &udp)), None);
        let mut other = mk_service("LoadBalancer", &serde_json::json!([{ "port": 80 }]));
        other.spec.as_mut().unwrap().load_balancer_class = Some("example.com/other".into());
        assert_eq!(wanted(&other), None);
    }

    #[test]
    fn an_address_is_kept_if_it_is_free() {
        let service = mk_service("LoadBalancer", &serde_json::json!([]));
        assert_eq!(
            address_in_status(&service),
            Some(Ipv4Addr::new(127, 70, 1, 9))
        );
        assert_eq!(allocate(Some(9), &BTreeSet::from([2])), Some(9));
        assert_eq!(allocate(Some(9), &BTreeSet::from([2, 9])), Some(3));
        assert_eq!(allocate(None, &BTreeSet::new()), Some(2));
        assert_eq!(allocate(None, &(2..=254).collect()), None);
    }
}
