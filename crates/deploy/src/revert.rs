//! After a rollback: what was left is taken back in the repository, as a pull request in the forge.
//!
//! A rollback changes what runs, and nothing in the repository: the next deploy of its branch would
//! bring the same out again. Nothing is pushed before every commit can be taken back. A request that
//! was cut short after the push, or after the pull request was opened, is asked again and ends with
//! the same pull request: branch and pull request are found by the branch's name.

use std::fmt::Write as _;

use hermez_api::{DeployKind, Revert};
use hermez_source::forge::{NewPullRequest, PullRequest};
use hermez_source::pick::{Direction, MAX_PICKS, Pick, PickError, Picked};
use hermez_source::{Commit, CommitId, RepositoryUrl};
use hermez_store::{DeployRecord, RepositoryRecord, StoreError, WorkloadRecord};
use jiff::Timestamp;
use url::Url;

use crate::hotfix::{changed, not_now, parse};
use crate::preview::news::{plain, under};
use crate::{Road, RoadError};

/// Commits that are looked at: merges and what the branch does not have are left out of them.
const LOOK_AT: usize = 500;
/// Most characters of a title that is cited.
const TITLE: usize = 120;

/// Name of the branch of a rollback's revert.
pub fn branch_of(workload: &str, rollback: i64) -> String {
    format!("revert/{workload}-deploy-{rollback}")
}

/// The commits that are to be taken back, newest first and each once: those that `left` brought,
/// without merges and without those that the branch does not have.
fn to_take_back(brought: Vec<Commit>, not_on_branch: &[CommitId]) -> Vec<Commit> {
    let mut wanted: Vec<Commit> = Vec::with_capacity(brought.len());
    for commit in brought {
        let is_plain = commit.parents.len() == 1;
        let is_there = !not_on_branch.contains(&commit.id);
        if is_plain && is_there && wanted.iter().all(|other| other.id != commit.id) {
            wanted.push(commit);
        }
    }
    wanted
}

/// The commit that this one was picked from, as `git cherry-pick -x` and hotfixes write it down.
fn picked_from(body: &str) -> Option<CommitId> {
    body.lines().rev().find_map(|line| {
        let rest = line.trim().strip_prefix("(cherry picked from commit ")?;
        CommitId::parse(rest.strip_suffix(')')?).ok()
    })
}

/// What the pull request is about.
struct Words<'a> {
    rollback: &'a DeployRecord,
    left: &'a DeployRecord,
    target: &'a DeployRecord,
    commits: &'a [Commit],
    by: &'a str,
    hermez: &'a Url,
}

fn cited(text: &str) -> String {
    let text: String = text.chars().take(TITLE).collect();
    plain(&text).trim().to_owned()
}

impl Words<'_> {
    fn title(&self) -> String {
        match self.commits {
            [one] => format!("Revert \"{}\"", cited(&one.title)),
            many => format!(
                "Revert {} commits of deploy {} of {}",
                many.len(),
                self.left.id,
                self.left.workload
            ),
        }
    }

    fn body(&self) -> String {
        let deploy = |id: i64| {
            let page = under(self.hermez, &format!("deploys/{id}"));
            format!("[deploy {id}]({page})")
        };
        let Words {
            rollback,
            left,
            target,
            ..
        } = self;
        let mut body = format!(
            "`{}` was rolled back from {} to {} by {} ({}), so that what runs is older than this branch.",
            left.workload,
            deploy(left.id),
            deploy(target.id),
            cited(&rollback.requested_by),
            deploy(rollback.id),
        );
        let said = rollback.reason.as_deref().map(cited);
        if let Some(reason) = said.filter(|reason| !reason.is_empty()) {
            let _ = write!(body, "\n\nReason: {reason}");
        } else if left.failure_cause.is_some() {
            let _ = write!(body, "\n\nIt failed: {}", cited(&left.message));
        }
        body.push_str("\n\nThis takes back, newest first:\n\n");
        for commit in self.commits {
            let _ = writeln!(
                body,
                "- {} {} ({})",
                commit.id,
                cited(&commit.title),
                cited(&commit.author)
            );
        }
        let _ = write!(
            body,
            "\nProposed by {}. Automatic deploys of `{}` wait until its pin is taken off: `hermez unpin {}`.\n",
            cited(self.by),
            left.workload,
            left.workload
        );
        body
    }
}

