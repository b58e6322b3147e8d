//! Actions: proposed, approved, rejected or taken back by people's own signatures.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealbook_ledger::action::{ActionDocument, ActionType, Params};
use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::clearance;
use sealbook_ledger::command::Command;
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::{
    ActionApproved, ActionCancelled, ActionProposed, ActionRejected, SignedProposal,
};
use sealbook_ledger::policy::Role;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Prechecked;
use sealbook_ledger::webauthn::{Assertion, Purpose};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answer::correlation;
use super::auth::{ActingMember, Caller, MemberCaller, Reader, Who};
use super::body::Body;
use super::candidates::attestations;
use super::disclosure::{self, DisclosureBody};
use super::drafts;
use super::problem::{Problem, ProblemDocument};
use super::proofs::Wait;
use crate::ledger::{Disclosure, Ledger, Submission, digests};
use crate::store::read::ActionFilter;
use crate::text::Untrusted;
use crate::views::actions::{self, ActionPage, ActionStatus, ActionView};
use crate::views::artifacts;

/// Most actions of a page.
const MAX_PAGE: usize = 100;

/// A signed proposal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProposalBody {
    /// What is asked for, exactly as it was signed.
    #[schema(value_type = Object)]
    document: ActionDocument,
    /// The role that the proposer acts in.
    #[schema(value_type = String)]
    role: Role,
    /// `credential_id`, `authenticator_data`, `client_data_json`, `signature`, over the proposal's challenge.
    #[schema(value_type = Object)]
    assertion: Assertion,
    /// One for each digest that the document lists.
    disclosures: Vec<DisclosureBody>,
    /// For `signing.batch` the list of digests, as its draft brought it; standard base64.
    #[serde(default)]
    attachments: Vec<AttachmentBody>,
}

/// Bytes that a document names by their SHA-256.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttachmentBody {
    /// Standard base64.
    bytes_b64: String,
}

/// A signed decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionBody {
    /// The role that is acted in.
    #[schema(value_type = String)]
    role: Role,
    /// `credential_id`, `authenticator_data`, `client_data_json`, `signature`, over the decision's challenge.
    #[schema(value_type = Object)]
    assertion: Assertion,
}

impl DecisionBody {
    fn parts(self) -> Result<(Role, Assertion, Vec<Disclosure>), Problem> {
        Ok((self.role, self.assertion, Vec::new()))
    }
}

/// A signed rejection, with its reason if that is to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectionBody {
    /// The role that is acted in.
    #[schema(value_type = String)]
    role: Role,
    /// As for the other decisions. It does not cover the reason.
    #[schema(value_type = Object)]
    assertion: Assertion,
    /// Members read it; the ledger holds a digest of it.
    #[schema(value_type = Option<String>)]
    reason: Option<Untrusted>,
}

impl RejectionBody {
    fn parts(self) -> Result<(Role, Assertion, Vec<Disclosure>), Problem> {
        Ok((self.role, self.assertion, disclosure::optional("reason", self.reason)?))
    }
}

/// Which actions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ActionQuery {
    /// Only in this status.
    #[param(inline)]
    status: Option<ActionStatus>,
    /// Only of this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    kind: Option<ActionType>,
    /// The `next` of the page before.
    after: Option<u64>,
    /// At most 100, which is also what a page has where nothing is said.
    limit: Option<usize>,
}

/// The disclosures of a proposal: exactly those that its document lists, for approvers are to read them.
fn disclosed(bodies: Vec<DisclosureBody>, document: &ActionDocument) -> Result<Vec<Disclosure>, Problem> {
    let disclosures = bodies.into_iter().map(DisclosureBody::read).collect::<Result<Vec<_>, _>>()?;
    let listed = document.private_digests();
    let says_why = disclosures.iter().filter(|disclosure| disclosure.name() == "reason").count() == 1;
    let counted = match &document.params {
        Params::HsmAccessReview(review) => disclosures.iter().any(|disclosure| {
            let lines = disclosure.value().split('\n').count();
            disclosure.digest() == review.holders_digest && u32::try_from(lines) == Ok(review.holder_count)
        }),
        _ => true,
    };
    if disclosures.len() == listed.len() && digests(&disclosures) == listed && says_why && counted {
        Ok(disclosures)
    } else {
        Err(Problem::of("disclosure.mismatch"))
    }
}

