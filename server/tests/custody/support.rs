//! What the cases share: a backend on the case's token, patience, and openssl's judgement.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{Pkcs11Config, SigningInput, softhsm};
use sealbook_ledger::algorithm::{Algorithm, DigestKind, KeyType};
use sha2::Digest as _;

pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
    // A quarantined call may still be under way.
    runtime.shutdown_background();
}

pub async fn start(config: Pkcs11Config) -> Pkcs11Backend {
    Pkcs11Backend::start("hsm".parse().unwrap(), config).await.unwrap()
}

pub async fn started(folder: &Path) -> Pkcs11Backend {
    start(softhsm::prepare(folder).unwrap()).await
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Waits until the condition holds, at most a minute.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = soon();
    while !condition().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn p256_digest() -> SigningInput {
    SigningInput::Digest(vec![7; 32])
}

pub fn digest(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    match algorithm.digest() {
        DigestKind::Sha256 => sha2::Sha256::digest(message).to_vec(),
        DigestKind::Sha384 => sha2::Sha384::digest(message).to_vec(),
        DigestKind::Sha512 => sha2::Sha512::digest(message).to_vec(),
    }
}

/// Asks the openssl program, which shares no code with what signed.
pub fn openssl_verifies(
    folder: &Path,
    algorithm: Algorithm,
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let ed25519 = algorithm.key_type() == KeyType::Ed25519;
    let data = match algorithm {
        Algorithm::Ed25519 => message.to_vec(),
        _ => digest(algorithm, message),
    };
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey"]).arg(file("key.der", spki));
    openssl.arg("-in").arg(file("data", &data)).arg("-sigfile").arg(file("signature", signature));
    if ed25519 {
        openssl.arg("-rawin");
    } else {
        openssl.args(["-pkeyopt", &format!("digest:sha{}", algorithm.digest().byte_len() * 8)]);
    }
    if algorithm.name().contains("-pss-") {
        openssl.args(["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]);
    }
    openssl.output().expect("openssl is installed").status.success()
}
