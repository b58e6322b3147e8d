//! A member's own sessions: where somebody is signed in, and how to end what is not wanted any more.

use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use crate::http::sessions::OwnSession;

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    sessions: Vec<SessionRow>,
}

struct SessionRow {
    handle: String,
    current: bool,
    browser: bool,
    name: String,
    agent: String,
    began_at: String,
    used_at: String,
    used_ago: String,
    expires_at: String,
}

#[get("/t/{tenant}/sessions")]
pub(super) async fn sessions(visit: Visit, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let at = visit.member.at;
    let row = |session: OwnSession| SessionRow {
        handle: session.session.to_string(),
        current: session.current,
        browser: session.browser,
        name: called(&session.agent).to_owned(),
        began_at: session.began_at.to_string(),
        used_at: session.used_at.to_string(),
        used_ago: wording::ago(session.used_at, at),
        expires_at: session.expires_at.to_string(),
        agent: session.agent,
    };
    let sessions = OwnSession::list(&visit.api, &visit.member, &req).into_iter().map(row).collect();
    page::show(&SessionsPage { frame: visit.frame("Your sessions", Place::Elsewhere), sessions })
}

/// A program's name, where it is one of the usual ones.
fn called(agent: &str) -> &'static str {
    // Each of these says the names of those below it, too.
    let known = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("sealbook", "The command line"),
    ];
    known.iter().find(|(mark, _)| agent.contains(mark)).map_or("A program", |(_, name)| name)
}
