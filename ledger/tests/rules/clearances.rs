//! Signatures that need people's approval first: what was approved is signed, once, and nothing else is.

use sealbook_ledger::action::{
    Params, RevocationReason, SigningApproveParams, SigningBatchParams, SlotParams, SlotPolicyParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::clearance::{self, MAX_CLEARED};
use sealbook_ledger::command::{Command, SignRequest, SigningOutcome};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::ids::{ActionId, ServiceId};
use sealbook_ledger::payload::ClearanceUse;
use sealbook_ledger::policy::{Environment, LedgerPolicy, Proposer, Role};
use sealbook_ledger::rule::Rule;

use crate::support::*;

const P256: Algorithm = Algorithm::EcdsaP256Sha256;

fn guarded() -> (Ledger, ServiceId) {
    let mut ledger = Ledger::founded(3);
    ledger.guarded_slot("s", P256);
    ledger.slot("open", P256);
    let service = ledger.service(&["s", "open"]);
    (ledger, service)
}

fn one(n: u8) -> Params {
    Params::SigningApprove(SigningApproveParams {
        artifact_name_digest: Some(B64(vec![4; 32])),
        artifact_ticket_digest: None,
        artifact_version_digest: None,
        digest: HexBytes(vec![n; 32]),
        environment: Environment::Production,
        slot: slot_name("s"),
    })
}

fn digests(count: u8) -> Vec<HexBytes> {
    (0..count).map(|n| HexBytes(vec![n; 32])).collect()
}

fn batch(digests: &[HexBytes]) -> SigningBatchParams {
    let tree = clearance::tree(digests);
    SigningBatchParams {
        count: u32::try_from(digests.len()).unwrap(),
        environment: Environment::Production,
        digests: digest_list(digests),
        names_digest: Some(B64(vec![5; 32])),
        root: tree.root_at(tree.size()).unwrap(),
        slot: slot_name("s"),
    }
}

fn request(ledger: &Ledger, digests: &[HexBytes], index: u32, action: ActionId) -> SignRequest {
    let tree = clearance::tree(digests);
    let proof = tree.inclusion_proof(u64::from(index), tree.size()).unwrap();
    let mut request = ledger.request("s", 32);
    request.digest = digests[usize::try_from(index).unwrap()].clone();
    request.clearance = Some(ClearanceUse { action, index, proof });
    request
}

fn refusal(ledger: &mut Ledger, service: ServiceId, request: SignRequest) -> Rule {
    rule_of(ledger.authorize(service, request).expect_err("it was authorised"))
}

#[test]
fn where_the_policy_asks_nothing_is_signed_without_approval() {
    let (mut ledger, service) = guarded();
    let plain = ledger.request("s", 32);
    assert_eq!(refusal(&mut ledger, service, plain), Rule::SigningApproval);
    let elsewhere = ledger.request("open", 32);
    ledger.authorize(service, elsewhere).unwrap();
}

#[test]
fn one_approved_digest_is_signed_once() {
    let (mut ledger, service) = guarded();
    let action = ledger.cleared(service, one(1));
    let list = [HexBytes(vec![1; 32])];
    let allowed = request(&ledger, &list, 0, action);
    let other = SignRequest { digest: HexBytes(vec![2; 32]), ..allowed.clone() };
    assert_eq!(refusal(&mut ledger, service, other), Rule::SigningApproval);
    let seq = ledger.authorize(service, allowed.clone()).unwrap();
    assert_eq!(refusal(&mut ledger, service, allowed.clone()), Rule::SigningUsed);
    ledger.settle(seq).unwrap();
    assert_eq!(refusal(&mut ledger, service, allowed), Rule::SigningUsed);
}

#[test]
fn a_list_is_one_decision_and_each_of_its_digests_is_signed_once() {
    let (mut ledger, service) = guarded();
    let list = digests(5);
    let action = ledger.cleared(service, Params::SigningBatch(batch(&list)));
    for index in 0..5 {
        let allowed = request(&ledger, &list, index, action);
        ledger.authorize(service, allowed.clone()).unwrap();
        assert_eq!(refusal(&mut ledger, service, allowed), Rule::SigningUsed);
    }
    assert_eq!(ledger.now().clearances()[&action].used(), 5);
}

#[test]
fn a_digest_that_is_not_in_the_list_has_no_proof() {
    let (mut ledger, service) = guarded();
    let list = digests(5);
    let action = ledger.cleared(service, Params::SigningBatch(batch(&list)));
    let allowed = request(&ledger, &list, 2, action);
    let change = |change: fn(&mut SignRequest)| {
        let mut changed = allowed.clone();
        change(&mut changed);
        changed
    };
    for wrong in [
        change(|r| r.digest = HexBytes(vec![9; 32])),
        change(|r| r.clearance.as_mut().unwrap().index = 3),
        change(|r| r.clearance.as_mut().unwrap().index = 5),
        change(|r| r.clearance.as_mut().unwrap().proof[0] = Hash::ZERO),
        change(|r| r.clearance.as_mut().unwrap().proof.truncate(1)),
        change(|r| r.clearance.as_mut().unwrap().proof.push(Hash::ZERO)),
        change(|r| r.clearance.as_mut().unwrap().action = action_id(999)),
    ] {
        assert_eq!(refusal(&mut ledger, service, wrong), Rule::SigningApproval);
    }
    ledger.authorize(service, allowed).unwrap();
}

#[test]
fn an_approval_is_for_one_slot_and_ends_with_its_action() {
    let (mut ledger, service) = guarded();
    ledger.guarded_slot("t", P256);
    ledger.decree(Params::ServiceGrant(sealbook_ledger::action::ServiceGrantParams {
        service,
        slots: ["s", "t"].map(slot_name).into(),
        token: None,
    }));
    let action = ledger.cleared(service, one(1));
    let allowed = request(&ledger, &[HexBytes(vec![1; 32])], 0, action);
    let elsewhere = SignRequest { slot: slot_name("t"), ..allowed.clone() };
    assert_eq!(refusal(&mut ledger, service, elsewhere), Rule::SigningApproval);
    let needless = SignRequest { slot: slot_name("open"), ..allowed.clone() };
    assert_eq!(refusal(&mut ledger, service, needless), Rule::ServiceSlot);
    ledger.wait(24 * 60 * 60);
    assert_eq!(refusal(&mut ledger, service, allowed), Rule::SigningApproval);
}

#[test]
fn what_the_device_did_not_sign_may_be_tried_again() {
    let (mut ledger, service) = guarded();
    let action = ledger.cleared(service, one(1));
    let allowed = request(&ledger, &[HexBytes(vec![1; 32])], 0, action);
    let authorization = ledger.authorize(service, allowed.clone()).unwrap();
    let outcome = SigningOutcome::Failed("device.error".parse().unwrap());
    ledger.run(Command::Settle { authorization, outcome }).unwrap();
    let authorization = ledger.authorize(service, allowed.clone()).unwrap();
    ledger.wait(60);
    // Nobody knows whether the device signed: it counts as signed.
    ledger.run(Command::Abandon(authorization)).unwrap();
    assert_eq!(refusal(&mut ledger, service, allowed), Rule::SigningUsed);
}

#[test]
fn an_approval_that_is_not_asked_for_is_refused() {
    let (mut ledger, service) = guarded();
    let action = ledger.cleared(service, one(1));
    let needless =
        SignRequest { slot: slot_name("open"), ..request(&ledger, &[HexBytes(vec![1; 32])], 0, action) };
    assert_eq!(refusal(&mut ledger, service, needless), Rule::SigningApprovalNeedless);
    let Params::SigningApprove(params) = one(1) else { unreachable!() };
    let asked = Params::SigningApprove(SigningApproveParams { slot: slot_name("open"), ..params });
    assert_eq!(rule_of(ledger.service_proposal(service, asked).unwrap_err()), Rule::SigningApprovalNeedless);
}

#[test]
fn a_proposal_that_could_not_be_signed_is_refused() {
    let (mut ledger, service) = guarded();
    let mut refused = |params| rule_of(ledger.service_proposal(service, params).unwrap_err());
    let Params::SigningApprove(fine) = one(1) else { unreachable!() };
    let changed = |change: fn(&mut SigningApproveParams)| {
        let mut params = fine.clone();
        change(&mut params);
        Params::SigningApprove(params)
    };
    assert_eq!(refused(changed(|p| p.digest = HexBytes(vec![1; 31]))), Rule::DigestLength);
    assert_eq!(refused(changed(|p| p.environment = Environment::Staging)), Rule::SignatureEnvironment);
    assert_eq!(refused(changed(|p| p.slot = slot_name("none"))), Rule::ServiceSlot);
    for (count, rule) in
        [(0, Rule::SigningList), (MAX_CLEARED + 1, Rule::SigningList), (2, Rule::DigestLength)]
    {
        let params = SigningBatchParams { count, ..batch(&digests(1)) };
        assert_eq!(refused(Params::SigningBatch(params)), rule);
    }
}

#[test]
fn a_service_asks_for_approval_of_signatures_and_for_nothing_else() {
    let (mut ledger, service) = guarded();
    let other = Params::SlotResume(SlotParams { slot: slot_name("s") });
    assert_eq!(rule_of(ledger.service_proposal(service, other).unwrap_err()), Rule::RoleMissing);
    let mut policy = LedgerPolicy::default_for(3, 1);
    let rule = policy.actions.get_mut(&sealbook_ledger::action::ActionType::KeyRevoke).unwrap();
    rule.proposers.insert(Proposer::Service);
    assert!(!policy.is_well_formed(1));
    // A stranger's slot is not a service's to ask about.
    let stranger = ledger.service(&["open"]);
    assert_eq!(rule_of(ledger.service_proposal(stranger, one(1)).unwrap_err()), Rule::ServiceSlot);
}

#[test]
fn members_ask_with_their_signature_and_dont_approve_their_own() {
    let (mut ledger, service) = guarded();
    let action = ledger.propose_as(0, Role::KeyOwner, one(1)).unwrap();
    assert_eq!(rule_of(ledger.approve(0, Role::ChangeBoard, action).unwrap_err()), Rule::ApprovalOwn);
    let outsider = ledger.propose_as(1, Role::KeyOwner, one(1)).unwrap_err();
    assert_eq!(rule_of(outsider), Rule::RoleMissing, "a key owner speaks for the own slots");
    ledger.approve(1, Role::ChangeBoard, action).unwrap();
    ledger.begin(action).unwrap();
    let allowed = request(&ledger, &[HexBytes(vec![1; 32])], 0, action);
    ledger.authorize(service, allowed).unwrap();
}

#[test]
fn a_policy_asks_for_approval_only_where_it_signs() {
    let (mut ledger, _) = guarded();
    let mut signing_policy = ledger.slot_params("s", P256).signing_policy;
    signing_policy.approval = [Environment::Staging].into();
    let params = SlotPolicyParams { signing_policy, slot: slot_name("s") };
    assert_eq!(rule_of(ledger.propose(0, Params::SlotPolicySet(params)).unwrap_err()), Rule::SlotForm);
}

#[test]
fn a_revoked_key_signs_nothing_whatever_was_approved() {
    let mut ledger = Ledger::founded(3);
    let key = ledger.guarded_slot("s", P256);
    let service = ledger.service(&["s"]);
    let action = ledger.cleared(service, one(1));
    let reason = RevocationReason::CessationOfOperation;
    ledger.decree(Params::KeyRevoke(sealbook_ledger::action::KeyRevokeParams {
        compromised_since: None,
        key,
        reason,
    }));
    let allowed = request(&ledger, &[HexBytes(vec![1; 32])], 0, action);
    assert_eq!(refusal(&mut ledger, service, allowed), Rule::KeyRevoked);
}

#[test]
fn an_approval_that_nobody_could_give_is_not_asked_for() {
    let roles = vec![vec![Role::Approver, Role::PlatformAdmin, Role::SecurityReviewer]; 3];
    let mut ledger = Ledger::founded_as("acme", roles, |_| {});
    let mut params = ledger.slot_params("s", P256);
    params.signing_policy.approval = [Environment::Production].into();
    let unreachable = ledger.propose(0, Params::SlotCreate(params.clone())).unwrap_err();
    assert_eq!(rule_of(unreachable), Rule::QuorumUnreachable);
    let board = ledger.enroll(&[Role::ChangeBoard]);
    ledger.decree(Params::SlotCreate(params));
    ledger.service(&["s"]);
    let member = ledger.people[board].id;
    let remove = Params::MemberRemove(sealbook_ledger::action::MemberParams { member });
    assert_eq!(rule_of(ledger.propose(0, remove).unwrap_err()), Rule::QuorumUnreachable);
}

#[test]
fn a_list_is_read_only_where_it_is_the_one_that_people_saw() {
    let bytes =
        |digests: &[HexBytes]| digests.iter().flat_map(|digest| digest.0.clone()).collect::<Vec<u8>>();
    let list = digests(5);
    let params = batch(&list);
    assert_eq!(clearance::read_list(&params, &bytes(&list)), Some(list.clone()));
    let changed = |change: fn(&mut SigningBatchParams)| {
        let mut params = params.clone();
        change(&mut params);
        params
    };
    for wrong in [
        changed(|p| p.count = 0),
        changed(|p| p.count = 4),
        changed(|p| p.count = 160),
        changed(|p| p.count = MAX_CLEARED + 1),
        changed(|p| p.root = Hash::ZERO),
        changed(|p| p.digests.size += 1),
        changed(|p| p.digests.sha256 = Hash::ZERO),
    ] {
        assert_eq!(clearance::read_list(&wrong, &bytes(&list)), None, "{wrong:?}");
    }
    assert_eq!(clearance::read_list(&params, &bytes(&list[1..])), None);
    assert_eq!(clearance::read_list(&params, &[]), None);
}
