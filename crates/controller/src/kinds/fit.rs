//! Whether there is room for all pods of a gang at once. Pure.
//!
//! An estimate, first-fit over the nodes that would take a pod by their labels and taints: what
//! nodes can give, less what pods that have not ended ask for. Affinities and spreading are the
//! scheduler's; where they get in the way, the gang's time-out gives its room back.

use std::collections::BTreeMap;

use hermez_kinds::names::GANG_GATE;
use k8s_openapi::api::core::v1::{Container, Node, Pod, PodSpec, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::difference::quantity;

#[cfg(test)]
mod tests;

/// One, in the billionths that quantities are counted in.
const ONE: i128 = 1_000_000_000;

/// Amounts of resources by name, in billionths.
type Amounts = BTreeMap<String, i128>;

/// Whether a pod still waits at the gang's gate.
pub(crate) fn is_gated(pod: &Pod) -> bool {
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.scheduling_gates.iter().flatten());
    gates.into_iter().any(|gate| gate.name == GANG_GATE)
}

/// Whether every pod of the gang finds a node; otherwise what they are short of, in words.
/// `pods` are all that have not ended, in all namespaces; those of the gang among them are left out.
pub(crate) fn fits(nodes: &[Node], pods: &[Pod], gang: &[&Pod]) -> Result<(), String> {
    let is_member = |pod: &&Pod| gang.iter().any(|member| member.uid() == pod.uid());
    // Let go by now, by somebody who saw more than we did.
    if pods.iter().filter(is_member).any(|pod| !is_gated(pod)) {
        return Ok(());
    }
    let others: Vec<&Pod> = pods.iter().filter(|pod| !is_member(pod)).collect();
    let mut room: Vec<(&Node, Amounts)> = nodes
        .iter()
        .map(|node| (node, free(node, &others)))
        .collect();
    // Pods that may start and have no node yet come first.
    let waits = |pod: &&&Pod| {
        let spec = pod.spec.as_ref();
        spec.is_some_and(|spec| {
            spec.node_name.is_none() && spec.scheduling_gates.as_ref().is_none_or(Vec::is_empty)
        })
    };
    for pod in others.iter().filter(waits) {
        place(pod, &mut room);
    }
    let before = room.clone();
    let mut members = gang.to_vec();
    members.sort_by_key(|pod| std::cmp::Reverse(requests(pod).get("cpu").copied()));
    let homeless: Vec<&Pod> = members
        .into_iter()
        .filter(|pod| !place(pod, &mut room))
        .collect();
    match homeless.first() {
        None => Ok(()),
        Some(first) => Err(short(gang, &homeless, first, &before)),
    }
}

/// What a node has left.
fn free(node: &Node, pods: &[&Pod]) -> Amounts {
    let allocatable = node
        .status
        .as_ref()
        .and_then(|status| status.allocatable.as_ref());
    let mut free = amounts(allocatable);
    let name = node.name_any();
    let here =
        |pod: &&&Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) == Some(&name);
    for pod in pods.iter().filter(here) {
        take(&mut free, &requests(pod));
    }
    free
}

/// Takes room for a pod on the first node that has it.
fn place(pod: &Pod, room: &mut [(&Node, Amounts)]) -> bool {
    let wanted = requests(pod);
    let mut nodes = room.iter_mut().filter(|(node, _)| takes(node, pod));
    match nodes.find(|(_, free)| {
        wanted
            .iter()
            .all(|(name, amount)| has(free, name) >= *amount)
    }) {
        Some((_, free)) => {
            take(free, &wanted);
            true
        }
        None => false,
    }
}

fn has(free: &Amounts, name: &str) -> i128 {
    free.get(name).copied().unwrap_or(0)
}

fn take(free: &mut Amounts, wanted: &Amounts) {
    for (name, amount) in wanted {
        *free.entry(name.clone()).or_default() -= amount;
    }
}

/// Whether a node would take a pod, by its labels and taints.
fn takes(node: &Node, pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let labels = node.labels();
    let mut selector = spec.node_selector.iter().flatten();
    let node_spec = node.spec.clone().unwrap_or_default();
    let tolerations: Vec<&Toleration> = spec.tolerations.iter().flatten().collect();
    let mut taints = node_spec.taints.iter().flatten();
    node_spec.unschedulable != Some(true)
        && selector.all(|(key, value)| labels.get(key) == Some(value))
        && taints.all(|taint| {
            !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                || tolerations
                    .iter()
                    .any(|toleration| tolerates(toleration, taint))
        })
}

