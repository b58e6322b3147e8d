//! What has to happen without anybody asking: approved actions begin, devices make keys, and what ran out of time ends.
//!
//! An authorised event → a device call → an outcome command. One runner a ledger in a process; what another server began
//! is left to it until its time is over.

mod calendar;
mod incidents;
mod lists;
mod packs;
mod rotating;
mod waits;

pub(crate) use lists::Lists;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook_ledger::action::Params;
use sealbook_ledger::command::{Command, DocumentSubject, RotationCommand};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{ActionId, BackendName, CertificateId, Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::payload::NextVkey;
use sealbook_ledger::slot::{Key, KeyState};
use sealbook_ledger::state::{Founded, OpenAction, Progress, Stage};
use sealbook_ledger::timestamp::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use crate::custody::{CustodyError, DeviceKey};
use crate::devices::{Devices, GENERATION_DEADLINE, custody_error};
use crate::ledger::{Disclosure, EngineError, Ledger, Submission, failure_code};
use crate::packs::Packs;
use crate::signing::Signer;
use crate::store::{LedgerId, Store};
use waits::{Setback, Subject, Waits};

/// How long an execution may take, in seconds.
const EXECUTION_S: u32 = 5 * 60;

/// How often the runner looks at the clock where no event wakes it.
const TICK: Duration = Duration::from_secs(1);

/// How long after a look in vain the device is asked again for an interrupted key.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// An authorisation is left to whoever made it for this long after its expiry.
const ABANDON_AFTER_S: u32 = 5;

pub(crate) struct Effects {
    ledger: Arc<Ledger>,
    store: Arc<Store>,
    devices: Devices,
    /// Executions that this process began; it alone has devices make keys for them.
    mine: HashSet<ActionId>,
    /// When the device was last asked for a key that another process began to make, by the ledger's clock like the rest.
    looked: HashMap<KeyId, Instant>,
    signer: Arc<Signer>,
    waits: Waits,
    /// In which turn the rotation of which key was last proposed.
    proposed: HashMap<KeyId, i64>,
    packs: Packs,
    /// When the events were last looked through for what came round.
    reckoned: Option<Instant>,
}

/// One thing to do next.
enum Step {
    Submit(Command),
    Begin(ActionId),
    MakeSlotKey { key: KeyId },
    FindSlotKey { key: KeyId },
    FindAdopted(ActionId),
    MakeLedgerKey { action: ActionId, backend: BackendName },
    MakeEvidenceKey { action: ActionId, backend: BackendName },
    Generate(ActionId),
    SignCertificate(CertificateId),
    Canary(ActionId),
    RecordCanary(ActionId),
    Rotate { of: Uuid, correlation: Correlation, command: RotationCommand },
    Propose { slot: SlotName, key: KeyId },
    Issue { about: DocumentSubject, of: Uuid, correlation: Correlation },
    LastList { action: ActionId, key: KeyId },
    Destroy { action: ActionId, key: KeyId },
}

impl Step {
    /// What a rotation's step is about; none for steps that are simply tried again at the next tick.
    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Generate(action) => Some(Subject::NewKey(*action)),
            Self::Canary(action) | Self::Destroy { action, .. } => Some(Subject::Signature(action.uuid())),
            Self::Issue { of, .. } => Some(Subject::Signature(*of)),
            Self::LastList { key, .. } => Some(Subject::List(*key)),
            Self::SignCertificate(id) => Some(Subject::Signature(id.uuid())),
            Self::RecordCanary(action) => Some(Subject::Record(action.uuid())),
            Self::Rotate { of, .. } => Some(Subject::Record(*of)),
            Self::Propose { key, .. } => Some(Subject::Record(key.uuid())),
            Self::Submit(_)
            | Self::Begin(_)
            | Self::MakeSlotKey { .. }
            | Self::FindSlotKey { .. }
            | Self::FindAdopted(_)
            | Self::MakeLedgerKey { .. }
            | Self::MakeEvidenceKey { .. } => None,
        }
    }
}

impl Effects {
    pub(crate) fn new(ledger: Arc<Ledger>, store: Arc<Store>, devices: Devices, signer: Arc<Signer>) -> Self {
        Self {
            packs: Packs::new(Arc::clone(&store), devices.clone()),
            ledger,
            store,
            devices,
            mine: HashSet::new(),
            looked: HashMap::new(),
            signer,
            waits: Waits::default(),
            proposed: HashMap::new(),
            reckoned: None,
        }
    }

