//! `reader.py` reads a bundle by the ledger format alone. Where it judges, it judges as `sealbook-verify` does.

use std::path::Path;
use std::process::Command;

use integration::Server;
use integration::bundle::Bundle;
use integration::programs::{Ended, run};
use integration::story::Story;
use integration::verifier::{Pinned, judge};
use serde_json::Value;

/// A folder of this package.
pub fn script(name: &str) -> String {
    format!("{}/interop/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path, pinned: &Pinned) -> Ended {
    let founding = pinned.founding.clone().unwrap_or_default();
    run(Command::new("python3").arg(script("reader.py")).arg(file).arg(&pinned.vkey).arg(founding))
}

/// Changes a text in the data of the first event of a type, and links what follows anew.
fn forge(bundle: &mut Bundle, kind: &str, field: &str) {
    let at = bundle.of_type(kind)[0];
    let mut events = bundle.events();
    let mut event: Value = serde_json::from_slice(&events[at]).unwrap();
    let text = event["data"][field].as_str().unwrap().to_owned();
    let other = if text.starts_with('A') { 'B' } else { 'A' };
    event["data"][field] = format!("{other}{}", &text[1..]).into();
    events[at] = serde_json::to_vec(&event).unwrap();
    bundle.set_events(&events);
    bundle.relink(at + 1);
}

fn on_events(bundle: &mut Bundle, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut events = bundle.events();
    change(&mut events);
    bundle.set_events(&events);
}

#[test]
fn two_readers_that_share_no_code_agree_on_a_bundle_and_on_every_tampered_copy() {
    let server = Server::shared();
    let story = Story::tell(&server, &["ecdsa-p256-sha256", "ed25519"]);
    let (pinned, file) = (story.pinned(), story.tenant.exported());
    let genuine = Bundle::open(&file);
    let ours = judge(&file, &pinned);
    ours.assert_valid();
    let theirs = read(&file, &pinned).expect(0).json();
    assert_eq!(theirs["events"], ours.report["events"]);
    assert_eq!(theirs["root"], ours.report["root"]);
    assert_eq!(theirs["disclosures"], ours.report["disclosures"]["shown"]);
    assert_eq!(theirs["transitions"], 1);
    assert_eq!(theirs["founding"], story.tenant.founding_digest.as_str());
    // Three founders, and at least a proposal and two approvals for each of what was decided.
    assert!(theirs["assertions"].as_u64().unwrap() >= 3 + 3 * 4, "{theirs:#}");

    type Tamper = fn(&mut Bundle);
    let rows: [(&str, Tamper); 13] = [
        ("a space in an event", |b| on_events(b, |e| e[9].insert(1, b' '))),
        ("an event dropped", |b| on_events(b, |e| drop(e.remove(9)))),
        ("two events swapped", |b| on_events(b, |e| e.swap(9, 10))),
        ("an event repeated", |b| on_events(b, |e| e.insert(9, e[9].clone()))),
        ("the tail cut off", |b| on_events(b, |e| drop(e.pop()))),
        ("a forged approval", |b| forge(b, "action.approved", "signature")),
        ("a forged authorisation", |b| forge(b, "signature.authorized", "digest")),
        ("a forged release", |b| forge(b, "signature.created", "signature")),
        ("a checkpoint altered", |b| b.member_mut("checkpoint")[40] ^= 1),
        ("a transition left out", |b| b.members().retain(|(name, _)| !name.starts_with("transitions/"))),
        ("an attachment altered", |b| {
            let name = b.names("attachments/").remove(0);
            b.member_mut(&name).push(b'!');
        }),
        ("a disclosure altered", |b| {
            let text = String::from_utf8(b.member("disclosures.jsonl").to_vec()).unwrap();
            *b.member_mut("disclosures.jsonl") = text.replacen("Founder 1", "Founder 7", 1).into_bytes();
        }),
        ("a stranger in the archive", |b| b.members().push(("readme".to_owned(), b"x".to_vec()))),
    ];
    for (what, tamper) in rows {
        let mut bundle = genuine.clone();
        tamper(&mut bundle);
        let file = story.tenant.folder().join("tampered.tar");
        std::fs::write(&file, bundle.to_tar()).unwrap();
        let (ours, theirs) = (judge(&file, &pinned), read(&file, &pinned));
        assert_eq!((ours.code, theirs.code), (Some(1), Some(1)), "{what}: {theirs:?}");
    }
    let elsewhere = Pinned { founding: Some("ab".repeat(32)), ..pinned };
    assert_eq!((judge(&file, &elsewhere).code, read(&file, &elsewhere).code), (Some(1), Some(1)));
}
