//! Manifests and images in a real registry (feature `cluster-tests`).

use std::path::Path;

use hermez_artifact::{
    ArtifactError, MANIFEST_ARTIFACT_TYPE, ManifestArtifact, PinnedImage, Registry,
    image_repository,
};
use sha2::Digest as _;

const COMMIT: &str = "95f6178e872a9d279440e579dbcf3600eed5dd7e";
const OTHER: &str = "8b360be0000000000000000000000000000000aa";

/// The sandbox's registry.
fn host() -> String {
    let folder = std::env::var("HERMEZ_SANDBOX").expect("HERMEZ_SANDBOX names a running sandbox");
    hermez_sandbox::status::read(Path::new(&folder))
        .expect("the sandbox's status")
        .registry
}

/// A workload's name that no other test uses.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let time = jiff::Timestamp::now().as_microsecond();
    format!("w{time}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

/// Puts a small image into the registry by hand and tells its reference by digest.
async fn mk_image(host: &str, repository: &str, content: &str) -> String {
    let http = reqwest::Client::new();
    let base = format!("http://{host}/v2/{repository}");
    let mut layers = Vec::new();
    for bytes in [b"{}".to_vec(), content.as_bytes().to_vec()] {
        let begun = http
            .post(format!("{base}/blobs/uploads/"))
            .send()
            .await
            .unwrap();
        let place = begun.headers()["location"].to_str().unwrap().to_owned();
        let put = http
            .put(format!("{place}&digest={}", sha256(&bytes)))
            .body(bytes.clone());
        assert_eq!(put.send().await.unwrap().status(), 201);
        layers.push(serde_json::json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": sha256(&bytes),
            "size": bytes.len(),
        }));
    }
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layers[0],
        "layers": [layers[1]],
    });
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let put = http
        .put(format!("{base}/manifests/v1"))
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(bytes.clone());
    assert_eq!(put.send().await.unwrap().status(), 201);
    format!("{host}/{repository}@{}", sha256(&bytes))
}

