//! What a forge sends on a push: its signature and its body. Pure.

use aws_lc_rs::hmac;
use serde::Deserialize;

use crate::CommitId;

/// A push, as far as Hermez cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushEvent {
    /// The branch; `None` for a tag or another reference.
    pub branch: Option<String>,
    /// Its commit now; `None` if it is gone.
    pub after: Option<CommitId>,
    /// Whether the branch (or tag) was deleted.
    pub deleted: bool,
    /// Login of who pushed; at most 100 characters.
    pub pusher: String,
}

/// A push whose body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the webhook's body is not a push: {reason}")]
pub struct PushError {
    /// What is wrong with it.
    pub reason: String,
}

/// Whether the body was signed with the secret (HMAC-SHA256), compared in constant time.
///
/// `header` is the value of `X-Gitea-Signature` (hexadecimal) or of `X-Hub-Signature-256`
/// (`sha256=` and hexadecimal).
pub fn verify_signature(secret: &[u8], body: &[u8], header: &str) -> bool {
    let header = header.trim();
    let digits = header.strip_prefix("sha256=").unwrap_or(header);
    let Ok(signature) = hex::decode(digits) else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, body, &signature).is_ok()
}

/// Reads a push. `event` is the value of `X-Gitea-Event` or `X-GitHub-Event`; other events than
/// `push` give `None`.
pub fn parse_push(event: &str, body: &[u8]) -> Result<Option<PushEvent>, PushError> {
    if event != "push" {
        return Ok(None);
    }
    let push: Push = serde_json::from_slice(body).map_err(|error| PushError {
        reason: error.to_string(),
    })?;
    let deleted = push.deleted || push.after.bytes().all(|b| b == b'0');
    let after = if deleted {
        None
    } else {
        Some(CommitId::parse(&push.after).map_err(|error| PushError {
            reason: format!("`after`: {error}"),
        })?)
    };
    let pusher = push.pusher.unwrap_or_default();
    let pusher = pusher.login.or(pusher.name).unwrap_or_default();
    Ok(Some(PushEvent {
        branch: push
            .reference
            .strip_prefix("refs/heads/")
            .map(str::to_owned),
        after,
        deleted,
        pusher: pusher
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect(),
    }))
}

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    pusher: Option<Pusher>,
}

#[derive(Deserialize, Default)]
struct Pusher {
    login: Option<String>,
    name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "95f6178e872a9d279440e579dbcf3600eed5dd7e";

    #[test]
    fn signatures() {
        // RFC 4231, test case 2.
        let (secret, body) = (b"Jefe", b"what do ya want for nothing?");
        let good = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(verify_signature(secret, body, good));
        assert!(verify_signature(secret, body, &format!("sha256={good}")));
        assert!(verify_signature(secret, body, &good.to_uppercase()));
        assert!(!verify_signature(b"other", body, good));
        assert!(!verify_signature(secret, b"other", good));
        for bad in [
            "",
            "sha256=",
            "sha1=00",
            &good[..62],
            "zz",
            &format!("{good}00"),
        ] {
            assert!(!verify_signature(secret, body, bad), "{bad}");
        }
    }

    #[test]
    fn pushes_of_gitea_and_github() {
        let gitea = format!(
            r#"{{"ref":"refs/heads/feature/x","before":"{ID}","after":"{ID}","commits":[],"pusher":{{"id":1,"login":"ada","full_name":"Ada"}}}}"#
        );
        assert_eq!(
            parse_push("push", gitea.as_bytes()).unwrap(),
            Some(PushEvent {
                branch: Some("feature/x".into()),
                after: Some(CommitId::parse(ID).unwrap()),
                deleted: false,
                pusher: "ada".into()
            })
        );
        let github = format!(
            r#"{{"ref":"refs/heads/x","after":"{}","deleted":true,"pusher":{{"name":"ada","email":"a@x"}}}}"#,
            "0".repeat(40)
        );
        assert_eq!(
            parse_push("push", github.as_bytes()).unwrap(),
            Some(PushEvent {
                branch: Some("x".into()),
                after: None,
                deleted: true,
                pusher: "ada".into()
            })
        );
        let tag = format!(r#"{{"ref":"refs/tags/v1","after":"{ID}"}}"#);
        assert_eq!(
            parse_push("push", tag.as_bytes()).unwrap().unwrap().branch,
            None
        );
    }

    #[test]
    fn other_events_are_none_and_bad_bodies_are_errors() {
        assert_eq!(parse_push("issues", b"not json").unwrap(), None);
        parse_push("push", b"").unwrap_err();
        parse_push("push", b"{\"ref\":1}").unwrap_err();
        parse_push("push", b"{\"ref\":\"refs/heads/x\",\"after\":\"short\"}").unwrap_err();
    }
}
