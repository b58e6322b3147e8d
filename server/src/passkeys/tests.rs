use std::collections::BTreeSet;
use std::io::Write as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use minicbor::Encoder;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    SigningKey as _,
};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, CosePublicKey, CredentialKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::clock;

const ORIGIN: &str = "https://sealbook.example.com";
const RP_ID: &str = "sealbook.example.com";
const UP: u8 = 0x01;
const UV: u8 = 0x04;
const BE: u8 = 0x08;
const BS: u8 = 0x10;
const AT: u8 = 0x40;
const AAGUID: [u8; 16] = [7; 16];

/// An authenticator of the tests' own: it says whatever a test wants.
struct Authenticator {
    key: EcdsaKeyPair,
    cose: Vec<u8>,
    rp_id: &'static str,
    flags: u8,
}

enum Statement {
    None,
    PackedSelf,
    /// Signed by an attestation key whose certificate is given.
    Packed(Vec<u8>, KeyPair),
}

impl Authenticator {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let cose = CosePublicKey::from_p256_point(key.public_key().as_ref()).unwrap().as_bytes().to_vec();
        Self { key, cose, rp_id: RP_ID, flags: UP | UV | AT }
    }

    fn data(&self) -> Vec<u8> {
        let head = [Hash::sha256(self.rp_id.as_bytes()).0.as_slice(), &[self.flags], &[0; 4]].concat();
        [head.as_slice(), &AAGUID, &[0, 4], b"cred", &self.cose].concat()
    }

    fn answer(&self, client: &Value, statement: &Statement) -> PasskeyResponse {
        let client = serde_json::to_vec(client).unwrap();
        let data = self.data();
        let signed = [data.as_slice(), &Hash::sha256(&client).0].concat();
        let mut cbor = Encoder::new(Vec::new());
        cbor.map(3).unwrap().str("fmt").unwrap();
        match statement {
            Statement::None => cbor.str("none").unwrap().str("attStmt").unwrap().map(0).unwrap(),
            Statement::PackedSelf => {
                let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
                cbor.str("packed").unwrap().str("attStmt").unwrap().map(2).unwrap();
                cbor.str("alg")
                    .unwrap()
                    .i64(-7)
                    .unwrap()
                    .str("sig")
                    .unwrap()
                    .bytes(signature.as_ref())
                    .unwrap()
            }
            Statement::Packed(certificate, key) => {
                let signature = key.sign(&signed).unwrap();
                cbor.str("packed").unwrap().str("attStmt").unwrap().map(3).unwrap();
                cbor.str("alg").unwrap().i64(-7).unwrap().str("sig").unwrap().bytes(&signature).unwrap();
                cbor.str("x5c").unwrap().array(1).unwrap().bytes(certificate).unwrap()
            }
        };
        cbor.str("authData").unwrap().bytes(&data).unwrap();
        PasskeyResponse { attestation_object: cbor.into_writer().into(), client_data_json: client.into() }
    }
}

fn rp() -> ApprovalRp {
    ApprovalRp { id: RP_ID.into(), origins: BTreeSet::from([ORIGIN.into()]), shared: true }
}

fn begun(exclude: &[B64]) -> (Value, Begun) {
    let member = MemberId::from(Uuid::from_u128(9));
    begin(&Asked { rp: &rp(), member, name: "Ada", exclude }, clock::now()).unwrap()
}

fn client(options: &Value) -> Value {
    let challenge = &options["publicKey"]["challenge"];
    json!({ "type": "webauthn.create", "challenge": challenge, "origin": ORIGIN, "crossOrigin": false })
}

fn finished(begun: &Begun, response: &PasskeyResponse) -> Result<MadePasskey, &'static str> {
    finish(Some(begun), response, &rp(), &AttestationRoots::default(), clock::now())
        .map_err(|error| error.code())
}

#[test]
fn the_options_ask_for_a_verified_discoverable_attested_passkey() {
    let (options, _) = begun(&[B64::from(b"old".as_slice())]);
    let asked = &options["publicKey"];
    assert_eq!(asked["rp"]["id"], RP_ID);
    assert_eq!(asked["user"]["id"], B64::from(Uuid::from_u128(9).as_bytes().as_slice()).to_string());
    assert_eq!(asked["user"]["displayName"], "Ada");
    assert_eq!(asked["attestation"], "direct");
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(asked["authenticatorSelection"]["requireResidentKey"], true);
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(asked["excludeCredentials"][0]["id"], B64::from(b"old".as_slice()).to_string());
    let algorithms: Vec<i64> =
        asked["pubKeyCredParams"].as_array().unwrap().iter().map(|p| p["alg"].as_i64().unwrap()).collect();
    assert_eq!(algorithms, [-7, -8, -257]);
}

