//! A bundle from its first byte to its last: each item goes to the layers that it concerns.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use crate::algorithm::MAX_PURE_MESSAGE;
use crate::bundle::{BundleError, Item, Reader};
use crate::checkpoint::SignedCheckpoint;
use crate::encoding::Hash;
use crate::payload::{NextVkey, Payload};
use crate::verify::attestations::Attestations;
use crate::verify::crew::{Crew, Pending};
use crate::verify::disclosures::Disclosures;
use crate::verify::incremental::{LayerState, Pushed, Verifier};
use crate::verify::read::Read;
use crate::verify::receipts::Selection;
use crate::verify::report::{Checked, Disclosed};
use crate::verify::seals::{Sealed, Seals};
use crate::verify::signatures::Signatures;
use crate::verify::{Failure, Founding, Layer, LayerReport, NotChecked, Pins, Place, Report, Subject};

/// Events that are read by one thread at a stretch.
const BATCH: usize = 256;

/// Bytes after which a batch is full, however few events they are.
const BATCH_BYTES: usize = 1024 * 1024;

/// Verifies a bundle: of a whole ledger, or a selection. Uses every processor of the machine, up to eight.
///
/// Memory is that of the folded state, of the right edge of the tree, 56 bytes for each disclosure, some megabytes of
/// events for each processor, and with `signatures` at most 64 MiB of messages.
///
/// An error says that the input could not be read, and nothing about what it holds.
pub fn verify_bundle(input: impl io::Read, pins: &Pins) -> io::Result<Report> {
    let crew = Crew::default();
    let mut reader = Reader::new(input);
    let mut audit = Audit::new(pins, &crew);
    loop {
        match reader.next_item() {
            Ok(Some(item)) => audit.take(item),
            Ok(None) => return Ok(audit.finish(None)),
            Err(BundleError::Read(error)) => return Err(error),
            Err(error) => return Ok(audit.finish(Some(&error))),
        }
    }
}

/// Some events one behind the other, not read yet.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    fn push(&mut self, event: &[u8]) {
        self.bytes.extend_from_slice(event);
        self.ends.push(self.bytes.len());
    }

    fn is_full(&self) -> bool {
        self.ends.len() >= BATCH || self.bytes.len() >= BATCH_BYTES
    }

    fn read(&self) -> Vec<Read> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| Read::from_bytes(&self.bytes[start..end])).collect()
    }
}

/// How far the bundle has been read.
enum Stage<'a> {
    /// Checkpoint, transitions, disclosures, attachments.
    Head,
    /// Events of a whole ledger.
    Ledger(Box<Ledger<'a>>),
    /// Receipts.
    Selection(Box<Selection<'a>>),
}

struct Ledger<'a> {
    verifier: Verifier,
    /// `None` where nothing was pinned.
    seals: Option<Seals<'a>>,
}

struct Audit<'a> {
    pins: &'a Pins,
    crew: &'a Crew,
    /// Events that nobody reads yet, and those that are being read, in their order.
    batch: Batch,
    under_way: VecDeque<Pending<Vec<Read>>>,
    checkpoint: Option<SignedCheckpoint>,
    transitions: BTreeMap<u64, SignedCheckpoint>,
    disclosures: Disclosures,
    signatures: Signatures,
    attestations: Attestations,
    stage: Stage<'a>,
    notes: Vec<String>,
}

impl<'a> Audit<'a> {
    fn new(pins: &'a Pins, crew: &'a Crew) -> Self {
        Self {
            pins,
            crew,
            batch: Batch::default(),
            under_way: VecDeque::new(),
            checkpoint: None,
            transitions: BTreeMap::new(),
            disclosures: Disclosures::default(),
            signatures: Signatures::default(),
            attestations: Attestations::default(),
            stage: Stage::Head,
            notes: Vec::new(),
        }
    }

    fn take(&mut self, item: Item<'_>) {
        match item {
            Item::Checkpoint(checkpoint) => self.checkpoint = Some(checkpoint),
            Item::Transition(transition) => {
                self.transitions.insert(transition.checkpoint().size, transition);
            }
            Item::Disclosure(disclosure) => self.disclosures.add(&disclosure),
            Item::Attachment { sha256, bytes: Some(bytes) } => self.take_attachment(sha256, bytes),
            Item::Attachment { bytes: None, .. } => {}
            Item::Event(bytes) => {
                self.begin_ledger();
                self.batch.push(bytes);
                if self.batch.is_full() {
                    self.have_read();
                }
            }
            Item::Receipt(receipt) => {
                if let Stage::Head = self.stage {
                    self.stage = Stage::Selection(Box::new(Selection::new(self.pins)));
                }
                if let Stage::Selection(selection) = &mut self.stage {
                    selection.take(&receipt, &mut self.disclosures);
                }
            }
        }
    }

