//! What each slot signed last: the digests that a canary tries with a new key.
//!
//! Kept in the state, so that nobody chooses what a key signs that is not in charge yet: neither the server nor whoever
//! writes in its database. It is bounded, so the state still does not grow with signatures.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::encoding::HexBytes;
use crate::ids::{Seq, SlotName};
use crate::state::Founded;

/// Distinct digests that are kept of a slot.
pub const RECENT: usize = 100;

/// A slot's last distinct digests, the oldest first. A slot has one algorithm, so all are of one length, and stand one behind
/// the other: a copy is one copy of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    len: usize,
    digests: HexBytes,
    /// The events that released them.
    originals: Vec<Seq>,
}

/// A digest that was signed, and the event that released its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// What was signed.
    pub digest: HexBytes,
    /// The newest `signature.created` of it; none for a message of the ledger's own.
    pub original: Option<Seq>,
}

impl Recent {
    fn new(len: usize) -> Self {
        Self { len, digests: HexBytes(Vec::new()), originals: Vec::new() }
    }

    /// The newest stands last; one that was there before moves there.
    fn note(&mut self, digest: &HexBytes, original: Seq) {
        let (len, kept) = (self.len, &mut self.digests.0);
        if digest.0.len() != len || len == 0 {
            return;
        }
        let before = kept.chunks_exact(len).rposition(|one| one == digest.0);
        let oldest = (kept.len() / len >= RECENT).then_some(0);
        if let Some(place) = before.or(oldest) {
            kept.drain(place * len..(place + 1) * len);
            self.originals.remove(place);
        }
        kept.extend_from_slice(&digest.0);
        self.originals.push(original);
    }

    fn list(&self) -> Vec<Signed> {
        let digests = self.digests.0.chunks_exact(self.len.max(1)).map(|digest| HexBytes(digest.to_vec()));
        let signed = digests.zip(&self.originals);
        signed.map(|(digest, original)| Signed { digest, original: Some(*original) }).collect()
    }
}

impl Founded {
    /// The last distinct digests that a slot's callers had signed, at most [`RECENT`], the oldest first.
    pub fn recent_digests(&self, slot: &SlotName) -> Vec<Signed> {
        self.recent.get(slot).map(|recent| recent.list()).unwrap_or_default()
    }

    pub(crate) fn note_recent(&mut self, slot: &SlotName, digest: &HexBytes, original: Seq) {
        let all = Arc::make_mut(&mut self.recent);
        match all.get_mut(slot) {
            Some(recent) => Arc::make_mut(recent).note(digest, original),
            None => {
                let mut recent = Recent::new(digest.0.len());
                recent.note(digest, original);
                all.insert(slot.clone(), Arc::new(recent));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> HexBytes {
        HexBytes(vec![n; 32])
    }

    fn signed(n: u8, original: u64) -> Signed {
        Signed { digest: digest(n), original: Seq::new(original) }
    }

    fn seq(n: u64) -> Seq {
        Seq::new(n).unwrap()
    }

    #[test]
    fn the_last_hundred_distinct_ones_are_kept_in_the_order_of_their_last_signature() {
        let mut recent = Recent::new(32);
        (0..120).for_each(|n| recent.note(&digest(n), seq(n.into())));
        assert_eq!(recent.list(), (20..120).map(|n| signed(n, n.into())).collect::<Vec<_>>());
        recent.note(&digest(50), seq(200));
        recent.note(&digest(50), seq(201));
        let list = recent.list();
        assert_eq!((list.len(), list.last()), (RECENT, Some(&signed(50, 201))));
        recent.note(&digest(1), seq(202));
        assert_eq!(recent.list().first(), Some(&signed(21, 21)));
    }
}
