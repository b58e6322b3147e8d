use std::os::unix::fs::PermissionsExt;

use sealbook_ledger::webauthn::{ApprovalRp, Purpose, verify};
use serde_json::Value;

use super::*;

const ORIGIN: &str = "https://sealbook.example.com";

fn rp() -> ApprovalRp {
    ApprovalRp { id: "sealbook.example.com".to_owned(), origins: [ORIGIN.to_owned()].into(), shared: true }
}

/// An authenticator in a folder that goes away with the test.
fn made() -> (tempfile::TempDir, PathBuf, SoftAuthenticator) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ada.json");
    let authenticator = SoftAuthenticator::create(&path, &rp().id).unwrap();
    (folder, path, authenticator)
}

fn code_of(path: &Path) -> &'static str {
    SoftAuthenticator::open(path).err().unwrap().code()
}

#[test]
fn its_assertions_hold_offline() {
    let (_folder, _, authenticator) = made();
    let challenge = Purpose::Approval.challenge(b"{}");
    let assertion = authenticator.assert(challenge, ORIGIN).unwrap();
    let info = verify(&assertion, authenticator.credential(), &rp(), challenge).unwrap();
    assert_eq!((info.counter, info.backed_up), (0, false));

    let rejection = Purpose::Rejection.challenge(b"{}");
    let refusal = verify(&assertion, authenticator.credential(), &rp(), rejection).unwrap_err();
    assert_eq!(refusal.code(), "assertion.challenge");
    let elsewhere = authenticator.assert(challenge, "https://evil.example.com").unwrap();
    let refusal = verify(&elsewhere, authenticator.credential(), &rp(), challenge).unwrap_err();
    assert_eq!(refusal.code(), "assertion.origin");
}

#[test]
fn it_is_the_same_authenticator_when_opened_again() {
    let (_folder, path, authenticator) = made();
    let again = SoftAuthenticator::open(&path).unwrap();
    assert_eq!(again.credential(), authenticator.credential());
    let challenge = Purpose::Session.challenge(b"nonce");
    let assertion = again.assert(challenge, ORIGIN).unwrap();
    verify(&assertion, authenticator.credential(), &rp(), challenge).unwrap();
}

#[test]
fn an_origin_with_quotes_stays_one_string() {
    let (_folder, _, authenticator) = made();
    let odd = r#"https://a","crossOrigin":true,"x":""#;
    let assertion = authenticator.assert(Hash::ZERO, odd).unwrap();
    let client: Value = serde_json::from_slice(assertion.client_data_json().as_bytes()).unwrap();
    assert_eq!(client["origin"], odd);
    assert_eq!(client["crossOrigin"], false);
}

#[test]
fn a_registration_carries_the_credential_and_no_attestation() {
    let (_folder, _, authenticator) = made();
    let registration = authenticator.register(Hash::ZERO, ORIGIN).unwrap();
    let client: Value = serde_json::from_slice(registration.client_data_json.as_bytes()).unwrap();
    assert_eq!(client["type"], "webauthn.create");
    assert_eq!(client["challenge"], B64(vec![0; 32]).to_string());

    let mut cbor = minicbor::Decoder::new(registration.attestation_object.as_bytes());
    assert_eq!(cbor.map().unwrap(), Some(3));
    assert_eq!((cbor.str().unwrap(), cbor.str().unwrap()), ("fmt", "none"));
    assert_eq!((cbor.str().unwrap(), cbor.map().unwrap()), ("attStmt", Some(0)));
    assert_eq!(cbor.str().unwrap(), "authData");
    let data = cbor.bytes().unwrap();
    assert_eq!(cbor.position(), registration.attestation_object.as_bytes().len());

    let credential = authenticator.credential();
    assert_eq!(data[..32], Hash::sha256(rp().id.as_bytes()).0);
    assert_eq!(data[32..37], [0x45, 0, 0, 0, 0]);
    assert_eq!(data[37..55], [&[0; 16], [0, 32].as_slice()].concat());
    assert_eq!(&data[55..87], credential.credential_id.as_bytes());
    assert_eq!(&data[87..], credential.cose_public_key.as_bytes());
    assert_eq!(&registration.credential, credential);
    assert_eq!(credential.kind, CredentialKind::Software);
}

#[test]
fn its_file_is_private_and_never_overwritten() {
    let (_folder, path, authenticator) = made();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let refusal = SoftAuthenticator::create(&path, &rp().id).err().unwrap();
    assert_eq!(refusal.code(), "authenticator.exists");
    assert_eq!(SoftAuthenticator::open(&path).unwrap().credential(), authenticator.credential());
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let (_folder, path, _) = made();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(code_of(&path), "authenticator.exposed");
}

#[test]
fn a_damaged_file_is_refused_without_quoting_it() {
    let (_folder, path, _) = made();
    let good = fs::read_to_string(&path).unwrap();
    let key: Value = serde_json::from_str(&good).unwrap();
    let secret = key["private_key"].as_str().unwrap();
    let damaged = [
        String::new(),
        good.replace("private_key", "privat_key"),
        good.replace(secret, &secret[4..]),
        good.replace(secret, ""),
        good.replace(&format!("\"{secret}\""), &format!("[\"{secret}\"]")),
        format!("{good}{good}"),
        good.replace(&rp().id, ""),
        " ".repeat(MAX_FILE + 1),
    ];
    for text in damaged {
        fs::write(&path, text).unwrap();
        let refusal = SoftAuthenticator::open(&path).err().unwrap();
        assert_eq!(refusal.code(), "authenticator.malformed");
        assert!(!format!("{refusal:?}{refusal}").contains(secret));
    }
    assert_eq!(code_of(&path.with_extension("missing")), "authenticator.file");
}

#[test]
fn a_relying_party_id_has_a_domains_length() {
    let folder = tempfile::tempdir().unwrap();
    for rp_id in ["", &"a".repeat(MAX_RP_ID + 1)] {
        let path = folder.path().join("key.json");
        let refusal = SoftAuthenticator::create(&path, rp_id).err().unwrap();
        assert_eq!(refusal.code(), "authenticator.relying_party");
        assert!(!path.exists());
    }
}
