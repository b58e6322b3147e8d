//! `sealbook ledger-key`, `evidence-key` and `policy`: what a ledger itself runs on.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::action::{ActionType, DeviceKeyParams, PolicySetParams};
use sealbook_ledger::ids::BackendName;
use sealbook_ledger::policy::LedgerPolicy;
use sealbook_ledger::state::RULES;

use super::context::Context;
use super::failure::Failure;
use super::json_file;
use super::output::table;
use super::proposal::Terms;
use super::sentence::join;
use crate::client::Call;
use crate::client::answers::Policy;

/// The key that signs checkpoints
#[derive(Debug, Subcommand)]
pub enum LedgerKeyCommand {
    /// Propose to replace it by a new one
    Rotate {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to continue under the standby
    Recover {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        terms: Terms,
    },
}

/// The key that signs documents
#[derive(Debug, Subcommand)]
pub enum EvidenceKeyCommand {
    /// Propose a new one
    Set {
        #[command(flatten)]
        device: Device,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Who may propose and approve what
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show the ledger policy in force
    Show,
    /// Propose another one, from a JSON file as `policy show --json` prints it under `policy`
    Set {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        terms: Terms,
    },
}

/// The device that makes a key.
#[derive(Debug, clap::Args)]
pub struct Device {
    /// The device
    #[arg(long, default_value = "softhsm")]
    backend: BackendName,
}

/// Runs `sealbook ledger-key`.
pub fn ledger_key(command: &LedgerKeyCommand, context: &Context) -> Result<(), Failure> {
    let (kind, device, terms) = match command {
        LedgerKeyCommand::Rotate { device, terms } => (ActionType::LedgerKeyRotate, device, terms),
        LedgerKeyCommand::Recover { device, terms } => (ActionType::LedgerKeyRecover, device, terms),
    };
    context.propose_params(kind, &DeviceKeyParams { backend: device.backend.clone() }, terms)
}

/// Runs `sealbook evidence-key`.
pub fn evidence_key(command: &EvidenceKeyCommand, context: &Context) -> Result<(), Failure> {
    let EvidenceKeyCommand::Set { device, terms } = command;
    let params = DeviceKeyParams { backend: device.backend.clone() };
    context.propose_params(ActionType::LedgerEvidenceKeySet, &params, terms)
}

/// Runs `sealbook policy`.
pub fn policy(command: &PolicyCommand, context: &Context) -> Result<(), Failure> {
    match command {
        PolicyCommand::Show => show(context),
        PolicyCommand::Set { file, terms } => {
            let policy = read_policy(file)?;
            context.propose_params(ActionType::PolicySet, &PolicySetParams { policy }, terms)
        }
    }
}

fn show(context: &Context) -> Result<(), Failure> {
    let policy: Policy = context.caller()?.json(&Call::get(context.path("/policy")?))?;
    let seat = |clause: &sealbook_ledger::policy::Clause| format!("{} x {}", clause.role, clause.count);
    let rows: Vec<Vec<String>> = policy
        .policy
        .actions
        .iter()
        .map(|(kind, rule)| {
            vec![kind.to_string(), join(rule.quorum.iter().map(seat)), join(rule.proposers.iter())]
        })
        .collect();
    context.out.show(&policy, || {
        let hardware = if policy.policy.credentials.hardware_only { "hardware only" } else { "any kind" };
        let mut text = table(&["ACTION", "QUORUM", "PROPOSED BY"], &rows);
        text.push_str(&format!("authenticators: {hardware}\ndigest: {}\n", policy.policy_digest));
        text
    })
}

fn read_policy(file: &Path) -> Result<LedgerPolicy, Failure> {
    let hint = "Start from what `sealbook policy show --json` prints under `policy`.";
    let policy: LedgerPolicy = json_file::read(file, "ledger policy", hint)?;
    if (1..=RULES).any(|rules| policy.is_well_formed(rules)) {
        Ok(policy)
    } else {
        let what = "the policy must cover every action type, each with proposers and one to eight seats";
        Err(Failure::usage(what, hint))
    }
}
