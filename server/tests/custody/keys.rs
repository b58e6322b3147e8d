//! Making, finding and listing keys, and signing with them.

use std::path::Path;
use std::time::Duration;

use sealbook::custody::{Backend, BackendHealth, CustodyError, Pkcs11Config, SigningInput, softhsm};
use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::encoding::Hash;
use sha2::Digest as _;

use crate::support::{digest, openssl_verifies, p256_digest, run, soon, start, started};

pub fn every_algorithm_signs_what_openssl_verifies(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        for key_type in
            [KeyType::EcP256, KeyType::EcP384, KeyType::Rsa3072, KeyType::Rsa4096, KeyType::Ed25519]
        {
            let label = format!("{key_type:?}");
            let key = backend.generate(&label, key_type, soon()).await.unwrap();
            for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_type() == key_type) {
                let message = format!("signed with {algorithm}").into_bytes();
                let input = match algorithm.needs_message() {
                    true => SigningInput::Message(message.clone()),
                    false => SigningInput::Digest(digest(algorithm, &message)),
                };
                let signature = backend.sign(&label, algorithm, input, soon()).await.unwrap();
                assert!(
                    openssl_verifies(folder, algorithm, &key.spki_der, &message, &signature),
                    "{algorithm}"
                );
                assert!(
                    !openssl_verifies(folder, algorithm, &key.spki_der, b"another", &signature),
                    "{algorithm}"
                );
            }
        }
    });
}

pub fn a_generated_key_is_confined_and_found_again(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        let made = backend.generate("acme/release", KeyType::EcP256, soon()).await.unwrap();
        assert!(made.attributes.is_confined(), "{:?}", made.attributes);
        assert_eq!(backend.find("acme/release").await.unwrap(), Some(made.clone()));
        let inventory = backend.inventory().await.unwrap();
        assert_eq!(inventory.len(), 1);
        assert_eq!(inventory[0].label, "acme/release");
        assert_eq!(inventory[0].public, Some((KeyType::EcP256, Hash::sha256(&made.spki_der))));
        drop(backend);
        let again = started(folder).await;
        assert_eq!(again.find("acme/release").await.unwrap(), Some(made));
    });
}

pub fn a_label_that_is_taken_is_never_overwritten(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        let made = backend.generate("one", KeyType::EcP256, soon()).await.unwrap();
        let second = backend.generate("one", KeyType::Ed25519, soon()).await;
        assert!(matches!(second, Err(CustodyError::AlreadyExists { .. })), "{second:?}");
        assert_eq!(backend.find("one").await.unwrap(), Some(made));
    });
}

pub fn a_label_is_made_once_however_many_ask(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        let ask = || backend.generate("one", KeyType::EcP256, soon());
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        let made = [a, b, c, d].into_iter().filter(Result::is_ok).count();
        assert_eq!(made, 1);
        assert_eq!(backend.inventory().await.unwrap().len(), 1);
    });
}

pub fn an_unknown_label_is_not_found(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        assert_eq!(backend.find("nobody").await.unwrap(), None);
        let signed = backend.sign("nobody", Algorithm::EcdsaP256Sha256, p256_digest(), soon()).await;
        assert!(matches!(signed, Err(CustodyError::NotFound { .. })), "{signed:?}");
        assert_eq!(backend.counters().sign_failures, 1);
        assert_eq!(backend.health(), BackendHealth::Ready);
    });
}

pub fn two_keys_under_one_label(folder: &Path) {
    run(async {
        let config = softhsm::prepare(folder).unwrap();
        let backend = start(config.clone()).await;
        // P-256 and P-521: a type that the registry doesn't know is listed all the same.
        for curve in [&b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"[..], b"\x06\x05\x2b\x81\x04\x00\x23"] {
            make_by_other_means(&config, "twin", curve);
        }
        let found = backend.find("twin").await.unwrap_err();
        assert!(matches!(found, CustodyError::Ambiguous { count: 2, .. }), "{found:?}");
        let signed =
            backend.sign("twin", Algorithm::EcdsaP256Sha256, p256_digest(), soon()).await.unwrap_err();
        assert_eq!(signed.code(), "custody.ambiguous");
        let made = backend.generate("twin", KeyType::EcP256, soon()).await.unwrap_err();
        assert_eq!(made.code(), "custody.already_exists");
        let known: Vec<bool> =
            backend.inventory().await.unwrap().iter().map(|object| object.public.is_some()).collect();
        assert!(known == [true, false] || known == [false, true], "{known:?}");
    });
}

