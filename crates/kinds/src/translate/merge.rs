//! Who wins when the profile and the resource name the same thing.
//!
//! What both say alike stands once. What they say differently is an error, unless the profile lists
//! its name as overridable; then the resource's stands, in the profile's place.

use std::collections::BTreeMap;

use crate::profile::RuntimeProfile;
use crate::translate::TranslateError;

/// The profile's side of a merge.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    /// The profile.
    pub profile: &'a RuntimeProfile,
}

impl Side<'_> {
    fn yields(self, place: &str, key: &str) -> Result<(), TranslateError> {
        if self.profile.overridable.contains(key) {
            return Ok(());
        }
        Err(TranslateError::Conflict {
            place: place.to_owned(),
            key: key.to_owned(),
            profile: self.profile.name.clone(),
        })
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
        if profile.get(key).is_some_and(|other| other != value) {
            side.yields(place, key)?;
        }
        merged.insert(key.clone(), value.clone());
    }
    Ok(merged)
}

/// The profile's items, then the resource's own that are not among them.
pub(super) fn merge_list<T: Clone + PartialEq>(
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
                side.yields(place, &name)?;
                *other = item;
            }
            None => merged.push(item),
        }
    }
    Ok(merged)
}

/// The resource's own items, then the profile's that are not among them.
pub(super) fn append<T: Clone + PartialEq>(
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
            Some(_) => side.yields(place, &name)?,
            None => merged.push(item),
        }
    }
    Ok(merged)
}
