//! The components of a cluster, with their commands and needs. A pure function
//! of the context.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::component::{Component, Probe};
use super::mounts::FORGE_DATA;
use super::network::{NODE_ADDRESS, SERVICE_CIDR};
use super::render::CONTAINERD_SOCKET;
use super::{Context, egress, forge};
use crate::base_image;

/// Who asked the API server for what, beside its other files.
const AUDIT_LOG: &str = "audit.log";

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn http(in_cluster: bool, port: u16, path: &'static str) -> Probe {
    Probe::Http {
        in_cluster,
        address: local(port),
        path,
    }
}

/// Every component, each after those that it needs.
pub(super) fn components(context: &Context) -> Vec<Component> {
    let mut list = vec![etcd(context), api_server(context), bootstrap(context)];
    list.extend(controllers(context));
    list.extend(node(context));
    list.extend(images(context));
    list.extend(forge_components(context));
    list.extend(hermez(context));
    list
}

/// One part of the multi-call binary, in the cluster's network.
fn kubernetes(context: &Context, name: &'static str) -> Component {
    Component::in_cluster(name, &context.tools.kubernetes).args([name])
}

/// etcd answers on the loopback device of the cluster's own network, which no
/// other process of the machine shares. It does not wait for the disk: a crash
/// of the machine (not of the process) may lose the last writes, which a
/// developer's cluster can bear and a slow disk thanks us for.
fn etcd(context: &Context) -> Component {
    let (client, peer) = ("http://127.0.0.1:2379", "http://127.0.0.1:2380");
    kubernetes(context, "etcd")
        .flag("data-dir", context.layout.var("etcd"))
        .flag("listen-client-urls", client)
        .flag("advertise-client-urls", client)
        .flag("listen-peer-urls", peer)
        .flag("initial-advertise-peer-urls", peer)
        .flag("initial-cluster", format!("default={peer}"))
        .flag("auto-compaction-mode", "periodic")
        .flag("auto-compaction-retention", "1h")
        .flag("log-level", "warn")
        .args(["--unsafe-no-fsync"])
        .service(http(true, 2379, "/health"))
}

fn api_server(context: &Context) -> Component {
    let pki = |file: &str| context.layout.pki(file);
    kubernetes(context, "kube-apiserver")
        .needs(&["etcd"])
        .flag("etcd-servers", "http://127.0.0.1:2379")
        .flag("secure-port", context.settings.ports.api.to_string())
        .flag("bind-address", "0.0.0.0")
        .flag("advertise-address", NODE_ADDRESS.to_string())
        .flag("cert-dir", context.layout.var("kube-apiserver"))
        .flag("tls-cert-file", pki("api.pem"))
        .flag("tls-private-key-file", pki("api.key"))
        .flag("client-ca-file", pki("ca.pem"))
        .flag(
            "service-account-issuer",
            "https://kubernetes.default.svc.cluster.local",
        )
        .flag("service-account-key-file", pki("service-accounts.pub"))
        .flag(
            "service-account-signing-key-file",
            pki("service-accounts.key"),
        )
        .flag("service-cluster-ip-range", SERVICE_CIDR)
        .flag("authorization-mode", "Node,RBAC")
        .flag("enable-admission-plugins", "NodeRestriction")
        .flag("allow-privileged", "true")
        .flag("kubelet-certificate-authority", pki("ca.pem"))
        .flag("kubelet-client-certificate", pki("api-to-kubelet.pem"))
        .flag("kubelet-client-key", pki("api-to-kubelet.key"))
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("requestheader-client-ca-file", pki("ca.pem"))
        .flag("requestheader-allowed-names", "front-proxy")
        .flag("requestheader-username-headers", "X-Remote-User")
        .flag("requestheader-group-headers", "X-Remote-Group")
        .flag("requestheader-extra-headers-prefix", "X-Remote-Extra-")
        .flag("proxy-client-cert-file", pki("front-proxy.pem"))
        .flag("proxy-client-key-file", pki("front-proxy.key"))
        .flag("profiling", "false")
        .flag("audit-policy-file", context.layout.etc("audit.yaml"))
        .flag(
            "audit-log-path",
            context.layout.var("kube-apiserver").join(AUDIT_LOG),
        )
        // Megabytes; the file and one older one.
        .flag("audit-log-maxsize", "100")
        .flag("audit-log-maxbackup", "1")
        .service(Probe::Api)
}

fn kubectl(context: &Context, name: &'static str) -> Component {
    Component::new(name, &context.tools.kubectl).flag("kubeconfig", context.layout.kubeconfig())
}

