//! The same tests on a real PostgreSQL: one server for this binary, a database for each test.
#![allow(missing_docs)]

mod bodies;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bodies::{mk_workload, open};
use hermez_store::Change;
use sea_orm::ConnectionTrait;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

/// Folder of the server's programs.
const BIN: &str = "/usr/lib/postgresql/15/bin";

/// Makes a cluster in a temporary folder, runs it on a unix socket there, and says `ready`. It ends
/// with its standard input, that is with this process, however that ends; then the folder goes.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$BIN/initdb" --pgdata="$dir/data" --username=hermez --auth=trust --no-sync --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1 \
  || { cat "$dir/initdb.log" >&2; exit 1; }
"$BIN/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=400 >"$dir/log" 2>&1 &
server=$!
i=0
until "$BIN/pg_isready" -q -h "$dir" -U hermez; do
  i=$((i+1)); [ $i -lt 300 ] && kill -0 $server || { cat "$dir/log" >&2; exit 1; }
  sleep 0.1
done
echo "$dir"
cat >/dev/null
kill -INT $server; wait $server || true
"#;

struct Server {
    socket: String,
    _script: Child,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        // PostgreSQL refuses to run as root.
        let root = std::fs::metadata("/proc/self").is_ok_and(|meta| {
            use std::os::unix::fs::MetadataExt;
            meta.uid() == 0
        });
        let mut command = if root {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "sh",
                "-c",
            ]);
            command
        } else {
            let mut command = Command::new("sh");
            command.arg("-c");
            command
        };
        let mut script = command
            .arg(SCRIPT)
            .env("BIN", BIN)
            .env("TMPDIR", "/tmp")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let mut socket = String::new();
        let out = script.stdout.take().expect("stdout is piped");
        BufReader::new(out)
            .read_line(&mut socket)
            .expect("the script speaks");
        let socket = socket.trim().to_owned();
        assert!(
            !socket.is_empty(),
            "PostgreSQL did not start; is `postgresql-15` installed in {BIN}?"
        );
        Server {
            socket,
            _script: script,
        }
    })
}

/// A new database.
struct Database {
    url: String,
}

impl Database {
    async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let socket = tokio::task::spawn_blocking(|| &server().socket)
            .await
            .unwrap();
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = |name: &str| format!("postgres://hermez@localhost/{name}?host={socket}");
        let admin = sea_orm::Database::connect(url("postgres")).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        Self { url: url(&name) }
    }

    fn url(&self) -> &str {
        &self.url
    }
}

bodies::tests!();

/// What a store announces next.
async fn next(changes: &mut Receiver<Change>) -> Change {
    let next = timeout(Duration::from_mins(1), changes.recv()).await;
    next.expect("something is announced").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_server_changes_the_others_hear() {
    let database = Database::create().await;
    let (one, two) = (open(database.url()).await, open(database.url()).await);
    let (mut at_one, mut at_two) = (one.changes(), two.changes());
    let changed = |name: &str| Change::Workload(name.to_owned());
    mk_workload(&one, "hello").await;
    assert_eq!(next(&mut at_two).await, changed("hello"));
    // Whoever made the change hears of it once.
    assert_eq!(next(&mut at_one).await, changed("hello"));
    mk_workload(&two, "other").await;
    assert_eq!(next(&mut at_one).await, changed("other"));
    assert_eq!(next(&mut at_two).await, changed("other"));

    // Who could not listen for a time knows it, and listens again.
    let admin = sea_orm::Database::connect(database.url()).await.unwrap();
    let listening =
        "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let ended = format!("SELECT pg_terminate_backend(pid) {listening}");
    let ended = admin.execute_unprepared(&ended).await.unwrap();
    assert_eq!(
        ended.rows_affected(),
        2,
        "each listens on a connection of its own"
    );
    assert_eq!(next(&mut at_one).await, Change::Missed);
    assert_eq!(next(&mut at_two).await, Change::Missed);
    mk_workload(&one, "third").await;
    assert_eq!(next(&mut at_two).await, changed("third"));
    assert_eq!(next(&mut at_one).await, changed("third"));
}
