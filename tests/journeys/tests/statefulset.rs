//! A stateful set on the real cluster, from outside.

#[tokio::test]
async fn a_stateful_set_keeps_its_data() {
    let figures = hermez_journeys::run("statefulset")
        .await
        .expect("the statefulset journey");
    println!("{figures}");
}
