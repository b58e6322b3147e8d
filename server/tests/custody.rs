//! The PKCS#11 backend against a real SoftHSM: `cargo test -p sealbook --test custody [CASE]`.
//!
//! SoftHSM takes its configuration from the environment of the process, and a login counts for a whole process. Each
//! case therefore runs in a process of its own, with a token of its own in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{Backend, BackendHealth, CustodyError, Pkcs11Config, SigningInput, softhsm};
use sealbook_ledger::algorithm::{Algorithm, DigestKind, KeyType};
use sealbook_ledger::encoding::Hash;
use sha2::Digest as _;

type Case = (&'static str, fn(&Path));

const CASES: [Case; 14] = [
    ("every_algorithm_signs_what_openssl_verifies", every_algorithm_signs_what_openssl_verifies),
    ("a_generated_key_is_confined_and_found_again", a_generated_key_is_confined_and_found_again),
    ("a_label_that_is_taken_is_never_overwritten", a_label_that_is_taken_is_never_overwritten),
    ("a_label_is_made_once_however_many_ask", a_label_is_made_once_however_many_ask),
    ("an_unknown_label_is_not_found", an_unknown_label_is_not_found),
    ("two_keys_under_one_label_are_not_guessed_between", two_keys_under_one_label),
    ("input_that_does_not_fit_is_refused", input_that_does_not_fit_is_refused),
    ("a_late_call_is_quarantined_and_replaced", a_late_call_is_quarantined_and_replaced),
    ("a_pool_full_of_hung_calls_says_so", a_pool_full_of_hung_calls_says_so),
    ("a_token_that_was_away_comes_back_by_itself", a_token_that_was_away_comes_back_by_itself),
    ("eight_tasks_sign_at_once_and_every_signature_is_counted", eight_tasks_sign_at_once),
    ("a_wrong_pin_is_tried_once_and_a_corrected_one_works", a_wrong_pin_is_tried_once),
    ("preparing_a_token_twice_keeps_it", preparing_a_token_twice_keeps_it),
    ("a_module_that_is_missing_is_an_error_at_the_start", a_module_that_is_missing),
];

const CASE_VARIABLE: &str = "CUSTODY_CASE";

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CASE_VARIABLE) {
        let (_, case) = CASES.iter().find(|(case, _)| *case == name).expect("a case of this program");
        let folder = PathBuf::from(std::env::var_os("CUSTODY_FOLDER").expect("the case's folder"));
        case(&folder);
        return ExitCode::SUCCESS;
    }
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let mut failed = 0;
    for (name, _) in CASES.iter().filter(|(name, _)| wanted(name)) {
        let began = Instant::now();
        let passed = in_a_process_of_its_own(name);
        println!("custody {name} ... {} ({:.1?})", if passed { "ok" } else { "FAILED" }, began.elapsed());
        failed += u32::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn in_a_process_of_its_own(case: &str) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (name, value) = softhsm::environment(folder.path());
    let status = Command::new(std::env::current_exe().expect("this program's path"))
        .env(CASE_VARIABLE, case)
        .env("CUSTODY_FOLDER", folder.path())
        .env(name, value)
        .status();
    status.expect("this program starts").success()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
    // A quarantined call may still be under way.
    runtime.shutdown_background();
}

async fn start(config: Pkcs11Config) -> Pkcs11Backend {
    Pkcs11Backend::start("hsm".parse().unwrap(), config).await.unwrap()
}

async fn started(folder: &Path) -> Pkcs11Backend {
    start(softhsm::prepare(folder).unwrap()).await
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Waits until the condition holds, at most a minute.
async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = soon();
    while !condition().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn p256_digest() -> SigningInput {
    SigningInput::Digest(vec![7; 32])
}

fn every_algorithm_signs_what_openssl_verifies(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        for key_type in [KeyType::EcP256, KeyType::EcP384, KeyType::Rsa3072, KeyType::Rsa4096, KeyType::Ed25519] {
            let label = format!("{key_type:?}");
            let key = backend.generate(&label, key_type, soon()).await.unwrap();
            for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_type() == key_type) {
                let message = format!("signed with {algorithm}").into_bytes();
                let input = match algorithm.needs_message() {
                    true => SigningInput::Message(message.clone()),
                    false => SigningInput::Digest(digest(algorithm, &message)),
                };
                let signature = backend.sign(&label, algorithm, input, soon()).await.unwrap();
                assert!(openssl_verifies(folder, algorithm, &key.spki_der, &message, &signature), "{algorithm}");
                assert!(!openssl_verifies(folder, algorithm, &key.spki_der, b"another", &signature), "{algorithm}");
            }
        }
    });
}

