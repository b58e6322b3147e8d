//! Members, their roles and credentials, services, and suspensions.

use sealbook_ledger::action::{
    ActionType, CredentialAddParams, CredentialRemoveParams, MemberEnrollParams, MemberParams,
    MemberRestoreParams, Params, PolicySetParams, RoleGrantParams, RoleRevokeParams, ServiceGrantParams,
    ServiceParams, TokenGrant,
};
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::payload::{MemberSuspended, ServiceSuspended};
use sealbook_ledger::policy::{Clause, Role};
use sealbook_ledger::rule::Rule;

use crate::support::*;

const HOURS_72: u32 = 72 * 60 * 60;

fn refused(ledger: &mut Ledger, params: Params) -> Rule {
    rule_of(ledger.propose(0, params).unwrap_err())
}

fn grant(member: MemberId, role: Role) -> RoleGrantParams {
    RoleGrantParams { member, not_after: None, not_before: None, role }
}

#[test]
fn a_person_is_enrolled_once_with_keys_that_are_nobody_elses() {
    let mut ledger = Ledger::founded(3);
    let enrolled = ledger.enroll(&[Role::Auditor]);
    let (id, credential) = (ledger.people[enrolled].id, ledger.people[enrolled].credential.clone());
    let params = |ledger: &mut Ledger, change: &dyn Fn(&mut MemberEnrollParams)| {
        let mut params = ledger.enroll_params(&[Role::Auditor]);
        change(&mut params);
        Params::MemberEnroll(params)
    };
    let mut check = |rule: Rule, change: &dyn Fn(&mut MemberEnrollParams)| {
        let params = params(&mut ledger, change);
        assert_eq!(refused(&mut ledger, params), rule);
    };
    check(Rule::MemberDuplicate, &|p| p.member = id);
    check(Rule::CredentialDuplicate, &|p| p.credentials = vec![credential.clone()]);
    check(Rule::CredentialForm, &|p| p.credentials.clear());
    check(Rule::CredentialForm, &|p| p.credentials[0].rp_id = "x.example".to_owned());
    check(Rule::CredentialForm, &|p| p.credentials[0].credential_id = B64(Vec::new()));
    check(Rule::RoleSeparation, &|p| p.roles = [Role::PackagingEngineer, Role::Approver].into());
}

#[test]
fn a_public_key_belongs_to_one_member_for_ever() {
    let mut ledger = Ledger::founded(4);
    let leaver = ledger.enroll(&[Role::Auditor]);
    let (member, credential) = (ledger.people[leaver].id, ledger.people[leaver].credential.clone());
    let remove = CredentialRemoveParams { credential_id: credential.credential_id.clone(), member };
    ledger.decree(Params::CredentialRemove(remove.clone()));
    assert_eq!(refused(&mut ledger, Params::CredentialRemove(remove)), Rule::CredentialUnknown);
    let other = ledger.people[1].id;
    let add = |credential, member| Params::CredentialAdd(CredentialAddParams { credential, member });
    assert_eq!(refused(&mut ledger, add(credential.clone(), other)), Rule::CredentialDuplicate);
    ledger.decree(add(credential.clone(), member));
    assert_eq!(refused(&mut ledger, add(credential, member)), Rule::CredentialDuplicate);
}

#[test]
fn a_member_holds_at_most_eight_credentials() {
    let mut ledger = Ledger::founded(3);
    let member = ledger.people[2].id;
    for n in 0..7 {
        let credential = Person::new(100 + n).credential;
        ledger.decree(Params::CredentialAdd(CredentialAddParams { credential, member }));
    }
    let credential = Person::new(200).credential;
    let ninth = Params::CredentialAdd(CredentialAddParams { credential, member });
    assert_eq!(refused(&mut ledger, ninth), Rule::CredentialForm);
}

#[test]
fn a_software_credential_is_refused_once_the_policy_demands_hardware() {
    let mut ledger = Ledger::founded(3);
    let mut policy = ledger.now().policy().clone();
    policy.credentials.hardware_only = true;
    ledger.decree(Params::PolicySet(PolicySetParams { policy }));
    let params = ledger.enroll_params(&[Role::Auditor]);
    assert_eq!(refused(&mut ledger, Params::MemberEnroll(params)), Rule::CredentialPolicy);
}

