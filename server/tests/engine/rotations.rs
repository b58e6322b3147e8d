//! Rotations with a real device: certificates that openssl accepts, a canary, a cutover, and a server that ends at any step.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook::embedded::{DataFolder, EmbeddedPostgres};
use sealbook_ledger::action::{CertificateIssueParams, KeyRotateParams, Params, SlotCreateParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{CertificateId, KeyId, SlotName};
use sealbook_ledger::issuance::IssuanceStep;
use sealbook_ledger::policy::{Role, SigningPolicy};
use sealbook_ledger::rotation::{CertificatePolicy, IssuerPolicy, Rotation, RotationPolicy, RotationStep};
use sealbook_ledger::state::Founded;

use super::moody::Moody;
use super::{Site, act, enrol_service, export_and_verify, found_under, sign, start, start_moody};

/// A step of a rotation takes a few commits and device calls.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const OWNERS: [(usize, Role); 2] = [(1, Role::Approver), (2, Role::Approver)];

pub async fn keys_are_replaced_with_certificates_and_canaries(
    folder: &DataFolder,
    postgres: &EmbeddedPostgres,
    path: &Path,
) {
    let app = start(folder, postgres).await;
    let mut site = found_under(app, path, "ageing", 2).await;
    let issuing = Usage::Issuing { path_len: 1.try_into().unwrap() };
    let root = RotationPolicy {
        certificate: Some(certificate(IssuerPolicy::SelfSigned, issuing, "Acme Root")),
        ..RotationPolicy::of_days(1825, 90)
    };
    slot(&site, "root", Algorithm::EcdsaP384Sha384, root).await;
    certify(&site, "root").await;
    let slots = [("releases", Algorithm::EcdsaP256Sha256), ("apt-repo", Algorithm::Rsa3072Pkcs1Sha256)];
    for (name, algorithm) in slots {
        let issuer = IssuerPolicy::Slot { slot: "root".parse().unwrap() };
        let policy = RotationPolicy {
            certificate: Some(certificate(issuer, Usage::CodeSigning, "Acme Releases")),
            revoke_superseded: true,
            ..RotationPolicy::of_days(90, 7)
        };
        slot(&site, name, algorithm, policy).await;
        certify(&site, name).await;
    }
    let service = enrol_service(&site, &["releases", "apt-repo"]).await;
    for n in 0..12 {
        sign(&site, service, "releases", n % 8).await.unwrap();
    }
    openssl_accepts(&site, path, "releases");

    planned(&site).await;
    sign(&site, service, "releases", 50).await.unwrap();
    openssl_accepts(&site, path, "releases");
    site = restarted_at_every_step(site, folder, postgres).await;
    openssl_accepts(&site, path, "apt-repo");
    sign(&site, service, "apt-repo", 51).await.unwrap();
    super::packs::packs_come_by_themselves(&site).await;
    export_and_verify(&site).await;
    site.app.stop().await;
}

/// As planned: the old key stays beside the new one, and nothing is retired before its time.
async fn planned(site: &Site) {
    let name: SlotName = "releases".parse().unwrap();
    let old = active(site, &name);
    let params = rotate(site, &name, old);
    act(site, Params::KeyRotate(params), 0, Role::KeyOwner, &OWNERS).await;
    until(site, "the cutover", |founded| {
        rotation(founded, &name, old).is_some_and(|rotation| !rotation.is_preparing())
    })
    .await;
    let state = site.ledger.state();
    let founded = state.founded().unwrap();
    let rotation = rotation(founded, &name, old).unwrap();
    assert_eq!((rotation.canary, rotation.due.len()), (8, 0));
    assert_ne!(founded.slot(&name).unwrap().active, Some(old));
    assert!(!rotation.has_ended());
    let new = founded.slot(&name).unwrap().active.unwrap();
    assert_eq!(founded.certificate_of(new).unwrap().issuer, founded.slots()[&"root".parse().unwrap()].active);
}

/// Break-glass, and the server ends whenever the rotation has gone a step further. In each of its lives the device makes
/// one signature, in the first none, so that no step goes by unseen.
async fn restarted_at_every_step(site: Site, folder: &DataFolder, postgres: &EmbeddedPostgres) -> Site {
    let (mut site, mut device) = restarted(site, folder, postgres, 0).await;
    let name: SlotName = "apt-repo".parse().unwrap();
    let old = active(&site, &name);
    let params = Params::KeyRotateEmergency(rotate(&site, &name, old));
    act(&site, params, 0, Role::SecurityReviewer, &[(1, Role::PlatformAdmin)]).await;
    let mut seen = BTreeSet::new();
    let began = Instant::now();
    loop {
        let state = site.ledger.state();
        let founded = state.founded().unwrap();
        let rotation = rotation(founded, &name, old).unwrap();
        if rotation.has_ended() {
            break;
        }
        assert!(began.elapsed() < 4 * PATIENCE, "it stands at {:?}", rotation.step);
        let of_slot = founded.issuances().values().filter(|one| one.slot == name);
        let open = of_slot.map(|one| (one.is_open(), one.step == IssuanceStep::Requested));
        // A key that is left half made is looked for until its time is over, as with a slot's first one: see `interrupted`.
        if matches!(rotation.step, RotationStep::Started | RotationStep::Generating(_)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let place = format!("{:?} {} {:?}", rotation.step, rotation.canary, open.collect::<Vec<_>>());
        if seen.insert(place) {
            (site, device) = restarted(site, folder, postgres, 1).await;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let state = site.ledger.state();
    let founded = state.founded().unwrap();
    let keys = founded.keys().values().filter(|key| key.slot == name && key.material().is_some());
    assert_eq!(keys.count(), 2, "one key was made");
    let issued = founded.issuances().values().filter(|one| one.slot == name && one.issued().is_some());
    assert_eq!(issued.count(), 2, "one certificate was issued");
    assert_eq!(founded.keys()[&old].state_name(), "deactivated");
    assert!(seen.len() >= 3, "{seen:?}");
    device.set_signs(usize::MAX);
    site
}

/// The server's next life, over a device that makes so many signatures in it.
async fn restarted(
    site: Site,
    folder: &DataFolder,
    postgres: &EmbeddedPostgres,
    signs: usize,
) -> (Site, Arc<Moody>) {
    let Site { app, people, .. } = site;
    app.stop().await;
    let (app, device) = start_moody(folder, postgres, signs).await;
    let ledger = app.ledger(&"ageing".parse().unwrap()).unwrap();
    (Site { app, ledger, people }, device)
}

pub fn rotate(site: &Site, slot: &SlotName, old_key: KeyId) -> KeyRotateParams {
    KeyRotateParams { old_key, policy: policy_of(site, slot), slot: slot.clone() }
}

/// Digest of a slot's rotation policy.
pub fn policy_of(site: &Site, slot: &SlotName) -> Hash {
    site.ledger.state().founded().unwrap().slot(slot).unwrap().rotation.digest().unwrap()
}

pub fn rotation<'a>(founded: &'a Founded, slot: &SlotName, old: KeyId) -> Option<&'a Rotation> {
    let mut rotations = founded.rotations().values().map(|rotation| rotation.as_ref());
    rotations.find(|rotation| rotation.slot == *slot && rotation.old_key == old)
}

pub fn active(site: &Site, slot: &SlotName) -> KeyId {
    site.ledger.state().founded().unwrap().slot(slot).unwrap().active.unwrap()
}

pub fn certificate(issuer: IssuerPolicy, usage: Usage, name: &str) -> CertificatePolicy {
    let issuing = matches!(usage, Usage::Issuing { .. });
    let subject = serde_json::json!({"common_name": name, "country": "CH", "organization": "Acme"});
    CertificatePolicy {
        crl_url: issuing.then(|| "http://localhost/crl/root.crl".parse().unwrap()),
        issuer,
        policies: BTreeSet::new(),
        required: !issuing,
        subject: serde_json::from_value(subject).unwrap(),
        usage,
        validity_days: if issuing { 3650 } else { 397 },
    }
}

pub async fn slot(site: &Site, name: &str, algorithm: Algorithm, rotation: RotationPolicy) {
    let params = SlotCreateParams {
        algorithm,
        backend: "softhsm".parse().unwrap(),
        drill: false,
        overlap_days: rotation.overlap_days,
        owner: site.people[0].id,
        rotation_days: rotation.rotation_days,
        rotation: Some(rotation),
        signing_policy: SigningPolicy::default(),
        slot: name.parse().unwrap(),
    };
    act(site, Params::SlotCreate(params), 0, Role::PlatformAdmin, &OWNERS).await;
}

/// Gives a slot's key its first certificate.
pub async fn certify(site: &Site, name: &str) -> CertificateId {
    let slot: SlotName = name.parse().unwrap();
    let key = active(site, &slot);
    let policy = policy_of(site, &slot);
    let params = Params::CertificateIssue(CertificateIssueParams { key, policy, slot });
    act(site, params, 0, Role::PlatformAdmin, &OWNERS).await;
    until(site, "the certificate", |founded| founded.certificate_of(key).is_some()).await;
    site.ledger.state().founded().unwrap().keys()[&key].certificate.unwrap()
}

pub async fn until(site: &Site, what: &str, holds: impl Fn(&Founded) -> bool) {
    let began = Instant::now();
    let mut size = site.ledger.watch_size();
    while !holds(site.ledger.state().founded().unwrap()) {
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        size.borrow_and_update();
        let _ = tokio::time::timeout(Duration::from_secs(1), size.changed()).await;
    }
}

/// The chain of a slot's certificate, and its request, hold for openssl.
fn openssl_accepts(site: &Site, path: &Path, name: &str) {
    let state: Arc<_> = site.ledger.state();
    let founded = state.founded().unwrap();
    let write = |slot: &str, file: &str| {
        let key = founded.slot(&slot.parse().unwrap()).unwrap().active.unwrap();
        let issued = founded.certificate_of(key).unwrap();
        std::fs::write(path.join(file), issued.der.as_bytes()).unwrap();
        founded.keys()[&key].certificate.unwrap()
    };
    write("root", "root.der");
    let leaf = write(name, "leaf.der");
    let csr = founded.issuance(leaf).unwrap().csr.clone().unwrap();
    std::fs::write(path.join("request.der"), csr.as_bytes()).unwrap();
    for der in ["root", "leaf"] {
        openssl(path, &format!("x509 -inform DER -in {der}.der -out {der}.pem"));
    }
    openssl(path, "verify -x509_strict -check_ss_sig -CAfile root.pem leaf.pem");
    openssl(path, "req -inform DER -in request.der -verify -noout");
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Process::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
