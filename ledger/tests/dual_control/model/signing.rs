//! Slots, keys, and what may be signed and released.

use serde_json::Value;

use super::{Micros, Model, Objection, Seen, Suspension, demand, holds, micros, text};

#[derive(Debug, Clone, Default)]
pub struct Slot {
    pub owner: String,
    pub suspension: Suspension,
    policy: Value,
    key: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Key {
    slot: String,
    action: String,
    ends: Micros,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Making,
    Made,
    Active,
    Lost,
    Revoked,
}

#[derive(Debug, Clone)]
pub struct Authorized {
    slot: String,
    key: String,
    caller: (String, String),
    ends: Micros,
    digest: Value,
    place: Option<(String, u64)>,
    /// Whether its one outcome is there.
    ended: bool,
    /// Whether its place in a list may be used again.
    given_back: bool,
}

impl Model {
    /// The action for which a device is making a key.
    pub(super) fn making(&self, key: &str, at: Micros) -> Result<String, String> {
        let key = self.keys.get(key).ok_or("no such key was asked for")?;
        demand(key.stage == Stage::Making, || "the key was there already".to_owned())?;
        demand(at < key.ends, || "the key comes too late".to_owned())?;
        Ok(key.action.clone())
    }

    pub(super) fn see_key_lost(&mut self, seen: &Seen<'_>) -> Objection {
        let key = self.keys.get_mut(&text(&seen.data["key"])).ok_or("no such key was asked for")?;
        demand(key.stage == Stage::Making, || "no device was making it".to_owned())?;
        key.stage = Stage::Lost;
        Ok(())
    }

    /// What an effect, already found to be allowed, makes of slots and keys.
    pub(super) fn change_slots(&mut self, seen: &Seen<'_>) -> Objection {
        let field = |name: &str| text(&seen.data[name]);
        let (slot, key) = (field("slot"), field("key"));
        match seen.kind {
            "slot.created" => {
                let suspension = self.slots.get(&slot).and_then(|before| before.suspension);
                let policy = seen.data["signing_policy"].clone();
                self.slots.insert(slot, Slot { owner: field("owner"), suspension, policy, key: None });
            }
            "slot.policy_set" => {
                let policy = seen.data["signing_policy"].clone();
                self.slots.get_mut(&slot).ok_or("no such slot")?.policy = policy;
            }
            "slot.resumed" => self.slots.get_mut(&slot).ok_or("no such slot")?.suspension = None,
            "key.generation_authorized" => {
                let ends = micros(&seen.data["expires_at"]).ok_or("it never ends")?;
                let made = Key { slot, action: field("action"), ends, stage: Stage::Making };
                demand(self.keys.insert(key, made).is_none(), || "a key id comes twice".to_owned())?;
            }
            "key.generated" => {
                let confined = &seen.data["attributes"];
                demand(confined["extractable"] == false && confined["local"] == true, || {
                    "the key could leave the device".to_owned()
                })?;
                self.keys.get_mut(&key).ok_or("no such key")?.stage = Stage::Made;
            }
            "key.activated" => {
                let made = self.keys.get_mut(&key).ok_or("no such key")?;
                demand(made.stage == Stage::Made && made.slot == slot, || {
                    "it was not made for it".to_owned()
                })?;
                made.stage = Stage::Active;
                self.slots.get_mut(&slot).ok_or("no such slot")?.key = Some(key);
            }
            _ => {
                let revoked = self.keys.get_mut(&key).ok_or("no such key")?;
                revoked.stage = Stage::Revoked;
            }
        }
        Ok(())
    }

    pub(super) fn see_signature(&mut self, seen: &Seen<'_>) -> Objection {
        if seen.kind == "signature.authorized" {
            return self.authorize(seen);
        }
        let seq = seen.data["authorization"].as_u64().ok_or("no authorization")?;
        let authorized = self.authorized.get(&seq).ok_or("nothing was authorised")?.clone();
        demand(!authorized.ended, || "a second outcome".to_owned())?;
        match seen.kind {
            "signature.created" => self.release(seen, &authorized)?,
            "signature.abandoned" => {
                demand(seen.at >= authorized.ends, || "it could still end by itself".to_owned())?;
            }
            _ => {}
        }
        let entry = self.authorized.get_mut(&seq).ok_or("nothing was authorised")?;
        (entry.ended, entry.given_back) = (true, seen.kind == "signature.failed");
        Ok(())
    }

