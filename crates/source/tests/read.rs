//! Branches, revisions, commits and files of a mirror, hostile ones above all.

mod support;

use std::path::PathBuf;

use hermez_source::{CommitId, Limits, Mirrors, RepositoryUrl, SourceError};
use support::{GitServer, Push, git, mirrors};

/// A synced repository.
struct Given {
    mirrors: Mirrors,
    url: RepositoryUrl,
    repository: PathBuf,
    _server: GitServer,
    _root: tempfile::TempDir,
}

impl Given {
    async fn with(push: Push) -> Self {
        let server = GitServer::start().await;
        let repository = server.create("app.git");
        push.into(&repository);
        let (mirrors, root) = mirrors(Limits::default());
        let given = Self {
            mirrors,
            url: server.url("app.git"),
            repository,
            _server: server,
            _root: root,
        };
        given.sync().await;
        given
    }

    async fn sync(&self) {
        self.mirrors.sync(&self.url, None).await.unwrap();
    }

    async fn head(&self) -> CommitId {
        self.mirrors.resolve(&self.url, "main").await.unwrap()
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let head = self.head().await;
        self.mirrors.read_file(&self.url, &head, path).await
    }
}

fn ordinary() -> Push {
    Push::new()
        .commit(
            "main",
            b"First\n\nWith a body.\n",
            &[("100644", "a.txt", b"1")],
        )
        .commit("main", b"Second", &[("100644", "a.txt", b"2")])
        .commit("main", b"Third", &[("100644", "a.txt", b"3")])
}

#[tokio::test]
async fn commits_come_in_pages_newest_first() {
    let given = Given::with(ordinary()).await;
    let page = |after: Option<CommitId>, limit| {
        let (mirrors, url) = (given.mirrors.clone(), given.url.clone());
        async move {
            mirrors
                .commits(&url, "main", after.as_ref(), limit)
                .await
                .unwrap()
        }
    };
    let first = page(None, 2).await;
    let titles: Vec<_> = first.iter().map(|c| c.title.as_str()).collect();
    assert_eq!(titles, ["Third", "Second"]);
    assert_eq!(first[0].parents, [first[1].id.clone()]);
    assert_eq!(
        (first[0].author.as_str(), first[0].author_email.as_str()),
        ("Ada", "ada@example.com")
    );
    let second = page(Some(first[1].id.clone()), 2).await;
    assert_eq!(second.len(), 1);
    assert_eq!(
        (second[0].title.as_str(), second[0].body.as_str()),
        ("First", "With a body.")
    );
    assert!(page(Some(second[0].id.clone()), 2).await.is_empty());
    let unknown = given
        .mirrors
        .commits(&given.url, "nope", None, 2)
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, SourceError::UnknownRevision { .. }),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn pages_of_a_merged_history_hold_every_commit_once() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    let work = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| git(work.path(), args);
    run(&["clone", "-q", repository.to_str().unwrap(), "."]);
    run(&["config", "user.name", "Ada"]);
    run(&["config", "user.email", "ada@example.com"]);
    run(&["checkout", "-q", "-b", "main"]);
    run(&["commit", "-q", "--allow-empty", "-m", "root"]);
    for round in 0..4 {
        run(&["checkout", "-q", "-b", &format!("side{round}"), "main"]);
        run(&["commit", "-q", "--allow-empty", "-m", "side"]);
        run(&["checkout", "-q", "main"]);
        run(&["commit", "-q", "--allow-empty", "-m", "main"]);
        run(&[
            "merge",
            "-q",
            "--no-ff",
            "-m",
            "merge",
            &format!("side{round}"),
        ]);
    }
    run(&["push", "-q", "origin", "main"]);
    let (mirrors, _root) = mirrors(Limits::default());
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let page = mirrors.commits(&url, "main", seen.last(), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|c| c.id));
    }
    let all: Vec<_> = run(&["rev-list", "main"])
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        seen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        all
    );
}

