//! `sealbook rotation` and `certificate`: another key, or another certificate, for a slot.

use std::path::Path;

use clap::Subcommand;
use sealbook_ledger::action::{ActionType, CertificateIssueParams, KeyRotateParams, SlotRotationParams};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, SlotName};
use sealbook_ledger::rotation::RotationPolicy;

use super::context::{Context, Person};
use super::document::Asked;
use super::failure::Failure;
use super::json_file;
use super::proposal::Terms;
use super::short_id::IdArg;
use crate::client::Call;
use crate::client::answers::Slot;

/// Rotations: a new key in a slot's old one's place
#[derive(Debug, Subcommand)]
pub enum RotationCommand {
    /// Propose to replace the key that a slot signs with
    Propose {
        /// Which
        slot: SlotName,
        /// Break-glass: your own signature fills one seat, and the old key is retired without an overlap
        #[arg(long)]
        emergency: bool,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Certificates of slots' keys
#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Propose another certificate for a slot's key, as its rotation policy says
    Propose {
        /// Which
        slot: SlotName,
        /// The key; the one that the slot signs with, if absent
        #[arg(long)]
        key: Option<IdArg>,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Runs `sealbook rotation`.
pub fn rotation(command: &RotationCommand, context: &Context) -> Result<(), Failure> {
    let RotationCommand::Propose { slot, emergency, terms } = command;
    let kind = if *emergency { ActionType::KeyRotateEmergency } else { ActionType::KeyRotate };
    let person = context.person()?;
    let shown = show(context, &person, slot)?;
    let (old_key, policy) = (signing_key(&shown)?, policy_digest(&shown)?);
    let params = KeyRotateParams { old_key, policy, slot: slot.clone() };
    context.propose(&person, &Asked::new(kind, &params)?, terms)
}

/// Runs `sealbook certificate`.
pub fn certificate(command: &CertificateCommand, context: &Context) -> Result<(), Failure> {
    let CertificateCommand::Propose { slot, key, terms } = command;
    let person = context.person()?;
    let shown = show(context, &person, slot)?;
    let key = match key {
        Some(given) => context.key_id(given)?,
        None => signing_key(&shown)?,
    };
    let params = CertificateIssueParams { key, policy: policy_digest(&shown)?, slot: slot.clone() };
    context.propose(&person, &Asked::new(ActionType::CertificateIssue, &params)?, terms)
}

/// Proposes another rotation policy for a slot.
pub(super) fn set_policy(
    context: &Context,
    slot: &SlotName,
    file: &Path,
    terms: &Terms,
) -> Result<(), Failure> {
    let params = SlotRotationParams { rotation: read_policy(file)?, slot: slot.clone() };
    context.propose_params(ActionType::SlotRotationSet, &params, terms)
}

/// A rotation policy from a file.
pub(super) fn read_policy(file: &Path) -> Result<RotationPolicy, Failure> {
    let hint = "Start from what `sealbook slot show SLOT --json` prints under `rotation`.";
    let policy: RotationPolicy = json_file::read(file, "rotation policy", hint)?;
    if policy.is_well_formed() {
        return Ok(policy);
    }
    let what = "a rotation policy has 1 to 3650 days between keys, an overlap of at least 7, and a certificate that \
                outlives both together: up to 460 days, a CA's up to 7320";
    Err(Failure::usage(what, hint))
}

fn show(context: &Context, person: &Person, slot: &SlotName) -> Result<Slot, Failure> {
    Ok(person.client.json(&Call::get(context.path(&format!("/slots/{slot}"))?))?)
}

/// The digest of a slot's rotation policy: what is proposed holds under that policy alone.
fn policy_digest(shown: &Slot) -> Result<Hash, Failure> {
    let digest = shown.rotation.as_ref().and_then(|policy| policy.digest().ok());
    let hint = "Its server is older than this program: rotations came with rules version 2.";
    digest.ok_or_else(|| Failure::usage(format!("slot {} shows no rotation policy", shown.slot), hint))
}

/// The key that a slot signs with.
fn signing_key(shown: &Slot) -> Result<KeyId, Failure> {
    shown.active_key.ok_or_else(|| {
        Failure::usage(
            format!("slot {} has no key", shown.slot),
            "See `sealbook slot show`: its first key is not there.",
        )
    })
}
