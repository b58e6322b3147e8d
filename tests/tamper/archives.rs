//! The archive itself, disclosures and attachments.

use integration::bundle::Bundle;

use crate::{Place, assert_found, genuine};

fn first_disclosure(bundle: &mut Bundle, change: impl Fn(&mut serde_json::Value)) -> u64 {
    let mut lines = bundle.lines("disclosures.jsonl");
    let mut line: serde_json::Value = serde_json::from_slice(&lines[0]).unwrap();
    let seq = line["seq"].as_u64().unwrap();
    change(&mut line);
    lines[0] = serde_json::to_vec(&line).unwrap();
    bundle.set_lines("disclosures.jsonl", &lines);
    seq
}

fn attachment() -> String {
    genuine().bundle.names("attachments/").remove(0)
}

#[test]
fn a_disclosure_that_was_changed_moved_or_made_up_is_refused() {
    for (what, field, value) in [
        ("another text", "value", "Mallory".into()),
        ("another name", "name", "nickname".into()),
        ("another salt", "salt", "AAAAAAAAAAAAAAAAAAAAAA".into()),
    ] {
        let mut seq = 0;
        let judged = genuine().tampered(|bundle| {
            let value: serde_json::Value = value;
            seq = first_disclosure(bundle, |line| line[field] = value.clone());
        });
        let seq = usize::try_from(seq).unwrap();
        assert_found(what, &judged, "bytes", "disclosure.unreferenced", Place::Event(seq));
    }
    let judged = genuine().tampered(|bundle| {
        let mut lines = bundle.lines("disclosures.jsonl");
        lines.insert(0, lines[0].clone());
        bundle.set_lines("disclosures.jsonl", &lines);
    });
    assert_eq!(judged.failure("bytes")["rule"], "disclosure.duplicate", "{:#}", judged.report);
}

#[test]
fn a_disclosure_that_was_left_out_is_redacted_and_counted() {
    let judged = genuine().tampered(|bundle| {
        let lines = bundle.lines("disclosures.jsonl");
        bundle.set_lines("disclosures.jsonl", &lines[1..]);
    });
    judged.assert_valid();
    assert_eq!(judged.report["disclosures"]["redacted"], 1, "{:#}", judged.report);
}

#[test]
fn an_attachment_that_was_changed_is_refused_and_one_left_out_is_counted() {
    let judged = genuine().tampered(|bundle| bundle.member_mut(&attachment()).push(b'!'));
    assert_found("an attachment", &judged, "bytes", "bundle.attachment_hash", Place::Whole);
    let judged = genuine().tampered(|bundle| {
        let gone = attachment();
        bundle.members().retain(|(name, _)| *name != gone);
    });
    assert_eq!(judged.code, Some(0), "{:#}", judged.report);
    assert_eq!(judged.report["signatures"]["not_checked"], 1, "{:#}", judged.report);
}

#[test]
fn members_that_are_unknown_missing_repeated_or_out_of_order_are_refused() {
    type Change = fn(&mut Vec<(String, Vec<u8>)>);
    let rows: [(&str, Change, &str); 5] = [
        (
            "a stranger",
            |members| members.push(("readme.txt".to_owned(), b"x".to_vec())),
            "bundle.unknown_member",
        ),
        ("two manifests", |members| members.insert(1, members[0].clone()), "bundle.order"),
        ("no events", |members| drop(members.pop()), "bundle.missing_member"),
        (
            "no checkpoint",
            |members| members.retain(|(name, _)| name != "checkpoint"),
            "bundle.missing_member",
        ),
        ("another order", |members| members.swap(0, 1), "bundle.missing_member"),
    ];
    for (what, change, rule) in rows {
        let judged = genuine().tampered(|bundle| change(bundle.members()));
        assert_found(what, &judged, "bytes", rule, Place::Whole);
    }
}

#[test]
fn what_is_only_for_reading_decides_nothing() {
    let judged = genuine().tampered(|bundle| {
        *bundle.member_mut("vkeys.txt") = b"trust me\n".to_vec();
    });
    judged.assert_valid();
}

#[test]
fn an_archive_cut_off_or_continued_is_refused() {
    let genuine = genuine();
    let whole = genuine.bundle.to_tar();
    for part in [1, 3, 7, 9] {
        let judged = genuine.judged_by(&whole[..whole.len() * part / 10], &genuine.pinned);
        assert_eq!(judged.failure("bytes")["rule"], "bundle.truncated", "{:#}", judged.report);
    }
    let continued = [whole.as_slice(), b"and more"].concat();
    let judged = genuine.judged_by(&continued, &genuine.pinned);
    assert_found("something behind the end", &judged, "bytes", "bundle.residue", Place::Whole);
}
