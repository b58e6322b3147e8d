//! The founding: founders register their authenticators, then each signs one document.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, get, post, web};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::MemberId;
pub(super) use sealbook_ledger::payload::FounderAssertion;
use sealbook_ledger::payload::FoundingDocument;
use sealbook_ledger::policy::{CredentialRules, LedgerPolicy, Role};
use sealbook_ledger::webauthn::CredentialKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::{Founder, TicketHolder, Ticketed, ToFound};
use super::disclosure::DisclosureView;
use super::problem::{Problem, ProblemDocument};
use super::registering::{self, Forms, RegistrationOptions};
use crate::ceremony::{self, FoundingView};
use crate::passkeys::PasskeyResponse;
use crate::registration::Registration;
use crate::relying_parties::Use;
use crate::reports::qr;
use crate::text::{Name, Untrusted};
use crate::views::deviations::deviations;

/// A founder's authenticator, in one of two forms.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FounderRegistration {
    /// `credential` and `client_data_json`; the challenge is SHA-256 of `sealbook registration v1\0` and the ticket's 32
    /// bytes.
    #[schema(value_type = Option<Object>)]
    registration: Option<Registration>,
    /// A browser's answer to the registration options: `attestation_object` and `client_data_json`, base64url.
    #[schema(value_type = Option<Object>)]
    passkey: Option<PasskeyResponse>,
    /// Replaces the name in the invitation.
    #[schema(value_type = Option<String>)]
    display_name: Option<Untrusted>,
}

#[derive(Serialize, ToSchema)]
struct RegisteredView {
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    /// What is to be registered next under the same ticket: `sign_in`, or absent once everything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Use>,
}

/// A founding as it stands.
#[derive(Serialize, ToSchema)]
struct FoundingStatus {
    /// `collecting`, `signing` or `founded`.
    state: &'static str,
    origin: String,
    /// The holder of the ticket.
    #[schema(value_type = String, format = Uuid)]
    you: MemberId,
    /// Whether everybody registers two passkeys: one that approves, and one that signs in.
    separate_sign_in: bool,
    /// Which authenticators the founding accepts.
    #[schema(value_type = Object)]
    credential_rules: CredentialRules,
    /// The ledger key, in C2SP form.
    #[serde(skip_serializing_if = "Option::is_none")]
    vkey: Option<String>,
    candidates: Vec<FounderStatus>,
    /// The ledger policy that the document holds.
    #[schema(value_type = Object)]
    policy: LedgerPolicy,
    /// How it differs from the defaults, in words; empty where it does not.
    policy_deviations: Vec<String>,
    /// What every founder signs; there once all have registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    document: Option<FoundingDocument>,
    /// vkey and founding digest as QR codes, SVG; there once the ledger is founded.
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<Codes>,
    /// The challenge to sign, in hex: what the ceremony shows next to the vkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    founding_digest: Option<Hash>,
}

/// What others pin, for a camera.
#[derive(Serialize, ToSchema)]
struct Codes {
    vkey: String,
    founding_digest: String,
}

#[derive(Serialize, ToSchema)]
struct FounderStatus {
    #[schema(value_type = String, format = Uuid)]
    member: MemberId,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// What opens the name's digest in this founder's entry of the document: whoever signs checks it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    disclosure: Option<DisclosureView>,
    #[schema(value_type = Vec<String>)]
    roles: BTreeSet<Role>,
    /// `hardware`, `synced`, `unattested` or `software`, once registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    kind: Option<CredentialKind>,
    registered: bool,
    signed: bool,
    /// What is to be registered next: `approve`, then `sign_in` where the two are apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Use>,
}

/// How far the signing has come.
#[derive(Serialize, ToSchema)]
struct SigningStatus {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    founding_digest: Option<Hash>,
    /// Founders who have not signed yet.
    #[schema(value_type = Vec<String>)]
    missing: Vec<MemberId>,
}

fn state_name(view: &FoundingView) -> &'static str {
    match (view.founded, &view.document) {
        (true, _) => "founded",
        (false, Some(_)) => "signing",
        (false, None) => "collecting",
    }
}

fn codes(view: &FoundingView) -> Option<Codes> {
    let (document, digest) = (view.document.as_ref().filter(|_| view.founded)?, view.digest?);
    Some(Codes { vkey: qr::svg(&document.vkey.to_string())?, founding_digest: qr::svg(&digest.to_string())? })
}

