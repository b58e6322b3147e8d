//! `sealbook action`: look at what was proposed, and decide on it.

use clap::Subcommand;
use sealbook_ledger::policy::Role;
use sealbook_ledger::webauthn::{Assertion, Purpose};
use serde::Serialize;

use super::context::{Context, Person};
use super::document::CheckedDocument;
use super::failure::Failure;
use super::listed::Listed;
use super::output::table;
use super::proposal::{Manner, Told};
use super::sentence::sentence;
use super::short_id::IdArg;
use crate::client::Call;
use crate::client::answers::{Action, Actions};

/// Dual-control actions
#[derive(Debug, Subcommand)]
pub enum ActionCommand {
    /// List actions, the latest page
    List {
        /// Only those of this status
        #[arg(long)]
        status: Option<String>,
        /// Only those of this type
        #[arg(long = "type")]
        kind: Option<String>,
        /// Most that are shown
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one action
    Show {
        /// The action
        action: IdArg,
    },
    /// Approve an action
    Approve(Decide),
    /// Reject an action
    Reject {
        #[command(flatten)]
        decide: Decide,
        /// Why, for those who asked
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take your own proposal back
    Cancel(Decide),
}

/// A decision on an action.
#[derive(Debug, clap::Args)]
pub struct Decide {
    /// The action
    action: IdArg,
    /// The role to decide in; the first of yours that fits, if absent
    #[arg(long)]
    role: Option<Role>,
    #[command(flatten)]
    manner: Manner,
}

/// The decisions that a person makes on somebody's proposal, or on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Approve,
    Reject,
    Cancel,
}

impl Decision {
    const fn verb(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Cancel => "Cancel",
        }
    }

    const fn route(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
        }
    }

    const fn purpose(self) -> (Purpose, &'static str) {
        match self {
            Self::Approve => (Purpose::Approval, "approval"),
            Self::Reject => (Purpose::Rejection, "rejection"),
            Self::Cancel => (Purpose::Cancellation, "cancellation"),
        }
    }
}

#[derive(Serialize)]
struct DecideRequest<'a> {
    role: Role,
    assertion: &'a Assertion,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Runs the command.
pub fn run(command: &ActionCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ActionCommand::List { status, kind, limit } => {
            list(context, status.as_deref(), kind.as_deref(), *limit)
        }
        ActionCommand::Show { action } => {
            let client = context.caller()?;
            let action = context.action(&client, context.action_id(&client, action)?)?;
            context.show_action(&client, &action)
        }
        ActionCommand::Approve(decide) => decide_on(context, decide, Decision::Approve, None),
        ActionCommand::Reject { decide, reason } => {
            decide_on(context, decide, Decision::Reject, reason.as_deref())
        }
        ActionCommand::Cancel(decide) => decide_on(context, decide, Decision::Cancel, None),
    }
}

fn list(context: &Context, status: Option<&str>, kind: Option<&str>, limit: u32) -> Result<(), Failure> {
    let client = context.caller()?;
    let filters = [("status", status), ("type", kind)];
    let mut path = context.path(&format!("/actions?limit={limit}"))?;
    for (name, value) in filters {
        let Some(value) = value else { continue };
        path.push_str(&format!("&{name}={}", super::query_word(name, value)?));
    }
    let actions: Actions = client.json(&Call::get(path))?;
    let ledger = context.ledger(&client)?;
    let names = context.names(&client)?;
    let row = |action: &Action| -> Result<Vec<String>, Failure> {
        let checked = CheckedDocument::open(&action.document, &ledger.origin)?;
        let open = action.seats.iter().filter(|seat| seat.filled_by.is_none()).count();
        Ok(vec![
            action.action.to_string(),
            action.status.name().to_owned(),
            format!("{open}/{}", action.seats.len()),
            sentence(checked.document(), &names),
        ])
    };
    let rows = actions.actions.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    context.out.show(&actions, || table(&["ACTION", "STATUS", "OPEN", "WHAT"], &rows))
}

fn decide_on(
    context: &Context,
    decide: &Decide,
    decision: Decision,
    reason: Option<&str>,
) -> Result<(), Failure> {
    let person = context.person()?;
    let ledger = context.ledger(&person.client)?;
    let id = context.action_id(&person.client, &decide.action)?;
    let action = context.action(&person.client, id)?;
    let checked = CheckedDocument::open(&action.document, &ledger.origin)?.of_action(id)?;
    let (purpose, name) = decision.purpose();
    let challenge = checked.challenge(purpose, action.challenges.get(name))?;
    let role = match decide.role {
        Some(role) => role,
        None => deciding_role(context, &person, &action, &checked, decision)?,
    };
    let told = Told::of(&checked, &action.disclosures, context.names(&person.client)?)?;
    let listed = Listed::of(&checked, &action)?;
    let listed = if decision == Decision::Approve { Listed::shown(listed, &checked)? } else { listed };
    if let Some(listed) = &listed {
        context.out.note(listed.beginning().trim_end());
    }
    context.confirm(decision.verb(), &checked, &told, role, &challenge.to_string(), &decide.manner)?;
    let assertion = person.session.assert(challenge)?;
    let request = DecideRequest { role, assertion: &assertion, reason };
    let path = context.path(&format!("/actions/{id}/{}", decision.route()))?;
    let action: Action = person.client.json(&Call::post(path, &request)?)?;
    let action = context.waited(&person.client, action, &decide.manner)?;
    context.show_action(&person.client, &action)
}

/// The first of the person's roles that the rules let decide; for an approval, one whose seat is open comes first.
fn deciding_role(
    context: &Context,
    person: &Person,
    action: &Action,
    checked: &CheckedDocument,
    decision: Decision,
) -> Result<Role, Failure> {
    let own = context.own_roles(person)?;
    let seated = |role: &Role| checked.document().quorum.iter().any(|clause| clause.role == *role);
    let open = |role: &Role| action.seats.iter().any(|seat| seat.role == *role && seat.filled_by.is_none());
    let contains =
        |role: &Role| matches!(role, Role::IncidentCommander | Role::PlatformAdmin | Role::SecurityReviewer);
    let found = match decision {
        Decision::Approve => {
            own.iter().find(|role| open(role)).or_else(|| own.iter().find(|role| seated(role)))
        }
        Decision::Reject => {
            own.iter().find(|role| seated(role)).or_else(|| own.iter().find(|role| contains(role)))
        }
        Decision::Cancel => own.first(),
    };
    found.copied().ok_or_else(|| {
        let what = format!("none of your roles may {} this action", decision.route());
        Failure::usage(what, "Somebody who fills one of its seats has to.")
    })
}
