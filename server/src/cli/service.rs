//! `sealbook service`: machine clients. A service's token is made here; the server learns its SHA-256 alone.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::action::{
    ActionType, ServiceEnrollParams, ServiceGrantParams, ServiceParams, TokenGrant,
};
use sealbook_ledger::ids::{ServiceId, SlotName};
use sealbook_ledger::timestamp::Timestamp;
use uuid::Uuid;

use super::context::{Context, now};
use super::document::Asked;
use super::failure::Failure;
use super::output::{printable, table};
use super::private_file;
use super::proposal::Terms;
use super::sentence::join;
use super::short_id::IdArg;
use crate::client::answers::{Service, Services};
use crate::client::{Call, Token, TokenKind};

/// Machine clients and their tokens
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// List the services
    List,
    /// Make a token here, and propose a service that uses it
    Enroll {
        /// The service's name
        name: String,
        /// A slot that it may use; give it for each
        #[arg(long = "slot", required = true)]
        slots: Vec<SlotName>,
        /// The new file that the token is written to
        #[arg(long, value_name = "FILE")]
        token_out: PathBuf,
        /// Days after which the token expires
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=730))]
        token_days: u32,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose other slots for a service, or another token
    Grant {
        /// Which service
        service: IdArg,
        /// A slot that it may use from then on; give it for each
        #[arg(long = "slot")]
        slots: Vec<SlotName>,
        /// Make a new token and write it to this new file
        #[arg(long, value_name = "FILE")]
        token_out: Option<PathBuf>,
        /// Days after which the new token expires
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=730))]
        token_days: u32,
        #[command(flatten)]
        terms: Terms,
    },
    /// Suspend a service at once: containment needs one person
    Suspend {
        /// Which
        service: IdArg,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Propose to lift a suspension
    Restore {
        /// Which
        service: IdArg,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to remove a service
    Remove {
        /// Which
        service: IdArg,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Runs the command.
pub fn run(command: &ServiceCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ServiceCommand::List => list(context),
        ServiceCommand::Enroll { name, slots, token_out, token_days, terms } => {
            let (token_sha256, token_expires_at) = new_token(context, token_out, *token_days)?;
            let params = ServiceEnrollParams {
                display_name_digest: None,
                service: ServiceId::from(Uuid::new_v4()),
                slots: slots.iter().cloned().collect(),
                token_expires_at,
                token_sha256,
            };
            let asked = Asked::new(ActionType::ServiceEnroll, &params)?.with_display_name(Some(name.clone()));
            context.propose(&context.person()?, &asked, terms)
        }
        ServiceCommand::Grant { service, slots, token_out, token_days, terms } => {
            let made = token_out.as_ref().map(|file| new_token(context, file, *token_days)).transpose()?;
            let token = made.map(|(sha256, expires_at)| TokenGrant { expires_at, sha256 });
            let params = ServiceGrantParams {
                service: context.service_id(service)?,
                slots: slots.iter().cloned().collect(),
                token,
            };
            context.propose_params(ActionType::ServiceGrant, &params, terms)
        }
        ServiceCommand::Suspend { service, reason } => {
            super::suspend(context, &format!("/services/{}", context.service_id(service)?), reason.as_deref())
        }
        ServiceCommand::Restore { service, terms } => {
            let params = ServiceParams { service: context.service_id(service)? };
            context.propose_params(ActionType::ServiceRestore, &params, terms)
        }
        ServiceCommand::Remove { service, terms } => {
            let params = ServiceParams { service: context.service_id(service)? };
            context.propose_params(ActionType::ServiceRemove, &params, terms)
        }
    }
}

/// Writes a new token before anything is proposed: a proposal whose token is lost would be of no use.
fn new_token(
    context: &Context,
    file: &Path,
    days: u32,
) -> Result<(sealbook_ledger::encoding::Hash, Timestamp), Failure> {
    let token = Token::generate(TokenKind::Service).ok_or(Failure::Randomness)?;
    private_file::write(file, token.expose())?;
    let path = printable(&file.display().to_string());
    context.out.note(&format!("The token is in {path}; it works once the action is executed."));
    // At most two years: fits in 32 bits of seconds.
    Ok((token.sha256(), now()?.plus_seconds(days * 24 * 60 * 60)))
}

fn list(context: &Context) -> Result<(), Failure> {
    let services: Services = context.caller()?.json(&Call::get(context.path("/services")?))?;
    let row = |service: &Service| {
        let name = service.display_name.clone().unwrap_or_else(|| "-".to_owned());
        vec![service.service.to_string(), service.status.clone(), name, join(service.slots.iter())]
    };
    let rows: Vec<_> = services.services.iter().map(row).collect();
    context.out.show(&services, || table(&["SERVICE", "STATUS", "NAME", "SLOTS"], &rows))
}
