//! What events say of a slot: its key, where that is kept, the policies in force, and keys of it that were revoked.
//!
//! Whoever makes the papers chooses the events: the newest of each kind, as the server knows them. What an event that was
//! left out would have changed, only the whole ledger tells.

use std::collections::BTreeMap;

use sealbook_ledger::action::{FipsCertificate, RevocationReason};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{BackendName, KeyId, Origin, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::{LedgerPolicy, SigningPolicy};
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::slot::MAX_ROTATION_DAYS;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;

use super::proof::{Cite, Proofs, Proved};
use super::{Code, Refusal};

/// A policy, and the event that set it.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce<P> {
    /// The policy.
    pub policy: P,
    /// SHA-256 of its canonical form, as other events name it.
    pub digest: Hash,
    /// The event.
    pub since: Cite,
}

/// The key that a slot signs with.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyFacts {
    /// Its id.
    pub id: KeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The public key.
    pub public: PublicKey,
    /// What the device says of the private one.
    pub attributes: KeyAttributes,
    /// Whether it was in the device before its slot.
    pub adopted: bool,
    /// The events by which it was asked for and made, or adopted.
    pub made: Vec<Cite>,
    /// The event that put it in charge.
    pub in_charge: Cite,
    /// Since when it is.
    pub since: Timestamp,
}

/// The last review of who can reach a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// How many people and machines can.
    pub holders: u32,
    /// The FIPS 140 certificate that the reviewers found.
    pub fips: Option<FipsCertificate>,
    /// When.
    pub at: Timestamp,
    /// The event.
    pub event: Cite,
}

/// A key of the slot that is not to be believed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// Since when it is suspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// The event that revoked it.
    pub event: Cite,
    /// The key.
    pub key_id: KeyId,
    /// Why.
    pub reason: RevocationReason,
    /// The event that put another key in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Cite>,
    /// That key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement_key_id: Option<KeyId>,
    /// When it was revoked.
    pub revoked_at: Timestamp,
}

/// Everything that the papers say of a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The ledger.
    pub origin: Origin,
    /// The slot.
    pub slot: SlotName,
    /// The event that created it.
    pub created: Cite,
    /// The device of its keys.
    pub backend: BackendName,
    /// The key that it signs with.
    pub key: KeyFacts,
    /// Who can reach the device, where people have reviewed that.
    pub review: Option<Review>,
    /// What the slot signs, for whom.
    pub signing: InForce<SigningPolicy>,
    /// How its key is replaced.
    pub rotation: InForce<RotationPolicy>,
    /// Who decides what in the ledger.
    pub ledger: InForce<LedgerPolicy>,
    /// Its keys that were revoked, in the order of that.
    pub revoked: Vec<Revoked>,
}

impl Facts {
    /// What these events say of a slot and its key.
    pub fn of(proofs: Proofs<'_>, slot: &SlotName, key: KeyId) -> Result<Self, Refusal> {
        let (created, first) = proofs
            .last(|payload| match payload {
                Payload::SlotCreated(p) if p.slot == *slot => Some(p),
                _ => None,
            })
            .ok_or_else(|| missing("how the slot was created"))?;
        let days = || {
            let overlap_days = first.overlap_days.min(MAX_ROTATION_DAYS);
            RotationPolicy::of_days(first.rotation_days, overlap_days)
        };
        let rotation = proofs.last(|payload| match payload {
            Payload::SlotRotationSet(p) if p.slot == *slot => Some(p.rotation.clone()),
            _ => None,
        });
        let rotation = rotation.unwrap_or_else(|| (created, first.rotation.clone().unwrap_or_else(days)));
        let signing = proofs.last(|payload| match payload {
            Payload::SlotPolicySet(p) if p.slot == *slot => Some(p.signing_policy.clone()),
            _ => None,
        });
        let signing = signing.unwrap_or_else(|| (created, first.signing_policy.clone()));
        let ledger = proofs.last(|payload| match payload {
            Payload::PolicySet(p) => Some(p.policy.clone()),
            Payload::LedgerFounded(p) => Some(p.document.policy.clone()),
            _ => None,
        });
        let ledger = ledger.ok_or_else(|| missing("the ledger policy"))?;
        Ok(Self {
            origin: created.event.origin.clone(),
            slot: slot.clone(),
            created: created.cite(),
            backend: first.backend.clone(),
            key: KeyFacts::of(proofs, slot, key)?,
            review: Review::of(proofs, &first.backend),
            signing: InForce::new(signing, SigningPolicy::digest)?,
            rotation: InForce::new(rotation, RotationPolicy::digest)?,
            ledger: InForce::new(ledger, LedgerPolicy::digest)?,
            revoked: revoked(proofs),
        })
    }

