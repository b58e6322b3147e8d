//! How a ledger begins: its key, its founders, and the document that every founder signs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::encoding::{B64, Hash};
use crate::event::{Actor, Event};
use crate::ids::{MemberId, Origin, Seq};
use crate::member::{
    Member, credentials_are_sorted, credentials_are_well_formed, is_domain, key_bytes, roles_are_separate,
};
use crate::payload::{FounderAssertion, FoundingDocument, LedgerFounded, MemberEnrolled};
use crate::policy::{LedgerPolicy, Role};
use crate::quorum::{self, Candidate};
use crate::rule::Rule;
use crate::state::{Founded, LedgerKey, Prechecked};
use crate::webauthn::{ApprovalRp, Assertion, AssertionError, Credential, Purpose};

/// Fewest and most founders of a ledger; recovery authenticators are no people, and not counted among the fewest.
pub const FOUNDERS: std::ops::RangeInclusive<usize> = 2..=16;

/// Refuses a policy with which nobody could begin: one that is malformed, that accepts no authenticator, or under which
/// founders with these roles could not get approved what they may propose. The founding judges it again.
pub fn judge_policy(policy: &LedgerPolicy, roles: &[BTreeSet<Role>], rules: u64) -> Result<(), Rule> {
    let some_make = policy.credentials.aaguids.as_ref().is_none_or(|makes| !makes.is_empty());
    if !policy.is_well_formed(rules) || !some_make {
        return Err(Rule::PolicyForm);
    }
    let id = |place: usize| MemberId::from(uuid::Uuid::from_u128(place as u128));
    let people: Vec<Candidate> =
        roles.iter().enumerate().map(|(place, roles)| (id(place), roles.clone())).collect();
    let reachable = policy.actions.iter().all(|(kind, rule)| {
        people.iter().all(|(proposer, own)| {
            let proposing = rule.proposing(own);
            if proposing.is_empty() {
                return true;
            }
            let others = people.iter().filter(|(id, _)| id != proposer).cloned();
            let seats = others.chain(kind.is_emergency().then_some((*proposer, proposing)));
            quorum::fillable(&rule.quorum, &seats.collect::<Vec<_>>())
        })
    });
    if reachable { Ok(()) } else { Err(Rule::QuorumUnreachable) }
}

/// A founder who was enrolled before the founding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FounderEntry {
    enrolled: MemberEnrolled,
    /// The event's data object, `_sd` included, as the founding document repeats it.
    data: Map<String, Value>,
}

impl FounderEntry {
    pub(crate) fn new(enrolled: &MemberEnrolled, event: &Event) -> Self {
        Self { enrolled: enrolled.clone(), data: founder_data(enrolled, &event.sd) }
    }
}

/// A founder's `member.enrolled` data object as the founding document repeats it.
pub fn founder_data(enrolled: &MemberEnrolled, sd: &[B64]) -> Map<String, Value> {
    // A payload's members are ids, enums, booleans and text: all have a JSON form.
    let mut data = match serde_json::to_value(enrolled) {
        Ok(Value::Object(data)) => data,
        Ok(_) | Err(_) => Map::new(),
    };
    if !sd.is_empty() {
        data.insert("_sd".to_owned(), sd.iter().map(|digest| Value::String(digest.to_string())).collect());
    }
    data
}

/// The founding digest: what the ceremony shows next to the vkey, and what founders sign.
pub fn founding_digest(document: &FoundingDocument) -> Result<Hash, canonical::Unrepresentable> {
    Ok(Purpose::Founding.challenge(&canonical::to_vec(document)?))
}

/// A domain in lower case, and one to eight web origins that are `https`, or `http` on a name of the machine itself
/// (`localhost` and what ends in `.localhost`, RFC 6761 §6.3), for trying out.
pub(crate) fn approval_rp_is_well_formed(rp: &ApprovalRp) -> bool {
    is_domain(&rp.id)
        && (1..=8).contains(&rp.origins.len())
        && rp.origins.iter().all(|origin| is_web_origin(origin))
}

/// `scheme://host[:port]`, as browsers write an origin (RFC 6454 §6.2): no path, no user, no query.
fn is_web_origin(origin: &str) -> bool {
    let (authority, secure) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(authority), _) => (authority, true),
        (None, Some(authority)) => (authority, false),
        (None, None) => return false,
    };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    is_domain(host)
        && port.parse::<u16>().is_ok()
        && port.bytes().all(|b| b.is_ascii_digit())
        && (secure || host == "localhost" || host.ends_with(".localhost"))
}

pub(crate) fn judge_founder(
    founders: &[FounderEntry],
    event: &Event,
    enrolled: &MemberEnrolled,
) -> Result<(), Rule> {
    if event.actor != Actor::System {
        return Err(Rule::Actor);
    }
    if founders.len() >= *FOUNDERS.end() || enrolled.action.is_some() {
        return Err(Rule::FoundingDocument);
    }
    if founders.iter().any(|founder| founder.enrolled.member == enrolled.member) {
        return Err(Rule::MemberDuplicate);
    }
    if !credentials_are_sorted(&enrolled.credentials) {
        return Err(Rule::CredentialForm);
    }
    if !roles_are_separate(&enrolled.roles) {
        return Err(Rule::RoleSeparation);
    }
    let known = |credential: &Credential| {
        founders.iter().flat_map(|founder| &founder.enrolled.credentials).any(|other| {
            other.cose_public_key == credential.cose_public_key
                || other.credential_id == credential.credential_id
        })
    };
    if enrolled.credentials.iter().any(known) { Err(Rule::CredentialDuplicate) } else { Ok(()) }
}

