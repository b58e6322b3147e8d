//! `NAME-VERSION.signing-operations.json`: with which key a release is signed, how that is kept and replaced, and what
//! happens when it is lost.

use std::collections::BTreeSet;

use sealbook_ledger::action::{ActionType, FipsCertificate};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{BackendName, ChannelName, KeyId, Origin, Seq, SlotName};
use sealbook_ledger::policy::{ActionRule, Environment, SigningPolicy};
use sealbook_ledger::rotation::RotationPolicy;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::controls::{self, CONTROLS, Control, Status};
use super::facts::{Facts, Revoked};
use super::proof::Cite;
use super::revocation::{REQUIRED_ACTIONS, REQUIRED_MEMBERS};
use super::{Code, Label, Refusal, read_json};

/// `schema` of every operations manifest.
pub const SCHEMA: &str = "sealbook:signing-operations/v1";

/// What a release is, and what its manifest is about: the part that no event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The key that the slot signs with.
    pub active_key_id: KeyId,
    /// The moment that everything is said of: not before its newest event.
    pub at: Timestamp,
    /// Where the release is meant to go.
    pub environment: Environment,
    /// What it is called.
    pub name: Label,
    /// The slot.
    pub slot: SlotName,
    /// Which one it is.
    pub version: Label,
}

#[derive(Serialize)]
struct Operations<'a> {
    #[serde(flatten)]
    header: &'a Header,
    algorithm: Algorithm,
    controls: Vec<Control>,
    custody_model: CustodyModel<'a>,
    key_boundary: KeyBoundary,
    origin: &'a Origin,
    overlap_guidance: OverlapGuidance<'a>,
    revocation_evidence: RevocationEvidence<'a>,
    revoked_keys: &'a [Revoked],
    rotation_policy: Rotation<'a>,
    schema: &'static str,
    signing_policy: Signing<'a>,
    signing_required: bool,
    spki_sha256: Hash,
}

/// Where the key is, and how it came there.
#[derive(Serialize)]
struct CustodyModel<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_review: Option<AccessReview>,
    attributes: KeyAttributes,
    backend: &'a BackendName,
    came_by: &'static str,
}

#[derive(Serialize)]
struct AccessReview {
    event: Cite,
    #[serde(skip_serializing_if = "Option::is_none")]
    fips: Option<FipsCertificate>,
    holders: u32,
    reviewed_at: Timestamp,
}

#[derive(Serialize)]
struct KeyBoundary {
    private: &'static str,
    public: &'static str,
}

#[derive(Serialize)]
struct Rotation<'a> {
    active_since: Timestamp,
    digest: Hash,
    event: &'a Cite,
    interval_days: u16,
    policy: &'a RotationPolicy,
}

#[derive(Serialize)]
struct OverlapGuidance<'a> {
    channels: &'a BTreeSet<ChannelName>,
    days: u16,
    old_key_signs: bool,
    what_to_do: &'static str,
}

#[derive(Serialize)]
struct RevocationEvidence<'a> {
    emergency: &'a ActionRule,
    event: &'a Cite,
    planned: &'a ActionRule,
    required_actions: Vec<RequiredAction>,
    required_members: [&'static str; REQUIRED_MEMBERS.len()],
}

#[derive(Serialize)]
struct RequiredAction {
    id: &'static str,
    what_to_do: &'static str,
}

#[derive(Serialize)]
struct Signing<'a> {
    digest: Hash,
    event: &'a Cite,
    policy: &'a SigningPolicy,
}

/// What stays inside, and what comes out.
const BOUNDARY: KeyBoundary = KeyBoundary {
    private: "The private key is in the device and never leaves it, in plain or wrapped; nobody can read it there. A \
              replacement or an escrow key is another key in a device, never a copy.",
    public: "The public key, signatures, receipts and these papers. The server asks the device for signatures over \
             digests, or over whole messages for pure Ed25519, and for nothing else.",
};

