//! Members and services: who may act, by which roles and authenticators, who was invited, and what may be proposed.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, get};
use askama::Template;
use sealbook_ledger::ids::{MemberId, ServiceId};
use sealbook_ledger::member::{Grant, HeldCredential, Member, Service};
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::ApprovalRp;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use crate::relying_parties::{Use, uses_of};
use crate::store::activity::ActivityRow;
use crate::views::candidates::{self, Invited};
use crate::views::people::{Standing, kind_name};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    summary: String,
    members: Vec<MemberRow>,
    recovery: Vec<MemberRow>,
    gone: Vec<MemberRow>,
    services: Vec<ServiceRow>,
    invited: Vec<InvitedRow>,
    roles: Vec<(&'static str, &'static str)>,
    may_invite: bool,
    may_contain: bool,
    may_propose: bool,
    /// Whether one passkey approves and signs in.
    shared: bool,
}

/// A person.
struct MemberRow {
    id: String,
    name: String,
    you: bool,
    standing: Chip,
    roles: Vec<RoleRow>,
    credentials: Vec<CredentialRow>,
    since: Option<String>,
    decided: Option<Moment>,
    active: bool,
}

/// A state as colour, icon and word.
struct Chip {
    tone: &'static str,
    icon: &'static str,
    word: &'static str,
}

/// A moment, and how long ago it was.
struct Moment {
    at: String,
    ago: String,
}

/// A role; a delegation says when it ends, or begins.
struct RoleRow {
    word: &'static str,
    from: Option<String>,
    until: Option<String>,
    over: bool,
}

/// An authenticator.
struct CredentialRow {
    /// Its place among the member's, from 1.
    number: usize,
    id: String,
    kind: &'static str,
    /// What it is for, in words.
    uses: &'static str,
    make: String,
    copied: bool,
    standing: Chip,
    active: bool,
}

/// A machine client.
struct ServiceRow {
    id: String,
    name: String,
    slots: Vec<String>,
    token_ends: String,
    token_left: String,
    token_over: bool,
    token_soon: bool,
    standing: Chip,
    used: Option<Moment>,
    active: bool,
    removed: bool,
}

/// Somebody who was invited.
struct InvitedRow {
    candidate: String,
    name: String,
    roles: String,
    registered: bool,
    again: Option<String>,
    left: String,
    ends: String,
}

/// A token that ends within 14 days wants a new one.
const SOON_S: u64 = 14 * 24 * 60 * 60;

#[get("/t/{tenant}/people")]
pub(super) async fn people(visit: Visit) -> Result<HttpResponse, Problem> {
    let founded = visit.member.founded()?;
    let at = visit.member.at;
    let begun = begun(&visit, founded.members().values()).await?;
    let decided = latest(visit.store().last_decisions(visit.ledger()).await?);
    let mut uses = BTreeMap::new();
    let slots: BTreeSet<_> = founded.services().values().flat_map(|service| &service.slots).collect();
    for slot in slots {
        for row in visit.store().last_uses_by_caller(visit.ledger(), slot.as_str()).await? {
            keep_latest(&mut uses, row);
        }
    }
    let (mut members, mut recovery, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (id, member) in founded.members() {
        let row = MemberRow::new(&visit, founded, (*id, member), &begun, &decided);
        let sealed = member.grants.iter().any(|grant| grant.role == Role::Recovery);
        if member.removed {
            gone.push(row)
        } else if sealed {
            recovery.push(row)
        } else {
            members.push(row)
        }
    }
    members.sort_by_key(|row| row.name.to_lowercase());
    let mut services: Vec<ServiceRow> =
        founded.services().iter().map(|(id, service)| ServiceRow::new(&visit, *id, service, &uses)).collect();
    services.sort_by_key(|row| (row.removed, row.name.to_lowercase()));
    let invited = candidates::waiting(visit.store(), visit.ledger(), at).await?;
    let invited = invited.iter().map(|invited| InvitedRow::new(&visit, invited)).collect();
    let holds = |roles: &[Role]| roles.iter().any(|role| visit.member.roles.contains(role));
    let deciding = [Role::PlatformAdmin, Role::SecurityReviewer];
    let in_force = services.iter().filter(|row| !row.removed).count();
    let summary = format!(
        "{}, {}. Whoever joins, leaves or changes roles does so by the decision of others.",
        wording::counted(members.len(), "member", "members"),
        wording::counted(in_force, "service", "services").to_lowercase(),
    );
    let offered = Role::ALL.into_iter().filter(|role| *role != Role::Recovery);
    page::show(&PeoplePage {
        frame: visit.frame("Members and services", Place::People),
        summary,
        members,
        recovery,
        gone,
        services,
        invited,
        roles: offered.map(|role| (role.name(), wording::role(role))).collect(),
        shared: founded.approval_rp().shared,
        may_invite: holds(&deciding),
        may_contain: holds(&[Role::IncidentCommander, Role::PlatformAdmin, Role::SecurityReviewer]),
        may_propose: holds(&[Role::KeyOwner, Role::PlatformAdmin, Role::SecurityReviewer]),
    })
}

/// When the oldest of each event that somebody's authority rests on was recorded, by seq.
async fn begun<'a>(
    visit: &Visit,
    members: impl Iterator<Item = &'a Member>,
) -> Result<BTreeMap<u64, Timestamp>, Problem> {
    let seqs: BTreeSet<u64> = members.filter_map(first).collect();
    let seqs: Vec<u64> = seqs.into_iter().collect();
    Ok(visit.store().times_of(visit.ledger(), &seqs).await?.into_iter().collect())
}

