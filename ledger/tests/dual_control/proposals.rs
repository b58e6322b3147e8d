//! What is proposed: anything that there is a type for, about anybody and anything.

use std::collections::BTreeSet;

use sealbook_ledger::action::{
    ActionDocument, ApprovalRpParams, CredentialAddParams, CredentialRemoveParams, DeviceKeyParams,
    KeyRevokeParams, MemberEnrollParams, MemberParams, MemberRestoreParams, Params, PolicySetParams,
    RevocationReason, RoleGrantParams, RoleRevokeParams, ServiceEnrollParams, ServiceGrantParams,
    ServiceParams, SigningApproveParams, SigningBatchParams, SlotCreateParams, SlotParams, SlotPolicyParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::ids::ServiceId;
use sealbook_ledger::policy::{Caller, Clause, Environment, Proposer, Role, SigningPolicy};

use crate::dice::Dice;
use crate::support::{DECIDING, approval_rp, digest_list, service_id, slot_name};
use crate::world::World;

/// The list of digests that is approved and signed from.
pub fn digests() -> Vec<HexBytes> {
    (0..3).map(|n| HexBytes(vec![n; 32])).collect()
}

fn signing_policy(dice: &mut Dice) -> SigningPolicy {
    let approval = if dice.one_in(2) { [Environment::Production].into() } else { BTreeSet::new() };
    SigningPolicy {
        approval,
        callers: BTreeSet::from([Caller::PackagingEngineers, Caller::Services]),
        environments: BTreeSet::from([Environment::Production, Environment::Staging]),
        ..SigningPolicy::default()
    }
}

pub fn slot(dice: &mut Dice) -> sealbook_ledger::ids::SlotName {
    slot_name(["s0", "s0", "s1"][dice.below(3)])
}

/// An id of some service there is.
pub fn service(world: &World<'_>, dice: &mut Dice) -> Option<ServiceId> {
    let services: Vec<ServiceId> = world.now().services().keys().copied().collect();
    (!services.is_empty()).then(|| services[dice.below(services.len())])
}

/// Parameters of some action.
pub fn params(world: &mut World<'_>, dice: &mut Dice) -> Option<Params> {
    if dice.one_in(5)
        && let Some(lifting) = lifting(world)
    {
        return Some(lifting);
    }
    let human = dice.below(world.cast.humans.len());
    let member = world.cast.humans[human].id;
    let key = &world.cast.humans[human].keys[dice.below(2)];
    let (credential, credential_id) = (key.credential.clone(), key.credential.credential_id.clone());
    let backend = || DeviceKeyParams { backend: "softhsm".parse().unwrap() };
    let time = |world: &World<'_>, hours: u32| Some(world.clock.plus_seconds(hours * 3600));
    Some(match dice.below(27) {
        0 => {
            let mut approval_rp = approval_rp();
            approval_rp.shared = dice.one_in(2);
            Params::ApprovalRpSet(ApprovalRpParams { approval_rp })
        }
        1 | 2 => Params::CredentialAdd(CredentialAddParams { credential, member }),
        3 => Params::CredentialRemove(CredentialRemoveParams { credential_id, member }),
        4 | 5 => {
            let keys: Vec<_> = world.now().keys().keys().copied().collect();
            let key = *keys.get(dice.below(keys.len().max(1)))?;
            let revoke =
                KeyRevokeParams { compromised_since: None, key, reason: RevocationReason::Superseded };
            if dice.one_in(2) { Params::KeyRevoke(revoke) } else { Params::KeyRevokeEmergency(revoke) }
        }
        6 => Params::LedgerEvidenceKeySet(backend()),
        7 => Params::LedgerKeyRecover(backend()),
        8 => Params::LedgerKeyRotate(backend()),
        9..=11 => Params::MemberEnroll(MemberEnrollParams {
            credentials: vec![credential],
            display_name_digest: Some(Hash::sha256(b"name").0.as_slice().into()),
            member,
            roles: [*dice.pick(&Role::ALL), *dice.pick(&DECIDING)].into(),
        }),
        12 => Params::MemberRemove(MemberParams { member }),
        13 | 14 => {
            let credential_id = dice.one_in(2).then_some(credential_id);
            Params::MemberRestore(MemberRestoreParams { credential_id, member })
        }
        15 => Params::PolicySet(PolicySetParams { policy: policy(world, dice)? }),
        16 | 17 => Params::RoleGrant(RoleGrantParams {
            member,
            not_after: if dice.one_in(2) { time(world, 30) } else { None },
            not_before: if dice.one_in(4) { time(world, 20) } else { None },
            role: *dice.pick(&Role::ALL),
        }),
        18 => Params::RoleRevoke(RoleRevokeParams { member, role: *dice.pick(&DECIDING) }),
        19 => {
            let service = service_id(world.fresh());
            Params::ServiceEnroll(ServiceEnrollParams {
                display_name_digest: None,
                service,
                slots: world.now().slots().keys().cloned().collect(),
                token_expires_at: time(world, 24 * 30)?,
                token_sha256: Hash::sha256(service.to_string().as_bytes()),
            })
        }
        20 => {
            let slots = world.now().slots().keys().filter(|_| dice.one_in(2)).cloned().collect();
            Params::ServiceGrant(ServiceGrantParams { service: service(world, dice)?, slots, token: None })
        }
        21 => Params::ServiceRemove(ServiceParams { service: service(world, dice)? }),
        22 => Params::ServiceRestore(ServiceParams { service: service(world, dice)? }),
        23 => Params::SlotCreate(SlotCreateParams {
            algorithm: Algorithm::EcdsaP256Sha256,
            backend: "softhsm".parse().unwrap(),
            drill: false,
            overlap_days: 7,
            owner: member,
            rotation: None,
            rotation_days: 90,
            signing_policy: signing_policy(dice),
            slot: slot(dice),
        }),
        24 => {
            Params::SlotPolicySet(SlotPolicyParams { signing_policy: signing_policy(dice), slot: slot(dice) })
        }
        25 => Params::SlotResume(SlotParams { slot: slot(dice) }),
        _ => signing(dice),
    })
}

/// What lifts some containment that is in force.
fn lifting(world: &World<'_>) -> Option<Params> {
    let founded = world.now();
    let slot = founded.slots().iter().find(|(_, slot)| slot.suspension.is_some());
    if let Some((slot, _)) = slot {
        return Some(Params::SlotResume(SlotParams { slot: slot.clone() }));
    }
    let service = founded.services().iter().find(|(_, one)| one.suspension.is_some() && !one.removed);
    if let Some((service, _)) = service {
        return Some(Params::ServiceRestore(ServiceParams { service: *service }));
    }
    founded.members().iter().find_map(|(member, one)| {
        let held = one.credentials.iter().find(|held| held.suspension.is_some());
        let credential_id = held.map(|held| held.credential.credential_id.clone());
        let stopped = one.suspension.is_some() || credential_id.is_some();
        let restore = MemberRestoreParams { credential_id, member: *member };
        stopped.then_some(Params::MemberRestore(restore))
    })
}

/// Approval of one digest, or of the list.
pub fn signing(dice: &mut Dice) -> Params {
    let digests = digests();
    let (environment, slot) = (Environment::Production, slot(dice));
    if dice.one_in(2) {
        let digest = dice.pick(&digests).clone();
        return Params::SigningApprove(SigningApproveParams {
            artifact_name_digest: None,
            artifact_ticket_digest: None,
            artifact_version_digest: None,
            digest,
            environment,
            slot,
        });
    }
    Params::SigningBatch(SigningBatchParams {
        count: 3,
        digests: digest_list(&digests),
        environment,
        names_digest: None,
        root: sealbook_ledger::clearance::root(&digests),
        slot,
    })
}

pub fn policy(world: &World<'_>, dice: &mut Dice) -> Option<sealbook_ledger::policy::LedgerPolicy> {
    let mut policy = world.now().policy().clone();
    let kind = *policy.actions.keys().nth(dice.below(policy.actions.len()))?;
    let rule = policy.actions.get_mut(&kind)?;
    let clause = |dice: &mut Dice| Clause { count: 1 + dice.below(2) as u8, role: *dice.pick(&DECIDING) };
    match dice.below(3) {
        0 => rule.quorum = vec![clause(dice)],
        1 => rule.quorum = vec![clause(dice), clause(dice)],
        _ => drop(rule.proposers.insert(Proposer::Role(*dice.pick(&DECIDING)))),
    }
    Some(policy)
}

/// A document as it should be, or with something that a cheat would have signed.
pub fn twisted(mut document: ActionDocument, world: &World<'_>, dice: &mut Dice) -> ActionDocument {
    match dice.below(24) {
        0 => document.quorum = vec![Clause { count: 1, role: Role::Approver }],
        1 => document.quorum.clear(),
        2 => document.policy = Hash::ZERO,
        3 => document.expires_at = document.proposed_at.plus_seconds(90 * 24 * 3600),
        4 => document.proposed_by = world.cast.humans[dice.below(world.cast.humans.len())].id.into(),
        5 => document.origin = "sealbook.example.com/other".parse().unwrap(),
        6 => document.expires_at = document.proposed_at.plus_seconds(600),
        7 | 8 => document.execute_at = Some(document.proposed_at.plus_seconds(7200)),
        9 | 10 => document.expires_at = document.proposed_at.plus_seconds(14 * 24 * 3600),
        _ => {}
    }
    document
}
