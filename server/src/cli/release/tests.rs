//! `sealbook release` against a server that is slow to seal, and against one that deceives.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use clap::Parser as _;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::Seq;
use sealbook_ledger::policy::{Environment, SigningPolicy};
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::cli::failure::Exit;
use crate::client::fake_server::{Answer, FakeServer, Request};
use crate::client::{Token, TokenKind};
use crate::release::sample::{House, key_id};
use crate::release::signature::Form;
use crate::release::{CHECKSUMS, receipt_seq};

const OPERATIONS: &str = "app-1.0.signing-operations.json";

/// A server in front of a house.
struct Front {
    house: Mutex<House>,
    cited: Vec<Seq>,
    folder: PathBuf,
    seals: Arc<AtomicBool>,
    /// Whether its receipts are under another key than it says.
    deceives: bool,
}

impl Front {
    fn answer(&self, request: &Request) -> Answer {
        let line = request.line.split('?').next().unwrap().replace("/v1/tenants/acme", "");
        let house = &mut *self.house.lock().unwrap();
        let body = match line.as_str() {
            "GET /slots/release" => slot(),
            "GET /slots/release/pubkey" => house.devices[0].public().to_pem(),
            "GET /slots/release/custody" => self.custody(house),
            "POST /slots/release/sign" => self.sign(house, &request.body),
            receipt => {
                if !self.seals.load(Ordering::SeqCst) {
                    return (503, "Retry-After: 600\r\n", r#"{"code":"seal.pending"}"#.to_owned());
                }
                let seq = receipt.strip_prefix("GET /receipts/").unwrap().parse().unwrap();
                house.receipt(Seq::new(seq).unwrap())
            }
        };
        (200, "", body)
    }

    fn custody(&self, house: &House) -> String {
        let (_, receipts, checkpoint) = house.facts(&self.cited, key_id(0));
        let vkey = if self.deceives { House::new().vkey() } else { house.vkey() };
        let mut receipts: Vec<(Seq, String)> =
            receipts.into_iter().map(|(name, receipt)| (receipt_seq(&name).unwrap(), receipt)).collect();
        receipts.sort();
        let receipts: Vec<String> = receipts.into_iter().map(|(_, receipt)| receipt).collect();
        json!({
            "slot": "release", "key": key_id(0), "at": house.now(), "origin": "localhost/acme", "vkey": vkey,
            "checkpoint": checkpoint, "receipts": receipts,
        })
        .to_string()
    }

    /// Signs whichever paper has the digest that is asked for.
    fn sign(&self, house: &mut House, body: &str) -> String {
        let body: Value = serde_json::from_str(body).unwrap();
        let papers = [
            (CHECKSUMS, Form::Bytes),
            ("release-evidence.json", Form::Bytes),
            ("app-1.0.intoto.json", Form::Statement),
        ];
        let found = papers.into_iter().find_map(|(name, form)| {
            let bytes = fs::read(self.folder.join(name)).unwrap();
            let digest = Algorithm::EcdsaP256Sha256.digest_of(&form.message(&bytes));
            (json!(digest) == body["digest"]).then_some((name, bytes, form))
        });
        let (name, bytes, form) = found.expect("a paper of this digest");
        let (facts, ..) = house.facts(&self.cited, key_id(0));
        let (paper, _) = house.sign((name, &bytes, form), (&facts, Environment::Production));
        let paper: Value = serde_json::from_slice(&paper).unwrap();
        json!({
            "slot": "release", "algorithm": paper["algorithm"], "key": paper["key_id"],
            "spki_sha256": paper["spki_sha256"], "digest": paper["digest"],
            "signature_b64": paper["signature_b64"], "seq": paper["created"]["seq"],
            "authorization": paper["authorization"]["seq"], "origin": "localhost/acme", "vkey": house.vkey(),
        })
        .to_string()
    }
}

fn slot() -> String {
    json!({
        "slot": "release", "algorithm": "ecdsa-p256-sha256", "backend": "hsm-a", "status": "active",
        "owner": "01934f00-0000-4000-8000-0000000000b1", "signing_policy": SigningPolicy::default(),
        "policy_digest": Hash::ZERO, "rotation_days": 90, "overlap_days": 7,
    })
    .to_string()
}

/// A folder with an artifact, a token beside it, and a server.
struct Stage {
    server: FakeServer,
    seals: Arc<AtomicBool>,
    vkey: String,
    place: tempfile::TempDir,
}

impl Stage {
    fn new(deceives: bool) -> Self {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("dist");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("app.bin"), b"what users run").unwrap();
        let token = Token::generate(TokenKind::Service).unwrap();
        crate::cli::private_file::write(&place.path().join("token"), token.expose()).unwrap();
        let mut house = House::new();
        let cited = house.open();
        let seals = Arc::new(AtomicBool::new(true));
        let vkey = house.vkey().to_string();
        let front = Front { house: Mutex::new(house), cited, folder, seals: Arc::clone(&seals), deceives };
        let server = FakeServer::start(move |request, _| front.answer(request));
        Self { server, seals, vkey, place }
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("dist")
    }

