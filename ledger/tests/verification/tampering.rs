//! Every kind of tampering is noticed, with its place and its reason.

use sealbook_ledger::action::{Params, RulesAdoptParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::event::Actor;
use sealbook_ledger::payload::{ActionExecuted, LedgerRulesAdopted};
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::OFFERED;
use sealbook_ledger::verify::{Layer, LayerReport, Pins, Place, Style, Verdict, render};

use crate::ledger::{Ledger, ledger_key, pins, seal, story};
use crate::parts::Parts;
use crate::{Noticed, assert_noticed, event, judge, layer_code, tampered};

#[test]
fn a_sound_ledger_is_valid_on_all_five_layers() {
    let ledger = story();
    let report = judge(&ledger.bundle(), &pins(&ledger));
    assert_eq!(report.verdict(), Verdict::Valid);
    assert!(Layer::ALL.iter().all(|&layer| layer_code(&report, layer) == "valid"));
}

#[test]
fn the_same_ledger_at_the_same_size_is_the_same_bundle() {
    let ledger = story();
    assert_eq!(ledger.bundle(), ledger.bundle());
}

#[test]
fn a_bundle_repacked_with_another_tool_stays_valid() {
    let ledger = story();
    assert_ne!(ledger.parts().tar(), ledger.bundle());
    assert_eq!(judge(&ledger.parts().tar(), &pins(&ledger)).verdict(), Verdict::Valid);
}

pub fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_flipped_bit_in_an_event_breaks_the_next_link_and_the_root() {
    // Between `3` and `7` lies one bit; the text stays canonical, the founder becomes another.
    let report = tampered(
        |parts| {
            parts.events[3] = replaced(&parts.events[3], "0000000000b3", "0000000000b7");
        },
        &[Noticed { layer: Layer::Chain, rule: "chain.prev", place: event(4, "ledger.founded") }],
    );
    assert!(matches!(report.layer(Layer::Seals), LayerReport::Invalid(_)));
}

#[test]
fn a_flipped_bit_that_spoils_the_form_is_named_by_the_lowest_layer() {
    let place = Place::Event { seq: 3, type_name: None };
    tampered(
        |parts| parts.events[3][0] ^= 1,
        &[Noticed { layer: Layer::Bytes, rule: "bytes.not_canonical", place }],
    );
}

#[test]
fn every_flipped_bit_anywhere_makes_a_bundle_invalid() {
    let ledger = Ledger::founded();
    let bundle = ledger.bundle();
    let pins = pins(&ledger);
    // The manifest and the vkeys are for reading, and nothing depends on them.
    let content_begins = bundle.windows(11).position(|name| name == b"checkpoint\0").unwrap();
    let mut survived = Vec::new();
    for at in (content_begins..bundle.len()).step_by(31) {
        let mut flipped = bundle.clone();
        flipped[at] ^= 1 << (at % 8);
        if judge(&flipped, &pins).verdict() != Verdict::Invalid {
            survived.push(at);
        }
    }
    assert_eq!(survived, Vec::<usize>::new());
}

#[test]
fn a_flipped_bit_in_a_checkpoint_or_transition_breaks_its_signature() {
    let flip_signature = |note: &mut String| {
        let at = note.trim_end().len() - 3;
        let other = if note.as_bytes()[at] == b'A' { "B" } else { "A" };
        note.replace_range(at..=at, other);
    };
    tampered(
        |parts| flip_signature(&mut parts.checkpoint),
        &[Noticed { layer: Layer::Seals, rule: "signature.invalid", place: Place::Whole }],
    );
    let seq = story().transitions[0].checkpoint().size - 1;
    tampered(
        |parts| flip_signature(&mut parts.transitions[0].1),
        &[Noticed {
            layer: Layer::Seals,
            rule: "signature.invalid",
            place: event(seq, "ledger.key_rotated"),
        }],
    );
}

#[test]
fn a_dropped_repeated_moved_or_inserted_event_is_named_where_it_is_missed() {
    let chain = |rule, place| [Noticed { layer: Layer::Chain, rule, place }];
    tampered(|parts| drop(parts.events.remove(6)), &chain("chain.seq", event(6, "action.approved")));
    tampered(
        |parts| parts.events.insert(6, parts.events[5].clone()),
        &chain("chain.seq", event(6, "action.proposed")),
    );
    tampered(|parts| parts.events.swap(6, 7), &chain("chain.seq", event(6, "action.approved")));
    tampered(
        |parts| {
            let mut inserted = parts.events[6].clone();
            inserted = replaced(&inserted, "000000000006", "00000000ffff");
            parts.events.insert(6, inserted);
        },
        &chain("chain.seq", event(7, "action.approved")),
    );
}

#[test]
fn a_forgery_whose_every_link_was_recomputed_differs_from_what_was_sealed() {
    let ledger = story();
    let sealed = ledger.transitions[0].checkpoint().size;
    let forge = |parts: &mut Parts, at: usize| {
        let forged =
            replaced(&parts.events[at], "\"environment\":\"production\"", "\"environment\":\"staging\"");
        parts.events[at] = forged;
        parts.rechain(at + 1, false);
    };
    let at = |nth: usize| {
        let authorized = |event: &Vec<u8>| String::from_utf8_lossy(event).contains("signature.authorized");
        let found = ledger.events.iter().enumerate().filter(|(_, event)| authorized(event));
        found.map(|(at, _)| at).nth(nth).unwrap()
    };
    let judge_forged = |nth| {
        let mut parts = ledger.parts();
        forge(&mut parts, at(nth));
        judge(&parts.tar(), &pins(&ledger))
    };
    let early = judge_forged(0);
    assert_eq!((layer_code(&early, Layer::Bytes), layer_code(&early, Layer::Chain)), ("valid", "valid"));
    // The forger could not sign the rotation's approvals anew, for they name a head that has changed.
    assert_noticed(
        &early,
        &Noticed {
            layer: Layer::Seals,
            rule: "seals.transition_root",
            place: Place::Range { from: 0, to: sealed - 1 },
        },
    );
    let late = judge_forged(2);
    assert_eq!((layer_code(&late, Layer::Chain), layer_code(&late, Layer::Rules)), ("valid", "valid"));
    assert_noticed(
        &late,
        &Noticed {
            layer: Layer::Seals,
            rule: "seals.root",
            place: Place::Range { from: sealed, to: ledger.size() - 1 },
        },
    );
    assert_eq!(late.failure().unwrap().rule(), "seals.root");
}

#[test]
fn a_cut_tail_with_its_older_checkpoint_is_noticed_against_a_newer_known_one() {
    let ledger = story();
    let size = ledger.size() - 2;
    let mut parts = ledger.parts();
    parts.events.truncate(usize::try_from(size).unwrap());
    parts.checkpoint = ledger.sealed_by(&[&ledger_key(2)], size).to_string();
    parts.disclosures.pop();
    let cut = parts.tar();
    assert_eq!(judge(&cut, &pins(&ledger)).verdict(), Verdict::Valid);
    let known = Pins { known: Some(ledger.checkpoint()), ..pins(&ledger) };
    assert_noticed(
        &judge(&cut, &known),
        &Noticed {
            layer: Layer::Seals,
            rule: "seals.known_larger",
            place: Place::Range { from: size, to: size + 1 },
        },
    );
    let older = Pins { known: Some(ledger.sealed_by(&[&ledger_key(1)], 9)), ..pins(&ledger) };
    assert_eq!(judge(&cut, &older).verdict(), Verdict::Valid);
}

#[test]
fn a_known_checkpoint_of_another_history_or_ledger_is_noticed() {
    let (ledger, other) = (story(), story());
    let known = Pins { known: Some(other.sealed_by(&[&ledger_key(1)], 9)), ..pins(&ledger) };
    assert_noticed(
        &judge(&ledger.bundle(), &known),
        &Noticed { layer: Layer::Seals, rule: "seals.known_root", place: Place::Range { from: 0, to: 8 } },
    );
    let elsewhere = "sealbook.example.com/other".parse().unwrap();
    let foreign = seal(&elsewhere, 9, sealbook_ledger::encoding::Hash::ZERO, &[&ledger_key(1)]);
    let known = Pins { known: Some(foreign), ..pins(&ledger) };
    assert_noticed(
        &judge(&ledger.bundle(), &known),
        &Noticed { layer: Layer::Seals, rule: "seals.known_origin", place: Place::Whole },
    );
}

#[test]
fn a_disclosure_that_was_swapped_repeated_or_made_up_is_noticed_and_a_missing_one_is_redacted() {
    let bytes = |rule, place| [Noticed { layer: Layer::Bytes, rule, place }];
    tampered(
        |parts| parts.disclosures[0] = replaced(&parts.disclosures[0], "Founder 0", "Founder 9"),
        &bytes("disclosure.unreferenced", event(1, "member.enrolled")),
    );
    tampered(
        |parts| {
            parts.disclosures[0] = replaced(&parts.disclosures[0], "\"seq\":1", "\"seq\":2");
        },
        &bytes("disclosure.unreferenced", event(2, "member.enrolled")),
    );
    tampered(
        |parts| parts.disclosures.push(parts.disclosures[0].clone()),
        &bytes("disclosure.duplicate", event(1, "member.enrolled")),
    );
    tampered(
        |parts| parts.disclosures[0] = replaced(&parts.disclosures[0], "\"seq\":1", "\"seq\":999"),
        &bytes("disclosure.unreferenced", Place::Event { seq: 999, type_name: None }),
    );
    let ledger = story();
    let mut parts = ledger.parts();
    parts.disclosures.remove(0);
    parts.disclosures.reverse();
    let report = judge(&parts.tar(), &pins(&ledger));
    assert_eq!(report.verdict(), Verdict::Valid);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["disclosures"], serde_json::json!({"shown": 10, "redacted": 1}));
}

