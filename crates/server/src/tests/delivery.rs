//! How well delivery goes, as far as it needs no cluster.

use serde_json::json;

use super::TestServer;
use super::rollouts::ran;

#[tokio::test]
async fn figures_stand_with_the_cases_behind_them() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let path = "/api/v1/workloads/hello/delivery-performance";
    let none = server.get(path).await.json();
    assert_eq!(
        none["deployment_frequency"],
        json!({ "deploys": 0, "per_week": null })
    );
    assert!(none["change_failure_rate"]["rate"].is_null(), "{none}");
    for digit in ["a", "b", "c"] {
        ran(&server, workload.id, digit).await;
    }
    let back = server
        .post(
            "/api/v1/workloads/hello/rollback",
            &json!({ "reason": "it crashes" }),
        )
        .await;
    assert_eq!(back.status, 202, "{}", back.text);
    let figures = server.get(&format!("{path}?days=7")).await.json();
    assert_eq!(figures["deployment_frequency"]["deploys"], 3);
    assert_eq!(figures["change_failure_rate"]["deploys"], 3);
    assert_eq!(figures["change_failure_rate"]["failed"], 1);
    assert_eq!(figures["lead_time"]["unknown"], 3, "they were never built");
    assert_eq!(figures["time_to_restore"]["open"], 1, "{figures}");
    let weeks = figures["weeks"].as_array().unwrap();
    let deploys: i64 = weeks
        .iter()
        .filter_map(|week| week["deploys"].as_i64())
        .sum();
    assert_eq!(deploys, 3, "{figures}");
    let project = "/api/v1/projects/demo/delivery-performance?days=7";
    let whole = server.get(project).await.json();
    assert_eq!(whole["change_failure_rate"], figures["change_failure_rate"]);
}

#[tokio::test]
async fn a_span_has_bounds_and_an_owner() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let path = "/api/v1/workloads/hello/delivery-performance";
    for days in ["0", "366", "soon"] {
        let refused = server.get(&format!("{path}?days={days}")).await;
        assert_eq!(refused.status, 400, "{days}: {}", refused.text);
    }
    assert_eq!(server.get(&format!("{path}?days=365")).await.status, 200);
    let nobody = "/api/v1/workloads/nobody/delivery-performance";
    assert_eq!(server.get(nobody).await.problem(), "workload-not-found");
    let nothing = "/api/v1/projects/nothing/delivery-performance";
    let refused = server.get(nothing).await;
    assert_eq!(refused.problem(), "not-found");
    let hint = &refused.json()["hint"];
    assert!(hint.to_string().contains("hermez workload list"), "{hint}");
}
