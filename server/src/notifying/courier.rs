//! A destination's worker: takes what is due, sends it, and notes what came of it. A destination that does not answer
//! delays nobody else's notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::Notifier;
use super::backoff::pause;
use super::model::Webhook;
use crate::ledger::EngineError;
use crate::store::webhooks::Claimed;
use crate::store::{LedgerId, Store};
use crate::views::{ViewError, actions};

/// Requests to one destination at the same time.
const AT_ONCE: usize = 2;

/// How often a worker looks for what is due where nothing wakes it.
const LOOK: Duration = Duration::from_secs(1);

/// How often what waits and what was given up is counted.
const COUNT: Duration = Duration::from_secs(5);

/// Longest body in bytes: one that would be longer goes without what is disclosed.
const MAX_BODY: usize = 64 * 1024;

/// How a destination does, as this process knows it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) pending: AtomicU64,
    pub(crate) dead: AtomicU64,
}

pub(crate) struct Courier {
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) webhook: Webhook,
    pub(crate) tally: Arc<Tally>,
}

impl Courier {
    /// Runs until `stop` says so; requests under way end first.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut wake = self.notifier.wake.subscribe();
        let mut counted: Option<Instant> = None;
        while !*stop.borrow() {
            wake.borrow_and_update();
            let mut busy = false;
            match self.round().await {
                Ok(tried) => busy = tried > 0,
                Err(error) => {
                    tracing::warn!(
                        webhook = self.webhook.name,
                        error = &error as &dyn std::error::Error,
                        "webhooks wait"
                    );
                }
            }
            if counted.is_none_or(|at| at.elapsed() >= COUNT) && self.count().await.is_ok() {
                counted = Some(Instant::now());
            }
            if busy {
                continue;
            }
            tokio::select! {
                _ = wake.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Tries what is due, a few of each ledger; says how many that were.
    async fn round(&self) -> Result<usize, EngineError> {
        let store = &self.notifier.store;
        let mut tried = 0;
        for ledger in store.webhooks_due(&self.webhook.name).await? {
            let claimed = store.claim_webhooks(ledger, &self.webhook.name, AT_ONCE).await?;
            tried += claimed.len();
            let sending = claimed.iter().map(|claimed| self.deliver(claimed));
            for done in futures_util::future::join_all(sending).await {
                done?;
            }
        }
        Ok(tried)
    }

    async fn deliver(&self, claimed: &Claimed) -> Result<(), EngineError> {
        let (store, hook) = (&self.notifier.store, &self.webhook);
        let body = match self.body(claimed).await {
            Ok(body) => body,
            // One row that can't be read waits by itself, and holds up no other.
            Err(error) => {
                tracing::error!(webhook = hook.name, delivery = %claimed.row.delivery, %error, "a webhook can't be written");
                let pause = pause(claimed.attempt, rand::random());
                return Ok(store.put_off_webhook(claimed, "unreadable", pause).await?);
            }
        };
        let sent = self.notifier.post.send(hook, claimed.row.delivery, body).await;
        let outcome = sent.to_string();
        if sent.arrived() {
            self.tally.delivered.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(webhook = hook.name, delivery = %claimed.row.delivery, kind = claimed.row.kind, "a webhook arrived");
            return Ok(store.settle_webhook(claimed, &outcome).await?);
        }
        self.tally.failed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(webhook = hook.name, delivery = %claimed.row.delivery, kind = claimed.row.kind, attempt = claimed.attempt, outcome, "a webhook did not arrive");
        let pause = pause(claimed.attempt, rand::random());
        Ok(store.put_off_webhook(claimed, &outcome, pause).await?)
    }

    /// The row's body with its delivery id, and with what is disclosed where the destination may know it. That is looked up
    /// for each attempt and kept nowhere: what was erased in the meantime is not told.
    async fn body(&self, claimed: &Claimed) -> Result<Vec<u8>, EngineError> {
        let Value::Object(mut body) = claimed.row.body.clone() else {
            return Err(EngineError::Corrupt("a webhook's body is no object".into()));
        };
        body.insert("delivery".to_owned(), claimed.row.delivery.to_string().into());
        let plain = bytes(&body)?;
        if !self.webhook.disclose || claimed.row.ledger == LedgerId::DEPLOYMENT {
            return Ok(plain);
        }
        let disclosed = disclosed(&self.notifier.store, claimed.row.ledger, &body).await;
        let disclosed =
            disclosed.map_err(|error| EngineError::fault("what a webhook discloses can't be read", error))?;
        let Some(disclosed) = disclosed else { return Ok(plain) };
        body.insert("disclosed".to_owned(), disclosed);
        let whole = bytes(&body)?;
        Ok(if whole.len() > MAX_BODY { plain } else { whole })
    }

    async fn count(&self) -> Result<(), EngineError> {
        let (pending, dead) = self.notifier.store.webhook_backlog(&self.webhook.name).await?;
        self.tally.pending.store(pending, Ordering::Relaxed);
        self.tally.dead.store(dead, Ordering::Relaxed);
        Ok(())
    }
}

fn bytes(body: &Map<String, Value>) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(body).map_err(|error| EngineError::fault("a webhook's body", error))
}

/// The sentence of the action that a notice is about, its reason, and who proposed it.
async fn disclosed(
    store: &Store,
    ledger: LedgerId,
    body: &Map<String, Value>,
) -> Result<Option<Value>, ViewError> {
    let id = body.get("action").and_then(|action| action.get("id")).and_then(Value::as_str);
    let Some(id) = id.and_then(|id| id.parse::<uuid::Uuid>().ok()) else { return Ok(None) };
    let Some(action) = actions::one(store, ledger, id.into()).await? else { return Ok(None) };
    let names = crate::views::Names::load(store, ledger).await?;
    let mut disclosed = Map::new();
    disclosed.insert("sentence".to_owned(), action.sentence.into());
    disclosed.insert("proposed_by".to_owned(), names.proposer(action.proposed_by).into());
    if let Some(reason) = action.reason {
        disclosed.insert("reason".to_owned(), reason.into());
    }
    Ok(Some(Value::Object(disclosed)))
}
