//! `revocation-evidence.json`: what the ledger and people say of keys that were revoked.
//!
//! The file carries the receipts of what the ledger says: the revocation, who approved it, what took the key's place, and
//! the signature over the evidence of the release that was built anew. What only people know, which releases are affected
//! and where customers are told, is theirs: an `evidence.recorded` event binds the whole file, byte for byte.

use std::collections::BTreeSet;

use sealbook_ledger::action::RevocationReason;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, KeyId, MemberId, Origin, Seq};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{Payload, SignatureCreated, Subject};
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::proof::{Proofs, Proved};
use super::{Code, Label, Refusal, read_json};

/// `schema` of every revocation evidence.
pub const SCHEMA: &str = "sealbook:revocation-evidence/v1";

/// Most revocations of one file.
const MAX_REVOCATIONS: usize = 64;

/// Most releases of one revocation.
pub const MAX_RELEASES: usize = 10_000;

/// Most receipts of one revocation.
const MAX_RECEIPTS: usize = 64;

/// Longest reference of an advisory in bytes.
pub const MAX_REFERENCE: usize = 512;

/// What the evidence of a revocation has to say.
pub const REQUIRED_MEMBERS: [&str; 7] = [
    "revoked_key_id",
    "affected_releases",
    "revoked_at",
    "replacement_key_id",
    "operator_approvers",
    "new_release_evidence",
    "customer_advisory",
];

/// What has to be done in an emergency, and how.
pub const REQUIRED_ACTIONS: [(&str, &str); 5] = [
    (
        "disable-the-secret",
        "Suspend the slot, which takes one person, and revoke the key by quorum: its device signs no more.",
    ),
    (
        "remove-artifacts-from-channels",
        "Take what the key signed since the suspected moment out of every channel.",
    ),
    (
        "publish-the-advisory",
        "Tell customers which releases and which key are affected; the evidence names the advisory.",
    ),
    (
        "rebuild-and-sign-with-a-new-key-id",
        "Rotate the slot, build the affected releases again, and sign them with the new key.",
    ),
    (
        "verify-before-promotion-resumes",
        "Run `sealbook release verify` on the new release, with this evidence, before it is promoted.",
    ),
];

/// A release that people name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseName {
    /// What it is called.
    pub name: Label,
    /// Which one.
    pub version: Label,
}

/// Somebody who approved the revocation, or proposed one in an emergency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// The event of their decision.
    pub event: Seq,
    /// Who.
    pub member: MemberId,
    /// In which role.
    pub role: Role,
}

/// The evidence of the release that was built and signed anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvidence {
    /// What was signed of it, as the algorithm digests it.
    pub digest: HexBytes,
    /// The event that released its signature.
    pub event: Seq,
    /// What the release is called.
    pub name: Label,
    /// SHA-256 of its `release-evidence.json`.
    pub sha256: Hash,
    /// Which one.
    pub version: Label,
}

/// The evidence of one revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The releases that are not to be believed; none where nothing was released with the key.
    pub affected_releases: BTreeSet<ReleaseName>,
    /// Since when the key is suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compromised_since: Option<Timestamp>,
    /// Where customers are told: a URL or an identifier.
    pub customer_advisory: String,
    /// The event that revoked the key.
    pub event: Seq,
    /// The evidence of the release that takes the place of those affected.
    pub new_release_evidence: NewEvidence,
    /// Who approved the revocation.
    pub operator_approvers: BTreeSet<Approver>,
    /// Why.
    pub reason: RevocationReason,
    /// The receipts of all these events, by rising seq.
    pub receipts: Vec<String>,
    /// The key that signs in its place.
    pub replacement_key_id: KeyId,
    /// When the key was revoked.
    pub revoked_at: Timestamp,
    /// The key.
    pub revoked_key_id: KeyId,
}

/// What only people know of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The releases that are not to be believed.
    pub affected_releases: BTreeSet<ReleaseName>,
    /// Where customers are told.
    pub customer_advisory: String,
    /// The release that takes their place: name, version, and SHA-256 of its evidence.
    pub rebuilt: (ReleaseName, Hash),
    /// Those of the approvers that the evidence names; all where empty.
    pub approvers: BTreeSet<MemberId>,
}

/// The file: one entry a key, by rising event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The ledger.
    pub origin: Origin,
    /// The revocations.
    pub revocations: Vec<Revocation>,
    /// [`SCHEMA`].
    pub schema: String,
}

