//! Histories of random commands. What is refused is left out; what is decided is appended.

use proptest::prelude::*;
use sealbook_ledger::action::{
    ApprovalRpParams, CredentialAddParams, CredentialRemoveParams, DeviceKeyParams, KeyRevokeParams,
    MemberParams, MemberRecoverParams, MemberRestoreParams, Params, PolicySetParams, RevocationReason,
    RoleGrantParams, RoleRevokeParams, ServiceGrantParams, ServiceParams, SigningBatchParams, SlotParams,
    SlotPolicyParams, TokenGrant,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::clearance;
use sealbook_ledger::command::{Command, Containment, SigningOutcome};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, KeyId, Seq, ServiceId};
use sealbook_ledger::payload::{
    ClearanceUse, CustodyUnexplained, EvidenceRecorded, NextVkey, RefusalRecorded, Subject,
};
use sealbook_ledger::policy::{Clause, Environment, Role};
use sealbook_ledger::recovery::RECOVERY_WAIT_S;

use crate::support::*;

/// One thing that is tried; the numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    kind: u8,
    a: u8,
    b: u8,
    c: u8,
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0u8..37, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, a, b, c)| Step { kind, a, b, c });
    prop::collection::vec(step, 10..70)
}

pub fn history(founders: u128, steps: &[Step]) -> Ledger {
    let deciding = (0..founders).map(|_| DECIDING.to_vec());
    let sealed = (0..2).map(|_| vec![Role::Recovery]);
    let mut ledger = Ledger::founded_as("acme", deciding.chain(sealed).collect(), |_| {});
    match steps.first() {
        Some(step) if step.a.is_multiple_of(2) => ledger.guarded_slot("s0", Algorithm::EcdsaP256Sha256),
        _ => ledger.slot("s0", Algorithm::EcdsaP256Sha256),
    };
    ledger.service(&["s0"]);
    for step in steps {
        take(&mut ledger, *step);
    }
    ledger
}

fn pick<T: Copy>(of: &[T], n: u8) -> Option<T> {
    (!of.is_empty()).then(|| of[usize::from(n) % of.len()])
}

fn role(n: u8) -> Role {
    Role::ALL[usize::from(n) % Role::ALL.len()]
}

/// Mostly whoever proposed an action: nobody else may take it back.
fn proposer(ledger: &Ledger, action: ActionId, n: u8) -> usize {
    let by = ledger.now().action(action).map(|open| open.document().proposed_by.to_string());
    let own =
        ledger.people.iter().position(|person| by.as_ref().is_ok_and(|id| *id == person.id.to_string()));
    own.filter(|_| !n.is_multiple_of(4)).unwrap_or_else(|| person(ledger, n))
}

/// A role of those who decide: any other is refused at once.
fn deciding(n: u8) -> Role {
    DECIDING[usize::from(n) % DECIDING.len()]
}

fn slot_of(n: u8) -> String {
    // The slot that the service may use is asked for most.
    format!("s{}", (n % 4) / 2)
}

fn person(ledger: &Ledger, n: u8) -> usize {
    usize::from(n) % ledger.people.len()
}

fn actions(ledger: &Ledger) -> Vec<ActionId> {
    ledger.now().actions().keys().copied().collect()
}

fn services(ledger: &Ledger) -> Vec<ServiceId> {
    ledger.now().services().keys().copied().collect()
}

fn keys(ledger: &Ledger) -> Vec<KeyId> {
    ledger.now().keys().keys().copied().collect()
}

fn pending(ledger: &Ledger) -> Vec<Seq> {
    ledger.now().pending_signatures().keys().copied().collect()
}

