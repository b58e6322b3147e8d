//! Evidence packs come by themselves: whatever has ended and has none gets one, as soon as there is an evidence key.

use std::time::Duration;

use sealbook_ledger::command::{Command, DocumentOutcome, DocumentSubject, RotationCommand};
use sealbook_ledger::ids::{ActionId, Correlation, IncidentId};
use sealbook_ledger::reporting::PendingDocument;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use uuid::Uuid;

use super::{ABANDON_AFTER_S, Effects, Step};
use crate::clock;
use crate::ledger::EngineError;

/// How long a pack waits for the checkpoint that its receipts lead to: else it is tried again.
const SEAL_WAIT: Duration = Duration::from_secs(1);

impl Effects {
    /// Packs that are due, and authorisations of which nobody knows what became.
    pub(super) fn pack_steps(&self, founded: &Founded, at: Timestamp) -> Vec<Step> {
        let pending = founded.pending_documents();
        let over = pending.iter().filter(|(_, p)| at >= p.expires_at.plus_seconds(ABANDON_AFTER_S));
        let abandon = |authorization| RotationCommand::SettleDocument {
            authorization,
            outcome: DocumentOutcome::Abandoned,
        };
        let mut steps: Vec<Step> =
            over.map(|(seq, _)| Step::Submit(Command::Rotate(abandon(*seq)))).collect();
        if founded.evidence_key().is_some() {
            let open = |of: Uuid| {
                let subject = |pending: &PendingDocument| {
                    pending.action.map(ActionId::uuid).or(pending.incident.map(IncidentId::uuid))
                };
                pending.values().any(|pending| subject(pending) == Some(of))
            };
            let due = due(founded).into_iter().filter(|(of, ..)| !open(*of));
            let issue = due.map(|(of, about, correlation)| Step::Issue { about, of, correlation });
            // One at a time, and after everything else, which waits while a pack reads and draws.
            steps.extend(issue.filter(|step| !self.has_to_wait(step)).take(1));
        }
        steps
    }

    pub(super) async fn issue(
        &self,
        about: DocumentSubject,
        correlation: Correlation,
    ) -> Result<(), EngineError> {
        match self.packs.issue(&self.ledger, about, None, correlation, SEAL_WAIT).await {
            Ok(issued) => {
                tracing::info!(origin = %self.ledger.origin(), seq = %issued.seq, sha256 = %issued.sha256, "an evidence pack was issued");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// What has ended and has no pack.
fn due(founded: &Founded) -> Vec<(Uuid, DocumentSubject, Correlation)> {
    let rotations = founded.rotations().iter().filter(|(_, r)| r.has_ended() && !r.reported);
    let rotations =
        rotations.map(|(id, rotation)| (id.uuid(), DocumentSubject::Rotation(*id), rotation.correlation));
    let successions = founded.successions().iter().filter(|(_, reported)| !**reported);
    let successions =
        successions.map(|(id, _)| (id.uuid(), DocumentSubject::LedgerKey(*id), clock::correlation()));
    let incidents = founded.incidents().iter().filter(|(_, i)| !i.is_open() && !i.reported);
    let incidents =
        incidents.map(|(id, incident)| (id.uuid(), DocumentSubject::Incident(*id), incident.correlation));
    // People wait for what an incident came to.
    incidents.chain(rotations).chain(successions).collect()
}
