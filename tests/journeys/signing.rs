//! Signing: every algorithm, keys, receipts, verification, idempotency, release and rate.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use integration::programs::verify;
use integration::tenant::{sha256, signing_policy, text};
use integration::{Server, Service, Tenant, waiting};
use sealbook_ledger::algorithm::{Algorithm, DigestKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// What is signed in each test.
const ARTIFACT: &[u8] = b"what users run";

/// What a slot of this algorithm is asked to sign: the artifact's digest, or the artifact itself.
fn input(algorithm: Algorithm) -> Value {
    if algorithm.needs_message() {
        return json!({ "message": URL_SAFE_NO_PAD.encode(ARTIFACT) });
    }
    let digest = match algorithm.digest() {
        DigestKind::Sha256 => Sha256::digest(ARTIFACT).to_vec(),
        DigestKind::Sha384 => Sha384::digest(ARTIFACT).to_vec(),
        DigestKind::Sha512 => Sha512::digest(ARTIFACT).to_vec(),
    };
    json!({ "digest": hex::encode(digest) })
}

fn signed_by(tenant: &Tenant, service: &Service, slot: &str, body: &Value) -> Value {
    service.api.post(&tenant.path(&format!("/slots/{slot}/sign")), body).expect(200).json()
}

#[test]
fn every_algorithm_signs_verifies_and_proves_itself() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    for algorithm in Algorithm::ALL {
        tenant.slot(algorithm.name(), algorithm.name());
    }
    let service = tenant.service(&Algorithm::ALL.map(Algorithm::name));
    for algorithm in Algorithm::ALL {
        let slot = algorithm.name();
        let path = |rest: &str| tenant.path(&format!("/slots/{slot}{rest}"));
        let signed = signed_by(&tenant, &service, slot, &input(algorithm));
        assert_eq!(signed["algorithm"], slot);

        let pem = service.api.get(&path("/pubkey")).expect(200);
        assert_eq!(pem.header("content-type"), Some("text/x-pem"));
        assert!(pem.text().starts_with("-----BEGIN PUBLIC KEY-----"), "{}", pem.text());
        let jwk = service.api.get(&path("/pubkey?format=jwk")).expect(200);
        assert_eq!(jwk.header("content-type"), Some("application/jwk+json"));
        assert!(matches!(text(&jwk.json()["kty"]), "EC" | "RSA" | "OKP"));
        let key =
            service.api.get(&tenant.path(&format!("/keys/{}", text(&signed["key"])))).expect(200).json();
        assert_eq!((text(&key["state"]), &key["spki_sha256"]), ("active", &signed["spki_sha256"]));
        assert_eq!(text(&key["public_key_pem"]), pem.text());

        let mut asked = input(algorithm);
        asked["signature_b64"] = signed["signature_b64"].clone();
        // Where a signature is recorded is known once the projector has followed.
        let verdict = waiting::until("the signature to be found", || {
            let verdict = service.api.post(&path("/verify"), &asked).expect(200).json();
            assert_eq!(verdict["valid"], true, "{slot}");
            verdict.get("seq").is_some().then_some(verdict)
        });
        assert_eq!((&verdict["seq"], &verdict["key"]), (&signed["seq"], &signed["key"]), "{slot}");
        let mut bytes = STANDARD.decode(text(&signed["signature_b64"])).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        asked["signature_b64"] = STANDARD.encode(bytes).into();
        assert_eq!(service.api.post(&path("/verify"), &asked).expect(200).json()["valid"], false, "{slot}");
        check_offline(&tenant, &service, &signed, &pem.body);
    }
    tenant.verified();
}

/// The file, its signature, its receipt and the key, without any server.
fn check_offline(tenant: &Tenant, service: &Service, signed: &Value, pem: &[u8]) {
    let receipt = service.api.get(&format!("{}?wait_ms=10000", text(&signed["receipt"]))).expect(200);
    let signature = STANDARD.decode(text(&signed["signature_b64"])).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let file = tenant.folder().join(name);
        fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (artifact, signature) = (write("artifact", ARTIFACT), write("artifact.sig", &signature));
    let (receipt, pem) = (write("artifact.tlog-proof", &receipt.body), write("key.pem", pem));
    let offline = |artifact: &str| {
        let files =
            ["--artifact", artifact, "--signature", &signature, "--receipt", &receipt, "--pubkey", &pem];
        verify(files.into_iter().chain(["--vkey", &tenant.vkey]))
    };
    offline(&artifact).expect(0);
    offline(&write("other", b"what users do not run")).expect(1);
}

#[test]
fn one_idempotency_key_gives_one_signature_and_refuses_other_content() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    tenant.slot("release", "ecdsa-p256-sha256");
    let service = tenant.service(&["release"]);
    let path = tenant.path("/slots/release/sign");
    let ask = |bytes: &[u8]| service.api.post_once(&path, "build 7", &json!({ "digest": sha256(bytes) }));
    let first = ask(b"one").expect(200).json();
    assert_eq!(ask(b"one").expect(200).json(), first);
    ask(b"two").refused(409, "idempotency.other_content");
    let page = tenant.get("/events?type=signature.created").expect(200).json();
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    tenant.verified();
}

#[test]
fn a_slot_that_releases_sealed_signatures_only_has_each_covered_by_a_checkpoint() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut policy = signing_policy();
    policy["release"] = json!("sealed");
    tenant.slot_with("release", "ecdsa-p256-sha256", &policy);
    let service = tenant.service(&["release"]);
    let signed = tenant.sign(&service, "release", &sha256(ARTIFACT)).expect(200).json();
    // No wait: the receipt is there already.
    service.api.get(text(&signed["receipt"])).expect(200);
    tenant.verified();
}

#[test]
fn a_slot_signs_no_more_than_its_rate_and_only_with_the_fields_that_it_demands() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 2);
    let mut policy = signing_policy();
    policy["rate_per_minute"] = json!(1);
    policy["artifact_fields"] = json!(["name", "version"]);
    tenant.slot_with("release", "ecdsa-p256-sha256", &policy);
    let service = tenant.service(&["release"]);
    tenant.sign(&service, "release", &sha256(b"unnamed")).refused(400, "artifact.fields");
    let artifact = json!({ "name": "sealbook", "version": "1.0" });
    let ask = || {
        let body = json!({ "digest": sha256(ARTIFACT), "artifact": artifact });
        service.api.post(&tenant.path("/slots/release/sign"), &body)
    };
    // A minute may end between two requests, but not between every two.
    let refused = waiting::until("a request beyond the rate", || {
        let answer = ask();
        (answer.status != 200).then_some(answer)
    });
    refused.refused(429, "rate.exceeded");
    assert!(refused.header("retry-after").is_some());
    tenant.verified();
}
