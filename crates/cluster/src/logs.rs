//! Container logs: read once, or followed through restarts, replaced pods and outages.
//!
//! Bounded: a line has at most 16 KiB and a container at most 10,000 lines from the end; all
//! containers together give at most [`READ_BYTES`] of old lines (the oldest go), and
//! [`MAX_CONTAINERS`] are read at a time. Old lines come in the order of their times; new ones as
//! they come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use hermez_api::ContainerLogLine;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::cluster::Shared;
use crate::{ClusterError, WorkloadKey};

mod follow;
mod lines;
mod sources;

use lines::{Line, lines};
use sources::Source;

/// Most lines from the end of one container's log.
const TAIL_LIMIT: i64 = 10_000;
/// Most old lines of one request, in bytes.
const READ_BYTES: usize = 32 << 20;
/// Most containers read at a time; of more, those of the newest pods.
const MAX_CONTAINERS: usize = 100;
/// Containers whose old lines are fetched at the same time.
const CONCURRENCY: usize = 8;
/// Lines that wait for a slow reader.
const BUFFER: usize = 256;
/// How long the API server may take to begin with a log, and to go on with one that is not followed.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Which log lines to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRequest {
    /// One pod; all pods of the workload when absent.
    pub pod: Option<String>,
    /// One container; all containers when absent.
    pub container: Option<String>,
    /// Go on as lines come; without a pod, also through the replacement of pods.
    pub follow: bool,
    /// Lines from the end, for each container (at most 10,000, which is also the default).
    pub tail_lines: Option<i64>,
    /// The log of the container's run before the one that runs now, or of its last run when none
    /// does; never followed.
    pub previous: bool,
    /// Only lines since then.
    pub since: Option<jiff::Timestamp>,
}

type Sender = mpsc::Sender<Result<ContainerLogLine, ClusterError>>;

/// The lines that the request asks for.
pub(crate) fn stream(
    client: Client,
    shared: Arc<Shared>,
    key: WorkloadKey,
    request: LogRequest,
) -> impl Stream<Item = Result<ContainerLogLine, ClusterError>> + Send + use<> {
    async_stream::stream! {
        let (sender, mut receiver) = mpsc::channel(BUFFER);
        let api = Api::<Pod>::namespaced(client, &key.namespace);
        let reader = Arc::new(Reader { api, shared, key, request });
        // Dropping the stream ends the task, and with it every open connection.
        let _task = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = reader.run(&sender).await {
                // A reader who left does not want to know.
                let _ = sender.send(Err(error)).await;
            }
        }));
        while let Some(line) = receiver.recv().await {
            yield line;
        }
    }
}

/// One request on its way.
struct Reader {
    api: Api<Pod>,
    shared: Arc<Shared>,
    key: WorkloadKey,
    request: LogRequest,
}

/// How far a container's log was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    /// The time of the last line, when there was one.
    last: Option<jiff::Timestamp>,
}

/// How far each container's log was passed on.
type Positions = HashMap<Source, Position>;

impl Reader {
    async fn run(self: Arc<Self>, sender: &Sender) -> Result<(), ClusterError> {
        let mut connected = self.shared.link.connected();
        let listed = connected.wait_for(|connected| *connected);
        if tokio::time::timeout(ANSWER_WITHIN, listed).await.is_err() {
            return Err(ClusterError::Unreachable(self.shared.link.reason()));
        }
        let follow = self.request.follow && !self.request.previous;
        let positions = self.read(sender, follow).await?;
        if follow {
            self.follow(sender, positions).await?;
        }
        Ok(())
    }

    /// Passes on all old lines, in the order of their times. One container that cannot be read does
    /// not hide the others.
    async fn read(&self, sender: &Sender, follow: bool) -> Result<Positions, ClusterError> {
        let sources = self.sources();
        if sources.is_empty() && (!follow || self.request.pod.is_some()) {
            return Err(self.nothing());
        }
        let share = READ_BYTES / sources.len().max(1);
        let mut positions = Positions::new();
        let mut all = Vec::new();
        let mut refused = None;
        let mut reads = futures::stream::iter(sources)
            .map(|source| async move {
                let lines = self.read_one(&source, share).await;
                (source, lines)
            })
            .buffered(CONCURRENCY);
        while let Some((source, lines)) = reads.next().await {
            match lines {
                Ok(lines) => {
                    let last = lines.last().and_then(|line| line.at);
                    all.extend(lines);
                    positions.insert(source, Position { last });
                }
                Err(error) => refused = Some(error),
            }
        }
        drop(reads);
        match refused {
            Some(error) if all.is_empty() && !follow => return Err(error),
            _ => {}
        }
        all.sort_by_key(|line| line.at);
        for line in all {
            if sender.send(Ok(line)).await.is_err() {
                break;
            }
        }
        Ok(positions)
    }

    /// The newest lines of one container, in all not much more than `bytes`.
    async fn read_one(
        &self,
        source: &Source,
        bytes: usize,
    ) -> Result<Vec<ContainerLogLine>, ClusterError> {
        let mut lines = std::pin::pin!(self.open(source, self.params(source)).await?);
        let mut kept = std::collections::VecDeque::new();
        let mut size = 0;
        loop {
            let next = tokio::time::timeout(ANSWER_WITHIN, lines.next()).await;
            let Some(line) = next.map_err(|_| ClusterError::timed_out(ANSWER_WITHIN))? else {
                return Ok(kept.into());
            };
            let line = line?;
            if line.is_refusal() {
                return Err(ClusterError::NoLog(line.text));
            }
            let line = source.dress(line);
            size += line.text.len();
            kept.push_back(line);
            while size > bytes
                && let Some(oldest) = kept.pop_front()
            {
                size -= oldest.text.len();
            }
        }
    }

    fn params(&self, source: &Source) -> LogParams {
        let tail = self.request.tail_lines.unwrap_or(TAIL_LIMIT);
        // Of a container that does not run now, the run that ended last is the one that people
        // mean, and maybe the only one that the kubelet has kept.
        let runs = self.run_of(source).is_none_or(|run| run.runs);
        LogParams {
            container: Some(source.container.clone()),
            previous: self.request.previous && runs,
            since_time: self.request.since.map(follow::whole_second),
            tail_lines: Some(tail.clamp(0, TAIL_LIMIT)),
            timestamps: true,
            ..LogParams::default()
        }
    }

    async fn open(
        &self,
        source: &Source,
        params: LogParams,
    ) -> Result<impl Stream<Item = Result<Line, ClusterError>> + use<>, ClusterError> {
        let opened = self.api.log_stream(&source.pod, &params);
        let object = format!("Pod/{}", source.pod);
        match tokio::time::timeout(ANSWER_WITHIN, opened).await {
            Ok(Ok(body)) => Ok(lines(body)),
            Ok(Err(kube::Error::Api(status))) if status.code == 400 => {
                Err(ClusterError::NoLog(crate::view::cut(&status.message)))
            }
            Ok(Err(error)) => Err(ClusterError::from_kube(&error, &object)),
            Err(_) => Err(ClusterError::timed_out(ANSWER_WITHIN)),
        }
    }
}
