//! Names of repositories, tags and images. Pure.

use oci_client::Reference;

use crate::ArtifactError;

/// Longest reference that is taken, in bytes.
const MAX_BYTES: usize = 512;
/// Longest name of a repository, in bytes; the longest that Docker takes.
const MAX_REPOSITORY_BYTES: usize = 255;
/// Longest tag, in bytes; the longest that the specification takes.
const MAX_TAG_BYTES: usize = 128;
/// Docker Hub, and how it was called once.
const HUB: &str = "docker.io";
const HUB_LEGACY: &str = "index.docker.io";

/// Repository of a built image, without the registry: `hermez/<workload>/<image>`.
pub fn image_repository(workload: &str, image: &str) -> String {
    format!("hermez/{workload}/{image}")
}

/// Repository of the manifest of a workload for which nothing is built.
pub fn manifest_repository(workload: &str) -> String {
    format!("hermez/{workload}")
}

/// Tag of the images built from a commit.
pub fn image_tag(commit: &str) -> String {
    commit.to_owned()
}

/// Tag of a commit's manifest.
pub fn manifest_tag(commit: &str) -> String {
    format!("manifest-{commit}")
}

/// An image reference, as a config file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageRef {
    /// In full: with registry, repository and tag or digest.
    pub full: Reference,
    /// Whether it is looked for in this server's own registry first: it names no registry, or
    /// Docker Hub.
    pub is_hub: bool,
}

/// Reads a reference, by the grammar of
/// <https://pkg.go.dev/github.com/distribution/reference>.
///
/// `oci_client` has a parser too, a regular expression that keeps some 25 MB for as long as the
/// program runs, more than all the rest of a server at rest. A test compares the two.
pub(crate) fn parse(text: &str) -> Result<ImageRef, ArtifactError> {
    let text = text.trim();
    let invalid = |reason: &str| ArtifactError::InvalidReference {
        reference: shorten(text),
        reason: reason.to_owned(),
    };
    if text.len() > MAX_BYTES {
        return Err(invalid("it is too long"));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (HUB, name),
    };
    let is_hub = [HUB, HUB_LEGACY].contains(&registry);
    let registry = if is_hub { HUB } else { registry };
    if !is_registry(registry) {
        return Err(invalid("its registry is not written as host or host:port"));
    }
    let repository = if is_hub && !repository.contains('/') {
        format!("library/{repository}")
    } else {
        repository.to_owned()
    };
    if !repository.split('/').all(is_component) {
        return Err(invalid(
            "its name is not of lower-case letters, digits, `.`, `_`, `-` and `/`",
        ));
    }
    if repository.len() > MAX_REPOSITORY_BYTES {
        return Err(invalid("its name is too long"));
    }
    if !tag.is_none_or(is_tag) {
        return Err(invalid(
            "its tag is not of at most 128 letters, digits, `_`, `.` and `-`",
        ));
    }
    if !digest.is_none_or(is_digest) {
        return Err(invalid(
            "its digest is not sha256: and 64 hexadecimal digits",
        ));
    }
    let registry = registry.to_owned();
    let full = match (tag, digest) {
        (Some(tag), Some(digest)) => {
            Reference::with_tag_and_digest(registry, repository, tag.into(), digest.into())
        }
        (None, Some(digest)) => Reference::with_digest(registry, repository, digest.into()),
        (tag, None) => {
            Reference::with_tag(registry, repository, tag.unwrap_or("latest").to_owned())
        }
    };
    Ok(ImageRef { full, is_hub })
}

/// `host` or `host:port`, the host as in DNS.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// A part of a repository's name: lower-case letters and digits, with `.`, `_`, `__` or any number
/// of `-` between them.
fn is_component(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = part.split(is_word).filter(|between| !between.is_empty());
    let is_separator =
        |between: &str| matches!(between, "." | "_" | "__") || between.chars().all(|c| c == '-');
    part.starts_with(is_word) && part.ends_with(is_word) && separators.into_iter().all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= MAX_TAG_BYTES
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

/// Reads a reference by digest.
pub(crate) fn parse_by_digest(text: &str) -> Result<(Reference, String), ArtifactError> {
    let full = parse(text)?.full;
    match full.digest().map(str::to_owned) {
        Some(digest) => Ok((full, digest)),
        None => Err(ArtifactError::InvalidReference {
            reference: shorten(text),
            reason: "it names no digest".to_owned(),
        }),
    }
}

/// Whether a text is `sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Whether a registry is on this machine, where plain HTTP is what everybody expects.
pub(crate) fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) {
            host
        } else {
            registry
        }
    });
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `registry/repository@digest`.
pub(crate) fn by_digest(registry: &str, repository: &str, digest: &str) -> String {
    format!("{registry}/{repository}@{digest}")
}

/// Makes hostile text fit for an error message.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(200)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(200).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `oci_client` reads it, less what Hermez does not take.
    fn by_oci_client(text: &str) -> Option<Reference> {
        let read: Reference = text.parse().ok()?;
        let is_ours = is_registry(read.registry())
            && read.digest().is_none_or(is_digest)
            && read.repository().split('/').all(is_component);
        is_ours.then_some(read)
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_oci_client_reads_it(text in "[a-zA-Z0-9.:/@_-]{0,40}") {
            prop_assert_eq!(parse(&text).ok().map(|read| read.full), by_oci_client(&text));
        }

        #[test]
        fn what_looks_like_a_reference_is_read_as_oci_client_reads_it(
            text in "((localhost|docker\\.io|index\\.docker\\.io|[a-zA-Z0-9.-]{1,9})(:[0-9]{0,4})?/)?[a-z0-9._-]{1,8}(/[a-z0-9._-]{1,8}){0,2}(:[a-zA-Z0-9._-]{0,9})?(@sha256:[0-9a-f]{64})?"
        ) {
            prop_assert_eq!(parse(&text).ok().map(|read| read.full), by_oci_client(&text));
        }
    }

    #[test]
    fn references_are_read_as_docker_reads_them() {
        let check = |text: &str, whole: &str, is_hub: bool| {
            let read = parse(text).unwrap();
            assert_eq!(
                (read.full.whole().as_str(), read.is_hub),
                (whole, is_hub),
                "{text}"
            );
        };
        check("nginx", "docker.io/library/nginx:latest", true);
        check("team/app:1", "docker.io/team/app:1", true);
        check("docker.io/nginx:1", "docker.io/library/nginx:1", true);
        check(
            "gcr.io/kuar-demo/kuar-amd64:1",
            "gcr.io/kuar-demo/kuar-amd64:1",
            false,
        );
        check("localhost:5000/app", "localhost:5000/app:latest", false);
        check("127.0.0.1:5000/a/b:x", "127.0.0.1:5000/a/b:x", false);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long = "a".repeat(600);
        for bad in [
            "",
            " ",
            "UPPER/case",
            "a b",
            "http://x/y",
            "--flag",
            "a:b:c",
            "x@sha256:12",
            "a\nb",
            "x@sha512:00",
            "../x",
            long.as_str(),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(
                matches!(error, ArtifactError::InvalidReference { .. }),
                "{bad}: {error:?}"
            );
            assert!(!error.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for here in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "127.0.0.1",
            "[::1]:5000",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "localhost.example.com",
            "10.0.0.1:5000",
            "gcr.io",
            "127.0.0.1.nip.io:80",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
