//! The components' configuration files, rendered at each start. Pure functions
//! of the settings and paths, and one that writes them all.

use std::fmt::Write as _;
use std::path::Path;

use super::mounts::RUN;
use super::network::{DNS_ADDRESS, NODE_ADDRESS, POD_CIDR};
use super::{Context, Error};
use crate::components::PAUSE_IMAGE;
use crate::files;

/// containerd's socket.
pub(super) const CONTAINERD_SOCKET: &str = "/run/hermez/containerd.sock";

/// Registries that Dockerfiles and pods name and that this machine may not
/// reach: the local registry is asked first.
const MIRRORED: &str = "docker.io";

/// What the API server writes down: who asked for what, of Hermez itself and of tests that speak in
/// its name. A test compares it with the role that Hermez is given.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    nonResourceURLs: ['/*']
  - level: Metadata
    users: [hermez, 'system:serviceaccount:default:hermez']
  - level: None
";

/// Writes every file.
pub(super) fn write_all(context: &Context) -> Result<(), Error> {
    let layout = &context.layout;
    let registry = format!("127.0.0.1:{}", context.settings.ports.registry);
    let files = [
        (
            "containerd.toml".to_owned(),
            containerd(
                &layout.var("containerd"),
                &layout.etc("registries"),
                &layout.etc("cni"),
            ),
        ),
        ("cni/10-hermez.conflist".to_owned(), cni()),
        (
            format!("registries/{MIRRORED}/hosts.toml"),
            containerd_mirror(&registry),
        ),
        (
            format!("registries/{registry}/hosts.toml"),
            containerd_mirror(&registry),
        ),
        ("kubelet.yaml".to_owned(), kubelet(context)),
        ("kube-proxy.yaml".to_owned(), kube_proxy(context)),
        (
            "Corefile".to_owned(),
            corefile(&layout.pki("coredns.kubeconfig")),
        ),
        (
            "registry.yaml".to_owned(),
            registry_config(&registry, &layout.var("registry")),
        ),
        (
            "buildkitd.toml".to_owned(),
            buildkitd(&registry, &context.settings.cgroup()),
        ),
        ("audit.yaml".to_owned(), AUDIT_POLICY.to_owned()),
        (
            "bootstrap.yaml".to_owned(),
            super::bootstrap::MANIFEST.replace("NODE_ADDRESS", &NODE_ADDRESS.to_string()),
        ),
    ];
    for (name, text) in files {
        let path = layout.etc(&name);
        files::write_private(&path, text.as_bytes())
            .map_err(Error::io(path.display().to_string()))?;
    }
    Ok(())
}

fn containerd(root: &Path, registries: &Path, cni: &Path) -> String {
    // restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower it.
    format!(
        r#"version = 2
root = "{root}"
state = "{RUN}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "{root}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
stream_server_address = "127.0.0.1"
disable_apparmor = true
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{registries}"
"#,
        root = root.display(),
        cni = cni.display(),
        registries = registries.display(),
    )
}

/// Pods are joined to the node by a pair of devices each, not by a bridge: the
/// answer of a Service's pod to another pod must pass the node's firewall on
/// its way back, and frames that cross a bridge do so only where the kernel
/// has `br_netfilter`.
fn cni() -> String {
    format!(
        r#"{{
  "cniVersion": "0.4.0",
  "name": "hermez",
  "plugins": [
    {{
      "type": "ptp",
      "ipMasq": false,
      "mtu": 1500,
      "ipam": {{ "type": "host-local", "ranges": [[{{ "subnet": "{POD_CIDR}" }}]], "routes": [{{ "dst": "0.0.0.0/0" }}] }}
    }},
    {{ "type": "portmap", "capabilities": {{ "portMappings": true }} }}
  ]
}}
"#
    )
}

fn containerd_mirror(registry: &str) -> String {
    format!("[host.\"http://{registry}\"]\ncapabilities = [\"pull\", \"resolve\"]\n")
}

