//! A sound ledger is found valid, and every kind of tampering is named with its place and reason.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

mod support;

use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::verify::{Layer, LayerReport, Pins, Report, Verdict, verify_bundle};
use support::{Ledger, pins};

fn judge(bundle: &[u8], pins: &Pins) -> Report {
    verify_bundle(bundle, pins).unwrap()
}

/// Founding, two slots, a service, signatures both ways, a rotation, and more signatures.
fn story() -> Ledger {
    let mut ledger = Ledger::founded();
    ledger.create_slot("release-p256", Algorithm::EcdsaP256Sha256);
    ledger.create_slot("edge-ed25519", Algorithm::Ed25519);
    let service = ledger.enroll_service();
    ledger.sign(service, 0, b"one");
    ledger.sign(service, 1, b"two");
    ledger.rotate_ledger_key(2);
    ledger.sign(service, 0, b"three");
    ledger.sign(service, 1, b"four");
    ledger
}

fn layer_code(report: &Report, layer: Layer) -> &'static str {
    match report.layer(layer) {
        LayerReport::Valid(_) => "valid",
        LayerReport::Invalid(failure) => failure.rule(),
        LayerReport::NotChecked(_) => "not checked",
    }
}

#[test]
fn a_sound_ledger_is_valid_on_all_five_layers() {
    let ledger = story();
    let report = judge(&ledger.bundle(), &pins(&ledger));
    println!("{}", sealbook_ledger::verify::render(&report, sealbook_ledger::verify::Style::Plain));
    assert_eq!(report.verdict(), Verdict::Valid);
    assert!(Layer::ALL.iter().all(|&layer| layer_code(&report, layer) == "valid"));
}
