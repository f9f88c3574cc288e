//! The client commands, run as people and scripts run them.

mod support;

use serde_json::json;
use support::*;

#[tokio::test]
async fn without_a_server_or_a_token_it_says_how_to_sign_in() {
    let home = tempfile::tempdir().unwrap();
    let ended = finish(program(home.path(), &["whoami"]), "").await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(
        ended.err.contains("no Hermez server is known") && ended.err.contains("hermez login"),
        "{ended:?}"
    );
    let ended = finish(
        program(home.path(), &["whoami", "--server", "http://127.0.0.1:1"]),
        "",
    )
    .await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.contains("no token"), "{ended:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path(), &["whoami", "-o", "json"]);
    // Port 1 is taken by nobody, and refused at once.
    command
        .env("HERMEZ_SERVER", "http://127.0.0.1:1")
        .env("HERMEZ_TOKEN", TOKEN);
    let ended = finish(command, "").await;
    assert_eq!(ended.code, 4, "{ended:?}");
    let problem: hermez_api::Problem = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(problem.kind, "urn:hermez:problem:cli:server-unreachable");
    assert!(!ended.err.contains(TOKEN));
}

#[tokio::test]
async fn refusals_say_what_where_and_what_next() {
    for (status, code) in [(401, 3), (403, 3), (404, 1), (400, 2), (422, 2), (500, 1)] {
        let hint = match status {
            401 => "hint: Sign in with `hermez login",
            _ => "hint: Do this",
        };
        let server = Server::start(move |_, _| problem(status, "the workload has a mistake")).await;
        let ended = hermez(&server, &["workload", "show", "hello"]).await;
        assert_eq!(ended.code, code, "{ended:?}");
        for expected in [
            "error: the workload has a mistake",
            "deploy/hello.yaml:7:3: unknown field",
            hint,
            "req-1",
        ] {
            assert!(ended.err.contains(expected), "{expected}: {ended:?}");
        }
        assert_eq!(ended.out, "");
        assert_eq!(
            server.requests()[0].header("authorization"),
            format!("Bearer {TOKEN}")
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(|_, _| ok(&json!({}))).await;
    let target = other.url.clone();
    let server = Server::start(move |_, _| {
        axum::http::Response::builder()
            .status(302)
            .header("location", &target)
            .body(axum::body::Body::empty())
            .unwrap()
    })
    .await;
    let ended = hermez(&server, &["whoami"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(other.lines().is_empty(), "the token went to another server");
}

#[tokio::test]
async fn json_is_the_apis_own_also_where_this_version_knows_less() {
    let mut answer = full_workload("hello");
    answer["from_the_future"] = json!({"x": 1});
    let expect = answer.clone();
    let server = Server::start(move |_, _| ok(&answer)).await;
    let ended = hermez(&server, &["workload", "show", "hello", "--output", "json"]).await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&ended.out).unwrap(),
        expect
    );
    let ended = hermez(&server, &["workload", "show", "hello"]).await;
    assert!(
        ended.out.contains("deploy/hello.yaml") && ended.code == 0,
        "{ended:?}"
    );
}

#[tokio::test]
async fn lists_follow_the_cursor_up_to_the_limit() {
    let server = Server::start(|request, _| {
        let second = request.line.contains("cursor=next");
        let names = if second {
            vec!["c", "d"]
        } else {
            vec!["a", "b"]
        };
        let items: Vec<_> = names
            .into_iter()
            .map(|name| workload(name, "http://f/r"))
            .collect();
        ok(&json!({"items": items, "next_cursor": if second { "more" } else { "next" }}))
    })
    .await;
    let ended = hermez(
        &server,
        &["workload", "list", "--limit", "3", "-q", "a b&c"],
    )
    .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        server.lines(),
        [
            "GET /api/v1/workloads?q=a+b%26c&limit=3",
            "GET /api/v1/workloads?q=a+b%26c&limit=1&cursor=next"
        ]
    );
    assert_eq!(ended.out.lines().count(), 1 + 3 + 1, "{}", ended.out);
    assert!(ended.out.contains("there are more"), "{}", ended.out);
}

#[tokio::test]
async fn names_cannot_leave_their_place_in_the_path() {
    let server = Server::start(|_, _| ok(&full_workload("x"))).await;
    hermez(&server, &["workload", "show", "../../v2/a?b#c"]).await;
    assert_eq!(
        server.lines(),
        ["GET /api/v1/workloads/..%2F..%2Fv2%2Fa%3Fb%23c"]
    );
}

#[tokio::test]
async fn creating_needs_a_yes_where_nobody_can_be_asked() {
    let server = Server::start(|request, _| {
        ok(&if request.line.ends_with("/plan") {
            json!({
                "name": "hello", "workload_type": "PinterestService", "project": "demo", "namespace": "default",
                "category": "Production", "repository": "http://f/r", "config": "a.yaml", "branch": "main",
                "commit": "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "builds": [], "external_images": [],
                "port": 80, "replicas": 2, "warnings": [],
            })
        } else {
            full_workload("hello")
        })
    })
    .await;
    let mut words = vec![
        "workload",
        "create",
        "--repository",
        "http://f/r",
        "--config",
        "a.yaml",
    ];
    words.extend([
        "--username",
        "jane",
        "--password-stdin",
        "--category",
        "non-production",
    ]);
    let ended = hermez_with_input(&server, &words, "s3cret\n").await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.err.contains("--yes") && server.lines().is_empty(),
        "{ended:?}"
    );

    words.push("--yes");
    let ended = hermez_with_input(&server, &words, "s3cret\n").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        !ended.out.contains("s3cret") && !ended.err.contains("s3cret"),
        "{ended:?}"
    );
    assert!(
        ended.out.contains("Replicas") && ended.out.contains("Workload hello was created"),
        "{ended:?}"
    );
    assert_eq!(
        server.lines(),
        ["POST /api/v1/workloads/plan", "POST /api/v1/workloads"]
    );
    let create = &server.requests()[1];
    assert_eq!(create.body["password"], "s3cret");
    assert_eq!(create.body["category"], "Non-Production");
    assert!(!create.header("idempotency-key").is_empty());
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_under_one_key() {
    let server = Server::start(|request, before| match (request.line.as_str(), before) {
        ("POST /api/v1/workloads/hello/deploys", 0) => lost(),
        _ => ok(&deploy("pending", "Asked for")),
    })
    .await;
    let ended = hermez(
        &server,
        &[
            "deploy",
            "95f6178",
            "--workload",
            "hello",
            "--reason",
            "why",
        ],
    )
    .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].header("idempotency-key"),
        requests[1].header("idempotency-key")
    );
    assert_eq!(requests[1].body["commit"], "95f6178");
    assert_eq!(requests[1].body["reason"], "why");
}

