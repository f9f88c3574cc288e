//! One pod: what is wrong with it, and whether that is certain.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::words::{self, image_trouble};
use super::{FailureCause, GRACE};
use crate::text::clip;
use crate::view::{ContainerState, ContainerView, End, EventView, PodView};

/// How long a registry that does not answer is waited for.
const REGISTRY_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// How long a ConfigMap or Secret that a container reads is waited for.
const CONFIG_GRACE: SignedDuration = SignedDuration::from_secs(5);
/// How long the kubelet may take to read ConfigMaps and Secrets at all.
const SYNC_GRACE: SignedDuration = SignedDuration::from_mins(1);
/// How long a volume that has to be made is waited for.
const VOLUME_GRACE: SignedDuration = SignedDuration::from_mins(2);
/// Longest part of a sentence that is the cluster's own words, in bytes.
const QUOTE_BYTES: usize = 300;

/// What is wrong with a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub cause: FailureCause,
    /// Of one pod: "cannot pull its image: …".
    pub singular: String,
    /// Of several: "cannot pull their image: …".
    pub plural: String,
    pub hint: Option<String>,
    /// Whether it will not mend itself.
    pub certain: bool,
}

/// A pod among the others of its workload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub pod: &'a PodView,
    pub events: &'a [Arc<EventView>],
    pub now: Timestamp,
    /// Whether pods of this workload are ending, and give back what they hold.
    pub others_end: bool,
}

impl<'a> Look<'a> {
    /// Time since the pod was made.
    fn age(self) -> SignedDuration {
        let made = self.pod.created_at;
        made.map_or(SignedDuration::ZERO, |made| self.now.duration_since(made))
    }

