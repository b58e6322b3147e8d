//! Reading a ledger backwards, as people do: the newest first, filtered, with the work of one page bounded.

use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::timestamp::Timestamp;
use uuid::Uuid;

use super::Store;
use super::columns::{self, signed};
use super::connection::Connection;
use super::error::StoreError;
use super::load::{MAX_PAGE, MAX_SCAN};
use super::projections::ActionRow;
use super::read::action;
use super::rows::{LedgerId, StoredEvent};

/// Which events of a range a page holds. Empty fields let everything pass.
///
/// What is asked of an event's contents is compared with its bytes, which have one spelling (RFC 8785): a text that an
/// event holds as a value stands in them in quotes. That finds too much at times and never too little; whoever asks
/// looks again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoryFilter {
    /// From this seq on.
    pub from: u64,
    /// Below this seq.
    pub below: u64,
    /// Event types; none means all.
    pub kinds: Vec<String>,
    /// Who caused them.
    pub actor: Option<Actor>,
    /// Texts of which at least one is a value in the event; none means all.
    pub values: Vec<String>,
    /// Whether events about signatures are left out: the rest has an index of its own.
    pub beside_signatures: bool,
}

/// A part of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryRows {
    /// The newest first. May be empty while [`Self::next`] says that there is more to look at.
    pub events: Vec<StoredEvent>,
    /// The `below` to go on with; `None` where the range was looked through.
    pub next: Option<u64>,
}

/// A text as canonical JSON holds it; ids and names need no escapes.
fn quoted(text: &str) -> Vec<u8> {
    format!("\"{text}\"").into_bytes()
}

/// How the bytes of an event begin that somebody caused: `actor` is the first of the envelope's keys.
fn beginning(actor: Actor) -> Vec<u8> {
    format!("{{\"actor\":{{\"id\":\"{}\",\"kind\":\"{}\"}}", actor.id(), actor.kind()).into_bytes()
}

macro_rules! scan {
    ($beside:literal) => {
        concat!(
            "SELECT seq, hash, end_offset, type, bytes FROM ( \
                 SELECT seq, hash, end_offset, type, bytes FROM events \
                 WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 ",
            $beside,
            " ORDER BY seq DESC LIMIT $4) AS looked_at \
             WHERE ($5::text[] = '{}' OR type = ANY($5)) \
               AND ($6::bytea IS NULL OR substring(bytes FROM 1 FOR octet_length($6)) = $6) \
               AND ($7::bytea[] = '{}' OR EXISTS (SELECT FROM UNNEST($7::bytea[]) AS n WHERE position(n IN bytes) > 0)) \
             ORDER BY seq DESC LIMIT $8"
        )
    };
}

macro_rules! end_of_scan {
    ($beside:literal) => {
        concat!(
            "SELECT seq FROM events WHERE ledger_id = $1 AND seq >= $2 AND seq < $3 ",
            $beside,
            " ORDER BY seq DESC OFFSET $4 LIMIT 1"
        )
    };
}

impl Store {
    /// A part of the story, newest first: at most `limit` events, after looking at no more than [`MAX_SCAN`] rows.
    pub async fn story(
        &self,
        ledger: LedgerId,
        filter: &StoryFilter,
        limit: usize,
    ) -> Result<StoryRows, StoreError> {
        let (from, below) = (signed(filter.from)?, signed(filter.below)?);
        let (scan, limit) = (signed(MAX_SCAN)?, signed(limit.clamp(1, MAX_PAGE) as u64)?);
        let begins = filter.actor.map(beginning);
        let values: Vec<Vec<u8>> = filter.values.iter().map(|text| quoted(text)).collect();
        // The partial index is used only where its own words stand in the statement.
        let (rows_sql, end_sql) = if filter.beside_signatures {
            (scan!("AND type NOT LIKE 'signature.%'"), end_of_scan!("AND type NOT LIKE 'signature.%'"))
        } else {
            (scan!(""), end_of_scan!(""))
        };
        let connection = self.connection().await?;
        let rows = connection
            .query(
                "read the story",
                rows_sql,
                &[&ledger.get(), &from, &below, &scan, &filter.kinds, &begins, &values, &limit],
            )
            .await?;
        let events = rows.iter().map(StoredEvent::columns).collect::<Result<Vec<_>, _>>()?;
        let next = match events.last() {
            Some(last) if i64::try_from(events.len()) == Ok(limit) => Some(last.seq),
            Some(_) | None => {
                let end = connection
                    .query_opt("read the story", end_sql, &[&ledger.get(), &from, &below, &(scan - 1)])
                    .await?;
                end.as_ref().map(|row| columns::unsigned(row, 0)).transpose()?
            }
        };
        Ok(StoryRows { events, next: next.filter(|next| *next > filter.from) })
    }

    /// These events, in order.
    pub async fn events_at(&self, ledger: LedgerId, seqs: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        const SQL: &str = "SELECT seq, hash, end_offset, type, bytes FROM events \
             WHERE ledger_id = $1 AND seq = ANY($2) ORDER BY seq";
        if seqs.is_empty() {
            return Ok(Vec::new());
        }
        let seqs = seqs.iter().map(|&seq| signed(seq)).collect::<Result<Vec<i64>, _>>()?;
        let connection = self.connection().await?;
        let rows = connection.query("read events", SQL, &[&ledger.get(), &seqs]).await?;
        rows.iter().map(StoredEvent::columns).collect()
    }

    /// The first seq below `size` whose event is no older than a moment; `size` where all are older.
    ///
    /// Times never go back along a ledger, so this halves the range: at most 53 looks at the primary key.
    pub async fn seq_at(&self, ledger: LedgerId, size: u64, at: Timestamp) -> Result<u64, StoreError> {
        let connection = self.connection().await?;
        let (mut from, mut to) = (0, size);
        while from < to {
            let middle = from + (to - from) / 2;
            if time_of(&connection, ledger, middle).await? < at { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    /// These actions, as far as somebody proposed them.
    pub async fn actions_of(&self, ledger: LedgerId, ids: &[ActionId]) -> Result<Vec<ActionRow>, StoreError> {
        const SQL: &str = "SELECT action, type, status, proposed_by, proposed_seq, last_seq, document \
             FROM p_actions WHERE ledger_id = $1 AND action = ANY($2)";
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let connection = self.connection().await?;
        let rows = connection.query("read actions", SQL, &[&ledger.get(), &ids]).await?;
        rows.iter().map(|row| action(ledger, row)).collect()
    }
}

async fn time_of(connection: &Connection, ledger: LedgerId, seq: u64) -> Result<Timestamp, StoreError> {
    const SQL: &str = "SELECT time FROM events WHERE ledger_id = $1 AND seq = $2";
    let row = connection.query_opt("read an event's time", SQL, &[&ledger.get(), &signed(seq)?]).await?;
    columns::time(&row.ok_or_else(|| StoreError::corruption("an event is missing"))?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_found_by_how_the_bytes_of_an_event_begin() {
        let member = Actor::Member("01934f00-0000-7000-8000-0000000000b1".parse().unwrap());
        let begins = String::from_utf8(beginning(member)).unwrap();
        assert_eq!(begins, r#"{"actor":{"id":"01934f00-0000-7000-8000-0000000000b1","kind":"member"}"#);
        assert_eq!(beginning(Actor::System), br#"{"actor":{"id":"server","kind":"system"}"#);
    }
}
