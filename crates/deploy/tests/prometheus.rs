//! Checks of metrics are asked of a real Prometheus, which measures itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hermez_deploy::gates::prometheus::{Prometheus, QueryError};

/// Longest time until it has measured itself.
const PATIENCE: Duration = Duration::from_mins(1);

const CONFIG: &str = "
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: itself
    static_configs:
      - targets: ['ADDRESS']
";

/// A Prometheus that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, address: &str) -> Running {
    let config = folder.join("prometheus.yml");
    std::fs::write(&config, CONFIG.replace("ADDRESS", address)).expect("the folder is ours");
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.join("data").display()
        ))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Debian's package `prometheus` is installed");
    Running(child)
}

#[tokio::test]
async fn a_query_has_one_value_or_says_why_not() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("its address").to_string();
    drop(free);
    let url = format!("http://{address}/").parse().expect("a URL");
    let prometheus = Prometheus::new(url).expect("a client");
    let away = prometheus.value("up").await.expect_err("nobody listens");
    assert!(matches!(away, QueryError::Away(_)), "{away}");

    let folder = tempfile::tempdir().expect("a folder");
    let running = start(folder.path(), &address);
    let begun = Instant::now();
    // It has been measured twice once there is a rate.
    let rate = "sum(rate(prometheus_http_requests_total[1m]))";
    loop {
        match prometheus.value(rate).await {
            Ok(value) => break assert!(value >= 0.0, "{value}"),
            Err(error) if begun.elapsed() > PATIENCE => panic!("no value: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    assert_eq!(prometheus.value("up").await, Ok(1.0));
    assert_eq!(prometheus.value("scalar(up) * 2").await, Ok(2.0));
    // As many pods have names too long for a URL.
    let names = "|itself-5d8f-abcde".repeat(500);
    let long = format!("up{{job=~\"(?:itself{names})\"}}");
    assert_eq!(prometheus.value(&long).await, Ok(1.0));
    let says = async |query: &str| {
        let error = prometheus.value(query).await.expect_err("no value");
        error.to_string()
    };
    assert_eq!(says("nothing_like_it").await, "the query finds no series");
    let many = says("prometheus_http_requests_total").await;
    assert!(
        many.ends_with("aggregate, for example with sum()"),
        "{many}"
    );
    assert_eq!(says("0 / 0 * up").await, "the value is NaN");
    let matrix = says("up[1m]").await;
    assert_eq!(matrix, "the query gives a matrix, not a value");
    let refused = prometheus.value("sum(up").await.expect_err("a parse error");
    assert!(
        matches!(&refused, QueryError::Refused(why) if why.contains("parse error")),
        "{refused}"
    );
    drop(running);
    assert!(says("up").await.contains("does not answer"));
}