/// What whoever verifies does while two keys stand side by side.
const OVERLAP: &str = "Take up the new public key when its first release arrives, and compare it with the event that put it \
                       in charge; keep the old one for what it signed. Drop the old one once it is revoked.";

/// The manifest's bytes: they follow from the header and the facts, and from nothing else.
pub fn write(header: &Header, facts: &Facts) -> Result<Vec<u8>, Refusal> {
    let custody_model = CustodyModel {
        access_review: facts.review.as_ref().map(|review| AccessReview {
            event: review.event.clone(),
            fips: review.fips,
            holders: review.holders,
            reviewed_at: review.at,
        }),
        attributes: facts.key.attributes,
        backend: &facts.backend,
        came_by: if facts.key.adopted { "adoption" } else { "generation" },
    };
    let rotation = &facts.rotation.policy;
    let required = REQUIRED_ACTIONS.map(|(id, what_to_do)| RequiredAction { id, what_to_do });
    let operations = Operations {
        header,
        algorithm: facts.key.algorithm,
        controls: controls::of(facts, header.environment)?,
        custody_model,
        key_boundary: BOUNDARY,
        origin: &facts.origin,
        overlap_guidance: OverlapGuidance {
            channels: &rotation.channels,
            days: rotation.overlap_days,
            old_key_signs: rotation.old_key_signs,
            what_to_do: OVERLAP,
        },
        revocation_evidence: RevocationEvidence {
            emergency: controls::rule(facts, ActionType::KeyRevokeEmergency)?,
            event: &facts.ledger.since,
            planned: controls::rule(facts, ActionType::KeyRevoke)?,
            required_actions: required.into(),
            required_members: REQUIRED_MEMBERS,
        },
        revoked_keys: &facts.revoked,
        rotation_policy: Rotation {
            active_since: facts.key.since,
            digest: facts.rotation.digest,
            event: &facts.rotation.since,
            interval_days: facts.interval_days(),
            policy: rotation,
        },
        schema: SCHEMA,
        signing_policy: Signing {
            digest: facts.signing.digest,
            event: &facts.signing.since,
            policy: &facts.signing.policy,
        },
        signing_required: true,
        spki_sha256: facts.key.public.sha256(),
    };
    canonical::to_vec(&operations).map_err(|error| Code::Operations.saying(error.to_string()))
}

/// What was read of a manifest before its events were.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// What it is about.
    pub header: Header,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The events that its controls cite, each once.
    pub events: BTreeSet<Cite>,
    /// Keys of the slot that it says were revoked.
    pub revoked: Vec<KeyId>,
    members: Map<String, Value>,
}

impl Claimed {
    /// Reads a manifest as far as it goes without events: its form, and that nothing is left out which it has to say.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse = |why: String| Code::Operations.saying(format!("the operations manifest: {why}"));
        let members: Map<String, Value> = read_json(bytes).map_err(refuse)?;
        match members.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with("sealbook:signing-operations/") => {
                return Err(
                    Code::Version.saying(format!("a manifest of {other} can't be judged; this is {SCHEMA}"))
                );
            }
            _ => return Err(refuse(format!("its schema is not {SCHEMA}"))),
        }
        let algorithm = members.get("algorithm").and_then(Value::as_str).unwrap_or_default();
        let algorithm: Algorithm = algorithm.parse().map_err(|_| {
            Code::Algorithm
                .saying(format!("`{}` is no algorithm that a slot signs with", algorithm.escape_debug()))
        })?;
        let all: Value = Value::Object(members.clone());
        let header: Header = serde_json::from_value(all).map_err(|error| refuse(error.to_string()))?;
        says_everything(&members)?;
        let events = cited(&members)?;
        let revoked = revoked_keys(&members).map_err(refuse)?;
        Ok(Self { header, algorithm, events, revoked, members })
    }

    /// Holds the manifest against what its events make, byte for byte.
    pub fn check(&self, bytes: &[u8], facts: &Facts) -> Result<(), Refusal> {
        let made = write(&self.header, facts)?;
        if made == bytes {
            return Ok(());
        }
        let made: Map<String, Value> = read_json(&made).unwrap_or_default();
        let names: BTreeSet<&String> = made.keys().chain(self.members.keys()).collect();
        let differs = names.into_iter().find(|name| made.get(*name) != self.members.get(*name));
        let member = differs.map_or("its text", String::as_str);
        Err(Code::Statement
            .saying(format!("`{member}` of the operations manifest is not what its events say")))
    }

    /// The seqs of the events that it cites.
    pub fn seqs(&self) -> BTreeSet<Seq> {
        self.events.iter().map(|event| event.seq).collect()
    }
}

