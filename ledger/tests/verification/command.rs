//! `sealbook-verify` as an auditor runs it: what it prints and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::ledger::{Ledger, ledger_key, story, vkey_of};

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(ledger: &Ledger) -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.put("acme.tar", &ledger.bundle());
        desk.put("acme.vkey", format!("{}\n", vkey_of(&ledger_key(1))).as_bytes());
        desk.put("acme.founding", format!("{}\n", ledger.founding).as_bytes());
        desk.put("newer", ledger.checkpoint().to_string().as_bytes());
        desk
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn run(&self, arguments: &str) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_sealbook-verify"))
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

#[test]
fn a_valid_bundle_ends_with_zero_and_an_invalid_one_with_one() {
    let ledger = story();
    let desk = Desk::new(&ledger);
    let (code, out, err) =
        desk.run("acme.tar --vkey @acme.vkey --founding @acme.founding --signatures --known newer");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("VALID") && out.contains("(pinned)") && !out.contains('\u{1b}'), "{out}");

    let mut parts = ledger.parts();
    parts.events.remove(6);
    desk.put("dropped.tar", &parts.tar());
    let (code, out, _) = desk.run("dropped.tar --vkey @acme.vkey --json");
    assert_eq!(code, Some(1));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["verdict"], "invalid");
    assert_eq!(json["failure"]["rule"], "chain.seq");
    assert_eq!((&json["failure"]["seq"], &json["failure"]["type"]), (&6.into(), &"action.approved".into()));
    assert_eq!(json["layers"]["signatures"]["verdict"], "not_checked");
}

#[test]
fn a_receipt_is_recognised_by_itself() {
    let ledger = story();
    let desk = Desk::new(&ledger);
    desk.put(
        "a.tlog-proof",
        ledger.receipt(sealbook_ledger::ids::Seq::new(5).unwrap()).to_string().as_bytes(),
    );
    let vkey = vkey_of(&ledger_key(2));
    let (code, out, _) = desk.run(&format!("a.tlog-proof --vkey {vkey}"));
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("receipt of ledger sealbook.example.com/acme, 1 event"));
    assert_eq!(desk.run("a.tlog-proof --vkey @acme.vkey").0, Some(1));
}

#[test]
fn a_signed_file_is_checked_with_what_lies_beside_it() {
    let mut ledger = Ledger::founded();
    ledger.create_slot("release-p256", sealbook_ledger::algorithm::Algorithm::EcdsaP256Sha256);
    let service = ledger.enroll_service();
    let seq = ledger.sign(service, 0, b"artifact");
    let desk = Desk::new(&ledger);
    let event: serde_json::Value =
        serde_json::from_slice(&ledger.events[usize::try_from(seq.get()).unwrap()]).unwrap();
    let signature: sealbook_ledger::encoding::B64 =
        event["data"]["signature"].as_str().unwrap().parse().unwrap();
    desk.put("a", b"artifact");
    desk.put("b", b"artefact");
    desk.put("a.sig", &signature.0);
    desk.put("a.tlog-proof", ledger.receipt(seq).to_string().as_bytes());
    desk.put("a.pem", ledger.public_key(0).to_pem().as_bytes());
    let rest = "--signature a.sig --receipt a.tlog-proof --pubkey a.pem --vkey @acme.vkey";
    let (code, out, err) = desk.run(&format!("--artifact a {rest}"));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(out.matches(" holds  ").count(), 6, "{out}");
    let (code, out, _) = desk.run(&format!("--artifact b {rest}"));
    assert_eq!(code, Some(1));
    assert!(out.contains("artifact.digest"), "{out}");
    assert_eq!(desk.run("--artifact a --vkey @acme.vkey").0, Some(2));
    assert_eq!(desk.run(&format!("--artifact a {rest} --known newer")).0, Some(2));
    assert_eq!(desk.run(&format!("acme.tar --artifact a {rest}")).0, Some(2));
}

#[test]
fn what_cannot_be_judged_ends_with_two_and_says_why() {
    let desk = Desk::new(&Ledger::founded());
    desk.put("long", &[b'a'; 100_000]);
    for (arguments, expected) in [
        ("", "FILE"),
        ("acme.tar", "--vkey"),
        ("acme.tar --vkey nonsense", "--vkey"),
        ("acme.tar --vkey @absent", "absent"),
        ("acme.tar --vkey @long", "larger than"),
        ("acme.tar --vkey @acme.vkey --founding 00", "--founding"),
        ("acme.tar --vkey @acme.vkey --known acme.vkey", "--known"),
        ("acme.tar --vkey @acme.vkey --known newer --known newer", "twice"),
        ("acme.tar acme.tar --vkey @acme.vkey", "twice"),
        ("absent.tar --vkey @acme.vkey", "absent.tar"),
        (". --vkey @acme.vkey", "can't read"),
        ("acme.tar --vkey @acme.vkey --frobnicate", "frobnicate"),
    ] {
        let (code, out, err) = desk.run(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}");
        assert!(err.contains(expected), "{arguments}: {err}");
    }
}

#[test]
fn it_says_what_it_is_and_how_it_is_used() {
    let desk = Desk::new(&Ledger::founded());
    let (code, out, _) = desk.run("--help");
    assert_eq!(code, Some(0));
    assert!(out.contains("--founding") && out.contains("Exit code"));
    let (code, out, _) = desk.run("--version");
    assert_eq!((code, out.as_str()), (Some(0), concat!("sealbook-verify ", env!("CARGO_PKG_VERSION"), "\n")));
}
