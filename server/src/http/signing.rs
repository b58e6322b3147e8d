//! Signing and verifying with a slot's keys.

use actix_web::{HttpRequest, HttpResponse, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::algorithm::MAX_PURE_MESSAGE;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::ids::{Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::policy::{ArtifactField, Environment};
use sealbook_ledger::public_key::{SignatureError, SigningInput};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::slot::{Key, Slot};
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::correlation as correlation_of;
use super::auth::Caller;
use super::batches::{self, AwaitingView};
use super::body::Body;
use super::fresh::Fresh;
use super::problem::{Problem, ProblemDocument};
use crate::signing::{Reply, SignCall, SignInput, Signed};
use crate::text::{Name, Untrusted};
use crate::views::events;
use crate::views::keys::public_key;

/// What is to be signed: a digest, or the message where the algorithm is pure Ed25519.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignBody {
    /// Lower-case hex, of the length that the slot's algorithm fixes.
    #[schema(value_type = Option<String>)]
    digest: Option<HexBytes>,
    /// Base64url, at most 64 KiB.
    #[schema(value_type = Option<String>)]
    message: Option<B64>,
    /// `development`, `staging` or `production`; the last where absent.
    #[schema(value_type = Option<String>)]
    environment: Option<Environment>,
    artifact: Option<ArtifactBody>,
    /// Where the slot's policy asks for approval and nobody has asked people yet: `false` refuses with `signing.approval`
    /// instead of asking them.
    propose: Option<bool>,
}

/// What is said about the artifact; recorded as disclosures.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ArtifactBody {
    #[schema(value_type = Option<String>)]
    name: Option<Untrusted>,
    #[schema(value_type = Option<String>)]
    version: Option<Untrusted>,
    #[schema(value_type = Option<String>)]
    ticket: Option<Untrusted>,
}

/// A signature, and where it is recorded.
#[derive(Serialize, ToSchema)]
struct SignatureView {
    #[schema(value_type = String)]
    slot: SlotName,
    algorithm: &'static str,
    #[schema(value_type = String, format = Uuid)]
    key: KeyId,
    #[schema(value_type = String)]
    spki_sha256: Hash,
    #[schema(value_type = String)]
    digest: HexBytes,
    /// In the algorithm's encoding, standard base64.
    signature_b64: String,
    /// The event that recorded it.
    #[schema(value_type = u64)]
    seq: Seq,
    /// The event that authorised it.
    #[schema(value_type = u64)]
    authorization: Seq,
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    #[schema(value_type = String, format = Uuid)]
    correlation: Correlation,
    origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vkey: Option<String>,
    /// Where its receipt is.
    receipt: String,
}

/// A signature to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyBody {
    #[schema(value_type = Option<String>)]
    digest: Option<HexBytes>,
    #[schema(value_type = Option<String>)]
    message: Option<B64>,
    /// Standard base64.
    signature_b64: String,
    /// Only under this key; under any of the slot's where absent.
    #[schema(value_type = Option<String>, format = Uuid)]
    key: Option<KeyId>,
}

/// Whether a signature holds.
#[derive(Serialize, ToSchema)]
struct VerifyView {
    valid: bool,
    /// Under which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    key: Option<KeyId>,
    /// The event that recorded it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    seq: Option<Seq>,
}

/// Exactly one of digest and message.
fn input(digest: Option<HexBytes>, message: Option<B64>) -> Result<SignInput, Problem> {
    match (digest, message) {
        (Some(digest), None) => Ok(SignInput::Digest(digest.0)),
        (None, Some(message)) if message.0.len() > MAX_PURE_MESSAGE => Err(Rule::MessageForm.into()),
        (None, Some(message)) => Ok(SignInput::Message(message.0)),
        (None, None) | (Some(_), Some(_)) => Err(Problem::of("sign.input")),
    }
}

fn artifact(body: Option<ArtifactBody>) -> Result<Vec<(ArtifactField, String)>, Problem> {
    let Some(ArtifactBody { name, version, ticket }) = body else { return Ok(Vec::new()) };
    let said =
        [(ArtifactField::Name, name), (ArtifactField::Ticket, ticket), (ArtifactField::Version, version)];
    let said = said.into_iter().filter_map(|(field, text)| Some((field, text?)));
    said.map(|(field, text)| Ok((field, text.name().map(Name::into_string)?))).collect()
}