/// The attachments of a proposal: exactly those that its document names, for approvers are to see what they approve.
fn attached(
    bodies: &[AttachmentBody],
    document: &ActionDocument,
) -> Result<Vec<(Attachment, Vec<u8>)>, Problem> {
    let mismatch = || Problem::of("attachment.mismatch");
    match (&document.params, bodies) {
        (Params::SigningBatch(params), [body]) => {
            let bytes = STANDARD.decode(&body.bytes_b64).map_err(|_| mismatch())?;
            clearance::read_list(params, &bytes).ok_or_else(mismatch)?;
            Ok(vec![(params.digests.clone(), bytes)])
        }
        (Params::SigningBatch(_), _) => Err(mismatch()),
        (_, []) => Ok(Vec::new()),
        _ => Err(mismatch()),
    }
}

/// Checks an assertion ahead of the sequencer, which is not to do it under the ledger's lock.
///
/// Whether the credential is the member's is a rule: where it is unknown, the rule says so.
fn precheck(
    member: &MemberCaller,
    assertion: &Assertion,
    purpose: Purpose,
    document: &[u8],
) -> Result<Prechecked, Problem> {
    let founded = member.founded()?;
    let person = founded.active_member(member.id, member.at)?;
    let credential =
        person.credential_at(assertion.credential_id(), member.at).ok_or(Rule::CredentialUnknown)?;
    let mut checked = Prechecked::default();
    checked.check(assertion, credential, founded.approval_rp(), purpose.challenge(document))?;
    Ok(checked)
}

/// Submits a command and answers with the action as it stands then.
async fn submit(
    member: &MemberCaller,
    action: ActionId,
    submission: Submission,
) -> Result<ActionView, Problem> {
    member.ledger.submit(submission).await?;
    let view = actions::one(member.store(), member.ledger.id(), action).await?;
    view.ok_or_else(|| Problem::fault("an action that was recorded and has no row"))
}

