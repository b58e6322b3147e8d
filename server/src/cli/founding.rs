//! `sealbook founding`: founders register, and sign the one document that says who they are.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::webauthn::Assertion;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::document::CheckedFounding;
use super::failure::Failure;
use super::output::{fields, printable, table};
use super::private_file;
use super::sentence::join;
use crate::client::answers::{Founding, FoundingProgress, FoundingState, Registered};
use crate::client::{Call, Client, PersonSession, Token, TokenKind};
use crate::relying_parties::Use;
use crate::views::deviations::deviations;

/// The founding of a ledger
#[derive(Debug, Subcommand)]
pub enum FoundingCommand {
    /// Register the authenticator given with --as under a founder's ticket
    Register {
        #[command(flatten)]
        ticket: Ticket,
        /// Your name, in place of the one that the operator gave
        #[arg(long)]
        name: Option<String>,
    },
    /// Show how far the founding has come
    Show {
        #[command(flatten)]
        ticket: Ticket,
    },
    /// Check the founding document and sign it
    Sign {
        #[command(flatten)]
        ticket: Ticket,
        /// Sign without asking
        #[arg(long, short)]
        yes: bool,
        /// Write the ledger key and the founding digest to this folder, for verifiers to start from
        #[arg(long, value_name = "DIR")]
        pin: Option<PathBuf>,
    },
}

/// A founder's ticket.
#[derive(Debug, Args)]
pub struct Ticket {
    /// The file that holds the ticket
    #[arg(long, value_name = "FILE")]
    ticket_file: PathBuf,
}

/// A registration as the API takes it.
#[derive(Serialize)]
pub(super) struct RegistrationRequest<'a> {
    registration: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
}

impl<'a> RegistrationRequest<'a> {
    /// The answer of the authenticator for a use to the ticket's challenge.
    pub(super) fn new(
        session: &PersonSession,
        wanted: Use,
        ticket: &Token,
        display_name: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let hint = "Make one with `authenticator create --rp-id`, and give its file with --sign-in-as.";
        let what = "the tenant takes another authenticator for signing in";
        let authenticator = session.authenticator_for(wanted).ok_or_else(|| Failure::usage(what, hint))?;
        let made = authenticator.register(ticket.registration_challenge(), session.web_origin())?;
        let registration = json!({"credential": made.credential, "client_data_json": made.client_data_json});
        Ok(Self { registration, display_name })
    }
}

#[derive(Serialize)]
struct SignRequest<'a> {
    member: MemberId,
    #[serde(flatten)]
    assertion: &'a Assertion,
}

/// Runs the command.
pub fn run(command: &FoundingCommand, context: &Context) -> Result<(), Failure> {
    match command {
        FoundingCommand::Register { ticket, name } => register(context, ticket, name.as_deref()),
        FoundingCommand::Show { ticket } => {
            let (client, _) = holder(context, ticket)?;
            let founding: Founding = client.json(&Call::get(context.path("/founding")?))?;
            context.out.show(&founding, || describe(&founding))
        }
        FoundingCommand::Sign { ticket, yes, pin } => sign(context, ticket, *yes, pin.as_deref()),
    }
}

fn holder(context: &Context, ticket: &Ticket) -> Result<(Client, Token), Failure> {
    let token = private_file::read_token(TokenKind::Ticket, &ticket.ticket_file)?;
    Ok((context.anonymous()?.with_token(token.clone()), token))
}

fn register(context: &Context, ticket: &Ticket, name: Option<&str>) -> Result<(), Failure> {
    let (client, token) = holder(context, ticket)?;
    let session = context.session()?;
    let founding: Founding = client.json(&Call::get(context.path("/founding")?))?;
    let you = founding.candidates.iter().find(|candidate| candidate.member == founding.you);
    let path = context.path("/founding/candidates")?;
    let register = |wanted| -> Result<Registered, Failure> {
        let request = RegistrationRequest::new(&session, wanted, &token, name)?;
        Ok(client.json(&Call::post(path.clone(), &request)?)?)
    };
    let mut registered = register(you.and_then(|you| you.next).unwrap_or(Use::Approve))?;
    if let Some(next) = registered.next {
        registered = register(next)?;
    }
    session.remember(registered.member)?;
    context.out.show(&registered, || fields(&[("registered as", registered.member.to_string())]))
}

