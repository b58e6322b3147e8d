//! Evidence packs of a real rotation in other hands: the program that the specification prints, openssl, qpdf, poppler, and
//! a reader of their receipts that shares no code with Sealbook.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use integration::bundle::Bundle;
use integration::programs::{Ended, openssl, run, verify};
use integration::tenant::{sha256, signing_policy, text};
use integration::{Server, Service, Tenant, waiting};
use sealbook_ledger::canonical;
use sealbook_ledger::public_key::PublicKey;
use serde_json::{Value, json};

use crate::reader::script;

/// What is signed before the rotation, and after it.
const BEFORE: &str = "signed by the old key";
const AFTER: &str = "signed by the new key";

/// A tenant with two break-glass rotations behind it, and their packs in its folder: `first.zip` and `pack.zip`, the
/// second also unpacked in `pack/`. `key.pem` is the evidence key, from the ledger.
struct Rotated {
    tenant: Tenant,
    rotation: Value,
}

impl Rotated {
    fn new() -> Self {
        let server = Server::shared();
        let tenant = Tenant::founded(&server, 3);
        tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
        slot(&tenant, "root", &certificate("Acme Root", &json!({ "kind": "self" })));
        let issuer = json!({ "kind": "slot", "slot": "root" });
        slot(&tenant, "releases", &certificate("Acme Releases", &issuer));
        let service = tenant.service(&["releases"]);
        let first = rotate(&tenant);
        save(&tenant, &service, BEFORE, "old.sig");
        let rotation = rotate(&tenant);
        save(&tenant, &service, AFTER, "new.sig");
        for (rotation, name) in [(&first, "first.zip"), (&rotation, "pack.zip")] {
            fs::write(tenant.folder().join(name), pack(&tenant, text(&rotation["rotation"]))).unwrap();
        }
        fs::write(tenant.folder().join("key.pem"), evidence_key(&tenant)).unwrap();
        fs::write(tenant.folder().join("check.py"), printed_program()).unwrap();
        let rotated = Self { tenant, rotation };
        rotated.python(&["-m", "zipfile", "-e", "pack.zip", "pack"]).expect(0);
        rotated
    }

    fn folder(&self) -> &Path {
        self.tenant.folder()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Ended {
        run(Command::new(program).args(arguments).current_dir(self.folder()))
    }

    fn python(&self, arguments: &[&str]) -> Ended {
        self.run("python3", arguments)
    }

    fn openssl(&self, arguments: &str) -> Ended {
        openssl(self.folder(), arguments.split_whitespace())
    }

    fn packed(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder().join("pack").join(name)).unwrap()
    }

    /// Both refuse it: the printed program and ours.
    #[track_caller]
    fn refused(&self, name: &str, what: &str) {
        let theirs = self.python(&["check.py", name, "key.pem"]);
        assert_ne!(theirs.code, Some(0), "{what}: {theirs:?}");
        let file = self.folder().join(name);
        let ours = verify([file.to_str().unwrap(), "--vkey", &self.tenant.vkey]);
        assert_eq!(ours.code, Some(1), "{what}: {ours:?}");
    }
}

/// A certificate policy: an issuing one where it is its own issuer.
fn certificate(name: &str, issuer: &Value) -> Value {
    let issuing = issuer["kind"] == "self";
    let usage =
        if issuing { json!({ "kind": "issuing", "path_len": 0 }) } else { json!({ "kind": "code_signing" }) };
    json!({
        "issuer": issuer, "policies": [], "required": !issuing, "usage": usage,
        "subject": { "common_name": name, "country": "CH", "organization": "Acme" },
        "validity_days": if issuing { 3650 } else { 397 },
    })
}

/// Creates a slot under a certificate policy, and has its key certified.
fn slot(tenant: &Tenant, name: &str, certificate: &Value) {
    let issuing = certificate["usage"]["kind"] == "issuing";
    let mut params = tenant.slot_params(name, "ecdsa-p256-sha256", &signing_policy());
    params["rotation"] = json!({
        "certificate": certificate, "channels": [], "old_key_signs": false, "overlap_days": 7,
        "propose_days": 14, "revoke_superseded": !issuing, "rotation_days": 90, "v": 1,
    });
    tenant.executed("slot.create", &params);
    let (key, policy) = shown(tenant, name);
    tenant.executed("certificate.issue", &json!({ "slot": name, "key": key, "policy": policy }));
    waiting::until("the certificate", || {
        let listed = tenant.get(&format!("/certificates?key={}", text(&key))).expect(200).json();
        (listed["certificates"][0]["state"] == "active").then_some(())
    });
}

