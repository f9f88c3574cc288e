//! Pull requests and their previews on the real cluster.

#[tokio::test]
async fn a_pull_request_has_a_preview_of_its_own() {
    let figures = hermez_journeys::run("pull-request")
        .await
        .expect("the pull-request journey");
    println!("{figures}");
}

#[tokio::test]
async fn a_preview_behind_tls_goes_after_seven_days_without_a_visit() {
    let figures = hermez_journeys::run("unused-preview")
        .await
        .expect("the unused-preview journey");
    println!("{figures}");
}
