//! Failures in which the pod itself does nothing wrong: a registry that lets nobody in, and an end that
//! does not come.

use anyhow::Result;
use hermez_api::{Deploy, DeployState};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use super::{LIMIT, Road};
use crate::wait::until;

/// Where the registry listens, on the node's own loopback: what is there is asked over plain HTTP.
const REGISTRY: &str = "127.0.0.1:18099";

/// A registry that wants a name and a password, as the OCI distribution specification has it answer:
/// 401, a challenge, and the error `UNAUTHORIZED`.
const PROGRAM: &str = r#"
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:18099", Listen => 16, ReuseAddr => 1) or die "listen: $!";
my $body = '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}';
while (1) {
    my $client = $server->accept() or next;
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
    print $client "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"private\"\r\n"
        . "Content-Type: application/json\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    close $client;
}
"#;

impl Road {
    /// The registry does not allow the image.
    pub(super) async fn an_image_that_is_forbidden(&self, good: &Deploy) -> Result<Deploy> {
        let image = good.images.first().map(|it| it.reference.as_str());
        let registry = json!({
            "metadata": { "name": "private-registry" },
            "spec": {
                "hostNetwork": true,
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "registry", "image": image, "command": ["perl", "-e", PROGRAM],
                }],
            },
        });
        let pods: Api<Pod> = Api::namespaced(self.kube.clone(), &self.name);
        let registry: Pod = serde_json::from_value(registry)?;
        pods.create(&PostParams::default(), &registry).await?;
        until("the registry runs", LIMIT, || async {
            let pod = pods.get("private-registry").await?;
            let runs = pod.status.and_then(|it| it.phase).as_deref() == Some("Running");
            Ok(runs.then_some(()))
        })
        .await?;
        let digest = "0".repeat(64);
        let side = format!(
            "        - name: side\n          image: {REGISTRY}/team/private@sha256:{digest}\n"
        );
        let config = self.config("") + &side;
        let receipt = self.fails_with(&config, "Break it: forbidden").await?;
        let found = &receipt.evidence;
        anyhow::ensure!(
            found.cause == "image_pull"
                && found.sentence.contains("the registry does not allow it")
                && !found.next_step.is_empty(),
            "{receipt:#?}"
        );
        pods.delete("private-registry", &DeleteParams::default())
            .await?;
        self.press(&receipt).await
    }

    /// Nothing is wrong with the pod, and it never takes traffic: the deadline passes, and what it waits
    /// for is named.
    pub(super) async fn an_end_that_does_not_come(&self) -> Result<Deploy> {
        let name = &self.name;
        let waits = format!(
            "    spec:\n      initcontainers:\n        - name: wait\n          image: {name}\n          command: [\"sleep\", \"1000\"]\n"
        );
        let config = self.config("").replacen("    spec:\n", &waits, 1);
        let receipt = self.fails_with(&config, "Break it: deadline").await?;
        let found = &receipt.evidence;
        anyhow::ensure!(
            found.cause == "deadline"
                && found
                    .sentence
                    .contains("waits for its init container wait, which still runs")
                && found.sentence.contains("nothing has changed for 15 s")
                && !found.next_step.is_empty(),
            "{receipt:#?}"
        );
        self.press(&receipt).await
    }

    /// The receipt of a deploy of that config file, which fails.
    async fn fails_with(&self, config: &str, title: &str) -> Result<hermez_api::Receipt> {
        self.clone.write("service.yaml", config)?;
        let commit = self.clone.commit_and_push(title).await?;
        self.hermez
            .commit_arrives(&self.name, &commit, LIMIT)
            .await?;
        let asked = self.hermez.deploy(&self.name, &commit).await?;
        self.ends(asked.id, DeployState::Failed).await?;
        self.receipt(asked.id).await
    }
}
