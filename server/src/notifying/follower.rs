//! From a ledger's events to notices. The position is kept in the database and moves in the transaction that enters the
//! rows: a crash neither loses a notice nor makes one twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{ActionId, MemberId};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::{Founded, OpenAction, Stage};
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::watch;

use super::Notifier;
use super::conditions::{SealingWatch, TICK};
use super::incidents;
use super::model::Kind;
use super::notice::{ActionNotice, Notice, open_seats, row};
use super::rotations::{self, Told};
use crate::clock;
use crate::ledger::{EngineError, Ledger};
use crate::store::StoreError;
use crate::store::rows::StoredEvent;
use crate::store::webhooks::{MAX_LOOK, OutboxRow};
use crate::views::calendar;

/// Shortest time between two looks: a ledger that signs a great deal is not read for each of its events.
const PAUSE: Duration = Duration::from_millis(200);

/// What is older is no news, e.g. where webhooks had been taken out of the configuration for a while.
const OLDEST_NEWS_S: u32 = 24 * 60 * 60;

pub(crate) struct Follower {
    notifier: Arc<Notifier>,
    ledger: Arc<Ledger>,
    /// The position in the database, as last seen.
    entered: u64,
    /// Up to where nothing is to be told beyond it. It runs ahead of `entered` while there is nothing to enter.
    looked: u64,
    /// Actions that were called overdue.
    overdue: HashSet<ActionId>,
    /// Reviews of access that were called due or overdue.
    reviews: HashSet<String>,
    sealing: SealingWatch,
}

impl Follower {
    /// Follows a ledger from where its notices were made up to; a ledger that was never followed, from here on.
    pub(crate) async fn new(notifier: Arc<Notifier>, ledger: Arc<Ledger>) -> Result<Self, EngineError> {
        let position = notifier.store.webhook_position(ledger.id()).await?;
        let sealing = SealingWatch::new(Instant::now());
        Ok(Self {
            notifier,
            ledger,
            entered: position,
            looked: position,
            overdue: HashSet::new(),
            reviews: HashSet::new(),
            sealing,
        })
    }

