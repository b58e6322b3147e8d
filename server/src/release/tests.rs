//! One thing is changed, and the release is refused for it.

mod revocations;

use proptest::prelude::*;
use sealbook_ledger::canonical;
use sealbook_ledger::policy::Environment;
use serde_json::{Value, json};

use super::contents::Contents;
use super::controls::CONTROLS;
use super::sample::{Draft, House, good, key_id, told_of};
use super::verify::{Verdict, verify};
use super::*;

const OPERATIONS: &str = "app-1.0.signing-operations.json";
const STATEMENT: &str = "app-1.0.intoto.json";
const ENVELOPE: &str = "app-1.0.intoto.jsonl";

#[track_caller]
fn refused(contents: &Contents, house: &House, code: Code) {
    let report = verify(contents, &house.pins());
    assert_eq!(report.code, Some(code.name()), "{:?}", report.sentence);
    assert!(report.sentence.is_some_and(|sentence| sentence.len() > 10));
    let verdict = if code == Code::Version { Verdict::CantJudge } else { Verdict::Invalid };
    assert_eq!(report.verdict, verdict);
}

#[track_caller]
fn valid(contents: &Contents, house: &House) {
    let report = verify(contents, &house.pins());
    assert_eq!((report.code, report.verdict), (None, Verdict::Valid), "{:?}", report.sentence);
    assert!(report.steps.iter().all(|step| step.holds == Some(true)));
}

fn text(contents: &Contents, name: &str) -> String {
    String::from_utf8(contents.paper(name).unwrap().unwrap().to_vec()).unwrap()
}

fn json_of(contents: &Contents, name: &str) -> Value {
    serde_json::from_str(&text(contents, name)).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    canonical::to_vec(value).unwrap()
}

/// A release whose manifest is changed, and everything after it made and signed for that.
fn manifest(change: impl Fn(&mut Value)) -> (House, Contents) {
    let mut house = House::new();
    let seqs = house.open();
    let draft = Draft::new(&house, &seqs, key_id(0));
    let mut json = serde_json::from_slice(&operations::write(&draft.header, &draft.facts).unwrap()).unwrap();
    change(&mut json);
    let contents = draft.release_with(&mut house, bytes(&json));
    (house, contents)
}

#[test]
fn a_release_as_it_should_be_is_valid() {
    let (house, _, contents) = good();
    valid(&contents, &house);
    let json = json_of(&contents, OPERATIONS);
    let ids: Vec<&str> =
        json["controls"].as_array().unwrap().iter().map(|control| control["id"].as_str().unwrap()).collect();
    assert_eq!(ids, CONTROLS);
    for control in json["controls"].as_array().unwrap() {
        assert_eq!(control["status"], "met");
        for event in control["events"].as_array().unwrap() {
            let receipt = receipt_name(Seq::new(event["seq"].as_u64().unwrap()).unwrap());
            assert!(contents.files().contains_key(&receipt), "{receipt}");
        }
    }
}

#[test]
fn a_key_that_was_adopted_signs_releases_as_well() {
    let mut house = House::new();
    house.adopts = true;
    let seqs = house.open();
    let contents = Draft::new(&house, &seqs, key_id(0)).release(&mut house);
    valid(&contents, &house);
    let manifest = json_of(&contents, OPERATIONS);
    assert_eq!(manifest["custody_model"]["came_by"], "adoption");
    assert_eq!(manifest["controls"][0]["events"][0]["type"], "key.adopted");
}

#[test]
fn a_release_has_as_many_artifacts_as_it_may_and_no_more() {
    for (count, code) in [(MAX_ARTIFACTS, None), (MAX_ARTIFACTS + 1, Some(Code::TooLarge.name()))] {
        let mut house = House::new();
        let seqs = house.open();
        let mut draft = Draft::new(&house, &seqs, key_id(0));
        draft.artifacts = (0..count).map(|n| (format!("files/{n}"), b"one of many".to_vec())).collect();
        let contents = draft.release(&mut house);
        assert_eq!(verify(&contents, &house.pins()).code, code, "{count}");
    }
}

