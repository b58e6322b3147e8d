//! A key that somebody else may hold, and the same practised: by the command line alone.

use std::fs;
use std::thread;

use integration::rotating::{releases, root};
use integration::tenant::text;
use integration::{Server, waiting};
use serde_json::{Value, json};

use super::Machine;

/// A rotation policy with one channel and no certificate.
fn policy() -> String {
    json!({
        "channels": ["web"], "old_key_signs": false, "overlap_days": 7, "propose_days": 14,
        "revoke_superseded": false, "rotation_days": 90, "v": 1,
    })
    .to_string()
}

/// The last characters of an id, as people copy them.
fn short(id: &Value) -> &str {
    let id = text(id);
    &id[id.len() - 8..]
}

impl Machine<'_> {
    /// Break-glass: the first person's own signature fills a seat, the second fills the other.
    fn break_glass(&self, arguments: &[&str]) -> Value {
        let proposed = [arguments, &["--emergency", "--reason", "a thief", "--yes", "--json"]].concat();
        let action = self.by(1, &proposed).expect(0).json();
        let approve = ["action", "approve", short(&action["action"]), "--yes", "--wait", "--json"];
        let ended = self.by(2, &approve).expect(0).json();
        assert_eq!(ended["status"], "executed", "{ended}");
        action["action"].clone()
    }

    /// A slot for drills whose key has its certificate.
    fn slot_for_drills(&self, name: &str, policy: &Value) {
        fs::write(self.folder.join("policy.json"), policy.to_string()).unwrap();
        let create = ["slot", "create", name, "--drill", "--algorithm", "ecdsa-p256-sha256"];
        self.decide(&[&create[..], &["--rotation", "policy.json"]].concat());
        self.decide(&["certificate", "propose", name]);
        waiting::until("the certificate", || {
            let shown = self.by(1, &["slot", "show", name, "--json"]).expect(0).json();
            shown["certificate"].is_object().then_some(())
        });
    }

    /// The command that an incident's console names last.
    fn next(&self, incident: &str) -> String {
        let shown = self.by(3, &["incident", "show", incident]).expect(0).stdout;
        shown.lines().last().unwrap().strip_prefix("next: ").unwrap_or_else(|| panic!("{shown}")).to_owned()
    }

    fn replaced(&self, slot: &str) {
        let rotation = self.break_glass(&["rotation", "propose", slot]);
        self.by(3, &["rotation", "show", text(&rotation), "--watch"]).expect(0);
    }

    /// The statement of an incident, which holds for whoever has the pin alone.
    fn stated(&self, incident: &str, what: &str) {
        let told =
            self.by(1, &["incident", "statement", incident, "-o", "s.zip", "--pdf", "s.pdf"]).expect(0);
        assert!(told.stdout.contains(&format!("{what} {incident} of slot")), "{told:?}");
        assert!(fs::read(self.folder.join("s.pdf")).unwrap().starts_with(b"%PDF-"));
        let pins = fs::read_dir(self.folder.join("pins")).unwrap().map(|pin| pin.unwrap().path());
        let pin = pins.into_iter().find(|pin| pin.extension().is_some_and(|end| end == "vkey")).unwrap();
        let verdict = self.sealbook(&["verify", "s.zip", "--vkey", &format!("@{}", pin.display())]).expect(0);
        assert!(verdict.stdout.contains("valid"), "{verdict:?}");
    }

    /// Signs for production what the change board lets be signed.
    fn sign_again(&self, file: &str) {
        let awaiting = self.sign(file).expect(3).json();
        let action = text(&awaiting[0]["answer"]["action"]);
        self.by(2, &["action", "approve", action, "--yes", "--wait"]).expect(0);
        self.sign(file).expect(0);
    }
}

