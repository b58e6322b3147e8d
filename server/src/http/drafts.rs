//! Drafts: the server draws up an action document for its proposer to read and sign. Nothing is recorded.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::action::{ActionDocument, ActionType, MAX_ACTION_LIFE_S, Params};
use sealbook_ledger::clearance::{self, MAX_CLEARED};
use sealbook_ledger::encoding::{Hash, HexBytes};
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::member::HeldCredential;
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
use crate::clearing::{self, names_too_long};
use crate::ledger::Disclosure;
use crate::text::{Name, Untrusted};
use crate::views::Names;
use crate::views::changes::{Change, changes};
use crate::views::sentence::sentence;

/// How long an action stays open where its proposer says nothing, in seconds: a day.
const USUAL_LIFE_S: u32 = 24 * 60 * 60;

/// How long a recovery stays open: it begins after 72 hours, and has to be approved and take effect then.
const RECOVERY_LIFE_S: u32 = 7 * 24 * 60 * 60;

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftBody {
    /// The action's type.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "slot.create")]
    kind: ActionType,
    /// Its parameters, but for the digests of what is private.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    #[schema(value_type = String)]
    reason: Untrusted,
    /// Seconds that it stays open; a day where absent (a week for `member.recover`), 30 days at most.
    expires_in_s: Option<u32>,
    /// For `signing.batch`, lower-case hex: `count`, `digests` and `root` of the parameters are made from them.
    #[schema(value_type = Option<Vec<String>>)]
    digests: Option<Vec<HexBytes>>,
    #[serde(rename = "private")]
    private_fields: Option<PrivateFields>,
}

/// Parameters that stand in the document as digests.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PrivateFields {
    #[schema(value_type = Option<String>)]
    display_name: Option<Untrusted>,
    /// Of `signing.approve`.
    #[schema(value_type = Option<String>)]
    artifact_name: Option<Untrusted>,
    #[schema(value_type = Option<String>)]
    artifact_ticket: Option<Untrusted>,
    #[schema(value_type = Option<String>)]
    artifact_version: Option<Untrusted>,
    /// Of `signing.batch`: one for each digest, in their order.
    #[schema(value_type = Option<Vec<String>>)]
    names: Option<Vec<Untrusted>>,
    /// Of `hsm.access_review`: who can reach the device; `holders` of the parameters is their number.
    #[schema(value_type = Option<Vec<String>>)]
    holders: Option<Vec<Untrusted>>,
    /// Of `hsm.access_review`: what was found amiss.
    #[schema(value_type = Option<String>)]
    findings: Option<Untrusted>,
}

/// Bytes that the document names by their SHA-256, to be sent back with the proposal.
#[derive(Serialize, ToSchema)]
struct AttachmentView {
    /// Standard base64.
    bytes_b64: String,
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
    /// The names of the members and services that the document mentions, by their ids, as far as they are disclosed.
    names: BTreeMap<String, String>,
    /// What it would change, against the state now.
    changes: Vec<Change>,
    challenges: DraftChallenges,
    disclosures: Vec<DisclosureView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<AttachmentView>,
}

