//! Drafts: the server draws up an action document for its proposer to read and sign. Nothing is recorded.

use actix_web::{HttpResponse, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::action::{ActionDocument, ActionType, MAX_ACTION_LIFE_S};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::webauthn::Purpose;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{ActingMember, MemberCaller};
use super::body::Body;
use super::disclosure::DisclosureView;
use super::problem::{Problem, ProblemDocument};
use crate::ledger::Disclosure;
use crate::text::Untrusted;
use crate::views::Names;
use crate::views::sentence::sentence;

/// How long an action stays open where its proposer says nothing, in seconds: a day.
const USUAL_LIFE_S: u32 = 24 * 60 * 60;

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DraftBody {
    /// The action's type.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "slot.create")]
    kind: ActionType,
    /// Its parameters, but for the digests of what is private.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    #[schema(value_type = String)]
    reason: Untrusted,
    /// Seconds that it stays open; a day where absent, 30 days at most.
    expires_in_s: Option<u32>,
    #[serde(rename = "private")]
    private_fields: Option<PrivateFields>,
}

/// Parameters that stand in the document as digests.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PrivateFields {
    #[schema(value_type = Option<String>)]
    display_name: Option<Untrusted>,
}

#[derive(Serialize, ToSchema)]
struct DraftChallenges {
    /// What to sign to propose it, in hex.
    #[schema(value_type = String)]
    proposal: Hash,
}

/// A document to read, sign and send back, with its disclosures.
#[derive(Serialize, ToSchema)]
struct DraftView {
    #[schema(value_type = Object)]
    document: ActionDocument,
    /// Its canonical bytes, standard base64.
    document_jcs_b64: String,
    sentence: String,
    challenges: DraftChallenges,
    disclosures: Vec<DisclosureView>,
}

/// Draws up an action document. The client may as well build it by itself.
#[utoipa::path(tag = "actions", params(("tenant" = String, Path)), request_body = DraftBody,
    responses((status = 200, body = DraftView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/actions/draft")]
pub(super) async fn draft(member: ActingMember, body: Body<DraftBody>) -> Result<HttpResponse, Problem> {
    let member = member.member;
    let mut body = body.value;
    let name = body.private_fields.take().and_then(|fields| fields.display_name);
    let name = name.map(Untrusted::name).transpose()?;
    let mut names = Names::load(member.store(), member.ledger.id()).await?;
    let mut disclosures = Vec::new();
    if let Some(name) = name {
        let subject = body.params.get("member").or(body.params.get("service")).and_then(Value::as_str);
        if let Some(id) = subject {
            names = names.with(id.to_owned(), name.as_str().to_owned());
        }
        let disclosed = Disclosure::new("display_name", name.into_string());
        body.params.insert("display_name_digest".to_owned(), Value::String(disclosed.digest().to_string()));
        disclosures.push(DisclosureView::from(&disclosed));
    }
    let reason = Disclosure::new("reason", body.reason.clone().text()?.into_string());
    disclosures.push(DisclosureView::from(&reason));
    let document = document(&member, body, Value::String(reason.digest().to_string()))?;
    let bytes = document.to_bytes().map_err(|_| Rule::ActionDocument)?;
    Ok(HttpResponse::Ok().json(DraftView {
        document_jcs_b64: STANDARD.encode(&bytes),
        sentence: sentence(&document, &names),
        challenges: DraftChallenges { proposal: Purpose::Proposal.challenge(&bytes) },
        disclosures,
        document,
    }))
}

/// Fills in what the ledger knows: origin, head, policy, quorum, id and times.
fn document(member: &MemberCaller, body: DraftBody, reason_digest: Value) -> Result<ActionDocument, Problem> {
    let founded = member.founded()?;
    let head = founded.latest_head().ok_or(Rule::FoundingMissing)?;
    let rule = founded.policy().actions.get(&body.kind).ok_or(Rule::PolicyForm)?;
    let life_s = body.expires_in_s.unwrap_or(USUAL_LIFE_S).min(MAX_ACTION_LIFE_S);
    let document = json!({
        "action": ActionId::from(Uuid::new_v4()),
        "expires_at": member.at.plus_seconds(life_s),
        "head": head,
        "origin": member.ledger.origin(),
        "params": body.params,
        "policy": founded.policy_digest(),
        "proposed_at": member.at,
        "proposed_by": member.id,
        "quorum": rule.quorum,
        "reason_digest": reason_digest,
        "type": body.kind,
        "v": 1,
    });
    // The parser is the one that reads what people sign: unknown or missing parameters are named by it.
    ActionDocument::deserialize(document).map_err(|error| {
        Problem::of("request.json")
            .saying(format_args!("the parameters of {} are not of its form: {error}", body.kind))
    })
}
