//! Documents about rotations, certificates and reviews, as the server would draw them up. The rules that new ledgers open
//! under may not know these types yet: then the documents are made here, and told by the server's own words against the
//! tenant's events.

use std::collections::BTreeMap;

use integration::Tenant;
use integration::bundle::Bundle;
use integration::tenant::sha256;
use sealbook::ceremony::RULES;
use sealbook::ledger::Disclosure;
use sealbook::views::Names;
use sealbook::views::changes::changes;
use sealbook::views::sentence::sentence;
use sealbook_ledger::action::{ActionDocument, ActionType};
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::Seq;
use sealbook_ledger::payload::{Payload, SlotRotationSet};
use sealbook_ledger::state::State;
use serde_json::{Value, json};
use uuid::Uuid;

/// Parameters of every type that later rules brought, some twice, and private fields.
pub fn cases(tenant: &Tenant) -> Vec<(&'static str, Value, Value)> {
    let keys = tenant.get("/keys").expect(200).json();
    let of = |slot: &str| {
        let mut found = keys["keys"].as_array().unwrap().iter().filter(|key| key["slot"] == slot);
        found.next().unwrap()["key"].clone()
    };
    let (apt, iso) = (of("apt-repo"), of("iso"));
    let policy = json!({ "callers": ["services"], "artifact_fields": [], "environments": ["production"],
        "release": "durable", "v": 1 });
    let adopted = |label: &str, rotation: Option<Value>| {
        let mut slot = tenant.slot_params("adopted", "ed25519", &policy);
        slot["overlap_days"] = json!(7);
        rotation.into_iter().for_each(|rotation| slot["rotation"] = rotation);
        json!({ "label": label, "slot": slot, "spki_sha256": sha256(label.as_bytes()) })
    };
    let set = |slot: &str, rotation: Value| json!({ "slot": slot, "rotation": rotation });
    let review = |count: u32| json!({ "backend": "softhsm", "holder_count": count });
    let policy_of = |slot: &str| {
        let rotation = tenant.get(&format!("/slots/{slot}")).expect(200).json()["rotation"].clone();
        sha256(&sealbook_ledger::canonical::to_vec(&rotation).unwrap())
    };
    let issue = |slot: &str, key: &Value| json!({ "slot": slot, "key": key, "policy": policy_of(slot) });
    let rotate = |slot: &str, key: &Value| json!({ "slot": slot, "old_key": key, "policy": policy_of(slot) });
    let outside = json!({ "kind": "outside", "anchors": [sha256(b"a root"), sha256(b"another")] });
    let none = || json!({});
    vec![
        ("certificate.issue", issue("apt-repo", &apt), none()),
        ("certificate.issue", issue("iso", &iso), none()),
        (
            "hsm.access_review",
            review(2),
            json!({ "holders": ["Zoë", "the build farm"], "findings": "a badge too many" }),
        ),
        ("hsm.access_review", review(1), json!({ "holders": ["Zoë"] })),
        ("key.adopt", adopted("an older key", Some(rotation(&code_signing()))), none()),
        ("key.adopt", adopted("another", None), none()),
        ("key.rotate", rotate("apt-repo", &apt), none()),
        ("key.rotate", rotate("iso", &iso), none()),
        ("key.rotate_emergency", rotate("apt-repo", &apt), none()),
        ("slot.rotation_set", set("apt-repo", rotation(&code_signing())), none()),
        ("slot.rotation_set", set("iso", rotation(&issuing())), none()),
        (
            "slot.rotation_set",
            set("iso", rotation(&certified(&outside, &json!({ "kind": "client_auth" })))),
            none(),
        ),
        ("slot.rotation_set", set("apt-repo", plain_rotation()), none()),
    ]
}

/// A slot that is created with a rotation policy: known to all rules as a type, and not with that member.
pub fn created(tenant: &Tenant) -> Value {
    let policy = json!({ "callers": ["services"], "artifact_fields": [],
        "environments": ["development", "production", "staging"], "release": "durable", "v": 1 });
    let mut slot = tenant.slot_params("certified", "ecdsa-p256-sha256", &policy);
    slot["overlap_days"] = json!(14);
    slot["rotation"] = rotation(&code_signing());
    slot
}

