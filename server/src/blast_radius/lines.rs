//! A whole list in memory, for lists that are known to be short.

use sealbook_ledger::blast_radius::{Affected, Extent};

use super::{Reading, Scope, told, unwritable};
use crate::auditing::off_the_workers;
use crate::ledger::{EngineError, Ledger};
use crate::store::Store;
use crate::views::blast_radius::Told;

/// A list, with what is disclosed about its first signatures.
#[derive(Default)]
pub(crate) struct Lines {
    /// What it comes to.
    pub(crate) extent: Extent,
    /// Its lines (docs/spec/blast-radius.md).
    pub(crate) bytes: Vec<u8>,
    /// As many of its signatures as were asked for.
    pub(crate) first: Vec<(Affected, Told)>,
}

impl Lines {
    fn with(mut self, rows: &[Affected]) -> Result<Self, EngineError> {
        for row in rows {
            let line = self.extent.add(row).map_err(unwritable)?;
            self.bytes.extend_from_slice(line);
        }
        Ok(self)
    }
}

/// Reads a list to its end, or until it has more lines than it may have; names are looked up for the first `named`.
pub(crate) async fn lines(
    store: &Store,
    ledger: &Ledger,
    scope: Scope,
    most: u64,
    named: usize,
) -> Result<Lines, EngineError> {
    let mut reading = Reading::begin(store, ledger, scope).await?;
    let mut lines = Lines::default();
    while lines.extent.count() <= most {
        let Some(rows) = reading.next().await? else { break };
        let wanted = named.saturating_sub(lines.first.len()).min(rows.len());
        let first = rows[..wanted].to_vec();
        let told = told(store, ledger.id(), &first, false).await?;
        lines.first.extend(first.into_iter().zip(told));
        lines = off_the_workers(move || lines.with(&rows)).await??;
    }
    Ok(lines)
}
