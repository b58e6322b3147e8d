//! A maker of authenticators: its root is what operators configure, and its attestation key vouches for what it made.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decoder, Encoder};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SigningKey as _,
};
use sealbook_ledger::encoding::Hash;
use serde_json::{Value, json};

/// A vendor.
pub struct Vendor {
    roots: PathBuf,
    certificate: Vec<u8>,
    key: KeyPair,
}

impl Vendor {
    /// A vendor whose root lies in a file in `folder`.
    pub fn new(folder: &Path) -> Self {
        let pair = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let (root_key, key) = (pair(), pair());
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        root.distinguished_name.push(DnType::CommonName, "A vendor's root");
        let roots = folder.join("roots.pem");
        std::fs::write(&roots, root.self_signed(&root_key).unwrap().pem()).unwrap();
        // WebAuthn §8.2.1 says what an attestation certificate holds.
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
        let certificate = leaf.signed_by(&key, &Issuer::new(root, &root_key)).unwrap().der().to_vec();
        Self { roots, certificate, key }
    }

    /// The PEM file of its root.
    pub fn roots(&self) -> &Path {
        &self.roots
    }

    /// A browser's answer of format `none`, attested by the vendor.
    pub fn attested(&self, passkey: &Value) -> Value {
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(passkey[name].as_str().unwrap()).unwrap();
        let (object, client) = (bytes("attestation_object"), bytes("client_data_json"));
        let data = authenticator_data(&object);
        let signature = self.key.sign(&[data.as_slice(), &Hash::sha256(&client).0].concat()).unwrap();
        let mut cbor = Encoder::new(Vec::new());
        cbor.map(3).unwrap().str("fmt").unwrap().str("packed").unwrap().str("attStmt").unwrap();
        cbor.map(3).unwrap().str("alg").unwrap().i64(-7).unwrap();
        cbor.str("sig").unwrap().bytes(&signature).unwrap();
        cbor.str("x5c").unwrap().array(1).unwrap().bytes(&self.certificate).unwrap();
        cbor.str("authData").unwrap().bytes(&data).unwrap();
        let object = cbor.into_writer();
        json!({
            "attestation_object": URL_SAFE_NO_PAD.encode(&object),
            "client_data_json": passkey["client_data_json"],
        })
    }
}

fn authenticator_data(object: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(object);
    for _ in 0..decoder.map().unwrap().unwrap() {
        if decoder.str().unwrap() == "authData" {
            return decoder.bytes().unwrap().to_vec();
        }
        decoder.skip().unwrap();
    }
    panic!("an attestation object without authenticator data")
}
