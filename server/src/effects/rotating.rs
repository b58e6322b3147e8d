//! Rotations and certificates go on by themselves: each step is an event, and what comes next follows from the ledger's
//! state alone. A server that dies leaves nothing that another, or the same, does not take up; where two take a step at
//! once the rules let one.

use sealbook_ledger::action::Params;
use sealbook_ledger::certificate::SerialNumber;
use sealbook_ledger::command::{Command, OwnSignature, RotationCommand};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, CertificateId, Correlation, KeyId};
use sealbook_ledger::issuance::{Issuance, IssuanceStep};
use sealbook_ledger::rotation::{IssuerPolicy, MAX_PREPARATION_S, Rotation, RotationStep};
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use uuid::Uuid;

use super::{Effects, Setback, Step};
use crate::canary;
use crate::ledger::{EngineError, Submission, failure_code};
use crate::signing::OwnCall;

/// How long a device may take for a rotation's key, in seconds: whoever takes up what a dead server began waits as long.
const GENERATION_S: u32 = 90;

/// Why a rotation fails whose canary does not verify.
const CANARY_FAILED: &str = "canary.failed";

/// Why a rotation fails whose new key was revoked before it took over.
const KEY_REVOKED: &str = "key.revoked";

/// Why a rotation fails that is not ready in time.
const EXPIRED: &str = "rotation.expired";

impl Effects {
    /// What rotations and certificates need next.
    pub(super) fn rotation_steps(&self, founded: &Founded, at: Timestamp) -> Vec<Step> {
        let rotations = founded.rotations().iter().filter(|(_, rotation)| !rotation.has_ended());
        let rotations =
            rotations.filter_map(|(id, rotation)| self.next_of_rotation(founded, *id, rotation, at));
        let issuances = founded.issuances().iter().filter(|(_, issuance)| issuance.is_open());
        let issuances = issuances.filter_map(|(id, issuance)| next_of_issuance(founded, *id, issuance));
        rotations.chain(issuances).filter(|step| !self.has_to_wait(step)).collect()
    }

    fn next_of_rotation(
        &self,
        founded: &Founded,
        action: ActionId,
        rotation: &Rotation,
        at: Timestamp,
    ) -> Option<Step> {
        let command = match rotation.step {
            RotationStep::Started | RotationStep::Proved(_) if is_late(rotation, at) => {
                give_up(action, EXPIRED)
            }
            RotationStep::Started => return Some(Step::Generate(action)),
            RotationStep::Generating(key) => return self.generating(founded, action, key),
            RotationStep::Generated(key) => return next_of_new_key(founded, action, rotation, key, at),
            RotationStep::Proved(key) if !is_usable(founded, key) => give_up(action, KEY_REVOKED),
            RotationStep::Proved(key) if lacks_certificate(founded, rotation, key, at) => {
                return order(founded, action, rotation, key);
            }
            RotationStep::Proved(_) => RotationCommand::CutOver(action),
            RotationStep::CutOver { .. } => {
                let signing = founded.pending_signatures().values().any(|p| p.key == rotation.old_key);
                if signing || !founded.completion_bars(rotation, at).is_empty() {
                    return None;
                }
                RotationCommand::Complete(action)
            }
            RotationStep::Completed { .. } | RotationStep::Failed => return None,
        };
        Some(step_in(action, rotation, command))
    }

    fn generating(&self, founded: &Founded, action: ActionId, key: KeyId) -> Option<Step> {
        let KeyState::Generating { expires_at } = founded.keys().get(&key)?.state else { return None };
        if self.mine.contains(&action) && self.ledger.now() < expires_at {
            return Some(Step::MakeSlotKey { key });
        }
        self.interrupted(founded, key)
    }

