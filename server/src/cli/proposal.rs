//! The way of every dual-control action from this side: have it drawn up, check it, ask the person, sign, wait.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use sealbook_ledger::action::{ActionType, MAX_ACTION_LIFE_S, Params};
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::policy::{Proposer, Role};
use sealbook_ledger::webauthn::{Assertion, Purpose};
use serde::Serialize;
use serde_json::Value;

use super::context::{Context, Person};
use super::document::{Asked, CheckedDocument, PrivateField};
use super::failure::Failure;
use super::listed::Listed;
use super::output::{fields, printable};
use super::sentence::{join, sentence};
use crate::client::answers::{Action, ActionStatus, Draft, DraftDisclosure, Policy};
use crate::client::{Call, Client};
use crate::views::story::Names;

/// The pauses between looks at an action that takes effect.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LATER_LOOKS: Duration = Duration::from_secs(1);

/// Options of every command that proposes.
#[derive(Debug, Clone, Args)]
pub struct Terms {
    /// Why: kept beside the ledger, disclosed by its digest
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The role to propose in; the first of yours that may, if absent
    #[arg(long)]
    pub role: Option<Role>,
    /// Seconds after which the proposal expires
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(60..=i64::from(MAX_ACTION_LIFE_S)))]
    pub expires_in: u32,
    /// How the person is asked, and what is waited for.
    #[command(flatten)]
    pub manner: Manner,
}

/// Options of every command that signs as a person.
#[derive(Debug, Clone, Args)]
pub struct Manner {
    /// Sign without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Wait until the action has ended
    #[arg(long)]
    pub wait: bool,
    /// Longest wait, in seconds
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    pub wait_for: u64,
}

#[derive(Serialize)]
struct DraftRequest<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    params: &'a Value,
    reason: &'a str,
    expires_in_s: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    private: &'a BTreeMap<&'static str, PrivateField>,
}

/// A proposal that was checked, agreed to and signed, as it is sent.
#[derive(Serialize)]
pub(super) struct SignedProposal {
    document: Value,
    role: Role,
    assertion: Assertion,
    disclosures: Vec<Value>,
}

impl Context {
    /// Proposes an action by its typed parameters and shows what came of it.
    pub(super) fn propose_params(
        &self,
        kind: ActionType,
        params: &impl Serialize,
        terms: &Terms,
    ) -> Result<(), Failure> {
        self.propose(&self.person()?, &Asked::new(kind, params)?, terms)
    }

    /// Proposes what was asked and shows what came of it.
    pub(super) fn propose(&self, person: &Person, asked: &Asked, terms: &Terms) -> Result<(), Failure> {
        let action = self.proposed(person, asked, terms)?;
        self.show_action(&person.client, &action)
    }

    /// Proposes what was asked.
    pub(super) fn proposed(&self, person: &Person, asked: &Asked, terms: &Terms) -> Result<Action, Failure> {
        let action = self.sent(person, &self.signed(person, asked, terms)?)?;
        self.waited(&person.client, action, &terms.manner)
    }

    /// Has what was asked drawn up, and signed only if the document says exactly that. Nothing is proposed yet.
    pub(super) fn signed(
        &self,
        person: &Person,
        asked: &Asked,
        terms: &Terms,
    ) -> Result<SignedProposal, Failure> {
        let role = self.proposing_role(person, asked, terms.role)?;
        let ledger = self.ledger(&person.client)?;
        let request = DraftRequest {
            kind: asked.kind().name(),
            params: asked.params(),
            reason: &terms.reason,
            expires_in_s: terms.expires_in,
            private: asked.private(),
        };
        let draft: Draft = person.client.json(&Call::post(self.path("/actions/draft")?, &request)?)?;
        let checked = CheckedDocument::open(&draft.document, &ledger.origin)?.matching(
            asked,
            &terms.reason,
            person.session.member()?,
            &draft.disclosures,
        )?;
        let challenge = checked.challenge(Purpose::Proposal, draft.challenges.get("proposal"))?;
        let told = Told::of(&checked, &draft.disclosures, self.names(&person.client)?)?;
        self.confirm("Propose", &checked, &told, role, &challenge.to_string(), &terms.manner)?;
        let assertion = person.session.assert(challenge)?;
        let disclosures = draft.disclosures.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        let disclosures = disclosures.map_err(|error| Failure::Output(error.into()))?;
        Ok(SignedProposal { document: draft.document, role, assertion, disclosures })
    }

    /// Proposes what was signed.
    pub(super) fn sent(&self, person: &Person, proposal: &SignedProposal) -> Result<Action, Failure> {
        Ok(person.client.json(&Call::post(self.path("/actions")?, proposal)?)?)
    }

    fn proposing_role(&self, person: &Person, asked: &Asked, wanted: Option<Role>) -> Result<Role, Failure> {
        if let Some(role) = wanted {
            return Ok(role);
        }
        let policy: Policy = person.client.json(&Call::get(self.path("/policy")?))?;
        let rule = policy.policy.actions.get(&asked.kind());
        let own = self.own_roles(person)?;
        let may = |role: &Role| rule.is_some_and(|rule| rule.proposers.contains(&Proposer::Role(*role)));
        own.into_iter().find(may).ok_or_else(|| {
            let needed = rule.map(|rule| join(rule.proposers.iter())).unwrap_or_default();
            let what = format!("none of your roles may propose {}: it takes one of {needed}", asked.kind());
            Failure::usage(what, "Somebody who holds one of them has to propose it.")
        })
    }

