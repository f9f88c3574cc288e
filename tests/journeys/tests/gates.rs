//! Health gates and the automatic rollback on the real cluster.

#[tokio::test]
async fn a_crash_after_ready_is_no_success() {
    let figures = hermez_journeys::run("gates")
        .await
        .expect("the gates journey");
    println!("{figures}");
}
