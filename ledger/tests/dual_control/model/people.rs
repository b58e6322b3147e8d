//! Who is who, and what each may do at a moment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Micros, Model, Objection, Seen, Suspension, demand, holds, micros, text};

#[derive(Debug, Clone, Default)]
pub struct Member {
    pub removed: bool,
    pub suspension: Suspension,
    /// What stopped them last; what they signed before is worth nothing since.
    interrupted: Option<u64>,
    pub grants: Vec<Grant>,
    pub credentials: BTreeMap<String, Held>,
}

#[derive(Debug, Clone)]
pub struct Grant {
    role: String,
    from: Option<Micros>,
    to: Option<Micros>,
    since: u64,
}

#[derive(Debug, Clone)]
pub struct Held {
    suspension: Suspension,
    interrupted: Option<u64>,
    since: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Service {
    pub removed: bool,
    pub suspension: Suspension,
    pub slots: Vec<String>,
    pub token_ends: Option<Micros>,
}

/// What a member signed a decision with.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    pub member: String,
    pub role: String,
    pub credential: String,
    pub seq: u64,
}

impl Consent {
    pub fn of(seen: &Seen<'_>) -> Self {
        let field = |name: &str| text(&seen.data[name]);
        Self {
            member: field("member"),
            role: field("role"),
            credential: field("credential_id"),
            seq: seen.seq,
        }
    }
}

impl Grant {
    fn holds(&self, at: Micros) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

impl Model {
    pub(super) fn enroll(&mut self, seen: &Seen<'_>) {
        let member = text(&seen.data["member"]);
        let roles = seen.data["roles"].as_array().into_iter().flatten();
        let grant = |role: &Value| Grant { role: text(role), from: None, to: None, since: seen.seq };
        let grants = roles.map(grant).collect();
        self.members.insert(member, Member { grants, credentials: held(seen), ..Member::default() });
    }

    pub(super) fn is_active(&self, member: &str, at: Micros) -> bool {
        self.members.get(member).is_some_and(|member| !member.removed && !holds(member.suspension, at))
    }

    pub(super) fn has_role(&self, member: &str, role: &str, at: Micros) -> bool {
        let grants = self.members.get(member).into_iter().flat_map(|member| &member.grants);
        self.is_active(member, at) && grants.into_iter().any(|grant| grant.role == role && grant.holds(at))
    }

    /// Whether somebody may sign in a role with an authenticator now.
    pub(super) fn may_sign(&self, consent: &Consent, at: Micros) -> Objection {
        let Consent { member, role, credential, .. } = consent;
        demand(self.is_active(member, at), || format!("{member} is not active"))?;
        demand(self.has_role(member, role, at), || format!("{member} does not hold {role}"))?;
        let held = self.members[member].credentials.get(credential);
        demand(held.is_some_and(|held| !holds(held.suspension, at)), || {
            format!("{member} has no such authenticator in force")
        })
    }

    /// Whether a consent still rests on a person, role and authenticator that were there when it was given.
    pub(super) fn still_stands(&self, consent: &Consent, at: Micros) -> bool {
        let Some(member) = self.members.get(&consent.member) else { return false };
        let role = |grant: &Grant| grant.role == consent.role && grant.holds(at) && grant.since < consent.seq;
        let held = member.credentials.get(&consent.credential);
        self.may_sign(consent, at).is_ok()
            && member.grants.iter().any(role)
            && member.interrupted.is_none_or(|stopped| stopped < consent.seq)
            && held.is_some_and(|held| {
                held.since < consent.seq && held.interrupted.is_none_or(|stopped| stopped < consent.seq)
            })
    }

    pub(super) fn is_active_service(&self, service: &str, at: Micros) -> bool {
        self.services.get(service).is_some_and(|service| {
            !service.removed
                && !holds(service.suspension, at)
                && service.token_ends.is_some_and(|end| at < end)
        })
    }

    pub(super) fn is_active_caller(&self, seen: &Seen<'_>) -> Objection {
        let active = match seen.actor {
            ("member", id) => self.is_active(id, seen.at),
            ("service", id) => self.is_active_service(id, seen.at),
            _ => false,
        };
        demand(active, || format!("{:?} is not active", seen.actor))
    }

