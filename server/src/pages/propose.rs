//! Proposing: every type of action in words, and a form for each, drawn from data.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::incident::INCIDENTS;
use sealbook_ledger::policy::{ActionRule, LedgerPolicy, Proposer, Role};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use serde_json::Value;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::ceremony::RULES;
use crate::http::problem::Problem;
use choices::{Choice, Prefill};
use forms::{Field, Group, Input, Source};
use policy::PolicyView;

mod choices;
mod forms;
mod policy;

/// The list.
#[derive(Template)]
#[template(path = "propose.html")]
struct ProposePage {
    frame: Frame,
    groups: Vec<GroupView>,
    may_any: bool,
}

/// Types of action that belong together.
struct GroupView {
    title: &'static str,
    cards: Vec<Card>,
}

/// A type of action.
struct Card {
    kind: &'static str,
    title: &'static str,
    about: &'static str,
    quorum: String,
    proposers: String,
    /// Whether the member may propose it.
    open: bool,
}

/// A form.
#[derive(Template)]
#[template(path = "propose_form.html")]
struct FormPage {
    frame: Frame,
    kind: &'static str,
    title: &'static str,
    about: &'static str,
    quorum: String,
    proposers: String,
    roles: Vec<RoleChoice>,
    fields: Vec<FieldView>,
    member: String,
    rp_id: String,
    credentials: String,
    /// Whether passkeys that sign in are others than those that approve.
    apart: bool,
    emergency: bool,
    available: bool,
    policy: Option<PolicyView>,
}

/// A role to propose in.
struct RoleChoice {
    name: &'static str,
    words: &'static str,
}

/// A field as the template draws it and the module reads it.
struct FieldView {
    id: String,
    name: &'static str,
    label: &'static str,
    help: &'static str,
    /// How it is drawn: `line`, `lines`, `json`, `digest`, `list`, `number`, `moment`, `pick`, `some`, `flag`, `hidden`, `registered`, `policy`.
    drawn: &'static str,
    /// How it is read: the module's name for it.
    read: &'static str,
    required: bool,
    bounds: (u16, u16),
    value: String,
    choices: Vec<Choice>,
}

#[get("/t/{tenant}/propose")]
pub(super) async fn propose(visit: Visit) -> Result<HttpResponse, Problem> {
    let policy = visit.member.founded()?.policy();
    let (rules, roles) = (visit.member.founded()?.rules(), &visit.member.roles);
    let card = |kind: ActionType| Card::new(kind, policy, roles, rules);
    let groups: Vec<GroupView> = Group::ALL
        .into_iter()
        .map(|group| {
            let kinds = ActionType::of(rules).filter(|kind| forms::form(*kind).group == group);
            let mut cards: Vec<Card> = kinds.map(card).collect();
            cards.sort_by_key(|card| !card.open);
            GroupView { title: group.title(), cards }
        })
        .collect();
    let may_any = groups.iter().flat_map(|group| &group.cards).any(|card| card.open);
    page::show(&ProposePage { frame: visit.frame("Propose", Place::Propose), groups, may_any })
}

#[get("/t/{tenant}/propose/{type}")]
pub(super) async fn propose_form(
    visit: Visit,
    path: web::Path<(String, String)>,
    prefill: web::Query<Prefill>,
) -> Result<HttpResponse, Problem> {
    let kind: ActionType = path.into_inner().1.parse().map_err(|_| Problem::of("path.unknown"))?;
    page::show(&FormPage::new(&visit, kind, &prefill)?)
}

impl Card {
    fn new(kind: ActionType, policy: &LedgerPolicy, roles: &BTreeSet<Role>, rules: u64) -> Self {
        let form = forms::form(kind);
        let rule = policy.actions.get(&kind);
        let may = rule.is_some_and(|rule| !rule.proposing(roles).is_empty());
        Self {
            kind: kind.name(),
            title: form.title,
            about: form.about,
            quorum: rule.map(quorum).unwrap_or_default(),
            proposers: rule.map(proposers).unwrap_or_default(),
            open: may && is_available(kind, rules),
        }
    }
}

/// The rules version from which a slot is created with a rotation policy.
const ROTATING: u64 = 2;

/// The rules version from which a field of a type that all rules know is asked for.
fn since(kind: ActionType, field: &str) -> u64 {
    match kind {
        ActionType::SlotCreate if field.starts_with("rotation.") => ROTATING,
        ActionType::SlotCreate if field == "drill" => INCIDENTS,
        _ => 1,
    }
}

/// Rules are adopted where this server carries later ones out.
fn is_available(kind: ActionType, rules: u64) -> bool {
    kind != ActionType::RulesAdopt || rules < RULES
}

