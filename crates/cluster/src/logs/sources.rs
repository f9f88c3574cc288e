//! Which containers a request asks for.

use std::cmp::Reverse;

use hermez_api::ContainerLogLine;

use super::lines::Line;
use super::{LogRequest, MAX_CONTAINERS, Reader};
use crate::ClusterError;
use crate::index::Workload;

/// A container of a pod whose log is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub pod: String,
    pub container: String,
}

impl Source {
    /// A line as the API writes it.
    pub fn dress(&self, line: Line) -> ContainerLogLine {
        ContainerLogLine {
            pod: self.pod.clone(),
            container: self.container.clone(),
            at: line.at,
            text: line.text,
        }
    }
}

impl Reader {
    /// The containers asked for that there are now.
    pub fn sources(&self) -> Vec<Source> {
        sources(&self.shared.index().workload(&self.key), &self.request)
    }

    /// That there is nothing to read.
    pub fn nothing(&self) -> ClusterError {
        ClusterError::NotFound(match (&self.request.pod, &self.request.container) {
            (Some(pod), Some(container)) => format!("container {container} in pod {pod}"),
            (Some(pod), None) => format!("pod {pod}"),
            (None, Some(container)) => format!("container {container} of {}", self.key.name),
            (None, None) => format!("pod of {}", self.key.name),
        })
    }
}

fn sources(workload: &Workload, request: &LogRequest) -> Vec<Source> {
    let wanted = |wish: &Option<String>, name: &String| wish.as_ref().is_none_or(|w| w == name);
    let pods = workload.pods.iter();
    let mut pods: Vec<_> = pods.filter(|pod| wanted(&request.pod, &pod.name)).collect();
    pods.sort_by_key(|pod| (Reverse(pod.created_at), &pod.name));
    let containers = pods.into_iter().flat_map(|pod| {
        let own = pod.containers.iter();
        own.filter(|container| wanted(&request.container, &container.name))
            .map(|container| Source {
                pod: pod.name.clone(),
                container: container.name.clone(),
            })
    });
    containers.take(MAX_CONTAINERS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::view::{ContainerView, PodView};

    fn mk_pod(name: &str, second: i64) -> Arc<PodView> {
        let container = |name: &str| ContainerView {
            name: name.into(),
            ..ContainerView::default()
        };
        Arc::new(PodView {
            name: name.into(),
            created_at: jiff::Timestamp::from_second(second).ok(),
            containers: vec![container("app"), container("proxy")],
            ..PodView::default()
        })
    }

    fn names(workload: &Workload, request: &LogRequest) -> Vec<String> {
        let sources = sources(workload, request);
        sources
            .iter()
            .map(|s| format!("{}/{}", s.pod, s.container))
            .collect()
    }

    #[test]
    fn asks_the_newest_pods_first_and_only_what_is_wanted() {
        let workload = Workload {
            pods: vec![mk_pod("a", 1), mk_pod("b", 2)],
            ..Workload::default()
        };
        let mut request = LogRequest::default();
        assert_eq!(
            names(&workload, &request),
            ["b/app", "b/proxy", "a/app", "a/proxy"]
        );
        request.container = Some("app".into());
        assert_eq!(names(&workload, &request), ["b/app", "a/app"]);
        request.pod = Some("a".into());
        assert_eq!(names(&workload, &request), ["a/app"]);
        request.pod = Some("c".into());
        assert!(names(&workload, &request).is_empty());
    }

    #[test]
    fn many_containers_are_bounded() {
        let pods = (0..MAX_CONTAINERS as i64).map(|n| mk_pod(&format!("p{n}"), n));
        let workload = Workload {
            pods: pods.collect(),
            ..Workload::default()
        };
        let sources = sources(&workload, &LogRequest::default());
        assert_eq!(sources.len(), MAX_CONTAINERS);
        assert_eq!(sources[0].pod, format!("p{}", MAX_CONTAINERS - 1));
    }
}