    /// Days after which the key is replaced: the slot's, or the ledger policy's where those are fewer.
    pub fn interval_days(&self) -> u16 {
        self.rotation.policy.rotation_days.min(self.ledger.policy.cadence().rotation_days)
    }
}

fn missing(what: &str) -> Refusal {
    Code::ReceiptMissing.saying(format!("no receipt says {what}"))
}

impl<P> InForce<P> {
    fn new<E: std::fmt::Display>(
        (since, policy): (&Proved, P),
        digest: impl Fn(&P) -> Result<Hash, E>,
    ) -> Result<Self, Refusal> {
        let digest = digest(&policy).map_err(|error| Code::Receipt.saying(error.to_string()))?;
        Ok(Self { policy, digest, since: since.cite() })
    }
}

impl KeyFacts {
    fn of(proofs: Proofs<'_>, slot: &SlotName, id: KeyId) -> Result<Self, Refusal> {
        let (asked, algorithm, adopted) = asked_for(proofs, slot, id)?;
        let (made, (spki, attributes)) = proofs
            .last(|payload| match payload {
                Payload::KeyGenerated(p) if p.key == id => Some((&p.spki, p.attributes)),
                Payload::KeyAdopted(p) if p.key == id => Some((&p.spki, p.attributes)),
                _ => None,
            })
            .ok_or_else(|| missing("that the key was made"))?;
        let (in_charge, ()) = proofs
            .last(|payload| match payload {
                Payload::KeyActivated(p) if p.key == id && p.slot == *slot => Some(()),
                Payload::RotationCutOver(p) if p.new_key == id => Some(()),
                _ => None,
            })
            .ok_or_else(|| missing("that the slot signs with the key"))?;
        let public = PublicKey::from_der(spki.as_bytes())
            .map_err(|error| Code::Receipt.saying(format!("event {}: {error}", made.event.seq)))?;
        let made = [asked, made].into_iter().map(Proved::cite);
        let mut made: Vec<Cite> = made.collect();
        made.dedup();
        let (since, in_charge) = (in_charge.event.time, in_charge.cite());
        Ok(Self { id, algorithm, public, attributes, adopted, made, in_charge, since })
    }
}

/// The event that ties a key to its slot and algorithm, and whether that is its adoption.
fn asked_for<'a>(
    proofs: Proofs<'a>,
    slot: &SlotName,
    id: KeyId,
) -> Result<(&'a Proved, Algorithm, bool), Refusal> {
    let asked = proofs.last(|payload| match payload {
        Payload::KeyGenerationAuthorized(p) if p.key == id && p.slot == *slot => Some(p.algorithm),
        _ => None,
    });
    if let Some((asked, algorithm)) = asked {
        return Ok((asked, algorithm, false));
    }
    // An adoption does not repeat the algorithm: it is the slot's, which has had no other.
    let adopted = proofs.last(|payload| match payload {
        Payload::KeyAdopted(p) if p.key == id && p.slot == *slot => Some(()),
        _ => None,
    });
    let algorithm = proofs.last(|payload| match payload {
        Payload::SlotCreated(p) if p.slot == *slot => Some(p.algorithm),
        _ => None,
    });
    match (adopted, algorithm) {
        (Some((adopted, ())), Some((_, algorithm))) => Ok((adopted, algorithm, true)),
        _ => Err(missing("that the key is the slot's")),
    }
}

impl Review {
    fn of(proofs: Proofs<'_>, backend: &BackendName) -> Option<Self> {
        let (event, review) = proofs.last(|payload| match payload {
            Payload::HsmAccessReviewed(p) if p.backend == *backend => Some(p),
            _ => None,
        })?;
        let (at, event) = (event.event.time, event.cite());
        Some(Self { holders: review.holder_count, fips: review.fips, at, event })
    }
}

/// Of each revoked key what was said last: a compromise that was found out later outweighs.
fn revoked(proofs: Proofs<'_>) -> Vec<Revoked> {
    let mut found: BTreeMap<KeyId, Revoked> = BTreeMap::new();
    for proved in proofs.all() {
        let Payload::KeyRevoked(p) = &proved.event.payload else { continue };
        let replaced = proofs.last(|payload| match payload {
            Payload::RotationCutOver(cut_over) if cut_over.old_key == p.key => Some(cut_over.new_key),
            _ => None,
        });
        let revoked = Revoked {
            compromised_since: p.compromised_since,
            event: proved.cite(),
            key_id: p.key,
            reason: p.reason,
            replaced: replaced.map(|(event, _)| event.cite()),
            replacement_key_id: replaced.map(|(_, key)| key),
            revoked_at: proved.event.time,
        };
        found.insert(p.key, revoked);
    }
    let mut revoked: Vec<Revoked> = found.into_values().collect();
    revoked.sort_by_key(|one| one.event.seq);
    revoked
}
