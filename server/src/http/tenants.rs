//! Tenants: opened by the operator, each with a ledger of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::{HttpResponse, get, post, web};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::founding::FOUNDERS;
use sealbook_ledger::ids::{Aaguid, BackendName, TenantName};
use sealbook_ledger::policy::{CredentialRules, LedgerPolicy, Role};
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::{Operator, Reader, Visitor};
use super::body::Body;
use super::problem::{Problem, ProblemDocument};
use crate::app::OpenedTenant;
use crate::ceremony::{FounderInvite, Plan, RULES};
use crate::ledger::Ledger;
use crate::text::Untrusted;
use crate::views::ledger::{LedgerEntry, LedgerView, PolicyView};

/// A tenant that is to be opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantBody {
    #[schema(value_type = String, example = "acme")]
    tenant: TenantName,
    /// 2 to 16 people.
    founders: Vec<FounderBody>,
    /// The device of the ledger key; the configuration's first where absent.
    #[schema(value_type = Option<String>)]
    backend: Option<BackendName>,
    /// The whole ledger policy, as founding documents hold it; the defaults where absent.
    #[schema(value_type = Option<Object>)]
    policy: Option<LedgerPolicy>,
    /// The policy's credential rules alone, in the place of its own.
    credentials: Option<CredentialsBody>,
    /// Whether everybody is to have two passkeys: one that approves, and one that signs in and never approves. Takes a
    /// server with `rp.sign_in_id`; the founding document then says `shared: false`.
    #[serde(default)]
    separate_sign_in: bool,
}

/// Which authenticators are accepted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CredentialsBody {
    /// Only attested, hardware-bound ones that can't be backed up.
    #[serde(default)]
    hardware_only: bool,
    /// Only these makes; any where absent.
    #[schema(value_type = Option<Vec<String>>)]
    aaguids: Option<BTreeSet<Aaguid>>,
}

/// Somebody who is to found a ledger.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FounderBody {
    #[schema(value_type = Option<String>)]
    display_name: Option<Untrusted>,
    /// approver, change_board, platform_admin and security_reviewer where absent.
    #[schema(value_type = Option<Vec<String>>)]
    roles: Option<BTreeSet<Role>>,
}

/// A tenant that was opened.
#[derive(Serialize, ToSchema)]
struct OpenedView {
    #[schema(value_type = String)]
    tenant: TenantName,
    origin: String,
    /// The ledger key, in C2SP form: what auditors pin.
    vkey: String,
    founding_url: String,
    /// One for each founder who has not registered; shown here once.
    /// The founders' page; a link to it carries the ticket behind a `#`.
    page_url: String,
    /// One a founder; shown here once.
    tickets: Vec<TicketView>,
}

#[derive(Serialize, ToSchema)]
struct TicketView {
    /// The founder's place in the request, from 1.
    founder: usize,
    ticket: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct TenantList {
    tenants: Vec<LedgerEntry>,
    /// Those whose ledgers are not served, for they were found damaged when the server started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedView>,
}

/// A ledger that is not served.
#[derive(Serialize, ToSchema)]
struct RefusedView {
    #[schema(value_type = String)]
    tenant: TenantName,
    origin: String,
    /// `ledger.corrupt`, or `high_water.missing`.
    code: &'static str,
    /// What was found, and where.
    sentence: String,
}

fn invite(founder: FounderBody) -> Result<FounderInvite, Problem> {
    let usual =
        || BTreeSet::from([Role::Approver, Role::ChangeBoard, Role::PlatformAdmin, Role::SecurityReviewer]);
    let roles = founder.roles.unwrap_or_else(usual);
    if roles.is_empty() {
        return Err(Problem::of("role.values"));
    }
    let name = founder.display_name.map(Untrusted::name).transpose()?;
    Ok(FounderInvite { display_name: name.map(crate::text::Name::into_string), roles })
}

/// Opens a tenant: makes its ledger key, writes its first event, invites its founders.
#[utoipa::path(tag = "tenants", security(("operator" = [])), request_body = TenantBody, responses(
    (status = 201, body = OpenedView), (status = "4XX", body = ProblemDocument)
))]
#[post("/v1/tenants")]
pub(super) async fn open_tenant(
    _operator: Operator,
    api: web::Data<Api>,
    body: Body<TenantBody>,
) -> Result<HttpResponse, Problem> {
    let TenantBody { tenant, founders, backend, policy, credentials, separate_sign_in } = body.value;
    if founders.len() > *FOUNDERS.end() {
        return Err(Problem::of("tenant.founders"));
    }
    let founders: Vec<FounderInvite> = founders.into_iter().map(invite).collect::<Result<_, _>>()?;
    let people = founders.iter().filter(|founder| !founder.roles.contains(&Role::Recovery)).count();
    if !FOUNDERS.contains(&people) {
        return Err(Problem::of("tenant.founders"));
    }
    let mut policy = policy.unwrap_or_else(|| LedgerPolicy::default_for(people, RULES));
    if let Some(CredentialsBody { hardware_only, aaguids }) = credentials {
        policy.credentials = CredentialRules { aaguids, hardware_only };
    }
    let plan = Plan { separate_sign_in, ..Plan::new(founders, policy) };
    let opened = api.app.open_tenant(tenant.clone(), plan, backend).await?;
    Ok(HttpResponse::Created().json(opened_view(&api, tenant, opened)))
}

