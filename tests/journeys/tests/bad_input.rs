//! Bad input is refused with an error that says what is wrong, where and what to do, and leaves nothing behind.

use hermez_api::{Build, BuildState, CreateWorkload, Page, WorkloadPlan, WorkloadSummary};
use hermez_journeys::forge::{Clone, Forge};
use hermez_journeys::hermez::{Hermez, Refused, ask};
use hermez_journeys::sample::Sample;
use hermez_journeys::sandbox::{Sandbox, unique};
use hermez_journeys::server::{Options, Server};
use hermez_journeys::wait::until;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(2);

/// Everything that the refusal says, in one text.
fn words(refused: &Refused) -> String {
    let problem = &refused.problem;
    let mut words = vec![problem.title.clone()];
    words.extend(problem.detail.clone());
    words.extend(problem.hint.clone());
    for place in &problem.places {
        words.push(format!("{}:{}", place.file, place.line.unwrap_or(0)));
        words.extend(place.field.clone());
        words.push(place.message.clone());
        words.extend(place.hint.clone());
    }
    words.join(" | ")
}

/// Creating and planning are refused alike, with all of `expected` in the answer.
async fn refused(hermez: &Hermez, create: &CreateWorkload, expected: &[&str]) {
    for path in ["/workloads/plan", "/workloads"] {
        let answer = hermez.post::<_, serde_json::Value>(path, create).await;
        let error = answer.expect_err(&format!("{path} takes {create:?}"));
        let refused = error
            .downcast_ref::<Refused>()
            .unwrap_or_else(|| panic!("{path} {create:?}: {error:#}"));
        let said = words(refused);
        assert!(
            (400..500).contains(&refused.status),
            "{create:?}: {} {said}",
            refused.status
        );
        assert!(
            refused.problem.hint.is_some() || !refused.problem.places.is_empty(),
            "no hint: {said}"
        );
        for text in expected {
            assert!(
                said.to_lowercase().contains(&text.to_lowercase()),
                "{create:?}: {text:?} is not in: {said}"
            );
        }
    }
}

/// No workload came of it, and no mirror of a repository that was refused as a whole stays.
async fn nothing_is_left(hermez: &Hermez) {
    let workloads: Page<WorkloadSummary> = hermez.get("/workloads").await.expect("workloads");
    assert!(workloads.items.is_empty(), "{:?}", workloads.items);
}