#[test]
fn a_manifest_that_leaves_something_out_is_refused_by_name() {
    for id in CONTROLS {
        let (house, contents) = manifest(|json| {
            json["controls"].as_array_mut().unwrap().retain(|control| control["id"] != id);
        });
        refused(&contents, &house, Code::ControlMissing);
    }
    type Change = fn(&mut Value);
    let remove = |json: &mut Value, name: &str| drop(json.as_object_mut().unwrap().remove(name));
    let cases: [(Code, Change); 22] = [
        (Code::ControlUnmet, |json| json["controls"][2]["status"] = json!("unmet")),
        (Code::ControlUnmet, |json| json["controls"][3]["events"] = json!([])),
        (Code::Algorithm, |json| json["algorithm"] = json!("rsa1024-md5")),
        (Code::Algorithm, |json| json["algorithm"] = Value::Null),
        (Code::CustodyBoundary, |json| json["key_boundary"]["private"] = json!("")),
        (Code::CustodyBoundary, |json| json["key_boundary"] = json!({})),
        (Code::CustodyBoundary, |json| json["custody_model"] = Value::Null),
        (Code::CustodyBoundary, |json| json["custody_model"]["attributes"] = Value::Null),
        (Code::Rotation, |json| json["rotation_policy"] = Value::Null),
        (Code::Rotation, |json| json["rotation_policy"]["policy"] = json!({})),
        (Code::Rotation, |json| json["overlap_guidance"] = json!({})),
        (Code::Revocation, |json| json["revocation_evidence"] = Value::Null),
        (Code::Revocation, |json| json["revocation_evidence"]["emergency"] = Value::Null),
        (Code::Revocation, |json| {
            drop(json["revocation_evidence"]["required_members"].as_array_mut().unwrap().pop())
        }),
        (Code::Revocation, |json| {
            drop(json["revocation_evidence"]["required_actions"].as_array_mut().unwrap().pop())
        }),
        (Code::Version, |json| json["schema"] = json!("sealbook:signing-operations/v2")),
        (Code::Operations, |json| json["schema"] = json!("something else")),
        (Code::Operations, |json| json["slot"] = json!("No Slot")),
        (Code::Operations, |json| json["version"] = json!("2.0")),
        // What is there says something else than the events.
        (Code::Statement, |json| json["signing_required"] = json!(false)),
        (Code::Statement, |json| json["rotation_policy"]["interval_days"] = json!(30)),
        (Code::Statement, |json| json["controls"][0]["statement"] = json!("All is well.")),
    ];
    for (code, change) in cases {
        let (house, contents) = manifest(change);
        refused(&contents, &house, code);
    }
    for (name, code) in [
        ("key_boundary", Code::CustodyBoundary),
        ("rotation_policy", Code::Rotation),
        ("revocation_evidence", Code::Revocation),
        ("revoked_keys", Code::Revocation),
        ("controls", Code::ControlMissing),
        ("algorithm", Code::Algorithm),
        ("active_key_id", Code::Operations),
        ("signing_policy", Code::Statement),
    ] {
        let (house, contents) = manifest(|json| remove(json, name));
        refused(&contents, &house, code);
    }
}

#[test]
fn a_file_that_is_missing_changed_or_too_many_is_refused() {
    let (house, _, contents) = good();
    let signature = format!("{CHECKSUMS}{SIGNATURE_ENDING}");
    for (name, code) in [
        (OPERATIONS, Code::OperationsMissing),
        ("app.bin", Code::FileMissing),
        (CHECKSUMS, Code::Checksums),
        (EVIDENCE, Code::Evidence),
        (STATEMENT, Code::Provenance),
        (ENVELOPE, Code::Provenance),
        (KEY, Code::FileMissing),
        ("receipts/1.tlog-proof", Code::FileMissing),
        ("receipts/7.tlog-proof", Code::ReceiptMissing),
        (signature.as_str(), Code::SignatureMissing),
    ] {
        let mut changed = contents.clone();
        assert!(changed.files().contains_key(name), "{name}");
        changed.remove(name);
        refused(&changed, &house, code);
    }
    for (name, code) in [
        ("app.bin", Code::Checksum),
        ("docs/read me.txt", Code::Checksum),
        (KEY, Code::Checksum),
        ("receipts/0.tlog-proof", Code::Checksum),
        ("receipts/7.tlog-proof", Code::Receipt),
        (CHECKSUMS, Code::Checksums),
        (EVIDENCE, Code::Evidence),
        (STATEMENT, Code::Provenance),
        (ENVELOPE, Code::ProvenanceMismatch),
        (signature.as_str(), Code::Signature),
    ] {
        let mut changed = contents.clone();
        changed.put(name, b"something else".to_vec());
        refused(&changed, &house, code);
    }
    for (name, code) in [
        ("another.bin", Code::Unlisted),
        ("docs/another.bin", Code::Unlisted),
        ("receipts/4000.tlog-proof", Code::Unlisted),
        ("receipts/readme", Code::Unlisted),
        ("other-1.0.signing-operations.json", Code::OperationsMissing),
        ("checksums.txt.sig.json.part", Code::SignatureMissing),
        (REVOCATIONS, Code::RevocationEvidence),
    ] {
        let mut changed = contents.clone();
        changed.put(name, b"something else".to_vec());
        refused(&changed, &house, code);
    }
}