/// Proposes an action.
#[utoipa::path(tag = "actions", params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = ProposalBody,
    responses((status = 201, body = ActionView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/actions")]
pub(super) async fn propose(
    member: ActingMember,
    body: Body<ProposalBody>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let member = member.member;
    let idempotency = body.idempotency(&req, sealbook_ledger::event::Actor::Member(member.id))?;
    let ProposalBody { document, role, assertion, disclosures, attachments } = body.value;
    let action = document.action;
    drafts::must_leave_sign_ins(&member, &document)?;
    let disclosures = disclosed(disclosures, &document)?;
    let mut attachments = attached(&attachments, &document)?;
    let bytes = document.to_bytes().map_err(|_| Rule::ActionDocument)?;
    let checked = precheck(&member, &assertion, Purpose::Proposal, &bytes)?;
    attachments.extend(attestations(&member, &document).await?);
    let signed = SignedProposal {
        authenticator_data: assertion.authenticator_data().clone(),
        client_data_json: assertion.client_data_json().clone(),
        credential_id: assertion.credential_id().clone(),
        signature: assertion.signature().clone(),
        member: member.id,
        role,
    };
    let proposed = ActionProposed { document, signed: Some(signed) };
    let submission = Submission {
        command: Command::Propose(Box::new(proposed)),
        disclosures,
        attachments,
        checked,
        idempotency,
        correlation: correlation(&req)?,
    };
    Ok(HttpResponse::Created().json(submit(&member, action, submission).await?))
}

/// Lists actions in the order of their proposals.
#[utoipa::path(tag = "actions", params(("tenant" = String, Path), ActionQuery),
    responses((status = 200, body = ActionPage), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/actions")]
pub(super) async fn list_actions(
    reader: Reader,
    query: web::Query<ActionQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let filter = ActionFilter {
        status: query.status.map(|status| status.name().to_owned()),
        kind: query.kind.map(|kind| kind.name().to_owned()),
        after: query.after,
    };
    let limit = query.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let page = actions::page(reader.store(), reader.ledger.id(), &filter, limit).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Shows one action, with the artifacts that it lists. Once its quorum holds it begins by itself: ask until its status is
/// final, or wait for that with `wait_ms`. A service sees what it asked for itself.
#[utoipa::path(tag = "actions", params(("tenant" = String, Path), ("action" = uuid::Uuid, Path), Wait),
    responses((status = 200, body = ActionView), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/actions/{action}")]
pub(super) async fn show_action(
    caller: Caller,
    path: web::Path<(String, ActionId)>,
    wait: web::Query<Wait>,
) -> Result<HttpResponse, Problem> {
    let (_, action) = path.into_inner();
    ended(&caller.ledger, action, wait.duration()).await?;
    let view = actions::one(caller.store(), caller.ledger.id(), action).await?;
    let mut view = view.filter(|view| is_theirs(&caller.who, view)).ok_or(Rule::ActionUnknown)?;
    view.artifacts = artifacts::of(caller.store(), caller.ledger.id(), &view).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Every action is a member's to read; a service's are those that it proposed.
fn is_theirs(who: &Who, view: &ActionView) -> bool {
    match who {
        Who::Member { .. } => true,
        Who::Service { id, .. } => view.proposed_by == (*id).into(),
    }
}

/// Waits until an action has ended, or the time is over.
async fn ended(ledger: &Ledger, action: ActionId, wait: Duration) -> Result<(), Problem> {
    let until = Instant::now() + wait;
    let mut size = ledger.watch_size();
    loop {
        size.borrow_and_update();
        let open = ledger.state().founded()?.actions().contains_key(&action);
        let left = until.saturating_duration_since(Instant::now());
        if !open || left.is_zero() || tokio::time::timeout(left, size.changed()).await.is_err() {
            return Ok(());
        }
    }
}

macro_rules! decision {
    ($(#[doc = $doc:literal])+ $name:ident $path:literal $purpose:ident $payload:ident in $body:ident by $caller:ty, $command:expr) => {
        $(#[doc = $doc])+
        #[utoipa::path(tag = "actions",
            params(("tenant" = String, Path), ("action" = uuid::Uuid, Path), ("Idempotency-Key" = Option<String>, Header)),
            request_body = $body,
            responses((status = 200, body = ActionView), (status = "4XX", body = ProblemDocument)))]
        #[post($path)]
        pub(super) async fn $name(
            member: $caller,
            path: web::Path<(String, ActionId)>,
            body: Body<$body>,
            req: HttpRequest,
        ) -> Result<HttpResponse, Problem> {
            let (member, (_, action)) = (MemberCaller::from(member), path.into_inner());
            let idempotency = body.idempotency(&req, sealbook_ledger::event::Actor::Member(member.id))?;
            let (role, assertion, disclosures) = body.value.parts()?;
            let document = member.founded()?.action(action)?.document_bytes();
            let checked = precheck(&member, &assertion, Purpose::$purpose, document)?;
            let decided = $payload {
                authenticator_data: assertion.authenticator_data().clone(),
                client_data_json: assertion.client_data_json().clone(),
                credential_id: assertion.credential_id().clone(),
                signature: assertion.signature().clone(),
                member: member.id,
                action,
                role,
            };
            let submission = Submission {
                command: ($command)(Box::new(decided), digests(&disclosures)),
                disclosures,
                attachments: Vec::new(),
                checked,
                idempotency,
                correlation: correlation(&req)?,
            };
            Ok(HttpResponse::Ok().json(submit(&member, action, submission).await?))
        }
    };
}

decision!(
    /// Approves an action in one role.
    approve "/v1/tenants/{tenant}/actions/{action}/approve" Approval ActionApproved in DecisionBody by ActingMember,
    |decided, _| Command::Approve(decided)
);
decision!(
    /// Rejects an action: one person is enough, and a recovery is any member's to reject.
    reject "/v1/tenants/{tenant}/actions/{action}/reject" Rejection ActionRejected in RejectionBody by MemberCaller,
    |rejected, sd| Command::Reject { rejected, sd }
);
decision!(
    /// Takes one's own proposal back.
    cancel "/v1/tenants/{tenant}/actions/{action}/cancel" Cancellation ActionCancelled in DecisionBody by ActingMember,
    |decided, _| Command::Cancel(decided)
);
