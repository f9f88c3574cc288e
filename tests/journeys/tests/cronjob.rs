//! A cron job on the real cluster, from outside.

#[tokio::test]
async fn a_cron_job_runs_by_schedule_and_by_hand() {
    let figures = hermez_journeys::run("cronjob")
        .await
        .expect("the cronjob journey");
    println!("{figures}");
}
