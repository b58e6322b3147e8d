//! Everything that is read from outside: what each parser must hold to, whatever it is given.
//!
//! The bodies stand apart from libFuzzer, so that `cargo test` runs the kept corpus through the same ones
//! (`tests/corpus.rs`).

use std::fmt::Display;
use std::str::FromStr;

use sealbook::http::forms::{BODIES, QUERIES, ReadForm};
use sealbook::http::token::Token;
use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::blast_radius::{Covered, Extent, List};
use sealbook_ledger::bundle::Reader;
use sealbook_ledger::canonical;
use sealbook_ledger::certificate::{Certificate, PathLen, Request, Usage, verify_path};
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::disclosure::Disclosure;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{ActionId, Correlation, KeyId, MemberId, Origin, SlotName};
use sealbook_ledger::note::{SignedNote, Vkey};
use sealbook_ledger::pack::{Envelope as SignedEnvelope, MANIFEST, Manifest, Pack, Statement};
use sealbook_ledger::payload::{FoundingDocument, NextVkey};
use sealbook_ledger::policy::{LedgerPolicy, SigningPolicy};
use sealbook_ledger::public_key::{PublicKey, SigningInput};
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::sample::Seed;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::trust_root::TrustRootFile;
use sealbook_ledger::verify::{
    Pins, Style, Verdict, render, verify_bundle, verify_receipt, verify_trust_root,
};
use sealbook_ledger::webauthn::attestation::{self, AttestationObject, AttestationRoots};
use sealbook_ledger::webauthn::{self, ApprovalRp, Assertion, CosePublicKey, Credential, CredentialKind};
use serde_json::Value;

/// A target's name, which is also its corpus folder's, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 21] = [
    ("assertion", assertion),
    ("attestation", attestation),
    ("body", body),
    ("bundle", bundle),
    ("canonical", canonical),
    ("certificate", certificate),
    ("checkpoint", checkpoint),
    ("cose", cose),
    ("disclosure", disclosure),
    ("document", document),
    ("event", event),
    ("list", list),
    ("note", note),
    ("pack", pack),
    ("public_key", public_key),
    ("query", query),
    ("receipt", receipt),
    ("roots", roots),
    ("trust_root", trust_root),
    ("vkey", vkey),
    ("word", word),
];

/// The ledger key of the tests' bundle (`testdata/README.md`).
const VKEY: &str = include_str!("../vkey");

fn pins() -> Pins {
    let vkeys = VKEY.trim().parse().into_iter().collect();
    Pins { vkeys, signatures: true, ..Pins::default() }
}

/// The canonical scanner agrees with a parser and a writer that know nothing of it.
fn canonical(data: &[u8]) {
    let written =
        serde_json::from_slice::<Value>(data).ok().and_then(|value| canonical::value_to_vec(&value).ok());
    let accepted = canonical::check(data).is_ok();
    if accepted {
        assert_eq!(written.as_deref(), Some(data), "what is canonical is written the same");
    }
}

/// What is read as an event is written again byte for byte.
fn event(data: &[u8]) {
    let Ok(envelope) = Envelope::parse(data) else { return };
    assert!(canonical::check(data).is_ok());
    if let Ok(event) = Event::from_envelope(envelope) {
        assert_eq!(event.to_bytes().ok().as_deref(), Some(data));
    }
}

/// Reading ends, and the verdict can be told in both forms.
fn bundle(data: &[u8]) {
    let mut reader = Reader::new(data);
    let mut items = 0;
    while let Ok(Some(_)) = reader.next_item() {
        items += 1;
        assert!(items <= data.len(), "more items than bytes");
    }
    let Ok(report) = verify_bundle(data, &pins()) else { return };
    let told = render(&report, Style::Plain);
    assert!(!told.is_empty() && serde_json::to_value(&report).is_ok());
    assert!(
        report.verdict() != Verdict::Invalid || report.failure().is_some(),
        "invalid, and nobody says why"
    );
}

