use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/ledger-v1.json")).unwrap()
}

fn assertion(entry: &Value) -> Assertion {
    let member = |name: &str| entry[name].as_str().unwrap().parse::<B64>().unwrap();
    Assertion::new(
        member("credential_id"),
        member("authenticator_data"),
        member("client_data_json"),
        member("signature"),
    )
    .unwrap()
}

/// The credentials of the vectors' founders, by their place in the founding document.
fn founder(vectors: &Value, place: usize) -> Credential {
    let document: Value = serde_json::from_str(vectors["founding"]["document"].as_str().unwrap()).unwrap();
    serde_json::from_value(document["founders"][place]["credentials"][0].clone()).unwrap()
}

fn approval_rp(vectors: &Value) -> ApprovalRp {
    serde_json::from_value(vectors["assertions"]["approval_rp"].clone()).unwrap()
}

fn approval_challenge(vectors: &Value) -> Hash {
    Purpose::Approval.challenge(vectors["action"]["document"].as_str().unwrap().as_bytes())
}

#[test]
fn the_vectors_challenges_are_reproduced() {
    let vectors = vectors();
    let document = vectors["action"]["document"].as_str().unwrap().as_bytes();
    let expected = &vectors["action"]["challenges_hex"];
    for (purpose, name) in [
        (Purpose::Proposal, "proposal"),
        (Purpose::Approval, "approval"),
        (Purpose::Rejection, "rejection"),
        (Purpose::Cancellation, "cancellation"),
    ] {
        assert_eq!(purpose.challenge(document).to_string(), expected[name].as_str().unwrap());
    }
    let founding = &vectors["founding"];
    let digest = Purpose::Founding.challenge(founding["document"].as_str().unwrap().as_bytes());
    assert_eq!(digest.to_string(), founding["founding_digest_hex"].as_str().unwrap());
}

#[test]
fn the_vectors_founders_signed_the_founding() {
    let vectors = vectors();
    let founding = &vectors["founding"];
    let digest = Purpose::Founding.challenge(founding["document"].as_str().unwrap().as_bytes());
    for (place, entry) in founding["assertions"].as_array().unwrap().iter().enumerate() {
        let info =
            verify(&assertion(entry), &founder(&vectors, place), &approval_rp(&vectors), digest).unwrap();
        assert_eq!(info, AssertionInfo { counter: 0, backed_up: false });
        let other = founder(&vectors, 1 - place);
        let refusal = verify(&assertion(entry), &other, &approval_rp(&vectors), digest).unwrap_err();
        assert_eq!(refusal.code(), "assertion.credential");
    }
}

#[test]
fn the_vectors_approval_holds() {
    let vectors = vectors();
    let holds = assertion(&vectors["assertions"]["holds"]);
    verify(&holds, &founder(&vectors, 1), &approval_rp(&vectors), approval_challenge(&vectors)).unwrap();
}

#[test]
fn every_refused_vector_is_refused_for_its_reason() {
    let vectors = vectors();
    let refused = vectors["assertions"]["refuse"].as_array().unwrap();
    for entry in refused {
        let why = entry["why"].as_str().unwrap();
        let code = match why {
            "user not verified" => "assertion.user_verification",
            "user not present" => "assertion.user_presence",
            "another rp id" => "assertion.relying_party",
            "another origin" => "assertion.origin",
            "a registration, not an assertion" => "assertion.ceremony_type",
            "cross-origin frame" => "assertion.cross_origin",
            "padded challenge" | "a rejection offered as an approval" => "assertion.challenge",
            "backup-eligible, enrolled as not" => "assertion.backup_eligibility",
            "the proposer's own" => "assertion.credential",
            "bytes after the authenticator data" => "assertion.authenticator_data",
            other => panic!("a vector that this test does not know: {other}"),
        };
        let offered = assertion(&entry["assertion"]);
        let (approver, rp) = (founder(&vectors, 1), approval_rp(&vectors));
        let refusal = verify(&offered, &approver, &rp, approval_challenge(&vectors)).unwrap_err();
        assert_eq!(refusal.code(), code, "{why}");
    }
    assert_eq!(refused.len(), 11);
}

#[test]
fn the_proposers_own_approval_is_genuine_so_that_refusing_it_is_left_to_the_rules() {
    let vectors = vectors();
    let refused = vectors["assertions"]["refuse"].as_array().unwrap();
    let own = refused.iter().find(|entry| entry["why"] == "the proposer's own").unwrap();
    let proposer = founder(&vectors, 0);
    verify(&assertion(&own["assertion"]), &proposer, &approval_rp(&vectors), approval_challenge(&vectors))
        .unwrap();
}

#[test]
fn the_vectors_founders_come_back_byte_for_byte() {
    let vectors = vectors();
    let document: Value = serde_json::from_str(vectors["founding"]["document"].as_str().unwrap()).unwrap();
    assert_eq!(
        serde_json::to_value(founder(&vectors, 0)).unwrap(),
        document["founders"][0]["credentials"][0]
    );
    assert_eq!(serde_json::to_value(approval_rp(&vectors)).unwrap(), document["approval_rp"]);
}