#[test]
fn a_removed_member_is_gone() {
    let mut ledger = Ledger::founded(4);
    let member = ledger.people[3].id;
    let remove = Params::MemberRemove(MemberParams { member });
    ledger.decree(remove.clone());
    assert_eq!(refused(&mut ledger, remove), Rule::MemberInactive);
    assert_eq!(refused(&mut ledger, Params::RoleGrant(grant(member, Role::Auditor))), Rule::MemberUnknown);
    assert_eq!(
        rule_of(ledger.contain(0, Containment::Member(member)).unwrap_err()),
        Rule::SuspensionDuplicate
    );
    let by =
        Command::Contain { by: member, target: Containment::Member(ledger.people[0].id), sd: Vec::new() };
    assert_eq!(ledger.refused(by), Rule::MemberInactive);
    let unknown = Params::MemberRemove(MemberParams { member: uuid(7).into() });
    assert_eq!(refused(&mut ledger, unknown), Rule::MemberUnknown);
}

#[test]
fn a_grant_is_new_ends_after_it_begins_and_keeps_duties_apart() {
    let mut ledger = Ledger::founded(3);
    let packer = ledger.enroll(&[Role::PackagingEngineer]);
    let member = ledger.people[packer].id;
    let (now, later) = (ledger.clock, ledger.clock.plus_seconds(10));
    let with = |not_before, not_after, role| {
        Params::RoleGrant(RoleGrantParams { member, not_after, not_before, role })
    };
    assert_eq!(refused(&mut ledger, with(None, Some(now), Role::Auditor)), Rule::RoleTimes);
    assert_eq!(refused(&mut ledger, with(Some(later), Some(later), Role::Auditor)), Rule::RoleTimes);
    assert_eq!(refused(&mut ledger, with(None, None, Role::PackagingEngineer)), Rule::RoleDuplicate);
    for role in [Role::Approver, Role::ChangeBoard, Role::SecurityReviewer] {
        assert_eq!(refused(&mut ledger, with(None, Some(later), role)), Rule::RoleSeparation);
    }
    let revoke = Params::RoleRevoke(RoleRevokeParams { member, role: Role::Auditor });
    assert_eq!(refused(&mut ledger, revoke), Rule::RoleUnknown);
}

#[test]
fn no_change_leaves_a_proposal_that_could_never_be_approved() {
    let mut ledger = Ledger::founded(3);
    let member = ledger.people[2].id;
    assert_eq!(refused(&mut ledger, Params::MemberRemove(MemberParams { member })), Rule::QuorumUnreachable);
    let revoke = Params::RoleRevoke(RoleRevokeParams { member, role: Role::Approver });
    assert_eq!(refused(&mut ledger, revoke), Rule::QuorumUnreachable);
    let credential_id = ledger.people[2].credential.credential_id.clone();
    let remove = Params::CredentialRemove(CredentialRemoveParams { credential_id, member });
    assert_eq!(refused(&mut ledger, remove), Rule::QuorumUnreachable);
    let mut policy = ledger.now().policy().clone();
    ordinary(&mut policy).for_each(|rule| rule.quorum = vec![Clause { count: 3, role: Role::Approver }]);
    let set = Params::PolicySet(PolicySetParams { policy });
    assert_eq!(refused(&mut ledger, set), Rule::QuorumUnreachable);
}

/// Who proposes from next week on must have approvers next week, too.
#[test]
fn a_grant_that_begins_later_is_weighed_as_if_it_had_begun() {
    let roles = vec![vec![Role::Approver], vec![Role::Approver], vec![Role::PlatformAdmin]];
    let quorum = vec![Clause { count: 2, role: Role::Approver }];
    let mut ledger = Ledger::founded_as("acme", roles, |policy| {
        ordinary(policy).for_each(|rule| {
            rule.proposers = [Role::PlatformAdmin.into()].into();
            rule.quorum = quorum.clone();
        });
    });
    let member = ledger.people[0].id;
    let now = Params::RoleGrant(grant(member, Role::PlatformAdmin));
    assert_eq!(rule_of(ledger.propose(2, now).unwrap_err()), Rule::QuorumUnreachable);
    let not_before = Some(ledger.clock.plus_seconds(7 * 24 * 60 * 60));
    let later = RoleGrantParams { not_before, ..grant(member, Role::PlatformAdmin) };
    assert_eq!(rule_of(ledger.propose(2, Params::RoleGrant(later)).unwrap_err()), Rule::QuorumUnreachable);
}

