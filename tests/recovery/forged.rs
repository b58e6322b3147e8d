//! Events that somebody added with a right chain, behind the back of a running server.

use integration::tenant::{Service, in_seconds, sha256};
use integration::verifier::{Pinned, judge};
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alarm;
use crate::forger::{Forger, member, service, system};

const SLOT: &str = "release";

/// A tenant with a slot, a service and a signature: what there is to attack.
pub fn site(server: &Server) -> (Tenant, Service) {
    let tenant = Tenant::founded(server, 2);
    tenant.slot(SLOT, "ecdsa-p256-sha256");
    let service = tenant.service(&[SLOT]);
    tenant.sign(&service, SLOT, &sha256(b"genuine")).expect(200);
    (tenant, service)
}

/// The data of `evidence.recorded`.
pub fn evidence(n: u32) -> Value {
    json!({
        "digest": sha256(&n.to_be_bytes()), "evidence": Uuid::new_v4(), "media_type": "application/pdf",
        "subject": { "kind": "slot", "id": SLOT },
    })
}

/// The size of what is sealed, as the server says it.
fn sealed(tenant: &Tenant) -> u64 {
    tenant.get("").expect(200).json()["sealed_size"].as_u64().unwrap()
}

type Forgery = (&'static str, &'static str, fn(&mut Forger<'_>, &Tenant, &Value) -> usize);

/// Each gives somebody something that only people can give; the chain is right in all of them.
const FORGERIES: &[Forgery] = &[
    ("a role without an action", "role.granted", |forger, tenant, _| {
        let data = json!({ "action": Uuid::new_v4(), "member": tenant.person(0).id, "role": "key_owner" });
        forger.append("role.granted", &system(), &data)
    }),
    ("the effect of an action that nobody approved", "service.granted", |forger, _, open| {
        let data = json!({ "action": open["action"], "service": open["service"], "slots": [SLOT] });
        forger.append("service.granted", &system(), &data)
    }),
    ("an execution without a quorum", "action.executing", |forger, _, open| {
        let data = json!({ "action": open["action"], "expires_at": in_seconds(300) });
        forger.append("action.executing", &system(), &data)
    }),
    ("an approval whose assertion is another document's", "action.approved", |forger, _, open| {
        let mut data = forger.events()[forger.last("action.approved")]["data"].clone();
        let by = data["member"].as_str().unwrap().to_owned();
        data["action"] = open["action"].clone();
        forger.append("action.approved", &member(&by), &data)
    }),
    ("evidence of a service that nobody enrolled", "evidence.recorded", |forger, _, _| {
        forger.append("evidence.recorded", &service(&Uuid::new_v4().to_string()), &evidence(1))
    }),
    ("an outcome of nothing", "signature.failed", |forger, _, _| {
        forger.append("signature.failed", &system(), &json!({ "authorization": 0, "code": "device" }))
    }),
];

#[test]
fn an_added_event_that_the_rules_refuse_is_named_never_sealed_and_stops_its_own_ledger_alone() {
    let server = Server::start();
    let (other, others) = site(&server);
    for (what, kind, forge) in FORGERIES {
        let (tenant, signer) = site(&server);
        let params = json!({ "service": signer.id, "slots": [SLOT] });
        let mut open =
            tenant.propose(tenant.person(0), "platform_admin", "service.grant", &params).expect(201).json();
        open["service"] = signer.id.clone().into();
        let mut forger = Forger::of(&server, &tenant);
        let before = sealed(&tenant);
        let seq = forge(&mut forger, &tenant, &open);
        let sentence = alarm::raised(&server, &tenant.name, &tenant.origin);
        assert!(sentence.contains(&format!("event {seq}: ")), "{what}: {sentence}");
        assert_eq!(forger.events()[seq]["type"], *kind);
        assert_eq!(sealed(&tenant), before, "{what}");
        let refused = tenant.sign(&signer, SLOT, &sha256(what.as_bytes()));
        refused.refused(500, "ledger.corrupt");
        other.sign(&others, SLOT, &sha256(what.as_bytes())).expect(200);
    }
    assert_eq!(alarm::frozen(&server, &other.name), Some(0));
    other.verified();
}

/// How often the device was asked to sign with success, seals included; they don't grow while nothing is appended.
fn created(tenant: &Tenant) -> usize {
    let page = tenant.get("/events?type=signature.created&limit=100").expect(200).json();
    page["events"].as_array().unwrap().len()
}

/// docs/THREATS.md, "The database's administrator": the database is inside the trust boundary for types without an
/// assertion. They are sealed. What they can't do is have the device sign, or pass a bad signature off as a good one.
#[test]
fn an_added_event_that_the_rules_allow_is_sealed_and_makes_no_device_sign() {
    let server = Server::start();
    let (tenant, signer) = site(&server);
    let mut forger = Forger::of(&server, &tenant);
    let genuine = forger.events()[forger.last("signature.authorized")]["data"].clone();

    let recorded = forger.append("evidence.recorded", &service(&signer.id), &evidence(1));
    let mut asked = genuine.clone();
    asked["digest"] = sha256(b"never asked for").into();
    asked["expires_at"] = in_seconds(2).into();
    let authorized = forger.append("signature.authorized", &service(&signer.id), &asked);
    waiting::until("the forgeries to be sealed", || (sealed(&tenant) as usize > authorized).then_some(()));
    assert!(recorded < authorized);
    // Nobody here asked for it: it ends without a signature, and says so.
    waiting::until("the authorisation to be given up", || {
        let page = tenant.get("/events?type=signature.abandoned&limit=10").expect(200).json();
        let ended = page["events"]
            .as_array()?
            .iter()
            .any(|event| event.to_string().contains(&format!("\"authorization\":{authorized}")));
        ended.then_some(())
    });
    assert_eq!(created(&tenant), 1);
    tenant.sign(&signer, SLOT, &sha256(b"still works")).expect(200);
    tenant.verified();

    // An outcome with a signature that the device never made: sealed as well, and named by whoever verifies signatures.
    let mut forger = Forger::of(&server, &tenant);
    asked["expires_at"] = in_seconds(300).into();
    let authorized = forger.append("signature.authorized", &service(&signer.id), &asked);
    let mut outcome = forger.events()[forger.last("signature.created")]["data"].clone();
    outcome["authorization"] = authorized.into();
    outcome["digest"] = asked["digest"].clone();
    let forged = forger.append("signature.created", &system(), &outcome);
    waiting::until("the outcome to be sealed", || (sealed(&tenant) as usize > forged).then_some(()));
    let founding = Some(tenant.founding_digest.clone());
    let judged = judge(&tenant.exported(), &Pinned { vkey: tenant.vkey.clone(), founding, known: None });
    assert_eq!(judged.code, Some(1));
    for layer in ["bytes", "chain", "seals", "rules"] {
        assert_eq!(judged.layer(layer), "valid", "{layer}: {:#}", judged.report);
    }
    assert_eq!(judged.layer("signatures"), "invalid");
    assert_eq!(judged.failure("signatures")["seq"], forged, "{:#}", judged.report);
}

/// A seal is a promise: what lies under it and is another one now is named, to the event.
#[test]
fn a_sealed_history_that_was_rewritten_with_a_right_chain_is_found_by_a_scrub_and_named() {
    type Change = (&'static str, fn(&mut Vec<Value>, usize));
    const CHANGES: &[Change] = &[
        ("edited", |events, at| events[at]["data"]["digest"] = sha256(b"another").into()),
        ("reordered", |events, at| events.swap(at, at + 1)),
        ("dropped", |events, at| drop(events.remove(at))),
        ("inserted", |events, at| {
            let mut copy = events[at].clone();
            copy["data"]["evidence"] = json!(Uuid::new_v4());
            events.insert(at, copy);
        }),
    ];
    let server = Server::start();
    let scrub = |tenant: &Tenant| server.operator().post(&tenant.path("/scrub"), &json!({}));
    for (what, change) in CHANGES {
        let (tenant, signer) = site(&server);
        for n in 0..3 {
            signer.api.post(&tenant.path("/evidence"), &evidence_request(n)).expect(201);
        }
        let mut forger = Forger::of(&server, &tenant);
        scrub(&tenant).expect(200);
        let at = forger.last("evidence.recorded") - 1;
        // The head is left as it was, so that nobody but the scrubber has a reason to look.
        forger.rewrite_under(at, |events| change(events, at));
        scrub(&tenant).refused(500, "ledger.corrupt");
        let sentence = alarm::raised(&server, &tenant.name, &tenant.origin);
        assert!(sentence.contains(&format!("event {at} ")), "{what}: {sentence}");
    }
    // Columns beside the bytes are what lists and times are made from.
    for column in
        ["time = time - interval '1 day'", "type = 'refusal.recorded'", "end_offset = end_offset + 1"]
    {
        let (tenant, _) = site(&server);
        let forger = Forger::of(&server, &tenant);
        forger.execute(&format!("UPDATE sealbook.events SET {column} WHERE seq = 3 AND {}", forger.mine()));
        scrub(&tenant).refused(500, "ledger.corrupt");
        let sentence = alarm::raised(&server, &tenant.name, &tenant.origin);
        assert!(sentence.contains("event 3 "), "{column}: {sentence}");
    }
}

/// The body of `POST …/evidence`.
pub fn evidence_request(n: u32) -> Value {
    json!({
        "digest": sha256(&n.to_be_bytes()), "media_type": "application/pdf",
        "subject": { "kind": "slot", "id": SLOT },
    })
}

/// Nobody asks the ledger anything: the server looks by itself.
#[test]
fn a_tail_that_was_taken_away_or_replaced_under_an_idle_server_is_noticed_without_a_request() {
    let server = Server::start();
    let (taken, _) = site(&server);
    let (replaced, signer) = site(&server);
    signer.api.post(&replaced.path("/evidence"), &evidence_request(1)).expect(201);
    let mut forger = Forger::of(&server, &taken);
    let last = forger.events().len() - 1;
    forger.rewrite(last, |events| drop(events.pop()));
    let mut forger = Forger::of(&server, &replaced);
    let last = forger.last("evidence.recorded");
    forger.rewrite(last, |events| events[last]["data"]["digest"] = sha256(b"another").into());
    let (headless, _) = site(&server);
    Forger::of(&server, &headless).forget(&["heads"]);
    for tenant in [&taken, &replaced, &headless] {
        let sentence = alarm::raised(&server, &tenant.name, &tenant.origin);
        assert!(sentence.contains("events"), "{sentence}");
    }
}
