//! A preview of a server whose addresses are `https`, with something in front that ends TLS: what is
//! said, set and passed on is for `https`. And nobody uses it for seven days: it goes, and its comment
//! says why.
//!
//! Seven days cannot be waited for, and nothing that Hermez offers makes them pass. So this journey,
//! and no other, looks into its server's database, a PostgreSQL of its own: it dates the preview's last
//! use back, as if the time had gone by.

use std::time::Instant;

use anyhow::{Context, Result};
use hermez_api::{
    AuditEntry, DeployState, DeploySummary, LoginLink, Page, Preview, PreviewState, PullRequest,
    SharedPreview, Workload,
};
use hermez_kinds::PinterestService;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::PROGRAM;
use crate::postgres::Postgres;
use crate::sandbox::Sandbox;
use crate::server::{Options, Server, free_port};
use crate::stage::{LIMIT, Stage};
use crate::visitor::{Answer, Shows, VISITOR, visit_behind_tls};
use crate::wait::until;

/// Where people reach Hermez, and below which host they reach previews.
const HERMEZ: &str = "https://hermez.test/";
const PREVIEWS: &str = "https://previews.test/";
/// The server's database.
const DATABASE: &str = "hermez";
/// Time without a visit after which a preview goes, where nobody said otherwise.
const EXPIRY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let postgres = Postgres::start().await?;
    postgres.create(DATABASE).await?;
    let previews_port = free_port()?;
    let arguments = [
        ("--database", postgres.url(DATABASE)),
        ("--public-url", HERMEZ.to_owned()),
        ("--preview-listen", format!("127.0.0.1:{previews_port}")),
        ("--preview-url", PREVIEWS.to_owned()),
    ];
    let arguments = arguments.into_iter();
    let options = Options {
        arguments: arguments
            .flat_map(|(flag, value)| [flag.to_owned(), value])
            .collect(),
        ..Options::default()
    };
    let server = Server::start(sandbox, options).await?;
    let journey = Journey {
        stage: Stage::open(sandbox, server.hermez()?, "unused").await?,
        postgres,
        hermez_port: server.port(),
        previews_port,
    };
    let result = journey.travel().await;
    let result = result.with_context(|| server.last_words());
    let cleaned = journey.stage.clean_up().await;
    let figures = result?;
    cleaned?;
    server.end().await?;
    Ok(figures)
}

struct Journey {
    stage: Stage,
    postgres: Postgres,
    hermez_port: u16,
    previews_port: u16,
}

/// A preview and the way into it.
struct Opened {
    number: i64,
    page: Url,
    /// The cookie of a browser that looks at it.
    cookie: String,
}

impl Journey {
    async fn travel(&self) -> Result<Value> {
        let (number, deploy) = self.bring_out().await?;
        let page = self.is_told_of(number, deploy).await?;
        let cookie = self.sign_in(&page).await?;
        let opened = Opened {
            number,
            page,
            cookie,
        };
        self.knows_of_tls(&opened).await?;
        let gone_ms = self.expires(&opened).await?;
        Ok(json!({ "journey": "unused-preview", "expired_to_gone_ms": gone_ms }))
    }

    /// A pull request that is deployed; the workload itself is not. Gives its number and its deploy.
    async fn bring_out(&self) -> Result<(i64, i64)> {
        let Stage {
            hermez,
            forge,
            clone,
            name,
            ..
        } = &self.stage;
        self.stage.sample(1).write(clone, "main\n")?;
        clone.write("server.pl", PROGRAM)?;
        clone.commit_and_push("Main page").await?;
        self.stage.create().await?;
        let workload: Workload = hermez.get(&format!("/workloads/{name}")).await?;
        let days = workload.previews.expiry_days;
        anyhow::ensure!(days == 7, "{:?}", workload.previews);

        clone.git(&["checkout", "--quiet", "-b", "topic"]).await?;
        clone.write("message.txt", "topic\n")?;
        clone.commit("Topic's page").await?;
        clone.push_to("topic").await?;
        let number = forge.open_pull(name, "topic", "Another page").await?;
        let path = format!("{}/deploys", self.path(number));
        let asked: DeploySummary = hermez.post(&path, &json!({})).await?;
        self.stage.ends(asked.id, DeployState::Succeeded).await?;
        Ok((number, asked.id))
    }

