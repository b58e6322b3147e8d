//! Genuine bundles, and auditors who pinned something else.

use integration::verifier::Pinned;

use crate::{Place, assert_found, genuine};

#[test]
fn the_founding_of_other_people_is_not_this_one() {
    let genuine = genuine();
    let founded = genuine.bundle.of_type("ledger.founded")[0];
    let pinned = Pinned { founding: Some("ab".repeat(32)), ..genuine.pinned.clone() };
    let judged = genuine.judged_by(&genuine.bundle.to_tar(), &pinned);
    assert_found("another founding", &judged, "rules", "founding.pinned", Place::Event(founded));
}

#[test]
fn a_ledger_whose_founding_nobody_pinned_says_so() {
    let genuine = genuine();
    let pinned = Pinned { founding: None, ..genuine.pinned.clone() };
    let judged = genuine.judged_by(&genuine.bundle.to_tar(), &pinned);
    judged.assert_valid();
    assert_eq!(judged.report["founding"]["pinned"], false);
}

#[test]
fn a_key_of_another_ledger_vouches_for_nothing() {
    let genuine = genuine();
    // The vkey of the ledger format's golden vectors.
    let vkey =
        "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql".to_owned();
    let judged = genuine.judged_by(&genuine.bundle.to_tar(), &Pinned { vkey, ..genuine.pinned.clone() });
    assert_eq!((judged.code, judged.layer("seals")), (Some(1), "invalid"), "{:#}", judged.report);
}
