//! The server killed (SIGKILL) at random moments of break-glass rotations, several under way at once. What they left is
//! held against the device after each kill; in the end each rotation has come to its end, once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use integration::bundle::Bundle;
use integration::programs::library;
use integration::shim::Shim;
use integration::tenant::{sha256, signing_policy};
use integration::{Installation, Tenant, waiting};
use sealbook_ledger::action::Params;
use sealbook_ledger::canonical;
use sealbook_ledger::ids::{ActionId, SlotName};
use sealbook_ledger::rotation::RotationStep;
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;
use serde_json::{Value, json};

use super::oracle::Oracle;

/// Kills that are made at least, and how long more are made, unless the environment says how many.
const LEAST: usize = 16;
const TIME: Duration = Duration::from_secs(12);

/// Slots whose keys are replaced, and how many of them before each kill.
const SLOTS: usize = 6;
const AT_A_TIME: usize = 2;

/// A rotation that nobody disturbs hardly takes longer.
const MOMENTS_MS: u64 = 500;

/// Longer than a key or a signature stays open that nobody settles, and what follows it takes.
const EXPIRY: Duration = Duration::from_secs(240);

/// A tenant whose keys are replaced, and how often they were asked to be.
struct Subject {
    tenant: Tenant,
    oracle: Oracle,
    asked: usize,
    /// Which rotations stood where when the server was killed.
    hit: BTreeSet<(ActionId, &'static str)>,
}

#[test]
fn killed_anywhere_in_a_rotation_a_server_comes_back_and_ends_it_once() {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().expect("a number"));
    let seed = number("SEALBOOK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SEALBOOK_SEED={seed}");
    let wanted = number("SEALBOOK_CRASHES").map(|wanted| wanted as usize);
    let (mut rng, shim) = (fastrand::Rng::with_seed(seed), Shim::new());
    let mut at = Installation::start_with(&library("pkcs11_shim"), shim.environment());
    let mut subject = Subject::found(&at, &shim);
    let (began, mut kills) = (Instant::now(), 0);
    while wanted.map_or(kills < LEAST || began.elapsed() < TIME, |wanted| kills < wanted) {
        subject.ask();
        let moment = Duration::from_millis(rng.u64(0..MOMENTS_MS));
        let ended = at.ended_within(moment);
        assert!(ended.is_none(), "the server ended by itself: {ended:?}\n{}", at.log_end());
        at.kill();
        at.mend_token();
        subject.look();
        at.start_again();
        subject.tenant.sign_in_again();
        kills += 1;
    }
    println!("{kills} kills in {:?}, {} rotations", began.elapsed(), subject.asked);
    for step in ["started", "generating", "generated", "proved", "cut over"] {
        println!("{:>3} {step}", subject.hit.iter().filter(|(_, at)| *at == step).count());
    }
    subject.settle();
    subject.hold_together();
    println!("all ended after {:?}", began.elapsed());
}

impl Subject {
    fn found(at: &Installation, shim: &Shim) -> Self {
        let tenant = Tenant::founded(at, 3);
        certified_slot(&tenant, "root", &policy(&json!({ "kind": "self" }), true));
        let issued = policy(&json!({ "kind": "slot", "slot": "root" }), false);
        (0..SLOTS).for_each(|n| certified_slot(&tenant, &name(n), &issued));
        let mut oracle = Oracle::of(at, &tenant.origin, shim.folder().join("calls"));
        oracle.look(&[], &[]);
        Self { tenant, oracle, asked: 0, hit: BTreeSet::new() }
    }

    /// Has people decide that the keys of some slots are to be replaced, of those where none is being.
    fn ask(&mut self) {
        self.oracle.look(&[], &[]);
        let founded = self.oracle.state().founded().unwrap();
        let rests = |name: &String| {
            let slot: SlotName = name.parse().unwrap();
            let waits = founded.actions().values().any(
                |action| matches!(&action.document().params, Params::KeyRotateEmergency(p) if p.slot == slot),
            );
            !waits && founded.rotations().values().all(|one| one.slot != slot || is_over(founded, one))
        };
        let resting: Vec<String> = (0..SLOTS).map(name).filter(rests).take(AT_A_TIME).collect();
        for name in resting {
            let params = params(&self.tenant, &name, "old_key");
            let by = self.tenant.person(0);
            let kind = "key.rotate_emergency";
            let action = self.tenant.propose(by, "security_reviewer", kind, &params).expect(201).json();
            let by = self.tenant.person(1);
            self.tenant.decide(by, "platform_admin", "approve", &action).expect(200);
            self.asked += 1;
        }
    }

    /// Looks at what a kill left.
    fn look(&mut self) {
        self.oracle.look(&[], &[]);
        let founded = self.oracle.state().founded().unwrap();
        for (id, rotation) in founded.rotations() {
            let in_charge = founded.slot(&rotation.slot).unwrap().active;
            if rotation.is_preparing() {
                assert_eq!(in_charge, Some(rotation.old_key), "{:?}", rotation.step);
            }
            let step = match rotation.step {
                RotationStep::Started => "started",
                RotationStep::Generating(_) => "generating",
                RotationStep::Generated(_) => "generated",
                RotationStep::Proved(_) => "proved",
                RotationStep::CutOver { .. } => "cut over",
                RotationStep::Completed { .. } | RotationStep::Failed => continue,
            };
            self.hit.insert((*id, step));
        }
    }

