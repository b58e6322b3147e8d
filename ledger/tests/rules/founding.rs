//! How a ledger begins.

use sealbook_ledger::command::{Command, Founder};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::event::Actor;
use sealbook_ledger::payload::{Continues, CustodyUnexplained, LedgerOpened};
use sealbook_ledger::policy::{Clause, LedgerPolicy, Role};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::webauthn::CredentialKind;

use crate::support::*;

fn open_refused(change: impl FnOnce(&mut LedgerOpened)) -> Rule {
    let mut ledger = Ledger::unopened("acme");
    let mut opened = ledger.opening();
    change(&mut opened);
    ledger.refused(Command::Open(opened))
}

fn three() -> Vec<Vec<Role>> {
    vec![DECIDING.to_vec(); 3]
}

fn founding_refused(change: impl FnOnce(&mut sealbook_ledger::payload::FoundingDocument)) -> Rule {
    let mut ledger = Ledger::opened("acme");
    let command = ledger.founding(three(), LedgerPolicy::default_for(3, 1), change);
    ledger.refused(command)
}

/// Founds with the founders, and then the whole command, changed.
fn founders_refused(policy: LedgerPolicy, change: impl FnOnce(&mut Vec<Founder>)) -> Rule {
    let mut ledger = Ledger::opened("acme");
    let Command::Found { mut founders, .. } = ledger.founding(three(), policy.clone(), |_| {}) else {
        unreachable!()
    };
    change(&mut founders);
    let command = ledger.founding_of(founders, policy, |_| {});
    ledger.refused(command)
}

#[test]
fn the_first_event_opens_the_ledger_under_known_rules_with_a_confined_key_of_its_own_name() {
    assert_eq!(open_refused(|o| o.rules = sealbook_ledger::state::RULES + 1), Rule::RulesUnknown);
    assert_eq!(open_refused(|o| o.attributes.extractable = true), Rule::KeyAttributes);
    assert_eq!(
        open_refused(|o| o.vkey = vkey(&"other.example.com/x".parse().unwrap(), 1)),
        Rule::LedgerKeySame
    );
    let own = Ledger::unopened("acme");
    let before = Continues {
        origin: own.state.origin().clone(),
        root: sealbook_ledger::encoding::Hash::ZERO,
        size: 3,
        vkey: vkey(own.state.origin(), 1),
    };
    assert_eq!(open_refused(|o| o.continues = Some(before)), Rule::LedgerOpen);
}

#[test]
fn a_ledger_is_opened_once_and_before_everything_else() {
    let mut ledger = Ledger::opened("acme");
    assert_eq!(ledger.refused(Command::Open(ledger.opening())), Rule::LedgerOpen);
    let mut unopened = Ledger::unopened("acme");
    assert_eq!(unopened.refused(unexplained()), Rule::LedgerOpen);
}

fn unexplained() -> Command {
    let object_sha256 = sealbook_ledger::encoding::Hash::ZERO;
    Command::ReportUnexplained(CustodyUnexplained { backend: "softhsm".parse().unwrap(), object_sha256 })
}

#[test]
fn nothing_else_happens_before_the_founding() {
    let mut ledger = Ledger::opened("acme");
    assert_eq!(ledger.refused(unexplained()), Rule::FoundingMissing);
    assert_eq!(ledger.refused(Command::Expire(action_id(1))), Rule::FoundingMissing);
}

#[test]
fn a_ledger_is_founded_once() {
    let mut ledger = Ledger::founded(3);
    let founded = ledger.history.last().unwrap().event.clone();
    let again = ledger.state.judge(&founded, &Default::default());
    assert_eq!(again, Err(Rule::FoundingDone));
    let enrolled = ledger.history[1].event.clone();
    assert_eq!(ledger.state.judge(&enrolled, &Default::default()), Err(Rule::ActionEffect));
    assert_eq!(ledger.refused(Command::Open(ledger.opening())), Rule::LedgerOpen);
}

#[test]
fn the_founding_document_repeats_the_ledger_exactly() {
    assert_eq!(founding_refused(|d| d.v = 2), Rule::FoundingDocument);
    assert_eq!(founding_refused(|d| d.rules = 2), Rule::FoundingDocument);
    assert_eq!(founding_refused(|d| d.origin = "a.example.com/b".parse().unwrap()), Rule::FoundingDocument);
    assert_eq!(founding_refused(|d| d.vkey = vkey(&d.origin, 3)), Rule::FoundingDocument);
    assert_eq!(founding_refused(|d| drop(d.founders.pop())), Rule::FoundingDocument);
    assert_eq!(founding_refused(|d| d.founders.swap(0, 1)), Rule::FoundingDocument);
    assert_eq!(founding_refused(|d| drop(d.founders[0].remove("_sd"))), Rule::FoundingDocument);
}

