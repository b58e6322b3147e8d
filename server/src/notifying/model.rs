//! Who is told what: destinations as the configuration names them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_lc_rs::hmac;
use sealbook_ledger::ids::TenantName;
use ureq::http::Uri;

use super::address::{Reach, reach};

/// Most destinations of a configuration; each has a worker of its own.
pub const MAX_WEBHOOKS: usize = 16;

/// Shortest secret of a destination, in bytes: HMAC-SHA-256 wants a key as long as its output (RFC 2104 §3).
pub const MIN_SECRET: usize = 32;

/// Longest URL of a destination, in bytes.
const MAX_URL: usize = 2048;

/// What a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An action waits for people to fill its seats.
    ActionWaiting,
    /// An action's quorum holds, or its effects are complete.
    ActionApproved,
    /// An action ended without taking effect.
    ActionRefused,
    /// Three quarters of an action's time are over, and it still lacks seats.
    ActionOverdue,
    /// A rotation began, cut over, or ended.
    Rotation,
    /// A key was not replaced in time.
    RotationOverdue,
    /// A certificate is revoked.
    CertificateRevoked,
    /// An incident or drill was opened, went a step further, or ended.
    Incident,
    /// Somebody was called to one and has not answered in time.
    IncidentEscalated,
    /// Who can reach a device is to be reviewed, or should have been.
    AccessReview,
    /// A device is in trouble, or back.
    CustodyTrouble,
    /// A ledger's sealing is in trouble, or back.
    SealingTrouble,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::ActionWaiting,
        Self::ActionApproved,
        Self::ActionRefused,
        Self::ActionOverdue,
        Self::Rotation,
        Self::RotationOverdue,
        Self::CertificateRevoked,
        Self::Incident,
        Self::IncidentEscalated,
        Self::AccessReview,
        Self::CustodyTrouble,
        Self::SealingTrouble,
    ];

    /// The name, in configurations and notices.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActionWaiting => "action.waiting",
            Self::ActionApproved => "action.approved",
            Self::ActionRefused => "action.refused",
            Self::ActionOverdue => "action.overdue",
            Self::Rotation => "rotation",
            Self::RotationOverdue => "rotation.overdue",
            Self::CertificateRevoked => "certificate.revoked",
            Self::Incident => "incident",
            Self::IncidentEscalated => "incident.escalated",
            Self::AccessReview => "access_review",
            Self::CustodyTrouble => "custody.trouble",
            Self::SealingTrouble => "sealing.trouble",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Whose notices a destination gets. What concerns no tenant, such as a device, every destination may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    /// Every tenant's, also of those that are yet to be opened.
    All,
    /// These tenants'.
    These(BTreeSet<TenantName>),
}

/// A destination.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// What the operator calls it: also in metrics and in the outbox.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// What signs; its `Debug` shows no key.
    pub key: hmac::Key,
    /// Whose notices.
    pub tenants: Tenants,
    /// Which of them.
    pub kinds: BTreeSet<Kind>,
    /// Whether it may be of this machine or a private network.
    pub allow_private: bool,
    /// Whether notices hold what is disclosed: sentence, reason, names.
    pub disclose: bool,
}

impl Webhook {
    /// Whether it is to be told of this; `None` for what concerns no tenant.
    pub fn wants(&self, kind: Kind, tenant: Option<&TenantName>) -> bool {
        self.kinds.contains(&kind) && tenant.is_none_or(|tenant| self.may_know(tenant))
    }

    /// Whether it gets notices of a tenant at all.
    pub fn may_know(&self, tenant: &TenantName) -> bool {
        match &self.tenants {
            Tenants::All => true,
            Tenants::These(tenants) => tenants.contains(tenant),
        }
    }
}

/// Where a destination is. Path and query may hold a secret of the receiver's: only scheme, host and port are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    https: bool,
    host: String,
    port: u16,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Endpoint").field(&self.origin()).finish()
    }
}