#[tokio::test]
async fn the_folder_says_which_workload_is_meant() {
    let server = Server::start(|request, _| {
        let items = [
            workload("hello", "http://forge:3000/o/hello"),
            workload("other", "http://forge:3000/o/other"),
        ];
        if request.line.starts_with("GET /api/v1/workloads?") {
            ok(&json!({"items": items}))
        } else {
            ok(&json!({"items": []}))
        }
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    let history = || {
        let mut command = program(home.path(), &["history"]);
        command
            .env("HERMEZ_SERVER", &server.url)
            .env("HERMEZ_TOKEN", TOKEN);
        command.env("GIT_CEILING_DIRECTORIES", "/");
        command
    };
    let ended = finish(history(), "").await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("hello, other"), "{ended:?}");
    for words in [
        &["init", "-q"][..],
        &[
            "remote",
            "add",
            "origin",
            "http://me:pw@forge:3000/o/other.git",
        ],
    ] {
        let status = std::process::Command::new("git")
            .args(words)
            .current_dir(home.path())
            .status();
        assert!(status.unwrap().success());
    }
    let ended = finish(history(), "").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        server
            .lines()
            .last()
            .unwrap()
            .starts_with("GET /api/v1/workloads/other/deploys")
    );
}

#[tokio::test]
async fn signing_in_checks_the_token_and_keeps_it_private() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start(|request, _| {
        if request.header("authorization") == format!("Bearer {TOKEN}") {
            ok(&json!({"name": "owner", "role": "owner", "via": "token", "server_version": "0.1.0"}))
        } else {
            problem(401, "the token opens nothing")
        }
    })
    .await;
    let home = tempfile::tempdir().unwrap();
    let login = |token: &'static str| {
        finish(
            program(
                home.path(),
                &["login", "--server", &server.url, "--token-stdin"],
            ),
            token,
        )
    };
    assert_eq!(login("hermez_wrong\n").await.code, 3);
    let config = home.path().join(".config/hermez/config.yaml");
    assert!(!config.exists());
    let ended = login(TOKEN).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.out.contains(TOKEN));
    assert_eq!(
        config.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    let ended = finish(program(home.path(), &["whoami"]), "").await;
    assert!(ended.code == 0 && ended.out.contains("owner"), "{ended:?}");
}

#[tokio::test]
async fn a_new_token_alone_goes_to_standard_output() {
    let server = Server::start(|_, _| {
        ok(&json!({"secret": "hermez_new", "token": {
            "id": "t1", "name": "ci", "owner": "owner", "created_at": "2026-11-23T11:57:00Z",
            "last_used_at": null, "revoked_at": null,
        }}))
    })
    .await;
    let ended = hermez(&server, &["token", "create", "ci"]).await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "hermez_new\n"),
        "{ended:?}"
    );
    assert!(!ended.err.contains("hermez_new"));
}
