//! Windows, freezes, approvals and locks, as far as they need no cluster.

use hermez_access::{Principal, Role, Via};
use hermez_api::DeployKind;
use hermez_store::{NewDeploy, WorkloadRecord};
use http::header;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, TestServer, json_request};

/// A token of somebody with that name.
async fn token_of(server: &TestServer, name: &str, role: &str) -> String {
    let now = Timestamp::now();
    let found = server.state.store.ensure_principal(name, role, now).await;
    let principal = Principal {
        id: found.unwrap().id,
        name: name.to_owned(),
        role: Role::Owner,
        via: Via::System,
    };
    let made = server.state.gate.create_token(&principal, "a test").await;
    made.unwrap().secret
}

async fn send(server: &TestServer, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let mut request = server.request(method, &format!("/api/v1{path}"));
    let headers = request.headers_mut().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    headers.insert(header::AUTHORIZATION, bearer);
    server.send(json_request(request, body)).await
}

/// A deploy that `by` asked for and that waits.
async fn deploy(server: &TestServer, workload: &WorkloadRecord, by: &str) -> i64 {
    let new = NewDeploy {
        workload_id: workload.id,
        instance: workload.name.clone(),
        commit: "a".repeat(40),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: by.to_owned(),
        reason: None,
        kind: DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    let asked = server.state.store.request_deploy(&new, Timestamp::now());
    asked.await.unwrap().id
}

#[tokio::test]
async fn windows_are_set_seen_and_refused_when_they_never_open() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let owner = server.token.clone();
    let put = async |path: &str, body: Value| send(&server, &owner, "PUT", path, &body).await;
    let mk = |days: Value, from: &str, to: &str, zone: &str| json!({ "time_zone": zone, "windows": [{ "days": days, "from": from, "to": to }] });
    let path = "/workloads/hello/rules/windows";
    for (body, says) in [
        (mk(json!([]), "09:00", "17:00", "UTC"), "names no day"),
        (mk(json!(["mon"]), "09:00", "09:00", "UTC"), "never opens"),
        (mk(json!(["mon"]), "25:00", "26:00", "UTC"), "`25:00`"),
        (
            mk(json!(["mon"]), "09:00", "17:00", "Europe/Berlim"),
            "Did you mean Europe/Berlin?",
        ),
        (mk(json!(["someday"]), "09:00", "17:00", "UTC"), "someday"),
        (json!({ "time_zone": "UTC", "windows": [] }), "0 windows"),
    ] {
        let refused = put(path, body).await;
        assert_eq!(refused.problem(), "invalid-body");
        assert!(refused.text.contains(says), "{says}: {}", refused.text);
    }
    let all_days = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    let always = mk(all_days, "00:00", "24:00", "UTC");
    assert_eq!(put(path, always.clone()).await.status, 200);
    let rules = server.get("/api/v1/workloads/hello/rules").await.json();
    assert_eq!(rules["own"]["windows"], always);
    assert_eq!(rules["own"]["changed_by"], "owner");
    assert_eq!(rules["verdict"]["allowed"], true);

    // A window that is not open today: tomorrow by UTC, and by the day after for slow tests.
    let tomorrow = (Timestamp::now() + jiff::SignedDuration::from_hours(48))
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%a")
        .to_string()
        .to_lowercase();
    let later = mk(json!([tomorrow]), "00:00", "24:00", "UTC");
    let project = "/projects/demo/rules/windows";
    assert_eq!(put(project, later.clone()).await.status, 200);
    let rules = server.get("/api/v1/workloads/hello/rules").await.json();
    let held = &rules["verdict"]["held"];
    assert_eq!(held["rule"], "window", "{rules}");
    assert!(held["until"].is_string(), "{rules}");
    assert_eq!(rules["verdict"]["holds"][0]["scope"], "project");
    let seen = server.get("/api/v1/projects/demo/rules").await.json();
    assert_eq!(seen["windows"], later);
    let cleared = server.delete(&format!("/api/v1{project}")).await;
    assert!(cleared.json()["windows"].is_null());
    assert_eq!(
        put("/projects/no/rules/windows", later).await.problem(),
        "invalid-body"
    );
    let nobody = put("/workloads/nobody/rules/windows", always).await;
    assert_eq!(nobody.problem(), "workload-not-found");
    let record = server.get("/api/v1/audit?action=rules.update").await.json();
    assert!(record["items"].as_array().unwrap().len() > 3);
}

