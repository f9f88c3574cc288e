//! What is masked, and what stays readable.

use serde_json::json;

use super::*;

#[test]
fn secrets_are_masked_by_their_names_and_looks() {
    for (text, masked) in [
        ("with DB_PASSWORD=hunter2 next", "with DB_PASSWORD=*** next"),
        ("DB_PASSWORD=correct horse battery", "DB_PASSWORD=***"),
        ("DB_PASSWORD=ab,cdefgh", "DB_PASSWORD=***"),
        (
            "A=1\n export DB_PASSWORD=\"a b\" c\nB=2",
            "A=1\n export DB_PASSWORD=***\nB=2",
        ),
        ("declare -x API_TOKEN=\"a b\"", "declare -x API_TOKEN=***"),
        ("SMTP_PASS=hunter2xyz", "SMTP_PASS=***"),
        ("MYSQL_PWD=hunter2", "MYSQL_PWD=***"),
        ("{\"dbPass\":\"a b\",\"c\":1}", "{\"dbPass\":***,\"c\":1}"),
        ("as ada, pass: hunter2", "as ada, pass: ***"),
        ("Server=db;Uid=sa;Pwd=hunter2;", "Server=db;Uid=sa;Pwd=***;"),
        ("use AccountKey=aGk+/a==;A=b", "use AccountKey=***;A=b"),
        ("run --smtp-pass hunter2 -v", "run --smtp-pass *** -v"),
        ("password: \"a b\" x", "password: *** x"),
        (
            r#"{"apiToken":"abc","user":"ada"}"#,
            r#"{"apiToken":***,"user":"ada"}"#,
        ),
        (r#"msg="{\"secret\":\"abc\"}""#, r#"msg="{\"secret\":***}""#),
        (
            "run --db-password hunter2 --verbose",
            "run --db-password *** --verbose",
        ),
        ("GET /?access_key=1&b=2", "GET /?access_key=***&b=2"),
        (
            "connect postgres://ada:hunter2@db:5432/x failed",
            "connect postgres://***@db:5432/x failed",
        ),
        (
            "https://tok3n@host/a https://host/b@c",
            "https://***@host/a https://host/b@c",
        ),
        (
            "postgres://ada:pa#ssw0rd@db/x postgres://ada:pa/ss@db/x",
            "postgres://***@db/x postgres://***@db/x",
        ),
        ("redis://:a/b@cache", "redis://***@cache"),
        (
            "to https://hooks.slack.com/services/T0/B0/x9 now",
            "to https://hooks.slack.com/services/*** now",
        ),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("Authorization: ApiKey s3cr3tvalue", "Authorization: ***"),
        ("authorization=Basic YWRhOnA=", "authorization=***"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("sent bearer 0123456789abcdef0", "sent bearer ***"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM ok", "jwt *** ok"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("ghp_0123456789abcdefghijABCD", "***"),
        ("npm_0123456789abcdefghijABCD", "***"),
        ("hvs.0123456789abcdefghijABCD", "***"),
        ("sk_test_0123456789abcdefghij", "***"),
        ("dckr_pat_0123456789abcdefghi", "***"),
        ("tls.key: LS0tLS1CRUdJTiBQUklW", "tls.key: ***"),
        (
            ".dockerconfigjson: eyJhdXRocyI6e30=",
            ".dockerconfigjson: ***",
        ),
        (r#"{"r":{"auth":"dXNlcjpwYXNz"}}"#, r#"{"r":{"auth":***}}"#),
        ("a\u{1b}[31mPASS\u{1b}[0mWORD=x\u{0}y", "aPASSWORD=***"),
    ] {
        assert_eq!(mask(text), masked, "{text}");
        assert_eq!(mask(masked), masked, "again: {masked}");
    }
}

#[test]
fn what_only_speaks_of_secrets_stays() {
    for text in [
        "secretName: web-tls",
        "reading /run/secrets/key",
        "token_ttl=3600",
        "a basic test of authentication",
        "listening on http://127.0.0.1:8080/",
        "listening on http://[::1]:8080/@x",
        "got http://host:8080/path/@user",
        "pulling oci://registry:5000/app@sha256:0123",
        "password is required",
        "passed=3 bypass=yes compass=north",
        "--- PASS: TestLogin (0.01s)",
        "the first-pass result, pass through",
        "pass_through=yes",
        "PWD=/app",
        "OLDPWD=/srv/my app",
        "{\"PWD\":\"/app\"}",
        "npm_config_registry_of_all_packages=x",
        "authorization failed",
    ] {
        assert_eq!(mask(text), text);
    }
}

#[test]
fn known_values_are_masked_wherever_they_stand() {
    let manifest = json!({"spec": {"containers": [{"env": [
        {"name": "DB_PASSWORD", "value": "hunter2"},
        {"name": "SIGNING_KEY", "value": "first line\nsecond line"},
        {"name": "GREETING", "value": "good morning"},
        {"name": "TOKEN_COUNT", "value": "1234"},
        {"name": "SESSION_ID", "value": "abc"},
        {"name": "SMTP_PASS", "value": "battery"},
        {"name": "PWD", "value": "/app"},
    ]}]}});
    let masks = Masks::of([&manifest]);
    assert_eq!(
        masks.mask("good morning 1234 abc, I am hunter2!"),
        "good morning 1234 abc, I am ***!"
    );
    assert_eq!(masks.mask("got second line"), "got ***");
    assert_eq!(masks.mask("battery in /app"), "*** in /app");
    // As a Secret has them, and as `echo` gives them to `base64`.
    assert_eq!(masks.mask("aHVudGVyMg== aHVudGVyMgo="), "***== ***o=");
}

#[test]
fn keys_of_many_lines_are_masked() {
    let lines = [
        "begin",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEpAIBAAKCAQEA",
        "-----END RSA PRIVATE KEY-----",
        "end",
    ];
    let masked = Masks::default().mask_lines(lines);
    assert_eq!(masked, ["begin", "***", "***", "***", "end"]);
    let of_pgp = [
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "lQVYBGY",
        "-----END PGP PRIVATE KEY BLOCK-----",
        "end",
    ];
    let masked = Masks::default().mask_lines(of_pgp);
    assert_eq!(masked, ["***", "***", "***", "end"]);
}

#[test]
fn keys_that_are_cut_are_masked() {
    let body = "MIIEpAIBAAKCAQEA".repeat(4);
    let body = body.as_str();
    let end = "-----END RSA PRIVATE KEY-----";
    let masked = |lines: &[&str]| Masks::default().mask_lines(lines.iter().copied());

    // Without its first line, with lines of others in it, and what stands after it.
    let last = masked(&[body, "it fails", body, "c2hvcnQ=", end, "  at main.rs:1"]);
    assert_eq!(
        last,
        ["***", "it fails", "***", "***", end, "  at main.rs:1"]
    );
    // With neither its first line nor its last one.
    for width in [64, 70, 76] {
        let line = &"MIIEpAIBAAKCAQEA".repeat(5)[..width];
        let middle = masked(&["begin", line, line, line, "end"]);
        assert_eq!(middle, ["begin", "***", "***", "***", "end"]);
    }
    // A message has its lines in one text.
    assert_eq!(
        mask(&format!("{body}\nc2hvcnQ=\n{end}\nit fails")),
        format!("***\n***\n{end}\nit fails")
    );
}

#[test]
fn what_only_looks_like_a_key_stays() {
    let digest = "0123456789abcdef".repeat(4);
    let rule = "=".repeat(64);
    let body = "MIIEpAIBAAKCAQEA".repeat(4);
    for line in [&digest, &rule] {
        let lines = vec![line.as_str(); 5];
        assert_eq!(Masks::default().mask_lines(lines.clone()), lines);
    }
    let few = ["begin", body.as_str(), body.as_str(), "end"];
    assert_eq!(Masks::default().mask_lines(few), few);
    let missing = ["starting it", "no -----END PRIVATE KEY----- in key.pem"];
    assert_eq!(Masks::default().mask_lines(missing), missing);
}

#[test]
fn a_diff_hides_values_however_short() {
    let diff = " - name: DB_PASSWORD\n-  value: a\n+  value: b\n - name: SMTP_PASS\n+  value: d e\n - name: MODE\n+  value: c\n";
    let masked = Masks::default().mask_diff(diff);
    assert_eq!(
        masked,
        " - name: DB_PASSWORD\n-  value: ***\n+  value: ***\n - name: SMTP_PASS\n+  value: ***\n - name: MODE\n+  value: c\n"
    );
}

#[test]
fn a_diff_hides_keys_of_several_lines() {
    let body = "MIIEpAIBAAKCAQEA".repeat(4);
    let diff = format!(
        " - name: TLS_PEM\n   value: |\n-    -----BEGIN PRIVATE KEY-----\n-    {body}\n-    AQAB\n-    -----END PRIVATE KEY-----\n+    none\n"
    );
    let masked = Masks::default().mask_diff(&diff);
    assert!(
        !masked.contains(&body) && !masked.contains("AQAB"),
        "{masked}"
    );
    assert!(
        masked.contains("-    ***\n") && masked.ends_with("+    none\n"),
        "{masked}"
    );
}