#[test]
fn approvals_come_from_https_or_from_this_very_machine() {
    let refused = |origin: &str| {
        founding_refused(|d| d.approval_rp.origins = [origin.to_owned()].into()) == Rule::FoundingDocument
    };
    for bad in [
        "http://sealbook.example.com",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://localhost:80@evil.example",
        "https://",
        "https://sealbook.example.com/",
        "https://a b",
    ] {
        assert!(refused(bad), "{bad}");
    }
    for good in ["http://localhost", "http://localhost:8080", "https://sealbook.example.com:8443"] {
        let mut ledger = Ledger::opened("acme");
        let command = ledger.founding(three(), LedgerPolicy::default_for(3, 1), |d| {
            d.approval_rp.origins.insert(good.to_owned());
        });
        assert!(ledger.run(command).is_ok(), "{good}");
    }
}

#[test]
fn every_founder_signs_and_nobody_else() {
    let refused = |change: fn(&mut sealbook_ledger::payload::LedgerFounded)| {
        let mut ledger = Ledger::opened("acme");
        let Command::Found { founders, mut founded } =
            ledger.founding(three(), LedgerPolicy::default_for(3, 1), |_| {})
        else {
            unreachable!()
        };
        change(&mut founded);
        ledger.refused(Command::Found { founders, founded })
    };
    assert_eq!(refused(|f| drop(f.assertions.pop())), Rule::FoundingSignatures);
    assert_eq!(refused(|f| f.assertions.swap(0, 1)), Rule::FoundingSignatures);
    assert_eq!(refused(|f| f.assertions[1] = f.assertions[0].clone()), Rule::FoundingSignatures);
    assert_eq!(
        refused(|f| f.assertions[0].signature = f.assertions[1].signature.clone()),
        Rule::AssertionInvalid
    );
    assert_eq!(refused(|f| f.document.approval_rp.shared = false), Rule::AssertionInvalid);
}

#[test]
fn two_to_sixteen_founders_begin_a_ledger() {
    let mut alone = Ledger::opened("acme");
    let command = alone.founding(vec![DECIDING.to_vec()], LedgerPolicy::default_for(1, 1), |_| {});
    assert_eq!(alone.refused(command), Rule::FoundingDocument);
    let mut crowd = Ledger::opened("acme");
    let command = crowd.founding(vec![DECIDING.to_vec(); 17], LedgerPolicy::default_for(17, 1), |_| {});
    assert_eq!(crowd.refused(command), Rule::FoundingDocument);
}

#[test]
fn two_founders_decide_by_the_one_seat_of_the_other() {
    let mut ledger = Ledger::founded(2);
    let params = ledger.slot_params("s", sealbook_ledger::algorithm::Algorithm::Ed25519);
    ledger.decree(sealbook_ledger::action::Params::SlotCreate(params));
    assert_eq!(ledger.now().slots().len(), 1);
}

#[test]
fn a_founding_under_which_somebody_could_never_get_something_approved_is_refused() {
    let mut ledger = Ledger::opened("acme");
    let command = ledger.founding(vec![DECIDING.to_vec(); 2], LedgerPolicy::default_for(3, 1), |_| {});
    assert_eq!(ledger.refused(command), Rule::QuorumUnreachable);
}

#[test]
fn a_policy_covers_every_action_with_one_to_eight_seats() {
    for change in [
        (|p| drop(p.actions.pop_first())) as fn(&mut LedgerPolicy),
        |p| p.v = 2,
        |p| p.actions.values_mut().for_each(|rule| rule.quorum.clear()),
        |p| p.actions.values_mut().for_each(|rule| rule.proposers.clear()),
        |p| {
            p.actions
                .values_mut()
                .for_each(|rule| rule.quorum = vec![Clause { count: 9, role: Role::Approver }])
        },
        |p| {
            p.actions
                .values_mut()
                .for_each(|rule| rule.quorum = vec![Clause { count: 0, role: Role::Approver }])
        },
    ] {
        let mut policy = LedgerPolicy::default_for(3, 1);
        change(&mut policy);
        let mut ledger = Ledger::opened("acme");
        let command = ledger.founding(three(), policy, |_| {});
        assert_eq!(ledger.refused(command), Rule::PolicyForm);
    }
}

