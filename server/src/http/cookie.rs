//! Browsers: the cookie that carries a session, and what a request has to prove beside it.
//!
//! A browser sends cookies whoever asked it to. So a request that changes something also shows the page's CSRF token, and
//! the browser's own word that the page is this server's. Programs send a bearer token instead and prove nothing more.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderMap, HeaderName, ORIGIN, USER_AGENT};
use subtle::ConstantTimeEq as _;

use super::Api;
use super::problem::Problem;
use super::session_table::SESSION_LIFE_S;
use super::token::{Token, TokenKind};

/// The cookie's name: by its prefix, browsers take it from this host alone, over TLS (or from localhost).
const NAME: &str = "__Host-sealbook";

/// What ends the cookie in the browser.
pub const CLEARED: &str = "__Host-sealbook=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";

/// Carries the page's token.
pub const CSRF: HeaderName = HeaderName::from_static("x-sealbook-csrf");

/// Marks what a page asks by itself, without a person's hand: it does not keep a session from ending.
pub const BACKGROUND: HeaderName = HeaderName::from_static("x-sealbook-background");

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Longest name of a program that is kept.
const MAX_AGENT: usize = 160;

/// The cookie that carries a session, as a `Set-Cookie` header says it.
pub fn set(token: &Token) -> String {
    let secret = token.reveal();
    format!("{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={SESSION_LIFE_S}", *secret)
}

/// The session token of a request's cookie; two cookies of the name are none.
pub fn token(headers: &HeaderMap) -> Option<Token> {
    let pairs = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='));
    let (value, None) = (values.next()?, values.next()) else { return None };
    Token::parse(value).filter(|token| token.kind() == TokenKind::Session)
}

/// Refuses what another site's page may have asked: whatever changes something and shows no proof.
pub fn guard(api: &Api, req: &HttpRequest, token: &Token) -> Result<(), Problem> {
    if req.method().is_safe() {
        return Ok(());
    }
    same_origin(req.headers(), &api.public_url)?;
    let shown = one(req.headers(), &CSRF).unwrap_or_default();
    let expected = api.sessions.csrf(&token.sha256()).to_string();
    if shown.as_bytes().ct_eq(expected.as_bytes()).into() { Ok(()) } else { Err(Problem::of("session.csrf")) }
}

/// Whether the browser says that a page of this server asks. Older browsers say only the page's origin.
pub fn same_origin(headers: &HeaderMap, origin: &str) -> Result<(), Problem> {
    let own = match one(headers, &SEC_FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => one(headers, &ORIGIN) == Some(origin),
    };
    if own { Ok(()) } else { Err(Problem::of("session.cross_site")) }
}

/// What a program calls itself, for its owner to tell sessions apart: printable, and cut off where it is long.
pub fn agent(headers: &HeaderMap) -> String {
    let said = headers.get(USER_AGENT).map(|value| value.as_bytes()).unwrap_or_default();
    let printable = said.iter().filter(|byte| (b' '..=b'~').contains(byte));
    printable.take(MAX_AGENT).map(|&byte| char::from(byte)).collect()
}

/// A header's value, if it has exactly one.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let (value, None) = (values.next()?, values.next()) else { return None };
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    #[test]
    fn a_cookie_reads_back_from_among_others() {
        let token = Token::draw(TokenKind::Session).unwrap();
        let set = set(&token);
        assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200"));
        let pair = set.split(';').next().unwrap();
        let read = super::token(&headers(&[(COOKIE, &format!("a=b; {pair}; c=d"))])).unwrap();
        assert_eq!(read.sha256(), token.sha256());
    }

    #[test]
    fn what_is_not_one_session_token_is_none() {
        let session = Token::draw(TokenKind::Session).unwrap().reveal();
        let service = Token::draw(TokenKind::Service).unwrap().reveal();
        let bad = [
            String::new(),
            format!("sealbook={}", *session),
            format!("{NAME}x={}", *session),
            format!("{NAME}={}", *service),
            format!("{NAME}={}; {NAME}={}", *session, *session),
            format!("{NAME}="),
        ];
        assert!(bad.iter().all(|value| token(&headers(&[(COOKIE, value)])).is_none()));
    }

    #[test]
    fn the_browsers_word_counts_before_the_origin() {
        let own = "https://sealbook.example.com";
        let asked = |pairs: &[(HeaderName, &str)]| same_origin(&headers(pairs), own).is_ok();
        assert!(asked(&[(SEC_FETCH_SITE, "same-origin")]));
        assert!(asked(&[(ORIGIN, own)]));
        assert!(!asked(&[]));
        assert!(!asked(&[(ORIGIN, "null")]));
        assert!(!asked(&[(ORIGIN, "https://evil.example.com")]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!asked(&[(SEC_FETCH_SITE, site), (ORIGIN, own)]), "{site}");
        }
    }

    #[test]
    fn the_name_of_a_program_is_short_and_printable() {
        let long = "x".repeat(1000);
        assert_eq!(agent(&headers(&[(USER_AGENT, &long)])).len(), MAX_AGENT);
        let mut odd = HeaderMap::new();
        odd.insert(USER_AGENT, HeaderValue::from_bytes(b"a\xff<b>\tc").unwrap());
        assert_eq!(agent(&odd), "a<b>c");
        assert_eq!(agent(&HeaderMap::new()), "");
    }
}
