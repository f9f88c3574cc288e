//! A training job on the whole system.

#[tokio::test]
async fn a_gang_trains_loses_a_worker_and_ends_with_the_right_result() {
    let figures = hermez_journeys::run("training")
        .await
        .expect("the training");
    println!("{figures}");
}
