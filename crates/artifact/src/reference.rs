//! Names of repositories, tags and images. Pure.

use oci_client::Reference;

use crate::ArtifactError;

/// Longest reference that is taken, in bytes.
const MAX_BYTES: usize = 512;

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

/// Reads a reference.
pub(crate) fn parse(text: &str) -> Result<ImageRef, ArtifactError> {
    let text = text.trim();
    let invalid = |reason: &str| ArtifactError::InvalidReference {
        reference: shorten(text),
        reason: reason.to_owned(),
    };
    if text.len() > MAX_BYTES {
        return Err(invalid("it is too long"));
    }
    let full: Reference = text
        .parse()
        .map_err(|error: oci_client::ParseError| invalid(&error.to_string()))?;
    if let Some(digest) = full.digest()
        && !is_digest(digest)
    {
        return Err(invalid(
            "its digest is not sha256: and 64 hexadecimal digits",
        ));
    }
    let is_name = |part: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(edge)
            && part.ends_with(edge)
            && part
                .chars()
                .all(|c| edge(c) || matches!(c, '.' | '_' | '-'))
    };
    if !full.repository().split('/').all(is_name) {
        return Err(invalid(
            "its name is not of lower-case letters, digits, `.`, `_`, `-` and `/`",
        ));
    }
    let is_hub = full.registry() == "docker.io";
    Ok(ImageRef { full, is_hub })
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
    use super::*;

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
