//! The command line against a running server on the real cluster.

#[tokio::test]
async fn what_is_typed_is_done_and_told() {
    let figures = hermez_journeys::run("command-line")
        .await
        .expect("the command-line journey");
    println!("{figures}");
}
