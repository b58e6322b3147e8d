//! The blast radius of a key: every signature that it may have made since a moment, from the events themselves
//! (docs/spec/blast-radius.md). Read tables lag, and say what somebody wrote into them; the chain says what was recorded.

mod lines;
mod reading;
mod rows;

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

pub(crate) use lines::lines;
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
    let (mut extent, mut page) = (Extent::default(), reading.next().await?);
    while let Some(rows) = page {
        let counted = off_the_workers(move || counted(extent, &rows));
        (page, extent) = tokio::try_join!(reading.next(), async { counted.await? })?;
    }
    Ok(extent)
}

fn counted(mut extent: Extent, rows: &[Affected]) -> Result<Extent, EngineError> {
    for row in rows {
        extent.add(row).map_err(unwritable)?;
    }
    Ok(extent)
}

/// The same with the list's groups, by what is disclosed.
pub(crate) async fn tally(store: &Store, ledger: &Ledger, scope: Scope) -> Result<Tally, EngineError> {
    let mut reading = Named::begin(store, ledger, scope, false).await?;
    let (mut tally, mut page) = (Tally::default(), reading.next().await?);
    while let Some(rows) = page {
        let counted = off_the_workers(move || tally.with(rows).map_err(unwritable));
        (page, tally) = tokio::try_join!(reading.next(), async { counted.await? })?;
    }
    Ok(tally)
}

/// A list's rows with what is disclosed about them: of one page it is looked up while the next is read.
struct Named<'a> {
    reading: Reading<'a>,
    store: &'a Store,
    ledger: LedgerId,
    and_tickets: bool,
    /// Rows that were read ahead.
    ahead: Option<Vec<Affected>>,
}

impl<'a> Named<'a> {
    async fn begin(
        store: &'a Store,
        ledger: &'a Ledger,
        scope: Scope,
        and_tickets: bool,
    ) -> Result<Self, EngineError> {
        let reading = Reading::begin(store, ledger, scope).await?;
        Ok(Self { reading, store, ledger: ledger.id(), and_tickets, ahead: None })
    }

    /// The next page; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<(Affected, Told)>>, EngineError> {
        let rows = match self.ahead.take() {
            Some(rows) => Some(rows),
            None => self.reading.next().await?,
        };
        let Some(rows) = rows else { return Ok(None) };
        let told = told(self.store, self.ledger, &rows, self.and_tickets);
        let (ahead, told) = tokio::try_join!(self.reading.next(), told)?;
        self.ahead = ahead;
        Ok(Some(rows.into_iter().zip(told).collect()))
    }
}

/// What is disclosed about each of some signatures' artifacts.
async fn told(
    store: &Store,
    ledger: LedgerId,
    rows: &[Affected],
    and_tickets: bool,
) -> Result<Vec<Told>, EngineError> {
    let seqs: Vec<u64> =
        rows.iter().filter(|row| row.redactable).map(|row| row.authorization.get()).collect();
    let fields = store.artifact_fields(ledger, &seqs, and_tickets).await?;
    let mut told = vec![Told::default(); rows.len()];
    // Both are by rising seq.
    let mut places = rows.iter().map(|row| row.authorization.get()).zip(&mut told).peekable();
    for field in fields {
        while places.next_if(|(seq, _)| *seq < field.seq).is_some() {}
        if let Some((_, told)) = places.peek_mut().filter(|(seq, _)| *seq == field.seq) {
            told.hear(&field.name, field.value);
        }
    }
    Ok(told)
}

fn unwritable(error: sealbook_ledger::canonical::Unrepresentable) -> EngineError {
    EngineError::fault("a line of a blast radius can't be written", error)
}
