//! A year of three slots: the server asks for each rotation in time, people approve, services confirm, channels move, and no
//! key grows older than its interval, except the one that people leave too long.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sealbook::ledger::Submission;
use sealbook_ledger::action::Params;
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::command::{Command, RotationCommand};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, KeyId, ProposerId, Seq, ServiceId, SlotName};
use sealbook_ledger::issuance::IssuanceStep;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rotation::{IssuerPolicy, Rotation, RotationPolicy, RotationStep};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::rotations::{OWNERS, active, certificate, certify, slot};
use super::world::{DAY, World, confirm, holds};
use super::{Site, approve, enrol_service, export_and_verify, sign};

/// Each slot, the days of its interval and of its overlap, and the rotations that a year brings: one whenever the interval
/// less the fortnight that the server asks ahead has passed, the one of the connector's that is late a fortnight later.
const SLOTS: [(&str, u16, u16, usize); 3] =
    [("connector", 60, 7, 7), ("releases", 90, 7, 4), ("root", 180, 14, 2)];

/// Whose rotation is late, and which one of its rotations.
const LATE: (&str, usize) = ("connector", 3);

/// How long before a key is due the server asks for its rotation.
const AHEAD: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How late a proposal may be: the engine's tick, and what a slow machine adds.
const PROMPT: Duration = Duration::from_secs(60);

/// How long people have for a proposal.
const LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What happens next to a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// The rotation of its key is to be proposed.
    Proposal,
    /// The overlap ends.
    Retirement(ActionId),
}

struct Year {
    world: World,
    service: ServiceId,
    /// Rotations that were approved, by slot.
    approved: BTreeMap<SlotName, usize>,
}

pub async fn keys_are_replaced_in_time_for_a_year(path: &Path) {
    let world = World::begin(path).await;
    let service = set_up(&world.site).await;
    clocks_that_disagree_stop_the_ledger(&world, service).await;
    let end = after(world.site.ledger.now(), 365 * DAY);
    let mut year = Year { world, service, approved: BTreeMap::new() };
    while let Some((at, name, next)) = year.next().filter(|(at, ..)| *at < end) {
        year.wait_until(at).await;
        match next {
            Next::Proposal => year.rotate(&name, at).await,
            Next::Retirement(action) => year.retire(&name, action).await,
        }
    }
    year.holds_together().await;
    year.world.end().await;
}

async fn set_up(site: &Site) -> ServiceId {
    let issuing = Usage::Issuing { path_len: 1.try_into().unwrap() };
    for (name, days, overlap, _) in SLOTS.into_iter().rev() {
        let root = IssuerPolicy::Slot { slot: "root".parse().unwrap() };
        let (algorithm, certificate) = match name {
            "root" => {
                let own = certificate(IssuerPolicy::SelfSigned, issuing, "Acme Root");
                (Algorithm::EcdsaP384Sha384, Some(own))
            }
            "releases" => {
                let issued = certificate(root, Usage::CodeSigning, "Acme Releases");
                (Algorithm::EcdsaP256Sha256, Some(issued))
            }
            _ => (Algorithm::Ed25519OverSha256Digest, None),
        };
        let channels = ["stable", "beta"].map(|name| name.parse().unwrap());
        let policy = RotationPolicy {
            certificate,
            channels: channels.into_iter().filter(|_| name != "root").collect(),
            revoke_superseded: name == "releases",
            ..RotationPolicy::of_days(days, overlap)
        };
        let certified = policy.certificate.is_some();
        slot(site, name, algorithm, policy).await;
        if certified {
            certify(site, name).await;
        }
    }
    let service = enrol_service(site, &["connector", "releases"]).await;
    sign(site, service, "releases", 0).await.unwrap();
    sign(site, service, "connector", 0).await.unwrap();
    service
}

/// Where the server's clock alone has moved, nothing is appended.
async fn clocks_that_disagree_stop_the_ledger(world: &World, service: ServiceId) {
    world.clocks.advance_server(Duration::from_secs(60));
    let refused = sign(&world.site, service, "releases", 1).await.unwrap_err();
    assert_eq!(refused.code(), "clock.skew");
    world.clocks.bring_together().await;
    sign(&world.site, service, "releases", 1).await.unwrap();
}

impl Year {
    /// What happens next, where, and when.
    fn next(&self) -> Option<(Timestamp, SlotName, Next)> {
        let state = self.world.site.ledger.state();
        let founded = state.founded().unwrap();
        founded.slots().keys().filter_map(|name| next_of(founded, name)).min()
    }

