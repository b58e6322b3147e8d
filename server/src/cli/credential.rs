//! `sealbook credential`: the authenticators of a person who is enrolled already.

use std::path::PathBuf;

use clap::Subcommand;
use sealbook_ledger::action::{ActionType, CredentialAddParams, CredentialRemoveParams};
use sealbook_ledger::encoding::B64;

use super::context::Context;
use super::failure::Failure;
use super::proposal::Terms;
use super::short_id::IdArg;
use crate::authenticator::SoftAuthenticator;

/// Authenticators of people who are enrolled
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Propose another authenticator for somebody
    Add {
        /// Whose
        member: IdArg,
        /// The new authenticator's key file
        file: PathBuf,
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

/// Runs the command.
pub fn run(command: &CredentialCommand, context: &Context) -> Result<(), Failure> {
    match command {
        CredentialCommand::Add { member, file, terms } => {
            let credential = SoftAuthenticator::open(file)?.credential().clone();
            let params = CredentialAddParams { credential, member: context.member_id(member)? };
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
