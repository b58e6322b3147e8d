//! A revocation list, on the path of every signature: intent, device, outcome.

use sealbook_ledger::command::{Command, CrlCommand, CrlLife, CrlOutcome};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::{Correlation, KeyId, Seq};
use sealbook_ledger::rule::Rule;

use super::{AUTHORIZATION_S, DeviceFailure, Signer};
use crate::custody::SigningInput;
use crate::ledger::{EngineError, Ledger, Submission, failure_code};

impl Signer {
    /// Authorises a CA key's list: its number, which is higher than any that was handed out, also by a history that is lost.
    /// Where it fails, no try is on record.
    pub(crate) async fn authorize_list(
        &self,
        ledger: &Ledger,
        key: KeyId,
        lasting: CrlLife,
        correlation: Correlation,
    ) -> Result<Seq, EngineError> {
        if let Some(newest) = ledger.list_numbers.newest(key).filter(|newest| ledger.size() <= newest.get()) {
            return Err(spent(newest));
        }
        let authorize = CrlCommand::Authorize { key, lasting, life_s: AUTHORIZATION_S };
        let appended = ledger.submit(submission(authorize, correlation)).await?;
        Ok(Seq::new(appended.first_seq).ok_or(Rule::SignatureUnknown)?)
    }

    /// Has the device sign a list that was authorised, and records it.
    pub(crate) async fn perform_list(
        &self,
        ledger: &Ledger,
        number: Seq,
        key: KeyId,
    ) -> Result<(), EngineError> {
        let state = ledger.state();
        let founded = state.founded()?;
        let pending = founded.pending_crls().get(&number).ok_or(Rule::SignatureUnknown)?;
        let algorithm = founded.keys().get(&key).ok_or(Rule::KeyUnknown)?.algorithm;
        let input = match algorithm.needs_message() {
            true => SigningInput::Message(pending.bytes().to_vec()),
            false => SigningInput::Digest(pending.digest.0.clone()),
        };
        let (outcome, error) = match self.signed_by(founded, key, algorithm, input).await {
            Ok(signature) => (CrlOutcome::Signed(B64::from(signature)), None),
            // Nobody knows whether the device signed: the authorisation stays open until it is abandoned.
            Err(DeviceFailure::Unknown(error)) => return Err(error),
            Err(DeviceFailure::Certain(error)) => {
                (CrlOutcome::Failed(failure_code(error.code())), Some(error))
            }
        };
        let settle = CrlCommand::Settle { authorization: number, outcome };
        ledger.submit(Submission::new(Command::List(settle))).await?;
        error.map_or(Ok(()), Err)
    }
}

/// The next event's seq is a number that readers have seen, or one below.
fn spent(newest: Seq) -> EngineError {
    let sentence = format!(
        "a list with the number {newest} was handed out and is lost; the next one is signed once the ledger has an event {newest}"
    );
    EngineError::unavailable("crl.lost", sentence)
}

fn submission(command: CrlCommand, correlation: Correlation) -> Submission {
    Submission { correlation, ..Submission::new(Command::List(command)) }
}
