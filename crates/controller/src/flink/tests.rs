//! A double of Flink's REST API behind the API server's proxy. Its answers have the shape of those
//! of Flink 1.20 (recorded from one, and cut).

use hermez_kinds::streamingjob::{Attempt, Memory, Request, Stage, Stop};
use kube::{Client, Config};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::answer;
use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";
const PROXY: &str = "/api/v1/namespaces/prod/services/clicks-jobmanager:rest/proxy";

struct Double {
    server: MockServer,
}

impl Double {
    async fn start() -> Double {
        Double {
            server: MockServer::start().await,
        }
    }

    async fn says(&self, verb: &str, at: &str, status: u16, body: &Value) {
        Mock::given(method(verb))
            .and(path(format!("{PROXY}{at}")))
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .mount(&self.server)
            .await;
    }

    async fn look(&self, memory: &Memory) -> Observation {
        let uri = self.server.uri().parse().expect("an address");
        let client = Client::try_from(Config::new(uri)).expect("a client");
        let place = Place {
            client: &client,
            namespace: "prod",
            service: "clicks-jobmanager".to_owned(),
        };
        place.look(memory).await
    }

    async fn asked(&self, verb: &str) -> Vec<String> {
        let requests = self.server.received_requests().await.expect("recorded");
        let asked = requests
            .iter()
            .filter(|request| request.method.as_str() == verb);
        asked
            .map(|request| request.url.path().replace(PROXY, ""))
            .collect()
    }
}

fn mk_memory(stage: Stage) -> Memory {
    Memory {
        stage,
        attempt: Attempt {
            number: 1,
            job_id: ID.to_owned(),
            ..Attempt::default()
        },
        ..Memory::default()
    }
}

fn mk_details(state: &str, counts: &Value) -> Value {
    json!({
        "jid": ID, "name": "Clicks", "isStoppable": false, "state": state, "job-type": "STREAMING",
        "start-time": 1_767_225_600_000_i64, "end-time": -1, "duration": 1000, "maxParallelism": -1,
        "now": 1_767_225_601_000_i64,
        "vertices": [
            {"id": "cbc357ccb763df2852fee8c4fc7d55f2", "name": "Source: numbers -> Map", "parallelism": 2, "status": "RUNNING"},
            {"id": "90bea66de1c231edf33913ecd54406c1", "name": "Count", "parallelism": 4, "status": "RUNNING"},
        ],
        "status-counts": counts,
    })
}

fn checkpoint(id: i64, savepoint: bool, place: &str) -> Value {
    json!({
        "className": "completed", "id": id, "status": "COMPLETED", "is_savepoint": savepoint,
        "trigger_timestamp": 1_767_225_600_000_i64, "latest_ack_timestamp": 1_767_225_600_040_i64,
        "state_size": 1234, "end_to_end_duration": 40, "external_path": place, "discarded": false,
    })
}

fn not_found() -> Value {
    json!({"errors": [format!("org.apache.flink.runtime.rest.NotFoundException: Job {ID} not found")]})
}