#[test]
fn a_list_that_was_made_for_other_files_is_refused() {
    let (house, _, contents) = good();
    let list = text(&contents, CHECKSUMS);
    let without = |name: &str| {
        let kept = list.lines().filter(|line| !line.ends_with(name)).map(|line| format!("{line}\n"));
        kept.collect::<String>().into_bytes()
    };
    for (name, code) in [
        ("app.bin", Code::Unlisted),
        (OPERATIONS, Code::Checksums),
        (KEY, Code::Checksums),
        ("receipts/2.tlog-proof", Code::ReceiptMissing),
    ] {
        let mut changed = contents.clone();
        changed.put(CHECKSUMS, without(name));
        refused(&changed, &house, code);
    }
    let mut changed = contents.clone();
    let later = format!("{list}{}  {EVIDENCE}\n", contents.files()[EVIDENCE].sha256);
    let mut lines: Vec<&str> = later.lines().collect();
    lines.sort_by_key(|line| &line[66..]);
    changed.put(CHECKSUMS, lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes());
    refused(&changed, &house, Code::Checksums);
}

#[test]
fn evidence_of_another_release_is_refused_also_where_it_is_signed() {
    type Change = fn(evidence::Evidence) -> evidence::Evidence;
    let cases: [(Code, Change); 7] = [
        (Code::EvidenceMismatch, |e| evidence::Evidence { version: "1.1".parse().unwrap(), ..e }),
        (Code::EvidenceMismatch, |e| evidence::Evidence { key_id: key_id(1), ..e }),
        (Code::EvidenceMismatch, |e| evidence::Evidence { artifacts: 1, ..e }),
        (Code::EvidenceMismatch, |e| evidence::Evidence { spki_sha256: Hash::ZERO, ..e }),
        (Code::EvidenceMismatch, |e| evidence::Evidence { environment: Environment::Staging, ..e }),
        (Code::EvidenceMismatch, |e| evidence::Evidence { checksums: Named::of(CHECKSUMS, b"other"), ..e }),
        (Code::Evidence, |e| evidence::Evidence { checkpoint: "none".to_owned(), ..e }),
    ];
    for (code, change) in cases {
        let mut house = House::new();
        let seqs = house.open();
        let draft = Draft::new(&house, &seqs, key_id(0));
        let operations = operations::write(&draft.header, &draft.facts).unwrap();
        let contents = draft.release_of(&mut house, operations, change);
        refused(&contents, &house, code);
    }
}

#[test]
fn provenance_and_signatures_of_something_else_are_refused() {
    let (mut house, draft, contents) = good();
    // Signed as it is, and about other artifacts.
    let mut statement = json_of(&contents, STATEMENT);
    statement["subject"][0]["digest"]["sha256"] = json!(Hash::ZERO);
    let mut changed = contents.clone();
    changed.put(STATEMENT, bytes(&statement));
    refused(&changed, &house, Code::ProvenanceMismatch);
    statement["subject"] = json!([]);
    changed.put(STATEMENT, bytes(&statement));
    refused(&changed, &house, Code::ProvenanceMismatch);
    statement["predicateType"] = json!("sealbook:release/v2");
    changed.put(STATEMENT, bytes(&statement));
    refused(&changed, &house, Code::Version);

    // The pipeline's words are its own, and signed like the rest.
    let mut statement = json_of(&contents, STATEMENT);
    statement["predicate"]["pipeline"]["commit"] = json!("abc");
    let mut changed = contents.clone();
    changed.put(STATEMENT, bytes(&statement));
    refused(&changed, &house, Code::Signature);

    // The paper of another file's signature, and one with another signature in it.
    let (list, evidence) =
        (format!("{CHECKSUMS}{SIGNATURE_ENDING}"), format!("{EVIDENCE}{SIGNATURE_ENDING}"));
    let mut changed = contents.clone();
    changed.put(&list, contents.paper(&evidence).unwrap().unwrap().to_vec());
    refused(&changed, &house, Code::Signature);
    let mut paper = json_of(&contents, &list);
    paper["signature_b64"] = json_of(&contents, &evidence)["signature_b64"].clone();
    changed.put(&list, bytes(&paper));
    refused(&changed, &house, Code::Signature);

    // Made for another environment than the manifest says.
    let staging = Draft {
        header: operations::Header { environment: Environment::Staging, ..draft.header.clone() },
        ..draft
    };
    let mut changed = contents.clone();
    staging.sign(&mut house, &mut changed);
    refused(&changed, &house, Code::Signature);
}

