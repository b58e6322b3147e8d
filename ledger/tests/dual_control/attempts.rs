//! What is tried: the ordinary ways, and every way around them.

use sealbook_ledger::action::{ActionDocument, ActionType, Params};
use sealbook_ledger::clearance;
use sealbook_ledger::command::{Command, Containment, SignRequest, SigningOutcome};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, Seq};
use sealbook_ledger::payload::{ActionProposed, ClearanceUse, NextVkey};
use sealbook_ledger::policy::{Environment, Role};
use sealbook_ledger::webauthn::Purpose;

use crate::cheats;
use crate::dice::Dice;
use crate::proposals::{digests, params, service, signing, slot, twisted};
use crate::support::{CONFINED, DECIDING, cancellation_of, key_id, rejection_of, standby, vkey};
use crate::world::World;

/// One thing that somebody tries.
pub fn attempt(world: &mut World<'_>, dice: &mut Dice) {
    match dice.below(40) {
        0..=3 => drop(propose(world, dice)),
        4..=15 => carry(world, dice),
        16..=19 => approve_anything(world, dice),
        20 | 21 => begin_anything(world, dice),
        22 | 23 => end(world, dice),
        24..=26 => device(world, dice),
        27..=29 => contain(world, dice),
        30..=32 => sign(world, dice),
        33 | 34 => settle(world, dice),
        35 => cheats::write(world, dice),
        36 => cheats::carry_out_by_hand(world, dice),
        37 => recover(world, dice),
        38 => cheats::give_back(world, dice),
        _ => wait(world, dice),
    }
}

fn human(world: &World<'_>, dice: &mut Dice) -> usize {
    dice.below(world.cast.humans.len())
}

/// Mostly the authenticator that somebody was enrolled with.
fn key(dice: &mut Dice) -> usize {
    usize::from(dice.one_in(8))
}

/// Mostly a role that the policy lets propose, and that somebody holds; its holder mostly.
pub fn proposer(world: &World<'_>, kind: ActionType, dice: &mut Dice) -> (usize, Role) {
    let allowed: Vec<Role> = Role::ALL
        .into_iter()
        .filter(|role| world.now().policy().actions[&kind].proposers.contains(&(*role).into()))
        .collect();
    let role =
        if allowed.is_empty() || dice.one_in(8) { *dice.pick(&Role::ALL) } else { *dice.pick(&allowed) };
    (holder(world, role, dice), role)
}

/// Mostly somebody who holds a role.
pub fn holder(world: &World<'_>, role: Role, dice: &mut Dice) -> usize {
    let holds = |n: &usize| {
        let member = world.now().members().get(&world.cast.humans[*n].id);
        member.is_some_and(|member| member.grants.iter().any(|grant| grant.role == role))
    };
    let holders: Vec<usize> = (0..world.cast.humans.len()).filter(holds).collect();
    if holders.is_empty() || dice.one_in(10) { human(world, dice) } else { *dice.pick(&holders) }
}

/// The place of the document that was proposed.
pub fn propose(world: &mut World<'_>, dice: &mut Dice) -> Option<usize> {
    let params = params(world, dice)?;
    let kind = params.kind();
    if kind.name().starts_with("signing.") && dice.one_in(2) {
        return ask(world, dice);
    }
    let (who, role) = proposer(world, kind, dice);
    let document = world.document(who, params);
    let document = twisted(document, world, dice);
    world.propose(who, key(dice), role, document)?;
    Some(world.documents.len() - 1)
}

/// A service asks for approval; sometimes for what services may not ask for.
fn ask(world: &mut World<'_>, dice: &mut Dice) -> Option<usize> {
    let service = service(world, dice)?;
    let params = if dice.one_in(6) { params(world, dice)? } else { signing(dice) };
    let document = ActionDocument { proposed_by: service.into(), ..world.document(0, params) };
    world.documents.push(document.clone());
    let asked = world.run(Command::Propose(Box::new(ActionProposed { document, signed: None })));
    asked.then(|| world.documents.len() - 1)
}

/// Proposes, has some approve as the quorum asks, perhaps one too few, lets something come between, and begins.
fn carry(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = propose(world, dice) else { return };
    let document = world.documents[of].clone();
    let seats: Vec<Role> = document
        .quorum
        .iter()
        .flat_map(|clause| std::iter::repeat_n(clause.role, clause.count.into()))
        .collect();
    // Perhaps one approval too few.
    let wanted = seats.len() - usize::from(dice.one_in(4)).min(seats.len());
    for (n, role) in seats.iter().take(wanted).enumerate() {
        let who = holder(world, *role, dice);
        world.approve(who, key(dice), *role, of);
        // Sometimes the same person once more, by the other authenticator or in another role.
        if dice.one_in(6) {
            world.approve(who, 1, seats[(n + 1) % seats.len()], of);
        }
        // Mostly a seat that stayed empty is asked for again.
        if !dice.one_in(3) {
            let other = holder(world, *role, dice);
            world.approve(other, 0, *role, of);
        }
    }
    if dice.one_in(3) {
        match dice.below(5) {
            0 => contain(world, dice),
            1 => wait(world, dice),
            2 => end(world, dice),
            // Whatever else is decided between approval and execution: roles, people, the policy.
            _ => between(world, dice),
        }
    }
    if begin(world, document.action) && dice.one_in(2) {
        device(world, dice);
    }
    if dice.one_in(6) {
        begin(world, document.action);
    }
}

