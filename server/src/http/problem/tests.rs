//! The table is complete and sound, and problems say what they may.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_code_has_one_line_a_status_and_a_sentence() {
    let mut codes = BTreeSet::new();
    for entry in table() {
        assert!(codes.insert(entry.code), "{} is listed twice", entry.code);
        assert!(entry.sentence.ends_with('.') && entry.sentence.len() > 10, "{}", entry.code);
        assert!(entry.kind.status().is_client_error() || entry.kind.status().is_server_error());
        assert!(entry.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'));
    }
    assert!(Rule::ALL.iter().all(|rule| codes.contains(rule.code())));
}

#[test]
fn the_border_is_sorted_for_whoever_reads_it() {
    assert!(BORDER.windows(2).all(|pair| pair[0].code < pair[1].code));
}

#[test]
fn the_kinds_of_refusal_become_the_contracts_statuses() {
    for (rule, status) in [
        (Rule::DigestLength, 400),
        (Rule::ApprovalOwn, 403),
        (Rule::SlotUnknown, 404),
        (Rule::SlotSuspended, 409),
    ] {
        assert_eq!(Problem::from(rule).status_code().as_u16(), status, "{rule}");
    }
}

#[test]
fn a_slot_that_a_service_may_not_use_looks_like_none() {
    let (foreign, unknown) = (Problem::from(Rule::ServiceSlot), Problem::from(Rule::SlotUnknown));
    assert_eq!(foreign.to_string(), unknown.to_string());
}

#[test]
fn every_error_of_assertions_registrations_texts_and_the_store_is_in_the_table() {
    let json = || serde_json::from_str::<u8>("x").unwrap_err();
    let assertions = [
        AssertionError::TooLong { member: "signature", max: 1 },
        AssertionError::Credential,
        AssertionError::ClientData(json()),
        AssertionError::CeremonyType,
        AssertionError::Challenge,
        AssertionError::Origin,
        AssertionError::CrossOrigin,
        AssertionError::AuthenticatorData { why: "short" },
        AssertionError::RelyingParty,
        AssertionError::UserPresence,
        AssertionError::UserVerification,
        AssertionError::BackupEligibility,
        AssertionError::BackupState,
        AssertionError::Signature,
    ];
    let registrations = [
        RegistrationError::TooLong,
        RegistrationError::ClientData(json()),
        RegistrationError::CeremonyType,
        RegistrationError::Challenge,
        RegistrationError::Origin,
        RegistrationError::RelyingParty,
        RegistrationError::Kind,
    ];
    let stores = [
        StoreError::Unavailable { doing: "x", source: None },
        StoreError::DiskFull { doing: "x", source: "full".into() },
        StoreError::CommitUnknown { source: None },
        StoreError::Conflict { what: "x", source: None },
        StoreError::Corruption { what: "x", source: None },
        StoreError::Fault { what: "x", source: None },
    ];
    let texts = [TextError::Length { max: 1, len: 2 }, TextError::Character('\0')];
    let codes = assertions.iter().map(AssertionError::code);
    let codes = codes.chain(registrations.iter().map(RegistrationError::code));
    let codes = codes.chain(stores.iter().map(StoreError::code)).chain(texts.iter().map(TextError::code));
    for code in codes {
        assert!(lookup(code).is_some(), "{code}");
    }
}

#[test]
fn a_fault_keeps_its_cause_to_itself() {
    let problem = Problem::fault("the password is hunter2").saying("hunter2");
    let sent = serde_json::to_string(&problem.document("https://a.example", None)).unwrap();
    assert!(!sent.contains("hunter2"));
    assert!(problem.internal().and_then(Error::source).is_some());
    assert!(Problem::of("slot.unknown").internal().is_none());
}

#[test]
fn a_document_links_its_code() {
    let document = Problem::of("slot.unknown").document("https://a.example", Some("c".into()));
    assert_eq!(document.kind, "https://a.example/docs/errors#slot.unknown");
    assert_eq!((document.status, document.title), (404, "Not found"));
}
