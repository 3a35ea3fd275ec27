//! A PostgreSQL for the tests: the one of `TEST_POSTGRES_URL`, or one started from the machine's own binaries that ends
//! with the test process. Each test gets a database of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use sqlx::Connection as _;

/// Where the server is: all of its URL but the database, which stands between the two.
struct Server {
    before: String,
    after: String,
    /// Held so that its standard input stays open: when this process ends, however it ends, the server stops.
    _kept: Mutex<Option<Child>>,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// The URL of a new, empty database.
pub(crate) async fn new_database() -> String {
    let server = tokio::task::spawn_blocking(|| SERVER.get_or_init(start))
        .await
        .unwrap();
    let name = format!(
        "unleak_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let mut admin = sqlx::PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    server.url(&name)
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("{}{database}{}", self.before, self.after)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration but the environment"
)]
fn start() -> Server {
    if let Ok(url) = std::env::var("TEST_POSTGRES_URL") {
        let parsed = url::Url::parse(&url).unwrap();
        let query = parsed.query().map_or(String::new(), |query| format!("?{query}"));
        let whole = &url[..url.len() - query.len() - parsed.path().len()];
        return Server {
            before: format!("{whole}/"),
            after: query,
            _kept: Mutex::new(None),
        };
    }
    let folder = tempfile::Builder::new()
        .prefix("unleak-pg-")
        .tempdir_in("/tmp")
        .unwrap()
        .keep();
    let child = started(&folder, Disk::Fast);
    Server {
        before: "postgres://unleak@localhost/".to_owned(),
        after: format!("?host={}", folder.display()),
        _kept: Mutex::new(Some(child)),
    }
}

/// A PostgreSQL of one test, which may stop it and start it again.
pub(crate) struct Own {
    folder: tempfile::TempDir,
    running: Option<Child>,
}

/// What a server waits for.
#[derive(Clone, Copy)]
enum Disk {
    Fast,
    Safe,
}

impl Own {
    /// One that answers only once the disk has what was written, as everybody runs it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("unleak-pg-")
            .tempdir_in("/tmp")
            .unwrap();
        let mut own = Self {
            folder,
            running: None,
        };
        own.start_again();
        std::fs::write(own.folder.path().join("keep"), "").unwrap();
        own
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://unleak@localhost/postgres?host={}",
            self.folder.path().display()
        )
    }

    /// Stops it at once, as when its machine goes down.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }

    pub(crate) fn start_again(&mut self) {
        self.running = Some(started(self.folder.path(), Disk::Safe));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a server in this folder and waits until it answers.
fn started(folder: &Path, disk: Disk) -> Child {
    // the log of a server that was stopped says that it is ready
    let _none_yet = std::fs::remove_file(folder.join("log"));
    let child = launch(folder, disk);
    let socket = folder.join(".s.PGSQL.5432");
    let began = Instant::now();
    while !socket.exists() || !answers(folder) {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "PostgreSQL did not start: {}",
            log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

/// Whether the server takes connections: its socket is there a moment before.
fn answers(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("log")).is_ok_and(|log| log.contains("ready to accept connections"))
}

/// Starts a shell that makes the cluster, runs the server, and ends both when nobody holds its standard input any more.
fn launch(folder: &Path, disk: Disk) -> Child {
    let binaries = binaries();
    let waits = match disk {
        Disk::Fast => "off",
        Disk::Safe => "on",
    };
    let script = r#"
        cd "$2" && umask 077
        : >log
        [ -d data ] || "$1/initdb" -D data -U unleak -A trust -E UTF8 --locale=C --no-sync >>log 2>&1 || exit 1
        "$1/postgres" -D data -k "$2" -c listen_addresses= -c fsync="$3" -c synchronous_commit="$3" \
            -c full_page_writes="$3" -c max_connections=400 -c shared_buffers=32MB >>log 2>&1 &
        server=$!
        read -r _
        kill -QUIT "$server" && wait "$server"
        [ -e keep ] || rm -rf data
    "#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .arg(&binaries)
        .arg(folder)
        .arg(waits)
        .stdin(Stdio::piped());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        use std::os::unix::process::CommandExt as _;
        // PostgreSQL runs for anybody but root: whoever started us, or nobody
        const NOBODY: u32 = 65_534;
        if [0, NOBODY].contains(&std::fs::metadata(folder).unwrap().uid()) {
            std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
    }
    command.spawn().unwrap()
}

/// Where PostgreSQL's programs are.
pub(crate) fn binaries() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let folders = debian.map(|version| version.path().join("bin"));
    let local = ["/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    folders
        .chain(local)
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .unwrap_or_else(|| {
            panic!("no PostgreSQL here: install it (Debian calls it postgresql), or set TEST_POSTGRES_URL")
        })
}
