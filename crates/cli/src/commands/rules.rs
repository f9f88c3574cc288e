//! `hermez rules …`, `freeze …`, `lock` and `unlock`; `deploys approve` and `reject`.

use clap::{ArgGroup, Subcommand};
use hermez_api::{
    ApprovalRule, CreateApproval, CreateFreeze, CreateFreezeException, CreateLock, CreateRejection,
    DeployKind, DeploySummary, DeployWindow, DeployWindows, Freeze, Me, ScopeRules, Weekday,
    WorkloadLock,
};
use jiff::{SignedDuration, Timestamp};

use crate::app::{self, App};
use crate::args::Limit;
use crate::choose;
use crate::error::CliError;
use crate::print;
use crate::views;

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the rules of a workload, and what they would say to your deploy now
    Show(ShowArgs),
    /// Set or clear when deploys may begin
    #[command(subcommand)]
    Window(WindowCommand),
    /// Set or clear who must approve deploys
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
}

/// Arguments of `rules show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Show what is set for this project instead
    #[arg(long, conflicts_with = "workload")]
    project: Option<String>,
}

/// What rules are set for.
#[derive(Debug, clap::Args)]
pub struct Of {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// All workloads of this project instead
    #[arg(long, conflicts_with = "workload")]
    project: Option<String>,
}

/// What to do with windows.
#[derive(Debug, Subcommand)]
pub enum WindowCommand {
    /// Set when deploys may begin; outside of it they wait
    Set {
        /// What it is set for
        #[command(flatten)]
        of: Of,
        /// Days and times, for example "Mon-Fri 09:00-17:00"; may be given several times
        #[arg(long, value_name = "WINDOW", required = true, value_parser = window)]
        window: Vec<DeployWindow>,
        /// Time zone whose clocks count, for example Europe/Berlin
        #[arg(long, value_name = "ZONE")]
        zone: String,
    },
    /// Let deploys begin at any time
    Clear {
        /// What it is set for
        #[command(flatten)]
        of: Of,
    },
}

/// What to do with approvals.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// Set how many must approve a deploy, and who may
    #[command(group = ArgGroup::new("who").args(["from", "role"]).required(true))]
    Set {
        /// What it is set for
        #[command(flatten)]
        of: Of,
        /// Approvals that a deploy needs
        #[arg(long, value_name = "N", default_value_t = 1)]
        count: u32,
        /// Names of those who may approve, with commas
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        from: Vec<String>,
        /// Everybody with this role may approve
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// Rollbacks need approvals, too
        #[arg(long)]
        rollbacks: bool,
    },
    /// Let deploys begin without approvals
    Clear {
        /// What it is set for
        #[command(flatten)]
        of: Of,
    },
}

/// What to do with freezes.
#[derive(Debug, Subcommand)]
pub enum FreezeCommand {
    /// Freeze the deploys of a project, or all
    Create {
        /// Project [default: everything]
        #[arg(long)]
        project: Option<String>,
        /// When it begins: a time (RFC 3339), or in how long (30m, 12h, 2d) [default: now]
        #[arg(long, value_name = "TIME", value_parser = later)]
        from: Option<Timestamp>,
        /// When it is over, likewise [default: when somebody ends it]
        #[arg(long, value_name = "TIME", value_parser = later)]
        until: Option<Timestamp>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List freezes, newest first
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
        /// How many to list
        #[command(flatten)]
        limit: Limit,
    },
    /// End a freeze
    End {
        /// Number of the freeze
        #[arg(value_name = "FREEZE")]
        id: i64,
    },
    /// Let a workload, or one deploy, through a freeze
    #[command(group = ArgGroup::new("what").args(["workload", "deploy"]).required(true))]
    Except {
        /// Number of the freeze
        #[arg(value_name = "FREEZE")]
        id: i64,
        /// Workload that may be deployed as long as the freeze lasts
        #[arg(long, short)]
        workload: Option<String>,
        /// The one deploy that may begin
        #[arg(long, value_name = "DEPLOY")]
        deploy: Option<i64>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Arguments of `lock`.
#[derive(Debug, clap::Args)]
pub struct LockArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Why nobody else is to deploy it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When the lock comes off by itself: a time (RFC 3339), or in how long (30m, 12h, 2d)
    #[arg(long, value_name = "TIME", value_parser = later)]
    until: Option<Timestamp>,
}

/// Arguments of `unlock`.
#[derive(Debug, clap::Args)]
pub struct UnlockArgs {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Take it off also if it is somebody else's, which is on record
    #[arg(long = "break")]
    break_it: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Mon),
    ("tue", Weekday::Tue),
    ("wed", Weekday::Wed),
    ("thu", Weekday::Thu),
    ("fri", Weekday::Fri),
    ("sat", Weekday::Sat),
    ("sun", Weekday::Sun),
];

