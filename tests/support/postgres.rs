//! A Postgres of the test's own behind a Unix socket: started, stopped in every way, and its folder at the test's
//! disposal in between.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::{programs, waiting};

/// Postgres does not run as root: there it runs as this account of the distribution's package.
pub const ACCOUNT: &str = "postgres";

/// Its superuser.
pub const ADMIN: &str = "admin";

/// The port, which names the socket's file and nothing else.
pub const PORT: u16 = 5432;

/// A cluster; its server ends with this. The folder is its owner's to remove.
pub struct Postgres {
    folder: PathBuf,
    server: Option<Child>,
}

impl Postgres {
    /// Makes a cluster in a new folder and starts it. Whoever reaches the socket is believed: passwords are other tests'.
    pub fn start(folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        owned_by_account(folder);
        let mut initdb = as_account("initdb");
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", ADMIN]);
        programs::run(initdb.arg("-D").arg(folder.join("data"))).expect(0);
        let mut postgres = Self { folder: folder.to_owned(), server: None };
        postgres.start_again();
        postgres
    }

    /// Starts it on the folder as it is now, and waits until it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.server.is_none(), "Postgres runs");
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = as_account("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).args(["-p", &PORT.to_string()]);
        command.args(["-c", "listen_addresses="]);
        self.server = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        waiting::until("Postgres to answer", || {
            let mut ready = Command::new(binary("pg_isready"));
            let ready = ready.arg("-q").arg("-h").arg(&self.folder).args(["-p", &PORT.to_string()]);
            ready.status().unwrap().success().then_some(())
        });
    }

    /// Has it end by a signal (SIGINT: with a checkpoint; SIGQUIT: as if the power failed) and waits for that.
    #[track_caller]
    pub fn stop(&mut self, signal: Signal) {
        let mut server = self.server.take().expect("Postgres runs");
        kill_process(Pid::from_child(&server), signal).unwrap();
        waiting::until("Postgres to end", || server.try_wait().unwrap());
    }

    /// The same, unless it has ended by itself.
    pub fn stop_if_running(&mut self, signal: Signal) {
        let ended = self.server.as_mut().is_none_or(|server| server.try_wait().unwrap().is_some());
        if ended {
            self.server = None;
        } else {
            self.stop(signal);
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// The folder of the socket.
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    /// The cluster's folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Copies the cluster's folder, owners and modes included; nobody may run on it.
    #[track_caller]
    pub fn copy_to(&self, copy: &Path) {
        assert!(self.server.is_none(), "a running cluster's files are not of one moment");
        programs::run(Command::new("cp").arg("-a").arg(self.data()).arg(copy)).expect(0);
    }

    /// Puts another cluster's folder in the place of this one's, which goes to `away`.
    #[track_caller]
    pub fn exchange(&self, by: &Path, away: &Path) {
        assert!(self.server.is_none(), "Postgres runs");
        fs::rename(self.data(), away).unwrap();
        fs::rename(by, self.data()).unwrap();
    }

    /// Makes the roles that migrations/README.md names.
    pub fn make_roles(&self) {
        self.sql(
            "CREATE ROLE sealbook_owner NOLOGIN; CREATE ROLE sealbook_app LOGIN;
             CREATE ROLE deployer LOGIN; GRANT sealbook_owner TO deployer;",
        );
    }

    /// Runs statements as the administrator.
    #[track_caller]
    pub fn sql(&self, statements: &str) {
        self.sql_in("postgres", statements);
    }

    /// The same in another database.
    #[track_caller]
    pub fn sql_in(&self, database: &str, statements: &str) {
        assert!(self.psql(database, statements), "{statements}");
    }

    /// Runs statements that may fail, also because nobody is there.
    pub fn try_sql(&self, statements: &str) -> bool {
        self.psql("postgres", statements)
    }

    fn psql(&self, database: &str, statements: &str) -> bool {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", ADMIN, "-d", database, "-h"]);
        psql.arg(&self.folder).args(["-p", &PORT.to_string()]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = psql.spawn().unwrap();
        // One that has ended by now says so by its status.
        let _ = child.stdin.take().unwrap().write_all(statements.as_bytes());
        child.wait().unwrap().success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // SIGQUIT: nothing of this database is needed again.
        let _ = kill_process(Pid::from_child(&server), Signal::QUIT);
        let _ = server.wait();
    }
}

/// Gives a folder to the account that Postgres runs as, and to nobody else.
pub fn owned_by_account(folder: &Path) {
    programs::run(Command::new("chmod").arg("-R").arg("go=").arg(folder)).expect(0);
    if rustix::process::geteuid().is_root() {
        programs::run(Command::new("chown").arg("-R").arg(format!("{ACCOUNT}:")).arg(folder)).expect(0);
    }
}

/// A program of Postgres, run as the unprivileged account and killed with its starter.
pub fn as_account(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"]);
    }
    command.arg(binary(program.as_ref())).env("LC_ALL", "C");
    command
}

/// The newest installed Postgres' programs.
pub fn binary(program: impl AsRef<Path>) -> PathBuf {
    let program = program.as_ref();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    match newest {
        Some(major) => Path::new("/usr/lib/postgresql").join(major.to_string()).join("bin").join(program),
        None => program.to_owned(),
    }
}
