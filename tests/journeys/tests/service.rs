//! A PinterestService with everything that it can ask for, on the real cluster.

#[tokio::test]
async fn a_service_with_everything_runs_and_kubectl_works_on_it() {
    let figures = hermez_journeys::run("service").await.expect("the service");
    println!("{figures}");
}
