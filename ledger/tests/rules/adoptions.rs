//! Keys that are in a device already: which ones may be taken over.

use sealbook_ledger::action::{KeyAdoptParams, Params};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::rule::Rule;

use crate::support::*;

#[test]
fn an_adopted_key_is_the_approved_one_and_never_extractable() {
    let mut ledger = Ledger::ageing(3);
    let key = spki(Algorithm::EcdsaP256Sha256, 900);
    let params = |ledger: &Ledger, label: &str| KeyAdoptParams {
        label: label.to_owned(),
        slot: ledger.slot_params("legacy", Algorithm::EcdsaP256Sha256),
        spki_sha256: Hash::sha256(key.as_bytes()),
    };
    for label in ["", "caf\u{e9}", "a\nb"] {
        let adopt = Params::KeyAdopt(params(&ledger, label));
        assert_eq!(rule_of(ledger.propose(0, adopt).unwrap_err()), Rule::SlotForm, "{label:?}");
    }
    let found =
        |action, spki: B64, attributes| Command::KeyFound { action, key: key_id(901), spki, attributes };
    let ended = |ledger: &mut Ledger, spki: B64, attributes: KeyAttributes| {
        let adopt = Params::KeyAdopt(params(ledger, "release"));
        let action = ledger.approved(adopt);
        ledger.begin(action).unwrap();
        ledger.run(found(action, spki, attributes)).unwrap().pop().unwrap().payload.type_name()
    };
    let other = spki(Algorithm::EcdsaP256Sha256, 901);
    assert_eq!(ended(&mut ledger, other, CONFINED), "action.failed");
    let loose = KeyAttributes { extractable: true, ..CONFINED };
    assert_eq!(ended(&mut ledger, key.clone(), loose), "action.failed");
    assert_eq!(ended(&mut ledger, key.clone(), CONFINED), "action.executed");
    assert_eq!(ledger.now().gate(&slot_name("legacy"), ledger.clock).unwrap(), []);
}

#[test]
fn two_actions_never_make_one_slot() {
    let mut ledger = Ledger::ageing(3);
    let key = spki(Algorithm::EcdsaP256Sha256, 900);
    let params = KeyAdoptParams {
        label: "release".to_owned(),
        slot: ledger.slot_params("legacy", Algorithm::EcdsaP256Sha256),
        spki_sha256: Hash::sha256(key.as_bytes()),
    };
    for label in ["sealbook/other.example.com/x/key", "sealbook/"] {
        let ours = KeyAdoptParams { label: label.to_owned(), ..params.clone() };
        assert_eq!(rule_of(ledger.propose(0, Params::KeyAdopt(ours)).unwrap_err()), Rule::SlotForm);
    }
    let adopt = ledger.approved(Params::KeyAdopt(params));
    ledger.begin(adopt).unwrap();
    let create = Params::SlotCreate(ledger.slot_params("legacy", Algorithm::Ed25519));
    assert_eq!(rule_of(ledger.propose(0, create).unwrap_err()), Rule::SlotDuplicate);
}
