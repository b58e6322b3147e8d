//! The blast radius of a key: every signature that it may have made since a moment, from the events themselves
//! (docs/spec/blast-radius.md). Read tables lag, and say what somebody wrote into them; the chain says what was recorded.

mod reading;
mod rows;

use std::collections::HashMap;
use std::time::Duration;

use sealbook_ledger::blast_radius::{Affected, Extent};
use sealbook_ledger::ids::KeyId;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::timestamp::Timestamp;

use crate::auditing::off_the_workers;
use crate::ledger::{EngineError, Ledger};
use crate::store::{LedgerId, Store};
use crate::views::blast_radius::{Tally, Told};

pub use reading::Reading;
pub use rows::Form;

pub(crate) use rows::stream;

/// Longest work on one list that is answered as a whole; ten million signatures take about a minute.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Of what: a key of the ledger's first `size` events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The key.
    pub key: KeyId,
    /// From when on, that moment included; of all time where none is given.
    pub since: Option<Timestamp>,
    /// How many events there are to look at.
    pub size: u64,
}

impl Scope {
    /// Of a key that the ledger knows, in its first events, or in all that there are now.
    pub fn new(
        ledger: &Ledger,
        key: KeyId,
        since: Option<Timestamp>,
        size: Option<u64>,
    ) -> Result<Self, EngineError> {
        let state = ledger.state();
        if !state.founded()?.keys().contains_key(&key) {
            return Err(Rule::KeyUnknown.into());
        }
        let size = size.unwrap_or_else(|| state.size());
        if !(1..=state.size()).contains(&size) {
            return Err(EngineError::Conflict {
                code: "request.query",
                sentence: "`size` is at least 1, and at most the ledger's",
            });
        }
        Ok(Self { key, since, size })
    }
}

/// What the list comes to: count, ends and digest, without anything that is disclosed.
pub(crate) async fn extent(store: &Store, ledger: &Ledger, scope: Scope) -> Result<Extent, EngineError> {
    let mut reading = Reading::begin(store, ledger, scope).await?;
    let mut extent = Extent::default();
    while let Some(rows) = reading.next().await? {
        extent = off_the_workers(move || {
            rows.iter().try_for_each(|row| extent.add(row).map(drop)).map(|()| extent)
        })
        .await?
        .map_err(unwritable)?;
    }
    Ok(extent)
}

/// The same with the list's groups, by what is disclosed.
pub(crate) async fn tally(store: &Store, ledger: &Ledger, scope: Scope) -> Result<Tally, EngineError> {
    let mut reading = Reading::begin(store, ledger, scope).await?;
    let mut tally = Tally::default();
    let mut page = reading.next().await?;
    while let Some(rows) = page {
        // The next rows come while it is looked up what these are called.
        let (next, told) = tokio::join!(reading.next(), told(store, ledger.id(), &rows));
        let told = told?;
        tally = off_the_workers(move || tally.with(&rows, &told)).await?.map_err(unwritable)?;
        page = next?;
    }
    Ok(tally)
}

/// What is disclosed about some signatures' artifacts, by authorisation.
async fn told(store: &Store, ledger: LedgerId, rows: &[Affected]) -> Result<HashMap<u64, Told>, EngineError> {
    let seqs: Vec<u64> =
        rows.iter().filter(|row| row.redactable).map(|row| row.authorization.get()).collect();
    let mut told: HashMap<u64, Told> = HashMap::with_capacity(seqs.len());
    for row in store.disclosures_of(ledger, &seqs).await? {
        told.entry(row.seq).or_default().hear(&row.name, row.value);
    }
    Ok(told)
}

fn unwritable(error: sealbook_ledger::canonical::Unrepresentable) -> EngineError {
    EngineError::fault("a line of a blast radius can't be written", error)
}
