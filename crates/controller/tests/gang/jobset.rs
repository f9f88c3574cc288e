//! Job sets that come to a good end.

use hermez_kinds::PinterestJobSet;
use hermez_kinds::run::Phase;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::support::{Sandbox, within};
use crate::work::{holds, host, jobset, perl, shell};

/// Answers each connection with its own host name.
const SERVER: &str = r#"use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1) or die $!; while (my $c = $s->accept) { print $c "$ENV{HERMEZ_HOST}\n"; close $c }"#;
/// Asks both servers who they are, by their names, and looks its own name up.
const CLIENT: &str = r#"use IO::Socket::INET; my $own; until ($own = gethostbyname($ENV{HERMEZ_HOST})) { select undef, undef, undef, 0.1 }
for my $n (0, 1) { my $host = "pair-server-$n-0.pair"; my $c; until ($c = IO::Socket::INET->new(PeerAddr => $host, PeerPort => 8080)) { select undef, undef, undef, 0.1 } my $said = <$c>; chomp $said; $said eq $host or die "$host says $said"; print "met $said\n" } print "group $ENV{HERMEZ_GROUP} replica $ENV{HERMEZ_REPLICA} index $ENV{HERMEZ_INDEX} of $ENV{HERMEZ_COMPLETIONS} attempt $ENV{HERMEZ_ATTEMPT}\n""#;

fn revision(set: &PinterestJobSet) -> String {
    set.status.clone().unwrap_or_default().run.revision
}

#[tokio::test]
async fn members_meet_by_name_and_the_set_has_succeeded_when_the_named_groups_have() {
    within(async |sandbox| {
        let mut server = perl(SERVER);
        server["spec"]["containers"][0]["readinessProbe"] =
            json!({"tcpSocket": {"port": 8080}, "periodSeconds": 1});
        let groups = json!([
            {"name": "client", "parallelism": 2, "dependson": [{"name": "server", "status": "Ready"}], "template": perl(CLIENT)},
            {"name": "server", "replicas": 2, "template": server},
        ]);
        let body = jobset(&sandbox.namespace, "pair", groups, json!({"successpolicy": {"groups": ["client"]}}));
        sandbox.deploy(&body).await.expect("applied");
        let set = sandbox.set_is("pair", Phase::Completed).await;
        let status = set.status.clone().expect("a status");
        assert!(holds(&status.conditions, "Completed").is_some(), "{status:#?}");
        assert!(holds(&status.conditions, "Stalled").is_none(), "{status:#?}");
        assert!(holds(&status.conditions, "Reconciling").is_none(), "{status:#?}");
        assert_eq!((status.run.attempt, status.run.restarts), (1, 0));
        assert!(status.run.completion_time >= status.run.start_time);
        let client = &status.groups[0];
        assert_eq!((client.name.as_str(), client.succeeded, client.completed), ("client", 2, 1));
        // The servers would go on for ever: they are ended, and the clients' pods stay for their logs.
        sandbox.gone::<Job>("pair-server-0").await;
        sandbox.gone::<Job>("pair-server-1").await;
        let pods = sandbox.pods("pair").await;
        assert_eq!(pods.iter().map(host).collect::<Vec<_>>(), ["pair-client-0-0", "pair-client-0-1"]);
        for (index, pod) in pods.iter().enumerate() {
            let log = sandbox.log(pod).await;
            assert_eq!(
                log,
                format!("met pair-server-0-0.pair\nmet pair-server-1-0.pair\ngroup client replica 0 index {index} of 2 attempt 1\n")
            );
            assert_eq!(pod.labels()["pinterest.com/revision"], revision(&set));
        }
    })
    .await;
}

