//! Histories of random commands. What is refused is left out; what is decided is appended.

use proptest::prelude::*;
use sealbook_ledger::action::{
    ApprovalRpParams, CredentialAddParams, CredentialRemoveParams, DeviceKeyParams, KeyRevokeParams,
    MemberParams, MemberRestoreParams, Params, PolicySetParams, RevocationReason, RoleGrantParams,
    RoleRevokeParams, ServiceGrantParams, ServiceParams, SlotParams, SlotPolicyParams, TokenGrant,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, Containment, SigningOutcome};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, KeyId, Seq, ServiceId};
use sealbook_ledger::payload::{CustodyUnexplained, EvidenceRecorded, NextVkey, RefusalRecorded, Subject};
use sealbook_ledger::policy::{Clause, Role};

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
        (0u8..32, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, a, b, c)| Step { kind, a, b, c });
    prop::collection::vec(step, 10..70)
}

pub fn history(founders: u128, steps: &[Step]) -> Ledger {
    let mut ledger = Ledger::founded(founders);
    ledger.slot("s0", Algorithm::EcdsaP256Sha256);
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
                0 => ledger.rejection(person(ledger, b), role(c / 4), action),
                1 => ledger.cancellation(person(ledger, b), role(c / 4), action),
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
    let Ok(open) = ledger.now().action(action) else { return };
    let quorum = open.document().quorum.clone();
    for person in 0..ledger.people.len() {
        let clause = &quorum[person % quorum.len()];
        let _one_may_be_suspended = ledger.approve(person, clause.role, action);
    }
    if ledger.begin(action).is_ok() && !b.is_multiple_of(3) {
        answer(ledger, action, a, c);
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
    let _refused = ledger.contain(by, target);
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
            let signing_policy = ledger.slot_params("s", Algorithm::Ed25519).signing_policy;
            Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot })
        }
        _ => Params::SlotResume(SlotParams { slot }),
    })
}