async fn get_json(url: String, accept: &str) -> serde_json::Value {
    let answer = reqwest::Client::new()
        .get(&url)
        .header("accept", accept)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

fn manifest<'a>(
    workload: &'a str,
    commit: &'a str,
    images: &'a [PinnedImage],
) -> ManifestArtifact<'a> {
    ManifestArtifact {
        workload,
        commit,
        yaml: b"kind: PinterestService\n",
        images,
        source: "https://git.example.com/team/web",
        created: "2019-11-15T13:48:16Z".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_manifest_lies_beside_its_image_and_refers_to_it() {
    let host = host();
    let registry = Registry::new(&host, true, None);
    registry.ping().await.unwrap();
    let workload = unique();
    let repository = image_repository(&workload, "web");
    let image = mk_image(&host, &repository, "layer").await;
    let images = [
        PinnedImage {
            name: "envoy".into(),
            reference: format!("docker.io/library/envoy@{}", sha256(b"x")),
            built: false,
        },
        PinnedImage {
            name: "web".into(),
            reference: image.clone(),
            built: true,
        },
    ];
    let first = registry
        .publish(manifest(&workload, COMMIT, &images))
        .await
        .unwrap();
    assert_eq!(
        first.reference,
        format!("{host}/{repository}@{}", first.digest)
    );
    assert_eq!(
        registry.fetch(&first.reference).await.unwrap(),
        b"kind: PinterestService\n"
    );

    // By its tag, as any tool would find it.
    let oci = "application/vnd.oci.image.manifest.v1+json";
    let url = format!("http://{host}/v2/{repository}/manifests/manifest-{COMMIT}");
    let found = get_json(url, oci).await;
    assert_eq!(found["artifactType"], MANIFEST_ARTIFACT_TYPE);
    let image_digest = image.rsplit_once('@').unwrap().1;
    assert_eq!(found["subject"]["digest"], image_digest);
    assert_eq!(
        found["annotations"]["org.opencontainers.image.revision"],
        COMMIT
    );

    // The same again is the same; another commit with the same image is listed beside it.
    let again = registry
        .publish(manifest(&workload, COMMIT, &images))
        .await
        .unwrap();
    assert_eq!(again, first);
    let other = registry
        .publish(manifest(&workload, OTHER, &images))
        .await
        .unwrap();
    assert_ne!(other.digest, first.digest);
    let tag = image_digest.replace(':', "-");
    let url = format!("http://{host}/v2/{repository}/manifests/{tag}");
    let index = get_json(url, "application/vnd.oci.image.index.v1+json").await;
    let listed: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["digest"].as_str().unwrap(),
                entry["artifactType"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        listed,
        [
            (&*first.digest, MANIFEST_ARTIFACT_TYPE),
            (&*other.digest, MANIFEST_ARTIFACT_TYPE)
        ]
    );
}

#[tokio::test]
async fn many_manifests_of_one_image_are_all_listed() {
    let host = host();
    let registry = Registry::new(&host, true, None);
    let workload = unique();
    let repository = image_repository(&workload, "web");
    let image = mk_image(&host, &repository, "layer").await;
    let images = [PinnedImage {
        name: "web".into(),
        reference: image.clone(),
        built: true,
    }];
    let commits: Vec<String> = (0..8).map(|n| format!("{n:040x}")).collect();
    let all = commits
        .iter()
        .map(|commit| registry.publish(manifest(&workload, commit, &images)));
    let published = futures::future::try_join_all(all).await.unwrap();
    let tag = image.rsplit_once('@').unwrap().1.replace(':', "-");
    let url = format!("http://{host}/v2/{repository}/manifests/{tag}");
    let index = get_json(url, "application/vnd.oci.image.index.v1+json").await;
    assert_eq!(
        index["manifests"].as_array().unwrap().len(),
        published.len()
    );
}

#[tokio::test]
async fn without_a_built_image_the_manifest_stands_alone() {
    let host = host();
    let registry = Registry::new(&host, true, None);
    let workload = unique();
    let published = registry
        .publish(manifest(&workload, COMMIT, &[]))
        .await
        .unwrap();
    assert!(
        published
            .reference
            .starts_with(&format!("{host}/hermez/{workload}@sha256:"))
    );
    assert_eq!(
        registry.fetch(&published.reference).await.unwrap(),
        b"kind: PinterestService\n"
    );
}

#[tokio::test]
async fn references_are_pinned_to_what_they_name_now() {
    let host = host();
    let registry = Registry::new(&host, true, None);
    let name = unique();
    let image = mk_image(&host, &format!("library/{name}"), "one").await;
    // Without a registry: this one first, under the full name.
    for reference in [
        &format!("{name}:v1"),
        &format!("docker.io/{name}:v1"),
        &format!("{host}/library/{name}:v1"),
    ] {
        assert_eq!(
            &registry.resolve(reference).await.unwrap(),
            &image,
            "{reference}"
        );
    }
    let debian = registry.resolve("debian:bookworm-slim").await.unwrap();
    assert!(
        debian.starts_with(&format!("{host}/library/debian@sha256:")),
        "{debian}"
    );
    // What is pinned stays pinned.
    let digest = image.rsplit_once('@').unwrap().1;
    assert_eq!(
        registry.resolve(&format!("{name}@{digest}")).await.unwrap(),
        image
    );
    assert_eq!(registry.resolve(&image).await.unwrap(), image);
    let foreign = format!("gcr.io/team/app@{digest}");
    assert_eq!(registry.resolve(&foreign).await.unwrap(), foreign);
    // The tag moves, and so does the next pin.
    let moved = mk_image(&host, &format!("library/{name}"), "two").await;
    assert_eq!(
        registry.resolve(&format!("{name}:v1")).await.unwrap(),
        moved
    );
    assert_ne!(moved, image);
}

#[tokio::test]
async fn what_cannot_be_had_is_told_apart() {
    let host = host();
    let registry = Registry::new(&host, true, None);
    let check = |result: Result<String, ArtifactError>, expect: &str| {
        let error = result.unwrap_err();
        let name = format!("{error:?}");
        assert!(name.starts_with(expect), "{expect} is {name}");
        assert!(error.hint().is_some());
    };
    check(
        registry.resolve(&format!("{host}/none/none:1")).await,
        "NotFound",
    );
    check(registry.resolve("127.0.0.1:1/x:1").await, "Unreachable");
    check(registry.resolve("nowhere.invalid/x:1").await, "Unreachable");
    check(
        registry.resolve("Not A Reference").await,
        "InvalidReference",
    );

    let fetch = async |reference: &str| {
        registry
            .fetch(reference)
            .await
            .map(|b| String::from_utf8_lossy(&b).into_owned())
    };
    check(
        fetch(&format!("{host}/none/none@{}", sha256(b"none"))).await,
        "NotFound",
    );
    check(
        fetch(&format!("{host}/none/none:1")).await,
        "InvalidReference",
    );
    let image = mk_image(&host, &image_repository(&unique(), "web"), "x").await;
    check(fetch(&image).await, "NotAManifest");

    let gone = Registry::new("127.0.0.1:1", true, None);
    check(gone.ping().await.map(|()| String::new()), "Unreachable");
    check(gone.resolve("nginx").await, "Unreachable");
    let published = gone
        .publish(manifest("web", COMMIT, &[]))
        .await
        .map(|p| p.reference);
    check(published, "Unreachable");
    let large = vec![b'x'; 5 * 1024 * 1024];
    let mut too_large = manifest("web", COMMIT, &[]);
    too_large.yaml = &large;
    check(
        registry.publish(too_large).await.map(|p| p.reference),
        "TooLarge",
    );
}