fn bootstrap(context: &Context) -> Component {
    kubectl(context, "bootstrap")
        .needs(&["kube-apiserver"])
        .args(["apply", "--server-side", "--force-conflicts", "--filename"])
        .args([context.layout.etc("bootstrap.yaml")])
}

fn controllers(context: &Context) -> [Component; 2] {
    let kubeconfig = |name: &str| context.layout.pki(&format!("{name}.kubeconfig"));
    [
        kubernetes(context, "kube-controller-manager")
            .needs(&["kube-apiserver"])
            .flag("kubeconfig", kubeconfig("kube-controller-manager"))
            .flag(
                "authentication-kubeconfig",
                kubeconfig("kube-controller-manager"),
            )
            .flag(
                "authorization-kubeconfig",
                kubeconfig("kube-controller-manager"),
            )
            .flag("bind-address", "127.0.0.1")
            .flag("cert-dir", context.layout.var("kube-controller-manager"))
            .flag(
                "service-account-private-key-file",
                context.layout.pki("service-accounts.key"),
            )
            .flag("root-ca-file", context.layout.pki("ca.pem"))
            .flag("cluster-signing-cert-file", context.layout.pki("ca.pem"))
            .flag("cluster-signing-key-file", context.layout.pki("ca.key"))
            .flag("use-service-account-credentials", "true")
            // Makes the volumes of the storage class "local" below mounts::VOLUMES.
            .flag("enable-hostpath-provisioner", "true")
            .flag("leader-elect", "false")
            .service(Probe::Tcp(local(10_257))),
        kubernetes(context, "kube-scheduler")
            .needs(&["kube-apiserver"])
            .flag("kubeconfig", kubeconfig("kube-scheduler"))
            .flag("authentication-kubeconfig", kubeconfig("kube-scheduler"))
            .flag("authorization-kubeconfig", kubeconfig("kube-scheduler"))
            .flag("bind-address", "127.0.0.1")
            .flag("cert-dir", context.layout.var("kube-scheduler"))
            .flag("leader-elect", "false")
            .service(Probe::Tcp(local(10_259))),
    ]
}

fn node(context: &Context) -> [Component; 6] {
    [
        Component::in_cluster("containerd", "containerd")
            .flag("config", context.layout.etc("containerd.toml"))
            .flag("log-level", "warn")
            .env("HTTPS_PROXY", format!("http://{}", egress::ADDRESS))
            .env("NO_PROXY", "127.0.0.1")
            .service(Probe::Unix(CONTAINERD_SOCKET.into())),
        Component::new("pause-image", "ctr")
            .needs(&["containerd"])
            .flag("address", CONTAINERD_SOCKET)
            .args(["--namespace=k8s.io", "images", "import"])
            .args([&context.tools.pause_image]),
        kubernetes(context, "kubelet")
            .needs(&["kube-apiserver", "containerd", "pause-image"])
            .flag("config", context.layout.etc("kubelet.yaml"))
            .flag("kubeconfig", context.layout.pki("kubelet.kubeconfig"))
            .flag("hostname-override", &context.settings.name)
            .flag("node-ip", NODE_ADDRESS.to_string())
            .service(http(true, 10_248, "/healthz")),
        kubernetes(context, "kube-proxy")
            .needs(&["kube-apiserver", "kubelet"])
            .flag("config", context.layout.etc("kube-proxy.yaml"))
            .service(http(true, 10_256, "/healthz")),
        Component::in_cluster("coredns", &context.tools.coredns)
            .needs(&["bootstrap"])
            .args(["-conf"])
            .args([context.layout.etc("Corefile")])
            .service(http(true, 8181, "/ready")),
        kubectl(context, "node")
            .needs(&["kubelet"])
            .args(["wait", "--for=condition=Ready", "--timeout=60s"])
            .args([format!("node/{}", context.settings.name)]),
    ]
}

fn images(context: &Context) -> [Component; 3] {
    let layout = &context.layout;
    [
        Component::new("registry", "docker-registry")
            .args(["serve"])
            .args([layout.etc("registry.yaml")])
            // Its traces have nowhere to go.
            .env("OTEL_TRACES_EXPORTER", "none")
            .service(http(false, context.settings.ports.registry, "/v2/")),
        Component::new("buildkitd", &context.tools.buildkitd)
            .flag("config", layout.etc("buildkitd.toml"))
            .flag("root", layout.var("buildkit"))
            .flag("addr", buildkit_address(context))
            .flag("oci-worker-snapshotter", "overlayfs")
            .flag("oci-worker-net", "host")
            .service(Probe::Unix(layout.buildkit_socket())),
        base_image(context),
    ]
}

/// BuildKit's address, for clients.
pub(super) fn buildkit_address(context: &Context) -> String {
    format!("unix://{}", context.layout.buildkit_socket().display())
}