/// Where a revert is made.
struct Bench {
    repository: RepositoryRecord,
    url: RepositoryUrl,
    base_branch: String,
    branch: String,
}

impl Road {
    /// Proposes a pull request that takes back what this rollback left. Asked twice it is the same
    /// one.
    ///
    /// # Errors
    /// [`RoadError::NotNow`] where the deploy is no rollback, nothing is left to take back, or the
    /// repository has no forge; [`RoadError::Revert`] with files and hunks where a commit cannot be
    /// taken back; those of the forge.
    pub async fn propose_revert(&self, deploy_id: i64, by: &str) -> Result<Revert, RoadError> {
        let store = &self.parts().store;
        let rollback = self.deploy(deploy_id).await?;
        if rollback.kind != DeployKind::Rollback {
            return Err(not_now(
                format!("deploy {deploy_id} is no rollback, so that there is nothing to revert"),
                "name a rollback: hermez history --kind rollback",
            ));
        }
        if let Some(revert) = store.revert(deploy_id).await? {
            return Ok(revert);
        }
        let (Some(left), Some(target)) = (rollback.mends, rollback.of_deploy) else {
            return Err(not_now(
                format!("what deploy {deploy_id} left is not known"),
                "revert the commits by hand, on a branch",
            ));
        };
        let (left, target) = (self.deploy(left).await?, self.deploy(target).await?);
        let workload = store.workload_by_id(rollback.workload_id).await?;
        let workload = workload.ok_or_else(|| StoreError::NotFound {
            what: "workload",
            key: rollback.workload.clone(),
        })?;
        let (repository, url) = self.repository_of(&workload).await?;
        // Before anything is pushed: without a forge there is nobody to propose it to.
        let forge = self.forge_for(&url)?;
        self.sync(repository.id).await?;
        let bases = self.base_branches(&workload, &url).await?;
        let mut bench = Bench {
            base_branch: String::new(),
            branch: branch_of(&workload.name, deploy_id),
            repository,
            url,
        };
        let mut commits = Vec::new();
        for base in &bases {
            bench.base_branch.clone_from(base);
            commits = self.commits_to_take_back(&bench, &left, &target).await?;
            if !commits.is_empty() {
                break;
            }
        }
        if commits.is_empty() {
            return Err(not_now(
                format!(
                    "nothing that deploy {} brought and deploy {} did not is on {}",
                    left.id,
                    target.id,
                    bases.join(" or ")
                ),
                "there is nothing to take back; look at what changed: hermez diff",
            ));
        }
        let (commit, commits) = self.branch_with(&bench, commits, by).await?;
        let words = Words {
            rollback: &rollback,
            left: &left,
            target: &target,
            commits: &commits,
            by,
            hermez: &self.parts().public_url,
        };
        let new = NewPullRequest {
            title: words.title(),
            body: words.body(),
            head: bench.branch.clone(),
            base: bench.base_branch.clone(),
        };
        let PullRequest {
            number, html_url, ..
        } = forge.ensure_pull_request(&bench.url, &new).await?;
        let revert = Revert {
            pull_request: number,
            url: html_url,
            branch: bench.branch,
            base_branch: bench.base_branch,
            commit: commit.to_string(),
            commits: commits.into_iter().map(changed).collect(),
            left_deploy: left.id,
            by: by.to_owned(),
            at: Timestamp::now(),
        };
        Ok(store.keep_revert(deploy_id, &revert).await?)
    }