/// Another action carried through, approved by everybody who can.
fn between(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = propose(world, dice) else { return };
    approved_by_all(world, of, dice);
    begin(world, world.documents[of].action);
}

pub fn document(world: &World<'_>, dice: &mut Dice) -> Option<usize> {
    // Mostly one of the last, but those that ended long ago too.
    let count = world.documents.len();
    let back = if dice.one_in(3) { count } else { count.min(4) };
    (count > 0).then(|| count - 1 - dice.below(back))
}

fn approve_anything(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = document(world, dice) else { return };
    let (who, role) = (human(world, dice), *dice.pick(&DECIDING));
    match dice.below(12) {
        // A signature that was given for something else.
        0 => {
            let approved = world.consent(who, key(dice), role, of, Purpose::Proposal);
            world.run(Command::Approve(Box::new(approved)));
        }
        // Another's signature.
        1 => {
            let other = human(world, dice);
            let mut approved = world.consent(other, 0, role, of, Purpose::Approval);
            approved.member = world.cast.humans[who].id;
            world.run(Command::Approve(Box::new(approved)));
        }
        // Another document's approval.
        2 => {
            let Some(other) = document(world, dice) else { return };
            let mut approved = world.consent(who, 0, role, other, Purpose::Approval);
            approved.action = world.documents[of].action;
            world.run(Command::Approve(Box::new(approved)));
        }
        // The proposer's own.
        3 | 4 => {
            let by = world.documents[of].proposed_by.to_string();
            let own = world.cast.humans.iter().position(|human| human.id.to_string() == by);
            let role = world.documents[of].quorum.first().map_or(role, |clause| clause.role);
            world.approve(own.unwrap_or(who), key(dice), role, of);
        }
        _ => {
            let clauses = &world.documents[of].quorum;
            let role = if clauses.is_empty() { role } else { dice.pick(clauses).role };
            world.approve(who, key(dice), role, of);
        }
    }
}

pub fn begin(world: &mut World<'_>, action: ActionId) -> bool {
    let key = key_id(world.fresh());
    world.run(Command::Begin { action, key, life_s: 600 })
}

fn begin_anything(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = document(world, dice) else { return };
    begin(world, world.documents[of].action);
}

fn end(world: &mut World<'_>, dice: &mut Dice) {
    let Some(of) = document(world, dice) else { return };
    let action = world.documents[of].action;
    let (who, role) = (human(world, dice), *dice.pick(&DECIDING));
    match dice.below(5) {
        0 => {
            let a = world.consent(who, key(dice), role, of, Purpose::Rejection);
            world.run(rejection_of(a));
        }
        1 => {
            let by = world.documents[of].proposed_by.to_string();
            let own = world.cast.humans.iter().position(|human| human.id.to_string() == by).unwrap_or(who);
            let a = world.consent(own, key(dice), role, of, Purpose::Cancellation);
            world.run(cancellation_of(a));
        }
        2 => drop(world.run(Command::Expire(action))),
        3 => drop(world.run(Command::Void(action))),
        _ => drop(world.run(Command::Fail { action, code: "test.failed".parse().unwrap() })),
    }
}

/// A device answers, asked or not.
fn device(world: &mut World<'_>, dice: &mut Dice) {
    let spki = world.cast.spki[dice.below(world.cast.spki.len())].clone();
    let making = world.now().keys().iter().filter(|(_, key)| key.state_name() == "generating");
    if let Some(key) = making.map(|(id, _)| *id).next() {
        let attributes = sealbook_ledger::attributes::KeyAttributes { local: !dice.one_in(8), ..CONFINED };
        world.run(match dice.below(6) {
            0 => Command::KeyNotMade { key, code: "device.error".parse().unwrap() },
            1 => Command::KeyAbandoned(key),
            _ => Command::KeyMade { key, spki: spki.clone(), attributes },
        });
    }
    let Some(of) = document(world, dice) else { return };
    let (action, kind) = (world.documents[of].action, world.documents[of].kind());
    let origin = world.state.origin().clone();
    if kind == ActionType::LedgerEvidenceKeySet || dice.one_in(8) {
        let key = key_id(world.fresh());
        world.run(Command::EvidenceKeyMade { action, key, spki });
    } else if kind.name().starts_with("ledger.key_") || dice.one_in(8) {
        let seed = if kind == ActionType::LedgerKeyRecover { 2 } else { 3 + dice.below(4) as u8 };
        world.run(Command::LedgerKeyMade {
            action,
            vkey: vkey(&origin, seed),
            custody: "pkcs11".parse().unwrap(),
            attributes: CONFINED,
            next: if dice.one_in(2) { NextVkey::None } else { standby(&vkey(&origin, 2)) },
        });
    }
}

