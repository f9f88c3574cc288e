//! The server is killed before and after everything that it does, and all ends as undisturbed.

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_anywhere_ends_everything_once() {
    let figures = hermez_journeys::run("crash-matrix")
        .await
        .expect("the crash matrix");
    println!("{figures}");
}
