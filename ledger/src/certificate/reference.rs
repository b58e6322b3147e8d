//! What certificates refer to: policies, and where revocation lists are.

use std::fmt;
use std::str::FromStr;

use x509_cert::der::oid::ObjectIdentifier;

use crate::ids::{InvalidId, KeyId, serde_as_text};

/// A certificate policy (RFC 5280 §4.2.1.4), written as dotted numbers such as `2.23.140.1.4.1`: the second at most 39,
/// the others of 32 bits, which leaves out some that X.660 has (those made of UUIDs).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyOid(ObjectIdentifier);

/// By text, as sets are sorted in canonical bytes.
impl Ord for PolicyOid {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl PartialOrd for PolicyOid {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PolicyOid {
    /// Longest text in bytes: what fits into the 39 bytes of DER that are read.
    pub const MAX_LEN: usize = 200;

    pub(super) const fn new(oid: ObjectIdentifier) -> Self {
        Self(oid)
    }

    pub(super) const fn oid(self) -> ObjectIdentifier {
        self.0
    }
}

impl FromStr for PolicyOid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let read = if text.len() <= Self::MAX_LEN { ObjectIdentifier::new(text).ok() } else { None };
        // Some other spellings are read too.
        read.filter(|oid| oid.to_string() == text)
            .map(Self)
            .ok_or(InvalidId { what: "policy", why: "an object identifier, such as 2.23.140.1.4.1" })
    }
}

impl fmt::Display for PolicyOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for PolicyOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a revocation list is fetched (RFC 5280 §4.2.1.13): an `http` or `https` URL of a host name, without user, query
/// or fragment.
///
/// What is written into a certificate can't be corrected any more: only plain URLs are taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlUrl(String);

impl CrlUrl {
    /// Longest URL in bytes.
    pub const MAX_LEN: usize = 200;

    /// Where the list of one of the CA's keys is: a file below this URL. It may be longer than what people may write.
    #[must_use]
    pub fn of_key(&self, key: KeyId) -> Self {
        Self(format!("{}/{key}.crl", self.0.trim_end_matches('/')))
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CrlUrl {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let plain = |rest: &&str| {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority) && is_path(path)
        };
        match rest.filter(plain) {
            Some(_) if text.len() <= Self::MAX_LEN => Ok(Self(text.to_owned())),
            Some(_) | None => Err(InvalidId {
                what: "CRL URL",
                why: "an http or https URL of at most 200 bytes: host name, port, path",
            }),
        }
    }
}

/// `host` or `host:port`; a host of lower-case labels (RFC 1123 §2.1), which IPv4 addresses are too.
fn is_authority(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        let clean = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (1..=63).contains(&label.len()) && clean && !label.starts_with('-') && !label.ends_with('-')
    };
    let number = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
    host.split('.').all(label) && port.is_none_or(|port| number(port) && port.parse::<u16>().is_ok())
}

/// Characters that a path has unescaped (RFC 3986 §3.3), and complete percent escapes.
fn is_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte),
    })
}

impl fmt::Display for CrlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(PolicyOid, CrlUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_canonical_object_identifier() {
        for good in ["2.23.140.1.4.1", "1.3.6.1.4.1.55555.1", "2.5.29.32.0"] {
            assert_eq!(good.parse::<PolicyOid>().unwrap().to_string(), good);
        }
        let long = format!("1.3{}", ".4294967295".repeat(20));
        for bad in ["", "1", "3.1.1", "1.40.1", "1.2.", ".1.2", "1..2", "1.02.3", "1.2.a", "1.2.-1", &long] {
            assert!(bad.parse::<PolicyOid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_crl_url_is_plain() {
        for good in [
            "http://crl.example.com/root.crl",
            "https://example.com:8443/a/b%20c.crl",
            "http://10.0.0.1/x",
            "http://example.com",
        ] {
            assert_eq!(good.parse::<CrlUrl>().unwrap().as_str(), good);
        }
        let long = format!("http://example.com/{}", "x".repeat(200));
        for bad in [
            "",
            "http://",
            "http:///x",
            "ftp://example.com/x",
            "HTTP://example.com/x",
            "ldap://example.com/x",
            "http://user@example.com/x",
            "http://user:1@example.com/x",
            "http://example.com:0/x",
            "http://example.com:/x",
            "http://example.com:65536/x",
            "http://example.com/a b",
            "http://example.com/a\n",
            "http://example.com/\u{e9}",
            "http://example.com/%2",
            "http://example.com/x#y",
            "http://example.com/x?y",
            "http://example..com/x",
            "http://-example.com/x",
            "http://[::1]/x",
            "http://example.com\\x",
            &long,
        ] {
            assert!(bad.parse::<CrlUrl>().is_err(), "{bad}");
        }
    }
}