    /// Has this process make the new key: it alone asks the device for what it appended.
    pub(super) async fn generate(&mut self, action: ActionId) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        let rotation = founded.rotation(action)?;
        self.device_is_there(founded, rotation.old_key)?;
        let key = KeyId::from(Uuid::now_v7());
        let command = RotationCommand::Generate { action, key, life_s: GENERATION_S };
        let submission = Submission { correlation: rotation.correlation, ..rotating(command) };
        match self.ledger.submit(submission).await {
            Ok(_) => {
                self.mine.insert(action);
                Ok(())
            }
            Err(EngineError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A signature that the process itself needs: over a request or a certificate.
    pub(super) async fn sign_certificate(&self, id: CertificateId) -> Result<(), Setback> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        let issuance = founded.issuance(id)?;
        let (own, bytes, key) = match issuance.step {
            IssuanceStep::Ordered => {
                (OwnSignature::Request(id), founded.request_bytes(issuance)?, issuance.key)
            }
            _ => {
                let serial = SerialNumber::from_random(rand::random());
                let terms = founded.terms(issuance, serial, self.ledger.now())?;
                let (bytes, signer) = founded.certificate_bytes(issuance, &terms)?;
                (OwnSignature::Certificate { certificate: id, terms }, bytes, signer)
            }
        };
        self.device_is_there(founded, key)?;
        let pure = founded.keys().get(&key).is_some_and(|key| key.algorithm.needs_message());
        let call = OwnCall { own, message: pure.then_some(bytes), correlation: issuance.correlation };
        self.sign(call).await
    }

    /// Has the new key sign what is due, and records the whole once it is.
    pub(super) async fn run_canary(&self, action: ActionId) -> Result<(), Setback> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        let rotation = founded.rotation(action)?;
        let key = rotation.new_key().ok_or(sealbook_ledger::rule::Rule::RotationStep)?;
        self.device_is_there(founded, key)?;
        for due in &rotation.due {
            let message =
                canary::message_of(&self.store, &self.ledger, action, rotation, &due.digest).await?;
            let own = OwnSignature::Canary { action, digest: due.digest.clone() };
            let call = OwnCall { own, message, correlation: rotation.correlation };
            self.sign(call).await?;
        }
        Ok(())
    }

    /// What fails once it is authorised is on record.
    async fn sign(&self, call: OwnCall) -> Result<(), Setback> {
        let authorized = self.signer.authorize_own(&self.ledger, call).await?;
        self.signer.perform_own(&self.ledger, authorized).await.map_err(Setback::on_record)
    }

    pub(super) async fn record_canary(&self, action: ActionId) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let rotation = state.founded()?.rotation(action)?;
        let (results, bytes) = canary::results(&self.store, &self.ledger, action, rotation).await?;
        let command = RotationCommand::Canary { action, results: results.clone() };
        let mut submission = Submission { correlation: rotation.correlation, ..rotating(command) };
        submission.attachments.push((results, bytes));
        self.ledger.submit(submission).await.map(drop)
    }

    /// Nothing is authorised for a device that is known to be away.
    fn device_is_there(&self, founded: &Founded, key: KeyId) -> Result<(), EngineError> {
        let held = founded.keys().get(&key).ok_or(sealbook_ledger::rule::Rule::KeyUnknown)?;
        self.devices.present(&founded.slot(&held.slot)?.backend).map(drop)
    }

    /// The key that is to be adopted, as the device has it.
    pub(super) async fn find_adopted(&self, action: ActionId) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let document = state.founded()?.action(action)?.document().clone();
        let Params::KeyAdopt(params) = document.params else { return Ok(()) };
        let device = self.devices.get(&params.slot.backend)?;
        match device.find(&params.label).await.map_err(crate::devices::custody_error)? {
            None => self.submit(super::fail(action, "custody.not_found")).await,
            Some(found) => {
                let (key, attributes) = (KeyId::from(Uuid::now_v7()), found.attributes);
                let spki = sealbook_ledger::encoding::B64::from(found.spki_der);
                self.submit(Command::KeyFound { action, key, spki, attributes }).await
            }
        }
    }
}

