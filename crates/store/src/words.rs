//! How values stand in columns: times as milliseconds, states as the API's words, lists as JSON.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::StoreError;

/// Milliseconds since the epoch.
pub(crate) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The time that a column holds.
pub(crate) fn at(column: &'static str, ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|_| StoreError::Corrupt {
        column,
        value: ms.to_string(),
    })
}

/// The time that a column holds, if it holds one.
pub(crate) fn maybe_at(
    column: &'static str,
    ms: Option<i64>,
) -> Result<Option<Timestamp>, StoreError> {
    ms.map(|ms| at(column, ms)).transpose()
}

/// The word by which the API (and so the database) knows a value.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // Only enums without fields come here; the round trip of each is tested below.
        other => unreachable!("not a word: {other:?}"),
    }
}

/// The value of a word.
pub(crate) fn value<T: DeserializeOwned>(
    column: &'static str,
    word: &str,
) -> Result<T, StoreError> {
    let deserializer: StrDeserializer<'_, WordError> = word.into_deserializer();
    T::deserialize(deserializer).map_err(|_| StoreError::Corrupt {
        column,
        value: word.to_owned(),
    })
}

/// JSON text of a list or object.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    // Only plain data comes here: maps with text keys, lists, numbers and texts cannot fail.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// What JSON text holds.
pub(crate) fn from_json<T: DeserializeOwned>(
    column: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt {
        column,
        value: text.chars().take(100).collect(),
    })
}

#[cfg(test)]
mod tests {
    use hermez_api::{BuildState, Category, DeployKind, DeployState, PreviewState, WebhookState};

    use super::*;

    #[test]
    fn every_state_survives_the_database() {
        fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(all: &[T]) {
            for one in all {
                assert_eq!(&value::<T>("column", &word(one)).unwrap(), one);
            }
        }
        use BuildState as B;
        use DeployState as D;
        use PreviewState as P;
        check(&[B::Queued, B::Running, B::Succeeded, B::Failed, B::Canceled]);
        check(&[
            D::Pending,
            D::Building,
            D::Queued,
            D::Canary,
            D::Applying,
            D::RollingOut,
            D::Verifying,
            D::Succeeded,
            D::Failed,
            D::Canceled,
            D::Superseded,
        ]);
        check(&[
            DeployKind::Regular,
            DeployKind::Rollback,
            DeployKind::Restart,
            DeployKind::Hotfix,
        ]);
        check(&[P::Active, P::Sleeping, P::Waking, P::Removing, P::Removed]);
        check(&[Category::Production, Category::NonProduction]);
        check(&[WebhookState::Installed, WebhookState::Missing]);
    }

    #[test]
    fn an_unknown_word_names_its_column() {
        let error = value::<BuildState>("build.state", "exploded").unwrap_err();
        assert!(
            error.to_string().contains("`build.state` holds `exploded`"),
            "{error}"
        );
    }
}
