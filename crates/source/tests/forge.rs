//! Webhooks at a forge that speaks Gitea's API (played by a mock; the real one is in `gitea.rs`).

use hermez_source::forge::{ForgeConfig, ForgeError, ForgeKind, Gitea, NewPullRequest, PullState};
use hermez_source::{RepositoryUrl, SecretString};
use serde_json::json;
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TARGET: &str = "http://hermez.example.com/api/v1/webhooks/7";

struct Given {
    server: MockServer,
    gitea: Gitea,
    url: RepositoryUrl,
}

async fn given(token: Option<&str>) -> Given {
    let server = MockServer::start().await;
    let gitea = Gitea::new(ForgeConfig {
        kind: ForgeKind::Gitea,
        base_url: server.uri().parse().unwrap(),
        token: token.map(SecretString::from),
    })
    .unwrap();
    let url = RepositoryUrl::parse(&format!("{}/team/app.git", server.uri())).unwrap();
    Given { server, gitea, url }
}

#[tokio::test]
async fn the_forge_says_how_large_a_repository_is() {
    let given = given(Some("s3cret")).await;
    Mock::given(method("GET"))
        .and(path("/api/v1/repos/team/app"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": 1, "size": 1_048_576})))
        .mount(&given.server)
        .await;
    let size = given.gitea.size_bytes(&given.url).await.unwrap();
    assert_eq!(size, 1024 * 1024 * 1024);
}

impl Given {
    async fn hooks(&self, status: u16, hooks: serde_json::Value) {
        Mock::given(method("GET"))
            .and(path("/api/v1/repos/team/app/hooks"))
            .and(query_param("page", "1"))
            .and(header("authorization", "token s3cret"))
            .respond_with(ResponseTemplate::new(status).set_body_json(hooks))
            .mount(&self.server)
            .await;
    }

    async fn expect(&self, verb: &str, at: &str, body: serde_json::Value) {
        let mock = Mock::given(method(verb)).and(path(at));
        let mock = if body.is_null() {
            mock
        } else {
            mock.and(body_partial_json(body))
        };
        mock.respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
            .expect(1)
            .mount(&self.server)
            .await;
    }

    async fn ensure(&self) -> Result<(), ForgeError> {
        let target = TARGET.parse().unwrap();
        self.gitea
            .ensure_webhook(&self.url, &target, "hook-secret")
            .await
    }
}

#[tokio::test]
async fn a_missing_webhook_is_made() {
    let given = given(Some("s3cret")).await;
    given
        .hooks(
            200,
            json!([{"id": 1, "config": {"url": "http://elsewhere/"}}]),
        )
        .await;
    given
        .expect(
            "POST",
            "/api/v1/repos/team/app/hooks",
            json!({"type": "gitea", "events": ["push", "pull_request"], "active": true,
                   "config": {"url": TARGET, "content_type": "json", "secret": "hook-secret"}}),
        )
        .await;
    given.ensure().await.unwrap();
}

#[tokio::test]
async fn a_webhook_that_is_there_is_replaced_and_doubles_go() {
    let given = given(Some("s3cret")).await;
    let ours = |id| json!({"id": id, "config": {"url": TARGET}});
    given.hooks(200, json!([ours(4), ours(9)])).await;
    let config = json!({"config": {"secret": "hook-secret"}});
    let hooks = "/api/v1/repos/team/app/hooks";
    given.expect("POST", hooks, config).await;
    for id in [4, 9] {
        given
            .expect("DELETE", &format!("{hooks}/{id}"), json!(null))
            .await;
    }
    given.ensure().await.unwrap();
}

#[tokio::test]
async fn removing_takes_only_our_own_away() {
    let given = given(Some("s3cret")).await;
    let other = json!({"id": 1, "config": {"url": "http://elsewhere/"}});
    given
        .hooks(200, json!([other, {"id": 4, "config": {"url": TARGET}}]))
        .await;
    given
        .expect("DELETE", "/api/v1/repos/team/app/hooks/4", json!(null))
        .await;
    let target = TARGET.parse().unwrap();
    given
        .gitea
        .remove_webhook(&given.url, &target)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_keeps_a_webhook_from_being_made_is_told_apart() {
    let check = |error: ForgeError, expect: &str| {
        let name = format!("{error:?}");
        assert!(name.starts_with(expect), "{expect} is {name}");
        assert!(error.hint().is_some());
        assert!(!format!("{error} {name}").contains("s3cret"));
    };
    for (status, expect) in [
        (401, "Forbidden"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (302, "Unexpected"),
        (500, "Unexpected"),
    ] {
        let given = given(Some("s3cret")).await;
        given.hooks(status, json!([])).await;
        check(given.ensure().await.unwrap_err(), expect);
    }
    let nonsense = given(Some("s3cret")).await;
    nonsense.hooks(200, json!("?")).await;
    check(nonsense.ensure().await.unwrap_err(), "Unexpected");
    let huge = given(Some("s3cret")).await;
    huge.hooks(200, json!(["x".repeat(2 * 1024 * 1024)])).await;
    check(huge.ensure().await.unwrap_err(), "Unexpected");
    check(given(None).await.ensure().await.unwrap_err(), "NoToken");
    let mut elsewhere = given(Some("s3cret")).await;
    elsewhere.url = RepositoryUrl::parse("http://127.0.0.1:1/team/app").unwrap();
    check(elsewhere.ensure().await.unwrap_err(), "NotThisForge");
    let gone = Gitea::new(ForgeConfig {
        kind: ForgeKind::Gitea,
        base_url: "http://127.0.0.1:1/".parse().unwrap(),
        token: Some(SecretString::from("s3cret")),
    })
    .unwrap();
    let url = RepositoryUrl::parse("http://127.0.0.1:1/team/app").unwrap();
    let target = TARGET.parse().unwrap();
    check(
        gone.ensure_webhook(&url, &target, "x").await.unwrap_err(),
        "Unreachable",
    );
}

/// A pull request as Gitea gives it.
fn mk_pull(number: i64, state: &str, merged: bool, head_repository: i64) -> serde_json::Value {
    json!({
        "number": number, "title": "Say\nhello", "state": state, "merged": merged,
        "html_url": "http://forge/team/app/pulls/12", "user": {"login": "ada"},
        "head": {"label": "topic", "ref": "topic", "sha": "a".repeat(40), "repo_id": head_repository,
            "repo": null},
        "base": {"label": "main", "ref": "main", "sha": "b".repeat(40), "repo_id": 7},
    })
}

#[tokio::test]
async fn a_pull_request_is_read_as_it_is() {
    let given = given(Some("s3cret")).await;
    // Pushed to refs/for/main: no branch, and the base's repository.
    let mut agit = mk_pull(16, "open", false, 7);
    agit["head"]["label"] = "".into();
    agit["head"]["ref"] = "refs/pull/16/head".into();
    let answers = [
        (12, mk_pull(12, "open", false, 7)),
        (13, mk_pull(13, "closed", true, 8)),
        (14, mk_pull(14, "closed", false, 0)),
        (16, agit),
    ];
    for (number, pull) in answers {
        Mock::given(method("GET"))
            .and(path(format!("/api/v1/repos/team/app/pulls/{number}")))
            .respond_with(ResponseTemplate::new(200).set_body_json(pull))
            .mount(&given.server)
            .await;
    }
    let read = async |number| given.gitea.pull_request(&given.url, number).await;
    let open = read(12).await.unwrap();
    assert_eq!(
        (open.title.as_str(), open.state, open.from_fork),
        ("Say hello", PullState::Open, false)
    );
    let merged = read(13).await.unwrap();
    assert_eq!((merged.state, merged.from_fork), (PullState::Merged, true));
    let orphan = read(14).await.unwrap();
    assert_eq!(
        (orphan.state, orphan.from_fork),
        (PullState::Closed, true),
        "its fork is gone"
    );
    let agit = read(16).await.unwrap();
    assert!(agit.from_fork, "anybody who can read may push it: {agit:?}");
    for number in [15, 0, -1] {
        let none = read(number).await.unwrap_err();
        assert!(matches!(none, ForgeError::NoPullRequest { .. }), "{none}");
    }
}

#[tokio::test]
async fn one_comment_is_kept_up_to_date() {
    let given = given(Some("s3cret")).await;
    let get = |at: &str, body: serde_json::Value| {
        Mock::given(method("GET"))
            .and(path(at.to_owned()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&given.server)
    };
    get("/api/v1/user", json!({"login": "hermez"})).await;
    let comments = "/api/v1/repos/team/app/issues/12/comments";
    get(
        comments,
        json!([
            {"id": 1, "body": "<!-- mark --> mine", "user": {"login": "mallory"}},
            {"id": 2, "body": "<!-- mark --> ours", "user": {"login": "hermez"}},
        ]),
    )
    .await;
    let body = json!({"body": "<!-- mark --> new"});
    given
        .expect("PATCH", "/api/v1/repos/team/app/issues/comments/2", body)
        .await;
    let set = |known, marker: &'static str| {
        let text = format!("{marker} new");
        let (gitea, url) = (given.gitea.clone(), given.url.clone());
        async move { gitea.set_comment(&url, 12, known, marker, &text).await }
    };
    let ours = set(None, "<!-- mark -->").await.unwrap();
    assert_eq!(ours, 2, "nobody else's words are touched");

    // One that is gone is made anew.
    Mock::given(method("POST"))
        .and(path(comments))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({"id": 9})))
        .expect(1)
        .mount(&given.server)
        .await;
    assert_eq!(set(Some(3), "<!-- mark -->").await.unwrap(), 9);
}

#[tokio::test]
async fn a_pull_request_is_opened_once() {
    let new = NewPullRequest {
        title: "Revert \"Say hello\"".to_owned(),
        body: "It crashes.".to_owned(),
        head: "topic".to_owned(),
        base: "main".to_owned(),
    };
    let pulls = "/api/v1/repos/team/app/pulls";
    // There is none, then there is one: of a fork's branch of that name, and ours.
    let opened = given(Some("s3cret")).await;
    Mock::given(method("GET"))
        .and(path(pulls))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!([mk_pull(9, "open", false, 8)])),
        )
        .up_to_n_times(1)
        .mount(&opened.server)
        .await;
    let ours = json!([mk_pull(9, "open", false, 8), mk_pull(12, "open", false, 7)]);
    Mock::given(method("GET"))
        .and(path(pulls))
        .respond_with(ResponseTemplate::new(200).set_body_json(&ours))
        .mount(&opened.server)
        .await;
    Mock::given(method("POST"))
        .and(path(pulls))
        .and(header("authorization", "token s3cret"))
        .and(body_partial_json(
            json!({"title": new.title, "body": new.body, "head": "topic", "base": "main"}),
        ))
        .respond_with(ResponseTemplate::new(201).set_body_json(mk_pull(12, "open", false, 7)))
        .expect(1)
        .mount(&opened.server)
        .await;
    for _ in 0..2 {
        let pull = opened
            .gitea
            .ensure_pull_request(&opened.url, &new)
            .await
            .unwrap();
        assert_eq!((pull.number, pull.from_fork), (12, false));
    }
    // Another request was faster; and a forge that refuses says so.
    for (status, then, expected) in [
        (409, ours, Some(12)),
        (409, json!([]), None),
        (422, json!([]), None),
    ] {
        let given = given(Some("s3cret")).await;
        Mock::given(method("GET"))
            .and(path(pulls))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
            .up_to_n_times(1)
            .mount(&given.server)
            .await;
        Mock::given(method("GET"))
            .and(path(pulls))
            .respond_with(ResponseTemplate::new(200).set_body_json(then))
            .mount(&given.server)
            .await;
        Mock::given(method("POST"))
            .and(path(pulls))
            .respond_with(ResponseTemplate::new(status).set_body_string("no"))
            .mount(&given.server)
            .await;
        let answer = given.gitea.ensure_pull_request(&given.url, &new).await;
        match expected {
            Some(number) => assert_eq!(answer.unwrap().number, number),
            None => assert!(
                matches!(answer, Err(ForgeError::Unexpected { .. })),
                "{answer:?}"
            ),
        }
    }
}
