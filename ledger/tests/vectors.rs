//! The golden vectors that `seals.rs` and the unit tests leave: event bytes, disclosures, and what is refused where.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::{ContentError, Envelope, EnvelopeError, Event};
use sealbook_ledger::payload::{FoundingDocument, Payload, PayloadError};
use sealbook_ledger::webauthn::Purpose;
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../testdata/ledger-v1.json")).unwrap()
}

fn texts<'a>(list: &'a Value, member: &str) -> Vec<(&'a str, &'a str)> {
    let entries = list.as_array().unwrap().iter();
    entries.map(|entry| (entry["why"].as_str().unwrap(), entry[member].as_str().unwrap())).collect()
}

/// Every event of the vectors that is to be read, the rotation's included.
fn events(vectors: &Value) -> Vec<String> {
    let listed = vectors["events"].as_array().unwrap().iter().map(|event| event.as_str().unwrap().to_owned());
    listed.chain([vectors["rotation"]["event"].as_str().unwrap().to_owned()]).collect()
}

#[test]
fn every_event_of_the_vectors_is_read_and_written_again_byte_for_byte() {
    for event in events(&vectors()) {
        Envelope::parse(event.as_bytes()).unwrap();
        let value: Value = serde_json::from_str(&event).unwrap();
        assert_eq!(canonical::value_to_vec(&value).unwrap(), event.as_bytes());
    }
}

#[test]
fn the_events_of_the_vectors_name_each_other_from_seq_0_on() {
    let mut prev = Hash::ZERO;
    for (seq, event) in events(&vectors()).iter().enumerate() {
        let envelope = Envelope::parse(event.as_bytes()).unwrap();
        assert_eq!((envelope.seq.get(), envelope.prev), (seq as u64, prev));
        prev = Event::hash(event.as_bytes());
    }
}

#[test]
fn types_that_exist_for_the_vectors_alone_are_no_events_of_the_rules() {
    for event in vectors()["events"].as_array().unwrap() {
        let envelope = Envelope::parse(event.as_str().unwrap().as_bytes()).unwrap();
        let unknown = Payload::parse(&envelope.type_name, &envelope.data);
        assert!(matches!(unknown, Err(PayloadError::UnknownType(name)) if name.starts_with("vector.")));
        // Their actor is no actor of the rules either, which is seen first.
        assert!(matches!(Event::from_envelope(envelope), Err(ContentError::Actor)));
    }
}

#[test]
fn every_refused_event_is_refused_as_it_is_read() {
    let vectors = vectors();
    let refused = texts(&vectors["refuse"], "event");
    for (why, event) in &refused {
        let refusal = Envelope::parse(event.as_bytes()).unwrap_err();
        let fits = match *why {
            "unknown top-level key" | "missing key" | "time without microseconds" | "time that does not exist"
            | "time with an offset" | "leap second"
            // A hash has one spelling: the link need not even be followed.
            | "upper-case prev (layer chain)" => matches!(refusal, EnvelopeError::Envelope(_)),
            "v 2" => matches!(refusal, EnvelopeError::Version(2)),
            "whitespace: not its own JCS form" | "keys out of order" | "duplicate key" | "float"
            | "integer past 2^53-1" | "integer in exponent form" | "negative zero" | "lone surrogate escape"
            | "negative zero exponent" | "nesting of 17" | "byte order mark" | "trailing byte" => {
                matches!(refusal, EnvelopeError::NotCanonical(_))
            }
            other => panic!("a vector that this test does not know: {other}"),
        };
        assert!(fits, "{why}: {refusal}");
    }
    assert_eq!(refused.len(), 20);
}

#[test]
fn every_accepted_event_is_read() {
    let vectors = vectors();
    let accepted = texts(&vectors["accept"], "event");
    for (why, event) in &accepted {
        assert!(Envelope::parse(event.as_bytes()).is_ok(), "{why}");
    }
    assert_eq!(accepted.len(), 1);
}

#[test]
fn disclosures_hash_to_the_digests_of_their_event() {
    let vectors = vectors();
    let holder = vectors["events"][4].as_str().unwrap();
    let listed = Envelope::parse(holder.as_bytes()).unwrap().sd;
    let disclosures = vectors["disclosures"].as_array().unwrap();
    for disclosure in disclosures {
        let text = disclosure["line"].as_str().unwrap();
        canonical::check(text.as_bytes()).unwrap();
        let line: Value = serde_json::from_str(text).unwrap();
        assert_eq!(line["seq"], json!(4));
        let opened = canonical::value_to_vec(&json!([line["salt"], line["name"], line["value"]])).unwrap();
        let digest = B64::from(Hash::sha256(&opened).0.as_slice());
        assert_eq!(digest.to_string(), disclosure["sd"].as_str().unwrap());
        assert!(listed.contains(&digest));
    }
    assert_eq!(listed.len(), disclosures.len());
}

#[test]
fn documents_are_their_own_canonical_form_and_have_the_digests_of_the_vectors() {
    let vectors = vectors();
    let action = vectors["action"]["document"].as_str().unwrap();
    let value: Value = serde_json::from_str(action).unwrap();
    let bytes = canonical::value_to_vec(&value).unwrap();
    assert_eq!(bytes, action.as_bytes());
    for (purpose, name) in [
        (Purpose::Proposal, "proposal"),
        (Purpose::Approval, "approval"),
        (Purpose::Rejection, "rejection"),
        (Purpose::Cancellation, "cancellation"),
    ] {
        assert_eq!(json!(purpose.challenge(&bytes)), vectors["action"]["challenges_hex"][name]);
    }
    let founding = vectors["founding"]["document"].as_str().unwrap();
    let value: Value = serde_json::from_str(founding).unwrap();
    let bytes = canonical::value_to_vec(&value).unwrap();
    assert_eq!(bytes, founding.as_bytes());
    assert_eq!(json!(Purpose::Founding.challenge(&bytes)), vectors["founding"]["founding_digest_hex"]);
}

/// The vectors' documents are samples: their policy and parameters lack what the catalogue demands.
#[test]
fn sample_documents_are_no_documents_of_the_rules() {
    let vectors = vectors();
    let action = vectors["action"]["document"].as_str().unwrap();
    assert!(serde_json::from_str::<ActionDocument>(action).is_err());
    let founding = vectors["founding"]["document"].as_str().unwrap();
    assert!(serde_json::from_str::<FoundingDocument>(founding).is_err());
}