#[test]
fn a_device_that_signs_something_else_is_found_out() {
    let (mut house, draft, contents) = good();
    house.devices.swap(0, 1);
    let mut changed = contents;
    draft.sign(&mut house, &mut changed);
    refused(&changed, &house, Code::SignatureFalse);
}

#[test]
fn another_public_key_beside_the_papers_is_refused() {
    let mut house = House::new();
    let seqs = house.open();
    let other = house.devices[1].public().to_pem();
    let draft = Draft { pem: Some(other), ..Draft::new(&house, &seqs, key_id(0)) };
    let contents = draft.release(&mut house);
    refused(&contents, &house, Code::Key);
}

#[test]
fn a_release_of_another_ledger_is_refused() {
    let (_, _, contents) = good();
    refused(&contents, &House::new(), Code::Ledger);
}

#[test]
fn a_release_is_not_written_where_a_control_does_not_hold() {
    let unmet = |prepare: fn(&mut House)| {
        let mut house = House::new();
        prepare(&mut house);
        let seqs = house.open();
        let draft = Draft::new(&house, &seqs, key_id(0));
        operations::write(&draft.header, &draft.facts).unwrap_err()
    };
    for (prepare, control) in [
        ((|house| (house.rotation_days, house.longest_days) = (91, 91)) as fn(&mut House), CONTROLS[2]),
        (|house| house.confined = false, CONTROLS[1]),
        (|house| house.environments = [Environment::Staging].into(), CONTROLS[6]),
    ] {
        let refusal = unmet(prepare);
        assert_eq!(refusal.code, Code::ControlUnmet);
        assert!(refusal.sentence.contains(control), "{}", refusal.sentence);
    }
    // The key itself, revoked.
    let mut house = House::new();
    let mut seqs = house.open();
    seqs.extend(house.lose_first_key().0);
    let draft = Draft::new(&house, &seqs, key_id(0));
    assert_eq!(operations::write(&draft.header, &draft.facts).unwrap_err().code, Code::KeyRevoked);
}

#[test]
fn a_paper_has_one_name_and_a_receipt_one_place() {
    let papers = Papers::new(&"app".parse().unwrap(), &"1.0".parse().unwrap());
    for name in [OPERATIONS, STATEMENT, ENVELOPE, KEY, CHECKSUMS, EVIDENCE, "receipts/7.tlog-proof"] {
        assert!(papers.has(name), "{name}");
    }
    for name in [
        "app.bin",
        "x/checksums.txt",
        "receipts/07.tlog-proof",
        "receipts/x",
        "app.bin.sig.json",
        "app-1.1.intoto.json",
    ] {
        assert!(!papers.has(name), "{name}");
    }
    let run = "0123456789abcdef0123456789abcdef";
    assert!(papers.has_left(&format!("{CHECKSUMS}.{run}.part")));
    assert!(!papers.has_left(&format!("app.bin.{run}.part")) && !papers.has_left("checksums.txt.1.part"));
}

/// Where the bytes of every file of a release with everything in it lie, one behind the other.
fn places(contents: &Contents) -> Vec<(String, usize)> {
    let file = |name: &String| (name.clone(), contents.paper(name).unwrap().unwrap().len());
    contents.files().keys().map(file).collect()
}

/// Something that is done to a file.
#[derive(Debug, Clone)]
enum Change {
    Flip(u8),
    Cut,
    Add(u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![8 => (1..=255u8).prop_map(Change::Flip), 1 => Just(Change::Cut), 1 => any::<u8>().prop_map(Change::Add)]
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>, at: usize) {
        match self {
            Self::Flip(mask) => bytes[at] ^= mask,
            Self::Cut => bytes.truncate(at),
            Self::Add(byte) => bytes.insert(at, *byte),
        }
    }
}

thread_local! {
    /// A release with everything in it, made once.
    static RELEASE: (House, Contents) = {
        let (house, _, contents, _) = told_of();
        (house, contents)
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_changed_byte_of_any_file_is_refused(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in change(),
    ) {
        RELEASE.with(|(house, contents)| {
            let places = places(contents);
            let (name, length) = &places[file.index(places.len())];
            let mut changed = contents.paper(name).unwrap().unwrap().to_vec();
            change.make(&mut changed, at.index(*length));
            let mut folder = contents.clone();
            folder.put(name, changed);
            let report = verify(&folder, &house.pins());
            prop_assert!(report.verdict != Verdict::Valid, "{name}");
            Ok(())
        })?;
    }
}
