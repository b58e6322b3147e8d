//! Notification: what people should look at is told to other systems by webhooks.
//!
//! A [`follower`] a ledger makes rows from events, [`conditions`] makes them from how devices and sealing are, and a
//! [`courier`] a destination delivers them: signed, retried, at least once. Nothing in a notice can act, and nothing
//! waits for one.

pub mod address;
mod backoff;
mod conditions;
mod courier;
mod follower;
mod incidents;
pub mod model;
mod notice;
mod post;
mod rotations;
pub mod signature;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::devices::Devices;
use crate::ledger::{EngineError, Ledger};
use crate::store::Store;
use courier::{Courier, Tally};
use follower::Follower;
use model::Webhook;
use post::Post;

/// How often rows are given up and deleted that nobody will deliver any more.
const TIDY: Duration = Duration::from_secs(10 * 60);

/// Who is told, and where the pages are.
#[derive(Debug, Clone)]
pub struct Notifying {
    /// The destinations; none is fine.
    pub webhooks: Vec<Webhook>,
    /// Where people visit the server, without a slash at its end.
    pub public_url: String,
}

/// How a destination does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Notices that wait or are tried again, of every server, as counted a few seconds ago.
    pub pending: u64,
    /// Notices that were given up, of every server, as long as they are kept.
    pub dead: u64,
    /// Requests of this process that arrived.
    pub delivered: u64,
    /// Requests of this process that did not.
    pub failed: u64,
}

/// What the tasks of notification share.
pub struct Notifier {
    notifying: Notifying,
    store: Arc<Store>,
    post: Post,
    tallies: Vec<Arc<Tally>>,
    wake: watch::Sender<()>,
    /// What other servers know this process by.
    reporter: Uuid,
}

impl Notifier {
    /// Over a store; starts nothing yet.
    pub(crate) fn new(notifying: Notifying, store: Arc<Store>) -> Self {
        let post = Post::new(&notifying.webhooks);
        let tallies = notifying.webhooks.iter().map(|_| Arc::default()).collect();
        Self { notifying, store, post, tallies, wake: watch::Sender::new(()), reporter: Uuid::now_v7() }
    }

    /// The destinations.
    pub fn webhooks(&self) -> &[Webhook] {
        &self.notifying.webhooks
    }

    /// How each destination does.
    pub fn standings(&self) -> Vec<Standing> {
        let standing = |(hook, tally): (&Webhook, &Arc<Tally>)| Standing {
            name: hook.name.clone(),
            pending: tally.pending.load(Ordering::Relaxed),
            dead: tally.dead.load(Ordering::Relaxed),
            delivered: tally.delivered.load(Ordering::Relaxed),
            failed: tally.failed.load(Ordering::Relaxed),
        };
        self.notifying.webhooks.iter().zip(&self.tallies).map(standing).collect()
    }

    fn wake(&self) {
        self.wake.send_replace(());
    }

    /// Starts what belongs to no ledger: a worker a destination, and the watch over the devices.
    pub(crate) fn start(
        self: &Arc<Self>,
        devices: &Devices,
        stop: &watch::Sender<bool>,
    ) -> Vec<JoinHandle<()>> {
        if self.notifying.webhooks.is_empty() {
            return Vec::new();
        }
        let couriers = self.notifying.webhooks.iter().zip(&self.tallies).map(|(webhook, tally)| {
            let (notifier, webhook, tally) = (Arc::clone(self), webhook.clone(), Arc::clone(tally));
            tokio::spawn(Courier { notifier, webhook, tally }.run(stop.subscribe()))
        });
        let watching = conditions::watch_devices(Arc::clone(self), devices.clone(), stop.subscribe());
        let tidying = tidy(Arc::clone(&self.store), stop.subscribe());
        couriers.chain([tokio::spawn(watching), tokio::spawn(tidying)]).collect()
    }

    /// Starts to follow a ledger; what is appended once this has returned is told, whatever happens to this process.
    pub(crate) async fn follow(
        self: &Arc<Self>,
        ledger: &Arc<Ledger>,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<JoinHandle<()>>, EngineError> {
        if self.notifying.webhooks.is_empty() {
            return Ok(None);
        }
        let follower = Follower::new(Arc::clone(self), Arc::clone(ledger)).await?;
        Ok(Some(tokio::spawn(follower.run(stop))))
    }
}

async fn tidy(store: Arc<Store>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = store.tidy_webhooks().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old webhooks can't be tidied");
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY) => {}
            _ = stop.changed() => return,
        }
    }
}
