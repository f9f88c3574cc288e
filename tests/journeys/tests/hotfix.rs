//! A hotfix on the real cluster.

#[tokio::test]
async fn a_fix_comes_alone() {
    let figures = hermez_journeys::run("hotfix")
        .await
        .expect("the hotfix journey");
    println!("{figures}");
}
