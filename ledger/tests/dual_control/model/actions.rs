//! The life of an action, and the people that each step takes.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::people::Consent;
use super::{Micros, Model, Objection, Seen, demand, micros, text};

/// Every type of event that takes an approved action, once the ledger is founded.
pub const PROTECTED: [&str; 25] = [
    "approval_rp.set",
    "credential.added",
    "credential.removed",
    "key.activated",
    "key.generated",
    "key.generation_authorized",
    "key.revoked",
    "ledger.evidence_key_set",
    "ledger.key_recovered",
    "ledger.key_rotated",
    "member.enrolled",
    "member.recovered",
    "member.removed",
    "member.restored",
    "policy.set",
    "role.granted",
    "role.revoked",
    "service.enrolled",
    "service.granted",
    "service.removed",
    "service.restored",
    "signing.approved",
    "slot.created",
    "slot.policy_set",
    "slot.resumed",
];

#[derive(Debug, Clone)]
pub struct Action {
    document: Value,
    kind: String,
    proposer: String,
    proposal: Option<Consent>,
    proposed: (u64, Micros),
    approvals: Vec<Consent>,
    stage: Stage,
    /// Whether it took effect.
    took_effect: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Open,
    /// Until when, and the effects so far.
    Executing(Micros, Vec<String>),
    Ended,
}

impl Model {
    pub(super) fn see_action(&mut self, seen: &Seen<'_>) -> Objection {
        let id = text(&seen.data["action"]);
        match seen.kind {
            "action.proposed" => return self.propose(seen),
            "action.approved" => return self.approve(seen, &id),
            "action.rejected" => self.reject(seen, &id)?,
            "action.cancelled" => self.cancel(seen, &id)?,
            "action.executing" => return self.execute(seen, &id),
            "action.expired" => {
                let ended = self.action(&id)?.ends().is_some_and(|end| end <= seen.at);
                demand(ended, || "its time has not come".to_owned())?;
                demand(self.action(&id)?.stage == Stage::Open, || "it is not open".to_owned())?;
            }
            "action.voided" => {
                let changed = self.action(&id)?.proposed.0 < self.policy_since;
                demand(changed, || "the policy has not changed".to_owned())?;
                demand(self.action(&id)?.stage == Stage::Open, || "it is not open".to_owned())?;
            }
            "action.executed" => {
                let done = |stage: &Stage| matches!(stage, Stage::Executing(_, done) if !done.is_empty());
                demand(done(&self.action(&id)?.stage), || "executed without an effect".to_owned())?;
            }
            "action.failed" => {
                let began = matches!(self.action(&id)?.stage, Stage::Executing(..));
                demand(began, || "failed without having begun".to_owned())?;
            }
            other => return Err(format!("the model knows no {other}")),
        }
        self.actions.get_mut(&id).ok_or("no such action")?.stage = Stage::Ended;
        Ok(())
    }

    fn action(&self, id: &str) -> Result<&Action, String> {
        self.actions.get(id).ok_or_else(|| format!("no such action: {id}"))
    }

    fn rule(&self, kind: &str) -> &Value {
        &self.policy["actions"][kind]
    }

    fn propose(&mut self, seen: &Seen<'_>) -> Objection {
        let document = seen.data["document"].clone();
        let (id, kind) = (text(&document["action"]), text(&document["type"]));
        let (actor, by) = seen.actor;
        demand(!self.actions.contains_key(&id), || "its id was used before".to_owned())?;
        demand(text(&document["proposed_by"]) == by, || "it names another proposer".to_owned())?;
        let rule = self.rule(&kind);
        demand(document["quorum"] == rule["quorum"], || {
            "it names another quorum than the policy's".to_owned()
        })?;
        let policy = serde_json::to_vec(&self.policy).map_err(|error| error.to_string())?;
        let digest = Sha256::digest(&policy).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        demand(document["policy"] == digest.as_str(), || "it names another policy".to_owned())?;
        let (begins, ends) = (micros(&document["proposed_at"]), micros(&document["expires_at"]));
        let month = 30 * 24 * 3600 * 1_000_000;
        let lives =
            begins.zip(ends).is_some_and(|(from, to)| from <= seen.at && seen.at < to && to <= from + month);
        demand(lives, || "its life is not one".to_owned())?;
        let may = |who: &str| rule["proposers"].as_array().is_some_and(|all| all.contains(&who.into()));
        let proposal = match actor {
            "member" => {
                let consent = Consent::of(seen);
                demand(consent.member == by, || "another signed it".to_owned())?;
                demand(may(&consent.role), || format!("{} may not propose it", consent.role))?;
                self.may_sign(&consent, seen.at)?;
                is_about(seen, &document, "proposal")?;
                Some(consent)
            }
            "service" => {
                demand(kind.starts_with("signing.") && may("service"), || {
                    "services may not propose it".to_owned()
                })?;
                demand(self.is_active_service(by, seen.at), || "the service is not active".to_owned())?;
                let slot = text(&document["params"]["slot"]);
                demand(self.services[by].slots.contains(&slot), || {
                    "the service has no such slot".to_owned()
                })?;
                None
            }
            other => return Err(format!("a {other} proposes nothing")),
        };
        let action = Action {
            kind,
            proposer: by.to_owned(),
            proposal,
            proposed: (seen.seq, seen.at),
            approvals: Vec::new(),
            stage: Stage::Open,
            took_effect: false,
            document,
        };
        self.actions.insert(id, action);
        Ok(())
    }

