//! What views ask for: actions, evidence, names and the disclosures of some events.

use sealbook_ledger::ids::{ActionId, SlotName};
use tokio_postgres::Row;
use uuid::Uuid;

use super::Store;
use super::columns::{self, signed};
use super::error::StoreError;
use super::load::MAX_PAGE;
use super::projections::ActionRow;
use super::rows::{DisclosureRow, LedgerId, StoredEvent};

/// Most signatures of one digest by one slot that are looked at, newest first.
const MAX_SIGNATURES: i64 = 64;

/// Seqs between those that are looked for, each, beyond which it is quicker to look for them one by one.
const MANY_BETWEEN: u64 = 8;

/// Most founders of a ledger: they follow its first event.
const MAX_FOUNDERS: i64 = 16;

/// Which actions a page holds. Empty fields let everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionFilter {
    /// Only in this status.
    pub status: Option<String>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only proposed by a later event than this one.
    pub after: Option<u64>,
}

/// A field of an artifact that was disclosed with a signature's authorisation.
#[derive(Clone, PartialEq, Eq)]
pub struct ArtifactFieldRow {
    /// The authorisation.
    pub seq: u64,
    /// Which field.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// The display name that was disclosed with an enrolment.
#[derive(Clone, PartialEq, Eq)]
pub struct NameRow {
    /// Whom it names: a member's or a service's id.
    pub id: String,
    /// The name.
    pub name: String,
}

pub(super) fn action(ledger: LedgerId, row: &Row) -> Result<ActionRow, StoreError> {
    Ok(ActionRow {
        ledger,
        action: columns::get::<Uuid>(row, 0)?.into(),
        kind: columns::get(row, 1)?,
        status: columns::get(row, 2)?,
        proposed_by: columns::get(row, 3)?,
        proposed_seq: columns::unsigned(row, 4)?,
        last_seq: columns::unsigned(row, 5)?,
        document: columns::get(row, 6)?,
    })
}

fn text(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::corruption("a disclosure that is not UTF-8"))
}

impl Store {
    /// Actions in the order of their proposals, at most [`MAX_PAGE`].
    pub async fn actions(
        &self,
        ledger: LedgerId,
        filter: &ActionFilter,
        limit: usize,
    ) -> Result<Vec<ActionRow>, StoreError> {
        const SQL: &str = "SELECT action, type, status, proposed_by, proposed_seq, last_seq, document \
             FROM p_actions WHERE ledger_id = $1 AND proposed_seq > $2 \
               AND ($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR type = $4) \
             ORDER BY proposed_seq LIMIT $5";
        let after = filter.after.map_or(Ok(-1), signed)?;
        let limit = signed(limit.clamp(1, MAX_PAGE) as u64)?;
        let connection = self.connection().await?;
        let rows = connection
            .query("list actions", SQL, &[&ledger.get(), &after, &filter.status, &filter.kind, &limit])
            .await?;
        rows.iter().map(|row| action(ledger, row)).collect()
    }

    /// One action; `None` if nobody proposed it.
    pub async fn action(&self, ledger: LedgerId, id: ActionId) -> Result<Option<ActionRow>, StoreError> {
        const SQL: &str = "SELECT action, type, status, proposed_by, proposed_seq, last_seq, document \
             FROM p_actions WHERE ledger_id = $1 AND action = $2";
        let connection = self.connection().await?;
        let row = connection.query_opt("read an action", SQL, &[&ledger.get(), &id.uuid()]).await?;
        row.map(|row| action(ledger, &row)).transpose()
    }