    /// Runs until `stop` says so.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut size = self.ledger.watch_size();
        loop {
            size.borrow_and_update();
            if let Err(error) = self.look().await {
                tracing::warn!(origin = %self.ledger.origin(), code = error.code(), error = &error as &dyn std::error::Error, "notices lag");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                _ = size.changed() => {}
                // Also without an event of this process: another server may have written, and time passes.
                () = tokio::time::sleep(TICK) => {}
                _ = stop.changed() => return,
            }
        }
    }

    async fn look(&mut self) -> Result<(), EngineError> {
        self.catch_up().await?;
        self.call_overdue().await?;
        self.call_reviews().await?;
        self.sealing.look(&self.notifier, &self.ledger).await
    }

    /// Works through the events up to the head.
    async fn catch_up(&mut self) -> Result<(), EngineError> {
        let (store, id) = (Arc::clone(&self.notifier.store), self.ledger.id());
        let size = store.head(id).await?.map_or(0, |head| head.size);
        while self.looked < size {
            let _turn = store.turn().await?;
            let to = size.min(self.looked.saturating_add(MAX_LOOK));
            let mut rows = Vec::new();
            for stored in store.telling_events(id, self.looked, to).await? {
                rows.extend(self.rows_of(&stored).await?);
            }
            if rows.is_empty() && to - self.entered < MAX_LOOK {
                self.looked = to;
                continue;
            }
            match store.follow_webhooks(id, &rows, self.entered, to).await {
                Ok(()) => (self.entered, self.looked) = (to, to),
                // Another server's follower was here, or was it this one, whose commit went unanswered.
                Err(StoreError::Conflict { .. } | StoreError::CommitUnknown { .. }) => {
                    self.entered = store.webhook_position(id).await?;
                    self.looked = self.entered;
                }
                Err(error) => return Err(error.into()),
            }
            self.notifier.wake();
        }
        Ok(())
    }

    async fn rows_of(&self, stored: &StoredEvent) -> Result<Vec<OutboxRow>, EngineError> {
        let event = parse(stored)?;
        if event.time.plus_seconds(OLDEST_NEWS_S) < clock::now() {
            return Ok(Vec::new());
        }
        if let Some(told) = incidents::told_by(&event.payload) {
            return self.rows_of_incident(&event, told);
        }
        let Some((action, kind, status)) = told_by(&event.payload) else {
            return self.rows_of_rotation(&event).await;
        };
        if self.wanting(kind).next().is_none() {
            return Ok(Vec::new());
        }
        let (document, consents) = self.action_at(action, stored.seq).await?;
        let seats = (kind == Kind::ActionWaiting).then(|| open_seats(&document.quorum, consents.into_iter()));
        if seats.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let about = ActionNotice::new(&document, seats);
        let when = (event.time, Some(stored.seq));
        let notice = Notice::of_action(&self.notifier.notifying, &self.ledger, (kind, status), when, about);
        Ok(self.rows(kind, &format!("seq {}", stored.seq), &notice))
    }

    /// What an event tells of an incident.
    fn rows_of_incident(
        &self,
        event: &Event,
        (kind, status): (Kind, &'static str),
    ) -> Result<Vec<OutboxRow>, EngineError> {
        let (state, seq) = (self.ledger.state(), event.seq.get());
        let id = event.payload.incident();
        let incident = id.map(|id| state.founded()?.incident(id)).transpose()?;
        let Some(about) = incident.and_then(|incident| incidents::about(&event.payload, incident)) else {
            return Ok(Vec::new());
        };
        let when = (event.time, seq);
        let notice = Notice::of_incident(&self.notifier.notifying, &self.ledger, (kind, status), when, about);
        Ok(self.rows(kind, &format!("seq {seq}"), &notice))
    }

    /// What an event tells of a key of a slot.
    async fn rows_of_rotation(&self, event: &Event) -> Result<Vec<OutboxRow>, EngineError> {
        let (kind, status, about) = match rotations::told_by(&event.payload) {
            None => return Ok(Vec::new()),
            Some(Told::Whole(kind, status, about)) => (kind, status, Some(about)),
            Some(Told::OfAction(kind, status, action)) => {
                let document = self.action_at(action, event.seq.get()).await?.0;
                (kind, status, rotations::replaced(&document))
            }
        };
        let Some(about) = about else { return Ok(Vec::new()) };
        let (what, seq) = ((kind, status), event.seq.get());
        let notice =
            Notice::of_rotation(&self.notifier.notifying, &self.ledger, what, (event.time, seq), about);
        Ok(self.rows(kind, &format!("seq {seq}"), &notice))
    }

    /// An action's document, and who had consented when the event of a seq was appended.
    async fn action_at(
        &self,
        action: ActionId,
        seq: u64,
    ) -> Result<(ActionDocument, Vec<(MemberId, Role)>), EngineError> {
        let store = &self.notifier.store;
        let gone = || EngineError::Corrupt("an action's row is missing or can't be read".into());
        let row = store.action(self.ledger.id(), action).await?.ok_or_else(gone)?;
        let document: ActionDocument = serde_json::from_value(row.document.clone()).map_err(|_| gone())?;
        let mut consents = Vec::new();
        for stored in store.events_of_actions(&[row]).await?.iter().filter(|stored| stored.seq <= seq) {
            match parse(stored)?.payload {
                // A break-glass proposal fills a seat itself.
                Payload::ActionProposed(p) if document.kind().is_emergency() => {
                    consents.extend(p.signed.as_ref().map(|signed| (signed.member, signed.role)));
                }
                Payload::ActionApproved(p) => consents.push((p.member, p.role)),
                _ => {}
            }
        }
        Ok((document, consents))
    }

    /// Tells of open actions whose time is three quarters over and whose quorum does not hold. Each is told once: its
    /// delivery ids come from the action, and the rows outlive it.
    async fn call_overdue(&mut self) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let Ok(founded) = state.founded() else { return Ok(()) };
        self.overdue.retain(|action| founded.actions().contains_key(action));
        if self.wanting(Kind::ActionOverdue).next().is_none() {
            return Ok(());
        }
        let at = self.ledger.now();
        for (id, action) in founded.actions() {
            if self.overdue.contains(id) || !is_overdue(founded, action, at) {
                continue;
            }
            let seats = open_seats(&action.document().quorum, consents_in_force(founded, action, at));
            let about = ActionNotice::new(action.document(), Some(seats));
            let what = (Kind::ActionOverdue, "open");
            let notice = Notice::of_action(&self.notifier.notifying, &self.ledger, what, (at, None), about);
            let rows = self.rows(Kind::ActionOverdue, &id.to_string(), &notice);
            self.notifier.store.insert_webhooks(&rows).await?;
            self.overdue.insert(*id);
            self.notifier.wake();
        }
        Ok(())
    }

    /// Tells of reviews of access that are near, and of those that are late: each once a due date.
    async fn call_reviews(&mut self) -> Result<(), EngineError> {
        let (state, milestones) = (self.ledger.state(), self.ledger.milestones());
        let Ok(founded) = state.founded() else { return Ok(()) };
        if self.wanting(Kind::AccessReview).next().is_none() || milestones.founded_at.is_none() {
            return Ok(());
        }
        let at = self.ledger.now();
        for (backend, status, due_at) in calendar::reviews_to_tell(founded, &milestones, at) {
            let cause = format!("{backend} {status} {due_at}");
            if self.reviews.contains(&cause) {
                continue;
            }
            let notice = Notice::of_review(&self.notifier.notifying, &self.ledger, status, at, &backend);
            self.notifier.store.insert_webhooks(&self.rows(Kind::AccessReview, &cause, &notice)).await?;
            self.reviews.insert(cause);
            self.notifier.wake();
        }
        Ok(())
    }

    fn wanting(&self, kind: Kind) -> impl Iterator<Item = &super::model::Webhook> {
        let tenant = self.ledger.tenant();
        self.notifier.notifying.webhooks.iter().filter(move |hook| hook.wants(kind, Some(tenant)))
    }

    fn rows(&self, kind: Kind, cause: &str, notice: &Notice) -> Vec<OutboxRow> {
        let one = |name: &str| row(self.ledger.id(), name, kind, cause, notice.body());
        self.wanting(kind).map(|hook| one(&hook.name)).collect()
    }
}