    /// An action that people still may decide about.
    fn open(&self, id: &str, at: Micros) -> Result<&Action, String> {
        let action = self.action(id)?;
        demand(action.stage == Stage::Open, || "it is not open".to_owned())?;
        demand(action.ends().is_some_and(|end| at < end), || "it has expired".to_owned())?;
        demand(self.policy_since <= action.proposed.0, || "the policy has changed".to_owned())?;
        Ok(action)
    }

    fn approve(&mut self, seen: &Seen<'_>, id: &str) -> Objection {
        let consent = self.decision(seen, id, "approval")?;
        let action = self.action(id)?;
        demand(action.proposer != consent.member, || "the proposer approves".to_owned())?;
        demand(action.seats().contains(&consent.role), || "no seat is of this role".to_owned())?;
        self.actions.get_mut(id).ok_or("no such action")?.approvals.push(consent);
        Ok(())
    }

    fn reject(&self, seen: &Seen<'_>, id: &str) -> Objection {
        let consent = self.decision(seen, id, "rejection")?;
        let action = self.action(id)?;
        let stops = ["incident_commander", "platform_admin", "security_reviewer", "key_owner"];
        let may = action.kind == "member.recover"
            || action.seats().contains(&consent.role)
            || stops.contains(&consent.role.as_str());
        demand(may, || format!("{} may not reject it", consent.role))
    }

    fn cancel(&self, seen: &Seen<'_>, id: &str) -> Objection {
        let consent = self.decision(seen, id, "cancellation")?;
        demand(self.action(id)?.proposer == consent.member, || "another than its proposer cancels".to_owned())
    }

    /// A person's signed word about an open action.
    fn decision(&self, seen: &Seen<'_>, id: &str, purpose: &str) -> Result<Consent, String> {
        let action = self.open(id, seen.at)?;
        let consent = Consent::of(seen);
        demand(seen.actor == ("member", consent.member.as_str()), || {
            "another is said to have signed".to_owned()
        })?;
        self.may_sign(&consent, seen.at)?;
        is_about(seen, &action.document, purpose)?;
        Ok(consent)
    }

    fn execute(&mut self, seen: &Seen<'_>, id: &str) -> Objection {
        let action = self.open(id, seen.at)?;
        let ahead = micros(&action.document["params"]["execute_at"]).is_some_and(|begin| seen.at < begin);
        demand(!ahead, || "its time has not come".to_owned())?;
        let waits = action.kind == "member.recover" && seen.at < action.proposed.1 + 72 * 3600 * 1_000_000;
        demand(!waits, || "72 hours have not passed".to_owned())?;
        let own = action.proposal.iter().filter(|_| action.kind.ends_with("_emergency"));
        let people: Vec<(String, String)> = action
            .approvals
            .iter()
            .chain(own)
            .filter(|consent| self.still_stands(consent, seen.at))
            .map(|consent| (consent.member.clone(), consent.role.clone()))
            .collect();
        let seats = action.seats();
        demand(!seats.is_empty() && filled(&seats, &people, &mut BTreeSet::new()), || {
            format!("the seats {seats:?} are not filled by {people:?}")
        })?;
        let ends = micros(&seen.data["expires_at"]).ok_or("it never ends")?;
        demand(seen.at < ends && ends <= seen.at + 3600 * 1_000_000, || "it lasts too long".to_owned())?;
        self.actions.get_mut(id).ok_or("no such action")?.stage = Stage::Executing(ends, Vec::new());
        Ok(())
    }

    /// An effect belongs to an action that executes, is what was approved, and comes once.
    pub(super) fn see_effect(&mut self, seen: &Seen<'_>) -> Objection {
        let id = match seen.kind {
            "key.generated" => self.making(&text(&seen.data["key"]), seen.at)?,
            _ => text(&seen.data["action"]),
        };
        let action = self.action(&id)?;
        demand(carries_out(&action.kind, seen.kind), || format!("{} does not do this", action.kind))?;
        let Stage::Executing(ends, done) = &action.stage else {
            return Err("its action does not execute".to_owned());
        };
        // A key that was made in time is activated, whenever the server comes to it.
        let late = seen.at >= *ends && !["key.activated", "key.generated"].contains(&seen.kind);
        demand(!late, || "its action's time is over".to_owned())?;
        demand(!done.iter().any(|kind| kind == seen.kind), || "a second effect".to_owned())?;
        let before = ["slot.created", "key.generation_authorized", "key.generated", "key.activated"];
        let expected = before.iter().position(|kind| *kind == seen.kind).unwrap_or(0);
        demand(done.len() == expected, || format!("it comes after {done:?}"))?;
        is_what_was_approved(seen, action)?;
        if let Some(Action { stage: Stage::Executing(_, done), took_effect, .. }) = self.actions.get_mut(&id)
        {
            done.push(seen.kind.to_owned());
            *took_effect = true;
        }
        self.change(seen)
    }

