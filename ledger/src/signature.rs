//! Signatures: authorised before the device is touched, and ended by exactly one outcome.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, MAX_PURE_MESSAGE};
use crate::encoding::{Hash, HexBytes};
use crate::event::{Actor, Event};
use crate::ids::{ActionId, KeyId, Seq, SlotName};
use crate::member::suspended;
use crate::payload::{
    EvidenceRecorded, RefusalRecorded, SignatureAuthorized, SignatureCreated, SignatureWithheld, Signing,
    SigningPurpose, Subject, WithheldReason,
};
use crate::policy::{Caller, Role};
use crate::recent::Signed;
use crate::rotation::{BAD_SIGNATURE, RotationStep};
use crate::rule::Rule;
use crate::slot::{KeyState, Slot};
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// Longest life of an authorisation, in seconds: ten minutes.
pub const MAX_AUTHORIZATION_S: u32 = 10 * 60;

/// Most samples of a slot for drills.
pub const MAX_SAMPLES: u8 = 100;

/// An authorisation that waits for its outcome. Until then it counts as signed in every report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The slot.
    pub slot: SlotName,
    /// The key.
    pub key: KeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What is signed.
    pub digest: HexBytes,
    /// Who asked.
    pub caller: Actor,
    /// First moment that the signature no longer may be released.
    pub expires_at: Timestamp,
    /// The place in an approved list that it used up.
    pub clearance: Option<(ActionId, u32)>,
    /// What the server has it signed for; none for a caller's artifact.
    pub purpose: Option<SigningPurpose>,
    /// The certificate that it names.
    pub signing: Option<Signing>,
}

impl Founded {
    /// The authorisations that wait for their outcomes, by seq.
    pub fn pending_signatures(&self) -> &BTreeMap<Seq, Pending> {
        &self.pending
    }

    pub(crate) fn pending(&self, seq: Seq) -> Result<&Pending, Rule> {
        self.pending.get(&seq).ok_or(Rule::SignatureUnknown)
    }

    pub(crate) fn judge_authorized(
        &self,
        authorized: &SignatureAuthorized,
        caller: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        if let Some(purpose) = &authorized.purpose {
            self.judge_own_signature(authorized, purpose, at)?;
        } else {
            self.judge_artifact(authorized, caller, at)?;
        }
        judge_input(authorized)?;
        let ends = at.plus_seconds(MAX_AUTHORIZATION_S);
        if authorized.expires_at > at && authorized.expires_at <= ends {
            Ok(())
        } else {
            Err(Rule::SignatureLife)
        }
    }

    /// A signature that a caller asks for.
    fn judge_artifact(
        &self,
        authorized: &SignatureAuthorized,
        caller: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        self.judge_caller(&authorized.slot, caller, at)?;
        let slot = self.slot(&authorized.slot)?;
        if suspended(slot.suspension, at) {
            return Err(Rule::SlotSuspended);
        }
        self.judge_signing_key(&authorized.slot, slot, authorized.key, at)?;
        if slot.algorithm != authorized.algorithm || slot.policy_digest != authorized.policy {
            return Err(Rule::SignatureAlgorithm);
        }
        // What is for drills signs samples alone.
        if slot.rotation.is_issuing() || slot.drill {
            return Err(Rule::SlotPurpose);
        }
        self.judge_age(slot, authorized.key, at)?;
        if slot.requires_certificate() {
            self.certificate_in_force(authorized.key, at)?;
        }
        if authorized.signing != self.signing_of(slot, authorized.key) {
            return Err(Rule::SignatureAlgorithm);
        }
        let environment = authorized.environment.ok_or(Rule::SignatureEnvironment)?;
        if !slot.signing_policy.environments.contains(&environment) {
            return Err(Rule::SignatureEnvironment);
        }
        self.judge_clearance(authorized, environment, slot, at)
    }

    /// The slot's active key, or, where its policy lets it, one that it replaced and whose overlap has not ended.
    fn judge_signing_key(&self, name: &SlotName, slot: &Slot, key: KeyId, at: Timestamp) -> Result<(), Rule> {
        let active = slot.active.ok_or(Rule::SlotKeyless)?;
        let replaced = self.keys.get(&key).filter(|held| held.slot == *name && key != active);
        let in_charge = self.keys.get(&active).map(|key| &key.state);
        if let Some(KeyState::Retiring { until, .. }) = replaced.map(|held| &held.state)
            && matches!(in_charge, Some(KeyState::Active { .. }))
            && slot.rotation.old_key_signs
            && at < *until
        {
            return Ok(());
        }
        match self.keys.get(&active).ok_or(Rule::SlotKeyless)?.state {
            KeyState::Active { .. } if key == active => Ok(()),
            KeyState::Active { .. } => Err(Rule::SignatureAlgorithm),
            KeyState::Revoked { .. } => Err(Rule::KeyRevoked),
            _ => Err(Rule::SlotKeyless),
        }
    }

