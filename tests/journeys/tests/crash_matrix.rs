//! The server is killed before and after everything that it does for a deploy, and all ends as
//! undisturbed. The journey `crash-matrix` does the same for pushes, rollbacks and the rest.

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_anywhere_ends_everything_once() {
    let sandbox = hermez_journeys::sandbox::Sandbox::find().expect("a local cluster");
    let figures = hermez_journeys::crash_matrix::run_of_a_deploy(&sandbox)
        .await
        .expect("the crash matrix");
    println!("{figures}");
}