#[test]
fn founders_who_were_swapped_are_noticed_where_they_were_pinned() {
    let (ledger, other) = (story(), story());
    let swapped = Pins { founding: Some(other.founding), ..pins(&ledger) };
    let founding = |rule| Noticed { layer: Layer::Rules, rule, place: event(4, "ledger.founded") };
    assert_noticed(&judge(&ledger.bundle(), &swapped), &founding("founding.pinned"));
    let report = judge(&ledger.bundle(), &Pins { founding: None, ..pins(&ledger) });
    assert_eq!(report.verdict(), Verdict::Valid);
    assert!(render(&report, Style::Plain).contains("founders unpinned"));
    assert!(render(&report, Style::Plain).contains("approval_rp.shared"));

    // Whoever holds the ledger key can write other founders, but not make the true ones sign.
    let mut parts = ledger.parts();
    parts.events[4] = other.events[4].clone();
    parts.rechain(4, false);
    parts.transitions.clear();
    parts.reseal(&[&ledger_key(1)]);
    assert_noticed(&judge(&parts.tar(), &pins(&ledger)), &founding("founding.document"));
}

#[test]
fn a_server_that_breaks_its_own_rules_is_found_out_although_its_seals_are_genuine() {
    let rules = |rule, place| Noticed { layer: Layer::Rules, rule, place };
    let mut own = Ledger::founded();
    let params = own.slot_params("mine", Algorithm::Ed25519OverSha256Digest);
    let action = own.propose(0, Role::PlatformAdmin, Params::SlotCreate(params));
    let mut unfinished = own.size();
    let (actor, approved) = own.approval(0, Role::Approver, action);
    own.append_unjudged(actor, approved, Vec::new());
    let report = judge(&own.bundle(), &pins(&own));
    assert_noticed(&report, &rules("approval.own", event(unfinished, "action.approved")));
    for layer in [Layer::Bytes, Layer::Chain, Layer::Seals] {
        assert_eq!(layer_code(&report, layer), "valid");
    }

    let mut hasty = Ledger::founded();
    let params = hasty.slot_params("mine", Algorithm::Ed25519OverSha256Digest);
    let action = hasty.propose(0, Role::PlatformAdmin, Params::SlotCreate(params));
    hasty.approve(1, Role::Approver, action);
    unfinished = hasty.size();
    let executing = hasty.executing(action);
    hasty.append_unjudged(Actor::System, executing, Vec::new());
    let report = judge(&hasty.bundle(), &pins(&hasty));
    assert_noticed(&report, &rules("quorum.open", event(unfinished, "action.executing")));
    assert_eq!(report.failure().unwrap().seq().unwrap().get(), unfinished);
}

