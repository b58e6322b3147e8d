//! Where a server is: an https URL, or http on this machine alone.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

/// Longest URL in bytes; keeps error messages and headers short.
const MAX_URL: usize = 2048;

/// The URL below which a server's routes lie, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    web_origin: String,
    host: String,
    path: String,
    secure: bool,
}

/// Why a text is not such a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Not a URL, or one with parts that have no meaning here.
    #[error("a server's URL is https://host[:port][/path], without user, query or fragment")]
    Shape,
    /// Plain http to another machine: tokens would travel in the clear.
    #[error("http is for this machine alone (localhost, 127.0.0.1, [::1]); use https")]
    Insecure,
}

impl BaseUrl {
    /// The web origin (RFC 6454 §6.2), which assertions name as a browser would.
    pub fn web_origin(&self) -> &str {
        &self.web_origin
    }

    /// The host without its port; what an authenticator takes for its relying party id.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it takes TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    pub(super) fn join(&self, path: &str) -> String {
        format!("{}{}{path}", self.web_origin, self.path)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if text.len() > MAX_URL || text.contains(['?', '#', '@']) {
            return Err(InvalidUrl::Shape);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::Shape)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(InvalidUrl::Shape);
        };
        let secure = match scheme {
            "https" => true,
            "http" if is_loopback(authority.host()) => false,
            "http" => return Err(InvalidUrl::Insecure),
            _ => return Err(InvalidUrl::Shape),
        };
        let host = authority.host().to_ascii_lowercase();
        let default_port = if secure { 443 } else { 80 };
        let port = authority.port_u16().filter(|&port| port != default_port);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            web_origin: format!("{scheme}://{host}{port}"),
            host,
            path: uri.path().trim_end_matches('/').to_owned(),
            secure,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.web_origin, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in
            ["http://localhost:7420", "http://127.0.0.1", "http://[::1]:7420/", "https://a.example/x/"]
        {
            assert!(good.parse::<BaseUrl>().is_ok(), "{good}");
        }
        for bad in ["http://sealbook.example.com", "http://localhost.example.com", "http://10.0.0.1:7420"] {
            assert_eq!(bad.parse::<BaseUrl>(), Err(InvalidUrl::Insecure), "{bad}");
        }
        for bad in ["", "localhost:7420", "ftp://localhost", "https://u:p@a.example", "https://a.example/?x"]
        {
            assert_eq!(bad.parse::<BaseUrl>(), Err(InvalidUrl::Shape), "{bad}");
        }
    }

    #[test]
    fn the_web_origin_is_written_as_a_browser_writes_it() {
        let url: BaseUrl = "https://Sealbook.example.com:443/base/".parse().unwrap();
        assert_eq!(url.web_origin(), "https://sealbook.example.com");
        assert_eq!(url.join("/v1/tenants"), "https://sealbook.example.com/base/v1/tenants");
    }
}
