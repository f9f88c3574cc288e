//! Waves over two clusters.

#[tokio::test]
async fn a_new_version_goes_from_cluster_to_cluster() {
    let figures = hermez_journeys::run("waves")
        .await
        .expect("the waves journey");
    println!("{figures}");
}
