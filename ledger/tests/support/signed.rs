//! Decisions are signed alike; which they are is said by the challenge, and by the command.

use sealbook_ledger::command::Command;
use sealbook_ledger::payload::{ActionApproved, ActionCancelled, ActionRejected};

/// The members of a signed approval, as those of another decision.
macro_rules! decided {
    ($signed:ident as $decision:ident) => {{
        let ActionApproved {
            action,
            authenticator_data,
            client_data_json,
            credential_id,
            member,
            role,
            signature,
        } = $signed;
        $decision { action, authenticator_data, client_data_json, credential_id, member, role, signature }
    }};
}

/// What was signed as a rejection, as a command.
pub fn rejection_of(signed: ActionApproved) -> Command {
    Command::Reject { rejected: Box::new(decided!(signed as ActionRejected)), sd: Vec::new() }
}

/// What was signed as a cancellation, as a command.
pub fn cancellation_of(signed: ActionApproved) -> Command {
    Command::Cancel(Box::new(decided!(signed as ActionCancelled)))
}
