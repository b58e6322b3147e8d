//! Two servers over one database and one device carry out one rotation between them.

use std::path::Path;
use std::sync::Arc;

use sealbook::ledger::{Ledger, Submission};
use sealbook_ledger::action::Params;
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, ProposerId, ServiceId, SlotName};
use sealbook_ledger::payload::{ActionRejected, EvidenceRecorded, Payload, Subject};
use sealbook_ledger::policy::Role;
use sealbook_ledger::webauthn::Purpose;

use super::crashes::Before;
use super::rotations::{active, rotate};
use super::world::{DAY, World, confirm, holds};
use super::{Site, approve, assertion, enrol_service, export_and_verify, propose, sign};

const SLOT: &str = "releases";

/// Rotations that both carry out, one by break-glass and one as planned by turns.
const TIMES: usize = 6;

pub async fn two_servers_carry_out_one_rotation(path: &Path) {
    let world = World::begin(path).await;
    world.certified_slot(SLOT).await;
    let service = enrol_service(&world.site, &[SLOT]).await;
    let (life, app, other) = world.second(&path.join("second")).await;
    for n in 0..3 {
        sign(&world.site, service, SLOT, n).await.unwrap();
    }
    // Each follows the other at every step, as servers do of which something is asked all the time.
    let callers = [Arc::clone(&world.site.ledger), other].map(|ledger| tokio::spawn(busy(ledger, service)));
    for time in 0..TIMES {
        let before = Before::of_slot(&world, SLOT);
        let action = match time % 2 {
            0 => emergency(&world.site).await,
            _ => planned(&world, service).await,
        };
        holds(&world.site, "the end", |founded| {
            let rotation = founded.rotation(action).ok()?;
            before.no_key_is_half_in_charge(founded, rotation);
            let superseded = founded.keys()[&before.key].certificate.unwrap();
            (rotation.has_ended() && founded.issuance(superseded).unwrap().active().is_none()).then_some(())
        })
        .await;
        before.is_followed_by_one(&world, action).await;
    }
    for caller in callers {
        assert!(!caller.is_finished(), "somebody was refused");
        caller.abort();
    }
    what_people_reject_is_not_asked_again_by_the_other(&world).await;
    export_and_verify(&world.site).await;
    app.stop().await;
    drop(app);
    life.end().await;
    world.end().await;
}

/// Somebody who asks a server for something all the time.
async fn busy(ledger: Arc<Ledger>, service: ServiceId) {
    loop {
        let evidence = EvidenceRecorded {
            digest: Hash::sha256(b"a report"),
            evidence: uuid::Uuid::new_v4().into(),
            media_type: "application/pdf".parse().unwrap(),
            subject: Subject::Service(service),
        };
        let (by, evidence) = (Actor::Service(service), Box::new(evidence));
        let command = Command::RecordEvidence { by, evidence, sd: Vec::new() };
        if let Err(error) = ledger.submit(Submission::new(command)).await {
            // The two clocks are moved one after the other.
            assert_eq!(error.code(), "clock.skew");
        }
        // Not faster than the engines can follow.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

async fn emergency(site: &Site) -> ActionId {
    let name: SlotName = SLOT.parse().unwrap();
    let params = Params::KeyRotateEmergency(rotate(site, &name, active(site, &name)));
    propose(site, params, 0, Role::SecurityReviewer, &[(1, Role::PlatformAdmin)]).await
}

/// Up to the end of its overlap. Its canary signs what the slot has signed, digest by digest.
async fn planned(world: &World, service: ServiceId) -> ActionId {
    let (site, name): (_, SlotName) = (&world.site, SLOT.parse().unwrap());
    let params = Params::KeyRotate(rotate(site, &name, active(site, &name)));
    let owners = [(1, Role::Approver), (2, Role::Approver)];
    let action = propose(site, params, 0, Role::KeyOwner, &owners).await;
    holds(site, "the cutover", |founded| {
        founded.rotation(action).ok().filter(|rotation| !rotation.is_preparing()).map(drop)
    })
    .await;
    confirm(site, service, action).await.unwrap();
    world.clocks.advance(8 * DAY).await;
    action
}

/// People say no to a rotation that one of the servers proposed: for a day neither asks again.
async fn what_people_reject_is_not_asked_again_by_the_other(world: &World) {
    let (site, name): (_, SlotName) = (&world.site, SLOT.parse().unwrap());
    world.clocks.advance(77 * DAY).await;
    let first = proposed(site, &name, None).await;
    reject(site, first).await;
    // Each hour wakes both.
    for _ in 0..20 {
        world.clocks.advance(DAY / 24).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(proposals(world).await, 1, "people were asked once");
    world.clocks.advance(DAY).await;
    let second = proposed(site, &name, Some(first)).await;
    for approval in [(1, Role::Approver), (2, Role::Approver)] {
        approve(site, second, approval).await.unwrap();
    }
    holds(site, "the cutover", |founded| {
        founded.rotation(second).ok().filter(|rotation| !rotation.is_preparing()).map(drop)
    })
    .await;
    assert_eq!(proposals(world).await, 2);
}

/// How often the servers asked for a rotation.
async fn proposals(world: &World) -> usize {
    let by_server = |event: &&Event| matches!(&event.payload, Payload::ActionProposed(p) if p.document.proposed_by == ProposerId::Server);
    world.events().await.iter().filter(by_server).count()
}

/// A proposal of the servers', other than one before.
async fn proposed(site: &Site, slot: &SlotName, before: Option<ActionId>) -> ActionId {
    holds(site, "a proposal", |founded| {
        let of_slot = founded.actions().iter().find(|(id, action)| {
            let document = action.document();
            let rotates = matches!(&document.params, Params::KeyRotate(p) if p.slot == *slot);
            rotates && document.proposed_by == ProposerId::Server && Some(**id) != before
        });
        of_slot.map(|(id, _)| *id)
    })
    .await
}

async fn reject(site: &Site, action: ActionId) {
    let state = site.ledger.state();
    let bytes = state.founded().unwrap().action(action).unwrap().document_bytes();
    let said = assertion(site, 1, Purpose::Rejection.challenge(bytes));
    let rejected = ActionRejected {
        action,
        authenticator_data: said.authenticator_data().clone(),
        client_data_json: said.client_data_json().clone(),
        credential_id: said.credential_id().clone(),
        member: site.people[1].id,
        role: Role::Approver,
        signature: said.signature().clone(),
    };
    let command = Command::Reject { rejected: Box::new(rejected), sd: Vec::new() };
    site.ledger.submit(Submission::new(command)).await.unwrap();
}