    /// Keeps what a later event may need, where the user asked for what needs it.
    fn take_attachment(&mut self, sha256: Hash, bytes: Vec<u8>) {
        if self.pins.attestation_roots.is_some() && Attestations::wants(&bytes) {
            self.attestations.keep(sha256, bytes.clone());
        }
        if self.pins.signatures && bytes.len() <= MAX_PURE_MESSAGE {
            self.signatures.keep_message(sha256, bytes);
        }
    }

    /// Everything that comes before the events is there now.
    fn begin_ledger(&mut self) {
        if let (Stage::Head, Some(checkpoint)) = (&self.stage, &self.checkpoint) {
            let origin = checkpoint.checkpoint().origin.clone();
            let transitions = std::mem::take(&mut self.transitions);
            let pins = self.pins;
            let seals = (!pins.vkeys.is_empty())
                .then(|| Seals::new(origin.clone(), &pins.vkeys, pins.known.as_ref(), transitions));
            self.stage = Stage::Ledger(Box::new(Ledger { verifier: Verifier::new(origin), seals }));
        }
    }

    /// Has the batch read by whoever is idle, and judges what has been read long enough ago.
    fn have_read(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.under_way.push_back(self.crew.ask(move || batch.read()));
        if self.under_way.len() > self.crew.width() {
            self.judge_next();
        }
    }

    /// Judges the events of the oldest batch. Says whether there was one.
    fn judge_next(&mut self) -> bool {
        let Some(oldest) = self.under_way.pop_front() else { return false };
        for read in self.crew.outcome(oldest) {
            self.take_event(read);
        }
        true
    }

    fn take_event(&mut self, read: Read) {
        let Stage::Ledger(ledger) = &mut self.stage else { return };
        let seq = ledger.verifier.size();
        let examined = ledger.verifier.examine(read);
        let (type_name, sd, key) = match examined.seen {
            Some(seen) => (seen.type_name, seen.sd, seen.key),
            None => (String::new(), Vec::new(), None),
        };
        self.disclosures.after_event(seq, &type_name, &sd);
        if let Some(seals) = &mut ledger.seals {
            seals.after_event(key, ledger.verifier.frontier());
        }
        if let Some(pushed) = examined.passed {
            check_founding(&pushed, &mut ledger.verifier, self.pins);
            note_opening(&pushed, &mut self.notes);
            self.attestations.after_event(&pushed, self.pins.attestation_roots.as_ref());
            if self.pins.signatures {
                self.signatures.after_event(&pushed, ledger.verifier.state(), self.crew);
            }
        }
    }

    /// The first event that the checkpoint promises and that was not read, once the first one was.
    fn first_missing(&self) -> Option<u64> {
        let Stage::Ledger(ledger) = &self.stage else { return None };
        let (read, promised) = (ledger.verifier.size(), self.checkpoint.as_ref()?.checkpoint().size);
        (read < promised).then_some(read)
    }

    fn finish(mut self, broken: Option<&BundleError>) -> Report {
        if broken.is_none() {
            self.begin_ledger();
        }
        while self.judge_next() {}
        for read in std::mem::take(&mut self.batch).read() {
            self.take_event(read);
        }
        self.signatures.settle_all(self.crew);
        let missing = self.first_missing();
        let broken = broken.map(|error| broken_failure(error, missing));
        match self.stage {
            Stage::Ledger(ledger) => {
                let rest = Rest {
                    pins: self.pins,
                    disclosures: self.disclosures,
                    signatures: self.signatures,
                    attestations: self.attestations,
                    notes: self.notes,
                };
                rest.finish_ledger(*ledger, self.checkpoint.as_ref(), broken)
            }
            Stage::Selection(selection) => selection.finish(Subject::Selection, self.disclosures, broken),
            Stage::Head => {
                let bytes = match broken {
                    Some(failure) => LayerReport::Invalid(failure),
                    None => broken_off(),
                };
                let origin = self.checkpoint.map(|checkpoint| checkpoint.checkpoint().origin.clone());
                Report {
                    subject: Subject::Ledger,
                    origin,
                    events: 0,
                    tree: None,
                    layers: [bytes, broken_off(), broken_off(), broken_off(), broken_off()],
                    founding: None,
                    disclosures: None,
                    signatures: None,
                    attestations: None,
                    steps: Vec::new(),
                    notes: Vec::new(),
                }
            }
        }
    }
}

