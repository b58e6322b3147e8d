//! The server's root: to the inbox of whoever is signed in, else to the sign-in.

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::page;
use crate::clock;
use crate::http::{Api, cookie};

#[get("/")]
pub(super) async fn home(req: HttpRequest, api: web::Data<Api>) -> HttpResponse {
    let token = cookie::token(req.headers());
    let session = token.and_then(|token| api.sessions.peek(&token.sha256(), clock::now()));
    match session {
        Some(session) => page::lead(&format!("/t/{}/inbox", session.tenant)),
        None => page::lead("/signin"),
    }
}