fn note(data: &[u8]) {
    let Ok(note) = SignedNote::parse(data) else { return };
    assert_eq!(SignedNote::parse(note.to_string().as_bytes()).ok(), Some(note.clone()));
    let _unsigned = pins().vkeys.iter().all(|vkey| note.verify(vkey).is_ok());
}

/// A pack, and what it holds by itself: no chance change gets past digests and checksums.
fn pack(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(manifest.to_bytes().ok().as_deref(), Some(data));
    }
    if let Ok(envelope) = SignedEnvelope::parse(data) {
        assert_eq!(envelope.to_bytes().ok().as_deref(), Some(data));
    }
    if let Ok(statement) = Statement::parse(data) {
        let predicate: Result<Value, _> = statement.predicate(statement.predicate_type());
        let again = predicate.and_then(|read| {
            Statement::write(statement.predicate_type(), &read, (MANIFEST, statement.manifest()))
        });
        assert_eq!(again.ok().as_deref(), Some(data));
    }
    let Ok(pack) = Pack::open(data) else { return };
    let held: usize = pack.files().map(|(entry, bytes)| entry.name.as_str().len() + bytes.len()).sum();
    assert!(held < data.len(), "more than there is");
    let Ok(key) = PublicKey::from_ed25519(&ED25519_OF_ZERO) else { panic!("the key is one") };
    assert!(pack.verify(&key).is_err(), "nobody signed it");
}

/// The list of affected signatures that an incident's statement brings along: what is read is written the same, and lies in
/// no less than its lines say.
fn list(data: &[u8]) {
    let Ok(list) = List::read(data) else { return };
    let (mut written, mut extent) = (Vec::new(), Extent::default());
    for line in list.lines() {
        let Ok(line) = extent.add(line) else { panic!("it was read") };
        written.extend_from_slice(line);
    }
    assert_eq!((written.as_slice(), extent.digest()), (data, Hash::sha256(data)));
    let Ok(key) = "01934f00-0000-7000-8000-0000000000c1".parse::<KeyId>() else { panic!("an id") };
    let within = |size| list.agrees(Covered { key, since: None, size }, &[]).is_ok();
    assert!(within(u64::MAX), "no event says anything else");
    assert_eq!(within(0), list.lines().is_empty());
}

/// A trust root says the same when it is written again, and no chance change gets past its signature.
fn trust_root(data: &[u8]) {
    let report = verify_trust_root(data, &pins());
    assert!(!render(&report, Style::Plain).is_empty());
    assert!(report.verdict() != Verdict::Valid, "nobody pinned its ledger's key");
    let Ok(file) = TrustRootFile::parse(data) else { return };
    assert!(TrustRootFile::looks_like(data));
    let again = file.to_bytes().ok().and_then(|bytes| TrustRootFile::parse(&bytes).ok());
    assert_eq!(again.map(|again| again.trust_root), Some(file.trust_root.clone()));
    if file.verify_signature().is_ok() {
        let genuine = TrustRootFile::parse(GENUINE).map(|genuine| genuine.sha256);
        assert_eq!(genuine.ok(), Some(file.sha256), "nobody signed it");
    }
}

/// A server's trust root, of a ledger key that nobody here knows.
const GENUINE: &[u8] = include_bytes!("../corpus/trust_root/genuine");

fn checkpoint(data: &[u8]) {
    let Ok(checkpoint) = SignedCheckpoint::parse(data) else { return };
    assert_eq!(SignedCheckpoint::parse(checkpoint.to_string().as_bytes()).ok(), Some(checkpoint.clone()));
    let _unsigned = pins().vkeys.iter().all(|vkey| checkpoint.verify(vkey).is_ok());
}

fn receipt(data: &[u8]) {
    let report = verify_receipt(data, &pins());
    assert!(
        report.verdict() != Verdict::Invalid || report.failure().is_some(),
        "invalid, and nobody says why"
    );
    let Ok(receipt) = Receipt::parse(data) else { return };
    let again = Receipt::parse(receipt.to_string().as_bytes());
    assert_eq!(again.ok().map(|receipt| receipt.to_string()), Some(receipt.to_string()));
}

