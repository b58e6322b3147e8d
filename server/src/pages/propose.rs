//! Proposing: every type of action in words, and a form for each, drawn from data.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::policy::{ActionRule, LedgerPolicy, Proposer, Role};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use choices::{Choice, Prefill};
use forms::{Field, Group, Input, Source};

mod choices;
mod forms;

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
    /// How it is drawn: `line`, `lines`, `number`, `moment`, `pick`, `some`, `flag`, `hidden`, `registered`, `policy`.
    drawn: &'static str,
    /// How it is read: the module's name for it.
    read: &'static str,
    required: bool,
    bounds: (u16, u16),
    value: String,
    choices: Vec<Choice>,
}

/// The ledger policy to edit.
struct PolicyView {
    json: String,
    rules: Vec<RuleView>,
    hardware_only: bool,
    aaguids: String,
}

/// Who proposes and approves one type.
struct RuleView {
    kind: &'static str,
    title: &'static str,
    summary: String,
    proposers: Vec<(&'static str, String, bool)>,
    seats: Vec<(&'static str, &'static str, u8)>,
}

#[get("/t/{tenant}/propose")]
pub(super) async fn propose(visit: Visit) -> Result<HttpResponse, Problem> {
    let policy = visit.member.founded()?.policy();
    let card = |kind: ActionType| Card::new(kind, policy, &visit.member.roles);
    let groups: Vec<GroupView> = Group::ALL
        .into_iter()
        .map(|group| {
            let kinds = ActionType::ALL.into_iter().filter(|kind| forms::form(*kind).group == group);
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
    fn new(kind: ActionType, policy: &LedgerPolicy, roles: &BTreeSet<Role>) -> Self {
        let form = forms::form(kind);
        let rule = policy.actions.get(&kind);
        let may = rule.is_some_and(|rule| !rule.proposing(roles).is_empty());
        Self {
            kind: kind.name(),
            title: form.title,
            about: form.about,
            quorum: rule.map(quorum).unwrap_or_default(),
            proposers: rule.map(proposers).unwrap_or_default(),
            open: may && kind != ActionType::RulesAdopt,
        }
    }
}

impl FormPage {
    fn new(visit: &Visit, kind: ActionType, prefill: &Prefill) -> Result<Self, Problem> {
        let founded = visit.member.founded()?;
        let form = forms::form(kind);
        let rule = founded.policy().actions.get(&kind).ok_or(Rule::PolicyForm)?;
        let proposing = rule.proposing(&visit.member.roles);
        let field = |(n, field): (usize, &'static Field)| FieldView::new(n, field, founded, visit, prefill);
        let edits = form.fields.iter().any(|field| field.input == Input::Policy);
        let policy = edits.then(|| PolicyView::new(founded.policy())).transpose()?;
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
            fields: form.fields.iter().enumerate().map(field).collect(),
            member: visit.member.id.to_string(),
            rp_id: founded.approval_rp().id.clone(),
            credentials: visit.approval_credentials(founded),
            apart: !founded.approval_rp().shared,
            emergency: kind.is_emergency(),
            available: kind != ActionType::RulesAdopt,
            policy,
        })
    }
}

impl FieldView {
    fn new(n: usize, field: &'static Field, founded: &Founded, visit: &Visit, prefill: &Prefill) -> Self {
        let (drawn, read, required) = match field.input {
            Input::Line => ("line", "text", true),
            Input::Private => ("line", "private", false),
            Input::Lines => ("lines", "lines", true),
            Input::List => ("lines", "list", true),
            Input::Number(..) => ("number", "number", true),
            Input::MayNumber => ("number", "number", false),
            Input::Moment => ("moment", "moment", false),
            Input::Pick(Source::Credentials | Source::SuspendedPeople) => ("pick", "credential", true),
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
            "signing_policy.rate_per_minute" => choices::in_force(field.name, founded, prefill)
                .and_then(|rate| rate.as_u64())
                .map(|rate| rate.to_string())
                .unwrap_or_default(),
            "approval_rp.shared" if rp.shared => "yes".to_owned(),
            name => prefill.get(name).filter(|_| drawn == "line").cloned().unwrap_or(usual),
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

impl PolicyView {
    fn new(policy: &LedgerPolicy) -> Result<Self, Problem> {
        // Recovery is as it is: the rules let no policy change it.
        let edited = policy.actions.iter().filter(|(kind, _)| **kind != ActionType::MemberRecover);
        let aaguids = policy.credentials.aaguids.iter().flatten().map(ToString::to_string);
        Ok(Self {
            json: serde_json::to_string(policy).map_err(Problem::fault)?,
            rules: edited.map(|(kind, rule)| RuleView::new(*kind, rule)).collect(),
            hardware_only: policy.credentials.hardware_only,
            aaguids: aaguids.collect::<Vec<_>>().join("\n"),
        })
    }
}

impl RuleView {
    fn new(kind: ActionType, rule: &ActionRule) -> Self {
        let roles = Role::ALL.into_iter().filter(|role| *role != Role::Recovery);
        let seats = |role: Role| {
            let clauses = rule.quorum.iter().filter(|clause| clause.role == role);
            (role.name(), wording::role(role), clauses.map(|clause| clause.count).sum())
        };
        let service = kind.concerns_signatures().then_some(Proposer::Service);
        let may = roles.clone().map(Proposer::Role).chain(service);
        Self {
            kind: kind.name(),
            title: forms::form(kind).title,
            summary: quorum(rule),
            proposers: may
                .map(|one| (one.name(), one.name().replace('_', " "), rule.proposers.contains(&one)))
                .collect(),
            seats: roles.map(seats).collect(),
        }
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

fn proposers(rule: &ActionRule) -> String {
    wording::list(rule.proposers.iter().map(|one| match one {
        Proposer::Role(role) => wording::role(*role),
        Proposer::Service => "service",
    }))
}
