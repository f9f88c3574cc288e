//! Exports: the files of a commit, nothing outside, nothing run.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hermez_source::{Limits, Mirrors, SourceError};
use support::{GitServer, Push, files_below, mirrors};

type Files<'a> = &'a [(&'a str, &'a str, &'a [u8])];

/// Exports a commit with the given files, and tells what happened.
async fn export(
    files: Files<'_>,
    limits: Limits,
    into: &Path,
) -> Result<hermez_source::ExportReport, SourceError> {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    Push::new().commit("main", b"x", files).into(&repository);
    let (mirrors, _root) = mirrors(limits);
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    let head = mirrors.resolve(&url, "main").await.unwrap();
    mirrors.export(&url, &head, into).await
}

#[tokio::test]
async fn what_a_process_works_on_first_is_no_leftover_of_the_one_before() {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    let push = Push::new().commit("main", b"x", &[("100644", "a.txt", b"a")]);
    push.into(&repository);
    let (before, root) = mirrors(Limits::default());
    let url = server.url("app.git");
    before.sync(&url, None).await.unwrap();
    let head = before.resolve(&url, "main").await.unwrap();

    let staging = root.path().join("mirrors/.staging");
    std::fs::write(staging.join("half-done"), "").unwrap();
    let after = Mirrors::new(root.path().join("mirrors"), Limits::default());
    let into = tempfile::tempdir().unwrap();
    after.export(&url, &head, into.path()).await.unwrap();
    assert!(!staging.join("half-done").exists());
    std::fs::write(staging.join("index-of-another-export"), "").unwrap();
    after.sync(&url, None).await.unwrap();
    assert!(staging.join("index-of-another-export").exists());
}

#[tokio::test]
async fn files_modes_links_and_times_are_those_of_the_commit() {
    let into = tempfile::tempdir().unwrap();
    let target = into.path().join("tree");
    let report = export(
        &[
            ("100644", "Dockerfile", b"FROM scratch\n"),
            ("100755", "bin/run it.sh", b"#!/bin/sh\n"),
            ("100644", "a/\u{fc}/b.txt", b"b"),
            ("120000", "bin/link", b"../a"),
            ("120000", "out", b"/etc/passwd"),
            ("120000", "sneaky", b"dot/../../etc/passwd"),
            ("120000", "dot", b"."),
            ("160000", "sub", "1".repeat(40).as_bytes()),
        ],
        Limits::default(),
        &target,
    )
    .await
    .unwrap();
    assert_eq!(report.files, 5);
    assert_eq!(report.bytes, 13 + 10 + 1 + 4 + 1);
    let left_out: Vec<_> = report.left_out.iter().map(|l| l.path.as_str()).collect();
    assert_eq!(left_out, ["out", "sneaky", "sub"]);
    assert_eq!(
        std::fs::read(target.join("Dockerfile")).unwrap(),
        b"FROM scratch\n"
    );
    assert_eq!(std::fs::read(target.join("a/\u{fc}/b.txt")).unwrap(), b"b");
    assert_eq!(
        std::fs::read_link(target.join("bin/link")).unwrap(),
        Path::new("../a")
    );
    assert!(!target.join("out").is_symlink() && !target.join("sneaky").is_symlink());
    let mode = |path: &str| {
        std::fs::metadata(target.join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("Dockerfile"), mode("bin/run it.sh"), mode("bin")),
        (0o644, 0o755, 0o755)
    );
    let time = |path: &str| {
        let data = std::fs::symlink_metadata(target.join(path)).unwrap();
        data.modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    for path in ["Dockerfile", "bin", "bin/link", "a/\u{fc}", "."] {
        assert_eq!(time(path), 1_573_840_001, "{path}");
    }
    let around: Vec<_> = std::fs::read_dir(into.path()).unwrap().collect();
    assert_eq!(around.len(), 1, "nothing beside the folder");
}

#[tokio::test]
async fn below_the_second_times_are_those_of_one_export() {
    let mut times = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let into = tempfile::tempdir().unwrap();
        let files: &[(&str, &str, &[u8])] = &[("100644", "a", b"a"), ("100644", "b", b"b")];
        let exported = export(files, Limits::default(), into.path()).await;
        exported.unwrap();
        let time = |name: &str| {
            into.path()
                .join(name)
                .metadata()
                .unwrap()
                .modified()
                .unwrap()
        };
        assert_eq!(time("a"), time("b"));
        times.insert(time("a"));
    }
    assert_eq!(times.len(), 3, "{times:?}");
}

#[tokio::test]
async fn nothing_of_the_repository_is_run() {
    let into = tempfile::tempdir().unwrap();
    let trap = into.path().join("pwned");
    let attributes = b"* filter=evil\n* diff=evil\n* merge=evil\n";
    let config = format!(
        "[core]\n\tfsmonitor = touch {0}\n\thooksPath = .\n\tsshCommand = touch {0}\n[filter \"evil\"]\n\tsmudge = touch {0}\n\trequired = true\n",
        trap.display()
    );
    let hook = format!("#!/bin/sh\ntouch {}\n", trap.display());
    let modules = format!(
        "[submodule \"sub\"]\n\tpath = sub\n\turl = --upload-pack=touch {}\n\tupdate = !touch {}\n",
        trap.display(),
        trap.display()
    );
    let target = into.path().join("tree");
    let report = export(
        &[
            ("100644", ".gitattributes", attributes),
            ("100644", "config", config.as_bytes()),
            ("100644", ".gitconfig", config.as_bytes()),
            ("100755", "hooks/post-checkout", hook.as_bytes()),
            ("100755", "post-checkout", hook.as_bytes()),
            ("100755", "post-index-change", hook.as_bytes()),
            ("100755", "reference-transaction", hook.as_bytes()),
            ("100644", ".gitmodules", modules.as_bytes()),
            ("160000", "sub", "1".repeat(40).as_bytes()),
            (
                "100644",
                ".lfsconfig",
                b"[lfs]\n\turl = http://127.0.0.1:1/\n",
            ),
        ],
        Limits::default(),
        &target,
    )
    .await
    .unwrap();
    assert!(!trap.exists());
    assert_eq!(report.files, 9);
    assert_eq!(
        std::fs::read(target.join(".gitattributes")).unwrap(),
        attributes
    );
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_anything_is_written() {
    let into = tempfile::tempdir().unwrap();
    let target = into.path().join("tree");
    let files: Files<'_> = &[("100644", "a", b"12345"), ("100644", "b", b"12345")];
    let small = |bytes, count| Limits {
        export_bytes: bytes,
        export_files: count,
        ..Limits::default()
    };
    for limits in [small(9, 10), small(100, 1)] {
        let error = export(files, limits, &target).await.unwrap_err();
        assert!(
            matches!(error, SourceError::ExportTooLarge { .. }),
            "{error:?}"
        );
        assert!(error.hint().is_some());
        assert!(!target.exists());
    }
    export(files, small(10, 2), &target).await.unwrap();
    assert_eq!(files_below(&target).len(), 2);
}

#[tokio::test]
async fn a_tree_that_smuggles_git_folders_or_parents_is_refused() {
    use support::{git, git_with};
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    let blob = git_with(&repository, &["hash-object", "-w", "--stdin"], b"evil");
    let raw: Vec<u8> = (0..20)
        .map(|i| u8::from_str_radix(&blob[i * 2..i * 2 + 2], 16).unwrap())
        .collect();
    for name in ["..", ".git", ".GIT", "."] {
        let tree = [format!("100644 {name}\0").as_bytes(), &raw].concat();
        let tree = git_with(
            &repository,
            &["hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
            &tree,
        );
        let commit =
            format!("tree {tree}\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nx\n");
        let commit = git_with(
            &repository,
            &["hash-object", "-w", "-t", "commit", "--stdin"],
            commit.as_bytes(),
        );
        git(&repository, &["update-ref", "refs/heads/main", &commit]);
        let (mirrors, _root) = mirrors(Limits::default());
        let url = server.url("app.git");
        mirrors.sync(&url, None).await.unwrap();
        let head = mirrors.resolve(&url, "main").await.unwrap();
        let into = tempfile::tempdir().unwrap();
        let target = into.path().join("deep/tree");
        let error = mirrors.export(&url, &head, &target).await.expect_err(name);
        assert!(
            matches!(error, SourceError::Git { .. }),
            "{name}: {error:?}"
        );
        assert!(files_below(into.path()).is_empty(), "{name}");
    }
}