/// What is left to say once the events of a whole ledger have passed.
struct Rest<'a> {
    pins: &'a Pins,
    disclosures: Disclosures,
    signatures: Signatures,
    attestations: Attestations,
    notes: Vec<String>,
}

impl Rest<'_> {
    fn finish_ledger(
        mut self,
        ledger: Ledger<'_>,
        checkpoint: Option<&SignedCheckpoint>,
        broken: Option<Failure>,
    ) -> Report {
        let Ledger { mut verifier, seals } = ledger;
        let size = verifier.size();
        // An archive may be broken behind its last event; what was read then is still the whole ledger.
        let complete =
            broken.is_none() || checkpoint.is_some_and(|checkpoint| checkpoint.checkpoint().size == size);
        if complete {
            check_founded(&mut verifier, self.pins);
        }
        let founding = self.note_state(&verifier);
        let (shown, redacted, undisclosed) = std::mem::take(&mut self.disclosures).finish();
        let bytes = match (verifier.layer(Layer::Bytes), broken, undisclosed.filter(|_| complete)) {
            (LayerState::Failed(failure), _, _) => LayerReport::Invalid(failure.clone()),
            (_, Some(failure), _) | (_, None, Some(failure)) => LayerReport::Invalid(failure),
            (_, None, None) => LayerReport::Valid(format!("{size} events, each in its one form")),
        };
        let rest = |layer, detail: &str| match verifier.layer(layer) {
            LayerState::Failed(failure) => LayerReport::Invalid(failure.clone()),
            LayerState::Stopped(stopped) => LayerReport::NotChecked(NotChecked::Stopped(stopped.clone())),
            LayerState::Sound if !complete => broken_off(),
            LayerState::Sound => LayerReport::Valid(detail.to_owned()),
        };
        let chain = rest(Layer::Chain, "every event names the hash of the one before it");
        let rules = rest(Layer::Rules, "every event was allowed by those before it");
        let seals = match (seals, checkpoint) {
            (None, _) | (_, None) => LayerReport::NotChecked(NotChecked::NoPin),
            (Some(seals), Some(checkpoint)) => seals_report(seals, checkpoint, &verifier, complete),
        };
        let signatures = self.signatures_report(&rules);
        Report {
            subject: Subject::Ledger,
            origin: Some(verifier.state().origin().clone()),
            events: size,
            tree: Some((size, verifier.root())),
            layers: [bytes, chain, seals, rules, signatures],
            founding,
            disclosures: Some(Disclosed { shown, redacted }),
            signatures: self.pins.signatures.then_some(Checked {
                checked: self.signatures.checked,
                not_checked: self.signatures.without_message,
            }),
            attestations: self.pins.attestation_roots.as_ref().map(|_| Checked {
                checked: self.attestations.checked,
                not_checked: self.attestations.unknown,
            }),
            steps: Vec::new(),
            notes: self.notes,
        }
    }

    /// What the folded state says that a user should know.
    fn note_state(&mut self, verifier: &Verifier) -> Option<Founding> {
        if verifier.state().ledger_key().is_some_and(|key| key.next == NextVkey::None) {
            let note = "no standby ledger key was announced: if the key in force is lost, a new one has to be pinned";
            self.notes.push(note.to_owned());
        }
        if self.attestations.claimed > 0 {
            let note = format!(
                "credentials that claim hardware: {}; give --attestation-root to check who vouches for them",
                self.attestations.claimed
            );
            self.notes.push(note);
        }
        let founded = verifier.state().founded().ok()?;
        if founded.approval_rp().shared {
            let note = "approval credentials also sign in (approval_rp.shared): the server could disguise an approval as \
                        a sign-in";
            self.notes.push(note.to_owned());
        }
        let digest = founded.founding_digest();
        if self.pins.founding.is_none() {
            self.notes.push("founders unpinned: give --founding to know whose ledger this is".to_owned());
        }
        Some(Founding { digest, pinned: self.pins.founding == Some(digest) })
    }

    /// Released signatures and attestations, as far as each was asked for.
    fn signatures_report(&self, rules: &LayerReport) -> LayerReport {
        if !self.pins.signatures && self.pins.attestation_roots.is_none() {
            return LayerReport::NotChecked(NotChecked::NotAsked);
        }
        let failures = [&self.signatures.failure, &self.attestations.failure];
        match (failures.into_iter().flatten().min_by_key(|failure| failure.seq()), rules) {
            (Some(failure), _) => LayerReport::Invalid(failure.clone()),
            (None, LayerReport::NotChecked(why)) => LayerReport::NotChecked(why.clone()),
            (None, LayerReport::Invalid(failure)) => {
                let seq = failure.seq().map_or(0, |seq| seq.get());
                LayerReport::NotChecked(NotChecked::Stopped(crate::verify::Stopped::Below { seq }))
            }
            // The user asked who vouches for each: for these, nobody can say.
            (None, LayerReport::Valid(_)) if self.attestations.unknown > 0 => {
                LayerReport::NotChecked(NotChecked::Attestations(self.attestations.unknown))
            }
            (None, LayerReport::Valid(_)) => LayerReport::Valid(self.signatures_detail()),
        }
    }

    fn signatures_detail(&self) -> String {
        let mut parts = Vec::new();
        if self.pins.signatures {
            parts.push(format!("{} hold under their recorded keys", self.signatures.checked));
        }
        if self.signatures.without_message > 0 {
            parts.push(format!(
                "{} of pure Ed25519 not checked: their messages are not at hand",
                self.signatures.without_message
            ));
        }
        if self.pins.attestation_roots.is_some() {
            parts.push(format!("attestations that lead to the roots given: {}", self.attestations.checked));
        }
        parts.join("; ")
    }
}