#[tokio::test]
async fn a_running_job_is_told_with_its_checkpoints_and_its_lag() {
    let flink = Double::start().await;
    let job = format!("/jobs/{ID}");
    flink
        .says(
            "GET",
            &job,
            200,
            &mk_details("RUNNING", &json!({"RUNNING": 6, "CREATED": 0})),
        )
        .await;
    let checkpoints = json!({"latest": {
        "completed": checkpoint(7, false, "file:/state/checkpoints/chk-7"),
        "savepoint": null, "failed": null,
        "restored": {"id": 3, "restore_timestamp": 1_767_225_600_000_i64, "is_savepoint": true, "external_path": "file:/state/savepoints/savepoint-3"},
    }});
    flink
        .says("GET", &format!("{job}/checkpoints"), 200, &checkpoints)
        .await;
    flink
        .says(
            "GET",
            &format!("{job}/metrics"),
            200,
            &json!([{"id": "numRestarts", "value": "2"}]),
        )
        .await;
    let source = format!("{job}/vertices/cbc357ccb763df2852fee8c4fc7d55f2");
    let pressure =
        json!({"status": "ok", "backpressureLevel": "low", "end-timestamp": 1, "subtasks": []});
    flink
        .says("GET", &format!("{source}/backpressure"), 200, &pressure)
        .await;
    let metrics = format!("{PROXY}{source}/subtasks/metrics");
    let name = "Source__numbers.pendingRecords";
    Mock::given(path(metrics.clone()))
        .and(query_param("get", name))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!([{"id": name, "min": 1, "max": 4, "avg": 2.5, "sum": 5.0}])),
        )
        .with_priority(1)
        .mount(&flink.server)
        .await;
    Mock::given(path(metrics))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!([{"id": "numRecordsIn"}, {"id": name}])),
        )
        .mount(&flink.server)
        .await;
    let seen = flink.look(&mk_memory(Stage::Running)).await;
    let job = seen.job.expect("a job");
    assert!(job.runs);
    assert_eq!((job.name.as_str(), job.parallelism), ("Clicks", 4));
    assert_eq!(job.lag.as_deref(), Some("5 records"));
    assert_eq!(job.backpressure.as_deref(), Some("low"));
    assert_eq!(job.restarts, Some(2));
    let checkpoint = job.checkpoint.expect("a checkpoint");
    assert_eq!(
        (checkpoint.id, checkpoint.duration_ms, checkpoint.size_bytes),
        (7, 40, 1234)
    );
    assert_eq!(
        checkpoint.path.as_deref(),
        Some("file:/state/checkpoints/chk-7")
    );
    let restored = job.restored.expect("restored");
    assert!(restored.savepoint && restored.id == 3);
}

#[tokio::test]
async fn tasks_that_do_not_all_run_are_no_running_job() {
    let flink = Double::start().await;
    let counts = json!({"RUNNING": 5, "INITIALIZING": 1});
    flink
        .says(
            "GET",
            &format!("/jobs/{ID}"),
            200,
            &mk_details("RUNNING", &counts),
        )
        .await;
    let job = flink
        .look(&mk_memory(Stage::Starting))
        .await
        .job
        .expect("a job");
    assert!(!job.runs);
    assert_eq!(job.lag, None, "nobody asked");
}

#[tokio::test]
async fn a_job_that_flink_does_not_know_and_a_job_manager_that_is_away_differ() {
    let flink = Double::start().await;
    flink
        .says("GET", &format!("/jobs/{ID}"), 404, &not_found())
        .await;
    let seen = flink.look(&mk_memory(Stage::Starting)).await;
    assert_eq!((seen.job, seen.unreachable), (None, None));

    let away = Double::start().await;
    let status = json!({"kind": "Status", "status": "Failure", "message": "no endpoints available for service", "code": 503});
    away.says("GET", &format!("/jobs/{ID}"), 503, &status).await;
    let seen = away.look(&mk_memory(Stage::Starting)).await;
    // The client tries such an answer again by itself, for longer than we wait.
    assert!(seen.job.is_none() && seen.unreachable.is_some());

    let gone = Double::start().await;
    let status = json!({"kind": "Status", "status": "Failure", "message": "services \"clicks-jobmanager\" not found", "code": 404});
    gone.says("GET", &format!("/jobs/{ID}"), 404, &status).await;
    assert!(
        gone.look(&mk_memory(Stage::Starting))
            .await
            .unreachable
            .is_some()
    );
}

