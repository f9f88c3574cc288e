//! `ETag` and `If-Match` over a record's version.

use http::{HeaderMap, HeaderValue, header};

use crate::problem::{ApiError, catalog};

/// The version as an entity tag.
pub fn of(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("digits are a legal header value")
}

/// The version that the caller read, from `If-Match`. `*` means whichever is there now.
///
/// # Errors
/// 428 when the header is missing, 412 when it cannot be one of ours.
pub fn required(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    if headers.contains_key(header::IF_MATCH) {
        return optional(headers);
    }
    Err(
        ApiError::new(catalog::PRECONDITION_REQUIRED, "`If-Match` is missing.")
            .hint("Read the workload, and send its `ETag` as `If-Match`."),
    )
}

/// The same where the header may be left out.
pub fn optional(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(None);
    }
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|version| version.parse().ok())
        .map(Some)
        .ok_or_else(changed)
}

/// The answer to an edit of a version that is no longer the newest.
pub fn changed() -> ApiError {
    ApiError::new(
        catalog::PRECONDITION_FAILED,
        "Somebody changed it after you read it.",
    )
    .hint("Read it again, and repeat your change on that.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(value: &'static str) -> Result<Option<i64>, ApiError> {
        required(&HeaderMap::from_iter([(
            header::IF_MATCH,
            HeaderValue::from_static(value),
        )]))
    }

    #[test]
    fn a_version_survives_the_round_trip() {
        let headers = HeaderMap::from_iter([(header::IF_MATCH, of(7))]);
        assert_eq!(required(&headers).unwrap(), Some(7));
        assert_eq!(given("*").unwrap(), None);
    }

    #[test]
    fn missing_and_foreign_tags_are_told_apart() {
        let missing = required(&HeaderMap::new()).unwrap_err();
        assert_eq!(missing.kind(), catalog::PRECONDITION_REQUIRED);
        assert_eq!(optional(&HeaderMap::new()).unwrap(), None);
        assert_eq!(
            given("W/\"7\"").unwrap_err().kind(),
            catalog::PRECONDITION_FAILED
        );
        assert_eq!(given("7").unwrap_err().kind(), catalog::PRECONDITION_FAILED);
    }
}