fn seals_report(
    seals: Seals<'_>,
    checkpoint: &SignedCheckpoint,
    verifier: &Verifier,
    complete: bool,
) -> LayerReport {
    match seals.finish(checkpoint, verifier.frontier(), complete) {
        Ok(None) => broken_off(),
        Ok(Some(Sealed { signer, followed })) => {
            let key = signer.map_or_else(|| "a pinned key".to_owned(), |key| key.to_string());
            let trust = match followed {
                0 => "pinned".to_owned(),
                1 => "reached from a pinned key by 1 handover".to_owned(),
                _ => format!("reached from a pinned key by {followed} handovers"),
            };
            LayerReport::Valid(format!("root sealed at size {} by {key}, {trust}", verifier.size()))
        }
        Err(failure) => LayerReport::Invalid(failure),
    }
}

fn check_founding(pushed: &Pushed, verifier: &mut Verifier, pins: &Pins) {
    let (Payload::LedgerFounded(_), Some(pinned)) = (&pushed.event.payload, pins.founding) else { return };
    let recorded = verifier.state().founded().map(|founded| founded.founding_digest());
    if let Ok(recorded) = recorded
        && recorded != pinned
    {
        let type_name = Some(pushed.event.payload.type_name().to_owned());
        let place = Place::Event { seq: pushed.event.seq.get(), type_name };
        let reason = format!("the founding digest is {recorded}, not the one that was pinned");
        verifier.fail_rules(Failure::new(Layer::Rules, place, "founding.pinned", reason));
    }
}

fn check_founded(verifier: &mut Verifier, pins: &Pins) {
    if pins.founding.is_some() && verifier.state().founded().is_err() {
        let reason = "a founding digest was pinned, and the ledger is not founded";
        verifier.fail_rules(Failure::new(Layer::Rules, Place::Whole, "founding.pinned", reason));
    }
}

fn note_opening(pushed: &Pushed, notes: &mut Vec<String>) {
    if let Payload::LedgerOpened(opened) = &pushed.event.payload
        && let Some(before) = &opened.continues
    {
        let note = format!(
            "continues ledger {} from size {}, root {}: verify that one too",
            before.origin, before.size, before.root
        );
        notes.push(note);
    }
}

fn broken_failure(error: &BundleError, missing: Option<u64>) -> Failure {
    let place = match (error, missing) {
        (&BundleError::EventLine { seq }, _) | (BundleError::Truncated, Some(seq)) => {
            Place::Event { seq, type_name: None }
        }
        _ => Place::Whole,
    };
    Failure::of_error(Layer::Bytes, place, error.code(), error)
}

fn broken_off() -> LayerReport {
    LayerReport::NotChecked(NotChecked::BrokenOff)
}