#[tokio::test]
async fn a_job_that_failed_before_it_had_a_plan_is_told_by_its_status() {
    let flink = Double::start().await;
    let job = format!("/jobs/{ID}");
    let broken = json!({"errors": ["Internal server error.", "<Exception on server side:\njava.lang.NullPointerException\n\tat a\nEnd of exception on server side>"]});
    flink.says("GET", &job, 500, &broken).await;
    flink
        .says(
            "GET",
            &format!("{job}/status"),
            200,
            &json!({"status": "FAILED"}),
        )
        .await;
    let trace = "org.apache.flink.util.FlinkException: x\n\tat a\nCaused by: java.lang.ClassNotFoundException: Clicks\n\tat b";
    flink
        .says(
            "GET",
            &format!("{job}/exceptions"),
            200,
            &json!({"root-exception": trace}),
        )
        .await;
    let job = flink
        .look(&mk_memory(Stage::Starting))
        .await
        .job
        .expect("a job");
    assert_eq!((job.state.as_str(), job.runs), ("FAILED", false));
    assert_eq!(
        job.failure.as_deref(),
        Some("java.lang.ClassNotFoundException: Clicks")
    );
}

fn mk_stopping() -> Memory {
    Memory {
        stop: Some(Stop {
            trigger: "aa".to_owned(),
            savepointdir: Some("file:/state/savepoints".to_owned()),
            stopped_for: "upgrade".to_owned(),
            failures: 0,
        }),
        ..mk_memory(Stage::Stopping)
    }
}

#[tokio::test]
async fn a_stop_is_asked_for_with_our_own_id_until_flink_knows_it() {
    let flink = Double::start().await;
    let job = format!("/jobs/{ID}");
    flink
        .says(
            "GET",
            &job,
            200,
            &mk_details("RUNNING", &json!({"RUNNING": 1})),
        )
        .await;
    let unknown = json!({"errors": ["There is no savepoint operation with triggerId=aa for job."]});
    flink
        .says("GET", &format!("{job}/savepoints/aa"), 404, &unknown)
        .await;
    let body =
        json!({"targetDirectory": "file:/state/savepoints", "drain": false, "triggerId": "aa"});
    Mock::given(method("POST"))
        .and(path(format!("{PROXY}{job}/stop")))
        .and(body_json(body))
        .respond_with(ResponseTemplate::new(202).set_body_json(json!({"request-id": "aa"})))
        .expect(1)
        .mount(&flink.server)
        .await;
    let seen = flink.look(&mk_stopping()).await;
    assert_eq!(seen.stop, Some(Operation::InProgress));
}

#[tokio::test]
async fn a_stop_that_flink_knows_is_not_asked_for_again() {
    let done = json!({"status": {"id": "COMPLETED"}, "operation": {"location": "file:/state/savepoints/savepoint-1"}});
    let failed = json!({"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {
        "class": "java.util.concurrent.CompletionException",
        "stack-trace": "java.util.concurrent.CompletionException: x\n\tat a\nCaused by: java.io.IOException: the disk is full\n\tat b\n",
    }}});
    let cases = [
        (
            json!({"status": {"id": "IN_PROGRESS"}}),
            Operation::InProgress,
        ),
        (
            done,
            Operation::Completed("file:/state/savepoints/savepoint-1".to_owned()),
        ),
        (
            failed,
            Operation::Failed("java.io.IOException: the disk is full".to_owned()),
        ),
    ];
    for (said, wanted) in cases {
        let flink = Double::start().await;
        let job = format!("/jobs/{ID}");
        flink
            .says(
                "GET",
                &job,
                200,
                &mk_details("RUNNING", &json!({"RUNNING": 1})),
            )
            .await;
        flink
            .says("GET", &format!("{job}/savepoints/aa"), 200, &said)
            .await;
        assert_eq!(flink.look(&mk_stopping()).await.stop, Some(wanted));
        assert!(flink.asked("POST").await.is_empty());
    }
}

#[tokio::test]
async fn a_job_that_is_over_is_not_stopped_again() {
    let flink = Double::start().await;
    let job = format!("/jobs/{ID}");
    flink
        .says(
            "GET",
            &job,
            200,
            &mk_details("FINISHED", &json!({"FINISHED": 1})),
        )
        .await;
    let unknown = json!({"errors": ["There is no savepoint operation with triggerId=aa for job."]});
    flink
        .says("GET", &format!("{job}/savepoints/aa"), 404, &unknown)
        .await;
    assert_eq!(flink.look(&mk_stopping()).await.stop, None);
    assert!(flink.asked("POST").await.is_empty());
}

