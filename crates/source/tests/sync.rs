//! Mirrors over real smart HTTP: what is transferred, what fails how, what stays on disk.

mod support;

use std::path::Path;
use std::time::Duration;

use hermez_source::{Credential, Limits, RepositoryUrl, SourceError};
use support::{GitServer, Push, files_below, git, mirrors};

const FILE: &[(&str, &str, &[u8])] = &[("100644", "service.yaml", b"kind: X\n")];

/// What is left in the folder of mirrors.
fn left(root: &tempfile::TempDir) -> Vec<std::path::PathBuf> {
    files_below(root.path())
}

#[tokio::test]
async fn branches_tags_and_the_default_branch_follow_the_repository() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new()
        .commit("main", b"one", FILE)
        .commit("feature/x", b"two", FILE)
        .into(&repository);
    let (mirrors, _root) = mirrors(Limits::default());
    let url = server.url("app.git");

    let report = mirrors.sync(&url, None).await.unwrap();
    assert!(report.first);
    assert_eq!(report.changed_branches, ["feature/x", "main"]);
    assert!(report.mirror_bytes > 0);
    assert_eq!(mirrors.default_branch(&url).await.unwrap(), "main");
    let names: Vec<_> = mirrors
        .branches(&url)
        .await
        .unwrap()
        .into_iter()
        .map(|b| b.name)
        .collect();
    assert_eq!(names, ["feature/x", "main"], "newest first");

    git(&repository, &["branch", "-D", "feature/x"]);
    git(&repository, &["branch", "feature", "main"]);
    git(&repository, &["symbolic-ref", "HEAD", "refs/heads/feature"]);
    git(&repository, &["tag", "v1", "main"]);
    let report = mirrors.sync(&url, None).await.unwrap();
    assert!(!report.first);
    assert_eq!(report.changed_branches, ["feature", "feature/x"]);
    assert_eq!(mirrors.default_branch(&url).await.unwrap(), "feature");
    assert_eq!(
        mirrors.resolve(&url, "v1").await.unwrap(),
        mirrors.resolve(&url, "main").await.unwrap()
    );

    let report = mirrors.sync(&url, None).await.unwrap();
    assert!(
        report.changed_branches.is_empty(),
        "nothing new: {report:?}"
    );
    mirrors.remove(&url).await.unwrap();
    assert!(matches!(
        mirrors.branches(&url).await.unwrap_err(),
        SourceError::NotMirrored { .. }
    ));
    mirrors.remove(&url).await.unwrap();
}

#[tokio::test]
async fn a_force_push_is_followed_and_the_old_commit_stays_readable() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new().commit("main", b"old", FILE).into(&repository);
    let (mirrors, _root) = mirrors(Limits::default());
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    let old = mirrors.resolve(&url, "main").await.unwrap();
    Push::new().commit("main", b"new", FILE).into(&repository);
    mirrors.sync(&url, None).await.unwrap();
    let new = mirrors.resolve(&url, "main").await.unwrap();
    assert_ne!(old, new);
    assert_eq!(mirrors.commit(&url, &old).await.unwrap().title, "old");
    let error = mirrors
        .commits(&url, "main", Some(&old), 5)
        .await
        .unwrap_err();
    assert!(
        matches!(error, SourceError::NotOnBranch { .. }),
        "{error:?}"
    );
}

/// As many commits as asked for, each with a change of its own.
fn long_history(repository: &Path, commits: usize) {
    let mut push = Push::new();
    for number in 0..commits {
        let text = format!("{number} {}\n", "x".repeat(number % 50));
        push = push.commit(
            "main",
            format!("commit {number}").as_bytes(),
            &[(
                "100644",
                &format!("f{}/{}.txt", number % 50, number % 7),
                text.as_bytes(),
            )],
        );
    }
    push.into(repository);
}

#[tokio::test]
async fn after_one_more_push_only_the_new_objects_travel() {
    let server = GitServer::start().await;
    let repository = server.create("long.git");
    long_history(&repository, 10_000);
    let (mirrors, root) = mirrors(Limits::default());
    let url = server.url("long.git");
    mirrors.sync(&url, None).await.unwrap();
    let first = server.sent();
    let objects = |what: &str| -> u64 {
        let mirror = only_mirror(&root.path().join("mirrors"));
        let text = git(&mirror, &["count-objects", "-v"]);
        let line = text.lines().find_map(|l| l.strip_prefix(what)).unwrap();
        line.trim_start_matches(": ").parse().unwrap()
    };
    let before = objects("in-pack");
    assert!(before > 20_000, "{before}");
    assert!(first > 500_000, "{first}");

    Push::new()
        .onto(&repository, "main")
        .commit("main", b"one more", &[("100644", "new.txt", b"new\n")])
        .into(&repository);
    mirrors.sync(&url, None).await.unwrap();
    let second = server.sent();
    // A commit, its tree and its file; and at most the old tree, which Git itself copies from the
    // mirror into the new pack because the new tree came as a difference to it.
    let new = objects("in-pack") - before;
    assert!((3..=4).contains(&new), "{new} new objects");
    assert_eq!(objects("count"), 0, "no loose objects");
    assert!(second < 4_000, "{second} bytes for one commit");
    println!("first sync {first} bytes, second {second} bytes");
    assert_eq!(
        mirrors.commits(&url, "main", None, 1).await.unwrap()[0].title,
        "one more"
    );
}

