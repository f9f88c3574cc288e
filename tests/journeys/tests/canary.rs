//! Canaries on the real cluster.

#[tokio::test]
async fn a_new_version_is_tried_beside_the_old_one() {
    let figures = hermez_journeys::run("canary")
        .await
        .expect("the canary journey");
    println!("{figures}");
}
