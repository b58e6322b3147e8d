//! What a request shows to say who asks, before anybody has looked at whether it holds.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::auth::{self, Caller};
use super::cookie;
use super::session_table::Carrier;
use super::token::Token;

/// A token, and how it came.
pub struct Shown {
    /// The token.
    pub token: Token,
    /// How it came.
    pub carrier: Carrier,
}

impl Shown {
    /// A bearer token; without any, the cookie of a browser's session.
    pub fn of(req: &HttpRequest) -> Option<Self> {
        let headers = req.headers();
        if headers.contains_key(AUTHORIZATION) {
            Token::bearer(headers).map(|token| Self { token, carrier: Carrier::Bearer })
        } else {
            cookie::token(headers).map(|token| Self { token, carrier: Carrier::Cookie })
        }
    }
}

/// The member whose browser asks, where the path names no tenant. Good for leading somewhere, not for doing anything.
pub fn signed_in(req: &HttpRequest) -> Option<Caller> {
    let token = cookie::token(req.headers())?;
    auth::member_of(auth::api(req).ok()?, req, &token, Carrier::Cookie)
}
