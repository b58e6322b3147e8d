//! When a device may be told to forget a key. What it signed, and what is known of it, stays.

use crate::action::{ActionType, KeyDestroyParams, Params};
use crate::ids::{ActionId, KeyId};
use crate::issuance::IssuanceStep;
use crate::payload::KeyDestroyed;
use crate::rule::Rule;
use crate::slot::KeyState;
use crate::state::{Founded, Progress};
use crate::timestamp::Timestamp;

impl Founded {
    /// A key that is out of use, and of a CA one that nothing depends on any more.
    pub(crate) fn permits_destruction(&self, params: &KeyDestroyParams, at: Timestamp) -> Result<(), Rule> {
        match self.keys.get(&params.key).ok_or(Rule::KeyUnknown)?.state {
            KeyState::Deactivated { .. } | KeyState::Revoked { .. } => {}
            KeyState::Destroyed { .. } => return Err(Rule::KeyDestroyed),
            KeyState::Generating { .. } | KeyState::NotGenerated => return Err(Rule::KeyUnknown),
            KeyState::PreActivation(_) | KeyState::Active { .. } | KeyState::Retiring { .. } => {
                return Err(Rule::KeyInUse);
            }
        }
        if self.pending.values().any(|pending| pending.key == params.key) {
            return Err(Rule::KeyInUse);
        }
        if self.list_issuer(params.key).is_ok() && self.has_outstanding(params.key, at) {
            return Err(Rule::CrlLast);
        }
        Ok(())
    }

    /// Whether a key has yet to sign its last list before it may be destroyed: one that names everything.
    pub fn owes_last_list(&self, key: KeyId) -> bool {
        let last = self.crls.get(&key).is_some_and(|crl| crl.is_last());
        self.list_issuer(key).is_ok() && !(last && self.is_list_complete(key))
    }

    /// Whether everything is said that only the key itself, or the CA above it, can say.
    fn judge_said(&self, key: KeyId) -> Result<(), Rule> {
        if self.pending_crls.values().any(|pending| pending.key == key) {
            return Err(Rule::CrlBusy);
        }
        if self.owes_last_list(key) || !self.is_listed_where_compromised(key) {
            return Err(Rule::CrlLast);
        }
        Ok(())
    }

    /// A compromised key's own list says nothing: those of the CAs above it, where there are any here, have to name it.
    fn is_listed_where_compromised(&self, id: KeyId) -> bool {
        let Some(key) = self.keys.get(&id) else { return false };
        if !key.is_compromised() || !self.is_ca(key) {
            return true;
        }
        let mut own = self.issuances.values().filter(|issuance| issuance.key == id);
        own.all(|issuance| {
            let above = issuance.issued().and_then(|issued| issued.issuer).filter(|above| *above != id);
            match (&issuance.step, above) {
                (IssuanceStep::Revoked { revocation, .. }, Some(above)) => {
                    self.list_issuer(above).is_err()
                        || self.crls.get(&above).is_some_and(|crl| crl.number > revocation.seq)
                }
                _ => true,
            }
        })
    }

    /// The last list of a key is signed when its destruction has begun.
    pub(super) fn judge_last_list(&self, action: ActionId, key: KeyId, at: Timestamp) -> Result<(), Rule> {
        let (open, progress) = self.executing(action, at)?;
        match &open.document().params {
            Params::KeyDestroy(params) if params.key == key && progress == Progress::NotBegun => {
                self.permits_destruction(params, at)
            }
            _ => Err(Rule::ActionEffect),
        }
    }

    pub(crate) fn judge_destroyed(&self, destroyed: &KeyDestroyed, at: Timestamp) -> Result<(), Rule> {
        self.judge_device_effect(destroyed.action, ActionType::KeyDestroy, at)?;
        match &self.action(destroyed.action)?.document().params {
            Params::KeyDestroy(params) if params.key == destroyed.key => {
                self.permits_destruction(params, at)?;
                self.judge_said(destroyed.key)
            }
            _ => Err(Rule::ActionEffect),
        }
    }
}
