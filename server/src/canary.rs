//! What a rotation's canary signs, and what came of it.

use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::event::{Envelope, Event};
use sealbook_ledger::ids::{ActionId, Seq};
use sealbook_ledger::payload::{Payload, SigningPurpose};
use sealbook_ledger::rotation::Rotation;
use sealbook_ledger::signature::canary_message;
use serde::{Deserialize, Serialize};

use crate::ledger::{EngineError, Ledger};
use crate::store::Store;
use crate::store::load::EventFilter;

/// One digest of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryResult {
    /// The seq of its `signature.authorized`.
    pub authorization: Seq,
    /// What was signed.
    pub digest: HexBytes,
    /// The `signature.created` by which the slot released it before; none for the rotation's own message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Seq>,
}

/// The message whose digest is due, for pure Ed25519 alone.
pub(crate) async fn message_of(
    store: &Store,
    ledger: &Ledger,
    action: ActionId,
    rotation: &Rotation,
    digest: &HexBytes,
) -> Result<Option<Vec<u8>>, EngineError> {
    let state = ledger.state();
    let algorithm = state.founded()?.slot(&rotation.slot)?.algorithm;
    if !algorithm.needs_message() {
        return Ok(None);
    }
    let own = canary_message(action);
    if algorithm.digest_of(&own) == *digest {
        return Ok(Some(own));
    }
    let missing = || EngineError::Corrupt("the message of a recorded signature is missing".into());
    let sha256 = digest.0.as_slice().try_into().map(Hash).map_err(|_| missing())?;
    let row = store.attachment(ledger.id(), sha256).await?;
    row.map(|row| Some(row.bytes)).ok_or_else(missing)
}

/// The canary's signatures, in the order of their authorisations, as its record refers to them.
pub(crate) async fn results(
    store: &Store,
    ledger: &Ledger,
    action: ActionId,
    rotation: &Rotation,
) -> Result<(Attachment, Vec<u8>), EngineError> {
    let list = signatures(store, ledger, action, rotation).await?;
    let bytes = canonical::to_vec(&list).map_err(|error| EngineError::fault("a canary's results", error))?;
    let attachment =
        Attachment { sha256: Hash::sha256(&bytes), size: bytes.len() as u64, media_type: json() };
    Ok((attachment, bytes))
}

/// Every signature that the canary released.
async fn signatures(
    store: &Store,
    ledger: &Ledger,
    action: ActionId,
    rotation: &Rotation,
) -> Result<Vec<CanaryResult>, EngineError> {
    let kinds = ["signature.authorized", "signature.created"].map(str::to_owned).to_vec();
    let filter = EventFilter { kinds, ..EventFilter::default() };
    let (mut asked, mut released) = (Vec::new(), Vec::new());
    let mut from = Some(rotation.started.get());
    while let Some(at) = from {
        let page = store.filtered_page(ledger.id(), &filter, at, 1000).await?;
        for stored in &page.events {
            let event = Envelope::parse(&stored.bytes).ok().and_then(|e| Event::from_envelope(e).ok());
            let event = event.ok_or_else(|| EngineError::Corrupt("a stored event can't be read".into()))?;
            match &event.payload {
                Payload::SignatureAuthorized(p) => match p.purpose {
                    Some(SigningPurpose::Canary { action: of, original }) if of == action => {
                        let (authorization, digest) = (event.seq, p.digest.clone());
                        asked.push(CanaryResult { authorization, digest, original });
                    }
                    _ => {}
                },
                Payload::SignatureCreated(p) => released.push(p.authorization),
                _ => {}
            }
        }
        from = page.next;
    }
    asked.retain(|result| released.contains(&result.authorization));
    Ok(asked)
}

#[allow(clippy::expect_used, reason = "the literal is a media type")]
fn json() -> sealbook_ledger::attachment::MediaType {
    "application/json".parse().expect("a media type")
}
