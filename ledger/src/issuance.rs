//! Certificates of slots' keys: ordered, requested, issued by a CA of this ledger or imported from elsewhere (rules
//! version 2).
//!
//! What is signed is a pure function of what is recorded: the request of key, subject and usage; the certificate of these,
//! the issuer's certificate, serial and dates. A device is only asked for a signature over exactly those bytes, and whoever
//! replays the ledger builds them again.

mod applied;
mod built;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::CertificateIssueParams;
use crate::certificate::{self, Certificate, SerialNumber};
use crate::encoding::{B64, Hash, HexBytes};
use crate::event::{Actor, Event};
use crate::ids::{ActionId, CertificateId, Correlation, KeyId, Seq, SlotName};
use crate::payload::{
    CertificateFailed, CertificateImported, CertificateIssued, CertificateOrdered, CertificateRequested,
};
use crate::revocation::{REVOKING, Revocation};
use crate::rotation::{CertificatePolicy, DAY_S, IssuerPolicy, RotationStep};
use crate::rule::Rule;
use crate::slot::KeyState;
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// How far before its authorisation a certificate's validity may begin, in seconds: clocks of relying parties differ.
pub const MAX_BACKDATING_S: u32 = 60 * 60;

/// Fewest octets of a serial number that is issued: 64 bits (CA/Browser Forum code signing requirements §7.1.1).
pub const MIN_SERIAL_LEN: usize = 8;

/// Most CAs above a certificate that are followed: path lengths go down to 0 from 3, and a root is above them.
const MAX_ABOVE: u8 = 5;

/// A certificate, from its order on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuance {
    /// The `certificate.issue` or the rotation that it is for.
    pub action: ActionId,
    /// The key's slot.
    pub slot: SlotName,
    /// The key that it names.
    pub key: KeyId,
    /// Under which correlation its events stand.
    pub correlation: Correlation,
    /// The event that ordered it.
    pub ordered: Seq,
    /// What it says, as people approved it with its order.
    pub policy: CertificatePolicy,
    /// Days for which its key is to be used: it has to last as long.
    pub needed_days: u32,
    /// The request, once there is one: DER.
    pub csr: Option<B64>,
    /// How far it has come.
    pub step: IssuanceStep,
    /// What a device was asked to sign for the next step.
    asked: Option<Asked>,
}

/// How far a certificate has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IssuanceStep {
    /// The request is to be signed by the key itself.
    Ordered,
    /// The request exists; the certificate is to be signed by its issuer.
    Requested,
    /// In force, as far as its dates go.
    Active(Issued),
    /// Not to be believed from some moment on.
    Revoked {
        /// What it was.
        issued: Issued,
        /// Why, and since when.
        revocation: Revocation,
    },
    /// It will not come.
    Failed,
}

/// A certificate that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The certificate, DER.
    pub der: B64,
    /// Those above it, where it came from outside.
    pub chain: Vec<B64>,
    /// SHA-256 of it.
    pub fingerprint: Hash,
    /// Its serial number, where a CA of this ledger issued it.
    pub serial: Option<SerialNumber>,
    /// The CA's key that signed it; itself for a root.
    pub issuer: Option<KeyId>,
    /// From when it holds.
    pub not_before: Timestamp,
    /// The last moment that it holds.
    pub not_after: Timestamp,
    /// The event that recorded it.
    pub seq: Seq,
}

impl Issued {
    /// Whether its dates cover a moment (RFC 5280 §4.1.2.5: both ends count).
    pub fn covers(&self, at: Timestamp) -> bool {
        self.not_before <= at && at.second() <= self.not_after
    }
}

/// Bytes of a request or a certificate that a device was asked to sign. They are kept, so that neither a policy nor a CA key
/// that changes meanwhile makes a signature useless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    authorization: Seq,
    bytes: B64,
    signer: KeyId,
    /// What a certificate says besides what its policy fixes.
    terms: Option<Terms>,
    /// Once the device has signed and the signature was released.
    signature: Option<B64>,
}