#[tokio::test]
async fn freezes_come_end_and_have_exceptions() {
    let server = TestServer::start().await;
    let hello = server.workload("hello").await;
    let past = "2020-01-01T00:00:00Z";
    for body in [
        json!({ "reason": "" }),
        json!({ "reason": "x", "until": past }),
        json!({ "reason": "x", "project": "nothing" }),
        json!({ "reason": "x", "from": "2090-01-02T00:00:00Z", "until": "2090-01-01T00:00:00Z" }),
    ] {
        let refused = server.post("/api/v1/freezes", &body).await;
        assert_eq!(refused.problem(), "invalid-body", "{body}");
    }
    let body = json!({ "reason": "the sale", "project": "demo" });
    let made = server.post("/api/v1/freezes", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_i64().unwrap();
    let rules = server.get("/api/v1/workloads/hello/rules").await.json();
    let held = &rules["verdict"]["held"];
    assert_eq!(
        (held["rule"].as_str(), held["until"].is_null()),
        (Some("freeze"), true)
    );
    assert!(
        held["message"]
            .as_str()
            .unwrap()
            .contains("frozen by owner since")
    );

    let path = format!("/api/v1/freezes/{id}/exceptions");
    let neither = server.post(&path, &json!({ "reason": "x" })).await;
    assert_eq!(neither.problem(), "invalid-body");
    let deploy = deploy(&server, &hello, "owner").await;
    let both = json!({ "reason": "x", "workload": "hello", "deploy_id": deploy });
    assert_eq!(server.post(&path, &both).await.problem(), "invalid-body");
    let granted = json!({ "reason": "the fix", "deploy_id": deploy });
    let granted = server.post(&path, &granted).await.json();
    assert_eq!(granted["exceptions"][0]["deploy_id"], deploy);
    let granted = json!({ "reason": "the fix", "workload": "hello" });
    assert_eq!(server.post(&path, &granted).await.status, 200);
    let rules = server.get("/api/v1/workloads/hello/rules").await.json();
    assert_eq!(rules["verdict"]["allowed"], true, "{rules}");

    for _ in 0..2 {
        let ended = server
            .post(&format!("/api/v1/freezes/{id}/end"), &json!({}))
            .await;
        assert_eq!(ended.json()["ended_by"], "owner");
    }
    let open = server.get("/api/v1/freezes").await.json();
    assert_eq!(open["items"], json!([]));
    let all = server.get("/api/v1/freezes?all=true").await.json();
    assert_eq!(all["items"][0]["id"], id);
    let missing = server.post("/api/v1/freezes/999/end", &json!({})).await;
    assert_eq!(missing.problem(), "freeze-not-found");
    let over = server
        .post(&path, &json!({ "reason": "x", "workload": "hello" }))
        .await;
    assert_eq!(over.status, 200, "the same exception again changes nothing");
}

#[tokio::test]
async fn a_lock_is_taken_off_by_its_owner_or_broken_on_record() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let (owner, bob) = (
        server.token.clone(),
        token_of(&server, "bob", "owner").await,
    );
    let path = "/workloads/hello/lock";
    let lock = json!({ "reason": "a migration" });
    let made = send(&server, &owner, "PUT", path, &lock).await;
    assert_eq!(made.json()["by"], "owner", "{}", made.text);
    let other = send(&server, &bob, "PUT", path, &lock).await;
    assert_eq!(other.problem(), "deploy-held");
    assert!(
        other.text.contains("ocked by owner since"),
        "{}",
        other.text
    );
    // There is no repository to pick from: the lock is asked before it.
    let hotfix = json!({ "commits": ["95f6178"], "reason": "it crashes" });
    let hotfix = send(&server, &bob, "POST", "/workloads/hello/hotfixes", &hotfix).await;
    assert_eq!(hotfix.problem(), "deploy-held", "{}", hotfix.text);
    let rules = send(&server, &bob, "GET", "/workloads/hello/rules", &json!({})).await;
    assert_eq!(rules.json()["verdict"]["held"]["rule"], "lock");
    let own = send(&server, &owner, "GET", "/workloads/hello/rules", &json!({})).await;
    assert_eq!(own.json()["verdict"]["allowed"], true);

    let refused = send(&server, &bob, "DELETE", path, &json!({})).await;
    assert_eq!(refused.problem(), "deploy-held");
    let unsaid = format!("{path}?break=true&reason=%20");
    let unsaid = send(&server, &bob, "DELETE", &unsaid, &json!({})).await;
    assert_eq!(unsaid.problem(), "invalid-parameter");
    let broken = format!("{path}?break=true&reason=gone");
    let broken = send(&server, &bob, "DELETE", &broken, &json!({})).await;
    assert_eq!(broken.status, 204, "{}", broken.text);
    let record = server.get("/api/v1/audit?action=lock.break").await.json();
    assert_eq!(record["items"][0]["principal"], "bob");
    assert_eq!(record["items"][0]["detail"]["of"], "owner");
    let none = send(&server, &bob, "DELETE", path, &json!({})).await;
    assert_eq!(none.status, 204);

    let past = json!({ "reason": "x", "until": "2020-01-01T00:00:00Z" });
    let past = send(&server, &owner, "PUT", path, &past).await;
    assert_eq!(past.problem(), "invalid-body");
    let gone = send(&server, &owner, "PUT", "/workloads/nobody/lock", &lock).await;
    assert_eq!(gone.problem(), "workload-not-found");
    let viewer = token_of(&server, "carl", "viewer").await;
    let denied = send(&server, &viewer, "PUT", path, &lock).await;
    assert_eq!(denied.problem(), "forbidden");
}