    /// A signature that the server asks for by itself: each purpose fixes key and bytes, so nobody can have anything else
    /// signed under its name.
    fn judge_own_signature(
        &self,
        authorized: &SignatureAuthorized,
        purpose: &SigningPurpose,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let slot = self.slot(&authorized.slot)?;
        let key = self.keys.get(&authorized.key).ok_or(Rule::KeyUnknown)?;
        let plain = authorized.clearance.is_none()
            && authorized.environment.is_none()
            && authorized.signing.is_none();
        let repeats = key.slot == authorized.slot
            && slot.algorithm == authorized.algorithm
            && slot.policy_digest == authorized.policy;
        if !plain || !repeats {
            return Err(Rule::SignatureAlgorithm);
        }
        match key.state {
            KeyState::PreActivation(_) | KeyState::Active { .. } => {}
            KeyState::Revoked { .. } => return Err(Rule::KeyRevoked),
            _ => return Err(Rule::SlotKeyless),
        }
        // Break-glass goes on in a contained slot: with a key that nobody could have used before.
        if suspended(slot.suspension, at) && !self.breaks_glass(authorized.key) {
            return Err(Rule::SlotSuspended);
        }
        let (digest, signer) = (&authorized.digest, authorized.key);
        match purpose {
            SigningPurpose::Canary { action, original } => {
                self.judge_canary_signature(*action, *original, authorized)
            }
            SigningPurpose::Sample { number } => self.judge_sample(*number, slot, authorized),
            SigningPurpose::CertificateRequest { certificate } => {
                self.judge_request_signature(*certificate, signer, digest)
            }
            SigningPurpose::Certificate { certificate, .. } => {
                let terms = purpose.terms().ok_or(Rule::CertificateContent)?;
                self.judge_certificate_signature(*certificate, &terms, (signer, digest), at)
            }
        }
    }

    /// What a drill takes for artifacts, by the key that its slot signs with.
    fn judge_sample(&self, number: u8, slot: &Slot, authorized: &SignatureAuthorized) -> Result<(), Rule> {
        if !slot.drill || slot.active != Some(authorized.key) {
            return Err(Rule::IncidentDrill);
        }
        let sample = slot.algorithm.digest_of(&drill_sample(&authorized.slot, number));
        if (1..=MAX_SAMPLES).contains(&number) && sample == authorized.digest {
            Ok(())
        } else {
            Err(Rule::IncidentForm)
        }
    }

    /// The new key of a rotation tries what is due, each digest once.
    fn judge_canary_signature(
        &self,
        id: ActionId,
        original: Option<Seq>,
        authorized: &SignatureAuthorized,
    ) -> Result<(), Rule> {
        let rotation = self.rotation(id)?;
        if rotation.step != RotationStep::Generated(authorized.key) {
            return Err(Rule::RotationStep);
        }
        let open = self.pending.values().any(|p| p.key == authorized.key && p.digest == authorized.digest);
        let due = |due: &Signed| due.digest == authorized.digest && due.original == original;
        if rotation.due.iter().any(due) && !open { Ok(()) } else { Err(Rule::RotationCanary) }
    }

    /// Whether a caller may use a slot at all; decided before anything about the slot is said.
    pub fn judge_caller(&self, name: &SlotName, caller: Actor, at: Timestamp) -> Result<(), Rule> {
        match caller {
            Actor::Service(id) => {
                let service = self.active_service(id, at)?;
                if !service.slots.contains(name) {
                    return Err(Rule::ServiceSlot);
                }
                let slot = self.slot(name)?;
                if slot.signing_policy.callers.contains(&Caller::Services) {
                    Ok(())
                } else {
                    Err(Rule::RoleMissing)
                }
            }
            Actor::Member(id) => {
                self.require_role(id, Role::PackagingEngineer, at)?;
                let slot = self.slot(name)?;
                let allowed = slot.signing_policy.callers.contains(&Caller::PackagingEngineers);
                if allowed { Ok(()) } else { Err(Rule::RoleMissing) }
            }
            Actor::System => Err(Rule::Actor),
        }
    }

