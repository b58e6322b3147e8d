//! Bundles that must be refused, kept for every verifier there is or will be: `testdata/negative-v1`.

use std::path::PathBuf;

use sealbook_ledger::canonical;
use sealbook_ledger::verify::{Layer, LayerReport, Pins, Place, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::genuine::Genuine;
use crate::judge;
use crate::ledger::{ledger_key, vkey_of};
use crate::parts::{Parts, tar_of};

/// One bundle, and what has to be said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    file: String,
    why: String,
    layer: String,
    rule: String,
    /// The event that has to be named, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// The range that has to be named, where only a root tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<(u64, u64)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    vkey: String,
    founding: String,
    vectors: Vec<Vector>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/negative-v1")
}

#[test]
fn every_negative_vector_is_refused_at_its_place_by_its_rule() {
    let text = std::fs::read_to_string(folder().join("vectors.json")).unwrap();
    let Vectors { vkey, founding, vectors } = serde_json::from_str(&text).unwrap();
    let pins = Pins {
        vkeys: vec![vkey.parse().unwrap()],
        founding: Some(founding.parse().unwrap()),
        signatures: true,
        ..Pins::default()
    };
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let bundle = std::fs::read(folder().join(&vector.file)).unwrap();
        let report = judge(&bundle, &pins);
        let layer = Layer::ALL.into_iter().find(|layer| layer.name() == vector.layer).unwrap();
        let LayerReport::Invalid(failure) = report.layer(layer) else {
            panic!("{}: {layer} is not invalid: {report:#?}", vector.file);
        };
        let place = match *failure.place() {
            Place::Event { seq, .. } => (Some(seq), None),
            Place::Range { from, to } => (None, Some((from, to))),
            Place::Whole => (None, None),
        };
        let said = (report.verdict(), failure.rule(), place);
        let expected = (Verdict::Invalid, vector.rule.as_str(), (vector.seq, vector.range));
        assert_eq!(said, expected, "{} ({}): {failure}", vector.file, vector.why);
    }
}

/// Events of the vectors: the founding and one slot.
const SIZE: usize = 14;

/// The genuine bundle as it was then.
fn beginning(genuine: &Genuine) -> Parts {
    let mut parts = genuine.parts.clone();
    parts.events.truncate(SIZE);
    parts.transitions.clear();
    parts.attachments.clear();
    let early = |line: &Vec<u8>| {
        serde_json::from_slice::<Value>(line).unwrap()["seq"].as_u64().unwrap() < SIZE as u64
    };
    parts.disclosures.retain(early);
    parts.checkpoint = genuine.sealed_at(SIZE);
    parts
}

fn edit(parts: &mut Parts, seq: usize, change: impl FnOnce(&mut Value)) {
    let mut event = serde_json::from_slice(&parts.events[seq]).unwrap();
    change(&mut event);
    parts.events[seq] = canonical::value_to_vec(&event).unwrap();
}