    /// The events that name one of these actions, between the first proposal and the last event that concerns one.
    pub async fn events_of_actions(&self, actions: &[ActionRow]) -> Result<Vec<StoredEvent>, StoreError> {
        // The predicate on types is that of LEDGER_FORMAT §7: none of those ever names an action.
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq BETWEEN $2 AND $3 \
               AND type NOT LIKE 'signature.%' AND type !~ '^(evidence|refusal)\\.' \
               AND (convert_from(bytes, 'UTF8')::json #>> '{data,action}' = ANY($4) \
                 OR convert_from(bytes, 'UTF8')::json #>> '{data,document,action}' = ANY($4)) \
             ORDER BY seq";
        let Some(ledger) = actions.first().map(|row| row.ledger) else { return Ok(Vec::new()) };
        let first = actions.iter().map(|row| row.proposed_seq).min().unwrap_or(0);
        let last = actions.iter().map(|row| row.last_seq).max().unwrap_or(0);
        let ids: Vec<String> = actions.iter().map(|row| row.action.to_string()).collect();
        let connection = self.connection().await?;
        let range = (signed(first)?, signed(last)?);
        let rows =
            connection.query("read actions' events", SQL, &[&ledger.get(), &range.0, &range.1, &ids]).await?;
        rows.iter().map(StoredEvent::columns).collect()
    }

    /// Events that recorded outside evidence, in order, after a seq; at most [`MAX_PAGE`].
    pub async fn evidence_events(
        &self,
        ledger: LedgerId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq > $2 AND type = 'evidence.recorded' ORDER BY seq LIMIT $3";
        let after = after.map_or(Ok(-1), signed)?;
        let limit = signed(limit.clamp(1, MAX_PAGE) as u64)?;
        let connection = self.connection().await?;
        let rows = connection.query("list evidence", SQL, &[&ledger.get(), &after, &limit]).await?;
        rows.iter().map(StoredEvent::columns).collect()
    }

    /// What was disclosed with some events, in order of seq and name.
    pub async fn disclosures_of(
        &self,
        ledger: LedgerId,
        seqs: &[u64],
    ) -> Result<Vec<DisclosureRow>, StoreError> {
        const SQL: &str = "SELECT seq, name, salt, value FROM disclosures \
             WHERE ledger_id = $1 AND seq = ANY($2) ORDER BY seq, name";
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let seqs = seqs.iter().map(|&seq| signed(seq)).collect::<Result<Vec<i64>, _>>()?;
        let connection = self.connection().await?;
        let rows = connection.query("read disclosures", SQL, &[&ledger.get(), &seqs]).await?;
        rows.iter()
            .map(|row| {
                Ok(DisclosureRow {
                    ledger,
                    seq: columns::unsigned(row, 0)?,
                    name: columns::get(row, 1)?,
                    salt: columns::fixed(row, 2)?,
                    value: text(columns::get(row, 3)?)?,
                })
            })
            .collect()
    }

    /// What was disclosed with some authorisations, in order of seq; tickets only where they are asked for. Others' between
    /// them may be among it.
    pub async fn artifact_fields(
        &self,
        ledger: LedgerId,
        seqs: &[u64],
        and_tickets: bool,
    ) -> Result<Vec<ArtifactFieldRow>, StoreError> {
        const ONE_BY_ONE: &str = "SELECT seq, name, value FROM disclosures \
             WHERE ledger_id = $1 AND seq = ANY($2) AND ($3 OR name <> 'artifact_ticket') ORDER BY seq";
        const IN_A_ROW: &str = "SELECT seq, name, value FROM disclosures \
             WHERE ledger_id = $1 AND seq BETWEEN $2 AND $3 AND ($4 OR name <> 'artifact_ticket') ORDER BY seq";
        let Some((first, last)) = seqs.first().zip(seqs.last()) else { return Ok(Vec::new()) };
        let connection = self.connection().await?;
        let (doing, id) = ("read artifacts", ledger.get());
        let rows = if last - first < MANY_BETWEEN * seqs.len() as u64 {
            let (first, last) = (signed(*first)?, signed(*last)?);
            connection.query(doing, IN_A_ROW, &[&id, &first, &last, &and_tickets]).await?
        } else {
            let seqs = seqs.iter().map(|&seq| signed(seq)).collect::<Result<Vec<i64>, _>>()?;
            connection.query(doing, ONE_BY_ONE, &[&id, &seqs, &and_tickets]).await?
        };
        rows.iter()
            .map(|row| {
                Ok(ArtifactFieldRow {
                    seq: columns::unsigned(row, 0)?,
                    name: columns::get(row, 1)?,
                    value: text(columns::get(row, 2)?)?,
                })
            })
            .collect()
    }

    /// The names that were disclosed with enrolments: the founders', then those that actions brought.
    pub async fn names(&self, ledger: LedgerId) -> Result<Vec<NameRow>, StoreError> {
        // An enrolment by action discloses its name with the proposal, which holds the digest first.
        const SQL: &str = "SELECT convert_from(e.bytes, 'UTF8')::json #>> '{data,member}', d.value \
                 FROM events e JOIN disclosures d ON d.ledger_id = e.ledger_id AND d.seq = e.seq \
                 WHERE e.ledger_id = $1 AND e.seq BETWEEN 1 AND $2 AND e.type = 'member.enrolled' \
                   AND d.name = 'display_name' \
             UNION ALL \
             SELECT COALESCE(a.document #>> '{params,member}', a.document #>> '{params,service}'), d.value \
                 FROM p_actions a JOIN disclosures d ON d.ledger_id = a.ledger_id AND d.seq = a.proposed_seq \
                 WHERE a.ledger_id = $1 AND a.type IN ('member.enroll', 'service.enroll') \
                   AND d.name = 'display_name'";
        let connection = self.connection().await?;
        let rows = connection.query("read names", SQL, &[&ledger.get(), &MAX_FOUNDERS]).await?;
        rows.iter()
            .map(|row| Ok(NameRow { id: columns::get(row, 0)?, name: text(columns::get(row, 1)?)? }))
            .collect()
    }

    /// Which of these digests a slot has signed since an event, in no order.
    pub async fn signed_since(
        &self,
        ledger: LedgerId,
        slot: &SlotName,
        since: u64,
        digests: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        const SQL: &str = "SELECT DISTINCT digest FROM p_signatures \
             WHERE ledger_id = $1 AND slot = $2 AND seq > $3 AND outcome = 1 AND digest = ANY($4)";
        let since = signed(since)?;
        let connection = self.connection().await?;
        let rows = connection
            .query("find signed digests", SQL, &[&ledger.get(), &slot.as_str(), &since, &digests])
            .await?;
        rows.iter().map(|row| columns::get(row, 0)).collect()
    }

    /// Seqs of the events by which a slot recorded a signature over a digest, newest first.
    pub async fn signatures_over(
        &self,
        ledger: LedgerId,
        slot: &SlotName,
        digest: &[u8],
    ) -> Result<Vec<u64>, StoreError> {
        const SQL: &str = "SELECT seq FROM p_signatures \
             WHERE ledger_id = $1 AND slot = $2 AND digest = $3 AND outcome = 1 ORDER BY seq DESC LIMIT $4";
        let connection = self.connection().await?;
        let rows = connection
            .query("find signatures", SQL, &[&ledger.get(), &slot.as_str(), &digest, &MAX_SIGNATURES])
            .await?;
        rows.iter().map(|row| columns::unsigned(row, 0)).collect()
    }
}
