//! Bearer tokens: a prefix that says what they are for, and 32 random bytes.

use std::fmt;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sealbook_ledger::encoding::Hash;
use zeroize::Zeroizing;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Runs the deployment.
    Operator,
    /// A machine client.
    Service,
    /// A person who signed in.
    Session,
    /// A one-time ticket of enrolment or founding.
    Ticket,
}

impl TokenKind {
    /// What such a token begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "sbo_",
            Self::Service => "sbt_",
            Self::Session => "sbs_",
            Self::Ticket => "sbf_",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Operator => "an operator token",
            Self::Service => "a service token",
            Self::Session => "a session token",
            Self::Ticket => "a ticket",
        }
    }
}

/// A bearer token. It is shown by nothing; [`Token::expose`] is for headers and private files.
#[derive(Clone)]
pub struct Token {
    text: Zeroizing<String>,
    bytes: Zeroizing<[u8; 32]>,
}

/// Why a text is not such a token; never says the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {}: expected {} and 43 characters of base64url", kind.name(), kind.prefix())]
pub struct InvalidToken {
    /// What was expected.
    pub kind: TokenKind,
}

impl Token {
    /// Reads a token of one kind.
    pub fn parse(kind: TokenKind, text: &str) -> Result<Self, InvalidToken> {
        let invalid = InvalidToken { kind };
        let encoded = text.strip_prefix(kind.prefix()).ok_or(invalid)?;
        let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| invalid)?);
        let bytes: [u8; 32] = decoded.as_slice().try_into().map_err(|_| invalid)?;
        Ok(Self { text: Zeroizing::new(text.to_owned()), bytes: Zeroizing::new(bytes) })
    }

    /// Draws a new token; `None` where the system has no randomness to give.
    pub fn generate(kind: TokenKind) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut_slice()).ok()?;
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(kind.prefix().len() + encoded.len()));
        text.push_str(kind.prefix());
        text.push_str(&encoded);
        Some(Self { text, bytes })
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// SHA-256 of its 32 bytes: what servers and ledgers keep.
    pub fn sha256(&self) -> Hash {
        Hash::sha256(self.bytes.as_slice())
    }

    /// The challenge that a registration under this ticket answers.
    pub fn registration_challenge(&self) -> Hash {
        Hash::sha256_in_context(b"sealbook registration v1\0", self.bytes.as_slice())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_is_of_one_kind() {
        let token = Token::generate(TokenKind::Service).unwrap();
        let again = Token::parse(TokenKind::Service, token.expose()).unwrap();
        assert_eq!(token.sha256(), again.sha256());
        assert!(Token::parse(TokenKind::Operator, token.expose()).is_err());
        assert!(Token::parse(TokenKind::Service, &token.expose()[..40]).is_err());
    }

    #[test]
    fn a_token_is_not_shown_by_debug_or_by_its_error() {
        let token = Token::generate(TokenKind::Session).unwrap();
        assert!(!format!("{token:?}").contains(token.expose()));
        let error = Token::parse(TokenKind::Ticket, token.expose()).unwrap_err();
        assert!(!error.to_string().contains(token.expose()));
    }
}