/// Draws up what a founder's browser is to be asked for. Only the newest options of a ticket can be answered.
#[utoipa::path(tag = "founding", params(("tenant" = String, Path)), security(("ticket" = [])),
    responses((status = 200, body = RegistrationOptions), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/founding/registration-options")]
pub(super) async fn begin_founder(founder: Founder) -> Result<HttpResponse, Problem> {
    let TicketHolder { app, ledger, token, .. } = founder.holder;
    let rules = app.founding(&ledger).await?.policy.credentials;
    let options = app.begin_founders_registration(&ledger, token.sha256()).await?;
    Ok(HttpResponse::Ok().json(RegistrationOptions::new(options, rules)))
}

/// Registers a founder's authenticator. The ticket stays its holder's name until the founding is over.
#[utoipa::path(tag = "founding", params(("tenant" = String, Path)), security(("ticket" = [])),
    request_body = FounderRegistration,
    responses((status = 201, body = RegisteredView), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/founding/candidates")]
pub(super) async fn register_founder(
    api: web::Data<Api>,
    Ticketed { holder, body, .. }: Ticketed<ToFound, FounderRegistration>,
) -> Result<HttpResponse, Problem> {
    let FounderRegistration { registration, passkey, display_name } = body.value;
    let invited = ceremony::from_row(&holder.invitation)?;
    let parties = api.app.founding_parties(&holder.ledger).await?;
    let rp = invited.next(&parties).and_then(|next| parties.of(next));
    // Once everything is registered the ticket is used, which is refused there.
    let rp = rp.unwrap_or(parties.approval());
    let made = Forms { registration, passkey }.made(&holder, invited.begun.as_ref(), rp)?;
    registering::accepted(&api.app.founding(&holder.ledger).await?.policy.credentials, &made)?;
    let name = display_name.map(Untrusted::name).transpose()?.map(Name::into_string);
    let (ledger, ticket) = (&holder.ledger, holder.token.sha256());
    let body = api.app.register_founder(ledger, ticket, made, name).await?;
    Ok(HttpResponse::Created().json(RegisteredView { member: body.member, next: body.next(&parties) }))
}

/// Shows how far the founding has come, and the document once there is one.
#[utoipa::path(tag = "founding", params(("tenant" = String, Path)), security(("ticket" = [])),
    responses((status = 200, body = FoundingStatus), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/founding")]
pub(super) async fn show_founding(founder: Founder) -> Result<HttpResponse, Problem> {
    let TicketHolder { app, ledger, invitation, .. } = founder.holder;
    let you = ceremony::from_row(&invitation)?.member;
    let view = app.founding(&ledger).await?;
    let candidates = view.founders.iter().map(|founder| FounderStatus {
        member: founder.member,
        display_name: founder.display_name.as_ref().map(|name| name.value().to_owned()),
        disclosure: founder.display_name.as_ref().map(DisclosureView::from),
        roles: founder.roles.clone(),
        kind: founder.kind,
        registered: founder.registered,
        signed: founder.signed,
        next: founder.next,
    });
    let people = view.founders.iter().filter(|founder| !founder.roles.contains(&Role::Recovery)).count();
    Ok(HttpResponse::Ok().json(FoundingStatus {
        state: state_name(&view),
        codes: codes(&view),
        separate_sign_in: app.founding_parties(&ledger).await?.of(Use::SignIn).is_some(),
        origin: ledger.origin().to_string(),
        you,
        credential_rules: view.policy.credentials.clone(),
        vkey: ledger.state().ledger_key().map(|key| key.vkey.to_string()),
        candidates: candidates.collect(),
        policy_deviations: deviations(&view.policy, people, ceremony::RULES),
        policy: view.policy,
        document: view.document,
        founding_digest: view.digest,
    }))
}

/// Takes a founder's signature over the document; the last one founds the ledger.
#[utoipa::path(tag = "founding", params(("tenant" = String, Path)), security(("ticket" = [])),
    request_body = Object,
    responses((status = 200, body = SigningStatus), (status = "4XX", body = ProblemDocument)))]
#[post("/v1/tenants/{tenant}/founding/assertions")]
pub(super) async fn sign_founding(
    Ticketed { holder, body, .. }: Ticketed<ToFound, FounderAssertion>,
) -> Result<HttpResponse, Problem> {
    // Refuses members beyond their bounds before anything is kept.
    body.value.to_assertion()?;
    let (ledger, ticket) = (&holder.ledger, holder.token.sha256());
    let view = holder.app.sign_founding(ledger, ticket, body.value).await?;
    let missing = view.founders.iter().filter(|founder| !founder.signed).map(|founder| founder.member);
    Ok(HttpResponse::Ok().json(SigningStatus {
        state: state_name(&view),
        founding_digest: view.digest,
        missing: missing.collect(),
    }))
}