/// What stood before the founding.
pub(crate) struct Opened<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) key: &'a LedgerKey,
    pub(crate) rules: u64,
    pub(crate) founders: &'a [FounderEntry],
}

pub(crate) fn judge_founding(
    opened: &Opened<'_>,
    event: &Event,
    founded: &LedgerFounded,
    checked: &Prechecked,
) -> Result<(), Rule> {
    let Opened { origin, key, rules, founders } = *opened;
    if event.actor != Actor::System {
        return Err(Rule::Actor);
    }
    let document = &founded.document;
    let repeats_ledger = document.v == 1
        && document.origin == *origin
        && document.vkey == key.vkey
        && document.rules == rules
        && approval_rp_is_well_formed(&document.approval_rp);
    let repeats_founders = document.founders.iter().eq(founders.iter().map(|founder| &founder.data));
    let people = founders.iter().filter(|founder| !founder.enrolled.roles.contains(&Role::Recovery)).count();
    if !repeats_ledger || !repeats_founders || !FOUNDERS.contains(&people) {
        return Err(Rule::FoundingDocument);
    }
    if !document.policy.is_well_formed(rules) {
        return Err(Rule::PolicyForm);
    }
    for FounderEntry { enrolled, .. } in founders {
        if !credentials_are_well_formed(&enrolled.credentials, &document.approval_rp) {
            return Err(Rule::CredentialForm);
        }
        if !enrolled.credentials.iter().all(|credential| document.policy.credentials.accept(credential)) {
            return Err(Rule::CredentialPolicy);
        }
    }
    judge_signatures(founders, founded, checked)?;
    let candidate = Founded::new(key.clone(), founders, founded, event.seq, BTreeMap::new());
    if candidate.unreachable(event.time).is_empty() { Ok(()) } else { Err(Rule::QuorumUnreachable) }
}

/// One assertion of each founder, in the founders' order, each over the same document.
fn judge_signatures(
    founders: &[FounderEntry],
    founded: &LedgerFounded,
    checked: &Prechecked,
) -> Result<(), Rule> {
    let digest = founding_digest(&founded.document).map_err(|_| Rule::FoundingDocument)?;
    if founders.len() != founded.assertions.len() {
        return Err(Rule::FoundingSignatures);
    }
    for (founder, assertion) in founders.iter().zip(&founded.assertions) {
        let enrolled = &founder.enrolled;
        let credential = enrolled.credentials.iter().find(|c| c.credential_id == assertion.credential_id);
        let (Some(credential), true) = (credential, enrolled.member == assertion.member) else {
            return Err(Rule::FoundingSignatures);
        };
        let assertion = assertion.to_assertion().map_err(|_| Rule::AssertionInvalid)?;
        if !checked.holds(&assertion, credential, &founded.document.approval_rp, digest) {
            return Err(Rule::AssertionInvalid);
        }
    }
    Ok(())
}

impl FounderAssertion {
    /// The assertion by itself; refused where a member is too long.
    pub fn to_assertion(&self) -> Result<Assertion, AssertionError> {
        Assertion::new(
            self.credential_id.clone(),
            self.authenticator_data.clone(),
            self.client_data_json.clone(),
            self.signature.clone(),
        )
    }
}

impl Founded {
    /// The ledger as its founding leaves it; both were judged, or are being judged.
    pub(crate) fn new(
        key: LedgerKey,
        founders: &[FounderEntry],
        founded: &LedgerFounded,
        at: Seq,
        hashes: BTreeMap<Seq, Hash>,
    ) -> Self {
        let document = &founded.document;
        let members: BTreeMap<MemberId, Member> = founders
            .iter()
            .map(|founder| (founder.enrolled.member, Member::new(&founder.enrolled, at)))
            .collect();
        let key_owners = founders
            .iter()
            .flat_map(|founder| {
                let member = founder.enrolled.member;
                founder.enrolled.credentials.iter().map(move |c| (key_bytes(c), member))
            })
            .collect();
        Self {
            origin: document.origin.clone(),
            key,
            // A typed policy and document always have a canonical form.
            founding_digest: founding_digest(document).unwrap_or(Hash::ZERO),
            policy_digest: document.policy.digest().unwrap_or(Hash::ZERO),
            policy: Arc::new(document.policy.clone()),
            policy_since: at,
            rules: document.rules,
            approval_rp: Arc::new(document.approval_rp.clone()),
            members: Arc::new(members),
            key_owners: Arc::new(key_owners),
            services: Arc::default(),
            slots: Arc::default(),
            keys: Arc::default(),
            actions: Arc::default(),
            closed: Arc::default(),
            pending: Arc::default(),
            alarms: Arc::default(),
            clearances: Arc::default(),
            recent: Arc::default(),
            rotations: Arc::default(),
            issuances: Arc::default(),
            serials: Arc::default(),
            ageing_since: None,
            documents: Arc::default(),
            pending_crls: Arc::default(),
            crls: Arc::default(),
            incidents: Arc::default(),
            open_incidents: Arc::default(),
            evidence_key: None,
            former_evidence_keys: Arc::default(),
            successions: Arc::default(),
            hashes: Arc::new(hashes),
        }
    }

    /// The digest that the founders signed.
    pub fn founding_digest(&self) -> Hash {
        self.founding_digest
    }

    /// The founders' roles in their document, for a summary.
    pub fn roles_in_force(&self, at: crate::timestamp::Timestamp) -> BTreeMap<MemberId, BTreeSet<Role>> {
        self.members.iter().map(|(id, member)| (*id, member.roles_at(at))).collect()
    }
}
