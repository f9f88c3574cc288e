//! The runtime profile's file, read again whenever it changes: no restart is needed.
//!
//! A file that cannot be used changes nothing: what was read before stays, and the controllers say
//! why the new one is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use hermez_controller::Offer;
use hermez_kinds::RuntimeProfile;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Time between looks at the file. Looks and not inotify: a mounted ConfigMap is a link to a folder
/// that is swapped, and network file systems tell nothing.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the profile for the first time.
///
/// # Errors
/// When there is a file and it cannot be used; the place of the mistake is in the message.
pub fn read(file: Option<&Path>) -> anyhow::Result<Offer> {
    let profile = match file {
        None => RuntimeProfile::plain(),
        Some(file) => read_file(file)?,
    };
    Ok(Offer {
        profile: Arc::new(profile),
        fault: None,
    })
}

/// Offers the file's content whenever it changes, until `shutdown`.
pub async fn follow(file: PathBuf, offers: watch::Sender<Offer>, shutdown: CancellationToken) {
    // The first look reads it again: it may have changed since it was read for the first time.
    let mut seen = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => return,
        }
        let now = mark(&file);
        // A file that is just being replaced is looked at again.
        if now == seen || now.is_none() {
            continue;
        }
        seen = now;
        offer(&file, &offers);
    }
}

fn offer(file: &Path, offers: &watch::Sender<Offer>) {
    match read_file(file) {
        Ok(profile) => offers.send_if_modified(|offer| {
            let news = *offer.profile != profile || offer.fault.is_some();
            if news {
                *offer = Offer {
                    profile: Arc::new(profile),
                    fault: None,
                };
            }
            news
        }),
        Err(error) => offers.send_if_modified(|offer| {
            let fault = Some(format!("{error:#}"));
            std::mem::replace(&mut offer.fault, fault.clone()) != fault
        }),
    };
}

fn read_file(file: &Path) -> anyhow::Result<RuntimeProfile> {
    let name = file.display().to_string();
    let bytes =
        std::fs::read(file).with_context(|| format!("cannot read the runtime profile {name}"))?;
    let parsed = RuntimeProfile::parse(&name, &bytes);
    parsed.map_err(|error| {
        let places = error.places().into_iter().map(|place| {
            let at = [place.line, place.column]
                .map(|number| number.map_or_else(|| "?".to_owned(), |n| n.to_string()));
            let field = place
                .field
                .map(|field| format!(" {field}:"))
                .unwrap_or_default();
            let hint = place
                .hint
                .map(|hint| format!(" ({hint})"))
                .unwrap_or_default();
            format!("{}:{}{field} {}{hint}", at[0], at[1], place.message)
        });
        let places: Vec<String> = places.collect();
        anyhow::anyhow!(
            "the runtime profile {name} cannot be used: {}",
            places.join("; ")
        )
    })
}

/// What tells one state of the file from another.
fn mark(file: &Path) -> Option<(SystemTime, u64, PathBuf)> {
    let found = std::fs::metadata(file).ok()?;
    let real = std::fs::canonicalize(file).ok()?;
    Some((found.modified().ok()?, found.len(), real))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_is_missing_or_wrong_says_where() {
        let error = read(Some(Path::new("/no/such.yaml"))).unwrap_err();
        assert!(error.to_string().contains("/no/such.yaml"));
        assert_eq!(read(None).unwrap().profile.label(), "plain@1");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.yaml");
        std::fs::write(&file, "name: p\nversion: one\n").unwrap();
        let error = read(Some(&file)).unwrap_err().to_string();
        assert!(
            error.contains("2:10") && error.contains("version"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_changed_file_is_offered_and_a_broken_one_leaves_what_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.yaml");
        std::fs::write(&file, "name: p\nversion: 1\n").unwrap();
        let (offers, mut seen) = watch::channel(read(Some(&file)).unwrap());
        let shutdown = CancellationToken::new();
        let following = tokio::spawn(follow(file.clone(), offers, shutdown.clone()));
        std::fs::write(&file, "name: p\nversion: 2 # longer\n").unwrap();
        let label = |offer: &Offer| offer.profile.label();
        let offer = seen
            .wait_for(|offer| label(offer) == "p@2")
            .await
            .unwrap()
            .clone();
        assert_eq!(offer.fault, None);
        std::fs::write(&file, "name: p\nversion: 3\nnonsense: 1\n").unwrap();
        let offer = seen
            .wait_for(|offer| offer.fault.is_some())
            .await
            .unwrap()
            .clone();
        assert_eq!(label(&offer), "p@2");
        let fault = offer.fault.unwrap();
        assert!(
            fault.contains("3:1") && fault.contains("nonsense"),
            "{fault}"
        );
        shutdown.cancel();
        following.await.unwrap();
    }
}