    /// Runs until `stop` says so.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (mut size, mut pauses) = (self.ledger.watch_size(), self.ledger.clock().pauses());
        loop {
            size.borrow_and_update();
            let mut waits = false;
            self.forget_what_ended();
            self.reckon().await;
            for step in self.steps() {
                if *stop.borrow() {
                    return;
                }
                let subject = step.subject();
                let taken = self.take(step).await;
                if let Some(subject) = subject {
                    self.waits.note(subject, &taken, self.ledger.clock().steady());
                }
                match taken.map_err(|setback| setback.error) {
                    Ok(()) => {}
                    // Somebody else was first, or it is not time yet: it is not tried again at once.
                    Err(EngineError::Refused(refusal)) => {
                        tracing::debug!(origin = %self.ledger.origin(), code = refusal.code(), "an effect was refused");
                    }
                    Err(error) => {
                        waits = true;
                        tracing::warn!(origin = %self.ledger.origin(), code = error.code(), error = &error as &dyn std::error::Error, "an effect has to wait");
                    }
                }
            }
            tokio::select! {
                // After a failure the clock alone wakes: the failure itself may have moved the ledger.
                _ = size.changed(), if !waits => {}
                () = pauses.pause(TICK) => {}
                _ = stop.changed() => return,
            }
        }
    }

    fn forget_what_ended(&mut self) {
        let state = self.ledger.state();
        let Ok(founded) = state.founded() else { return };
        let preparing = |action: &ActionId| {
            founded.rotations().get(action).is_some_and(|rotation| rotation.is_preparing())
        };
        self.mine.retain(|action| founded.actions().contains_key(action) || preparing(action));
        let made = |key: &KeyId| founded.keys().get(key).is_some_and(|key| key.material().is_some());
        self.looked.retain(|key, _| !made(key));
    }

    fn steps(&self) -> Vec<Step> {
        let state = self.ledger.state();
        let Ok(founded) = state.founded() else { return Vec::new() };
        let at = self.ledger.now();
        let mut steps: Vec<Step> = founded
            .actions()
            .iter()
            .filter_map(|(id, action)| self.step_of(founded, *id, action, at))
            .collect();
        let overdue = |seq: &Seq| {
            founded
                .pending_signatures()
                .get(seq)
                .is_some_and(|p| at >= p.expires_at.plus_seconds(ABANDON_AFTER_S))
        };
        let abandoned = founded.pending_signatures().keys().filter(|seq| overdue(seq));
        steps.extend(abandoned.map(|seq| Step::Submit(Command::Abandon(*seq))));
        steps.extend(self.rotation_steps(founded, at));
        steps.extend(self.calendar_steps(founded, at));
        steps.extend(incidents::escalations(founded, at));
        steps.extend(self.pack_steps(founded, at));
        steps
    }

    /// Whether a step failed so lately that it has to wait.
    fn has_to_wait(&self, step: &Step) -> bool {
        step.subject().is_some_and(|subject| self.waits.holds(subject, self.ledger.clock().steady()))
    }

    /// How much time has passed since a moment of the ledger's clock.
    fn since(&self, moment: Instant) -> Duration {
        self.ledger.clock().steady().saturating_duration_since(moment)
    }

    fn step_of(&self, founded: &Founded, id: ActionId, action: &OpenAction, at: Timestamp) -> Option<Step> {
        let document = action.document();
        match action.stage() {
            Stage::Open if at >= document.expires_at => Some(Step::Submit(Command::Expire(id))),
            Stage::Open if founded.is_outdated(action) => Some(Step::Submit(Command::Void(id))),
            Stage::Open => founded.may_begin(action, at).then_some(Step::Begin(id)),
            Stage::Executing { expires_at, progress } => {
                self.continue_with(founded, id, action, progress, at >= expires_at)
            }
        }
    }

    fn continue_with(
        &self,
        founded: &Founded,
        action: ActionId,
        open: &OpenAction,
        progress: Progress,
        over: bool,
    ) -> Option<Step> {
        let mine = self.mine.contains(&action);
        match progress {
            Progress::Generating(key) if mine && !over => Some(Step::MakeSlotKey { key }),
            Progress::Generating(key) => self.interrupted(founded, key),
            Progress::SlotCreated if !over && matches!(open.document().params, Params::KeyAdopt(_)) => {
                Some(Step::FindAdopted(action))
            }
            Progress::NotBegun if !over && matches!(open.document().params, Params::KeyDestroy(_)) => {
                self.destruction_step(founded, action, open)
            }
            Progress::NotBegun if mine && !over => match &open.document().params {
                Params::LedgerKeyRotate(p) | Params::LedgerKeyRecover(p) => {
                    Some(Step::MakeLedgerKey { action, backend: p.backend.clone() })
                }
                Params::LedgerEvidenceKeySet(p) => {
                    Some(Step::MakeEvidenceKey { action, backend: p.backend.clone() })
                }
                // Every other effect is recorded with its beginning.
                _ => None,
            },
            Progress::NotBegun | Progress::SlotCreated | Progress::Broken => {
                over.then(|| failed(action, "execution.expired")).flatten()
            }
            Progress::Generated(_) | Progress::Complete => None,
        }
    }

    /// A key that another process began to make, which may have died: what the device holds under its label is taken for
    /// made while there is time, and given up after.
    fn interrupted(&self, founded: &Founded, key: KeyId) -> Option<Step> {
        let KeyState::Generating { expires_at } = founded.keys().get(&key)?.state else { return None };
        if self.ledger.now() >= expires_at {
            return Some(Step::Submit(Command::KeyAbandoned(key)));
        }
        let due = self.looked.get(&key).is_none_or(|at| self.since(*at) >= LOOK_AGAIN);
        due.then_some(Step::FindSlotKey { key })
    }

    async fn take(&mut self, step: Step) -> Result<(), Setback> {
        let taken = match step {
            Step::Submit(command) => self.submit(command).await,
            Step::Begin(action) => self.begin(action).await,
            Step::MakeSlotKey { key } => self.make_slot_key(key).await,
            Step::FindSlotKey { key } => self.find_slot_key(key).await,
            Step::FindAdopted(action) => self.find_adopted(action).await,
            Step::Generate(action) => self.generate(action).await,
            Step::SignCertificate(id) => return self.sign_certificate(id).await,
            Step::Canary(action) => return self.run_canary(action).await,
            Step::RecordCanary(action) => self.record_canary(action).await,
            Step::Rotate { correlation, command, .. } => {
                self.ledger.submit(rotating::step_of(command, correlation)).await.map(drop)
            }
            Step::Propose { slot, key } => self.propose(slot, key).await,
            Step::Issue { about, correlation, .. } => {
                // Once the pack is put together, its try is on record.
                return self.issue(about, correlation).await.map_err(Setback::on_record);
            }
            Step::LastList { action, key } => return self.sign_last_list(action, key).await,
            Step::Destroy { action, key } => self.destroy(action, key).await,
            Step::MakeLedgerKey { action, backend } => self.make_ledger_key(action, &backend).await,
            Step::MakeEvidenceKey { action, backend } => self.make_evidence_key(action, &backend).await,
        };
        taken.map_err(Setback::from)
    }

    /// Submits; a refusal means that somebody else was first, which is as good.
    async fn submit(&self, command: Command) -> Result<(), EngineError> {
        self.submit_whole(Submission::new(command)).await
    }

    async fn submit_whole(&self, submission: Submission) -> Result<(), EngineError> {
        match self.ledger.submit(submission).await {
            Ok(_) => Ok(()),
            Err(EngineError::Refused(refusal)) => {
                tracing::debug!(origin = %self.ledger.origin(), code = refusal.code(), "an effect was no longer wanted");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn begin(&mut self, action: ActionId) -> Result<(), EngineError> {
        let key = KeyId::from(uuid::Uuid::now_v7());
        let mut submission = Submission::new(Command::Begin { action, key, life_s: EXECUTION_S });
        submission.disclosures = self.disclosures_of(action).await?;
        match self.ledger.submit(submission).await {
            Ok(_) => {
                self.mine.insert(action);
                Ok(())
            }
            Err(EngineError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What was disclosed with the proposal is disclosed again with the effects that repeat its digests.
    async fn disclosures_of(&self, action: ActionId) -> Result<Vec<Disclosure>, EngineError> {
        let state = self.ledger.state();
        let seq = state.founded()?.action(action)?.proposal().seq.get();
        disclosures_at(&self.store, self.ledger.id(), seq).await
    }

    async fn make_slot_key(&self, key: KeyId) -> Result<(), EngineError> {
        let Some((wanted, backend)) = self.wanted(key)? else { return Ok(()) };
        let device = match self.devices.get(&backend) {
            Ok(device) => device,
            Err(error) => return self.submit(not_made(key, error.code())).await,
        };
        // A key that comes later than its authorisation lasts is refused, and stays in the device unexplained.
        let Some(left) = self.time_left(wanted.state) else { return Ok(()) };
        let deadline = Instant::now() + GENERATION_DEADLINE.min(left);
        let made = device.generate(&wanted.label, wanted.algorithm.key_type(), deadline).await;
        let made = match made {
            Err(CustodyError::AlreadyExists { .. }) => {
                device.find(&wanted.label).await.map_err(custody_error)?
            }
            Err(error) if error.outcome_is_unknown() => {
                // A key that isn't seen yet may still be there: not seen is not failed. It is looked for, and made if it
                // is really missing, until the generation's own time is over.
                let found = device.find(&wanted.label).await.map_err(custody_error)?;
                if found.is_none() {
                    return Err(custody_error(error));
                }
                found
            }
            Err(error @ CustodyError::Unavailable { .. }) => return Err(custody_error(error)),
            Err(error) => return self.submit(not_made(key, error.code())).await,
            Ok(made) => Some(made),
        };
        match made {
            Some(made) => self.submit(key_made(key, made)).await,
            None => self.submit(not_made(key, "custody.not_found")).await,
        }
    }

    /// How long a key may still take; none once that is over.
    fn time_left(&self, state: KeyState) -> Option<Duration> {
        let KeyState::Generating { expires_at } = state else { return None };
        let micros = expires_at.unix_micros() - self.ledger.now().unix_micros();
        u64::try_from(micros).ok().filter(|micros| *micros > 0).map(Duration::from_micros)
    }

    async fn find_slot_key(&mut self, key: KeyId) -> Result<(), EngineError> {
        let Some((wanted, backend)) = self.wanted(key)? else { return Ok(()) };
        self.looked.insert(key, self.ledger.clock().steady());
        let found = self.devices.get(&backend)?.find(&wanted.label).await.map_err(custody_error)?;
        match found {
            Some(made) => self.submit(key_made(key, made)).await,
            // Its maker may still be at it.
            None => Ok(()),
        }
    }

    /// A slot's key that is to be made, and in which device.
    fn wanted(&self, key: KeyId) -> Result<Option<(Key, BackendName)>, EngineError> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        let Some(key) = founded.keys().get(&key) else { return Ok(None) };
        Ok(Some((key.clone(), founded.slot(&key.slot)?.backend.clone())))
    }

    async fn make_ledger_key(&self, action: ActionId, backend: &BackendName) -> Result<(), EngineError> {
        let made =
            self.devices.make_ledger_key(&self.store, self.ledger.id(), self.ledger.origin(), backend).await;
        match made {
            Ok(made) => {
                let made = Command::LedgerKeyMade {
                    action,
                    vkey: made.vkey,
                    custody: made.custody,
                    attributes: made.device.attributes,
                    next: NextVkey::None,
                };
                self.finish(action, made).await
            }
            Err(error) => self.give_up(action, error).await,
        }
    }

    async fn make_evidence_key(&self, action: ActionId, backend: &BackendName) -> Result<(), EngineError> {
        let made = self
            .devices
            .make_evidence_key(&self.store, self.ledger.id(), self.ledger.origin(), backend)
            .await;
        match made {
            Ok((key, made)) if made.attributes.is_confined() => {
                let spki = B64::from(made.spki_der);
                self.finish(action, Command::EvidenceKeyMade { action, key, spki }).await
            }
            Ok(_) => self.submit(fail(action, "key.attributes")).await,
            Err(error) => self.give_up(action, error).await,
        }
    }

    /// Submits what ends an action. Where the rules refuse it the action has failed: tried again, it would only have the
    /// device make key after key.
    async fn finish(&self, action: ActionId, command: Command) -> Result<(), EngineError> {
        match self.ledger.submit(Submission::new(command)).await {
            Ok(_) => Ok(()),
            Err(error @ EngineError::Refused(_)) => self.give_up(action, error).await,
            Err(error) => Err(error),
        }
    }

    async fn give_up(&self, action: ActionId, error: EngineError) -> Result<(), EngineError> {
        tracing::warn!(origin = %self.ledger.origin(), %action, code = error.code(), error = &error as &dyn std::error::Error, "an approved action can't take effect");
        self.submit(fail(action, error.code())).await
    }
}

/// The disclosures that travel beside one event.
pub(crate) async fn disclosures_at(
    store: &Store,
    ledger: LedgerId,
    seq: u64,
) -> Result<Vec<Disclosure>, EngineError> {
    let after = seq.checked_sub(1).map(|before| (before, "\u{10ffff}"));
    let rows = store.disclosures(ledger, seq + 1, after, 64).await?;
    let here = rows.into_iter().filter(|row| row.seq == seq);
    Ok(here.map(|row| Disclosure::with_salt(row.name, row.salt, row.value)).collect())
}

fn key_made(key: KeyId, DeviceKey { spki_der, attributes, .. }: DeviceKey) -> Command {
    Command::KeyMade { key, spki: B64::from(spki_der), attributes }
}

fn failed(action: ActionId, code: &'static str) -> Option<Step> {
    Some(Step::Submit(fail(action, code)))
}

fn fail(action: ActionId, code: &str) -> Command {
    Command::Fail { action, code: failure_code(code) }
}

fn not_made(key: KeyId, code: &str) -> Command {
    Command::KeyNotMade { key, code: failure_code(code) }
}
