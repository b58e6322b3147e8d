//! What may stop a submission besides the rules: clocks that disagree, and seals that lag. Containment passes both.

use std::time::Duration;

use sealbook_ledger::action::ActionType;
use sealbook_ledger::command::Command;
use sealbook_ledger::state::State;
use sealbook_ledger::timestamp::Timestamp;

use super::Limits;
use crate::ledger::{EngineError, Submission};

/// Server and database clocks may differ by this much before appends other than containment are refused.
const MAX_CLOCK_SKEW_US: u64 = 2_000_000;

/// The moment in which something is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// How far the server's and the database's clock are apart, in microseconds.
    pub(super) skew: u64,
    /// How long the oldest unsealed event has waited for its checkpoint.
    pub(super) unsealed_for: Duration,
}

/// How far two clocks are apart, in microseconds.
pub(super) fn skew(server: Timestamp, database: Timestamp) -> u64 {
    server.unix_micros().abs_diff(database.unix_micros())
}

/// Whether clocks that are so far apart keep anything from being appended.
pub(super) fn disagree(skew: u64) -> bool {
    skew > MAX_CLOCK_SKEW_US
}

/// Refuses a submission for the sake of its moment.
pub(super) fn guard(
    submission: &Submission,
    state: &State,
    moment: Moment,
    limits: Limits,
) -> Result<(), EngineError> {
    let begins = begun(state, submission);
    if submission.command.is_containment() || begins.is_some_and(is_revocation) {
        return Ok(());
    }
    if disagree(moment.skew) {
        return Err(EngineError::unavailable(
            "clock.skew",
            "the clocks of server and database differ by more than 2 s; set them right",
        ));
    }
    if asks_a_device(&submission.command, begins) && moment.unsealed_for > limits.max_unsealed {
        return Err(EngineError::unavailable(
            "seal.behind",
            "sealing is too far behind, so nothing new is signed; see /readyz for what is missing",
        ));
    }
    Ok(())
}

/// Whether something new is asked of a device: a signature, a key, or to forget one (LEDGER_FORMAT §4). What an approved action changes
/// without one is recorded whether or not it can be sealed, and recovering a lost ledger key is what ends a lack of seals.
fn asks_a_device(command: &Command, begins: Option<ActionType>) -> bool {
    let asks = |kind: ActionType| kind.asks_a_device() && kind != ActionType::LedgerKeyRecover;
    matches!(command, Command::Authorize { .. }) || begins.is_some_and(asks)
}

/// The type of the approved action that a submission begins.
fn begun(state: &State, submission: &Submission) -> Option<ActionType> {
    let Command::Begin { action, .. } = &submission.command else { return None };
    let founded = state.founded().ok()?;
    founded.actions().get(action).map(|action| action.document().kind())
}

/// Revoking contains, once it is approved (LEDGER_FORMAT §4).
fn is_revocation(kind: ActionType) -> bool {
    matches!(kind, ActionType::CertificateRevoke | ActionType::KeyRevoke | ActionType::KeyRevokeEmergency)
}