/// What the new key of a rotation needs before it takes over: its certificate, then its canary.
fn next_of_new_key(
    founded: &Founded,
    action: ActionId,
    rotation: &Rotation,
    key: KeyId,
    at: Timestamp,
) -> Option<Step> {
    let signing = founded.pending_signatures().values().any(|pending| pending.key == key);
    let hopeless = if !is_usable(founded, key) {
        Some(KEY_REVOKED)
    } else if rotation.canary_broken {
        Some(CANARY_FAILED)
    } else if is_late(rotation, at) {
        Some(EXPIRED)
    } else {
        None
    };
    if let Some(code) = hopeless {
        return if signing { None } else { Some(step_in(action, rotation, give_up(action, code))) };
    }
    if lacks_certificate(founded, rotation, key, at) {
        return order(founded, action, rotation, key);
    }
    match (rotation.due.is_empty(), signing) {
        (true, _) => Some(Step::RecordCanary(action)),
        // Another process signs; what it leaves open ends by itself.
        (false, true) => None,
        (false, false) => Some(Step::Canary(action)),
    }
}

/// Whether a new key has no certificate in force where its slot's policy asks for one: one that ran out, or was revoked,
/// before the cutover is none.
fn lacks_certificate(founded: &Founded, rotation: &Rotation, key: KeyId, at: Timestamp) -> bool {
    rotation.policy.certificate.is_some() && founded.certificate_in_force(key, at).is_err()
}

/// An order for a new key's certificate, unless one is open.
fn order(founded: &Founded, action: ActionId, rotation: &Rotation, key: KeyId) -> Option<Step> {
    let open = founded.issuances().values().any(|issuance| issuance.key == key && issuance.is_open());
    let certificate = CertificateId::from(Uuid::now_v7());
    (!open).then(|| step_in(action, rotation, RotationCommand::Order { action, certificate }))
}

fn step_in(action: ActionId, rotation: &Rotation, command: RotationCommand) -> Step {
    Step::Rotate { of: action.uuid(), correlation: rotation.correlation, command }
}

/// Whether a rotation has prepared for longer than it may.
fn is_late(rotation: &Rotation, at: Timestamp) -> bool {
    at >= rotation.started_at.plus_seconds(MAX_PREPARATION_S)
}

fn next_of_issuance(founded: &Founded, id: CertificateId, issuance: &Issuance) -> Option<Step> {
    let step = |command| Some(Step::Rotate { of: id.uuid(), correlation: issuance.correlation, command });
    if issuance.signed().is_some() {
        return step(RotationCommand::Record(id));
    }
    if issuance.is_asked() {
        return None;
    }
    let over = founded.rotations().get(&issuance.action).is_some_and(|rotation| rotation.has_ended());
    if over || !is_usable(founded, issuance.key) {
        let code = failure_code("certificate.needless");
        return step(RotationCommand::FailCertificate { by: Actor::System, certificate: id, code });
    }
    match (&issuance.step, &issuance.policy.issuer) {
        // Somebody has to bring it.
        (IssuanceStep::Requested, IssuerPolicy::Outside { .. }) => None,
        _ => Some(Step::SignCertificate(id)),
    }
}

/// Whether a key is, or may still become, its slot's.
fn is_usable(founded: &Founded, key: KeyId) -> bool {
    founded
        .keys()
        .get(&key)
        .is_some_and(|key| matches!(key.state, KeyState::PreActivation(_) | KeyState::Active { .. }))
}

fn give_up(action: ActionId, code: &str) -> RotationCommand {
    RotationCommand::Fail { by: Actor::System, action, code: failure_code(code), sd: Vec::new() }
}

pub(super) fn rotating(command: RotationCommand) -> Submission {
    Submission::new(Command::Rotate(command))
}

/// A plain step of a rotation, under its correlation.
pub(super) fn step_of(command: RotationCommand, correlation: Correlation) -> Submission {
    Submission { correlation, ..rotating(command) }
}
