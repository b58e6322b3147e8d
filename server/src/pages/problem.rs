//! Problems as pages: what happened, under which rule, and what would help. Where nobody is signed in, the sign-in instead.

use actix_web::http::header::{ACCEPT, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::home::is_page;
use super::page;
use crate::http::problem::{Kind, Problem, ProblemDocument};

/// What programs ask; problems are for programs there.
const FOR_PROGRAMS: [&str; 7] =
    ["/v1/", "/static/", "/docs/", "/health", "/readyz", "/metrics", "/openapi.json"];

/// A problem.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    detail: &'a str,
    code: &'a str,
    status: u16,
    correlation: &'a str,
    advice: &'static str,
    /// The tenant's inbox, if the path names a tenant.
    inbox: Option<String>,
}

/// A problem as a page, if a page was asked for.
pub(super) fn page(req: &HttpRequest, problem: &Problem, document: &ProblemDocument) -> Option<HttpResponse> {
    if !wants_page(req) {
        return None;
    }
    if problem.kind() == Kind::Unauthenticated && req.method().is_safe() {
        return Some(page::lead(&sign_in_for(req)));
    }
    let shown = ProblemPage {
        title: document.title,
        detail: &document.detail,
        code: document.code,
        status: document.status,
        correlation: document.correlation.as_deref().unwrap_or_default(),
        advice: advice(problem.kind()),
        inbox: req.match_info().get("tenant").map(|tenant| format!("/t/{tenant}/inbox")),
    };
    let mut response = page::answer(problem.kind().status(), shown.render().ok()?).ok()?;
    if let Some(seconds) = problem.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Some(response)
}

/// Paths of pages, and whatever else a browser asks for as a page; its modules ask for no page.
fn wants_page(req: &HttpRequest) -> bool {
    let path = req.path();
    if FOR_PROGRAMS.iter().any(|prefix| path.starts_with(prefix)) || path.ends_with("/live") {
        return false;
    }
    let accept = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    path.starts_with("/t/") || path == "/signin" || accept.contains("text/html")
}

/// The sign-in, which leads back to the page that was asked for.
fn sign_in_for(req: &HttpRequest) -> String {
    let path = req.path();
    // What could not be a page's path, or would have to be escaped, is not worth coming back to.
    if is_page(path) { format!("/signin?next={path}") } else { "/signin".to_owned() }
}

/// What a person may do about it.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => "Check the address. What another tenant has looks like nothing from here.",
        Kind::Forbidden => "Ask somebody whose role allows it, or sign in as somebody who may.",
        Kind::Unauthenticated => "Sign in and try again.",
        Kind::Unavailable | Kind::Timeout | Kind::Rate => {
            "Wait a moment and load the page again; nothing is lost."
        }
        Kind::Fault | Kind::Corrupt => {
            "Tell the server's operator the correlation id below; the log has the cause."
        }
        Kind::Invalid | Kind::Method | Kind::Conflict | Kind::TooLarge | Kind::MediaType => {
            "Go back, look again at how things stand now, and repeat it."
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn pages_are_for_browsers_and_json_is_for_programs() {
        let asks = |path: &str, accept: &str| {
            wants_page(&TestRequest::get().uri(path).insert_header((ACCEPT, accept)).to_http_request())
        };
        assert!(asks("/t/acme/inbox", "*/*"));
        assert!(asks("/nowhere", "text/html,application/xhtml+xml"));
        assert!(!asks("/nowhere", "*/*"));
        assert!(!asks("/v1/tenants/acme", "text/html"));
        assert!(!asks("/t/acme/live", "text/event-stream"));
    }

    #[test]
    fn the_sign_in_leads_back_to_paths_of_pages_only() {
        let leads = |path: &str| sign_in_for(&TestRequest::get().uri(path).to_http_request());
        assert_eq!(leads("/t/acme/actions/0a-1"), "/signin?next=/t/acme/actions/0a-1");
        assert_eq!(leads("/t/a%22b"), "/signin");
        assert_eq!(leads("/elsewhere"), "/signin");
    }
}
