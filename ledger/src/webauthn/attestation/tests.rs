use minicbor::Encoder;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, SigningKey as _, date_time_ymd,
};

use super::*;
use crate::canonical;
use crate::webauthn::{CosePublicKey, CredentialKind};

const MAKE: [u8; 16] = [7; 16];
const RP_ID: &str = "sealbook.example.com";

/// A maker of authenticators: a root, and a certificate for one make.
struct Maker {
    root: Certificate,
    certificate: Vec<u8>,
    key: KeyPair,
}

impl Maker {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// With a certificate that somebody has altered before it was signed.
    fn with(alter: impl FnOnce(&mut CertificateParams)) -> Self {
        let pair = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let (root_key, key) = (pair(), pair());
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(DnType::CommonName, "A maker's root");
        let mut leaf = CertificateParams::default();
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        leaf.custom_extensions.push(make(MAKE));
        alter(&mut leaf);
        let certificate = leaf.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap();
        let root = root.self_signed(&root_key).unwrap();
        Self { root, certificate: certificate.der().to_vec(), key }
    }

    fn roots(&self) -> AttestationRoots {
        AttestationRoots::from_pem(self.root.pem().as_bytes()).unwrap()
    }
}

fn make(aaguid: [u8; 16]) -> CustomExtension {
    let oid = [1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];
    CustomExtension::from_oid_content(&oid, [&[4, 16], &aaguid[..]].concat())
}

/// A credential and what vouches for it; tests alter either.
struct Made {
    credential: Credential,
    format: &'static str,
    client: String,
    data: Vec<u8>,
}

impl Made {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let cose = CosePublicKey::from_p256_point(key.public_key_raw()).unwrap();
        let head = [Hash::sha256(RP_ID.as_bytes()).0.as_slice(), &[0x45], &[0; 4], &MAKE, &[0, 4]].concat();
        Self {
            data: [head.as_slice(), b"cred", cose.as_bytes()].concat(),
            credential: Credential {
                credential_id: B64::from(b"cred".as_slice()),
                cose_public_key: cose,
                aaguid: uuid::Uuid::from_bytes(MAKE).into(),
                rp_id: RP_ID.to_owned(),
                backup_eligible: false,
                kind: CredentialKind::Hardware,
                attestation: None,
            },
            format: "packed",
            client:
                r#"{"type":"webauthn.create","challenge":"AAAA","origin":"https://sealbook.example.com"}"#
                    .to_owned(),
        }
    }

    /// What the maker signs, by the format's rules.
    fn signed(&self) -> Vec<u8> {
        let client = Hash::sha256(self.client.as_bytes());
        match self.format {
            "fido-u2f" => {
                let point = self.credential.cose_public_key.p256_point().unwrap();
                [&[0], &self.data[..32], &client.0, b"cred", point].concat()
            }
            _ => [self.data.as_slice(), &client.0].concat(),
        }
    }

    fn evidence(&self, maker: &Maker) -> Vec<u8> {
        let mut statement = Encoder::new(Vec::new());
        statement.map(if self.format == "fido-u2f" { 2 } else { 3 }).unwrap();
        if self.format != "fido-u2f" {
            statement.str("alg").unwrap().i64(-7).unwrap();
        }
        statement.str("sig").unwrap().bytes(&maker.key.sign(&self.signed()).unwrap()).unwrap();
        statement.str("x5c").unwrap().array(1).unwrap().bytes(&maker.certificate).unwrap();
        self.wrapped(statement.into_writer())
    }

    fn wrapped(&self, statement: Vec<u8>) -> Vec<u8> {
        let mut head = Encoder::new(Vec::new());
        head.map(3).unwrap().str("fmt").unwrap().str(self.format).unwrap().str("attStmt").unwrap();
        let mut tail = Encoder::new(Vec::new());
        tail.str("authData").unwrap().bytes(&self.data).unwrap();
        let object = [head.into_writer(), statement, tail.into_writer()].concat();
        let client_data_json = self.client.as_bytes().into();
        canonical::to_vec(&Evidence { attestation_object: object.into(), client_data_json }).unwrap()
    }

    fn judged(&self, maker: &Maker) -> Result<(), &'static str> {
        judged(&self.evidence(maker), &self.credential, maker)
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn judged(evidence: &[u8], credential: &Credential, maker: &Maker) -> Result<(), &'static str> {
    let now = at("2026-11-24T00:00:00.000000Z");
    check(evidence, credential, now, &maker.roots()).map_err(|error| error.code())
}