fn day(text: &str) -> Option<usize> {
    let lower = text.trim().to_lowercase();
    DAYS.iter().position(|(name, _)| *name == lower)
}

/// `Mon-Fri 09:00-17:00`, `Mon,Wed 22:00-02:00`, `daily 09:00-17:00`.
fn window(text: &str) -> Result<DeployWindow, String> {
    let wrong = || "write days and times like \"Mon-Fri 09:00-17:00\"".to_owned();
    let (days, times) = text.trim().rsplit_once(' ').ok_or_else(wrong)?;
    let (from, to) = times.split_once('-').ok_or_else(wrong)?;
    let mut on = [false; 7];
    if days.trim().eq_ignore_ascii_case("daily") {
        on = [true; 7];
    } else {
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let first = day(first).ok_or_else(wrong)?;
            let last = day(last).ok_or_else(wrong)?;
            let mut number = first;
            on[number] = true;
            while number != last {
                number = (number + 1) % 7;
                on[number] = true;
            }
        }
    }
    let days = DAYS.iter().zip(on).filter(|(_, on)| *on);
    Ok(DeployWindow {
        days: days.map(|((_, day), _)| *day).collect(),
        from: from.to_owned(),
        to: to.to_owned(),
    })
}

/// A time, or in how long.
fn later(text: &str) -> Result<Timestamp, String> {
    later_at(text, Timestamp::now())
}

fn later_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong =
        || "write a time like 2026-11-24T10:00:00Z, or in how long: 30m, 12h, 2d".to_owned();
    let unit = text.chars().last().unwrap_or_default();
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 0,
    };
    let count: Option<i64> = text.trim_end_matches(unit).parse().ok();
    let seconds = count.and_then(|count| count.checked_mul(seconds));
    let seconds = seconds.filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
    now.checked_add(SignedDuration::from_secs(seconds))
        .map_err(|_| wrong())
}

/// The address of what rules are set for, and its name for people.
async fn address(app: &App, of: Of) -> Result<(&'static str, String, String), CliError> {
    if let Some(project) = of.project {
        return Ok(("projects", project.clone(), format!("project {project}")));
    }
    let name = choose::workload(app, of.workload).await?;
    Ok(("workloads", name.clone(), name))
}

/// Runs `rules …`.
pub async fn run(app: &App, command: Command) -> Result<(), CliError> {
    match command {
        Command::Show(ShowArgs {
            project: Some(project),
            ..
        }) => {
            let path = ["projects", project.as_str(), "rules"];
            let answer = app.client.get(&path, &[]).await?;
            app.show(&answer, |rules: &ScopeRules, page| {
                views::rules::scope(rules, page)
            })
        }
        Command::Show(args) => {
            let name = choose::workload(app, args.workload).await?;
            let path = ["workloads", name.as_str(), "rules"];
            let answer = app.client.get(&path, &[]).await?;
            if app.json() {
                return print::json(&answer.value);
            }
            let me: Me = app.client.get(&["me"], &[]).await?.read()?;
            let text = views::rules::show(&answer.read()?, &me.role, &app::page());
            print::raw(&text)
        }
        Command::Window(WindowCommand::Set { of, window, zone }) => {
            let (kind, name, shown) = address(app, of).await?;
            let body = DeployWindows {
                time_zone: zone,
                windows: window,
            };
            let path = [kind, name.as_str(), "rules", "windows"];
            let answer = app.client.put(&path, &body).await?;
            let set = views::rules::windows(&body);
            let sentence = format!("Deploys of {shown} begin {set}; outside of it they wait.");
            app.done(&answer, &print::cell(&sentence))
        }
        Command::Window(WindowCommand::Clear { of }) => {
            let (kind, name, shown) = address(app, of).await?;
            let path = [kind, name.as_str(), "rules", "windows"];
            let answer = app.client.delete(&path).await?;
            let sentence = format!("No window is set for {shown}.");
            app.done(&answer, &print::cell(&sentence))
        }
        Command::Approvals(ApprovalsCommand::Set {
            of,
            count,
            from,
            role,
            rollbacks,
        }) => {
            let (kind, name, shown) = address(app, of).await?;
            let body = ApprovalRule {
                count,
                people: from,
                role,
                rollback_needs_approval: rollbacks,
            };
            let path = [kind, name.as_str(), "rules", "approvals"];
            let answer = app.client.put(&path, &body).await?;
            let rule = views::rules::approvals(&body);
            app.done(
                &answer,
                &print::cell(&format!("Deploys of {shown} need {rule}.")),
            )
        }
        Command::Approvals(ApprovalsCommand::Clear { of }) => {
            let (kind, name, shown) = address(app, of).await?;
            let path = [kind, name.as_str(), "rules", "approvals"];
            let answer = app.client.delete(&path).await?;
            let sentence = format!("No approvals are set for {shown}.");
            app.done(&answer, &print::cell(&sentence))
        }
    }
}

