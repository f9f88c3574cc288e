//! The store's tests on SQLite: a file of its own for each.
#![allow(missing_docs)]

mod bodies;

/// A new database; dropping it deletes it.
struct Database {
    _folder: tempfile::TempDir,
    url: String,
}

impl Database {
    fn create() -> std::future::Ready<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("hermez.db").display());
        std::future::ready(Self {
            _folder: folder,
            url,
        })
    }

    fn url(&self) -> &str {
        &self.url
    }
}

bodies::tests!();
