//! A device that is away, or signs wrongly, in the middle of a rotation: the old key stays in charge until the new one is
//! certified and proved, and what the device could not do is done when it can.

use std::path::Path;
use std::time::Duration;

use sealbook_ledger::action::Params;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, ServiceId, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::RotationStep;
use sealbook_ledger::slot::KeyState;

use super::crashes::Before;
use super::fickle::Trouble;
use super::rotations::{active, rotate};
use super::world::{World, holds};
use super::{enrol_service, export_and_verify, propose, sign};

const SLOT: &str = "releases";

/// What a break-glass rotation asks of the device: a key, a request, a certificate, a canary of one.
const CALLS: usize = 4;

/// The call that makes the key.
const KEY: usize = 1;

/// The call that signs the request.
const REQUEST: usize = 2;

/// The call by which the CA signs the certificate.
const CERTIFICATE: usize = 3;

/// The call that signs the canary.
const CANARY: usize = 4;

/// The first pause after a step that failed, and the longest after one that left nothing on record.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(61);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Tries after which the pause after a refusal is as long as it gets: 1 s doubles twelve times to more than an hour.
const TRIES: usize = 13;

pub async fn a_device_that_fails_puts_no_key_in_charge(path: &Path) {
    let world = World::begin(path).await;
    world.certified_slot(SLOT).await;
    let service = enrol_service(&world.site, &[SLOT]).await;
    sign(&world.site, service, SLOT, 1).await.unwrap();
    for call in 1..=CALLS {
        away_from(&world, call).await;
        known_to_be_away_from(&world, call).await;
    }
    it_is_asked_more_and_more_seldom(&world).await;
    for call in [CERTIFICATE, KEY, CANARY] {
        a_refusal_that_lasts_costs_two_events_an_hour(&world, call).await;
    }
    a_wrong_canary_ends_the_rotation(&world, service).await;
    a_wrong_request_is_signed_again(&world).await;
    export_and_verify(&world.site).await;
    world.end().await;
}

/// The device leaves at a call, and nobody knows until it is asked.
async fn away_from(world: &World, call: usize) {
    let before = Before::of_slot(world, SLOT);
    world.device.plan(Some((call, Trouble::Leaves)));
    let refused = world.device.refusals().len();
    let action = emergency(world).await;
    refuses(world, &before, action, refused + 1).await;
    world.clocks.advance(LONGEST_PAUSE).await;
    refuses(world, &before, action, refused + 2).await;
    world.device.set_away(false, false);
    completes(world, &before, action).await;
}

/// The device leaves, and says so: nothing is authorised until it is back.
async fn known_to_be_away_from(world: &World, call: usize) {
    let before = Before::of_slot(world, SLOT);
    world.device.plan(Some((call, Trouble::Leaves)));
    world.device.set_away(call == 1, true);
    let refused = world.device.refusals().len();
    let action = emergency(world).await;
    if call == 1 {
        holds(&world.site, "the rotation", |founded| founded.rotation(action).ok().map(drop)).await;
    } else {
        refuses(world, &before, action, refused + 1).await;
    }
    let authorized = asked_of_devices(world).await;
    // Whatever is tried again is tried in these hours.
    for _ in 0..5 {
        world.clocks.advance(LONGEST_PAUSE).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let state = world.site.ledger.state();
        let founded = state.founded().unwrap();
        before.no_key_is_half_in_charge(founded, founded.rotation(action).unwrap());
    }
    assert_eq!(asked_of_devices(world).await, authorized, "a device that is away was asked");
    world.device.set_away(false, false);
    completes(world, &before, action).await;
}

/// Between two attempts lies twice as much time as between the two before.
async fn it_is_asked_more_and_more_seldom(world: &World) {
    let before = Before::of_slot(world, SLOT);
    world.device.plan(Some((REQUEST, Trouble::Leaves)));
    let refused = world.device.refusals().len();
    let action = emergency(world).await;
    refuses(world, &before, action, refused + 3).await;
    let times = &world.device.refusals()[refused..refused + 3];
    assert!(times[1] - times[0] >= PAUSE, "{times:?}");
    assert!(times[2] - times[1] >= 2 * PAUSE, "{times:?}");
    world.device.set_away(false, false);
    completes(world, &before, action).await;
}

