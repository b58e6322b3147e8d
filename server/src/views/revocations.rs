//! What is not to be believed any more, and the lists in which CAs say so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealbook_ledger::action::RevocationReason;
use sealbook_ledger::certificate::{CrlUrl, Usage};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, Seq, SlotName};
use sealbook_ledger::issuance::IssuanceStep;
use sealbook_ledger::revocation::{Crl, Revocation};
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::list_numbers::ListNumbers;
use crate::store::{LedgerId, Store, StoreError};

/// Most rows whose askers are looked up at a time.
const MOST_ROWS: usize = 500;

/// The number of cACompromise (RFC 5280 §5.3.1): a CA's certificate that is revoked because somebody else may hold its key.
const CA_COMPROMISE: u8 = 2;

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
    /// The number of a later one that was handed out and that the ledger has lost; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub lost: Option<Seq>,
    /// How it stands.
    pub state: ListState,
    /// SHA-256 of it, DER.
    #[schema(value_type = String)]
    pub sha256: Hash,
    /// Where this server hands it out.
    pub path: String,
    /// Where certificates say that it is, by the CA's policy; absent where that names no place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub url: Option<CrlUrl>,
}

/// How the newest list of a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListState {
    /// It names everything, and the next one is not due.
    Current,
    /// Something was revoked that it does not name.
    Incomplete,
    /// The next one should be there.
    Overdue,
    /// It names everything, and holds for good: its key was to be destroyed.
    Last,
    /// The ledger has lost a later one: this one is not handed out, and the next is signed once its number is higher.
    Lost,
    /// None follows and it does not hold for good: its key is compromised or destroyed, or its certificate has ended.
    Ended,
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

/// The number of a reason (RFC 5280 §5.3.1); lists have another one where a CA's certificate is revoked for a compromise.
pub const fn reason_code(reason: RevocationReason) -> u8 {
    match reason {
        RevocationReason::KeyCompromise => 1,
        RevocationReason::AffiliationChanged => 3,
        RevocationReason::Superseded => 4,
        RevocationReason::CessationOfOperation => 5,
        RevocationReason::PrivilegeWithdrawn => 9,
    }
}

/// The keys that sign revocation lists at a moment. Nobody can follow a list whose issuer's certificate has ended.
pub fn issuers(founded: &Founded, at: Timestamp) -> BTreeSet<KeyId> {
    let holds = |key: &KeyId| founded.certificate_of(*key).is_some_and(|held| at.second() <= held.not_after);
    founded.list_signers().filter(holds).collect()
}

/// The newest lists, by slot, the newest key first. `handed_out` knows those that the ledger may have lost.
pub fn lists(founded: &Founded, tenant: &str, handed_out: &ListNumbers, at: Timestamp) -> Vec<ListView> {
    let issuers = issuers(founded, at);
    let list = |(key, crl): (&KeyId, &Arc<Crl>)| {
        let view = ListView::new(*key, crl, founded, tenant)?;
        let lost = handed_out.lost(*key, Some(crl.number));
        let state = match lost {
            Some(_) => ListState::Lost,
            None => ListState::of(view.next_update, view.complete, issuers.contains(key), at),
        };
        Some(ListView { lost, state, ..view })
    };
    let mut all: Vec<ListView> = founded.crls().iter().filter_map(list).collect();
    all.sort_by(|a, b| (&a.slot, std::cmp::Reverse(a.number)).cmp(&(&b.slot, std::cmp::Reverse(b.number))));
    all
}

impl ListState {
    /// `signs`: whether another list could follow.
    fn of(next_update: Option<Timestamp>, complete: bool, signs: bool, at: Timestamp) -> Self {
        match (next_update, complete) {
            (None, true) => Self::Last,
            _ if !signs => Self::Ended,
            (_, false) => Self::Incomplete,
            (Some(next), true) if at >= next => Self::Overdue,
            (Some(_), true) => Self::Current,
        }
    }
}

impl ListView {
    fn new(key: KeyId, crl: &Crl, founded: &Founded, tenant: &str) -> Option<Self> {
        let slot = founded.keys().get(&key)?.slot.clone();
        let policy = founded.slots().get(&slot).and_then(|slot| slot.rotation.certificate.as_ref());
        Some(Self {
            path: format!("/crl/{tenant}/{slot}/{key}.crl"),
            url: policy.and_then(|policy| policy.crl_url.as_ref()).map(|url| url.of_key(key)),
            slot,
            key,
            number: crl.number,
            seq: crl.issued,
            this_update: crl.this_update(),
            next_update: Some(crl.next_update()).filter(|_| !crl.is_last()),
            entries: crl.entries(),
            complete: founded.is_list_complete(key),
            lost: None,
            state: ListState::Current,
            sha256: crl.sha256,
        })
    }
}

