//! Rollback, pin, mark, override, restart and hold on the real cluster.

#[tokio::test]
async fn a_bad_version_goes_with_one_action() {
    let figures = hermez_journeys::run("rollback")
        .await
        .expect("the rollback journey");
    println!("{figures}");
}