#[test]
fn a_signature_that_does_not_hold_is_named_by_its_event() {
    let ledger = story();
    let mut parts = ledger.parts();
    let last = parts.events.len() - 1;
    let created: serde_json::Value = serde_json::from_slice(&parts.events[last]).unwrap();
    let signature = created["data"]["signature"].as_str().unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    parts.events[last] = replaced(&parts.events[last], signature, &format!("{other}{}", &signature[1..]));
    parts.reseal(&[&ledger_key(2)]);
    let place = event(last as u64, "signature.created");
    let report = judge(&parts.tar(), &pins(&ledger));
    assert_noticed(&report, &Noticed { layer: Layer::Signatures, rule: "signature.does_not_hold", place });
    assert_eq!(layer_code(&report, Layer::Rules), "valid");

    let mut without = ledger.parts();
    without.attachments.clear();
    let report = judge(&without.tar(), &pins(&ledger));
    assert_eq!(report.verdict(), Verdict::Valid);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["signatures"], serde_json::json!({"checked": 2, "not_checked": 2}));
    let unasked = judge(&ledger.bundle(), &Pins { signatures: false, ..pins(&ledger) });
    assert_eq!((unasked.verdict(), layer_code(&unasked, Layer::Signatures)), (Verdict::Valid, "not checked"));
}

