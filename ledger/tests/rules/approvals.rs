//! Proposals, approvals, rejections, and when an action may begin.

use sealbook_ledger::action::{
    MemberParams, Params, PolicySetParams, RoleGrantParams, RoleRevokeParams, SlotParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Event;
use sealbook_ledger::payload::{ActionVoided, Payload};
use sealbook_ledger::policy::{Clause, Role};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Closure;
use sealbook_ledger::webauthn::Purpose;

use crate::support::*;

const DAY: u32 = 24 * 60 * 60;

fn slot(ledger: &Ledger) -> Params {
    Params::SlotCreate(ledger.slot_params("s", Algorithm::EcdsaP256Sha256))
}

/// A ledger of four with an open proposal of the first.
fn proposed() -> (Ledger, sealbook_ledger::ids::ActionId) {
    let mut ledger = Ledger::founded(4);
    let params = slot(&ledger);
    let action = ledger.propose(0, params).unwrap();
    (ledger, action)
}

fn approve_refused(
    ledger: &mut Ledger,
    person: usize,
    role: Role,
    action: sealbook_ledger::ids::ActionId,
) -> Rule {
    rule_of(ledger.approve(person, role, action).unwrap_err())
}

#[test]
fn nobody_approves_their_own_proposal() {
    let (mut ledger, action) = proposed();
    assert_eq!(approve_refused(&mut ledger, 0, Role::Approver, action), Rule::ApprovalOwn);
}

#[test]
fn nobody_approves_twice_in_one_role_or_in_a_role_without_a_seat() {
    let (mut ledger, action) = proposed();
    ledger.approve(1, Role::Approver, action).unwrap();
    assert_eq!(approve_refused(&mut ledger, 1, Role::Approver, action), Rule::ApprovalDuplicate);
    assert_eq!(approve_refused(&mut ledger, 1, Role::ChangeBoard, action), Rule::ApprovalSeat);
}

#[test]
fn an_approver_must_hold_the_role_and_the_credential() {
    let mut ledger = Ledger::founded_as("acme", vec![DECIDING.to_vec(); 3], |_| {});
    let auditor = ledger.enroll(&[Role::Auditor]);
    let params = slot(&ledger);
    let action = ledger.propose(0, params).unwrap();
    assert_eq!(approve_refused(&mut ledger, auditor, Role::Approver, action), Rule::RoleMissing);
    let mut foreign = ledger.approval(1, Role::Approver, action);
    foreign.credential_id = ledger.people[2].credential.credential_id.clone();
    assert_eq!(ledger.refused(Command::Approve(Box::new(foreign))), Rule::CredentialUnknown);
    let mut stranger = ledger.approval(1, Role::Approver, action);
    stranger.member = uuid(1).into();
    assert_eq!(ledger.refused(Command::Approve(Box::new(stranger))), Rule::MemberUnknown);
}

#[test]
fn an_assertion_answers_one_action_one_ledger_and_one_purpose() {
    let (mut ledger, action) = proposed();
    let params = slot(&ledger);
    let other = ledger.propose(0, params).unwrap();
    let mut replayed = ledger.approval(1, Role::Approver, other);
    replayed.action = action;
    assert_eq!(ledger.refused(Command::Approve(Box::new(replayed))), Rule::AssertionInvalid);
    // The same document under another tenant's name.
    let document = String::from_utf8(ledger.document_bytes(action)).unwrap();
    let elsewhere = document.replace("sealbook.example.com/acme", "sealbook.example.com/other");
    let foreign = ledger.approval_over(1, Role::Approver, action, Purpose::Approval, elsewhere.as_bytes());
    assert_eq!(ledger.refused(Command::Approve(Box::new(foreign))), Rule::AssertionInvalid);
    for purpose in
        [Purpose::Rejection, Purpose::Cancellation, Purpose::Proposal, Purpose::Session, Purpose::Founding]
    {
        let disguised = ledger.approval_over(1, Role::Approver, action, purpose, document.as_bytes());
        assert_eq!(
            ledger.refused(Command::Approve(Box::new(disguised))),
            Rule::AssertionInvalid,
            "{purpose:?}"
        );
    }
    let oversized = {
        let mut approval = ledger.approval(1, Role::Approver, action);
        approval.signature = B64(vec![0; 2000]);
        approval
    };
    assert_eq!(ledger.refused(Command::Approve(Box::new(oversized))), Rule::AssertionInvalid);
}

#[test]
fn a_changed_document_has_no_approvals() {
    let (mut ledger, action) = proposed();
    let document = String::from_utf8(ledger.document_bytes(action)).unwrap();
    let changed = document.replace("ecdsa-p256-sha256", "rsa4096-pss-sha512");
    let approval = ledger.approval_over(1, Role::Approver, action, Purpose::Approval, changed.as_bytes());
    assert_eq!(ledger.refused(Command::Approve(Box::new(approval))), Rule::AssertionInvalid);
}

#[test]
fn an_action_that_ended_is_decided_no_more() {
    let (mut ledger, action) = proposed();
    let (late, reject, cancel) = (
        ledger.approval(1, Role::Approver, action),
        ledger.rejection(2, Role::Approver, action),
        ledger.cancellation(0, Role::PlatformAdmin, action),
    );
    ledger.run(reject.clone()).unwrap();
    assert_eq!(ledger.now().closure(action), Some(Closure::Rejected));
    assert_eq!(ledger.refused(Command::Approve(Box::new(late))), Rule::ActionClosed);
    assert_eq!(ledger.refused(reject), Rule::ActionClosed);
    assert_eq!(ledger.refused(cancel), Rule::ActionClosed);
    assert_eq!(ledger.refused(Command::Expire(action)), Rule::ActionClosed);
    assert_eq!(ledger.refused(Command::Expire(action_id(999))), Rule::ActionUnknown);
}

#[test]
fn an_expired_action_is_neither_approved_nor_begun() {
    let (mut ledger, action) = proposed();
    assert_eq!(ledger.refused(Command::Expire(action)), Rule::ActionNotExpired);
    ledger.approve(1, Role::Approver, action).unwrap();
    ledger.approve(2, Role::Approver, action).unwrap();
    ledger.wait(DAY);
    assert_eq!(approve_refused(&mut ledger, 3, Role::Approver, action), Rule::ActionExpired);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionExpired);
    ledger.run(Command::Expire(action)).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionExpired);
}

