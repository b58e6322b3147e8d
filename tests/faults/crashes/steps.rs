//! The steps of a signature and of a seal, and how the server is killed at each of them from outside.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use integration::Installation;
use integration::proxy::{Act, Meant, Moment, Snare, Trap};
use integration::shim::{Fault, Function, Rule, Shim, Standing};
use rustix::process::{Pid, Signal, kill_process};

use super::watch::{Change, Watch};
use crate::commits::commit_of;

/// Where the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The authorisation's INSERT.
    Intent(Moment),
    /// Its COMMIT.
    IntentCommit(Moment),
    /// In `C_Sign`, before the device has done anything.
    DeviceBefore,
    /// In `C_Sign`, after the device has signed.
    DeviceAfter,
    /// Right after `C_Sign` has come back: the signature is being verified.
    Verify,
    /// The outcome's INSERT.
    Outcome(Moment),
    /// Its COMMIT.
    OutcomeCommit(Moment),
    /// The first bytes of an answer are with a client.
    Reply,
    /// The sealer has read new rows back.
    ReadBack(Moment),
    /// The new high-water file is written and not in its place.
    MarkWritten,
    /// The new high-water file is in its place.
    MarkPlaced,
    /// In the ledger key's `C_Sign`, before the device has done anything.
    SealBefore,
    /// In the ledger key's `C_Sign`, after the device has signed.
    SealAfter,
    /// The checkpoint's INSERT.
    Checkpoint(Moment),
    /// Its COMMIT.
    CheckpointCommit(Moment),
    /// Anywhere in its start after another kill.
    Start,
}

/// All of them, in the order in which they happen.
pub const STEPS: [Step; 30] = {
    use Moment::{Answered, Arrived, Forwarded, Relayed};
    use Step::*;
    [
        Intent(Arrived),
        Intent(Answered),
        IntentCommit(Arrived),
        IntentCommit(Forwarded),
        IntentCommit(Answered),
        IntentCommit(Relayed),
        DeviceBefore,
        DeviceAfter,
        Verify,
        Outcome(Arrived),
        Outcome(Answered),
        OutcomeCommit(Arrived),
        OutcomeCommit(Forwarded),
        OutcomeCommit(Answered),
        OutcomeCommit(Relayed),
        Reply,
        ReadBack(Arrived),
        ReadBack(Answered),
        MarkWritten,
        MarkPlaced,
        SealBefore,
        SealAfter,
        Checkpoint(Arrived),
        Checkpoint(Forwarded),
        Checkpoint(Answered),
        CheckpointCommit(Arrived),
        CheckpointCommit(Forwarded),
        CheckpointCommit(Answered),
        CheckpointCommit(Relayed),
        Start,
    ]
};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |f: &mut fmt::Formatter<'_>, what: &str, moment: &Moment| {
            let moment = match moment {
                Moment::Arrived => "not with Postgres",
                Moment::Forwarded => "on its way",
                Moment::Answered => "done, not known",
                Moment::Relayed => "done, known",
            };
            write!(f, "{what}: {moment}")
        };
        match self {
            Self::Intent(moment) => at(f, "intent, INSERT", moment),
            Self::IntentCommit(moment) => at(f, "intent, COMMIT", moment),
            Self::DeviceBefore => f.write_str("device, before C_Sign"),
            Self::DeviceAfter => f.write_str("device, after C_Sign"),
            Self::Verify => f.write_str("verify"),
            Self::Outcome(moment) => at(f, "outcome, INSERT", moment),
            Self::OutcomeCommit(moment) => at(f, "outcome, COMMIT", moment),
            Self::Reply => f.write_str("reply"),
            Self::ReadBack(moment) => at(f, "seal, read back", moment),
            Self::MarkWritten => f.write_str("high-water file, written"),
            Self::MarkPlaced => f.write_str("high-water file, in place"),
            Self::SealBefore => f.write_str("seal, before C_Sign"),
            Self::SealAfter => f.write_str("seal, after C_Sign"),
            Self::Checkpoint(moment) => at(f, "checkpoint, INSERT", moment),
            Self::CheckpointCommit(moment) => at(f, "checkpoint, COMMIT", moment),
            Self::Start => f.write_str("start"),
        }
    }
}

impl Step {
    /// Whether the kill comes from the very place; otherwise it comes from another process, a little later.
    pub fn is_exact(self) -> bool {
        !matches!(self, Self::Verify | Self::MarkWritten | Self::MarkPlaced)
    }

    /// Of a seal there are few in a second, of signatures many: how many to let pass at most.
    fn passes(self) -> usize {
        if self >= Self::ReadBack(Moment::Arrived) { 3 } else { 12 }
    }