fn take(ledger: &mut Ledger, step: Step) {
    let Step { kind, a, b, c } = step;
    // Refusals are as good as events: the invariants are about what was appended.
    let _refused = match kind {
        0..=9 => return decree(ledger, a, b, c),
        10 => {
            let _action = proposed(ledger, a, b, c);
            return;
        }
        11 | 12 => return approve(ledger, a, b, c),
        13 => {
            let Some(action) = pick(&actions(ledger), a) else { return };
            ledger.begin(action).map(drop)
        }
        14 | 15 => {
            let Some(action) = pick(&actions(ledger), a) else { return };
            let command = match c % 4 {
                0 => ledger.rejection(person(ledger, b), deciding(c / 4), action),
                1 => ledger.cancellation(proposer(ledger, action, b), deciding(c / 4), action),
                2 => Command::Fail { action, code: "test.failed".parse().unwrap() },
                _ => Command::Expire(action),
            };
            ledger.run(command).map(drop)
        }
        16..=19 => return device(ledger, a, b, c),
        20..=23 => {
            let Some(service) = pick(&services(ledger), a) else { return };
            let mut request = ledger.request(&slot_of(b), 32);
            request.life_s = 1 + u32::from(c);
            ledger.authorize(service, request).map(drop)
        }
        24 | 25 => {
            let Some(seq) = pick(&pending(ledger), a) else { return };
            ledger.settle(seq).map(drop)
        }
        26 => {
            let Some(authorization) = pick(&pending(ledger), a) else { return };
            let outcome = SigningOutcome::Failed("device.error".parse().unwrap());
            if c.is_multiple_of(2) {
                ledger.wait(256);
            }
            let command = match b % 2 {
                0 => Command::Settle { authorization, outcome },
                _ => Command::Abandon(authorization),
            };
            ledger.run(command).map(drop)
        }
        27 | 28 => return contain(ledger, a, b, c),
        32..=35 => return clear(ledger, a, b, c),
        36 => return recover(ledger, a, b),
        29 => {
            ledger.wait([1, 60, 700, 90_000, 300_000][usize::from(a) % 5]);
            return;
        }
        _ => return record(ledger, a, b),
    };
}

fn proposed(ledger: &mut Ledger, a: u8, b: u8, c: u8) -> Option<ActionId> {
    let params = params(ledger, a, b, c)?;
    let proposer = person(ledger, b);
    let role = [Role::PlatformAdmin, Role::SecurityReviewer, Role::KeyOwner, Role::IncidentCommander]
        [usize::from(c) % 4];
    ledger.propose_as(proposer, role, params).ok()
}

/// Proposes, lets everybody approve who can, begins, and lets the device answer.
fn decree(ledger: &mut Ledger, a: u8, b: u8, c: u8) {
    let Some(action) = proposed(ledger, a, b, c) else { return };
    if carry(ledger, action) && !b.is_multiple_of(3) {
        answer(ledger, action, a, c);
    }
}

/// Asks for approval of a digest or a list, approves it, or signs what was approved.
fn clear(ledger: &mut Ledger, a: u8, b: u8, c: u8) {
    let digests: Vec<HexBytes> = (0..1 + c % 3).map(|n| HexBytes(vec![n; 32])).collect();
    let tree = clearance::tree(&digests);
    let Some(service) = pick(&services(ledger), b) else { return };
    if a.is_multiple_of(3) {
        let params = Params::SigningBatch(SigningBatchParams {
            count: u32::try_from(digests.len()).unwrap(),
            environment: Environment::Production,
            digests: digest_list(&digests),
            names_digest: None,
            root: tree.root_at(tree.size()).unwrap(),
            slot: slot_name("s0"),
        });
        let Ok(action) = ledger.service_proposal(service, params) else { return };
        if ledger.approve(person(ledger, b), Role::ChangeBoard, action).is_ok() {
            let _refused = ledger.begin(action);
        }
        return;
    }
    let actions: Vec<ActionId> = ledger.now().clearances().keys().copied().collect();
    let Some(action) = pick(&actions, a) else { return };
    let (index, size) = (u64::from(b) % tree.size(), tree.size());
    let mut request = ledger.request("s0", 32);
    request.digest = digests[usize::from(b) % digests.len()].clone();
    request.clearance = Some(ClearanceUse {
        action,
        index: u32::try_from(index).unwrap(),
        proof: tree.inclusion_proof(index, size).unwrap(),
    });
    let _refused = ledger.authorize(service, request);
}

/// The sealed authenticators ask for a member's recovery, and perhaps wait for it.
fn recover(ledger: &mut Ledger, a: u8, b: u8) {
    let sealed: Vec<usize> = (0..ledger.people.len())
        .filter(|&n| {
            let member = ledger.now().members().get(&ledger.people[n].id);
            member.is_some_and(|member| member.grants.iter().any(|grant| grant.role == Role::Recovery))
        })
        .collect();
    let &[first, second, ..] = sealed.as_slice() else { return };
    let credentials = vec![Person::new(900 + ledger.fresh()).credential];
    let member = ledger.people[person(ledger, a)].id;
    let params = MemberRecoverParams { credentials, member };
    let Ok(action) = ledger.propose_recovery(first, params) else { return };
    if ledger.approve(second, Role::Recovery, action).is_ok() && b.is_multiple_of(2) {
        ledger.wait(RECOVERY_WAIT_S);
        let _refused = ledger.begin(action);
    }
}