    async fn wait_until(&self, at: Timestamp) {
        let left = at.unix_micros() - self.world.site.ledger.now().unix_micros();
        self.world.clocks.advance(Duration::from_micros(u64::try_from(left).unwrap_or(0))).await;
    }

    async fn rotate(&mut self, name: &SlotName, due_to_ask: Timestamp) {
        let site = &self.world.site;
        let old = active(site, name);
        let mut action = proposed(site, name, old, due_to_ask).await;
        let approved = self.approved.entry(name.clone()).or_default();
        *approved += 1;
        if (name.to_string().as_str(), *approved) == LATE {
            action = self.late(name, old, due_to_ask).await;
        }
        let site = &self.world.site;
        for approval in OWNERS {
            approve(site, action, approval).await.unwrap();
        }
        holds(site, "the cutover", |founded| {
            founded.rotation(action).ok().filter(|rotation| !rotation.is_preparing()).map(drop)
        })
        .await;
        assert_ne!(active(site, name), old);
        if name.to_string() == "root" {
            return;
        }
        sign(site, self.service, &name.to_string(), u8::try_from(self.approved[name]).unwrap())
            .await
            .unwrap();
        confirm(site, self.service, action).await.unwrap();
        for channel in ["beta", "stable"].map(|name| name.parse().unwrap()) {
            let command =
                RotationCommand::MoveChannel { by: Actor::Member(site.people[0].id), action, channel };
            site.ledger.submit(Submission::new(Command::Rotate(command))).await.unwrap();
        }
        let state = site.ledger.state();
        assert!(!state.founded().unwrap().rotation(action).unwrap().has_ended(), "the overlap was skipped");
    }

    /// Nobody decides, twice, until the key is overdue: it signs nothing any more, which is said once. The server has asked
    /// a third time by then.
    async fn late(&self, name: &SlotName, old: KeyId, asked: Timestamp) -> ActionId {
        let site = &self.world.site;
        for expired in 1..=2u32 {
            let again = after(asked, expired * LIFE + PROMPT);
            self.wait_until(again).await;
            proposed(site, name, old, after(asked, expired * LIFE)).await;
        }
        holds(site, "the alert", |founded| founded.slot(name).unwrap().overdue).await;
        for _ in 0..2 {
            let refused = sign(site, self.service, &name.to_string(), 99).await.unwrap_err();
            assert_eq!(refused.code(), Rule::KeyOverdue.code());
            self.world.clocks.advance(DAY).await;
        }
        proposed(site, name, old, after(asked, 2 * LIFE)).await
    }

    async fn retire(&self, name: &SlotName, action: ActionId) {
        let site = &self.world.site;
        let revokes = name.to_string() == "releases";
        holds(site, "the end of the old key", |founded| {
            let rotation = founded.rotation(action).unwrap();
            let old = &founded.keys()[&rotation.old_key];
            let revoked = old
                .certificate
                .is_some_and(|id| matches!(founded.issuance(id).unwrap().step, IssuanceStep::Revoked { .. }));
            let retired = matches!(old.state, KeyState::Deactivated { .. });
            (retired && rotation.has_ended() && revoked == revokes).then_some(())
        })
        .await;
    }

    /// One key, one certificate and one cutover a rotation, each asked for once and in time.
    async fn holds_together(&self) {
        let site = &self.world.site;
        self.world.rests().await;
        let (state, events) = (site.ledger.state(), self.world.events().await);
        let founded = state.founded().unwrap();
        for (name, days, _, wanted) in SLOTS {
            let name: SlotName = name.parse().unwrap();
            let rotations = rotations_of(founded, &name);
            assert_eq!(rotations.len(), wanted, "{name}");
            assert!(rotations.values().all(|one| matches!(one.step, RotationStep::Completed { .. })));
            let keys = founded.keys().values().filter(|key| key.slot == name);
            assert_eq!(keys.count(), wanted + 1, "{name}");
            let issued = founded.issuances().values().filter(|one| one.slot == name);
            let certified = founded.slot(&name).unwrap().rotation.certificate.is_some();
            let certificates = if certified { wanted + 1 } else { 0 };
            assert!(issued.clone().all(|one| one.issued().is_some()), "{name}");
            assert_eq!(issued.count(), certificates, "{name}");
            let late = usize::from(name.to_string() == LATE.0);
            assert_eq!(proposals(&events, &name), wanted + 2 * late, "{name}");
            assert_eq!(older_than(&events, founded, &name, days), late, "{name}");
        }
        let total: usize = SLOTS.iter().map(|(.., wanted)| wanted).sum();
        assert_eq!(count(&events, "rotation.cut_over"), total);
        assert_eq!(count(&events, "rotation.canary_recorded"), total);
        assert_eq!(count(&events, "certificate.revoked"), 4, "of releases alone");
        assert_eq!(count(&events, "slot.rotation_overdue"), 1);
        let failures = ["rotation.failed", "certificate.failed", "key.generation_failed", "signature.failed"];
        assert!(failures.iter().all(|kind| count(&events, kind) == 0));
        evidence(&events, founded);
        self.world.everything_is_explained().await;
        export_and_verify(site).await;
    }
}

