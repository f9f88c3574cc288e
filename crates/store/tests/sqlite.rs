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

/// The switch to the write-ahead log is where SQLite answers "locked" without waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_may_be_opened_by_many_at_once() {
    for _ in 0..20 {
        let database = Database::create().await;
        let open = (0..8).map(|_| hermez_store::Store::open(database.url()));
        for store in futures::future::join_all(open).await {
            store.unwrap().ping().await.unwrap();
        }
    }
}