#[tokio::test]
async fn a_group_starts_when_what_it_waits_for_has_succeeded() {
    within(async |sandbox| {
        let groups = json!([
            {"name": "prepare", "template": shell("sleep 0.5")},
            {"name": "work", "replicas": 2, "parallelism": 1, "completions": 2, "dependson": [{"name": "prepare"}], "template": shell("true")},
        ]);
        let body = jobset(&sandbox.namespace, "chain", groups, json!({}));
        sandbox.deploy(&body).await.expect("applied");
        let waiting = |set: &PinterestJobSet| {
            let status = set.status.clone().unwrap_or_default();
            status.groups.len() == 2 && status.groups[1].waiting_for == ["prepare"]
        };
        let set: PinterestJobSet = sandbox.until("chain", "waiting", waiting).await;
        let status = set.status.expect("a status");
        assert_eq!(status.desired_pods, 1, "what waits is not wanted yet: {status:#?}");
        let set = sandbox.set_is("chain", Phase::Completed).await;
        let status = set.status.expect("a status");
        assert_eq!((status.groups[1].completed, status.groups[1].succeeded), (2, 4));
        let jobs = sandbox.jobs("chain").await;
        let end = |job: &Job| job.status.as_ref().and_then(|status| status.completion_time.clone());
        let begin = |job: &Job| job.status.as_ref().and_then(|status| status.start_time.clone());
        assert_eq!(jobs.len(), 3);
        assert!(begin(&jobs[1]) >= end(&jobs[0]) && begin(&jobs[2]) >= end(&jobs[0]), "{jobs:#?}");
        let service: Service = sandbox.api().get("chain").await.expect("the host names");
        assert_eq!(service.spec.and_then(|spec| spec.cluster_ip).as_deref(), Some("None"));
    })
    .await;
}

/// Changes nothing but the annotation that a deploy or a person writes.
async fn annotate(sandbox: &Sandbox, name: &str, key: &str, value: &str) {
    let change = json!({"metadata": {"annotations": {key: value}}});
    sandbox.edit::<PinterestJobSet>(name, change).await;
}

async fn uids(sandbox: &Sandbox, name: &str) -> Vec<String> {
    sandbox
        .jobs(name)
        .await
        .iter()
        .filter_map(ResourceExt::uid)
        .collect()
}

#[tokio::test]
async fn a_spec_runs_once_and_again_when_it_changes_or_somebody_asks() {
    within(async |sandbox| {
        let body = |script: &str| -> Value {
            let groups = json!([{"name": "work", "template": shell(script)}]);
            jobset(&sandbox.namespace, "once", groups, json!({}))
        };
        sandbox.deploy(&body("true")).await.expect("applied");
        let first = sandbox.set_is("once", Phase::Completed).await;
        let jobs = uids(&sandbox, "once").await;
        // Deployed again, with another word on how long to keep it: nothing runs.
        let mut same = body("true");
        same["spec"]["ttlsecondsafterfinished"] = 3600.into();
        sandbox.deploy(&same).await.expect("applied");
        let again = sandbox.set_is("once", Phase::Completed).await;
        assert_eq!(again.metadata.generation, Some(2));
        assert_eq!(uids(&sandbox, "once").await, jobs);

        let other = |before: String| {
            move |set: &PinterestJobSet| {
                let status = set.status.clone().unwrap_or_default();
                status.run.phase == Phase::Completed && status.run.revision != before
            }
        };
        annotate(&sandbox, "once", "hermez.dev/run", "again").await;
        let second: PinterestJobSet = sandbox
            .until("once", "run again", other(revision(&first)))
            .await;
        assert_ne!(uids(&sandbox, "once").await, jobs);
        sandbox
            .deploy(&body("echo changed"))
            .await
            .expect("applied");
        let third: PinterestJobSet = sandbox
            .until("once", "run anew", other(revision(&second)))
            .await;
        let pods = sandbox.pods("once").await;
        assert_eq!(pods.len(), 1, "the old ones are gone");
        assert_eq!(sandbox.log(&pods[0]).await, "changed\n");
        assert_eq!(third.status.expect("a status").run.attempt, 1);
    })
    .await;
}
