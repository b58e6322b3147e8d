//! Statements about incidents and drills: asked for while work goes on, made by themselves at the end; each brings the list
//! of what is affected, and verifies offline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sealbook::blast_radius::Scope as OfKey;
use sealbook::ledger::{Disclosure, Submission, digests};
use sealbook::signing::{Reply, SignCall};
use sealbook_ledger::action::{KeyRevokeParams, Params, RevocationReason, SlotCreateParams, SlotParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::Usage;
use sealbook_ledger::command::{
    Command, FoundScope, IncidentCommand, IncidentMove, IncidentOpening, OwnSignature, RotationCommand,
};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::evidence::{AFFECTED, DISCLOSURES, EVIDENCE, REPORT};
use sealbook_ledger::ids::{ChannelName, IncidentId, KeyId, Seq, ServiceId};
use sealbook_ledger::incident::{IncidentOutcome, IncidentStep};
use sealbook_ledger::pack::Pack;
use sealbook_ledger::policy::{ArtifactField, Role, SigningPolicy};
use sealbook_ledger::rotation::{IssuerPolicy, RotationPolicy};
use sealbook_ledger::verify::{Layer, LayerReport, Pins, Style, Verdict, render, verify_pack};
use serde_json::Value;

use super::rotations::{OWNERS, active, certificate, certify, rotate, slot};
use super::world::{World, holds};
use super::{act, call, enrol_service};

const SLOT: &str = "releases";
const DRILL_SLOT: &str = "practice";
const SIGNED: u8 = 60;

pub async fn incidents_and_drills_are_told_of(path: &Path) {
    let world = World::begin_under(path, 4).await;
    let service = certified(&world).await;
    for n in 0..SIGNED {
        sign(&world, service, n).await;
    }
    an_incident(&world).await;
    a_drill(&world).await;
    a_false_alarm(&world).await;
    world.end().await;
}

fn channels() -> BTreeSet<ChannelName> {
    ["apt-stable", "downloads"].map(|name| name.parse().unwrap()).into()
}

/// A slot with channels and a certificate of a CA here.
async fn certified(world: &World) -> ServiceId {
    let issuing = Usage::Issuing { path_len: 1.try_into().unwrap() };
    let root = RotationPolicy {
        certificate: Some(certificate(IssuerPolicy::SelfSigned, issuing, "Acme Root")),
        ..RotationPolicy::of_days(1825, 90)
    };
    slot(&world.site, "root", Algorithm::EcdsaP384Sha384, root).await;
    certify(&world.site, "root").await;
    let issuer = IssuerPolicy::Slot { slot: "root".parse().unwrap() };
    let policy = RotationPolicy {
        certificate: Some(certificate(issuer, Usage::CodeSigning, "Acme Releases")),
        channels: channels(),
        ..RotationPolicy::of_days(90, 7)
    };
    slot(&world.site, SLOT, Algorithm::EcdsaP256Sha256, policy).await;
    certify(&world.site, SLOT).await;
    enrol_service(&world.site, &[SLOT]).await
}

async fn sign(world: &World, service: ServiceId, n: u8) {
    let named = |field, text: String| (field, text);
    let artifact = vec![
        named(ArtifactField::Name, format!("acme-agent_3.2.{n}_amd64.deb")),
        named(ArtifactField::Version, format!("3.2.{n}")),
    ];
    let asked = SignCall { artifact, ..call(service, SLOT, n) };
    let reply = world.site.app.sign(Arc::clone(&world.site.ledger), asked).await.unwrap();
    assert!(matches!(reply, Reply::Signed(_)));
}

/// A step with what is said about it.
async fn step(world: &World, by: usize, incident: IncidentId, step: IncidentMove, said: &[(&str, &str)]) {
    let disclosures: Vec<Disclosure> =
        said.iter().map(|(name, text)| Disclosure::new(*name, *text)).collect();
    let by = Actor::Member(world.site.people[by].id);
    let command = IncidentCommand { by, incident, step, sd: digests(&disclosures) };
    let submission = Submission { disclosures, ..Submission::new(Command::Incident(command)) };
    world.site.ledger.submit(submission).await.unwrap();
    // Steps take people their time.
    world.clocks.advance(Duration::from_secs(7 * 60)).await;
}

async fn open(world: &World, name: &str, key: KeyId, drill: bool) -> IncidentId {
    let incident = IncidentId::from(uuid::Uuid::now_v7());
    let now = world.site.ledger.now();
    let targets = [
        (IncidentStep::Contained, 15 * 60),
        (IncidentStep::Scoped, 3600),
        (IncidentStep::Rotated, 2 * 3600),
        (IncidentStep::Revoked, 24 * 3600),
        (IncidentStep::Advised, 3600),
    ];
    let opening = IncidentOpening {
        acknowledge_by: Some(now.plus_seconds(1800)),
        contain: true,
        drill,
        key,
        slot: name.parse().unwrap(),
        suspected_since: None,
        tabletop: drill,
        targets: BTreeMap::from(targets),
    };
    let why = "A laptop of the build team was stolen with a session to the signing host open.";
    step(world, 0, incident, IncidentMove::Open(opening), &[("reason", why)]).await;
    incident
}

/// What the chain says now.
async fn scoped(world: &World, incident: IncidentId, key: KeyId) -> u64 {
    let (app, ledger) = (&world.site.app, &world.site.ledger);
    let scope = OfKey::new(ledger, key, None, None).unwrap();
    let extent = app.blast_radius(Arc::clone(ledger), scope).await.unwrap();
    let bounds = extent.first().zip(extent.last()).map(|((first, _), (last, _))| (first, last));
    let (count, list, size) = (extent.count(), extent.digest(), scope.size);
    let found = FoundScope { count, bounds, list, since: None, size };
    step(world, 0, incident, IncidentMove::Scope(found), &[]).await;
    count
}

async fn an_incident(world: &World) {
    let key = active(&world.site, &SLOT.parse().unwrap());
    let incident = open(world, SLOT, key, false).await;
    asked_for_twice(world, incident).await;
    step(world, 1, incident, IncidentMove::Acknowledge, &[]).await;
    a_list_that_the_chain_does_not_make_is_not_left_out(world, incident).await;
    // One did not answer, and the server says so by itself.
    holds(&world.site, "the escalation", |founded| founded.incident(incident).unwrap().escalated).await;
    let count = scoped(world, incident, key).await;
    assert!(count >= u64::from(SIGNED));
    let note = [("note", "The guard's number is not for everybody.")];
    step(world, 1, incident, IncidentMove::Note, &note).await;
    let early = statement(world, incident).await;
    assert_eq!(affected(&early), count);
    kept("open", &early);
    for channel in channels() {
        step(world, 0, incident, IncidentMove::Withdraw(channel), &note).await;
    }
    replaced(world, SLOT, key).await;
    step(world, 0, incident, IncidentMove::Resign { resigned: count - 2, dropped: 2 }, &note).await;
    for channel in channels() {
        step(world, 1, incident, IncidentMove::Reinstate(channel), &note).await;
    }
    revoked(world, key).await;
    let text = "A key that signs our packages may have been used by somebody else between 3 and 4 March. Remove every \
                acme-agent before 3.2.61, fetch it again from packages.example.com, and update the trust root. Nothing that \
                we released is known to have been altered.";
    let told = [("reference", "ACME-2026-014, https://acme.example.com/security/2026-014"), ("text", text)];
    step(world, 0, incident, IncidentMove::Advise, &told).await;
    let resumed = Params::SlotResume(SlotParams { slot: SLOT.parse().unwrap() });
    act(&world.site, resumed, 0, Role::KeyOwner, &[(1, Role::SecurityReviewer), (2, Role::Approver)]).await;
    let closing = [("reason", "No signature beyond ours was found.")];
    step(world, 0, incident, IncidentMove::Close(IncidentOutcome::Resolved), &closing).await;
    let last = reported(world, incident).await;
    kept("incident", &last);
    assert_eq!(affected(&last), count);
    says(&last, &["\"outcome\":\"resolved\"", "\"verdict\":\"fail\""]);
    notes_stay_with_people(&last);
    nothing_can_be_changed(world, &last);
    let again = asked(world, incident).await;
    assert_eq!(again.0, newest(world, incident).await.0, "nothing has happened since");
}

async fn a_drill(world: &World) {
    let params = SlotCreateParams {
        algorithm: Algorithm::EcdsaP256Sha256,
        backend: "softhsm".parse().unwrap(),
        drill: true,
        overlap_days: 7,
        owner: world.site.people[0].id,
        rotation: Some(RotationPolicy::of_days(90, 7)),
        rotation_days: 90,
        signing_policy: SigningPolicy::default(),
        slot: DRILL_SLOT.parse().unwrap(),
    };
    act(&world.site, Params::SlotCreate(params), 0, Role::PlatformAdmin, &OWNERS).await;
    for number in 1..=5 {
        let own = OwnSignature::Sample { slot: DRILL_SLOT.parse().unwrap(), number };
        let command = RotationCommand::Authorize { own, message: None, life_s: 60 };
        world.site.ledger.submit(Submission::new(Command::Rotate(command))).await.unwrap();
    }
    let key = active(&world.site, &DRILL_SLOT.parse().unwrap());
    let incident = open(world, DRILL_SLOT, key, true).await;
    for who in [1, 2] {
        step(world, who, incident, IncidentMove::Acknowledge, &[]).await;
    }
    assert_eq!(scoped(world, incident, key).await, 5);
    replaced(world, DRILL_SLOT, key).await;
    // The first replacement is not trusted either.
    let second = active(&world.site, &DRILL_SLOT.parse().unwrap());
    replaced(world, DRILL_SLOT, second).await;
    let third = active(&world.site, &DRILL_SLOT.parse().unwrap());
    let told = evidence(&Pack::open(&statement(world, incident).await).unwrap());
    assert_eq!(told["replacement"]["key"], third.to_string());
    step(world, 0, incident, IncidentMove::Resign { resigned: 0, dropped: 5 }, &[]).await;
    revoked(world, key).await;
    let told = [("reference", "DRILL-2026-02"), ("text", "This is what customers would have been told.")];
    step(world, 0, incident, IncidentMove::Advise, &told).await;
    let resumed = Params::SlotResume(SlotParams { slot: DRILL_SLOT.parse().unwrap() });
    act(&world.site, resumed, 0, Role::KeyOwner, &[(1, Role::SecurityReviewer), (2, Role::Approver)]).await;
    step(world, 0, incident, IncidentMove::Close(IncidentOutcome::Resolved), &[("reason", "Practised.")])
        .await;
    let pack = reported(world, incident).await;
    kept("drill", &pack);
    assert_eq!(affected(&pack), 5);
    says(&pack, &["\"drill\":true", "\"tabletop\":true", "\"verdict\":\"pass\""]);
}

async fn replaced(world: &World, name: &str, key: KeyId) {
    let slot = name.parse().unwrap();
    let params = Params::KeyRotateEmergency(rotate(&world.site, &slot, key));
    act(&world.site, params, 0, Role::SecurityReviewer, &[(1, Role::PlatformAdmin)]).await;
    holds(&world.site, "another key", |founded| {
        let mut rotations = founded.rotations().values();
        rotations.any(|rotation| rotation.old_key == key && rotation.has_ended()).then_some(())
    })
    .await;
}

async fn revoked(world: &World, key: KeyId) {
    let reason = RevocationReason::KeyCompromise;
    let params = KeyRevokeParams { compromised_since: None, key, reason };
    let params = Params::KeyRevokeEmergency(params);
    act(&world.site, params, 0, Role::SecurityReviewer, &[(1, Role::PlatformAdmin)]).await;
    world.clocks.advance(Duration::from_secs(60)).await;
}

/// What somebody recorded as the list and is none stops the statement until it is recorded again.
async fn a_list_that_the_chain_does_not_make_is_not_left_out(world: &World, incident: IncidentId) {
    let size = world.site.ledger.size();
    let seqs = |from: u64, to: u64| Seq::new(from).zip(Seq::new(to));
    let none = FoundScope { count: 0, bounds: None, list: Hash::sha256(b""), since: None, size };
    let others = FoundScope { count: 1, bounds: seqs(size - 1, size - 1), ..none };
    for found in [none, others] {
        step(world, 0, incident, IncidentMove::Scope(found), &[]).await;
        let (site, by) = (&world.site, world.site.people[0].id);
        let refused = site.app.report_incident(&site.ledger, by, incident).await.unwrap_err();
        assert_eq!(refused.code(), "ledger.corrupt");
    }
}

/// Nobody held the key after all: nothing was listed, replaced or told.
async fn a_false_alarm(world: &World) {
    let key = active(&world.site, &SLOT.parse().unwrap());
    let incident = open(world, SLOT, key, false).await;
    let resumed = Params::SlotResume(SlotParams { slot: SLOT.parse().unwrap() });
    act(&world.site, resumed, 0, Role::KeyOwner, &[(1, Role::SecurityReviewer), (2, Role::Approver)]).await;
    let closing = [("reason", "The laptop was found, and its session had ended before.")];
    step(world, 0, incident, IncidentMove::Close(IncidentOutcome::FalseAlarm), &closing).await;
    let pack = reported(world, incident).await;
    kept("false-alarm", &pack);
    assert!(Pack::open(&pack).unwrap().file(AFFECTED).is_none());
    says(&pack, &["\"outcome\":\"false_alarm\"", "\"verdict\":\"pass\""]);
    let unknown = IncidentId::from(uuid::Uuid::now_v7());
    let (site, by) = (&world.site, world.site.people[0].id);
    let refused = site.app.report_incident(&site.ledger, by, unknown).await.unwrap_err();
    assert_eq!(refused.code(), "incident.unknown");
}

/// One that says the same is the same; one that says more is another.
async fn asked_for_twice(world: &World, incident: IncidentId) {
    let first = asked(world, incident).await;
    verifies(world, &first.1);
    assert!(Pack::open(&first.1).unwrap().file(AFFECTED).is_none(), "nobody has looked yet");
    assert_eq!(asked(world, incident).await, first);
    world.clocks.advance(Duration::from_secs(60)).await;
    assert_eq!(asked(world, incident).await.0, first.0, "time alone says nothing else");
    step(world, 0, incident, IncidentMove::Note, &[("note", "Somebody looks.")]).await;
    assert!(asked(world, incident).await.0 > first.0);
}

async fn asked(world: &World, incident: IncidentId) -> (Seq, Vec<u8>) {
    let (site, by) = (&world.site, world.site.people[0].id);
    let issued = site.app.report_incident(&site.ledger, by, incident).await.unwrap();
    (issued.seq, site.app.pack(&site.ledger, issued.sha256).await.unwrap().1)
}

async fn statement(world: &World, incident: IncidentId) -> Vec<u8> {
    let pack = asked(world, incident).await.1;
    verifies(world, &pack);
    pack
}

/// The one that comes by itself.
async fn reported(world: &World, incident: IncidentId) -> Vec<u8> {
    holds(&world.site, "the statement", |founded| founded.incident(incident).unwrap().reported.then_some(()))
        .await;
    let pack = newest(world, incident).await.1;
    verifies(world, &pack);
    pack
}

async fn newest(world: &World, incident: IncidentId) -> (Seq, Vec<u8>) {
    let (site, state) = (&world.site, world.site.ledger.state());
    let founded = state.founded().unwrap();
    let all =
        sealbook::views::reports::all(site.app.store(), site.ledger.id(), founded, site.ledger.size()).await;
    let report = all.unwrap().into_iter().find(|report| report.incident == Some(incident)).unwrap();
    let about = founded.incident(incident).unwrap();
    assert_eq!((report.drill, report.slot.as_ref()), (about.drill, Some(&about.slot)));
    (report.seq, site.app.pack(&site.ledger, report.sha256).await.unwrap().1)
}

fn pins(world: &World) -> Pins {
    let vkeys = vec![world.site.ledger.state().ledger_key().unwrap().vkey.clone()];
    Pins { vkeys, ..Pins::default() }
}

fn verifies(world: &World, pack: &[u8]) {
    let report = verify_pack(pack, &pins(world));
    assert_eq!(report.verdict(), Verdict::Valid, "{}", render(&report, Style::Plain));
    for layer in [Layer::Bytes, Layer::Seals, Layer::Rules, Layer::Signatures] {
        assert!(matches!(report.layer(layer), LayerReport::Valid(_)), "{}", render(&report, Style::Plain));
    }
}

/// How many lines its list has, which is the one that its event names.
fn affected(pack: &[u8]) -> u64 {
    let pack = Pack::open(pack).unwrap();
    let (evidence, list) = (evidence(&pack), pack.file(AFFECTED).unwrap());
    assert_eq!(evidence["scope"]["list"], Hash::sha256(list).to_string(), "{evidence:#}");
    list.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn evidence(pack: &Pack<'_>) -> Value {
    serde_json::from_slice(pack.file(EVIDENCE).unwrap()).unwrap()
}

fn says(pack: &[u8], texts: &[&str]) {
    let pack = Pack::open(pack).unwrap();
    let evidence = String::from_utf8(pack.file(EVIDENCE).unwrap().to_vec()).unwrap();
    for text in texts {
        assert!(evidence.contains(text), "{text} in {evidence}");
    }
}

fn notes_stay_with_people(pack: &[u8]) {
    let pack = Pack::open(pack).unwrap();
    let disclosed = String::from_utf8(pack.file(DISCLOSURES).unwrap().to_vec()).unwrap();
    assert!(["ACME-2026-014", "laptop", "beyond ours"].iter().all(|told| disclosed.contains(told)));
    assert!(!disclosed.contains("guard"), "{disclosed}");
    // Why people proposed something is not for everybody either.
    let disclosed: Vec<Value> = disclosed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(disclosed.iter().filter(|one| one["name"] == "reason").count(), 2, "{disclosed:?}");
}

/// One byte anywhere: refused.
fn nothing_can_be_changed(world: &World, pack: &[u8]) {
    let mut changed = pack.to_vec();
    for at in (0..pack.len()).step_by(pack.len() / 40) {
        changed[at] ^= 1;
        assert_eq!(verify_pack(&changed, &pins(world)).verdict(), Verdict::Invalid, "byte {at}");
        changed[at] ^= 1;
    }
}

/// Leaves what people read where somebody wants to look at it.
fn kept(name: &str, pack: &[u8]) {
    let Some(folder) = std::env::var_os("SEALBOOK_TEST_REPORTS") else { return };
    let (folder, opened) = (Path::new(&folder), Pack::open(pack).unwrap());
    for (file, ending) in [(REPORT, "pdf"), (EVIDENCE, "json")] {
        std::fs::write(folder.join(format!("{name}.{ending}")), opened.file(file).unwrap()).unwrap();
    }
    std::fs::write(folder.join(format!("{name}.zip")), pack).unwrap();
}
