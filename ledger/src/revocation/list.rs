//! Revocation lists: what one says, who signs it, and how that ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Revocation;
use crate::action::RevocationReason;
use crate::certificate::{
    Certificate, RevocationList, RevocationReason as ListedReason, Revoked, Usage, assemble_crl, tbs_crl,
};
use crate::encoding::{B64, Hash, HexBytes};
use crate::event::Event;
use crate::ids::{Correlation, KeyId, Seq};
use crate::issuance::{Issuance, IssuanceStep, Issued};
use crate::payload::{CrlAbandoned, CrlAuthorized, CrlFailed, CrlIssued};
use crate::rotation::DAY_S;
use crate::rule::Rule;
use crate::signature::MAX_AUTHORIZATION_S;
use crate::slot::{Key, KeyState};
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// Longest time from a list to the next, in seconds: 7 days (CA/Browser Forum code signing requirements §4.9.7).
pub const MAX_CRL_LIFE_S: u32 = 7 * DAY_S;

/// `nextUpdate` of the last list of a key that is to be destroyed, 99991231235959Z: what RFC 5280 §4.1.2.5 writes for an end
/// that is not known.
const NEVER_S: i64 = 253_402_300_799;

/// A revocation list that a CA's key was asked to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCrl {
    /// The CA's key.
    pub key: KeyId,
    /// What is signed.
    pub digest: HexBytes,
    /// First moment that it no longer may be issued.
    pub expires_at: Timestamp,
    /// Under which correlation it stands.
    pub correlation: Correlation,
    /// Its dates, and the TBSCertList.
    list: Listed,
}

/// The newest revocation list of a CA's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crl {
    /// Its number: the seq of its authorisation.
    pub number: Seq,
    /// The event that recorded it.
    pub issued: Seq,
    /// SHA-256 of the whole, DER.
    pub sha256: Hash,
    list: Listed,
    signature: B64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    this_update: Timestamp,
    next_update: Timestamp,
    entries: u32,
    tbs: B64,
}

impl PendingCrl {
    /// What the key signs: the TBSCertList, DER.
    pub fn bytes(&self) -> &[u8] {
        self.list.tbs.as_bytes()
    }
}

impl Crl {
    /// When it was made (`thisUpdate`).
    pub fn this_update(&self) -> Timestamp {
        self.list.this_update
    }

    /// When the next one will be there at the latest (`nextUpdate`).
    pub fn next_update(&self) -> Timestamp {
        self.list.next_update
    }

    /// How many certificates it names.
    pub fn entries(&self) -> u32 {
        self.list.entries
    }

    /// Whether none follows it: its key was to be destroyed.
    pub fn is_last(&self) -> bool {
        Some(self.list.next_update) == never()
    }

    /// What its key signed: the TBSCertList, DER.
    pub(crate) fn tbs(&self) -> &[u8] {
        self.list.tbs.as_bytes()
    }
}

/// `nextUpdate` of a key's last list.
pub(crate) fn never() -> Option<Timestamp> {
    Timestamp::from_unix_micros(NEVER_S * 1_000_000)
}

impl Founded {
    /// The lists that wait for their CAs' signatures, by the seq of their authorisations.
    pub fn pending_crls(&self) -> &BTreeMap<Seq, PendingCrl> {
        &self.pending_crls
    }

    /// The newest list of each CA's key that has signed one.
    pub fn crls(&self) -> &BTreeMap<KeyId, Arc<Crl>> {
        &self.crls
    }

    /// A key's newest list, DER.
    pub fn crl_der(&self, key: KeyId) -> Result<Vec<u8>, Rule> {
        let crl = self.crls.get(&key).ok_or(Rule::CrlIssuer)?;
        let algorithm = self.keys.get(&key).ok_or(Rule::KeyUnknown)?.algorithm;
        assemble_crl(crl.tbs(), algorithm, crl.signature.as_bytes()).map_err(|_| Rule::CrlContent)
    }

    /// Whether a key's newest list names every certificate of its own that is revoked by now.
    pub fn is_list_complete(&self, key: KeyId) -> bool {
        let Some(crl) = self.crls.get(&key) else { return false };
        !self.revoked_by(key).any(|(_, _, revocation)| revocation.seq > crl.number)
    }

    /// The keys that could sign a revocation list now: those of CAs that have a certificate which lets them, are kept, and
    /// are not compromised.
    pub fn list_signers(&self) -> impl Iterator<Item = KeyId> {
        self.keys.keys().copied().filter(|key| self.list_issuer(*key).is_ok())
    }

