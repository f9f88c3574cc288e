//! The server is killed on the way, and every deploy finishes once.

#[tokio::test]
async fn a_killed_server_finishes_every_deploy_once() {
    let figures = hermez_journeys::run("crash")
        .await
        .expect("the crash journey");
    println!("{figures}");
}