fn files_below(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| {
            if entry.path().is_dir() {
                files_below(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

#[tokio::test]
async fn repositories_that_cannot_be_used() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let server = Server::start(&sandbox, Options::default())
        .await
        .expect("server");
    let hermez = server.hermez().expect("token");

    refused(
        &hermez,
        &ask(&forge.repository_url("no-such-repository"), "service.yaml"),
        &["password"],
    )
    .await;
    refused(
        &hermez,
        &ask("http://127.0.0.1:1/a/b.git", "service.yaml"),
        &["127.0.0.1:1"],
    )
    .await;
    refused(
        &hermez,
        &ask("ftp://example.com/a.git", "service.yaml"),
        &["http"],
    )
    .await;
    refused(&hermez, &ask("not a url", "service.yaml"), &["url"]).await;
    refused(
        &hermez,
        &ask("http://ada:secret@127.0.0.1:1/a.git", "service.yaml"),
        &["password inside"],
    )
    .await;

    let name = unique("private");
    let private = forge
        .create_repository(&name, true)
        .await
        .expect("private repository");
    let clone = Clone::new(&forge, &private).await.expect("clone");
    sample(&name).write(&clone, "private\n").expect("files");
    clone.commit_and_push("First").await.expect("push");
    refused(&hermez, &ask(&private, "service.yaml"), &["password"]).await;
    let mut wrong = ask(&private, "service.yaml");
    wrong.username = Some(forge.user().to_owned());
    wrong.password = Some("wrong-password".to_owned());
    refused(&hermez, &wrong, &["password"]).await;
    let mut right = wrong;
    right.password = Some(forge.token().to_owned());
    let plan: WorkloadPlan = hermez
        .post("/workloads/plan", &right)
        .await
        .expect("the right password opens it");
    assert_eq!(plan.name, name);
    forge.delete_repository(&name).await.expect("clean up");

    let empty = unique("empty");
    let url = forge
        .create_repository(&empty, false)
        .await
        .expect("empty repository");
    refused(&hermez, &ask(&url, "service.yaml"), &["empty"]).await;
    forge.delete_repository(&empty).await.expect("clean up");
    nothing_is_left(&hermez).await;
    let said = server.last_words();
    assert!(
        !said.contains(forge.token()) && !said.contains("wrong-password"),
        "secrets in the log: {said}"
    );
}

#[tokio::test]
async fn a_repository_with_too_much_history() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let options = Options {
        arguments: vec!["--mirror-limit-mib".to_owned(), "8".to_owned()],
        ..Options::default()
    };
    let server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (name, url, clone) = Clone::of_new(&forge, "huge").await.expect("repository");
    sample(&name).write(&clone, "huge\n").expect("files");
    clone
        .write("noise", noise(16 * 1024 * 1024))
        .expect("noise");
    clone.commit_and_push("Noise").await.expect("push");
    let before = files_below(&server.data_dir().join("mirrors"));
    refused(&hermez, &ask(&url, "service.yaml"), &["8 MiB"]).await;
    assert_eq!(
        files_below(&server.data_dir().join("mirrors")),
        before,
        "nothing of it stays on the disk"
    );
    nothing_is_left(&hermez).await;
    forge.delete_repository(&name).await.expect("clean up");
}

/// Bytes that do not compress, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

fn sample(name: &str) -> Sample<'_> {
    Sample {
        name,
        namespace: name,
        replicas: 1,
        ready_after_s: 0,
        extra_step: "",
    }
}

#[tokio::test]
async fn config_files_that_cannot_be_used() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let server = Server::start(&sandbox, Options::default())
        .await
        .expect("server");
    let hermez = server.hermez().expect("token");
    let (name, url, clone) = Clone::of_new(&forge, "config").await.expect("repository");
    let good = sample(&name).config();
    sample(&name).write(&clone, "config\n").expect("files");
    let variants: &[(&str, String)] = &[
        (
            "not-yaml.yaml",
            "kind: [PinterestService\n  }: x".to_owned(),
        ),
        ("two.yaml", format!("{good}---\n{good}")),
        ("nothing.yaml", String::new()),
        (
            "kind.yaml",
            good.replace("kind: PinterestService", "kind: PinterestServise"),
        ),
        ("field.yaml", good.replace("  replicas: 1", "  replica: 1")),
        ("deep.yaml", good.replace("containerPort", "containerport")),
        ("type.yaml", good.replace("replicas: 1", "replicas: three")),
        (
            "name.yaml",
            good.replace(
                &format!("  name: {name}\n  project"),
                "  name: Hello_World\n  project",
            ),
        ),
        (
            "big.yaml",
            format!("{good}# {}\n", "x".repeat(10 * 1024 * 1024)),
        ),
    ];
    for (file, content) in variants {
        clone.write(file, content).expect("write");
    }
    std::os::unix::fs::symlink("/etc/passwd", clone.path().join("link.yaml")).expect("symlink");
    std::os::unix::fs::symlink("../../../../etc/passwd", clone.path().join("up.yaml"))
        .expect("symlink");
    clone.write("folder/service.yaml", &good).expect("write");
    clone.commit_and_push("Bad files").await.expect("push");

    let cases: &[(&str, &[&str])] = &[
        ("servise.yaml", &["servise.yaml", "service.yaml"]),
        ("folder", &["folder"]),
        ("../../etc/passwd", &["repository"]),
        ("/etc/passwd", &["repository"]),
        ("link.yaml", &["link.yaml"]),
        ("up.yaml", &["up.yaml"]),
        ("big.yaml", &["big.yaml", "1024 KiB"]),
        ("not-yaml.yaml", &["not-yaml.yaml:"]),
        ("two.yaml", &["two.yaml"]),
        ("nothing.yaml", &["nothing.yaml"]),
        (
            "kind.yaml",
            &["kind.yaml:2", "PinterestServise", "PinterestService"],
        ),
        ("field.yaml", &["field.yaml:", "replica", "replicas"]),
        (
            "deep.yaml",
            &["deep.yaml:", "containerport", "containerPort"],
        ),
        (
            "type.yaml",
            &["type.yaml:", "spec.replicas", "whole number"],
        ),
        ("name.yaml", &["name.yaml:", "Hello_World"]),
    ];
    for (config, expected) in cases {
        refused(&hermez, &ask(&url, config), expected).await;
    }
    nothing_is_left(&hermez).await;
    let plan: WorkloadPlan = hermez
        .post("/workloads/plan", &ask(&url, "service.yaml"))
        .await
        .expect("the good one");
    assert_eq!(plan.name, name);
    forge.delete_repository(&name).await.expect("clean up");
}