#[tokio::test]
async fn revisions_resolve_to_one_commit_or_say_why_not() {
    let given = Given::with(ordinary()).await;
    let head = given.head().await;
    let id = head.as_str();
    // A branch that is called like the beginning of a commit's id, and one like a whole id.
    let parent = git(&given.repository, &["rev-parse", "main~1"]);
    git(
        &given.repository,
        &["update-ref", &format!("refs/heads/{}", &id[..7]), &parent],
    );
    git(
        &given.repository,
        &["update-ref", &format!("refs/heads/{id}"), &parent],
    );
    git(&given.repository, &["tag", "-a", "-m", "x", "v1", "main"]);
    given.sync().await;
    let resolve = |revision: String| {
        let (mirrors, url) = (given.mirrors.clone(), given.url.clone());
        async move { mirrors.resolve(&url, &revision).await }
    };
    for good in [
        "main",
        "refs/heads/main",
        "v1",
        "refs/tags/v1",
        &id[..12],
        id,
        &id.to_uppercase(),
    ] {
        assert_eq!(resolve(good.to_owned()).await.unwrap(), head, "{good}");
    }
    let error = resolve(id[..7].to_owned()).await.unwrap_err();
    assert!(
        matches!(error, SourceError::AmbiguousRevision { .. }),
        "{error:?}"
    );
    let whole = resolve(format!("refs/heads/{id}")).await.unwrap();
    assert_eq!(
        whole.as_str(),
        parent,
        "by its full name the branch is reached"
    );
    for unknown in ["nope", "00000000", &"0".repeat(40), "refs/heads/v1"] {
        let error = resolve(unknown.to_owned()).await.unwrap_err();
        assert!(
            matches!(error, SourceError::UnknownRevision { .. }),
            "{unknown}: {error:?}"
        );
        assert!(error.hint().is_some());
    }
    // A tree is no commit, whatever its digits.
    let tree = git(&given.repository, &["rev-parse", "main^{tree}"]);
    for digits in [&tree[..], &tree[..12]] {
        let error = resolve(digits.to_owned()).await.unwrap_err();
        assert!(
            matches!(error, SourceError::UnknownRevision { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn hostile_revisions_reach_no_command_line() {
    let given = Given::with(ordinary()).await;
    let trap = tempfile::tempdir().unwrap();
    let file = trap.path().join("pwned");
    for hostile in [
        format!("--upload-pack=touch {}", file.display()),
        format!("--output={}", file.display()),
        format!("-o{}", file.display()),
        "main:a.txt".to_owned(),
        "main@{0}".to_owned(),
        "main..main".to_owned(),
        ":/Third".to_owned(),
        "main\nrefs/heads/main".to_owned(),
    ] {
        let error = given
            .mirrors
            .resolve(&given.url, &hostile)
            .await
            .unwrap_err();
        assert!(
            matches!(error, SourceError::InvalidRevision { .. }),
            "{hostile}: {error:?}"
        );
        let error = given
            .mirrors
            .commits(&given.url, &hostile, None, 1)
            .await
            .unwrap_err();
        assert!(
            matches!(error, SourceError::InvalidBranch { .. }),
            "{hostile}: {error:?}"
        );
    }
    assert!(!file.exists());
}

#[tokio::test]
async fn branches_with_hostile_names_are_only_names() {
    let given = Given::with(ordinary()).await;
    let head = given.head().await;
    // Git itself lets these through (its commands do not make them, its server sends them).
    let packed = given.repository.join("packed-refs");
    let mut refs = std::fs::read_to_string(&packed).unwrap_or_default();
    for name in [
        "-x",
        "--upload-pack=id",
        "$(id)",
        "a;id",
        "ünïcode",
        "\u{202e}gnp",
    ] {
        refs = format!("{refs}{head} refs/heads/{name}\n");
    }
    std::fs::write(&packed, refs).unwrap();
    given.sync().await;
    let branches = given.mirrors.branches(&given.url).await.unwrap();
    let names: Vec<_> = branches.iter().map(|b| b.name.as_str()).collect();
    assert!(
        names.contains(&"main") && names.contains(&"$(id)"),
        "{names:?}"
    );
    assert!(!names.iter().any(|n| n.starts_with('-')), "{names:?}");
    assert_eq!(
        given.mirrors.resolve(&given.url, "$(id)").await.unwrap(),
        head
    );
}

#[tokio::test]
async fn hostile_commits_are_shown_clean() {
    let long = [&b"T"[..], &vec![b'x'; 2 * 1024 * 1024]].concat();
    let given = Given::with(
        ordinary()
            .by(
                b"\x1b[31mEve\x07 <e\x1b@x>",
                "main",
                b"a\x1b]0;t\x07b\r\n\nbody\x9b\x00here",
            )
            .by(b"J\xfcrgen <j@x>", "main", b"Gr\xfc\xdfe")
            .by(b"Big <b@x>", "main", &long),
    )
    .await;
    let commits = given
        .mirrors
        .commits(&given.url, "main", None, 10)
        .await
        .unwrap();
    assert_eq!(commits.len(), 6);
    for commit in &commits {
        for text in [&commit.title, &commit.author, &commit.author_email] {
            assert!(!text.chars().any(char::is_control), "{text:?}");
            assert!(text.chars().count() <= 200);
        }
        assert!(commit.body.chars().count() <= 10_000);
        assert!(!commit.body.contains('\u{1b}'));
    }
    assert!(commits[0].title.ends_with('…'));
    let one = given
        .mirrors
        .commit(&given.url, &commits[2].id)
        .await
        .unwrap();
    assert_eq!(one, commits[2]);
}

#[tokio::test]
async fn commits_by_id_skip_what_is_gone() {
    let given = Given::with(ordinary()).await;
    let head = given.head().await;
    let gone = CommitId::parse(&"0".repeat(40)).unwrap();
    let found = given
        .mirrors
        .commits_by_id(&given.url, &[gone.clone(), head.clone()])
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, head);
    let error = given.mirrors.commit(&given.url, &gone).await.unwrap_err();
    assert!(
        matches!(error, SourceError::UnknownRevision { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn files_are_read_or_refused_with_a_reason() {
    let big = vec![b'x'; 10 * 1024 * 1024];
    let sub = "1".repeat(40);
    let given = Given::with(Push::new().commit(
        "main",
        b"x",
        &[
            ("100644", "deploy/service.yaml", b"kind: X\n"),
            ("100644", "deploy/service.yml.bak", b""),
            ("100644", "big.yaml", &big),
            ("120000", "good", b"deploy/service.yaml"),
            ("120000", "folder", b"deploy"),
            ("120000", "passwd", b"/etc/passwd"),
            ("120000", "up", b"../../etc/passwd"),
            ("120000", "dangling", b"nowhere"),
            ("120000", "loop", b"loop"),
            ("160000", "sub", sub.as_bytes()),
        ],
    ))
    .await;
    assert_eq!(
        given.read("deploy/service.yaml").await.unwrap(),
        b"kind: X\n"
    );
    assert_eq!(
        given.read("./deploy//service.yaml").await.unwrap(),
        b"kind: X\n"
    );
    assert_eq!(given.read("good").await.unwrap(), b"kind: X\n");
    assert_eq!(
        given.read("folder/service.yaml").await.unwrap(),
        b"kind: X\n"
    );

    let cases = [
        ("deploy/servce.yaml", "PathMissing"),
        ("deploy/service.yaml/x", "PathMissing"),
        ("depoly/service.yaml", "PathMissing"),
        ("deploy", "IsDirectory"),
        ("folder", "IsDirectory"),
        ("", "IsDirectory"),
        ("sub", "IsSubmodule"),
        ("big.yaml", "FileTooLarge"),
        ("passwd", "SymlinkOutside"),
        ("up", "SymlinkOutside"),
        ("dangling", "SymlinkBroken"),
        ("loop", "SymlinkBroken"),
        ("../..", "PathOutside"),
        ("deploy/../../etc/passwd", "PathOutside"),
        ("/etc/passwd", "PathOutside"),
        (".git/config", "PathOutside"),
        ("a\nb", "PathOutside"),
    ];
    let head = given.head().await;
    for (path, expect) in cases {
        let error = given.read(path).await.unwrap_err();
        let name = format!("{error:?}");
        assert!(name.starts_with(expect), "{path}: {expect} is {name}");
        assert!(error.hint().is_some(), "{name}");
        let exists = given.mirrors.exists(&given.url, &head, path).await;
        assert!(
            expect == "FileTooLarge" || !exists.unwrap_or(false),
            "{path}"
        );
    }
    assert!(
        given
            .mirrors
            .exists(&given.url, &head, "good")
            .await
            .unwrap()
    );
    for (path, near) in [
        ("deploy/servce.yaml", "`deploy/service.yaml`"),
        ("depoly/service.yaml", "`deploy`"),
    ] {
        let hint = given.read(path).await.unwrap_err().hint().unwrap();
        assert!(hint.contains(near), "{hint}");
    }
    let gone = CommitId::parse(&"0".repeat(40)).unwrap();
    let error = given
        .mirrors
        .read_file(&given.url, &gone, "good")
        .await
        .unwrap_err();
    assert!(
        matches!(error, SourceError::UnknownRevision { .. }),
        "{error:?}"
    );
}
