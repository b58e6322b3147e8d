//! The events that prove the steps of a rotation.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, CertificateId, ChannelName, KeyId};
use sealbook_ledger::payload::{FailureCode, Payload};
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::{StepName, issuances, made_for};
use crate::store::load::{EventFilter, MAX_PAGE};
use crate::store::story::StoryFilter;
use crate::store::{LedgerId, Store};
use crate::views::ViewError;
use crate::views::actions::action_of;
use crate::views::events::parse;

/// Most parts of the story that are looked through for one rotation: 320,000 events beside signatures.
const MOST_LOOKS: usize = 16;

/// Types of the events that prove a step; packs are looked for by themselves.
const KINDS: [&str; 14] = [
    "action.executing",
    "action.proposed",
    "certificate.imported",
    "certificate.issued",
    "certificate.requested",
    "certificate.revoked",
    "key.generated",
    "rotation.canary_recorded",
    "rotation.channel_moved",
    "rotation.completed",
    "rotation.confirmed",
    "rotation.cut_over",
    "rotation.failed",
    "rotation.started",
];

/// Types of the events about a rotation's pack.
const PACK_KINDS: [&str; 2] = ["document.authorized", "rep.issued"];

/// Where and when a step was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) seq: u64,
    pub(super) time: Timestamp,
}

/// How a rotation failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) proof: Proof,
    pub(super) code: FailureCode,
    pub(super) by: Actor,
}

/// What events tell of a rotation.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    pub(super) steps: BTreeMap<StepName, Proof>,
    pub(super) channels: BTreeMap<ChannelName, Proof>,
    pub(super) overlap_ends_at: Option<Timestamp>,
    pub(super) failure: Option<Failed>,
}

/// By what the events of a rotation are known.
struct Traces {
    action: ActionId,
    key: Option<KeyId>,
    certificates: BTreeSet<CertificateId>,
}

impl Proofs {
    /// Looks for the events of a rotation, in a ledger with `size` events.
    pub(super) async fn find(
        store: &Store,
        ledger: LedgerId,
        (founded, size): (&Founded, u64),
        (id, rotation): (ActionId, &Rotation),
    ) -> Result<Self, ViewError> {
        let traces = Traces {
            action: id,
            key: made_for(founded, id, rotation),
            certificates: issuances(founded, id).into_iter().map(|(id, _)| *id).collect(),
        };
        let from = store.action(ledger, id).await?.map_or(0, |row| row.proposed_seq);
        let below = match ended_at(founded, id, rotation) {
            Some(at) => store.seq_at(ledger, size, at.plus_seconds(1)).await?,
            None => size,
        };
        let mut filter = StoryFilter {
            from,
            below,
            kinds: KINDS.map(str::to_owned).to_vec(),
            values: traces.values(),
            beside_signatures: true,
            actor: None,
        };
        let mut found = Vec::new();
        for _ in 0..MOST_LOOKS {
            let rows = store.story(ledger, &filter, MAX_PAGE).await?;
            found.extend(rows.events);
            match rows.next {
                Some(next) => filter.below = next,
                None => break,
            }
        }
        let mut proofs = Self::default();
        for stored in found.iter().rev() {
            proofs.add(&parse(stored)?, &traces);
        }
        if rotation.reported {
            proofs.find_pack(store, ledger, id).await?;
        }
        Ok(proofs)
    }

    /// The pack is issued once a rotation has ended, and soon.
    async fn find_pack(&mut self, store: &Store, ledger: LedgerId, id: ActionId) -> Result<(), ViewError> {
        let ended = self.steps.get(&StepName::Retired).copied();
        let ended = ended.or(self.failure.as_ref().map(|failed| failed.proof));
        let Some(Proof { seq, .. }) = ended else { return Ok(()) };
        let filter = EventFilter { kinds: PACK_KINDS.map(str::to_owned).to_vec(), since: None, until: None };
        let page = store.filtered_page(ledger, &filter, seq, MAX_PAGE).await?;
        let mut authorized = BTreeSet::new();
        for stored in &page.events {
            let event = parse(stored)?;
            match &event.payload {
                Payload::DocumentAuthorized(p) if p.action == Some(id) => {
                    authorized.insert(event.seq);
                }
                Payload::RepIssued(p) if authorized.contains(&p.authorization) => {
                    self.prove(StepName::EvidencePack, &event);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, event: &Event, traces: &Traces) {
        let of_action = action_of(&event.payload) == Some(traces.action);
        match &event.payload {
            Payload::ActionProposed(_) if of_action => self.prove(StepName::Proposed, event),
            Payload::ActionExecuting(_) if of_action => self.prove(StepName::Approved, event),
            Payload::KeyGenerated(p) if Some(p.key) == traces.key => {
                self.prove(StepName::KeyGenerated, event);
            }
            Payload::CertificateRequested(p) if traces.certificates.contains(&p.certificate) => {
                self.prove(StepName::Request, event);
            }
            Payload::CertificateIssued(p) if traces.certificates.contains(&p.certificate) => {
                self.prove(StepName::Certificate, event);
            }
            Payload::CertificateImported(p) if traces.certificates.contains(&p.certificate) => {
                self.prove(StepName::Certificate, event);
            }
            Payload::CertificateRevoked(_) if of_action => self.prove(StepName::CertificateRevoked, event),
            Payload::RotationCanaryRecorded(_) if of_action => self.prove(StepName::Canary, event),
            Payload::RotationCutOver(p) if of_action => {
                self.prove(StepName::CutOver, event);
                self.overlap_ends_at = Some(p.overlap_ends_at);
            }
            Payload::RotationConfirmed(_) if of_action => self.prove(StepName::Confirmed, event),
            Payload::RotationChannelMoved(p) if of_action => {
                self.channels.insert(p.channel.clone(), proof(event));
            }
            Payload::RotationCompleted(_) if of_action => self.prove(StepName::Retired, event),
            Payload::RotationFailed(p) if of_action => {
                self.failure = Some(Failed { proof: proof(event), code: p.code.clone(), by: event.actor });
            }
            // Others name the rotation, its key or its certificates as well, and prove no step.
            _ => {}
        }
    }

    fn prove(&mut self, step: StepName, event: &Event) {
        self.steps.insert(step, proof(event));
    }

    /// When a step was recorded.
    pub(super) fn time_of(&self, step: StepName) -> Option<Timestamp> {
        self.steps.get(&step).map(|proof| proof.time)
    }
}

impl Traces {
    fn values(&self) -> Vec<String> {
        let certificates = self.certificates.iter().map(ToString::to_string);
        let key = self.key.map(|key| key.to_string());
        std::iter::once(self.action.to_string()).chain(key).chain(certificates).collect()
    }
}

fn proof(event: &Event) -> Proof {
    Proof { seq: event.seq.get(), time: event.time }
}

/// When a rotation ended, as far as the state tells: of one that failed it is known where a key was made for it.
fn ended_at(founded: &Founded, id: ActionId, rotation: &Rotation) -> Option<Timestamp> {
    match rotation.step {
        RotationStep::Completed { at, .. } => Some(at),
        RotationStep::Failed => {
            let key = made_for(founded, id, rotation).and_then(|key| founded.keys().get(&key));
            key.and_then(|key| match key.state {
                KeyState::Deactivated { at, .. } => Some(at),
                _ => None,
            })
        }
        _ => None,
    }
}
