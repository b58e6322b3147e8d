//! The token of the person who runs the server.

use sealbook_ledger::encoding::{B64, Hash};
use zeroize::Zeroizing;

/// What operators' tokens begin with.
const PREFIX: &str = "sbo_";

/// What the server keeps of its operator's token: the SHA-256 of its secret, never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorToken(Hash);

impl OperatorToken {
    /// Reads a token in its one spelling: `sbo_` and 43 characters of base64url, which are 32 random bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = Zeroizing::new(text.strip_prefix(PREFIX)?.parse::<B64>().ok()?.0);
        (secret.len() == 32).then(|| Self(Hash::sha256(&secret)))
    }

    /// SHA-256 over the 32 bytes.
    pub fn sha256(&self) -> Hash {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_of_an_operator_is_one() {
        let secret = B64::from([7; 32].as_slice()).to_string();
        let token = OperatorToken::parse(&format!("sbo_{secret}"));
        assert_eq!(token, Some(OperatorToken(Hash::sha256(&[7; 32]))));
        for bad in ["", "sbo_", &secret, &format!("sbt_{secret}"), &format!("sbo_{secret}A"), &"a".repeat(64)]
        {
            assert_eq!(OperatorToken::parse(bad), None, "{bad}");
        }
    }
}
