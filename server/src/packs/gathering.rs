//! Reading what a pack holds from storage: events under one checkpoint, each with its receipt, and what they disclose.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::command::DocumentSubject;
use sealbook_ledger::disclosure::Disclosure;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::evidence::Sealed;
use sealbook_ledger::ids::{ActionId, MemberId, Seq};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{Payload, SigningPurpose};
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::rule::Rule;

use super::affected::AffectedList;
use super::choosing::{Choosing, KINDS};
use crate::ledger::{EngineError, Ledger};
use crate::proving;
use crate::reports::rep::Advisory;
use crate::store::Store;
use crate::store::load::{EventFilter, MAX_PAGE};
use crate::store::story::StoryFilter;

/// Most events of a pack, which leaves room for its other files.
const MAX_EVENTS: usize = 4000;

/// Most tries of a canary that came to nothing: how many there were more, the ledger tells.
const MAX_FAILURES: usize = 500;

/// What the events of a pack disclose.
#[derive(Default)]
pub(super) struct Disclosed {
    /// `disclosures.jsonl`.
    pub(super) lines: Vec<u8>,
    /// How people are called.
    pub(super) names: BTreeMap<MemberId, String>,
    /// What those were told who rely on a key, by event: reference and text.
    pub(super) advisories: BTreeMap<Seq, Advisory>,
    /// What was said when an incident was opened and closed, by event.
    pub(super) remarks: BTreeMap<Seq, String>,
}

impl Disclosed {
    fn hear(&mut self, event: &Event, name: &str, value: &str) {
        match (&event.payload, name) {
            (Payload::MemberEnrolled(p), "display_name") => {
                self.names.insert(p.member, value.to_owned());
            }
            (Payload::IncidentAdvised(_), "reference") => {
                value.clone_into(&mut self.advisories.entry(event.seq).or_default().reference);
            }
            (Payload::IncidentAdvised(_), "text") => {
                value.clone_into(&mut self.advisories.entry(event.seq).or_default().text);
            }
            // Each has one disclosure at most.
            (Payload::IncidentOpened(_) | Payload::IncidentClosed(_), _) => {
                self.remarks.insert(event.seq, value.to_owned());
            }
            _ => {}
        }
    }
}

/// What a pack is made of.
pub(super) struct Gathered {
    pub(super) events: Vec<Event>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) checkpoint: SignedCheckpoint,
    pub(super) disclosed: Disclosed,
    /// The signatures that an incident affects, where they are listed.
    pub(super) affected: Option<AffectedList>,
    pub(super) tenant: String,
    /// The ledger key that sealed it.
    pub(super) vkey: Vkey,
}

impl Gathered {
    pub(super) fn sealed(&self) -> Sealed {
        Sealed::from(self.checkpoint.checkpoint())
    }
}

pub(super) struct Gathering<'a> {
    pub(super) store: &'a Store,
    pub(super) ledger: &'a Ledger,
}

