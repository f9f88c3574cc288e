//! Resources of any kind, made up from the kind's own definition.
//!
//! What is Hermez' own comes from the schema, so that a new field of a kind is tried by itself. What
//! is in Kubernetes' own shape comes from [`native`], by the field's name: most of what Kubernetes'
//! schema allows, its API server refuses.

use hermez_kinds::{Config, Kind, config};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, RngSeed, TestRunner};
use serde_json::{Map, Value, json};

/// Most tries to make a resource that the definition accepts, for each that is wanted.
const TRIES: usize = 60;

/// Resources of a kind that the definition and its rules accept, always the same ones for a seed.
pub fn valid(kind: Kind, count: usize, seed: u64) -> Vec<Config> {
    let strategy = resources(kind);
    let mut runner = TestRunner::new(RunnerConfig {
        rng_seed: RngSeed::Fixed(seed),
        ..RunnerConfig::default()
    });
    let mut found = Vec::new();
    for _ in 0..count * TRIES {
        let made = strategy.new_tree(&mut runner).expect("a value").current();
        if let Ok(config) = config::parse("made.yaml", made.to_string().as_bytes()) {
            found.push(config);
        }
        if found.len() == count {
            break;
        }
    }
    assert!(
        found.len() >= count.div_ceil(4),
        "of {} resources of {} the definition accepts only {}",
        count * TRIES,
        kind.name(),
        found.len()
    );
    found
}

/// Resources of a kind as its schema describes them; its rules may still refuse one.
pub fn resources(kind: Kind) -> BoxedStrategy<Value> {
    let crd = hermez_kinds::crd(kind);
    let schema = crd.spec.versions[0].schema.as_ref();
    let schema = serde_json::to_value(schema.expect("a schema")).expect("plain data");
    let spec = of("spec", &schema["openAPIV3Schema"]["properties"]["spec"]);
    let name = "[a-z][a-z0-9]{0,12}";
    (name, spec)
        .prop_map(move |(name, spec)| {
            json!({
                "apiVersion": "pinterest.com/v1", "kind": kind.name(),
                "metadata": {"name": name}, "spec": spec,
            })
        })
        .boxed()
}

fn of(name: &str, schema: &Value) -> BoxedStrategy<Value> {
    if let Some(native) = native(name, schema) {
        return native;
    }
    if let Some(values) = schema["enum"].as_array() {
        return prop::sample::select(values.clone()).boxed();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return prop_oneof![
            (0..20_i64).prop_map(Value::from),
            (1..=100_u32).prop_map(|percent| format!("{percent}%").into()),
        ]
        .boxed();
    }
    match schema["type"].as_str() {
        Some("object") => object(schema),
        Some("array") => {
            let item = of("", &schema["items"]);
            let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
            prop::collection::vec(item, least..=(least + 2))
                .prop_map(Value::from)
                .boxed()
        }
        Some("integer" | "number") => {
            let least = schema["minimum"].as_f64().unwrap_or(0.0) as i64;
            let most = schema["maximum"]
                .as_f64()
                .map_or(least + 1_000, |most| most as i64);
            // Small numbers are likely to go together; the largest is a case of its own.
            let small = least..=most.min(least + 20);
            prop_oneof![9 => small.prop_map(Value::from), 1 => Just(Value::from(most))].boxed()
        }
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("string") => match schema["pattern"].as_str() {
            Some(pattern) => {
                let inner = pattern.trim_start_matches('^').trim_end_matches('$');
                match prop::string::string_regex(inner) {
                    Ok(strategy) => strategy.prop_map(Value::from).boxed(),
                    Err(_) => word(),
                }
            }
            None => word(),
        },
        _ => Just(json!({})).boxed(),
    }
}

fn word() -> BoxedStrategy<Value> {
    "[a-z][a-z0-9]{0,8}".prop_map(Value::from).boxed()
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let Some(properties) = schema["properties"].as_object() else {
        let values = of("", &schema["additionalProperties"]);
        let keys = "[a-z][a-z0-9]{0,8}";
        return prop::collection::btree_map(keys, values, 0..3)
            .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()))
            .boxed();
    };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .iter()
        .map(|(name, schema)| {
            let named = name.clone();
            let field = of(name, schema).prop_map(move |value| (named.clone(), value));
            if required.iter().any(|one| one == name) {
                field.prop_map(Some).boxed()
            } else {
                prop::option::weighted(0.35, field).boxed()
            }
        })
        .collect();
    fields
        .prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
        .boxed()
}