#[tokio::test]
async fn without_a_savepoint_the_job_is_canceled() {
    let flink = Double::start().await;
    let job = format!("/jobs/{ID}");
    flink
        .says(
            "GET",
            &job,
            200,
            &mk_details("RESTARTING", &json!({"CREATED": 1})),
        )
        .await;
    flink.says("PATCH", &job, 202, &json!({})).await;
    let exceptions = json!({"exceptionHistory": {"entries": [{
        "exceptionName": "java.lang.RuntimeException",
        "stacktrace": "java.lang.RuntimeException: outer\n\tat a\nCaused by: java.lang.IllegalStateException: state was lost\n\tat b",
    }], "truncated": false}});
    flink
        .says("GET", &format!("{job}/exceptions"), 200, &exceptions)
        .await;
    let mut memory = mk_stopping();
    memory.stop.as_mut().expect("a stop").savepointdir = None;
    let seen = flink.look(&memory).await;
    let failure = seen.job.expect("a job").failure;
    assert_eq!(
        failure.as_deref(),
        Some("java.lang.IllegalStateException: state was lost")
    );
    assert_eq!(flink.asked("PATCH").await.len(), 1);
}

#[tokio::test]
async fn a_savepoint_on_request_does_not_stop_the_job() {
    let flink = Double::start().await;
    let job = format!("/jobs/{ID}");
    flink
        .says(
            "GET",
            &job,
            200,
            &mk_details("RUNNING", &json!({"RUNNING": 1})),
        )
        .await;
    let unknown = json!({"errors": ["There is no savepoint operation with triggerId=bb for job."]});
    flink
        .says("GET", &format!("{job}/savepoints/bb"), 404, &unknown)
        .await;
    flink
        .says(
            "POST",
            &format!("{job}/savepoints"),
            202,
            &json!({"request-id": "bb"}),
        )
        .await;
    let memory = Memory {
        request: Some(Request {
            trigger: "bb".to_owned(),
            savepointdir: "file:/state/savepoints".to_owned(),
        }),
        ..mk_memory(Stage::Running)
    };
    assert_eq!(
        flink.look(&memory).await.request,
        Some(Operation::InProgress)
    );
    assert_eq!(flink.asked("POST").await, [format!("{job}/savepoints")]);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let flink = Double::start().await;
    let large = "x".repeat(LARGEST + 1);
    flink
        .says(
            "GET",
            &format!("/jobs/{ID}"),
            200,
            &json!({ "name": large }),
        )
        .await;
    let seen = flink.look(&mk_memory(Stage::Running)).await;
    assert!(seen.job.is_none() && seen.unreachable.is_some());
}

#[test]
fn whatever_flink_says_is_read_without_harm() {
    for said in [
        json!(null),
        json!([]),
        json!({"vertices": 1, "status-counts": [], "state": 7}),
        json!("x"),
    ] {
        assert!(!answer::job(&said).runs);
        assert_eq!(answer::operation(&said), None);
        assert_eq!(answer::failure(&said), None);
        assert!(answer::sources(&said).is_empty() && answer::lag_metrics(&said).is_empty());
        assert_eq!(answer::lag(&[said]), None);
    }
    let hostile = json!({"vertices": [{"id": "../../secrets", "name": "Source: a"}]});
    assert!(answer::sources(&hostile).is_empty());
    let late = [
        json!([{"id": "Source__a.currentEmitEventTimeLag", "max": 12.4}, {"id": "b.currentEmitEventTimeLag", "max": 90.6}]),
    ];
    assert_eq!(answer::lag(&late).as_deref(), Some("91 ms"));
    let negative = [json!([{"id": "pendingRecords", "sum": -1}])];
    assert_eq!(answer::lag(&negative), None);
}