fn device(ledger: &mut Ledger, a: u8, b: u8, c: u8) {
    if let Some(action) = pick(&actions(ledger), a).filter(|_| b.is_multiple_of(2)) {
        answer(ledger, action, b, c);
    }
    let waiting = ledger.now().keys().iter().filter(|(_, key)| key.state_name() == "generating");
    let Some(key) = pick(&waiting.map(|(id, _)| *id).collect::<Vec<_>>(), a) else { return };
    if c % 3 == 2 {
        ledger.wait(600);
    }
    let made = spki(Algorithm::EcdsaP256Sha256, 0);
    let attributes = sealbook_ledger::attributes::KeyAttributes { local: !b.is_multiple_of(5), ..CONFINED };
    let command = match c % 3 {
        0 => Command::KeyMade { key, spki: made, attributes },
        1 => Command::KeyNotMade { key, code: "device.error".parse().unwrap() },
        _ => Command::KeyAbandoned(key),
    };
    let _refused = ledger.run(command);
}

/// What a device answers to an action's intent, where it has one.
fn answer(ledger: &mut Ledger, action: ActionId, seed: u8, c: u8) {
    let Ok(open) = ledger.now().action(action) else { return };
    let name = open.document().kind().name();
    let origin = ledger.state.origin().clone();
    let command = match name {
        "slot.create" => {
            let generating = ledger.now().keys().iter().filter(|(_, key)| key.state_name() == "generating");
            let Some(key) = generating.map(|(id, _)| *id).next() else { return };
            match seed / 24 % 3 {
                1 => Command::KeyNotMade { key, code: "device.error".parse().unwrap() },
                _ => {
                    Command::KeyMade { key, spki: spki(Algorithm::EcdsaP256Sha256, 0), attributes: CONFINED }
                }
            }
        }
        "ledger.evidence_key_set" => {
            let key = key_id(ledger.fresh());
            Command::EvidenceKeyMade { action, key, spki: spki(Algorithm::EcdsaP256Sha256, 0) }
        }
        _ => Command::LedgerKeyMade {
            action,
            vkey: vkey(&origin, if name == "ledger.key_recover" { 2 } else { seed }),
            custody: "pkcs11".parse().unwrap(),
            attributes: CONFINED,
            next: if c.is_multiple_of(2) { NextVkey::None } else { standby(&vkey(&origin, 2)) },
        },
    };
    let _refused = ledger.run(command);
}

fn approve(ledger: &mut Ledger, a: u8, b: u8, c: u8) {
    let Some(action) = pick(&actions(ledger), a) else { return };
    let person = person(ledger, b);
    let _refused = ledger.approve(person, role(c), action);
}

fn contain(ledger: &mut Ledger, a: u8, b: u8, c: u8) {
    let by = person(ledger, a);
    let other = &ledger.people[person(ledger, b)];
    let target = match c % 5 {
        0 => Containment::Member(other.id),
        1 => Containment::Credential(other.id, other.credential.credential_id.clone()),
        2 => match pick(&services(ledger), b) {
            Some(service) => Containment::Service(service),
            None => return,
        },
        _ => Containment::Slot(slot_name(&slot_of(b))),
    };
    let restore = match &target {
        Containment::Member(member) => {
            Params::MemberRestore(MemberRestoreParams { credential_id: None, member: *member })
        }
        Containment::Credential(member, id) => {
            Params::MemberRestore(MemberRestoreParams { credential_id: Some(id.clone()), member: *member })
        }
        Containment::Service(service) => Params::ServiceRestore(ServiceParams { service: *service }),
        Containment::Slot(slot) => Params::SlotResume(SlotParams { slot: slot.clone() }),
    };
    if ledger.contain(by, target).is_ok() && a.is_multiple_of(2) {
        let action = ledger.propose_as(by, Role::PlatformAdmin, restore);
        if let Ok(action) = action {
            carry(ledger, action);
        }
    }
}

/// Lets everybody approve who can, and begins.
fn carry(ledger: &mut Ledger, action: ActionId) -> bool {
    let Ok(open) = ledger.now().action(action) else { return false };
    let quorum = open.document().quorum.clone();
    for person in 0..ledger.people.len() {
        let clause = &quorum[person % quorum.len()];
        let _one_may_be_suspended = ledger.approve(person, clause.role, action);
    }
    ledger.begin(action).is_ok()
}

