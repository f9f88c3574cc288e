//! One input, read as everything that it might be; shared by the bounded test and the fuzz target.

use std::time::Duration;

use hermez_kinds::{Kind, RuntimeProfile, config};

/// Longest time for one input, of this thread on the processor.
pub const LIMIT: Duration = Duration::from_millis(100);

/// What became of an input.
#[allow(dead_code)] // each of those who share this reads its part
pub struct Outcome {
    /// Whether it is a config file.
    pub is_accepted: bool,
    /// Longest time that anything took which reads it.
    pub took: Duration,
}

/// Lets the schemas be made, which takes a while at their first use and is no input's fault.
pub fn prepare() {
    for kind in Kind::ALL {
        let config = format!("apiVersion: pinterest.com/v1\nkind: {}\n", kind.name());
        drop(config::parse("first.yaml", config.as_bytes()));
    }
    drop(RuntimeProfile::parse("first.yaml", b"name: first\n"));
}

/// Reads an input as a config file (and translates it, if it is one), as a profile and as a resource
/// of each kind.
pub fn read_everything(bytes: &[u8]) -> Outcome {
    let before = spent();
    let config = config::parse("hostile.yaml", bytes);
    let parsed = spent().saturating_sub(before);
    let is_accepted = config.is_ok();
    if let Ok(config) = config {
        // It must not panic either. How long it takes is a matter of how much was asked for: a
        // thousand replicas of a group are a thousand Jobs.
        drop(config.resource.translate(&RuntimeProfile::plain()));
    }
    let before = spent();
    drop(RuntimeProfile::parse("hostile.yaml", bytes));
    if let Ok(value) = serde_json::from_slice(bytes) {
        for kind in Kind::ALL {
            drop(kind.read(serde_json::Value::clone(&value)));
        }
    }
    let took = parsed.max(spent().saturating_sub(before));
    Outcome { is_accepted, took }
}

/// Time of this thread on the processor: what others do on the machine does not count.
fn spent() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}