/// The vectors, made of the genuine bundle and the ledger keys of the tests.
fn made(genuine: &Genuine) -> Vec<(Vector, Vec<u8>)> {
    let mut made = Vec::new();
    let mut add = |file: &str, why: &str, (layer, rule): (&str, &str), place: Place, tar: Vec<u8>| {
        let (seq, range) = match place {
            Place::Event { seq, .. } => (Some(seq), None),
            Place::Range { from, to } => (None, Some((from, to))),
            Place::Whole => (None, None),
        };
        let [file, why, layer, rule] = [file, why, layer, rule].map(str::to_owned);
        made.push((Vector { file: format!("{file}.tar"), why, layer, rule, seq, range }, tar));
    };
    let of = |change: &dyn Fn(&mut Parts)| {
        let mut parts = beginning(genuine);
        change(&mut parts);
        parts.tar()
    };
    let event = |seq| Place::Event { seq, type_name: None };
    let all = Place::Range { from: 0, to: SIZE as u64 - 1 };
    let other = |event: &mut Value| event["correlation"] = "01934f00-0000-7000-8000-00000000ffff".into();

    let tar = of(&|parts| edit(parts, 6, other));
    add("edited", "one event edited, nothing else", ("chain", "chain.prev"), event(7), tar);
    let tar = of(&|parts| parts.events.swap(6, 7));
    add("swapped", "two approvals swapped", ("chain", "chain.seq"), event(6), tar);
    let tar = of(&|parts| {
        edit(parts, 6, other);
        parts.rechain(7, false);
    });
    add(
        "relinked",
        "one event edited, every later link computed anew",
        ("seals", "seals.root"),
        all.clone(),
        tar,
    );
    let tar = of(&|parts| drop(parts.events.pop()));
    add("cut-tail", "the last event cut off", ("seals", "seals.size"), all, tar);
    let tar = of(&|parts| {
        parts.events.remove(7);
        parts.rechain(7, true);
        parts.reseal(&[&ledger_key(1)]);
    });
    let why = "an approval left out by whoever holds the ledger key";
    add("without-quorum", why, ("rules", "quorum.open"), event(7), tar);
    let tar = of(&|parts| {
        let approver = serde_json::from_slice::<Value>(&parts.events[6]).unwrap();
        edit(parts, 7, |event| {
            event["actor"] = approver["actor"].clone();
            event["data"]["member"] = approver["data"]["member"].clone();
        });
        parts.rechain(8, false);
        parts.reseal(&[&ledger_key(1)]);
    });
    let why = "one person's approval passed off as another's second one, under genuine seals";
    add("one-person-twice", why, ("rules", "approval.duplicate"), event(7), tar);
    let tar = of(&|parts| {
        edit(parts, 9, |event| event["data"]["rotation_days"] = 3650.into());
        parts.rechain(10, false);
        parts.reseal(&[&ledger_key(1)]);
    });
    add("other-effect", "another slot than was approved", ("rules", "action.effect"), event(9), tar);
    let tar = of(&|parts| parts.reseal(&[&ledger_key(77)]));
    add("other-key", "sealed by a key that nobody pinned", ("seals", "signature.missing"), Place::Whole, tar);
    let tar = of(&|parts| {
        let line = String::from_utf8(parts.disclosures[0].clone()).unwrap();
        parts.disclosures[0] = line.replace("Founder 0", "Mallory").into_bytes();
    });
    add("disclosure", "a founder's name exchanged", ("bytes", "disclosure.unreferenced"), event(1), tar);
    let tar = of(&|parts| parts.events[5].insert(1, b' '));
    add("spaced", "a space in an event", ("bytes", "bytes.not_canonical"), event(5), tar);
    let mut members = beginning(genuine).members();
    members.insert(3, ("checkpoint.bak".to_owned(), Vec::new()));
    let rule = ("bytes", "bundle.unknown_member");
    add("stranger", "a member that no bundle has", rule, Place::Whole, tar_of(&members));
    let mut tar = beginning(genuine).tar();
    tar.truncate(tar.len() - 1024 - 2048);
    let at = tar.iter().rev().skip_while(|&&byte| byte != b'\n').count();
    let begins = tar.windows(9).position(|window| window == b"{\"actor\":").unwrap();
    let whole = tar[begins..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
    add("cut-archive", "the archive cut off", ("bytes", "bundle.truncated"), event(whole), tar);
    made
}

/// The vectors are what this code makes of the genuine bundle: their reasons are no guesses.
#[test]
fn the_negative_vectors_are_what_they_say() {
    for (vector, tar) in made(&Genuine::read()) {
        assert_eq!(std::fs::read(folder().join(&vector.file)).unwrap(), tar, "{}", vector.file);
    }
}

#[test]
#[ignore = "replaces testdata/negative-v1"]
fn write_the_negative_vectors() {
    let genuine = Genuine::read();
    std::fs::create_dir_all(folder()).unwrap();
    let made = made(&genuine);
    for (vector, tar) in &made {
        std::fs::write(folder().join(&vector.file), tar).unwrap();
    }
    let vectors = Vectors {
        vkey: vkey_of(&ledger_key(1)).to_string(),
        founding: genuine.pins.founding.unwrap().to_string(),
        vectors: made.into_iter().map(|(vector, _)| vector).collect(),
    };
    let text = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    std::fs::write(folder().join("vectors.json"), text).unwrap();
}
