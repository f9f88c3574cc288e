//! YAML as it comes, friendly and hostile.

use serde_json::json;

use super::*;

fn read(source: &str) -> Value {
    parse(source).expect("valid YAML").to_json()
}

fn refuse(source: &str) -> YamlProblem {
    parse(source).expect_err("must be refused")
}

#[test]
fn scalars_follow_the_core_schema() {
    assert_eq!(
        read("a: 1\nb: '1'\nc: yes\nd: true\ne: 1.5\nf: 0o17\ng: 1e3\nh: 1.2.3\ni: -4\nj: 0x1f\n"),
        json!({"a":1,"b":"1","c":"yes","d":true,"e":1.5,"f":15,"g":1000.0,"h":"1.2.3","i":-4,"j":31})
    );
}

#[test]
fn keys_without_value_are_left_out() {
    assert_eq!(read("a:\nb: ~\nc: 1\n"), json!({"c": 1}));
}

#[test]
fn a_node_knows_its_place() {
    let root = parse("spec:\n  containers:\n    - name: ä\n      image: x\n").expect("valid");
    let mark = root.locate("spec.containers[0].image");
    assert_eq!((mark.line, mark.column), (4, 7));
    assert_eq!(
        &"spec:\n  containers:\n    - name: ä\n      image: x\n"[mark.start..mark.end],
        "image"
    );
}

#[test]
fn two_documents_are_refused() {
    let problem = refuse("a: 1\n---\nb: 2\n");
    assert!(problem.message.contains("second document"), "{problem:?}");
    assert_eq!(problem.mark.map(|m| m.line), Some(2));
}

#[test]
fn an_empty_file_is_refused() {
    assert!(refuse("").message.contains("no document"));
    assert!(refuse("# nothing\n").message.contains("no document"));
}

#[test]
fn a_key_twice_is_refused() {
    assert!(
        refuse("a: 1\na: 2\n")
            .message
            .contains("stands twice (first in line 1)")
    );
}

#[test]
fn aliases_cannot_explode() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = format!("*a{}", level - 1);
        let items = vec![below; 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{items}]\n")]);
    }
    assert!(refuse(&bomb).message.contains("more than 50000 values"));
}

#[test]
fn an_alias_repeats_its_value() {
    assert_eq!(
        read("a: &x {n: 1}\nb: *x\n"),
        json!({"a": {"n": 1}, "b": {"n": 1}})
    );
}

#[test]
fn an_alias_of_itself_is_refused() {
    assert!(refuse("a: &x [*x]\n").message.contains("itself"));
}

#[test]
fn depth_is_bounded() {
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(refuse(&deep).message.contains("deep"));
}

#[test]
fn broken_yaml_says_where() {
    let problem = refuse("a: [1, 2\nb: 3\n");
    assert!(problem.message.starts_with("not valid YAML"), "{problem:?}");
    assert!(problem.mark.is_some());
}

#[test]
fn tags_of_other_types_are_refused() {
    assert!(
        refuse("a: !!python/object:os.system ls\n")
            .message
            .contains("tag")
    );
    assert_eq!(read("a: !!str 1\n"), json!({"a": "1"}));
}