impl FormPage {
    fn new(visit: &Visit, kind: ActionType, prefill: &Prefill) -> Result<Self, Problem> {
        let founded = visit.member.founded()?;
        let form = forms::form(kind);
        let rules = founded.rules();
        let rule = founded.policy().actions.get(&kind).ok_or(Rule::TypeUnknown)?;
        let prefill = &begun(kind, founded, prefill);
        let proposing = rule.proposing(&visit.member.roles);
        let field = |(n, field): (usize, &'static Field)| FieldView::new(n, field, founded, visit, prefill);
        let known = |field: &&Field| rules >= since(kind, field.name);
        let edits = form.fields.iter().any(|field| field.input == Input::Policy);
        let policy = edits.then(|| PolicyView::new(founded)).transpose()?;
        Ok(Self {
            frame: visit.frame(form.title, Place::Propose),
            kind: kind.name(),
            title: form.title,
            about: form.about,
            quorum: quorum(rule),
            proposers: proposers(rule),
            roles: proposing
                .iter()
                .map(|role| RoleChoice { name: role.name(), words: wording::role(*role) })
                .collect(),
            fields: form.fields.iter().filter(known).enumerate().map(field).collect(),
            member: visit.member.id.to_string(),
            rp_id: founded.approval_rp().id.clone(),
            credentials: visit.approval_credentials(founded),
            apart: !founded.approval_rp().shared,
            emergency: kind.is_emergency(),
            available: is_available(kind, rules),
            policy,
        })
    }
}

/// What a form begins with: one about a slot that no link chose is about the first, as its list shows.
fn begun(kind: ActionType, founded: &Founded, prefill: &Prefill) -> Prefill {
    let mut prefill = prefill.clone();
    let begins = matches!(kind, ActionType::SlotPolicySet | ActionType::SlotRotationSet);
    let first = founded.slots().keys().next().filter(|_| begins);
    if let Some(first) = first {
        prefill.entry("slot".to_owned()).or_insert_with(|| first.to_string());
    }
    prefill
}

impl FieldView {
    fn new(n: usize, field: &'static Field, founded: &Founded, visit: &Visit, prefill: &Prefill) -> Self {
        let (drawn, read, required) = match field.input {
            Input::Line => ("line", "text", true),
            Input::Private => ("line", "private", false),
            Input::Lines => ("lines", "lines", true),
            Input::MayLines => ("lines", "lines", false),
            Input::Holders => ("lines", "holders", true),
            Input::MayJson => ("json", "json", false),
            Input::Digest => ("digest", "text", true),
            Input::List => ("list", "list", true),
            Input::Number(..) => ("number", "number", true),
            Input::MayNumber(..) => ("number", "number", false),
            // A delegation that a link asks for ends.
            Input::Moment => ("moment", "moment", field.name == "not_after" && prefill.contains_key("timed")),
            Input::Pick(Source::Credentials | Source::SuspendedPeople) => ("pick", "credential", true),
            Input::Pick(Source::SlotKeys | Source::CertifiableKeys) => ("pick", "slot_key", true),
            Input::Pick(Source::NextRules) => ("pick", "number", true),
            Input::Pick(_) => ("pick", "text", true),
            Input::Some(_) => ("some", "set", false),
            Input::Flag => ("flag", "flag", false),
            Input::Token => ("number", "token", true),
            Input::MayToken => ("number", "token", false),
            Input::NewId => ("hidden", "id", false),
            Input::Candidate => ("registered", "candidate", true),
            Input::Registered => ("registered", "registered", true),
            Input::Policy => ("policy", "policy", false),
        };
        let (bounds, usual) = match field.input {
            Input::Number(least, most, usual) => ((least, most), usual.to_string()),
            Input::MayNumber(least, most) => ((least, most), String::new()),
            Input::Token => ((1, forms::max_token_days()), "365".to_owned()),
            Input::MayToken => ((1, forms::max_token_days()), String::new()),
            _ => ((1, u16::MAX), String::new()),
        };
        let choices = match field.input {
            Input::Pick(source) | Input::Some(source) => {
                choices::of(source, field.name, founded, visit, prefill)
            }
            _ => Vec::new(),
        };
        let rp = founded.approval_rp();
        let value = match field.name {
            "approval_rp.id" => rp.id.clone(),
            "approval_rp.origins" => rp.origins.iter().cloned().collect::<Vec<_>>().join("\n"),
            "approval_rp.shared" if rp.shared => "yes".to_owned(),
            name => match choices::in_force(name, founded, prefill) {
                Some(held) => entered(&held),
                None => prefill.get(name).filter(|_| is_given(name, drawn)).cloned().unwrap_or(usual),
            },
        };
        Self {
            id: format!("field-{n}"),
            name: field.name,
            label: field.label,
            help: field.help,
            drawn,
            read,
            required,
            bounds,
            value,
            choices,
        }
    }
}

/// Whether a link may give a field what it begins with, beside the choice of a list.
fn is_given(name: &str, drawn: &str) -> bool {
    matches!(drawn, "line" | "moment") || name == "drill"
}

/// What is in force, as people would enter it.
fn entered(held: &Value) -> String {
    match held {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        // What was read as JSON has a JSON form.
        Value::Object(_) => serde_json::to_string_pretty(held).unwrap_or_default(),
    }
}

/// The seats of a rule in words: `2 × approver and 1 × security reviewer`.
fn quorum(rule: &ActionRule) -> String {
    let clauses: Vec<String> = rule
        .quorum
        .iter()
        .map(|clause| format!("{} × {}", clause.count, wording::role(clause.role)))
        .collect();
    wording::list(clauses.iter().map(String::as_str))
}

/// Who proposes a type, in words.
pub(super) fn proposers(rule: &ActionRule) -> String {
    wording::list(rule.proposers.iter().map(|one| match one {
        Proposer::Role(role) => wording::role(*role),
        Proposer::Service => "service",
        Proposer::System => "the server",
    }))
}
