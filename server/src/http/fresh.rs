//! Step-up: what no assertion of its own authorises takes a session that its member has shown an authenticator for lately.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::auth::{api, unauthenticated};
use super::problem::Problem;
use super::shown::Shown;
use super::token::TokenKind;
use crate::clock;

/// A caller, as `E` has it, whose session was begun or renewed by an authenticator a short while ago: for what no
/// assertion of its own authorises, and a browser that was left open, or a stolen cookie, is not to do. A service's token
/// belongs to no session.
pub struct Fresh<E>(pub E);

/// Refuses a member's session that nobody has shown an authenticator for lately.
pub fn must_be_fresh(req: &HttpRequest) -> Result<(), Problem> {
    let (api, shown, now) = (api(req)?, Shown::of(req).ok_or_else(unauthenticated)?, clock::forward());
    if shown.token.kind() != TokenKind::Session {
        return Ok(());
    }
    let session = api.sessions.peek(&shown.token.sha256(), now).ok_or_else(unauthenticated)?;
    let fresh = session.is_fresh(api.app.config().fresh_sign_in_s, now);
    if fresh { Ok(()) } else { Err(Problem::of("session.stale")) }
}

impl<E: FromRequest<Error = Problem, Future = Ready<Result<E, Problem>>>> FromRequest for Fresh<E> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = E::from_request(req, payload).into_inner();
        // Who may not do it at all need not come back with an authenticator.
        ready(caller.and_then(|caller| must_be_fresh(req).map(|()| Self(caller))))
    }
}
