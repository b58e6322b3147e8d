//! When people and machine clients last did something, as far as a bounded look back finds it.

use sealbook_ledger::timestamp::Timestamp;

use super::Store;
use super::columns::{self, signed};
use super::error::StoreError;
use super::load::MAX_SCAN;
use super::rows::LedgerId;

/// Most signatures of a slot, from the newest on, that are looked through for a machine client's last one.
pub const MAX_USES: i64 = 5_000;

/// Somebody's latest deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    /// Who: a member's or a service's id.
    pub id: String,
    /// The event.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
}

impl Store {
    /// Each member's latest signed decision among a ledger's last [`MAX_SCAN`] events.
    pub async fn last_decisions(&self, ledger: LedgerId) -> Result<Vec<ActivityRow>, StoreError> {
        const SQL: &str = "SELECT convert_from(bytes, 'UTF8')::json #>> '{data,member}' AS member, max(seq), max(time) \
             FROM events WHERE ledger_id = $1 AND seq >= $2 \
               AND type = ANY('{action.proposed,action.approved,action.rejected,action.cancelled}') \
             GROUP BY 1";
        let Some(head) = self.head(ledger).await? else { return Ok(Vec::new()) };
        let from = signed(head.size.saturating_sub(MAX_SCAN))?;
        let connection = self.connection().await?;
        let rows = connection.query("find decisions", SQL, &[&ledger.get(), &from]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            // A machine client's proposal names no member.
            if let Some(id) = columns::get::<Option<String>>(row, 0)? {
                found.push(ActivityRow { id, seq: columns::unsigned(row, 1)?, time: columns::time(row, 2)? });
            }
        }
        Ok(found)
    }

    /// Each caller's latest request for a signature among the last [`MAX_USES`] of a slot.
    pub async fn last_uses_by_caller(
        &self,
        ledger: LedgerId,
        slot: &str,
    ) -> Result<Vec<ActivityRow>, StoreError> {
        const SQL: &str = "SELECT caller, max(seq), max(time) FROM \
               (SELECT caller, seq, time FROM p_signatures WHERE ledger_id = $1 AND slot = $2 \
                ORDER BY seq DESC LIMIT $3) AS latest GROUP BY caller";
        let connection = self.connection().await?;
        let rows = connection.query("find uses", SQL, &[&ledger.get(), &slot, &MAX_USES]).await?;
        rows.iter()
            .map(|row| {
                Ok(ActivityRow {
                    id: columns::get(row, 0)?,
                    seq: columns::unsigned(row, 1)?,
                    time: columns::time(row, 2)?,
                })
            })
            .collect()
    }

    /// The times of some events, by seq.
    pub async fn times_of(
        &self,
        ledger: LedgerId,
        seqs: &[u64],
    ) -> Result<Vec<(u64, Timestamp)>, StoreError> {
        const SQL: &str = "SELECT seq, time FROM events WHERE ledger_id = $1 AND seq = ANY($2)";
        let seqs = seqs.iter().map(|&seq| signed(seq)).collect::<Result<Vec<i64>, _>>()?;
        let connection = self.connection().await?;
        let rows = connection.query("read times", SQL, &[&ledger.get(), &seqs]).await?;
        rows.iter().map(|row| Ok((columns::unsigned(row, 0)?, columns::time(row, 1)?))).collect()
    }
}
