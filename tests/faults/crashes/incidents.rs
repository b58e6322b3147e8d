//! The server killed (SIGKILL) at a random moment of every step of an incident. It comes back with the step taken or not,
//! and people go on where they were; the end is one incident, one statement.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use integration::bundle::Bundle;
use integration::rotating::{KEEPERS, certify, releases, root, shown, slot};
use integration::tenant::{sha256, text};
use integration::{Installation, Tenant, waiting};
use serde_json::{Value, json};

/// Incidents from the opening to the statement, unless the environment says how many.
const INCIDENTS: usize = 2;

/// A step that nobody disturbs hardly takes longer.
const MOMENTS_MS: u64 = 40;

/// A break-glass rotation and a statement take longer.
const LONG_MS: u64 = 500;

/// Longer than a signature stays open that nobody settles, and what follows it takes.
const EXPIRY: Duration = Duration::from_secs(240);

/// What people do in an incident, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    Open,
    Scope,
    Withdraw,
    Rotate,
    Revoke,
    Resume,
    Resign,
    Reinstate,
    Advise,
    Close,
    /// The statement comes by itself.
    Report,
}

const MOVES: [Move; 11] = {
    use Move::*;
    [Open, Scope, Withdraw, Rotate, Revoke, Resume, Resign, Reinstate, Advise, Close, Report]
};

#[test]
fn killed_at_any_step_of_an_incident_a_server_comes_back_and_people_go_on() {
    let number = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().expect("a number"));
    let seed = number("SEALBOOK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SEALBOOK_SEED={seed}");
    let wanted = number("SEALBOOK_CRASHES").map_or(INCIDENTS, |kills| (kills as usize).div_ceil(MOVES.len()));
    let (mut rng, began) = (fastrand::Rng::with_seed(seed), Instant::now());
    let mut at = Installation::start();
    let mut tenant = Tenant::founded_with(&at, &[KEEPERS; 5]);
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    slot(&tenant, "root", "ecdsa-p256-sha256", root());
    slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
    certify(&tenant, "root", "active");
    certify(&tenant, "releases", "active");
    let service = tenant.service(&["releases"]);
    for incident in 0..wanted {
        let digest = sha256(format!("artifact {incident}").as_bytes());
        tenant.sign(&service, "releases", &digest).expect(200);
        for step in MOVES {
            let asked = asked(&tenant, step);
            let most = if matches!(step, Move::Rotate | Move::Report) { LONG_MS } else { MOMENTS_MS };
            let moment = Duration::from_millis(rng.u64(0..most));
            std::thread::scope(|scope| {
                // What it is told, if anything, comes from a server that is gone.
                scope.spawn(|| tried(&tenant, step, asked.as_ref()));
                let ended = at.ended_within(moment);
                assert!(ended.is_none(), "the server ended by itself: {ended:?}\n{}", at.log_end());
                at.kill();
            });
            at.mend_token();
            at.start_again();
            tenant.sign_in_again();
            let left = !is_done(&tenant, step);
            println!("{incident} {step:?} after {moment:?}: {}", if left { "not yet" } else { "done" });
            settled(&tenant, step, asked.as_ref());
        }
    }
    println!("{wanted} incidents in {:?}", began.elapsed());
    hold_together(&tenant, wanted);
}

/// The newest incident.
fn newest(tenant: &Tenant) -> Value {
    tenant.get("/incidents").expect(200).json()["incidents"][0].take()
}

fn path(tenant: &Tenant, step: &str) -> String {
    format!("/incidents/{}/{step}", text(&newest(tenant)["incident"]))
}

/// What one person asks for in one request; none of what takes an approval.
fn request(tenant: &Tenant, step: Move) -> Option<(String, Value)> {
    match step {
        Move::Open => {
            Some(("/incidents".to_owned(), json!({ "slot": "releases", "reason": "a strange signature" })))
        }
        Move::Scope => Some((path(tenant, "scope"), json!({}))),
        Move::Withdraw => Some((path(tenant, "withdraw"), json!({ "channel": "web" }))),
        Move::Resign => Some((path(tenant, "resign"), json!({}))),
        Move::Reinstate => Some((path(tenant, "reinstate"), json!({ "channel": "web" }))),
        Move::Advise => {
            Some((path(tenant, "advise"), json!({ "reference": "ACME-1", "text": "Use the next release." })))
        }
        Move::Close => Some((path(tenant, "close"), json!({ "outcome": "resolved" }))),
        Move::Rotate | Move::Revoke | Move::Resume | Move::Report => None,
    }
}

