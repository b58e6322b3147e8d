//! Lists of digests that people have before them or approved, by action: read from the store once, and kept while there
//! is room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sealbook_ledger::action::{ActionDocument, Params};
use sealbook_ledger::clearance;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::merkle::Tree;

use crate::ledger::EngineError;
use crate::store::{LedgerId, Store};

/// Digests that are kept at most, over all lists: some 40 MB. The list that was used last always is.
const MAX_KEPT: usize = 200_000;

/// A list whose digests were checked against its root.
pub(super) struct List {
    places: HashMap<HexBytes, Vec<u32>>,
    tree: Tree,
}

impl List {
    fn new(digests: Vec<HexBytes>) -> Self {
        let tree = clearance::tree(&digests);
        let mut places: HashMap<HexBytes, Vec<u32>> = HashMap::with_capacity(digests.len());
        for (index, digest) in (0..).zip(digests) {
            places.entry(digest).or_default().push(index);
        }
        Self { places, tree }
    }

    /// The places at which a digest stands.
    pub(super) fn places(&self, digest: &HexBytes) -> &[u32] {
        self.places.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The inclusion proof of a place.
    pub(super) fn proof(&self, index: u32) -> Result<Vec<Hash>, EngineError> {
        let proof = self.tree.inclusion_proof(u64::from(index), self.tree.size());
        proof.map_err(|error| EngineError::fault("a place beyond its list", error))
    }

    fn len(&self) -> usize {
        usize::try_from(self.tree.size()).unwrap_or(usize::MAX)
    }
}

#[derive(Default)]
struct Kept {
    /// By when they were used: the smallest goes first.
    lists: HashMap<(LedgerId, ActionId), (u64, Arc<List>)>,
    uses: u64,
    digests: usize,
}

impl Kept {
    fn get(&mut self, key: (LedgerId, ActionId)) -> Option<Arc<List>> {
        self.uses += 1;
        let (used, list) = self.lists.get_mut(&key)?;
        *used = self.uses;
        Some(Arc::clone(list))
    }

    fn insert(&mut self, key: (LedgerId, ActionId), list: Arc<List>) {
        self.uses += 1;
        self.digests += list.len();
        if let Some((_, before)) = self.lists.insert(key, (self.uses, list)) {
            self.digests -= before.len();
        }
        while self.digests > MAX_KEPT && self.lists.len() > 1 {
            let oldest = self.lists.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            let Some((_, gone)) = oldest.and_then(|key| self.lists.remove(&key)) else { break };
            self.digests -= gone.len();
        }
    }
}

pub(super) struct Lists {
    store: Arc<Store>,
    kept: Mutex<Kept>,
}

impl Lists {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self { store, kept: Mutex::default() }
    }

    /// The list of an action that was recorded.
    pub(super) async fn of(&self, ledger: LedgerId, action: ActionId) -> Result<Arc<List>, EngineError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = kept().get((ledger, action)) {
            return Ok(list);
        }
        let list = Arc::new(List::new(self.read(ledger, action).await?));
        kept().insert((ledger, action), Arc::clone(&list));
        Ok(list)
    }

    async fn read(&self, ledger: LedgerId, action: ActionId) -> Result<Vec<HexBytes>, EngineError> {
        let corrupt = |what: &str| EngineError::Corrupt(format!("the list of action {action} {what}").into());
        let row = self.store.action(ledger, action).await?.ok_or_else(|| corrupt("has no row"))?;
        let document: ActionDocument =
            serde_json::from_value(row.document).map_err(|_| corrupt("has no document"))?;
        let Params::SigningBatch(params) = document.params else { return Err(corrupt("is none")) };
        let attached = self.store.attachment(ledger, params.digests.sha256).await?;
        let attached = attached.ok_or_else(|| corrupt("is missing"))?;
        clearance::read_list(&params, &attached.bytes)
            .ok_or_else(|| corrupt("is not what its root stands for"))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn list(from: u32, count: u32) -> Arc<List> {
        let digests = (from..from + count).map(|n| HexBytes([[0; 28].as_slice(), &n.to_be_bytes()].concat()));
        Arc::new(List::new(digests.collect()))
    }

    #[test]
    fn a_list_knows_every_place_of_a_digest() {
        let twice = HexBytes(vec![7; 32]);
        let list = List::new(vec![twice.clone(), HexBytes(vec![8; 32]), twice.clone()]);
        assert_eq!(list.places(&twice), [0, 2]);
        assert!(list.places(&HexBytes(vec![9; 32])).is_empty());
        assert_eq!(list.proof(2).unwrap().len(), 1);
        assert!(list.proof(3).is_err());
    }

    #[test]
    fn what_was_not_used_for_longest_gives_way() {
        let mut kept = Kept::default();
        let key = |n: u128| (LedgerId::from_random(1), ActionId::from(Uuid::from_u128(n)));
        for n in 0..20 {
            kept.insert(key(n), list(0, 10_000));
        }
        assert!(kept.get(key(0)).is_some());
        kept.insert(key(20), list(0, 10_000));
        assert!(kept.get(key(0)).is_some() && kept.get(key(1)).is_none() && kept.get(key(20)).is_some());
        assert_eq!(kept.digests, MAX_KEPT);
        kept.insert(key(20), list(0, 1));
        assert_eq!(kept.digests, MAX_KEPT - 9_999);
    }
}
