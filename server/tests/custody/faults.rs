//! Calls that hang, tokens that go away, PINs that are wrong.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sealbook::custody::pkcs11::Pkcs11Backend;
use sealbook::custody::{Backend, BackendHealth, CustodyError, Pkcs11Config, softhsm};
use sealbook_ledger::algorithm::{Algorithm, KeyType};

use crate::support::{eventually, p256_digest, run, soon, start, started};

/// Keeps a session busy for longer than a deadline that has begun: RSA-4096 takes a good part of a second to make.
async fn hang(backend: &Pkcs11Backend, label: &str) -> CustodyError {
    loop {
        let deadline = Instant::now() + Duration::from_millis(30);
        let error =
            backend.generate(label, KeyType::Rsa4096, deadline).await.expect_err("no RSA-4096 key in 30 ms");
        // On a machine under load no thread may have come to it in time.
        if error.code() != "custody.busy" {
            return error;
        }
    }
}

/// Waits for the calls that hang: a process that ends while a thread is inside SoftHSM may crash in its exit handlers.
async fn all_return(backend: &Pkcs11Backend) {
    eventually("the threads' return", async || {
        // A backend whose threads have all hung hears of the device again with the next call.
        backend.find("nobody").await.is_ok() && backend.health() == BackendHealth::Ready
    })
    .await;
}

pub fn a_late_call_is_quarantined_and_replaced(folder: &Path) {
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
        all_return(&backend).await;
    });
}

pub fn a_pool_full_of_hung_calls_says_so(folder: &Path) {
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
        assert!(
            matches!(backend.health(), BackendHealth::Down { reason, quarantined: 3 } if reason.contains("restart"))
        );
        assert_eq!(backend.find("quick").await.unwrap_err().code(), "custody.hung");
        all_return(&backend).await;
    });
}

pub fn a_token_that_was_away_comes_back_by_itself(folder: &Path) {
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
        eventually("the loss is noticed", async || matches!(backend.health(), BackendHealth::Down { .. }))
            .await;
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

pub fn a_wrong_pin_is_tried_once(folder: &Path) {
    run(async {
        let config = softhsm::prepare(folder).unwrap();
        let right = fs::read(folder.join("pin")).unwrap();
        let wrong = "correct horse battery staple";
        fs::write(folder.join("pin"), wrong).unwrap();
        let backend = start(config).await;
        assert!(
            matches!(backend.health(), BackendHealth::Down { reason, .. } if reason.contains("refused the PIN"))
        );
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

pub fn preparing_a_token_twice_keeps_it(folder: &Path) {
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

pub fn a_module_that_is_missing(folder: &Path) {
    run(async {
        let mut config = softhsm::prepare(folder).unwrap();
        config.module = folder.join("missing.so");
        let error = Pkcs11Backend::start("hsm".parse().unwrap(), config).await.err().unwrap();
        assert_eq!(error.code(), "custody.library_unavailable");
    });
}
