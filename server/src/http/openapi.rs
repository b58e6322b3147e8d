//! The list of routes, and the OpenAPI 3.1 document that is made from it: what is served is what is documented.

use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::problem::Problem;

macro_rules! routes {
    ($($module:ident::$handler:ident),+ $(,)?) => {
        /// Registers every route.
        pub(super) fn routes(config: &mut web::ServiceConfig) {
            $(config.service(super::$module::$handler);)+
        }

        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "Sealbook",
                description = "A custody ledger for signing keys. Times are RFC 3339 in UTC with six fractional digits; \
                    binary is base64url without padding, but for members named `*_b64`, which are standard base64; \
                    hashes are lower-case hex; unknown members are refused. Problems are RFC 9457; /docs/errors lists \
                    their codes.",
                license(name = "Apache-2.0", identifier = "Apache-2.0"),
            ),
            modifiers(&Schemes),
            security(("session" = []), ("service" = [])),
            paths($(super::$module::$handler),+)
        )]
        struct Document;

        #[cfg(test)]
        const HANDLERS: &[&str] = &[$(stringify!($handler)),+];
    };
}

// The router tries one after the other: what is asked most stands first.
routes! {
    signing::sign,
    evidence::record_evidence,
    platform::health,
    platform::healthz,
    platform::readyz,
    metrics::metrics,
    platform::openapi_json,
    platform::errors,
    tenants::open_tenant,
    tenants::list_tenants,
    tenants::issue_tickets,
    tenants::scrub,
    tenants::show_tenant,
    tenants::show_policy,
    founding::begin_founder,
    founding::register_founder,
    founding::show_founding,
    founding::sign_founding,
    passkey_sessions::passkey_challenge,
    passkey_sessions::passkey_sign_in,
    passkey_sessions::renewal_challenge,
    passkey_sessions::renew_session,
    certificate::birth_certificate,
    sessions::session_challenge,
    sessions::sign_in,
    sessions::sign_out,
    sessions::show_session,
    sessions::list_sessions,
    sessions::end_session,
    members::list_members,
    members::show_member,
    services::list_services,
    services::show_service,
    candidates::invite,
    candidates::list_candidates,
    candidates::show_invitation,
    candidates::begin_candidate,
    candidates::register_candidate,
    candidates::invite_again,
    suspensions::suspend_member,
    suspensions::suspend_credential,
    suspensions::suspend_service,
    suspensions::suspend_slot,
    drafts::draft,
    actions::propose,
    actions::list_actions,
    actions::show_action,
    actions::approve,
    actions::reject,
    actions::cancel,
    slots::list_slots,
    slots::show_slot,
    slots::gate,
    slots::pubkey,
    custody::show_custody,
    batches::propose_batch,
    signing::verify,
    keys::list_keys,
    keys::show_key,
    blast_radius::blast_radius,
    blast_radius::blast_radius_csv,
    blast_radius::blast_radius_jsonl,
    incidents::list_incidents,
    incidents::show_incident,
    incidents::open_incident,
    incident_steps::acknowledge_incident,
    incident_steps::note_incident,
    incident_steps::scope_incident,
    incident_steps::withdraw_channel,
    incident_steps::reinstate_channel,
    incident_steps::resign_affected,
    incident_steps::advise_incident,
    incident_steps::close_incident,
    drills::list_drills,
    drills::start_drill,
    drills::advance_drill,
    rotations::list_rotations,
    rotations::show_rotation,
    rotations::confirm_rotation,
    rotations::move_channel,
    rotations::stop_rotation,
    certificates::list_certificates,
    certificates::show_certificate,
    certificates::certificate_request,
    certificates::certificate_chain,
    certificates::import_chain,
    certificates::give_up_certificate,
    revocations::list_revocations,
    lists::list_of_slot,
    lists::list_of_key,
    trust_root::trust_root,
    trust_root::only_trust_root,
    evidence::list_evidence,
    events::list_events,
    events::show_event,
    proofs::checkpoint,
    proofs::consistency,
    proofs::transitions,
    proofs::receipt,
    proofs::export,
    calendar::calendar,
    webhooks::list_webhooks,
    audit::members_as_at,
    audit::approvals_as_at,
    audit::keys_as_at,
    audit::refusals_as_at,
    audit::rotation_audit,
    audit::draw_sample,
    health_report::health_report,
    reports::list_reports,
    reports::report_period,
    reports::fetch_pack,
    reports::fetch_report,
    statements::make_statement,
}

/// The four kinds of bearer token.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        for (name, description) in [
            ("operator", "`sbo_…`: opens tenants."),
            ("service", "`sbt_…`: a machine client's, limited to the slots it was granted."),
            ("session", "`sbs_…`: a member's, made by an assertion over a nonce."),
            ("ticket", "`sbf_…`: of somebody who was invited; good for one registration."),
        ] {
            let mut scheme = Http::new(HttpAuthScheme::Bearer);
            scheme.description = Some(description.to_owned());
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Every documented path, to tell a wrong method from a wrong path.
static PATHS: LazyLock<Vec<ResourceDef>> =
    LazyLock::new(|| document().paths.paths.keys().map(|path| ResourceDef::new(path.as_str())).collect());

/// What answers where no route does.
pub(super) async fn nothing_here(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let known = PATHS.iter().any(|path| path.is_match(req.path()));
    Err(Problem::of(if known { "method.unknown" } else { "path.unknown" }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn operations() -> Vec<(String, Value)> {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap().clone();
        paths
            .into_iter()
            .flat_map(|(path, item)| {
                let item = item.as_object().unwrap().clone();
                item.into_iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
            })
            .collect()
    }

    #[test]
    fn every_registered_route_is_documented_under_its_own_name() {
        let documented: BTreeSet<String> =
            operations().iter().map(|(_, o)| o["operationId"].as_str().unwrap().to_owned()).collect();
        let registered: BTreeSet<String> = HANDLERS.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(documented, registered);
        assert_eq!(operations().len(), HANDLERS.len());
    }

    #[test]
    fn the_document_is_openapi_3_1_with_every_scheme_and_every_reference_resolved() {
        let document = serde_json::to_value(document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["operator", "service", "session", "ticket"]);
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not there");
        }
    }

    #[test]
    fn every_operation_says_what_it_does_and_what_it_answers() {
        for (name, operation) in operations() {
            assert!(operation["summary"].is_string(), "{name}");
            assert!(operation["responses"].as_object().is_some_and(|r| !r.is_empty()), "{name}");
            let tenant = name.contains("{tenant}") || name.contains("/.well-known/sealbook/");
            let refused = operation["responses"].get("4XX").is_some();
            assert_eq!(refused, tenant || name.contains(" /v1/"), "{name}");
        }
    }
}