/// A member that is an object, and in it members that are not empty.
fn has(members: &Map<String, Value>, name: &str, within: &[&str]) -> bool {
    let full = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    let object = members.get(name).and_then(Value::as_object);
    object.is_some_and(|object| within.iter().all(|name| object.get(*name).is_some_and(full)))
}

/// Whether custody, rotation and revocation are there; what they say is held against the events later.
fn says_everything(members: &Map<String, Value>) -> Result<(), Refusal> {
    let custody = has(members, "custody_model", &["attributes", "backend", "came_by"]);
    if !custody || !has(members, "key_boundary", &["private", "public"]) {
        let why =
            "the operations manifest does not say where the private key is kept, and what leaves that place";
        return Err(Code::CustodyBoundary.saying(why));
    }
    let rotation = has(members, "rotation_policy", &["digest", "event", "interval_days", "policy"]);
    if !rotation || !has(members, "overlap_guidance", &["days", "what_to_do"]) {
        let why =
            "the operations manifest does not say how often the key is replaced, and how long two overlap";
        return Err(Code::Rotation.saying(why));
    }
    let wanted = ["emergency", "event", "planned", "required_actions", "required_members"];
    let evidence = members.get("revocation_evidence");
    let listed = |of: &str, id: &dyn Fn(&Value) -> Option<String>, wanted: &str| {
        let list = evidence.and_then(|evidence| evidence.get(of)).and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|one| id(one).as_deref() == Some(wanted)))
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_owned);
    let lacks = REQUIRED_MEMBERS.iter().find(|name| !listed("required_members", &text, name));
    let lacks = lacks.or_else(|| {
        REQUIRED_ACTIONS.iter().map(|(id, _)| id).find(|wanted| !listed("required_actions", &id, wanted))
    });
    let complete = has(members, "revocation_evidence", &wanted) && members.contains_key("revoked_keys");
    match lacks {
        Some(name) => Err(Code::Revocation
            .saying(format!("the operations manifest does not require `{name}` of a revocation"))),
        None if !complete => Err(Code::Revocation
            .saying("the operations manifest does not say who revokes a key, and what is shown then")),
        None => Ok(()),
    }
}

/// Every control is there and met, and cites an event; gives all that are cited.
fn cited(members: &Map<String, Value>) -> Result<BTreeSet<Cite>, Refusal> {
    let listed = members.get("controls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut events = BTreeSet::new();
    for id in CONTROLS {
        let control = listed.iter().find(|control| control.get("id").and_then(Value::as_str) == Some(id));
        let control =
            control.ok_or_else(|| Code::ControlMissing.saying(format!("control {id} is missing")))?;
        let control: Control = serde_json::from_value(control.clone())
            .map_err(|error| Code::Operations.saying(format!("control {id}: {error}")))?;
        if control.status != Status::Met || control.events.is_empty() {
            return Err(Code::ControlUnmet.saying(format!("control {id} is not met, or cites no event")));
        }
        events.extend(control.events);
    }
    Ok(events)
}

fn revoked_keys(members: &Map<String, Value>) -> Result<Vec<KeyId>, String> {
    #[derive(Deserialize)]
    struct Named {
        key_id: KeyId,
    }
    let listed = members.get("revoked_keys").cloned().unwrap_or_default();
    let listed: Vec<Named> =
        serde_json::from_value(listed).map_err(|error| format!("`revoked_keys`: {error}"))?;
    Ok(listed.into_iter().map(|revoked| revoked.key_id).collect())
}
