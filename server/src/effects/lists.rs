//! Revocation lists come by themselves: at once where something was revoked, and otherwise long before the last one ends.
//! Keys are destroyed once people have approved it, of a CA after its last list.

use std::sync::Arc;
use std::time::Instant;

use sealbook_ledger::action::Params;
use sealbook_ledger::command::{Command, CrlCommand, CrlLife, CrlOutcome};
use sealbook_ledger::ids::{ActionId, KeyId, Seq};
use sealbook_ledger::revocation::{Crl, MAX_CRL_LIFE_S, REVOKING};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::{Founded, OpenAction};
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::watch;

use super::waits::{Setback, Subject, Waits};
use super::{ABANDON_AFTER_S, Effects, Step, TICK};
use crate::clock;
use crate::custody::CustodyError;
use crate::devices::{Devices, SIGNING_DEADLINE, custody_error};
use crate::ledger::{EngineError, Ledger, Submission};
use crate::signing::Signer;

/// How old a list gets before the next one, in seconds: 3 days. A device that is away for as long again keeps nobody without
/// a list.
const RENEW_AFTER_S: u32 = 3 * 24 * 60 * 60;

/// Keeps the lists of a ledger's CAs: a runner of its own, so that nothing else that a device does holds a revocation up.
pub(crate) struct Lists {
    ledger: Arc<Ledger>,
    devices: Devices,
    signer: Arc<Signer>,
    waits: Waits,
}

impl Lists {
    pub(crate) fn new(ledger: Arc<Ledger>, devices: Devices, signer: Arc<Signer>) -> Self {
        Self { ledger, devices, signer, waits: Waits::default() }
    }

