//! The definition, as the API server takes it, and what only the controller can say.

use hermez_kinds::PinterestCronJob;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::helpers::{apply, cron_job, kubectl, said, settled, until};
use crate::support::{Sandbox, within};

/// Why the API server refuses the cron job.
async fn refusal(sandbox: &Sandbox, more: Value) -> String {
    let job: Value = cron_job(sandbox, "true", &more);
    let job: PinterestCronJob = serde_json::from_value(job).expect("a cron job");
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match sandbox.api().create(&dry, &job).await {
        Err(kube::Error::Api(status)) => status.message.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn its_rules_say_what_to_write() {
    within(async |sandbox| {
        let cases = [
            (json!({"schedule": "0 0 * *"}), "schedule needs five fields"),
            (
                json!({"schedule": "0 0 0 * * *"}),
                "schedule needs five fields",
            ),
            (
                json!({"schedule": "@every 5m"}),
                "schedule needs five fields",
            ),
            (
                json!({"schedule": "0 0 * * $"}),
                "schedule needs five fields",
            ),
            (json!({"schedule": ""}), "should be at least 1 chars long"),
            (
                json!({"completionmode": "Indexed"}),
                "completionmode Indexed needs a number of pods: write completions",
            ),
            (
                json!({"completions": 1, "parallelism": 2}),
                "parallelism is more than completions: lower it",
            ),
            (
                json!({"startingdeadlineseconds": 1}),
                "should be greater than or equal to 10",
            ),
        ];
        for (more, words) in cases {
            let message = refusal(&sandbox, more).await;
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_no_rule_can_say_the_controller_says() {
    within(async |sandbox| {
        let cases = [
            (
                json!({"schedule": "0 25 * * *"}),
                "spec.schedule: hour, column 3: found \"25\", expected 0 to 23",
            ),
            (
                json!({"schedule": "0 0 30 2 *"}),
                "spec.schedule: day of the month, column 5: it never fires: no month of \"2\" has a day \"30\"",
            ),
            (
                json!({"timezone": "Mars/Olympus"}),
                "spec.timezone: there is no time zone \"Mars/Olympus\"",
            ),
        ];
        for (more, words) in cases {
            apply(&sandbox, "true", more).await.expect("applied");
            let status = until(&sandbox, words, |status| {
                said(status, "Stalled").is_some_and(|said| said.2.contains(words))
            })
            .await;
            assert_eq!(said(&status, "Stalled").expect("said").1, "InvalidSpec");
        }
        apply(&sandbox, "true", json!({})).await.expect("applied");
        let status = settled(&sandbox).await;
        assert_eq!(said(&status, "Stalled"), None, "a right one goes on");
    })
    .await;
}

#[tokio::test]
async fn kubectl_works_on_it() {
    within(async |sandbox| {
        let more = json!({"timezone": "Europe/Berlin", "schedule": "@yearly", "suspend": false});
        apply(&sandbox, "true", more).await.expect("applied");
        settled(&sandbox).await;
        let table = kubectl(&sandbox, &["get", "pcj"]).await.expect("listed");
        let (head, row) = table.split_once('\n').expect("two lines");
        let columns: Vec<&str> = head.split_whitespace().collect();
        assert_eq!(
            columns,
            [
                "NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "NEXT", "AGE"
            ]
        );
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            cells[..5],
            ["hello", "@yearly", "Europe/Berlin", "false", "0"],
            "{row}"
        );
        assert!(
            cells[5].ends_with("-12-31T23:00:00Z"),
            "midnight in Berlin: {row}"
        );
        let text = kubectl(&sandbox, &["explain", "pinterestcronjob.spec.schedule"]).await;
        assert!(
            text.expect("explained")
                .contains("When it runs: minute, hour")
        );
        let wait = [
            "wait",
            "pinterestcronjob/hello",
            "--for=condition=Available",
            "--timeout=30s",
        ];
        kubectl(&sandbox, &wait).await.expect("available");
        let all = kubectl(&sandbox, &["get", "hermez", "-o", "name"]).await;
        assert_eq!(
            all.expect("listed"),
            "pinterestcronjob.pinterest.com/hello\n"
        );
    })
    .await;
}
