//! The signatures' read table: insert-only rows, written behind the ledger by a task that keeps its position.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::payload::{Payload, SignatureAuthorized};
use tokio::sync::watch;

use crate::ledger::{EngineError, Ledger};
use crate::store::load::MAX_PAGE;
use crate::store::rows::StoredEvent;
use crate::store::signatures::{Outcome, SignatureRow};
use crate::store::{LedgerId, Store, StoreError};

/// Shortest time between two writings: a ledger that signs a great deal has many rows a commit.
const PAUSE: Duration = Duration::from_millis(50);

/// Rows that are read before others get their turn on the thread.
const ROWS_AT_A_TIME: usize = 50;

/// How long a projector waits after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Authorisations that are remembered between their event and its outcome.
const MAX_REMEMBERED: usize = 10_000;

pub(crate) struct Projector {
    store: Arc<Store>,
    ledger: LedgerId,
    authorized: HashMap<u64, Authorized>,
    /// Unknown until it was read, and again after every failure.
    position: Option<Position>,
}

/// How far a projector is.
#[derive(Clone, Copy)]
struct Position {
    /// What the database says.
    entered: u64,
    /// Up to where there is nothing to enter beyond that: positions are not written for the sake of other events.
    looked: u64,
}

impl Position {
    fn at(entered: u64) -> Self {
        Self { entered, looked: entered }
    }
}

#[derive(Clone)]
struct Authorized {
    payload: SignatureAuthorized,
    caller: String,
}

impl Projector {
    pub(crate) fn new(store: Arc<Store>, ledger: LedgerId) -> Self {
        Self { store, ledger, authorized: HashMap::new(), position: None }
    }

    /// Follows a ledger until `stop` says so.
    pub(crate) async fn run(mut self, ledger: Arc<Ledger>, mut stop: watch::Receiver<bool>) {
        let mut size = ledger.watch_size();
        loop {
            let target = *size.borrow_and_update();
            if let Err(error) = self.catch_up(target).await {
                tracing::warn!(origin = %ledger.origin(), error = &error as &dyn std::error::Error, "the signatures' read table lags");
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => continue,
                    _ = stop.changed() => return,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                _ = size.changed() => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Works through the events up to `target`.
    pub(crate) async fn catch_up(&mut self, target: u64) -> Result<(), EngineError> {
        let store = Arc::clone(&self.store);
        let mut position = match self.position {
            Some(position) => position,
            None => Position::at(self.store.signatures_position(self.ledger).await?),
        };
        self.position = None;
        while position.looked < target {
            let to = target.min(position.looked + MAX_PAGE as u64);
            let _turn = store.turn().await?;
            let page = self.store.signature_events(self.ledger, position.looked, to).await?;
            // A database that has lost its end: what comes back is worked through then.
            if page.last().is_none_or(|last| last.seq + 1 != to) {
                break;
            }
            let mut rows = Vec::with_capacity(page.len());
            for (n, stored) in page.iter().enumerate() {
                rows.extend(self.row(stored).await?);
                if n % ROWS_AT_A_TIME == ROWS_AT_A_TIME - 1 {
                    tokio::task::yield_now().await;
                }
            }
            if rows.is_empty() && to - position.entered < MAX_PAGE as u64 {
                position.looked = to;
                continue;
            }
            match self.store.insert_signatures(self.ledger, &rows, position.entered, to).await {
                Ok(()) => position = Position::at(to),
                // Another server's projector was here.
                Err(StoreError::Conflict { .. }) => {
                    position = Position::at(self.store.signatures_position(self.ledger).await?);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.position = Some(position);
        Ok(())
    }

    async fn row(&mut self, stored: &StoredEvent) -> Result<Option<SignatureRow>, EngineError> {
        if !stored.kind.starts_with("signature.") {
            return Ok(None);
        }
        let event = parse(stored)?;
        let (authorization, outcome) = match &event.payload {
            Payload::SignatureAuthorized(payload) => {
                if self.authorized.len() >= MAX_REMEMBERED {
                    self.authorized.clear();
                }
                let known = Authorized { payload: (**payload).clone(), caller: event.actor.id() };
                self.authorized.insert(stored.seq, known);
                (stored.seq, Outcome::Authorized)
            }
            Payload::SignatureCreated(p) => (p.authorization.get(), Outcome::Created),
            Payload::SignatureFailed(p) => (p.authorization.get(), Outcome::Failed),
            Payload::SignatureWithheld(p) => (p.authorization.get(), Outcome::Withheld),
            Payload::SignatureAbandoned(p) => (p.authorization.get(), Outcome::Abandoned),
            _ => return Ok(None),
        };
        let known = self.authorization(authorization).await?;
        if outcome != Outcome::Authorized {
            self.authorized.remove(&authorization);
        }
        Ok(Some(SignatureRow {
            seq: stored.seq,
            authorized_seq: authorization,
            slot: known.payload.slot,
            key: known.payload.key,
            digest: known.payload.digest.0,
            outcome,
            caller: known.caller,
            time: event.time,
        }))
    }

    async fn authorization(&mut self, seq: u64) -> Result<Authorized, EngineError> {
        if let Some(known) = self.authorized.get(&seq) {
            return Ok(known.clone());
        }
        let page = self.store.page(self.ledger, seq, 1).await?;
        let stored =
            page.first().ok_or_else(|| EngineError::Corrupt("an authorisation is missing".into()))?;
        let event = parse(stored)?;
        match event.payload {
            Payload::SignatureAuthorized(payload) => {
                Ok(Authorized { payload: *payload, caller: event.actor.id() })
            }
            _ => Err(EngineError::Corrupt("a signature refers to what is no authorisation".into())),
        }
    }
}

fn parse(stored: &StoredEvent) -> Result<Event, EngineError> {
    let unreadable = || EngineError::Corrupt("a stored event can't be read".into());
    let envelope = Envelope::parse(&stored.bytes).map_err(|_| unreadable())?;
    Event::from_envelope(envelope).map_err(|_| unreadable())
}
