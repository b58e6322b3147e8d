//! What auditors ask of a ledger's rows: where it ended at a moment, and events of some types by their place.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;

use super::Store;
use super::columns::{self, PgTime, signed};
use super::error::StoreError;
use super::load::MAX_SCAN;
use super::rows::{LedgerId, StoredEvent};

impl Store {
    /// Number of events up to and including a moment: their times never fall, so the end is found by halving.
    pub async fn size_at(&self, ledger: LedgerId, at: Timestamp) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT time <= $3 FROM events WHERE ledger_id = $1 AND seq = $2";
        let Some(head) = self.head(ledger).await? else { return Ok(0) };
        let connection = self.connection().await?;
        let (mut from, mut to) = (0, head.size);
        while from < to {
            let middle = from + (to - from) / 2;
            let seq = signed(middle)?;
            let row = connection.query_opt("find a moment", SQL, &[&ledger.get(), &seq, &PgTime(at)]).await?;
            let row = row.ok_or_else(|| StoreError::corruption("a ledger with a gap in its events"))?;
            if columns::get(&row, 0)? {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        Ok(from)
    }

    /// How many events of a type there are among [`MAX_SCAN`] from a seq on, below another.
    pub async fn count_of_kind(
        &self,
        ledger: LedgerId,
        kind: &str,
        from: u64,
        below: u64,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT count(*) FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 AND type = $4";
        let (from, below) = (signed(from)?, signed(below.min(from.saturating_add(MAX_SCAN)))?);
        let connection = self.connection().await?;
        let row = connection.query_opt("count events", SQL, &[&ledger.get(), &from, &below, &kind]).await?;
        columns::unsigned(&row.ok_or_else(|| StoreError::fault("the database does not count"))?, 0)
    }

    /// Seqs of the events of a type among [`MAX_SCAN`] from a seq on, below another, in order.
    pub async fn seqs_of_kind(
        &self,
        ledger: LedgerId,
        kind: &str,
        from: u64,
        below: u64,
    ) -> Result<Vec<u64>, StoreError> {
        const SQL: &str = "SELECT seq FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 AND type = $4 ORDER BY seq";
        let (from, below) = (signed(from)?, signed(below.min(from.saturating_add(MAX_SCAN)))?);
        let connection = self.connection().await?;
        let rows = connection.query("find events", SQL, &[&ledger.get(), &from, &below, &kind]).await?;
        rows.iter().map(|row| columns::unsigned(row, 0)).collect()
    }

    /// Some events, in order of seq; seqs that are none are passed over.
    pub async fn events_of(&self, ledger: LedgerId, seqs: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq = ANY($2) ORDER BY seq";
        let seqs = seqs.iter().map(|&seq| signed(seq)).collect::<Result<Vec<i64>, _>>()?;
        let connection = self.connection().await?;
        let rows = connection.query("read some events", SQL, &[&ledger.get(), &seqs]).await?;
        rows.iter().map(StoredEvent::columns).collect()
    }

    /// Digests and sizes of the attachments that some events were the first to refer to.
    pub async fn attachments_of(
        &self,
        ledger: LedgerId,
        seqs: &[u64],
    ) -> Result<Vec<(Hash, u64)>, StoreError> {
        const SQL: &str = "SELECT sha256, size FROM attachments WHERE ledger_id = $1 AND seq = ANY($2)";
        let seqs = seqs.iter().map(|&seq| signed(seq)).collect::<Result<Vec<i64>, _>>()?;
        let connection = self.connection().await?;
        let rows = connection.query("list some attachments", SQL, &[&ledger.get(), &seqs]).await?;
        rows.iter().map(|row| Ok((columns::hash(row, 0)?, columns::unsigned(row, 1)?))).collect()
    }

    /// The events by which what has to come round came round, among those from `from` to before `to`, in order.
    pub async fn milestone_events(
        &self,
        ledger: LedgerId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        // None of these is about a signature: the first predicate brings the index that passes over those.
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 AND type NOT LIKE 'signature.%' AND type IN \
             ('ledger.opened', 'ledger.founded', 'ledger.rules_adopted', 'ledger.key_rotated', \
             'ledger.key_recovered', 'ledger.evidence_key_set', 'hsm.access_reviewed') ORDER BY seq";
        self.chosen_events("read what came round", SQL, ledger, from..to).await
    }
}
