//! Services that cannot become what they stand for say why, and mend themselves.

use hermez_kinds::PinterestService;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, ResourceQuota};
use kube::Resource;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;

use crate::support::{condition, image, within};

#[tokio::test]
async fn a_refused_object_is_told_with_the_api_servers_words() {
    within(async |sandbox| {
        let more = json!({"template": {"spec": {"containers": [{"name": "hello"}]}}});
        sandbox.apply(more).await.expect("applied");
        let service = sandbox.condition("Stalled", "True").await;
        let (_, reason, message) = condition(&service, "Stalled").expect("stalled");
        assert_eq!(reason, "Refused");
        assert!(
            message.contains("Deployment/hello") && message.contains("image: Required value"),
            "{message}"
        );
        let events = ListParams::default().fields("involvedObject.name=hello,reason=Refused");
        let events = sandbox.api::<Event>().list(&events).await.expect("a list");
        assert!(!events.items.is_empty(), "an event tells of it");
        // The next spec is taken.
        sandbox.apply(json!({})).await.expect("applied");
        let service = sandbox.condition("Available", "True").await;
        assert_eq!(condition(&service, "Stalled"), None);
    })
    .await;
}

#[tokio::test]
async fn a_spec_that_does_not_fit_the_profile_is_told() {
    within(async |sandbox| {
        sandbox
            .apply(json!({"sidecarconfig": {"logger": {}}}))
            .await
            .expect("applied");
        let service = sandbox.condition("Stalled", "True").await;
        let (_, reason, message) = condition(&service, "Stalled").expect("stalled");
        assert_eq!(reason, "TranslationFailed");
        assert!(message.contains("spec.sidecarconfig.logger"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_object_is_never_touched() {
    within(async |sandbox| {
        let theirs = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hello"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"theirs": "yes"}},
                "template": {
                    "metadata": {"labels": {"theirs": "yes"}},
                    "spec": {"containers": [{"name": "theirs", "image": image()}]},
                },
            },
        });
        let theirs: Deployment = serde_json::from_value(theirs).expect("a Deployment");
        let api: Api<Deployment> = sandbox.api();
        let before = api
            .create(&PostParams::default(), &theirs)
            .await
            .expect("made");
        sandbox.apply(json!({})).await.expect("applied");
        let service = sandbox.condition("Stalled", "True").await;
        let (_, reason, message) = condition(&service, "Stalled").expect("stalled");
        assert_eq!(reason, "NameTaken", "{message}");
        let after = api.get("hello").await.expect("there");
        assert_eq!(after.spec, before.spec);
        assert!(after.meta().owner_references.is_none());
        // Once the name is free, it is used.
        let _ = api
            .delete("hello", &DeleteParams::background())
            .await
            .expect("deleted");
        sandbox.condition("Available", "True").await;
    })
    .await;
}

#[tokio::test]
async fn a_raised_quota_is_noticed() {
    within(async |sandbox| {
        let quota = json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
            "spec": {"hard": {"count/deployments.apps": "0"}},
        });
        let quota: ResourceQuota = serde_json::from_value(quota).expect("a quota");
        let api: Api<ResourceQuota> = sandbox.api();
        api.create(&PostParams::default(), &quota)
            .await
            .expect("made");
        sandbox
            .until("none", "in force", |quota: &ResourceQuota| {
                quota
                    .status
                    .as_ref()
                    .is_some_and(|status| status.hard.is_some())
            })
            .await;
        sandbox.apply(json!({})).await.expect("applied");
        let service: PinterestService = sandbox.condition("Stalled", "True").await;
        let (_, _, message) = condition(&service, "Stalled").expect("stalled");
        assert!(message.contains("exceeded quota"), "{message}");
        let _ = api
            .delete("none", &DeleteParams::background())
            .await
            .expect("deleted");
        sandbox.condition("Available", "True").await;
    })
    .await;
}
