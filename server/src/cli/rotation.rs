//! `sealbook rotation`: a new key in a slot's old one's place.

mod steps;

use std::path::Path;

use clap::Subcommand;
use sealbook_ledger::action::{ActionType, KeyRotateParams, SlotRotationParams};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, ChannelName, KeyId, SlotName};
use sealbook_ledger::rotation::RotationPolicy;
use serde_json::json;

use super::context::{Context, Person};
use super::document::Asked;
use super::failure::Failure;
use super::json_file;
use super::output::table;
use super::proposal::Terms;
use super::short_id::IdArg;
use crate::client::answers::{Rotation, Rotations, Slot};
use crate::client::{Call, Client};

/// Rotations: a new key in a slot's old one's place
#[derive(Debug, Subcommand)]
pub enum RotationCommand {
    /// List rotations, the newest first
    List {
        /// Only of this slot
        #[arg(long)]
        slot: Option<SlotName>,
        /// Only those that have not ended
        #[arg(long)]
        open: bool,
        /// Most that are shown
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one rotation, step by step
    Show {
        /// Which
        rotation: IdArg,
        /// Follow it until it ends; fails with exit code 4 if the rotation does
        #[arg(long)]
        watch: bool,
    },
    /// Say that signatures of the new key work: whoever signs with the slot
    Confirm {
        /// Which
        rotation: IdArg,
    },
    /// Say that a channel relies on the new key
    Moved {
        /// Which
        rotation: IdArg,
        /// The channel, as the slot's rotation policy names it
        channel: ChannelName,
    },
    /// Stop a rotation before its cutover, at once: the old key stays in charge
    Stop {
        /// Which
        rotation: IdArg,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
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

/// Runs the command.
pub fn run(command: &RotationCommand, context: &Context) -> Result<(), Failure> {
    match command {
        RotationCommand::List { slot, open, limit } => list(context, slot.as_ref(), *open, *limit),
        RotationCommand::Show { rotation, watch } => {
            let client = context.caller()?;
            let id = context.rotation_id(&client, rotation)?;
            if *watch {
                steps::watch(context, &client, id)
            } else {
                show(context, &one(context, &client, id)?)
            }
        }
        RotationCommand::Confirm { rotation } => tell(context, rotation, "/confirm"),
        RotationCommand::Moved { rotation, channel } => {
            tell(context, rotation, &format!("/channels/{channel}"))
        }
        RotationCommand::Stop { rotation, reason } => {
            let client = context.person()?.client;
            let id = context.rotation_id(&client, rotation)?;
            let body = reason.as_ref().map_or_else(|| json!({}), |reason| json!({"reason": reason}));
            let path = context.path(&format!("/rotations/{id}/stop"))?;
            show(context, &client.json(&Call::post(path, &body)?)?)
        }
        RotationCommand::Propose { slot, emergency, terms } => propose(context, slot, *emergency, terms),
    }
}

fn list(context: &Context, slot: Option<&SlotName>, open: bool, limit: u32) -> Result<(), Failure> {
    let mut path = context.path(&format!("/rotations?limit={limit}"))?;
    if let Some(slot) = slot {
        path.push_str(&format!("&slot={slot}"));
    }
    if open {
        path.push_str("&open=true");
    }
    let rotations: Rotations = context.caller()?.json(&Call::get(path))?;
    let row = |rotation: &Rotation| {
        let began = rotation.started_at.to_string();
        let began = began.get(..10).unwrap_or(&began).to_owned();
        vec![rotation.rotation.to_string(), rotation.state.clone(), began, rotation.slot.to_string()]
    };
    let rows: Vec<_> = rotations.rotations.iter().map(row).collect();
    context.out.show(&rotations, || table(&["ROTATION", "STATE", "STARTED", "SLOT"], &rows))
}

fn one(context: &Context, client: &Client, id: ActionId) -> Result<Rotation, Failure> {
    Ok(client.json(&Call::get(context.path(&format!("/rotations/{id}"))?))?)
}

fn show(context: &Context, rotation: &Rotation) -> Result<(), Failure> {
    context.out.show(rotation, || steps::describe(rotation))
}

/// Says something of a rotation, by a path below its own, and shows how it stands then.
fn tell(context: &Context, rotation: &IdArg, what: &str) -> Result<(), Failure> {
    let client = context.caller()?;
    let id = context.rotation_id(&client, rotation)?;
    let path = context.path(&format!("/rotations/{id}{what}"))?;
    show(context, &client.json(&Call::post(path, &json!({}))?)?)
}

fn propose(context: &Context, slot: &SlotName, emergency: bool, terms: &Terms) -> Result<(), Failure> {
    let kind = if emergency { ActionType::KeyRotateEmergency } else { ActionType::KeyRotate };
    let person = context.person()?;
    let shown = shown_slot(context, &person, slot)?;
    let (old_key, policy) = (signing_key(&shown)?, policy_digest(&shown)?);
    let params = KeyRotateParams { old_key, policy, slot: slot.clone() };
    context.propose(&person, &Asked::new(kind, &params)?, terms)
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

pub(super) fn shown_slot(context: &Context, person: &Person, slot: &SlotName) -> Result<Slot, Failure> {
    Ok(person.client.json(&Call::get(context.path(&format!("/slots/{slot}"))?))?)
}

/// The digest of a slot's rotation policy: what is proposed holds under that policy alone.
pub(super) fn policy_digest(shown: &Slot) -> Result<Hash, Failure> {
    let digest = shown.rotation.as_ref().and_then(|policy| policy.digest().ok());
    let hint = "Its server is older than this program: rotations came with rules version 2.";
    digest.ok_or_else(|| Failure::usage(format!("slot {} shows no rotation policy", shown.slot), hint))
}

/// The key that a slot signs with.
pub(super) fn signing_key(shown: &Slot) -> Result<KeyId, Failure> {
    shown.active_key.ok_or_else(|| {
        Failure::usage(
            format!("slot {} has no key", shown.slot),
            "See `sealbook slot show`: its first key is not there.",
        )
    })
}
