//! Releases by the command line: papers that hold, that other tools agree with, and that are refused once anything is
//! changed; and the evidence of a key that was lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration::programs::{Ended, openssl, program, run};
use integration::rotating::{rotate, until};
use integration::tenant::{Service, signing_policy, text};
use integration::{Server, Tenant};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Founders who decide on signatures, too.
const BOARD: &[&str] = &["approver", "change_board", "key_owner", "platform_admin", "security_reviewer"];

const OPERATIONS: &str = "app-1.0.signing-operations.json";

/// A tenant with a slot, a pipeline, and a folder of releases.
struct House<'a> {
    server: &'a Server,
    tenant: Tenant,
    folder: TempDir,
}

impl House<'_> {
    fn build<'a>(server: &'a Server, algorithm: &str, policy: &Value) -> House<'a> {
        let tenant = Tenant::founded_with(server, &[BOARD; 3]);
        tenant.slot_with("release", algorithm, policy);
        let service = tenant.service(&["release"]);
        let folder = tempfile::Builder::new().prefix("sb-release-").tempdir().unwrap();
        let house = House { server, tenant, folder };
        house.keep_token(&service);
        fs::write(house.folder.path().join("acme.vkey"), &house.tenant.vkey).unwrap();
        house
    }

    fn keep_token(&self, service: &Service) {
        let token = self.folder.path().join("ci.token");
        fs::write(&token, service.api.token().unwrap()).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The artifacts of a release, before anything is signed.
    fn artifacts(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(folder.join("docs")).unwrap();
        fs::write(folder.join("app.bin"), b"what users run").unwrap();
        fs::write(folder.join("docs/read me.txt"), b"what users read").unwrap();
        folder
    }

    fn sealbook(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(program("sealbook"));
        command
            .current_dir(self.folder.path())
            .env("SEALBOOK_URL", self.server.url())
            .env("SEALBOOK_TENANT", &self.tenant.name)
            .env("SEALBOOK_STATE", self.folder.path().join("state"))
            .args(arguments);
        run(&mut command)
    }

    fn by(&self, person: usize, arguments: &[&str]) -> Ended {
        let person = self.tenant.person(person);
        let who = ["--as", person.key_file.to_str().unwrap(), "--member", &person.id];
        self.sealbook(&[&who[..], arguments].concat())
    }

    fn manifest(&self, folder: &str, version: &str) -> Ended {
        let asked = ["--token-file", "ci.token", "release", "manifest", folder, "--slot", "release"];
        self.sealbook(&[&asked[..], &["--name", "app", "--version", version]].concat())
    }

    /// Without a server: nothing but the folder and the pinned key.
    fn verify(&self, folder: &str, more: &[&str]) -> Ended {
        let mut command = Command::new(program("sealbook"));
        command.current_dir(self.folder.path()).args([
            "release",
            "verify",
            folder,
            "--vkey",
            "@acme.vkey",
            "--json",
        ]);
        run(command.args(more))
    }

    #[track_caller]
    fn refused(&self, folder: &str, code: &str) {
        let ended = self.verify(folder, &[]).expect(1);
        assert_eq!(ended.json()["code"], code, "{ended:?}");
        assert!(ended.stderr.contains(code), "{ended:?}");
    }
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// coreutils' list and openssl's verdict over each signature.
fn other_tools_agree(folder: &Path, digest: &str) {
    let mut check = Command::new("sha256sum");
    let checked = run(check.current_dir(folder).args(["--check", "--strict", "checksums.txt"])).expect(0);
    assert!(
        checked.stdout.contains("app.bin: OK") && checked.stdout.contains("docs/read me.txt: OK"),
        "{checked:?}"
    );
    for file in ["checksums.txt", "release-evidence.json", "app-1.0.intoto.json"] {
        let paper = json_of(&folder.join(format!("{file}.sig.json")));
        let apart = folder.parent().unwrap();
        fs::write(apart.join("signature"), STANDARD.decode(text(&paper["signature_b64"])).unwrap()).unwrap();
        let mut signed = fs::read(folder.join(file)).unwrap();
        if let Some(kind) = paper["payload_type"].as_str() {
            let before = format!("DSSEv1 {} {kind} {} ", kind.len(), signed.len());
            signed.splice(0..0, before.into_bytes());
        }
        fs::write(apart.join("signed"), signed).unwrap();
        let key = folder.join("release-signing-key.pem");
        let verify = ["dgst", digest, "-verify", key.to_str().unwrap(), "-signature", "signature", "signed"];
        assert!(openssl(apart, verify).expect(0).stdout.contains("Verified OK"), "{file}");
    }
}

/// What every control cites is beside the papers, and `sealbook-verify` believes it.
fn controls_are_proved(house: &House<'_>, folder: &Path) {
    let manifest = json_of(&folder.join(OPERATIONS));
    let controls = manifest["controls"].as_array().unwrap();
    assert_eq!(controls.len(), 7);
    for event in controls.iter().flat_map(|control| control["events"].as_array().unwrap()) {
        let receipt = folder.join(format!("receipts/{}.tlog-proof", event["seq"]));
        let arguments = [receipt.to_str().unwrap(), "--vkey", &house.tenant.vkey];
        integration::programs::verify(arguments).expect(0);
        let shown = house.tenant.get(&format!("/events/{}", event["seq"])).expect(200).json();
        assert_eq!((&shown["hash"], &shown["event"]["type"]), (&event["hash"], &event["type"]));
    }
    let slot = house.tenant.get("/slots/release").expect(200).json();
    assert_eq!(manifest["active_key_id"], slot["active_key"]);
    assert_eq!(manifest["signing_policy"]["digest"], slot["policy_digest"]);
    assert_eq!(manifest["rotation_policy"]["policy"], slot["rotation"]);
}

#[test]
fn a_release_is_signed_and_holds_until_something_is_changed() {
    let server = Server::shared();
    let house = House::build(&server, "ecdsa-p256-sha256", &signing_policy());
    let folder = house.artifacts("dist");
    let made = house.manifest("dist", "1.0").expect(0);
    assert!(made.stdout.contains("sealbook release verify dist"), "{made:?}");
    let valid = house.verify("dist", &[]).expect(0).json();
    assert_eq!((text(&valid["verdict"]), valid["steps"].as_array().unwrap().len()), ("valid", 7));
    other_tools_agree(&folder, "-sha256");
    controls_are_proved(&house, &folder);
    // Run again, it has nothing to do.
    let before = fs::read(folder.join("checksums.txt.sig.json")).unwrap();
    assert!(house.manifest("dist", "1.0").expect(0).stdout.contains("signed already"));
    assert_eq!(fs::read(folder.join("checksums.txt.sig.json")).unwrap(), before);

    every_tampering_is_refused(&house, &folder);
    house.verify("dist", &[]).expect(0);
    // Under another key, without one, and where nothing is.
    let other = Tenant::founded(&*server, 2);
    fs::write(house.folder.path().join("acme.vkey"), &other.vkey).unwrap();
    house.refused("dist", "release.ledger");
    fs::write(house.folder.path().join("acme.vkey"), "").unwrap();
    house.verify("dist", &[]).expect(2);
    fs::write(house.folder.path().join("acme.vkey"), &house.tenant.vkey).unwrap();
    house.verify("nowhere", &[]).expect(2);
    house.tenant.verified();
}

fn every_tampering_is_refused(house: &House<'_>, folder: &Path) {
    let paper = |name: &str| fs::read(folder.join(name)).unwrap();
    let receipt = |name: &str| {
        let paper = json_of(&folder.join(format!("{name}.sig.json")));
        format!("receipts/{}.tlog-proof", paper["created"]["seq"])
    };
    let signature = receipt("checksums.txt");
    for (name, code) in [
        ("app.bin", "release.checksum"),
        (OPERATIONS, "release.operations"),
        ("checksums.txt", "release.checksums"),
        ("release-evidence.json", "release.evidence"),
        ("app-1.0.intoto.json", "release.provenance"),
        ("app-1.0.intoto.jsonl", "release.provenance_mismatch"),
        ("release-signing-key.pem", "release.checksum"),
        ("checksums.txt.sig.json", "release.signature"),
        (&signature, "release.receipt"),
    ] {
        let file = folder.join(name);
        let good = paper(name);
        let mut bad = good.clone();
        bad[0] ^= 0x80;
        fs::write(&file, bad).unwrap();
        house.refused("dist", code);
        fs::remove_file(&file).unwrap();
        house.verify("dist", &[]).expect(1);
        fs::write(&file, good).unwrap();
    }
    // A control is taken out, a file put in, a link laid, a signature exchanged.
    let good = paper(OPERATIONS);
    let mut manifest = json_of(&folder.join(OPERATIONS));
    manifest["controls"].as_array_mut().unwrap().remove(4);
    fs::write(folder.join(OPERATIONS), sealbook_ledger::canonical::to_vec(&manifest).unwrap()).unwrap();
    house.refused("dist", "release.control_missing");
    fs::write(folder.join(OPERATIONS), good).unwrap();
    fs::write(folder.join("docs/more.txt"), b"more").unwrap();
    house.refused("dist", "release.unlisted");
    fs::remove_file(folder.join("docs/more.txt")).unwrap();
    std::os::unix::fs::symlink("app.bin", folder.join("link")).unwrap();
    house.refused("dist", "release.link");
    fs::remove_file(folder.join("link")).unwrap();
    let good = paper("checksums.txt.sig.json");
    fs::copy(folder.join("release-evidence.json.sig.json"), folder.join("checksums.txt.sig.json")).unwrap();
    house.refused("dist", "release.signature");
    fs::write(folder.join("checksums.txt.sig.json"), good).unwrap();
}

#[test]
fn a_release_that_people_approve_is_one_question_and_goes_on_after_it() {
    let server = Server::shared();
    let mut policy = signing_policy();
    policy["approval"] = json!(["production"]);
    policy["artifact_fields"] = json!(["name", "version"]);
    let house = House::build(&server, "ecdsa-p384-sha384", &policy);
    let folder = house.artifacts("dist");
    let waits = house.manifest("dist", "1.0").expect(3);
    assert!(waits.stderr.contains("waits for approval by change_board"), "{waits:?}");
    house.refused("dist", "release.signature_missing");
    // Again before the decision: the same papers, and nobody is asked twice.
    let list = fs::read(folder.join("checksums.txt")).unwrap();
    house.manifest("dist", "1.0").expect(3);
    assert_eq!(fs::read(folder.join("checksums.txt")).unwrap(), list);
    let open = house.tenant.get("/actions?status=open").expect(200).json();
    let [action] = open["actions"].as_array().unwrap().as_slice() else { panic!("{open}") };
    let approved = house.by(1, &["action", "approve", text(&action["action"]), "--yes", "--wait"]).expect(0);
    assert!(
        approved.stderr.contains("3 artifacts:") && approved.stderr.contains("app-1.0/checksums.txt"),
        "{approved:?}"
    );
    house.manifest("dist", "1.0").expect(0);
    house.verify("dist", &[]).expect(0);
    other_tools_agree(&folder, "-sha384");
    house.tenant.verified();
}

#[test]
fn a_slot_of_pure_ed25519_signs_releases_and_one_that_is_kept_too_loosely_does_not() {
    let server = Server::shared();
    let house = House::build(&server, "ed25519", &signing_policy());
    let folder = house.artifacts("dist");
    house.manifest("dist", "1.0").expect(0);
    house.verify("dist", &[]).expect(0);
    // Another release may not take the folder over.
    let refused = house.manifest("dist", "1.1").expect(2);
    assert!(refused.stderr.contains("is of another release"), "{refused:?}");

    house.artifacts("staged");
    let mut policy = signing_policy();
    policy["environments"] = json!(["staging"]);
    house.tenant.executed("slot.policy_set", &json!({ "slot": "release", "signing_policy": policy }));
    let refused = house.manifest("staged", "1.0").expect(4);
    assert!(refused.stderr.contains("release.control_unmet"), "{refused:?}");
    assert!(refused.stderr.contains("signed-release-evidence-required"), "{refused:?}");
    assert!(!house.folder.path().join("staged/checksums.txt").exists());
    // What the policy says now is not what the first release was signed under.
    house.verify("dist", &[]).expect(0);
    assert!(folder.join(OPERATIONS).is_file());
    house.tenant.verified();
}

#[test]
fn after_a_key_was_lost_releases_need_its_evidence_and_the_old_ones_are_refused() {
    let server = Server::shared();
    let house = House::build(&server, "ecdsa-p256-sha256", &signing_policy());
    house.artifacts("old");
    house.manifest("old", "1.0").expect(0);
    let lost = house.tenant.get("/slots/release").expect(200).json()["active_key"].clone();

    // As the guide has it: stop, revoke, replace, resume.
    house.tenant.post("/slots/release/suspend", &json!({})).expect(201);
    let revoke = json!({ "key": lost, "reason": "key_compromise", "compromised_since": "2026-01-01T00:00:00.000000Z" });
    house.tenant.executed("key.revoke_emergency", &revoke);
    let refused = house.manifest("old", "1.0").expect(4);
    assert!(refused.stderr.contains("release.key_revoked"), "{refused:?}");
    let rotation = rotate(&house.tenant, "release", "key.rotate_emergency");
    until(&house.tenant, &rotation, "the cutover", |rotation| rotation["state"] == "completed");
    house.tenant.executed("slot.resume", &json!({ "slot": "release" }));
    house.artifacts("new");
    house.manifest("new", "1.1").expect(0);
    house.refused("new", "release.revocation_evidence_missing");

    fs::write(house.folder.path().join("affected"), "app 1.0\n").unwrap();
    let told = ["--releases", "affected", "--advisory", "https://example.com/advisories/1"];
    let evidence = ["--new-evidence", "new/release-evidence.json", "--key", text(&lost)];
    let compose = ["release", "revocation-evidence"];
    house.by(0, &[&compose[..], &told, &evidence].concat()).expect(0);
    house.verify("new", &[]).expect(0);
    let told = json_of(&house.folder.path().join("new/revocation-evidence.json"));
    let [revocation] = told["revocations"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&revocation["revoked_key_id"], text(&revocation["reason"])), (&lost, "key_compromise"));
    let now = house.tenant.get("/slots/release").expect(200).json()["active_key"].clone();
    assert_eq!(revocation["replacement_key_id"], now);

    // The old release holds by itself, and not for whoever has the evidence.
    house.verify("old", &[]).expect(0);
    let refused = house.verify("old", &["--revocations", "new/revocation-evidence.json"]).expect(1);
    assert_eq!(refused.json()["code"], "release.key_revoked", "{refused:?}");
    assert!(refused.json()["sentence"].as_str().unwrap().contains("among those affected"), "{refused:?}");

    // A later one has the evidence laid beside it, and nobody changes a word of it.
    house.artifacts("next");
    for name in ["revocation-evidence.json", "revocation-evidence.tlog-proof"] {
        fs::copy(house.folder.path().join("new").join(name), house.folder.path().join("next").join(name))
            .unwrap();
    }
    house.manifest("next", "1.2").expect(0);
    house.verify("next", &[]).expect(0);
    let file = house.folder.path().join("next/revocation-evidence.json");
    let changed = fs::read_to_string(&file).unwrap().replace("advisories/1", "advisories/2");
    fs::write(&file, changed).unwrap();
    house.refused("next", "release.revocation_evidence");
    house.tenant.verified();
}
