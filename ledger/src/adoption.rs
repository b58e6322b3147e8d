//! Keys that are in a device already, taken over by quorum (rules version 2).

use std::sync::Arc;

use crate::action::{KeyAdoptParams, Params};
use crate::ids::Seq;
use crate::payload::KeyAdopted;
use crate::public_key::PublicKey;
use crate::rule::Rule;
use crate::slot::{Key, KeyMaterial, KeyState};
use crate::state::{Founded, Progress};
use crate::timestamp::Timestamp;

/// Longest label of an adopted key, in bytes.
const MAX_LABEL_LEN: usize = 128;

impl Founded {
    /// A key that is in the device already: confined like one that was made here, and of the approved bytes.
    pub(crate) fn judge_adopted(&self, adopted: &KeyAdopted, at: Timestamp) -> Result<(), Rule> {
        let (action, progress) = self.executing(adopted.action, at)?;
        let Params::KeyAdopt(params) = &action.document().params else { return Err(Rule::ActionEffect) };
        let copies = adopted.slot == params.slot.slot
            && adopted.label == params.label
            && adopted.spki_sha256 == params.spki_sha256;
        let taken = self.keys.values().any(|key| key.label == adopted.label);
        if progress != Progress::SlotCreated || !copies || taken || self.knows_key_id(adopted.key) {
            return Err(Rule::ActionEffect);
        }
        if !adopted.attributes.is_confined() {
            return Err(Rule::KeyAttributes);
        }
        let public = PublicKey::from_der(adopted.spki.as_bytes()).map_err(|_| Rule::KeyBytes)?;
        let fits = public.key_type() == params.slot.algorithm.key_type()
            && public.sha256() == adopted.spki_sha256
            && !self.holds_key(adopted.spki_sha256);
        if fits { Ok(()) } else { Err(Rule::KeyBytes) }
    }

    /// Whether a key may be adopted into a slot that is to be.
    pub(crate) fn permits_adoption(&self, params: &KeyAdoptParams, at: Timestamp) -> Result<(), Rule> {
        let printable = params.label.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        // Keys of this and of other ledgers, their ledger keys among them, have labels that begin so.
        let ours = params.label.starts_with("sealbook/");
        // A key that was there before may be in use.
        if params.slot.drill || !printable || ours || !(1..=MAX_LABEL_LEN).contains(&params.label.len()) {
            return Err(Rule::SlotForm);
        }
        let taken = self.holds_key(params.spki_sha256) || self.keys.values().any(|k| k.label == params.label);
        if taken {
            return Err(Rule::KeyBytes);
        }
        self.permits_slot(&params.slot, at)
    }

    pub(crate) fn apply_adopted(&mut self, adopted: &KeyAdopted, seq: Seq) {
        let Some(algorithm) = self.slots.get(&adopted.slot).map(|slot| slot.algorithm) else { return };
        let material = KeyMaterial {
            spki: adopted.spki.clone(),
            spki_sha256: adopted.spki_sha256,
            attributes: adopted.attributes,
        };
        let key = Key {
            slot: adopted.slot.clone(),
            algorithm,
            label: adopted.label.clone(),
            created: seq,
            certificate: None,
            rotation: None,
            state: KeyState::PreActivation(material),
        };
        Arc::make_mut(&mut self.keys).insert(adopted.key, key);
    }
}
