//! A small pack of fixed inputs, and its parts to put together wrongly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::pack::{
    ENVELOPE, Kind, MANIFEST, PAYLOAD_TYPE, Pack, PackError, PackFile, Unsigned, pae,
};
use sealbook_ledger::public_key::PublicKey;
use serde_json::{Value, json};

use crate::zip::{Zip, member};

pub const PREDICATE_TYPE: &str = "https://sealbook.example.com/rotation/v1";

pub fn file(name: &str, bytes: &[u8]) -> PackFile {
    let media_type = if name.ends_with(".pdf") { "application/pdf" } else { "text/plain" };
    PackFile { name: name.parse().unwrap(), media_type: media_type.parse().unwrap(), bytes: bytes.to_vec() }
}

pub fn files() -> Vec<PackFile> {
    vec![file("ledger/receipts/7.tlog-proof", b"seven\n"), file("REP.pdf", b"%PDF-1.7\n"), file("empty", b"")]
}

pub fn predicate() -> Value {
    json!({"slot": "apt-repo", "old": "key one", "new": "key two", "events": [3, 7]})
}

pub fn unsigned() -> Unsigned {
    Unsigned::new(Kind::Rotation, files(), PREDICATE_TYPE, &predicate()).unwrap()
}

/// The Ed25519 key with 32 bytes `n` as its seed.
pub fn signing_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub fn key(n: u8) -> PublicKey {
    PublicKey::from_ed25519(signing_key(n).verifying_key().as_bytes()).unwrap()
}

pub fn sign(n: u8, message: &[u8]) -> Vec<u8> {
    signing_key(n).sign(message).to_bytes().to_vec()
}

pub fn pack() -> Vec<u8> {
    let unsigned = unsigned();
    unsigned.sign(&key(1), sign(1, &unsigned.pae())).unwrap()
}

/// The code with which a pack is refused: by itself, or under key 1. `sound` where it is not.
pub fn code(pack: &[u8]) -> &'static str {
    match refusal(pack) {
        None => "sound",
        Some(refused) => refused.code(),
    }
}

pub fn refusal(pack: &[u8]) -> Option<PackError> {
    Pack::open(pack).and_then(|pack| pack.verify(&key(1))).err()
}

/// A pack's parts. What is changed in one of them is bound again by those around it, unless the test changes them too.
#[derive(Clone)]
pub struct Parts {
    pub manifest: Value,
    pub files: Vec<(String, Vec<u8>)>,
    pub statement: Value,
    pub payload_type: String,
    pub envelope: Value,
}

impl Parts {
    pub fn new() -> Self {
        let mut files: Vec<_> = files().into_iter().map(|file| (file.name.to_string(), file.bytes)).collect();
        files.sort();
        let entries: Vec<Value> = files.iter().map(|(name, bytes)| entry(name, bytes)).collect();
        let mut parts = Self {
            manifest: json!({"files": entries, "kind": "rotation", "v": 1}),
            files,
            statement: Value::Null,
            payload_type: PAYLOAD_TYPE.to_owned(),
            envelope: Value::Null,
        };
        parts.state();
        parts
    }

    /// The statement about the manifest as it is now, signed.
    pub fn state(&mut self) {
        let sha256 = Hash::sha256(&bytes(&self.manifest));
        self.statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": predicate(),
            "predicateType": PREDICATE_TYPE,
            "subject": [{"digest": {"sha256": sha256}, "name": "manifest.json"}],
        });
        self.seal();
    }

    /// The envelope around the statement as it is now.
    pub fn seal(&mut self) {
        let payload = bytes(&self.statement);
        let sig = sign(1, &pae(&self.payload_type, &payload));
        self.envelope = json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": key(1).sha256(), "sig": STANDARD.encode(sig)}],
        });
    }

    pub fn zip(&self) -> Zip {
        let mut members = vec![member(MANIFEST, &bytes(&self.manifest))];
        members.extend(self.files.iter().map(|(name, bytes)| member(name, bytes)));
        members.push(member(ENVELOPE, &bytes(&self.envelope)));
        Zip::of(members)
    }

    pub fn code(&self) -> &'static str {
        code(&self.zip().bytes())
    }
}

pub fn entry(name: &str, bytes: &[u8]) -> Value {
    let media_type = if name.ends_with(".pdf") { "application/pdf" } else { "text/plain" };
    json!({"media_type": media_type, "name": name, "sha256": Hash::sha256(bytes), "size": bytes.len()})
}

fn bytes(value: &Value) -> Vec<u8> {
    canonical::value_to_vec(value).unwrap()
}