/// Everything that was revoked, the newest first, without who asked for it.
pub fn revoked(founded: &Founded) -> Vec<RevokedView> {
    let mut found: Vec<RevokedView> = keys(founded).chain(certificates(founded)).collect();
    let replacements = replacements(founded);
    for one in &mut found {
        if let Some((rotation, key)) = replacements.get(&one.key) {
            (one.rotation, one.replacement_key) = (Some(*rotation), Some(*key));
        }
    }
    found.sort_by_key(|one| (std::cmp::Reverse(one.seq), one.what == What::Certificate));
    found
}

/// The same with who asked for it.
pub async fn all(store: &Store, ledger: LedgerId, founded: &Founded) -> Result<Vec<RevokedView>, StoreError> {
    let mut found = revoked(founded);
    for some in found.chunks_mut(MOST_ROWS) {
        name_askers(store, ledger, some.iter_mut().collect()).await?;
    }
    Ok(found)
}

/// Looks up who asked that these were revoked, and who asked for the rotations that replaced them.
pub async fn name_askers(
    store: &Store,
    ledger: LedgerId,
    revoked: Vec<&mut RevokedView>,
) -> Result<(), StoreError> {
    let actions: BTreeSet<ActionId> =
        revoked.iter().flat_map(|one| [Some(one.action), one.rotation]).flatten().collect();
    let actions: Vec<ActionId> = actions.into_iter().collect();
    let known = store.actions_of(ledger, &actions).await?;
    let known: BTreeMap<ActionId, String> =
        known.into_iter().map(|row| (row.action, row.proposed_by)).collect();
    for one in revoked {
        one.revoked_by = known.get(&one.action).cloned();
        one.rotated_by = one.rotation.and_then(|rotation| known.get(&rotation).cloned());
    }
    Ok(())
}

fn keys(founded: &Founded) -> impl Iterator<Item = RevokedView> {
    let all = founded.keys().iter();
    all.filter_map(|(id, key)| Some(RevokedView::new(What::Key, key.slot.clone(), *id, key.revocation()?)))
}

fn certificates(founded: &Founded) -> impl Iterator<Item = RevokedView> {
    founded.issuances().iter().filter_map(|(id, issuance)| {
        let IssuanceStep::Revoked { issued, revocation } = &issuance.step else { return None };
        let revoked = RevokedView::new(What::Certificate, issuance.slot.clone(), issuance.key, revocation);
        let ca = matches!(issuance.policy.usage, Usage::Issuing { .. });
        let compromised = revocation.reason == RevocationReason::KeyCompromise;
        Some(RevokedView {
            certificate: Some(*id),
            fingerprint: Some(issued.fingerprint),
            serial: issued.serial.as_ref().map(ToString::to_string),
            listed_by: issued.issuer.filter(|issuer| *issuer != issuance.key),
            reason_code: if ca && compromised { CA_COMPROMISE } else { revoked.reason_code },
            ..revoked
        })
    })
}

/// The rotations that put another key in a key's place, by that.
fn replacements(founded: &Founded) -> BTreeMap<KeyId, (ActionId, KeyId)> {
    let replaced = |(id, rotation): (&ActionId, &Arc<Rotation>)| match rotation.step {
        RotationStep::CutOver { key, .. } | RotationStep::Completed { key, .. } => {
            Some((rotation.old_key, (*id, key)))
        }
        _ => None,
    };
    founded.rotations().iter().filter_map(replaced).collect()
}

impl RevokedView {
    /// The id of what was revoked.
    pub fn id(&self) -> String {
        self.certificate.map_or_else(|| self.key.to_string(), |certificate| certificate.to_string())
    }

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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_can_be_followed_is_current_until_it_lacks_something_or_the_next_one_is_late() {
        let at: Timestamp = "2026-12-05T10:00:00.000000Z".parse().unwrap();
        let (soon, now) = (Some(at.plus_seconds(1)), Some(at));
        assert_eq!(ListState::of(soon, true, true, at), ListState::Current);
        assert_eq!(ListState::of(now, true, true, at), ListState::Overdue);
        assert_eq!(ListState::of(now, false, true, at), ListState::Incomplete);
        // A key that is kept after its last list says more in another one.
        assert_eq!(ListState::of(None, false, true, at), ListState::Incomplete);
    }

    #[test]
    fn a_list_that_nothing_follows_holds_for_good_or_says_nothing_more() {
        let at: Timestamp = "2026-12-05T10:00:00.000000Z".parse().unwrap();
        for signs in [true, false] {
            assert_eq!(ListState::of(None, true, signs, at), ListState::Last);
        }
        for (next, complete) in [(Some(at), true), (Some(at.plus_seconds(9)), false), (None, false)] {
            assert_eq!(ListState::of(next, complete, false, at), ListState::Ended);
        }
    }
}
