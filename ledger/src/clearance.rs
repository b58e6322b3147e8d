//! Clearances: digests that people let a slot sign, each once, where its policy asks for their approval first.
//!
//! A list is known here by the root of an RFC 6962 tree over it, so that the state holds the same few bytes for one
//! digest and for ten thousand. Each signature brings its digest's inclusion proof; the rules read nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::{ActionDocument, Params, SigningBatchParams};
use crate::encoding::{Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{ActionId, Seq, ServiceId, SlotName};
use crate::incident::INCIDENTS;
use crate::merkle::{self, Frontier, Tree};
use crate::payload::{ClearanceUse, SignatureAuthorized, SigningApproved};
use crate::policy::{Environment, Proposer};
use crate::rule::Rule;
use crate::slot::Slot;
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// Most digests that one decision covers.
pub const MAX_CLEARED: u32 = 10_000;

/// What people let a slot sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearance {
    /// The slot.
    pub slot: SlotName,
    /// Where the artifacts are meant to go.
    pub environment: Environment,
    /// The root of the tree over the digests.
    pub root: Hash,
    /// How many they are.
    pub count: u32,
    /// First moment that they no longer may be signed.
    pub expires_at: Timestamp,
    /// The event that approved them.
    pub seq: Seq,
    /// The places that were used up.
    used: BTreeSet<u32>,
}

impl Clearance {
    /// Whether a place of the list may still be signed, as far as it is known here.
    pub fn is_open(&self, index: u32, at: Timestamp) -> bool {
        index < self.count && at < self.expires_at && !self.used.contains(&index)
    }

    /// Whether every place was used up.
    pub fn is_used_up(&self) -> bool {
        self.used.len() >= self.count as usize
    }

    /// How many places were used up.
    pub fn used(&self) -> usize {
        self.used.len()
    }
}

/// The tree over a list of digests: its leaves are the digests' bytes, in the list's order.
pub fn tree<'a>(digests: impl IntoIterator<Item = &'a HexBytes>) -> Tree {
    let mut tree = Tree::new();
    for digest in digests {
        tree.append(leaf(digest));
    }
    tree
}

/// Longest list in bytes: as many digests as a decision covers, each as long as a digest can be.
pub const MAX_LIST_LEN: usize = MAX_CLEARED as usize * MAX_DIGEST_LEN;

/// Longest digest that an algorithm signs, in bytes: SHA-512's.
const MAX_DIGEST_LEN: usize = 64;

/// The digests of a list, where these are the very bytes that its proposal names by hash, count and root.
///
/// The rules read no attachment. Whoever accepts a proposal or decides on it asks here whether people see what the root
/// stands for.
pub fn read_list(params: &SigningBatchParams, bytes: &[u8]) -> Option<Vec<HexBytes>> {
    let count =
        usize::try_from(params.count).ok().filter(|count| (1..=MAX_CLEARED as usize).contains(count))?;
    let len = bytes.len().checked_div(count).filter(|len| (1..=MAX_DIGEST_LEN).contains(len))?;
    let whole = len * count == bytes.len() && params.digests.size == bytes.len() as u64;
    if !whole || Hash::sha256(bytes) != params.digests.sha256 {
        return None;
    }
    let digests: Vec<HexBytes> = bytes.chunks_exact(len).map(|digest| HexBytes(digest.to_vec())).collect();
    (root(&digests) == params.root).then_some(digests)
}

/// The root of the tree over a list of digests.
pub fn root(digests: &[HexBytes]) -> Hash {
    let mut frontier = Frontier::new();
    digests.iter().for_each(|digest| frontier.append(leaf(digest)));
    frontier.root()
}

/// The leaf of a digest: also the root of the list that holds nothing else.
pub fn leaf(digest: &HexBytes) -> Hash {
    merkle::leaf_hash(&digest.0)
}

/// What an approved action clears; `None` for one that is about something else.
pub(crate) fn cleared_by(document: &ActionDocument) -> Option<SigningApproved> {
    let (count, environment, root, slot) = match &document.params {
        // A tree of one leaf is that leaf (RFC 6962 §2.1).
        Params::SigningApprove(p) => (1, p.environment, leaf(&p.digest), &p.slot),
        Params::SigningBatch(p) => (p.count, p.environment, p.root, &p.slot),
        _ => return None,
    };
    let (action, expires_at) = (document.action, document.expires_at);
    Some(SigningApproved { action, count, environment, expires_at, root, slot: slot.clone() })
}