    /// The branches that would bring the same out again, the likelier first: the one whose pushes are
    /// deployed, and the default one.
    async fn base_branches(
        &self,
        workload: &WorkloadRecord,
        url: &RepositoryUrl,
    ) -> Result<Vec<String>, RoadError> {
        let mirrors = &self.parts().mirrors;
        let mut bases = Vec::new();
        if let Some(automatic) = &workload.auto_deploy {
            let branches = mirrors.branches(url).await?;
            let found = branches.into_iter().map(|branch| branch.name);
            bases.extend(found.filter(|name| name == automatic));
        }
        let default = mirrors.default_branch(url).await?;
        if !bases.contains(&default) {
            bases.push(default);
        }
        Ok(bases)
    }

    /// The commit that this one was picked from, where the branch has it.
    async fn origin_of(
        &self,
        url: &RepositoryUrl,
        head: &CommitId,
        commit: &Commit,
    ) -> Result<Option<Commit>, RoadError> {
        let Some(id) = picked_from(&commit.body) else {
            return Ok(None);
        };
        let mirrors = &self.parts().mirrors;
        let Some(origin) = mirrors.commits_by_id(url, &[id]).await?.pop() else {
            return Ok(None);
        };
        let missing = mirrors.commits_between(url, head, &origin.id, 1).await?;
        Ok(missing.is_empty().then_some(origin))
    }

    /// The commits that this base branch has and that are to be taken back.
    async fn commits_to_take_back(
        &self,
        bench: &Bench,
        left: &DeployRecord,
        target: &DeployRecord,
    ) -> Result<Vec<Commit>, RoadError> {
        let mirrors = &self.parts().mirrors;
        let (old, new) = (parse(&target.commit)?, parse(&left.commit)?);
        let head = self.head(bench).await?;
        let url = &bench.url;
        let mut brought = mirrors.commits_between(url, &old, &new, LOOK_AT).await?;
        let beside = mirrors.commits_between(url, &head, &new, LOOK_AT).await?;
        let beside: Vec<CommitId> = beside.into_iter().map(|commit| commit.id).collect();
        // A hotfix is a branch of its own; what it was made of is on this one.
        for commit in brought.iter_mut().filter(|it| beside.contains(&it.id)) {
            if let Some(origin) = self.origin_of(url, &head, commit).await? {
                *commit = origin;
            }
        }
        let commits = to_take_back(brought, &beside);
        if commits.len() > MAX_PICKS {
            return Err(not_now(
                format!(
                    "{} commits lie between deploys {} and {}; at most {MAX_PICKS} are taken back at once",
                    commits.len(),
                    target.id,
                    left.id
                ),
                "revert the one that is wrong by hand, on a branch",
            ));
        }
        Ok(commits)
    }

    async fn head(&self, bench: &Bench) -> Result<CommitId, RoadError> {
        let name = format!("refs/heads/{}", bench.base_branch);
        Ok(self.parts().mirrors.resolve(&bench.url, &name).await?)
    }

