//! Statement and envelope: what is signed is about this manifest, and by this key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use sealbook_ledger::pack::{ENVELOPE, Envelope, MANIFEST, PAYLOAD_TYPE, Pack, pae};
use serde_json::{Value, json};

use crate::parts::{Parts, code, key, pack, refusal, sign, unsigned};
use crate::zip::member;

/// What a statement that is genuinely signed is refused with.
fn stated(change: impl FnOnce(&mut Value)) -> &'static str {
    let mut parts = Parts::new();
    change(&mut parts.statement);
    parts.seal();
    parts.code()
}

/// What an envelope is refused with.
fn wrapped(change: impl FnOnce(&mut Value)) -> &'static str {
    let mut parts = Parts::new();
    change(&mut parts.envelope);
    parts.code()
}

/// The examples of the DSSE project (`protocol.md`, `testvectors/vectors.json`).
#[test]
fn the_pre_authentication_encoding_is_that_of_dsse() {
    let hello = pae("http://example.com/HelloWorld", b"hello world");
    assert_eq!(hello, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    assert_eq!(pae(PAYLOAD_TYPE, b""), b"DSSEv1 28 application/vnd.in-toto+json 0 ");
    // Lengths count bytes, not characters.
    let umlaut = pae("application/vnd.ex\u{e4}mple+json", b"x");
    assert!(umlaut.starts_with(b"DSSEv1 29 "));
}

#[test]
fn what_is_signed_is_the_encoding_of_what_the_pack_holds() {
    let bytes = pack();
    let pack = Pack::open(&bytes).unwrap();
    assert_eq!(unsigned().pae(), pae(PAYLOAD_TYPE, pack.envelope().payload()));
    assert_eq!(pack.statement().manifest(), unsigned().manifest_sha256());
    assert_eq!(pack.envelope().signatures()[0].keyid, key(1).sha256().to_string());
}

#[test]
fn a_statement_has_one_form() {
    assert_eq!(stated(|_| ()), "sound");
    assert_eq!(stated(|s| s["_type"] = json!("https://in-toto.io/Statement/v0.1")), "pack.statement_type");
    assert_eq!(stated(|s| s["note"] = json!(1)), "pack.statement");
    assert_eq!(stated(|s| drop(s.as_object_mut().unwrap().remove("predicate"))), "pack.statement");
    assert_eq!(stated(|s| s["predicate"] = json!([])), "pack.predicate");
    assert_eq!(stated(|s| s["predicateType"] = json!("rotation")), "pack.predicate_type");
    assert_eq!(stated(|s| *s = json!("x")), "pack.statement");
}

#[test]
fn a_statement_is_about_this_manifest_alone() {
    assert_eq!(stated(|s| s["subject"] = json!([])), "pack.subject");
    let twice = |s: &mut Value| s["subject"] = json!([s["subject"][0], s["subject"][0]]);
    assert_eq!(stated(twice), "pack.subject");
    assert_eq!(stated(|s| s["subject"][0]["name"] = json!("REP.pdf")), "pack.subject");
    assert_eq!(stated(|s| s["subject"][0]["digest"]["sha256"] = json!("0".repeat(64))), "pack.subject");
    assert_eq!(stated(|s| s["subject"][0]["digest"]["sha256"] = json!("A".repeat(64))), "pack.statement");
    assert_eq!(stated(|s| s["subject"][0]["digest"]["md5"] = json!("00")), "pack.statement");
    assert_eq!(stated(|s| s["subject"][0]["uri"] = json!("a:b")), "pack.statement");
    // A whole statement of another pack.
    let mut parts = Parts::new();
    parts.manifest["kind"] = json!("period");
    assert_eq!(parts.code(), "pack.subject");
}

#[test]
fn an_envelope_has_one_form() {
    assert_eq!(wrapped(|e| e["note"] = json!(1)), "pack.envelope");
    assert_eq!(wrapped(|e| e["signatures"][0]["note"] = json!(1)), "pack.envelope");
    assert_eq!(wrapped(|e| *e = json!([])), "pack.envelope");
    assert_eq!(wrapped(|e| e["payloadType"] = json!("application/json")), "pack.payload_type");
    let encodings = [&STANDARD_NO_PAD, &URL_SAFE];
    for encoding in encodings {
        // 64 bytes of a signature and their padding; the last one is made to need the other alphabet's characters.
        let sig = encoding.encode([0xff; 64]);
        assert_eq!(wrapped(|e| e["signatures"][0]["sig"] = json!(sig)), "pack.base64");
    }
    let payload = |e: &Value| STANDARD.decode(e["payload"].as_str().unwrap()).unwrap();
    assert_eq!(wrapped(|e| e["payload"] = json!(format!("{} ", STANDARD.encode(payload(e))))), "pack.base64");
    // The statement in another spelling, with a signature that holds.
    let spaced = |e: &mut Value| {
        let mut payload = payload(e);
        payload.insert(1, b' ');
        e["signatures"][0]["sig"] = json!(STANDARD.encode(sign(1, &pae(PAYLOAD_TYPE, &payload))));
        e["payload"] = json!(STANDARD.encode(payload));
    };
    assert_eq!(wrapped(spaced), "pack.not_canonical");
}

#[test]
fn json_of_a_pack_is_canonical() {
    let sound = Parts::new().zip();
    for (at, name) in [(0, MANIFEST), (sound.members.len() - 1, ENVELOPE)] {
        let spaced = [sound.members[at].bytes.as_slice(), b"\n"].concat();
        let mut zip = sound.clone();
        zip.members[at] = member(name, &spaced);
        assert_eq!(code(&zip.bytes()), "pack.not_canonical", "{name}");
    }
}

#[test]
fn exactly_one_signature_is_in_the_name_of_the_key() {
    assert_eq!(wrapped(|e| e["signatures"] = json!([])), "pack.not_signed");
    assert_eq!(wrapped(|e| e["signatures"][0]["keyid"] = json!("A".repeat(64))), "pack.not_signed");
    let twice = |e: &mut Value| e["signatures"] = json!([e["signatures"][0], e["signatures"][0]]);
    assert_eq!(wrapped(twice), "pack.signed_twice");
    let mut parts = Parts::new();
    parts.envelope["signatures"][0]["sig"] = json!(STANDARD.encode([7; 64]));
    assert_eq!(parts.code(), "signature.does_not_hold");
    parts.envelope["signatures"][0]["sig"] = json!(STANDARD.encode([7; 63]));
    assert_eq!(parts.code(), "signature.encoding");
    parts.envelope["signatures"][0]["sig"] = json!("");
    assert_eq!(parts.code(), "signature.encoding");
}

#[test]
fn signatures_of_others_are_ignored() {
    let other = json!({"keyid": "somebody", "sig": "AAAA"});
    for at in [0, 1] {
        let beside = |e: &mut Value| e["signatures"].as_array_mut().unwrap().insert(at, other.clone());
        assert_eq!(wrapped(beside), "sound");
    }
    let mut parts = Parts::new();
    parts.envelope["signatures"].as_array_mut().unwrap().push(other);
    let bytes = parts.zip().bytes();
    let pack = Pack::open(&bytes).unwrap();
    assert_eq!(pack.verify(&key(2)).unwrap_err().code(), "pack.not_signed");
    let again = pack.envelope().to_bytes().unwrap();
    assert_eq!(&Envelope::parse(&again).unwrap(), pack.envelope());
}

/// The hint names the key, but another one made the signature.
#[test]
fn a_signature_of_another_key_does_not_hold() {
    let forged = |e: &mut Value| {
        let payload = STANDARD.decode(e["payload"].as_str().unwrap()).unwrap();
        e["signatures"][0]["sig"] = json!(STANDARD.encode(sign(2, &pae(PAYLOAD_TYPE, &payload))));
    };
    assert_eq!(wrapped(forged), "signature.does_not_hold");
}

#[test]
fn no_pack_leaves_with_a_signature_that_does_not_hold() {
    let unsigned = unsigned();
    let signature = sign(1, &unsigned.pae());
    assert_eq!(unsigned.sign(&key(2), signature.clone()).unwrap_err().code(), "signature.does_not_hold");
    let bytes = unsigned.sign(&key(1), signature).unwrap();
    assert!(refusal(&bytes).is_none());
}