/// What a certificate says besides what its slot's policy and its issuer fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Its serial number.
    pub serial: SerialNumber,
    /// From when it holds: full seconds.
    pub not_before: Timestamp,
    /// The last moment that it holds.
    pub not_after: Timestamp,
}

impl Issuance {
    /// The certificate, while it is in force.
    pub fn active(&self) -> Option<&Issued> {
        match &self.step {
            IssuanceStep::Active(issued) => Some(issued),
            _ => None,
        }
    }

    /// The certificate, once it exists.
    pub fn issued(&self) -> Option<&Issued> {
        match &self.step {
            IssuanceStep::Active(issued) | IssuanceStep::Revoked { issued, .. } => Some(issued),
            IssuanceStep::Ordered | IssuanceStep::Requested | IssuanceStep::Failed => None,
        }
    }

    /// Whether it is still on its way.
    pub fn is_open(&self) -> bool {
        matches!(self.step, IssuanceStep::Ordered | IssuanceStep::Requested)
    }

    /// Whether a device was asked for a signature that has not come yet.
    pub fn is_asked(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.signature.is_none())
    }

    /// Whether a key was asked to sign the certificate, and what came of it is not recorded yet.
    pub(crate) fn waits_for_signature_of(&self, signer: KeyId) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.signer == signer && asked.terms.is_some())
    }

    /// The authorisation whose signature waits to be put into the request or the certificate.
    pub fn signed(&self) -> Option<Seq> {
        self.asked.as_ref().filter(|asked| asked.signature.is_some()).map(|asked| asked.authorization)
    }
}

impl Founded {
    /// Every certificate that was ordered.
    pub fn issuances(&self) -> &BTreeMap<CertificateId, Arc<Issuance>> {
        &self.issuances
    }

    /// The certificate of an id.
    pub fn issuance(&self, id: CertificateId) -> Result<&Issuance, Rule> {
        self.issuances.get(&id).map(Arc::as_ref).ok_or(Rule::CertificateUnknown)
    }

    /// The newest certificate of a key.
    pub fn certificate_of(&self, key: KeyId) -> Option<&Issued> {
        let id = self.keys.get(&key)?.certificate?;
        self.issuances.get(&id)?.issued()
    }

    /// A key's certificate, where it is in force: of the later rules also those of the CAs above it.
    pub fn certificate_in_force(&self, key: KeyId, at: Timestamp) -> Result<&Issued, Rule> {
        let id = self.keys.get(&key).and_then(|key| key.certificate).ok_or(Rule::CertificateMissing)?;
        match &self.issuance(id)?.step {
            IssuanceStep::Active(issued) if issued.covers(at) => {
                self.judge_above(key, issued, at, MAX_ABOVE).map(|()| issued)
            }
            IssuanceStep::Active(_) => Err(Rule::CertificateExpired),
            IssuanceStep::Revoked { .. } => Err(Rule::CertificateRevoked),
            IssuanceStep::Ordered | IssuanceStep::Requested | IssuanceStep::Failed => {
                Err(Rule::CertificateMissing)
            }
        }
    }

    /// Whether a CA here that signed a certificate has itself one in force, up to where the path leaves the ledger.
    fn judge_above(&self, key: KeyId, issued: &Issued, at: Timestamp, left: u8) -> Result<(), Rule> {
        let Some(above) = issued.issuer.filter(|above| *above != key && self.rules >= REVOKING) else {
            return Ok(());
        };
        // Policies that change may turn a path upon itself.
        let left = left.checked_sub(1).ok_or(Rule::CertificateIssuer)?;
        let own = self.issuances.values().filter(|issuance| issuance.key == above);
        let mut in_force = own.filter_map(|issuance| issuance.active()).filter(|issued| issued.covers(at));
        if in_force.any(|issued| self.judge_above(above, issued, at, left).is_ok()) {
            Ok(())
        } else {
            Err(Rule::CertificateIssuer)
        }
    }

