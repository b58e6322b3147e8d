//! Files that people approve before they are signed: asked about together, waited for, and signed then.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use sealbook_ledger::encoding::HexBytes;
use sealbook_ledger::ids::ActionId;

use super::one::{Done, Outcome, Signer, Target};
use super::{sign_all, summary};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::printable;
use crate::client::answers::{ActionStatus, Awaiting};

/// The pause after a look that the server could not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Files on their way, and where each stands.
pub(super) struct Run<'a> {
    pub(super) signer: &'a Signer,
    pub(super) targets: &'a [Target],
    /// In the targets' order.
    pub(super) outcomes: Vec<Outcome>,
}

impl Run<'_> {
    /// Asks people once for every file that nobody was asked about.
    pub(super) fn ask_together(&mut self, reason: Option<&str>) {
        let unasked: Vec<(usize, HexBytes)> = self.outcomes.iter().enumerate().filter_map(unasked).collect();
        let Some(&(first, _)) = unasked.first() else { return };
        let named = |(at, digest): &(usize, HexBytes)| (printable(&self.targets[*at].name), digest.clone());
        let artifacts: Vec<(String, HexBytes)> = unasked.iter().map(named).collect();
        match self.signer.ask(&artifacts, reason) {
            Ok(awaiting) => {
                for (at, _) in unasked {
                    self.outcomes[at].end = Ok(Done::Awaiting(Box::new(awaiting.clone())));
                }
            }
            // One refusal, told once: the others were not asked about.
            Err(failure) => self.outcomes[first].end = Err(failure),
        }
    }

    /// Waits until people have decided on everything, or the time is over; signs what they approved.
    pub(super) fn wait(&mut self, context: &Context, wait: Duration, jobs: usize) {
        let deadline = Instant::now() + wait;
        let mut told = BTreeSet::new();
        while let Some(awaiting) = summary::awaited(&self.outcomes).first().map(|&awaiting| awaiting.clone())
        {
            if told.insert(awaiting.action) {
                context.out.note(&summary::waits(&awaiting));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.signer.decided(awaiting.action, left) {
                Ok(ActionStatus::Executed) => self.sign_approved(context, awaiting.action, jobs),
                Ok(status) if status.is_final() => self.give_up(awaiting.action, status),
                Err(failure) if failure.exit() != Exit::Unavailable => {
                    return self.fail(awaiting.action, failure);
                }
                Err(_) => thread::sleep(PAUSE.min(left)),
                Ok(_) => {}
            }
            if left.is_zero() {
                return;
            }
        }
    }

    /// Signs the files of an action that was approved. What it does not cover any more is not asked for again.
    fn sign_approved(&mut self, context: &Context, action: ActionId, jobs: usize) {
        let at = self.of(action);
        let targets: Vec<Target> = at.iter().map(|&at| self.targets[at].clone()).collect();
        let signed = sign_all(context, self.signer, &targets, jobs, false);
        for (at, outcome) in at.into_iter().zip(signed) {
            self.outcomes[at] = outcome;
        }
    }

    fn give_up(&mut self, action: ActionId, status: ActionStatus) {
        for at in self.of(action) {
            self.outcomes[at].end = Err(Failure::ActionEnded { status: status.name(), reason: None });
        }
    }

    fn fail(&mut self, action: ActionId, failure: Failure) {
        if let Some(&first) = self.of(action).first() {
            self.outcomes[first].end = Err(failure);
        }
    }

    /// The places of the files that wait for an action.
    fn of(&self, action: ActionId) -> Vec<usize> {
        let waits = |outcome: &Outcome| matches!(&outcome.end, Ok(Done::Awaiting(awaiting)) if is_of(awaiting, action));
        (0..self.outcomes.len()).filter(|&at| waits(&self.outcomes[at])).collect()
    }
}

fn is_of(awaiting: &Awaiting, action: ActionId) -> bool {
    awaiting.action == action
}

fn unasked((at, outcome): (usize, &Outcome)) -> Option<(usize, HexBytes)> {
    match &outcome.end {
        Ok(Done::Unasked(digest)) => Some((at, digest.clone())),
        _ => None,
    }
}