/// Runs `freeze …`.
pub async fn freeze(app: &App, command: FreezeCommand) -> Result<(), CliError> {
    match command {
        FreezeCommand::Create {
            project,
            from,
            until,
            reason,
        } => {
            let body = CreateFreeze {
                project,
                from,
                until,
                reason,
            };
            let answer = app.client.post_work(&["freezes"], &body).await?;
            let freeze: Freeze = answer.read()?;
            let sentence = frozen(&freeze, &app::page());
            app.done(&answer, &print::cell(&sentence))
        }
        FreezeCommand::List { all, limit } => {
            let query = [("all", all.to_string())];
            let answer = app.client.list(&["freezes"], &query, limit.get()).await?;
            app.show(&answer, views::rules::freezes)
        }
        FreezeCommand::End { id } => {
            let path = ["freezes", &id.to_string(), "end"];
            let answer = app.client.post(&path, &serde_json::json!({})).await?;
            app.done(
                &answer,
                &format!("Freeze {id} is over; what it held goes on."),
            )
        }
        FreezeCommand::Except {
            id,
            workload,
            deploy,
            reason,
        } => {
            let what = match (&workload, deploy) {
                (Some(workload), _) => workload.clone(),
                (None, deploy) => format!("deploy {}", deploy.unwrap_or_default()),
            };
            let body = CreateFreezeException {
                workload,
                deploy_id: deploy,
                reason,
            };
            let path = ["freezes", &id.to_string(), "exceptions"];
            let answer = app.client.post(&path, &body).await?;
            let sentence = format!("Freeze {id} lets {what} through.");
            app.done(&answer, &print::cell(&sentence))
        }
    }
}

/// What a new freeze does.
fn frozen(freeze: &Freeze, page: &views::Page) -> String {
    let holds = if views::rules::is_to_come(freeze, page) {
        "will hold"
    } else {
        "holds"
    };
    format!(
        "Freeze {0} {holds} {1} {2}. `hermez freeze end {0}` ends it.",
        freeze.id,
        views::rules::frozen(freeze),
        views::rules::span(freeze, page)
    )
}

/// Runs `lock`.
pub async fn lock(app: &App, args: LockArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let body = CreateLock {
        reason: args.reason,
        until: args.until,
    };
    let path = ["workloads", name.as_str(), "lock"];
    let answer = app.client.put(&path, &body).await?;
    let lock: WorkloadLock = answer.read()?;
    let until = lock
        .until
        .map(|until| format!(" until {}", app::page().date(until)));
    app.done(
        &answer,
        &format!(
            "Only you deploy {name}{}. Take the lock off with `hermez unlock {name}`.",
            until.unwrap_or_default()
        ),
    )
}

/// Runs `unlock`.
pub async fn unlock(app: &App, args: UnlockArgs) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload).await?;
    let mut query = vec![("break", args.break_it.to_string())];
    query.extend(args.reason.map(|reason| ("reason", reason)));
    let path = ["workloads", name.as_str(), "lock"];
    let answer = app.client.delete_with(&path, &query).await?;
    app.done(&answer, &format!("{name} has no lock."))
}

