//! Evidence packs: they come by themselves, verify offline, and nothing in them can be changed.

use std::collections::BTreeSet;

use sealbook_ledger::action::{DeviceKeyParams, KeyRotateParams, Params};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::evidence::{EVIDENCE, REPORT};
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::pack::Pack;
use sealbook_ledger::payload::{Payload, RepIssued};
use sealbook_ledger::policy::Role;
use sealbook_ledger::verify::{Layer, LayerReport, Pins, Style, Verdict, render, verify_pack};
use serde_json::Value;

use super::rotations::{active, until};
use super::{Site, act};

const REVIEWERS: [(usize, Role); 2] = [(1, Role::SecurityReviewer), (2, Role::PlatformAdmin)];

/// Every rotation of the site that has ended gets its pack once there is an evidence key.
pub async fn packs_come_by_themselves(site: &Site) {
    let backend = site.ledger.state().founded().unwrap().slots().values().next().unwrap().backend.clone();
    act(site, Params::LedgerEvidenceKeySet(DeviceKeyParams { backend }), 0, Role::PlatformAdmin, &REVIEWERS)
        .await;
    rotate_plainly(site).await;
    until(site, "the packs of every rotation that has ended", |founded| {
        founded.rotations().values().all(|rotation| !rotation.has_ended() || rotation.reported)
    })
    .await;
    let issued = issued(site).await;
    assert!(issued.len() >= 2, "{issued:?}");
    for one in &issued {
        let pack = site.app.pack(&site.ledger, one.sha256).await.unwrap().1;
        assert_eq!(pack.len() as u64, one.size);
        verifies(site, &pack);
        says_what_happened(&pack);
    }
    one_correlation_holds_a_rotation(site).await;
    let pack = site.app.pack(&site.ledger, issued[0].sha256).await.unwrap().1;
    nothing_can_be_changed(site, &pack);
    a_period_has_a_pack_too(site).await;
}

/// Break-glass needs no waiting.
async fn rotate_plainly(site: &Site) {
    let slot: SlotName = "releases".parse().unwrap();
    let (old_key, policy) = {
        let state = site.ledger.state();
        let founded = state.founded().unwrap();
        (active(site, &slot), founded.slot(&slot).unwrap().rotation.digest().unwrap())
    };
    let params = Params::KeyRotateEmergency(KeyRotateParams { old_key, policy, slot: slot.clone() });
    act(site, params, 0, Role::SecurityReviewer, &[(1, Role::PlatformAdmin)]).await;
    until(site, "the rotation's end", |founded| {
        founded.rotations().values().any(|rotation| rotation.old_key == old_key && rotation.has_ended())
    })
    .await;
}

/// From its proposal to its evidence.
async fn one_correlation_holds_a_rotation(site: &Site) {
    let events = events(site).await;
    let state = site.ledger.state();
    for rotation in state.founded().unwrap().rotations().values().filter(|rotation| rotation.has_ended()) {
        let work = events.iter().filter(|event| event.correlation == rotation.correlation);
        let types: BTreeSet<&str> = work.map(|event| event.payload.type_name()).collect();
        for wanted in [
            "action.proposed",
            "action.approved",
            "action.executing",
            "action.executed",
            "rotation.started",
            "key.generation_authorized",
            "key.generated",
            "certificate.ordered",
            "certificate.requested",
            "certificate.issued",
            "signature.authorized",
            "rotation.canary_recorded",
            "rotation.cut_over",
            "rotation.completed",
            "document.authorized",
            "rep.issued",
        ] {
            assert!(types.contains(wanted), "{wanted} of {} stands elsewhere: {types:?}", rotation.slot);
        }
    }
}

async fn events(site: &Site) -> Vec<Event> {
    let rows = site.app.store().page(site.ledger.id(), 0, 100_000).await.unwrap();
    let read = |bytes: &[u8]| Event::from_envelope(Envelope::parse(bytes).unwrap()).unwrap();
    rows.iter().map(|row| read(&row.bytes)).collect()
}

