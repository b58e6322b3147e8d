//! The private Postgres of `sealbook dev`, against the system's real Postgres.
//!
//! Tests about killed owners and other users run this very test binary again as another process, which serves one
//! folder (see [`serve_one_folder_until_told_to_stop`]).

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic there is the report")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sealbook::embedded::{DataFolder, EmbeddedError, EmbeddedPostgres, FolderError};
use tokio_postgres::{Client, Config, NoTls};

/// Nothing here takes this long; a test that waits longer has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// In the other process: the folder to serve.
const FOLDER: &str = "SEALBOOK_TEST_FOLDER";

/// The id of `nobody` on Debian.
const NOBODY: u32 = 65534;

/// A place that every user can reach, as `make demo` in a home folder open to others would have.
fn place() -> tempfile::TempDir {
    let place = tempfile::Builder::new().prefix("sealbook-test-").tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    place
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < DEADLINE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn start(path: &Path) -> (DataFolder, EmbeddedPostgres) {
    let folder = DataFolder::open(path).unwrap();
    let postgres = EmbeddedPostgres::start(&folder).await.unwrap();
    (folder, postgres)
}

fn alive(pid: u32) -> bool {
    // A zombie still has its folder in /proc, but no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_continues_with_what_the_first_one_kept() {
    let place = place();
    let path = place.path().join("data");
    let begun = Instant::now();
    let (folder, postgres) = start(&path).await;
    println!("first start: {:?}", begun.elapsed());
    let owner = connect(&postgres.owner_config()).await;
    owner.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
    let pid = postgres.pid();
    drop(owner);
    postgres.stop().await.unwrap();
    assert!(!alive(pid), "stop waits for the end");
    drop(folder);

    let begun = Instant::now();
    let (_folder, postgres) = start(&path).await;
    println!("second start: {:?}", begun.elapsed());
    let owner = connect(&postgres.owner_config()).await;
    let kept: i32 = owner.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(kept, 42);
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roles_have_only_what_they_need_and_the_settings_keep_what_is_committed() {
    let place = place();
    let (_folder, postgres) = start(&place.path().join("data")).await;
    let app = connect(&postgres.app_config()).await;
    assert!(app.batch_execute("CREATE TABLE public.mine (n int)").await.is_err());
    assert!(app.batch_execute("CREATE TEMP TABLE mine (n int)").await.is_err());
    for (role, config) in [("app", postgres.app_config()), ("owner", postgres.owner_config())] {
        let client = connect(&config).await;
        let row = "SELECT bool_or(rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls) \
                   FROM pg_roles WHERE rolname = current_user";
        assert!(!client.query_one(row, &[]).await.unwrap().get::<_, bool>(0), "{role}");
    }
    for (setting, value) in
        [("fsync", "on"), ("synchronous_commit", "on"), ("data_checksums", "on"), ("listen_addresses", "")]
    {
        let shown: String = app.query_one(&format!("SHOW {setting}"), &[]).await.unwrap().get(0);
        assert_eq!(shown, value, "{setting}");
    }
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_connects_without_a_role_of_ours_and_its_password() {
    let place = place();
    let (_folder, postgres) = start(&place.path().join("data")).await;
    let socket = postgres.socket_folder().unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
    let mut wrong = postgres.app_config();
    wrong.password("wrong");
    let mut superuser = postgres.app_config();
    superuser.user("sealbook_superuser");
    let mut elsewhere = postgres.owner_config();
    elsewhere.dbname("postgres");
    for (what, config) in [("wrong password", wrong), ("superuser", superuser), ("other database", elsewhere)]
    {
        assert!(config.connect(NoTls).await.is_err(), "{what}");
    }
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_on_the_same_folder_is_refused_and_told_who_holds_it() {
    let place = place();
    let path = place.path().join("data");
    let first = DataFolder::open(&path).unwrap();
    let second = DataFolder::open(&path).expect_err("the folder is taken");
    assert!(
        matches!(second, FolderError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{second:?}"
    );
    assert!(second.to_string().contains(&format!("process {}", std::process::id())), "{second}");
    drop(first);
    DataFolder::open(&path).unwrap();
}

#[test]
fn folders_that_are_not_ours_are_left_alone() {
    let place = place();
    let real = place.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let link = place.path().join("link");
    symlink(&real, &link).unwrap();
    assert!(matches!(DataFolder::open(&link), Err(FolderError::NotAFolder { .. })));

    std::fs::write(real.join("thesis.txt"), "years of work").unwrap();
    let before = std::fs::metadata(&real).unwrap().mode();
    assert!(matches!(DataFolder::open(&real), Err(FolderError::NotOurs { .. })));
    assert_eq!(std::fs::metadata(&real).unwrap().mode(), before, "its permissions are not ours to change");

    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(DataFolder::open(&file), Err(FolderError::NotAFolder { .. })));

    if rustix::process::geteuid().is_root() {
        let foreign = place.path().join("foreign");
        std::fs::create_dir(&foreign).unwrap();
        chown(&foreign, Some(NOBODY), None).unwrap();
        let error = DataFolder::open(&foreign).expect_err("it is nobody's");
        assert!(matches!(error, FolderError::ForeignOwner { owner: NOBODY, .. }), "{error:?}");
    }
}

#[test]
fn secrets_and_subfolders_are_private_and_a_damaged_secret_is_refused() {
    let place = place();
    let folder = DataFolder::open(&place.path().join("data")).unwrap();
    let secret = folder.secret("pin").unwrap();
    assert_eq!(*secret, *folder.secret("pin").unwrap());
    assert_ne!(*secret, *folder.secret("another").unwrap());
    let file = folder.secrets().join("pin");
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    for path in [folder.token(), folder.high_water(), folder.secrets(), folder.cli()] {
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700, "{}", path.display());
    }
    std::fs::write(&file, "short").unwrap();
    assert!(matches!(folder.secret("pin"), Err(FolderError::DamagedSecret { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postmaster_is_started_again_with_all_that_was_committed() {
    let place = place();
    let (_folder, postgres) = start(&place.path().join("data")).await;
    let owner = connect(&postgres.owner_config()).await;
    owner.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
    let killed = postgres.pid();
    kill(killed);
    wait_until("another postmaster serves", async || postgres.pid() != killed).await;
    let owner = connect(&postgres.owner_config()).await;
    let kept: i32 = owner.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0);
    assert_eq!(kept, 42);
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_left_running_is_stopped_and_its_data_kept() {
    let place = place();
    let path = place.path().join("data");
    let mut owner = Other::serve(&path, Command::new(std::env::current_exe().unwrap()));
    let left = owner.postmaster();
    let refused = DataFolder::open(&path).expect_err("the other process holds it");
    assert!(
        matches!(refused, FolderError::InUse { pid: Some(pid), .. } if pid == owner.child.id()),
        "{refused:?}"
    );
    kill(owner.child.id());
    owner.child.wait().unwrap();
    assert!(alive(left), "the Postgres outlives a killed server: that is what is recovered from");

    let (_folder, postgres) = start(&path).await;
    assert!(!alive(left));
    let client = connect(&postgres.owner_config()).await;
    let rows: i64 = client.query_one("SELECT count(*) FROM starts", &[]).await.unwrap().get(0);
    assert_eq!(rows, 1);
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_whose_number_means_another_program_by_now_is_stale() {
    let place = place();
    let path = place.path().join("data");
    let (folder, postgres) = start(&path).await;
    postgres.stop().await.unwrap();
    let data = path.join("postgres/data");
    let mut bystander = Command::new("sleep");
    bystander.arg("600");
    if rustix::process::geteuid().is_root() {
        bystander.uid(std::fs::metadata(&data).unwrap().uid());
    }
    let mut bystander = bystander.spawn().unwrap();
    for lock in [data.join("postmaster.pid"), path.join("postgres/socket/.s.PGSQL.5432.lock")] {
        std::fs::write(lock, format!("{}\n{}\n", bystander.id(), data.display())).unwrap();
    }
    let started = EmbeddedPostgres::start(&folder).await;
    assert!(alive(bystander.id()), "a bystander is left alone");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    started.unwrap().stop().await.unwrap();
}

/// How far the database's clock stands ahead of this process' own, in seconds.
async fn seconds_ahead(postgres: &EmbeddedPostgres) -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let asked = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let app = connect(&postgres.app_config()).await;
    app.query_one(asked, &[]).await.unwrap().get::<_, f64>(0) - now.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trials_clock_runs_ahead_by_days_and_never_goes_back() {
    let (place, day) = (place(), 86_400.0);
    let path = place.path().join("data");
    // From the first start on, behind the most that was asked for, and further.
    for (asked, runs) in [(1, 1), (0, 1), (9, 9)] {
        let folder = DataFolder::open(&path).unwrap();
        assert_eq!(folder.run_ahead(asked).unwrap(), runs);
        let postgres = EmbeddedPostgres::start(&folder).await.unwrap();
        assert_eq!(postgres.ahead(), Duration::from_secs(u64::from(runs) * 86_400));
        let found = seconds_ahead(&postgres).await;
        assert!((found - f64::from(runs) * day).abs() < 60.0, "{found}");
        postgres.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_postgres_stops_too() {
    let place = place();
    let (_folder, postgres) = start(&place.path().join("data")).await;
    let pid = postgres.pid();
    drop(postgres);
    wait_until("Postgres has ended", async || !alive(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_folder_gets_a_socket_whose_path_the_kernel_accepts() {
    let place = place();
    let path =
        place.path().join("a, \"deep\" folder".repeat(12)).join("another level".repeat(10)).join("data");
    let (_folder, postgres) = start(&path).await;
    let socket = postgres.socket_folder().unwrap();
    assert!(!socket.starts_with(place.path()) && socket.as_os_str().len() < 90, "{}", socket.display());
    connect(&postgres.app_config()).await;
    postgres.stop().await.unwrap();
    assert!(!socket.exists(), "the short folder goes with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_passwords_are_named_instead_of_waited_for() {
    let place = place();
    let path = place.path().join("data");
    let (folder, postgres) = start(&path).await;
    postgres.stop().await.unwrap();
    std::fs::remove_file(folder.secrets().join("postgres-app.password")).unwrap();
    let error = EmbeddedPostgres::start(&folder).await.expect_err("the password is another one now");
    assert!(matches!(error, EmbeddedError::RefusedRoles { .. }), "{error:?}");
}

#[test]
fn an_ordinary_user_needs_no_root() {
    if !rustix::process::geteuid().is_root() {
        return; // Then every other test here says the same.
    }
    let place = place();
    // The build's folder may be closed to that user.
    let program = place.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let home = place.path().join("home");
    std::fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let mut command = Command::new(&program);
    command.uid(NOBODY).gid(NOBODY).current_dir(&home);
    let mut other = Other::serve(&home.join("data"), command);
    let postmaster = other.postmaster();
    assert_eq!(std::fs::metadata(format!("/proc/{postmaster}")).unwrap().uid(), NOBODY);
    other.stop();
    assert!(!alive(postmaster));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_root_a_folder_closed_to_others_gets_its_cluster_elsewhere_and_finds_it_again() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root lends Postgres another account.
    }
    let place = place();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = place.path().join("data");
    let (folder, postgres) = start(&path).await;
    connect(&postgres.owner_config()).await.batch_execute("CREATE TABLE kept (n int)").await.unwrap();
    postgres.stop().await.unwrap();
    let remote = PathBuf::from(std::fs::read_to_string(path.join("postgres-location")).unwrap());
    assert!(remote.join("data/PG_VERSION").exists());
    drop(folder);

    let moved = place.path().join("moved");
    std::fs::rename(&path, &moved).unwrap();
    let (_folder, postgres) = start(&moved).await;
    connect(&postgres.owner_config()).await.batch_execute("SELECT n FROM kept").await.unwrap();
    postgres.stop().await.unwrap();
    std::fs::remove_dir_all(&remote).unwrap();
}

/// Another process that runs this test binary to serve one folder.
struct Other {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Other {
    fn serve(folder: &Path, mut command: Command) -> Self {
        let mut child = command
            .args(["--ignored", "--exact", "--nocapture", "serve_one_folder_until_told_to_stop"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// The postmaster's id, once it serves.
    fn postmaster(&mut self) -> u32 {
        for line in self.said.by_ref().lines() {
            if let Some(pid) = line.unwrap().strip_prefix("serving ") {
                return pid.parse().unwrap();
            }
        }
        panic!("the other process ended early: {:?}", self.child.wait());
    }

    fn stop(mut self) {
        self.child.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test by itself: the process that other tests start, kill or run as another user"]
async fn serve_one_folder_until_told_to_stop() {
    let path = PathBuf::from(std::env::var_os(FOLDER).expect("only started by other tests"));
    let (_folder, postgres) = start(&path).await;
    let owner = connect(&postgres.owner_config()).await;
    owner
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS starts (at timestamptz); INSERT INTO starts VALUES (now())",
        )
        .await
        .unwrap();
    println!("\nserving {}", postgres.pid());
    let told = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    told.await.unwrap().unwrap();
    drop(owner);
    postgres.stop().await.unwrap();
}
