//! Revocation lists come by themselves: at once where something was revoked, and otherwise long before the last one ends.
//! Keys are destroyed once people have approved it, of a CA after its last list.

use std::time::Instant;

use sealbook_ledger::action::Params;
use sealbook_ledger::command::{Command, CrlCommand, CrlLife, CrlOutcome};
use sealbook_ledger::ids::{ActionId, KeyId};
use sealbook_ledger::revocation::{Crl, MAX_CRL_LIFE_S, REVOKING};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::{Founded, OpenAction};
use sealbook_ledger::timestamp::Timestamp;

use super::{ABANDON_AFTER_S, Effects, Step};
use crate::clock;
use crate::devices::{SIGNING_DEADLINE, custody_error};
use crate::ledger::EngineError;

/// How old a list gets before the next one, in seconds: 3 days. A device that is away for as long again keeps nobody without
/// a list.
const RENEW_AFTER_S: u32 = 3 * 24 * 60 * 60;

impl Effects {
    /// Lists that are due, and authorisations of which nobody knows what became.
    pub(super) fn list_steps(&self, founded: &Founded, at: Timestamp) -> Vec<Step> {
        if founded.rules() < REVOKING {
            return Vec::new();
        }
        let pending = founded.pending_crls();
        let over = pending.iter().filter(|(_, p)| at >= p.expires_at.plus_seconds(ABANDON_AFTER_S));
        let abandon = |authorization| CrlCommand::Settle { authorization, outcome: CrlOutcome::Abandoned };
        let mut steps: Vec<Step> = over.map(|(seq, _)| Step::Submit(Command::List(abandon(*seq)))).collect();
        let lasting = CrlLife::Seconds(MAX_CRL_LIFE_S);
        let due = founded.list_signers().filter(|key| is_due(founded, *key, at));
        let lists = due.map(|key| Step::List { key, lasting, correlation: clock::correlation() });
        steps.extend(lists.filter(|step| !self.has_to_wait(step)));
        steps
    }

    /// What the destruction of a key needs next. Whoever takes it up may: a device that has forgotten a key has nothing to
    /// forget a second time.
    pub(super) fn destruction_step(
        &self,
        founded: &Founded,
        id: ActionId,
        action: &OpenAction,
    ) -> Option<Step> {
        let Params::KeyDestroy(params) = &action.document().params else { return None };
        let key = params.key;
        let signing = founded.pending_crls().values().any(|pending| pending.key == key);
        let step = match founded.awaits_last_list(key) {
            _ if signing => return None,
            true => {
                let correlation = action.proposal().correlation;
                Step::List { key, lasting: CrlLife::Last(id), correlation }
            }
            false => Step::Destroy { action: id, key },
        };
        Some(step).filter(|step| !self.has_to_wait(step))
    }

    /// Has the device forget a key, and records that it has.
    pub(super) async fn destroy(&self, action: ActionId, key: KeyId) -> Result<(), EngineError> {
        let state = self.ledger.state();
        let founded = state.founded()?;
        let held = founded.keys().get(&key).ok_or(Rule::KeyUnknown)?;
        let material = held.material().ok_or(Rule::KeyUnknown)?;
        let device = self.devices.present(&founded.slot(&held.slot)?.backend)?;
        let deadline = Instant::now() + SIGNING_DEADLINE;
        match device.destroy(&held.label, material.spki_sha256, deadline).await {
            Ok(()) => self.submit(Command::KeyDestroyed(action)).await,
            Err(error) if error.outcome_is_unknown() => Err(custody_error(error)),
            Err(error @ crate::custody::CustodyError::Unavailable { .. }) => Err(custody_error(error)),
            Err(error) => self.give_up(action, custody_error(error)).await,
        }
    }
}

/// Whether a key owes a list. Nobody can follow one whose issuer's certificate has ended.
fn is_due(founded: &Founded, key: KeyId, at: Timestamp) -> bool {
    let signing = founded.pending_crls().values().any(|pending| pending.key == key);
    let ended = founded.certificate_of(key).is_none_or(|issued| at.second() > issued.not_after);
    let last = founded.crls().get(&key);
    let old = |crl: &Crl| at >= crl.this_update().plus_seconds(RENEW_AFTER_S);
    match last {
        _ if signing || ended => false,
        Some(crl) if crl.is_last() => !founded.is_list_complete(key),
        Some(crl) => old(crl) || !founded.is_list_complete(key),
        None => true,
    }
}
