//! Builds in a real BuildKit, pushed to a real registry (feature `cluster-tests`).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hermez_build::{
    BuildError, BuildEvent, BuildKit, BuiltImage, CancellationToken, ImageBuild, ImagePlan,
    StepState,
};
use hermez_source::SecretString;
use tokio::sync::mpsc;

/// The sandbox's BuildKit and registry.
fn buildkit() -> BuildKit {
    let folder = std::env::var("HERMEZ_SANDBOX").expect("HERMEZ_SANDBOX names a running sandbox");
    let status = hermez_sandbox::status::read(Path::new(&folder)).expect("the sandbox's status");
    BuildKit {
        buildctl: status.buildctl,
        address: status.buildkit,
        registry: status.registry,
        registry_insecure: true,
    }
}

/// A commit's tree with the given files, and how to build it.
struct Given {
    kit: BuildKit,
    tree: tempfile::TempDir,
    request: ImageBuild,
}

fn given(files: &[(&str, &str)]) -> Given {
    let kit = buildkit();
    let tree = tempfile::tempdir().unwrap();
    // Other runs of this test have left their results in BuildKit's cache.
    let fresh = unique();
    for (path, text) in files {
        let text = text.replace("FRESH", &fresh);
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let request = ImageBuild {
        context_dir: tree.path().to_owned(),
        plan: ImagePlan {
            name: "web".into(),
            dockerfile: "Dockerfile".into(),
            context: ".".into(),
            target: None,
            args: BTreeMap::new(),
            timeout_ms: 60_000,
            containers: vec!["main".into()],
        },
        push_as: format!("{}/hermez/build-tests/{}:1", kit.registry, unique()),
        labels: BTreeMap::new(),
        masks: vec![],
    };
    Given { kit, tree, request }
}

/// A name that no other test uses.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = jiff::Timestamp::now().as_microsecond();
    format!("t{time}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Given {
    async fn build(self) -> (Result<BuiltImage, BuildError>, Vec<BuildEvent>) {
        self.build_until(CancellationToken::new(), |_, _| {}).await
    }

    /// Builds, and shows each event to `see` as it comes.
    async fn build_until(
        self,
        cancel: CancellationToken,
        mut see: impl FnMut(&BuildEvent, &CancellationToken),
    ) -> (Result<BuiltImage, BuildError>, Vec<BuildEvent>) {
        let (sender, mut receiver) = mpsc::channel(16);
        let build = self.kit.build(self.request, sender, cancel.clone());
        let listen = async {
            let mut events = Vec::new();
            while let Some(event) = receiver.recv().await {
                see(&event, &cancel);
                events.push(event);
            }
            events
        };
        let result = tokio::join!(build, listen);
        drop(self.tree);
        result
    }
}

fn text_of(events: &[BuildEvent]) -> String {
    let lines = events.iter().filter_map(|event| match event {
        BuildEvent::Line { text, .. } => Some(text.as_str()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Number of the step whose name contains a text.
fn step_of(events: &[BuildEvent], part: &str) -> i32 {
    let found = events.iter().find_map(|event| match event {
        BuildEvent::StepStarted { step, name, .. } if name.contains(part) => Some(*step),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no step `{part}` in {events:?}"))
}

/// How a step ended at last.
fn end_of(events: &[BuildEvent], wanted: i32) -> Option<StepState> {
    events.iter().rev().find_map(|event| match event {
        BuildEvent::StepFinished { step, state, .. } if *step == wanted => Some(*state),
        _ => None,
    })
}

/// Processes (also those in BuildKit's containers) whose command line has a text in it.
fn processes_about(text: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|e| std::fs::read(e.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(text))
        .count()
}

async fn none_left(text: &str) {
    let gone = async {
        while processes_about(text) > 0 {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(10);
    assert!(
        tokio::time::timeout(limit, gone).await.is_ok(),
        "`{text}` still runs"
    );
}

#[tokio::test]
async fn a_good_dockerfile_becomes_an_image_by_digest() {
    let mut given = given(&[
        (
            "app/Dockerfile",
            "# syntax=example.com/evil/frontend:1\nFROM debian:bookworm-slim AS base\nARG WORD\nCOPY page.txt /page.txt\nRUN : FRESH; echo \"says $WORD\" && cat /page.txt && date +%s%N > /stamp\nFROM base AS other\nRUN exit 9\n",
        ),
        ("app/page.txt", "a page\n"),
    ]);
    given.request.plan.dockerfile = "app/Dockerfile".into();
    given.request.plan.context = "app".into();
    given.request.plan.target = Some("base".into());
    let args = [("WORD".to_owned(), "hello, = world".to_owned())];
    given.request.plan.args = args.into();
    let label = "org.opencontainers.image.revision".to_owned();
    given.request.labels = [(label, "95f6178".to_owned())].into();
    let (kit, request) = (given.kit.clone(), given.request.clone());
    let tree = given.tree.path().to_owned();
    let (sender, mut receiver) = mpsc::channel(1024);
    let first = kit
        .build(request.clone(), sender, CancellationToken::new())
        .await
        .unwrap();
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    let repository = request.push_as.trim_end_matches(":1");
    assert_eq!(
        first.reference_by_digest,
        format!("{repository}@{}", first.digest)
    );
    let text = text_of(&events);
    assert!(text.contains("says hello, = world\na page"), "{text}");
    let run = step_of(&events, "; echo");
    assert_eq!(end_of(&events, run), Some(StepState::Succeeded));
    assert!(
        events
            .iter()
            .any(|e| matches!(e, BuildEvent::Line { step, .. } if *step == run))
    );
    assert!(tree.exists());

    // The same again: nothing is done twice, and it is the same image.
    let (sender, mut receiver) = mpsc::channel(1024);
    let again = kit
        .build(request, sender, CancellationToken::new())
        .await
        .unwrap();
    let mut events = Vec::new();
    while let Some(event) = receiver.recv().await {
        events.push(event);
    }
    assert_eq!(again, first);
    assert_eq!(
        end_of(&events, step_of(&events, "; echo")),
        Some(StepState::Cached)
    );
}

#[tokio::test]
async fn a_failing_step_is_named_with_its_code_and_last_lines() {
    let mut given = given(&[(
        "Dockerfile",
        "FROM debian:bookworm-slim\nRUN seq 1 100; echo password hunter2; exit 42\n",
    )]);
    given.request.masks = vec![SecretString::from("hunter2")];
    let (result, events) = given.build().await;
    let error = result.unwrap_err();
    let all = format!("{error:?} {events:?}");
    assert!(!all.contains("hunter2"), "{all}");
    let BuildError::Failed {
        step,
        exit_code,
        last_lines,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(step.contains("RUN seq 1 100"), "{step}");
    assert_eq!(exit_code, Some(42));
    assert_eq!(last_lines.len(), 20);
    assert_eq!(last_lines[19], "password ***");
    assert_eq!(last_lines[18], "100");
    let failed = step_of(&events, "RUN seq");
    assert_eq!(end_of(&events, failed), Some(StepState::Failed));
}

#[tokio::test]
async fn what_is_wrong_with_a_dockerfile_is_told_apart() {
    type Check = fn(&BuildError) -> bool;
    let cases: [(&str, Check); 6] = [
        (
            "FROM debian:bookworm-slim\nRUNN echo\n",
            |e| matches!(e, BuildError::DockerfileInvalid { line: Some(2), message } if message.contains("RUNN")),
        ),
        ("", |e| matches!(e, BuildError::DockerfileInvalid { .. })),
        ("RUN echo\n", |e| {
            matches!(e, BuildError::DockerfileInvalid { .. })
        }),
        (
            "FROM no-such-image:1\n",
            |e| matches!(e, BuildError::BaseImage { image, .. } if image.contains("no-such-image:1")),
        ),
        (
            "FROM debian:bookworm-slim\nCOPY missing /x\n",
            |e| matches!(e, BuildError::Failed { exit_code: None, message, .. } if message.contains("\"/missing\"")),
        ),
        (
            "FROM debian:bookworm-slim\nCOPY ../../etc/passwd /x\n",
            |e| matches!(e, BuildError::Failed { .. }),
        ),
    ];
    for (dockerfile, check) in cases {
        let (result, _) = given(&[("Dockerfile", dockerfile)]).build().await;
        let error = result.unwrap_err();
        assert!(check(&error), "{dockerfile}: {error:?}");
        assert!(error.hint().is_some(), "{error:?}");
        assert!(!error.is_transient());
    }
    let mut stage = given(&[("Dockerfile", "FROM scratch AS one\n")]);
    stage.request.plan.target = Some("two".into());
    let error = stage.build().await.0.unwrap_err();
    assert!(
        matches!(error, BuildError::DockerfileInvalid { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn paths_that_leave_the_tree_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let check = async |dockerfile: &str, context: &str, expect: &str| {
        let mut given = given(&[("Dockerfile", "FROM scratch\n"), ("folder/x", "")]);
        std::os::unix::fs::symlink(outside.path(), given.tree.path().join("link")).unwrap();
        given.request.plan.dockerfile = dockerfile.into();
        given.request.plan.context = context.into();
        let error = given.build().await.0.unwrap_err();
        let name = format!("{error:?}");
        assert!(
            name.starts_with(expect),
            "{dockerfile} {context}: {expect} is {name}"
        );
    };
    check("link/Dockerfile", ".", "DockerfileMissing").await;
    check("folder", ".", "DockerfileMissing").await;
    check("none/Dockerfile", ".", "DockerfileMissing").await;
    check("Dockerfile", "link", "ContextMissing").await;
    check("Dockerfile", "../", "ContextMissing").await;
    check("Dockerfile", "folder/x", "ContextMissing").await;
}

#[tokio::test]
async fn a_build_that_never_ends_is_stopped_at_its_limit() {
    let mut given = given(&[(
        "Dockerfile",
        "FROM debian:bookworm-slim\nRUN echo waiting; sleep 98701\n",
    )]);
    given.request.plan.timeout_ms = 3_000;
    let push_as = given.request.push_as.clone();
    let (result, events) = given.build().await;
    let error = result.unwrap_err();
    let BuildError::TimedOut { step, limit } = &error else {
        panic!("{error:?}")
    };
    assert!(step.contains("RUN echo waiting"), "{step}");
    assert_eq!(limit.as_secs(), 3);
    let stopped = step_of(&events, "RUN echo waiting");
    assert_eq!(end_of(&events, stopped), Some(StepState::Canceled));
    assert!(text_of(&events).contains("waiting"));
    none_left(&push_as).await;
    none_left("sleep 98701").await;
}

#[tokio::test]
async fn a_canceled_build_leaves_nothing_running() {
    let given = given(&[(
        "Dockerfile",
        "FROM debian:bookworm-slim\nRUN echo waiting; sleep 98702\n",
    )]);
    let push_as = given.request.push_as.clone();
    let (result, events) = given
        .build_until(CancellationToken::new(), |event, cancel| {
            if matches!(event, BuildEvent::Line { text, .. } if text == "waiting") {
                cancel.cancel();
            }
        })
        .await;
    assert_eq!(result, Err(BuildError::Canceled));
    let stopped = step_of(&events, "RUN echo waiting");
    assert_eq!(end_of(&events, stopped), Some(StepState::Canceled));
    none_left(&push_as).await;
    none_left("sleep 98702").await;
}

#[tokio::test]
async fn an_abandoned_build_leaves_nothing_running() {
    let given = given(&[(
        "Dockerfile",
        "FROM debian:bookworm-slim\nRUN echo waiting; sleep 98703\n",
    )]);
    let push_as = given.request.push_as.clone();
    let (sender, mut receiver) = mpsc::channel(16);
    let (kit, request) = (given.kit.clone(), given.request.clone());
    let task =
        tokio::spawn(async move { kit.build(request, sender, CancellationToken::new()).await });
    while let Some(event) = receiver.recv().await {
        if matches!(event, BuildEvent::Line { text, .. } if text == "waiting") {
            break;
        }
    }
    assert!(processes_about("sleep 98703") > 0);
    task.abort();
    none_left(&push_as).await;
    none_left("sleep 98703").await;
}

#[tokio::test]
async fn nobody_listening_does_not_stop_a_build() {
    let given = given(&[(
        "Dockerfile",
        "FROM debian:bookworm-slim\nRUN echo unheard FRESH\n",
    )]);
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    given
        .kit
        .build(given.request, sender, CancellationToken::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_registry_or_a_buildkit_that_is_down_is_named() {
    let mut given1 = given(&[("Dockerfile", "FROM debian:bookworm-slim\n")]);
    given1.kit.registry = "127.0.0.1:1".into();
    given1.request.push_as = "127.0.0.1:1/hermez/build-tests/x:1".into();
    let error = given1.build().await.0.unwrap_err();
    assert!(
        matches!(&error, BuildError::RegistryUnavailable { registry, .. } if registry == "127.0.0.1:1"),
        "{error:?}"
    );
    assert!(error.is_transient());

    let mut given2 = given(&[("Dockerfile", "FROM scratch\n")]);
    given2.kit.address = "unix:///nowhere/buildkitd.sock".into();
    let error = given2.kit.ping().await.unwrap_err();
    assert!(
        matches!(error, BuildError::BuildKitUnavailable { .. }),
        "{error:?}"
    );
    let error = given2.build().await.0.unwrap_err();
    assert!(
        matches!(error, BuildError::BuildKitUnavailable { .. }),
        "{error:?}"
    );
    assert!(error.is_transient());

    let mut given3 = given(&[("Dockerfile", "FROM scratch\n")]);
    given3.kit.ping().await.unwrap();
    given3.kit.buildctl = "/nowhere/buildctl".into();
    let error = given3.build().await.0.unwrap_err();
    assert!(error.to_string().contains("/nowhere/buildctl"), "{error}");
}

#[tokio::test]
async fn an_endless_log_is_cut() {
    let given = given(&[(
        "Dockerfile",
        "FROM debian:bookworm-slim\nRUN : FRESH; head -c 200000 /dev/zero | tr '\\0' x; echo; yes 'a line of the log' | head -c 3000000; echo end\n",
    )]);
    let (result, events) = given.build().await;
    result.unwrap();
    for event in &events {
        if let BuildEvent::Line { text, .. } = event {
            assert!(text.len() <= 8 * 1024 + 20, "{}", text.len());
        }
    }
    assert!(text_of(&events).contains("[line cut]"));
}