#[test]
fn an_action_that_began_is_no_longer_decided_on() {
    let (mut ledger, _) = proposed();
    let action = {
        let params = slot(&ledger);
        ledger.approved(params)
    };
    let late = ledger.approval(3, Role::Approver, action);
    ledger.begin(action).unwrap();
    assert_eq!(ledger.refused(Command::Approve(Box::new(late))), Rule::ActionStage);
    assert_eq!(ledger.refused(Command::Expire(action)), Rule::ActionStage);
    assert_eq!(ledger.refused(Command::Void(action)), Rule::ActionStage);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionStage);
}

fn other_policy(ledger: &Ledger) -> PolicySetParams {
    let mut policy = ledger.now().policy().clone();
    ordinary(&mut policy).for_each(|rule| rule.quorum = vec![Clause { count: 1, role: Role::Approver }]);
    PolicySetParams { policy }
}

#[test]
fn a_changed_policy_voids_what_was_proposed_under_the_old_one() {
    let (mut ledger, action) = proposed();
    let stale = {
        let params = slot(&ledger);
        ledger.document(0, params)
    };
    let late = ledger.approval(1, Role::Approver, action);
    assert_eq!(ledger.refused(Command::Void(action)), Rule::ActionNotVoid);
    let params = other_policy(&ledger);
    ledger.decree(Params::PolicySet(params));
    assert_eq!(ledger.now().closure(action), Some(Closure::Voided));
    assert_eq!(ledger.refused(Command::Approve(Box::new(late))), Rule::ActionVoided);
    assert_eq!(ledger.refused(ledger.proposal(0, Role::PlatformAdmin, stale)), Rule::ActionVoided);
}