#[test]
fn an_incident_goes_from_the_suspicion_to_its_end_by_the_commands_that_it_names() {
    let server = Server::start();
    let folder = tempfile::Builder::new().prefix("sb-cli-").tempdir().unwrap();
    let machine = Machine { server: &server, folder: folder.path() };
    machine.found();
    fs::write(folder.path().join("rotation.json"), policy()).unwrap();
    let slot =
        ["slot", "create", "release", "--algorithm", "ecdsa-p256-sha256", "--rotation", "rotation.json"];
    machine.decide(&slot);
    machine.decide(&["service", "enroll", "CI", "--slot", "release", "--token-out", "ci.token"]);
    machine.decide(&["evidence-key", "set"]);
    fs::write(folder.path().join("app.bin"), b"what users run").unwrap();
    machine.sign("app.bin").expect(0);

    let open =
        ["incident", "open", "--slot", "release", "--suspected-since", "2026-01-01", "--reason", "a leak"];
    let call =
        ["--acknowledge-within", "15", "--target", "contained=5", "--target", "revoked=1440", "--json"];
    let opened = machine.by(1, &[&open[..], &call].concat()).expect(0).json();
    assert_eq!((&opened["contained"], &opened["drill"]), (&json!(true), &json!(false)), "{opened}");
    let id = short(&opened["incident"]).to_owned();
    let refused = machine.by(1, &open).expect(4);
    assert!(refused.stderr.contains("incident.busy"), "{refused:?}");
    machine.sign("app.bin").expect(4);

    let told = machine.by(2, &["incident", "acknowledge", &id]).expect(0).stdout;
    assert!(told.starts_with(&format!("INCIDENT {id} of slot release\n")), "{told}");
    assert!(told.contains("Ben (takes part)") && told.contains("Cem (has not answered)"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    machine.by(3, &["incident", "note", &id, "the runner's disk was read"]).expect(0);

    assert_eq!(machine.next(&id), format!("sealbook incident scope {id}"));
    let scoped = machine.by(1, &["incident", "scope", &id, "--json"]).expect(0).json();
    assert_eq!(scoped["scope"]["count"], 1, "{scoped}");
    assert_eq!(machine.next(&id), format!("sealbook incident withdraw {id} web"));
    // The build takes its own artifacts down. It is shown no incident, so it takes the whole id.
    let withdraw = ["incident", "withdraw", text(&opened["incident"]), "web", "--note", "taken down"];
    let withdrawn = machine.sealbook(&[&["--token-file", "ci.token"], &withdraw[..]].concat()).expect(0);
    assert!(withdrawn.stdout.starts_with("web: withdrawn by event "), "{withdrawn:?}");

    assert_eq!(machine.next(&id), "sealbook rotation propose release --emergency --reason TEXT");
    machine.replaced("release");
    let key = short(&opened["key"]);
    let since = "--compromised-since 2026-01-01T00:00:00.000000Z";
    let revoke =
        format!("sealbook key revoke {key} --because key-compromise {since} --emergency --reason TEXT");
    assert_eq!(machine.next(&id), revoke);
    let revoke =
        revoke.strip_prefix("sealbook ").unwrap().strip_suffix(" --emergency --reason TEXT").unwrap();
    machine.break_glass(&revoke.split(' ').collect::<Vec<_>>());
    assert_eq!(machine.next(&id), "sealbook slot resume release --reason TEXT");
    machine.decide(&["slot", "resume", "release"]);

    machine.sign_again("app.bin");
    machine.by(1, &["incident", "resign", &id]).expect(0);
    machine.by(1, &["incident", "reinstate", &id, "web"]).expect(0);
    let refused = machine.by(1, &["incident", "close", &id]).expect(4);
    assert!(refused.stderr.contains("incident.open"), "{refused:?}");
    fs::write(folder.path().join("advisory.txt"), "Use 1.1:\r\n1.0 may be somebody else's.\r\n").unwrap();
    let advise = ["incident", "advise", &id, "--reference", "ACME-2026-1", "--file", "advisory.txt"];
    machine.by(1, &advise).expect(0);
    assert_eq!(machine.next(&id), format!("sealbook incident close {id}"));
    let closed = machine.by(1, &["incident", "close", &id, "--note", "done"]).expect(0).stdout;
    assert!(closed.contains("closed        resolved, "), "{closed}");
    let listed = machine.by(1, &["incident", "list", "--slot", "release"]).expect(0).stdout;
    assert!(listed.contains("INCIDENT") && listed.contains("resolved"), "{listed}");
    let none = machine.by(1, &["incident", "list", "--open", "--json"]).expect(0).json();
    assert_eq!(none["incidents"], json!([]));
    machine.stated(&id, "INCIDENT");
}

#[test]
fn a_drill_runs_to_its_end_while_people_do_what_takes_them() {
    let server = Server::start();
    let folder = tempfile::Builder::new().prefix("sb-cli-").tempdir().unwrap();
    let machine = Machine { server: &server, folder: folder.path() };
    machine.found();
    machine.slot_for_drills("drill-root", &root());
    let mut policy = releases();
    policy["certificate"]["issuer"]["slot"] = json!("drill-root");
    machine.slot_for_drills("practice", &policy);
    machine.decide(&["evidence-key", "set"]);
    let start = ["drill", "start", "--slot", "practice", "--tabletop", "--target", "contained=5", "--json"];
    let drill = machine.by(1, &start).expect(0).json();
    assert_eq!((&drill["drill"], &drill["contained"]), (&json!(true), &json!(true)), "{drill}");
    let (id, key) = (short(&drill["incident"]), short(&drill["key"]));
    // What is talked through needs somebody at a terminal, or who says that it was.
    let refused = machine.by(1, &["drill", "run", id]).expect(1);
    assert!(refused.stderr.contains("cli.not_confirmed"), "{refused:?}");
    let advanced = machine.by(1, &["drill", "advance", id]).expect(0).stdout;
    assert!(advanced.starts_with(&format!("DRILL {id} of slot practice, tabletop\n")), "{advanced}");
    assert!(advanced.contains("taken      scoped\n"), "{advanced}");
    let late = machine.by(1, &["drill", "run", id, "--yes", "--wait-for", "1"]).expect(5);
    assert!(late.stdout.contains("rotated: sealbook rotation propose practice --emergency"), "{late:?}");

    thread::scope(|scope| {
        let runs = scope.spawn(|| machine.by(3, &["drill", "run", id, "--yes", "--wait-for", "120"]));
        machine.replaced("practice");
        machine.break_glass(&["key", "revoke", key, "--because", "key-compromise"]);
        machine.decide(&["slot", "resume", "practice"]);
        let ran = runs.join().unwrap().expect(0).stdout;
        let resigned = |line: &str| line.starts_with("taken ") && line.ends_with(" resigned");
        assert!(ran.lines().any(resigned) && ran.contains("closed        resolved, "), "{ran}");
        assert!(ran.matches("DRILL").count() > 1, "{ran}");
    });
    let listed = machine.by(2, &["drill", "list"]).expect(0).stdout;
    assert!(listed.contains(&format!("DRILL  {id}")) && listed.contains("resolved"), "{listed}");
    assert!(listed.contains("the next drill is due by "), "{listed}");
    let slots = machine.by(2, &["slot", "list"]).expect(0).stdout;
    assert!(slots.contains("practice (DRILL)"), "{slots}");
    machine.stated(id, "DRILL");
}
