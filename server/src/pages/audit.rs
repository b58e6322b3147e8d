//! Audit: bundles to take away, how things stood at a date, and random samples.

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rule::Rule;
use serde::Deserialize;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::audit::Question;
use crate::http::auth::{Demand as _, Export};
use crate::http::moment::Moment;
use crate::http::problem::Problem;
use crate::views::as_at::{ApprovalsAsAt, KeysAsAt, MembersAsAt, RefusalsAsAt};
use crate::views::calendar::day;
use crate::views::people::kind_name;
use crate::views::rotation_audit::RotationAudit;

/// Rows of a page; a file has them all.
const SHOWN: usize = 200;

/// What the page is asked for.
#[derive(Deserialize)]
pub(super) struct AuditQuery {
    list: Option<String>,
    at: Option<String>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    slots: Vec<String>,
    types: &'static [&'static str],
    /// What was typed.
    at: String,
    /// The same for links to files.
    at_query: String,
    tabs: Vec<(&'static str, &'static str, bool)>,
    list: &'static str,
    shown: Result<Shown, String>,
    sealed: u64,
}

/// A list as at a date.
struct Shown {
    at: String,
    size: u64,
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
    count: usize,
    /// What an audit came to; lists come to nothing.
    verdict: Option<Outcome>,
}

/// What an audit came to, and what stands in its way.
struct Outcome {
    passed: bool,
    sentence: String,
    blockers: Vec<String>,
}

const LISTS: [(&str, &str); 5] = [
    ("members", "Members"),
    ("approvals", "Approvals"),
    ("keys", "Keys"),
    ("refusals", "Refusals"),
    ("rotation", "Rotations"),
];

#[get("/t/{tenant}/audit")]
pub(super) async fn audit(visit: Visit, query: web::Query<AuditQuery>) -> Result<HttpResponse, Problem> {
    if !Export::ANY_OF.iter().any(|role| visit.member.roles.contains(role)) {
        let who = wording::list(Export::ANY_OF.iter().map(|role: &Role| wording::role(*role)));
        return Err(Problem::from(Rule::RoleMissing).saying(format!(
            "Bundles and lists of the past are for these roles: {who}. Everybody reads the ledger."
        )));
    }
    let founded = visit.member.founded()?;
    let wanted = query.list.as_deref().unwrap_or("members");
    let list = LISTS.iter().map(|(name, _)| *name).find(|name| *name == wanted).unwrap_or("members");
    let at = query.at.clone().unwrap_or_default();
    let shown = match at.is_empty().then_some(None).or_else(|| at.parse::<Moment>().ok().map(Some)) {
        Some(moment) => shown(&visit, list, moment).await?,
        None => Err("This is no time: write it like 2026-11-24T15:00, in UTC.".to_owned()),
    };
    let slots = founded.slots().keys().map(ToString::to_string).collect();
    let at_query = match &shown {
        Ok(shown) => shown.at.clone(),
        Err(_) => visit.member.at.to_string(),
    };
    page::show(&AuditPage {
        sealed: visit.member.ledger.sealed_size(),
        frame: visit.frame("Audit", Place::Audit),
        slots,
        types: &Payload::TYPE_NAMES,
        at,
        at_query,
        tabs: LISTS.map(|(name, label)| (name, label, name == list)).to_vec(),
        list,
        shown,
    })
}

/// A list, or why there is none, in words.
async fn shown(visit: &Visit, list: &str, at: Option<Moment>) -> Result<Result<Shown, String>, Problem> {
    let question = Question::of(&visit.member, at.map(Moment::get));
    let found = match list {
        "approvals" => question.approvals().await.map(|list| Shown::approvals(&list)),
        "keys" => question.keys().await.map(|list| Shown::keys(&list)),
        "refusals" => question.refusals().await.map(|list| Shown::refusals(&list)),
        "rotation" => question.rotation().await.map(|list| Shown::rotation(&list)),
        _ => question.members().await.map(|list| Shown::members(&list)),
    };
    match found {
        Ok(shown) => Ok(Ok(shown)),
        Err(problem) if problem.code() == "audit.too_long" => {
            Ok(Err("There are too many entries for a page. Take the file month by month: the API and the command line \
                    have `from`."
                .to_owned()))
        }
        Err(problem) if problem.code() == "founding.missing" => {
            Ok(Err("The ledger was not founded at that time: there was nobody and nothing.".to_owned()))
        }
        Err(problem) => Err(problem),
    }
}

fn person(name: Option<&String>, id: &str) -> String {
    name.cloned().unwrap_or_else(|| id.to_owned())
}