/// As Kubernetes' `Toleration.ToleratesTaint`.
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let fits = |wanted: Option<&String>, found: &str| {
        wanted.is_none_or(|wanted| wanted.is_empty() || wanted == found)
    };
    let value = taint.value.as_deref().unwrap_or_default();
    fits(toleration.effect.as_ref(), &taint.effect)
        && fits(toleration.key.as_ref(), &taint.key)
        && match toleration.operator.as_deref() {
            Some("Exists") => true,
            _ => {
                toleration.key.is_some() && toleration.value.as_deref().unwrap_or_default() == value
            }
        }
}

/// What a pod asks for, as the scheduler counts it, and its one place among the node's pods.
fn requests(pod: &Pod) -> Amounts {
    let empty = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&empty);
    let of = |container: &Container| {
        let resources = container.resources.as_ref();
        amounts(resources.and_then(|resources| resources.requests.as_ref()))
    };
    let add = |total: &mut Amounts, more: &Amounts| {
        for (name, amount) in more {
            *total.entry(name.clone()).or_default() += amount;
        }
    };
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    let mut peak = |amounts: &Amounts| {
        for (name, amount) in amounts {
            let most = most.entry(name.clone()).or_default();
            *most = (*most).max(*amount);
        }
    };
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, &of(container));
            peak(&sidecars);
        } else {
            let mut together = sidecars.clone();
            add(&mut together, &of(container));
            peak(&together);
        }
    }
    let mut running = sidecars.clone();
    spec.containers
        .iter()
        .for_each(|container| add(&mut running, &of(container)));
    peak(&running);
    add(&mut most, &amounts(spec.overhead.as_ref()));
    most.insert("pods".to_owned(), ONE);
    most
}

fn amounts(list: Option<&BTreeMap<String, Quantity>>) -> Amounts {
    let list = list.into_iter().flatten();
    list.filter_map(|(name, amount)| Some((name.clone(), quantity(&amount.0)?)))
        .collect()
}

/// What the gang is short of: `before` is the room before any of it was placed.
fn short(gang: &[&Pod], homeless: &[&Pod], first: &Pod, before: &[(&Node, Amounts)]) -> String {
    let head = format!(
        "room: {} of {} pods find no node",
        homeless.len(),
        gang.len()
    );
    let nodes: Vec<&Amounts> = (before.iter())
        .filter(|(node, _)| takes(node, first))
        .map(|(_, free)| free)
        .collect();
    if nodes.is_empty() {
        let name = first.name_any();
        return format!(
            "{head}; no node has the labels that {name} selects without taints that it does not tolerate"
        );
    }
    let mut wanted = Amounts::new();
    for pod in gang {
        for (name, amount) in requests(pod) {
            *wanted.entry(name).or_default() += amount;
        }
    }
    let missing: Vec<String> = (wanted.iter())
        .filter_map(|(name, amount)| {
            let free: i128 = nodes.iter().map(|free| has(free, name).max(0)).sum();
            (*amount > free).then(|| format!("{} {name}", shown(name, amount - free)))
        })
        .collect();
    if !missing.is_empty() {
        return format!("{head}; short of {}", missing.join(", "));
    }
    // Enough in all, and not in one place.
    let pieces: Vec<String> = (requests(first).iter())
        .filter(|(name, _)| *name != "pods")
        .map(|(name, amount)| {
            let most = nodes.iter().map(|free| has(free, name)).max().unwrap_or(0);
            format!(
                "{} {name} (the most that one node has free is {})",
                shown(name, *amount),
                shown(name, most)
            )
        })
        .collect();
    format!("{head}; a pod needs on one node {}", pieces.join(", "))
}

/// An amount as people write it: CPU in thousandths where it is not whole, bytes in Mi, others whole.
fn shown(name: &str, amount: i128) -> String {
    let bytes = matches!(name, "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if bytes {
        let mebi = ONE << 20;
        return format!("{}Mi", (amount + mebi - 1).div_euclid(mebi));
    }
    if amount % ONE == 0 {
        (amount / ONE).to_string()
    } else {
        format!("{}m", amount.div_euclid(1_000_000))
    }
}