fn digest(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    match algorithm.digest() {
        DigestKind::Sha256 => sha2::Sha256::digest(message).to_vec(),
        DigestKind::Sha384 => sha2::Sha384::digest(message).to_vec(),
        DigestKind::Sha512 => sha2::Sha512::digest(message).to_vec(),
    }
}

/// Asks the openssl program, which shares no code with what signed.
fn openssl_verifies(folder: &Path, algorithm: Algorithm, spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
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
        openssl.args(["-pkeyopt", &format!("digest:sha{}", algorithm.digest().len() * 8)]);
    }
    if algorithm.name().contains("-pss-") {
        openssl.args(["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]);
    }
    openssl.output().expect("openssl is installed").status.success()
}

fn a_generated_key_is_confined_and_found_again(folder: &Path) {
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

fn a_label_that_is_taken_is_never_overwritten(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        let made = backend.generate("one", KeyType::EcP256, soon()).await.unwrap();
        let second = backend.generate("one", KeyType::Ed25519, soon()).await;
        assert!(matches!(second, Err(CustodyError::AlreadyExists { .. })), "{second:?}");
        assert_eq!(backend.find("one").await.unwrap(), Some(made));
    });
}

fn a_label_is_made_once_however_many_ask(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        let ask = || backend.generate("one", KeyType::EcP256, soon());
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        let made = [a, b, c, d].into_iter().filter(Result::is_ok).count();
        assert_eq!(made, 1);
        assert_eq!(backend.inventory().await.unwrap().len(), 1);
    });
}

fn an_unknown_label_is_not_found(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        assert_eq!(backend.find("nobody").await.unwrap(), None);
        let signed = backend.sign("nobody", Algorithm::EcdsaP256Sha256, p256_digest(), soon()).await;
        assert!(matches!(signed, Err(CustodyError::NotFound { .. })), "{signed:?}");
        assert_eq!(backend.counters().sign_failures, 1);
        assert_eq!(backend.health(), BackendHealth::Ready);
    });
}

