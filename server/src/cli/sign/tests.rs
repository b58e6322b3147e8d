//! `sealbook sign` against a server that signs, refuses, or deceives.

use std::fs;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser as _;
use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::Seq;
use sealbook_ledger::merkle::leaf_hash;
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::SignatureCreated;
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::Receipt;
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::cli::failure::Exit;
use crate::client::fake_server::{Answer, FakeServer, Request};
use crate::client::{Token, TokenKind};

const KEY: &str = "01934f00-0000-4000-8000-0000000000c1";
const POLICY: &str = r#"{"artifact_fields":[],"callers":["services"],"environments":["production"],"release":"durable","v":1}"#;

const AWAITING: &str = r#"{"action":"01934f00-0000-4000-8000-0000000000d1","status":"open","sentence":"Sign it.","seats":[{"role":"change_board"}],"expires_at":"2030-01-01T00:00:00.000000Z"}"#;

/// A slot, a ledger key, and what is wrong about this server.
struct Device {
    key: EcdsaKeyPair,
    ledger: Ed25519KeyPair,
    content: &'static [u8],
    signs: &'static [u8],
    proves: &'static [u8],
}

impl Device {
    fn new(content: &'static [u8]) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            ledger: Ed25519KeyPair::generate().unwrap(),
            content,
            signs: content,
            proves: content,
        }
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_ec_point(self.key.public_key().as_ref()).unwrap()
    }

    fn vkey(&self) -> Vkey {
        let key = self.ledger.public_key().as_ref().try_into().unwrap();
        Vkey::from_ed25519("localhost/acme".parse().unwrap(), key).unwrap()
    }

    fn answer(&self, request: &Request, signature: &[u8]) -> Answer {
        let body = match request.line.split('?').next().unwrap() {
            "GET /v1/tenants/acme/slots/release" => slot(),
            "GET /v1/tenants/acme/slots/release/pubkey" => self.public_key().to_pem(),
            "POST /v1/tenants/acme/slots/release/sign" => {
                let body: Value = serde_json::from_str(&request.body).unwrap();
                assert_eq!(body["digest"], Hash::sha256(self.content).to_string());
                assert!(request.header("idempotency-key").is_some());
                self.signed(signature)
            }
            "GET /v1/tenants/acme/receipts/0" => self.receipt(signature),
            other => panic!("not expected: {other}"),
        };
        (200, "", body)
    }

    fn signed(&self, signature: &[u8]) -> String {
        json!({
            "slot": "release", "algorithm": "ecdsa-p256-sha256", "key": KEY,
            "spki_sha256": self.public_key().sha256(), "digest": Hash::sha256(self.content),
            "signature_b64": STANDARD.encode(signature), "seq": 0, "authorization": 0, "origin": "localhost/acme",
            "vkey": self.vkey(),
        })
        .to_string()
    }

    /// A ledger of one event, sealed.
    fn receipt(&self, signature: &[u8]) -> String {
        let event = Event {
            origin: "localhost/acme".parse().unwrap(),
            seq: Seq::ZERO,
            time: "2030-01-01T00:00:00.000000Z".parse().unwrap(),
            actor: Actor::System,
            correlation: "01934f00-0000-7000-8000-000000000000".parse().unwrap(),
            prev: Hash::ZERO,
            payload: SignatureCreated {
                algorithm: "ecdsa-p256-sha256".parse().unwrap(),
                authorization: Seq::ZERO,
                digest: Hash::sha256(self.proves).to_string().parse().unwrap(),
                key: KEY.parse().unwrap(),
                signature: signature.into(),
                signing: None,
                spki_sha256: self.public_key().sha256(),
            }
            .into(),
            sd: Vec::new(),
        };
        let bytes = event.to_bytes().unwrap();
        let checkpoint = Checkpoint { origin: event.origin, size: 1, root: leaf_hash(&bytes) };
        let seal = self.ledger.sign(&checkpoint.to_signable()).as_ref().try_into().unwrap();
        let checkpoint = SignedCheckpoint::assemble(checkpoint, &[(self.vkey(), seal)]).unwrap();
        Receipt::new(bytes, 0, Vec::new(), checkpoint).unwrap().to_string()
    }
}