    /// The certificate as which a key issues lists, if it may sign any.
    pub(crate) fn list_issuer(&self, id: KeyId) -> Result<Certificate, Rule> {
        let key = self.keys.get(&id).ok_or(Rule::KeyUnknown)?;
        let kept = match &key.state {
            KeyState::Active { .. } | KeyState::Retiring { .. } | KeyState::Deactivated { .. } => true,
            // Whoever else has the key signs lists as well: its own say nothing.
            KeyState::Revoked { .. } => !key.is_compromised(),
            KeyState::Generating { .. }
            | KeyState::NotGenerated
            | KeyState::PreActivation(_)
            | KeyState::Destroyed { .. } => false,
        };
        if !kept || !self.is_ca(key) {
            return Err(Rule::CrlIssuer);
        }
        let issued = self.certificate_of(id).ok_or(Rule::CrlIssuer)?;
        let issuer = Certificate::from_der(issued.der.as_bytes()).map_err(|_| Rule::CrlIssuer)?;
        let uses = issuer.extensions();
        let lists = uses.ca && uses.key_uses.is_none_or(|uses| uses.signs_revocation_lists());
        if lists { Ok(issuer) } else { Err(Rule::CrlIssuer) }
    }

    pub(super) fn is_ca(&self, key: &Key) -> bool {
        self.slots.get(&key.slot).is_some_and(|slot| slot.rotation.is_issuing())
    }

    /// The certificates that a key signed, but for its own.
    fn issued_by(&self, ca: KeyId) -> impl Iterator<Item = (&Issuance, &Issued)> {
        let others = self.issuances.values().filter(move |issuance| issuance.key != ca);
        others
            .filter_map(|issuance| Some((&**issuance, issuance.issued()?)))
            .filter(move |(_, issued)| issued.issuer == Some(ca))
    }

    fn revoked_by(&self, ca: KeyId) -> impl Iterator<Item = (&Issuance, &Issued, &Revocation)> {
        self.issued_by(ca).filter_map(|(issuance, issued)| match &issuance.step {
            IssuanceStep::Revoked { revocation, .. } => Some((issuance, issued, revocation)),
            _ => None,
        })
    }

    /// Whether something that a key signed is neither revoked nor over.
    pub(super) fn has_outstanding(&self, ca: KeyId, at: Timestamp) -> bool {
        let in_force = |(issuance, issued): (&Issuance, &Issued)| {
            issuance.active().is_some() && at.second() <= issued.not_after
        };
        // What it has signed may yet be recorded.
        let to_come = |issuance: &Arc<Issuance>| issuance.key != ca && issuance.waits_for_signature_of(ca);
        self.issued_by(ca).any(in_force) || self.issuances.values().any(to_come)
    }

    /// What a key's list says of each certificate that it signed and that is revoked. None is ever taken off.
    pub fn list_entries(&self, ca: KeyId) -> Vec<Revoked> {
        let entry = |(issuance, issued, revocation): (&Issuance, &Issued, &Revocation)| {
            // Readers who know no invalidityDate go by the date of revocation, so both are moved back. Before its beginning
            // there is nothing to revoke.
            let invalid_since = revocation.since.map(|since| since.second().max(issued.not_before));
            Some(Revoked {
                invalid_since,
                reason: Some(listed_reason(revocation.reason, issuance)),
                revoked_at: invalid_since.unwrap_or(revocation.at.second()),
                serial: issued.serial.clone()?,
            })
        };
        self.revoked_by(ca).filter_map(entry).collect()
    }

    /// When the first certificate of a CA's key began: since nothing leaves its lists, they go back as far.
    fn began(&self, key: KeyId) -> Option<Timestamp> {
        let own = self.issuances.values().filter(|issuance| issuance.key == key);
        own.filter_map(|issuance| issuance.issued()).map(|issued| issued.not_before).min()
    }

    fn listed(
        &self,
        key: KeyId,
        number: Seq,
        this_update: Timestamp,
        next_update: Timestamp,
    ) -> Result<Listed, Rule> {
        let issuer = self.list_issuer(key)?;
        let algorithm = self.keys.get(&key).ok_or(Rule::KeyUnknown)?.algorithm;
        let entries = self.list_entries(key);
        let list = RevocationList {
            algorithm,
            entries: &entries,
            expired_since: Some(self.began(key).unwrap_or(issuer.not_before())),
            issuer: &issuer,
            next_update,
            number: number.get(),
            this_update,
        };
        let tbs = tbs_crl(&list).map_err(|_| Rule::CrlContent)?.into();
        let entries = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        Ok(Listed { this_update, next_update, entries, tbs })
    }

    /// The bytes of the list that a key would sign (RFC 5280 §5.1.1.1), were it authorised at this place and moment.
    pub(crate) fn list_bytes(
        &self,
        key: KeyId,
        number: Seq,
        at: Timestamp,
        next_update: Timestamp,
    ) -> Result<Vec<u8>, Rule> {
        Ok(self.listed(key, number, at.second(), next_update)?.tbs.as_bytes().to_vec())
    }

