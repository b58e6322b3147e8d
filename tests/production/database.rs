//! A Postgres on the network: TLS alone, passwords for every role, roles as migrations/README.md says.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use integration::postgres::{as_account, binary, owned_by_account};
use integration::waiting;
use rustix::process::{Pid, Signal, kill_process};

use crate::authority::Certified;

/// A running server; it ends with this. Its files are its folder's owner's to remove.
pub struct Database {
    folder: PathBuf,
    port: u16,
    admin_password: String,
    server: Child,
}

impl Database {
    /// Makes and starts one.
    pub fn start(folder: &Path, certified: &Certified, admin_password: &str) -> Self {
        fs::create_dir(folder).unwrap();
        for (from, to) in [(&certified.cert, "server.crt"), (&certified.key, "server.key")] {
            fs::copy(from, folder.join(to)).unwrap();
        }
        fs::write(folder.join("password"), admin_password).unwrap();
        owned_by_account(folder);
        let data = folder.join("data");
        let mut initdb = as_account("initdb");
        initdb.args([
            "--username=admin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        run(initdb.arg("--pwfile").arg(folder.join("password")).arg("-D").arg(&data));
        let hba = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = as_account("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(folder).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "ssl=on"] {
            command.args(["-c", setting]);
        }
        for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
            command.args(["-c", &format!("{setting}={}", folder.join(file).display())]);
        }
        let log = File::create(folder.join("log")).unwrap();
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let database =
            Self { folder: folder.to_owned(), port, admin_password: admin_password.to_owned(), server };
        waiting::until("Postgres to answer", || {
            let mut ready = Command::new(binary("pg_isready"));
            let ready = ready.arg("-q").arg("-h").arg(folder).args(["-p", &port.to_string()]);
            ready.status().unwrap().success().then_some(())
        });
        database
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes roles and database as migrations/README.md says, with passwords for those who log in.
    pub fn provision(&self, app_password: &str, deployer_password: &str) {
        self.sql(&format!(
            "CREATE ROLE sealbook_owner NOLOGIN;\n\
             CREATE ROLE sealbook_app LOGIN PASSWORD '{app_password}';\n\
             CREATE DATABASE sealbook OWNER sealbook_owner;\n\
             CREATE ROLE deployer LOGIN PASSWORD '{deployer_password}';\n\
             GRANT sealbook_owner TO deployer;\n"
        ));
    }

    /// What Postgres has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Runs statements as the administrator, through the socket.
    fn sql(&self, statements: &str) {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "admin", "-d", "postgres", "-h"]);
        psql.arg(&self.folder).args(["-p", &self.port.to_string()]);
        psql.env("PGPASSWORD", &self.admin_password).stdin(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        child.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SIGQUIT: nothing of this database is needed again.
        let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
        let _ = self.server.wait();
    }
}

fn run(command: &mut Command) {
    integration::programs::run(command).expect(0);
}
