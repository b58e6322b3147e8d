//! Checking proofs: RFC 9162 §2.1.3.2 and §2.1.4.2, whose trees are those of RFC 6962.

use super::{empty_root, node_hash};
use crate::encoding::Hash;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no such leaf in a tree of that size.
    #[error("there is no leaf {index} in a tree of {size} leaves")]
    NoSuchLeaf {
        /// The 0-based index.
        index: u64,
        /// The leaves of the tree.
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
    /// The path has more or fewer hashes than the sizes demand.
    #[error("the proof has {hashes} hashes, which is not what its sizes demand")]
    WrongLength {
        /// The hashes in the path.
        hashes: usize,
    },
    /// The leaf and the path lead to another root.
    #[error("the proof leads to another root than the one that was signed")]
    OtherRoot,
    /// The path does not begin at the earlier root: history was rewritten, or the proof belongs to another tree.
    #[error("the proof does not begin at the earlier root")]
    OtherOldRoot,
}

impl ProofError {
    /// The stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSuchLeaf { .. } => "proof.no_such_leaf",
            Self::Shrinking { .. } => "proof.shrinking",
            Self::WrongLength { .. } => "proof.wrong_length",
            Self::OtherRoot => "proof.other_root",
            Self::OtherOldRoot => "proof.other_old_root",
        }
    }
}

/// Where a walk towards the root stands: a node and the last node of its level, both counted from 0.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    /// Takes one hash of the path. Says whether that sibling stands to the left; `None` if the root is reached.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let is_right_child = self.node & 1 == 1;
        let side = if is_right_child || self.node == self.last { Side::Left } else { Side::Right };
        // A last node without a sibling rises unchanged until it is a right child.
        if side == Side::Left && !is_right_child {
            while self.node & 1 == 0 && self.node != 0 {
                self.up();
            }
        }
        self.up();
        Some(side)
    }

    fn at_root(&self) -> bool {
        self.last == 0
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Checks that the leaf with this [`leaf_hash`](super::leaf_hash) stands at the 0-based `index` of the tree with
/// `size` leaves and this root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let wrong_length = ProofError::WrongLength { hashes: path.len() };
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in path {
        hash = match climb.step().ok_or(wrong_length)? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    if !climb.at_root() {
        return Err(wrong_length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// Checks that the tree of `new` leaves with `new_root` begins with the `old` leaves under `old_root`.
///
/// Every tree extends the empty one, whose root must then be given as it is; equal sizes need equal roots. Both have
/// an empty path.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrinking { old, new });
    }
    let wrong_length = ProofError::WrongLength { hashes: path.len() };
    if old == 0 && *old_root != empty_root() {
        return Err(ProofError::OtherOldRoot);
    }
    if old == 0 || old == new {
        return match path {
            [] if old == new && old_root != new_root => Err(ProofError::OtherRoot),
            [] => Ok(()),
            _ => Err(wrong_length),
        };
    }
    // A complete old tree is itself a node of the new one, and its root is not repeated in the path.
    let (first, rest) =
        if old.is_power_of_two() { (old_root, path) } else { path.split_first().ok_or(wrong_length)? };
    let mut climb = Climb { node: old - 1, last: new - 1 };
    while climb.node & 1 == 1 {
        climb.up();
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        match climb.step().ok_or(wrong_length)? {
            Side::Left => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, sibling),
        }
    }
    if !climb.at_root() {
        return Err(wrong_length);
    }
    if old_hash != *old_root {
        return Err(ProofError::OtherOldRoot);
    }
    if new_hash == *new_root { Ok(()) } else { Err(ProofError::OtherRoot) }
}
