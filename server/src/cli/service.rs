//! `sealbook service`: machine clients. A service's token is made here; the server learns its SHA-256 alone.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::action::{
    ActionType, ServiceEnrollParams, ServiceGrantParams, ServiceParams, TokenGrant,
};
use sealbook_ledger::ids::{ServiceId, SlotName};
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
            let token = NewToken::draw(token_out, *token_days)?;
            let params = ServiceEnrollParams {
                display_name_digest: None,
                service: ServiceId::from(Uuid::new_v4()),
                slots: slots.iter().cloned().collect(),
                token_expires_at: token.grant.expires_at,
                token_sha256: token.grant.sha256,
            };
            let asked = Asked::new(ActionType::ServiceEnroll, &params)?.with_display_name(Some(name.clone()));
            token.propose(context, &asked, terms)
        }
        ServiceCommand::Grant { service, slots, token_out, token_days, terms } => {
            let token = token_out.as_ref().map(|file| NewToken::draw(file, *token_days)).transpose()?;
            let params = ServiceGrantParams {
                service: context.service_id(service)?,
                slots: slots.iter().cloned().collect(),
                token: token.as_ref().map(|token| token.grant.clone()),
            };
            let asked = Asked::new(ActionType::ServiceGrant, &params)?;
            match token {
                Some(token) => token.propose(context, &asked, terms),
                None => context.propose(&context.person()?, &asked, terms),
            }
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

/// A token that a service is to use, and the new file that it goes to.
struct NewToken<'a> {
    token: Token,
    grant: TokenGrant,
    file: &'a Path,
}

impl<'a> NewToken<'a> {
    /// Draws one. Nothing is written yet, but a file that is there already is refused before anybody is asked anything.
    fn draw(file: &'a Path, days: u32) -> Result<Self, Failure> {
        private_file::is_free(file)?;
        let token = Token::generate(TokenKind::Service).ok_or(Failure::Randomness)?;
        // At most two years: fits in 32 bits of seconds.
        let grant =
            TokenGrant { expires_at: now()?.plus_seconds(days * 24 * 60 * 60), sha256: token.sha256() };
        Ok(Self { token, grant, file })
    }

    /// Proposes what names this token. It is in its file before anything is proposed, for a proposal whose token is lost
    /// would be of no use; and not any more once that has been refused.
    fn propose(self, context: &Context, asked: &Asked, terms: &Terms) -> Result<(), Failure> {
        let person = context.person()?;
        let proposal = context.signed(&person, asked, terms)?;
        private_file::write(self.file, self.token.expose())?;
        let path = printable(&self.file.display().to_string());
        let action = match context.sent(&person, &proposal) {
            Ok(action) => action,
            Err(failure) if failure.is_refusal() => {
                std::fs::remove_file(self.file).map_err(Failure::file("remove", self.file))?;
                return Err(failure);
            }
            Err(failure) => {
                context.out.note(&format!(
                    "The token stays in {path}: it may have been proposed all the same. `sealbook action list` says."
                ));
                return Err(failure);
            }
        };
        context.out.note(&format!("The token is in {path}; it works once the action is executed."));
        let action = context.waited(&person.client, action, &terms.manner)?;
        context.show_action(&person.client, &action)
    }
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
