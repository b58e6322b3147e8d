//! Decisions on revocation lists and destroyed keys.

use super::{Refusal, Trial};
use crate::action::Params;
use crate::command::{CrlCommand, CrlLife, CrlOutcome};
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, KeyId, Seq};
use crate::payload::{ActionExecuted, CrlAbandoned, CrlAuthorized, CrlFailed, CrlIssued, KeyDestroyed};
use crate::revocation::never;
use crate::rule::Rule;

impl Trial<'_> {
    pub(super) fn list(&mut self, command: CrlCommand) -> Result<(), Refusal> {
        match command {
            CrlCommand::Authorize { key, lasting, life_s } => self.authorize_list(key, lasting, life_s),
            CrlCommand::Settle { authorization, outcome } => match outcome {
                CrlOutcome::Signed(signature) => self.list_signed(authorization, signature),
                CrlOutcome::Failed(code) => self.system(CrlFailed { authorization, code }).map(drop),
                CrlOutcome::Abandoned => self.system(CrlAbandoned { authorization }).map(drop),
            },
        }
    }

    fn authorize_list(&mut self, key: KeyId, lasting: CrlLife, life_s: u32) -> Result<(), Refusal> {
        let at = self.now();
        let (action, next_update) = match lasting {
            CrlLife::Seconds(seconds) => (None, at.second().plus_seconds(seconds)),
            CrlLife::Last(action) => (Some(action), never().ok_or(Rule::CrlDates)?),
        };
        let number = Seq::new(self.state().size()).ok_or(Refusal::TooLong)?;
        let founded = self.founded()?;
        let bytes = founded.list_bytes(key, number, at, next_update)?;
        let digest = founded.keys().get(&key).ok_or(Rule::KeyUnknown)?.algorithm.digest_of(&bytes);
        let expires_at = at.plus_seconds(life_s);
        self.system(CrlAuthorized { action, digest, expires_at, key, next_update }).map(drop)
    }

    fn list_signed(&mut self, authorization: Seq, signature: B64) -> Result<(), Refusal> {
        let founded = self.founded()?;
        let pending = founded.pending_crl(authorization)?;
        let key = pending.key;
        // The key was compromised while its device was signing: what it signed says nothing.
        if let Err(rule) = founded.list_issuer(key) {
            let code = rule.code().parse().map_err(|_| rule)?;
            return self.system(CrlFailed { authorization, code }).map(drop);
        }
        let der = founded.assembled_crl(pending, &signature)?;
        let (sha256, size) = (Hash::sha256(&der), der.len() as u64);
        self.system(CrlIssued { authorization, key, sha256, signature, size }).map(drop)
    }

    pub(super) fn key_destroyed(&mut self, action: ActionId) -> Result<(), Refusal> {
        let Params::KeyDestroy(params) = &self.founded()?.action(action)?.document().params else {
            return Err(Rule::ActionEffect.into());
        };
        let key = params.key;
        self.system(KeyDestroyed { action, key })?;
        self.system(ActionExecuted { action }).map(drop)
    }
}
