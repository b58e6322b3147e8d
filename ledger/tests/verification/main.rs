//! What auditors rely on: a sound ledger is found valid, and whatever was done to one is named with its place.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

#[path = "../support/dice.rs"]
mod dice;

mod archives;
mod command;
mod golden;
mod keys;
mod large;
mod ledger;
mod mutations;
mod parts;
mod people;
mod receipts;
mod tampering;
mod vectors;

use sealbook_ledger::verify::{Layer, LayerReport, Pins, Place, Report, Verdict, verify_bundle};

use ledger::{pins, story};
use parts::Parts;

fn judge(bundle: &[u8], pins: &Pins) -> Report {
    verify_bundle(bundle, pins).unwrap()
}

/// `valid`, `not checked`, or the code of the rule that was broken.
fn layer_code(report: &Report, layer: Layer) -> &'static str {
    match report.layer(layer) {
        LayerReport::Valid(_) => "valid",
        LayerReport::Invalid(failure) => failure.rule(),
        LayerReport::NotChecked(_) => "not checked",
    }
}

/// The layer that notices, the code of its rule, and the place that it names.
struct Noticed {
    layer: Layer,
    rule: &'static str,
    place: Place,
}

fn event(seq: u64, type_name: &str) -> Place {
    Place::Event { seq, type_name: Some(type_name.to_owned()) }
}

#[track_caller]
fn assert_noticed(report: &Report, expected: &Noticed) {
    assert_eq!(report.verdict(), Verdict::Invalid);
    let LayerReport::Invalid(failure) = report.layer(expected.layer) else {
        panic!("{} is {:?}, in {report:#?}", expected.layer, report.layer(expected.layer));
    };
    assert_eq!(failure.rule(), expected.rule, "{failure}");
    assert_eq!(failure.place(), &expected.place, "{failure}");
}

/// The story's bundle, tampered with; what was noticed is what should be.
#[track_caller]
fn tampered(tamper: impl FnOnce(&mut Parts), noticed: &[Noticed]) -> Report {
    let ledger = story();
    let mut parts = ledger.parts();
    tamper(&mut parts);
    let report = judge(&parts.tar(), &pins(&ledger));
    noticed.iter().for_each(|expected| assert_noticed(&report, expected));
    report
}
