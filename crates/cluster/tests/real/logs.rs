//! Logs of real containers: read, followed, through restarts and replacements.

use std::time::Duration;

use futures::{Stream, StreamExt};
use hermez_api::ContainerLogLine;
use hermez_cluster::{ClusterError, LogRequest};
use serde_json::json;

use crate::support::{Rig, within};

/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_mins(1);

fn logs(
    rig: &Rig,
    request: LogRequest,
) -> impl Stream<Item = Result<ContainerLogLine, ClusterError>> + Send + use<> {
    rig.cluster.logs(&rig.key, request)
}

async fn all(rig: &Rig, request: LogRequest) -> Vec<ContainerLogLine> {
    let lines = logs(rig, request)
        .map(|line| line.expect("a line"))
        .collect();
    tokio::time::timeout(PATIENCE, lines)
        .await
        .expect("the log ends")
}

fn texts(lines: &[ContainerLogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

/// Reads on until a line says `text`.
async fn until(
    lines: &mut (impl Stream<Item = Result<ContainerLogLine, ClusterError>> + Unpin),
    text: &str,
) -> ContainerLogLine {
    let found = async {
        while let Some(line) = lines.next().await {
            let line = line.expect("a line");
            if line.text == text {
                return line;
            }
        }
        panic!("the log ended before {text:?}")
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .unwrap_or_else(|_| panic!("no line {text:?}"))
}

const WAIT: &str = "trap 'exit 0' TERM; while :; do sleep 0.2; done";

#[tokio::test]
async fn a_log_is_read_from_its_end_and_in_order() {
    within(async |rig| {
        let script = format!("for i in 1 2 3 4 5; do echo line $i; done; {WAIT}");
        rig.deploy_and_wait(1, &rig.service(&script, &json!({}), &json!({})))
            .await;
        let mut follow = Box::pin(logs(
            &rig,
            LogRequest {
                follow: true,
                ..LogRequest::default()
            },
        ));
        let line = until(&mut follow, "line 5").await;
        assert_eq!(line.container, "hello");
        assert!(line.pod.starts_with("hello-") && line.at.is_some());
        let lines = all(&rig, LogRequest::default()).await;
        assert_eq!(
            texts(&lines),
            ["line 1", "line 2", "line 3", "line 4", "line 5"]
        );
        let lines = all(
            &rig,
            LogRequest {
                tail_lines: Some(2),
                ..LogRequest::default()
            },
        )
        .await;
        assert_eq!(texts(&lines), ["line 4", "line 5"]);
        let one = LogRequest {
            pod: Some(line.pod.clone()),
            container: Some("hello".into()),
            ..LogRequest::default()
        };
        assert_eq!(all(&rig, one).await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_followed_log_goes_on_through_the_replacement_of_pods() {
    within(async |rig| {
        let script = |word: &str| format!("echo {word} begins; {WAIT}");
        rig.deploy_and_wait(1, &rig.service(&script("one"), &json!({}), &json!({})))
            .await;
        let mut follow = Box::pin(logs(
            &rig,
            LogRequest {
                follow: true,
                ..LogRequest::default()
            },
        ));
        let first = until(&mut follow, "one begins").await;
        rig.deploy_and_wait(2, &rig.service(&script("two"), &json!({}), &json!({})))
            .await;
        let second = until(&mut follow, "two begins").await;
        assert_ne!(first.pod, second.pod);
    })
    .await;
}

/// A service whose first `ends` runs end at once; each says its number, kept on a volume.
fn restarting(rig: &Rig, ends: i32) -> hermez_kinds::Resource {
    let script = format!(
        "n=$(cat /data/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /data/n; echo run $n; [ $n -gt {ends} ] || exit 1; {WAIT}"
    );
    let container = json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    let mut service = rig.service(&script, &container, &json!({}));
    let hermez_kinds::Resource::Service(own) = &mut service else {
        unreachable!("it is a service")
    };
    own.spec.template.spec.volumes =
        serde_json::from_value(json!([{"name": "data", "emptyDir": {}}])).expect("volumes");
    service
}

#[tokio::test]
async fn a_followed_log_goes_on_through_restarts_without_saying_anything_twice() {
    within(async |rig| {
        rig.deploy(1, &restarting(&rig, 2)).await.expect("applied");
        rig.status("a pod", |status| !status.pods.is_empty()).await;
        let follow = logs(
            &rig,
            LogRequest {
                follow: true,
                ..LogRequest::default()
            },
        );
        let mut said = Vec::new();
        let read = async {
            futures::pin_mut!(follow);
            while let Some(line) = follow.next().await {
                said.push(line.expect("a line").text);
                if said.last().is_some_and(|text| text == "run 3") {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the third run speaks");
        // A run that ends at once may be over before it could be followed; none speaks twice.
        let mut once = said.clone();
        once.dedup();
        assert_eq!(said, once);
        assert!(said.iter().all(|text| text.starts_with("run ")), "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn the_log_of_the_run_before_can_be_read() {
    within(async |rig| {
        rig.deploy(1, &restarting(&rig, 1)).await.expect("applied");
        rig.status("restarted", |status| {
            status.pods.iter().any(|pod| pod.restarts == 1 && pod.ready)
        })
        .await;
        let before = LogRequest {
            previous: true,
            ..LogRequest::default()
        };
        assert_eq!(texts(&all(&rig, before).await), ["run 1"]);
        assert_eq!(texts(&all(&rig, LogRequest::default()).await), ["run 2"]);
    })
    .await;
}

#[tokio::test]
async fn logs_that_are_not_there_are_told() {
    within(async |rig| {
        rig.deploy_and_wait(1, &rig.running("one", &json!({})))
            .await;
        let refuse = async |request: LogRequest| {
            let mut lines = Box::pin(logs(&rig, request));
            let first = tokio::time::timeout(PATIENCE, lines.next())
                .await
                .expect("an answer");
            first.expect("an item").expect_err("an error")
        };
        let error = refuse(LogRequest {
            pod: Some("hello-x".into()),
            ..LogRequest::default()
        })
        .await;
        assert!(matches!(error, ClusterError::NotFound(_)), "{error:?}");
        let error = refuse(LogRequest {
            container: Some("x".into()),
            ..LogRequest::default()
        })
        .await;
        assert!(matches!(error, ClusterError::NotFound(_)), "{error:?}");
        let error = refuse(LogRequest {
            previous: true,
            ..LogRequest::default()
        })
        .await;
        assert!(matches!(error, ClusterError::NoLog(_)), "{error:?}");
    })
    .await;
}
