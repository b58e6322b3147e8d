//! Evidence packs: having them made, and handing them out.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::evidence::About;
use sealbook_ledger::timestamp::Timestamp;

use super::App;
use crate::clock;
use crate::ledger::{EngineError, Ledger};
use crate::packs::{Issued, Packs};

impl App {
    /// Makes the evidence pack of a period, signs and records it.
    ///
    /// # Errors
    /// `evidence_key.other` without an evidence key, `report.form` where the period is none or lies ahead.
    pub async fn report_period(
        &self,
        ledger: &Ledger,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Issued, EngineError> {
        if from >= to || to > ledger.now() {
            return Err(sealbook_ledger::rule::Rule::ReportForm.into());
        }
        let packs = Packs::new(std::sync::Arc::clone(&self.0.store), self.0.devices.clone());
        packs.issue(ledger, About::Period { from, to }, clock::correlation()).await
    }

    /// The bytes of a pack that was issued.
    ///
    /// # Errors
    /// `report.unknown`: no pack of this ledger has this digest.
    pub async fn pack(&self, ledger: &Ledger, sha256: Hash) -> Result<Vec<u8>, EngineError> {
        let row = self.0.store.attachment(ledger.id(), sha256).await?;
        let pack = row.filter(|row| row.media_type == crate::packs::MEDIA_TYPE).map(|row| row.bytes);
        pack.ok_or(EngineError::Conflict {
            code: "report.unknown",
            sentence: "no evidence pack of this ledger has this digest",
        })
    }
}
