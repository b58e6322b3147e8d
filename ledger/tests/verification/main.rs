//! What auditors rely on: a sound ledger is found valid, and whatever was done to one is named with its place.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

mod archives;
mod command;
mod ledger;
mod parts;
mod people;
mod receipts;
mod tampering;
mod vectors;

use sealbook_ledger::verify::{Layer, LayerReport, Pins, Report, verify_bundle};

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
