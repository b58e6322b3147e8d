//! What older versions wrote stays valid for ever: each rules version is judged as it was.

use sealbook_ledger::verify::{Layer, Pins, Verdict, verify_pack};

use super::{judge, layer_code};

fn is_valid_in_every_layer(bundle: &[u8], vkey: &str, founding: &str) {
    let pins = Pins {
        vkeys: vec![vkey.trim().parse().unwrap()],
        founding: Some(founding.trim().parse().unwrap()),
        signatures: true,
        ..Pins::default()
    };
    let report = judge(bundle, &pins);
    assert_eq!(report.verdict(), Verdict::Valid, "{report:#?}");
    for layer in [Layer::Bytes, Layer::Chain, Layer::Seals, Layer::Rules, Layer::Signatures] {
        assert_eq!(layer_code(&report, layer), "valid", "{layer}");
    }
}

#[test]
fn a_ledger_of_release_0_1_is_valid_in_every_layer() {
    is_valid_in_every_layer(
        include_bytes!("../../testdata/golden-0.1.tar"),
        include_str!("../../testdata/golden-0.1.vkey"),
        include_str!("../../testdata/golden-0.1.founding"),
    );
}

#[test]
fn a_ledger_of_rules_version_2_is_valid_in_every_layer() {
    is_valid_in_every_layer(
        include_bytes!("../../testdata/golden-rules-2.tar"),
        include_str!("../../testdata/golden-rules-2.vkey"),
        include_str!("../../testdata/golden-rules-2.founding"),
    );
}

#[test]
fn an_evidence_pack_of_rules_version_2_says_the_same_as_ever() {
    let vkey = include_str!("../../testdata/golden-rules-2.later.vkey");
    let pins = Pins { vkeys: vec![vkey.trim().parse().unwrap()], ..Pins::default() };
    let report = verify_pack(include_bytes!("../../testdata/golden-rules-2.zip"), &pins);
    assert_eq!(report.verdict(), Verdict::Valid, "{report:#?}");
}