fn kubelet(context: &Context) -> String {
    let pki = |file: &str| context.layout.pki(file).display().to_string();
    // No OOM scores, reservations or evictions: the node is a developer's
    // machine, which the cluster does not own.
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {NODE_ADDRESS}
healthzBindAddress: 127.0.0.1
authentication:
  anonymous: {{ enabled: false }}
  webhook: {{ enabled: true }}
  x509: {{ clientCAFile: {ca} }}
authorization: {{ mode: Webhook }}
tlsCertFile: {certificate}
tlsPrivateKeyFile: {key}
containerRuntimeEndpoint: unix://{CONTAINERD_SOCKET}
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
cgroupsPerQOS: true
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {{}}
imageGCHighThresholdPercent: 100
oomScoreAdj: 0
maxPods: 200
clusterDomain: cluster.local
clusterDNS: [{DNS_ADDRESS}]
resolvConf: ''
podLogsDir: {pod_logs}
registerNode: true
nodeStatusUpdateFrequency: 5s
serializeImagePulls: false
",
        ca = pki("ca.pem"),
        certificate = pki("kubelet-server.pem"),
        key = pki("kubelet-server.key"),
        cgroup = context.settings.cgroup(),
        pod_logs = context.layout.var("pod-logs").display(),
    )
}

fn kube_proxy(context: &Context) -> String {
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: {NODE_ADDRESS}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection: {{ kubeconfig: {kubeconfig} }}
clusterCIDR: {POD_CIDR}
hostnameOverride: {node}
mode: nftables
oomScoreAdj: 0
conntrack: {{ maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }}
",
        kubeconfig = context.layout.pki("kube-proxy.kubeconfig").display(),
        node = context.settings.name,
    )
}

/// The cluster's names come from Kubernetes. There are no others to be had from
/// in here: a quick "no such name" rather than a slow failure.
fn corefile(kubeconfig: &Path) -> String {
    format!(
        "cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {NODE_ADDRESS}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {}
        pods insecure
        ttl 5
    }}
    cache 5
}}

.:53 {{
    bind {NODE_ADDRESS}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
",
        kubeconfig.display()
    )
}

fn registry_config(address: &str, root: &Path) -> String {
    format!(
        "version: 0.1
log: {{ level: warn, accesslog: {{ disabled: true }} }}
storage:
  filesystem: {{ rootdirectory: {} }}
  delete: {{ enabled: true }}
  cache: {{ blobdescriptor: inmemory }}
http: {{ addr: '{address}' }}
",
        root.display()
    )
}

fn buildkitd(registry: &str, cgroup: &str) -> String {
    let mut text = format!(
        "[worker.oci]
enabled = true
gc = true
reservedSpace = \"2GB\"
maxUsedSpace = \"10GB\"
defaultCgroupParent = \"/{cgroup}/builds\"

[worker.containerd]
enabled = false
"
    );
    let _ = write!(
        text,
        "\n[registry.\"{MIRRORED}\"]\nmirrors = [\"{registry}\"]\n"
    );
    let _ = write!(text, "\n[registry.\"{registry}\"]\nhttp = true\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_keeps_to_its_own_folders() {
        insta::assert_snapshot!(containerd(
            Path::new("/d/root"),
            Path::new("/d/registries"),
            Path::new("/d/cni")
        ));
    }

    #[test]
    fn the_network_configuration_is_json() {
        let parsed: serde_json::Value = serde_json::from_str(&cni()).unwrap();
        assert_eq!(parsed["plugins"][0]["type"], "ptp");
    }

    #[test]
    fn builds_find_base_images_in_the_local_registry() {
        insta::assert_snapshot!(buildkitd("127.0.0.1:5000", "hermez-1"));
    }

    #[test]
    fn dns_answers_for_the_cluster_only() {
        insta::assert_snapshot!(corefile(Path::new("/d/coredns.kubeconfig")));
    }

    #[test]
    fn the_registry_listens_on_loopback() {
        insta::assert_snapshot!(registry_config("127.0.0.1:5000", Path::new("/d/registry")));
    }
}
