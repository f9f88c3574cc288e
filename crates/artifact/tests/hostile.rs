//! Registries that lie, stall or ask for credentials (played by a mock).

use hermez_artifact::{ArtifactError, Registry, RegistryCredential};
use sha2::Digest as _;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

fn manifest(yaml: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.hermez.manifest.v1",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2},
        "layers": [{"mediaType": "application/vnd.hermez.manifest.v1+yaml", "digest": sha256(yaml), "size": yaml.len()}],
    }))
    .unwrap()
}

async fn serve(server: &MockServer, at: String, bytes: &[u8]) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(bytes))
        .mount(server)
        .await;
}

/// Fetches a manifest from a registry that sends the given bytes for it.
async fn fetch(
    promised: &[u8],
    sent: &[u8],
    blob: &[u8],
    sent_blob: &[u8],
) -> Result<Vec<u8>, ArtifactError> {
    let server = MockServer::start().await;
    serve(&server, "/v2/".into(), b"{}").await;
    serve(
        &server,
        format!("/v2/a/b/manifests/{}", sha256(promised)),
        sent,
    )
    .await;
    serve(
        &server,
        format!("/v2/a/b/blobs/{}", sha256(blob)),
        sent_blob,
    )
    .await;
    let host = server.address().to_string();
    let registry = Registry::new(&host, true, None);
    registry
        .fetch(&format!("{host}/a/b@{}", sha256(promised)))
        .await
}

#[tokio::test]
async fn other_bytes_than_promised_are_refused() {
    let good = manifest(b"yaml");
    assert_eq!(
        fetch(&good, &good, b"yaml", b"yaml").await.unwrap(),
        b"yaml"
    );
    let other = manifest(b"evil");
    for result in [
        fetch(&good, &other, b"evil", b"evil").await,
        fetch(&good, &good, b"yaml", b"evil").await,
        fetch(&good, &good, b"yaml", b"yaml and more").await,
        fetch(&good, &good, b"yaml", b"").await,
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(error, ArtifactError::DigestMismatch { .. }),
            "{error:?}"
        );
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_manifest_that_claims_a_huge_file_is_refused_unread() {
    let text = String::from_utf8(manifest(b"yaml")).unwrap();
    let huge = text
        .replace("\"size\":4,", "\"size\":99999999999,")
        .replace("\"size\":4}", "\"size\":99999999999}");
    assert_ne!(huge, text);
    let error = fetch(huge.as_bytes(), huge.as_bytes(), b"yaml", b"yaml")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ArtifactError::TooLarge {
                size: 99_999_999_999,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn credentials_go_to_the_own_registry_and_show_nowhere() {
    let server = MockServer::start().await;
    let ask = ResponseTemplate::new(401).insert_header("www-authenticate", "Basic realm=\"x\"");
    let digest = sha256(b"image");
    // ada:right
    Mock::given(method("HEAD"))
        .and(path("/v2/team/app/manifests/v1"))
        .and(header("authorization", "Basic YWRhOnJpZ2h0"))
        .respond_with(
            ResponseTemplate::new(200).insert_header("docker-content-digest", digest.as_str()),
        )
        .mount(&server)
        .await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ask)
        .mount(&server)
        .await;
    let host = server.address().to_string();
    let credential = RegistryCredential {
        username: "ada".into(),
        password: "right".to_owned().into(),
    };
    let reference = format!("{host}/team/app:v1");
    let registry = Registry::new(&host, true, Some(credential.clone()));
    assert_eq!(
        registry.resolve(&reference).await.unwrap(),
        format!("{host}/team/app@{digest}")
    );
    assert!(!format!("{registry:?} {credential:?}").contains("right"));

    let anonymous = Registry::new(&host, true, None);
    let error = anonymous.resolve(&reference).await.unwrap_err();
    assert!(
        matches!(error, ArtifactError::Unauthorized { .. }),
        "{error:?}"
    );
    anonymous.ping().await.unwrap();

    // The same place, not as the server's own registry: the credential stays at home.
    let other = Registry::new("registry.example.com", false, Some(credential));
    let error = other.resolve(&reference).await.unwrap_err();
    assert!(
        matches!(error, ArtifactError::Unauthorized { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_in_trouble_is_unreachable_not_empty() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    let host = server.address().to_string();
    let registry = Registry::new(&host, true, None);
    let error = registry
        .resolve(&format!("{host}/a/b:1"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ArtifactError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.is_transient());
    let error = registry.ping().await.unwrap_err();
    assert!(
        matches!(error, ArtifactError::Unreachable { .. }),
        "{error:?}"
    );
    // Docker Hub is not asked in its place: the same name may be another image there.
    let error = registry.resolve("debian:bookworm-slim").await.unwrap_err();
    assert!(
        matches!(&error, ArtifactError::Unreachable { registry, .. } if *registry == host),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_that_stumbles_is_asked_again() {
    let server = MockServer::start().await;
    let yaml = b"yaml";
    let bytes = manifest(yaml);
    serve(&server, "/v2/".into(), b"{}").await;
    serve(
        &server,
        format!("/v2/a/b/manifests/{}", sha256(&bytes)),
        &bytes,
    )
    .await;
    let blob = format!("/v2/a/b/blobs/{}", sha256(yaml));
    Mock::given(method("GET"))
        .and(path(blob.clone()))
        .respond_with(ResponseTemplate::new(500))
        .up_to_n_times(2)
        .expect(2)
        .mount(&server)
        .await;
    serve(&server, blob, yaml).await;
    let host = server.address().to_string();
    let registry = Registry::new(&host, true, None);
    let reference = format!("{host}/a/b@{}", sha256(&bytes));
    assert_eq!(registry.fetch(&reference).await.unwrap(), yaml);
}

#[tokio::test]
async fn a_registry_that_keeps_failing_is_named_with_its_answer_and_no_url() {
    let server = MockServer::start().await;
    serve(&server, "/v2/".into(), b"{}").await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(502))
        .expect(4)
        .mount(&server)
        .await;
    let host = server.address().to_string();
    let registry = Registry::new(&host, true, None);
    let error = registry
        .fetch(&format!("{host}/a/b@{}", sha256(b"")))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the registry at {host} cannot be reached: it answers 502")
    );
}