    /// What people are told leads to `https`; gives where the preview answers.
    async fn is_told_of(&self, number: i64, deploy: i64) -> Result<Url> {
        let preview = self.preview(number).await?;
        let page = preview.url.context("a URL")?;
        let expected = format!("https://{}.previews.test/", preview.instance);
        anyhow::ensure!(page == expected, "{page}");
        let words = [page.clone(), format!("{HERMEZ}deploys/{deploy}")];
        self.comment_says("the comment leads to https", number, |comment| {
            words.iter().all(|it| comment.contains(it))
        })
        .await?;
        let path = format!("{}/share", self.path(number));
        let shared: SharedPreview = self.stage.hermez.post(&path, &json!({})).await?;
        anyhow::ensure!(shared.url.starts_with(&page), "{}", shared.url);
        Ok(page.parse()?)
    }

    /// A browser is led to Hermez and back, over `https` all the way; gives its cookie.
    async fn sign_in(&self, page: &Url) -> Result<String> {
        let led = self.look(&page.join("/a?b=c")?, Shows::Nothing).await?;
        let door = led.location.clone().unwrap_or_default();
        let begin = format!("{HERMEZ}previews/open?");
        anyhow::ensure!(led.status == 303 && door.starts_with(&begin), "{led:?}");
        let door: Url = door.parse()?;
        let mut again = door.clone();
        again.query_pairs_mut().append_pair("again", "true");
        let login = self.ask_hermez(&again, Shows::Nothing).await?;
        let location = login.location.as_deref().unwrap_or_default();
        anyhow::ensure!(
            location.starts_with("/login?from=%2Fpreviews%2Fopen%3Finstance%3D"),
            "{login:?}"
        );

        let link: LoginLink = self.stage.hermez.post("/login-links", &json!({})).await?;
        anyhow::ensure!(link.url.starts_with(HERMEZ), "{}", link.url);
        let signed = self.ask_hermez(&link.url.parse()?, Shows::Nothing).await?;
        is_secure(&signed, "hermez_session")?;
        let session = signed.cookie.context("a session")?;

        let back = self.ask_hermez(&door, Shows::Cookie(&session)).await?;
        let ticket = back.location.clone().unwrap_or_default();
        anyhow::ensure!(ticket.starts_with(page.as_str()), "{back:?}");
        let entered = self.look(&ticket.parse()?, Shows::Nothing).await?;
        let to = entered.location.as_deref();
        anyhow::ensure!(to == Some("/a?b=c"), "{entered:?}");
        is_secure(&entered, "__Host-hermez_preview")?;
        entered.cookie.context("a cookie")
    }

    /// The preview is told how it was asked; and the cookie counts under the one name that only TLS
    /// can set.
    async fn knows_of_tls(&self, opened: &Opened) -> Result<()> {
        let headers = opened.page.join("/headers")?;
        let told = self.look(&headers, Shows::Cookie(&opened.cookie)).await?;
        let text = told.text.to_lowercase();
        let host = opened.page.host_str().context("a host")?;
        let words = [
            "x-forwarded-proto: https\r\n".to_owned(),
            format!("x-forwarded-host: {host}\r\n"),
            format!("x-forwarded-for: {VISITOR}, 127.0.0.1\r\n"),
        ];
        anyhow::ensure!(
            told.status == 200 && words.iter().all(|it| text.contains(it)),
            "{told:?}"
        );
        anyhow::ensure!(!text.contains("hermez_preview"), "{text}");
        anyhow::ensure!(told.cookie.is_none(), "it sets no cookie of ours: {told:?}");
        let plain = opened.cookie.strip_prefix("__Host-").context("its name")?;
        let outside = self.look(&opened.page, Shows::Cookie(plain)).await?;
        anyhow::ensure!(outside.status == 303, "{outside:?}");
        Ok(())
    }