impl Founded {
    /// The clearances that have not ended, by the action that was approved.
    pub fn clearances(&self) -> &BTreeMap<ActionId, Arc<Clearance>> {
        &self.clearances
    }

    /// A service asks for approval of signatures by a slot that it may use, and for nothing else.
    pub(crate) fn judge_service_proposal(
        &self,
        document: &ActionDocument,
        service: ServiceId,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let rule = self.policy.actions.get(&document.kind()).ok_or(Rule::PolicyForm)?;
        if !document.kind().concerns_signatures() || !rule.proposers.contains(&Proposer::Service) {
            return Err(Rule::RoleMissing);
        }
        match &document.params {
            Params::SigningApprove(p) => self.judge_caller(&p.slot, Actor::Service(service), at),
            Params::SigningBatch(p) => self.judge_caller(&p.slot, Actor::Service(service), at),
            _ => Err(Rule::RoleMissing),
        }
    }

    /// Whether a slot asks for approval in an environment, and `count` digests of together `len` bytes are ones that it
    /// could sign.
    pub(crate) fn permits_clearance(
        &self,
        slot: &SlotName,
        environment: Environment,
        len: u64,
        count: u32,
    ) -> Result<(), Rule> {
        let (name, slot) = (slot, self.slot(slot)?);
        if !(1..=MAX_CLEARED).contains(&count) {
            return Err(Rule::SigningList);
        }
        if len != u64::from(count) * slot.algorithm.digest().byte_len() as u64 {
            return Err(Rule::DigestLength);
        }
        if !slot.signing_policy.environments.contains(&environment) {
            return Err(Rule::SignatureEnvironment);
        }
        if !self.asks_approval(name, slot, environment) {
            return Err(Rule::SigningApprovalNeedless);
        }
        Ok(())
    }

    /// A signature uses up an approval exactly where the slot's policy asks for one.
    pub(crate) fn judge_clearance(
        &self,
        authorized: &SignatureAuthorized,
        environment: Environment,
        slot: &Slot,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let needed = self.asks_approval(&authorized.slot, slot, environment);
        let used = match (&authorized.clearance, needed) {
            (None, false) => return Ok(()),
            (None, true) => return Err(Rule::SigningApproval),
            // What was approved while an incident was open may be signed after it.
            (Some(_), false) if self.rules < INCIDENTS => return Err(Rule::SigningApprovalNeedless),
            (Some(used), _) => used,
        };
        let clearance = self.clearances.get(&used.action).ok_or(Rule::SigningApproval)?;
        let same = clearance.slot == authorized.slot && clearance.environment == environment;
        if !same || at >= clearance.expires_at {
            return Err(Rule::SigningApproval);
        }
        if clearance.used.contains(&used.index) {
            return Err(Rule::SigningUsed);
        }
        let (index, size) = (u64::from(used.index), u64::from(clearance.count));
        let leaf = leaf(&authorized.digest);
        merkle::verify_inclusion(&leaf, index, size, &used.proof, &clearance.root)
            .map_err(|_| Rule::SigningApproval)
    }

    pub(crate) fn apply_cleared(&mut self, approved: &SigningApproved, at: Timestamp, seq: Seq) {
        let clearances = Arc::make_mut(&mut self.clearances);
        clearances.retain(|_, clearance| at < clearance.expires_at);
        let clearance = Clearance {
            slot: approved.slot.clone(),
            environment: approved.environment,
            root: approved.root,
            count: approved.count,
            expires_at: approved.expires_at,
            seq,
            used: BTreeSet::new(),
        };
        clearances.insert(approved.action, Arc::new(clearance));
    }

    pub(crate) fn use_clearance(&mut self, used: &ClearanceUse) {
        if let Some(clearance) = Arc::make_mut(&mut self.clearances).get_mut(&used.action) {
            Arc::make_mut(clearance).used.insert(used.index);
        }
    }

    /// The device did not sign: what was let through may be tried again.
    pub(crate) fn give_back(&mut self, (action, index): (ActionId, u32)) {
        if let Some(clearance) = Arc::make_mut(&mut self.clearances).get_mut(&action) {
            Arc::make_mut(clearance).used.remove(&index);
        }
    }
}
