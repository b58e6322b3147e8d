//! The canary: what the new key signed before it took over, each signature verified again.

use serde::Serialize;

use super::{Facts, KeyFacts, Mark};
use crate::canonical;
use crate::encoding::{Hash, HexBytes};
use crate::ids::{ActionId, Seq};
use crate::payload::{Payload, RotationCanaryRecorded, SignatureCreated, SigningPurpose};
use crate::public_key::{PublicKey, SigningInput};
use crate::signature::canary_message;

/// One digest that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CanaryResult {
    /// The `signature.authorized`.
    pub authorization: Seq,
    /// What was signed.
    pub digest: HexBytes,
    /// The `signature.created` by which the slot released it before; none for the rotation's own message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Seq>,
    /// Its outcome, where there is one: `signature.created`, `signature.failed` or another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Seq>,
    /// The outcome's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_type: Option<&'static str>,
    /// Whether the signature holds under the new key; absent without a signature, and where the message is not at hand
    /// (pure Ed25519).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// The canary as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Canary {
    /// Signatures that do not hold, and digests that were never signed.
    pub failed: u32,
    /// When it was recorded as passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Mark>,
    /// Each digest, in the order of the authorisations.
    pub results: Vec<CanaryResult>,
    /// Signatures that were made.
    pub signed: u32,
    /// Signatures that hold under the new key.
    pub verified: u32,
}

/// A signature of the canary, as the attachment of its record lists it.
#[derive(Serialize)]
struct Listed<'a> {
    authorization: Seq,
    digest: &'a HexBytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<Seq>,
}

impl Canary {
    /// Whether the signatures that were made are those that the record names by number and hash.
    pub(super) fn is_as_recorded(&self, recorded: &RotationCanaryRecorded) -> bool {
        let made = self.results.iter().filter(|result| result.outcome_type == Some(CREATED));
        let listed: Vec<Listed<'_>> = made
            .map(|result| Listed {
                authorization: result.authorization,
                digest: &result.digest,
                original: result.original,
            })
            .collect();
        let bytes = canonical::to_vec(&listed).unwrap_or_default();
        let same = Hash::sha256(&bytes) == recorded.results.sha256;
        same && self.signed == recorded.signed
    }

    pub(super) fn of(facts: &Facts<'_>, action: ActionId, key: Option<&KeyFacts>) -> Self {
        let public = key.and_then(|key| key.public_key().ok());
        let asked = facts.all(move |payload| match payload {
            Payload::SignatureAuthorized(p) => match p.purpose {
                Some(SigningPurpose::Canary { action: of, original }) if of == action => {
                    Some((p.digest.clone(), original))
                }
                _ => None,
            },
            _ => None,
        });
        let results: Vec<CanaryResult> = asked
            .map(|(event, (digest, original))| {
                result(
                    facts,
                    action,
                    public.as_ref(),
                    CanaryResult {
                        authorization: event.seq,
                        digest,
                        original,
                        outcome: None,
                        outcome_type: None,
                        verified: None,
                    },
                )
            })
            .collect();
        let count = |test: &dyn Fn(&CanaryResult) -> bool| {
            u32::try_from(results.iter().filter(|result| test(result)).count()).unwrap_or(u32::MAX)
        };
        Self {
            failed: count(&|result| result.verified == Some(false) || never_signed(&results, result)),
            recorded: facts.mark(
                move |payload| matches!(payload, Payload::RotationCanaryRecorded(p) if p.action == action),
            ),
            signed: count(&|result| result.outcome_type == Some(CREATED)),
            verified: count(&|result| result.verified == Some(true)),
            results,
        }
    }
}

/// Whether a try came to nothing and no other of the same digest did better; the first of them counts.
fn never_signed(results: &[CanaryResult], of: &CanaryResult) -> bool {
    let mut same = results.iter().filter(|other| other.digest == of.digest);
    let first = same.clone().next().is_some_and(|first| first.authorization == of.authorization);
    first && same.all(|other| other.outcome_type != Some(CREATED))
}

/// The outcome that releases a signature.
const CREATED: &str = "signature.created";

fn result(facts: &Facts<'_>, action: ActionId, key: Option<&PublicKey>, asked: CanaryResult) -> CanaryResult {
    let authorization = asked.authorization;
    let outcome = facts.first(move |payload| match payload {
        Payload::SignatureCreated(p) if p.authorization == authorization => Some(Some(&**p)),
        Payload::SignatureFailed(p) if p.authorization == authorization => Some(None),
        Payload::SignatureWithheld(p) if p.authorization == authorization => Some(None),
        Payload::SignatureAbandoned(p) if p.authorization == authorization => Some(None),
        _ => None,
    });
    let Some((event, created)) = outcome else { return asked };
    CanaryResult {
        outcome: Some(event.seq),
        outcome_type: Some(event.payload.type_name()),
        verified: created.zip(key).and_then(|(created, key)| verifies(action, key, created)),
        ..asked
    }
}

/// Whether a signature holds; `None` where it is over a message that the pack does not have.
fn verifies(action: ActionId, key: &PublicKey, created: &SignatureCreated) -> Option<bool> {
    let own = canary_message(action);
    let input = if !created.algorithm.needs_message() {
        SigningInput::Digest(&created.digest.0)
    } else if created.algorithm.digest_of(&own) == created.digest {
        SigningInput::Message(&own)
    } else {
        return None;
    };
    Some(key.verify(created.algorithm, input, created.signature.as_bytes()).is_ok())
}
