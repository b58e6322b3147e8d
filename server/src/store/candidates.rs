//! What precedes the events that make people members: one-time tickets, and the founders' assertions.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::timestamp::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::Store;
use super::columns::{self, PgTime};
use super::error::StoreError;
use super::rows::LedgerId;

/// What a founder's ticket says it is for.
pub const FOUNDER: &str = "founder";

/// What a ticket for an enrolment says it is for.
pub const ENROLMENT: &str = "enrolment";

/// What a ticket for another authenticator of somebody who is a member says it is for.
pub const CREDENTIAL: &str = "credential";

/// Somebody who was invited to found a ledger or to be enrolled in one.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateRow {
    /// The ledger.
    pub ledger: LedgerId,
    /// The invitation.
    pub candidate: Uuid,
    /// SHA-256 of the one-time ticket; the ticket itself is never stored.
    pub ticket_hash: Hash,
    /// What the ticket is good for.
    pub purpose: String,
    /// What is known: who was invited, then what they registered.
    pub body: Value,
    /// When the ticket was made.
    pub created_at: Timestamp,
    /// From when on it is good for nothing.
    pub expires_at: Timestamp,
    /// When it was used; `None` until then.
    pub used_at: Option<Timestamp>,
}

const COLUMNS_OF_ONE: &str = "SELECT ledger_id, candidate_id, ticket_hash, purpose, body, created_at, expires_at, \
     used_at FROM candidates WHERE ledger_id = $1 AND ticket_hash = $2";

impl CandidateRow {
    /// Reads `ledger_id, candidate_id, ticket_hash, purpose, body, created_at, expires_at, used_at`.
    fn columns(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            ledger: LedgerId::column(row, 0)?,
            candidate: columns::get(row, 1)?,
            ticket_hash: columns::hash(row, 2)?,
            purpose: columns::get(row, 3)?,
            body: columns::get(row, 4)?,
            created_at: columns::time(row, 5)?,
            expires_at: columns::time(row, 6)?,
            used_at: columns::get::<Option<PgTime>>(row, 7)?.map(|at| at.0),
        })
    }
}

/// What an invitation's row is to say, and what it said when it was read: of two requests by one ticket, one wins.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// As read.
    pub before: &'a Value,
    /// As it becomes.
    pub after: &'a Value,
}

impl Store {
    /// Writes an invitation.
    pub async fn insert_candidate(&self, row: &CandidateRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO candidates \
                 (ledger_id, candidate_id, ticket_hash, purpose, body, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5::text::json, $6, $7)";
        let (id, hash, body) = (row.ledger.get(), row.ticket_hash.0.as_slice(), row.body.to_string());
        let times = (PgTime(row.created_at), PgTime(row.expires_at));
        self.connection()
            .await?
            .write(
                "write an invitation",
                SQL,
                &[&id, &row.candidate, &hash, &row.purpose, &body, &times.0, &times.1],
            )
            .await
            .map(drop)
    }

    /// The invitation that a ticket belongs to, used or not.
    pub async fn candidate_by_ticket(
        &self,
        ledger: LedgerId,
        ticket_hash: Hash,
    ) -> Result<Option<CandidateRow>, StoreError> {
        let connection = self.connection().await?;
        let hash = ticket_hash.0.as_slice();
        let row = connection.query_opt("find an invitation", COLUMNS_OF_ONE, &[&ledger.get(), &hash]).await?;
        row.as_ref().map(CandidateRow::columns).transpose()
    }

    /// The invitations of a ledger, oldest first.
    pub async fn candidates(&self, ledger: LedgerId) -> Result<Vec<CandidateRow>, StoreError> {
        const SQL: &str = "SELECT ledger_id, candidate_id, ticket_hash, purpose, body, created_at, expires_at, used_at \
             FROM candidates WHERE ledger_id = $1 ORDER BY created_at, candidate_id";
        let rows = self.connection().await?.query("list invitations", SQL, &[&ledger.get()]).await?;
        rows.iter().map(CandidateRow::columns).collect()
    }

    /// How many invitations to a founded ledger hold at a moment, used or not: all of them, and those that a member has for
    /// further authenticators.
    pub async fn count_invitations(
        &self,
        ledger: LedgerId,
        member: Option<MemberId>,
        at: Timestamp,
    ) -> Result<(i64, i64), StoreError> {
        const SQL: &str = "SELECT count(*), count(*) FILTER (WHERE purpose = $4 AND body->>'member' = $5) \
             FROM candidates WHERE ledger_id = $1 AND purpose IN ($3, $4) AND expires_at > $2";
        let member = member.map(|member| member.to_string());
        let connection = self.connection().await?;
        let row = connection
            .query_opt(
                "count invitations",
                SQL,
                &[&ledger.get(), &PgTime(at), &ENROLMENT, &CREDENTIAL, &member],
            )
            .await?;
        let counts = row.as_ref().map(|row| Ok((columns::get(row, 0)?, columns::get(row, 1)?)));
        counts.unwrap_or(Ok((0, 0)))
    }

