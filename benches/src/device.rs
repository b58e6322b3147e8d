//! The device without the product: `C_Sign` in a loop on the server's own token, by a process of its own, because SoftHSM
//! reads its configuration once a process.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{Backend as _, PinSource, Pkcs11Config, softhsm};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::public_key::{PublicKey, SigningInput};

/// Threads of the baseline: the machine's two cores.
const THREADS: usize = 2;

/// RFC 8017 §9.2, note 1: the DigestInfo of a SHA-256 digest, up to the digest.
const SHA256_INFO: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

/// Asks a process of its own for signatures a second.
pub(crate) fn per_second(data: &Path, algorithm: Algorithm, verify: bool, turn: Duration) -> f64 {
    let token = data.join("token");
    let (name, value) = softhsm::environment(&token);
    let output = Command::new(std::env::current_exe().expect("the own program"))
        .args(["device", &algorithm.to_string(), &verify.to_string(), &turn.as_millis().to_string()])
        .arg(&token)
        .env(name, value)
        .output()
        .expect("a process");
    assert!(
        output.status.success(),
        "the device's process failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a figure")
}

/// The process: makes a key in the token if it isn't there yet, signs with it, and prints signatures a second.
pub(crate) fn run(token: &Path, algorithm: Algorithm, verify: bool, turn: Duration) {
    let config = softhsm::prepare(token).expect("the token");
    let PinSource::File(pin) = &config.pin else { panic!("SoftHSM's PIN is in a file") };
    let pin = AuthPin::from(std::fs::read_to_string(pin).expect("a PIN").trim_end());
    let label = format!("bench-{algorithm}");
    let public = public_key(config.clone(), &label, algorithm);
    let module = Pkcs11::new(&config.module).expect("the module");
    // The backend above has initialised it already; another answer shows at the first session.
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = module.get_slots_with_initialized_token().expect("slots").remove(0);
    let sessions: Vec<_> = (0..THREADS).map(|_| module.open_rw_session(slot).expect("a session")).collect();
    // The backend is logged in, and with it the process.
    let _ = sessions[0].login(UserType::User, Some(&pin));
    let began = Instant::now();
    let threads: Vec<_> = sessions
        .into_iter()
        .map(|session| {
            let (label, public) = (label.clone(), public.clone());
            std::thread::spawn(move || {
                let wanted =
                    [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.into_bytes())];
                let key = session.find_objects(&wanted).expect("keys").remove(0);
                let mut signed = 0u64;
                while began.elapsed() < turn {
                    let digest = *blake3::hash(&signed.to_le_bytes()).as_bytes();
                    let raw = session
                        .sign(&mechanism(algorithm), key, &input(algorithm, &digest))
                        .expect("a signature");
                    if verify {
                        let signature = encoded(algorithm, raw);
                        public
                            .verify(algorithm, SigningInput::Digest(&digest), &signature)
                            .expect("it holds");
                    }
                    signed += 1;
                }
                signed
            })
        })
        .collect();
    let signed: u64 = threads.into_iter().map(|thread| thread.join().expect("a signer ends")).sum();
    println!("{}", signed as f64 / began.elapsed().as_secs_f64());
}

fn public_key(config: Pkcs11Config, label: &str, algorithm: Algorithm) -> PublicKey {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let key = runtime.block_on(async {
        let backend =
            Pkcs11Backend::start("softhsm".parse().expect("a name"), config).await.expect("a backend");
        let until = Instant::now() + Duration::from_secs(60);
        match backend.find(label).await.expect("the device answers") {
            Some(key) => key,
            None => backend.generate(label, algorithm.key_type(), until).await.expect("a key"),
        }
    });
    // The module stays initialised and the process logged in: the backend is never dropped.
    std::mem::forget(runtime);
    PublicKey::from_der(&key.spki_der).expect("a public key")
}

fn mechanism(algorithm: Algorithm) -> Mechanism<'static> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 => Mechanism::Ecdsa,
        Algorithm::Rsa3072Pkcs1Sha256 => Mechanism::RsaPkcs,
        Algorithm::Ed25519OverSha256Digest => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
        other => panic!("{other} is not measured"),
    }
}

fn input(algorithm: Algorithm, digest: &[u8]) -> Vec<u8> {
    if algorithm == Algorithm::Rsa3072Pkcs1Sha256 { [SHA256_INFO, digest].concat() } else { digest.to_vec() }
}

/// ECDSA's r‖s as DER; others are as they come.
fn encoded(algorithm: Algorithm, raw: Vec<u8>) -> Vec<u8> {
    if algorithm != Algorithm::EcdsaP256Sha256 {
        return raw;
    }
    let mut body = Vec::with_capacity(70);
    for half in raw.chunks(32) {
        let digits = &half[half.iter().take_while(|byte| **byte == 0).count()..];
        let padded = digits.first().is_some_and(|first| first & 0x80 != 0);
        body.extend([2, digits.len() as u8 + u8::from(padded)]);
        body.extend(padded.then_some(0));
        body.extend(digits);
    }
    [vec![0x30, body.len() as u8], body].concat()
}
