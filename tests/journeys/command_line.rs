//! The same by the command line: three people and a pipeline, files and exit codes.

mod incidents;

use std::fs;
use std::path::Path;
use std::process::Command;

use integration::Server;
use integration::programs::{Ended, openssl, program, run};
use integration::tenant::text;
use serde_json::Value;

const TENANT: &str = "by-command-line";

/// A machine with a server, three people's authenticators and a pipeline's token.
struct Machine<'a> {
    server: &'a Server,
    folder: &'a Path,
}

impl Machine<'_> {
    fn sealbook(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(program("sealbook"));
        command
            .current_dir(self.folder)
            .env("SEALBOOK_URL", self.server.url())
            .env("SEALBOOK_TENANT", TENANT)
            .env("SEALBOOK_STATE", self.folder.join("state"))
            .env("SEALBOOK_OPERATOR_TOKEN_FILE", self.server.operator_token_file())
            .args(arguments);
        run(&mut command)
    }

    fn by(&self, person: u8, arguments: &[&str]) -> Ended {
        self.sealbook(&[&["--as", &format!("{person}.json")], arguments].concat())
    }

    fn found(&self) {
        let names = ["--founder", "Ann", "--founder", "Ben", "--founder", "Cem"];
        self.sealbook(&[&["tenant", "open", TENANT, "--out", "tickets"], &names[..]].concat()).expect(0);
        let mut tickets: Vec<_> =
            fs::read_dir(self.folder.join("tickets")).unwrap().map(|entry| entry.unwrap().path()).collect();
        tickets.sort();
        // Each has a link beside it, for who founds in a browser.
        let tickets: Vec<&str> = tickets
            .iter()
            .filter_map(|path| path.to_str())
            .filter(|path| path.ends_with(".ticket"))
            .collect();
        assert_eq!(tickets.len(), 3);
        for (person, ticket) in (1..).zip(&tickets) {
            self.sealbook(&["authenticator", "create", &format!("{person}.json")]).expect(0);
            self.by(person, &["founding", "register", "--ticket-file", ticket]).expect(0);
        }
        for (person, ticket) in (1..).zip(&tickets) {
            self.by(person, &["founding", "sign", "--yes", "--ticket-file", ticket, "--pin", "pins"])
                .expect(0);
        }
    }

    /// Proposed by the first person, approved by the other two.
    fn decide(&self, arguments: &[&str]) {
        let proposed = [arguments, &["--reason", "the test", "--yes", "--json"]].concat();
        let action = self.by(1, &proposed).expect(0).json();
        let id = text(&action["action"]);
        self.by(2, &["action", "approve", id, "--yes"]).expect(0);
        let ended = self.by(3, &["action", "approve", id, "--yes", "--wait", "--json"]).expect(0).json();
        assert_eq!(ended["status"], "executed", "{ended}");
    }

    /// An approver reads why, and who it is about, before anybody is enrolled; and types what the story prints.
    fn short_ids_and_reasons(&self) {
        let asked = ["service", "enroll", "Night build", "--slot", "release", "--token-out", "night.token"];
        let proposed = [&asked[..], &["--reason", "builds at night", "--yes", "--json"]].concat();
        let action = self.by(1, &proposed).expect(0).json();
        let id = text(&action["action"]);
        for short in [id, &id[..id.len() - 1], &id[id.len() - 12..]] {
            let shown = self.by(2, &["action", "show", short]).expect(0).stdout;
            assert!(shown.contains("builds at night") && shown.contains("Night build"), "{shown}");
            assert!(shown.contains("Ann"), "{shown}");
        }
        let approved = self.by(2, &["action", "reject", &id[id.len() - 12..], "--yes"]).expect(0);
        assert!(approved.stderr.contains("builds at night"), "{approved:?}");
        assert!(approved.stderr.contains("Night build"), "{approved:?}");
        // What members have in common is no id: who fits is told.
        let members = self.by(1, &["member", "list", "--json"]).expect(0).json();
        let ids: Vec<&str> =
            members["members"].as_array().unwrap().iter().map(|m| text(&m["member"])).collect();
        let shared = (0..36).find(|&at| !ids.iter().all(|id| id[..=at] == ids[0][..=at])).unwrap();
        if shared >= 8 {
            let refused = self.by(1, &["member", "show", &ids[0][..shared]]).expect(2);
            assert!(ids.iter().all(|id| refused.stderr.contains(id)), "{refused:?}");
            assert!(["Ann", "Ben", "Cem"].iter().all(|name| refused.stderr.contains(name)), "{refused:?}");
        }
        self.by(1, &["member", "show", &ids[0][28..]]).expect(0);
    }

    fn sign(&self, file: &str) -> Ended {
        self.sealbook(&["--token-file", "ci.token", "sign", "--slot", "release", "--json", file])
    }
}

