//! Who wins when the profile and the resource name the same thing.
//!
//! What both say alike stands once. What they say differently is an error, unless the profile lists
//! its name as overridable; then the resource's stands, in the profile's place.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::profile::RuntimeProfile;
use crate::translate::TranslateError;

/// The profile's side of a merge.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    /// The profile.
    pub profile: &'a RuntimeProfile,
}

/// Longest side of a conflict that is told, in characters.
const TOLD: usize = 120;

impl Side<'_> {
    fn yields<T: Serialize>(
        self,
        place: &str,
        key: &str,
        own: &T,
        theirs: &T,
    ) -> Result<(), TranslateError> {
        if self.profile.overridable.contains(key) {
            return Ok(());
        }
        Err(TranslateError::Conflict {
            place: place.to_owned(),
            key: key.to_owned(),
            profile: self.profile.name.clone(),
            own: told(own),
            theirs: told(theirs),
        })
    }
}

/// One side of a conflict, as JSON.
fn told<T: Serialize>(side: &T) -> String {
    let text = serde_json::to_string(side).unwrap_or_default();
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The profile's entries and the resource's own.
pub(super) fn merge_map(
    side: Side<'_>,
    place: &str,
    profile: &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, TranslateError> {
    let mut merged = profile.clone();
    for (key, value) in own {
        if let Some(other) = profile.get(key).filter(|other| *other != value) {
            side.yields(place, key, value, other)?;
        }
        merged.insert(key.clone(), value.clone());
    }
    Ok(merged)
}

/// The profile's items, then the resource's own that are not among them.
pub(super) fn merge_list<T: Clone + PartialEq + Serialize>(
    side: Side<'_>,
    place: &str,
    profile: &[T],
    own: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<Vec<T>, TranslateError> {
    let mut merged = profile.to_vec();
    for item in own {
        let name = key(&item);
        // Only the profile's part is looked through: what the resource says twice is its own affair.
        match merged[..profile.len()]
            .iter_mut()
            .find(|other| key(other) == name)
        {
            Some(other) if *other == item => {}
            Some(other) => {
                side.yields(place, &name, &item, other)?;
                *other = item;
            }
            None => merged.push(item),
        }
    }
    Ok(merged)
}

/// The resource's own items, then the profile's that are not among them.
pub(super) fn append<T: Clone + PartialEq + Serialize>(
    side: Side<'_>,
    place: &str,
    own: Vec<T>,
    profile: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<Vec<T>, TranslateError> {
    let mut merged = own;
    for item in profile {
        let name = key(&item);
        match merged.iter().find(|other| key(other) == name) {
            Some(other) if *other == item => {}
            Some(other) => side.yields(place, &name, other, &item)?,
            None => merged.push(item),
        }
    }
    Ok(merged)
}
