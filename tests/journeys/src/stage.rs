//! What most journeys begin and end with: a repository and a workload of their own, a server, and
//! nothing left of them afterwards.

use std::time::Duration;

use anyhow::Result;
use hermez_api::{
    CreatedToken, Deploy, DeployState, DeploySummary, Me, Principal, Problem, Receipt,
};
use serde::Serialize;
use serde_json::json;

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, Refused, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::wait::until;

/// Longest time for a build or a rollout of the sample.
pub const LIMIT: Duration = Duration::from_mins(5);

/// A workload of a journey's own; its name is also that of its repository and its namespace.
pub struct Stage {
    /// The server.
    pub hermez: Hermez,
    /// The forge.
    pub forge: Forge,
    /// A clone of the workload's repository.
    pub clone: Clone,
    /// The workload.
    pub name: String,
    /// Its repository.
    pub url: String,
    /// The cluster, as its administrator.
    pub kube: kube::Client,
}

impl Stage {
    /// A new and empty repository, whose name begins with `prefix`, for a workload on that server.
    ///
    /// # Errors
    /// When the forge refuses.
    pub async fn open(sandbox: &Sandbox, hermez: Hermez, prefix: &str) -> Result<Self> {
        let forge = sandbox.forge()?;
        let (name, url, clone) = Clone::of_new(&forge, prefix).await?;
        Ok(Self {
            hermez,
            forge,
            clone,
            name,
            url,
            kube: sandbox.kube().await?,
        })
    }

    /// The sample under this workload's name.
    pub fn sample(&self, replicas: u32) -> Sample<'_> {
        Sample {
            name: &self.name,
            namespace: &self.name,
            replicas,
            ready_after_s: 0,
            extra_step: "",
        }
    }

    /// Creates the workload from `service.yaml`.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn create(&self) -> Result<()> {
        let ask = ask(&self.url, "service.yaml");
        self.hermez.create_workload(&ask).await?;
        Ok(())
    }

    /// Commits everything with this message for the page, and pushes it.
    ///
    /// # Errors
    /// When git or the forge refuses.
    pub async fn push(&self, message: &str) -> Result<String> {
        self.clone.write("message.txt", format!("{message}\n"))?;
        self.clone.commit_and_push(message).await
    }

    /// A new person with that role, signed in, and their name, which begins with `who`.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn somebody(&self, who: &str, role: &str) -> Result<(Hermez, String)> {
        let name = format!("{who}-of-{}", self.name);
        let body = json!({ "name": name, "role": role });
        let made: Principal = self.hermez.post("/principals", &body).await?;
        anyhow::ensure!(made.role == role, "{made:?}");
        let path = format!("/principals/{name}/tokens");
        let body = json!({ "name": "a journey" });
        let token: CreatedToken = self.hermez.post(&path, &body).await?;
        let somebody = self.hermez.signed_in_with(&token.secret);
        let me: Me = somebody.get("/me").await?;
        anyhow::ensure!(me.name == name && me.role == role, "{me:?}");
        Ok((somebody, name))
    }

    /// Asks for a deploy.
    ///
    /// # Errors
    /// [`Refused`] when the server refuses.
    pub async fn deploy(&self, commit: &str) -> Result<DeploySummary> {
        self.hermez.deploy(&self.name, commit).await
    }

    /// Waits for a deploy to end in this state.
    ///
    /// # Errors
    /// When it ends otherwise, or not in time.
    pub async fn ends(&self, id: i64, state: DeployState) -> Result<Deploy> {
        let deploy = self.hermez.deploy_ends(id, LIMIT).await?;
        anyhow::ensure!(deploy.summary.state == state, "not {state:?}: {deploy:#?}");
        Ok(deploy)
    }

    /// Waits until a deploy is in this state and says this.
    ///
    /// # Errors
    /// When it ends before, or does not come there in time.
    pub async fn says(&self, id: i64, state: DeployState, words: &str) -> Result<Deploy> {
        let what = format!("deploy {id} says `{words}`");
        until(&what, LIMIT, || async {
            let deploy: Deploy = self.hermez.get(&format!("/deploys/{id}")).await?;
            let is_there = deploy.summary.state == state && deploy.summary.message.contains(words);
            anyhow::ensure!(
                is_there || !deploy.summary.state.is_over(),
                "it ended before it said `{words}`: {deploy:#?}"
            );
            Ok(is_there.then_some(deploy))
        })
        .await
    }

    /// The receipt of a deploy that failed.
    ///
    /// # Errors
    /// [`Refused`] when there is none.
    pub async fn receipt(&self, id: i64) -> Result<Receipt> {
        self.hermez.get(&format!("/deploys/{id}/receipt")).await
    }

    /// Puts `body` at `path`, and expects to be refused with this status; gives the problem.
    ///
    /// # Errors
    /// When it is taken, or refused otherwise.
    pub async fn put_refused<B: Serialize + Sync>(
        &self,
        path: &str,
        body: &B,
        status: u16,
    ) -> Result<Problem> {
        let answer = self.hermez.put::<_, serde_json::Value>(path, body).await;
        refused(answer, status)
    }

    /// Posts `body` to `path`, and expects to be refused with this status; gives the problem.
    ///
    /// # Errors
    /// When it is taken, or refused otherwise.
    pub async fn post_refused<B: Serialize + Sync>(
        &self,
        path: &str,
        body: &B,
        status: u16,
    ) -> Result<Problem> {
        let answer = self.hermez.post::<_, serde_json::Value>(path, body).await;
        refused(answer, status)
    }

    /// Takes the workload, its repository and its namespace away.
    ///
    /// # Errors
    /// When one of them is still there.
    pub async fn clean_up(&self) -> Result<()> {
        self.hermez
            .delete(&format!("/workloads/{}", self.name))
            .await?;
        self.forge.delete_repository(&self.name).await?;
        let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
            kube::Api::all(self.kube.clone());
        let delete = kube::api::DeleteParams::default();
        match namespaces.delete(&self.name, &delete).await {
            Ok(_) => Ok(()),
            // Nothing of it came as far as the cluster.
            Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn refused(answer: Result<serde_json::Value>, status: u16) -> Result<Problem> {
    match answer.map_err(anyhow::Error::downcast::<Refused>) {
        Err(Ok(refused)) if refused.status == status => Ok(refused.problem),
        other => anyhow::bail!("expected {status}: {other:?}"),
    }
}
