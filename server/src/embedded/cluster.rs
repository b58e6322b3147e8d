//! The cluster's making and its programs' command lines.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::folder::{self, FolderError, io_error};
use super::home::Home;

/// The role that owns the database and runs the migrations. No superuser.
pub const OWNER_ROLE: &str = "sealbook_owner";

/// The role that the server runs as; what it may do is granted by the migrations.
pub const APP_ROLE: &str = "sealbook_app";

/// The database.
pub const DATABASE: &str = "sealbook";

/// The superuser that `initdb` demands. It has no password and no line in `pg_hba.conf`: nobody can connect as it.
const SUPERUSER: &str = "sealbook_superuser";

/// Making a cluster takes one to three seconds; a slow disk may need a good while longer.
const MAKING: Duration = Duration::from_secs(120);

/// Makes of new clusters begin with this; one that a killed server left half made is removed.
const UNFINISHED: &str = "new-";

/// Settings of every start, on the command line rather than in a file: they are this version's, whatever version made
/// the cluster, and a server running as root writes nothing in a folder of another user. No secrets among them.
const SETTINGS: [&str; 17] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "password_encryption=scram-sha-256",
    // Durability is the product: an acknowledged event has reached the disk.
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    // One server on a workstation: its pools stay far below 64 connections, its hot pages below 64 MB.
    "max_connections=64",
    "shared_buffers=64MB",
    "max_wal_size=512MB",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    // Statements and their values may hold what callers sent; codes and messages suffice.
    "log_statement=none",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
];

/// The two roles' passwords.
pub(super) struct Passwords {
    pub(super) owner: Zeroizing<String>,
    pub(super) app: Zeroizing<String>,
}

/// Makes the cluster with its roles and database. It appears under its name only when it is complete and on disk.
pub(super) async fn make(
    binaries: &Binaries,
    home: &Home,
    passwords: &Passwords,
) -> Result<(), EmbeddedError> {
    let name = format!("{UNFINISHED}{:016x}", rand::random::<u64>());
    let new = home.lend(&name)?;
    let mut initdb = program(&binaries.initdb(), home)?;
    initdb.arg("-D").arg(&new).args(["--username", SUPERUSER, "--auth", "reject", "--encoding", "UTF8"]);
    initdb.args(["--locale", "C", "--data-checksums", "--no-instructions", "--no-sync"]);
    finish(initdb, &binaries.initdb(), home, None).await?;

    let settings = ["fsync=off", "password_encryption=scram-sha-256"];
    single_user(binaries, home, &new, "postgres", &settings, provisioning(passwords)).await?;

    // Nothing above waited for the disk; now everything does, once.
    let mut sync = program(&binaries.initdb(), home)?;
    sync.arg("-D").arg(&new).arg("--sync-only");
    finish(sync, &binaries.initdb(), home, None).await?;
    fs::rename(&new, home.data()).map_err(io_error("rename", &new))?;
    folder::sync_folder(home.root())?;
    Ok(())
}

/// Runs statements, one a line, as the superuser that nobody can connect as. A single-user server reads them from its
/// standard input: passwords pass neither through argv nor through a file of the unprivileged user, and no socket is
/// ever open without authentication.
pub(super) async fn single_user(
    binaries: &Binaries,
    home: &Home,
    data: &Path,
    database: &str,
    settings: &[&str],
    statements: Zeroizing<String>,
) -> Result<(), EmbeddedError> {
    let mut single = program(&binaries.postgres(), home)?;
    single.arg("--single").arg("-D").arg(data);
    for setting in ["exit_on_error=on", "log_min_error_statement=panic"].iter().chain(settings) {
        single.args(["-c", setting]);
    }
    single.arg(database).stdout(Stdio::null());
    finish(single, &binaries.postgres(), home, Some(statements)).await
}

