//! Incidents and drills: what takes more than a line in the ledger.

use std::sync::Arc;

use sealbook_ledger::command::{
    Command, FoundScope, IncidentCommand, IncidentMove, IncidentOpening, OwnSignature,
};
use sealbook_ledger::decide::{Context, decide};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{Correlation, IncidentId, MemberId, SlotName};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::signature::drill_sample;
use sealbook_ledger::timestamp::Timestamp;

use super::App;
use crate::blast_radius::Scope;
use crate::ledger::{Appended, Disclosure, EngineError, Ledger, Submission, digests};
use crate::signing::OwnCall;

/// How many samples the key of a drill signs, before it is suspected and after it is replaced.
pub(crate) const SAMPLES: u8 = 5;

/// A step of an incident, in its piece of work, with what is said about it.
pub(crate) fn submission(
    (by, incident): (Actor, IncidentId),
    step: IncidentMove,
    disclosures: Vec<Disclosure>,
    correlation: Correlation,
) -> Submission {
    let sd = digests(&disclosures);
    let command = Command::Incident(IncidentCommand { by, incident, step, sd });
    Submission { disclosures, correlation, ..Submission::new(command) }
}

impl App {
    /// Takes a step of an incident.
    pub(crate) async fn take_step(
        &self,
        ledger: &Ledger,
        (by, incident): (Actor, IncidentId),
        step: IncidentMove,
        disclosures: Vec<Disclosure>,
    ) -> Result<Appended, EngineError> {
        let correlation = ledger.state().founded()?.incident(incident)?.correlation;
        tracing::info!(work = %correlation, %incident, "asked for a step of an incident");
        ledger.submit(submission((by, incident), step, disclosures, correlation)).await
    }

    /// Looks through the ledger for what an incident's key may have signed, and records it; since the suspicion where
    /// nothing else is said.
    ///
    /// # Errors
    /// `incident.unknown`, `incident.closed`; `audit.slow` where it takes too long.
    pub async fn scope_incident(
        &self,
        ledger: &Arc<Ledger>,
        by: MemberId,
        id: IncidentId,
        since: Option<Timestamp>,
    ) -> Result<Appended, EngineError> {
        let state = ledger.state();
        let founded = state.founded()?;
        let incident = founded.incident(id)?;
        let since = since.or_else(|| founded.suspected(incident));
        let scope = Scope::new(ledger, incident.key, since, None)?;
        let extent = self.blast_radius(Arc::clone(ledger), scope).await?;
        let bounds = extent.first().zip(extent.last()).map(|((first, _), (last, _))| (first, last));
        let found =
            FoundScope { count: extent.count(), bounds, list: extent.digest(), since, size: scope.size };
        self.take_step(ledger, (Actor::Member(by), id), IncidentMove::Scope(found), Vec::new()).await
    }

    /// Has the key of a slot for drills sign what stands for its artifacts, and opens a drill about it.
    ///
    /// # Errors
    /// What the ledger refuses of the opening, such as `incident.drill` where the slot is not for drills; what its device
    /// answers.
    pub async fn start_drill(
        &self,
        ledger: &Arc<Ledger>,
        by: MemberId,
        (incident, opening): (IncidentId, IncidentOpening),
        disclosures: Vec<Disclosure>,
        correlation: Correlation,
    ) -> Result<Appended, EngineError> {
        let state = ledger.state();
        let founded = state.founded()?;
        let slot = opening.slot.clone();
        let step = IncidentMove::Open(opening);
        let opening = submission((Actor::Member(by), incident), step, disclosures, correlation);
        // For a drill that the ledger would refuse nothing is signed.
        let context = Context { clock: ledger.now(), correlation, checked: &opening.checked };
        decide(&state, opening.command.clone(), context)?;
        if founded.open_incidents(&slot).next().is_some() {
            return Err(Rule::IncidentBusy.into());
        }
        self.sign_samples(ledger, &slot, correlation).await?;
        ledger.submit(opening).await
    }

    /// Has the key in charge of a slot for drills sign every sample.
    pub(super) async fn sign_samples(
        &self,
        ledger: &Arc<Ledger>,
        slot: &SlotName,
        correlation: Correlation,
    ) -> Result<(), EngineError> {
        let pure = ledger.state().founded()?.slot(slot)?.algorithm.needs_message();
        let (app, ledger, slot) = (self.clone(), Arc::clone(ledger), slot.clone());
        // A task of its own: a caller who goes away between authorisation and device would leave one open.
        let work = self.0.runtime.spawn(async move {
            for number in 1..=SAMPLES {
                let message = pure.then(|| drill_sample(&slot, number));
                let own = OwnSignature::Sample { slot: slot.clone(), number };
                let call = OwnCall { own, message, correlation };
                let work = app.0.signer.authorize_own(&ledger, call).await?;
                app.0.signer.perform_own(&ledger, work).await?;
            }
            Ok(())
        });
        work.await.map_err(|error| EngineError::fault("the signing of samples ended", error))?
    }
}