/// The key of a slot, and the digest of its rotation policy.
fn shown(tenant: &Tenant, name: &str) -> (Value, String) {
    let shown = tenant.get(&format!("/slots/{name}")).expect(200).json();
    (shown["active_key"].clone(), sha256(&canonical::to_vec(&shown["rotation"]).unwrap()))
}

/// Has the key replaced by break-glass, which waits for nobody; the rotation, once it has its pack.
fn rotate(tenant: &Tenant) -> Value {
    let (key, policy) = shown(tenant, "releases");
    let params = json!({ "slot": "releases", "old_key": key, "policy": policy });
    let action = tenant.executed("key.rotate_emergency", &params);
    waiting::until("the evidence pack", || {
        let shown = tenant.get(&format!("/rotations/{}", text(&action["action"]))).expect(200).json();
        assert_ne!(shown["state"], "failed", "{shown:#}");
        (shown["reported"] == true).then_some(shown)
    })
}

fn save(tenant: &Tenant, service: &Service, content: &str, name: &str) {
    let signed = tenant.sign(service, "releases", &sha256(content.as_bytes())).expect(200).json();
    let signature = STANDARD.decode(text(&signed["signature_b64"])).unwrap();
    fs::write(tenant.folder().join(name), signature).unwrap();
    fs::write(tenant.folder().join(format!("{name}.of")), content).unwrap();
}

fn pack(tenant: &Tenant, rotation: &str) -> Vec<u8> {
    let listed = tenant.get("/reports").expect(200).json();
    let mut reports = listed["reports"].as_array().unwrap().iter();
    let report = reports.find(|report| report["action"] == rotation).unwrap();
    let pack = tenant.get(&format!("/reports/{}", text(&report["sha256"]))).expect(200).body;
    assert_eq!(sha256(&pack), text(&report["sha256"]));
    pack
}

/// As the ledger names it, and not the pack.
fn evidence_key(tenant: &Tenant) -> String {
    let bundle = Bundle::open(&tenant.exported());
    let at = bundle.of_type("ledger.evidence_key_set")[0];
    let event: Value = serde_json::from_slice(&bundle.events()[at]).unwrap();
    let spki = URL_SAFE_NO_PAD.decode(text(&event["data"]["spki"])).unwrap();
    PublicKey::from_der(&spki).unwrap().to_pem()
}

