//! `sealbook authenticator`: a person's key in a file, until the browser arrives.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::output::fields;
use crate::authenticator::SoftAuthenticator;

/// Software authenticators: recorded as `software`, for a file can be copied
#[derive(Debug, Subcommand)]
pub enum AuthenticatorCommand {
    /// Make a key in a new file of mode 0600
    Create {
        /// The file; an existing one is refused
        file: PathBuf,
        /// The relying party id; the host of --url if absent
        #[arg(long)]
        rp_id: Option<String>,
    },
    /// Show the public half of a key file
    Show {
        /// The file
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(command: &AuthenticatorCommand, context: &Context) -> Result<(), Failure> {
    let authenticator = match command {
        AuthenticatorCommand::Create { file, rp_id } => {
            let rp_id = rp_id.as_deref().unwrap_or(context.url().host());
            SoftAuthenticator::create(file, rp_id)?
        }
        AuthenticatorCommand::Show { file } => SoftAuthenticator::open(file)?,
    };
    let credential = authenticator.credential();
    let key = credential.cose_public_key.as_bytes();
    let result = json!({
        "credential_id": credential.credential_id,
        "rp_id": credential.rp_id,
        "kind": credential.kind,
        "cose_public_key": credential.cose_public_key,
    });
    context.out.show(&result, || {
        fields(&[
            ("credential", credential.credential_id.to_string()),
            ("relying party", credential.rp_id.clone()),
            ("kind", "software (a file can be copied)".to_owned()),
            ("public key", format!("ES256, COSE of {} bytes", key.len())),
        ])
    })
}
