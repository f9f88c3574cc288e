//! A streaming job on the real cluster.

#[tokio::test]
async fn a_flink_job_keeps_its_state_from_deploy_to_deploy() {
    let figures = hermez_journeys::run("streaming")
        .await
        .expect("the streaming job");
    println!("{figures}");
}
