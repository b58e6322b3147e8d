//! `sealbook sign`: files are hashed here, their digests are signed there, and what comes back is checked here.

mod approval;
mod artifact;
mod one;
mod summary;
mod verify_txt;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use sealbook_ledger::ids::SlotName;

use super::context::Context;
use super::failure::{Exit, Failure};
use super::slot::EnvironmentArg;
use one::{Outcome, Signer, Target};

/// Most threads that sign at once.
const MAX_JOBS: u16 = 64;

/// Sign files: writes FILE.sig, FILE.tlog-proof and FILE.VERIFY.txt
///
/// Exit codes: 0 signed, 3 awaiting approval, 4 refused, 5 unavailable.
#[derive(Debug, Args)]
pub struct SignCommand {
    /// The slot to sign with
    #[arg(long, short)]
    slot: SlotName,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the artifacts are meant to go
    #[arg(long, value_enum, default_value_t = EnvironmentArg::Production)]
    environment: EnvironmentArg,
    /// The artifacts' version
    #[arg(long, value_name = "VERSION")]
    artifact_version: Option<String>,
    /// The ticket that asked for them
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// The folder to write to; beside each file, if absent
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many files are signed at once
    #[arg(long, short, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_JOBS)))]
    jobs: u16,
    /// Longest wait for an event to be sealed, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    receipt_wait: u64,
    /// Ask people for all files at once where the slot's policy wants approval; what several files do by themselves
    #[arg(long)]
    batch: bool,
    /// Why the files are to be signed, for those who approve it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait for people's approval, so many seconds at most, and sign then
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "3600")]
    wait: Option<u64>,
    /// Also print a table for CI pages
    #[arg(long, value_enum)]
    summary: Option<SummaryFormat>,
}

/// How the summary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// A table in Markdown.
    Markdown,
}

/// Runs the command.
pub fn run(command: &SignCommand, context: &Context) -> Result<(), Failure> {
    let targets = Target::all(&command.files, command.out.as_deref())?;
    if let Some(folder) = &command.out {
        std::fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    }
    let request = one::Request {
        slot: command.slot.clone(),
        environment: command.environment.into(),
        version: command.artifact_version.clone(),
        ticket: command.ticket.clone(),
        receipt_wait: Duration::from_secs(command.receipt_wait),
    };
    let signer = Signer::new(context, request)?;
    let together = command.batch || targets.len() > 1;
    // A person asks by an action of their own; a service asks by signing.
    let ask = !(signer.asks_people() && together && !context.is_person());
    let mut run = approval::Run {
        signer: &signer,
        targets: &targets,
        outcomes: sign_all(context, &signer, &targets, usize::from(command.jobs), ask),
    };
    run.ask_together(command.reason.as_deref());
    if let Some(seconds) = command.wait {
        run.wait(context, Duration::from_secs(seconds), usize::from(command.jobs));
    }
    let outcomes = run.outcomes;
    report(command, context, &outcomes)
}

/// Signs the targets on some threads; outcomes stand in the targets' order.
fn sign_all(context: &Context, signer: &Signer, targets: &[Target], jobs: usize, ask: bool) -> Vec<Outcome> {
    let bar = context.out.progress(targets.len() as u64, "{bar:30} {pos}/{len} signed ({eta} left)");
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::with_capacity(targets.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(targets.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(target) = targets.get(at) else { break };
                    let outcome = signer.sign(target, ask);
                    bar.inc(1);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, outcome));
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn report(command: &SignCommand, context: &Context, outcomes: &[Outcome]) -> Result<(), Failure> {
    let markdown = command.summary.is_some();
    context.out.show(&summary::json(outcomes), || {
        if markdown { summary::markdown(&command.slot, outcomes) } else { summary::text(outcomes) }
    })?;
    let unsigned: Vec<Exit> = outcomes.iter().map(Outcome::exit).filter(|exit| *exit != Exit::Done).collect();
    for awaiting in summary::awaited(outcomes) {
        context.out.note(&summary::waits(awaiting));
    }
    match worst(&unsigned) {
        None => Ok(()),
        Some(exit) => {
            for failure in outcomes.iter().filter_map(Outcome::failure) {
                context.out.note(failure.report().trim_end());
            }
            Err(Failure::Unsigned { unsigned: unsigned.len(), files: outcomes.len(), exit })
        }
    }
}

/// The exit code of several files: a refusal outranks an outage, an outage outranks a wait for approval; what failed
/// on this machine outranks all.
fn worst(exits: &[Exit]) -> Option<Exit> {
    [Exit::Failed, Exit::Usage, Exit::Refused, Exit::Unavailable, Exit::Awaiting]
        .into_iter()
        .find(|exit| exits.contains(exit))
}
