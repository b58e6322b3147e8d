//! Evidence packs: having them made, and handing them out.

use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::command::DocumentSubject;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{IncidentId, MemberId};
use sealbook_ledger::revocation::REVOKING;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::timestamp::Timestamp;

use super::App;
use crate::ledger::{EngineError, Ledger};
use crate::packs::{Issued, Packs};
use crate::views::reports::{self, ReportView};
use crate::{blast_radius, clock};

/// How long a report waits for the checkpoint that its receipts lead to.
const SEAL_WAIT: Duration = Duration::from_secs(10);

fn busy() -> EngineError {
    EngineError::unavailable("server.busy", "another report is being made; try again shortly")
}

impl From<&ReportView> for Issued {
    fn from(report: &ReportView) -> Self {
        Self { seq: report.seq, sha256: report.sha256, size: report.size }
    }
}

impl App {
    /// Makes the evidence pack of a period, signs and records it; one of the same period is there already, it is that one.
    /// One at a time: each reads much, and is kept for ever.
    ///
    /// # Errors
    /// `evidence_key.other` without an evidence key, `report.form` where the period is none or lies ahead, `server.busy`
    /// while another is being made.
    pub async fn report_period(
        &self,
        ledger: &Arc<Ledger>,
        asked_by: MemberId,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Issued, EngineError> {
        if from >= to || to > ledger.now() {
            return Err(Rule::ReportForm.into());
        }
        let (app, ledger) = (self.clone(), Arc::clone(ledger));
        // A task of its own: a caller who goes away between authorisation and device would leave it open.
        let work = self.0.runtime.spawn(async move {
            let _turn = app.0.reporting.try_lock().map_err(|_| busy())?;
            let state = ledger.state();
            let all = reports::all(&app.0.store, ledger.id(), state.founded()?, ledger.size()).await?;
            let same = all.iter().find(|one| (one.from, one.to) == (Some(from), Some(to)));
            if let Some(same) = same {
                return Ok(Issued::from(same));
            }
            let packs = Packs::new(Arc::clone(&app.0.store), app.0.devices.clone());
            // Earlier rules have no place for who asked.
            let asked_by = Some(asked_by).filter(|_| state.rules().is_some_and(|rules| rules >= REVOKING));
            let period = DocumentSubject::Period { from, to };
            packs.issue(&ledger, period, asked_by, clock::correlation(), SEAL_WAIT).await
        });
        work.await.map_err(|error| EngineError::fault("a report's making ended", error))?
    }

    /// Makes the statement about an incident or drill as it stands, signs and records it; where one says the same already,
    /// it is that one. One at a time, as with periods.
    ///
    /// # Errors
    /// `incident.unknown`, `evidence_key.other` without an evidence key, `server.busy` while another report is being made,
    /// `audit.busy` or `audit.slow` where the past takes too long to read.
    pub async fn report_incident(
        &self,
        ledger: &Arc<Ledger>,
        asked_by: MemberId,
        incident: IncidentId,
    ) -> Result<Issued, EngineError> {
        let (app, ledger) = (self.clone(), Arc::clone(ledger));
        // A task of its own, as above.
        let work = self.0.runtime.spawn(async move {
            let _turn = app.0.reporting.try_lock().map_err(|_| busy())?;
            let state = ledger.state();
            let founded = state.founded()?;
            let correlation = founded.incident(incident)?.correlation;
            // Once it is closed, the server makes one by itself.
            if founded.pending_documents().values().any(|open| open.incident == Some(incident)) {
                return Err(busy());
            }
            let all = reports::all(&app.0.store, ledger.id(), founded, ledger.size()).await?;
            let before = match all.iter().find(|one| one.incident == Some(incident)) {
                Some(last) => Some((Issued::from(last), app.bytes_of(&ledger, last.sha256).await?)),
                None => None,
            };
            let packs = Packs::new(Arc::clone(&app.0.store), app.0.devices.clone());
            let about = DocumentSubject::Incident(incident);
            // A list of millions takes its time, which others who ask about the past have to have too.
            let making = packs.make(&ledger, about, SEAL_WAIT, before);
            let made = app.0.auditing.within_time(blast_radius::DEADLINE, making).await?;
            packs.issue_made(&ledger, about, Some(asked_by), correlation, made).await
        });
        work.await.map_err(|error| EngineError::fault("a report's making ended", error))?
    }

    /// The bytes of a pack that was issued.
    ///
    /// # Errors
    /// `report.unknown`: no pack of this ledger has this digest.
    pub async fn pack(&self, ledger: &Ledger, sha256: Hash) -> Result<(ReportView, Vec<u8>), EngineError> {
        let unknown = || EngineError::Conflict {
            code: "report.unknown",
            sentence: "no evidence pack of this ledger has this digest",
        };
        let state = ledger.state();
        let all = reports::all(&self.0.store, ledger.id(), state.founded()?, ledger.size()).await?;
        let report = all.into_iter().find(|report| report.sha256 == sha256).ok_or_else(unknown)?;
        Ok((report, self.bytes_of(ledger, sha256).await?))
    }

    async fn bytes_of(&self, ledger: &Ledger, sha256: Hash) -> Result<Vec<u8>, EngineError> {
        let row = self.0.store.attachment(ledger.id(), sha256).await?;
        let missing = || EngineError::Corrupt("the bytes of an evidence pack are missing".into());
        Ok(row.ok_or_else(missing)?.bytes)
    }
}
