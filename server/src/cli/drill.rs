//! `sealbook drill`: incidents on keys that were made to be practised on.

mod running;

use clap::{Args, Subcommand};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::ids::{ActionId, BackendName, IncidentId, KeyId, SlotName};
use sealbook_ledger::incident::IncidentStep;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::incident::{Expected, PATIENCE, console, one, show, stated};
use super::output::{fields, table};
use super::sentence::{join, short_end};
use super::short_id::IdArg;
use crate::client::{Call, Client};
use crate::views::incidents::IncidentView;

/// Drills: incidents on keys that were made to be practised on
#[derive(Debug, Subcommand)]
pub enum DrillCommand {
    /// List drills, the slots for them, and when the next one is due
    List,
    /// Start one: the slot's key signs samples, then it is suspected and contained
    Start(StartArgs),
    /// Take what can be taken without anybody else, one step of a tabletop drill
    Advance {
        /// Which
        drill: IdArg,
    },
    /// Show one: its clocks and steps, and what to do next
    Show {
        /// Which
        drill: IdArg,
    },
    /// Advance it until it is closed, and wait for people's approvals meanwhile
    Run(running::RunArgs),
}

/// How a drill is to go.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// A slot for drills
    #[arg(long)]
    slot: SlotName,
    /// People talk each step through before it is taken
    #[arg(long)]
    tabletop: bool,
    #[command(flatten)]
    expected: Expected,
}

/// `GET …/drills`.
#[derive(Serialize, Deserialize)]
struct Drills {
    drills: Vec<IncidentView>,
    slots: Vec<DrillSlot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
}

/// A slot for drills.
#[derive(Serialize, Deserialize)]
struct DrillSlot {
    slot: SlotName,
    algorithm: Algorithm,
    backend: BackendName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_key: Option<KeyId>,
    /// The drill that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<IncidentId>,
}

/// `POST …/incidents/{incident}/advance`.
#[derive(Serialize, Deserialize)]
struct Advanced {
    taken: Vec<IncidentStep>,
    waits_for: Vec<Waiting>,
    incident: IncidentView,
}

/// A step that is left.
#[derive(Serialize, Deserialize)]
struct Waiting {
    step: IncidentStep,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<ActionId>,
}

/// Runs the command.
pub fn run(command: &DrillCommand, context: &Context) -> Result<(), Failure> {
    match command {
        DrillCommand::List => {
            let drills: Drills = context.caller()?.json(&Call::get(context.path("/drills")?))?;
            context.out.show(&drills, || drills.text())
        }
        DrillCommand::Start(args) => {
            let about =
                [("slot", Some(json!(args.slot))), ("tabletop", args.tabletop.then_some(json!(true)))];
            let body = stated(about.into_iter().chain(args.expected.members()?));
            let call = Call::post(context.path("/drills")?, &body)?.within(PATIENCE);
            show(context, &context.person()?.client.json(&call)?)
        }
        DrillCommand::Advance { drill } => {
            let client = context.person()?.client;
            let id = context.drill_id(&client, drill)?;
            let advanced = advance(context, &client, id)?;
            context.out.show(&advanced, || advanced.text())
        }
        DrillCommand::Show { drill } => {
            let client = context.caller()?;
            let id = context.drill_id(&client, drill)?;
            show(context, &one(context, &client, id)?)
        }
        DrillCommand::Run(args) => running::run(context, args),
    }
}

/// Takes what can be taken of a drill without anybody else.
fn advance(context: &Context, client: &Client, id: IncidentId) -> Result<Advanced, Failure> {
    let path = context.path(&format!("/incidents/{id}/advance"))?;
    Ok(client.json(&Call::post(path, &json!({}))?.within(PATIENCE))?)
}

impl Drills {
    fn text(&self) -> String {
        let drills: Vec<_> = self.drills.iter().map(console::row).collect();
        let slot = |slot: &DrillSlot| {
            let open = slot.open.map_or_else(|| "-".to_owned(), |id| short_end(&id.to_string()));
            let algorithm = slot.algorithm.to_string();
            vec![open, algorithm, slot.backend.to_string(), slot.slot.to_string()]
        };
        let slots: Vec<_> = self.slots.iter().map(slot).collect();
        let drills = table(&console::HEADINGS, &drills);
        let slots = table(&["OPEN DRILL", "ALGORITHM", "BACKEND", "SLOT FOR DRILLS"], &slots);
        let due = self.due.map(|due| format!("\nthe next drill is due by {}\n", console::stamp(due)));
        format!("{drills}\n{slots}{}", due.unwrap_or_default())
    }
}

impl Advanced {
    fn text(&self) -> String {
        let taken = join(self.taken.iter().map(|step| console::name(*step)));
        let mut lines = vec![("taken", taken)];
        lines.extend(self.left().into_iter().map(|left| ("waits for", left)));
        if let Some(closed) = &self.incident.closed {
            lines.push(("closed", format!("event {}", closed.mark.seq)));
        }
        format!("{}\n{}", console::head(&self.incident), fields(&lines))
    }

    /// What people have to do for the steps that are left; the others follow by themselves.
    fn left(&self) -> Vec<String> {
        let left = self.incident.steps.iter().filter(|step| !step.done);
        left.filter_map(|step| {
            Some(format!("{}: {}", console::name(step.step), console::decision(&self.incident, step)?))
        })
        .collect()
    }
}
