//! Lost keys: what has to be told of them, and what is refused because of them.

use sealbook_ledger::event::Actor;
use serde_json::json;

use super::super::sample::{self, Draft, House, key_id, record, told_of};
use super::super::verify::verify;
use super::*;
use crate::release::revocation::REQUIRED_MEMBERS;

#[test]
fn where_a_key_was_revoked_its_evidence_is_demanded() {
    let (house, _, contents, _) = sample::rebuilt();
    refused(&contents, &house, Code::RevocationEvidenceMissing);
    let (house, _, mut contents, file) = told_of();
    valid(&contents, &house);
    let revocation = file.of(key_id(0)).unwrap();
    assert_eq!(revocation.replacement_key_id, key_id(1));
    // Whoever proposed an emergency and whoever approved it.
    assert_eq!(revocation.operator_approvers.len(), 2);

    // Given from elsewhere it counts as well.
    let given = [REVOCATIONS, REVOCATIONS_PROOF].map(|name| contents.paper(name).unwrap().unwrap().to_vec());
    contents.remove(REVOCATIONS);
    refused(&contents, &house, Code::RevocationEvidence);
    contents.remove(REVOCATIONS_PROOF);
    let [file, proof] = given;
    let pins = verify::Pins { revocations: Some((file, proof)), ..house.pins() };
    assert_eq!(verify(&contents, &pins).code, None);
}

#[test]
fn revocation_evidence_that_leaves_something_out_or_says_something_else_is_refused() {
    let changed = |change: &dyn Fn(&mut Value)| {
        let (mut house, _, mut contents, _) = told_of();
        let mut json = json_of(&contents, REVOCATIONS);
        change(&mut json);
        // Recorded as it is: what is refused is what it says.
        let file = bytes(&json);
        let proof = record(&mut house, &file, key_id(0));
        contents.put(REVOCATIONS, file);
        contents.put(REVOCATIONS_PROOF, proof.into_bytes());
        (house, contents)
    };
    for member in REQUIRED_MEMBERS {
        let (house, contents) =
            changed(&|json| drop(json["revocations"][0].as_object_mut().unwrap().remove(member)));
        refused(&contents, &house, Code::RevocationEvidence);
        let report = verify(&contents, &house.pins());
        assert!(report.sentence.unwrap().contains(member), "{member}");
    }
    for (member, value) in [
        ("customer_advisory", json!(" ")),
        ("operator_approvers", json!([])),
        ("operator_approvers", json!([{"event": 0, "member": sample::approver(), "role": "approver"}])),
        ("replacement_key_id", json!(key_id(0))),
        ("revoked_at", json!("2030-01-02T00:00:00.000000Z")),
        ("reason", json!("superseded")),
        ("receipts", json!([])),
    ] {
        let (house, contents) = changed(&|json| json["revocations"][0][member] = value.clone());
        refused(&contents, &house, Code::RevocationEvidence);
    }
    let (house, contents) =
        changed(&|json| json["revocations"][0]["new_release_evidence"]["sha256"] = json!(Hash::ZERO));
    refused(&contents, &house, Code::RevocationEvidence);
    let (house, contents) = changed(&|json| json["schema"] = json!("sealbook:revocation-evidence/v2"));
    refused(&contents, &house, Code::Version);

    // Recorded by a machine, whose word is none.
    let (mut house, _, mut contents, _) = told_of();
    house.actor = Actor::System;
    let file = contents.paper(REVOCATIONS).unwrap().unwrap().to_vec();
    let proof = sample::record_by_itself(&mut house, &file, key_id(0));
    contents.put(REVOCATIONS_PROOF, proof.into_bytes());
    refused(&contents, &house, Code::RevocationEvidence);

    // Changed after it was recorded.
    let (house, _, mut contents, _) = told_of();
    let mut json = json_of(&contents, REVOCATIONS);
    json["revocations"][0]["affected_releases"] = json!([]);
    contents.put(REVOCATIONS, bytes(&json));
    refused(&contents, &house, Code::RevocationEvidence);
}

#[test]
fn a_release_by_a_key_that_was_revoked_since_is_refused() {
    let mut house = House::new();
    let mut seqs = house.open();
    let old = Draft::new(&house, &seqs, key_id(0)).release(&mut house);
    valid(&old, &house);
    let (cited, evidence) = house.lose_first_key();
    seqs.extend(cited);
    let new = Draft::new(&house, &seqs, key_id(1)).release(&mut house);
    let receipts = sample::receipts(&house, &new, &evidence);
    let entry =
        revocation::Revocation::compose(key_id(0), sample::told(&new), receipts, &[house.vkey()]).unwrap();
    let mut file = revocation::Evidence::new("localhost/acme".parse().unwrap());
    file.put(entry);
    let bytes = file.write().unwrap();
    let proof = record(&mut house, &bytes, key_id(0)).into_bytes();
    let pins = verify::Pins { revocations: Some((bytes, proof)), ..house.pins() };
    let report = verify(&old, &pins);
    assert_eq!(report.code, Some(Code::KeyRevoked.name()), "{:?}", report.sentence);
    assert_eq!(verify(&new, &pins).code, None);
}

#[test]
fn evidence_names_approvers_who_approved() {
    let (house, _, contents, evidence) = sample::rebuilt();
    let receipts = sample::receipts(&house, &contents, &evidence);
    let compose = |approver: &str| {
        let told =
            revocation::Told { approvers: [approver.parse().unwrap()].into(), ..sample::told(&contents) };
        revocation::Revocation::compose(key_id(0), told, receipts.clone(), &[house.vkey()])
    };
    let one = compose(&sample::approver().to_string()).unwrap();
    assert_eq!(one.operator_approvers.len(), 1);
    let stranger = compose("01934f00-0000-7000-8000-0000000000b9").unwrap_err();
    assert_eq!(stranger.code, Code::RevocationEvidence);
}
