//! The talk's `exampleservice` through the shipped `pinterest` profile: everything that its slide
//! shows of the Deployment is in ours.
//!
//! Compared as parsed objects. As agreed about the transcript: `creationTimestamp: null`, empty
//! `strategy` and `resources` count as absent, `namespace` under the labels is the metadata's own,
//! and the sysctl's value, which the slide cuts, is compared as a beginning.

use serde_json::Value;

use super::*;

const EXAMPLE: &str = "\
apiVersion: pinterest.com/v1
kind: PinterestService
metadata:
  name: exampleservice
  project: exampleproject
  namespace: default
spec:
  iamrole: role1
  loadbalancer:
    port: 8080
  replicas: 3 #Default 1
  sidecarconfig:
    sidecar1:
      deps:
        - example.dep
    sidecar2:
      log_level: info
  template:
    spec:
      initcontainers:
        - name: init
          image: gcr.io/kuar-demo/kuar-amd64:1
      containers:
        - name: exampleservice
          image: gcr.io/kuar-demo/kuar-amd64:1
";

const SLIDE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    pinterest.com/identity: pinterest.exampleservice
  labels:
    app: exampleservice
    name: exampleservice
  name: exampleservice
  namespace: default
  ownerReferences:
    - apiVersion: pinterest.com/v1
      blockOwnerDeletion: true
      kind: PinterestService
      name: exampleservice
      uid: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
spec:
  replicas: 3
  selector:
    matchLabels:
      name: exampleservice
  template:
    metadata:
      annotations:
        pinterest.com/iamrole: role1
        pinterest.com/identity: pinterest.exampleservice
        pinterest.com/networkmode: dedicatedeni
        security.alpha.kubernetes.io/unsafe-sysctls: net.ipv4.conf.lo
      labels:
        app: exampleservice
        name: exampleservice
    spec:
      containers:
        - env:
            - name: KNOX_SERVICE_AUTH
              value: \"1\"
            - name: K8S_POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: K8S_POD_ID
              valueFrom:
                fieldRef:
                  fieldPath: metadata.uid
          envFrom:
            - configMapRef:
                name: exampleservice-configs
          image: gcr.io/kuar-demo/kuar-amd64:1
          name: exampleservice
          volumeMounts:
            - mountPath: /usr/bin/knox
              name: system-knox
              readOnly: true
            - mountPath: /var/lib/knox
              name: pod-knox-lib
              readOnly: true
            - mountPath: /var/lib/normandie
              mountPropagation: HostToContainer
              name: system-normandie-lib
              readOnly: true
            - mountPath: /var/serverset
              name: system-serverset
              readOnly: true
            - mountPath: /usr/config
              name: system-config
              readOnly: true
            - mountPath: /etc/zookeeper_hosts.conf
              name: system-zum-zk-hosts
              readOnly: true
            - mountPath: /etc/cell_zookeeper_hosts.conf
              name: system-zum-cell-zk-hosts
              readOnly: true
            - mountPath: /etc/pia
              name: system-pin
              readOnly: true
            - mountPath: /var/log
              name: system-pod-log
";

/// Where `ours` is not what the slide shows; lists in the slide's order, longer ones may go on.
fn differences(slide: &Value, ours: &Value, path: &str, found: &mut Vec<String>) {
    match (slide, ours) {
        (Value::Object(slide), Value::Object(ours)) => {
            for (key, value) in slide {
                let ours = ours.get(key).unwrap_or(&Value::Null);
                differences(value, ours, &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(slide), Value::Array(ours)) => {
            for (index, value) in slide.iter().enumerate() {
                let ours = ours.get(index).unwrap_or(&Value::Null);
                differences(value, ours, &format!("{path}[{index}]"), found);
            }
        }
        (Value::String(slide), Value::String(ours))
            if path.ends_with("unsafe-sysctls") && ours.starts_with(slide) => {}
        (slide, ours) if slide == ours => {}
        (slide, ours) => found.push(format!("{path}: the slide has {slide}, ours {ours}")),
    }
}

fn example() -> Vec<DynamicObject> {
    let config = config::parse("service.yaml", EXAMPLE.as_bytes()).expect("valid");
    let crate::Resource::Service(mut service) = config.resource else {
        unreachable!("it is a service")
    };
    service.metadata.uid = Some("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".into());
    translate(&service, &RuntimeProfile::pinterest()).expect("translates")
}

#[test]
fn every_line_of_the_slide_is_in_ours() {
    let slide = crate::yaml::parse(SLIDE).expect("YAML").to_json();
    let deployment = example().into_iter().nth(1).expect("after the ConfigMap");
    let ours = serde_json::to_value(deployment).expect("plain data");
    let mut found = Vec::new();
    differences(&slide, &ours, "", &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn twenty_five_lines_become_three_hundred_and_eighty() {
    let objects = example();
    assert_eq!(
        kinds(&objects),
        [
            "ConfigMap/exampleservice-configs",
            "Deployment/exampleservice",
            "Service/exampleservice",
            "PodDisruptionBudget/exampleservice"
        ]
    );
    let yaml: Vec<String> = objects
        .iter()
        .map(|object| serde_saphyr::to_string(object).expect("plain data"))
        .collect();
    let lines = yaml.join("---\n").lines().count();
    assert!(lines >= 380, "{lines} lines");
    insta::assert_snapshot!(yaml.join("---\n"));
}

#[test]
fn every_mount_has_its_volume() {
    let pod = pod(&example());
    let volumes = names(pod.volumes.as_ref(), |volume| &volume.name);
    for container in pod.init_containers.iter().flatten().chain(&pod.containers) {
        for mount in container.volume_mounts.iter().flatten() {
            assert!(
                volumes.contains(&mount.name.as_str()),
                "{}: {}",
                container.name,
                mount.name
            );
        }
    }
}