impl Gathering<'_> {
    /// Chooses the events and proves them under the first checkpoint that covers them all; that of a period covers all that
    /// there is. Lists are added later.
    pub(super) async fn gather(
        &self,
        about: DocumentSubject,
        wait: Duration,
    ) -> Result<Gathered, EngineError> {
        let size = self.ledger.size();
        let (seqs, vkeys) = self.chosen(about).await?;
        let nothing = EngineError::Fault { what: "an evidence pack without events", source: None };
        let last = match about {
            DocumentSubject::Period { .. } => size.checked_sub(1),
            DocumentSubject::Incident(_) | DocumentSubject::LedgerKey(_) | DocumentSubject::Rotation(_) => {
                seqs.last().map(|seq| seq.get())
            }
        };
        let last = last.ok_or(nothing)?;
        if seqs.len() > MAX_EVENTS {
            return Err(EngineError::Conflict {
                code: "report.too_large",
                sentence: "more than 4,000 events belong to it; report a shorter period, or export the ledger",
            });
        }
        let checkpoint = self.checkpoint_over(last, wait).await?;
        // Who verifies the pack pins the key that sealed it, or a later one.
        let vkey = vkeys.into_iter().rev().find(|vkey| checkpoint.verify(vkey).is_ok());
        let vkey = vkey.ok_or_else(|| EngineError::Corrupt("a checkpoint is of no ledger key".into()))?;
        let (mut events, mut receipts) = (Vec::new(), Vec::new());
        for seq in &seqs {
            let receipt = proving::under(self.store, self.ledger, seq.get(), checkpoint.clone()).await?;
            events.push(read(receipt.event_bytes())?);
            receipts.push(receipt);
        }
        let disclosed = self.disclosed(about, &events).await?;
        let tenant = self.ledger.tenant().to_string();
        Ok(Gathered { events, receipts, checkpoint, disclosed, affected: None, tenant, vkey })
    }

    /// Adds what takes long to read: of an incident the signatures that it affects.
    pub(super) async fn add_lists(
        &self,
        about: DocumentSubject,
        gathered: &mut Gathered,
    ) -> Result<(), EngineError> {
        if let DocumentSubject::Incident(incident) = about {
            gathered.affected = self.affected(incident, &gathered.events).await?;
        }
        Ok(())
    }

    /// The events of a pack, and every ledger key that there was.
    async fn chosen(&self, about: DocumentSubject) -> Result<(BTreeSet<Seq>, Vec<Vkey>), EngineError> {
        let mut events = self.low_volume().await?;
        events.sort_by_key(|event| event.seq);
        let decided = match about {
            DocumentSubject::Incident(incident) => Choosing { events: &events }.actions_of(incident),
            DocumentSubject::LedgerKey(action) | DocumentSubject::Rotation(action) => {
                BTreeSet::from([action])
            }
            DocumentSubject::Period { .. } => BTreeSet::new(),
        };
        for action in decided {
            events.extend(self.of_action(action).await?);
        }
        events.sort_by_key(|event| event.seq);
        events.dedup_by_key(|event| event.seq);
        let vkeys = events.iter().filter_map(|event| vkey_of(&event.payload)).collect();
        if let DocumentSubject::Period { to, .. } = about {
            let founded = events.iter().find(|event| matches!(event.payload, Payload::LedgerFounded(_)));
            // Before the founding there was no policy to hold anything against.
            if founded.is_none_or(|founded| founded.time >= to) {
                return Err(Rule::ReportForm.into());
            }
        }
        let choosing = Choosing { events: &events };
        let mut chosen = choosing.choose(about);
        if let DocumentSubject::Incident(incident) = about
            && !choosing.has_closed(incident)
        {
            // Whether a clock has run out is told as of the newest event.
            chosen.extend(self.ledger.size().checked_sub(1).and_then(Seq::new));
        }
        if let DocumentSubject::Rotation(action) = about
            && let Some(span) = choosing.canary_span(action)
        {
            chosen.extend(self.canary(action, span).await?);
        }
        Ok((chosen, vkeys))
    }

    /// Every event of the types that are chosen from.
    async fn low_volume(&self) -> Result<Vec<Event>, EngineError> {
        self.story(KINDS.map(str::to_owned).to_vec(), Vec::new()).await
    }

    async fn of_action(&self, action: ActionId) -> Result<Vec<Event>, EngineError> {
        let kinds = ["proposed", "approved", "executing", "executed", "failed"];
        self.story(kinds.map(|kind| format!("action.{kind}")).to_vec(), vec![action.to_string()]).await
    }

    pub(super) async fn story(
        &self,
        kinds: Vec<String>,
        values: Vec<String>,
    ) -> Result<Vec<Event>, EngineError> {
        let mut filter = StoryFilter {
            below: self.ledger.size(),
            kinds,
            values,
            beside_signatures: true,
            ..StoryFilter::default()
        };
        let mut events = Vec::new();
        loop {
            let (page, next) = self.story_page(&filter).await?;
            events.extend(page);
            match next {
                Some(next) => filter.below = next,
                None => return Ok(events),
            }
        }
    }

    /// Some events, the newest first, and below which the next page begins.
    pub(super) async fn story_page(
        &self,
        filter: &StoryFilter,
    ) -> Result<(Vec<Event>, Option<u64>), EngineError> {
        let page = self.store.story(self.ledger.id(), filter, MAX_PAGE).await?;
        let events: Result<Vec<Event>, EngineError> =
            page.events.iter().map(|stored| read(&stored.bytes)).collect();
        Ok((events?, page.next))
    }

    /// The canary's signatures, and those that the slot had released over the same digests.
    async fn canary(&self, action: ActionId, (from, to): (Seq, Seq)) -> Result<BTreeSet<Seq>, EngineError> {
        let outcomes = ["authorized", "created", "failed", "withheld", "abandoned"];
        let kinds = outcomes.map(|kind| format!("signature.{kind}")).to_vec();
        let filter = EventFilter { kinds, ..EventFilter::default() };
        let (mut asked, mut chosen, mut failures) = (BTreeSet::new(), BTreeSet::new(), 0);
        let mut next = Some(from.get());
        while let Some(at) = next.filter(|at| *at <= to.get()) {
            let page = self.store.filtered_page(self.ledger.id(), &filter, at, MAX_PAGE).await?;
            for stored in page.events.iter().filter(|stored| stored.seq <= to.get()) {
                let event = read(&stored.bytes)?;
                if let Some(original) = canary_of(&event.payload, action) {
                    asked.insert(event.seq);
                    chosen.extend(original);
                }
                let Some(authorization) = authorization_of(&event.payload) else { continue };
                if !asked.contains(&authorization) {
                    continue;
                }
                // A device that fails for hours must not crowd the pack out: of its failures the first are enough.
                if !matches!(event.payload, Payload::SignatureCreated(_)) {
                    failures += 1;
                    if failures > MAX_FAILURES {
                        asked.remove(&authorization);
                        continue;
                    }
                }
                chosen.insert(event.seq);
            }
            next = page.next;
        }
        chosen.extend(asked);
        Ok(chosen)
    }

    async fn checkpoint_over(&self, last: u64, wait: Duration) -> Result<SignedCheckpoint, EngineError> {
        let pending = || EngineError::unavailable("seal.pending", "no checkpoint covers the events yet");
        self.ledger.wait_sealed(last + 1, wait).await.ok_or_else(pending)?;
        let row = self.store.checkpoint_over(self.ledger.id(), last).await?.ok_or_else(pending)?;
        SignedCheckpoint::parse(row.note.as_bytes())
            .map_err(|_| EngineError::Corrupt("a stored checkpoint can't be read".into()))
    }

    /// What the chosen events disclose: how the people are called, and what was said of the work.
    async fn disclosed(&self, about: DocumentSubject, events: &[Event]) -> Result<Disclosed, EngineError> {
        let told = events.iter().filter(|event| is_told(about, &event.payload));
        let told: BTreeMap<u64, &Event> = told.map(|event| (event.seq.get(), event)).collect();
        let seqs: Vec<u64> = told.keys().copied().collect();
        let mut disclosed = Disclosed::default();
        let mut rows = self.store.disclosures_of(self.ledger.id(), &seqs).await?;
        // Not by the database's collation.
        rows.sort_by(|a, b| (a.seq, &a.name).cmp(&(b.seq, &b.name)));
        for row in rows {
            let Some(event) = told.get(&row.seq) else { continue };
            disclosed.hear(event, &row.name, &row.value);
            let line = Disclosure::new(event.seq, row.name, row.value, row.salt)
                .to_line()
                .map_err(|error| EngineError::fault("a disclosure can't be written", error))?;
            disclosed.lines.extend(line);
            disclosed.lines.push(b'\n');
        }
        Ok(disclosed)
    }
}