/// Fields in Kubernetes' own shape, and those whose values must fit something outside the schema.
fn native(name: &str, schema: &Value) -> Option<BoxedStrategy<Value>> {
    let one_of = |values: Vec<Value>| prop::sample::select(values).boxed();
    let some_of = |values: Vec<Value>| {
        let count = values.len();
        prop::sample::subsequence(values, 0..=count)
            .prop_map(Value::from)
            .boxed()
    };
    let strategy = match name {
        "containers" => containers("c", 1..3),
        "initcontainers" => containers("i", 0..2),
        "volumes" => some_of(vec![
            json!({"name": "tmp", "emptyDir": {}}),
            json!({"name": "etc", "configMap": {"name": "etc"}}),
        ]),
        "nodeselector" => one_of(vec![json!({}), json!({"disk": "ssd"})]),
        "tolerations" => some_of(vec![
            json!({"key": "gpu", "operator": "Exists"}),
            json!({"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}),
        ]),
        "affinity" => one_of(vec![
            json!({}),
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}}}),
        ]),
        "topologyspreadconstraints" => some_of(vec![
            json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}),
            json!({"maxSkew": 2, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}),
        ]),
        "imagepullsecrets" => some_of(vec![json!({"name": "registry"})]),
        "securitycontext" => one_of(vec![
            json!({}),
            json!({"runAsUser": 1000, "runAsNonRoot": true}),
        ]),
        "metrics" => some_of(vec![json!({"type": "Pods", "pods": {
            "metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}}})]),
        "behavior" => one_of(vec![
            json!({}),
            json!({"scaleDown": {"stabilizationWindowSeconds": 60, "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}}),
        ]),
        // Which there are, the profile says.
        "sidecarconfig" => Just(json!({})).boxed(),
        "configs" => prop::collection::btree_map("[A-Z][A-Z0-9_]{0,8}", "\\PC{0,12}", 0..3)
            .prop_map(|map| json!(map))
            .boxed(),
        "labels" | "annotations" => one_of(vec![
            json!({}),
            json!({"team": "x"}),
            json!({"example.com/a": "b"}),
        ]),
        "targetport" => one_of(vec![json!(8080), json!("web")]),
        "storage" | "size" => one_of(vec![json!("1Gi"), json!("500Mi")]),
        "schedule" => one_of(vec![
            json!("*/5 * * * *"),
            json!("0 3 * * 1"),
            json!("@daily"),
        ]),
        "timezone" => one_of(vec![
            json!("UTC"),
            json!("Europe/Berlin"),
            json!("America/New_York"),
        ]),
        "resources" if schema["type"] == "object" => one_of(vec![
            json!({}),
            json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}),
        ]),
        _ => return None,
    };
    Some(strategy)
}

fn containers(prefix: &'static str, count: std::ops::Range<usize>) -> BoxedStrategy<Value> {
    let more = prop::sample::select(vec![
        json!({}),
        json!({"ports": [{"name": "web", "containerPort": 8080}]}),
        json!({"env": [{"name": "A", "value": "b"}], "command": ["/bin/true"], "args": ["x"]}),
        json!({"resources": {"requests": {"cpu": "0.5", "memory": 1_048_576}}}),
        json!({"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5}}),
        json!({"lifecycle": {"preStop": {"exec": {"command": ["sleep", "1"]}}}}),
    ]);
    // A probe and a hook are for containers that run on.
    let fits = move |more: &Value| {
        prefix != "i" || (more.get("readinessProbe").is_none() && more.get("lifecycle").is_none())
    };
    prop::collection::vec(more.prop_filter("it runs to its end", fits), count)
        .prop_map(move |all| {
            let named = all.into_iter().enumerate().map(|(index, mut container)| {
                container["name"] = format!("{prefix}{index}").into();
                container["image"] = "example.com/app:1".into();
                if index > 0 {
                    // Two containers of a pod do not listen on the same port.
                    container
                        .as_object_mut()
                        .map(|fields| fields.remove("ports"));
                }
                container
            });
            named.collect::<Vec<_>>().into()
        })
        .boxed()
}
