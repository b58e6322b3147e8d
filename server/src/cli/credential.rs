//! `sealbook credential`: the authenticators of a person who is enrolled already.

use std::path::PathBuf;

use clap::Subcommand;
use sealbook_ledger::action::{ActionType, CredentialAddParams, CredentialRemoveParams};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::webauthn::Credential;

use super::context::Context;
use super::failure::Failure;
use super::proposal::Terms;
use super::short_id::IdArg;
use crate::authenticator::SoftAuthenticator;
use crate::client::Call;
use crate::client::answers::{Candidate, Candidates};
use crate::relying_parties::Use;

/// Authenticators of people who are enrolled
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Invite a member to register another authenticator: writes a one-time ticket to hand over privately
    Invite {
        /// Whom; members may invite themselves
        member: IdArg,
        /// One that signs in and never approves, where the tenant keeps the two apart
        #[arg(long)]
        to_sign_in: bool,
        /// The file that the ticket is written to
        #[arg(long, value_name = "FILE")]
        ticket_out: PathBuf,
    },
    /// Propose another authenticator for somebody: a key file, or what they registered by invitation
    Add {
        /// Whose
        member: IdArg,
        /// The new authenticator's key file
        #[arg(required_unless_present = "candidate", conflicts_with = "candidate")]
        file: Option<PathBuf>,
        /// The invitation under which it was registered, as `member candidates` lists it
        #[arg(long)]
        candidate: Option<String>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to take an authenticator from somebody
    Remove {
        /// Whose
        member: IdArg,
        /// Which, as `member show` lists it; one that begins with a hyphen comes last, after `--`
        credential: B64,
        #[command(flatten)]
        terms: Terms,
    },
    /// Suspend an authenticator at once: containment needs one person
    Suspend {
        /// Whose
        member: IdArg,
        /// Which, as `member show` lists it; one that begins with a hyphen comes last, after `--`
        credential: B64,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

/// What a member registered by invitation.
fn registered(context: &Context, member: MemberId, wanted: Option<&str>) -> Result<Credential, Failure> {
    let all: Candidates = context.person()?.client.json(&Call::get(context.path("/candidates")?))?;
    let fits = |candidate: &Candidate| {
        wanted == Some(candidate.candidate.as_str()) && candidate.member == Some(member)
    };
    let found = all.candidates.into_iter().find(fits).and_then(|candidate| candidate.credential);
    let hint = "`sealbook member candidates` lists the invitations; the member has to register first.";
    found.ok_or_else(|| Failure::usage("nothing is registered under this invitation for the member", hint))
}

/// Runs the command.
pub fn run(command: &CredentialCommand, context: &Context) -> Result<(), Failure> {
    match command {
        CredentialCommand::Invite { member, to_sign_in, ticket_out } => {
            let path = format!("/members/{}/invitations", context.member_id(member)?);
            let uses = if *to_sign_in { &[Use::SignIn][..] } else { &[] };
            super::member::issue(context, &path, &serde_json::json!({ "uses": uses }), ticket_out)
        }
        CredentialCommand::Add { member, file, candidate, terms } => {
            let member = context.member_id(member)?;
            let credential = match (file, candidate) {
                (Some(file), _) => SoftAuthenticator::open(file)?.credential().clone(),
                (None, wanted) => registered(context, member, wanted.as_deref())?,
            };
            let params = CredentialAddParams { credential, member };
            context.propose_params(ActionType::CredentialAdd, &params, terms)
        }
        CredentialCommand::Remove { member, credential, terms } => {
            let params = CredentialRemoveParams {
                credential_id: credential.clone(),
                member: context.member_id(member)?,
            };
            context.propose_params(ActionType::CredentialRemove, &params, terms)
        }
        CredentialCommand::Suspend { member, credential, reason } => super::suspend(
            context,
            &format!("/members/{}/credentials/{credential}", context.member_id(member)?),
            reason.as_deref(),
        ),
    }
}