fn describe(founding: &Founding) -> String {
    let state = match founding.state {
        FoundingState::Collecting => "collecting: founders register",
        FoundingState::Signing => "signing: founders sign",
        FoundingState::Founded => "founded",
    };
    let missing = || "once all have registered".to_owned();
    let mut text = fields(&[
        ("state", state.to_owned()),
        ("origin", founding.origin.to_string()),
        ("vkey", founding.vkey.to_string()),
        ("digest", founding.founding_digest.map_or_else(missing, |digest| digest.to_string())),
    ]);
    let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let rows: Vec<Vec<String>> = founding
        .candidates
        .iter()
        .map(|candidate| {
            let member = candidate.member.map_or_else(|| "-".to_owned(), |member| member.to_string());
            let name = candidate.display_name.clone().unwrap_or_else(|| "-".to_owned());
            vec![name, member, word(candidate.registered), word(candidate.signed)]
        })
        .collect();
    text.push_str(&table(&["NAME", "FOUNDER", "REGISTERED", "SIGNED"], &rows));
    text.push_str(&policy_in_words(&founding.policy_deviations));
    text
}

/// What founders are to know about the policy before they sign it.
fn policy_in_words(deviations: &[String]) -> String {
    if deviations.is_empty() {
        return "The policy is the default one.\n".to_owned();
    }
    let lines = deviations.iter().map(|line| format!("  - {}\n", printable(line)));
    format!("The policy differs from the default one:\n{}", lines.collect::<String>())
}

fn sign(context: &Context, ticket: &Ticket, yes: bool, pin: Option<&Path>) -> Result<(), Failure> {
    let (client, _) = holder(context, ticket)?;
    let session = context.session()?;
    let founding: Founding = client.json(&Call::get(context.path("/founding")?))?;
    let checked = CheckedFounding::open(&founding)?;
    let member = checked.founder_of(session.authenticator().credential())?;
    let names = checked.founders(&founding.candidates)?;
    context.out.note(&summary(&checked, &names));
    context.ask("Sign it? Compare the digest with the other founders' first.", yes)?;
    let assertion = session.assert(checked.digest())?;
    let request = SignRequest { member, assertion: &assertion };
    let path = context.path("/founding/assertions")?;
    let progress: FoundingProgress = client.json(&Call::post(path, &request)?)?;
    if progress.founding_digest.is_some_and(|claimed| claimed != checked.digest()) {
        return Err(Failure::Distrust {
            what: "the server says that another founding digest was signed".to_owned(),
        });
    }
    session.remember(member)?;
    let vkey = checked.document().vkey.to_string();
    let digest = checked.digest().to_string();
    let pinned = pin.map(|folder| write_pins(context, folder, &vkey, &digest)).transpose()?;
    let result = json!({
        "state": progress.state, "member": member, "vkey": vkey, "founding_digest": digest,
        "pinned": pinned,
    });
    context.out.show(&result, || {
        let mut text = fields(&[("pin vkey", vkey.clone()), ("pin founding", digest.clone())]);
        if progress.state == FoundingState::Founded {
            text.push_str("All have signed: the ledger is founded.\n");
        } else {
            text.push_str("Signed. Others have yet to sign.\n");
        }
        for path in pinned.iter().flatten() {
            text.push_str(&format!("wrote {}\n", printable(&path.display().to_string())));
        }
        text
    })
}

/// Everything in it stands in the document, or opens a digest of it.
fn summary(checked: &CheckedFounding, names: &[(MemberId, Option<String>)]) -> String {
    let document = checked.document();
    let mut pairs = vec![
        ("ledger", document.origin.to_string()),
        ("vkey", document.vkey.to_string()),
        (
            "approvals at",
            format!("{} from {}", document.approval_rp.id, join(document.approval_rp.origins.iter())),
        ),
    ];
    let apart = if document.approval_rp.shared {
        "the same authenticators sign in"
    } else {
        "by authenticators that never sign in"
    };
    pairs.push(("sign-ins", apart.to_owned()));
    let text_of = |value: Option<&serde_json::Value>| value.map(ToString::to_string).unwrap_or_default();
    for (founder, (member, name)) in document.founders.iter().zip(names) {
        let roles = text_of(founder.get("roles")).replace(['[', ']', '"'], "").replace(',', ", ");
        let named = name.as_ref().map(|name| format!("{name}, ")).unwrap_or_default();
        pairs.push(("founder", format!("{named}{member} ({roles})")));
    }
    pairs.push(("digest", checked.digest().to_string()));
    let told = deviations(&document.policy, document.founders.len(), document.rules);
    format!("{}{}", fields(&pairs), policy_in_words(&told))
}

/// What verifiers start from. The tenant's name is a slug: it can't leave the folder.
fn write_pins(context: &Context, folder: &Path, vkey: &str, digest: &str) -> Result<Vec<PathBuf>, Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    let tenant = context.tenant()?;
    [("vkey", vkey), ("founding", digest)]
        .into_iter()
        .map(|(ending, text)| {
            let path = folder.join(format!("{tenant}.{ending}"));
            std::fs::write(&path, format!("{text}\n")).map_err(Failure::file("write", &path))?;
            Ok(path)
        })
        .collect()
}