#[test]
fn three_people_and_a_pipeline_sign_files_that_openssl_and_the_offline_verifier_accept() {
    let server = Server::start();
    let folder = tempfile::Builder::new().prefix("sb-cli-").tempdir().unwrap();
    let machine = Machine { server: &server, folder: folder.path() };
    machine.found();
    machine.decide(&["slot", "create", "release", "--algorithm", "ecdsa-p256-sha256"]);
    machine.decide(&["service", "enroll", "CI", "--slot", "release", "--token-out", "ci.token"]);

    machine.short_ids_and_reasons();
    fs::write(folder.path().join("app name.bin"), b"what users run").unwrap();
    let signed = machine.sign("app name.bin").expect(0);
    assert!(signed.stdout.contains("app name.bin"), "{signed:?}");
    check_files(folder.path());

    check_files_elsewhere(&machine);

    machine.by(2, &["slot", "suspend", "release", "--reason", "an alarm"]).expect(0);
    fs::write(folder.path().join("late.bin"), b"too late").unwrap();
    let refused = machine.sign("late.bin").expect(4);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("slot.suspended"), "{refused:?}");
    assert!(!folder.path().join("late.bin.sig").exists());

    machine.by(1, &["export", "--wait", "--out", "acme.tar"]).expect(0);
    let story = machine.by(1, &["events", "--story"]).expect(0);
    assert!(story.stdout.lines().count() > 10, "{story:?}");
    verify_bundle(&machine);
    drop(server);
    let mut away = Command::new(program("sealbook"));
    away.current_dir(folder.path()).args(["--url", "http://localhost:1", "--tenant", TENANT]);
    run(away.args(["--token-file", "ci.token", "sign", "--slot", "release", "late.bin"])).expect(5);
}

#[test]
fn an_enrolment_that_is_refused_leaves_no_token_behind() {
    let server = Server::start();
    let folder = tempfile::Builder::new().prefix("sb-cli-").tempdir().unwrap();
    let machine = Machine { server: &server, folder: folder.path() };
    machine.found();
    machine.decide(&["slot", "create", "release", "--algorithm", "ed25519"]);
    let token = folder.path().join("ci.token");
    let enrol = |more: &[&str]| {
        let asked = ["service", "enroll", "CI", "--token-out", "ci.token", "--reason", "the test"];
        machine.by(1, &[&asked[..], more].concat())
    };
    // Refused by the rules, for a role that is not held, and for want of a yes.
    let refused = enrol(&["--slot", "no-such-slot", "--yes"]).expect(4);
    assert!(refused.stderr.contains("slot.unknown"), "{refused:?}");
    assert!(!token.exists(), "a token stays after {refused:?}");
    let refused = enrol(&["--slot", "release", "--yes", "--role", "recovery"]).expect(4);
    assert!(refused.stderr.contains("role.missing"), "{refused:?}");
    assert!(!token.exists(), "a token stays after {refused:?}");
    let refused = enrol(&["--slot", "release"]).expect(1);
    assert!(refused.stderr.contains("cli.not_confirmed"), "{refused:?}");
    assert!(!token.exists(), "a token stays after {refused:?}");

    // The same command works once it may, and then never again over the token that it made.
    enrol(&["--slot", "release", "--yes"]).expect(0);
    let made = fs::read_to_string(&token).unwrap();
    let refused = enrol(&["--slot", "release", "--yes"]).expect(1);
    assert!(refused.stderr.contains("can't create"), "{refused:?}");
    assert_eq!(fs::read_to_string(&token).unwrap(), made);
    let listed = machine.by(1, &["action", "list", "--json"]).expect(0).json();
    let proposed = listed["actions"].as_array().unwrap().iter();
    assert_eq!(proposed.filter(|action| action["type"] == "service.enroll").count(), 1, "{listed}");
}

/// What `sign` wrote beside the file.
fn check_files(folder: &Path) {
    let pem = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pem =
        pem.into_iter().find(|name| name.ends_with(".pem")).expect("the public key lies beside the file");
    let file = "app name.bin";
    let checked =
        openssl(folder, ["dgst", "-sha256", "-verify", &pem, "-signature", &format!("{file}.sig"), file]);
    assert!(checked.expect(0).stdout.contains("Verified OK"));

    let told = fs::read_to_string(folder.join(format!("{file}.VERIFY.txt"))).unwrap();
    assert_eq!(told.lines().count(), 3, "{told}");
    let line = told.lines().find_map(|line| line.strip_prefix("Check it: ")).expect("a command");
    let programs = program("sealbook-verify");
    let path = format!("{}:{}", programs.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let checked = run(Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path)).expect(0);
    assert!(checked.stdout.contains("valid"), "{checked:?}");
}

/// Outputs in another folder than the file: the command works where VERIFY.txt lies.
fn check_files_elsewhere(machine: &Machine<'_>) {
    fs::create_dir(machine.folder.join("dist")).unwrap();
    fs::write(machine.folder.join("dist/other.bin"), b"more of what users run").unwrap();
    let sign = ["--token-file", "ci.token", "sign", "--slot", "release", "--out", "signed/today"];
    machine.sealbook(&[&sign[..], &["dist/other.bin"]].concat()).expect(0);
    let folder = machine.folder.join("signed/today");
    let told = fs::read_to_string(folder.join("other.bin.VERIFY.txt")).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("Check it: ")).expect("a command");
    let programs = program("sealbook-verify");
    let path = format!("{}:{}", programs.parent().unwrap().display(), std::env::var("PATH").unwrap());
    run(Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path)).expect(0);
}

fn verify_bundle(machine: &Machine<'_>) {
    let pins: Vec<String> = fs::read_dir(machine.folder.join("pins"))
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    let pin = |ending: &str| {
        let pin = pins.iter().find(|path| path.ends_with(ending));
        format!("@{}", pin.unwrap_or_else(|| panic!("no {ending} among {pins:?}")))
    };
    let (vkey, founding) = (pin("vkey"), pin("founding"));
    let arguments =
        ["verify", "acme.tar", "--vkey", &vkey, "--founding", &founding, "--signatures", "--json"];
    let verdict: Value = machine.sealbook(&arguments).expect(0).json();
    assert!(verdict.to_string().contains("valid"), "{verdict}");
}