fn vkey(data: &[u8]) {
    spelled_once::<Vkey>(data);
    spelled_once::<NextVkey>(data);
}

fn disclosure(data: &[u8]) {
    let Ok(disclosure) = Disclosure::parse(data) else { return };
    assert_eq!(disclosure.to_line().ok().as_deref(), Some(data));
    assert!(disclosure.digest().is_ok());
}

/// Client data, authenticator data and signature of an assertion, one behind the other: two bytes of length before each
/// of the first two.
fn assertion(data: &[u8]) {
    let Some((client, rest)) = field(data) else { return };
    let Some((authenticator, signature)) = field(rest) else { return };
    // The Ed25519 key with the seed 0, as COSE writes it: any signature is judged down to the mathematics.
    let mut key = vec![0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 0x20];
    key.extend_from_slice(&ED25519_OF_ZERO);
    let Ok(cose_public_key) = CosePublicKey::parse(&key) else { panic!("the key is one") };
    let credential_id = B64(vec![1; 16]);
    let credential = Credential {
        aaguid: "00000000-0000-0000-0000-000000000000".parse().expect("a UUID"),
        attestation: None,
        backup_eligible: false,
        cose_public_key,
        credential_id: credential_id.clone(),
        kind: CredentialKind::Software,
        rp_id: "sealbook.example.com".to_owned(),
    };
    let origins = ["https://sealbook.example.com".to_owned()].into();
    let rp = ApprovalRp { id: credential.rp_id.clone(), origins, shared: false };
    let (client, authenticator) = (B64(client.to_vec()), B64(authenticator.to_vec()));
    if let Ok(assertion) = Assertion::new(credential_id, authenticator, client, B64(signature.to_vec())) {
        let _refused = webauthn::verify(&assertion, &credential, &rp, Hash::ZERO);
        let _whole = webauthn::fingerprint(&assertion, &credential, &rp, Hash::ZERO);
    }
}

/// The public key of RFC 8032's secret of 32 zeros.
const ED25519_OF_ZERO: [u8; 32] = [
    0x3b, 0x6a, 0x27, 0xbc, 0xce, 0xb6, 0xa4, 0x2d, 0x62, 0xa3, 0xa8, 0xd0, 0x2a, 0x6f, 0x0d, 0x73, 0x65,
    0x32, 0x15, 0x77, 0x1d, 0xe2, 0x43, 0xa6, 0x3a, 0xc0, 0x48, 0xa1, 0x8b, 0x59, 0xda, 0x29,
];