/// The proposal of a step that takes an approval, made before anything is killed.
fn asked(tenant: &Tenant, step: Move) -> Option<Value> {
    let key = || newest(tenant)["key"].clone();
    let (kind, params) = match step {
        Move::Rotate => {
            let policy = shown(tenant, "releases").1;
            ("key.rotate_emergency", json!({ "slot": "releases", "old_key": key(), "policy": policy }))
        }
        Move::Revoke => ("key.revoke_emergency", json!({ "key": key(), "reason": "key_compromise" })),
        Move::Resume => ("slot.resume", json!({ "slot": "releases" })),
        _ => return None,
    };
    Some(tenant.propose(tenant.person(0), "security_reviewer", kind, &params).expect(201).json())
}

/// Asks a server that may be gone before it answers.
fn tried(tenant: &Tenant, step: Move, asked: Option<&Value>) {
    let tried =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match (asked, request(tenant, step)) {
            (Some(asked), _) => approve(tenant, asked),
            (None, Some((path, body))) => drop(tenant.post(&path, &body)),
            (None, None) => {}
        }));
    // It panics where nobody answers, which is what was meant to happen.
    drop(tried);
}

/// Has people fill the seats that are free, each with somebody who has not decided yet.
fn approve(tenant: &Tenant, asked: &Value) {
    let action = tenant.action(asked);
    if action["status"] != "open" {
        return;
    }
    let seats = action["seats"].as_array().unwrap();
    let filled: BTreeSet<&str> = seats.iter().filter_map(|seat| seat["filled_by"].as_str()).collect();
    let mut free = (1..5).map(|n| tenant.person(n)).filter(|person| !filled.contains(person.id.as_str()));
    for seat in seats.iter().filter(|seat| seat.get("filled_by").is_none()) {
        let answer = tenant.decide(free.next().unwrap(), text(&seat["role"]), "approve", &action);
        assert_eq!(answer.status, 200, "{}", answer.said());
    }
}

fn is_done(tenant: &Tenant, step: Move) -> bool {
    let incident = newest(tenant);
    let done = |name: &str| {
        let steps = incident["steps"].as_array();
        steps.into_iter().flatten().any(|step| step["step"] == name && step["done"] == true)
    };
    let open = incident.is_object() && incident.get("closed").is_none();
    match step {
        Move::Open => open && incident["contained"] == true,
        Move::Scope => done("scoped"),
        Move::Withdraw => incident["channels"][0]["withdrawn"].is_object(),
        Move::Rotate => done("rotated"),
        Move::Revoke => done("revoked"),
        Move::Resume => done("resumed"),
        Move::Resign => done("resigned"),
        Move::Reinstate => incident["channels"][0]["reinstated"].is_object(),
        Move::Advise => done("advised"),
        Move::Close => !open,
        Move::Report => incident["reported"] == true,
    }
}

/// Goes on until the step is taken: what was recorded is not asked for again, and what was not is.
fn settled(tenant: &Tenant, step: Move, asked: Option<&Value>) {
    let done = waiting::within(EXPIRY, || {
        if is_done(tenant, step) {
            return Some(());
        }
        match (asked, request(tenant, step)) {
            (Some(asked), _) => approve(tenant, asked),
            (None, Some((path, body))) => {
                let answer = tenant.post(&path, &body);
                assert!(matches!(answer.status, 200 | 201), "{}", answer.said());
            }
            (None, None) => {}
        }
        None
    });
    assert!(done.is_some(), "{step:?}: {:#}", newest(tenant));
}

/// Each incident was opened, ended and reported once.
fn hold_together(tenant: &Tenant, incidents: usize) {
    tenant.verified();
    let events = Bundle::open(&tenant.exported()).parsed();
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    for kind in ["incident.opened", "incident.withdrawn", "incident.reinstated", "incident.closed"] {
        assert_eq!(of(kind), incidents, "{kind}");
    }
    let statements =
        |event: &&Value| event["type"] == "document.authorized" && event["data"]["kind"] == "incident";
    let abandoned: BTreeSet<u64> = events
        .iter()
        .filter(|event| matches!(text(&event["type"]), "document.abandoned" | "document.failed"))
        .map(|event| event["data"]["authorization"].as_u64().unwrap())
        .collect();
    let issued =
        events.iter().filter(statements).filter(|event| !abandoned.contains(&event["seq"].as_u64().unwrap()));
    assert_eq!(issued.count(), incidents);
    assert!(events.iter().all(|event| event["type"] != "custody.unexplained"));
}