fn record(ledger: &mut Ledger, a: u8, b: u8) {
    let person = ledger.people[person(ledger, a)].id;
    let command = match b % 5 {
        0 => Command::RecordEvidence {
            by: Actor::Member(person),
            evidence: Box::new(EvidenceRecorded {
                digest: Hash::ZERO,
                evidence: uuid(u128::from(a)).into(),
                media_type: "text/plain".parse().unwrap(),
                subject: Subject::Member(person),
            }),
            sd: vec![B64(vec![a; 32])],
        },
        1 => Command::RecordRefusal(RefusalRecorded {
            caller: Actor::Member(person),
            count: 1,
            minute: ledger.clock.minute(),
            rule: "role.missing".parse().unwrap(),
        }),
        2 => Command::AcceptHighWater { root: Hash::ZERO },
        3 => Command::ReportUnexplained(CustodyUnexplained {
            backend: "softhsm".parse().unwrap(),
            object_sha256: Hash::ZERO,
        }),
        _ => match pick(&actions(ledger), a) {
            Some(action) => Command::Void(action),
            None => return,
        },
    };
    let _refused = ledger.run(command);
}

fn params(ledger: &mut Ledger, a: u8, b: u8, c: u8) -> Option<Params> {
    let other = person(ledger, c);
    let member = ledger.people[other].id;
    let credential_id = ledger.people[other].credential.credential_id.clone();
    let backend = || DeviceKeyParams { backend: "softhsm".parse().unwrap() };
    let slot = slot_name(&format!("s{}", b % 4));
    Some(match a % 24 {
        0 => {
            let mut approval_rp = approval_rp();
            approval_rp.shared = b.is_multiple_of(2);
            Params::ApprovalRpSet(ApprovalRpParams { approval_rp })
        }
        1 => Params::CredentialAdd(CredentialAddParams {
            credential: Person::new(900 + ledger.fresh()).credential,
            member,
        }),
        2 => Params::CredentialRemove(CredentialRemoveParams { credential_id, member }),
        3 | 4 => {
            let key = pick(&keys(ledger), b)?;
            let revoke =
                KeyRevokeParams { compromised_since: None, key, reason: RevocationReason::Superseded };
            if a % 24 == 3 { Params::KeyRevoke(revoke) } else { Params::KeyRevokeEmergency(revoke) }
        }
        5 => Params::LedgerEvidenceKeySet(backend()),
        6 => Params::LedgerKeyRecover(backend()),
        7 => Params::LedgerKeyRotate(backend()),
        8 => {
            let roles = [role(b), role(c)];
            Params::MemberEnroll(ledger.enroll_params(&roles))
        }
        9 => Params::MemberRemove(MemberParams { member }),
        10 | 11 => {
            let credential_id = c.is_multiple_of(2).then_some(credential_id);
            Params::MemberRestore(MemberRestoreParams { credential_id, member })
        }
        12 => {
            let mut policy = ledger.now().policy().clone();
            let kind = *policy.actions.keys().nth(usize::from(b) % policy.actions.len())?;
            policy.actions.get_mut(&kind)?.quorum = vec![Clause { count: 1 + c % 3, role: role(c / 3) }];
            Params::PolicySet(PolicySetParams { policy })
        }
        13 => {
            let timed = b.is_multiple_of(2).then(|| ledger.clock.plus_seconds(1000));
            Params::RoleGrant(RoleGrantParams {
                member,
                not_after: timed,
                not_before: None,
                role: role(b / 2),
            })
        }
        14 => Params::RoleRevoke(RoleRevokeParams { member, role: role(b) }),
        15 | 16 => Params::ServiceEnroll({
            let service = service_id(ledger.fresh());
            let slots: Vec<String> = ledger.now().slots().keys().map(ToString::to_string).collect();
            ledger.service_params(service, &slots.iter().map(String::as_str).collect::<Vec<_>>())
        }),
        17 => {
            let token =
                TokenGrant { expires_at: ledger.clock.plus_seconds(9000), sha256: Hash::sha256(&[b, c]) };
            let slots = ledger.now().slots().keys().cloned().collect();
            Params::ServiceGrant(ServiceGrantParams {
                service: pick(&services(ledger), b)?,
                slots,
                token: Some(token),
            })
        }
        18 => Params::ServiceRemove(ServiceParams { service: pick(&services(ledger), b)? }),
        19 => Params::ServiceRestore(ServiceParams { service: pick(&services(ledger), b)? }),
        20 | 21 => Params::SlotCreate(ledger.slot_params(slot.as_str(), Algorithm::EcdsaP256Sha256)),
        22 => {
            let mut signing_policy = ledger.slot_params("s", Algorithm::Ed25519).signing_policy;
            if c.is_multiple_of(2) {
                signing_policy.approval = [Environment::Production].into();
            }
            Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot })
        }
        _ => Params::SlotResume(SlotParams { slot }),
    })
}
