//! Ledgers that are not served: what the database holds of them contradicts itself, or what is kept outside it. One that
//! is damaged stops no other; it is named wherever somebody looks or asks, and stays as it is.

use std::sync::{Arc, PoisonError};

use sealbook_ledger::ids::{Origin, TenantName};

use super::{App, Missing};
use crate::high_water::{HighWaterFile, Kept, Reading};
use crate::ledger::EngineError;
use crate::store::ledgers::LedgerRow;

/// A ledger that was refused when the server started.
pub struct RefusedLedger {
    /// Whose.
    pub tenant: TenantName,
    /// The ledger's name.
    pub origin: Origin,
    /// The stable code: `ledger.corrupt`, or `high_water.missing`.
    pub code: &'static str,
    /// What was found, and where.
    pub sentence: Arc<str>,
}

impl RefusedLedger {
    /// What callers are told.
    pub fn error(&self) -> EngineError {
        match self.code {
            "ledger.corrupt" => EngineError::Corrupt(Arc::clone(&self.sentence)),
            code => EngineError::unavailable(code, &*self.sentence),
        }
    }

    pub(super) fn missing(&self) -> Missing {
        let sentence = format!("{} is not served: {}", self.origin, self.sentence);
        Missing { code: self.code, sentence }
    }
}

impl App {
    /// The refused ledger of a tenant.
    pub fn refused(&self, tenant: &TenantName) -> Option<Arc<RefusedLedger>> {
        self.0.refused.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// Every ledger that was refused.
    pub fn all_refused(&self) -> Vec<Arc<RefusedLedger>> {
        self.0.refused.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Serves every ledger that the database has, and refuses those that are damaged or gone.
    pub(super) async fn serve_all(&self) -> Result<(), EngineError> {
        let kept = HighWaterFile::all(&self.0.config.high_water)
            .map_err(|error| EngineError::fault("the high-water files", error))?;
        let rows = self.0.store.ledgers().await?;
        for row in &rows {
            if self.was_opened(row).await? {
                let served = self.serve(row).await;
                served.map(drop).or_else(|error| self.refuse(&row.tenant, &row.origin, error))?;
            }
        }
        for Kept { origin, size } in kept {
            if rows.iter().all(|row| row.origin != origin) {
                self.refuse_gone(&origin, size)?;
            }
        }
        Ok(())
    }

    /// A ledger that was entered and never opened waits for its operator to open it again. Nothing outside the events may
    /// know of any: a database that lost all of them looks the same.
    async fn was_opened(&self, row: &LedgerRow) -> Result<bool, EngineError> {
        let (inner, ledger) = (&self.0, row.ledger);
        let file = HighWaterFile::new(&inner.config.high_water, row.origin.clone());
        let reading = file.read().map_err(|error| EngineError::fault("the high-water file", error))?;
        Ok(reading != Reading::Missing
            || inner.store.head(ledger).await?.is_none_or(|head| head.size > 0)
            || inner.store.latest_checkpoint(ledger).await?.is_some())
    }

    fn refuse_gone(&self, origin: &Origin, size: u64) -> Result<(), EngineError> {
        let tenant = origin.as_str().rsplit('/').next().and_then(|name| name.parse().ok());
        // The origin of a ledger always ends in its tenant.
        let Some(tenant) = tenant else { return Ok(()) };
        let why = format!(
            "the database knows no such ledger, which is known to have held {size} events; put it back with `sealbook \
             restore BUNDLE`"
        );
        self.refuse(&tenant, origin, EngineError::Corrupt(why.into()))
    }

    /// Refuses one ledger for what is its own; any other failure concerns the whole server, and is handed back.
    fn refuse(&self, tenant: &TenantName, origin: &Origin, error: EngineError) -> Result<(), EngineError> {
        let (code, sentence) = match error {
            EngineError::Corrupt(why) => ("ledger.corrupt", why),
            EngineError::Unavailable { code: code @ "high_water.missing", sentence, .. } => {
                (code, sentence.into())
            }
            other => return Err(other),
        };
        tracing::error!(%tenant, %origin, code, why = %sentence, "LEDGER FROZEN: it is not served");
        let refused = RefusedLedger { tenant: tenant.clone(), origin: origin.clone(), code, sentence };
        let mut all = self.0.refused.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(tenant.clone(), Arc::new(refused));
        Ok(())
    }
}
