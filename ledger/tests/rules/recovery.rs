//! Recovery authenticators: two of them together give a member other authenticators, after 72 hours, and nothing else.

use sealbook_ledger::action::{
    CredentialAddParams, CredentialRemoveParams, MemberParams, MemberRecoverParams, MemberRestoreParams,
    Params, RoleGrantParams, RoleRevokeParams,
};
use sealbook_ledger::command::Containment;
use sealbook_ledger::policy::{Clause, LedgerPolicy, Proposer, Role};
use sealbook_ledger::recovery::RECOVERY_WAIT_S;
use sealbook_ledger::rule::Rule;

use crate::support::*;

/// Three founders who decide, and two sealed authenticators: people 3 and 4.
fn with_recovery() -> Ledger {
    let roles =
        [DECIDING.to_vec(), DECIDING.to_vec(), DECIDING.to_vec(), vec![Role::Recovery], vec![Role::Recovery]];
    Ledger::founded_as("acme", roles.into(), |_| {})
}

fn recovery(ledger: &Ledger) -> MemberRecoverParams {
    MemberRecoverParams { credentials: vec![Person::new(900).credential], member: ledger.people[2].id }
}

#[test]
fn both_together_re_enrol_a_member_after_seventy_two_hours() {
    let mut ledger = with_recovery();
    let params = recovery(&ledger);
    let (lost, member) = (ledger.people[2].credential.credential_id.clone(), params.member);
    let action = ledger.propose_recovery(3, params.clone()).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionPremature);
    ledger.approve(4, Role::Recovery, action).unwrap();
    ledger.wait(RECOVERY_WAIT_S - 1);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionPremature);
    assert!(!ledger.now().may_begin(ledger.now().action(action).unwrap(), ledger.clock));
    ledger.wait(1);
    assert!(ledger.now().may_begin(ledger.now().action(action).unwrap(), ledger.clock));
    ledger.contain(0, Containment::Member(member)).unwrap();
    ledger.begin(action).unwrap();
    let inactive = ledger.now().active_member(member, ledger.clock).unwrap_err();
    assert_eq!(inactive, Rule::MemberInactive, "lifting containment takes a quorum");
    let at = ledger.clock;
    let held = &ledger.now().members()[&member];
    assert!(held.credential_at(&lost, at).is_none(), "what was lost holds no longer");
    assert!(held.credential_at(&params.credentials[0].credential_id, at).is_some());
}

#[test]
fn one_alone_is_not_enough() {
    let mut ledger = with_recovery();
    let params = recovery(&ledger);
    let action = ledger.propose_recovery(3, params).unwrap();
    assert_eq!(rule_of(ledger.approve(3, Role::Recovery, action).unwrap_err()), Rule::ApprovalOwn);
    assert_eq!(rule_of(ledger.approve(0, Role::Approver, action).unwrap_err()), Rule::ApprovalSeat);
    ledger.wait(RECOVERY_WAIT_S);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
}

#[test]
fn any_member_may_refuse_it() {
    let mut ledger = with_recovery();
    let auditor = ledger.enroll(&[Role::Auditor]);
    let params = recovery(&ledger);
    let action = ledger.propose_recovery(3, params).unwrap();
    ledger.approve(4, Role::Recovery, action).unwrap();
    ledger.run(ledger.rejection(auditor, Role::Auditor, action)).unwrap();
    ledger.wait(RECOVERY_WAIT_S);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionClosed);
}

#[test]
fn they_do_nothing_else_and_nobody_else_does_it() {
    let mut ledger = with_recovery();
    let member = ledger.people[2].id;
    let remove = Params::MemberRemove(MemberParams { member });
    assert_eq!(rule_of(ledger.propose_as(3, Role::Recovery, remove).unwrap_err()), Rule::RoleMissing);
    let recover = Params::MemberRecover(recovery(&ledger));
    assert_eq!(rule_of(ledger.propose(0, recover).unwrap_err()), Rule::RoleMissing);
    let by = Containment::Member(member);
    assert_eq!(rule_of(ledger.contain(3, by).unwrap_err()), Rule::ContainmentHolder);
    let grant =
        |member, role| Params::RoleGrant(RoleGrantParams { member, not_after: None, not_before: None, role });
    let (person, sealed) = (ledger.people[0].id, ledger.people[3].id);
    assert_eq!(rule_of(ledger.propose(0, grant(person, Role::Recovery)).unwrap_err()), Rule::RoleSeparation);
    assert_eq!(rule_of(ledger.propose(0, grant(sealed, Role::Approver)).unwrap_err()), Rule::RoleSeparation);
}

#[test]
fn they_dont_recover_each_other_or_who_was_removed() {
    let mut ledger = with_recovery();
    let spare = ledger.enroll(&[Role::Auditor]);
    let removed = ledger.people[spare].id;
    ledger.decree(Params::MemberRemove(MemberParams { member: removed }));
    for (member, rule) in [(ledger.people[4].id, Rule::RoleSeparation), (removed, Rule::MemberInactive)] {
        let params = MemberRecoverParams { member, ..recovery(&ledger) };
        assert_eq!(rule_of(ledger.propose_recovery(3, params).unwrap_err()), rule);
    }
}