/// Signs a digest, or a message for pure Ed25519. Where the slot's policy says so, the answer waits for the seal, or
/// people approve the digest first: 202 names their action, and the same request signs once it was executed.
#[utoipa::path(tag = "signing",
    params(("tenant" = String, Path), ("slot" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = SignBody,
    responses((status = 200, body = SignatureView), (status = 202, body = AwaitingView), (status = "4XX", body = ProblemDocument),
        (status = 503, body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/slots/{slot}/sign")]
pub(super) async fn sign(
    Fresh(caller): Fresh<Caller>,
    path: web::Path<(String, SlotName)>,
    body: Body<SignBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (_, slot) = path.into_inner();
    caller.may_see(&slot)?;
    caller.must_act()?;
    let idempotency = body.idempotency(&req, caller.actor())?;
    let body = body.value;
    let call = SignCall {
        caller: caller.actor(),
        slot: slot.clone(),
        input: input(body.digest, body.message)?,
        environment: body.environment.unwrap_or(Environment::Production),
        artifact: artifact(body.artifact)?,
        may_ask: body.propose.unwrap_or(true),
        idempotency,
        correlation: correlation_of(&req)?,
    };
    let ledger = &caller.ledger;
    let Signed { created, seq, time, correlation, .. } = match caller.app.sign(ledger.clone(), call).await? {
        Reply::Signed(signed) => *signed,
        Reply::Awaiting(action) => return batches::awaiting(&caller, action).await,
    };
    Ok(HttpResponse::Ok().json(SignatureView {
        receipt: format!("/v1/tenants/{}/receipts/{}", ledger.tenant(), seq),
        slot,
        algorithm: created.algorithm.name(),
        key: created.key,
        spki_sha256: created.spki_sha256,
        digest: created.digest,
        signature_b64: STANDARD.encode(created.signature.as_bytes()),
        authorization: created.authorization,
        seq,
        time,
        correlation,
        origin: ledger.origin().to_string(),
        vkey: ledger.state().ledger_key().map(|key| key.vkey.to_string()),
    }))
}

/// Checks a signature under a slot's keys, revoked ones included, and finds the event that recorded it.
#[utoipa::path(tag = "signing", params(("tenant" = String, Path), ("slot" = String, Path)),
    request_body = VerifyBody,
    responses((status = 200, body = VerifyView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/slots/{slot}/verify")]
pub(super) async fn verify(
    caller: Caller,
    path: web::Path<(String, SlotName)>,
    body: Body<VerifyBody>,
) -> Result<HttpResponse, Problem> {
    let (_, name) = path.into_inner();
    caller.may_see(&name)?;
    let founded = caller.state.founded()?;
    let slot = founded.slot(&name)?;
    let body = body.value;
    let input = input(body.digest, body.message)?;
    let signature = STANDARD.decode(&body.signature_b64).map_err(|_| {
        Problem::of("request.json").saying("signature_b64 is not standard base64 with padding")
    })?;
    let keys =
        founded.keys().iter().filter(|(id, key)| key.slot == name && body.key.is_none_or(|of| of == **id));
    let key = holds(slot, keys, &input, &signature)?;
    let seq = match key {
        Some(_) => recorded(&caller, &name, &input, &signature).await?,
        None => None,
    };
    Ok(HttpResponse::Ok().json(VerifyView { valid: key.is_some(), key, seq }))
}

/// The key under which a signature holds. Input of the wrong form is refused rather than called invalid.
fn holds<'a>(
    slot: &Slot,
    keys: impl Iterator<Item = (&'a KeyId, &'a Key)>,
    input: &SignInput,
    signature: &[u8],
) -> Result<Option<KeyId>, Problem> {
    let input = match input {
        SignInput::Digest(digest) => SigningInput::Digest(digest),
        SignInput::Message(message) => SigningInput::Message(message),
    };
    for (id, key) in keys {
        let Some(material) = key.material() else { continue };
        match public_key(material)?.verify(slot.algorithm, input, signature) {
            Ok(()) => return Ok(Some(*id)),
            Err(SignatureError::Encoding { .. } | SignatureError::DoesNotHold) => {}
            Err(SignatureError::DigestLength { .. }) => return Err(Rule::DigestLength.into()),
            Err(SignatureError::InputKind { .. } | SignatureError::MessageTooLong { .. }) => {
                return Err(Rule::MessageForm.into());
            }
            Err(error @ SignatureError::KeyType { .. }) => {
                return Err(Problem::of("ledger.corrupt").because(error));
            }
        }
    }
    Ok(None)
}

/// The event by which this very signature was recorded, if one did.
async fn recorded(
    caller: &Caller,
    slot: &SlotName,
    input: &SignInput,
    signature: &[u8],
) -> Result<Option<Seq>, Problem> {
    let digest = match input {
        SignInput::Digest(digest) => digest.clone(),
        SignInput::Message(message) => Hash::sha256(message).0.to_vec(),
    };
    let (store, ledger) = (caller.store(), caller.ledger.id());
    for seq in store.signatures_over(ledger, slot, &digest).await? {
        let Some(seq) = Seq::new(seq) else { continue };
        let event = events::one(store, ledger, seq).await?;
        if let Some(Payload::SignatureCreated(created)) = event.map(|event| event.payload)
            && created.signature.as_bytes() == signature
        {
            return Ok(Some(seq));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_of_digest_and_message_is_signed() {
        let (digest, message) = (Some(HexBytes(vec![1])), Some(B64(vec![1])));
        assert!(input(digest.clone(), None).is_ok());
        assert!(input(None, message.clone()).is_ok());
        assert_eq!(input(None, None).unwrap_err().code(), "sign.input");
        assert_eq!(input(digest, message).unwrap_err().code(), "sign.input");
        let long = B64(vec![0; MAX_PURE_MESSAGE + 1]);
        assert_eq!(input(None, Some(long)).unwrap_err().code(), "message.form");
    }
}
