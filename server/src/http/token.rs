//! Bearer tokens: a prefix that says what kind, and 32 random bytes of which only the SHA-256 is kept.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sealbook_ledger::encoding::Hash;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::problem::Problem;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// Opens tenants.
    Operator,
    /// A machine client's.
    Service,
    /// A person's session.
    Session,
    /// A one-time ticket of somebody who is to be enrolled.
    Ticket,
}

impl TokenKind {
    const ALL: [Self; 4] = [Self::Operator, Self::Service, Self::Session, Self::Ticket];

    /// What tokens of the kind begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "sbo_",
            Self::Service => "sbt_",
            Self::Session => "sbs_",
            Self::Ticket => "sbf_",
        }
    }
}

/// A token; shown by nothing but [`Token::reveal`].
pub struct Token {
    kind: TokenKind,
    secret: Zeroizing<[u8; 32]>,
}

impl Token {
    /// A token of 32 random bytes.
    pub fn new(kind: TokenKind, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { kind, secret }
    }

    /// Draws a new token.
    pub fn draw(kind: TokenKind) -> Result<Self, Problem> {
        let mut secret = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(secret.as_mut()).map_err(|_| Problem::fault("no random bytes"))?;
        Ok(Self { kind, secret })
    }

    /// Reads a token; its one spelling is the prefix and 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) =
            TokenKind::ALL.into_iter().find_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)))?;
        let mut secret = Zeroizing::new([0; 32]);
        let read = URL_SAFE_NO_PAD.decode_slice(rest, secret.as_mut()).ok()?;
        (read == secret.len()).then_some(Self { kind, secret })
    }

    /// The bearer token of a request (RFC 6750 §2.1).
    pub fn bearer(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION);
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") { Self::parse(token) } else { None }
    }

    /// What it is good for.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The random bytes.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// What servers keep of it.
    pub fn sha256(&self) -> Hash {
        Hash::sha256(self.secret.as_ref())
    }

    /// The token as its holder gets it, once.
    pub fn reveal(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_ref()));
        Zeroizing::new(format!("{}{}", self.kind.prefix(), *text))
    }
}

/// Compares two hashes in a time that says nothing about either.
pub fn same(a: &Hash, b: &Hash) -> bool {
    a.0.ct_eq(&b.0).into()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_token_reads_back_with_its_kind() {
        for kind in TokenKind::ALL {
            let token = Token::draw(kind).unwrap();
            let read = Token::parse(&token.reveal()).unwrap();
            assert_eq!((read.kind(), read.sha256()), (kind, token.sha256()));
            assert!(same(&read.sha256(), &token.sha256()));
        }
    }

    #[test]
    fn only_the_one_spelling_is_a_token() {
        let good = Token::draw(TokenKind::Service).unwrap().reveal().to_string();
        let bad = [
            String::new(),
            "sbt_".into(),
            good.replace("sbt_", "sbx_"),
            format!("{good}A"),
            format!("{good}="),
            good[..good.len() - 1].to_owned(),
            format!("{good}{}", &good[4..]),
        ];
        assert!(bad.iter().all(|text| Token::parse(text).is_none()));
    }

    #[test]
    fn a_request_has_exactly_one_bearer_token() {
        let token = Token::draw(TokenKind::Session).unwrap().reveal();
        let value = |scheme: &str| HeaderValue::from_str(&format!("{scheme} {}", *token)).unwrap();
        let mut headers = HeaderMap::new();
        assert!(Token::bearer(&headers).is_none());
        headers.append(AUTHORIZATION, value("bearer"));
        assert!(Token::bearer(&headers).is_some());
        headers.append(AUTHORIZATION, value("Bearer"));
        assert!(Token::bearer(&headers).is_none());
        headers.insert(AUTHORIZATION, value("Basic"));
        assert!(Token::bearer(&headers).is_none());
    }
}
