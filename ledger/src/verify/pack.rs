//! Evidence packs (`docs/spec/evidence.md`): the container, the receipts of its events, what follows from them, and the
//! evidence key's signature. Trust begins at the pinned ledger key: it sealed the events, one of them names the evidence
//! key, and that key signed the statement over the manifest.

mod annex;

use std::collections::BTreeMap;

use annex::{judge_annex, told};

use crate::command::{Document, DocumentSubject};
use crate::disclosure::Disclosure;
use crate::event::{Envelope, Event};
use crate::evidence::{
    Annex, CheckResult, DISCLOSURES, Evidence, EvidenceError, Facts, REPORT, Sealed, receipt_seq,
};
use crate::founding::founding_digest;
use crate::pack::{Kind, Pack};
use crate::payload::Payload;
use crate::public_key::PublicKey;
use crate::receipt::Receipt;
use crate::reporting::{PREDICATE_TYPE, Report as Predicate};
use crate::verify::disclosures::Disclosures;
use crate::verify::receipts::Selection;
use crate::verify::{Failure, Founding, Layer, LayerReport, NotChecked, Pins, Place, Report, Subject};

/// How a zip begins.
pub const PACK_START: &[u8] = b"PK\x03\x04";

/// Verifies an evidence pack.
pub fn verify_pack(bytes: &[u8], pins: &Pins) -> Report {
    let mut selection = Selection::new(pins);
    let mut disclosures = Disclosures::default();
    let opened = Pack::open(bytes).map_err(|error| whole(Layer::Bytes, error.code(), &error));
    let read = opened.and_then(|pack| {
        let events = Events::read(&pack, &mut selection, &mut disclosures)?;
        Ok((pack, events))
    });
    let (pack, events) = match read {
        Ok(read) => read,
        Err(failure) => {
            let mut report = selection.finish(Subject::Pack, disclosures, Some(failure));
            for layer in [Layer::Rules, Layer::Signatures] {
                report.layers[layer as usize] = LayerReport::NotChecked(NotChecked::BrokenOff);
            }
            return report;
        }
    };
    let mut report = selection.finish(Subject::Pack, disclosures, None);
    report.layers[Layer::Rules as usize] = match follows(&pack, &events) {
        Ok(told) => {
            report.notes.push(told.about);
            report.notes.push(told.verdict);
            report.notes.extend(told.annex);
            LayerReport::Valid(told.detail)
        }
        Err(failure) => LayerReport::Invalid(failure),
    };
    report.layers[Layer::Signatures as usize] = signed(&pack, &events);
    report.founding = founding(&events, pins);
    if pins.founding.is_some() && !report.founding.as_ref().is_some_and(|founding| founding.pinned) {
        let failure = refuse(Layer::Rules, "founding.other", "the founding is not the one that was pinned");
        report.layers[Layer::Rules as usize] = LayerReport::Invalid(failure);
    }
    report.notes.push(format!("{REPORT} is signed like every file; that it says the same nobody can check"));
    report
}

/// Whose ledger the pack says it is of.
fn founding(events: &Events, pins: &Pins) -> Option<Founding> {
    let founded = events.events.iter().find_map(|event| match &event.payload {
        Payload::LedgerFounded(founded) => Some(founded),
        _ => None,
    })?;
    let digest = founding_digest(&founded.document).ok()?;
    Some(Founding { digest, pinned: pins.founding == Some(digest) })
}

fn whole(layer: Layer, rule: &'static str, error: &dyn std::error::Error) -> Failure {
    Failure::of_error(layer, Place::Whole, rule, error)
}

fn refuse(layer: Layer, rule: &'static str, reason: impl std::fmt::Display) -> Failure {
    Failure::new(layer, Place::Whole, rule, reason)
}

/// What the receipts hold.
struct Events {
    events: Vec<Event>,
    sealed: Sealed,
}

impl Events {
    /// Reads every receipt and disclosure. All receipts lead to one checkpoint.
    fn read(
        pack: &Pack<'_>,
        selection: &mut Selection<'_>,
        disclosures: &mut Disclosures,
    ) -> Result<Self, Failure> {
        if let Some(lines) = pack.file(DISCLOSURES) {
            read_disclosures(lines, disclosures)?;
        }
        // Names sort as text, events as numbers.
        let mut receipts = BTreeMap::new();
        for (entry, bytes) in pack.files() {
            if let Some(seq) = receipt_seq(entry.name.as_str()) {
                let receipt = Receipt::parse(bytes).map_err(|error| {
                    let place = Place::Event { seq: seq.get(), type_name: None };
                    Failure::of_error(Layer::Bytes, place, error.code(), &error)
                })?;
                if receipt.index() != seq.get() {
                    let reason = format!("{} is the receipt of event {}", entry.name, receipt.index());
                    return Err(refuse(Layer::Bytes, "pack.receipt", reason));
                }
                receipts.insert(seq, receipt);
            }
        }
        let first = receipts
            .values()
            .next()
            .ok_or_else(|| refuse(Layer::Bytes, "pack.receipt", "it has no receipts"))?;
        let checkpoint = first.checkpoint().clone();
        let mut events = Vec::with_capacity(receipts.len());
        for (seq, receipt) in &receipts {
            if *receipt.checkpoint() != checkpoint {
                let reason = format!("the receipt of event {seq} leads to another checkpoint than the first");
                return Err(refuse(Layer::Seals, "pack.checkpoint", reason));
            }
            selection.take(receipt, disclosures);
            events.push(read_event(seq.get(), receipt.event_bytes())?);
        }
        Ok(Self { events, sealed: Sealed::from(checkpoint.checkpoint()) })
    }
}

