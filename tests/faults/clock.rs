//! Clocks that are set back and forth under a running server and its database, by a library between them and the system.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use integration::bundle::Bundle;
use integration::server::Options;
use integration::tenant::sha256;
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::load::{SLOT, site};

/// Where Debian puts the library, for any architecture.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let libraries = folders.map(|folder| folder.join("faketime/libfaketime.so.1"));
    libraries
        .into_iter()
        .find(|library| library.is_file())
        .expect("libfaketime is a prerequisite of the tests")
}

/// Two clocks, one of the server and one of its database. They are set by files that the library reads at every look.
struct Clocks(TempDir);

impl Clocks {
    fn right() -> Self {
        // Open to the user that Postgres runs as.
        let folder = tempfile::Builder::new().prefix("sb-clocks-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let clocks = Self(folder);
        clocks.set(0);
        clocks.wrap_postgres();
        clocks
    }

    fn file(&self, whose: &str) -> PathBuf {
        self.0.path().join(whose)
    }

    fn set_one(&self, whose: &str, hours: i32) {
        let new = self.file("new");
        fs::write(&new, format!("{hours:+}h\n")).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o644)).unwrap();
        fs::rename(new, self.file(whose)).unwrap();
    }

    /// Sets both, by hours beside the true time.
    fn set(&self, hours: i32) {
        self.set_one("server", hours);
        self.set_one("database", hours);
    }

    /// What makes a process read a clock. Waiting goes by another one, which nobody can set.
    fn environment(&self, whose: &str) -> [(String, String); 4] {
        [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file(whose).display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Programs that call themselves the newest Postgres, so that the server takes them: the installed ones, under the
    /// database's clock.
    fn wrap_postgres(&self) {
        let bin = self.0.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let environment =
            self.environment("database").map(|(name, value)| format!("{name}={value}")).join(" ");
        let real = installed();
        let real = real.display();
        let version = "if [ \"$1\" = --version ]; then echo 'postgres (PostgreSQL) 99.0'; exit; fi";
        let scripts = [
            ("postgres", format!("#!/bin/sh\n{version}\nexec env {environment} {real}/postgres \"$@\"\n")),
            ("initdb", format!("#!/bin/sh\nexec {real}/initdb \"$@\"\n")),
        ];
        for (name, script) in scripts {
            fs::write(bin.join(name), script).unwrap();
            fs::set_permissions(bin.join(name), Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(&bin, Permissions::from_mode(0o755)).unwrap();
    }

    fn server(&self) -> Server {
        let path = std::env::var("PATH").unwrap();
        let mut environment =
            vec![("PATH".to_owned(), format!("{}:{path}", self.0.path().join("bin").display()))];
        environment.extend(self.environment("server"));
        Server::start_with(Options { environment, ..Options::default() })
    }
}

/// The newest installed Postgres.
fn installed() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path());
    let newest = versions.max_by_key(|version| {
        version.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).unwrap_or_default()
    });
    newest.expect("Postgres is a prerequisite of the tests").join("bin")
}

/// The processor time that a process has used.
fn used(pid: u32) -> Duration {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, in hundredths of a second.
    Duration::from_millis(fields[11..13].iter().map(|field| field.parse::<u64>().unwrap() * 10).sum())
}

/// Fails where a server that nobody asks anything is busy.
#[track_caller]
fn rests(server: &Server) {
    let (pid, window) = (server.pid().unwrap(), Duration::from_millis(1500));
    let before = used(pid);
    std::thread::sleep(window);
    let busy = used(pid) - before;
    assert!(busy < window / 2, "{busy:?} of {window:?}");
}

fn evidence(n: u32) -> Value {
    let subject = json!({ "kind": "slot", "id": SLOT });
    json!({ "digest": sha256(&n.to_be_bytes()), "media_type": "text/plain", "subject": subject })
}

