//! Services through profiles that put something in.

use super::*;
use crate::TranslateError;

fn mk_profile(yaml: &str) -> RuntimeProfile {
    let file = format!("name: test\nversion: 1\n{yaml}");
    RuntimeProfile::parse("profile.yaml", file.as_bytes()).unwrap_or_else(|e| panic!("{e}"))
}

const INJECTING: &str = "\
everywhere:
  annotations: {pinterest.com/identity: 'pinterest.{{name}}'}
  objectannotations: {pinterest.com/identity: 'pinterest.{{name}}'}
  env:
    - {name: KNOX, value: '1'}
  envfrom:
    - configMapRef: {name: '{{name}}-configs'}
  mounts:
    - {name: knox, mountPath: /usr/bin/knox, readOnly: true}
  volumes:
    - {name: knox, hostPath: {path: /usr/bin/knox}}
  sidecars:
    - {name: metrics, image: 'metrics:1'}
  initcontainers:
    - {name: prepare, image: 'prepare:1'}
sidecars:
  logger:
    container: {name: logger, image: 'logger:1'}
    volumes: [{name: logs, emptyDir: {}}]
    takes: {level: {type: string, oneof: [debug, info], required: true}, deps: {type: strings}}
    configenv: LOGGER_CONFIG
";

const BUSY: &str = "\
sidecarconfig:
  logger: {level: info, deps: [a, b]}
template:
  spec:
    initcontainers:
      - {name: init, image: x}
    containers:
      - name: hello
        image: x
        env: [{name: OWN, value: '2'}]
        volumeMounts: [{name: own, mountPath: /own}]
    volumes: [{name: own, emptyDir: {}}]
";

#[test]
fn a_profile_is_put_in_before_the_services_own() {
    let objects = translate(&mk_service(BUSY), &mk_profile(INJECTING)).expect("translates");
    // The profile reads the ConfigMap, so there is one.
    assert_eq!(
        kinds(&objects),
        ["ConfigMap/hello-configs", "Deployment/hello"]
    );
    let pod = pod(&objects);
    assert_eq!(
        names(Some(&pod.containers), |c| &c.name),
        ["hello", "metrics", "logger"]
    );
    assert_eq!(
        names(pod.init_containers.as_ref(), |c| &c.name),
        ["prepare", "init"]
    );
    assert_eq!(
        names(pod.volumes.as_ref(), |v| &v.name),
        ["knox", "logs", "own"]
    );
    let containers = &pod.containers;
    let hello = &containers[0];
    assert_eq!(names(hello.env.as_ref(), |e| &e.name), ["KNOX", "OWN"]);
    assert_eq!(
        names(hello.volume_mounts.as_ref(), |m| &m.mount_path),
        ["/usr/bin/knox", "/own"]
    );
    assert_eq!(hello.env_from.as_ref().map(Vec::len), Some(1));
    // Sidecars stay as the profile writes them, with their configuration.
    assert_eq!(containers[1].env, None);
    let config = containers[2]
        .env
        .as_ref()
        .and_then(|env| env[0].value.as_deref());
    assert_eq!(config, Some(r#"{"deps":["a","b"],"level":"info"}"#));
    let deployment: Deployment = get(&objects, "Deployment");
    let annotations = deployment.metadata.annotations.expect("annotations");
    assert_eq!(annotations["pinterest.com/identity"], "pinterest.hello");
}

#[test]
fn unknown_sidecars_and_keys_are_refused_with_the_known() {
    let refuse = |spec: &str, profile: &RuntimeProfile| {
        translate(&mk_service(spec), profile)
            .expect_err("refused")
            .to_string()
    };
    let profile = mk_profile(INJECTING);
    assert_eq!(
        refuse("sidecarconfig: {loger: {}}", &profile),
        "spec.sidecarconfig.loger: the runtime profile \"test\" has no such sidecar; it knows logger"
    );
    assert_eq!(
        refuse("sidecarconfig: {logger: {level: loud}}", &profile),
        "spec.sidecarconfig.logger.level: found \"loud\", and this sidecar takes text, one of debug, info"
    );
    assert_eq!(
        refuse("sidecarconfig: {logger: {deps: [a]}}", &profile),
        "spec.sidecarconfig.logger: this sidecar needs level: text, one of debug, info"
    );
    assert_eq!(
        refuse("sidecarconfig: {logger: {levle: x}}", &profile),
        "spec.sidecarconfig.logger.levle: this sidecar takes no such key; it knows deps, level"
    );
    assert_eq!(
        refuse("sidecarconfig: {logger: {}}", &RuntimeProfile::plain()),
        "spec.sidecarconfig.logger: the runtime profile \"plain\" has no such sidecar; it has none at all; leave sidecarconfig out"
    );
}

#[test]
fn the_services_own_wins_only_where_the_profile_lets_it() {
    let spec = BUSY.replace("name: OWN", "name: KNOX");
    let error = translate(&mk_service(&spec), &mk_profile(INJECTING)).expect_err("refused");
    assert!(
        matches!(&error, TranslateError::Conflict { place, key, profile, .. }
            if place == "spec.template.spec.containers.hello.env" && key == "KNOX" && profile == "test"),
        "{error}"
    );
    let told = error.to_string();
    let sides = r#"the resource says {"name":"KNOX","value":"2"} about "KNOX", and the runtime profile "test" says {"name":"KNOX","value":"1"}"#;
    assert!(told.contains(sides), "{told}");
    let lenient = mk_profile(&format!("{INJECTING}overridable: [KNOX]\n"));
    let objects = translate(&mk_service(&spec), &lenient).expect("translates");
    let env = pod(&objects).containers[0].env.clone().expect("variables");
    assert_eq!((env.len(), env[0].value.as_deref()), (1, Some("2")));
    // Saying the same is no conflict.
    let same = spec.replace("value: '2'", "value: '1'");
    assert!(translate(&mk_service(&same), &mk_profile(INJECTING)).is_ok());
}

#[test]
fn translation_is_a_function() {
    let service = mk_service(BUSY);
    let profile = mk_profile(INJECTING);
    assert_eq!(translate(&service, &profile), translate(&service, &profile));
}