/// A forger's server might leave the voiding out and wait until the old policy is in force again.
#[test]
fn an_action_of_an_older_policy_is_void_even_under_an_equal_one() {
    let (mut ledger, action) = proposed();
    let first = PolicySetParams { policy: ledger.now().policy().clone() };
    let skip_voiding = |ledger: &mut Ledger, params: PolicySetParams| {
        let approved = ledger.approved(Params::PolicySet(params));
        let mut state = ledger.state.clone();
        for event in ledger.begin(approved).unwrap() {
            if !matches!(event.payload, Payload::ActionVoided(_)) {
                state.apply(&event, Event::hash(&event.to_bytes().unwrap()));
            }
        }
        ledger.state = state;
    };
    let second = other_policy(&ledger);
    skip_voiding(&mut ledger, second);
    skip_voiding(&mut ledger, first);
    assert_eq!(approve_refused(&mut ledger, 1, Role::Approver, action), Rule::ActionVoided);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionVoided);
    let voided = ledger.run(Command::Void(action)).unwrap();
    assert!(matches!(&voided[0].payload, Payload::ActionVoided(v) if **v == ActionVoided { action }));
}

#[test]
fn what_was_approved_ahead_begins_at_its_time() {
    let mut ledger = Ledger::founded(3);
    let params = slot(&ledger);
    let mut document = ledger.document(0, params);
    document.execute_at = Some(ledger.clock.plus_seconds(3600));
    let action = document.action;
    ledger.run(ledger.proposal(0, Role::PlatformAdmin, document)).unwrap();
    ledger.approve(1, Role::Approver, action).unwrap();
    ledger.approve(2, Role::Approver, action).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::ActionPremature);
    ledger.wait(3600);
    ledger.begin(action).unwrap();
}

#[test]
fn an_execution_lasts_at_most_an_hour() {
    let mut ledger = Ledger::founded(3);
    let params = slot(&ledger);
    let action = ledger.approved(params);
    for life_s in [0, 3601] {
        let begin = Command::Begin { action, key: key_id(1), life_s };
        assert_eq!(ledger.refused(begin), Rule::ExecutionLife);
    }
}

#[test]
fn an_action_begins_only_with_every_seat_filled() {
    let (mut ledger, action) = proposed();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
    ledger.approve(1, Role::Approver, action).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
    ledger.approve(2, Role::Approver, action).unwrap();
    ledger.begin(action).unwrap();
}

#[test]
fn one_person_in_two_roles_fills_one_seat() {
    let mut ledger = Ledger::founded(4);
    ledger.slot("s", Algorithm::EcdsaP256Sha256);
    ledger.contain(0, Containment::Slot(slot_name("s"))).unwrap();
    let action = ledger.propose(0, Params::SlotResume(SlotParams { slot: slot_name("s") })).unwrap();
    ledger.approve(1, Role::Approver, action).unwrap();
    ledger.approve(1, Role::SecurityReviewer, action).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
    // The second takes the approver's seat, which moves the first to the reviewer's.
    ledger.approve(2, Role::Approver, action).unwrap();
    ledger.begin(action).unwrap();
}

#[test]
fn an_approval_counts_only_while_its_member_role_and_credential_are_in_force() {
    for lose in [
        |ledger: &mut Ledger| {
            let id = ledger.people[1].id;
            ledger.contain(0, Containment::Member(id)).unwrap();
        },
        |ledger: &mut Ledger| {
            let (id, credential) = (ledger.people[1].id, ledger.people[1].credential.credential_id.clone());
            ledger.contain(0, Containment::Credential(id, credential)).unwrap();
        },
        |ledger: &mut Ledger| {
            let member = ledger.people[1].id;
            decree_without(ledger, Params::RoleRevoke(RoleRevokeParams { member, role: Role::Approver }));
        },
        |ledger: &mut Ledger| {
            let member = ledger.people[1].id;
            decree_without(ledger, Params::MemberRemove(MemberParams { member }));
        },
        |ledger: &mut Ledger| {
            let member = ledger.people[1].id;
            let credential_id = ledger.people[1].credential.credential_id.clone();
            let params = sealbook_ledger::action::CredentialRemoveParams { credential_id, member };
            decree_without(ledger, Params::CredentialRemove(params));
        },
    ] as [fn(&mut Ledger); 5]
    {
        let mut ledger = Ledger::founded(6);
        let params = slot(&ledger);
        let action = ledger.approved(params);
        lose(&mut ledger);
        assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
        ledger.approve(3, Role::Approver, action).unwrap();
        ledger.begin(action).unwrap();
    }
}

