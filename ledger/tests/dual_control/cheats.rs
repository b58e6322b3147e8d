//! Ways around the commands, and around what an approval rests on.

use sealbook_ledger::action::{
    CredentialAddParams, CredentialRemoveParams, Params, PolicySetParams, RoleGrantParams, RoleRevokeParams,
};
use sealbook_ledger::effect::{Effect, effect_of};
use sealbook_ledger::payload::{ActionExecuted, ActionExecuting, KeyActivated, LedgerKeyRotated, NextVkey};

use crate::attempts::{approved_by_all, begin, document, holder, propose, proposer};
use crate::dice::Dice;
use crate::proposals::{params, policy};
use crate::support::{CONFINED, vkey};
use crate::world::World;

/// What a server might write that doesn't keep to its own commands: effects, intents, ends.
pub fn write(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = document(world, dice) else { return };
    let document = world.documents[of].clone();
    let action = document.action;
    match dice.below(6) {
        0 => {
            let expires_at = world.state.time_at(world.clock).plus_seconds(600);
            world.write(ActionExecuting { action, expires_at }.into(), Vec::new());
        }
        1 => world.write(ActionExecuted { action }.into(), Vec::new()),
        2 => {
            let Some((&key, known)) = world.now().keys().iter().next() else { return };
            let slot = known.slot.clone();
            world.write(KeyActivated { action, key, slot }.into(), Vec::new());
        }
        3 => {
            let vkey = vkey(&world.state.origin().clone(), 9);
            let (custody, next_vkey_digest) = ("pkcs11".parse().unwrap(), NextVkey::None);
            let rotated = LedgerKeyRotated { action, attributes: CONFINED, custody, next_vkey_digest, vkey };
            world.write(rotated.into(), Vec::new());
        }
        _ => {
            if let Effect::Event(payload, sd) = effect_of(&document) {
                world.write(payload, sd);
            }
        }
    }
}

/// What a server might write that does everything by hand: begins what was approved, has something else take effect,
/// voids nothing.
pub fn carry_out_by_hand(world: &mut World<'_>, dice: &mut Dice) {
    let waiting = propose(world, dice);
    if let Some(of) = waiting {
        approved_by_all(world, of, dice);
    }
    let of = if dice.one_in(2) { propose_policy(world, dice) } else { propose(world, dice) };
    let Some(of) = of else { return };
    approved_by_all(world, of, dice);
    let mut document = world.documents[of].clone();
    let action = document.action;
    let expires_at = world.state.time_at(world.clock).plus_seconds(600);
    world.write(ActionExecuting { action, expires_at }.into(), Vec::new());
    if dice.one_in(4)
        && let Some(params) = params(world, dice)
    {
        document.params = params;
    }
    if let Effect::Event(payload, sd) = effect_of(&document) {
        world.write(payload, sd);
    }
    world.write(ActionExecuted { action }.into(), Vec::new());
    if let Some(of) = waiting {
        begin(world, world.documents[of].action);
    }
}

/// Another ledger policy, which voids whatever is open.
fn propose_policy(world: &mut World<'_>, dice: &mut Dice) -> Option<usize> {
    let params = Params::PolicySet(PolicySetParams { policy: policy(world, dice)? });
    let (who, role) = proposer(world, params.kind(), dice);
    let document = world.document(who, params);
    world.propose(who, 0, role, document)?;
    Some(world.documents.len() - 1)
}

/// An approver loses role or authenticator and is given it again; the approval from before is used nevertheless.
pub fn give_back(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = propose(world, dice) else { return };
    let clause = world.documents[of].quorum.first().cloned();
    let Some(role) = clause.map(|clause| clause.role) else { return };
    approved_by_all(world, of, dice);
    let who = holder(world, role, dice);
    let (member, held) = (world.cast.humans[who].id, world.cast.humans[who].keys[0].credential.clone());
    let (taken, given) = if dice.one_in(2) {
        let grant = RoleGrantParams { member, not_after: None, not_before: None, role };
        (Params::RoleRevoke(RoleRevokeParams { member, role }), Params::RoleGrant(grant))
    } else {
        let credential_id = held.credential_id.clone();
        let removed = CredentialRemoveParams { credential_id, member };
        (
            Params::CredentialRemove(removed),
            Params::CredentialAdd(CredentialAddParams { credential: held, member }),
        )
    };
    for params in [taken, given] {
        let (proposer, role) = proposer(world, params.kind(), dice);
        let document = world.document(proposer, params);
        let action = document.action;
        if world.propose(proposer, 0, role, document).is_some() {
            let last = world.documents.len() - 1;
            approved_by_all(world, last, dice);
            begin(world, action);
        }
    }
    begin(world, world.documents[of].action);
}