fn field(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

/// An attestation object by itself, and as the evidence of the credential that it says it is of.
fn attestation(data: &[u8]) {
    let Some(object) = AttestationObject::parse(data) else { return };
    let made = object.credential;
    let Ok(cose_public_key) = CosePublicKey::parse(made.cose_public_key) else { return };
    let rp_id = "sealbook.example.com".to_owned();
    let credential = Credential {
        aaguid: "00000000-0000-0000-0000-000000000000".parse().expect("a UUID"),
        attestation: None,
        backup_eligible: made.backup_eligible,
        cose_public_key,
        credential_id: B64(made.credential_id.to_vec()),
        kind: CredentialKind::Hardware,
        rp_id,
    };
    let client =
        B64(br#"{"type":"webauthn.create","challenge":"","origin":"https://sealbook.example.com"}"#.to_vec());
    let evidence =
        format!(r#"{{"attestation_object":"{}","client_data_json":"{client}"}}"#, B64(data.to_vec()));
    let Ok(at) = "2026-11-22T00:00:00.000000Z".parse::<Timestamp>() else { panic!("a time") };
    let Ok(roots) = AttestationRoots::from_pem(ROOT) else { panic!("a root") };
    assert!(
        attestation::check(evidence.as_bytes(), &credential, at, &roots).is_err(),
        "nobody vouched for it"
    );
}

/// A root that signed nothing.
const ROOT: &[u8] = include_bytes!("../root.pem");

fn cose(data: &[u8]) {
    let Ok(key) = CosePublicKey::parse(data) else { return };
    assert_eq!(key.as_bytes(), data);
    assert_eq!(key.to_string().parse().ok(), Some(key));
}

/// A key, and the rest of the input as a signature that it did not make.
fn public_key(data: &[u8]) {
    let (der, signature) = field(data).unwrap_or((data, &[]));
    let Ok(key) = PublicKey::from_der(der) else { return };
    assert_eq!(key.der(), der);
    for algorithm in Algorithm::ALL {
        let digest = vec![7; algorithm.digest().byte_len()];
        let input = if algorithm.needs_message() {
            SigningInput::Message(b"x")
        } else {
            SigningInput::Digest(&digest)
        };
        let _refused = key.verify(algorithm, input, signature);
    }
}

/// A certificate or a request by itself; or a chain from a key on, two bytes of length before each certificate, whose last
/// one is pinned: there is an answer for every use, and what is read is exact.
fn certificate(data: &[u8]) {
    if let Ok(request) = Request::from_der(data) {
        assert_eq!(request.der(), data);
        let _own = request.verify();
    }
    if let Ok(read) = Certificate::from_der(data) {
        assert_eq!(read.der(), data);
    }
    let (mut chain, mut rest) = (Vec::new(), data);
    while let Some((der, behind)) = field(rest) {
        let Ok(read) = Certificate::from_der(der) else { return };
        chain.push(read);
        rest = behind;
    }
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else { return };
    let Ok(key) = first.public_key() else { return };
    let Ok(path_len) = PathLen::try_from(0) else { panic!("a length") };
    for usage in [Usage::ClientAuth, Usage::CodeSigning, Usage::Issuing { path_len }] {
        let _judged = verify_path(&chain, &[last.sha256()], &key, usage, first.not_before());
    }
}

fn roots(data: &[u8]) {
    let _some = AttestationRoots::from_pem(data);
}

/// What API bodies are made of: documents and policies of callers.
fn document(data: &[u8]) {
    fn whole<T: serde::de::DeserializeOwned + serde::Serialize>(data: &[u8]) {
        let Ok(read) = serde_json::from_slice::<T>(data) else { return };
        // What was read has one canonical form, which reads the same.
        let Ok(bytes) = canonical::to_vec(&read) else { return };
        let again = serde_json::from_slice::<T>(&bytes).ok().and_then(|again| canonical::to_vec(&again).ok());
        assert_eq!(again, Some(bytes));
    }
    whole::<ActionDocument>(data);
    whole::<FoundingDocument>(data);
    whole::<LedgerPolicy>(data);
    whole::<SigningPolicy>(data);
    whole::<Credential>(data);
}

/// The words that ids, times and digests are.
fn word(data: &[u8]) {
    spelled_once::<Timestamp>(data);
    spelled_once::<Origin>(data);
    spelled_once::<SlotName>(data);
    spelled_once::<ActionId>(data);
    spelled_once::<MemberId>(data);
    spelled_once::<Correlation>(data);
    spelled_once::<Hash>(data);
    spelled_once::<HexBytes>(data);
    spelled_once::<B64>(data);
    spelled_once::<Algorithm>(data);
    spelled_once::<Seed>(data);
}

/// What is read is written as it was.
fn spelled_once<T: FromStr + Display>(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string(), text);
    }
}

/// A request's body, after a line that names its form: it is refused in words that are short and printable.
fn body(data: &[u8]) {
    form(BODIES, data);
}

/// The same of queries; and bearer tokens, which come beside them.
fn query(data: &[u8]) {
    form(QUERIES, data);
    if let Some(token) = std::str::from_utf8(data).ok().and_then(Token::parse) {
        assert_eq!(token.reveal().as_bytes(), data);
    }
}

fn form(forms: &[(&str, ReadForm)], data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (name, content) = (&data[..end], &data[end + 1..]);
    let Some((_, reads)) = forms.iter().find(|(form, _)| form.as_bytes() == name) else { return };
    if let Err(said) = reads(content) {
        assert!(said.chars().count() <= 1000 && !said.chars().any(char::is_control), "{said:?}");
    }
}