/// An authenticator of the tests' own, whose every answer can be bent before it is signed.
struct Forge {
    key: EcdsaKeyPair,
    credential: Credential,
    rp: ApprovalRp,
    flags: u8,
    client: String,
}

const DOCUMENT: &[u8] = b"{}";

impl Forge {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let cose_public_key = CosePublicKey::from_p256_point(key.public_key().as_ref()).unwrap();
        let challenge = B64::from(challenge().0.as_slice());
        Self {
            key,
            credential: Credential {
                credential_id: B64(vec![1; 16]),
                cose_public_key,
                aaguid: uuid::Uuid::nil().into(),
                rp_id: "example.com".to_owned(),
                backup_eligible: false,
                kind: CredentialKind::Software,
                attestation: None,
            },
            rp: ApprovalRp {
                id: "example.com".to_owned(),
                origins: ["https://example.com".to_owned()].into(),
                shared: false,
            },
            flags: 0x05,
            client: json!({"type": "webauthn.get", "challenge": challenge, "origin": "https://example.com"})
                .to_string(),
        }
    }

    fn assertion(&self) -> Assertion {
        let data = [Hash::sha256(self.rp.id.as_bytes()).0.as_slice(), &[self.flags, 0, 0, 0, 9]].concat();
        let signed = [data.as_slice(), &Hash::sha256(self.client.as_bytes()).0].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let client = B64::from(self.client.as_bytes());
        Assertion::new(self.credential.credential_id.clone(), data.into(), client, signature.as_ref().into())
            .unwrap()
    }

    fn verdict(&self) -> Result<AssertionInfo, &'static str> {
        verify(&self.assertion(), &self.credential, &self.rp, challenge()).map_err(|e| e.code())
    }

    fn with_client(&self, from: &str, to: &str) -> Result<AssertionInfo, &'static str> {
        assert!(self.client.contains(from));
        let client = self.client.replacen(from, to, 1);
        Self { client, ..Self::with_key_of(self) }.verdict()
    }

    fn with_key_of(other: &Self) -> Self {
        let pkcs8 = other.key.to_pkcs8v1().unwrap();
        Self {
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap(),
            credential: other.credential.clone(),
            rp: other.rp.clone(),
            flags: other.flags,
            client: other.client.clone(),
        }
    }
}

fn challenge() -> Hash {
    Purpose::Approval.challenge(DOCUMENT)
}