#[tokio::test]
async fn a_page_of_commits_does_not_read_the_whole_history() {
    let server = GitServer::start().await;
    let repository = server.create("long.git");
    long_history(&repository, 3_000);
    let (mirrors, root) = mirrors(Limits::default());
    let url = server.url("long.git");
    mirrors.sync(&url, None).await.unwrap();
    // Take an old commit out of the mirror, and Git's summary of the history with it: a walk that
    // comes by there fails from now on.
    let folder = only_mirror(&root.path().join("mirrors"));
    let old = git(&folder, &["rev-parse", "main~1500"]);
    for pack in files_below(&folder.join("objects/pack")) {
        if pack.extension().is_some_and(|e| e == "pack") {
            let moved = root.path().join("moved.pack");
            std::fs::rename(&pack, &moved).unwrap();
            std::fs::remove_file(pack.with_extension("idx")).unwrap();
            let bytes = std::fs::read(&moved).unwrap();
            support::git_with(&folder, &["unpack-objects", "-q"], &bytes);
        }
    }
    std::fs::remove_file(folder.join("objects").join(&old[..2]).join(&old[2..])).unwrap();
    let _ = std::fs::remove_dir_all(folder.join("objects/info/commit-graphs"));
    let _ = std::fs::remove_file(folder.join("objects/info/commit-graph"));

    let mut after = None;
    for page in 0..5 {
        let commits = mirrors
            .commits(&url, "main", after.as_ref(), 200)
            .await
            .unwrap();
        assert_eq!(commits.len(), 200);
        assert_eq!(commits[0].title, format!("commit {}", 2999 - page * 200));
        after = commits.last().map(|c| c.id.clone());
    }
    let beyond = mirrors.commit(&url, &old.parse().unwrap()).await;
    assert!(beyond.is_err(), "the old commit is really gone");
}

#[tokio::test]
async fn what_keeps_a_repository_from_being_read_is_told_apart() {
    let server = GitServer::start().await;
    server.create("empty.git");
    let locked = server.create("locked.git");
    Push::new().commit("main", b"x", FILE).into(&locked);
    // ada:right
    server.lock("locked.git", "Basic YWRhOnJpZ2h0");
    let (mirrors, root) = mirrors(Limits::default());
    let right = Credential::new("ada", "right");
    let wrong = Credential::new("ada", "wr0ng-secret");

    let cases: Vec<(RepositoryUrl, Option<&Credential>, &str)> = vec![
        (server.url("none.git"), None, "NotFound"),
        (server.url("empty.git"), None, "Empty"),
        (server.url("locked.git"), None, "AuthenticationRequired"),
        (
            server.url("locked.git"),
            Some(&wrong),
            "AuthenticationFailed",
        ),
        (server.url("moved/app"), None, "Moved"),
        (server.url("page/app"), None, "NotGit"),
        (
            RepositoryUrl::parse("http://127.0.0.1:1/app").unwrap(),
            None,
            "Unreachable",
        ),
        (
            RepositoryUrl::parse("http://nowhere.invalid/app").unwrap(),
            None,
            "Unreachable",
        ),
        (
            RepositoryUrl::parse(&format!(
                "{}/app",
                server.address.replace("http:", "https:")
            ))
            .unwrap(),
            None,
            "Unreachable",
        ),
    ];
    for (url, credential, expect) in cases {
        let error = mirrors.sync(&url, credential).await.unwrap_err();
        let name = format!("{error:?}");
        assert!(name.starts_with(expect), "{url}: {expect} is {name}");
        assert!(error.hint().is_some(), "{name}");
        let all = format!("{error} {error:?} {:?}", error.hint());
        assert!(
            !all.contains("wr0ng-secret") && !all.contains("Basic "),
            "{all}"
        );
        assert_eq!(left(&root), Vec::<std::path::PathBuf>::new(), "{url}");
    }
    mirrors
        .sync(&server.url("locked.git"), Some(&right))
        .await
        .unwrap();
    let kept = left(&root)
        .into_iter()
        .filter_map(|path| std::fs::read(path).ok())
        .any(|bytes| bytes.windows(12).any(|w| w == b"YWRhOnJpZ2h0"));
    assert!(!kept, "the password is in no file of the mirror");
}

