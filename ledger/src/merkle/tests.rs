use proptest::prelude::*;

use super::*;

/// RFC 6962 as its text has it: recursive, slow, and sharing nothing with the code under test but the two hashes.
mod model {
    use super::{Hash, leaf_hash, node_hash};

    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    pub(super) fn root(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Hash::sha256(b""),
            [one] => leaf_hash(one),
            many => {
                let (left, right) = many.split_at(k(many.len()));
                node_hash(&root(left), &root(right))
            }
        }
    }

    pub(super) fn path(m: usize, leaves: &[Vec<u8>]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(k(leaves.len()));
        let (mut path, sibling) = if m < left.len() {
            (path(m, left), root(right))
        } else {
            (path(m - left.len(), right), root(left))
        };
        path.push(sibling);
        path
    }

    pub(super) fn subproof(m: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(k(leaves.len()));
        let (mut proof, sibling) = if m <= left.len() {
            (subproof(m, left, whole), root(right))
        } else {
            (subproof(m - left.len(), right, false), root(left))
        };
        proof.push(sibling);
        proof
    }
}

fn grown(leaves: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::new();
    for leaf in leaves {
        tree.append(leaf_hash(leaf));
    }
    tree
}

fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n]).collect()
}

#[test]
fn the_empty_tree_has_the_hash_of_nothing_as_root() {
    assert_eq!(Frontier::new().root(), Hash::sha256(b""));
    assert_eq!(Tree::new().root_at(0), Ok(Hash::sha256(b"")));
}

#[test]
fn every_proof_between_all_sizes_up_to_forty_is_the_models_and_holds() {
    let leaves = numbered(40);
    let tree = grown(&leaves);
    for new in 0..=leaves.len() {
        let new_root = model::root(&leaves[..new]);
        assert_eq!(tree.root_at(new as u64), Ok(new_root));
        for index in 0..new {
            let path = tree.inclusion_proof(index as u64, new as u64).unwrap();
            assert_eq!(path, model::path(index, &leaves[..new]));
            let leaf = leaf_hash(&leaves[index]);
            assert_eq!(verify_inclusion(&leaf, index as u64, new as u64, &path, &new_root), Ok(()));
        }
        for old in 0..=new {
            let path = tree.consistency_proof(old as u64, new as u64).unwrap();
            if old > 0 {
                assert_eq!(path, model::subproof(old, &leaves[..new], true));
            }
            let old_root = model::root(&leaves[..old]);
            assert_eq!(verify_consistency(old as u64, new as u64, &old_root, &new_root, &path), Ok(()));
        }
    }
}

#[test]
fn what_the_tree_does_not_hold_is_an_error() {
    let tree = grown(&numbered(5));
    assert_eq!(tree.root_at(6), Err(OutOfRange::Size { asked: 6, held: 5 }));
    assert_eq!(tree.inclusion_proof(5, 5), Err(OutOfRange::Index { index: 5, size: 5 }));
    assert_eq!(tree.inclusion_proof(0, 0), Err(OutOfRange::Index { index: 0, size: 0 }));
    assert_eq!(tree.inclusion_proof(u64::MAX, u64::MAX), Err(OutOfRange::Size { asked: u64::MAX, held: 5 }));
    assert_eq!(tree.consistency_proof(4, 3), Err(OutOfRange::Shrinking { old: 4, new: 3 }));
    assert_eq!(tree.consistency_proof(3, 6), Err(OutOfRange::Size { asked: 6, held: 5 }));
}

#[test]
fn a_forged_empty_root_extends_to_nothing() {
    let root = grown(&numbered(3)).root_at(3).unwrap();
    assert_eq!(verify_consistency(0, 3, &Hash::ZERO, &root, &[]), Err(ProofError::OtherOldRoot));
    assert_eq!(verify_consistency(3, 3, &Hash::ZERO, &root, &[]), Err(ProofError::OtherRoot));
    assert_eq!(verify_consistency(3, 2, &root, &root, &[]), Err(ProofError::Shrinking { old: 3, new: 2 }));
}

proptest! {
    #[test]
    fn tree_and_frontier_agree_with_the_model(
        leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..200),
        index: prop::sample::Index,
        old: prop::sample::Index,
    ) {
        let size = leaves.len() as u64;
        let tree = grown(&leaves);
        let mut frontier = Frontier::new();
        for leaf in &leaves {
            frontier.append(leaf_hash(leaf));
        }
        let root = model::root(&leaves);
        prop_assert_eq!(frontier.size(), size);
        prop_assert_eq!(frontier.root(), root);
        prop_assert_eq!(tree.root_at(size), Ok(root));

        let old = old.index(leaves.len() + 1);
        let path = tree.consistency_proof(old as u64, size).unwrap();
        prop_assert_eq!(verify_consistency(old as u64, size, &model::root(&leaves[..old]), &root, &path), Ok(()));
        if !leaves.is_empty() {
            let index = index.index(leaves.len());
            let path = tree.inclusion_proof(index as u64, size).unwrap();
            prop_assert_eq!(&path, &model::path(index, &leaves));
            prop_assert_eq!(verify_inclusion(&leaf_hash(&leaves[index]), index as u64, size, &path, &root), Ok(()));
        }
    }

    #[test]
    fn a_proof_changed_anywhere_no_longer_holds(
        count in 2_u8..80,
        index: prop::sample::Index,
        position: prop::sample::Index,
        change in 0_u8..4,
        bit in 0_usize..256,
    ) {
        let leaves = numbered(count);
        let (tree, size) = (grown(&leaves), u64::from(count));
        let root = tree.root_at(size).unwrap();
        let index = index.index(leaves.len());
        let honest = tree.inclusion_proof(index as u64, size).unwrap();
        let changed = damaged(&honest, position, change, bit);
        let leaf = leaf_hash(&leaves[index]);
        prop_assert!(verify_inclusion(&leaf, index as u64, size, &changed, &root).is_err());
        let elsewhere = (index as u64 + 1) % size;
        prop_assert!(verify_inclusion(&leaf, elsewhere, size, &honest, &root).is_err());

        let old = index + 1;
        let old_root = model::root(&leaves[..old]);
        let honest = tree.consistency_proof(old as u64, size).unwrap();
        let changed = damaged(&honest, position, change, bit);
        if changed != honest {
            prop_assert!(verify_consistency(old as u64, size, &old_root, &root, &changed).is_err());
        }
    }

    #[test]
    fn no_claim_whatever_panics(
        a: u64,
        b: u64,
        roots: [[u8; 32]; 2],
        path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let (first, second) = (Hash(roots[0]), Hash(roots[1]));
        for (a, b) in [(a, b), (a % 9, b % 9), (a, u64::MAX), (0, a), (a, a)] {
            prop_assert!(verify_inclusion(&first, a, b, &path, &second).is_err());
            let consistent = verify_consistency(a, b, &first, &second, &path);
            prop_assert!(consistent.is_err());
        }
    }
}

/// A path with one hash altered, dropped, doubled or added at the end.
fn damaged(path: &[Hash], position: prop::sample::Index, change: u8, bit: usize) -> Vec<Hash> {
    let mut path = path.to_vec();
    if path.is_empty() {
        return vec![Hash::ZERO];
    }
    let at = position.index(path.len());
    match change {
        0 => path[at].0[bit / 8] ^= 1 << (bit % 8),
        1 => drop(path.remove(at)),
        2 => path.insert(at, path[at]),
        _ => path.push(Hash::ZERO),
    }
    path
}