fn slot() -> String {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    json!({
        "slot": "release", "algorithm": "ecdsa-p256-sha256", "backend": "softhsm",
        "owner": "01934f00-0000-4000-8000-0000000000b1", "status": "active", "signing_policy": policy,
        "policy_digest": Hash::ZERO, "rotation_days": 90, "overlap_days": 7,
    })
    .to_string()
}

fn server(device: Device) -> FakeServer {
    let signature = device.key.sign(&SystemRandom::new(), device.signs).unwrap();
    FakeServer::start(move |request, _| device.answer(request, signature.as_ref()))
}

/// Signs a file of this content; its folder holds what was written.
fn sign(server: &FakeServer, folder: &Path, content: &[u8]) -> Exit {
    fs::write(folder.join("app"), content).unwrap();
    let token = Token::generate(TokenKind::Service).unwrap();
    let token_file = folder.join("token");
    crate::cli::private_file::write(&token_file, token.expose()).unwrap();
    let line = format!(
        "sealbook sign --slot release --url {} --tenant acme --token-file {} {}",
        server.url(),
        token_file.display(),
        folder.join("app").display()
    );
    Cli::try_parse_from(line.split(' ')).unwrap().run()
}

fn written(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "app" && name != "token").collect();
    names.sort();
    names
}

#[test]
fn a_signed_file_gets_its_signature_receipt_key_and_instructions() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new(b"content");
    let (key, vkey) = (device.public_key(), device.vkey().to_string());
    assert_eq!(sign(&server(device), folder.path(), b"content"), Exit::Done);
    let pem = format!("release.{}.pem", &key.sha256().to_string()[..8]);
    assert_eq!(written(folder.path()), ["app.VERIFY.txt", "app.sig", "app.tlog-proof", &pem]);
    let signature = fs::read(folder.path().join("app.sig")).unwrap();
    let digest = Hash::sha256(b"content");
    let input = sealbook_ledger::public_key::SigningInput::Digest(&digest.0);
    key.verify("ecdsa-p256-sha256".parse().unwrap(), input, &signature).unwrap();
    assert!(fs::read_to_string(folder.path().join("app.VERIFY.txt")).unwrap().contains(&vkey));
}

#[test]
fn a_signature_of_something_else_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device { signs: b"another", ..Device::new(b"content") };
    assert_eq!(sign(&server(device), folder.path(), b"content"), Exit::Refused);
    assert!(written(folder.path()).is_empty());
}

#[test]
fn a_receipt_of_something_else_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device { proves: b"another", ..Device::new(b"content") };
    assert_eq!(sign(&server(device), folder.path(), b"content"), Exit::Refused);
    assert!(!written(folder.path()).contains(&"app.tlog-proof".to_owned()));
}

fn exit_where_signing_answers(status: u16, body: &'static str) -> Exit {
    let folder = tempfile::tempdir().unwrap();
    let server = FakeServer::start(move |request, _| match request.line.starts_with("POST") {
        true => (status, "Retry-After: 600\r\n", body.to_owned()),
        false => (200, "", slot()),
    });
    sign(&server, folder.path(), b"content")
}

#[test]
fn exit_codes_say_whether_to_wait_to_give_up_or_to_try_again() {
    assert_eq!(exit_where_signing_answers(202, AWAITING), Exit::Awaiting);
    assert_eq!(exit_where_signing_answers(409, r#"{"code":"slot.suspended"}"#), Exit::Refused);
    assert_eq!(exit_where_signing_answers(404, r#"{"code":"slot.unknown"}"#), Exit::Refused);
    assert_eq!(exit_where_signing_answers(503, r#"{"code":"custody.unavailable"}"#), Exit::Unavailable);
}

#[test]
fn two_files_that_would_overwrite_each_others_outputs_are_refused() {
    let files = ["a/app".into(), "b/app".into()];
    assert!(super::one::Target::all(&files, None).is_ok());
    assert!(super::one::Target::all(&files, Some(Path::new("out"))).is_err());
    assert!(super::one::Target::all(&["a/app".into(), "a/app".into()], None).is_err());
}