fn first(member: &Member) -> Option<u64> {
    let grants = member.grants.iter().map(|grant| grant.since);
    grants.chain(member.credentials.iter().map(|held| held.since)).map(|seq| seq.get()).min()
}

fn latest(rows: Vec<ActivityRow>) -> BTreeMap<String, ActivityRow> {
    rows.into_iter().map(|row| (row.id.clone(), row)).collect()
}

fn keep_latest(known: &mut BTreeMap<String, ActivityRow>, row: ActivityRow) {
    if known.get(&row.id).is_none_or(|before| before.seq < row.seq) {
        known.insert(row.id.clone(), row);
    }
}

impl Moment {
    fn of(row: &ActivityRow, now: Timestamp) -> Self {
        Self { at: row.time.to_string(), ago: wording::ago(row.time, now) }
    }
}

impl Chip {
    fn of(standing: Standing) -> Self {
        let (tone, icon, word) = match standing {
            Standing::Active => ("ok", "check", "Active"),
            Standing::Suspended => ("bad", "pause", "Suspended"),
            Standing::Removed => ("dim", "leave", "Removed"),
        };
        Self { tone, icon, word }
    }
}

impl MemberRow {
    fn new(
        visit: &Visit,
        founded: &Founded,
        (id, member): (MemberId, &Member),
        begun: &BTreeMap<u64, Timestamp>,
        decided: &BTreeMap<String, ActivityRow>,
    ) -> Self {
        let at = visit.member.at;
        let rp = founded.approval_rp();
        Self {
            id: id.to_string(),
            name: visit.names.person(id),
            you: id == visit.member.id,
            standing: Chip::of(Standing::at(member.removed, member.suspension, at)),
            roles: member.grants.iter().map(|grant| RoleRow::new(grant, at)).collect(),
            credentials: (1..)
                .zip(&member.credentials)
                .map(|(n, held)| CredentialRow::new(n, held, rp, at))
                .collect(),
            since: first(member).and_then(|seq| begun.get(&seq)).map(Timestamp::to_string),
            decided: decided.get(&id.to_string()).map(|row| Moment::of(row, at)),
            active: member.is_active(at),
        }
    }
}

impl RoleRow {
    fn new(grant: &Grant, at: Timestamp) -> Self {
        Self {
            word: wording::role(grant.role),
            from: grant.not_before.filter(|from| at < *from).map(|from| from.to_string()),
            until: grant.not_after.map(|until| until.to_string()),
            over: grant.not_after.is_some_and(|until| until <= at),
        }
    }
}

impl CredentialRow {
    fn new(number: usize, held: &HeldCredential, rp: &ApprovalRp, at: Timestamp) -> Self {
        let standing = Standing::at(false, held.suspension, at);
        Self {
            number,
            id: held.credential.credential_id.to_string(),
            kind: kind_name(held.credential.kind),
            uses: in_words(uses_of(&held.credential, rp)),
            make: held.credential.aaguid.to_string(),
            copied: held.credential.backup_eligible,
            active: standing == Standing::Active,
            standing: Chip::of(standing),
        }
    }
}

fn in_words(uses: &[Use]) -> &'static str {
    match uses {
        [Use::Approve] => "approves",
        [Use::SignIn] => "signs in",
        _ => "approves and signs in",
    }
}

impl ServiceRow {
    fn new(visit: &Visit, id: ServiceId, service: &Service, uses: &BTreeMap<String, ActivityRow>) -> Self {
        let at = visit.member.at;
        let left = wording::seconds_until(at, service.token_expires_at);
        Self {
            id: id.to_string(),
            name: visit.names.service(id).map_or_else(|| format!("service {id}"), str::to_owned),
            slots: service.slots.iter().map(ToString::to_string).collect(),
            token_ends: service.token_expires_at.to_string(),
            token_left: wording::span(left),
            token_over: service.token_expires_at <= at,
            token_soon: left < SOON_S,
            standing: Chip::of(Standing::at(service.removed, service.suspension, at)),
            used: uses.get(&id.to_string()).map(|row| Moment::of(row, at)),
            active: service.is_active(at),
            removed: service.removed,
        }
    }
}

impl InvitedRow {
    fn new(visit: &Visit, invited: &Invited) -> Self {
        let again = invited.purpose == "credential";
        Self {
            candidate: invited.candidate.to_string(),
            name: invited.display_name.clone().unwrap_or_else(|| "Somebody without a name".to_owned()),
            roles: wording::list(invited.roles.iter().map(|role| wording::role(*role))),
            registered: invited.member.is_some(),
            again: again.then(|| invited.member.clone().unwrap_or_default()),
            left: wording::span(wording::seconds_until(visit.member.at, invited.expires_at)),
            ends: invited.expires_at.to_string(),
        }
    }
}