fn two_keys_under_one_label(folder: &Path) {
    run(async {
        let config = softhsm::prepare(folder).unwrap();
        let backend = start(config.clone()).await;
        // P-256 and P-521: a type that the registry doesn't know is listed all the same.
        for curve in [&b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"[..], b"\x06\x05\x2b\x81\x04\x00\x23"] {
            make_by_other_means(&config, "twin", curve);
        }
        let found = backend.find("twin").await.unwrap_err();
        assert!(matches!(found, CustodyError::Ambiguous { count: 2, .. }), "{found:?}");
        let signed = backend.sign("twin", Algorithm::EcdsaP256Sha256, p256_digest(), soon()).await.unwrap_err();
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

fn input_that_does_not_fit_is_refused(folder: &Path) {
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

/// Keeps a session busy for longer than a deadline that has begun: RSA-4096 takes seconds to make.
async fn hang(backend: &Pkcs11Backend, label: &str) -> CustodyError {
    let deadline = Instant::now() + Duration::from_millis(30);
    backend.generate(label, KeyType::Rsa4096, deadline).await.expect_err("no RSA-4096 key in 30 ms")
}

fn a_late_call_is_quarantined_and_replaced(folder: &Path) {
    run(async {
        let backend = start(Pkcs11Config { sessions: 1, ..softhsm::prepare(folder).unwrap() }).await;
        backend.generate("quick", KeyType::EcP256, soon()).await.unwrap();

        let never = backend.generate("never", KeyType::EcP256, Instant::now()).await.unwrap_err();
        assert_eq!((never.code(), never.outcome_is_unknown()), ("custody.busy", false));

        let late = hang(&backend, "late").await;
        assert!(late.outcome_is_unknown(), "{late}");
        assert_eq!(backend.counters().quarantined, 1);
        let again = backend.generate("late", KeyType::Rsa4096, soon()).await.unwrap_err();
        assert!(matches!(again.code(), "custody.generating" | "custody.already_exists"), "{again}");

        // The one session is out: a new one answers.
        backend.sign("quick", Algorithm::EcdsaP256Sha256, p256_digest(), soon()).await.unwrap();

        // What the device did after all is found by its label, and the thread that came back counts no more.
        eventually("the late key", async || backend.find("late").await.unwrap().is_some()).await;
        eventually("the thread's return", async || backend.health() == BackendHealth::Ready).await;
    });
}

fn a_pool_full_of_hung_calls_says_so(folder: &Path) {
    run(async {
        let backend = start(Pkcs11Config { sessions: 1, ..softhsm::prepare(folder).unwrap() }).await;
        let mut number = 0;
        // Past twice its size: with one session, the third.
        eventually("the pool is hung", async || {
            number += 1;
            let late = hang(&backend, &format!("late-{number}")).await;
            late.code() == "custody.hung"
        })
        .await;
        assert!(matches!(backend.health(), BackendHealth::Down { reason } if reason.contains("restart")));
        assert_eq!(backend.find("quick").await.unwrap_err().code(), "custody.hung");
        eventually("the calls return", async || backend.find("quick").await.is_ok()).await;
    });
}

fn a_token_that_was_away_comes_back_by_itself(folder: &Path) {
    run(async {
        let backend = started(folder).await;
        let made = backend.generate("kept", KeyType::EcP256, soon()).await.unwrap();
        let sign = || backend.sign("kept", Algorithm::EcdsaP256Sha256, p256_digest(), soon());
        // Every session knows the key.
        for _ in 0..16 {
            sign().await.unwrap();
        }
        let (here, away) = (folder.join("tokens"), folder.join("away"));
        // Gone for a moment that nobody notices: no session answers from a stale view.
        fs::rename(&here, &away).unwrap();
        fs::rename(&away, &here).unwrap();
        for _ in 0..16 {
            sign().await.unwrap();
            assert_eq!(backend.find("kept").await.unwrap(), Some(made.clone()));
        }
        fs::rename(&here, &away).unwrap();
        eventually("the loss is noticed", async || matches!(backend.health(), BackendHealth::Down { .. })).await;
        for _ in 0..8 {
            let signed = sign().await.unwrap_err();
            assert_eq!(signed.code(), "custody.token_unavailable", "{signed:?}");
            let found = backend.find("kept").await.unwrap_err();
            assert_eq!(found.code(), "custody.token_unavailable", "{found:?}");
            let made = backend.generate("new", KeyType::EcP256, soon()).await.unwrap_err();
            assert_eq!(made.code(), "custody.token_unavailable", "{made:?}");
            let listed = backend.inventory().await.unwrap_err();
            assert_eq!(listed.code(), "custody.token_unavailable", "{listed:?}");
        }
        fs::rename(&away, &here).unwrap();
        eventually("the return is noticed", async || backend.health() == BackendHealth::Ready).await;
        for _ in 0..16 {
            sign().await.unwrap();
            assert_eq!(backend.find("kept").await.unwrap(), Some(made.clone()));
        }
    });
}

fn eight_tasks_sign_at_once(folder: &Path) {
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

fn a_wrong_pin_is_tried_once(folder: &Path) {
    run(async {
        let config = softhsm::prepare(folder).unwrap();
        let right = fs::read(folder.join("pin")).unwrap();
        let wrong = "correct horse battery staple";
        fs::write(folder.join("pin"), wrong).unwrap();
        let backend = start(config).await;
        assert!(matches!(backend.health(), BackendHealth::Down { reason } if reason.contains("refused the PIN")));
        let first = backend.find("any").await.unwrap_err();
        assert_eq!(first.code(), "custody.pin_refused");
        assert!(!format!("{first} {first:?}").contains(wrong));
        // The device said so itself only once, at the start: later refusals have no source.
        assert!(std::error::Error::source(&first).is_none());

        fs::write(folder.join("pin"), right).unwrap();
        assert_eq!(backend.find("any").await.unwrap(), None);
        assert_eq!(backend.health(), BackendHealth::Ready);
    });
}

fn preparing_a_token_twice_keeps_it(folder: &Path) {
    run(async {
        let first = softhsm::prepare(folder).unwrap();
        let pin = fs::read(folder.join("pin")).unwrap();
        assert_eq!(softhsm::prepare(folder).unwrap(), first);
        assert_eq!(fs::read(folder.join("pin")).unwrap(), pin);
        for secret in ["pin", "so-pin"] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(folder.join(secret)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let elsewhere = softhsm::prepare(&folder.join("elsewhere")).unwrap_err();
        assert_eq!(elsewhere.code(), "softhsm.environment");
    });
}

fn a_module_that_is_missing(folder: &Path) {
    run(async {
        let mut config = softhsm::prepare(folder).unwrap();
        config.module = folder.join("missing.so");
        let error = Pkcs11Backend::start("hsm".parse().unwrap(), config).await.err().unwrap();
        assert_eq!(error.code(), "custody.library_unavailable");
    });
}