async fn issued(site: &Site) -> Vec<RepIssued> {
    let events = events(site).await.into_iter();
    let issued = events.filter_map(|event| match event.payload {
        Payload::RepIssued(issued) => Some(*issued),
        _ => None,
    });
    issued.collect()
}

fn pins(site: &Site) -> Pins {
    let vkeys = vec![site.ledger.state().ledger_key().unwrap().vkey.clone()];
    Pins { vkeys, ..Pins::default() }
}

fn verifies(site: &Site, pack: &[u8]) {
    let report = verify_pack(pack, &pins(site));
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    for layer in [Layer::Bytes, Layer::Seals, Layer::Rules, Layer::Signatures] {
        assert!(matches!(report.layer(layer), LayerReport::Valid(_)), "{}", render(&report, Style::Plain));
    }
}

fn says_what_happened(pack: &[u8]) {
    let pack = Pack::open(pack).unwrap();
    let evidence: Value = serde_json::from_slice(pack.file(EVIDENCE).unwrap()).unwrap();
    let event = &evidence["rotation_event"];
    assert_eq!(event["outcome"], "completed", "{evidence:#}");
    let results = &event["verification_results"];
    assert_eq!(results["canary_failed"], 0, "{evidence:#}");
    assert_eq!(results["canary_signed"], results["canary_verified"], "{evidence:#}");
    assert_eq!(evidence["verdict"], "pass", "{evidence:#}");
    assert_eq!(event["new_certificate_thumbprint"].as_str().unwrap().len(), 64);
    assert!(pack.file("certificates/new.pem").is_some() && pack.file("certificates/new.csr").is_some());
    let digest = Hash::sha256(pack.file(EVIDENCE).unwrap());
    let pdf = pack.file(REPORT).unwrap();
    assert!(pdf.starts_with(b"%PDF-"), "{digest}");
}

/// One byte anywhere, and a file more: refused.
fn nothing_can_be_changed(site: &Site, pack: &[u8]) {
    let mut changed = pack.to_vec();
    for at in (0..pack.len()).step_by(pack.len() / 60) {
        changed[at] ^= 1;
        let report = verify_pack(&changed, &pins(site));
        assert_eq!(report.verdict(), Verdict::Invalid, "byte {at}");
        changed[at] ^= 1;
    }
    changed.push(0);
    assert_eq!(verify_pack(&changed, &pins(site)).verdict(), Verdict::Invalid);
    let unpinned = verify_pack(pack, &Pins::default());
    assert_eq!(unpinned.verdict(), Verdict::CantJudge);
}

async fn a_period_has_a_pack_too(site: &Site) {
    let now = site.ledger.now();
    let asker = *site.ledger.state().founded().unwrap().members().keys().next().unwrap();
    let day = 24 * 60 * 60;
    let from = sealbook_ledger::timestamp::Timestamp::from_unix_micros(now.unix_micros() - day * 1_000_000);
    let made = site.app.report_period(&site.ledger, asker, (from.unwrap(), now)).await.unwrap();
    let pack = site.app.pack(&site.ledger, made.sha256).await.unwrap().1;
    verifies(site, &pack);
    let evidence: Value = serde_json::from_slice(Pack::open(&pack).unwrap().file(EVIDENCE).unwrap()).unwrap();
    assert!(evidence["rotations"].as_array().unwrap().len() >= 2, "{evidence:#}");
    let ended = evidence["rotations"].as_array().unwrap().iter().filter(|one| !one["completed"].is_null());
    ended.for_each(|one| assert!(one["pack"]["sha256"].is_string(), "{one:#}"));
    // Before the founding there is nothing to report.
    let before = |days: i64| {
        let micros = now.unix_micros() - days * day * 1_000_000;
        sealbook_ledger::timestamp::Timestamp::from_unix_micros(micros).unwrap()
    };
    let early = site.app.report_period(&site.ledger, asker, (before(3), before(2))).await;
    assert_eq!(early.unwrap_err().code(), "report.form");
    let ahead = site.app.report_period(&site.ledger, asker, (now, now.plus_seconds(60))).await;
    assert_eq!(ahead.unwrap_err().code(), "report.form");
}
