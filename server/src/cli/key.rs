//! `sealbook key`: the versions of keys in slots.

mod blast_radius;

use clap::{Subcommand, ValueEnum};
use sealbook_ledger::action::{
    ActionType, KeyAdoptParams, KeyDestroyParams, KeyRevokeParams, RevocationReason,
};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;

use super::context::Context;
use super::document::Asked;
use super::failure::Failure;
use super::output::{fields, table};
use super::proposal::Terms;
use super::short_id::IdArg;
use super::slot::SlotArgs;
use crate::client::Call;
use crate::client::answers::{Key, Keys};

/// Keys and their revocation
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the keys that you may see
    List,
    /// Show one key
    Show {
        /// Which
        key: IdArg,
    },
    /// Every signature that it may have made since a moment
    BlastRadius(blast_radius::BlastRadiusArgs),
    /// Propose a slot for a key that is in the device already
    Adopt {
        /// How the device knows the key
        #[arg(long)]
        label: String,
        /// SHA-256 of its public key (SubjectPublicKeyInfo), in hex
        #[arg(long, value_name = "HEX")]
        public_key_sha256: Hash,
        #[command(flatten)]
        slot: Box<SlotArgs>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to have its device forget a key that is retired or revoked
    Destroy {
        /// Which
        key: IdArg,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to revoke a key for good
    Revoke {
        /// Which
        key: IdArg,
        /// Why, by RFC 5280
        #[arg(long, value_enum)]
        because: Because,
        /// Since when it is suspected; with key-compromise only
        #[arg(long)]
        compromised_since: Option<Timestamp>,
        /// Break-glass: your own signature fills one seat
        #[arg(long)]
        emergency: bool,
        #[command(flatten)]
        terms: Terms,
    },
}

/// [`RevocationReason`] on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "each variant is the domain's of the same name")]
pub enum Because {
    AffiliationChanged,
    CessationOfOperation,
    KeyCompromise,
    PrivilegeWithdrawn,
    Superseded,
}

impl From<Because> for RevocationReason {
    fn from(because: Because) -> Self {
        match because {
            Because::AffiliationChanged => Self::AffiliationChanged,
            Because::CessationOfOperation => Self::CessationOfOperation,
            Because::KeyCompromise => Self::KeyCompromise,
            Because::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            Because::Superseded => Self::Superseded,
        }
    }
}

/// Runs the command.
pub fn run(command: &KeyCommand, context: &Context) -> Result<(), Failure> {
    match command {
        KeyCommand::List => {
            let keys: Keys = context.caller()?.json(&Call::get(context.path("/keys")?))?;
            let row = |key: &Key| {
                vec![key.key.to_string(), key.state.clone(), key.slot.to_string(), key.algorithm.to_string()]
            };
            let rows: Vec<_> = keys.keys.iter().map(row).collect();
            context.out.show(&keys, || table(&["KEY", "STATE", "SLOT", "ALGORITHM"], &rows))
        }
        KeyCommand::Show { key } => {
            let key = context.key_id(key)?;
            let key: Key = context.caller()?.json(&Call::get(context.path(&format!("/keys/{key}"))?))?;
            context.out.show(&key, || {
                let digest = key.spki_sha256.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
                let mut text = fields(&[
                    ("key", key.key.to_string()),
                    ("slot", key.slot.to_string()),
                    ("state", key.state.clone()),
                    ("algorithm", key.algorithm.to_string()),
                    ("SPKI SHA-256", digest),
                ]);
                text.push_str(&super::output::printable_lines(key.public_key_pem.as_deref().unwrap_or("")));
                text
            })
        }
        KeyCommand::BlastRadius(args) => blast_radius::run(args, context),
        KeyCommand::Adopt { label, public_key_sha256, slot, terms } => {
            let person = context.person()?;
            let slot = slot.params(context, &person)?;
            let params = KeyAdoptParams { label: label.clone(), slot, spki_sha256: *public_key_sha256 };
            context.propose(&person, &Asked::new(ActionType::KeyAdopt, &params)?, terms)
        }
        KeyCommand::Destroy { key, terms } => {
            let params = KeyDestroyParams { key: context.key_id(key)? };
            context.propose_params(ActionType::KeyDestroy, &params, terms)
        }
        KeyCommand::Revoke { key, because, compromised_since, emergency, terms } => {
            let kind = if *emergency { ActionType::KeyRevokeEmergency } else { ActionType::KeyRevoke };
            let params = KeyRevokeParams {
                compromised_since: *compromised_since,
                key: context.key_id(key)?,
                reason: (*because).into(),
            };
            context.propose_params(kind, &params, terms)
        }
    }
}