impl Endpoint {
    /// Reads a URL: `https`, a host, no user, no fragment. With `allow_private`, plain `http` to this machine itself passes
    /// too, for tests and for receivers beside the server. An address that is written out is judged here, what a name
    /// stands for only when it is used.
    ///
    /// # Errors
    /// What is wrong with it, after "the URL".
    pub fn parse(text: &str, allow_private: bool) -> Result<Self, &'static str> {
        if text.len() > MAX_URL || text.contains('#') || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("is longer than 2048 bytes or holds a fragment, blanks or other than ASCII");
        }
        let uri: Uri = text.parse().map_err(|_| "is no URL")?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("is no https address"),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a user");
        }
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => None,
            // `http` leaves out a port that is too large, and would go on without it.
            Some(rest) => match rest.trim_start_matches(':').parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                Ok(_) | Err(_) => return Err("has a port that is no number from 1 to 65535"),
            },
            None => return Err("has no host"),
        };
        let local = judge_host(&host, allow_private)?;
        let plain_is_fine = allow_private && local;
        if !(https || plain_is_fine) {
            return Err("is no https address (plain http is for this machine itself, with allow_private)");
        }
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { url: text.to_owned(), https, host, port })
    }

    /// The whole URL, for the request alone.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether TLS protects what is sent.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What may be shown: scheme, host and port.
    pub fn origin(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// Says whether a host is this machine itself.
fn judge_host(host: &str, allow_private: bool) -> Result<bool, &'static str> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return match reach(address) {
            Reach::Public => Ok(false),
            Reach::Private if allow_private => Ok(address.is_loopback()),
            Reach::Private => Err("is a private address, which needs allow_private"),
            Reach::Never => Err("is an address that no receiver has"),
        };
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    let clean = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
    if number || host.len() > 253 || !host.bytes().all(clean) {
        // Resolvers read 127.1, 0x7f000001 or 2130706433 as addresses.
        return Err("has a host that is neither a name nor an address in its usual form");
    }
    Ok(host == "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(Kind::ALL.into_iter().all(|kind| Kind::named(kind.name()) == Some(kind)));
        assert_eq!(Kind::named("action.unknown"), None);
    }

    #[test]
    fn an_endpoint_is_https_to_a_public_place() {
        for (url, host, port) in [
            ("https://hooks.example.com/a?b=c", "hooks.example.com", 443),
            ("https://hooks.example.com:8443", "hooks.example.com", 8443),
            ("https://9.9.9.9/x", "9.9.9.9", 443),
            ("https://[2606:4700::1111]:444/x", "2606:4700::1111", 444),
        ] {
            let endpoint = Endpoint::parse(url, false).unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{url}");
        }
        for url in [
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "hooks.example.com",
            "/path",
            "https://",
            "https://user:word@hooks.example.com/",
            "https://user@hooks.example.com/",
            "https://hooks.example.com/#part",
            "https://hooks.example.com:0/",
            "https://hooks.example.com:65536/",
            "https://hooks.example.com/with blank",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://169.254.169.254/latest",
            "https://0.0.0.0/",
        ] {
            assert!(Endpoint::parse(url, false).is_err(), "{url}");
        }
        assert!(Endpoint::parse(&format!("https://a.example/{}", "x".repeat(2048)), false).is_err());
    }

    #[test]
    fn private_places_need_a_word_and_plain_http_needs_this_machine() {
        for url in ["https://10.0.0.1/", "https://[fd00::1]/", "http://127.0.0.1:8080/", "http://[::1]:1/"] {
            assert!(Endpoint::parse(url, false).is_err(), "{url}");
            assert!(Endpoint::parse(url, true).is_ok(), "{url}");
        }
        assert_eq!(Endpoint::parse("http://localhost/", true).unwrap().port(), 80);
        for url in ["http://10.0.0.1/", "http://hooks.example.com/", "https://169.254.169.254/", "http://0/"]
        {
            assert!(Endpoint::parse(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn what_a_receiver_keeps_secret_in_its_url_is_not_shown() {
        let endpoint =
            Endpoint::parse("https://hooks.example.com/services/T0PSECRET?key=hush", false).unwrap();
        let shown = format!("{endpoint:?} {}", endpoint.origin());
        assert!(!shown.contains("T0PSECRET") && !shown.contains("hush"), "{shown}");
        assert!(shown.contains("https://hooks.example.com:443"), "{shown}");
    }
}
