//! Decisions are signed alike; which they are is said by the challenge, and by the command.

use sealbook_ledger::command::Command;
use sealbook_ledger::payload::{ActionApproved, ActionCancelled, ActionRejected};

/// What was signed as a rejection, as a command.
pub fn rejection_of(signed: ActionApproved) -> Command {
    let ActionApproved {
        action,
        authenticator_data,
        client_data_json,
        credential_id,
        member,
        role,
        signature,
    } = signed;
    let rejected = ActionRejected {
        action,
        authenticator_data,
        client_data_json,
        credential_id,
        member,
        role,
        signature,
    };
    Command::Reject { rejected: Box::new(rejected), sd: Vec::new() }
}

/// What was signed as a cancellation, as a command.
pub fn cancellation_of(signed: ActionApproved) -> Command {
    let ActionApproved {
        action,
        authenticator_data,
        client_data_json,
        credential_id,
        member,
        role,
        signature,
    } = signed;
    Command::Cancel(Box::new(ActionCancelled {
        action,
        authenticator_data,
        client_data_json,
        credential_id,
        member,
        role,
        signature,
    }))
}
