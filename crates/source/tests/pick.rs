//! Cherry-picks and reverts: real merges, pushed as branches, and nothing left of what fails.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hermez_source::pick::{Direction, Pick, PickError, Picked};
use hermez_source::{CommitId, Limits, Mirrors, RepositoryUrl, SourceError};
use support::{GitServer, Push, files_below, git, mirrors};

struct Bench {
    _server: GitServer,
    _root: tempfile::TempDir,
    repository: PathBuf,
    mirrors: Mirrors,
    mirror: PathBuf,
    url: RepositoryUrl,
}

fn text(first: &str, fifth: &str) -> String {
    format!("{first}\n2\n3\n4\n{fifth}\n6\n7\n8\n9\n")
}

/// `main` is: the base, a feature in line 5, another file, a fix in line 1, more of the feature.
async fn bench() -> Bench {
    let server = GitServer::start().await;
    let repository = server.create("app.git");
    git(&repository, &["config", "http.receivepack", "true"]);
    let file = |first, fifth| text(first, fifth).into_bytes();
    Push::new()
        .commit("main", b"Base", &[("100644", "a.txt", &file("1", "5"))])
        .commit(
            "main",
            b"Feature",
            &[("100644", "a.txt", &file("1", "five"))],
        )
        .commit("main", b"Other file", &[("100644", "b.txt", b"b\n")])
        .commit(
            "main",
            b"Fix the first line\n\nIt was wrong.",
            &[("100644", "a.txt", &file("one", "five"))],
        )
        .commit(
            "main",
            b"More of the feature",
            &[("100644", "a.txt", &file("one", "FIVE"))],
        )
        .into(&repository);
    let (mirrors, root) = mirrors(Limits::default());
    let url = server.url("app.git");
    mirrors.sync(&url, None).await.unwrap();
    let mirror = root.path().join("mirrors");
    Bench {
        _server: server,
        _root: root,
        repository,
        mirrors,
        mirror,
        url,
    }
}

impl Bench {
    fn id(&self, revision: &str) -> CommitId {
        CommitId::parse(&git(&self.repository, &["rev-parse", revision])).unwrap()
    }

    async fn pick(
        &self,
        direction: Direction,
        base: &str,
        commits: &[&str],
    ) -> Result<Picked, PickError> {
        let base = self.id(base);
        let commits: Vec<CommitId> = commits.iter().map(|revision| self.id(revision)).collect();
        let pick = Pick {
            base: &base,
            commits: &commits,
            direction,
            by: "grace",
        };
        self.mirrors.pick(&self.url, pick).await
    }

    async fn push(&self, picked: &Picked, branch: &str) -> Result<(), PickError> {
        self.mirrors
            .push_branch(&self.url, picked, branch, None)
            .await
    }

    fn show(&self, what: &str) -> String {
        git(&self.repository, &["show", "-s", what])
    }

    fn read(&self, revision: &str, path: &str) -> String {
        let object = format!("{revision}:{path}");
        git(&self.repository, &["cat-file", "blob", &object])
    }
}

#[tokio::test]
async fn a_fix_is_picked_onto_what_runs_and_nothing_else_comes_along() {
    let bench = bench().await;
    let picked = bench
        .pick(Direction::Pick, "main~4", &["main~1"])
        .await
        .unwrap();
    bench.push(&picked, "hotfix/one").await.unwrap();
    assert_eq!(
        bench.read("hotfix/one", "a.txt"),
        text("one", "5").trim_end()
    );
    assert_eq!(bench.id("hotfix/one~1"), bench.id("main~4"));
    let files = git(&bench.repository, &["ls-tree", "--name-only", "hotfix/one"]);
    assert_eq!(files, "a.txt");
    let shown = git(
        &bench.repository,
        &["show", "-s", "--format=%an|%cn|%s|%b", "hotfix/one"],
    );
    let fix = bench.id("main~1");
    assert_eq!(
        shown,
        format!("Ada|grace|Fix the first line|It was wrong.\n\n(cherry picked from commit {fix})")
    );
    // Known to the mirror once it is fetched, as any branch.
    bench.mirrors.sync(&bench.url, None).await.unwrap();
    let resolved = bench.mirrors.resolve(&bench.url, "hotfix/one").await;
    assert_eq!(resolved.unwrap(), picked.head);
}

#[tokio::test]
async fn asked_twice_it_is_the_same_and_another_is_refused() {
    let bench = bench().await;
    let first = bench.pick(Direction::Pick, "main~4", &["main~1"]).await;
    let first = first.unwrap();
    bench.push(&first, "hotfix").await.unwrap();
    let again = bench.pick(Direction::Pick, "main~4", &["main~1"]).await;
    let again = again.unwrap();
    assert_eq!(again.head, first.head);
    bench.push(&again, "hotfix").await.unwrap();
    let other = bench.pick(Direction::Pick, "main~4", &["main~3"]).await;
    let refused = bench.push(&other.unwrap(), "hotfix").await.unwrap_err();
    assert!(
        matches!(&refused, PickError::BranchTaken { branch } if branch == "hotfix"),
        "{refused}"
    );
    assert_eq!(bench.id("hotfix"), first.head);
}

