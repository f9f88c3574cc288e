//! What a `.hermez.yaml` may say, and what is said about one that does not.

use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> ConfigProblem {
    let problem = parse_hermez_yaml(text.as_bytes()).unwrap_err();
    assert!(problem.hint.is_some(), "{problem:?}");
    problem
}

#[test]
fn a_full_file_is_read() {
    let read = parse_hermez_yaml(
        b"build:\n  images:\n    - name: web\n      dockerfile: ./web//Dockerfile\n      context: .\n      target: release\n      args: {VERSION: \"1.2\"}\n      timeout: 1h30m\n    - name: team/worker\n",
    )
    .unwrap();
    assert_eq!(
        read.images[0],
        ImageConfig {
            name: "web".into(),
            dockerfile: Some("web/Dockerfile".into()),
            context: Some(".".into()),
            target: Some("release".into()),
            args: BTreeMap::from([("VERSION".into(), "1.2".into())]),
            timeout_ms: Some(5_400_000),
        }
    );
    assert_eq!(read.images[1].name, "team/worker");
    assert_eq!(read.images[1].timeout_ms, None);
}

#[test]
fn an_empty_file_builds_nothing_of_its_own() {
    for text in ["", "# nothing\n", "\n\n", "{}"] {
        assert_eq!(
            parse_hermez_yaml(text.as_bytes()).unwrap(),
            HermezYaml::default()
        );
    }
}

#[test]
fn an_unknown_field_names_its_place_and_the_nearest_known_one() {
    let problem = refused("build:\n  images:\n    - name: web\n      dockerfle: x\n");
    assert_eq!(problem.message, "unknown field `dockerfle`");
    assert_eq!(problem.line, Some(4));
    assert_eq!(problem.hint.as_deref(), Some("Did you mean `dockerfile`?"));
    let problem = refused("zzz: 1\n");
    assert_eq!(problem.hint.as_deref(), Some("Known here: build"));
}

#[test]
fn what_cannot_be_is_refused_by_its_field() {
    let image = |more: &str| format!("build:\n  images:\n    - name: web\n      {more}\n");
    let check = |text: &str, field: &str| {
        let problem = refused(text);
        assert_eq!(problem.field.as_deref(), Some(field), "{text}: {problem:?}");
    };
    check(&image("timeout: 20"), "build.images[0].timeout");
    check(&image("timeout: 5h"), "build.images[0].timeout");
    check(&image("timeout: 0s"), "build.images[0].timeout");
    check(
        &image("timeout: 99999999999999999999h"),
        "build.images[0].timeout",
    );
    check(&image("context: ../x"), "build.images[0].context");
    check(
        &image("dockerfile: /etc/passwd"),
        "build.images[0].dockerfile",
    );
    check(&image("target: --x"), "build.images[0].target");
    check(&image("args: {BUILDKIT_SYNTAX: x}"), "build.images[0].args");
    check(&image("args: {\"A=B\": x}"), "build.images[0].args");
    for name in ["Web", "web:1", "-web", "we b", "http://x/y", "\"\"", "a//b"] {
        check(
            &format!("build:\n  images: [{{name: {name}}}]\n"),
            "build.images[0].name",
        );
    }
    check(
        "build:\n  images: [{name: a}, {name: a}]\n",
        "build.images[1].name",
    );
}

#[test]
fn what_is_no_such_yaml_is_refused_with_a_place() {
    assert!(refused("build: [1, 2").line.is_some());
    assert!(refused("build: 5\n").line.is_some());
    assert!(refused("build: {}\n").message.contains("`images`"));
    assert!(
        refused("build: {images: []}\n---\nbuild: {images: []}\n")
            .message
            .contains("more than one")
    );
    parse_hermez_yaml(b"\xff\xfe").unwrap_err();
    parse_hermez_yaml(&vec![b'x'; MAX_BYTES + 1]).unwrap_err();
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (name, before) in ["b", "c", "d", "e", "f"]
        .iter()
        .zip(["a", "b", "c", "d", "e"])
    {
        let many = vec![format!("*{before}"); 9].join(",");
        text = format!("{text}{name}: &{name} [{many}]\n");
    }
    refused(&text);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = parse_hermez_yaml(text.as_bytes());
    }

    #[test]
    fn durations_never_overflow(text in "[0-9]{0,25}[hms]?[0-9]{0,3}[hms]?") {
        let _ = duration_ms(&text);
    }
}