#[tokio::test]
async fn dockerfiles_that_fail_or_never_end() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let server = Server::start(&sandbox, Options::default())
        .await
        .expect("server");
    let hermez = server.hermez().expect("token");
    let (name, url, clone) = Clone::of_new(&forge, "docker").await.expect("repository");
    let mut sample = sample(&name);
    sample.extra_step = "RUN echo about to fail && exit 7";
    sample.write(&clone, "fails\n").expect("files");
    let failing = clone.commit_and_push("Fails").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");

    let build = ends(&hermez, &name, &failing).await;
    assert_eq!(build.summary.state, BuildState::Failed);
    let error = build.summary.error.clone().unwrap_or_default();
    assert!(
        error.contains('7') && error.contains("RUN echo about to fail"),
        "{error}"
    );
    assert!(build.summary.hint.is_some(), "{build:#?}");

    let forever = "RUN while true; do sleep 1; done";
    sample.extra_step = forever;
    sample.write(&clone, "limited\n").expect("files");
    let limited_plan = format!("build:\n  images:\n    - name: {name}\n      timeout: 3s\n");
    clone.write(".hermez.yaml", limited_plan).expect("write");
    let limited = clone
        .commit_and_push("Never ends, with a limit")
        .await
        .expect("push");
    let build = ends(&hermez, &name, &limited).await;
    assert_eq!(build.summary.state, BuildState::Failed);
    assert!(
        build
            .summary
            .error
            .clone()
            .unwrap_or_default()
            .contains("3 s"),
        "{build:#?}"
    );

    std::fs::remove_file(clone.path().join(".hermez.yaml")).expect("remove");
    sample.write(&clone, "canceled\n").expect("files");
    let canceled = clone
        .commit_and_push("Never ends, and is canceled")
        .await
        .expect("push");
    let id = build_of(&hermez, &name, &canceled).await;
    until("the endless step runs", LIMIT, || async {
        let build: Build = hermez.get(&format!("/builds/{id}")).await?;
        Ok(build
            .steps
            .iter()
            .any(|step| step.name.contains("while true") && step.state == "running")
            .then_some(()))
    })
    .await
    .expect("the step runs");
    let _: serde_json::Value = hermez
        .post(&format!("/builds/{id}/cancel"), &())
        .await
        .expect("cancel");
    let build = hermez.build_ends(id, LIMIT).await.expect("ends");
    assert_eq!(build.summary.state, BuildState::Canceled);
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    forge.delete_repository(&name).await.expect("clean up");
}

async fn build_of(hermez: &Hermez, workload: &str, commit: &str) -> i64 {
    until(&format!("a build of {commit}"), LIMIT, || async {
        let found = hermez
            .commits(workload)
            .await?
            .into_iter()
            .find(|seen| seen.id == commit);
        Ok(found.and_then(|seen| seen.build).map(|build| build.id))
    })
    .await
    .expect("a build")
}

async fn ends(hermez: &Hermez, workload: &str, commit: &str) -> Build {
    let id = build_of(hermez, workload, commit).await;
    hermez.build_ends(id, LIMIT).await.expect("the build ends")
}

/// The forge is the only way in: a webhook without a right signature is refused.
#[tokio::test]
async fn webhooks_without_a_signature() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let _forge: Forge = sandbox.forge().expect("forge");
    for id in ["1", "999999"] {
        let url = format!(
            "{}/api/v1/webhooks/{id}",
            sandbox.status.server.trim_end_matches('/')
        );
        let answer = reqwest::Client::new()
            .post(&url)
            .header("X-Gitea-Event", "push")
            .header("X-Gitea-Signature", "00".repeat(32))
            .body("{}")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 401, "{url}");
    }
}