fn refuse(why: impl Into<String>) -> Refusal {
    Code::RevocationEvidence.saying(format!("the revocation evidence: {}", why.into()))
}

impl Revocation {
    /// Composes the evidence of a key's revocation from receipts, by rising seq, and from what people tell.
    pub fn compose(key: KeyId, told: Told, receipts: Vec<String>, vkeys: &[Vkey]) -> Result<Self, Refusal> {
        let proved = proved(&receipts, vkeys)?;
        let proofs = Proofs::new(&proved)?;
        let said = Said::of(proofs, key)?;
        let (signed, created) = said.rebuilt.ok_or_else(|| {
            refuse("no receipt shows the signature over the evidence of the release that was built anew")
        })?;
        let mut operator_approvers = said.approvers;
        let unknown =
            told.approvers.iter().find(|id| !operator_approvers.iter().any(|held| held.member == **id));
        if let Some(member) = unknown {
            return Err(refuse(format!("member {member} did not approve the revocation")));
        }
        operator_approvers.retain(|held| told.approvers.is_empty() || told.approvers.contains(&held.member));
        let (rebuilt, sha256) = told.rebuilt;
        let composed = Self {
            affected_releases: told.affected_releases,
            compromised_since: said.compromised_since,
            customer_advisory: told.customer_advisory,
            event: said.revoked.event.seq,
            new_release_evidence: NewEvidence {
                digest: created.digest.clone(),
                event: signed.event.seq,
                name: rebuilt.name,
                sha256,
                version: rebuilt.version,
            },
            operator_approvers,
            reason: said.reason,
            replacement_key_id: created.key,
            revoked_at: said.revoked.event.time,
            revoked_key_id: key,
            receipts,
        };
        composed.check(&said.revoked.event.origin.clone(), vkeys)?;
        Ok(composed)
    }

    /// Holds one entry against the events that it carries.
    fn check(&self, origin: &Origin, vkeys: &[Vkey]) -> Result<(), Refusal> {
        let key = self.revoked_key_id;
        let refuse = |why: String| refuse(format!("key {key}: {why}"));
        let bounded = self.affected_releases.len() <= MAX_RELEASES && self.receipts.len() <= MAX_RECEIPTS;
        if !bounded {
            return Err(refuse("more releases or receipts than there may be".to_owned()));
        }
        let reference = self.customer_advisory.trim();
        let clean = !reference.is_empty() && self.customer_advisory.len() <= MAX_REFERENCE;
        if !clean || self.customer_advisory.chars().any(char::is_control) {
            return Err(refuse("`customer_advisory` names no advisory".to_owned()));
        }
        if self.operator_approvers.is_empty() {
            return Err(refuse("`operator_approvers` names nobody".to_owned()));
        }
        let proved = proved(&self.receipts, vkeys)?;
        let proofs = Proofs::new(&proved)?;
        let said = Said::of(proofs, key)?;
        if said.revoked.event.origin != *origin {
            return Err(refuse("its events are of another ledger".to_owned()));
        }
        let signed = said.rebuilt.map(|(event, created)| (event.event.seq, created.key, &created.digest));
        let new = &self.new_release_evidence;
        let same = [
            ("event", self.event == said.revoked.event.seq),
            ("revoked_at", self.revoked_at == said.revoked.event.time),
            ("reason", self.reason == said.reason),
            ("compromised_since", self.compromised_since == said.compromised_since),
            ("operator_approvers", self.operator_approvers.is_subset(&said.approvers)),
            ("replacement_key_id", self.replacement_key_id != key),
            ("new_release_evidence", signed == Some((new.event, self.replacement_key_id, &new.digest))),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((member, _)) => Err(refuse(format!("`{member}` is not what its receipts say"))),
            None => Ok(()),
        }
    }
}

/// What the receipts of one entry say.
struct Said<'a> {
    revoked: &'a Proved,
    reason: RevocationReason,
    compromised_since: Option<Timestamp>,
    approvers: BTreeSet<Approver>,
    rebuilt: Option<(&'a Proved, &'a SignatureCreated)>,
}

impl<'a> Said<'a> {
    fn of(proofs: Proofs<'a>, key: KeyId) -> Result<Self, Refusal> {
        let (revoked, said) = proofs
            .last(|payload| match payload {
                Payload::KeyRevoked(p) if p.key == key => Some(p),
                _ => None,
            })
            .ok_or_else(|| refuse(format!("no receipt shows that key {key} was revoked")))?;
        let rebuilt = proofs.last(|payload| match payload {
            Payload::SignatureCreated(p) if p.key != key => Some(&**p),
            _ => None,
        });
        Ok(Self {
            revoked,
            reason: said.reason,
            compromised_since: said.compromised_since,
            approvers: approvers(proofs, said.action),
            rebuilt,
        })
    }
}