    /// Whether a certificate may be ordered for a key that is in charge of its slot.
    pub(crate) fn permits_issuance(&self, params: &CertificateIssueParams) -> Result<(), Rule> {
        let slot = self.slot(&params.slot)?;
        if slot.rotation.certificate.is_none() {
            return Err(Rule::CertificateNone);
        }
        let held = self.keys.get(&params.key).ok_or(Rule::KeyUnknown)?;
        match held.state {
            KeyState::Active { .. } if slot.active == Some(params.key) => {}
            KeyState::Revoked { .. } => return Err(Rule::KeyRevoked),
            _ => return Err(Rule::SlotKeyless),
        }
        if slot.rotation.digest().ok() != Some(params.policy) {
            return Err(Rule::RotationKey);
        }
        self.judge_free(params.key)
    }

    /// Whether the key that a certificate is for is, or may still become, its slot's.
    pub(crate) fn judge_certified_key(&self, issuance: &Issuance) -> Result<(), Rule> {
        let key = self.keys.get(&issuance.key).ok_or(Rule::KeyUnknown)?;
        match key.state {
            KeyState::Active { .. } => Ok(()),
            KeyState::PreActivation(_)
                if self.rotation_of(issuance.key).is_some_and(|r| r.is_preparing()) =>
            {
                Ok(())
            }
            KeyState::Revoked { .. } => Err(Rule::KeyRevoked),
            _ => Err(Rule::CertificateKey),
        }
    }

    /// No certificate of the key is on its way.
    fn judge_free(&self, key: KeyId) -> Result<(), Rule> {
        let open = self.issuances.values().any(|issuance| issuance.key == key && issuance.is_open());
        if open { Err(Rule::CertificateBusy) } else { Ok(()) }
    }

    /// An order within a rotation, or the effect of a `certificate.issue`.
    pub(crate) fn judge_ordered(&self, ordered: &CertificateOrdered, event: &Event) -> Result<(), Rule> {
        if self.issuances.contains_key(&ordered.certificate) {
            return Err(Rule::CertificateBusy);
        }
        let Ok(rotation) = self.rotation(ordered.action) else { return self.judge_effect(event) };
        if rotation.policy.certificate.is_none() {
            return Err(Rule::CertificateNone);
        }
        let ready = [RotationStep::Generated(ordered.key), RotationStep::Proved(ordered.key)];
        if rotation.slot != ordered.slot || !ready.contains(&rotation.step) {
            return Err(Rule::RotationStep);
        }
        // An action's id is what its own certificate goes by.
        let action = ActionId::from(ordered.certificate.uuid());
        let taken = self.actions.contains_key(&action) || self.closed.contains_key(&action);
        if taken || self.certificate_in_force(ordered.key, event.time).is_ok() {
            return Err(Rule::CertificateBusy);
        }
        self.judge_free(ordered.key)
    }

    /// A signature by a key over its own request.
    pub(crate) fn judge_request_signature(
        &self,
        id: CertificateId,
        key: KeyId,
        digest: &HexBytes,
    ) -> Result<(), Rule> {
        let issuance = self.issuance(id)?;
        if issuance.step != IssuanceStep::Ordered || issuance.asked.is_some() || issuance.key != key {
            return Err(Rule::CertificateStep);
        }
        let held = self.keys.get(&key).ok_or(Rule::KeyUnknown)?;
        let bytes = self.request_bytes(issuance)?;
        if held.algorithm.digest_of(&bytes) == *digest { Ok(()) } else { Err(Rule::CertificateContent) }
    }