#[tokio::test]
async fn approvals_are_asked_of_the_right_people() {
    let server = TestServer::start().await;
    let hello = server.workload("hello").await;
    let (owner, bob) = (
        server.token.clone(),
        token_of(&server, "bob", "owner").await,
    );
    let eve = token_of(&server, "eve", "owner").await;
    let path = "/workloads/hello/rules/approvals";
    let unasked = deploy(&server, &hello, "owner").await;
    let unasked = format!("/deploys/{unasked}/approve");
    let needless = send(&server, &bob, "POST", &unasked, &json!({})).await;
    assert_eq!(needless.problem(), "conflict");
    for body in [
        json!({ "count": 0, "people": ["bob"] }),
        json!({ "count": 2, "people": ["bob", "bob"] }),
        json!({ "count": 1 }),
        json!({ "count": 1, "people": ["bob"], "role": "owner" }),
        json!({ "count": 1, "people": ["nobody"] }),
        json!({ "count": 1, "role": "wizard" }),
        json!({ "count": 21, "role": "owner" }),
    ] {
        let refused = send(&server, &owner, "PUT", path, &body).await;
        assert_eq!(refused.problem(), "invalid-body", "{body}");
    }
    let rule = json!({ "count": 1, "people": ["bob", "owner"] });
    assert_eq!(send(&server, &owner, "PUT", path, &rule).await.status, 200);

    let id = deploy(&server, &hello, "owner").await;
    let approve = format!("/deploys/{id}/approve");
    let own = send(&server, &owner, "POST", &approve, &json!({})).await;
    assert_eq!(own.problem(), "conflict");
    assert!(own.text.contains("cannot approve it"), "{}", own.text);
    let stranger = send(&server, &eve, "POST", &approve, &json!({})).await;
    assert!(stranger.text.contains("none of those"), "{}", stranger.text);
    for _ in 0..2 {
        let fine = json!({ "comment": "fine" });
        let approved = send(&server, &bob, "POST", &approve, &fine).await;
        assert_eq!(approved.status, 202, "{}", approved.text);
    }
    let timeline = server.get(&format!("/api/v1/deploys/{id}")).await.json()["timeline"].clone();
    let said = timeline.to_string();
    assert_eq!(said.matches("bob approved it: fine").count(), 1, "{said}");

    let id = deploy(&server, &hello, "owner").await;
    let reject = format!("/deploys/{id}/reject");
    let silent = send(&server, &bob, "POST", &reject, &json!({ "reason": " " })).await;
    assert_eq!(silent.problem(), "invalid-body");
    for _ in 0..2 {
        let no = json!({ "reason": "not on a Friday" });
        let rejected = send(&server, &bob, "POST", &reject, &no).await;
        assert_eq!(rejected.status, 202, "{}", rejected.text);
    }
    let late = send(
        &server,
        &bob,
        "POST",
        &format!("/deploys/{id}/approve"),
        &json!({}),
    )
    .await;
    assert_eq!(late.problem(), "conflict");
    let missing = send(&server, &bob, "POST", "/deploys/999/approve", &json!({})).await;
    assert_eq!(missing.problem(), "deploy-not-found");
    let record = server
        .get("/api/v1/audit?action=deploy.approve")
        .await
        .json();
    assert_eq!(record["items"][0]["principal"], "bob");
}