#[test]
fn a_browsers_answer_becomes_a_credential_with_the_authenticators_own_bytes() {
    for statement in [Statement::None, Statement::PackedSelf] {
        let (options, begun) = begun(&[]);
        // What waits is kept as JSON in between.
        let begun: Begun = serde_json::from_value(serde_json::to_value(begun).unwrap()).unwrap();
        let authenticator = Authenticator::new();
        let made = finished(&begun, &authenticator.answer(&client(&options), &statement)).unwrap();
        assert_eq!(made.credential.cose_public_key.as_bytes(), authenticator.cose);
        assert_eq!(made.credential.credential_id.as_bytes(), b"cred");
        assert_eq!(made.credential.aaguid.to_string(), Uuid::from_bytes(AAGUID).to_string());
        assert_eq!(made.credential.rp_id, RP_ID);
        assert_eq!(made.credential.kind, CredentialKind::Unattested);
        assert!(!made.credential.backup_eligible && made.credential.attestation.is_none());
        assert!(made.attestation.is_none());
    }
}

#[test]
fn a_passkey_that_can_be_copied_is_synced() {
    let (options, begun) = begun(&[]);
    let authenticator = Authenticator { flags: UP | UV | AT | BE | BS, ..Authenticator::new() };
    let made = finished(&begun, &authenticator.answer(&client(&options), &Statement::None)).unwrap();
    assert_eq!(made.credential.kind, CredentialKind::Synced);
    assert!(made.credential.backup_eligible);
}

#[test]
fn an_answer_that_was_tampered_with_is_refused_by_what_is_wrong_with_it() {
    let (options, begun) = begun(&[]);
    let authenticator = Authenticator::new;
    let code = |authenticator: &Authenticator, member: &str, value: Value| {
        let mut client = client(&options);
        client[member] = value;
        finished(&begun, &authenticator.answer(&client, &Statement::PackedSelf)).unwrap_err()
    };
    let usual = authenticator();
    assert_eq!(code(&usual, "type", json!("webauthn.get")), "registration.ceremony_type");
    let other = B64::from([1; 32].as_slice()).to_string();
    assert_eq!(code(&usual, "challenge", json!(other)), "registration.challenge");
    for origin in ["https://evil.example", "https://a.sealbook.example.com", "http://sealbook.example.com"] {
        assert_eq!(code(&usual, "origin", json!(origin)), "registration.origin");
    }
    assert_eq!(code(&usual, "crossOrigin", json!(true)), "registration.origin");
    assert_eq!(code(&usual, "topOrigin", json!(ORIGIN)), "registration.origin");
    let flagged = |flags| Authenticator { flags, ..authenticator() };
    let same = || json!("webauthn.create");
    assert_eq!(code(&flagged(UP | AT), "type", same()), "registration.user_verification");
    assert_eq!(code(&flagged(UV | AT), "type", same()), "registration.user_verification");
    assert_eq!(code(&flagged(UP | UV | AT | BS), "type", same()), "registration.backup_state");
    assert_eq!(code(&flagged(UP | UV), "type", same()), "registration.attestation_object");
    let elsewhere = Authenticator { rp_id: "evil.example", ..authenticator() };
    assert_eq!(code(&elsewhere, "type", same()), "registration.relying_party");
}

#[test]
fn an_attestation_statement_that_does_not_verify_is_refused() {
    let (options, begun) = begun(&[]);
    let answer = Authenticator::new().answer(&client(&options), &Statement::PackedSelf);
    let whole = answer.attestation_object.as_bytes();
    // The statement was made over another credential id.
    let mut object = whole.to_vec();
    let place = whole.windows(4).position(|bytes| bytes == b"cred").unwrap();
    object[place] ^= 1;
    let altered = PasskeyResponse { attestation_object: object.into(), ..answer.clone() };
    assert_eq!(finished(&begun, &altered).unwrap_err(), "registration.attestation");
    for object in [&whole[..whole.len() - 1], &[whole, &[0]].concat(), &[], &[0xa0]] {
        let answer = PasskeyResponse { attestation_object: object.into(), ..answer.clone() };
        assert_eq!(finished(&begun, &answer).unwrap_err(), "registration.attestation_object");
    }
    let long = PasskeyResponse { attestation_object: vec![0; 40_000].into(), ..answer };
    assert_eq!(finished(&begun, &long).unwrap_err(), "registration.too_long");
}