/// A draft of the server's, or what it would be.
pub fn draft(tenant: &Tenant, (kind, params, private): (&'static str, Value, Value)) -> Value {
    let kind: ActionType = kind.parse().unwrap();
    let body =
        json!({ "type": kind.name(), "params": params, "reason": "a test needs it", "private": private });
    let answer = tenant.post("/actions/draft", &body);
    if kind.rules() <= RULES {
        return answer.expect(200).json();
    }
    assert_eq!(answer.expect(400).json()["code"], "type.unknown", "{kind}");
    drawn_up(tenant, kind, params, &private)
}

fn drawn_up(tenant: &Tenant, kind: ActionType, mut params: Value, private: &Value) -> Value {
    let state = replayed(tenant);
    let founded = state.founded().unwrap();
    let reason = Disclosure::new("reason", "a test needs it".to_owned());
    let mut disclosures = vec![];
    for (name, value) in private.as_object().unwrap() {
        let lines = value
            .as_array()
            .map(|lines| lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"));
        let disclosure = Disclosure::new(name, lines.unwrap_or_else(|| value.as_str().unwrap().to_owned()));
        params[format!("{name}_digest")] = json!(disclosure.digest());
        disclosures.push(disclosure);
    }
    let (now, later) = ("2026-11-22T00:00:00.000000Z", "2026-11-23T00:00:00.000000Z");
    let document = json!({
        "action": Uuid::new_v4(), "expires_at": later, "head": founded.latest_head(), "origin": tenant.origin,
        "params": params, "policy": founded.policy_digest(), "proposed_at": now, "proposed_by": tenant.person(0).id,
        "quorum": [{ "role": "approver", "count": 2 }], "reason_digest": reason.digest(), "type": kind, "v": 1,
    });
    let document: ActionDocument = serde_json::from_value(document).unwrap();
    disclosures.push(reason);
    let shown = |one: &Disclosure| json!({ "name": one.name(), "salt": sealbook_ledger::encoding::B64::from(one.salt().as_slice()), "value": one.value() });
    let names = Names::default();
    json!({
        "document": document,
        "names": BTreeMap::<String, String>::new(),
        "disclosures": disclosures.iter().map(shown).collect::<Vec<_>>(),
        "sentence": sentence(&document, &names),
        "changes": changes(&document, &state, &names, now.parse().unwrap()).unwrap(),
    })
}

/// The tenant's state, with a rotation policy for one of its slots that says something of certificates.
fn replayed(tenant: &Tenant) -> State {
    let mut state = State::new(tenant.origin.parse().unwrap());
    let mut last = None;
    for bytes in Bundle::open(&tenant.exported()).events() {
        let event = Event::from_envelope(Envelope::parse(&bytes).unwrap()).unwrap();
        state.apply(&event, Event::hash(&bytes));
        last = Some(event);
    }
    let mut event = last.unwrap();
    event.seq = Seq::new(event.seq.get() + 1).unwrap();
    event.payload = Payload::from(SlotRotationSet {
        action: Uuid::new_v4().into(),
        rotation: serde_json::from_value(rotation(&code_signing())).unwrap(),
        slot: "apt-repo".parse().unwrap(),
    });
    let bytes = event.to_bytes().unwrap();
    state.apply(&event, Event::hash(&bytes));
    state
}

fn plain_rotation() -> Value {
    json!({ "channels": [], "old_key_signs": false, "overlap_days": 7, "propose_days": 0,
        "revoke_superseded": false, "rotation_days": 30, "v": 1 })
}

fn rotation(certificate: &Value) -> Value {
    json!({ "certificate": certificate, "channels": ["apt-stable", "web"], "old_key_signs": true,
        "overlap_days": 14, "propose_days": 1, "revoke_superseded": true, "rotation_days": 90, "v": 1 })
}

fn certified(issuer: &Value, usage: &Value) -> Value {
    json!({ "issuer": issuer, "policies": ["2.23.140.1.4.1"], "required": true, "usage": usage,
        "subject": { "common_name": "Acme Releases, Inc.", "country": "DE", "organization": "Acme" },
        "validity_days": 397 })
}

fn code_signing() -> Value {
    certified(&json!({ "kind": "slot", "slot": "root" }), &json!({ "kind": "code_signing" }))
}

fn issuing() -> Value {
    let mut root = certified(&json!({ "kind": "self" }), &json!({ "kind": "issuing", "path_len": 1 }));
    root["crl_url"] = json!("https://pki.example.com/root.crl");
    root["required"] = json!(false);
    root
}