    fn is_of_the_proxy(self) -> Option<(Meant, Moment)> {
        let insert = |table: &'static str, bytes: &'static str| -> Meant {
            Box::new(move |statement, _| statement.inserts(table, bytes))
        };
        Some(match self {
            Self::Intent(moment) => (insert("events", "signature.authorized"), moment),
            Self::IntentCommit(moment) => (commit_of("signature.authorized"), moment),
            Self::Outcome(moment) => (insert("events", "signature.created"), moment),
            Self::OutcomeCommit(moment) => (commit_of("signature.created"), moment),
            Self::ReadBack(moment) => (
                Box::new(|statement, before| {
                    // The sequencer reads events inside its round, the sealer by themselves.
                    statement.begins("SELECT seq, hash, end_offset, type, bytes FROM events")
                        && before.is_empty()
                }),
                moment,
            ),
            Self::Checkpoint(moment) => (insert("checkpoints", ""), moment),
            Self::CheckpointCommit(moment) => (
                Box::new(|statement, before| {
                    statement.commits() && before.iter().any(|earlier| earlier.inserts("checkpoints", ""))
                }),
                moment,
            ),
            Self::DeviceBefore
            | Self::DeviceAfter
            | Self::Verify
            | Self::Reply
            | Self::MarkWritten
            | Self::MarkPlaced
            | Self::SealBefore
            | Self::SealAfter
            | Self::Start => return None,
        })
    }
}

/// The labels of the keys that a step may be about.
pub struct Keys {
    /// Of the slots.
    pub slots: Vec<String>,
    /// The ledger key's.
    pub ledger: String,
}

/// What kills the server at its step.
pub enum Armed<'a> {
    /// A trap of the proxy's.
    Proxy(Snare),
    /// A rule of the device's.
    Device(Standing<'a>),
    /// Somebody who watches files.
    Files(Watch),
    /// A client.
    Client(Arc<Client>),
}

/// Kills when an answer begins to arrive.
pub struct Client {
    left: AtomicUsize,
    pid: Pid,
    killed: AtomicBool,
}

impl Client {
    fn notice(&self) {
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left == Ok(1) {
            self.killed.store(true, Ordering::SeqCst);
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

impl<'a> Armed<'a> {
    /// Sets what kills the running server at a step.
    pub fn set(step: Step, at: &Installation, shim: &'a Shim, keys: &Keys, rng: &mut fastrand::Rng) -> Self {
        let (pid, after) = (at.pid(), rng.usize(0..step.passes()));
        if let Some((meant, moment)) = step.is_of_the_proxy() {
            return Self::Proxy(at.proxy.set(Trap { meant, after, moment, act: Act::Kill(pid) }));
        }
        let rule = |key: &str, fault| {
            let rule = Rule::new(Function::Sign, fault).of_key(key).after(after as u64).times(1);
            Self::Device(shim.set(rule))
        };
        let slot = &keys.slots[rng.usize(0..keys.slots.len())];
        let marks = at.at("state/high-water");
        match step {
            Step::DeviceBefore => rule(slot, Fault::Kill),
            Step::DeviceAfter => rule(slot, Fault::KillAfter),
            Step::SealBefore => rule(&keys.ledger, Fault::Kill),
            Step::SealAfter => rule(&keys.ledger, Fault::KillAfter),
            Step::Verify => Self::Files(Watch::set(shim.folder(), Change::Signed, after, pid)),
            Step::MarkWritten => Self::Files(Watch::set(&marks, Change::Written, after, pid)),
            Step::MarkPlaced => Self::Files(Watch::set(&marks, Change::Placed, after, pid)),
            // A start is killed by the clock; before it, a client kills.
            _ => Self::Client(Arc::new(Client {
                left: AtomicUsize::new(after + 1),
                pid,
                killed: AtomicBool::new(false),
            })),
        }
    }

    /// What the load tells when an answer begins to arrive.
    pub fn arriving(&self) -> Arc<dyn Fn() + Send + Sync> {
        match self {
            Self::Client(client) => {
                let client = Arc::clone(client);
                Arc::new(move || client.notice())
            }
            Self::Proxy(_) | Self::Device(_) | Self::Files(_) => Arc::new(|| ()),
        }
    }

    /// Whether it was this that killed the server, whose end has come.
    pub fn has_killed(&self) -> bool {
        match self {
            // The process may be gone before its killer has said so.
            Self::Proxy(snare) => snare.wait(Duration::from_secs(1)),
            Self::Device(rule) => rule.fired() > 0,
            Self::Files(watch) => watch.has_killed(),
            Self::Client(client) => client.killed.load(Ordering::SeqCst),
        }
    }
}
