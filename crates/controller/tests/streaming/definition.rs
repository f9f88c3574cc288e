//! The definition, as the API server takes it.

use hermez_kinds::PinterestStreamingJob;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::support::{Sandbox, within};
use crate::world::{NAME, apply, condition, until};

fn dry() -> PostParams {
    PostParams {
        dry_run: true,
        ..PostParams::default()
    }
}

/// A spec with other fields in place of some.
fn with(change: &Value) -> Value {
    let mut spec = json!({
        "flink": {
            "job": {"class": "Clicks"},
            "state": {"dir": "s3://bucket/clicks"},
        },
        "template": {"spec": {"containers": [{"name": "flink", "image": "clicks:1"}]}},
    });
    merge(&mut spec, change);
    spec
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(fields.entry(key.clone()).or_insert(Value::Null), change);
            }
        }
        (into, change) => *into = change.clone(),
    }
}

/// Why the API server refuses a spec.
async fn refusal(sandbox: &Sandbox, name: &str, spec: &Value) -> String {
    let api: Api<PinterestStreamingJob> = sandbox.api();
    let job = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}));
    match api.create(&dry(), &job.expect("a job")).await {
        Err(kube::Error::Api(status)) => status.message.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn its_rules_say_what_to_write() {
    within(async |sandbox| {
        let cases = [
            (
                json!({"engine": "container"}),
                "leave flink out, or write engine flink",
            ),
            (
                json!({"replicas": 0}),
                "at least one task manager: write replicas 1 or more",
            ),
            (
                json!({"template": {"spec": {"containers": [{"name": "flink", "args": ["run"]}]}}}),
                "leave its command and args out and write flink.job.args",
            ),
            (
                json!({"flink": {"parallelism": 0}}),
                "flink.parallelism must be at least 1",
            ),
            (
                json!({"flink": {"highavailability": false, "jobmanager": {"replicas": 2}}}),
                "several job managers need high availability: write highavailability true",
            ),
            (
                json!({"flink": {"state": {"volume": "state"}}}),
                "write a dir that begins with file:///",
            ),
            (
                json!({"flink": {"state": {"dir": "/state"}}}),
                "must be a URL that all pods reach",
            ),
            (
                json!({"flink": {"checkpointintervalseconds": 0}}),
                "should be greater than or equal to 1",
            ),
            (
                json!({"flink": {"upgrade": {"timeoutseconds": 5}}}),
                "should be greater than or equal to 10",
            ),
        ];
        for (change, words) in cases {
            let message = refusal(&sandbox, "clicks", &with(&change)).await;
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
        let message = refusal(&sandbox, &"a".repeat(51), &with(&json!({}))).await;
        assert!(message.contains("at most 50 characters"), "{message}");
        let bare = json!({"template": {"spec": {"containers": [{"name": "a"}]}}});
        let message = refusal(&sandbox, "clicks", &bare).await;
        assert!(
            message.contains("write flink.job.class and flink.state.dir"),
            "{message}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_no_schema_can_say_is_a_condition() {
    within(async |sandbox| {
        let spec = with(&json!({"flink": {
            "configuration": {"kubernetes.cluster-id": "mine"}, "parallelism": 2,
        }}));
        apply(&sandbox, &spec).await.expect("accepted");
        let job = until(&sandbox, "stalled", |job| {
            condition(job, "Stalled").is_some()
        })
        .await;
        let (_, reason, message) = condition(&job, "Stalled").expect("stalled");
        assert_eq!(reason, "InvalidSpec");
        for words in [
            "kubernetes.cluster-id",
            "leave it out",
            "needs 2 slots",
            "raise replicas",
        ] {
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_accepted_config_file_is_accepted_by_the_api_server() {
    within(async |sandbox| {
        let file = include_bytes!("../../../../examples/streaming/streaming.yaml");
        let mut config = hermez_kinds::config::parse("streaming.yaml", file).expect("valid");
        config.resource.metadata_mut().namespace = Some(sandbox.namespace.clone());
        let hermez_kinds::Resource::StreamingJob(job) = config.resource else {
            unreachable!("it is a streaming job")
        };
        let kept = sandbox
            .api()
            .create(&dry(), job.as_ref())
            .await
            .expect("accepted");
        assert_eq!(
            kept.spec, job.spec,
            "the API server drops or changes nothing"
        );
        assert_eq!(job.metadata.name.as_deref(), Some(NAME));
    })
    .await;
}