    /// Uses a ticket up, once, and keeps what came with it in place of what was read. [`StoreError::Conflict`] if it has been
    /// used, has expired or never was, or if somebody else wrote in between.
    pub async fn use_candidate(
        &self,
        ledger: LedgerId,
        ticket_hash: Hash,
        bodies: Exchange<'_>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE candidates SET body = $3::text::json, used_at = $4 \
             WHERE ledger_id = $1 AND ticket_hash = $2 AND used_at IS NULL AND expires_at > $4 AND body::text = $5";
        self.exchange("use a ticket", SQL, ledger, ticket_hash, bodies, at).await
    }

    /// Keeps something more about an invitation whose ticket has not been used, in place of what was read.
    /// [`StoreError::Conflict`] if it has been, has expired or never was, or if somebody else wrote in between.
    pub async fn update_candidate(
        &self,
        ledger: LedgerId,
        ticket_hash: Hash,
        bodies: Exchange<'_>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE candidates SET body = $3::text::json \
             WHERE ledger_id = $1 AND ticket_hash = $2 AND used_at IS NULL AND expires_at > $4 AND body::text = $5";
        self.exchange("keep an invitation", SQL, ledger, ticket_hash, bodies, at).await
    }

    async fn exchange(
        &self,
        doing: &'static str,
        sql: &'static str,
        ledger: LedgerId,
        ticket_hash: Hash,
        Exchange { before, after }: Exchange<'_>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, hash) = (ledger.get(), ticket_hash.0.as_slice());
        let (before, after) = (before.to_string(), after.to_string());
        let connection = self.connection().await?;
        match connection.write(doing, sql, &[&id, &hash, &after, &PgTime(at), &before]).await? {
            0 => Err(StoreError::conflict(
                "the ticket has been used or has expired, or another request was faster",
            )),
            _ => Ok(()),
        }
    }

    /// Puts another ticket in the place of one. [`StoreError::Conflict`] if there is no such invitation.
    pub async fn replace_ticket(
        &self,
        ledger: LedgerId,
        candidate: Uuid,
        ticket_hash: Hash,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE candidates SET ticket_hash = $3, expires_at = $4 \
             WHERE ledger_id = $1 AND candidate_id = $2";
        let (id, hash) = (ledger.get(), ticket_hash.0.as_slice());
        let connection = self.connection().await?;
        match connection
            .write("replace a ticket", SQL, &[&id, &candidate, &hash, &PgTime(expires_at)])
            .await?
        {
            0 => Err(StoreError::conflict("there is no such invitation")),
            _ => Ok(()),
        }
    }

    /// Keeps what a ledger is opened with, in the place of an earlier plan. [`StoreError::Conflict`] once the ledger has
    /// its first event: that event and this write wait for each other at the head.
    pub async fn set_founding_plan(&self, ledger: LedgerId, plan: &Value) -> Result<(), StoreError> {
        const DOING: &str = "keep a founding's plan";
        const EMPTY: &str = "SELECT size FROM heads WHERE ledger_id = $1 FOR UPDATE";
        const SQL: &str = "INSERT INTO founding_plans (ledger_id, plan) VALUES ($1, $2::text::json) \
             ON CONFLICT (ledger_id) DO UPDATE SET plan = excluded.plan";
        let id = ledger.get();
        let connection = self.connection().await?;
        connection.begin().await?;
        let head = connection.query_opt(DOING, EMPTY, &[&id]).await?;
        let size = head.as_ref().map(|head| columns::get::<i64>(head, 0)).transpose()?;
        if size != Some(0) {
            connection.rollback().await?;
            return Err(StoreError::conflict("the ledger has been opened"));
        }
        connection.execute(DOING, SQL, &[&id, &plan.to_string()]).await?;
        connection.commit().await
    }

    /// What a ledger was opened with; `None` for one that was opened before plans were kept.
    pub async fn founding_plan(&self, ledger: LedgerId) -> Result<Option<Value>, StoreError> {
        const SQL: &str = "SELECT plan FROM founding_plans WHERE ledger_id = $1";
        let row = self.connection().await?.query_opt("read a founding's plan", SQL, &[&ledger.get()]).await?;
        row.as_ref().map(|row| columns::get(row, 0)).transpose()
    }

    /// Keeps a founder's assertion until all are there. [`StoreError::Conflict`] if this founder has made one already.
    pub async fn insert_founding_assertion(
        &self,
        ledger: LedgerId,
        member: MemberId,
        assertion: &Value,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO founding_assertions (ledger_id, member, assertion) \
             VALUES ($1, $2, $3::text::json)";
        let connection = self.connection().await?;
        connection
            .write("keep an assertion", SQL, &[&ledger.get(), &member.uuid(), &assertion.to_string()])
            .await
            .map(drop)
    }

    /// The founders' assertions, in order of member.
    pub async fn founding_assertions(&self, ledger: LedgerId) -> Result<Vec<(MemberId, Value)>, StoreError> {
        const SQL: &str =
            "SELECT member, assertion FROM founding_assertions WHERE ledger_id = $1 ORDER BY member";
        let rows = self.connection().await?.query("read assertions", SQL, &[&ledger.get()]).await?;
        rows.iter().map(|row| Ok((columns::get::<Uuid>(row, 0)?.into(), columns::get(row, 1)?))).collect()
    }
}
