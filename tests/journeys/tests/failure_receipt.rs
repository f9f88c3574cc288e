//! Deploys that fail for a known reason, and what their receipts say, on the real cluster.

#[tokio::test]
async fn failures_explain_themselves() {
    let figures = hermez_journeys::run("failure-receipt")
        .await
        .expect("the failure-receipt journey");
    println!("{figures}");
}