#[test]
fn no_policy_loosens_it() {
    let changed = |change: fn(&mut LedgerPolicy)| {
        let mut policy = LedgerPolicy::default_for(3, 1);
        change(&mut policy);
        policy.is_well_formed(1)
    };
    use sealbook_ledger::action::ActionType::{MemberRecover, MemberRemove};
    assert!(changed(|_| {}));
    assert!(!changed(|p| p.actions.get_mut(&MemberRecover).unwrap().quorum[0].role = Role::Approver));
    assert!(!changed(|p| p
        .actions
        .get_mut(&MemberRecover)
        .unwrap()
        .proposers
        .extend([Proposer::Role(Role::Approver)])));
    assert!(!changed(|p| p
        .actions
        .get_mut(&MemberRemove)
        .unwrap()
        .proposers
        .extend([Proposer::Role(Role::Recovery)])));
    assert!(!changed(|p| p.actions.get_mut(&MemberRemove).unwrap().quorum =
        vec![Clause { count: 1, role: Role::Recovery }]));
}

#[test]
fn a_founding_has_two_or_none_and_two_people_beside_them() {
    let found = |roles: Vec<Vec<Role>>| {
        let mut ledger = Ledger::opened("acme");
        let policy = LedgerPolicy::default_for(2, 1);
        let command = ledger.founding(roles, policy, |_| {});
        ledger.run(command).map(drop).map_err(rule_of)
    };
    let (person, sealed) = (DECIDING.to_vec(), vec![Role::Recovery]);
    assert_eq!(found(vec![person.clone(), person.clone(), sealed.clone(), sealed.clone()]), Ok(()));
    assert_eq!(found(vec![person.clone(), person.clone(), sealed.clone()]), Err(Rule::QuorumUnreachable));
    assert_eq!(found(vec![person.clone(), sealed.clone(), sealed.clone()]), Err(Rule::FoundingDocument));
    let mixed = vec![Role::Recovery, Role::Auditor];
    assert_eq!(found(vec![person.clone(), person, sealed, mixed]), Err(Rule::RoleSeparation));
}

#[test]
fn an_approval_rests_on_the_role_and_the_key_that_it_was_given_with() {
    let mut ledger = Ledger::founded(5);
    let member = ledger.people[1].id;
    let slot = Params::SlotCreate(ledger.slot_params("s", sealbook_ledger::algorithm::Algorithm::Ed25519));
    let action = ledger.propose(0, slot).unwrap();
    ledger.approve(1, Role::Approver, action).unwrap();
    ledger.approve(2, Role::Approver, action).unwrap();
    // Taken away and given back: the earlier approval does not come back with it.
    ledger.decree(Params::RoleRevoke(RoleRevokeParams { member, role: Role::Approver }));
    ledger.decree_by(
        2,
        Params::RoleGrant(RoleGrantParams {
            member,
            not_after: None,
            not_before: None,
            role: Role::Approver,
        }),
    );
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
}

#[test]
fn a_suspension_that_is_over_brings_no_earlier_approval_back() {
    let member_of = |ledger: &Ledger| ledger.people[1].id;
    let credential_of = |ledger: &Ledger| ledger.people[1].credential.credential_id.clone();
    for credential in [false, true] {
        let mut ledger = Ledger::founded(6);
        let slot =
            Params::SlotCreate(ledger.slot_params("s", sealbook_ledger::algorithm::Algorithm::Ed25519));
        let action = ledger.propose(0, slot).unwrap();
        ledger.approve(1, Role::Approver, action).unwrap();
        ledger.approve(2, Role::Approver, action).unwrap();
        let (member, id) = (member_of(&ledger), credential_of(&ledger));
        let target = if credential {
            Containment::Credential(member, id.clone())
        } else {
            Containment::Member(member)
        };
        ledger.contain(3, target).unwrap();
        let credential_id = credential.then_some(id);
        ledger.decree_by(2, Params::MemberRestore(MemberRestoreParams { credential_id, member }));
        // Whoever held it meanwhile may have signed before it was noticed.
        assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
        // What is approved since counts, and another fills the seat.
        let again =
            Params::SlotCreate(ledger.slot_params("t", sealbook_ledger::algorithm::Algorithm::Ed25519));
        let later = ledger.propose(0, again).unwrap();
        ledger.approve(1, Role::Approver, later).unwrap();
        ledger.approve(2, Role::Approver, later).unwrap();
        ledger.begin(later).unwrap();
        ledger.approve(3, Role::Approver, action).unwrap();
        ledger.begin(action).unwrap();
    }
}

#[test]
fn an_authenticator_that_comes_back_brings_no_earlier_approval_with_it() {
    let mut ledger = Ledger::founded(6);
    let (member, credential) = (ledger.people[1].id, ledger.people[1].credential.clone());
    let slot = Params::SlotCreate(ledger.slot_params("s", sealbook_ledger::algorithm::Algorithm::Ed25519));
    let action = ledger.propose(0, slot).unwrap();
    ledger.approve(1, Role::Approver, action).unwrap();
    ledger.approve(2, Role::Approver, action).unwrap();
    let credential_id = credential.credential_id.clone();
    ledger.decree_by(2, Params::CredentialRemove(CredentialRemoveParams { credential_id, member }));
    ledger.decree_by(2, Params::CredentialAdd(CredentialAddParams { credential, member }));
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
    ledger.approve(3, Role::Approver, action).unwrap();
    ledger.begin(action).unwrap();
}
