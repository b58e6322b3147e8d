//! Ledger keys: which of them seals what, and how far trust reaches.

use sealbook_ledger::verify::{Layer, Pins, Place, Verdict};

use crate::ledger::{Ledger, ledger_key, pins, story, vkey_of};
use crate::{Noticed, assert_noticed, event, judge, layer_code, tampered};

#[test]
fn a_checkpoint_of_another_size_is_noticed() {
    let ledger = story();
    let older = ledger.sealed_by(&[&ledger_key(2)], ledger.size() - 1).to_string();
    tampered(
        |parts| parts.checkpoint = older.clone(),
        &[Noticed {
            layer: Layer::Seals,
            rule: "seals.size",
            place: Place::Range { from: ledger.transitions[0].checkpoint().size, to: ledger.size() - 1 },
        }],
    );
}

#[test]
fn after_a_rotation_the_old_key_seals_nothing() {
    let ledger = story();
    let mut parts = ledger.parts();
    parts.checkpoint = ledger.sealed_by(&[&ledger_key(1)], ledger.size()).to_string();
    assert_noticed(
        &judge(&parts.tar(), &pins(&ledger)),
        &Noticed { layer: Layer::Seals, rule: "signature.missing", place: Place::Whole },
    );
}

#[test]
fn a_new_key_that_announces_itself_is_not_believed() {
    let ledger = story();
    let transition = &ledger.transitions[0];
    let size = transition.checkpoint().size;
    let place = event(size - 1, "ledger.key_rotated");
    for (keys, rule) in [(ledger_key(2), "signature.missing"), (ledger_key(1), "signature.missing")] {
        let mut parts = ledger.parts();
        parts.transitions[0].1 = ledger.sealed_by(&[&keys], size).to_string();
        assert_noticed(
            &judge(&parts.tar(), &pins(&ledger)),
            &Noticed { layer: Layer::Seals, rule, place: place.clone() },
        );
    }
    let mut parts = ledger.parts();
    parts.transitions.clear();
    assert_noticed(
        &judge(&parts.tar(), &pins(&ledger)),
        &Noticed { layer: Layer::Seals, rule: "seals.transition_missing", place },
    );
}

#[test]
fn a_later_pinned_key_covers_all_before_it_and_a_stranger_covers_nothing() {
    let ledger = story();
    let bundle = ledger.bundle();
    let pinned = |keys: &[u8]| {
        let vkeys = keys.iter().map(|&n| vkey_of(&ledger_key(n))).collect();
        judge(&bundle, &Pins { vkeys, ..pins(&ledger) })
    };
    assert_eq!(pinned(&[2]).verdict(), Verdict::Valid);
    assert_eq!(pinned(&[7, 1]).verdict(), Verdict::Valid);
    assert_eq!(layer_code(&pinned(&[7]), Layer::Seals), "seals.untrusted");
    let nothing = pinned(&[]);
    assert_eq!((nothing.verdict(), layer_code(&nothing, Layer::Seals)), (Verdict::CantJudge, "not checked"));
}

#[test]
fn a_ledger_sealed_exactly_at_its_rotation_needs_both_keys() {
    let mut ledger = story();
    ledger.rotate_ledger_key(3);
    let size = ledger.transitions[1].checkpoint().size;
    let mut parts = ledger.parts();
    parts.events.truncate(usize::try_from(size).unwrap());
    parts.checkpoint = ledger.transitions[1].to_string();
    assert_eq!(judge(&parts.tar(), &pins(&ledger)).verdict(), Verdict::Valid);
    parts.checkpoint = ledger.sealed_by(&[&ledger_key(3)], size).to_string();
    assert_eq!(layer_code(&judge(&parts.tar(), &pins(&ledger)), Layer::Seals), "signature.missing");
}

#[test]
fn a_recovered_key_is_followed_only_if_the_lost_one_had_sealed_its_digest() {
    let mut ledger = Ledger::founded();
    ledger.recover_ledger_key(Some(5));
    assert_eq!(judge(&ledger.bundle(), &pins(&ledger)).verdict(), Verdict::Valid);

    let mut unsealed = Ledger::founded();
    unsealed.recover_ledger_key(None);
    let report = judge(&unsealed.bundle(), &pins(&unsealed));
    assert_eq!(layer_code(&report, Layer::Seals), "seals.untrusted");
    let repinned = Pins { vkeys: vec![unsealed.vkey()], ..pins(&unsealed) };
    let report = judge(&unsealed.bundle(), &repinned);
    assert_eq!(report.verdict(), Verdict::Valid);
    assert!(report.notes().iter().any(|note| note.contains("no standby")));
}
