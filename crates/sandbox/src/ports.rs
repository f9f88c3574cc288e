//! Choosing loopback ports. A port is taken from a range below the one that
//! the kernel hands to outgoing connections, starting at a place that depends
//! on the cluster, so that clusters rarely try the same ones.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use serde::{Deserialize, Serialize};

const RANGE: Range<u16> = 18_000..32_000;

/// The ports of one cluster; the same numbers inside its network namespace and
/// outside of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Kubernetes' API.
    pub api: u16,
    /// The registry.
    pub registry: u16,
    /// The Git forge.
    pub forge: u16,
    /// Hermez.
    pub server: u16,
    /// Hermez' preview gateway; not there in settings of earlier clusters.
    #[serde(default)]
    pub previews: u16,
}

/// No port of the range was free.
#[derive(Debug, thiserror::Error)]
#[error("no free port between {} and {} on 127.0.0.1", RANGE.start, RANGE.end)]
pub struct NoneFree;

impl Ports {
    /// Keeps the ports that are free and chooses others for those that are
    /// not (or are 0). `is_free` is asked at most once per port.
    pub fn choose(self, seed: u64, is_free: impl Fn(u16) -> bool) -> Result<Self, NoneFree> {
        let width = u64::from(RANGE.end - RANGE.start);
        let mut candidates = (0..width)
            .map(|step| RANGE.start + u16::try_from((seed % width + step) % width).unwrap_or(0));
        let mut taken = vec![
            self.api,
            self.registry,
            self.forge,
            self.server,
            self.previews,
        ];
        let mut keep_or_choose = |port: u16| -> Result<u16, NoneFree> {
            if port != 0 && is_free(port) {
                return Ok(port);
            }
            let chosen = candidates
                .find(|candidate| !taken.contains(candidate) && is_free(*candidate))
                .ok_or(NoneFree)?;
            taken.push(chosen);
            Ok(chosen)
        };
        Ok(Self {
            server: keep_or_choose(self.server)?,
            forge: keep_or_choose(self.forge)?,
            registry: keep_or_choose(self.registry)?,
            api: keep_or_choose(self.api)?,
            previews: keep_or_choose(self.previews)?,
        })
    }
}

/// Whether 127.0.0.1 has this port free at this moment.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ports_follow_the_seed_and_differ() {
        let ports = Ports::default().choose(5, |_| true).unwrap();
        assert_eq!(
            ports,
            Ports {
                server: 18_005,
                forge: 18_006,
                registry: 18_007,
                api: 18_008,
                previews: 18_009,
            }
        );
    }

    #[test]
    fn free_ports_are_kept_and_others_replaced() {
        let before = Ports {
            server: 18_005,
            forge: 18_006,
            registry: 18_007,
            api: 18_008,
            previews: 18_009,
        };
        let after = before.choose(5, |port| port != 18_006).unwrap();
        assert_eq!(
            after,
            Ports {
                forge: 18_010,
                ..before
            }
        );
    }

    #[test]
    fn the_range_wraps_and_ends() {
        let last = u64::from(RANGE.end - RANGE.start) - 1;
        let ports = Ports::default().choose(last, |_| true).unwrap();
        assert_eq!((ports.server, ports.forge), (RANGE.end - 1, RANGE.start));
        assert!(Ports::default().choose(0, |_| false).is_err());
    }
}
