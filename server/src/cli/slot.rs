//! `sealbook slot`: the named signing purposes of a tenant.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sealbook_ledger::action::{ActionType, SlotCreateParams, SlotParams, SlotPolicyParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::ids::{BackendName, SlotName};
use sealbook_ledger::policy::{ArtifactField, Caller, Environment, Release, SigningPolicy};

use super::context::{Context, Person};
use super::document::Asked;
use super::failure::Failure;
use super::output::{fields, printable, table};
use super::proposal::Terms;
use super::rotation;
use super::sentence::{join, rotation_policy, signing_policy};
use super::short_id::IdArg;
use crate::client::Call;
use crate::client::answers::{Gate, Reason, Slot, SlotCertificate, Slots};

/// Signing slots
#[derive(Debug, Subcommand)]
pub enum SlotCommand {
    /// List the slots that you may see
    List,
    /// Show one slot
    Show {
        /// Which
        slot: SlotName,
    },
    /// Propose a slot and its first key
    Create {
        #[command(flatten)]
        slot: Box<SlotArgs>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose another signing policy for a slot
    SetPolicy {
        /// Which
        slot: SlotName,
        #[command(flatten)]
        policy: PolicyArgs,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose another rotation policy for a slot, from a JSON file as `slot show --json` prints it under `rotation`
    #[command(visible_alias = "set-rotation")]
    Rotation {
        /// Which
        slot: SlotName,
        /// The file
        file: PathBuf,
        #[command(flatten)]
        terms: Terms,
    },
    /// Suspend a slot at once: containment needs one person
    Suspend {
        /// Which
        slot: SlotName,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Propose to let a suspended slot sign again
    Resume {
        /// Which
        slot: SlotName,
        #[command(flatten)]
        terms: Terms,
    },
    /// Ask whether a slot signs now: exit code 0 if it does, 6 if its gate is closed
    Gate {
        /// Which
        slot: SlotName,
    },
    /// Print the public key that a slot signs with, as PEM
    Pubkey {
        /// Which
        slot: SlotName,
        /// As a JSON Web Key (RFC 7517)
        #[arg(long)]
        jwk: bool,
    },
}

/// A slot that is to be.
#[derive(Debug, Clone, Args)]
pub struct SlotArgs {
    /// The slot's name
    slot: SlotName,
    /// What it signs with
    #[arg(long)]
    algorithm: Algorithm,
    /// The device that makes and keeps its keys
    #[arg(long, default_value = "softhsm")]
    backend: BackendName,
    /// The member who answers for it; you, if absent
    #[arg(long)]
    owner: Option<IdArg>,
    /// Days after which its key is to be replaced
    #[arg(long, default_value_t = 90)]
    rotation_days: u16,
    /// Days that an old key stays usable beside a new one
    #[arg(long, default_value_t = 7)]
    overlap_days: u16,
    /// The whole rotation policy, from a JSON file: days, channels, and what the key's certificate says
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rotation_days", "overlap_days"])]
    rotation: Option<PathBuf>,
    /// It is for drills alone: it signs samples, or is a CA of such slots
    #[arg(long)]
    drill: bool,
    #[command(flatten)]
    policy: PolicyArgs,
}

impl SlotArgs {
    /// The parameters that it is asked for with.
    pub(super) fn params(&self, context: &Context, person: &Person) -> Result<SlotCreateParams, Failure> {
        let owner = match &self.owner {
            Some(given) => context.member_id(given)?,
            None => person.session.member()?,
        };
        let rotation = self.rotation.as_deref().map(rotation::read_policy).transpose()?;
        let days = (self.rotation_days, self.overlap_days);
        let (rotation_days, overlap_days) =
            rotation.as_ref().map_or(days, |rotation| (rotation.rotation_days, rotation.overlap_days));
        Ok(SlotCreateParams {
            algorithm: self.algorithm,
            backend: self.backend.clone(),
            drill: self.drill,
            overlap_days,
            owner,
            rotation,
            rotation_days,
            signing_policy: self.policy.to_policy(),
            slot: self.slot.clone(),
        })
    }
}

/// What may be signed, by whom.
#[derive(Debug, Clone, Args)]
pub struct PolicyArgs {
    /// An environment that may be signed for; give it for each; all if absent
    #[arg(long = "environment", value_enum)]
    environments: Vec<EnvironmentArg>,
    /// An environment for which people approve each signature first; give it for each
    #[arg(long = "approval", value_enum)]
    approval: Vec<EnvironmentArg>,
    /// Who may ask; give it for each
    #[arg(long = "caller", value_enum, default_values_t = [CallerArg::Services])]
    callers: Vec<CallerArg>,
    /// When a signature may leave the server
    #[arg(long, value_enum, default_value_t = ReleaseArg::Durable)]
    release: ReleaseArg,
    /// What a caller must say about an artifact; give it for each
    #[arg(long = "require", value_enum)]
    fields: Vec<FieldArg>,
    /// Most signatures a minute
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate_per_minute: Option<u32>,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident = $type:ident { $($variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        #[value(rename_all = "snake_case")]
        #[allow(missing_docs, reason = "each variant is the domain's of the same name")]
        pub enum $name {
            $($variant,)+
        }

        impl From<$name> for $type {
            fn from(choice: $name) -> Self {
                match choice { $($name::$variant => Self::$variant,)+ }
            }
        }
    };
}

choice!(
    /// [`Environment`] on a command line.
    EnvironmentArg = Environment { Development, Production, Staging, }
);
choice!(
    /// [`Caller`] on a command line.
    CallerArg = Caller { PackagingEngineers, Services, }
);
choice!(
    /// [`Release`] on a command line.
    ReleaseArg = Release { Durable, Sealed, }
);
choice!(
    /// [`ArtifactField`] on a command line.
    FieldArg = ArtifactField { Name, Ticket, Version, }
);

impl PolicyArgs {
    fn to_policy(&self) -> SigningPolicy {
        let environments = self.environments.iter().copied().map(Environment::from);
        let default = SigningPolicy::default();
        SigningPolicy {
            approval: self.approval.iter().copied().map(Into::into).collect(),
            artifact_fields: self.fields.iter().copied().map(ArtifactField::from).collect(),
            callers: self.callers.iter().copied().map(Caller::from).collect(),
            environments: if self.environments.is_empty() {
                default.environments
            } else {
                environments.collect()
            },
            rate_per_minute: self.rate_per_minute,
            release: self.release.into(),
            v: default.v,
        }
    }
}

/// Runs the command.
pub fn run(command: &SlotCommand, context: &Context) -> Result<(), Failure> {
    match command {
        SlotCommand::List => list(context),
        SlotCommand::Show { slot } => show(context, slot),
        SlotCommand::Create { slot, terms } => {
            let person = context.person()?;
            let params = slot.params(context, &person)?;
            context.propose(&person, &Asked::new(ActionType::SlotCreate, &params)?, terms)
        }
        SlotCommand::SetPolicy { slot, policy, terms } => {
            let params = SlotPolicyParams { signing_policy: policy.to_policy(), slot: slot.clone() };
            context.propose_params(ActionType::SlotPolicySet, &params, terms)
        }
        SlotCommand::Rotation { slot, file, terms } => rotation::set_policy(context, slot, file, terms),
        SlotCommand::Suspend { slot, reason } => {
            super::suspend(context, &format!("/slots/{slot}"), reason.as_deref())
        }
        SlotCommand::Resume { slot, terms } => {
            context.propose_params(ActionType::SlotResume, &SlotParams { slot: slot.clone() }, terms)
        }
        SlotCommand::Gate { slot } => gate(context, slot),
        SlotCommand::Pubkey { slot, jwk } => {
            let format = if *jwk { "jwk" } else { "pem" };
            let path = context.path(&format!("/slots/{slot}/pubkey?format={format}"))?;
            let key = context.caller()?.text(&Call::get(path))?;
            context.out.line(super::output::printable_lines(&key).trim_end())
        }
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let slots: Slots = context.caller()?.json(&Call::get(context.path("/slots")?))?;
    let row = |slot: &Slot| {
        let algorithm = slot.algorithm.to_string();
        let name = if slot.drill { format!("{} (DRILL)", slot.slot) } else { slot.slot.to_string() };
        vec![name, slot.status.clone(), algorithm, slot.backend.to_string()]
    };
    let rows: Vec<_> = slots.slots.iter().map(row).collect();
    context.out.show(&slots, || table(&["SLOT", "STATUS", "ALGORITHM", "BACKEND"], &rows))
}

fn show(context: &Context, slot: &SlotName) -> Result<(), Failure> {
    let client = context.caller()?;
    let slot: Slot = client.json(&Call::get(context.path(&format!("/slots/{slot}"))?))?;
    context.out.show(&slot, || {
        let none = || "none".to_owned();
        let days = |seconds: u64| format!("{} days", seconds / (24 * 60 * 60));
        let meant = if slot.drill { "DRILL: for drills alone" } else { "signing, or a CA" };
        fields(&[
            ("slot", slot.slot.to_string()),
            ("meant for", meant.to_owned()),
            ("status", slot.status.clone()),
            ("algorithm", slot.algorithm.to_string()),
            ("backend", slot.backend.to_string()),
            ("owner", slot.owner.to_string()),
            ("key", slot.active_key.map_or_else(none, |key| key.to_string())),
            ("key's age", slot.key_age_s.map_or_else(none, days)),
            ("due", slot.due_at.map_or_else(none, |at| at.to_string())),
            ("certificate", slot.certificate.as_ref().map_or_else(none, certificate)),
            ("rotation", slot.rotation.as_ref().map_or_else(none, rotation_policy)),
            ("under way", slot.open_rotation.map_or_else(none, |id| format!("rotation {id}"))),
            ("policy", signing_policy(&slot.signing_policy)),
            ("policy digest", slot.policy_digest.to_string()),
        ])
    })
}

fn certificate(held: &SlotCertificate) -> String {
    format!("{} until {}", held.fingerprint, held.not_after)
}

fn gate(context: &Context, slot: &SlotName) -> Result<(), Failure> {
    let gate: Gate = context.caller()?.json(&Call::get(context.path(&format!("/slots/{slot}/gate"))?))?;
    context.out.show(&gate, || {
        let none = || "none".to_owned();
        let mut text = fields(&[
            ("slot", gate.slot.to_string()),
            ("gate", if gate.pass { "open" } else { "closed" }.to_owned()),
            ("key", gate.key.map_or_else(none, |key| key.to_string())),
            ("certificate", gate.certificate_fingerprint.map_or_else(none, |hash| hash.to_string())),
            ("its age", gate.certificate_age_days.map_or_else(none, |days| format!("{days} days"))),
            ("interval", format!("{} days", gate.rotation_interval)),
            ("due", gate.due_at.map_or_else(none, |at| at.to_string())),
        ]);
        let reason =
            |reason: &Reason| format!("{}: {}\n", printable(&reason.code), printable(&reason.sentence));
        text.extend(gate.reasons.iter().map(reason));
        text
    })?;
    if gate.pass {
        return Ok(());
    }
    let reasons = join(gate.reasons.iter().map(|reason| printable(&reason.code)));
    Err(Failure::GateClosed { slot: slot.clone(), reasons })
}