    fn change(&mut self, seen: &Seen<'_>) -> Objection {
        match seen.kind {
            "policy.set" => {
                if self.policy != seen.data["policy"] {
                    (self.policy, self.policy_since) = (seen.data["policy"].clone(), seen.seq);
                }
                Ok(())
            }
            kind if kind.starts_with("slot.") || kind.starts_with("key.") => self.change_slots(seen),
            kind if kind.starts_with("ledger.") || kind == "approval_rp.set" => Ok(()),
            "signing.approved" => Ok(()),
            _ => self.change_people(seen),
        }
    }

    /// Whether an action that lets digests be signed has taken effect, and its document.
    pub(super) fn cleared(&self, id: &str) -> Option<&Value> {
        let action = self.actions.get(id)?;
        (action.took_effect && action.kind.starts_with("signing.")).then_some(&action.document)
    }
}

impl Action {
    fn ends(&self) -> Option<Micros> {
        micros(&self.document["expires_at"])
    }

    /// The role of each seat.
    fn seats(&self) -> Vec<String> {
        let clauses = self.document["quorum"].as_array().into_iter().flatten();
        let seats = clauses.flat_map(|clause| {
            let count = clause["count"].as_u64().unwrap_or(0);
            (0..count).map(|_| text(&clause["role"]))
        });
        seats.collect()
    }
}

/// Tries every way to seat different people.
fn filled(seats: &[String], people: &[(String, String)], seated: &mut BTreeSet<String>) -> bool {
    let Some((seat, rest)) = seats.split_first() else { return true };
    people.iter().any(|(member, role)| {
        if role != seat || !seated.insert(member.clone()) {
            return false;
        }
        let fits = filled(rest, people, seated);
        seated.remove(member);
        fits
    })
}

/// The authenticator was asked about this document, for this purpose.
fn is_about(seen: &Seen<'_>, document: &Value, purpose: &str) -> Objection {
    let client =
        BASE64_URL_SAFE_NO_PAD.decode(text(&seen.data["client_data_json"])).map_err(|e| e.to_string())?;
    let client: Value = serde_json::from_slice(&client).map_err(|error| error.to_string())?;
    let bytes = serde_json::to_vec(document).map_err(|error| error.to_string())?;
    let context = format!("sealbook {purpose} v1\0");
    let digest = Sha256::new().chain_update(context).chain_update(bytes).finalize();
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest);
    demand(client["challenge"] == challenge.as_str(), || "the signature is about something else".to_owned())
}

/// Which events an action of a type consists of.
fn carries_out(action: &str, event: &str) -> bool {
    match action {
        "slot.create" => {
            ["slot.created", "key.generation_authorized", "key.generated", "key.activated"].contains(&event)
        }
        "key.revoke" | "key.revoke_emergency" => event == "key.revoked",
        "ledger.key_rotate" => event == "ledger.key_rotated",
        "ledger.key_recover" => event == "ledger.key_recovered",
        "signing.approve" | "signing.batch" => event == "signing.approved",
        // `member.enroll` becomes `member.enrolled`, `policy.set` stays.
        _ => {
            let verbs =
                [("add", "added"), ("grant", "granted"), ("resume", "resumed"), ("enroll", "enrolled")];
            let more = [
                ("recover", "recovered"),
                ("remove", "removed"),
                ("restore", "restored"),
                ("revoke", "revoked"),
            ];
            let Some((noun, verb)) = action.split_once('.') else { return false };
            let past = verbs.iter().chain(&more).find(|(now, _)| *now == verb).map_or(verb, |(_, past)| past);
            event == format!("{noun}.{past}")
        }
    }
}

/// Every parameter that people signed stands in the effect as they signed it.
fn is_what_was_approved(seen: &Seen<'_>, action: &Action) -> Objection {
    let params = &action.document["params"];
    let copied = ["key.generation_authorized", "key.activated"].contains(&seen.kind);
    for (name, value) in params.as_object().into_iter().flatten() {
        let elsewhere = name == "execute_at"
            || name.ends_with("_digest")
            || name == "backend" && seen.kind != "slot.created";
        let derived = seen.kind == "signing.approved"
            && ["digest", "digests", "root", "count"].contains(&name.as_str());
        if elsewhere || derived || seen.kind == "key.generated" {
            continue;
        }
        let said = &seen.data[name.as_str()];
        let left_out = copied && said.is_null();
        demand(left_out || said == value, || format!("`{name}` is not what was approved"))?;
    }
    if seen.kind == "signing.approved" {
        demand(seen.data["expires_at"] == action.document["expires_at"], || "it lasts longer".to_owned())?;
        let counted = params["count"].as_u64().unwrap_or(1);
        demand(seen.data["count"] == counted, || "it lets more be signed".to_owned())?;
        demand(params["root"].is_null() || params["root"] == seen.data["root"], || {
            "another list".to_owned()
        })?;
    }
    Ok(())
}