impl Shown {
    fn members(list: &MembersAsAt) -> Self {
        let rows = list.members.iter().take(SHOWN).map(|member| {
            let roles: Vec<String> = member
                .roles
                .iter()
                .map(|grant| match grant.not_after {
                    Some(until) => format!("{} until {until}", wording::role(grant.role)),
                    None => wording::role(grant.role).to_owned(),
                })
                .collect();
            let held: Vec<&str> = member.credentials.iter().map(|held| kind_name(held.kind)).collect();
            vec![
                person(member.display_name.as_ref(), &member.member.to_string()),
                member.status.name().to_owned(),
                roles.join(", "),
                held.join(", "),
            ]
        });
        Self {
            at: list.moment.at.to_string(),
            size: list.moment.size,
            headings: &["Member", "State", "Roles", "Authenticators"],
            rows: rows.collect(),
            count: list.members.len(),
            verdict: None,
        }
    }

    fn approvals(list: &ApprovalsAsAt) -> Self {
        let rows = list.decisions.iter().rev().take(SHOWN).map(|decision| {
            vec![
                decision.seq.to_string(),
                decision.time.to_string(),
                decision.kind.map(|kind| kind.to_string()).unwrap_or_default(),
                format!("{} by {}", decision.decision, person(decision.display_name.as_ref(), &decision.by)),
                decision.role.map(wording::role).unwrap_or("service").to_owned(),
                decision.status.name().to_owned(),
            ]
        });
        Self {
            at: list.moment.at.to_string(),
            size: list.moment.size,
            headings: &["Event", "Time (UTC)", "Type", "Decision", "As", "Stood"],
            rows: rows.collect(),
            count: list.decisions.len(),
            verdict: None,
        }
    }

    fn keys(list: &KeysAsAt) -> Self {
        let rows = list.keys.iter().take(SHOWN).map(|key| {
            vec![
                key.key.slot.to_string(),
                key.key.key.to_string(),
                key.key.algorithm.to_string(),
                key.key.state.to_owned(),
                key.slot_status.name().to_owned(),
            ]
        });
        Self {
            at: list.moment.at.to_string(),
            size: list.moment.size,
            headings: &["Slot", "Key", "Algorithm", "State", "Slot was"],
            rows: rows.collect(),
            count: list.keys.len(),
            verdict: None,
        }
    }

    fn refusals(list: &RefusalsAsAt) -> Self {
        let rows = list.refusals.iter().rev().take(SHOWN).map(|refusal| {
            vec![
                refusal.seq.to_string(),
                refusal.minute.to_string(),
                person(refusal.display_name.as_ref(), &refusal.caller),
                refusal.rule.clone(),
                refusal.count.to_string(),
            ]
        });
        Self {
            at: list.moment.at.to_string(),
            size: list.moment.size,
            headings: &["Event", "Minute (UTC)", "Caller", "Rule", "Times"],
            rows: rows.collect(),
            count: list.refusals.len(),
            verdict: None,
        }
    }

    fn rotation(judged: &RotationAudit) -> Self {
        let rows = judged.keys.iter().take(SHOWN).map(|key| {
            let since = key.active_since.map_or_else(|| key.state.replace('_', " "), day);
            let rotation =
                key.rotation.map_or_else(|| "first key".to_owned(), |rotation| rotation.to_string());
            let verdict = if key.reasons.is_empty() {
                key.verdict.name().to_owned()
            } else {
                format!("{}: {}", key.verdict.name(), key.reasons.join(" "))
            };
            vec![
                key.slot.to_string(),
                key.key.to_string(),
                since,
                format!("{} {}", key.came_by.seq, key.came_by.kind),
                rotation,
                key.pack.name().to_owned(),
                verdict,
            ]
        });
        Self {
            at: judged.moment.at.to_string(),
            size: judged.moment.size,
            headings: &[
                "Slot",
                "Key",
                "Active since",
                "Came by event",
                "Rotation",
                "Evidence pack",
                "Verdict",
            ],
            rows: rows.collect(),
            count: judged.keys.len(),
            verdict: Some(Outcome::new(judged)),
        }
    }
}

impl Outcome {
    fn new(judged: &RotationAudit) -> Self {
        let keys = wording::counted(judged.keys.len(), "key", "keys");
        let since = day(judged.from);
        let sentence = match (judged.passed, judged.failed) {
            (true, _) => format!("{keys} since {since}: all on record, none late."),
            (false, 0) => format!("{keys} since {since}: each on record, and yet this is no pass."),
            (false, failed) => format!("{keys} since {since}: {failed} failed."),
        };
        Self { passed: judged.passed, sentence, blockers: judged.blockers.clone() }
    }
}
