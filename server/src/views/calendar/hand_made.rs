//! A ledger by hand: events that nobody judged, at moments that a test chooses.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::LedgerPolicy;
use sealbook_ledger::state::{Founded, State};
use sealbook_ledger::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::milestones::Milestones;
use crate::store::LedgerId;
use crate::store::ledgers::{KeyIntentRow, KeyMadeRow};

const ORIGIN: &str = "sealbook.example.com/vectors";
const VKEY: &str = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";
const OWNER: &str = "01934f00-0000-7000-8000-0000000000b1";

/// A ledger, and what its events say of when.
pub struct Tale {
    /// The fold.
    pub state: State,
    /// What its events say of when.
    pub milestones: Milestones,
    /// The events, as the store would give them back.
    pub events: Vec<Event>,
    /// Where the server had keys made that are no slot's.
    places: Vec<(KeyIntentRow, Option<KeyMadeRow>)>,
    now: Timestamp,
}

/// A moment some days after the founding.
pub fn at(day: u32) -> Timestamp {
    "2026-01-01T00:00:00.000000Z".parse::<Timestamp>().unwrap().plus_seconds(day * 24 * 60 * 60)
}

/// An id of a kind that the digit tells.
pub fn id(kind: char, n: u32) -> String {
    format!("01934f00-0000-7000-8000-{kind}{n:011}")
}

/// A rotation policy of these days.
pub fn policy(rotation_days: u16) -> Value {
    json!({"channels": [], "old_key_signs": false, "overlap_days": 7, "propose_days": 14,
        "revoke_superseded": false, "rotation_days": rotation_days, "v": 1})
}

impl Tale {
    /// A ledger that was founded on day 0, under version 2 and a policy. Its ledger key is in the device of its slots.
    pub fn founded(change: impl FnOnce(&mut LedgerPolicy)) -> Self {
        let mut policy = LedgerPolicy::default_for(3, 2);
        change(&mut policy);
        let state = State::new(ORIGIN.parse().unwrap());
        let (milestones, events, places) = (Milestones::default(), Vec::new(), Vec::new());
        let mut tale = Self { state, milestones, events, places, now: at(0) };
        tale.place("softhsm", 900, Some(VKEY));
        tale.tell(
            "ledger.opened",
            json!({"attributes": confined(), "custody": "pkcs11", "next_vkey_digest": "none", "rules": 2, "vkey": VKEY}),
        );
        let rp = json!({"id": "sealbook.example.com", "origins": ["https://sealbook.example.com"], "shared": false});
        let document = json!({"approval_rp": rp, "founders": [], "origin": ORIGIN, "policy": policy, "rules": 2, "v": 1,
            "vkey": VKEY});
        tale.tell("ledger.founded", json!({"assertions": [], "document": document}));
        tale
    }

    /// The founded ledger.
    pub fn now(&self) -> &Founded {
        self.state.founded().unwrap()
    }

    /// The ledger as it was at a moment.
    pub fn as_at(&self, at: Timestamp) -> State {
        let mut state = State::new(ORIGIN.parse().unwrap());
        for event in self.events.iter().filter(|event| event.time <= at) {
            // No chain is looked at here.
            state.apply(event, Hash::ZERO);
        }
        state
    }

    /// Goes on at another day.
    pub fn on(&mut self, day: u32) -> &mut Self {
        self.now = at(day);
        self
    }

    /// Records what nobody judges; gives its seq.
    pub fn tell(&mut self, kind: &str, data: Value) -> u64 {
        let name = Payload::TYPE_NAMES.into_iter().find(|name| *name == kind).unwrap();
        let seq = self.state.size();
        let envelope = json!({
            "actor": {"id": "server", "kind": "system"}, "correlation": id('d', 1), "data": data, "origin": ORIGIN,
            "prev": Hash::ZERO, "seq": seq, "time": self.now, "type": name, "v": 1,
        });
        let bytes = sealbook_ledger::canonical::value_to_vec(&envelope).unwrap();
        let event = Event::from_envelope(Envelope::parse(&bytes).unwrap()).unwrap();
        self.state.apply(&event, Hash::sha256(&bytes));
        self.milestones.note(&event);
        self.milestones.locate(&self.places);
        self.events.push(event);
        seq
    }

    /// Another ledger key, in a device.
    pub fn ledger_key_in(&mut self, backend: &str, key: u8) {
        let vkey = Vkey::from_ed25519(ORIGIN.parse().unwrap(), [key; 32]).unwrap().to_string();
        self.place(backend, 900 + u32::from(key), Some(&vkey));
        let action = id('a', 900 + u32::from(key));
        self.tell(
            "ledger.key_rotated",
            json!({"action": action, "attributes": confined(), "custody": "pkcs11", "next_vkey_digest": "none",
                "vkey": vkey}),
        );
    }

