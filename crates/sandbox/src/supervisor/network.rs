//! The network namespace of Kubernetes: its own loopback, routes, firewall
//! tables and pods. It has no way out but the ports that [`super::forward`]
//! carries.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::sched::{CloneFlags, setns};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use super::Error;
use crate::command;

const NAME: &str = "cluster";
/// The namespace as a file, for `nsenter`.
pub(crate) const FILE: &str = "/run/netns/cluster";
/// The node's address. kubelet refuses a loopback address; this one is on the
/// loopback device all the same, and exists in this namespace only.
pub(crate) const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 88, 76, 1);
/// Addresses of pods.
pub(crate) const POD_CIDR: &str = "10.244.0.0/16";
/// Addresses of Services.
pub(crate) const SERVICE_CIDR: &str = "10.96.0.0/16";
/// The address of the Service `kubernetes`.
pub(crate) const API_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The address of cluster DNS.
pub(crate) const DNS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

type Request = oneshot::Sender<io::Result<TcpSocket>>;

/// Opens sockets in the namespace. A socket belongs to the namespace that it
/// was opened in for as long as it lives, so one thread that lives there is
/// all it takes.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    requests: mpsc::Sender<Request>,
}

impl Namespace {
    /// Makes the namespace and starts its thread.
    pub(super) fn create() -> Result<Self, Error> {
        let ip = |args: &[&str]| command::output(Command::new("ip").args(args));
        let node = NODE_ADDRESS.to_string();
        ip(&["netns", "add", NAME])?;
        ip(&["-n", NAME, "link", "set", "lo", "up"])?;
        ip(&[
            "-n",
            NAME,
            "address",
            "add",
            &format!("{node}/32"),
            "dev",
            "lo",
        ])?;
        // Without a route, a connection to a Service fails before the firewall
        // can turn it towards a pod.
        ip(&[
            "-n",
            NAME,
            "route",
            "add",
            SERVICE_CIDR,
            "dev",
            "lo",
            "src",
            &node,
        ])?;
        let firewall = format!(
            "add table ip hermez
             add chain ip hermez output {{ type filter hook output priority -5; }}
             add chain ip hermez forward {{ type filter hook forward priority -5; }}
             add rule ip hermez output ip daddr {SERVICE_CIDR} meta l4proto tcp reject with tcp reset
             add rule ip hermez forward ip daddr {SERVICE_CIDR} meta l4proto tcp reject with tcp reset"
        );
        // What kube-proxy has turned towards a pod is no longer addressed to a
        // Service. What still is would be dropped, and its repetitions with it
        // (the kernel takes them for one flow): a new load balancer would keep
        // its first callers waiting for seconds. Refused, they can try again.
        command::output(
            Command::new("nsenter")
                .arg(format!("--net={FILE}"))
                .args(["nft", &firewall]),
        )?;
        let file = File::open(FILE).map_err(Error::io(FILE))?;
        let (requests, receiver) = mpsc::channel::<Request>();
        let (entered, has_entered) = mpsc::channel();
        thread::Builder::new()
            .name("cluster-network".to_owned())
            .spawn(move || {
                let result = setns(&file, CloneFlags::CLONE_NEWNET);
                let failed = result.is_err();
                let _ = entered.send(result);
                if failed {
                    return;
                }
                for request in receiver {
                    let _ = request.send(TcpSocket::new_v4());
                }
            })
            .map_err(Error::io("thread"))?;
        has_entered
            .recv()
            .unwrap_or(Err(nix::Error::ESRCH))
            .map_err(|errno| Error::io(format!("enter {FILE}"))(errno.into()))?;
        Ok(Self { requests })
    }

    async fn socket(&self) -> io::Result<TcpSocket> {
        let gone = || io::Error::other("the network thread is gone");
        let (sender, receiver) = oneshot::channel();
        self.requests.send(sender).map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }

    /// Connects from inside the namespace.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.socket().await?.connect(address).await
    }

    /// Listens inside the namespace.
    pub(crate) async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.socket().await?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(1024)
    }
}
