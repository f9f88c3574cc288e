//! A thousand services, and what they cost.

#[tokio::test]
async fn a_thousand_services_settle_and_a_restart_writes_nothing() {
    let figures = hermez_journeys::run("thousand")
        .await
        .expect("the thousand");
    println!("{figures}");
    for writes in [
        "restart_writes_by_hermez",
        "restart_writes_seen_by_api_server",
    ] {
        assert_eq!(figures[writes], 0, "{writes}: {figures}");
    }
}
