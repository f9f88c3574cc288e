//! Pages found by key: a cursor names the last item of the page before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hermez_api::Page;

use crate::StoreError;

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    cursor: Option<String>,
    limit: u64,
}

impl Default for PageRequest {
    /// The first page, of the usual size.
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl PageRequest {
    /// Largest page.
    pub const MAX_LIMIT: u64 = 200;
    /// Page size when nobody says.
    pub const DEFAULT_LIMIT: u64 = 50;
    /// Longest cursor that is looked at, in bytes.
    const MAX_CURSOR: usize = 512;

    /// A page after `cursor` (as an earlier page gave it) of `limit` items, bounded to 1..=200.
    pub fn new(cursor: Option<String>, limit: Option<u64>) -> Self {
        let limit = limit
            .unwrap_or(Self::DEFAULT_LIMIT)
            .clamp(1, Self::MAX_LIMIT);
        Self { cursor, limit }
    }

    /// The first page of `limit` items, bounded to 1..=200.
    pub fn first(limit: u64) -> Self {
        Self::new(None, Some(limit))
    }

    /// Items wanted, 1..=200.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The key after which the page starts, for the list named `list`.
    pub(crate) fn after_text(&self, list: &str) -> Result<Option<String>, StoreError> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        if cursor.len() > Self::MAX_CURSOR {
            return Err(StoreError::BadCursor);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(cursor)
            .map_err(|_| StoreError::BadCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| StoreError::BadCursor)?;
        match text.split_once(':') {
            Some((name, key)) if name == list => Ok(Some(key.to_owned())),
            _ => Err(StoreError::BadCursor),
        }
    }

    /// The same for a list whose key is a number.
    pub(crate) fn after_id(&self, list: &str) -> Result<Option<i64>, StoreError> {
        self.after_text(list)?
            .map(|key| key.parse().map_err(|_| StoreError::BadCursor))
            .transpose()
    }

    /// Makes the page from `limit + 1` fetched items; the surplus one says that there is more.
    pub(crate) fn page<T, K: std::fmt::Display>(
        &self,
        list: &str,
        mut items: Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Page<T> {
        let limit = self.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items
            .last()
            .filter(|_| more)
            .map(|last| URL_SAFE_NO_PAD.encode(format!("{list}:{}", key(last))));
        Page { items, next_cursor }
    }
}

/// Turning every item of a page into something else.
pub(crate) trait MapPage<T>: Sized {
    /// The same page with every item turned by `f`.
    fn try_map<U>(self, f: impl FnMut(T) -> Result<U, StoreError>) -> Result<Page<U>, StoreError>;
}

impl<T> MapPage<T> for Page<T> {
    fn try_map<U>(self, f: impl FnMut(T) -> Result<U, StoreError>) -> Result<Page<U>, StoreError> {
        Ok(Page {
            items: self.items.into_iter().map(f).collect::<Result<_, _>>()?,
            next_cursor: self.next_cursor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_continues_its_own_list_only() {
        let page = PageRequest::first(2).page("build", vec![9_i64, 7, 5], |id| *id);
        assert_eq!(page.items, [9, 7]);
        let next = PageRequest::new(page.next_cursor, Some(2));
        assert_eq!(next.after_id("build").unwrap(), Some(7));
        assert!(matches!(
            next.after_id("deploy"),
            Err(StoreError::BadCursor)
        ));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        assert!(
            PageRequest::first(2)
                .page("x", vec![1_i64, 2], |id| *id)
                .next_cursor
                .is_none()
        );
        assert!(
            PageRequest::first(2)
                .page("x", Vec::<i64>::new(), |id| *id)
                .next_cursor
                .is_none()
        );
    }

    #[test]
    fn limits_are_bounded_and_foreign_cursors_refused() {
        assert_eq!(PageRequest::new(None, Some(0)).limit(), 1);
        assert_eq!(PageRequest::new(None, Some(1_000_000)).limit(), 200);
        for cursor in ["", "!!", "bm8", &"a".repeat(600)] {
            let request = PageRequest::new(Some(cursor.to_owned()), None);
            assert!(
                matches!(request.after_text("x"), Err(StoreError::BadCursor)),
                "{cursor}"
            );
        }
    }
}
