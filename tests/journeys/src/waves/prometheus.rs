//! A Prometheus that asks a workload's own address for its page, and ends with the journey.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::server::free_port;
use crate::wait::until;

/// Its settings. A file tells it of the address, which is known later.
const SETTINGS: &str = "
global:
  scrape_interval: 500ms
scrape_configs:
  - job_name: page
    metrics_path: /
    file_sd_configs:
      - files: [page.json]
";

/// A Prometheus of the journey's own.
pub(super) struct Prometheus {
    /// Where it is asked.
    pub url: String,
    folder: TempDir,
    _child: Child,
}

impl Prometheus {
    /// Starts it without anything to ask.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("prometheus.yml"), SETTINGS)?;
        std::fs::write(folder.path().join("page.json"), "[]")?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let child = Command::new("prometheus")
            .current_dir(folder.path())
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log"))?)
            .kill_on_drop(true)
            .spawn()
            .context("Debian's package `prometheus` is installed by `cargo xtask test`")?;
        let url = format!("http://{address}");
        let ready = format!("{url}/-/ready");
        until("Prometheus is ready", Duration::from_mins(1), || async {
            let answer = reqwest::get(&ready).await;
            let is_ready = answer.is_ok_and(|it| it.status().is_success());
            Ok(is_ready.then_some(()))
        })
        .await?;
        Ok(Self {
            url,
            folder,
            _child: child,
        })
    }

    /// Has it ask this address (`host:port`) from now on.
    pub fn ask(&self, address: &str) -> Result<()> {
        let targets = json!([{ "targets": [address] }]);
        let new = self.folder.path().join("page.new");
        std::fs::write(&new, targets.to_string())?;
        std::fs::rename(new, self.folder.path().join("page.json"))?;
        Ok(())
    }
}