/// Makes a key as another program on the same token would. The process is logged in already.
fn make_by_other_means(config: &Pkcs11Config, label: &str, curve: &[u8]) {
    use cryptoki::object::Attribute;
    let module = cryptoki::context::Pkcs11::new(&config.module).unwrap();
    let of_ours = |slot: &_| module.get_token_info(*slot).unwrap().label() == config.token_label;
    let slot = module.get_slots_with_token().unwrap().into_iter().find(of_ours).unwrap();
    let session = module.open_rw_session(slot).unwrap();
    let both = [
        Attribute::Token(true),
        Attribute::Label(label.into()),
        // Each pair has an id of its own.
        Attribute::Id(curve.to_vec()),
    ];
    let public = [&both[..], &[Attribute::EcParams(curve.to_vec()), Attribute::Private(false)]].concat();
    let mechanism = cryptoki::mechanism::Mechanism::EccKeyPairGen;
    session.generate_key_pair(&mechanism, &public, &both).unwrap();
}

pub fn input_that_does_not_fit_is_refused(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        backend.generate("ec", KeyType::EcP256, soon()).await.unwrap();
        let long = SigningInput::Message(vec![0; 64 * 1024 + 1]);
        for (algorithm, input) in [
            (Algorithm::EcdsaP256Sha256, SigningInput::Digest(vec![7; 31])),
            (Algorithm::EcdsaP256Sha256, SigningInput::Digest(Vec::new())),
            (Algorithm::EcdsaP256Sha256, SigningInput::Message(vec![7; 32])),
            (Algorithm::Ed25519, p256_digest()),
            (Algorithm::Ed25519, long),
            // Right for the algorithm, wrong for the key.
            (Algorithm::Rsa3072PssSha256, p256_digest()),
        ] {
            let signed = backend.sign("ec", algorithm, input, soon()).await;
            assert!(matches!(signed, Err(CustodyError::Refused { .. })), "{algorithm} {signed:?}");
        }
        for label in ["", "a\nb", &"x".repeat(256)] {
            assert!(matches!(backend.find(label).await, Err(CustodyError::Refused { .. })), "{label:?}");
        }
        assert_eq!(backend.counters().signatures, 0);
    });
}

pub fn eight_tasks_sign_at_once(folder: &Path) {
    run(async {
        let backend = std::sync::Arc::new(started(folder).await);
        let key = backend.generate("shared", KeyType::EcP256, soon()).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..8u8 {
            let backend = backend.clone();
            tasks.spawn(async move {
                let mut last = Vec::new();
                for _ in 0..50 {
                    let input = SigningInput::Digest(sha2::Sha256::digest([task]).to_vec());
                    last = backend.sign("shared", Algorithm::EcdsaP256Sha256, input, soon()).await.unwrap();
                }
                (task, last)
            });
        }
        while let Some(done) = tasks.join_next().await {
            let (task, signature) = done.unwrap();
            let verified =
                openssl_verifies(folder, Algorithm::EcdsaP256Sha256, &key.spki_der, &[task], &signature);
            assert!(verified, "task {task} got its own signature");
        }
        let counters = backend.counters();
        assert_eq!((counters.signatures, counters.sign_failures, counters.quarantined), (400, 0, 0));
        assert!(counters.sign_time > Duration::ZERO);
    });
}

/// SoftHSM has been seen to show a key that it had just made badly while other sessions were at work.
pub fn keys_that_are_made_at_once_are_each_shown_whole(folder: &Path) {
    const MAKERS: usize = 4;
    const KEYS: usize = 60;
    run(async {
        let backend = std::sync::Arc::new(started(folder).await);
        let mut tasks = tokio::task::JoinSet::new();
        for maker in 0..MAKERS {
            let backend = backend.clone();
            tasks.spawn(async move {
                let mut failures = Vec::new();
                for n in 0..KEYS {
                    let label = format!("maker-{maker}-{n}");
                    if let Err(error) = backend.generate(&label, KeyType::EcP256, soon()).await {
                        failures.push(format!("{label}: {error:?}"));
                        continue;
                    }
                    let signed =
                        backend.sign(&label, Algorithm::EcdsaP256Sha256, p256_digest(), soon()).await;
                    failures.extend(signed.err().map(|error| format!("{label}, signing: {error:?}")));
                }
                failures
            });
        }
        let mut failures = Vec::new();
        while let Some(done) = tasks.join_next().await {
            failures.extend(done.unwrap());
        }
        assert!(failures.is_empty(), "{} of {}: {failures:#?}", failures.len(), MAKERS * KEYS);
    });
}