    /// Shows what would be signed, in words made from the document itself, and asks.
    pub(super) fn confirm(
        &self,
        verb: &str,
        checked: &CheckedDocument,
        told: &Told,
        role: Role,
        digest: &str,
        manner: &Manner,
    ) -> Result<(), Failure> {
        let document = checked.document();
        let what = sentence(document, &told.names);
        self.out.note(&format!("{verb} as {role}: {}", self.out.strong(&printable(&what))));
        let pairs = [
            ("action", document.action.to_string()),
            ("type", document.kind().to_string()),
            ("reason", told.reason()),
            ("proposed by", told.names.proposer(document.proposed_by)),
            ("ledger", document.origin.to_string()),
            ("expires", document.expires_at.to_string()),
            ("digest", digest.to_owned()),
        ];
        self.out.note(fields(&pairs).trim_end());
        if !matches!(verb, "Propose") {
            let value = serde_json::to_value(document).map_err(|error| Failure::Output(error.into()))?;
            let params = serde_json::to_string_pretty(&value["params"]);
            let params = params.map_err(|error| Failure::Output(error.into()))?;
            self.out.note(&super::output::printable_lines(&params));
        }
        self.ask(&format!("{verb} it?"), manner.yes)
    }

    /// Asks for a yes at the terminal; without one, only `--yes` is a yes.
    pub(super) fn ask(&self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::NotConfirmed);
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/n] ").and_then(|()| stderr.flush()).map_err(Failure::Output)?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(Failure::Output)?;
        if is_yes(&answer) { Ok(()) } else { Err(Failure::NotConfirmed) }
    }

    /// The action itself, or its end where that is waited for. Any end but execution is a failure.
    pub(super) fn waited(&self, client: &Client, action: Action, manner: &Manner) -> Result<Action, Failure> {
        if !manner.wait {
            return Ok(action);
        }
        let deadline = Instant::now() + Duration::from_secs(manner.wait_for);
        let spinner = self.out.progress(0, "{spinner} waiting for the action to end ({elapsed})");
        let mut action = action;
        let mut pause = FIRST_LOOK;
        while !action.status.is_final() {
            if Instant::now() + pause >= deadline {
                return Err(Failure::TimedOut { what: format!("action {}", action.action) });
            }
            spinner.tick();
            thread::sleep(pause);
            pause = (pause * 2).min(LATER_LOOKS);
            action = self.action(client, action.action)?;
        }
        spinner.finish_and_clear();
        Ok(action)
    }

    pub(super) fn action(&self, client: &Client, id: ActionId) -> Result<Action, Failure> {
        Ok(client.json(&Call::get(self.path(&format!("/actions/{id}"))?))?)
    }

    /// Shows how far an action has come.
    pub(super) fn show_action(&self, client: &Client, action: &Action) -> Result<(), Failure> {
        let ledger = self.ledger(client)?;
        let checked = CheckedDocument::open(&action.document, &ledger.origin)?.of_action(action.action)?;
        let told = Told::of(&checked, &action.disclosures, self.names(client)?)?;
        let listed = Listed::of(&checked, action)?;
        self.out.show(action, || {
            let list = listed.map(|listed| listed.whole()).unwrap_or_default();
            describe(action, &checked, &told) + &list
        })?;
        match action.status {
            ActionStatus::Failed => Err(Failure::ActionEnded {
                status: action.status.name(),
                reason: action.failure.as_ref().map(|reason| printable(&reason.to_string())),
            }),
            _ => Ok(()),
        }
    }
}

/// What is told beside a document: names, and what opens its digests, checked against it.
pub(super) struct Told {
    names: Names,
    reason: Option<String>,
}

impl Told {
    /// Refuses disclosures that are not those of the document. A name that it brings goes before what the server says.
    pub(super) fn of(
        checked: &CheckedDocument,
        disclosures: &[DraftDisclosure],
        mut names: Names,
    ) -> Result<Self, Failure> {
        if let Some(name) = checked.disclosed("display_name", disclosures)? {
            match &checked.document().params {
                Params::MemberEnroll(params) => names.name_member(params.member, name),
                Params::ServiceEnroll(params) => names.name_service(params.service, name),
                _ => {}
            }
        }
        let reason = checked.disclosed("reason", disclosures)?.map(str::to_owned);
        Ok(Self { names, reason })
    }

    fn reason(&self) -> String {
        self.reason.clone().unwrap_or_else(|| "not disclosed".to_owned())
    }
}

/// Anything but a plain yes is a no.
fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn describe(action: &Action, checked: &CheckedDocument, told: &Told) -> String {
    let names = &told.names;
    let seat = |seat: &crate::client::answers::Seat| match seat.filled_by {
        Some(member) => format!("{} ({})", seat.role, names.member(member)),
        None => format!("{} (open)", seat.role),
    };
    let mut pairs = vec![
        ("action", action.action.to_string()),
        ("status", action.status.name().to_owned()),
        ("what", sentence(checked.document(), names)),
        ("reason", told.reason()),
        ("proposed by", names.proposer(action.proposed_by)),
        ("expires", checked.document().expires_at.to_string()),
        ("seats", join(action.seats.iter().map(seat))),
        ("events", join(action.events.iter())),
    ];
    pairs.extend(action.created.as_ref().map(|made| ("made", made.to_string())));
    pairs.extend(action.failure.as_ref().map(|why| ("failure", why.to_string())));
    fields(&pairs)
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn y_and_yes_are_a_yes_and_nothing_else_is() {
        assert!(["y", "yes", "Y\n", " YES "].iter().all(|answer| is_yes(answer)));
        assert!(["", "n", "no", "ye", "yes please", "yy"].iter().all(|answer| !is_yes(answer)));
    }
}