    /// Almost seven days are not enough, a visit counts anew, and seven days are the end.
    async fn expires(&self, opened: &Opened) -> Result<u64> {
        let number = opened.number;
        let preview = self.preview(number).await?;
        let lives = preview.expires_at.duration_since(preview.last_used_at);
        anyhow::ensure!(lives == EXPIRY, "{preview:?}");

        let almost = EXPIRY - SignedDuration::from_mins(10);
        self.nobody_came_for(almost, &preview.instance).await?;
        let asleep = until("it sleeps, and is still there", LIMIT, || async {
            let preview = self.preview(number).await?;
            Ok((preview.state == PreviewState::Sleeping).then_some(preview))
        })
        .await?;
        anyhow::ensure!(asleep.expires_at > Timestamp::now(), "{asleep:?}");
        let shows = Shows::Cookie(&opened.cookie);
        let woken = visit_behind_tls(&opened.page, self.previews_port, shows, false).await?;
        anyhow::ensure!(woken.text == "topic\n", "{woken:?}");
        let used = self.preview(number).await?;
        anyhow::ensure!(used.expires_at > preview.expires_at, "{used:?}");

        self.nobody_came_for(EXPIRY, &preview.instance).await?;
        let begun = Instant::now();
        let namespace = &self.stage.name;
        let objects: Api<PinterestService> = Api::namespaced(self.stage.kube.clone(), namespace);
        until("its object is gone", LIMIT, || async {
            let object = objects.get_opt(&preview.instance).await?;
            Ok(object.is_none().then_some(()))
        })
        .await?;
        let took = begun.elapsed().as_millis() as u64;
        let why = "nobody used it for 7 days";
        self.comment_says("its comment says why", number, |comment| {
            comment.contains(&format!("removed, because {why}"))
                && !comment.contains(opened.page.as_str())
        })
        .await?;
        let pull: PullRequest = self.stage.hermez.get(&self.path(number)).await?;
        anyhow::ensure!(pull.preview.is_none(), "{pull:?}");
        let path = "/audit?action=preview.remove";
        let audit: Page<AuditEntry> = self.stage.hermez.get(path).await?;
        let is_it = |entry: &&AuditEntry| entry.detail["reason"] == why;
        let entries = audit.items.iter().filter(is_it);
        anyhow::ensure!(entries.count() == 1, "recorded once: {:?}", audit.items);
        Ok(took)
    }

    /// Dates the last use of a preview back by so much.
    async fn nobody_came_for(&self, time: SignedDuration, instance: &str) -> Result<()> {
        let statement = format!(
            "UPDATE preview SET last_used_at_ms = last_used_at_ms - {} WHERE instance = '{instance}'",
            time.as_millis()
        );
        let done = self.postgres.execute(DATABASE, &statement).await?;
        anyhow::ensure!(done == "UPDATE 1", "{statement}: {done}");
        Ok(())
    }

    /// What a browser is answered by the gateway.
    async fn look(&self, url: &Url, shows: Shows<'_>) -> Result<Answer> {
        visit_behind_tls(url, self.previews_port, shows, true).await
    }

    /// What a browser is answered by Hermez itself.
    async fn ask_hermez(&self, url: &Url, shows: Shows<'_>) -> Result<Answer> {
        visit_behind_tls(url, self.hermez_port, shows, true).await
    }

    fn path(&self, number: i64) -> String {
        format!("/workloads/{}/pull-requests/{number}", self.stage.name)
    }

    async fn preview(&self, number: i64) -> Result<Preview> {
        let pull: PullRequest = self.stage.hermez.get(&self.path(number)).await?;
        pull.preview.context("a preview")
    }

    /// Waits until what the pull request is told is so.
    async fn comment_says(
        &self,
        what: &str,
        number: i64,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let Stage { forge, name, .. } = &self.stage;
        let path = format!("/repos/{}/{name}/issues/{number}/comments", forge.user());
        until(what, LIMIT, || async {
            let all = forge.call(Method::GET, &path, None).await?;
            let mut all = all.as_array().into_iter().flatten();
            let said = all.any(|comment| comment["body"].as_str().is_some_and(&wanted));
            Ok(said.then_some(()))
        })
        .await
    }
}

/// Whether an answer sets the cookie of this name for its own host alone, and for TLS alone.
fn is_secure(answer: &Answer, name: &str) -> Result<()> {
    let set = answer.set_cookie.as_deref().unwrap_or_default();
    let words = ["; Secure", "; HttpOnly", "; Path=/"];
    anyhow::ensure!(
        set.starts_with(&format!("{name}="))
            && words.iter().all(|it| set.contains(it))
            && !set.contains("Domain"),
        "{answer:?}"
    );
    Ok(())
}