/// A device that answers and does nothing is asked once an hour in the end, whatever it is asked for: a try is an
/// authorisation and its failure.
async fn a_refusal_that_lasts_costs_two_events_an_hour(world: &World, call: usize) {
    let before = Before::of_slot(world, SLOT);
    world.device.plan(Some((call, Trouble::Refuses)));
    let refused = world.device.refusals().len();
    let action = emergency(world).await;
    for tries in 1..=TRIES {
        refuses(world, &before, action, refused + tries).await;
        passes(world, HOUR).await;
    }
    refuses(world, &before, action, refused + TRIES + 1).await;
    let (refused, asked) = (world.device.refusals().len(), asked_of_devices(world).await);
    for _ in 0..2 * 10 {
        passes(world, HOUR / 2).await;
    }
    let tries = world.device.refusals().len() - refused;
    assert!((1..=11).contains(&tries), "call {call} was tried {tries} times in ten hours");
    assert_eq!(asked_of_devices(world).await - asked, tries, "a try is one authorisation");
    world.device.plan(None);
    passes(world, HOUR).await;
    completes(world, &before, action).await;
}

/// Time passes, once all that is on record is sealed: what was unsealed for so long would stop signatures.
async fn passes(world: &World, time: Duration) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ledger = &world.site.ledger;
    ledger.wait_sealed(ledger.size(), super::rotations::PATIENCE).await.unwrap();
    world.clocks.advance(time).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// A canary's signature that does not verify leaves the old key in charge, for good; another rotation may start.
async fn a_wrong_canary_ends_the_rotation(world: &World, service: ServiceId) {
    let before = Before::of_slot(world, SLOT);
    world.device.plan(Some((CANARY, Trouble::SignsWrongly)));
    let action = emergency(world).await;
    let site = &world.site;
    holds(site, "the failure", |founded| {
        founded.rotation(action).ok().filter(|rotation| rotation.step == RotationStep::Failed).map(drop)
    })
    .await;
    let (state, events) = (site.ledger.state(), world.events().await);
    let founded = state.founded().unwrap();
    before.no_key_is_half_in_charge(founded, founded.rotation(action).unwrap());
    assert!(matches!(founded.keys()[&before.key].state, KeyState::Active { .. }));
    let mut new = founded.keys().values().filter(|key| key.rotation == Some(action));
    assert!(new.all(|key| matches!(key.state, KeyState::Deactivated { .. })));
    let failed = |event: &Event| match &event.payload {
        Payload::RotationFailed(p) if p.action == action => Some(p.code.to_string()),
        _ => None,
    };
    assert_eq!(events.iter().filter_map(failed).collect::<Vec<_>>(), ["canary.failed"]);
    sign(site, service, SLOT, 2).await.unwrap();
    let before = Before::of_slot(world, SLOT);
    let again = emergency(world).await;
    completes(world, &before, again).await;
    sign(site, service, SLOT, 3).await.unwrap();
}

/// A request is no proof of the key: it is signed again.
async fn a_wrong_request_is_signed_again(world: &World) {
    let before = Before::of_slot(world, SLOT);
    world.device.plan(Some((REQUEST, Trouble::SignsWrongly)));
    let action = emergency(world).await;
    completes(world, &before, action).await;
}

async fn emergency(world: &World) -> ActionId {
    let (site, name): (_, SlotName) = (&world.site, SLOT.parse().unwrap());
    let params = Params::KeyRotateEmergency(rotate(site, &name, active(site, &name)));
    propose(site, params, 0, Role::SecurityReviewer, &[(1, Role::PlatformAdmin)]).await
}

/// Waits until the device has refused so often; the old key is in charge all the while.
async fn refuses(world: &World, before: &Before, action: ActionId, times: usize) {
    let began = std::time::Instant::now();
    while world.device.refusals().len() < times {
        assert!(began.elapsed() < super::rotations::PATIENCE, "the device is not asked");
        let state = world.site.ledger.state();
        let founded = state.founded().unwrap();
        if let Ok(rotation) = founded.rotation(action) {
            before.no_key_is_half_in_charge(founded, rotation);
            assert!(rotation.is_preparing());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The rotation goes on to its end, as if nothing had been.
async fn completes(world: &World, before: &Before, action: ActionId) {
    world.device.plan(None);
    world.clocks.advance(LONGEST_PAUSE).await;
    holds(&world.site, "the end", |founded| {
        let rotation = founded.rotation(action).ok()?;
        before.no_key_is_half_in_charge(founded, rotation);
        let superseded = founded.keys()[&before.key].certificate.unwrap();
        (rotation.has_ended() && founded.issuance(superseded).unwrap().active().is_none()).then_some(())
    })
    .await;
    before.is_followed_by_one(world, action).await;
}

/// Keys and signatures that were ever asked of a device.
async fn asked_of_devices(world: &World) -> usize {
    let asks = |event: &&Event| {
        matches!(&event.payload, Payload::SignatureAuthorized(_) | Payload::KeyGenerationAuthorized(_))
    };
    world.events().await.iter().filter(asks).count()
}
