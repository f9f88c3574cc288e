//! One leader among the replicas, by a Lease of `coordination.k8s.io`, after client-go's contract.
//!
//! Guarantees: the work runs only while this process holds the lease; it is ended before the lease
//! can run out in anybody's eyes (renewing is given up after [`RENEW_DEADLINE`], and others wait
//! [`LEASE_DURATION`]). Clocks need not agree: a holder counts as gone when its lease has not
//! changed for that long by the watcher's own clock.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ControllerError;

/// Name of the lease.
pub const LEASE_NAME: &str = "hermez-controller";
/// How long others wait for a holder that does not renew.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long the holder tries to renew before it lets go.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Time between tries.
const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// How long the work may take to end once the lease is lost.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Who asks for the lease, and where it is.
#[derive(Clone)]
pub(crate) struct Candidate {
    api: Api<Lease>,
    identity: String,
    seen: Seen,
}

/// The lease as it was seen last, and since when it has stood like that.
#[derive(Clone, Default)]
struct Seen {
    spec: Option<LeaseSpec>,
    since: Option<Instant>,
}

impl Seen {
    fn look(&mut self, spec: Option<&LeaseSpec>, now: Instant) {
        if self.since.is_none() || self.spec.as_ref() != spec {
            self.spec = spec.cloned();
            self.since = Some(now);
        }
    }

    /// Whether the lease may be taken by `identity` now.
    fn is_free_for(&self, identity: &str, now: Instant) -> bool {
        let Some(spec) = &self.spec else {
            return true;
        };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let duration = spec
            .lease_duration_seconds
            .unwrap_or(0)
            .max(0)
            .unsigned_abs();
        let duration = Duration::from_secs(u64::from(duration));
        let stood = self.since.map_or(Duration::ZERO, |since| now - since);
        holder.is_empty() || holder == identity || stood > duration
    }
}

impl Candidate {
    pub(crate) fn new(client: Client, namespace: &str, identity: String) -> Candidate {
        Candidate {
            api: Api::namespaced(client, namespace),
            identity,
            seen: Seen::default(),
        }
    }

    /// Waits for the lease, runs the work while it is held, and gives it back. Returns the work's
    /// own end, or `None` when the lease was lost or `shutdown` came.
    pub(crate) async fn lead<F: Future>(
        mut self,
        shutdown: &CancellationToken,
        on_change: impl Fn(bool),
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Option<F::Output> {
        while !self.try_once().await {
            tokio::select! {
                () = tokio::time::sleep(RETRY_PERIOD) => {}
                () = shutdown.cancelled() => return None,
            }
        }
        tracing::info!(
            identity = self.identity,
            "this process leads; the controllers run"
        );
        on_change(true);
        let ending = shutdown.child_token();
        let mut work = std::pin::pin!(work(ending.clone()));
        let ended = tokio::select! {
            ended = &mut work => Some(ended),
            () = self.renew() => {
                tracing::error!(identity = self.identity, "the lease could not be renewed; the controllers stop");
                ending.cancel();
                // Dropped when it does not end by itself: nothing is written past this line.
                tokio::time::timeout(END_WITHIN, &mut work).await.ok();
                None
            }
        };
        on_change(false);
        if ended.is_some() {
            self.release().await;
        }
        ended
    }

    /// Renews until that has failed for too long.
    async fn renew(&mut self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(RETRY_PERIOD).await;
            let deadline = renewed + RENEW_DEADLINE;
            match tokio::time::timeout_at(deadline, self.try_once()).await {
                Ok(true) => renewed = Instant::now(),
                // Somebody else has it.
                Ok(false) if self.is_taken() => return,
                Ok(false) if Instant::now() < deadline => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    fn is_taken(&self) -> bool {
        let spec = self.seen.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref());
        holder.is_some_and(|holder| !holder.is_empty() && holder != self.identity)
    }

    /// Takes or renews the lease; whether it is held now.
    async fn try_once(&mut self) -> bool {
        match self.take().await {
            Ok(held) => held,
            // Somebody was faster.
            Err(kube::Error::Api(answer)) if answer.code == 409 => false,
            Err(error) => {
                tracing::debug!(%error, "the lease cannot be asked for");
                false
            }
        }
    }

    async fn take(&mut self) -> Result<bool, kube::Error> {
        let found = self.api.get_opt(LEASE_NAME).await?;
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        self.seen.look(spec, Instant::now());
        if !self.seen.is_free_for(&self.identity, Instant::now()) {
            return Ok(false);
        }
        let mut lease = found.unwrap_or_default();
        let is_new = lease.metadata.name.is_none();
        lease.metadata.name = Some(LEASE_NAME.to_owned());
        lease.spec = Some(self.claim(lease.spec.as_ref()));
        let parameters = PostParams::default();
        // Both name what was seen: of two that try, one fails.
        let held = if is_new {
            self.api.create(&parameters, &lease).await?
        } else {
            self.api.replace(LEASE_NAME, &parameters, &lease).await?
        };
        self.seen.look(held.spec.as_ref(), Instant::now());
        Ok(true)
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let holder = before.and_then(|spec| spec.holder_identity.as_deref());
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let is_ours = holder == Some(self.identity.as_str());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(LEASE_DURATION.as_secs() as i32),
            acquire_time: if is_ours {
                before.and_then(|spec| spec.acquire_time.clone())
            } else {
                now.clone()
            },
            renew_time: now,
            lease_transitions: Some(transitions + i32::from(!is_ours && before.is_some())),
            ..LeaseSpec::default()
        }
    }

    /// Gives the lease back, so that nobody has to wait for it to run out.
    async fn release(&mut self) {
        let release = async {
            let mut lease = self.api.get(LEASE_NAME).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                self.api
                    .replace(LEASE_NAME, &PostParams::default(), &lease)
                    .await?;
            }
            Ok::<_, kube::Error>(())
        };
        if !matches!(
            tokio::time::timeout(RETRY_PERIOD, release).await,
            Ok(Ok(()))
        ) {
            tracing::debug!("the lease could not be given back; it runs out by itself");
        }
    }
}

/// A name for this process that no other has: the machine's and a random part.
///
/// # Errors
/// Never in practice: when the kernel gives neither.
pub fn identity() -> Result<String, ControllerError> {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let host = std::env::var("HOSTNAME").or_else(|_| read("/proc/sys/kernel/hostname"));
    let id = read("/proc/sys/kernel/random/uuid");
    match (host, id) {
        (Ok(host), Ok(id)) => Ok(format!("{host}_{id}")),
        (Err(error), _) | (_, Err(error)) => Err(ControllerError::NoIdentity(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_spec(holder: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Timestamp::from_second(renewed).ok().map(MicroTime),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_free_only_when_it_stood_still_for_its_duration() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        seen.look(Some(&mk_spec("a", 0)), begun);
        assert!(seen.is_free_for("a", begun), "its own");
        assert!(!seen.is_free_for("b", after(15)));
        assert!(seen.is_free_for("b", after(16)));
        // Renewed, by whatever the holder's clock says.
        seen.look(Some(&mk_spec("a", -1000)), after(16));
        assert!(!seen.is_free_for("b", after(20)));
        seen.look(Some(&mk_spec("", 1)), after(20));
        assert!(seen.is_free_for("b", after(20)), "given back");
        seen.look(None, after(21));
        assert!(seen.is_free_for("b", after(21)), "there is none");
    }
}