    /// The pod's own events of that reason.
    pub fn events(self, reason: &'a str) -> impl Iterator<Item = &'a EventView> {
        let events = self.events.iter().map(AsRef::as_ref);
        events.filter(move |event: &&EventView| {
            event.reason == reason && event.is_about("Pod", &self.pod.name)
        })
    }
}

/// What is wrong with a pod that is not ready; certain things first.
pub(super) fn trouble(look: Look<'_>) -> Option<Trouble> {
    if look.pod.ready || look.pod.deleting {
        return None;
    }
    // With the containers of a pod that is over its sidecars are ended, however they take it.
    let is_over = matches!(look.pod.phase.as_str(), "Succeeded" | "Failed");
    let mut found: Vec<Trouble> = look
        .pod
        .containers
        .iter()
        .filter(|container| !(is_over && container.sidecar))
        .filter_map(|container| container_trouble(look, container))
        .chain(unschedulable(look))
        .chain(mount_trouble(look))
        .collect();
    found.sort_by_key(|trouble| !trouble.certain);
    found.into_iter().next().or_else(|| probe_trouble(look))
}

fn container_trouble(look: Look<'_>, container: &ContainerView) -> Option<Trouble> {
    let message = container.message.as_deref().unwrap_or_default();
    let reason = container.reason.as_deref().unwrap_or_default();
    match (container.state, reason) {
        (
            ContainerState::Waiting,
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed",
        ) => return Some(image(look, container, reason, message)),
        (ContainerState::Waiting, "CreateContainerConfigError") => {
            // The kubelet's own cache was late, which says nothing about what is there.
            let is_late = message.starts_with("failed to sync");
            let grace = if is_late { SYNC_GRACE } else { CONFIG_GRACE };
            let certain = look.age() >= grace;
            let why = format!("cannot start: {}", quote(message));
            let lacks = ["not found", "couldn't find", "non-existent"];
            let is_missing = is_late || lacks.iter().any(|words| message.contains(words));
            return Some(if is_missing {
                missing(&why, certain)
            } else {
                not_allowed(&why, message, certain)
            });
        }
        (
            ContainerState::Waiting,
            "CreateContainerError"
            | "RunContainerError"
            | "CrashLoopBackOff"
            | "PostStartHookError",
        ) => {
            let certain = reason == "CrashLoopBackOff" || container.restarts >= 2;
            return Some(crash(look, container, message, certain));
        }
        _ => {}
    }
    let ended_badly = container.end.as_ref().is_some_and(|end| end.exit_code != 0);
    let unready = ended_badly && !container.ready;
    // The kubelet may take ten seconds until it says that it backs off.
    let crashes = container.restarts + i32::from(container.state == ContainerState::Terminated);
    unready.then(|| crash(look, container, "", crashes >= 2))
}

/// What the kubelet does not start as it is written, though everything is there.
fn not_allowed(why: &str, message: &str, certain: bool) -> Trouble {
    let as_root = ["non-root", "runAsNonRoot"]
        .iter()
        .any(|word| message.contains(word));
    Trouble {
        cause: FailureCause::CrashLoop,
        singular: why.to_owned(),
        plural: why.to_owned(),
        hint: Some(if as_root {
            "Let it run as a user whose number is not 0: `runAsUser` in the config file, or `USER` in the Dockerfile.".to_owned()
        } else {
            "Mend what it names in the config file, and deploy that commit.".to_owned()
        }),
        certain,
    }
}

fn image(look: Look<'_>, container: &ContainerView, reason: &str, message: &str) -> Trouble {
    // The back-off's message may not say why; the failure's event does.
    let failures: Vec<_> = look
        .events("Failed")
        .filter(|e| e.message.contains("pull"))
        .collect();
    let telling = failures.iter().filter(|event| event.message.contains(": "));
    let event = telling.max_by_key(|event| event.at);
    let message = match event {
        Some(event) if !message.contains("rpc error") && !message.contains("failed to") => {
            event.message.as_str()
        }
        _ => message,
    };
    let trouble = image_trouble(reason, message);
    let count: i32 = failures.iter().map(|event| event.count).sum();
    // One failure may be a hiccup; a back-off is at least one, and the next try is seconds away.
    let repeated = reason != "ErrImagePull" || count >= 2;
    let waited = !trouble.may_mend || look.age() >= REGISTRY_GRACE;
    let image = &container.image;
    let hint = if trouble.is_outage {
        format!("Look whether the registry of {image} runs and the nodes reach it.")
    } else {
        format!("Look whether {image} is in its registry, and whether the nodes may pull it.")
    };
    Trouble {
        cause: FailureCause::ImagePull,
        singular: format!("cannot pull its image: {}", trouble.text),
        plural: format!("cannot pull their image: {}", trouble.text),
        hint: Some(hint),
        certain: repeated && waited,
    }
}

fn crash(look: Look<'_>, container: &ContainerView, message: &str, certain: bool) -> Trouble {
    let (cause, how, hint) = how_it_ended(look, container, message);
    Trouble {
        cause,
        singular: format!("crashes again and again: {how}"),
        plural: format!("crash again and again: {how}"),
        hint: Some(hint.to_owned()),
        certain,
    }
}

/// How a pod came to a bad end that is not started again: the cause, a clause, and what to do.
pub(super) fn ended(look: Look<'_>) -> Option<(FailureCause, String, &'static str)> {
    let badly = |it: &&ContainerView| {
        let code = it.end.as_ref().map(|end| end.exit_code);
        !it.sidecar && code.is_some_and(|code| code != 0)
    };
    let container = look.pod.containers.iter().find(badly)?;
    Some(how_it_ended(look, container, ""))
}

/// How a container ended, or why it cannot be started: the cause, a clause, and what to do.
fn how_it_ended(
    look: Look<'_>,
    container: &ContainerView,
    message: &str,
) -> (FailureCause, String, &'static str) {
    let noun = if container.init {
        "init container"
    } else {
        "container"
    };
    let name = format!("{noun} {}", container.name);
    let mut how = match &container.end {
        Some(end) => ending(&name, end, container.memory_limit.as_deref()),
        None => format!("{name} cannot be started: {}", quote(message)),
    };
    let mut cause = FailureCause::CrashLoop;
    let mut hint = "Read the container's last lines, mend what they name, and deploy that commit.";
    // The kubelet ends what does not pass its liveness or startup probe, and says so: a program
    // that is told to end may end well.
    let told = look.events("Killing").any(|event| {
        let message = &event.message;
        message.contains(" probe") && message.contains(container.name.as_str())
    });
    let killed = container.end.as_ref().is_some_and(|end| {
        (told || matches!(end.exit_code, 137 | 143)) && end.reason.as_deref() != Some("OOMKilled")
    });
    let probes = look.events("Unhealthy");
    let probe = probes.filter(|event| !event.message.starts_with("Readiness"));
    if let Some(event) = probe.max_by_key(|event| event.at).filter(|_| killed) {
        let (probe, answer) = words::probe(&event.message);
        cause = FailureCause::Probe;
        how = format!("{name} was ended because it did not pass its {probe}: {answer}");
        hint = "Look at the probe's path, port and delays, and at the container's log.";
    }
    let hook = failed_hook(look, container, message).filter(|_| cause != FailureCause::Probe);
    let hooked = hook.is_some();
    if let Some(why) = hook {
        how = format!("{name} was ended because its postStart hook failed{why}");
        hint = "Mend the hook's command, or what it needs, and deploy that commit.";
    }
    match &container.end {
        Some(End {
            reason: Some(reason),
            ..
        }) if reason == "OOMKilled" => {
            hint = "Raise resources.limits.memory, or use less memory.";
        }
        Some(End { exit_code: 0, .. })
            if !container.init && cause == FailureCause::CrashLoop && !hooked =>
        {
            hint = "The containers of a service must not end: run the program in the foreground.";
        }
        _ => {}
    }
    (cause, how, hint)
}

/// Why a container was ended for its postStart hook, as the end of a sentence; nothing where it was not.
/// What the hook said is known for a moment only.
fn failed_hook(look: Look<'_>, container: &ContainerView, message: &str) -> Option<String> {
    if container.reason.as_deref() == Some("PostStartHookError") {
        let why = message
            .split_once(" - error: ")
            .map_or(message, |(_, why)| why);
        return Some(format!(": {}", quote(why)));
    }
    let end = container.end.as_ref()?;
    // It was told to end, as a program of its own accord ends with other codes.
    let told = matches!(end.exit_code, 0 | 137 | 143) && end.reason.as_deref() != Some("OOMKilled");
    let failed = look.events("FailedPostStartHook").next().is_some();
    (told && failed && !container.init).then(String::new)
}

/// How a container ended, as a clause.
fn ending(name: &str, end: &End, memory_limit: Option<&str>) -> String {
    match end.reason.as_deref() {
        Some("OOMKilled") => match memory_limit {
            Some(limit) => format!("{name} ran out of memory (its limit is {limit})"),
            None => format!("{name} ran out of memory (it has no limit; its node ran short)"),
        },
        Some("StartError" | "ContainerCannotRun") => {
            let message = end.message.as_deref().unwrap_or_default();
            let why = message.rsplit("exec: ").next().unwrap_or(message);
            format!("{name} cannot be started: {}", quote(why))
        }
        _ => match end.signal {
            Some(number) => match words::signal(number) {
                Some(signal) => format!("{name} was ended by signal {number} ({signal})"),
                None => format!("{name} was ended by signal {number}"),
            },
            None => match words::signal(end.exit_code - 128) {
                Some(signal) => format!("{name} ended with exit code {} ({signal})", end.exit_code),
                None => format!("{name} ended with exit code {}", end.exit_code),
            },
        },
    }
}

fn unschedulable(look: Look<'_>) -> Option<Trouble> {
    let (since, message) = look.pod.unschedulable.as_ref()?;
    // "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: …"
    let why = message.split(" no new claims").next().unwrap_or(message);
    let why = why.split(" preemption:").next().unwrap_or(why);
    // The scheduler ends what it says of claims with a second "not found", whatever it is.
    let why = why.trim_end().trim_end_matches(". not found");
    let why = quote(why);
    let since = since.or(look.pod.created_at);
    let lower = why.to_lowercase();
    let for_volume = lower.contains("persistentvolumeclaim");
    if for_volume && lower.contains("not found") {
        let certain = since.is_some_and(|since| look.now.duration_since(since) >= CONFIG_GRACE);
        return Some(missing(&format!("cannot be placed: {why}"), certain));
    }
    // A claim is bound by and by: a volume may have to be made for it first.
    let grace = if for_volume { VOLUME_GRACE } else { GRACE };
    let waited = since.is_some_and(|since| look.now.duration_since(since) >= grace);
    let node_comes = look.events("TriggeredScaleUp").next().is_some();
    Some(Trouble {
        cause: FailureCause::Unschedulable,
        singular: format!("fits on no node: {why}"),
        plural: format!("fit on no node: {why}"),
        hint: Some(if for_volume {
            "Look at the claim's events: kubectl describe persistentvolumeclaim.".into()
        } else {
            "Ask for less CPU or memory, change the node selector, or add nodes.".into()
        }),
        certain: waited && !node_comes && !(look.others_end && room_helps(&lower)),
    })
}

/// Whether a node may take the pod once others have ended there.
fn room_helps(why: &str) -> bool {
    ["insufficient", "too many pods", "ports", "affinity rules"]
        .iter()
        .any(|words| why.contains(words))
}

fn mount_trouble(look: Look<'_>) -> Option<Trouble> {
    if look
        .pod
        .containers
        .iter()
        .any(|c| c.state != ContainerState::Waiting)
    {
        return None;
    }
    // Images are pulled once all volumes are there.
    let mut pulls = look.events("Pulling").chain(look.events("Pulled"));
    if pulls.next().is_some() {
        return None;
    }
    let lacks = |event: &EventView| {
        let words = ["not found", "non-existent"];
        words.iter().any(|words| event.message.contains(words))
    };
    let failures = look.events("FailedMount");
    let failures = failures.chain(look.events("FailedAttachVolume"));
    let event = failures.max_by_key(|event| (lacks(event), event.at))?;
    if lacks(event) {
        let why = event.message.rsplit(" : ").next().unwrap_or(&event.message);
        let certain = look.age() >= GRACE && event.count >= 2;
        let predicate = format!("cannot mount a volume: {}", quote(why));
        return Some(missing(&predicate, certain));
    }
    let why = quote(&event.message);
    Some(Trouble {
        cause: FailureCause::ConfigMissing,
        singular: format!("waits for a volume: {why}"),
        plural: format!("wait for a volume: {why}"),
        hint: Some("Look at the volume, its claim and its storage class.".to_owned()),
        certain: false,
    })
}

fn missing(predicate: &str, certain: bool) -> Trouble {
    Trouble {
        cause: FailureCause::ConfigMissing,
        singular: predicate.to_owned(),
        plural: predicate.to_owned(),
        hint: Some("Make what is missing, or take it out of the config file.".to_owned()),
        certain,
    }
}

/// A pod that runs and does not get ready; never certain before the deadline.
fn probe_trouble(look: Look<'_>) -> Option<Trouble> {
    let mut unready = look.pod.unready();
    unready.find(|it| it.state == ContainerState::Running)?;
    let event = look.events("Unhealthy").max_by_key(|event| event.at)?;
    let (probe, answer) = words::probe(&event.message);
    Some(Trouble {
        cause: FailureCause::Probe,
        singular: format!("does not pass its {probe}: {answer}"),
        plural: format!("do not pass their {probe}: {answer}"),
        hint: Some("Look at the probe's path and port, and at the container's log.".to_owned()),
        certain: false,
    })
}

/// The cluster's own words within a sentence: bounded, on one line, without a full stop.
pub(super) fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(line.trim_end_matches(['.', ',', ' ']), QUOTE_BYTES)
}