fn opened_view(api: &Api, tenant: TenantName, opened: OpenedTenant) -> OpenedView {
    let tickets = opened.tickets.into_iter().map(|issued| TicketView {
        founder: issued.place + 1,
        ticket: issued.ticket.secret.to_string(),
        expires_at: issued.ticket.expires_at,
    });
    OpenedView {
        founding_url: format!("{}/v1/tenants/{tenant}/founding", api.public_url),
        page_url: format!("{}/t/{tenant}/found", api.public_url),
        origin: opened.origin.to_string(),
        vkey: opened.vkey.to_string(),
        tickets: tickets.collect(),
        tenant,
    }
}

/// Issues new tickets to the founders who have not registered, for answers and files that were lost. Their earlier
/// tickets are void from then on.
#[utoipa::path(tag = "tenants", params(("tenant" = String, Path)), security(("operator" = [])), responses(
    (status = 200, body = OpenedView), (status = "4XX", body = ProblemDocument)
))]
#[post("/v1/tenants/{tenant}/tickets")]
pub(super) async fn issue_tickets(
    _operator: Operator,
    api: web::Data<Api>,
    tenant: web::Path<TenantName>,
) -> Result<HttpResponse, Problem> {
    let ledger = served(&api, &tenant)?;
    let opened = api.app.issue_tickets(&ledger).await?;
    Ok(HttpResponse::Ok().json(opened_view(&api, tenant.into_inner(), opened)))
}

/// A tenant's ledger, for the operator.
fn served(api: &Api, tenant: &TenantName) -> Result<Arc<Ledger>, Problem> {
    api.app.ledger(tenant).ok_or_else(|| match api.app.refused(tenant) {
        Some(refused) => refused.error().into(),
        None => Problem::of("tenant.unknown"),
    })
}

/// Lists the tenants.
#[utoipa::path(tag = "tenants", security(("operator" = [])), responses(
    (status = 200, body = TenantList), (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants")]
pub(super) async fn list_tenants(_operator: Operator, api: web::Data<Api>) -> HttpResponse {
    let ledgers = api.app.ledgers();
    let entry =
        |ledger: &Arc<Ledger>| LedgerEntry::new(ledger.tenant(), &ledger.state(), ledger.sealed_size());
    let refused = api.app.all_refused();
    let refused = refused.iter().map(|refused| RefusedView {
        tenant: refused.tenant.clone(),
        origin: refused.origin.to_string(),
        code: refused.code,
        sentence: refused.sentence.to_string(),
    });
    HttpResponse::Ok()
        .json(TenantList { tenants: ledgers.iter().map(entry).collect(), refused: refused.collect() })
}

/// What an audit of a ledger's storage found in order.
#[derive(Serialize, ToSchema)]
struct ScrubView {
    /// Sealed events that were read again; each is what it was when it was sealed.
    events: u64,
    /// The root that they and the newest checkpoint have in common.
    #[schema(value_type = Option<String>)]
    root: Option<Hash>,
    /// Objects in the devices that no event explains and that were reported now.
    unexplained: usize,
}

/// Reads every sealed event again and looks through the devices, at once instead of over a day.
#[utoipa::path(tag = "tenants", params(("tenant" = String, Path)), security(("operator" = [])), responses(
    (status = 200, body = ScrubView), (status = "4XX", body = ProblemDocument), (status = 500, body = ProblemDocument)
))]
#[post("/v1/tenants/{tenant}/scrub")]
pub(super) async fn scrub(
    _operator: Operator,
    api: web::Data<Api>,
    tenant: web::Path<TenantName>,
) -> Result<HttpResponse, Problem> {
    let ledger = served(&api, &tenant)?;
    let scrubbed = api.app.scrub(&ledger).await?;
    let unexplained = api.app.take_stock(&ledger).await?;
    let events = scrubbed.map_or(0, |scrubbed| scrubbed.events);
    Ok(HttpResponse::Ok().json(ScrubView {
        events,
        root: scrubbed.map(|scrubbed| scrubbed.root),
        unexplained,
    }))
}

/// Shows a tenant's ledger as a whole.
#[utoipa::path(tag = "tenants", params(("tenant" = String, Path)), responses(
    (status = 200, body = LedgerView), (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}")]
pub(super) async fn show_tenant(visitor: Visitor) -> HttpResponse {
    let ledger = visitor.ledger;
    HttpResponse::Ok().json(LedgerView::new(ledger.tenant(), &ledger.state(), ledger.sealed_size(), RULES))
}

/// Shows the ledger policy in force.
#[utoipa::path(tag = "tenants", params(("tenant" = String, Path)), responses(
    (status = 200, body = PolicyView), (status = "4XX", body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/policy")]
pub(super) async fn show_policy(reader: Reader) -> Result<HttpResponse, Problem> {
    let founded = reader.founded()?;
    let view = PolicyView { policy: founded.policy().clone(), policy_digest: founded.policy_digest() };
    Ok(HttpResponse::Ok().json(view))
}
