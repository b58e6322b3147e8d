//! `sealbook sign`: files are hashed here, their digests are signed there, and what comes back is checked here.

mod approval;
mod artifact;
mod one;
mod outlet;
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
use outlet::Beside;

pub(super) use artifact::Artifact;
pub(super) use one::{Outcome, Released, Request, Signer, Target};
pub(super) use outlet::{Outlet, write_whole};

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
    let request = Request {
        slot: command.slot.clone(),
        environment: command.environment.into(),
        version: command.artifact_version.clone(),
        ticket: command.ticket.clone(),
        receipt_wait: Duration::from_secs(command.receipt_wait),
    };
    let signer = Signer::new(context, request, Box::new(Beside))?;
    let course = Course {
        jobs: usize::from(command.jobs),
        together: command.batch || targets.len() > 1,
        reason: command.reason.as_deref(),
        wait: command.wait.map(Duration::from_secs),
    };
    let outcomes = course.run(context, &signer, &targets);
    report(command, context, &outcomes)
}

/// How the files of a run are signed.
pub(super) struct Course<'a> {
    /// How many at once.
    pub(super) jobs: usize,
    /// Whether people are asked for all of them by one action.
    pub(super) together: bool,
    /// Why they are to be signed, for those who approve it.
    pub(super) reason: Option<&'a str>,
    /// How long people's approval is waited for.
    pub(super) wait: Option<Duration>,
}

impl Course<'_> {
    /// Signs the targets, asks people where that is needed, and waits for them where that is wanted.
    pub(super) fn run(&self, context: &Context, signer: &Signer, targets: &[Target]) -> Vec<Outcome> {
        // A person asks by an action of their own; a service asks by signing.
        let ask = !(signer.asks_people() && self.together && !context.is_person());
        let outcomes = sign_all(context, signer, targets, self.jobs, ask);
        let mut run = approval::Run { signer, targets, outcomes };
        run.ask_together(self.reason);
        if let Some(wait) = self.wait {
            run.wait(context, wait, self.jobs);
        }
        run.outcomes
    }
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
    conclude(context, outcomes)
}

/// Says what is waited for and what failed, and ends with the gravest of it.
pub(super) fn conclude(context: &Context, outcomes: &[Outcome]) -> Result<(), Failure> {
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

/// The files of a run, one object each.
pub(super) fn told(outcomes: &[Outcome]) -> serde_json::Value {
    summary::json(outcomes)
}

/// The same for terminals.
pub(super) fn shown(outcomes: &[Outcome]) -> String {
    summary::text(outcomes)
}

/// The exit code of several files: a refusal outranks an outage, an outage outranks a wait for approval; what failed
/// on this machine outranks all.
fn worst(exits: &[Exit]) -> Option<Exit> {
    [Exit::Failed, Exit::Usage, Exit::Refused, Exit::Unavailable, Exit::Awaiting]
        .into_iter()
        .find(|exit| exits.contains(exit))
}