    /// The branch with the commits taken back: the one that an earlier request has pushed, or a new
    /// one. Gives its newest commit and what it takes back.
    async fn branch_with(
        &self,
        bench: &Bench,
        mut commits: Vec<Commit>,
        by: &str,
    ) -> Result<(CommitId, Vec<Commit>), RoadError> {
        let mirrors = &self.parts().mirrors;
        let branches = mirrors.branches(&bench.url).await?;
        if let Some(there) = branches.into_iter().find(|it| it.name == bench.branch) {
            return Ok((there.head, commits));
        }
        let base = self.head(bench).await?;
        let picked: Picked = loop {
            let ids: Vec<CommitId> = commits.iter().map(|commit| commit.id.clone()).collect();
            let pick = Pick {
                base: &base,
                commits: &ids,
                direction: Direction::Revert,
                by,
            };
            match mirrors.pick(&bench.url, pick).await {
                Ok(picked) => break picked,
                // Somebody has taken it back already.
                Err(PickError::Nothing { commit, .. }) if commits.len() > 1 => {
                    commits.retain(|other| other.id != commit);
                }
                Err(PickError::Nothing { .. }) => {
                    return Err(not_now(
                        format!("{} has taken it back already", bench.base_branch),
                        "deploy its newest commit: hermez deploy --latest",
                    ));
                }
                Err(PickError::Source(error)) => return Err(error.into()),
                Err(error) => return Err(RoadError::Revert(error)),
            }
        };
        let (repository, url) = (&bench.repository, &bench.url);
        self.push(repository, url, &picked, &bench.branch)
            .await
            .map_err(|error| match error {
                RoadError::Pick(error) if !matches!(error, PickError::Source(_)) => {
                    RoadError::Revert(error)
                }
                error => error,
            })?;
        Ok((picked.head, commits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::mk_deploy;
    use hermez_api::DeployState;

    fn mk(digit: &str, title: &str, parents: usize) -> Commit {
        Commit {
            id: CommitId::parse(&digit.repeat(40)).unwrap(),
            title: title.to_owned(),
            body: String::new(),
            author: "Ada".to_owned(),
            author_email: "ada@example.com".to_owned(),
            committed_at: Timestamp::UNIX_EPOCH,
            parents: vec![CommitId::parse(&"0".repeat(40)).unwrap(); parents],
        }
    }

    #[test]
    fn merges_and_what_the_branch_does_not_have_are_left_out() {
        let brought = vec![
            mk("d", "fix", 1),
            mk("c", "merge", 2),
            mk("b", "elsewhere", 1),
            mk("a", "first", 0),
        ];
        let beside = [CommitId::parse(&"b".repeat(40)).unwrap()];
        let titles: Vec<_> = to_take_back(brought, &beside)
            .into_iter()
            .map(|commit| commit.title)
            .collect();
        assert_eq!(titles, ["fix"]);
        let twice = vec![mk("d", "fix", 1), mk("d", "fix", 1)];
        assert_eq!(to_take_back(twice, &[]).len(), 1);
    }

    #[test]
    fn a_pick_names_the_commit_that_it_was_made_of() {
        let (one, other) = ("a".repeat(40), "b".repeat(40));
        let picked = |body: &str| picked_from(body).map(|id| id.to_string());
        let line = |id: &str| format!("(cherry picked from commit {id})");
        assert_eq!(picked(&line(&one)), Some(one.clone()));
        let body = format!("It was wrong.\n\n{}\n{}\n", line(&one), line(&other));
        assert_eq!(picked(&body), Some(other), "the last pick counts");
        for none in ["", "(cherry picked from commit abc)", one.as_str()] {
            assert_eq!(picked(none), None, "{none}");
        }
    }

    #[test]
    fn the_words_say_why_and_what_and_mention_nobody() {
        let deploy = |id| {
            let mut deploy = mk_deploy(DeployState::Succeeded);
            deploy.id = id;
            deploy.workload = "hello".to_owned();
            deploy
        };
        let (mut rollback, left, target) = (deploy(12), deploy(11), deploy(9));
        rollback.requested_by = "ada".to_owned();
        rollback.reason = Some("it greets @all\nwrongly".to_owned());
        let commits = [mk("d", "Greet `[everybody](http://evil)` @team", 1)];
        let hermez = Url::parse("http://hermez.test/h/").unwrap();
        let words = Words {
            rollback: &rollback,
            left: &left,
            target: &target,
            commits: &commits,
            by: "bob",
            hermez: &hermez,
        };
        assert!(
            words.title().starts_with("Revert \"Greet"),
            "{}",
            words.title()
        );
        let body = words.body();
        for wanted in [
            "`hello` was rolled back from [deploy 11](http://hermez.test/h/deploys/11)",
            "to [deploy 9](http://hermez.test/h/deploys/9) by ada",
            "Reason: it greets  all wrongly",
            &"d".repeat(40),
            "Proposed by bob",
            "hermez unpin hello",
        ] {
            assert!(body.contains(wanted), "`{wanted}` is missing: {body}");
        }
        assert!(
            !body.contains('@') && !body.contains("](http://evil"),
            "{body}"
        );
        let many = [mk("d", "a", 1), mk("e", "b", 1)];
        let words = Words {
            commits: &many,
            ..words
        };
        assert_eq!(words.title(), "Revert 2 commits of deploy 11 of hello");
    }
}
