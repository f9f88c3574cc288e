//! What the API server and the controller refuse, and in which words.

use hermez_kinds::{PinterestJobSet, PinterestTrainingJob};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::support::{Sandbox, within};
use crate::work::{holds, jobset, shell, training};

async fn refusal(sandbox: &Sandbox, body: &Value) -> String {
    match sandbox.deploy(body).await {
        Err(kube::Error::Api(status)) => status.message.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

fn group(name: &str, more: Value) -> Value {
    let mut group = json!({"name": name, "template": shell("true")});
    if let (Some(fields), Value::Object(more)) = (group.as_object_mut(), more) {
        fields.extend(more);
    }
    group
}

fn member(role: &str, more: Value) -> Value {
    let mut member = json!({"role": role, "template": shell("true")});
    if let (Some(fields), Value::Object(more)) = (member.as_object_mut(), more) {
        fields.extend(more);
    }
    member
}

#[tokio::test]
async fn the_rules_of_job_sets_say_what_to_write() {
    within(async |sandbox| {
        let cases = [
            (json!([]), json!({}), "should have at least 1 items"),
            (
                json!([group("a", json!({})), group("a", json!({}))]),
                json!({}),
                "two groups of replicatedjobs have the same name: give each its own name",
            ),
            (
                json!([group("A", json!({}))]),
                json!({}),
                "the name of a group must be of a-z, 0-9 and '-'",
            ),
            (
                json!([group("a", json!({"parallelism": 3, "completions": 2}))]),
                json!({}),
                "completions must be at least parallelism: lower parallelism or raise completions",
            ),
            (
                json!([group("a", json!({}))]),
                json!({"successpolicy": {"groups": ["b"]}}),
                "successpolicy.groups names a group that replicatedjobs does not have",
            ),
            (
                json!([group("a", json!({}))]),
                json!({"failurepolicy": {"action": "Restart"}}),
                "supported values: \"RestartAll\", \"RestartAllUncounted\", \"Fail\"",
            ),
            (
                json!([group("a", json!({"replicas": 0}))]),
                json!({}),
                "should be greater than or equal to 1",
            ),
        ];
        for (groups, more, words) in cases {
            let message = refusal(&sandbox, &jobset(&sandbox.namespace, "bad", groups, more)).await;
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_rules_of_training_jobs_say_what_to_write() {
    within(async |sandbox| {
        let worker = || member("worker", json!({}));
        let cases = [
            (
                json!([worker(), worker()]),
                json!({}),
                "two members have the same role: write each role once, with replicas",
            ),
            (
                json!([member("master", json!({}))]),
                json!({}),
                "members has no workers: write one with role: worker",
            ),
            (
                json!([worker(), member("ps", json!({}))]),
                json!({"framework": "pytorch"}),
                "the roles chief, ps and evaluator are TensorFlow's",
            ),
            (
                json!([worker(), member("master", json!({}))]),
                json!({"framework": "tensorflow"}),
                "TensorFlow's first member is its chief",
            ),
            (
                json!([worker(), member("master", json!({"replicas": 2}))]),
                json!({}),
                "a gang has one master, chief and evaluator: leave replicas out there",
            ),
            (
                json!([worker()]),
                json!({"processespernode": 8}),
                "processespernode is for torchrun",
            ),
            (
                json!([worker()]),
                json!({"checkpoint": {"mountpath": "/c"}}),
                "write either claim",
            ),
            (
                json!([worker()]),
                json!({"checkpoint": {"claim": "a", "mountpath": "c/d"}}),
                "checkpoint.mountpath must be an absolute path",
            ),
            (
                json!([worker()]),
                json!({"framework": "jax"}),
                "supported values: \"none\", \"pytorch\", \"tensorflow\"",
            ),
        ];
        for (members, more, words) in cases {
            let message = refusal(
                &sandbox,
                &training(&sandbox.namespace, "bad", members, more),
            )
            .await;
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
    })
    .await;
}

fn stalled(object: &DynamicObject) -> String {
    let conditions =
        serde_json::from_value(object.data["status"]["conditions"].clone()).unwrap_or_default();
    let conditions: Vec<_> = conditions;
    holds(&conditions, "Stalled")
        .map(|found| format!("{}: {}", found.reason, found.message))
        .unwrap_or_default()
}

#[tokio::test]
async fn circles_and_unknown_groups_make_nothing_and_say_where() {
    within(async |sandbox| {
        let on = |name: &str| json!({"dependson": [{"name": name}]});
        let circle = json!([group("a", on("b")), group("b", on("c")), group("c", on("a"))]);
        sandbox.deploy(&jobset(&sandbox.namespace, "circle", circle, json!({}))).await.expect("accepted");
        let unknown = json!([group("a", on("nobody"))]);
        sandbox.deploy(&jobset(&sandbox.namespace, "unknown", unknown, json!({}))).await.expect("accepted");
        let said = |set: &PinterestJobSet| {
            set.status.as_ref().is_some_and(|status| holds(&status.conditions, "Stalled").is_some())
        };
        for (name, words) in [
            ("circle", "InvalidSpec: spec.replicatedjobs[2].dependson[0].name: the groups wait for each other: a → b → c → a; take one of these dependencies out"),
            ("unknown", "InvalidSpec: spec.replicatedjobs[0].dependson[0].name: there is no group \"nobody\"; the groups are a"),
        ] {
            let set: PinterestJobSet = sandbox.until(name, "stalled", said).await;
            let set = serde_json::from_value(serde_json::to_value(set).expect("data")).expect("an object");
            assert_eq!(stalled(&set), words);
            assert!(sandbox.jobs(name).await.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn a_variable_of_the_gang_cannot_be_taken() {
    within(async |sandbox| {
        let mut worker = member("worker", json!({}));
        worker["template"]["spec"]["containers"][0]["env"] = json!([{"name": "RANK", "value": "7"}]);
        let body = training(&sandbox.namespace, "taken", json!([worker]), json!({"framework": "pytorch"}));
        sandbox.deploy(&body).await.expect("accepted");
        let said = |job: &PinterestTrainingJob| {
            job.status.as_ref().is_some_and(|status| holds(&status.conditions, "Stalled").is_some())
        };
        let job: PinterestTrainingJob = sandbox.until("taken", "stalled", said).await;
        let job = serde_json::from_value(serde_json::to_value(job).expect("data")).expect("an object");
        assert_eq!(
            stalled(&job),
            "InvalidSpec: spec.members[0].template.spec.containers[0].env[0].name: RANK is set by Hermez for every member; leave it out, or use another name"
        );
    })
    .await;
}

#[tokio::test]
async fn the_examples_are_accepted_as_they_are() {
    within(async |sandbox| {
        for (file, text) in [
            (
                "jobset.yaml",
                include_str!("../../../../examples/jobset/jobset.yaml"),
            ),
            (
                "trainingjob.yaml",
                include_str!("../../../../examples/trainingjob/trainingjob.yaml"),
            ),
        ] {
            let mut config = hermez_kinds::config::parse(file, text.as_bytes()).expect("valid");
            config.resource.metadata_mut().namespace = Some(sandbox.namespace.clone());
            let native = config.resource.kind().api_resource();
            let api = kube::Api::<DynamicObject>::namespaced_with(
                sandbox.client.clone(),
                &sandbox.namespace,
                &native,
            );
            let body = config.resource.to_json();
            let object: DynamicObject = serde_json::from_value(body.clone()).expect("an object");
            let dry = kube::api::PostParams {
                dry_run: true,
                ..Default::default()
            };
            let kept = api.create(&dry, &object).await.expect("accepted");
            assert_eq!(
                kept.data["spec"], body["spec"],
                "the API server drops or changes nothing"
            );
        }
    })
    .await;
}