#[tokio::test]
async fn both_spellings_of_a_url_are_tried() {
    let server = GitServer::start().await;
    for (folder, asked) in [("with.git", "with"), ("without", "without.git")] {
        let repository = server.create(folder);
        Push::new().commit("main", b"x", FILE).into(&repository);
        let (mirrors, _root) = mirrors(Limits::default());
        let url = server.url(asked);
        assert!(mirrors.sync(&url, None).await.unwrap().first);
        assert!(!mirrors.sync(&url, None).await.unwrap().first);
        assert_eq!(
            mirrors.default_branch(&server.url(folder)).await.unwrap(),
            "main"
        );
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

#[tokio::test]
async fn a_repository_over_the_limit_leaves_nothing_behind() {
    let server = GitServer::start().await;
    let repository = server.create("big.git");
    Push::new()
        .commit(
            "main",
            b"big",
            &[("100644", "big.bin", &noise(3 * 1024 * 1024))],
        )
        .into(&repository);
    let (mirrors, root) = mirrors(Limits {
        mirror_bytes: 1024 * 1024,
        ..Limits::default()
    });
    let error = mirrors
        .sync(&server.url("big.git"), None)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SourceError::TooLarge {
                limit: 1_048_576,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("1 MiB"), "{error}");
    assert_eq!(left(&root), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_update_over_the_limit_leaves_the_mirror_as_it_was() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new().commit("main", b"small", FILE).into(&repository);
    let (mirrors, _root) = mirrors(Limits {
        mirror_bytes: 4 * 1024 * 1024,
        ..Limits::default()
    });
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    let before = mirrors.resolve(&url, "main").await.unwrap();
    let mut push = Push::new().onto(&repository, "main");
    // The server sends as fast as it can.
    git(&repository, &["config", "pack.window", "0"]);
    let noise = noise(5 * 1024 * 1024);
    for number in 1..5_u8 {
        let bytes: Vec<u8> = noise.iter().map(|byte| byte ^ number).collect();
        push = push.commit(
            "main",
            b"big",
            &[("100644", &format!("{number}.bin"), &bytes)],
        );
    }
    push.into(&repository);
    let error = mirrors.sync(&url, None).await.unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error:?}");
    assert_eq!(mirrors.resolve(&url, "main").await.unwrap(), before);
    assert_eq!(
        mirrors
            .read_file(&url, &before, "service.yaml")
            .await
            .unwrap(),
        b"kind: X\n"
    );
}

#[tokio::test]
async fn a_mirror_that_has_grown_over_the_limit_grows_no_further() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new()
        .commit("main", b"x", &[("100644", "a.bin", &noise(100_000))])
        .into(&repository);
    let root = tempfile::tempdir().unwrap();
    let mirrors = |mirror_bytes| {
        let limits = Limits {
            mirror_bytes,
            ..Limits::default()
        };
        hermez_source::Mirrors::new(root.path().to_owned(), limits)
    };
    let url = server.url("app.git");
    mirrors(1_000_000).sync(&url, None).await.unwrap();
    let error = mirrors(50_000).sync(&url, None).await.unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error:?}");
    mirrors(1_000_000).sync(&url, None).await.unwrap();
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let server = GitServer::start().await;
    let (mirrors, root) = mirrors(Limits {
        fetch_timeout: Duration::from_millis(500),
        ..Limits::default()
    });
    let error = mirrors
        .sync(&server.url("silent/app"), None)
        .await
        .unwrap_err();
    assert!(matches!(error, SourceError::TimedOut { .. }), "{error:?}");
    assert!(error.is_transient());
    assert_eq!(left(&root), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn an_abandoned_sync_leaves_no_process_and_no_file() {
    let server = GitServer::start().await;
    let (mirrors, root) = mirrors(Limits::default());
    let url = server.url("silent/app");
    let seen = || {
        server
            .shared
            .requests
            .load(std::sync::atomic::Ordering::SeqCst)
    };
    let task = tokio::spawn({
        let mirrors = mirrors.clone();
        let url = url.clone();
        async move { mirrors.sync(&url, None).await }
    });
    while seen() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(processes_about(url.as_url().as_str()) > 0);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let gone = async {
        while processes_about(url.as_url().as_str()) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("no git is left");
    assert_eq!(left(&root), Vec::<std::path::PathBuf>::new());
}

/// The only mirror below a folder.
fn only_mirror(root: &Path) -> std::path::PathBuf {
    std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "git"))
        .unwrap()
}

#[tokio::test]
async fn many_small_pushes_are_folded_into_few_packs() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new().commit("main", b"0", FILE).into(&repository);
    let (mirrors, root) = mirrors(Limits::default());
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    let mirror = only_mirror(&root.path().join("mirrors"));
    let packs = || {
        files_below(&mirror.join("objects/pack"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "pack"))
            .count()
    };
    for number in 1..=45 {
        Push::new()
            .onto(&repository, "main")
            .commit("main", format!("{number}").as_bytes(), FILE)
            .into(&repository);
        mirrors.sync(&url, None).await.unwrap();
    }
    let folded = async {
        while packs() > 10 {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(20);
    assert!(
        tokio::time::timeout(limit, folded).await.is_ok(),
        "{} packs",
        packs()
    );
    let commits = mirrors.commits(&url, "main", None, 100).await.unwrap();
    assert_eq!(commits.len(), 46);
}

/// Processes whose command line has a text in it.
fn processes_about(text: &str) -> usize {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|e| std::fs::read(e.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(text))
        .count()
}

#[tokio::test]
async fn syncs_of_one_repository_do_not_disturb_each_other() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new().commit("main", b"x", FILE).into(&repository);
    let (mirrors, _root) = mirrors(Limits::default());
    let url = server.url("app.git");
    let all = (0..8).map(|_| mirrors.sync(&url, None));
    let reports = futures::future::join_all(all).await;
    let first = reports.iter().filter(|r| r.as_ref().unwrap().first).count();
    assert_eq!(first, 1, "{reports:?}");
}

#[tokio::test]
async fn leftovers_of_a_killed_server_are_cleared() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new().commit("main", b"x", FILE).into(&repository);
    let root = tempfile::tempdir().unwrap();
    let half = root.path().join(".staging/fetch-x/objects");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("tmp_pack_x"), "half").unwrap();
    let mirrors = hermez_source::Mirrors::new(root.path().to_owned(), Limits::default());
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    assert!(!half.exists());
    // A lock that Git left behind when it was killed, long ago.
    let folder = only_mirror(root.path());
    let lock = folder.join("refs/heads/main.lock");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&lock).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_mins(2))
        .unwrap();
    Push::new()
        .onto(&repository, "main")
        .commit("main", b"y", FILE)
        .into(&repository);
    let report = mirrors.sync(&url, None).await.unwrap();
    assert_eq!(report.changed_branches, ["main"]);
}