    /// Runs until `stop` says so.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (mut size, mut pauses) = (self.ledger.watch_size(), self.ledger.clock().pauses());
        self.tell_lost();
        while !*stop.borrow() {
            size.borrow_and_update();
            self.abandon().await;
            self.note().await;
            for key in self.due() {
                let signed = self.sign(key).await;
                if let Err(setback) = &signed {
                    let error = &setback.error;
                    tracing::warn!(origin = %self.ledger.origin(), %key, code = error.code(), error = error as &dyn std::error::Error, "a revocation list has to wait");
                }
                self.waits.note(Subject::List(key), &signed, self.ledger.clock().steady());
            }
            tokio::select! {
                _ = size.changed() => {}
                () = pauses.pause(TICK) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Says at the start which lists readers have and the ledger has not.
    fn tell_lost(&self) {
        let state = self.ledger.state();
        let Ok(founded) = state.founded() else { return };
        for key in founded.list_signers() {
            if let Some(newest) = self.lost(founded, key) {
                tracing::error!(origin = %self.ledger.origin(), %key, lost = %newest, size = self.ledger.size(), "a revocation list that was handed out is lost: none is, until there is one with a higher number");
            }
        }
    }

    /// The number of a list that was handed out and that the ledger has lost.
    fn lost(&self, founded: &Founded, key: KeyId) -> Option<Seq> {
        self.ledger.list_numbers.lost(key, founded.crls().get(&key).map(|crl| crl.number))
    }

    /// The keys that owe a list, and were not asked for it in vain just now.
    fn due(&self) -> Vec<KeyId> {
        let state = self.ledger.state();
        let Some(founded) = state.founded().ok().filter(|founded| founded.rules() >= REVOKING) else {
            return Vec::new();
        };
        let (at, now) = (self.ledger.now(), self.ledger.clock().steady());
        let due = founded.list_signers().filter(|key| match self.lost(founded, *key) {
            // Its number would be one that readers have seen, or lower: the ledger's next events change that.
            Some(newest) if self.ledger.size() <= newest.get() => false,
            newest => is_due(founded, *key, newest.is_some(), at),
        });
        due.filter(|key| !self.waits.holds(Subject::List(*key), now)).collect()
    }

    async fn sign(&self, key: KeyId) -> Result<(), Setback> {
        let state = self.ledger.state();
        device_of(&self.devices, state.founded()?, key)?;
        let lasting = CrlLife::Seconds(MAX_CRL_LIFE_S);
        let number = self.signer.authorize_list(&self.ledger, key, lasting, clock::correlation()).await?;
        self.signer.perform_list(&self.ledger, number, key).await.map_err(Setback::on_record)
    }

    /// Notes the numbers of all lists that there are: whoever hands one out finds that done, also where another server had it
    /// signed.
    async fn note(&self) {
        let state = self.ledger.state();
        let Ok(founded) = state.founded() else { return };
        for (key, crl) in founded.crls() {
            if let Err(error) = self.ledger.list_numbers.note(*key, crl.number).await {
                tracing::error!(origin = %self.ledger.origin(), %key, error = &error as &dyn std::error::Error, "a list is not handed out");
            }
        }
    }

    /// Ends what nobody knows the outcome of.
    async fn abandon(&self) {
        let (state, at) = (self.ledger.state(), self.ledger.now());
        let Ok(founded) = state.founded() else { return };
        let pending = founded.pending_crls().iter();
        let over = pending.filter(|(_, p)| at >= p.expires_at.plus_seconds(ABANDON_AFTER_S));
        for authorization in over.map(|(seq, _)| *seq) {
            let abandon = CrlCommand::Settle { authorization, outcome: CrlOutcome::Abandoned };
            // Refused, somebody else was first; anything else is tried again at the next tick.
            if let Err(error) = self.ledger.submit(Submission::new(Command::List(abandon))).await {
                tracing::debug!(origin = %self.ledger.origin(), code = error.code(), "a list was not abandoned");
            }
        }
    }
}

/// Nothing is authorised for a device that is known to be away.
fn device_of(devices: &Devices, founded: &Founded, key: KeyId) -> Result<(), EngineError> {
    let held = founded.keys().get(&key).ok_or(Rule::KeyUnknown)?;
    devices.present(&founded.slot(&held.slot)?.backend).map(drop)
}

impl Effects {
    /// What the destruction of a key needs next. Whoever takes it up may: a device that has forgotten a key has nothing to
    /// forget a second time.
    pub(super) fn destruction_step(
        &self,
        founded: &Founded,
        action: ActionId,
        open: &OpenAction,
    ) -> Option<Step> {
        let Params::KeyDestroy(params) = &open.document().params else { return None };
        let key = params.key;
        if founded.pending_crls().values().any(|pending| pending.key == key) {
            return None;
        }
        let step = match founded.owes_last_list(key) {
            true => Step::LastList { action, key },
            false => Step::Destroy { action, key },
        };
        Some(step).filter(|step| !self.has_to_wait(step))
    }

    /// The list after which a key signs none.
    pub(super) async fn sign_last_list(&self, action: ActionId, key: KeyId) -> Result<(), Setback> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        device_of(&self.devices, founded, key)?;
        let correlation = founded.action(action)?.proposal().correlation;
        let lasting = CrlLife::Last(action);
        let number = self.signer.authorize_list(&self.ledger, key, lasting, correlation).await?;
        self.signer.perform_list(&self.ledger, number, key).await.map_err(Setback::on_record)
    }

    /// Has the device forget a key, and records that it has.
    pub(super) async fn destroy(&self, action: ActionId, key: KeyId) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        let held = founded.keys().get(&key).ok_or(Rule::KeyUnknown)?;
        let material = held.material().ok_or(Rule::KeyUnknown)?;
        let device = self.devices.present(&founded.slot(&held.slot)?.backend)?;
        let deadline = Instant::now() + SIGNING_DEADLINE;
        match device.destroy(&held.label, material.spki_sha256, deadline).await {
            Ok(()) => self.submit(Command::KeyDestroyed(action)).await,
            Err(error @ CustodyError::Unavailable { .. }) => Err(custody_error(error)),
            Err(error) if error.outcome_is_unknown() => Err(custody_error(error)),
            Err(error) => self.give_up(action, custody_error(error)).await,
        }
    }
}

/// Whether a key owes a list: also one in the place of a later one that is lost. Nobody can follow a list whose issuer's
/// certificate has ended.
fn is_due(founded: &Founded, key: KeyId, lost: bool, at: Timestamp) -> bool {
    let signing = founded.pending_crls().values().any(|pending| pending.key == key);
    let ended = founded.certificate_of(key).is_none_or(|issued| at.second() > issued.not_after);
    let last = founded.crls().get(&key);
    let old = |crl: &Crl| at >= crl.this_update().plus_seconds(RENEW_AFTER_S);
    match last {
        _ if signing || ended => false,
        _ if lost => true,
        Some(crl) if crl.is_last() => !founded.is_list_complete(key),
        Some(crl) => old(crl) || !founded.is_list_complete(key),
        None => true,
    }
}
