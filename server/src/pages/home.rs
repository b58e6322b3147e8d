//! The two pages outside of a tenant: the root, which leads on, and the sign-in.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, web};
use askama::Template;
use serde::Deserialize;

use super::page;
use crate::http::Api;
use crate::http::problem::Problem;
use crate::http::shown::signed_in;
use crate::ledger::Ledger;

/// Longest path that a sign-in leads back to.
const MAX_NEXT: usize = 300;

/// The sign-in.
#[derive(Template)]
#[template(path = "signin.html")]
struct SignInPage {
    next: String,
    /// Whether passkeys that only sign in are asked for.
    apart: bool,
    /// Whether some ledger has no others than those that approve as well.
    shared: bool,
}

/// Where to go once signed in.
#[derive(Deserialize)]
struct SignInQuery {
    next: Option<String>,
}

/// To the inbox of whoever is signed in, else to the sign-in.
#[get("/")]
pub(super) async fn home(req: HttpRequest) -> HttpResponse {
    match signed_in(&req) {
        Some(caller) => page::lead(&format!("/t/{}/inbox", caller.ledger.tenant())),
        None => page::lead("/signin"),
    }
}

/// The sign-in. Whoever is signed in is led on; a link from elsewhere arrives without the cookie (SameSite=Strict), so the
/// page asks again by itself.
#[get("/signin")]
pub(super) async fn sign_in(
    req: HttpRequest,
    api: web::Data<Api>,
    query: web::Query<SignInQuery>,
) -> Result<HttpResponse, Problem> {
    let next = query.into_inner().next.filter(|next| is_page(next));
    let Some(caller) = signed_in(&req) else {
        let apart = api.app.config().sign_in_rp.is_some();
        let shares =
            |ledger: &Arc<Ledger>| ledger.state().founded().is_ok_and(|founded| founded.approval_rp().shared);
        let shared = !apart || api.app.ledgers().iter().any(shares);
        return page::show(&SignInPage { next: next.unwrap_or_default(), apart, shared });
    };
    let own = format!("/t/{}/", caller.ledger.tenant());
    let next = next.filter(|next| next.starts_with(&own));
    Ok(page::lead(&next.unwrap_or_else(|| format!("{own}inbox"))))
}

/// Whether a path is a tenant's page, spelled so that no browser takes it for anything else.
pub(super) fn is_page(path: &str) -> bool {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.".contains(&b));
    plain && path.starts_with("/t/") && !path.contains("//") && !path.contains("..") && path.len() <= MAX_NEXT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_pages_of_tenants_only() {
        assert!(is_page("/t/acme/actions/0190-a_b"));
        for path in
            ["", "/", "//evil.example", "https://evil.example", "/t/../v1", "/t/a//b", "/t/a?b", "/t/a\\b"]
        {
            assert!(!is_page(path), "{path}");
        }
    }
}
