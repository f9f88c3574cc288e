//! Checks of metrics on the real cluster, with a real Prometheus.

#[tokio::test]
async fn wrong_metrics_are_no_success() {
    let figures = hermez_journeys::run("metric-checks")
        .await
        .expect("the metric-checks journey");
    println!("{figures}");
}
