//! What release 0.1 wrote stays valid for ever: rules version 1 is judged as it was.

use sealbook_ledger::verify::{Layer, Pins, Verdict};

use super::{judge, layer_code};

const BUNDLE: &[u8] = include_bytes!("../../testdata/golden-0.1.tar");
const VKEY: &str = include_str!("../../testdata/golden-0.1.vkey");
const FOUNDING: &str = include_str!("../../testdata/golden-0.1.founding");

#[test]
fn a_ledger_of_release_0_1_is_valid_in_every_layer() {
    let pins = Pins {
        vkeys: vec![VKEY.trim().parse().unwrap()],
        founding: Some(FOUNDING.trim().parse().unwrap()),
        signatures: true,
        ..Pins::default()
    };
    let report = judge(BUNDLE, &pins);
    assert_eq!(report.verdict(), Verdict::Valid, "{report:#?}");
    for layer in [Layer::Bytes, Layer::Chain, Layer::Seals, Layer::Rules, Layer::Signatures] {
        assert_eq!(layer_code(&report, layer), "valid", "{layer}");
    }
}