    /// A signature by an issuer over a certificate that was requested.
    pub(crate) fn judge_certificate_signature(
        &self,
        id: CertificateId,
        terms: &Terms,
        (signer, digest): (KeyId, &HexBytes),
        at: Timestamp,
    ) -> Result<(), Rule> {
        let issuance = self.issuance(id)?;
        if issuance.step != IssuanceStep::Requested || issuance.asked.is_some() {
            return Err(Rule::CertificateStep);
        }
        self.judge_certified_key(issuance)?;
        let begins = terms.not_before <= at && at <= terms.not_before.plus_seconds(MAX_BACKDATING_S);
        if !begins || terms.not_after != self.certificate_end(issuance, terms.not_before)? {
            return Err(Rule::CertificateDates);
        }
        let (_, above) = self.issuer_of(issuance)?;
        if let Some(above) = above {
            if !above.covers(at) {
                return Err(Rule::CertificateIssuer);
            }
            self.judge_above(signer, above, at, MAX_ABOVE)?;
        }
        if terms.serial.as_bytes().len() < MIN_SERIAL_LEN || self.serials.contains_key(&terms.serial) {
            return Err(Rule::CertificateSerial);
        }
        let (bytes, expected) = self.certificate_bytes(issuance, terms)?;
        let held = self.keys.get(&signer).ok_or(Rule::KeyUnknown)?;
        if signer == expected && held.algorithm.digest_of(&bytes) == *digest {
            Ok(())
        } else {
            Err(Rule::CertificateContent)
        }
    }

    pub(crate) fn judge_requested(&self, requested: &CertificateRequested) -> Result<(), Rule> {
        let issuance = self.issuance(requested.certificate)?;
        if issuance.step != IssuanceStep::Ordered || issuance.signed() != Some(requested.authorization) {
            return Err(Rule::CertificateStep);
        }
        if self.assembled(issuance)? == requested.csr { Ok(()) } else { Err(Rule::CertificateContent) }
    }

    pub(crate) fn judge_issued(&self, issued: &CertificateIssued) -> Result<(), Rule> {
        let issuance = self.issuance(issued.certificate)?;
        if issuance.step != IssuanceStep::Requested || issuance.signed() != Some(issued.authorization) {
            return Err(Rule::CertificateStep);
        }
        if self.assembled(issuance)? == issued.der
            && Hash::sha256(issued.der.as_bytes()) == issued.fingerprint
        {
            Ok(())
        } else {
            Err(Rule::CertificateContent)
        }
    }

    /// A chain from outside: for this key, of the policy's use and length, up to an anchor that people approved. Which name
    /// the certificate bears is that CA's to say.
    pub(crate) fn judge_imported(
        &self,
        imported: &CertificateImported,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let issuance = self.issuance(imported.certificate)?;
        let slot = self.slot(&issuance.slot)?;
        let Actor::Member(member) = actor else { return Err(Rule::Actor) };
        self.judge_keeper(member, slot, at)?;
        let policy = &issuance.policy;
        let IssuerPolicy::Outside { anchors } = &policy.issuer else { return Err(Rule::CertificateIssuer) };
        if issuance.step != IssuanceStep::Requested {
            return Err(Rule::CertificateStep);
        }
        self.judge_certified_key(issuance)?;
        let chain: Vec<Certificate> = imported
            .chain
            .iter()
            .map(|der| Certificate::from_der(der.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(|_| Rule::CertificateChain)?;
        let leaf = chain.first().ok_or(Rule::CertificateChain)?;
        let key = self.public_key(issuance.key)?;
        if leaf.spki() != key.der() {
            return Err(Rule::CertificateKey);
        }
        let longest = leaf.not_before().plus_seconds(u32::from(policy.validity_days) * DAY_S);
        if leaf.not_after() > longest {
            return Err(Rule::CertificateDates);
        }
        let anchors: Vec<Hash> = anchors.iter().copied().collect();
        certificate::verify_path(&chain, &anchors, &key, policy.usage, at)
            .map_err(|_| Rule::CertificateChain)?;
        if leaf.sha256() == imported.fingerprint { Ok(()) } else { Err(Rule::CertificateContent) }
    }

    /// The server gives it up, or somebody who looks after the slot: the CA elsewhere will not answer.
    pub(crate) fn judge_certificate_failed(
        &self,
        failed: &CertificateFailed,
        actor: Actor,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let issuance = self.issuance(failed.certificate)?;
        if let Actor::Member(member) = actor {
            self.judge_keeper(member, self.slot(&issuance.slot)?, at)?;
        }
        // Once a signature was asked for, a certificate may exist: it is recorded, or its signature did not come.
        if issuance.is_open() && issuance.asked.is_none() { Ok(()) } else { Err(Rule::CertificateStep) }
    }
}