#[test]
fn the_client_data_may_say_more_but_not_twice_and_not_otherwise() {
    let forge = Forge::new();
    assert!(forge.verdict().is_ok());
    assert!(
        forge
            .with_client("{", r#"{"other_keys_can_be_added_here":"x","other_keys_can_be_added_here":1,"#)
            .is_ok()
    );
    assert!(forge.with_client("{", r#"{"crossOrigin":false,"#).is_ok());
    for (member, code) in [
        (r#""crossOrigin":true,"#, "assertion.cross_origin"),
        (r#""topOrigin":"https://example.com","#, "assertion.cross_origin"),
        (r#""topOrigin":null,"#, "assertion.cross_origin"),
        (r#""crossOrigin":null,"#, "assertion.client_data"),
        (r#""type":"webauthn.get","#, "assertion.client_data"),
        (r#""\u0074ype":"webauthn.create","#, "assertion.client_data"),
        (r#""topOrigin":null,"topOrigin":null,"#, "assertion.client_data"),
        (r#""origin":1,"#, "assertion.client_data"),
    ] {
        assert_eq!(forge.with_client("{", &format!("{{{member}")), Err(code), "{member}");
    }
    assert_eq!(forge.with_client("{", "\u{feff}{"), Err("assertion.client_data"));
    assert_eq!(forge.with_client("}", "}{}"), Err("assertion.client_data"));
    assert_eq!(forge.with_client("https://example.com", "https://example.com/"), Err("assertion.origin"));
}

#[test]
fn client_data_written_as_an_array_is_refused() {
    let mut forge = Forge::new();
    let challenge = B64::from(challenge().0.as_slice());
    forge.client = json!(["webauthn.get", challenge, "https://example.com", false, false]).to_string();
    assert_eq!(forge.verdict(), Err("assertion.client_data"));
}

#[test]
fn backup_flags_follow_the_enrolment() {
    let mut forge = Forge::new();
    forge.flags = 0x15;
    assert_eq!(forge.verdict(), Err("assertion.backup_state"));
    forge.flags = 0x1d;
    assert_eq!(forge.verdict(), Err("assertion.backup_eligibility"));
    forge.credential.backup_eligible = true;
    assert_eq!(forge.verdict(), Ok(AssertionInfo { counter: 9, backed_up: true }));
    forge.credential.kind = CredentialKind::Hardware;
    assert_eq!(forge.verdict(), Err("assertion.backup_eligibility"));
    forge.flags = 0x05;
    assert_eq!(forge.verdict(), Err("assertion.backup_eligibility"));
}

#[test]
fn a_credential_of_another_relying_party_is_refused() {
    let mut forge = Forge::new();
    forge.credential.rp_id = "login.example.com".to_owned();
    assert_eq!(forge.verdict(), Err("assertion.relying_party"));
}

#[test]
fn an_assertion_for_one_purpose_answers_no_other() {
    let forge = Forge::new();
    let offered = forge.assertion();
    for purpose in
        [Purpose::Founding, Purpose::Proposal, Purpose::Rejection, Purpose::Cancellation, Purpose::Session]
    {
        let refusal =
            verify(&offered, &forge.credential, &forge.rp, purpose.challenge(DOCUMENT)).unwrap_err();
        assert_eq!(refusal.code(), "assertion.challenge");
    }
}

#[test]
fn members_beyond_their_bounds_are_refused_when_read() {
    let limits = [
        ("credential_id", Assertion::MAX_CREDENTIAL_ID),
        ("authenticator_data", Assertion::MAX_AUTHENTICATOR_DATA),
        ("client_data_json", Assertion::MAX_CLIENT_DATA),
        ("signature", Assertion::MAX_SIGNATURE),
    ];
    let good = serde_json::to_value(Forge::new().assertion()).unwrap();
    for (member, max) in limits {
        let mut value = good.clone();
        value[member] = json!(B64(vec![0; max]));
        assert!(serde_json::from_value::<Assertion>(value.clone()).is_ok());
        value[member] = json!(B64(vec![0; max + 1]));
        assert!(serde_json::from_value::<Assertion>(value).is_err(), "{member}");
    }
    let mut value = good;
    value["user_handle"] = json!("AA");
    assert!(serde_json::from_value::<Assertion>(value).is_err());
}

#[test]
fn every_input_of_the_check_changes_its_fingerprint() {
    let forge = Forge::new();
    let offered = forge.assertion();
    let of = |assertion: &Assertion, credential: &Credential, rp: &ApprovalRp| {
        fingerprint(assertion, credential, rp, challenge())
    };
    let base = of(&offered, &forge.credential, &forge.rp);
    assert_eq!(base, of(&offered, &forge.credential, &forge.rp));
    let mut seen = std::collections::BTreeSet::from([base]);
    seen.insert(fingerprint(&offered, &forge.credential, &forge.rp, Hash::ZERO));
    seen.insert(of(
        &Forge { flags: 0x0d, ..Forge::with_key_of(&forge) }.assertion(),
        &forge.credential,
        &forge.rp,
    ));
    for change in [
        (|c| c.credential_id = B64(vec![2; 16])) as fn(&mut Credential),
        |c| c.rp_id.push('x'),
        |c| c.backup_eligible = true,
        |c| c.kind = CredentialKind::Hardware,
        |c| c.cose_public_key = Forge::new().credential.cose_public_key,
    ] {
        let mut credential = forge.credential.clone();
        change(&mut credential);
        seen.insert(of(&offered, &credential, &forge.rp));
    }
    for change in [
        (|rp| rp.id.push('x')) as fn(&mut ApprovalRp),
        |rp| rp.origins.clear(),
        |rp| rp.origins.extend(["https://b.example.com".to_owned()]),
    ] {
        let mut rp = forge.rp.clone();
        change(&mut rp);
        seen.insert(of(&offered, &forge.credential, &rp));
    }
    assert_eq!(seen.len(), 11);
}

/// Which member of an assertion a mutation touches.
fn mutated(good: &Assertion, member: usize, at: prop::sample::Index, bit: u8) -> Assertion {
    let mut members = [
        good.credential_id.clone(),
        good.authenticator_data.clone(),
        good.client_data_json.clone(),
        good.signature.clone(),
    ];
    let bytes = &mut members[member].0;
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    let [credential_id, authenticator_data, client_data_json, signature] = members;
    Assertion::new(credential_id, authenticator_data, client_data_json, signature).unwrap()
}

proptest! {
    #[test]
    fn an_assertion_with_one_flipped_bit_never_holds(
        member in 0usize..4, at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let vectors = vectors();
        let good = assertion(&vectors["assertions"]["holds"]);
        let bent = mutated(&good, member, at, bit);
        let verdict = verify(&bent, &founder(&vectors, 1), &approval_rp(&vectors), approval_challenge(&vectors));
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn arbitrary_bytes_never_hold_and_never_panic(
        data in prop::collection::vec(any::<u8>(), 0..200),
        client in prop::collection::vec(any::<u8>(), 0..200),
        signature in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let vectors = vectors();
        let approver = founder(&vectors, 1);
        let offered =
            Assertion::new(approver.credential_id.clone(), data.clone().into(), client.into(), signature.into()).unwrap();
        prop_assert!(verify(&offered, &approver, &approval_rp(&vectors), approval_challenge(&vectors)).is_err());
        let _ = AuthenticatorData::parse(&data);
        let _ = AuthenticatorData::parse(&[&[0; 32], [0x85, 0, 0, 0, 0].as_slice(), &data].concat());
        prop_assert!(CosePublicKey::parse(&data).is_err());
    }
}