#[test]
fn a_map_with_two_readings_is_refused() {
    let (options, begun) = begun(&[]);
    let authenticator = Authenticator::new();
    let mut cbor = Encoder::new(Vec::new());
    let other = Authenticator::new();
    cbor.map(4).unwrap().str("fmt").unwrap().str("none").unwrap().str("attStmt").unwrap().map(0).unwrap();
    cbor.str("authData").unwrap().bytes(&authenticator.data()).unwrap();
    cbor.str("authData").unwrap().bytes(&other.data()).unwrap();
    let client_data_json = serde_json::to_vec(&client(&options)).unwrap().into();
    let answer = PasskeyResponse { attestation_object: cbor.into_writer().into(), client_data_json };
    assert_eq!(finished(&begun, &answer).unwrap_err(), "registration.attestation_object");
}

#[test]
fn a_challenge_ends_after_five_minutes_and_without_one_nothing_is_taken() {
    let (options, begun) = begun(&[]);
    let answer = Authenticator::new().answer(&client(&options), &Statement::None);
    let ended = clock::now().plus_seconds(CHALLENGE_LIFE_S + 1);
    let roots = AttestationRoots::default();
    let late = finish(Some(&begun), &answer, &rp(), &roots, ended).unwrap_err();
    assert_eq!(late.code(), "registration.expired");
    assert_eq!(finish(None, &answer, &rp(), &roots, ended).unwrap_err().code(), "registration.expired");
    assert!(finished(&begun, &answer).is_ok());
}

/// A vendor's root, and a certificate for an attestation key (WebAuthn §8.2.1).
fn vendor() -> (String, Statement) {
    let pair = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (root_key, key) = (pair(), pair());
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "A vendor's root");
    root.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let mut leaf = CertificateParams::default();
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.use_authority_key_identifier_extension = true;
    for (kind, value) in [
        (DnType::CountryName, "SE"),
        (DnType::OrganizationName, "A vendor"),
        (DnType::OrganizationalUnitName, "Authenticator Attestation"),
        (DnType::CommonName, "A make"),
    ] {
        leaf.distinguished_name.push(kind, value);
    }
    let leaf = leaf.signed_by(&key, &Issuer::new(root, &root_key)).unwrap();
    (root_pem, Statement::Packed(leaf.der().to_vec(), key))
}

fn roots(pem: &str) -> AttestationRoots {
    let mut file = tempfile::Builder::new().suffix(".pem").tempfile().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    AttestationRoots::load(file.path()).unwrap()
}

fn attested(flags: u8, roots: &AttestationRoots, statement: &Statement, at: Timestamp) -> MadePasskey {
    let (options, begun) = begun(&[]);
    let authenticator = Authenticator { flags, ..Authenticator::new() };
    let answer = authenticator.answer(&client(&options), statement);
    finish(Some(&begun), &answer, &rp(), roots, at).unwrap()
}

#[test]
fn only_a_chain_to_a_configured_root_makes_hardware_and_keeps_its_proof() {
    let (pem, statement) = vendor();
    let now = clock::now();
    let made = attested(UP | UV | AT, &roots(&pem), &statement, now);
    assert_eq!(made.credential.kind, CredentialKind::Hardware);
    let (kept, reference) = (made.attestation.unwrap(), made.credential.attestation.unwrap());
    assert_eq!(reference.sha256, Hash::sha256(kept.as_bytes()));
    assert_eq!(reference.size, kept.as_bytes().len() as u64);
    assert_eq!(reference.media_type.as_str(), "application/json");
    let kept: serde_json::Value = serde_json::from_slice(kept.as_bytes()).unwrap();
    let members: Vec<&String> = kept.as_object().unwrap().keys().collect();
    assert_eq!(members, ["attestation_object", "client_data_json"], "the statement signs both");

    let (another, _) = vendor();
    for roots in [AttestationRoots::default(), roots(&another)] {
        let made = attested(UP | UV | AT, &roots, &statement, now);
        assert_eq!((made.credential.kind, made.attestation), (CredentialKind::Unattested, None));
    }
    let copied = attested(UP | UV | AT | BE, &roots(&pem), &statement, now);
    assert_eq!((copied.credential.kind, copied.attestation), (CredentialKind::Synced, None));
}

#[test]
fn roots_that_were_configured_have_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(AttestationRoots::load(folder.path()), Err(RootsError::Number { .. })));
    let missing = folder.path().join("missing.pem");
    assert!(matches!(AttestationRoots::load(&missing), Err(RootsError::Unreadable { .. })));
    std::fs::write(folder.path().join("a.pem"), vendor().0).unwrap();
    std::fs::write(folder.path().join("b.crt"), vendor().0).unwrap();
    std::fs::write(folder.path().join("README"), "not a certificate").unwrap();
    assert_eq!(AttestationRoots::load(folder.path()).unwrap().len(), 2);
    std::fs::write(folder.path().join("c.pem"), "nothing").unwrap();
    assert_eq!(AttestationRoots::load(folder.path()).unwrap().len(), 2);
}