#[test]
fn founders_differ_in_id_key_and_credential() {
    let policy = LedgerPolicy::default_for(3, 1);
    assert_eq!(
        founders_refused(policy.clone(), |f| f[1].enrolled.member = f[0].enrolled.member),
        Rule::MemberDuplicate
    );
    let copy = |f: &mut Vec<Founder>| f[1].enrolled.credentials = f[0].enrolled.credentials.clone();
    assert_eq!(founders_refused(policy.clone(), copy), Rule::CredentialDuplicate);
    assert_eq!(founders_refused(policy.clone(), |f| f[1].enrolled.credentials.clear()), Rule::CredentialForm);
    let twice = |f: &mut Vec<Founder>| {
        let one = f[1].enrolled.credentials[0].clone();
        f[1].enrolled.credentials.push(one);
    };
    assert_eq!(founders_refused(policy.clone(), twice), Rule::CredentialForm);
    let elsewhere = |f: &mut Vec<Founder>| f[1].enrolled.credentials[0].rp_id = "b.example.com".to_owned();
    assert_eq!(founders_refused(policy.clone(), elsewhere), Rule::CredentialForm);
    assert_eq!(
        founders_refused(policy, |f| f[1].enrolled.action = Some(action_id(1))),
        Rule::FoundingDocument
    );
}

#[test]
fn founders_do_not_package_what_they_approve() {
    let packs = |f: &mut Vec<Founder>| {
        f[0].enrolled.roles.insert(Role::PackagingEngineer);
    };
    assert_eq!(founders_refused(LedgerPolicy::default_for(3, 1), packs), Rule::RoleSeparation);
}

#[test]
fn a_software_credential_is_refused_where_the_policy_demands_hardware() {
    let mut policy = LedgerPolicy::default_for(3, 1);
    policy.credentials.hardware_only = true;
    assert_eq!(founders_refused(policy, |_| {}), Rule::CredentialPolicy);
}

#[test]
fn hardware_is_believed_by_its_attestation_alone() {
    let claims = |f: &mut Vec<Founder>| f[0].enrolled.credentials[0].kind = CredentialKind::Hardware;
    assert_eq!(founders_refused(LedgerPolicy::default_for(3, 1), claims), Rule::CredentialForm);
    let copied = |f: &mut Vec<Founder>| {
        let credential = &mut f[0].enrolled.credentials[0];
        (credential.kind, credential.backup_eligible) = (CredentialKind::Hardware, true);
        credential.attestation = Some(message(b"attestation"));
    };
    assert_eq!(founders_refused(LedgerPolicy::default_for(3, 1), copied), Rule::CredentialForm);
}

#[test]
fn a_make_that_the_policy_does_not_list_is_refused() {
    let mut policy = LedgerPolicy::default_for(3, 1);
    policy.credentials.aaguids = Some([uuid(77).into()].into());
    assert_eq!(founders_refused(policy.clone(), |_| {}), Rule::CredentialPolicy);
    policy.credentials.aaguids = Some([uuid::Uuid::nil().into()].into());
    let mut ledger = Ledger::opened("acme");
    let command = ledger.founding(three(), policy, |_| {});
    ledger.run(command).unwrap();
}

#[test]
fn only_the_server_writes_the_beginning() {
    let ledger = Ledger::founded(3);
    let person = ledger.people[0].id;
    for (n, one) in ledger.history.iter().enumerate() {
        let mut event = one.event.clone();
        event.actor = Actor::Member(person);
        assert_eq!(ledger.before[n].judge(&event, &Default::default()), Err(Rule::Actor));
    }
}

#[test]
fn a_founding_longer_than_an_event_is_refused_whole() {
    let mut ledger = Ledger::opened("acme");
    let policy = LedgerPolicy::default_for(16, 1);
    let Command::Found { mut founders, .. } =
        ledger.founding(vec![DECIDING.to_vec(); 16], policy.clone(), |_| {})
    else {
        unreachable!()
    };
    for founder in &mut founders {
        let mut spare: Vec<_> = (0..7).map(|n| Person::new(n).credential).collect();
        spare.iter_mut().enumerate().for_each(|(n, c)| c.credential_id = B64(vec![n as u8; 1023]));
        founder.enrolled.credentials.extend(spare);
        founder.enrolled.credentials.sort_by_key(|c| c.credential_id.to_string());
    }
    // Ids are distinct across founders too.
    for (n, founder) in founders.iter_mut().enumerate() {
        founder.enrolled.credentials.iter_mut().for_each(|c| {
            if c.credential_id.as_bytes().len() == 1023 {
                c.credential_id.0[1] = 100 + n as u8;
            }
        });
        founder.enrolled.credentials.sort_by_key(|c| c.credential_id.to_string());
    }
    let command = ledger.founding_of(founders, policy, |_| {});
    assert!(matches!(ledger.run(command), Err(Refusal::TooLong)));
    assert_eq!(ledger.state.size(), 1);
}
