//! What keeps the pods of a start from running.

use hermez_kinds::names::{ATTEMPT_LABEL, NAME_LABEL};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Client;
use kube::api::{Api, ListParams, ResourceExt};

/// Most pods that are looked at.
const LIMIT: u32 = 100;
/// Restarts after which a container that ends again and again will not mend itself.
const RESTARTS: i32 = 3;

/// The first trouble that does not mend itself among the pods of a start; none when they cannot be
/// listed.
pub(super) async fn trouble(
    client: &Client,
    namespace: &str,
    name: &str,
    number: i64,
) -> Option<String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let selector = format!("{NAME_LABEL}={name},{ATTEMPT_LABEL}={number}");
    let params = ListParams::default().labels(&selector).limit(LIMIT);
    let pods = api.list(&params).await.ok()?;
    pods.iter().find_map(of_pod)
}

/// What keeps one pod from running.
fn of_pod(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = [&status.init_container_statuses, &status.container_statuses];
    let mut containers = containers.into_iter().flatten().flatten();
    containers.find_map(|container| of_container(&pod.name_any(), container))
}

fn of_container(pod: &str, container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let certain = match reason {
        "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => true,
        "CrashLoopBackOff" => container.restart_count >= RESTARTS,
        _ => false,
    };
    let last = container
        .last_state
        .as_ref()
        .and_then(|last| last.terminated.as_ref());
    let more = match (reason, last) {
        ("CrashLoopBackOff", Some(last)) => {
            let words = super::answer::last_words(last.message.as_deref().unwrap_or_default());
            format!("it ended with exit code {}: {words}", last.exit_code)
        }
        _ => waiting.message.clone().unwrap_or_default(),
    };
    let text = format!(
        "the container {} of the pod {pod}: {reason}: {more}",
        container.name
    );
    certain.then(|| super::answer::first_line(text.trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mk_pod(reason: &str, restarts: i32) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "clicks-1"},
            "status": {"containerStatuses": [{
                "name": "flink", "image": "", "imageID": "", "ready": false, "restartCount": restarts,
                "state": {"waiting": {"reason": reason, "message": "back-off"}},
                "lastState": {"terminated": {"exitCode": 127, "message": "  \tat a\nCaused by: ClassNotFoundException: Clicks\n\tat b"}},
            }]},
        }))
        .expect("a pod")
    }

    #[test]
    fn only_what_does_not_mend_itself_is_trouble() {
        assert_eq!(of_pod(&mk_pod("ContainerCreating", 0)), None);
        assert_eq!(of_pod(&mk_pod("CrashLoopBackOff", 1)), None);
        assert_eq!(
            of_pod(&mk_pod("CrashLoopBackOff", 3)).as_deref(),
            Some(
                "the container flink of the pod clicks-1: CrashLoopBackOff: it ended with exit code 127: ClassNotFoundException: Clicks"
            )
        );
        assert_eq!(
            of_pod(&mk_pod("ImagePullBackOff", 0)).as_deref(),
            Some("the container flink of the pod clicks-1: ImagePullBackOff: back-off")
        );
    }
}
