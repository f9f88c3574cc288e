//! A preview sleeps when nobody comes, and wakes for whoever comes: a page, a program, a WebSocket.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{Preview, PreviewState, UpdatePreviewSettings};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use url::Url;

use super::{LIMIT, PROGRAM, Pull};
use crate::visitor::{Shows, echo, submit, visit};
use crate::wait::until;

/// Times that a preview is put to sleep and woken, for the figure.
const WAKES: usize = 5;

impl Pull {
    /// A WebSocket wakes a preview, and its handshake is held until there is a pod: a page could not
    /// ask again for it.
    async fn wait_on_a_socket(&self, number: i64, page: &Url, cookie: &str) -> Result<()> {
        self.put_to_sleep(number).await?;
        // Most wake so soon that nobody has to wait: this one cannot, for now.
        self.let_no_pod_start().await?;
        let socket = async {
            let said = echo(page, Shows::Cookie(cookie), "good morning").await?;
            anyhow::ensure!(said == "good morning", "{said}");
            Ok::<_, anyhow::Error>(())
        };
        let meanwhile = async {
            until("the WebSocket wakes the preview", LIMIT, || async {
                let preview = self.pull(number).await?.preview.context("a preview")?;
                Ok((preview.state == PreviewState::Waking).then_some(()))
            })
            .await?;
            self.wait_on_a_page(number, page).await
        };
        tokio::try_join!(socket, meanwhile)?;
        Ok(())
    }

    /// A browser whose preview does not wake within a moment gets a page that looks again, until it is
    /// the preview's own. No pod can start when this begins.
    async fn wait_on_a_page(&self, number: i64, page: &Url) -> Result<()> {
        let waits = visit(page, Shows::Token(&self.token), true).await?;
        let words = [
            "<h1>The preview is starting</h1>",
            "It slept, and wakes now.",
            "http-equiv=\"refresh\"",
        ];
        anyhow::ensure!(
            waits.status == 503 && words.iter().all(|it| waits.text.contains(it)),
            "{waits:?}"
        );
        let preview = self.pull(number).await?.preview.context("a preview")?;
        anyhow::ensure!(preview.state == PreviewState::Waking, "{preview:?}");
        self.quotas()
            .delete("full", &DeleteParams::default())
            .await?;
        let answer = until("the waiting page becomes the page", LIMIT, || async {
            let answer = visit(page, Shows::Token(&self.token), true).await?;
            Ok((answer.status != 503).then_some(answer))
        })
        .await?;
        anyhow::ensure!(
            answer.status == 200 && answer.text == "second\n",
            "{answer:?}"
        );
        Ok(())
    }

    fn quotas(&self) -> Api<ResourceQuota> {
        Api::namespaced(self.kube.clone(), &self.name)
    }

    /// No further pod fits into the namespace.
    async fn let_no_pod_start(&self) -> Result<()> {
        let quota = json!({
            "metadata": { "name": "full" },
            "spec": { "hard": { "pods": "0" } },
        });
        let quota: ResourceQuota = serde_json::from_value(quota)?;
        self.quotas().create(&PostParams::default(), &quota).await?;
        until("the quota counts", LIMIT, || async {
            let found = self.quotas().get("full").await?;
            let used = found.status.and_then(|it| it.used).unwrap_or_default();
            Ok(used.contains_key("pods").then_some(()))
        })
        .await
    }

    /// Asleep it has no pods; a visit wakes it, with a page to wait on, or by being held.
    pub(super) async fn sleep_and_wake(
        &self,
        number: i64,
        page: &Url,
        cookie: &str,
    ) -> Result<Vec<u128>> {
        Box::pin(self.wait_on_a_socket(number, page, cookie)).await?;
        let mut wakes = Vec::new();
        for _ in 0..WAKES {
            self.put_to_sleep(number).await?;
            let begun = Instant::now();
            let answer = self.program(page).await?;
            anyhow::ensure!(
                answer.status == 200,
                "it is held until it is awake: {answer:?}"
            );
            wakes.push(begun.elapsed().as_millis());
        }
        let awake = until("it is awake", LIMIT, || async {
            let preview = self.pull(number).await?.preview.context("a preview")?;
            Ok((preview.state == PreviewState::Active).then_some(preview))
        })
        .await?;
        anyhow::ensure!(awake.last_wake_ms.is_some(), "{awake:?}");
        let _: Preview = self.post(number, "wake").await?;
        wakes.sort_unstable();
        Ok(wakes)
    }

    async fn put_to_sleep(&self, number: i64) -> Result<()> {
        let asleep: Preview = self.post(number, "sleep").await?;
        anyhow::ensure!(asleep.state == PreviewState::Sleeping, "{asleep:?}");
        until("it has no pods", LIMIT, || async {
            let found = self.object(number).await?.context("its object")?;
            let status = found.status.unwrap_or_default();
            Ok((found.spec.replicas == 0 && status.replicas == 0).then_some(()))
        })
        .await
    }

    /// A program that listens some time after its start, without a probe that would say so, is waited
    /// for by whoever wakes it.
    pub(super) async fn listens_late(&self, number: i64, page: &Url) -> Result<()> {
        let config = self.sample().config();
        let (no_probe, _) = config
            .split_once("          readinessProbe:")
            .context("a probe")?;
        self.clone.write("service.yaml", no_probe)?;
        let late = PROGRAM.replace("my $server", "sleep 2;\nmy $server");
        self.clone.write("server.pl", &late)?;
        let commit = self.clone.commit("It begins slowly").await?;
        self.clone.push_to("topic").await?;
        self.ready(number, Some(&commit)).await?;

        let shows = Shows::Token(&self.token);
        self.put_to_sleep(number).await?;
        let form = submit(page, shows, "a form").await?;
        anyhow::ensure!(form.status == 200, "a form is sent once: {form:?}");
        self.put_to_sleep(number).await?;
        let asked = self.program(page).await?;
        anyhow::ensure!(asked.status == 200, "a program is held: {asked:?}");

        self.put_to_sleep(number).await?;
        let said_so = AtomicBool::new(false);
        until("the waiting page becomes the page", LIMIT, || async {
            let answer = visit(page, shows, true).await?;
            let waits = answer.status == 503;
            anyhow::ensure!(waits || answer.status == 200, "{answer:?}");
            if answer.text.contains("does not answer on port 8080 yet") {
                said_so.store(true, Ordering::Relaxed);
            }
            Ok((!waits).then_some(()))
        })
        .await?;
        anyhow::ensure!(said_so.into_inner(), "no page said what it waits for");
        Ok(())
    }

    /// Nobody comes for a minute.
    pub(super) async fn sleeps_by_itself(&self, number: i64) -> Result<()> {
        self.set(UpdatePreviewSettings {
            idle_minutes: Some(1),
            ..UpdatePreviewSettings::default()
        })
        .await?;
        until("it sleeps by itself", Duration::from_mins(2), || async {
            let preview = self.pull(number).await?.preview.context("a preview")?;
            Ok((preview.state == PreviewState::Sleeping).then_some(()))
        })
        .await?;
        self.set(UpdatePreviewSettings {
            idle_minutes: Some(30),
            ..UpdatePreviewSettings::default()
        })
        .await?;
        Ok(())
    }
}