#[test]
fn rules_of_an_unknown_version_are_not_judged() {
    let ledger = Ledger::founded();
    let mut parts = ledger.parts();
    parts.events[0] = replaced(&parts.events[0], "\"rules\":1", &format!("\"rules\":{}", OFFERED + 1));
    parts.rechain(1, false);
    parts.reseal(&[&ledger_key(1)]);
    let unpinned = Pins { founding: None, ..pins(&ledger) };
    let report = judge(&parts.tar(), &unpinned);
    assert_eq!(report.verdict(), Verdict::CantJudge);
    assert_eq!(layer_code(&report, Layer::Seals), "valid");
    assert_eq!(layer_code(&report, Layer::Rules), "not checked");
}

#[test]
fn after_unknown_rules_were_adopted_the_events_before_are_judged_and_the_others_are_not() {
    let mut ledger = Ledger::founded();
    let adopt = |ledger: &mut Ledger, rules| {
        let params = Params::RulesAdopt(RulesAdoptParams { rules });
        let action = ledger.decide(params, [Role::SecurityReviewer, Role::PlatformAdmin]);
        ledger.append(Actor::System, LedgerRulesAdopted { action, rules }, Vec::new());
        action
    };
    for rules in 2..=OFFERED {
        let action = adopt(&mut ledger, rules);
        ledger.append(Actor::System, ActionExecuted { action }, Vec::new());
    }
    let action = adopt(&mut ledger, OFFERED + 1);
    assert_eq!(judge(&ledger.bundle(), &pins(&ledger)).verdict(), Verdict::Valid);
    ledger.append_unjudged(Actor::System, ActionExecuted { action }, Vec::new());
    let report = judge(&ledger.bundle(), &pins(&ledger));
    assert_eq!(report.verdict(), Verdict::CantJudge);
    assert!(render(&report, Style::Plain).contains(&format!("rules version {}", OFFERED + 1)));
}
