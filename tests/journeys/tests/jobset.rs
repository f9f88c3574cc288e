//! A job set on the whole system.

#[tokio::test]
async fn groups_of_jobs_meet_wait_for_each_other_and_start_again() {
    let figures = hermez_journeys::run("jobset").await.expect("the job set");
    assert_eq!(figures["restarts"], 1);
    println!("{figures}");
}