    pub(crate) fn judge_crl_authorized(&self, authorized: &CrlAuthorized, event: &Event) -> Result<(), Rule> {
        let (key, at) = (authorized.key, event.time);
        self.list_issuer(key)?;
        if self.pending_crls.values().any(|pending| pending.key == key) {
            return Err(Rule::CrlBusy);
        }
        let begins = at.second();
        let dated = match authorized.action {
            Some(action) => {
                self.judge_last_list(action, key, at)?;
                Some(authorized.next_update) == never()
            }
            None => {
                let latest = begins.plus_seconds(MAX_CRL_LIFE_S);
                begins < authorized.next_update && authorized.next_update <= latest
            }
        };
        if !dated {
            return Err(Rule::CrlDates);
        }
        let bytes = self.list_bytes(key, event.seq, at, authorized.next_update)?;
        let held = self.keys.get(&key).ok_or(Rule::KeyUnknown)?;
        if held.algorithm.digest_of(&bytes) != authorized.digest {
            return Err(Rule::CrlContent);
        }
        let ends = at.plus_seconds(MAX_AUTHORIZATION_S);
        if authorized.expires_at > at && authorized.expires_at <= ends {
            Ok(())
        } else {
            Err(Rule::SignatureLife)
        }
    }

    pub(crate) fn pending_crl(&self, authorization: Seq) -> Result<&PendingCrl, Rule> {
        self.pending_crls.get(&authorization).ok_or(Rule::SignatureUnknown)
    }

    /// The list that a signature makes of what was authorised.
    pub(crate) fn assembled_crl(&self, pending: &PendingCrl, signature: &B64) -> Result<Vec<u8>, Rule> {
        let algorithm = self.keys.get(&pending.key).ok_or(Rule::KeyUnknown)?.algorithm;
        assemble_crl(pending.bytes(), algorithm, signature.as_bytes()).map_err(|_| Rule::CrlContent)
    }

    pub(crate) fn judge_crl_issued(&self, issued: &CrlIssued, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending_crl(issued.authorization)?;
        if issued.key != pending.key {
            return Err(Rule::CrlIssuer);
        }
        self.list_issuer(pending.key)?;
        if at >= pending.expires_at {
            return Err(Rule::ReleaseBarred);
        }
        let der = self.assembled_crl(pending, &issued.signature)?;
        if Hash::sha256(&der) == issued.sha256 && der.len() as u64 == issued.size {
            Ok(())
        } else {
            Err(Rule::CrlContent)
        }
    }

    pub(crate) fn judge_crl_failed(&self, failed: &CrlFailed) -> Result<(), Rule> {
        self.pending_crl(failed.authorization).map(drop)
    }

    /// Only once nobody may record it as issued any more.
    pub(crate) fn judge_crl_abandoned(&self, abandoned: &CrlAbandoned, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending_crl(abandoned.authorization)?;
        if at >= pending.expires_at { Ok(()) } else { Err(Rule::SignatureNotExpired) }
    }

    pub(super) fn apply_crl_authorized(&mut self, authorized: &CrlAuthorized, event: &Event) {
        let key = authorized.key;
        // Judged: the list can be made.
        let Ok(list) = self.listed(key, event.seq, event.time.second(), authorized.next_update) else {
            return;
        };
        let (digest, expires_at) = (authorized.digest.clone(), authorized.expires_at);
        let pending = PendingCrl { key, digest, expires_at, correlation: event.correlation, list };
        Arc::make_mut(&mut self.pending_crls).insert(event.seq, pending);
    }

    pub(super) fn apply_crl_issued(&mut self, issued: &CrlIssued, seq: Seq) {
        let pending = Arc::make_mut(&mut self.pending_crls).remove(&issued.authorization);
        let Some(PendingCrl { key, list, .. }) = pending else { return };
        let crl = Crl {
            number: issued.authorization,
            issued: seq,
            sha256: issued.sha256,
            list,
            signature: issued.signature.clone(),
        };
        Arc::make_mut(&mut self.crls).insert(key, Arc::new(crl));
    }

    pub(super) fn forget_crl(&mut self, authorization: Seq) {
        Arc::make_mut(&mut self.pending_crls).remove(&authorization);
    }
}

/// RFC 5280 §5.3.1 has a code of its own for the compromise of a CA.
fn listed_reason(reason: RevocationReason, issuance: &Issuance) -> ListedReason {
    let ca = matches!(issuance.policy.usage, Usage::Issuing { .. });
    match reason {
        RevocationReason::AffiliationChanged => ListedReason::AffiliationChanged,
        RevocationReason::CessationOfOperation => ListedReason::CessationOfOperation,
        RevocationReason::KeyCompromise if ca => ListedReason::CaCompromise,
        RevocationReason::KeyCompromise => ListedReason::KeyCompromise,
        RevocationReason::PrivilegeWithdrawn => ListedReason::PrivilegeWithdrawn,
        RevocationReason::Superseded => ListedReason::Superseded,
    }
}