fn printed_program() -> String {
    let specification = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/spec/packs.md");
    let specification = fs::read_to_string(specification).unwrap();
    specification.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn a_pack_of_a_rotation_holds_in_the_hands_of_others() {
    let rotated = Rotated::new();
    for name in ["first.zip", "pack.zip"] {
        let said = rotated.python(&["check.py", name, "key.pem"]).expect(0);
        assert_eq!(said.stdout.trim(), "Verified OK", "{name}");
        let file = rotated.folder().join(name);
        verify([file.to_str().unwrap(), "--vkey", &rotated.tenant.vkey]).expect(0);
    }
    receipts_prove_their_events(&rotated);
    openssl_follows_the_certificates(&rotated);
    signatures_hold_under_their_certificates(&rotated);
    others_read_the_report(&rotated);
    what_was_changed_is_refused(&rotated);
}

fn receipts_prove_their_events(rotated: &Rotated) {
    let check = ["check", "pack.zip", &rotated.tenant.vkey];
    let found = rotated.python(&[&[&*script("packs.py")], &check[..]].concat()).expect(0).json();
    assert!(found["receipts"].as_u64().unwrap() > 30, "{found}");
    for name in ["old_key", "new_key", "rotation", "slot"] {
        assert_eq!(found["rotation_event"][name], rotated.rotation[name], "{name}");
    }
}

fn openssl_follows_the_certificates(rotated: &Rotated) {
    for key in ["old", "new"] {
        let chain = String::from_utf8(rotated.packed(&format!("certificates/{key}.pem"))).unwrap();
        let (leaf, root) = chain.split_at(chain.rfind("-----BEGIN").unwrap());
        assert_eq!(leaf.matches("-----BEGIN").count(), 1);
        fs::write(rotated.folder().join(format!("{key}.leaf")), leaf).unwrap();
        fs::write(rotated.folder().join("root.pem"), root).unwrap();
        let request = format!("req -in pack/certificates/{key}.csr -verify -noout -subject");
        let request = rotated.openssl(&request).expect(0);
        assert!(request.stdout.contains("Acme Releases"), "{request:?}");

        let read =
            rotated.openssl(&format!("x509 -in {key}.leaf -noout -subject -issuer -ext extendedKeyUsage"));
        let read = read.expect(0).stdout;
        for said in ["Acme Releases", "Acme Root", "Code Signing"] {
            assert!(read.contains(said), "{said}: {read}");
        }
        let followed = |purpose: &str| {
            let strict = "-x509_strict -check_ss_sig";
            rotated.openssl(&format!("verify {strict} -purpose {purpose} -CAfile root.pem {key}.leaf"))
        };
        followed("any").expect(0);
        // Known from openssl 3.2 on.
        let codesign = followed("codesign");
        assert!(codesign.code == Some(0) || codesign.stderr.contains("purpose"), "{codesign:?}");
        assert_ne!(followed("sslserver").code, Some(0));
    }
}

fn signatures_hold_under_their_certificates(rotated: &Rotated) {
    let holds = |key: &str, signature: &str| {
        rotated.openssl(&format!("x509 -in {key}.leaf -noout -pubkey -out {key}.pub")).expect(0);
        let verify = format!("dgst -sha256 -verify {key}.pub -signature {signature} {signature}.of");
        rotated.openssl(&verify).code == Some(0)
    };
    assert!(holds("old", "old.sig") && holds("new", "new.sig"));
    assert!(!holds("old", "new.sig") && !holds("new", "old.sig"));
    for key in ["old", "new"] {
        let packed = rotated.packed(&format!("keys/{key}.pem"));
        assert_eq!(packed, fs::read(rotated.folder().join(format!("{key}.pub"))).unwrap(), "{key}");
    }
}

fn others_read_the_report(rotated: &Rotated) {
    let report = "pack/REP.pdf";
    let sound = rotated.run("qpdf", &["--check", report]).expect(0).stdout;
    assert!(sound.contains("No syntax or stream encoding errors found"), "{sound}");
    let fonts = rotated.run("pdffonts", &[report]).expect(0).stdout;
    assert!(fonts.lines().count() > 2, "{fonts}");
    for font in fonts.lines().skip(2) {
        let words: Vec<&str> = font.split_whitespace().collect();
        // Embedded, in part; the object's number and generation stand last.
        assert_eq!(words[words.len() - 5..words.len() - 3], ["yes", "yes"], "{font}");
    }
    let text = rotated.run("pdftotext", &["-raw", report, "-"]).expect(0).stdout;
    // Long values are broken where a column ends.
    let joined: String = text.split_whitespace().collect();
    let digest = sha256(&rotated.packed("evidence.json"));
    let of = |name: &str| rotated.rotation[name].as_str().unwrap().to_owned();
    for said in [of("slot"), of("old_key"), of("new_key"), digest] {
        assert!(joined.contains(&said), "{said}: {text}");
    }
    for founder in ["Founder 1", "Founder 2"] {
        assert!(text.contains(founder), "{founder}: {text}");
    }
}

fn what_was_changed_is_refused(rotated: &Rotated) {
    let pack = fs::read(rotated.folder().join("pack.zip")).unwrap();
    for at in (0..pack.len()).step_by(pack.len() / 6) {
        let mut other = pack.clone();
        other[at] ^= 1;
        fs::write(rotated.folder().join("other.zip"), other).unwrap();
        rotated.refused("other.zip", &format!("byte {at}"));
    }
    let forge = |arguments: &[&str]| {
        rotated.python(&[&[&*script("packs.py")], arguments].concat()).expect(0);
    };
    forge(&["add", "pack.zip", "notes.txt", "other.zip"]);
    rotated.refused("other.zip", "a file more");
    forge(&["graft", "first.zip", "pack.zip", "other.zip"]);
    rotated.refused("other.zip", "the files of one rotation under the statement about another");
}