    /// What bars a signature's release at a moment; revocation weighs more than suspension, suspension more than time.
    pub fn release_bar(&self, pending: &Pending, at: Timestamp) -> Option<WithheldReason> {
        let usable = |state: &KeyState| match state {
            KeyState::Active { .. } | KeyState::Retiring { .. } => true,
            // Only the server's own signatures are authorised for a key that is not its slot's yet.
            KeyState::PreActivation(_) => pending.purpose.is_some(),
            KeyState::Generating { .. }
            | KeyState::NotGenerated
            | KeyState::Deactivated { .. }
            | KeyState::Revoked { .. }
            | KeyState::Destroyed { .. } => false,
        };
        let key_active = self.keys.get(&pending.key).is_some_and(|key| usable(&key.state));
        let (caller_gone, caller_suspended) = match pending.caller {
            Actor::Member(id) => match self.members.get(&id) {
                Some(member) => (member.removed, suspended(member.suspension, at)),
                None => (true, false),
            },
            Actor::Service(id) => match self.services.get(&id) {
                Some(service) => (service.removed, suspended(service.suspension, at)),
                None => (true, false),
            },
            Actor::System => (pending.purpose.is_none(), false),
        };
        let break_glass = pending.purpose.is_some() && self.breaks_glass(pending.key);
        // Nobody vouches for a key that was given up meanwhile.
        let certified_gone = pending.purpose.as_ref().is_some_and(|purpose| match purpose {
            SigningPurpose::Certificate { certificate, .. } => {
                self.issuance(*certificate).is_ok_and(|issuance| self.judge_certified_key(issuance).is_err())
            }
            SigningPurpose::Canary { .. }
            | SigningPurpose::CertificateRequest { .. }
            | SigningPurpose::Sample { .. } => false,
        });
        let slot_suspended =
            !break_glass && self.slots.get(&pending.slot).is_none_or(|slot| suspended(slot.suspension, at));
        if !key_active || caller_gone || certified_gone {
            Some(WithheldReason::Revoked)
        } else if slot_suspended || caller_suspended {
            Some(WithheldReason::Suspended)
        } else if at >= pending.expires_at {
            Some(WithheldReason::Expired)
        } else {
            None
        }
    }

    pub(crate) fn judge_created(&self, created: &SignatureCreated, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending(created.authorization)?;
        if self.release_bar(pending, at).is_some() {
            return Err(Rule::ReleaseBarred);
        }
        let spki =
            self.keys.get(&pending.key).and_then(|key| key.material()).map(|material| material.spki_sha256);
        let repeats = created.key == pending.key
            && created.algorithm == pending.algorithm
            && created.digest == pending.digest
            && created.signing == pending.signing
            && Some(created.spki_sha256) == spki;
        if repeats { Ok(()) } else { Err(Rule::SignatureAlgorithm) }
    }

    pub(crate) fn judge_withheld(&self, withheld: &SignatureWithheld, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending(withheld.authorization)?;
        if self.release_bar(pending, at) == Some(withheld.reason) {
            Ok(())
        } else {
            Err(Rule::ReleaseNotBarred)
        }
    }

    pub(crate) fn judge_abandoned(&self, authorization: Seq, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending(authorization)?;
        if at >= pending.expires_at { Ok(()) } else { Err(Rule::SignatureNotExpired) }
    }

    pub(crate) fn apply_authorized(&mut self, authorized: &SignatureAuthorized, event: &Event) {
        let pending = Pending {
            slot: authorized.slot.clone(),
            key: authorized.key,
            algorithm: authorized.algorithm,
            digest: authorized.digest.clone(),
            caller: event.actor,
            expires_at: authorized.expires_at,
            clearance: authorized.clearance.as_ref().map(|used| (used.action, used.index)),
            purpose: authorized.purpose.clone(),
            signing: authorized.signing,
        };
        match &authorized.purpose {
            Some(SigningPurpose::CertificateRequest { certificate }) => {
                self.note_asked(*certificate, event.seq, None);
            }
            Some(purpose @ SigningPurpose::Certificate { certificate, .. }) => {
                self.note_asked(*certificate, event.seq, purpose.terms().as_ref());
            }
            Some(SigningPurpose::Canary { .. } | SigningPurpose::Sample { .. }) | None => {}
        }
        if let Some(used) = &authorized.clearance {
            self.use_clearance(used);
        }
        Arc::make_mut(&mut self.pending).insert(event.seq, pending);
    }