    /// Stopping takes one person who may.
    pub(super) fn see_suspension(&mut self, seen: &Seen<'_>) -> Objection {
        let (kind, by) = seen.actor;
        let stops = ["incident_commander", "platform_admin", "security_reviewer"];
        let owns = seen.kind == "slot.suspended"
            && self.slots.get(&text(&seen.data["slot"])).is_some_and(|slot| slot.owner == by)
            && self.has_role(by, "key_owner", seen.at);
        let may = kind == "member" && (owns || stops.iter().any(|role| self.has_role(by, role, seen.at)));
        demand(may, || format!("{by} may not stop anything"))?;
        let lapses = micros(&seen.data["lapses_at"]);
        let in_72_h = seen.at + 72 * 3600 * 1_000_000;
        demand(lapses.is_none_or(|end| end == in_72_h), || {
            "it lapses at another time than in 72 h".to_owned()
        })?;
        let suspension = Some(lapses);
        let field = |name: &str| text(&seen.data[name]);
        match seen.kind {
            "member.suspended" => {
                let member = self.member(&field("member"))?;
                (member.suspension, member.interrupted) = (suspension, Some(seen.seq));
            }
            "credential.suspended" => {
                let held = self.member(&field("member"))?.credentials.get_mut(&field("credential_id"));
                let held = held.ok_or("no such authenticator")?;
                (held.suspension, held.interrupted) = (suspension, Some(seen.seq));
            }
            "service.suspended" => {
                self.services.get_mut(&field("service")).ok_or("no such service")?.suspension = suspension;
            }
            _ => self.slots.get_mut(&field("slot")).ok_or("no such slot")?.suspension = suspension,
        }
        Ok(())
    }

    fn member(&mut self, id: &str) -> Result<&mut Member, String> {
        self.members.get_mut(id).ok_or_else(|| format!("no such member: {id}"))
    }

    /// What an effect, already found to be allowed, makes of people and services.
    pub(super) fn change_people(&mut self, seen: &Seen<'_>) -> Objection {
        let field = |name: &str| text(&seen.data[name]);
        let slots = || seen.data["slots"].as_array().into_iter().flatten().map(text).collect::<Vec<String>>();
        let member = field("member");
        match seen.kind {
            "member.enrolled" => self.enroll(seen),
            "member.removed" => {
                let member = self.member(&member)?;
                (member.removed, member.grants) = (true, Vec::new());
            }
            "member.recovered" => self.member(&member)?.credentials = held(seen),
            "member.restored" => match seen.data["credential_id"].as_str() {
                Some(id) => {
                    let held = self.member(&member)?.credentials.get_mut(id);
                    held.ok_or("no such authenticator")?.suspension = None;
                }
                None => self.member(&member)?.suspension = None,
            },
            "credential.added" => {
                let held = Held { suspension: None, interrupted: None, since: seen.seq };
                let id = text(&seen.data["credential"]["credential_id"]);
                self.member(&member)?.credentials.insert(id, held);
            }
            "credential.removed" => drop(self.member(&member)?.credentials.remove(&field("credential_id"))),
            "role.granted" => {
                let (from, to) = (micros(&seen.data["not_before"]), micros(&seen.data["not_after"]));
                self.member(&member)?.grants.push(Grant { role: field("role"), from, to, since: seen.seq });
            }
            "role.revoked" => self.member(&member)?.grants.retain(|grant| grant.role != field("role")),
            "service.enrolled" => {
                let token_ends = micros(&seen.data["token_expires_at"]);
                let service = Service { slots: slots(), token_ends, ..Service::default() };
                self.services.insert(field("service"), service);
            }
            _ => {
                let service = self.services.get_mut(&field("service")).ok_or("no such service")?;
                match seen.kind {
                    "service.granted" => {
                        service.slots = slots();
                        service.token_ends = micros(&seen.data["token"]["expires_at"]).or(service.token_ends);
                    }
                    "service.removed" => (service.removed, service.slots) = (true, Vec::new()),
                    _ => service.suspension = None,
                }
            }
        }
        Ok(())
    }
}

fn held(seen: &Seen<'_>) -> BTreeMap<String, Held> {
    let credentials = seen.data["credentials"].as_array().into_iter().flatten();
    let held = |one: &Value| {
        (text(&one["credential_id"]), Held { suspension: None, interrupted: None, since: seen.seq })
    };
    credentials.map(held).collect()
}