/// A suspended proposer comes back, and must find approvers then.
#[test]
fn a_suspended_proposer_is_weighed_like_any_other() {
    let roles = vec![
        vec![Role::Approver, Role::PlatformAdmin],
        vec![Role::Approver, Role::SecurityReviewer],
        vec![Role::Approver],
        vec![Role::KeyOwner],
    ];
    let mut ledger = Ledger::founded_as("acme", roles, |policy| {
        for (kind, rule) in &mut policy.actions {
            if *kind == ActionType::MemberRecover {
                continue;
            }
            let (proposer, seat) = match kind.name() {
                "policy.set" => (Role::KeyOwner, Role::SecurityReviewer),
                _ => (Role::PlatformAdmin, Role::Approver),
            };
            rule.proposers = [proposer.into()].into();
            rule.quorum = vec![Clause { count: 1, role: seat }];
        }
    });
    let owner = ledger.people[3].id;
    ledger.contain(0, Containment::Member(owner)).unwrap();
    let member = ledger.people[1].id;
    let revoke = Params::RoleRevoke(RoleRevokeParams { member, role: Role::SecurityReviewer });
    assert_eq!(refused(&mut ledger, revoke), Rule::QuorumUnreachable);
}

#[test]
fn a_suspended_person_does_nothing_until_a_quorum_lifts_it() {
    let mut ledger = Ledger::founded(4);
    let member = ledger.people[3].id;
    let suspended = ledger.contain(0, Containment::Member(member)).unwrap();
    assert!(format!("{suspended:?}").contains("lapses_at: None"));
    let slot = Params::SlotCreate(ledger.slot_params("s", sealbook_ledger::algorithm::Algorithm::Ed25519));
    assert_eq!(rule_of(ledger.propose(3, slot).unwrap_err()), Rule::MemberInactive);
    assert_eq!(
        rule_of(ledger.contain(0, Containment::Member(member)).unwrap_err()),
        Rule::SuspensionDuplicate
    );
    let restore = Params::MemberRestore(MemberRestoreParams { credential_id: None, member });
    ledger.decree(restore.clone());
    assert!(ledger.now().active_member(member, ledger.clock).is_ok());
    assert_eq!(refused(&mut ledger, restore), Rule::SuspensionMissing);
}

#[test]
fn a_suspended_credential_signs_nothing_until_a_quorum_lifts_it() {
    let mut ledger = Ledger::founded(4);
    let (member, id) = (ledger.people[3].id, ledger.people[3].credential.credential_id.clone());
    let target = Containment::Credential(member, id.clone());
    ledger.contain(0, target.clone()).unwrap();
    assert_eq!(rule_of(ledger.contain(0, target).unwrap_err()), Rule::SuspensionDuplicate);
    let unknown = Containment::Credential(member, B64(vec![1]));
    assert_eq!(rule_of(ledger.contain(0, unknown).unwrap_err()), Rule::CredentialUnknown);
    let slot = Params::SlotCreate(ledger.slot_params("s", sealbook_ledger::algorithm::Algorithm::Ed25519));
    assert_eq!(rule_of(ledger.propose(3, slot).unwrap_err()), Rule::CredentialUnknown);
    let restore = |credential_id| Params::MemberRestore(MemberRestoreParams { credential_id, member });
    assert_eq!(refused(&mut ledger, restore(None)), Rule::SuspensionMissing);
    assert_eq!(refused(&mut ledger, restore(Some(B64(vec![1])))), Rule::CredentialUnknown);
    ledger.decree(restore(Some(id)));
}