/// Every rotation has its pack, and one alone.
fn evidence(events: &[Event], founded: &Founded) {
    for id in founded.rotations().keys() {
        let about = |seq: Seq| match &events[usize::try_from(seq.get()).unwrap()].payload {
            Payload::DocumentAuthorized(p) => p.action == Some(*id),
            _ => false,
        };
        let issued =
            |event: &&Event| matches!(&event.payload, Payload::RepIssued(p) if about(p.authorization));
        assert_eq!(events.iter().filter(issued).count(), 1, "packs about {id}");
    }
}

/// What happens next to a slot: after a cutover the old key's end, and otherwise the next proposal.
fn next_of(founded: &Founded, name: &SlotName) -> Option<(Timestamp, SlotName, Next)> {
    for (id, rotation) in rotations_of(founded, name) {
        if let RotationStep::CutOver { overlap_ends_at, .. } = rotation.step {
            return Some((overlap_ends_at, name.clone(), Next::Retirement(id)));
        }
    }
    let due = founded.due_at(founded.slot(name).unwrap().active?)?;
    Some((before(due, AHEAD), name.clone(), Next::Proposal))
}

/// The server's open proposal, made at a moment, or hardly later.
async fn proposed(site: &Site, name: &SlotName, old: KeyId, at: Timestamp) -> ActionId {
    let proposal = holds(site, "a proposal", |founded| {
        founded.actions().iter().find_map(|(id, action)| {
            let document = action.document();
            let is_it =
                matches!(&document.params, Params::KeyRotate(p) if p.slot == *name && p.old_key == old);
            (is_it && document.proposed_at >= at).then(|| (*id, document.clone()))
        })
    });
    let (id, document) = proposal.await;
    assert_eq!(document.proposed_by, ProposerId::Server);
    assert!(document.proposed_at <= after(at, 2 * PROMPT), "{name}: {} and not {at}", document.proposed_at);
    assert_eq!(document.expires_at, after(document.proposed_at, LIFE));
    assert!(document.quorum.iter().all(|clause| clause.role == Role::Approver));
    id
}

fn rotations_of<'a>(founded: &'a Founded, name: &SlotName) -> BTreeMap<ActionId, &'a Rotation> {
    let all = founded.rotations().iter().map(|(id, rotation)| (*id, rotation.as_ref()));
    all.filter(|(_, rotation)| rotation.slot == *name).collect()
}

/// How often a slot's rotation was proposed.
fn proposals(events: &[Event], name: &SlotName) -> usize {
    let of_slot = |event: &&Event| match &event.payload {
        Payload::ActionProposed(p) => {
            matches!(&p.document.params, Params::KeyRotate(rotate) if rotate.slot == *name)
        }
        _ => false,
    };
    events.iter().filter(of_slot).count()
}

/// How many keys of a slot were older than its interval when they were replaced.
fn older_than(events: &[Event], founded: &Founded, name: &SlotName, days: u16) -> usize {
    let taking_over = |event: &Event| match &event.payload {
        Payload::KeyActivated(p) if p.slot == *name => Some(event.time),
        Payload::RotationCutOver(p) => {
            founded.rotation(p.action).is_ok_and(|rotation| rotation.slot == *name).then_some(event.time)
        }
        _ => None,
    };
    let times: Vec<Timestamp> = events.iter().filter_map(taking_over).collect();
    times.windows(2).filter(|pair| pair[1] > after(pair[0], u32::from(days) * DAY)).count()
}

fn count(events: &[Event], kind: &str) -> usize {
    events.iter().filter(|event| event.payload.type_name() == kind).count()
}

fn after(time: Timestamp, by: Duration) -> Timestamp {
    time.plus_seconds(u32::try_from(by.as_secs()).unwrap())
}

fn before(time: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap();
    Timestamp::from_unix_micros(time.unix_micros() - micros).unwrap()
}
