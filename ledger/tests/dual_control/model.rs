//! A small model of dual control, written from DOMAIN and the catalogue and sharing no code with the rules: it reads JSON,
//! keeps who is who in plain maps, and objects to whatever happened without its people.

mod actions;
mod people;
mod signing;

use std::collections::BTreeMap;

use serde_json::Value;

pub use actions::PROTECTED;

/// Why a history is not one that dual control allows.
pub type Objection = Result<(), String>;

/// A time as the number of its microseconds.
type Micros = i64;

/// A suspension: none, until a moment, or until it is lifted.
type Suspension = Option<Option<Micros>>;

#[derive(Debug, Clone, Default)]
pub struct Model {
    size: u64,
    time: Micros,
    founded: bool,
    policy: Value,
    /// The event that last changed the policy.
    policy_since: u64,
    members: BTreeMap<String, people::Member>,
    services: BTreeMap<String, people::Service>,
    slots: BTreeMap<String, signing::Slot>,
    keys: BTreeMap<String, signing::Key>,
    actions: BTreeMap<String, actions::Action>,
    authorized: BTreeMap<u64, signing::Authorized>,
}

/// Fails with a sentence unless something holds.
fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Objection {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn holds(suspension: Suspension, at: Micros) -> bool {
    suspension.is_some_and(|lapses| lapses.is_none_or(|end| at < end))
}

/// Microseconds since 1970 of `2026-11-22T00:00:00.000000Z` and its like (days after Hinnant's `days_from_civil`).
fn micros(value: &Value) -> Option<Micros> {
    let text = value.as_str()?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + number(11, 13)?) * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    Some(seconds * 1_000_000 + number(20, 26)?)
}

/// An event as the model reads it.
struct Seen<'a> {
    seq: u64,
    at: Micros,
    kind: &'a str,
    actor: (&'a str, &'a str),
    data: &'a Value,
}

impl Model {
    /// Takes the next event.
    pub fn see(&mut self, bytes: &[u8]) -> Objection {
        let event: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let actor = (event["actor"]["kind"].as_str(), event["actor"]["id"].as_str());
        let seen = Seen {
            seq: event["seq"].as_u64().ok_or("no seq")?,
            at: micros(&event["time"]).ok_or("no time")?,
            kind: event["type"].as_str().ok_or("no type")?,
            actor: (actor.0.ok_or("no actor")?, actor.1.ok_or("no actor")?),
            data: &event["data"],
        };
        let named = |why: String| format!("event {} ({}): {why}", seen.seq, seen.kind);
        demand(seen.seq == self.size, || named("it is out of its place".to_owned()))?;
        demand(seen.at >= self.time, || named("it is before the one before it".to_owned()))?;
        self.take(&seen).map_err(named)?;
        (self.size, self.time) = (seen.seq + 1, seen.at);
        Ok(())
    }

    fn take(&mut self, seen: &Seen<'_>) -> Objection {
        match seen.kind {
            "ledger.opened" => demand(seen.seq == 0, || "a second opening".to_owned()),
            "ledger.founded" => self.found(seen),
            "member.enrolled" if !self.founded => {
                self.enroll(seen);
                Ok(())
            }
            _ if !self.founded => Err("before the founding".to_owned()),
            kind if PROTECTED.contains(&kind) => self.see_effect(seen),
            kind if kind.starts_with("action.") => self.see_action(seen),
            kind if kind.ends_with(".suspended") => self.see_suspension(seen),
            kind if kind.starts_with("signature.") => self.see_signature(seen),
            "key.generation_failed" | "key.generation_abandoned" => self.see_key_lost(seen),
            "evidence.recorded" => self.is_active_caller(seen),
            "refusal.recorded" | "custody.unexplained" | "ledger.high_water_accepted" => Ok(()),
            other => Err(format!("the model knows no {other}")),
        }
    }

    fn found(&mut self, seen: &Seen<'_>) -> Objection {
        demand(!self.founded, || "a second founding".to_owned())?;
        let document = &seen.data["document"];
        let founders = document["founders"].as_array().map_or(0, Vec::len);
        demand(founders == self.members.len(), || "founders who were not enrolled".to_owned())?;
        let signed: Vec<String> = seen.data["assertions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| text(&one["member"]))
            .collect();
        demand(self.members.keys().all(|member| signed.contains(member)), || {
            "a founder has not signed".to_owned()
        })?;
        (self.founded, self.policy, self.policy_since) = (true, document["policy"].clone(), seen.seq);
        Ok(())
    }
}
