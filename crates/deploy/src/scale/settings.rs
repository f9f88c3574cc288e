//! What an autoscaler that a person asks for may be: within Kubernetes' limits and the workload's
//! bounds.

use hermez_api::{AutoscalingSettings, ScaleBounds};
use hermez_kinds::service::Autoscaling;

use super::{MAX_REPLICAS, invalid};
use crate::RoadError;

/// What no schema of the cluster says better.
pub(super) fn check_settings(settings: &AutoscalingSettings) -> Result<(), RoadError> {
    let AutoscalingSettings { min, max, .. } = settings;
    if *min < 1 || max < min || *max > MAX_REPLICAS {
        return Err(invalid(
            "min",
            format!(
                "and max are {min} and {max}, and they must be from 1 to {MAX_REPLICAS}, in this order"
            ),
            "An autoscaler never goes to 0 by itself: ask for 0 pods with hermez scale",
        ));
    }
    if settings.cpu.is_none() && settings.memory.is_none() && settings.metrics.is_empty() {
        return Err(invalid(
            "cpu",
            "is missing, and so are memory and metrics".to_owned(),
            "Say what to follow, for example 70 percent of the requested CPU: --cpu 70",
        ));
    }
    for (field, percent) in [("cpu", settings.cpu), ("memory", settings.memory)] {
        if let Some(percent) = percent.filter(|it| !(1..=1_000).contains(it)) {
            return Err(invalid(
                field,
                format!(
                    "is {percent}, and it must be from 1 to 1,000 percent of what is requested"
                ),
                "Say what to aim at, for example 70",
            ));
        }
    }
    for metric in &settings.metrics {
        check_metric(metric)?;
    }
    check_autoscaler(settings)
}

/// What the controller could make no autoscaler of.
fn check_autoscaler(settings: &AutoscalingSettings) -> Result<(), RoadError> {
    let hint = "Write metrics and behavior as a HorizontalPodAutoscaler (autoscaling/v2) has them";
    let read = serde_json::to_value(settings).and_then(serde_json::from_value::<Autoscaling>);
    let autoscaling = read.map_err(|error| {
        let message = format!("or metrics cannot be read: {error}");
        invalid("behavior", message, hint)
    })?;
    match autoscaling.violations().first() {
        Some(wrong) => Err(invalid("behavior", format!("is wrong at {wrong}"), hint)),
        None => Ok(()),
    }
}

/// Checks an autoscaler's bounds against the numbers of pods that people may ask for.
pub(super) fn check_bounds(
    settings: &AutoscalingSettings,
    bounds: ScaleBounds,
) -> Result<(), RoadError> {
    if settings.min >= bounds.min && settings.max <= bounds.max {
        return Ok(());
    }
    Err(invalid(
        "max",
        format!(
            "and min are {} and {}, and this workload takes {} to {} pods",
            settings.max, settings.min, bounds.min, bounds.max
        ),
        "Ask for numbers within the bounds, or change them: hermez scale --bounds",
    ))
}

/// Types of an autoscaler's metrics, and the field that describes each
/// (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/>).
const METRICS: [(&str, &str); 5] = [
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
    ("Pods", "pods"),
    ("Object", "object"),
    ("External", "external"),
];

/// The cluster takes these settings as they are, and would refuse the autoscaler only later.
fn check_metric(metric: &serde_json::Value) -> Result<(), RoadError> {
    let hint = "Write it as the metrics of a HorizontalPodAutoscaler (autoscaling/v2)";
    let named = metric.get("type").and_then(serde_json::Value::as_str);
    let known = METRICS.iter().find(|(name, _)| Some(*name) == named);
    let Some((name, field)) = known else {
        let names = METRICS.map(|(name, _)| name).join(", ");
        let said: String = named.unwrap_or("nothing").chars().take(40).collect();
        let message = format!("have a metric of the type `{said}`; there are {names}");
        return Err(invalid("metrics", message, hint));
    };
    if !metric.get(field).is_some_and(serde_json::Value::is_object) {
        let message = format!("have a metric of the type `{name}` without its field `{field}`");
        return Err(invalid("metrics", message, hint));
    }
    Ok(())
}