    /// Waits until nothing is under way.
    fn settle(&mut self) {
        let over = waiting::within(EXPIRY, || {
            self.oracle.look(&[], &[]);
            let founded = self.oracle.state().founded().unwrap();
            let all = founded.rotations().len() == self.asked;
            (all && founded.rotations().values().all(|one| is_over(founded, one))).then_some(())
        });
        let founded = self.oracle.state().founded().unwrap();
        let left: Vec<_> = founded.rotations().values().filter(|one| !is_over(founded, one)).collect();
        assert!(over.is_some(), "{} asked, left: {left:?}", self.asked);
        waiting::until("the device to be looked through", || {
            let health = self.tenant.get("/health-report").expect(200).json();
            let stock = &health["inventory"];
            (stock.is_object()).then(|| assert_eq!(stock["unexplained"], 0, "{health:#}"))
        });
    }

    /// One key, one certificate and one cutover a rotation.
    fn hold_together(&mut self) {
        self.tenant.verified();
        let events = Bundle::open(&self.tenant.exported()).parsed();
        self.oracle.look(&[], &[]);
        let founded = self.oracle.state().founded().unwrap();
        for (id, rotation) in founded.rotations() {
            let RotationStep::Completed { .. } = rotation.step else { panic!("{:?}", rotation.step) };
            let made = founded.keys().values().filter(|key| key.rotation == Some(*id));
            assert_eq!(made.filter(|key| key.material().is_some()).count(), 1);
            for kind in ["rotation.cut_over", "rotation.canary_recorded", "rotation.completed"] {
                let of = |event: &&Value| event["type"] == kind && event["data"]["action"] == id.to_string();
                assert_eq!(events.iter().filter(of).count(), 1, "{kind}");
            }
        }
        for slot in (0..SLOTS).map(|n| name(n).parse::<SlotName>().unwrap()) {
            let active = founded.slot(&slot).unwrap().active.unwrap();
            assert!(matches!(founded.keys()[&active].state, KeyState::Active { .. }));
            let certified =
                founded.issuances().values().filter(|one| one.slot == slot && one.active().is_some());
            assert_eq!(certified.map(|one| one.key).collect::<Vec<_>>(), [active], "{slot}");
        }
        assert!(events.iter().all(|event| event["type"] != "custody.unexplained"));
    }
}

/// Whether nothing of a rotation is left to be done, its old certificate's revocation included.
fn is_over(founded: &Founded, rotation: &sealbook_ledger::rotation::Rotation) -> bool {
    let mut of_old = founded.issuances().values().filter(|one| one.key == rotation.old_key);
    rotation.has_ended() && of_old.all(|one| one.active().is_none())
}

fn name(n: usize) -> String {
    format!("release-{n}")
}

/// A slot whose key has a certificate.
fn certified_slot(tenant: &Tenant, name: &str, rotation: &Value) {
    let mut slot = tenant.slot_params(name, "ecdsa-p256-sha256", &signing_policy());
    for days in ["rotation_days", "overlap_days"] {
        slot[days] = rotation[days].clone();
    }
    slot["rotation"] = rotation.clone();
    tenant.executed("slot.create", &slot);
    let issued = || {
        let events = tenant.get("/events?type=certificate.issued").expect(200).json();
        events["events"].as_array().unwrap().len()
    };
    let before = issued();
    tenant.executed("certificate.issue", &params(tenant, name, "key"));
    waiting::until("a certificate", || (issued() > before).then_some(()));
}

/// What is asked for a slot's key, under the rotation policy that people see.
fn params(tenant: &Tenant, slot: &str, key: &str) -> Value {
    let shown = tenant.get(&format!("/slots/{slot}")).expect(200).json();
    let policy = sha256(&canonical::to_vec(&shown["rotation"]).unwrap());
    json!({ "slot": slot, key: shown["active_key"], "policy": policy })
}

fn policy(issuer: &Value, issuing: bool) -> Value {
    let usage = match issuing {
        true => json!({ "kind": "issuing", "path_len": 1 }),
        false => json!({ "kind": "code_signing" }),
    };
    let common_name = if issuing { "Acme Root" } else { "Acme Releases" };
    json!({
        "certificate": {
            "issuer": issuer, "policies": [], "required": !issuing, "usage": usage,
            "subject": { "common_name": common_name, "country": "CH", "organization": "Acme" },
            "validity_days": if issuing { 3650 } else { 397 },
        },
        "channels": [], "old_key_signs": false, "overlap_days": 7, "propose_days": 0,
        "revoke_superseded": !issuing, "rotation_days": if issuing { 1825 } else { 90 }, "v": 1,
    })
}