/// What an event tells of which action, and where that stands after it.
fn told_by(payload: &Payload) -> Option<(ActionId, Kind, &'static str)> {
    match payload {
        Payload::ActionProposed(p) => Some((p.document.action, Kind::ActionWaiting, "open")),
        Payload::ActionApproved(p) => Some((p.action, Kind::ActionWaiting, "open")),
        Payload::ActionExecuting(p) => Some((p.action, Kind::ActionApproved, "executing")),
        Payload::ActionExecuted(p) => Some((p.action, Kind::ActionApproved, "executed")),
        Payload::ActionRejected(p) => Some((p.action, Kind::ActionRefused, "rejected")),
        Payload::ActionFailed(p) => Some((p.action, Kind::ActionRefused, "failed")),
        Payload::ActionExpired(p) => Some((p.action, Kind::ActionRefused, "expired")),
        Payload::ActionVoided(p) => Some((p.action, Kind::ActionRefused, "voided")),
        // Whoever keeps a list of what waits has to hear of every end.
        Payload::ActionCancelled(p) => Some((p.action, Kind::ActionRefused, "cancelled")),
        _ => None,
    }
}

/// Whether three quarters of the time that people were given are over while the quorum does not hold.
fn is_overdue(founded: &Founded, action: &OpenAction, at: Timestamp) -> bool {
    let document = action.document();
    action.stage() == Stage::Open
        && at >= overdue_at(document.proposed_at, document.expires_at)
        && at < document.expires_at
        && !founded.quorum_holds(action, at)
}

fn overdue_at(proposed_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    let (begin, end) = (proposed_at.unix_micros(), expires_at.unix_micros());
    let due = begin.saturating_add(end.saturating_sub(begin).max(0) / 4 * 3);
    Timestamp::from_unix_micros(due).unwrap_or(expires_at)
}

/// The consents that count at a moment: an approver who was suspended since has left the seat.
fn consents_in_force<'a>(
    founded: &'a Founded,
    action: &'a OpenAction,
    at: Timestamp,
) -> impl Iterator<Item = (MemberId, Role)> + 'a {
    let own = action.proposal().signed.as_ref().filter(|_| action.document().kind().is_emergency());
    action
        .approvals()
        .iter()
        .chain(own)
        .filter(move |approval| founded.counts(approval, at))
        .map(|approval| (approval.member, approval.role))
}

fn parse(stored: &StoredEvent) -> Result<Event, EngineError> {
    let unreadable = || EngineError::Corrupt("a stored event can't be read".into());
    let envelope = Envelope::parse(&stored.bytes).map_err(|_| unreadable())?;
    Event::from_envelope(envelope).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_overdue_after_three_quarters_of_its_time() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (begin, end) = (at("2026-01-01T00:00:00.000000Z"), at("2026-01-01T04:00:00.000000Z"));
        assert_eq!(overdue_at(begin, end), at("2026-01-01T03:00:00.000000Z"));
        assert_eq!(overdue_at(end, begin), end);
    }
}