#[test]
fn a_makers_statement_holds_in_both_formats() {
    let maker = Maker::new();
    Made::new().judged(&maker).unwrap();
    Made { format: "fido-u2f", ..Made::new() }.judged(&maker).unwrap();
}

#[test]
fn a_statement_leads_to_the_roots_given_and_to_no_others() {
    let (maker, other) = (Maker::new(), Maker::new());
    let made = Made::new();
    let evidence = made.evidence(&maker);
    assert_eq!(judged(&evidence, &made.credential, &other), Err("attestation.chain"));
    let mut both = other.roots();
    both.extend(maker.roots());
    check(&evidence, &made.credential, at("2026-11-24T00:00:00.000000Z"), &both).unwrap();
}

#[test]
fn a_statement_is_of_one_credential() {
    let maker = Maker::new();
    let made = Made::new();
    let evidence = made.evidence(&maker);
    type Alteration = fn(&mut Credential);
    let alterations: [Alteration; 5] = [
        |credential| credential.rp_id = "example.com".to_owned(),
        |credential| credential.credential_id = B64::from(b"carl".as_slice()),
        |credential| credential.cose_public_key = Made::new().credential.cose_public_key,
        |credential| credential.aaguid = uuid::Uuid::from_bytes([8; 16]).into(),
        |credential| credential.backup_eligible = true,
    ];
    for alter in alterations {
        let mut credential = made.credential.clone();
        alter(&mut credential);
        assert_eq!(judged(&evidence, &credential, &maker), Err("attestation.other"), "{credential:?}");
    }
}

#[test]
fn what_was_signed_is_what_is_kept() {
    let maker = Maker::new();
    let made = Made::new();
    let genuine = made.evidence(&maker);
    let Evidence { attestation_object, .. } = serde_json::from_slice(&genuine).unwrap();
    let client_data_json = made.client.replace("AAAA", "AAAB").as_bytes().into();
    let altered = canonical::to_vec(&Evidence { attestation_object, client_data_json }).unwrap();
    assert_eq!(judged(&altered, &made.credential, &maker), Err("attestation.signature"));
    let other_key = Maker { key: Maker::new().key, ..Maker::new() };
    assert_eq!(made.judged(&other_key), Err("attestation.signature"));
    let sign_in = Made { client: made.client.replace("create", "get"), ..Made::new() };
    assert_eq!(sign_in.judged(&maker), Err("attestation.form"));
}

#[test]
fn a_certificate_for_something_else_vouches_for_nothing() {
    type Alteration = fn(&mut CertificateParams);
    let alterations: [(Alteration, &str); 5] = [
        (|leaf| leaf.custom_extensions = vec![make([8; 16])], "attestation.certificate"),
        (|leaf| leaf.distinguished_name = rcgen::DistinguishedName::new(), "attestation.certificate"),
        (|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "attestation.chain"),
        (|leaf| leaf.not_after = date_time_ymd(2020, 1, 1), "attestation.chain"),
        (
            |leaf| leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
            "attestation.chain",
        ),
    ];
    for (n, (alter, code)) in alterations.into_iter().enumerate() {
        assert_eq!(Made::new().judged(&Maker::with(alter)), Err(code), "alteration {n}");
    }
    Made::new().judged(&Maker::with(|leaf| leaf.custom_extensions.clear())).unwrap();
}

#[test]
fn formats_that_are_not_checked_are_told_from_those_that_fail() {
    let maker = Maker::new();
    assert_eq!(Made { format: "tpm", ..Made::new() }.judged(&maker), Err("attestation.format"));
    let made = Made::new();
    let mut of_itself = Encoder::new(Vec::new());
    of_itself.map(2).unwrap().str("alg").unwrap().i64(-7).unwrap().str("sig").unwrap().bytes(&[1]).unwrap();
    let evidence = made.wrapped(of_itself.into_writer());
    assert_eq!(judged(&evidence, &made.credential, &maker), Err("attestation.form"));
    for cut in 0..evidence.len() {
        assert!(judged(&evidence[..cut], &made.credential, &maker).is_err());
    }
}

#[test]
fn roots_are_certificates_in_pem() {
    assert!(AttestationRoots::from_pem(b"").is_err());
    assert!(
        AttestationRoots::from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .is_err()
    );
}
