//! Who says how many pods there are, on the real cluster.

#[tokio::test]
async fn a_number_of_pods_belongs_to_whoever_set_it() {
    let figures = hermez_journeys::run("scale")
        .await
        .expect("the scale journey");
    println!("{figures}");
}
