//! A server that ends at any step of a rotation, after an append or around a call to the device, once or twice: the next one
//! goes on from there. SEALBOOK_SEED, which every run prints, has the same ends come in the same order.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sealbook_ledger::action::Params;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, KeyId, ServiceId, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::{Rotation, RotationStep};
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;

use super::fickle::Trouble;
use super::rotations::{PATIENCE, active, rotate};
use super::world::{DAY, World, confirm};
use super::{approve, enrol_service, export_and_verify, propose, sign};

/// The slot whose keys are replaced.
const SLOT: &str = "releases";

/// A rotation that has not moved for so long waits for time to pass.
const STILL: Duration = Duration::from_millis(400);

/// Longer than a key or a signature stays open that nobody settles.
const EXPIRY: Duration = Duration::from_secs(100);

/// One life in so many ends again while it goes on with what the one before it left.
const AGAIN: u32 = 4;

/// Where a server ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// Once the ledger has grown by so many events.
    Append(u64),
    /// Around a call to the device.
    Call(usize, Trouble),
}

pub async fn a_server_that_ends_anywhere_in_a_rotation_leaves_one_that_goes_on(path: &Path) {
    let seed = std::env::var("SEALBOOK_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SEALBOOK_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::begin(path).await;
    world.certified_slot(SLOT).await;
    let service = enrol_service(&world.site, &[SLOT]).await;
    for n in 0..2 {
        sign(&world.site, service, SLOT, n).await.unwrap();
    }
    let mut ends = model(&world, service).await;
    ends.shuffle(&mut rng);
    println!("a rotation has {} places to end at", ends.len());
    for end in ends {
        let again = rng.random_ratio(1, AGAIN).then(|| match rng.random_range(0..3) {
            0 => End::Append(rng.random_range(1..8)),
            1 => End::Call(rng.random_range(1..4), Trouble::StopsBefore),
            _ => End::Call(rng.random_range(1..4), Trouble::StopsAfter),
        });
        let began = Instant::now();
        ended(&mut world, service, end, again).await;
        println!("ended at {end:?}, then {again:?}: whole after {:?}", began.elapsed());
    }
    world.everything_is_explained().await;
    export_and_verify(&world.site).await;
    world.end().await;
}

/// A rotation that nothing disturbs, and every place in it where a server may end.
async fn model(world: &World, service: ServiceId) -> Vec<End> {
    world.rests().await;
    let before = Before::of(world);
    let (action, from) = asked(world).await;
    world.device.plan(None);
    approve(&world.site, action, (2, Role::Approver)).await.unwrap();
    assert!(drive(world, service, action, &before, || false).await);
    let calls = world.device.calls();
    before.is_followed_by_one(world, action).await;
    let events = world.events().await;
    let of_rotation = &events[usize::try_from(from).unwrap() + 1..];
    let last_of_its_append =
        |(at, event): (usize, &Event)| of_rotation.get(at + 1).is_none_or(|next| next.time != event.time);
    let appends = of_rotation.iter().enumerate().filter(|one| last_of_its_append(*one));
    let mut ends: Vec<End> = appends.map(|(at, _)| End::Append(at as u64 + 1)).collect();
    assert!(calls >= 5, "a key, a request, a certificate and a canary of two: {calls} calls");
    for call in 1..=calls {
        ends.extend([Trouble::StopsBefore, Trouble::StopsAfter].map(|trouble| End::Call(call, trouble)));
    }
    ends
}

/// One rotation, whose server ends, perhaps twice.
async fn ended(world: &mut World, service: ServiceId, end: End, again: Option<End>) {
    world.rests().await;
    let before = Before::of(world);
    let (action, from) = asked(world).await;
    // The last approval stands before what it starts.
    arm(world, end, from + 1).await;
    approve(&world.site, action, (2, Role::Approver)).await.unwrap();
    live_and_die(world, service, action, &before, end, from + 1).await;
    if let Some(again) = again {
        let from = world.site.ledger.size();
        arm(world, again, from).await;
        live_and_die(world, service, action, &before, again, from).await;
    }
    world.device.plan(None);
    let over = drive(world, service, action, &before, || false).await;
    assert!(over, "{end:?}, then {again:?}");
    before.is_followed_by_one(world, action).await;
}

async fn arm(world: &World, end: End, from: u64) {
    match end {
        End::Append(events) => {
            world.device.plan(None);
            world.close_at(from + events).await;
        }
        End::Call(call, trouble) => world.device.plan(Some((call, trouble))),
    }
}

/// A life up to its end, and the beginning of the next.
async fn live_and_die(
    world: &mut World,
    service: ServiceId,
    action: ActionId,
    before: &Before,
    end: End,
    from: u64,
) {
    drive(world, service, action, before, || match end {
        End::Append(events) => world.site.ledger.size() >= from + events,
        End::Call(..) => world.device.has_stopped(),
    })
    .await;
    world.kill().await;
    world.open().await;
    world.device.plan(None);
    world.restart().await;
}

/// A rotation that lacks one approval, and the size of its ledger.
async fn asked(world: &World) -> (ActionId, u64) {
    let (site, name) = (&world.site, SLOT.parse().unwrap());
    let params = Params::KeyRotate(rotate(site, &name, active(site, &name)));
    let action = propose(site, params, 0, Role::KeyOwner, &[(1, Role::Approver)]).await;
    (action, site.ledger.size())
}

/// Does what people and time do in a rotation, until it has ended, or something else has. Says whether it has ended.
async fn drive(
    world: &World,
    service: ServiceId,
    action: ActionId,
    before: &Before,
    is_over: impl Fn() -> bool,
) -> bool {
    let (site, began) = (&world.site, Instant::now());
    let mut size = site.ledger.watch_size();
    let mut overlapped = false;
    while !is_over() {
        assert!(
            began.elapsed() < 2 * PATIENCE,
            "it stands still: {:?}",
            site.ledger.state().founded().unwrap().rotation(action)
        );
        size.borrow_and_update();
        let state = site.ledger.state();
        let founded = state.founded().unwrap();
        let rotation = founded.rotation(action);
        if let Ok(rotation) = rotation {
            before.no_key_is_half_in_charge(founded, rotation);
            let superseded = founded.keys()[&before.key].certificate.unwrap();
            if rotation.has_ended() && founded.issuance(superseded).unwrap().active().is_none() {
                return true;
            }
            if matches!(rotation.step, RotationStep::CutOver { .. }) && !overlapped {
                // Refused where the ledger's end has come.
                let _ = confirm(site, service, action).await;
                world.clocks.advance(8 * DAY).await;
                overlapped = true;
            }
        }
        let moved = tokio::time::timeout(STILL, size.changed()).await;
        if moved.is_err() && !is_over() {
            world.clocks.advance(EXPIRY).await;
        }
    }
    false
}

/// What was so before a rotation.
pub struct Before {
    pub slot: SlotName,
    pub key: KeyId,
    signed: usize,
    size: u64,
}

impl Before {
    fn of(world: &World) -> Self {
        Self::of_slot(world, SLOT)
    }

    pub fn of_slot(world: &World, name: &str) -> Self {
        let slot: SlotName = name.parse().unwrap();
        let (key, size) = (active(&world.site, &slot), world.site.ledger.size());
        Self { slot, key, signed: world.device.signed(), size }
    }

    /// Up to the cutover the old key is in charge, from then on the new one, which is certified and proved.
    pub fn no_key_is_half_in_charge(&self, founded: &Founded, rotation: &Rotation) {
        let in_charge = founded.slot(&self.slot).unwrap().active.unwrap();
        let prepared = rotation.is_preparing() || rotation.step == RotationStep::Failed;
        assert_eq!(in_charge == self.key, prepared, "{:?}", rotation.step);
        if !prepared {
            assert_eq!(Some(in_charge), rotation.new_key());
            assert!(rotation.due.is_empty() && rotation.canary > 0 && !rotation.canary_broken);
            assert!(founded.certificate_of(in_charge).is_some());
        }
    }

    /// Exactly one usable new key, one certificate in force, one cutover; and of the device's signatures each is on record.
    pub async fn is_followed_by_one(&self, world: &World, action: ActionId) {
        let state = world.site.ledger.state();
        let founded = state.founded().unwrap();
        let rotation = founded.rotation(action).unwrap();
        let RotationStep::Completed { key: new, .. } = rotation.step else { panic!("{:?}", rotation.step) };
        let made: Vec<_> = founded.keys().iter().filter(|(_, key)| key.rotation == Some(action)).collect();
        let usable = made.iter().filter(|(_, key)| key.material().is_some());
        assert_eq!(usable.map(|(id, _)| **id).collect::<Vec<_>>(), [new]);
        assert!(matches!(founded.keys()[&new].state, KeyState::Active { .. }));
        assert!(matches!(founded.keys()[&self.key].state, KeyState::Deactivated { .. }));
        assert_eq!(founded.slot(&self.slot).unwrap().active, Some(new));
        // One whose canary failed keeps its certificate, and signs nothing.
        let given_up = |key: &KeyId| {
            let of = founded.keys()[key].rotation.and_then(|of| founded.rotation(of).ok());
            of.is_some_and(|rotation| rotation.step == RotationStep::Failed)
        };
        let in_force = founded
            .issuances()
            .values()
            .filter(|one| one.slot == self.slot && one.active().is_some() && !given_up(&one.key));
        assert_eq!(in_force.map(|one| one.key).collect::<Vec<_>>(), [new]);
        let of_new = founded.issuances().values().filter(|one| one.key == new && one.issued().is_some());
        assert_eq!(of_new.count(), 1);
        self.accounts_hold(world, action).await;
        world.everything_is_explained().await;
    }

    async fn accounts_hold(&self, world: &World, action: ActionId) {
        let events = world.events().await;
        let since = &events[usize::try_from(self.size).unwrap()..];
        let count = |kind: &str| since.iter().filter(|event| event.payload.type_name() == kind).count();
        let cut =
            |event: &&Event| matches!(&event.payload, Payload::RotationCutOver(p) if p.action == action);
        assert_eq!(events.iter().filter(cut).count(), 1);
        for kind in
            ["rotation.canary_recorded", "rotation.completed", "certificate.issued", "certificate.revoked"]
        {
            assert_eq!(count(kind), 1, "{kind}");
        }
        let certain = count("signature.created") + count("signature.withheld");
        let possible = certain + count("signature.failed") + count("signature.abandoned");
        let signed = world.device.signed() - self.signed;
        assert!((certain..=possible).contains(&signed), "{certain} ≤ {signed} ≤ {possible}");
    }
}
