//! The RFC 6962 §2.1 Merkle tree with SHA-256, whose leaves are the event bytes.
//!
//! [`Frontier`] is what a writer needs: it grows and knows its root, in space logarithmic in the size. [`Tree`] keeps
//! every complete node and proves things about any earlier size. [`verify_inclusion`] and [`verify_consistency`]
//! check such proofs with nothing but the proof and the roots.

mod proof;

pub use proof::{ProofError, verify_consistency, verify_inclusion};

use sha2::{Digest as _, Sha256};

use crate::encoding::Hash;

/// Hashes that a proof can hold at most: one for each bit of a tree size.
pub const MAX_PATH: usize = u64::BITS as usize;

/// The hash of a leaf: SHA-256(0x00 ‖ bytes).
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Hash::sha256_in_context(&[0x00], bytes)
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([0x01]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash::sha256(&[])
}

/// The right edge of a growing tree: the roots of its largest complete subtrees, at most one for each level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    /// As many as `size` has one bits; the leftmost and largest subtree first.
    peaks: Vec<Hash>,
    size: u64,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf by its [`leaf_hash`].
    pub fn append(&mut self, leaf: Hash) {
        // Adding one to the size in binary: every carry merges two subtrees of equal height.
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        bag(&self.peaks).unwrap_or_else(empty_root)
    }
}

/// Joins the roots of adjacent complete subtrees, largest first, from the right (RFC 6962 §2.1); `None` for none.
fn bag(peaks: &[Hash]) -> Option<Hash> {
    peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// A proof or root was asked for that this tree cannot give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// The tree has fewer leaves than the size that was asked about.
    #[error("the tree holds {held} leaves, fewer than the {asked} that were asked about")]
    Size {
        /// The size asked about.
        asked: u64,
        /// The leaves there are.
        held: u64,
    },
    /// There is no such leaf in a tree of that size.
    #[error("there is no leaf {index} in a tree of {size} leaves")]
    Index {
        /// The 0-based index asked about.
        index: u64,
        /// The size asked about.
        size: u64,
    },
    /// A smaller tree never extends a larger one.
    #[error("a tree of {new} leaves does not extend one of {old}")]
    Shrinking {
        /// The earlier size.
        old: u64,
        /// The later size.
        new: u64,
    },
}

impl OutOfRange {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "tree.size_out_of_range",
            Self::Index { .. } => "tree.index_out_of_range",
            Self::Shrinking { .. } => "tree.shrinking",
        }
    }
}

impl Extend<Hash> for Tree {
    /// Adds leaves by their [`leaf_hash`]es, in their order.
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.append(leaf));
    }
}

/// The whole tree: the hash of every complete subtree, about 64 bytes a leaf.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[l][i]` is the root over the leaves `i·2^l` up to `(i + 1)·2^l`.
    levels: Vec<Vec<Hash>>,
    size: u64,
}

impl Tree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a leaf by its [`leaf_hash`].
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            match row.as_slice() {
                [.., left, right] if row.len().is_multiple_of(2) => hash = node_hash(left, right),
                _ => break,
            }
            level += 1;
        }
        self.size += 1;
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The leaves, by their hashes.
    pub fn leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The right edge over all leaves, from which a [`Frontier`] grows on.
    pub fn frontier(&self) -> Frontier {
        Frontier { size: self.size, peaks: self.subtrees(0, self.size) }
    }

    /// The [`leaf_hash`] at the 0-based `index`; `None` beyond the tree.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// The root over the first `size` leaves.
    pub fn root_at(&self, size: u64) -> Result<Hash, OutOfRange> {
        self.holds(size)?;
        Ok(bag(&self.subtrees(0, size)).unwrap_or_else(empty_root))
    }

    /// The proof that the leaf at the 0-based `index` is in the tree of `size` leaves: sibling hashes from the leaf
    /// upwards (RFC 6962 §2.1.1).
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, OutOfRange> {
        self.holds(size)?;
        if index >= size {
            return Err(OutOfRange::Index { index, size });
        }
        let (mut from, mut to) = (0, size);
        let mut path = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                path.extend(self.root_of(middle, to));
                to = middle;
            } else {
                path.extend(self.root_of(from, middle));
                from = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `new` leaves extends the one of `old` (RFC 6962 §2.1.2). It is empty where there is
    /// nothing to prove: from the empty tree, or between equal sizes.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, OutOfRange> {
        self.holds(new)?;
        if old > new {
            return Err(OutOfRange::Shrinking { old, new });
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let (mut from, mut to) = (0, new);
        let mut path = Vec::new();
        while to != old {
            let middle = from + split(to - from);
            if old <= middle {
                path.extend(self.root_of(middle, to));
                to = middle;
            } else {
                path.extend(self.root_of(from, middle));
                from = middle;
            }
        }
        // The old root itself is known to whoever checks; only a part of it has to be sent along.
        if from != 0 {
            path.extend(self.root_of(from, to));
        }
        path.reverse();
        Ok(path)
    }

    fn holds(&self, asked: u64) -> Result<(), OutOfRange> {
        if asked <= self.size { Ok(()) } else { Err(OutOfRange::Size { asked, held: self.size }) }
    }

    /// The root over the leaves `from..to` of a range that RFC 6962's splitting leads to; `None` if it is empty.
    fn root_of(&self, from: u64, to: u64) -> Option<Hash> {
        bag(&self.subtrees(from, to))
    }

    /// The complete subtrees that make up `from..to`, the largest first. The ranges that splitting leads to start at
    /// a multiple of a power of two that is no smaller than they are long, so each subtree is one stored node.
    fn subtrees(&self, from: u64, to: u64) -> Vec<Hash> {
        let mut roots = Vec::new();
        let mut at = from;
        while let Some(level) = (to - at).checked_ilog2() {
            let node = usize::try_from(at >> level).ok();
            roots.extend(node.and_then(|node| self.levels.get(level as usize)?.get(node)));
            at += 1 << level;
        }
        roots
    }
}

/// The largest power of two smaller than `length`, which is at least 2 (RFC 6962 §2.1: the `k` of a split).
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

#[cfg(test)]
mod tests;