    /// Another evidence key, in a device.
    pub fn evidence_key_in(&mut self, backend: &str, key: u32) {
        self.place(backend, key, None);
        let data = json!({"action": id('a', key), "key": id('c', key), "spki": "AQ"});
        self.tell("ledger.evidence_key_set", data);
    }

    /// The server notes where it has a key made that is no slot's.
    pub fn place(&mut self, backend: &str, key: u32, vkey: Option<&str>) {
        let (ledger, key) = (LedgerId::from_random(1), id('c', key).parse().unwrap());
        let made = vkey.map(|vkey| KeyMadeRow { ledger, key, vkey: vkey.to_owned(), made_at: self.now });
        let (label, backend) = (format!("sealbook/{ORIGIN}/{key}"), backend.parse().unwrap());
        self.places.push((KeyIntentRow { ledger, key, label, backend, intended_at: self.now }, made));
    }

    /// A slot with its first key, made and active the same day; gives the seq that the key came by.
    pub fn slot(&mut self, name: &str, key: u32, rotation: Value) -> u64 {
        self.slot_of(name, key, (rotation, false))
    }

    /// The same, for drills alone.
    pub fn drill_slot(&mut self, name: &str, key: u32) -> u64 {
        self.slot_of(name, key, (policy(90), true))
    }

    fn slot_of(&mut self, name: &str, key: u32, (rotation, drill): (Value, bool)) -> u64 {
        let signing = json!({"artifact_fields": [], "callers": ["services"], "environments": ["production"],
            "release": "durable", "v": 1});
        let action = id('a', key);
        let mut created = json!({"action": action, "algorithm": "ecdsa-p256-sha256", "backend": "softhsm",
            "owner": OWNER, "overlap_days": 7, "rotation": rotation, "rotation_days": rotation["rotation_days"],
            "signing_policy": signing, "slot": name});
        if drill {
            created["drill"] = json!(true);
        }
        self.tell("slot.created", created);
        let seq = self.key(name, key, &action);
        self.tell("key.activated", json!({"action": action, "key": id('c', key), "slot": name}));
        seq
    }

    /// A key that an action, or a rotation, has the device make.
    pub fn key(&mut self, slot: &str, key: u32, action: &str) -> u64 {
        let seq = self.tell(
            "key.generation_authorized",
            json!({"action": action, "algorithm": "ecdsa-p256-sha256", "expires_at": self.now.plus_seconds(300),
                "key": id('c', key), "label": format!("sealbook/{ORIGIN}/{}", id('c', key)), "slot": slot}),
        );
        self.tell(
            "key.generated",
            json!({"attributes": confined(), "key": id('c', key), "spki": "AQ", "spki_sha256": Hash::sha256(&key.to_be_bytes())}),
        );
        seq
    }

    /// A rotation of a slot from one key to another, up to its cutover.
    pub fn rotation(&mut self, slot: &str, old: u32, new: u32) -> String {
        let action = id('a', new);
        self.tell(
            "rotation.started",
            json!({"action": action, "emergency": false, "old_key": id('c', old), "policy": Hash::ZERO, "slot": slot}),
        );
        self.key(slot, new, &action);
        action
    }

    /// The new key takes over.
    pub fn cut_over(&mut self, slot: &str, old: u32, new: u32) {
        let ends = self.now.plus_seconds(7 * 24 * 60 * 60);
        let data = json!({"action": id('a', new), "new_key": id('c', new), "old_key": id('c', old),
            "overlap_ends_at": ends});
        let _ = slot;
        self.tell("rotation.cut_over", data);
    }

    /// A key is recorded as overdue since a day; gives the seq.
    pub fn overdue(&mut self, slot: &str, key: u32, due: u32) -> u64 {
        self.tell("slot.rotation_overdue", json!({"due_at": at(due), "key": id('c', key), "slot": slot}))
    }

    /// The old key is retired.
    pub fn completed(&mut self, old: u32, new: u32) {
        let data = json!({"action": id('a', new), "new_key": id('c', new), "old_key": id('c', old)});
        self.tell("rotation.completed", data);
    }

    /// The evidence pack of a rotation is issued.
    pub fn reported(&mut self, new: u32) {
        let expires_at = self.now.plus_seconds(300);
        let authorization = self.tell(
            "document.authorized",
            json!({"action": id('a', new), "digest": "00".repeat(32), "expires_at": expires_at, "key": id('c', 999),
                "kind": "rotation", "manifest": Hash::ZERO}),
        );
        self.tell(
            "rep.issued",
            json!({"authorization": authorization, "digest": "00".repeat(32), "key": id('c', 999),
                "sha256": Hash::ZERO, "signature": "AQ", "size": 1}),
        );
    }
}

fn confined() -> Value {
    json!({"always_sensitive": true, "extractable": false, "local": true, "never_extractable": true,
        "sensitive": true})
}
