//! Profiles as platform engineers write them, right and wrong.

use super::*;

const PROFILE: &str = "\
name: small
version: 3
everywhere:
  annotations:
    pinterest.com/identity: pinterest.{{name}}
  env:
    - name: KNOX_SERVICE_AUTH
      value: \"1\"
  mounts:
    - name: system-knox
      mountPath: /usr/bin/knox
      readOnly: true
  volumes:
    - name: system-knox
      hostPath:
        path: /usr/bin/knox/{{ namespace }}
kinds:
  PinterestService:
    env:
      - name: PROJECT
        value: \"{{project}}\"
sidecars:
  logger:
    container:
      name: logger
      image: logger:1
    takes: {level: {type: string}}
    configenv: CONFIG
";

const NAMES: Names<'_> = Names {
    name: "hello",
    namespace: "prod",
    project: "web",
};

fn refuse(profile: &str) -> Vec<String> {
    let error = RuntimeProfile::parse("p.yaml", profile.as_bytes()).expect_err("refused");
    let place = |p: hermez_api::Place| {
        format!(
            "{}: {}: {}",
            p.line.unwrap_or(0),
            p.field.unwrap_or_default(),
            p.message
        )
    };
    error.places().into_iter().map(place).collect()
}

#[test]
fn a_profile_is_read_and_filled_in() {
    let profile = RuntimeProfile::parse("p.yaml", PROFILE.as_bytes()).expect("valid");
    assert_eq!(profile.label(), "small@3");
    let injection = profile.injection(Kind::Service, &NAMES);
    assert_eq!(
        injection.annotations["pinterest.com/identity"],
        "pinterest.hello"
    );
    let path = injection.volumes[0]
        .host_path
        .as_ref()
        .map(|path| path.path.as_str());
    assert_eq!(path, Some("/usr/bin/knox/prod"));
    let names: Vec<&str> = injection.env.iter().map(|env| env.name.as_str()).collect();
    assert_eq!(names, ["KNOX_SERVICE_AUTH", "PROJECT"]);
    assert_eq!(injection.env[1].value.as_deref(), Some("web"));
    assert!(profile.sidecar("logger", &NAMES).is_some());
    assert!(profile.sidecar("other", &NAMES).is_none());
}

#[test]
fn plain_puts_nothing_in() {
    let plain = RuntimeProfile::plain();
    assert_eq!(plain.injection(Kind::Service, &NAMES), Injection::default());
    assert_eq!(plain.label(), "plain@1");
}

#[test]
fn unknown_fields_are_refused_at_any_depth() {
    assert_eq!(
        refuse(&PROFILE.replace("readOnly", "readonly")),
        ["12: everywhere.mounts[0].readonly: unknown field \"readonly\""]
    );
}

#[test]
fn unknown_placeholders_and_kinds_are_refused() {
    assert_eq!(
        refuse(&PROFILE.replace("{{name}}", "{{nam}}")),
        ["5: everywhere.annotations.pinterest.com/identity: no such placeholder \"{{nam}}\""]
    );
    assert_eq!(
        refuse(&PROFILE.replace("PinterestService:", "PinterestServise:")),
        [
            "18: kinds.PinterestServise: no such kind, expected one of PinterestService, PinterestCronJob, PinterestJobSet, PinterestStatefulset, PinterestStreamingJob, PinterestTrainingJob"
        ]
    );
}

#[test]
fn mounts_need_their_volume_and_names_are_unique() {
    assert_eq!(
        refuse(&PROFILE.replace(
            "    - name: system-knox\n      hostPath",
            "    - name: other\n      hostPath"
        )),
        ["9: everywhere.mounts: the mount /usr/bin/knox has no volume \"system-knox\""]
    );
    assert_eq!(
        refuse(&PROFILE.replace("name: PROJECT", "name: KNOX_SERVICE_AUTH")),
        ["19: kinds.PinterestService.env: \"KNOX_SERVICE_AUTH\" stands twice"]
    );
}
