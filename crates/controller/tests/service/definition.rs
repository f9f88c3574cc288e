//! The definition, as the API server takes it.

use hermez_kinds::PinterestService;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::support::{Sandbox, client, service, within};

/// Why the API server refuses the service.
async fn refusal(sandbox: &Sandbox, body: Value) -> String {
    let api: Api<PinterestService> = sandbox.api();
    let service = serde_json::from_value(body).expect("a service");
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&dry, &service).await {
        Err(kube::Error::Api(status)) => status.message.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn it_is_installed_once_and_not_written_again() {
    within(async |_| {
        let client = client().await;
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        let before = api
            .get("pinterestservices.pinterest.com")
            .await
            .expect("installed");
        hermez_controller::install_crds(client)
            .await
            .expect("installed again");
        let after = api
            .get("pinterestservices.pinterest.com")
            .await
            .expect("installed");
        assert_eq!(
            before.metadata.resource_version,
            after.metadata.resource_version
        );
        let conditions = after
            .status
            .and_then(|status| status.conditions)
            .expect("conditions");
        let wrong = conditions
            .iter()
            .find(|c| c.type_ == "NonStructuralSchema" && c.status == "True");
        assert!(wrong.is_none(), "{wrong:?}");
    })
    .await;
}

#[tokio::test]
async fn its_rules_say_what_to_write() {
    within(async |sandbox| {
        let cases = [
            (
                json!({"autoscaling": {"min": 3, "max": 2, "cpu": 70}}),
                "autoscaling.max must be at least autoscaling.min: raise max or lower min",
            ),
            (
                json!({"autoscaling": {"min": 1, "max": 2}}),
                "autoscaling needs something to follow",
            ),
            (
                json!({"replicas": 9, "autoscaling": {"min": 1, "max": 2, "cpu": 70}}),
                "autoscaling owns the number of replicas: leave replicas out",
            ),
            (
                json!({"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}}),
                "two containers have the same name: give each its own name",
            ),
            (
                json!({"template": {"spec": {
                    "containers": [{"name": "a"}], "initcontainers": [{"name": "a"}],
                }}}),
                "an init container has the name of another container",
            ),
            (
                json!({"replicas": 10_001}),
                "should be less than or equal to 10000",
            ),
            (
                json!({"loadbalancer": {"port": 0}}),
                "should be greater than or equal to 1",
            ),
            (
                json!({"template": {"spec": {"containers": []}}}),
                "should have at least 1 items",
            ),
        ];
        for (more, words) in cases {
            let message = refusal(&sandbox, service(&sandbox.namespace, more)).await;
            assert!(message.contains(words), "{words:?} is not in: {message}");
        }
        let mut long = service(&sandbox.namespace, json!({}));
        long["metadata"]["name"] = "a".repeat(64).into();
        let message = refusal(&sandbox, long).await;
        assert!(message.contains("at most 63 characters"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn every_accepted_config_file_is_accepted_by_the_api_server() {
    within(async |sandbox| {
        let file = "apiVersion: pinterest.com/v1\nkind: PinterestService\nmetadata:\n  name: hello\n  project: web\nspec:\n  iamrole: role1\n  loadbalancer: {port: 80, targetport: web}\n  replicas: 3\n  configs: {A: b}\n  sidecarconfig: {logger: {level: info, deps: [a]}}\n  maxsurge: 50%\n  maxunavailable: 0\n  template:\n    metadata: {labels: {team: x}, annotations: {a: b}}\n    spec:\n      nodeselector: {disk: ssd}\n      topologyspreadconstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]\n      volumes: [{name: tmp, emptyDir: {sizeLimit: 1Mi}}]\n      containers:\n        - name: hello\n          image: hello:1\n          ports: [{name: web, containerPort: 8080}]\n          resources: {limits: {memory: 64Mi, cpu: 1}}\n          readinessProbe: {httpGet: {path: /, port: web}}\n          volumeMounts: [{name: tmp, mountPath: /tmp}]\n";
        let mut config = hermez_kinds::config::parse("a.yaml", file.as_bytes()).expect("valid");
        config.resource.metadata_mut().namespace = Some(sandbox.namespace.clone());
        let hermez_kinds::Resource::Service(service) = config.resource else { unreachable!("it is a service") };
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let kept = sandbox.api().create(&dry, service.as_ref()).await.expect("accepted");
        assert_eq!(kept.spec, service.spec, "the API server drops or changes nothing");
    })
    .await;
}
