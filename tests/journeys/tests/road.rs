//! The whole road on the real cluster.

#[tokio::test]
async fn a_commit_travels_from_push_to_running_pods() {
    let figures = hermez_journeys::run("main-job")
        .await
        .expect("the main job");
    println!("{figures}");
}

#[tokio::test]
async fn nothing_but_health_is_anonymous() {
    let sandbox = hermez_journeys::sandbox::Sandbox::find().expect("a local cluster");
    let hermez = sandbox.hermez().expect("a server");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            hermez.anonymous_status(path).await.expect(path),
            200,
            "{path}"
        );
    }
    for path in [
        "/api/v1/workloads",
        "/api/v1/me",
        "/api/v1/audit",
        "/api/v1/openapi.json",
        "/metrics",
        "/api/v1/watch",
    ] {
        assert_eq!(
            hermez.anonymous_status(path).await.expect(path),
            401,
            "{path}"
        );
    }
}