#[tokio::test]
async fn a_pull_request_is_fetched_by_its_number_and_is_no_revision() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new()
        .commit("main", b"one", FILE)
        .commit("topic", b"two", FILE)
        .commit("other", b"three", FILE)
        .into(&repository);
    let of = |name: &str| git(&repository, &["rev-parse", name]);
    let (two, three) = (of("topic"), of("other"));
    git(&repository, &["update-ref", "refs/pull/12/head", &two]);
    for branch in ["topic", "other"] {
        git(&repository, &["branch", "-D", branch]);
    }
    let (mirrors, _root) = mirrors(Limits::default());
    let url = server.url("app.git");
    let early = mirrors.fetch_pull(&url, None, 12).await.unwrap_err();
    assert!(matches!(early, SourceError::NotMirrored { .. }), "{early}");
    mirrors.sync(&url, None).await.unwrap();

    let head = mirrors.fetch_pull(&url, None, 12).await.unwrap();
    assert_eq!(head.as_str(), two);
    let file = mirrors.read_file(&url, &head, "service.yaml").await;
    assert_eq!(file.unwrap(), b"kind: X\n");
    for revision in [
        two.as_str(),
        &two[..12],
        "refs/pull/12/head",
        "pull/12/head",
        "12/head",
    ] {
        let unknown = mirrors.resolve(&url, revision).await.unwrap_err();
        assert!(
            matches!(unknown, SourceError::UnknownRevision { .. }),
            "{revision}: {unknown}"
        );
    }
    let names = mirrors.branches(&url).await.unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    for number in [13, 0, -1] {
        let unknown = mirrors.fetch_pull(&url, None, number).await.unwrap_err();
        assert!(
            matches!(unknown, SourceError::UnknownRevision { .. }),
            "{number}: {unknown}"
        );
    }

    // It moves on; what it had is still nobody's revision, and a later sync keeps all of it.
    git(&repository, &["update-ref", "refs/pull/12/head", &three]);
    let report = mirrors.sync(&url, None).await.unwrap();
    assert!(report.changed_branches.is_empty(), "{report:?}");
    let moved = mirrors.fetch_pull(&url, None, 12).await.unwrap();
    assert_eq!(moved.as_str(), three);
    assert!(mirrors.resolve(&url, &two).await.is_err());
    assert!(
        mirrors.commit(&url, &head).await.is_ok(),
        "what runs can be looked at"
    );

    // Merged, it is a commit like any other.
    git(&repository, &["update-ref", "refs/heads/main", &three]);
    mirrors.sync(&url, None).await.unwrap();
    assert_eq!(mirrors.resolve(&url, &three).await.unwrap(), moved);
}