/// Draws up an action document. The client may as well build it by itself.
#[utoipa::path(tag = "actions", params(("tenant" = String, Path)), request_body = DraftBody,
    responses((status = 200, body = DraftView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/actions/draft")]
pub(super) async fn draft(member: ActingMember, body: Body<DraftBody>) -> Result<HttpResponse, Problem> {
    let member = member.member;
    let mut body = body.value;
    let attachments = attach(&mut body)?;
    count_holders(&body)?;
    let mut names = Names::load(member.store(), member.ledger.id()).await?;
    let mut disclosures = Vec::new();
    for disclosed in
        body.private_fields.take().map(PrivateFields::disclosures).transpose()?.into_iter().flatten()
    {
        let subject = body.params.get("member").or(body.params.get("service")).and_then(Value::as_str);
        if let (Some(id), "display_name") = (subject, disclosed.name()) {
            names = names.with(id.to_owned(), disclosed.value().to_owned());
        }
        let digest = Value::String(disclosed.digest().to_string());
        body.params.insert(format!("{}_digest", disclosed.name()), digest);
        disclosures.push(DisclosureView::from(&disclosed));
    }
    let reason = Disclosure::new("reason", body.reason.clone().text()?.into_string());
    disclosures.push(DisclosureView::from(&reason));
    let document = document(&member, body, Value::String(reason.digest().to_string()))?;
    must_leave_sign_ins(&member, &document)?;
    let bytes = document.to_bytes().map_err(|_| Rule::ActionDocument)?;
    Ok(HttpResponse::Ok().json(DraftView {
        document_jcs_b64: STANDARD.encode(&bytes),
        sentence: sentence(&document, &names),
        names: names.in_document(&document).map_err(Problem::fault)?,
        changes: changes(&document, &member.state, &names, member.at)?,
        challenges: DraftChallenges { proposal: Purpose::Proposal.challenge(&bytes) },
        disclosures,
        attachments,
        document,
    }))
}

/// Refuses to keep sign-ins apart from then on where somebody could not sign in any more: passkeys for signing in are
/// enrolled only while the two are apart, so a founding begins with them or the ledger goes on without.
pub(super) fn must_leave_sign_ins(member: &MemberCaller, document: &ActionDocument) -> Result<(), Problem> {
    let Params::ApprovalRpSet(params) = &document.params else { return Ok(()) };
    let (before, after) = (member.founded()?.approval_rp(), &params.approval_rp);
    let own = member.app.config().sign_in_rp.as_ref();
    let signs_in =
        |held: &HeldCredential| own.is_some_and(|own| held.credential.rp_id == own.id && own.id != after.id);
    let mut staying = member.founded()?.members().values().filter(|person| !person.removed);
    if after.shared || !before.shared || staying.all(|person| person.credentials.iter().any(signs_in)) {
        return Ok(());
    }
    Err(Problem::of("session.none_left"))
}

impl PrivateFields {
    fn disclosures(self) -> Result<Vec<Disclosure>, Problem> {
        let named = [
            ("artifact_name", self.artifact_name),
            ("artifact_ticket", self.artifact_ticket),
            ("artifact_version", self.artifact_version),
            ("display_name", self.display_name),
        ];
        let mut disclosures = Vec::new();
        for (name, text) in named {
            let Some(text) = text else { continue };
            disclosures.push(Disclosure::new(name, text.name()?.into_string()));
        }
        if let Some(findings) = self.findings {
            disclosures.push(Disclosure::new("findings", findings.text()?.into_string()));
        }
        for (field, names) in [("names", self.names), ("holders", self.holders)] {
            let Some(names) = names else { continue };
            let names = names.into_iter().map(|name| name.name().map(Name::into_string));
            let names = Disclosure::new(field, names.collect::<Result<Vec<_>, _>>()?.join("\n"));
            if !names.fits() {
                return Err(names_too_long().into());
            }
            disclosures.push(names);
        }
        Ok(disclosures)
    }
}

/// A review says how many can reach a device, and who they are: exactly so many.
fn count_holders(body: &DraftBody) -> Result<(), Problem> {
    let holders = body.private_fields.as_ref().and_then(|fields| fields.holders.as_ref());
    let Some(holders) = holders else { return Ok(()) };
    if !holders.is_empty() && body.params.get("holder_count") == Some(&json!(holders.len())) {
        return Ok(());
    }
    Err(Problem::of("request.json").saying("`holder_count` is the number of those who are named beside it"))
}

/// Makes the parameters of a list from its digests; they travel beside the document.
fn attach(body: &mut DraftBody) -> Result<Vec<AttachmentView>, Problem> {
    let Some(digests) = body.digests.take() else { return Ok(Vec::new()) };
    if !(1..=MAX_CLEARED as usize).contains(&digests.len()) || body.kind != ActionType::SigningBatch {
        return Err(Rule::SigningList.into());
    }
    let names = body.private_fields.as_ref().and_then(|fields| fields.names.as_ref());
    if names.is_some_and(|names| names.len() != digests.len()) {
        return Err(Problem::of("request.json").saying("a list has one name for each digest, or none at all"));
    }
    let (attachment, bytes) = clearing::attached(&digests);
    body.params.insert("count".to_owned(), json!(digests.len()));
    body.params.insert("digests".to_owned(), json!(attachment));
    body.params.insert("root".to_owned(), json!(clearance::root(&digests)));
    Ok(vec![AttachmentView { bytes_b64: STANDARD.encode(bytes) }])
}

/// Why a policy has no rule for a type: the rules in force do not know it, or the policy is of earlier ones.
fn unruled(kind: ActionType, rules: u64) -> Rule {
    if kind.rules() > rules { Rule::TypeUnknown } else { Rule::PolicyForm }
}

/// Fills in what the ledger knows: origin, head, policy, quorum, id and times.
fn document(member: &MemberCaller, body: DraftBody, reason_digest: Value) -> Result<ActionDocument, Problem> {
    let founded = member.founded()?;
    let head = founded.latest_head().ok_or(Rule::FoundingMissing)?;
    let rule = founded.policy().actions.get(&body.kind).ok_or(unruled(body.kind, founded.rules()))?;
    let usual = if body.kind == ActionType::MemberRecover { RECOVERY_LIFE_S } else { USUAL_LIFE_S };
    let life_s = body.expires_in_s.unwrap_or(usual).min(MAX_ACTION_LIFE_S);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_counts_those_whom_it_names() {
        let body = |holders: Value, named: Value| -> DraftBody {
            let body = json!({ "type": "hsm.access_review", "params": { "backend": "softhsm", "holder_count": holders },
                "reason": "a quarter is over", "private": { "holders": named } });
            serde_json::from_value(body).unwrap()
        };
        assert!(count_holders(&body(json!(2), json!(["Ada", "the build farm"]))).is_ok());
        assert!(count_holders(&body(json!(2), Value::Null)).is_ok());
        for (holders, named) in
            [(json!(1), json!(["Ada", "Ben"])), (json!("1"), json!(["Ada"])), (json!(0), json!([]))]
        {
            assert_eq!(count_holders(&body(holders, named)).unwrap_err().code(), "request.json");
        }
    }

    #[test]
    fn a_type_of_later_rules_is_unknown_and_a_rule_that_is_missing_is_the_policys() {
        assert_eq!(unruled(ActionType::KeyRotate, 1), Rule::TypeUnknown);
        assert_eq!(unruled(ActionType::KeyRotate, 2), Rule::PolicyForm);
    }
}
