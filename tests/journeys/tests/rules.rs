//! Windows, freezes, approvals and locks on the real cluster.

#[tokio::test]
async fn rules_hold_deploys_and_let_them_go() {
    let figures = hermez_journeys::run("rules")
        .await
        .expect("the rules journey");
    println!("{figures}");
}