    fn authorize(&mut self, seen: &Seen<'_>) -> Objection {
        let (kind, by) = seen.actor;
        self.is_active_caller(seen)?;
        let (name, key) = (text(&seen.data["slot"]), text(&seen.data["key"]));
        let slot = self.slots.get(&name).ok_or("no such slot")?;
        let callers = slot.policy["callers"].as_array().ok_or("no callers")?;
        match kind {
            "service" => {
                demand(self.services[by].slots.contains(&name), || {
                    "the service has no such slot".to_owned()
                })?;
                demand(callers.contains(&"services".into()), || "services may not call".to_owned())?;
            }
            _ => {
                let packages = self.has_role(by, "packaging_engineer", seen.at);
                demand(packages && callers.contains(&"packaging_engineers".into()), || {
                    "may not call".to_owned()
                })?;
            }
        }
        demand(!holds(slot.suspension, seen.at), || "the slot is suspended".to_owned())?;
        let active = self.keys.get(&key).is_some_and(|key| key.stage == Stage::Active);
        demand(active && slot.key.as_ref() == Some(&key), || {
            "the key is not the slot's active one".to_owned()
        })?;
        let asks =
            slot.policy["approval"].as_array().is_some_and(|all| all.contains(&seen.data["environment"]));
        let place = self.clearance(seen, &name)?;
        demand(place.is_some() == asks, || "signed without the approval that the slot asks for".to_owned())?;
        let authorized = Authorized {
            slot: name,
            key,
            caller: (kind.to_owned(), by.to_owned()),
            ends: micros(&seen.data["expires_at"]).ok_or("it never ends")?,
            digest: seen.data["digest"].clone(),
            place,
            ended: false,
            given_back: false,
        };
        self.authorized.insert(seen.seq, authorized);
        Ok(())
    }

    /// The place in an approved list that a signature uses up.
    fn clearance(&self, seen: &Seen<'_>, slot: &str) -> Result<Option<(String, u64)>, String> {
        let used = &seen.data["clearance"];
        if used.is_null() {
            return Ok(None);
        }
        let place = (text(&used["action"]), used["index"].as_u64().ok_or("no index")?);
        let document = self.cleared(&place.0).ok_or("nobody approved it")?;
        let params = &document["params"];
        demand(text(&params["slot"]) == slot, || "it was approved for another slot".to_owned())?;
        demand(params["environment"] == seen.data["environment"], || "for another environment".to_owned())?;
        let ends = micros(&document["expires_at"]).ok_or("it never ends")?;
        demand(seen.at < ends, || "the approval's time is over".to_owned())?;
        // The approved lists are of digests that repeat one byte: their place.
        let approved = match &params["digest"] {
            Value::Null => Value::from(format!("{:02x}", place.1).repeat(32)),
            one => one.clone(),
        };
        demand(seen.data["digest"] == approved, || "another digest was approved".to_owned())?;
        let again = self.authorized.values().any(|one| one.place.as_ref() == Some(&place) && !one.given_back);
        demand(!again, || "what was approved once is signed twice".to_owned())?;
        Ok(Some(place))
    }

    fn release(&self, seen: &Seen<'_>, authorized: &Authorized) -> Objection {
        demand(seen.at < authorized.ends, || "released late".to_owned())?;
        demand(seen.data["digest"] == authorized.digest, || "another digest".to_owned())?;
        demand(seen.data["key"] == authorized.key.as_str(), || "another key".to_owned())?;
        let suspended = self.slots.get(&authorized.slot).is_none_or(|slot| holds(slot.suspension, seen.at));
        demand(!suspended, || "released of a suspended slot".to_owned())?;
        let active = self.keys.get(&authorized.key).is_some_and(|key| key.stage == Stage::Active);
        demand(active, || "released under a revoked key".to_owned())?;
        let (kind, caller) = (authorized.caller.0.as_str(), authorized.caller.1.as_str());
        let stands = match kind {
            "member" => self.is_active(caller, seen.at),
            _ => self.services.get(caller).is_some_and(|one| !one.removed && !holds(one.suspension, seen.at)),
        };
        demand(stands, || "released to somebody who is stopped or gone".to_owned())
    }
}