#[tokio::test]
async fn several_are_made_in_the_order_asked_for() {
    let bench = bench().await;
    let commits = ["main~3", "main~1", "main"];
    let picked = bench.pick(Direction::Pick, "main~4", &commits).await;
    bench.push(&picked.unwrap(), "all").await.unwrap();
    assert_eq!(bench.read("all", "a.txt"), text("one", "FIVE").trim_end());
    let count = git(&bench.repository, &["rev-list", "--count", "main~4..all"]);
    assert_eq!(count, "3");
}

#[tokio::test]
async fn a_conflict_names_files_and_hunks_and_leaves_nothing() {
    let bench = bench().await;
    let before = files_below(&bench.mirror);
    let commits = ["main~1", "main"];
    let error = bench.pick(Direction::Pick, "main~4", &commits).await;
    let error = error.unwrap_err();
    let PickError::Conflict {
        commit,
        title,
        files,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (commit, title.as_str()),
        (&bench.id("main"), "More of the feature")
    );
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].path, "a.txt");
    assert_eq!(
        files[0].message,
        "CONFLICT (content): Merge conflict in a.txt"
    );
    assert_eq!(files[0].hunks.len(), 1);
    assert_eq!(files[0].hunks[0].line, 5);
    assert_eq!(
        files[0].hunks[0].text,
        "<<<<<<< what runs\n5\n=======\nFIVE\n>>>>>>> the commit"
    );
    assert!(
        error.to_string().ends_with("a.txt is in conflict"),
        "{error}"
    );
    assert_eq!(files_below(&bench.mirror), before);
    assert!(bench.show("main").contains("More of the feature"));
}

#[tokio::test]
async fn a_change_of_a_file_that_is_not_there_is_a_conflict_without_hunks() {
    let bench = bench().await;
    Push::new()
        .onto(&bench.repository, "main")
        .commit("main", b"More of b", &[("100644", "b.txt", b"bb\n")])
        .into(&bench.repository);
    bench.mirrors.sync(&bench.url, None).await.unwrap();
    let error = bench.pick(Direction::Pick, "main~5", &["main"]).await;
    let error = error.unwrap_err();
    let PickError::Conflict { files, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(files[0].path, "b.txt");
    assert!(files[0].message.contains("modify/delete"), "{files:?}");
}

#[tokio::test]
async fn commits_that_cannot_be_picked_say_why() {
    let bench = bench().await;
    let pick = async |base: &str, commits: &[&str]| {
        bench
            .pick(Direction::Pick, base, commits)
            .await
            .unwrap_err()
    };
    let root = pick("main", &["main~4"]).await;
    assert!(matches!(root, PickError::Root { .. }), "{root}");
    let there = pick("main", &["main~1"]).await;
    assert!(matches!(there, PickError::Nothing { .. }), "{there}");
    let none = pick("main", &[]).await;
    assert!(matches!(none, PickError::Count { count: 0 }), "{none}");
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    let base = bench.id("main");
    let elsewhere = Pick {
        base: &base,
        commits: &[unknown],
        direction: Direction::Pick,
        by: "grace",
    };
    let error = bench.mirrors.pick(&bench.url, elsewhere).await.unwrap_err();
    assert!(
        matches!(
            &error,
            PickError::Source(SourceError::UnknownRevision { .. })
        ),
        "{error}"
    );
    let tree = git(&bench.repository, &["rev-parse", "main^{tree}"]);
    let merge = [
        "commit-tree",
        &tree,
        "-p",
        "main",
        "-p",
        "main~2",
        "-m",
        "Merge",
    ];
    let merge = git(&bench.repository, &merge);
    git(&bench.repository, &["branch", "merged", &merge]);
    bench.mirrors.sync(&bench.url, None).await.unwrap();
    let error = pick("main~4", &["merged"]).await;
    assert!(
        matches!(error, PickError::Merge { parents: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_commit_is_taken_back() {
    let bench = bench().await;
    let picked = bench.pick(Direction::Revert, "main", &["main~1"]).await;
    bench.push(&picked.unwrap(), "revert/one").await.unwrap();
    assert_eq!(
        bench.read("revert/one", "a.txt"),
        text("1", "FIVE").trim_end()
    );
    let title = git(
        &bench.repository,
        &["show", "-s", "--format=%s", "revert/one"],
    );
    assert_eq!(title, "Revert \"Fix the first line\"");
    let error = bench.pick(Direction::Revert, "main", &["main~3"]).await;
    assert!(matches!(error.unwrap_err(), PickError::Conflict { .. }));
}

#[tokio::test]
async fn a_server_that_refuses_says_why() {
    let bench = bench().await;
    let hook = bench.repository.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    write_hook(
        &hook,
        "#!/bin/sh\necho 'hotfix branches are protected' >&2\nexit 1\n",
    );
    let picked = bench.pick(Direction::Pick, "main~4", &["main~1"]).await;
    let error = bench.push(&picked.unwrap(), "hotfix").await.unwrap_err();
    let PickError::Refused { message, .. } = &error else {
        panic!("{error}");
    };
    assert!(
        message.contains("hotfix branches are protected"),
        "{message}"
    );
}

fn write_hook(path: &Path, script: &str) {
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