/// Every event of a ledger that verifies; their times never go back.
fn ordered(tenant: &Tenant) -> Vec<Value> {
    tenant.verified();
    let events = Bundle::open(&tenant.exported()).parsed();
    let times: Vec<&str> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    events
}

fn signed_in_again(tenant: &mut Tenant) {
    tenant.sign_in_again();
}

#[test]
fn clocks_that_are_set_back_and_forth_leave_events_in_order_and_what_expired_expired() {
    let clocks = Clocks::right();
    let server = clocks.server();
    let (mut tenant, service) = site(&server);
    let grant = json!({ "service": service.id, "slots": [SLOT] });
    let open = tenant.propose(tenant.person(0), "platform_admin", "service.grant", &grant).expect(201).json();

    // Back by an hour: nothing is earlier than what is there, and work goes on.
    clocks.set(-1);
    for n in 0..3 {
        service.api.post(&tenant.path("/evidence"), &evidence(n)).expect(201);
        tenant.sign(&service, SLOT, &sha256(&n.to_be_bytes())).expect(200);
    }
    rests(&server);
    let events = ordered(&tenant);
    let last = events.last().unwrap()["time"].clone();
    assert!(events.iter().filter(|event| event["time"] == last).count() >= 9, "they share the latest time");

    // Forward by thirteen: sessions last twelve. Back again: they don't come back.
    clocks.set(13);
    tenant.get("").refused(401, "auth.token");
    clocks.set(0);
    for person in &tenant.people {
        person.api.get(&tenant.path("")).refused(401, "auth.token");
    }
    signed_in_again(&mut tenant);
    tenant.get("").expect(200);

    // Forward by weeks: the action expires, and so does the service's token, which lasts a day. Back again: they stay so.
    clocks.set(24 * 30);
    signed_in_again(&mut tenant);
    let expired = waiting::until("the action to expire", || {
        let log = server.logs();
        assert!(!log.contains("panicked"), "{log}");
        let view = tenant.action(&open);
        (view["status"] == "expired").then_some(view)
    });
    assert_eq!(expired["status"], "expired");
    service.api.post(&tenant.path("/evidence"), &evidence(10)).refused(401, "auth.token");
    rests(&server);
    clocks.set(0);
    service.api.post(&tenant.path("/evidence"), &evidence(11)).refused(401, "auth.token");
    signed_in_again(&mut tenant);
    assert_eq!(tenant.action(&open)["status"], "expired");
    tenant.decide(tenant.person(2), "approver", "approve", &open).refused(409, "action.expired");
    let path = format!("/slots/{SLOT}/suspend");
    tenant.post(&path, &json!({ "reason": "an alarm" })).expect(201);
    rests(&server);
    ordered(&tenant);
    let log = server.logs();
    assert!(!log.contains("panicked") && !log.contains("LEDGER FROZEN"), "{log}");
}

#[test]
fn a_server_and_a_database_that_disagree_about_the_time_record_nothing_but_containment() {
    let clocks = Clocks::right();
    let server = clocks.server();
    let (mut tenant, service) = site(&server);
    for (whose, hours) in [("server", 1), ("server", -1), ("database", 1), ("database", -1)] {
        clocks.set_one(whose, hours);
        service.api.post(&tenant.path("/evidence"), &evidence(1)).refused(503, "clock.skew");
        tenant.sign(&service, SLOT, &sha256(b"skew")).refused(503, "clock.skew");
        clocks.set(0);
    }
    // An hour forward is longer than sessions may rest.
    signed_in_again(&mut tenant);
    clocks.set_one("database", 1);
    let path = format!("/slots/{SLOT}/suspend");
    tenant.post(&path, &json!({ "reason": "an alarm" })).expect(201);
    rests(&server);
    clocks.set(0);
    service.api.post(&tenant.path("/evidence"), &evidence(2)).expect(201);
    tenant.sign(&service, SLOT, &sha256(b"suspended")).refused(409, "slot.suspended");
    ordered(&tenant);
}