    fn manifest(&self) -> Exit {
        let line = format!(
            "sealbook release manifest {} --slot release --name app --version 1.0 --receipt-wait 0 --url {} \
             --tenant acme --token-file {}",
            self.folder().display(),
            self.server.url(),
            self.place.path().join("token").display()
        );
        Cli::try_parse_from(line.split_whitespace()).unwrap().run()
    }

    fn signed(&self) -> usize {
        self.server.requests().iter().filter(|request| request.line.starts_with("POST")).count()
    }
}

fn verify(folder: &Path, vkey: &str) -> Exit {
    let line = format!("sealbook release verify {} --vkey {vkey}", folder.display());
    Cli::try_parse_from(line.split(' ')).unwrap().run()
}

#[test]
fn a_signature_that_is_not_sealed_yet_is_kept_and_nothing_is_signed_twice() {
    let stage = Stage::new(false);
    stage.seals.store(false, Ordering::SeqCst);
    assert_eq!(stage.manifest(), Exit::Unavailable);
    assert!(stage.folder().join("checksums.txt.sig.json.part").is_file());
    assert_eq!((stage.signed(), verify(&stage.folder(), &stage.vkey)), (3, Exit::Failed));
    let list = fs::read(stage.folder().join(CHECKSUMS)).unwrap();

    stage.seals.store(true, Ordering::SeqCst);
    assert_eq!(stage.manifest(), Exit::Done);
    assert_eq!(fs::read(stage.folder().join(CHECKSUMS)).unwrap(), list);
    assert_eq!((stage.signed(), verify(&stage.folder(), &stage.vkey)), (3, Exit::Done));
    assert!(!stage.folder().join("checksums.txt.sig.json.part").exists());
    assert_eq!((stage.manifest(), stage.signed()), (Exit::Done, 3));

    // Another artifact is another release: everything is made and signed anew.
    fs::write(stage.folder().join("app.bin"), b"what else users run").unwrap();
    assert_eq!(verify(&stage.folder(), &stage.vkey), Exit::Failed);
    assert_eq!((stage.manifest(), stage.signed()), (Exit::Done, 6));
    assert_eq!(verify(&stage.folder(), &stage.vkey), Exit::Done);
}

#[test]
fn receipts_that_do_not_hold_write_nothing() {
    let stage = Stage::new(true);
    assert_eq!(stage.manifest(), Exit::Refused);
    let left: Vec<_> =
        fs::read_dir(stage.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["app.bin"]);
}

#[test]
fn what_is_no_release_is_not_begun() {
    let stage = Stage::new(false);
    let left = stage.folder().join("checksums.txt.0123456789abcdef0123456789abcdef.part");
    fs::write(&left, b"").unwrap();
    assert_eq!(stage.manifest(), Exit::Usage);
    fs::remove_file(&left).unwrap();
    fs::write(stage.folder().join("other-2.0.signing-operations.json"), b"").unwrap();
    assert_eq!(stage.manifest(), Exit::Usage);
    fs::remove_file(stage.folder().join("other-2.0.signing-operations.json")).unwrap();
    fs::remove_file(stage.folder().join("app.bin")).unwrap();
    assert_eq!(stage.manifest(), Exit::Usage);
    assert!(stage.server.requests().is_empty());
}

#[test]
fn the_verdict_is_the_exit_code() {
    let stage = Stage::new(false);
    assert_eq!(stage.manifest(), Exit::Done);
    let (folder, vkey) = (stage.folder(), stage.vkey.as_str());
    assert_eq!(verify(&folder, vkey), Exit::Done);
    assert_eq!(verify(&folder, &House::new().vkey().to_string()), Exit::Failed);
    assert_eq!(verify(&folder.join("nowhere"), vkey), Exit::Usage);
    assert_eq!(verify(&folder, "@/nowhere"), Exit::Usage);
    let manifest = fs::read_to_string(folder.join(OPERATIONS)).unwrap();
    fs::write(folder.join(OPERATIONS), manifest.replace("signing-operations/v1", "signing-operations/v2"))
        .unwrap();
    assert_eq!(verify(&folder, vkey), Exit::Usage);
    for line in ["sealbook release verify dist", "sealbook release verify dist --vkey none"] {
        assert_eq!(Cli::try_parse_from(line.split(' ')).unwrap_err().exit_code(), 2, "{line}");
    }
}