/// Runs `deploys approve`.
pub async fn approve(app: &App, id: i64, comment: Option<String>) -> Result<(), CliError> {
    let path = ["deploys", &id.to_string(), "approve"];
    let answer = app.client.post(&path, &CreateApproval { comment }).await?;
    let deploy: DeploySummary = answer.read()?;
    let sentence = format!(
        "You approved deploy {id} of {} to {}.",
        views::short(&deploy.commit),
        print::cell(&deploy.workload)
    );
    app.done(&answer, &sentence)
}

/// Runs `deploys reject`.
pub async fn reject(app: &App, id: i64, reason: String) -> Result<(), CliError> {
    let path = ["deploys", &id.to_string(), "reject"];
    let answer = app.client.post(&path, &CreateRejection { reason }).await?;
    let deploy: DeploySummary = answer.read()?;
    app.done(&answer, &rejected(&deploy))
}

/// What becomes of a rejected deploy, and what its request leaves behind.
fn rejected(deploy: &DeploySummary) -> String {
    let said = format!("Deploy {} is rejected, and ends.", deploy.id);
    if deploy.kind == DeployKind::Rollback {
        let workload = print::cell(&deploy.workload);
        return format!(
            "{said} {workload} stays pinned: take the pin off with `hermez unpin {workload}`."
        );
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_people_write_them() {
        let read = |text: &str| {
            window(text).map(|it| {
                let days: Vec<_> = it.days.iter().map(|day| *day as usize).collect();
                (days, it.from, it.to)
            })
        };
        let times = |days: &[usize], from: &str, to: &str| {
            Ok((days.to_vec(), from.to_owned(), to.to_owned()))
        };
        assert_eq!(
            read("Mon-Fri 09:00-17:00"),
            times(&[0, 1, 2, 3, 4], "09:00", "17:00")
        );
        assert_eq!(
            read("mon, Wed 22:00-02:00"),
            times(&[0, 2], "22:00", "02:00")
        );
        assert_eq!(read("Sat-Mon 0-1"), times(&[0, 5, 6], "0", "1"));
        assert_eq!(
            read("daily 00:00-24:00"),
            times(&[0, 1, 2, 3, 4, 5, 6], "00:00", "24:00")
        );
        for wrong in ["", "Mon", "Mon 09:00", "Noday 09:00-10:00", "09:00-10:00"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_freeze_to_come_does_not_hold_yet() {
        let page = views::tests::page();
        let mut freeze = Freeze {
            id: 3,
            project: None,
            from: page.now,
            until: None,
            reason: "the sale".to_owned(),
            by: "ada".to_owned(),
            created_at: page.now,
            ended_at: None,
            ended_by: None,
            exceptions: Vec::new(),
        };
        assert_eq!(
            frozen(&freeze, &page),
            "Freeze 3 holds everything without an end. `hermez freeze end 3` ends it."
        );
        freeze.from = views::tests::at("2026-12-20T08:00:00Z");
        let said = frozen(&freeze, &page);
        let will = "Freeze 3 will hold everything from 2026-12-20 08:00:00 UTC without an end.";
        assert!(said.starts_with(will), "{said}");
    }

    #[test]
    fn a_rejected_rollback_leaves_its_pin() {
        let mut deploy = views::deploy::tests::deploy(57);
        assert_eq!(rejected(&deploy), "Deploy 57 is rejected, and ends.");
        deploy.kind = DeployKind::Rollback;
        let said = rejected(&deploy);
        assert!(said.ends_with("`hermez unpin hello`."), "{said}");
    }

    #[test]
    fn times_to_come_are_times_or_lengths() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let later = |text| later_at(text, now).map(|at| at.to_string());
        assert_eq!(later("90m").unwrap(), "2026-11-24T11:30:00Z");
        assert_eq!(later("2d").unwrap(), "2026-11-26T10:00:00Z");
        assert_eq!(
            later("2026-12-01T00:00:00Z").unwrap(),
            "2026-12-01T00:00:00Z"
        );
        for wrong in ["", "2", "-2h", "0h", "9999999999999999999d"] {
            assert!(later(wrong).is_err(), "{wrong}");
        }
    }
}