#[test]
fn a_suspension_that_nobody_could_lift_lapses_after_72_hours() {
    let mut ledger = Ledger::founded(3);
    let member = ledger.people[2].id;
    let before = ledger.state.clone();
    ledger.contain(0, Containment::Member(member)).unwrap();
    let suspension = ledger.now().members()[&member].suspension.unwrap();
    assert_eq!(suspension.lapses_at, Some(ledger.clock.plus_seconds(HOURS_72)));
    ledger.wait(HOURS_72 - 1);
    assert_eq!(ledger.now().active_member(member, ledger.clock).unwrap_err(), Rule::MemberInactive);
    ledger.wait(1);
    assert!(ledger.now().active_member(member, ledger.clock).is_ok());
    // Neither an endless one, nor another end, is accepted from a forger.
    let genuine = ledger.history.last().unwrap().event.clone();
    for lapses_at in [None, Some(ledger.clock.plus_seconds(1))] {
        let mut event = genuine.clone();
        event.payload = MemberSuspended { lapses_at, member }.into();
        assert_eq!(before.judge(&event, &Default::default()), Err(Rule::SuspensionLapse));
    }
}

#[test]
fn service_tokens_are_new_and_end_within_two_years() {
    let mut ledger = Ledger::founded(3);
    ledger.slot("s", sealbook_ledger::algorithm::Algorithm::EcdsaP256Sha256);
    let first = ledger.service(&["s"]);
    let used = ledger.now().services()[&first].token_sha256;
    let (now, later) = (ledger.clock, ledger.clock.plus_seconds(60));
    let far = ledger.clock.plus_seconds(3 * 366 * 24 * 60 * 60);
    for (sha256, expires_at) in [(used, later), (Hash::ZERO, now), (Hash::ZERO, far)] {
        let mut params = ledger.service_params(service_id(90), &["s"]);
        (params.token_sha256, params.token_expires_at) = (sha256, expires_at);
        assert_eq!(refused(&mut ledger, Params::ServiceEnroll(params)), Rule::ServiceToken);
        let token = Some(TokenGrant { expires_at, sha256 });
        let grant = ServiceGrantParams { service: first, slots: [slot_name("s")].into(), token };
        assert_eq!(refused(&mut ledger, Params::ServiceGrant(grant)), Rule::ServiceToken);
    }
    let again = Params::ServiceEnroll(ledger.service_params(first, &["s"]));
    assert_eq!(refused(&mut ledger, again), Rule::ServiceDuplicate);
    let nowhere = Params::ServiceEnroll(ledger.service_params(service_id(91), &["none"]));
    assert_eq!(refused(&mut ledger, nowhere), Rule::SlotUnknown);
    let token = Some(TokenGrant { expires_at: later, sha256: Hash::ZERO });
    let grant = ServiceGrantParams { service: first, slots: Default::default(), token };
    ledger.decree(Params::ServiceGrant(grant));
    assert!(ledger.now().services()[&first].slots.is_empty());
}

#[test]
fn a_service_is_suspended_by_one_restored_by_a_quorum_and_removed_for_good() {
    let mut ledger = Ledger::founded(3);
    let service = ledger.service(&[]);
    let target = Containment::Service(service);
    let params = ServiceParams { service };
    assert_eq!(refused(&mut ledger, Params::ServiceRestore(params.clone())), Rule::SuspensionMissing);
    ledger.contain(1, target.clone()).unwrap();
    assert_eq!(rule_of(ledger.contain(1, target.clone()).unwrap_err()), Rule::SuspensionDuplicate);
    ledger.decree(Params::ServiceRestore(params.clone()));
    ledger.decree(Params::ServiceRemove(params.clone()));
    assert_eq!(refused(&mut ledger, Params::ServiceRemove(params)), Rule::ServiceInactive);
    assert_eq!(rule_of(ledger.contain(1, target).unwrap_err()), Rule::SuspensionDuplicate);
    let unknown = ServiceParams { service: service_id(77) };
    assert_eq!(refused(&mut ledger, Params::ServiceRemove(unknown)), Rule::ServiceUnknown);
    let unknown = Containment::Service(service_id(77));
    assert_eq!(rule_of(ledger.contain(1, unknown).unwrap_err()), Rule::ServiceUnknown);
}

#[test]
fn containment_is_a_persons_deed() {
    let mut ledger = Ledger::founded(3);
    let service = ledger.service(&[]);
    assert_eq!(ledger.judged(ServiceSuspended { lapses_at: None, service }), Err(Rule::Actor));
}
