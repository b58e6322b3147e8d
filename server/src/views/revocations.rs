//! What is not to be believed any more, and the lists in which CAs say so.

use std::collections::BTreeMap;

use sealbook_ledger::action::RevocationReason;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, Seq, SlotName};
use sealbook_ledger::issuance::IssuanceStep;
use sealbook_ledger::revocation::{Crl, Revocation};
use sealbook_ledger::rotation::RotationStep;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::{LedgerId, Store, StoreError};

/// The newest revocation list of one CA's key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ListView {
    /// The CA's slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// The key that signed it.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// Its number: the seq of its `crl.authorized`.
    #[schema(value_type = u64)]
    pub number: Seq,
    /// The `crl.issued`.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub this_update: Timestamp,
    /// When the next one is there at the latest; absent of a last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_update: Option<Timestamp>,
    /// How many certificates it names.
    pub entries: u32,
    /// Whether it names everything that is revoked by now.
    pub complete: bool,
    /// SHA-256 of it, DER.
    #[schema(value_type = String)]
    pub sha256: Hash,
    /// Where this server hands it out.
    pub path: String,
}

/// What was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A key of a slot.
    Key,
    /// A certificate.
    Certificate,
}

/// A key or a certificate that is not to be believed any more.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RevokedView {
    /// Which of the two.
    pub what: What,
    /// The slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// The key; of a certificate the one that it names.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// The certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub certificate: Option<CertificateId>,
    /// SHA-256 of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fingerprint: Option<Hash>,
    /// Its serial number, where a CA of this ledger issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The CA's key that signed it, on whose list it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub listed_by: Option<KeyId>,
    /// Why.
    #[schema(value_type = String)]
    pub revocation_reason: RevocationReason,
    /// The same as RFC 5280 §5.3.1 numbers it.
    pub reason_code: u8,
    /// When it was revoked.
    #[schema(value_type = String, format = DateTime)]
    pub revoked_at: Timestamp,
    /// From when on it is not to be believed, where that is before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub invalid_since: Option<Timestamp>,
    /// The action that people approved, or the rotation that made it needless.
    #[schema(value_type = String, format = Uuid)]
    pub action: ActionId,
    /// Who asked for that: a member's id, or `server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<String>,
    /// The rotation that replaced the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub rotation: Option<ActionId>,
    /// Who asked for that: a member's id, or `server`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_by: Option<String>,
    /// The key that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub replacement_key: Option<KeyId>,
    /// The event by which it was revoked.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// That event with its proof (C2SP tlog-proof), where it was asked for and a checkpoint covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// The number of a reason (RFC 5280 §5.3.1).
pub const fn reason_code(reason: RevocationReason) -> u8 {
    match reason {
        RevocationReason::KeyCompromise => 1,
        RevocationReason::AffiliationChanged => 3,
        RevocationReason::Superseded => 4,
        RevocationReason::CessationOfOperation => 5,
        RevocationReason::PrivilegeWithdrawn => 9,
    }
}

/// The newest lists, by slot, the newest key first.
pub fn lists(founded: &Founded, tenant: &str) -> Vec<ListView> {
    let mut all: Vec<ListView> =
        founded.crls().iter().filter_map(|(key, crl)| ListView::new(*key, crl, founded, tenant)).collect();
    all.sort_by(|a, b| (&a.slot, std::cmp::Reverse(a.number)).cmp(&(&b.slot, std::cmp::Reverse(b.number))));
    all
}

impl ListView {
    fn new(key: KeyId, crl: &Crl, founded: &Founded, tenant: &str) -> Option<Self> {
        let slot = founded.keys().get(&key)?.slot.clone();
        Some(Self {
            path: format!("/crl/{tenant}/{slot}/{key}.crl"),
            slot,
            key,
            number: crl.number,
            seq: crl.issued,
            this_update: crl.this_update(),
            next_update: Some(crl.next_update()).filter(|_| !crl.is_last()),
            entries: crl.entries(),
            complete: founded.is_list_complete(key),
            sha256: crl.sha256,
        })
    }
}

/// Everything that was revoked, the newest first.
pub async fn all(store: &Store, ledger: LedgerId, founded: &Founded) -> Result<Vec<RevokedView>, StoreError> {
    let mut found: Vec<RevokedView> = keys(founded).chain(certificates(founded)).collect();
    found.sort_by_key(|one| (std::cmp::Reverse(one.seq), one.what == What::Certificate));
    let mut askers = Askers { store, ledger, known: BTreeMap::new() };
    for one in &mut found {
        one.revoked_by = askers.of(one.action).await?;
        if let Some(rotation) = one.rotation {
            one.rotated_by = askers.of(rotation).await?;
        }
    }
    Ok(found)
}

fn keys(founded: &Founded) -> impl Iterator<Item = RevokedView> {
    founded.keys().iter().filter_map(|(id, key)| {
        let revoked = RevokedView::new(What::Key, key.slot.clone(), *id, key.revocation()?);
        Some(revoked.replaced(founded))
    })
}

fn certificates(founded: &Founded) -> impl Iterator<Item = RevokedView> {
    founded.issuances().iter().filter_map(|(id, issuance)| {
        let IssuanceStep::Revoked { issued, revocation } = &issuance.step else { return None };
        let revoked = RevokedView {
            certificate: Some(*id),
            fingerprint: Some(issued.fingerprint),
            serial: issued.serial.as_ref().map(ToString::to_string),
            listed_by: issued.issuer.filter(|issuer| *issuer != issuance.key),
            ..RevokedView::new(What::Certificate, issuance.slot.clone(), issuance.key, revocation)
        };
        Some(revoked.replaced(founded))
    })
}

impl RevokedView {
    fn new(what: What, slot: SlotName, key: KeyId, revocation: &Revocation) -> Self {
        Self {
            what,
            slot,
            key,
            certificate: None,
            fingerprint: None,
            serial: None,
            listed_by: None,
            revocation_reason: revocation.reason,
            reason_code: reason_code(revocation.reason),
            revoked_at: revocation.at,
            invalid_since: revocation.since,
            action: revocation.action,
            revoked_by: None,
            rotation: None,
            rotated_by: None,
            replacement_key: None,
            seq: revocation.seq,
            receipt: None,
        }
    }

    /// With the rotation that put another key in its key's place, where one did.
    fn replaced(self, founded: &Founded) -> Self {
        let by = founded.rotations().iter().find_map(|(id, rotation)| match rotation.step {
            RotationStep::CutOver { key, .. } | RotationStep::Completed { key, .. }
                if rotation.old_key == self.key =>
            {
                Some((*id, key))
            }
            _ => None,
        });
        Self { rotation: by.map(|(id, _)| id), replacement_key: by.map(|(_, key)| key), ..self }
    }
}

/// Who asked for which action, each looked up once.
struct Askers<'a> {
    store: &'a Store,
    ledger: LedgerId,
    known: BTreeMap<ActionId, Option<String>>,
}

impl Askers<'_> {
    async fn of(&mut self, action: ActionId) -> Result<Option<String>, StoreError> {
        if let Some(known) = self.known.get(&action) {
            return Ok(known.clone());
        }
        let asker = self.store.action(self.ledger, action).await?.map(|row| row.proposed_by);
        self.known.insert(action, asker.clone());
        Ok(asker)
    }
}