fn read_event(seq: u64, bytes: &[u8]) -> Result<Event, Failure> {
    let place = |type_name| Place::Event { seq, type_name };
    let envelope = Envelope::parse(bytes)
        .map_err(|error| Failure::of_error(Layer::Bytes, place(None), "bytes.event", &error))?;
    let type_name = envelope.type_name.clone();
    Event::from_envelope(envelope)
        .map_err(|error| Failure::of_error(Layer::Rules, place(Some(type_name)), "type.unknown", &error))
}

fn read_disclosures(lines: &[u8], disclosures: &mut Disclosures) -> Result<(), Failure> {
    let form = |reason: &str| refuse(Layer::Bytes, "disclosure.form", reason);
    // Absent where there are none.
    let lines = lines.strip_suffix(b"\n").ok_or_else(|| form("the last line has no line end"))?;
    for line in lines.split(|byte| *byte == b'\n') {
        let disclosure =
            Disclosure::parse(line).map_err(|error| whole(Layer::Bytes, error.code(), &error))?;
        disclosures.add(&disclosure);
    }
    Ok(())
}

/// What the files of a pack say.
struct Told {
    /// What the pack is about.
    about: String,
    /// What its checks came to.
    verdict: String,
    detail: String,
    /// Whether it brings a list along, where an event names one.
    annex: Option<String>,
}

/// Layer *rules* of a pack: its files are those that its events make. The rules themselves are not replayed: that takes the
/// whole ledger.
fn follows(pack: &Pack<'_>, events: &Events) -> Result<Told, Failure> {
    let unreadable = |error: EvidenceError| whole(Layer::Rules, error.code(), &error);
    let facts = Facts::new(&events.events).map_err(unreadable)?;
    let about = about(pack, &facts)?;
    let evidence = Evidence::new(&facts, about, events.sealed.clone()).map_err(unreadable)?;
    let made = evidence.files().map_err(unreadable)?;
    for file in &made {
        let there = pack.files().find(|(entry, _)| entry.name == file.name);
        let same =
            there.is_some_and(|(entry, bytes)| *bytes == *file.bytes && entry.media_type == file.media_type);
        if !same {
            let reason = format!("{} is not what the events of the pack make", file.name);
            return Err(refuse(Layer::Rules, "pack.evidence", reason));
        }
    }
    if pack.file(REPORT).is_none() {
        return Err(refuse(Layer::Rules, "pack.evidence", format!("{REPORT} is missing")));
    }
    let annex = evidence.annex().filter(Annex::is_held);
    if let Some(annex) = annex {
        judge_annex(pack, annex, &events.events)?;
    }
    let known = |name: &str| {
        let own = [REPORT, DISCLOSURES].contains(&name) || receipt_seq(name).is_some();
        own || annex.is_some_and(|annex| annex.name == name)
            || made.iter().any(|file| file.name.as_str() == name)
    };
    if let Some((entry, _)) = pack.files().find(|(entry, _)| !known(entry.name.as_str())) {
        return Err(refuse(Layer::Rules, "pack.evidence", format!("nothing explains {}", entry.name)));
    }
    let failed = evidence.checks().iter().filter(|check| check.result == CheckResult::Fail);
    let failed: Vec<&str> = failed.map(|check| check.id).collect();
    Ok(Told {
        about: format!("the pack is about {}", evidence.about()),
        verdict: match failed.is_empty() {
            true => "its checks pass".to_owned(),
            false => format!("its checks FAIL: {}", failed.join(", ")),
        },
        detail: format!(
            "{} files say what the events say; the rules were not replayed",
            made.len() + usize::from(annex.is_some())
        ),
        annex: evidence.annex().map(told),
    })
}

/// What the statement says that the pack is about, which is what its manifest says.
fn about(pack: &Pack<'_>, facts: &Facts<'_>) -> Result<DocumentSubject, Failure> {
    let predicate: Predicate<'_> =
        pack.predicate(PREDICATE_TYPE).map_err(|error| whole(Layer::Rules, error.code(), &error))?;
    let wrong = |reason: &str| refuse(Layer::Rules, "pack.about", reason);
    if *predicate.origin != *facts.origin() {
        return Err(wrong("the statement and the events are of different ledgers"));
    }
    let Some(Document::Pack(about)) = predicate.document() else {
        return Err(wrong("the statement does not say what the pack is about"));
    };
    if Kind::from(about) != pack.kind() {
        return Err(wrong("the statement and the manifest name different kinds"));
    }
    Ok(about)
}

/// Layer *signatures* of a pack: the evidence key that its events name has signed the statement.
fn signed(pack: &Pack<'_>, events: &Events) -> LayerReport {
    let checked = Facts::new(&events.events)
        .map_err(|error| whole(Layer::Signatures, error.code(), &error))
        .and_then(|facts| {
            let missing =
                || refuse(Layer::Signatures, "evidence_key.other", "no event names an evidence key");
            let (seq, set) = facts.evidence_key().ok_or_else(missing)?;
            let key = PublicKey::from_der(set.spki.as_bytes())
                .map_err(|error| whole(Layer::Signatures, error.code(), &error))?;
            pack.verify(&key).map_err(|error| whole(Layer::Signatures, error.code(), &error))?;
            let (key, files) = (key.sha256(), pack.files().len());
            Ok(format!("the evidence key {key}, set at event {seq}, signed the manifest of {files} files"))
        });
    match checked {
        Ok(detail) => LayerReport::Valid(detail),
        Err(failure) => LayerReport::Invalid(failure),
    }
}