/// Decrees by the approvals of the fifth and sixth person.
fn decree_without(ledger: &mut Ledger, params: Params) {
    let action = ledger.propose(0, params).unwrap();
    ledger.approve(4, Role::Approver, action).unwrap();
    ledger.approve(5, Role::Approver, action).unwrap();
    ledger.begin(action).unwrap();
}

#[test]
fn a_delegation_holds_from_its_beginning_to_its_end() {
    let mut ledger = Ledger::founded(4);
    let deputy = ledger.enroll(&[Role::Auditor]);
    let (not_before, not_after) = (ledger.clock.plus_seconds(100), ledger.clock.plus_seconds(200));
    ledger.decree(Params::RoleGrant(RoleGrantParams {
        member: ledger.people[deputy].id,
        not_after: Some(not_after),
        not_before: Some(not_before),
        role: Role::Approver,
    }));
    let params = slot(&ledger);
    let action = ledger.propose(0, params).unwrap();
    ledger.approve(1, Role::Approver, action).unwrap();
    assert_eq!(approve_refused(&mut ledger, deputy, Role::Approver, action), Rule::RoleMissing);
    ledger.wait(100);
    ledger.approve(deputy, Role::Approver, action).unwrap();
    ledger.wait(100);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
}

#[test]
fn a_document_is_complete_current_and_its_proposers_own() {
    let refused = |change: fn(&mut sealbook_ledger::action::ActionDocument)| {
        let mut ledger = Ledger::founded(3);
        ledger.wait(60);
        let params = slot(&ledger);
        let mut document = ledger.document(0, params);
        change(&mut document);
        ledger.refused(ledger.proposal(0, Role::PlatformAdmin, document))
    };
    assert_eq!(refused(|d| d.head.hash = Hash::ZERO), Rule::ActionHead);
    assert_eq!(refused(|d| d.head.seq = sealbook_ledger::ids::Seq::new(99).unwrap()), Rule::ActionHead);
    assert_eq!(refused(|d| d.policy = Hash::ZERO), Rule::ActionVoided);
    assert_eq!(refused(|d| d.origin = "sealbook.example.com/other".parse().unwrap()), Rule::ActionDocument);
    assert_eq!(
        refused(|d| d.proposed_by = sealbook_ledger::ids::MemberId::from(uuid(5)).into()),
        Rule::ActionDocument
    );
    assert_eq!(refused(|d| d.quorum[0].count = 1), Rule::ActionDocument);
    assert_eq!(refused(|d| d.proposed_at = d.proposed_at.plus_seconds(1)), Rule::ActionDocument);
    assert_eq!(refused(|d| d.expires_at = d.proposed_at.plus_seconds(31 * DAY)), Rule::ActionDocument);
    assert_eq!(refused(|d| d.execute_at = Some(d.expires_at)), Rule::ActionDocument);
    assert_eq!(refused(|d| d.expires_at = d.proposed_at), Rule::ActionExpired);
    assert_eq!(refused(|d| d.reason_digest = B64(vec![1; 31])), Rule::ActionDocument);
}

#[test]
fn private_digests_are_distinct_sha_256_digests() {
    for digest in [B64(vec![1; 31]), Hash::sha256(b"reason").0.as_slice().into()] {
        let mut ledger = Ledger::founded(3);
        let mut params = ledger.enroll_params(&[Role::Auditor]);
        params.display_name_digest = Some(digest);
        let document = ledger.document(0, Params::MemberEnroll(params));
        assert_eq!(ledger.refused(ledger.proposal(0, Role::PlatformAdmin, document)), Rule::ActionDocument);
    }
}

#[test]
fn a_proposal_lists_exactly_the_digests_of_its_document() {
    let mut ledger = Ledger::founded(3);
    let params = slot(&ledger);
    ledger.propose(0, params).unwrap();
    let mut event = ledger.history.last().unwrap().event.clone();
    let before = ledger.before.last().unwrap();
    event.sd.push(B64(vec![0xff; 32]));
    assert_eq!(before.judge(&event, &Default::default()), Err(Rule::ActionDocument));
    event.sd.clear();
    assert_eq!(before.judge(&event, &Default::default()), Err(Rule::ActionDocument));
}