/// Who decided that an action may happen: whoever approved it, and in an emergency whoever proposed it.
fn approvers(proofs: Proofs<'_>, action: ActionId) -> BTreeSet<Approver> {
    let decided = proofs.all().iter().filter_map(|proved| {
        let (member, role) = match &proved.event.payload {
            Payload::ActionApproved(p) if p.action == action => (p.member, p.role),
            Payload::ActionProposed(p) if p.document.action == action && p.document.kind().is_emergency() => {
                let signed = p.signed.as_ref()?;
                (signed.member, signed.role)
            }
            _ => return None,
        };
        Some(Approver { event: proved.event.seq, member, role })
    });
    decided.collect()
}

fn proved(receipts: &[String], vkeys: &[Vkey]) -> Result<Vec<Proved>, Refusal> {
    let read =
        |receipt: &String| Proved::read("a receipt of the revocation evidence", receipt.as_bytes(), vkeys);
    receipts.iter().map(read).collect::<Result<_, _>>().map_err(|refusal| refuse(refusal.sentence))
}

impl Evidence {
    /// A file about one ledger.
    pub fn new(origin: Origin) -> Self {
        Self { origin, revocations: Vec::new(), schema: SCHEMA.to_owned() }
    }

    /// Puts an entry in its place, instead of an earlier one about the same key.
    pub fn put(&mut self, revocation: Revocation) {
        self.revocations.retain(|other| other.revoked_key_id != revocation.revoked_key_id);
        self.revocations.push(revocation);
        self.revocations.sort_by_key(|one| one.event);
    }

    /// Its bytes.
    pub fn write(&self) -> Result<Vec<u8>, Refusal> {
        canonical::to_vec(self).map_err(|error| refuse(error.to_string()))
    }

    /// Reads a file in its one form, and names a required member that is missing.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let json: Value = read_json(bytes).map_err(refuse)?;
        match json.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with("sealbook:revocation-evidence/") => {
                return Err(
                    Code::Version.saying(format!("evidence of {other} can't be judged; this is {SCHEMA}"))
                );
            }
            _ => return Err(refuse(format!("its schema is not {SCHEMA}"))),
        }
        let entries =
            json.get("revocations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for entry in entries {
            if let Some(member) = REQUIRED_MEMBERS.iter().find(|member| entry.get(*member).is_none()) {
                return Err(refuse(format!("`{member}` is missing")));
            }
        }
        let read: Self = serde_json::from_value(json).map_err(|error| refuse(error.to_string()))?;
        let rising = read.revocations.windows(2).all(|pair| pair[0].event < pair[1].event);
        if !rising || read.revocations.is_empty() || read.revocations.len() > MAX_REVOCATIONS {
            return Err(refuse("it has 1 to 64 revocations by rising event"));
        }
        if read.write()? == bytes {
            Ok(read)
        } else {
            Err(refuse("a list is not sorted, or names something twice"))
        }
    }

    /// Checks the whole file: each entry against its receipts, and the file against the event that recorded its digest.
    pub fn check(&self, bytes: &[u8], proof: &[u8], vkeys: &[Vkey]) -> Result<(), Refusal> {
        for revocation in &self.revocations {
            revocation.check(&self.origin, vkeys)?;
        }
        let recorded = Proved::read("the receipt of the revocation evidence", proof, vkeys)
            .map_err(|refusal| refuse(refusal.sentence))?;
        let about = |id: &KeyId| self.revocations.iter().any(|one| one.revoked_key_id == *id);
        match &recorded.event.payload {
            Payload::EvidenceRecorded(p)
                if recorded.event.origin == self.origin
                    && matches!(recorded.event.actor, Actor::Member(_))
                    && p.digest == Hash::sha256(bytes)
                    && matches!(&p.subject, Subject::Key(id) if about(id)) =>
            {
                Ok(())
            }
            _ => Err(refuse("its receipt is not of an event by which a member recorded this very file")),
        }
    }

    /// The entry about a key.
    pub fn of(&self, key: KeyId) -> Option<&Revocation> {
        self.revocations.iter().find(|one| one.revoked_key_id == key)
    }
}
