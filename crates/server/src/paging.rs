//! Cursor pages: `?cursor=…&limit=…`. Lists of the database make their own cursors; [`Cursor`] is
//! for lists that come from elsewhere.

use axum::extract::{FromRequestParts, Query};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hermez_store::PageRequest;
use http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::{ApiError, catalog};

const MAX_CURSOR_BYTES: usize = 512;

/// Which page is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most items to return.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

/// A checked [`PageQuery`].
#[derive(Debug, Clone)]
pub struct Paging {
    cursor: Option<String>,
    limit: u64,
}

impl Paging {
    /// The page, as the database's lists take it.
    pub fn request(&self) -> PageRequest {
        PageRequest::new(self.cursor.clone(), Some(self.limit))
    }

    /// Items wanted (1 to 200).
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// The key that the page starts after, for a list that is not the database's.
    pub fn after(&self, list: &str) -> Result<Option<String>, ApiError> {
        self.cursor
            .as_deref()
            .map(|cursor| Cursor::decode(list, cursor))
            .transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::<PageQuery>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::new(catalog::BAD_REQUEST, rejection.body_text()))?;
        query.check()
    }
}

impl PageQuery {
    fn check(self) -> Result<Paging, ApiError> {
        let limit = self.limit.unwrap_or(PageRequest::DEFAULT_LIMIT);
        if !(1..=PageRequest::MAX_LIMIT).contains(&limit) {
            return Err(ApiError::new(
                catalog::BAD_REQUEST,
                format!(
                    "`limit` is {limit}; it must be between 1 and {}.",
                    PageRequest::MAX_LIMIT
                ),
            ));
        }
        if self
            .cursor
            .as_ref()
            .is_some_and(|cursor| cursor.len() > MAX_CURSOR_BYTES)
        {
            return Err(bad_cursor());
        }
        Ok(Paging {
            cursor: self.cursor,
            limit,
        })
    }
}

/// An opaque cursor: base64url of the list's name and the last item's key.
pub struct Cursor;

impl Cursor {
    /// Where the next page of `list` starts after.
    pub fn encode(list: &str, key: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{list}:{key}"))
    }

    fn decode(list: &str, cursor: &str) -> Result<String, ApiError> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
        let text = String::from_utf8(bytes).map_err(|_| bad_cursor())?;
        text.strip_prefix(list)
            .and_then(|rest| rest.strip_prefix(':'))
            .map(str::to_owned)
            .ok_or_else(bad_cursor)
    }
}

/// The answer to a cursor that is not one of this list's.
pub fn bad_cursor() -> ApiError {
    ApiError::new(
        catalog::BAD_REQUEST,
        "`cursor` was not given out by this list.",
    )
    .hint("Leave it out to start from the beginning.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cursor: Option<&str>, limit: Option<u64>) -> Result<Paging, ApiError> {
        PageQuery {
            cursor: cursor.map(str::to_owned),
            limit,
        }
        .check()
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(check(None, None).unwrap().limit(), 50);
        assert_eq!(check(None, Some(200)).unwrap().limit(), 200);
        assert!(check(None, Some(0)).is_err());
        assert!(check(None, Some(201)).is_err());
    }

    #[test]
    fn a_cursor_continues_its_own_list_only() {
        let cursor = Cursor::encode("commits", "95f6178");
        let paging = check(Some(&cursor), None).unwrap();
        assert_eq!(paging.after("commits").unwrap().as_deref(), Some("95f6178"));
        assert!(paging.after("branches").is_err());
        assert!(check(Some("%%%"), None).unwrap().after("commits").is_err());
        assert!(check(Some(&"A".repeat(600)), None).is_err());
    }
}