/// The ledger key that an event brings.
pub(super) fn vkey_of(payload: &Payload) -> Option<Vkey> {
    match payload {
        Payload::LedgerOpened(p) => Some(p.vkey.clone()),
        Payload::LedgerKeyRotated(p) => Some(p.vkey.clone()),
        Payload::LedgerKeyRecovered(p) => Some(p.vkey.clone()),
        _ => None,
    }
}

fn read(bytes: &[u8]) -> Result<Event, EngineError> {
    let event = Envelope::parse(bytes).ok().and_then(|envelope| Event::from_envelope(envelope).ok());
    event.ok_or_else(|| EngineError::Corrupt("a stored event can't be read".into()))
}

/// Whether a pack discloses what an event's digests stand for. A statement goes to people outside: what members said among
/// themselves while they were at it stays a digest.
fn is_told(about: DocumentSubject, payload: &Payload) -> bool {
    match about {
        DocumentSubject::Incident(_) => matches!(
            payload,
            Payload::MemberEnrolled(_)
                | Payload::IncidentOpened(_)
                | Payload::IncidentClosed(_)
                | Payload::IncidentAdvised(_)
        ),
        DocumentSubject::LedgerKey(_) | DocumentSubject::Period { .. } | DocumentSubject::Rotation(_) => {
            !payload.type_name().starts_with("signature.")
        }
    }
}

/// The `original` of a canary's authorisation, where it is one.
fn canary_of(payload: &Payload, action: ActionId) -> Option<Option<Seq>> {
    let Payload::SignatureAuthorized(authorized) = payload else { return None };
    match authorized.purpose {
        Some(SigningPurpose::Canary { action: of, original }) if of == action => Some(original),
        _ => None,
    }
}

fn authorization_of(payload: &Payload) -> Option<Seq> {
    match payload {
        Payload::SignatureCreated(p) => Some(p.authorization),
        Payload::SignatureFailed(p) => Some(p.authorization),
        Payload::SignatureWithheld(p) => Some(p.authorization),
        Payload::SignatureAbandoned(p) => Some(p.authorization),
        _ => None,
    }
}