#[tokio::test]
async fn gates_are_set_seen_and_refused_when_they_make_no_sense() {
    let server = TestServer::start().await;
    server.workload("hello").await;
    let owner = server.token.clone();
    let path = "/workloads/hello/gates";
    let put = async |body: Value| send(&server, &owner, "PUT", path, &body).await;
    let default = server.get(&format!("/api/v1{path}")).await.json();
    assert_eq!(default["is_default"], true);
    assert_eq!(default["ready_seconds"], 5);
    let check = json!({ "name": "up", "query": "up", "comparison": ">=", "threshold": 1 });
    for (body, says) in [
        (json!({ "ready_seconds": 3601 }), "3601"),
        (json!({ "checks": [check] }), "no Prometheus"),
        (
            json!({ "checks": [{ "name": "x", "query": "up", "comparison": "<" }] }),
            "threshold",
        ),
        (
            json!({ "checks": [{ "name": "", "query": "up", "comparison": "<", "threshold": 1 }] }),
            "has a name",
        ),
        (
            json!({ "checks": [{ "name": "x", "query": " ", "comparison": "<", "threshold": 1 }] }),
            "has a query",
        ),
        (
            json!({ "checks": [{ "name": "x", "query": "up", "comparison": "=", "threshold": 1 }] }),
            "unknown variant",
        ),
        (json!({ "checks": [check, check] }), "has two called"),
    ] {
        let refused = put(body).await;
        assert_eq!(refused.problem(), "invalid-body");
        assert!(refused.text.contains(says), "{says}: {}", refused.text);
    }
    let set = put(json!({ "ready_seconds": 30, "max_restarts": 0, "auto_rollback": true })).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let seen = server.get(&format!("/api/v1{path}")).await.json();
    assert_eq!(
        (
            &seen["ready_seconds"],
            &seen["is_default"],
            &seen["changed_by"]
        ),
        (&json!(30), &json!(false), &json!("owner"))
    );
    let cleared = server.delete(&format!("/api/v1{path}")).await.json();
    assert_eq!(cleared["is_default"], true);
    let record = server.get("/api/v1/audit?action=gates.update").await.json();
    assert!(record["items"].as_array().unwrap().len() > 2);
}