#[test]
fn an_action_id_is_used_once() {
    let (mut ledger, action) = proposed();
    let mut document = {
        let params = slot(&ledger);
        ledger.document(0, params)
    };
    document.action = action;
    assert_eq!(
        ledger.refused(ledger.proposal(0, Role::PlatformAdmin, document.clone())),
        Rule::ActionDuplicate
    );
    ledger.run(ledger.cancellation(0, Role::Approver, action)).unwrap();
    assert_eq!(ledger.refused(ledger.proposal(0, Role::PlatformAdmin, document)), Rule::ActionDuplicate);
}

#[test]
fn proposing_takes_a_proposing_role() {
    let mut ledger = Ledger::founded(3);
    let params = slot(&ledger);
    assert_eq!(rule_of(ledger.propose_as(0, Role::Approver, params.clone()).unwrap_err()), Rule::RoleMissing);
    let packer = ledger.enroll(&[Role::PackagingEngineer]);
    assert_eq!(
        rule_of(ledger.propose_as(packer, Role::PlatformAdmin, params).unwrap_err()),
        Rule::RoleMissing
    );
}

#[test]
fn only_the_proposer_takes_a_proposal_back() {
    let (mut ledger, action) = proposed();
    assert_eq!(ledger.refused(ledger.cancellation(1, Role::PlatformAdmin, action)), Rule::RoleMissing);
    ledger.run(ledger.cancellation(0, Role::PlatformAdmin, action)).unwrap();
    assert_eq!(ledger.now().closure(action), Some(Closure::Cancelled));
}

#[test]
fn one_seat_holder_or_one_holder_of_containment_rejects() {
    for (role, fits) in [
        (Role::Approver, true),
        (Role::IncidentCommander, true),
        (Role::PlatformAdmin, true),
        (Role::SecurityReviewer, true),
        (Role::ChangeBoard, false),
        (Role::KeyOwner, false),
    ] {
        let (mut ledger, action) = proposed();
        let outcome = ledger.run(ledger.rejection(1, role, action));
        assert_eq!(outcome.is_ok(), fits, "{role}");
    }
}

#[test]
fn the_owner_of_a_slot_rejects_what_is_proposed_for_it() {
    let mut ledger = Ledger::founded(3);
    let key = ledger.slot("s", Algorithm::EcdsaP256Sha256);
    let revoke = sealbook_ledger::action::KeyRevokeParams {
        compromised_since: None,
        key,
        reason: sealbook_ledger::action::RevocationReason::Superseded,
    };
    let action = ledger.propose(1, Params::KeyRevoke(revoke)).unwrap();
    assert_eq!(ledger.refused(ledger.rejection(2, Role::KeyOwner, action)), Rule::ApprovalSeat);
    ledger.run(ledger.rejection(0, Role::KeyOwner, action)).unwrap();
}

#[test]
fn an_emergency_proposal_fills_one_seat_by_its_own_role() {
    let revoke = |ledger: &mut Ledger| {
        let key = ledger.slot("s", Algorithm::EcdsaP256Sha256);
        Params::KeyRevokeEmergency(sealbook_ledger::action::KeyRevokeParams {
            compromised_since: Some(ledger.clock),
            key,
            reason: sealbook_ledger::action::RevocationReason::KeyCompromise,
        })
    };
    let mut ledger = Ledger::founded(3);
    let params = revoke(&mut ledger);
    let action = ledger.propose_as(0, Role::SecurityReviewer, params).unwrap();
    assert_eq!(approve_refused(&mut ledger, 0, Role::PlatformAdmin, action), Rule::ApprovalOwn);
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
    ledger.approve(1, Role::PlatformAdmin, action).unwrap();
    ledger.begin(action).unwrap();
    assert_eq!(ledger.now().closure(action), Some(Closure::Executed));

    // A commander proposes, but has no seat: two others are needed.
    let mut ledger = Ledger::founded(3);
    let params = revoke(&mut ledger);
    let action = ledger.propose_as(0, Role::IncidentCommander, params).unwrap();
    ledger.approve(1, Role::PlatformAdmin, action).unwrap();
    assert_eq!(rule_of(ledger.begin(action).unwrap_err()), Rule::QuorumOpen);
    ledger.approve(2, Role::SecurityReviewer, action).unwrap();
    ledger.begin(action).unwrap();
}