fn contain(world: &mut World<'_>, dice: &mut Dice) {
    let (who, other) = (human(world, dice), human(world, dice));
    let by = world.cast.humans[who].id;
    let other = &world.cast.humans[other];
    let target = match dice.below(4) {
        0 => Containment::Member(other.id),
        1 => Containment::Credential(other.id, other.keys[key(dice)].credential.credential_id.clone()),
        2 => match service(world, dice) {
            Some(service) => Containment::Service(service),
            None => return,
        },
        _ => Containment::Slot(slot(dice)),
    };
    world.run(Command::Contain { by, target, sd: Vec::new() });
}

fn sign(world: &mut World<'_>, dice: &mut Dice) {
    let caller = match service(world, dice).filter(|_| !dice.one_in(4)) {
        Some(service) => Actor::Service(service),
        None => Actor::Member(world.cast.humans[human(world, dice)].id),
    };
    let (digests, index) = (digests(), dice.below(3));
    let tree = clearance::tree(&digests);
    let actions: Vec<ActionId> = world.now().clearances().keys().copied().collect();
    let used = (!actions.is_empty() && !dice.one_in(3)).then(|| {
        let action = *dice.pick(&actions);
        let one = world.now().clearances()[&action].count == 1;
        ClearanceUse {
            action,
            index: if one { 0 } else { index as u32 },
            proof: if one { Vec::new() } else { tree.inclusion_proof(index as u64, 3).unwrap() },
        }
    });
    let environment = if dice.one_in(5) { Environment::Staging } else { Environment::Production };
    let request = SignRequest {
        slot: slot(dice),
        digest: digests[if dice.one_in(8) { dice.below(3) } else { index }].clone(),
        message: None,
        environment,
        life_s: 1 + dice.below(600) as u32,
        sd: Vec::new(),
        clearance: used,
        key: None,
    };
    // What was approved once is asked for twice.
    for _ in 0..1 + dice.below(2) {
        world.run(Command::Authorize { caller, request: Box::new(request.clone()) });
    }
}

fn settle(world: &mut World<'_>, dice: &mut Dice) {
    let pending: Vec<Seq> = world.now().pending_signatures().keys().copied().collect();
    let any = Seq::new(dice.below(200) as u64).unwrap();
    let authorization = if pending.is_empty() || dice.one_in(8) { any } else { *dice.pick(&pending) };
    let outcome = match dice.below(4) {
        0 => SigningOutcome::Failed("device.error".parse().unwrap()),
        _ => SigningOutcome::Signed(B64(vec![9; 70])),
    };
    world.run(match dice.below(6) {
        0 => Command::Abandon(authorization),
        _ => Command::Settle { authorization, outcome },
    });
}

/// Several who may fill its seats approve.
pub fn approved_by_all(world: &mut World<'_>, of: usize, dice: &mut Dice) {
    let roles: Vec<Role> = world.documents[of].quorum.iter().map(|clause| clause.role).collect();
    for role in roles {
        for _ in 0..3 {
            let who = holder(world, role, dice);
            world.approve(who, 0, role, of);
        }
    }
}

/// The sealed authenticators give somebody another one, at once or after the wait.
fn recover(world: &mut World<'_>, dice: &mut Dice) {
    let sealed: Vec<usize> = (0..world.cast.humans.len())
        .filter(|&n| {
            let member = world.now().members().get(&world.cast.humans[n].id);
            member.is_some_and(|member| member.grants.iter().any(|grant| grant.role == Role::Recovery))
        })
        .collect();
    let &[first, second, ..] = sealed.as_slice() else { return };
    let who = human(world, dice);
    let credentials = vec![world.cast.humans[who].keys[1].credential.clone()];
    let member = world.cast.humans[who].id;
    let params = Params::MemberRecover(sealbook_ledger::action::MemberRecoverParams { credentials, member });
    let mut document = world.document(first, params);
    document.expires_at = document.proposed_at.plus_seconds(7 * 24 * 3600);
    let action = document.action;
    if world.propose(first, 0, Role::Recovery, document).is_none() {
        return;
    }
    let of = world.documents.len() - 1;
    if !dice.one_in(4) {
        world.approve(second, 0, Role::Recovery, of);
    }
    let hours = [0, 71, 72, 100][dice.below(4)];
    world.clock = world.clock.plus_seconds(hours * 3600);
    begin(world, action);
}

/// Time passes; sometimes a clock goes back.
fn wait(world: &mut World<'_>, dice: &mut Dice) {
    let seconds = [60, 600, 3600, 7200, 25 * 3600, 72 * 3600, 15 * 24 * 3600][dice.below(7)];
    world.clock = if dice.one_in(6) { world.cast.clock } else { world.clock.plus_seconds(seconds) };
}