/// Publishes the Debian root under its usual names, once for each registry.
fn base_image(context: &Context) -> Component {
    let registry = format!("127.0.0.1:{}", context.settings.ports.registry);
    let names: Vec<String> = base_image::NAMES
        .iter()
        .map(|name| format!("{registry}/library/{name}"))
        .collect();
    let recipe = context.tools.base_image.file_name().unwrap_or_default();
    let done = context
        .layout
        .var("registry")
        .join(Path::new(recipe).with_extension("published"));
    let script = "test -e \"$0\" && exit; done=$0; \"$@\" && touch \"$done\"";
    Component::new("base-image", "sh")
        .needs(&["registry", "buildkitd"])
        .args(["-c", script])
        .args([OsString::from(done), (&context.tools.buildctl).into()])
        .flag("addr", buildkit_address(context))
        .args(["build", "--frontend=dockerfile.v0", "--progress=plain"])
        .flag("local", local_folder("context", &context.tools.base_image))
        .flag(
            "local",
            local_folder("dockerfile", &context.tools.base_image),
        )
        .args([format!(
            "--output=type=image,\"name={}\",push=true,registry.insecure=true",
            names.join(",")
        )])
}

fn local_folder(name: &str, path: &Path) -> OsString {
    let mut value = OsString::from(format!("{name}="));
    value.push(path);
    value
}

fn forge_components(context: &Context) -> [Component; 2] {
    let own = std::env::current_exe().unwrap_or_else(|_| "hermez-sandbox".into());
    [
        forge::as_user(Component::new("forge", "setpriv"))
            .args(["web", "--config"])
            .args([Path::new(FORGE_DATA).join("app.ini")])
            .service(http(false, context.settings.ports.forge, "/api/healthz")),
        Component::new("forge-account", own)
            .needs(&["forge"])
            .args(["initialize-forge", "--data-dir"])
            .args([context.layout.root()]),
    ]
}

fn hermez(context: &Context) -> Option<Component> {
    let (layout, ports) = (&context.layout, context.settings.ports);
    let program = context.tools.hermez.as_ref()?;
    Some(
        Component::new("hermez", program)
            .needs(&["bootstrap", "registry", "buildkitd", "forge-account"])
            .args(["server", "--listen"])
            .args([local(ports.server).to_string()])
            .args([
                "--preview-listen".to_owned(),
                local(ports.previews).to_string(),
            ])
            .args(["--data-dir"])
            .args([layout.root().join("hermez")])
            .args(["--kubeconfig"])
            .args([layout.pki("hermez.kubeconfig")])
            .args(["--registry".to_owned(), local(ports.registry).to_string()])
            .args(["--buildkit".to_owned(), buildkit_address(context)])
            .args(["--buildctl"])
            .args([&context.tools.buildctl])
            .args(["--bootstrap-token-file"])
            .args([layout.token()])
            .args([
                "--forge".to_owned(),
                format!("gitea=http://127.0.0.1:{}", ports.forge),
            ])
            .args(["--forge-token-file"])
            .args([layout.forge_secret("token")])
            // Less memory at rest (docs/operating.md).
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "65536")
            .env("MALLOC_TRIM_THRESHOLD_", "65536")
            .service(http(false, ports.server, "/readyz")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::Tools;
    use crate::paths::Layout;
    use crate::settings::Settings;

    fn mk_context(hermez: bool) -> Context {
        let tool = |name: &str| Path::new("/tools").join(name);
        Context {
            layout: Layout::new("/data/local"),
            settings: Settings::new(Path::new("/data/local")),
            tools: Tools {
                kubernetes: tool("kubernetes"),
                kubectl: tool("kubectl"),
                coredns: tool("coredns"),
                buildkitd: tool("buildkitd"),
                buildctl: tool("buildctl"),
                gitea: tool("gitea"),
                pause_image: tool("pause.tar"),
                base_image: tool("base-1"),
                hermez: hermez.then(|| tool("hermez")),
            },
        }
    }

    #[test]
    fn needs_name_components_that_come_before() {
        let list = components(&mk_context(true));
        for (index, component) in list.iter().enumerate() {
            for need in component.needs {
                assert!(
                    list[..index].iter().any(|earlier| earlier.name == *need),
                    "{} needs {need}",
                    component.name
                );
            }
        }
        assert_eq!(list.last().unwrap().name, "hermez");
        assert!(
            components(&mk_context(false))
                .iter()
                .all(|component| component.name != "hermez")
        );
    }

    #[test]
    fn the_server_is_told_where_everything_is() {
        let command = components(&mk_context(true)).pop().unwrap().command;
        let words: Vec<String> = command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        insta::assert_snapshot!(words.join("\n"));
    }
}
