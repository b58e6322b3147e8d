//! Live pages: a stream of server-sent events that says when the ledger has grown, and nothing of what is in it.
//!
//! A page fetches itself again when it hears of a change, so a reader sees through a stream what a reload would show. A
//! stream ends with whoever follows it: with the session, or with the suspension of its member or authenticator.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use futures_util::stream;
use sealbook_ledger::encoding::Hash;
use tokio::sync::watch;

use crate::clock;
use crate::http::Api;
use crate::http::auth::MemberCaller;
use crate::http::listeners::Place;
use crate::http::problem::Problem;
use crate::http::shown::Shown;
use crate::ledger::Ledger;

/// How often is looked whether whoever follows still may: nothing tells a stream that its session was ended. A quiet
/// stream says then that it lives: proxies cut off what is silent for a minute, and a stream whose page is gone shows
/// only when it is written to.
const LOOK: Duration = Duration::from_secs(2);

/// Two events are at least so far apart, however fast the ledger grows.
const PAUSE: Duration = Duration::from_millis(500);

/// What a stream follows.
struct Feed {
    api: web::Data<Api>,
    ledger: Arc<Ledger>,
    session: Option<Hash>,
    size: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    told: Option<u64>,
    _place: Place,
}

/// Streams `changed` events, `{"size": n}` each, the first at once.
#[get("/t/{tenant}/live")]
pub(super) async fn live(
    member: MemberCaller,
    api: web::Data<Api>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let place = api.listeners.take((member.ledger.tenant().clone(), member.id))?;
    let feed = Feed {
        session: Shown::of(&req).map(|shown| shown.token.sha256()),
        size: member.ledger.watch_size(),
        stopping: api.watch_stopping(),
        ledger: member.ledger,
        told: None,
        api,
        _place: place,
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let said = feed.next().await?;
        Some((Ok::<_, Problem>(Bytes::from(said)), feed))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // Some proxies collect what they pass on.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

impl Feed {
    /// The next thing to say; none once the server stops, or whoever follows may no longer.
    async fn next(&mut self) -> Option<String> {
        if self.told.is_some() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            }
            self.growth().await?;
        }
        if !self.is_followed() {
            return None;
        }
        self.size.borrow_and_update();
        let size = self.ledger.size();
        if self.told.replace(size) == Some(size) {
            return Some(": still here\n\n".to_owned());
        }
        Some(format!("event: changed\ndata: {{\"size\":{size}}}\n\n"))
    }

    /// Waits until the ledger has grown, or it is time to look.
    async fn growth(&mut self) -> Option<()> {
        tokio::select! {
            changed = self.size.changed() => changed.ok(),
            () = tokio::time::sleep(LOOK) => Some(()),
            _ = self.stopping.wait_for(|stopping| *stopping) => None,
        }
    }

    /// Whether the session still holds, and its member and authenticator are in force.
    fn is_followed(&self) -> bool {
        let session = self.session.and_then(|token| self.api.sessions.peek(&token, clock::forward()));
        session.is_some_and(|session| session.roles(&self.ledger.state(), self.ledger.now()).is_some())
    }
}
