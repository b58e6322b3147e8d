//! A drill from its start to its end: what one person may take is taken, and what takes others is waited for.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use sealbook_ledger::ids::ActionId;

use super::{Advanced, advance};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::incident::{console, one};
use crate::cli::short_id::IdArg;
use crate::client::Client;
use crate::views::incidents::{IncidentView, StepView};

/// The pauses between looks at a drill that waits for people.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LATER_LOOKS: Duration = Duration::from_secs(2);

/// Which drill, and how patiently.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which
    drill: IdArg,
    /// Don't ask before each step of a tabletop drill
    #[arg(long, short)]
    yes: bool,
    /// Longest wait for people, in seconds
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    wait_for: u64,
}

pub(super) fn run(context: &Context, args: &RunArgs) -> Result<(), Failure> {
    let client = context.person()?.client;
    let id = context.drill_id(&client, &args.drill)?;
    let mut seen = one(context, &client, id)?;
    while seen.is_open() {
        if seen.tabletop {
            pause(context, &seen, args.yes)?;
        }
        let advanced = advance(context, &client, id)?;
        tell(context, &advanced)?;
        seen = advanced.incident;
        // A tabletop drill takes a step a call: only a call that takes none waits for people.
        if seen.is_open() && (advanced.taken.is_empty() || !seen.tabletop) {
            seen = changed(context, &client, &seen, args.wait_for)?;
        }
    }
    if context.out.is_json() { Ok(()) } else { context.out.line(console::describe(&seen).trim_end()) }
}

/// One JSON value a line, or lines for people.
fn tell(context: &Context, advanced: &Advanced) -> Result<(), Failure> {
    if context.out.is_json() {
        let line = serde_json::to_string(advanced).map_err(|error| Failure::Output(error.into()))?;
        context.out.line(&line)
    } else {
        context.out.line(&advanced.text())
    }
}

/// Lets people talk before a step is taken.
fn pause(context: &Context, drill: &IncidentView, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::NotConfirmed);
    }
    let next = drill.next().map_or_else(|| "the end".to_owned(), |step| console::name(step.step));
    context.out.note(&format!("{}: {next} comes next. Who does what?", console::head(drill)));
    let mut stderr = io::stderr().lock();
    write!(stderr, "Press Enter to go on. ").and_then(|()| stderr.flush()).map_err(Failure::Output)?;
    match io::stdin().lock().read_line(&mut String::new()) {
        Ok(0) => Err(Failure::NotConfirmed),
        read => read.map(drop).map_err(Failure::Output),
    }
}

/// The drill once people have done something for it.
fn changed(
    context: &Context,
    client: &Client,
    seen: &IncidentView,
    patience: u64,
) -> Result<IncidentView, Failure> {
    let deadline = Instant::now() + Duration::from_secs(patience);
    let spinner = context.out.progress(0, "{spinner} DRILL: waiting for people ({elapsed})");
    let mut wait = FIRST_LOOK;
    loop {
        let now = one(context, client, seen.incident)?;
        if stands(&now) != stands(seen) {
            spinner.finish_and_clear();
            return Ok(now);
        }
        if Instant::now() + wait >= deadline {
            return Err(Failure::TimedOut { what: format!("drill {}", seen.incident) });
        }
        spinner.tick();
        thread::sleep(wait);
        wait = (wait * 2).min(LATER_LOOKS);
    }
}

/// What people change of a drill: steps and proposals for them, and its end. Time alone changes nothing.
fn stands(drill: &IncidentView) -> (bool, Vec<(bool, Option<ActionId>)>) {
    let step = |step: &StepView| (step.done, step.pending.or(step.rotation));
    (drill.is_open(), drill.steps.iter().map(step).collect())
}
