//! Names on the web: the server's own address, and whom passkeys are made for.

use std::net::IpAddr;

use sealbook_ledger::ids::{InvalidId, Origin, TenantName};

use super::ConfigError;

/// Whether names of this machine alone are acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Production: `https` and real domain names.
    Serve,
    /// `sealbook dev`: `localhost` and plain `http` are fine.
    Dev,
}

/// A web origin (RFC 6454 §6.2): scheme, host, port where it is not the scheme's own; nothing behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WebOrigin(String);

impl WebOrigin {
    /// The origin as browsers serialise it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without the port.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(self.as_str(), |(_, authority)| authority);
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }

    pub(super) fn parse(key: &str, text: &str, mode: Mode) -> Result<Self, ConfigError> {
        let refuse = |problem| Err(ConfigError::value(key, problem, "e.g. \"https://sealbook.example.com\""));
        let (scheme, authority) = match text.split_once("://") {
            Some(("https", authority)) => ("https", authority),
            Some(("http", authority)) if mode == Mode::Dev => ("http", authority),
            _ => return refuse("is no https address"),
        };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if !is_host(host) {
            return refuse(
                "must be scheme and lower-case host (and port), without path, user or trailing slash",
            );
        }
        match port.map(str::parse::<u16>) {
            Some(Err(_)) => refuse("has a port that is no number from 0 to 65535"),
            Some(Ok(port)) if (scheme, port) == ("https", 443) || (scheme, port) == ("http", 80) => {
                refuse("names its scheme's own port, which browsers leave out")
            }
            Some(Ok(_)) | None => Ok(Self(text.to_owned())),
        }
    }
}

fn is_host(host: &str) -> bool {
    let clean = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(clean)
}

/// Whether a host is a domain, or lies below it.
fn lies_on(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The WebAuthn relying party (WebAuthn Level 2 §4): whom passkeys are made for, and where they may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    sign_in_id: Option<String>,
    origins: Vec<WebOrigin>,
}

impl RelyingParty {
    /// Checks an id and its origins, each of which must lie on the id's host or below it.
    ///
    /// # Errors
    /// [`ConfigError`] naming `rp.id` or `rp.origins`. In [`Mode::Serve`], `localhost` and addresses are refused:
    /// passkeys made for them could be used by anything that runs on a visitor's own machine.
    pub fn new(id: &str, origins: &[String], mode: Mode) -> Result<Self, ConfigError> {
        let refuse = |problem| {
            Err(ConfigError::value(
                "rp.id",
                problem,
                "the domain people visit, e.g. \"sealbook.example.com\"",
            ))
        };
        if !is_host(id) {
            return refuse("is no lower-case domain name");
        }
        let local = id == "localhost" || id.ends_with(".localhost");
        if id.parse::<IpAddr>().is_ok() || (!local && !id.contains('.')) {
            return refuse("is no domain name");
        }
        if local && mode == Mode::Serve {
            return refuse("is a name of this machine alone, which only `sealbook dev` accepts");
        }
        let mut parsed = Vec::with_capacity(origins.len());
        for origin in origins {
            let origin = WebOrigin::parse("rp.origins", origin, mode)?;
            if !lies_on(origin.host(), id) {
                return Err(ConfigError::value(
                    "rp.origins",
                    "lists an origin outside `rp.id`, where browsers refuse the passkeys",
                    "origins on that domain or below it",
                ));
            }
            parsed.push(origin);
        }
        if parsed.is_empty() {
            let write = "the list of addresses people visit, e.g. [\"https://sealbook.example.com\"]";
            return Err(ConfigError::Missing { key: "rp.origins", write });
        }
        parsed.sort();
        parsed.dedup();
        Ok(Self { id: id.to_owned(), sign_in_id: None, origins: parsed })
    }

    /// The same, with a second id beside it: passkeys of that one sign in and never approve, where a ledger's founders
    /// want the two kept apart.
    ///
    /// # Errors
    /// [`ConfigError`] naming `rp.sign_in_id`: it must be another domain than the id, and every origin must lie on it or
    /// below it, for browsers make passkeys for a page's own host and the domains above it alone.
    pub fn with_sign_in(self, sign_in_id: &str) -> Result<Self, ConfigError> {
        const WRITE: &str =
            "the domain above `rp.id`'s, e.g. \"example.com\" beside `id = \"approve.example.com\"`";
        let refuse = |problem| Err(ConfigError::value("rp.sign_in_id", problem, WRITE));
        if !is_host(sign_in_id) || !sign_in_id.contains('.') || sign_in_id.parse::<IpAddr>().is_ok() {
            return refuse("is no lower-case domain name that passkeys can be made for");
        }
        if sign_in_id == self.id {
            return refuse(
                "is the same as `rp.id`, so that passkeys would not be apart; leave it out, or name another",
            );
        }
        if !self.origins.iter().all(|origin| lies_on(origin.host(), sign_in_id)) {
            return refuse(
                "is not the host of every one of `rp.origins` or a domain above it, where browsers refuse the passkeys",
            );
        }
        Ok(Self { sign_in_id: Some(sign_in_id.to_owned()), ..self })
    }

    /// The id of passkeys that only sign in, where there are any.
    pub fn sign_in_id(&self) -> Option<&str> {
        self.sign_in_id.as_deref()
    }

    /// The relying party's id: a domain name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where passkeys may be used; sorted, unique, never empty.
    pub fn origins(&self) -> &[WebOrigin] {
        &self.origins
    }
}

/// What the origins of this deployment's ledgers begin with, e.g. `sealbook.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPrefix(String);

impl OriginPrefix {
    /// Leaves room for `/` and the longest tenant name.
    const MAX_LEN: usize = Origin::MAX_LEN - TenantName::MAX_LEN - 1;

    /// Checks a prefix.
    ///
    /// # Errors
    /// [`ConfigError`] naming `origin_prefix`.
    pub fn new(text: &str) -> Result<Self, ConfigError> {
        let valid = text.parse::<Origin>().is_ok() && text.len() <= Self::MAX_LEN && !text.ends_with('/');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(ConfigError::value(
                "origin_prefix",
                "cannot begin a ledger's origin",
                "a name without scheme, spaces, `+` or trailing slash, e.g. \"sealbook.example.com\"",
            ))
        }
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The origin of a tenant's ledger.
    ///
    /// # Errors
    /// None for a prefix made by [`OriginPrefix::new`]; the type is the ledger's own, which checks again.
    pub fn origin(&self, tenant: &TenantName) -> Result<Origin, InvalidId> {
        format!("{}/{}", self.0, tenant.as_str()).parse()
    }
}