    /// Ends an authorisation by a signature that was released.
    pub(crate) fn settle_created(&mut self, created: &SignatureCreated, seq: Seq) {
        let pending = Arc::make_mut(&mut self.pending).remove(&created.authorization);
        let Some(Pending { purpose, slot, .. }) = pending else { return };
        match purpose {
            Some(SigningPurpose::Canary { action, .. }) => self.with_rotation(action, |rotation| {
                rotation.canary += 1;
                rotation.due.retain(|due| due.digest != created.digest);
            }),
            Some(purpose) => {
                if let Some(id) = purpose.certificate() {
                    self.note_answered(id, Some(&created.signature));
                }
            }
            None => self.note_recent(&slot, &created.digest, seq),
        }
    }

    /// Ends an authorisation for which the device did not sign.
    pub(crate) fn settle_unsigned(&mut self, authorization: Seq, code: &str) {
        let purpose = self.pending.get(&authorization).and_then(|pending| pending.purpose.as_ref());
        if let (Some(SigningPurpose::Canary { action, .. }), BAD_SIGNATURE) = (purpose, code) {
            let action = *action;
            self.with_rotation(action, |rotation| rotation.canary_broken = true);
        }
        let cleared = self.pending.get(&authorization).and_then(|pending| pending.clearance);
        if let Some(place) = cleared {
            self.give_back(place);
        }
        self.settle(authorization);
    }

    /// Ends an authorisation from which nothing was released.
    pub(crate) fn settle(&mut self, authorization: Seq) {
        let pending = Arc::make_mut(&mut self.pending).remove(&authorization);
        if let Some(id) = pending.and_then(|pending| pending.purpose?.certificate()) {
            self.note_answered(id, None);
        }
    }

    pub(crate) fn judge_evidence(&self, recorded: &EvidenceRecorded, event: &Event) -> Result<(), Rule> {
        match event.actor {
            Actor::Member(id) => self.active_member(id, event.time).map(drop)?,
            Actor::Service(id) => self.active_service(id, event.time).map(drop)?,
            Actor::System => return Err(Rule::Actor),
        }
        let known = match &recorded.subject {
            Subject::Action(id) => self.actions.contains_key(id) || self.closed.contains_key(id),
            Subject::Certificate(id) => self.issuances.contains_key(id),
            Subject::Event(seq) => *seq < event.seq,
            Subject::Key(id) => self.keys.contains_key(id),
            Subject::Member(id) => self.members.contains_key(id),
            Subject::Service(id) => self.services.contains_key(id),
            Subject::Slot(name) => self.slots.contains_key(name),
        };
        if known { Ok(()) } else { Err(Rule::EvidenceSubject) }
    }

    pub(crate) fn judge_refusal(&self, refused: &RefusalRecorded, at: Timestamp) -> Result<(), Rule> {
        let known = match refused.caller {
            Actor::Member(id) => self.members.contains_key(&id),
            Actor::Service(id) => self.services.contains_key(&id),
            Actor::System => false,
        };
        let minute = refused.minute == refused.minute.minute() && refused.minute <= at;
        if known && minute && refused.count > 0 { Ok(()) } else { Err(Rule::RefusalForm) }
    }
}

/// What a canary signs where it must not, or can't, sign what the slot signed: a message that nobody else has signed.
pub fn canary_message(rotation: ActionId) -> Vec<u8> {
    [b"sealbook canary v1\0".as_slice(), rotation.to_string().as_bytes()].concat()
}

/// What stands for an artifact in a drill: a message that nobody else has signed.
pub fn drill_sample(slot: &SlotName, number: u8) -> Vec<u8> {
    [b"sealbook drill sample v1\0".as_slice(), format!("{slot}\0{number}").as_bytes()].concat()
}

/// A digest of the algorithm's length; the message beside it exactly where the algorithm needs one.
fn judge_input(authorized: &SignatureAuthorized) -> Result<(), Rule> {
    let algorithm = authorized.algorithm;
    if authorized.digest.0.len() != algorithm.digest().byte_len() {
        return Err(Rule::DigestLength);
    }
    match &authorized.message {
        None if !algorithm.needs_message() => Ok(()),
        Some(message) if algorithm.needs_message() => {
            let same = Hash(message.sha256.0).0.as_slice() == authorized.digest.0.as_slice();
            let short = message.size <= MAX_PURE_MESSAGE as u64;
            if same && short { Ok(()) } else { Err(Rule::MessageForm) }
        }
        Some(_) | None => Err(Rule::MessageForm),
    }
}