/// Removes what a server that was killed while making a cluster left.
pub(super) fn remove_unfinished(home: &Home) -> Result<(), FolderError> {
    let root = home.root();
    for entry in fs::read_dir(root).map_err(io_error("list", root))? {
        let entry = entry.map_err(io_error("list", root))?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            fs::remove_dir_all(entry.path()).map_err(io_error("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// Passwords are hexadecimal digits, which need no quoting. A single-user server ends a statement at the line's end.
fn provisioning(passwords: &Passwords) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "CREATE ROLE {OWNER_ROLE} LOGIN PASSWORD '{}';\n\
         CREATE ROLE {APP_ROLE} LOGIN PASSWORD '{}';\n\
         CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE};\n\
         REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;\n\
         GRANT CONNECT ON DATABASE {DATABASE} TO {APP_ROLE};\n",
        passwords.owner.as_str(),
        passwords.app.as_str(),
    ))
}

/// Writes `pg_hba.conf`: the two roles, the one database, the socket, with a password. Everything else is refused.
pub(super) fn write_hba(home: &Home) -> Result<(), FolderError> {
    let path = home.hba_file();
    let text =
        format!("# TYPE DATABASE USER METHOD\nlocal {DATABASE} {OWNER_ROLE},{APP_ROLE} scram-sha-256\n");
    let mut file = tempfile::NamedTempFile::new_in(home.root()).map_err(io_error("write in", home.root()))?;
    file.write_all(text.as_bytes()).map_err(io_error("write", &path))?;
    // Postgres' user reads it; it holds no secret.
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644)).map_err(io_error("write", &path))?;
    file.persist(&path).map_err(|error| io_error("write", &path)(error.error))?;
    Ok(())
}

/// The command that runs the cluster.
pub(super) fn postmaster(binaries: &Binaries, home: &Home) -> Result<Command, FolderError> {
    let mut command = program(&binaries.postgres(), home)?;
    command.arg("-D").arg(home.data()).arg("-k").arg(home.socket());
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.arg("-c").arg(format!("cluster_name={}", home.name()));
    let mut hba = std::ffi::OsString::from("hba_file=");
    hba.push(home.hba_file());
    command.arg("-c").arg(hba);
    Ok(command)
}

/// One of Postgres' programs as the home's account, with nothing of the server's environment, and in a process group of
/// its own: Ctrl-C on the terminal is for the server, which then stops Postgres in order.
fn program(path: &Path, home: &Home) -> Result<Command, FolderError> {
    let log = home.open_log()?;
    let stdout = log.try_clone().map_err(io_error("open", &home.log_file()))?;
    let mut command = Command::new(path);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
    // The server's working directory may be closed to that account.
    command.current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(stdout).stderr(log);
    if let Some((uid, gid)) = home.account().switch() {
        // The standard library drops the supplementary groups with the user.
        command.uid(uid).gid(gid);
    }
    Ok(command)
}

/// Runs a program to its end, feeding it `input`.
async fn finish(
    mut command: Command,
    path: &Path,
    home: &Home,
    input: Option<Zeroizing<String>>,
) -> Result<(), EmbeddedError> {
    command.kill_on_drop(true);
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(EmbeddedError::run(path))?;
    let run = async {
        if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
            match stdin.write_all(text.as_bytes()).await {
                // It ended early; its exit status says more than the broken pipe does.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        child.wait().await
    };
    let status = timeout(MAKING, run)
        .await
        .map_err(|_| EmbeddedError::Deadline {
            what: "making the private Postgres' data",
            seconds: MAKING.as_secs(),
            log: home.log_file(),
        })?
        .map_err(EmbeddedError::run(path))?;
    if status.success() { Ok(()) } else { Err(failed(path, status, home)) }
}

/// A program's failure, with the end of the log.
pub(super) fn failed(program: &Path, status: std::process::ExitStatus, home: &Home) -> EmbeddedError {
    let log = home.log_file();
    let tail = log_tail(&log).unwrap_or_else(|error| format!("(the log cannot be read: {error})"));
    EmbeddedError::Failed { program: program.to_owned(), status, log, tail }
}

/// The last lines of the log, at most 2 KiB of them.
fn log_tail(path: &Path) -> io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(2048)))?;
    let mut bytes = Vec::new();
    file.take(2048).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    Ok(lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
}
