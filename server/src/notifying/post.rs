//! One request to one destination: the name is resolved once, every address is judged, and the connection goes to one of
//! those very addresses. No redirect is followed, no proxy is asked, TLS is always verified.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};
use uuid::Uuid;

use super::address::{Reach, reach};
use super::model::Webhook;
use super::signature;
use crate::clock;

/// Longest time that a request may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Longest time that a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(5);

/// What is waited beyond the client's own deadline, for a client that has lost it.
const GRACE: Duration = Duration::from_secs(2);

/// Most bytes of an answer that are read, so that a connection can end well; nothing is made of them.
const MAX_ANSWER: u64 = 1024;

/// Longest head of an answer.
const MAX_HEAD: usize = 16 * 1024;

/// Most addresses of a name that are tried: what the client can hold.
const MAX_ADDRESSES: usize = 16;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The receiver has it (2xx).
    Accepted(u16),
    /// The receiver answered something else.
    Answered(u16),
    /// The receiver pointed elsewhere, and nobody goes there.
    Redirected(u16),
    /// The name stands for an address that may not be sent to; no connection was made.
    AddressRefused,
    /// The name stands for nothing.
    Unresolved,
    /// No answer in time.
    TimedOut,
    /// No connection, or one that broke, or a certificate that does not hold.
    Unreachable,
}

impl Sent {
    pub(crate) fn arrived(self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(status) => write!(f, "accepted with {status}"),
            Self::Answered(status) => write!(f, "answered {status}"),
            Self::Redirected(status) => write!(f, "redirect refused ({status})"),
            Self::AddressRefused => f.write_str("address refused"),
            Self::Unresolved => f.write_str("name not resolved"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Unreachable => f.write_str("unreachable"),
        }
    }
}

/// What every request is made with.
pub(crate) struct Post {
    tls: TlsConfig,
}

impl Post {
    /// With the system's root certificates; where nobody is told, nothing is read.
    pub(crate) fn new(webhooks: &[Webhook]) -> Self {
        let needed = webhooks.iter().any(|hook| hook.endpoint.is_https());
        let found = needed.then(rustls_native_certs::load_native_certs).unwrap_or_default();
        let roots: Vec<_> = found.certs.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
        if needed && roots.is_empty() {
            tracing::warn!("the system has no root certificates: no webhook over https will arrive");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(roots))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        Self { tls }
    }

    /// Sends a body; ends by its deadline whatever the receiver does.
    pub(crate) async fn send(&self, webhook: &Webhook, delivery: Uuid, body: Vec<u8>) -> Sent {
        let addresses = match resolve(webhook).await {
            Ok(addresses) => addresses,
            Err(sent) => return sent,
        };
        let agent = self.agent(addresses);
        let at = clock::now().unix_micros() / 1_000_000;
        let request = agent
            .post(webhook.endpoint.url())
            .header("content-type", "application/json")
            .header("Sealbook-Delivery", delivery.to_string())
            .header(signature::HEADER, signature::sign(&webhook.key, at, &body));
        let name = webhook.name.clone();
        let sending = tokio::task::spawn_blocking(move || match request.send(&body[..]) {
            Ok(mut response) => {
                // Whatever it says: the status alone counts.
                let _ = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
                sort(response.status().as_u16())
            }
            Err(error) => failed(&name, &error),
        });
        match tokio::time::timeout(DEADLINE + GRACE, sending).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Sent::Unreachable,
            Err(_) => Sent::TimedOut,
        }
    }

    fn agent(&self, addresses: Vec<SocketAddr>) -> Agent {
        let config = Agent::config_builder()
            .tls_config(self.tls.clone())
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .max_response_header_size(MAX_HEAD)
            .max_idle_connections(0)
            .user_agent(concat!("sealbook/", env!("CARGO_PKG_VERSION")))
            .build();
        Agent::with_parts(config, DefaultConnector::default(), Pinned(addresses))
    }
}

/// The addresses of a destination, each of which may be sent to; one that may not spoils them all, for an honest name has
/// none.
async fn resolve(webhook: &Webhook) -> Result<Vec<SocketAddr>, Sent> {
    let endpoint = (webhook.endpoint.host(), webhook.endpoint.port());
    let found = match endpoint.0.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, endpoint.1)],
        Err(_) => match tokio::time::timeout(RESOLVE, tokio::net::lookup_host(endpoint)).await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(_)) => Vec::new(),
            Err(_) => return Err(Sent::TimedOut),
        },
    };
    judge(found, webhook.allow_private)
}

fn judge(mut found: Vec<SocketAddr>, allow_private: bool) -> Result<Vec<SocketAddr>, Sent> {
    let allowed = |address: &SocketAddr| match reach(address.ip()) {
        Reach::Public => true,
        Reach::Private => allow_private,
        Reach::Never => false,
    };
    if !found.iter().all(allowed) {
        return Err(Sent::AddressRefused);
    }
    found.truncate(MAX_ADDRESSES);
    if found.is_empty() { Err(Sent::Unresolved) } else { Ok(found) }
}

fn sort(status: u16) -> Sent {
    match status {
        200..=299 => Sent::Accepted(status),
        300..=399 => Sent::Redirected(status),
        _ => Sent::Answered(status),
    }
}

fn failed(name: &str, error: &Error) -> Sent {
    match error {
        Error::Timeout(_) => return Sent::TimedOut,
        // These two hold no URL, whose path may be a secret.
        Error::Io(error) => tracing::info!(webhook = name, %error, "a webhook's receiver can't be reached"),
        Error::Rustls(error) => tracing::info!(webhook = name, %error, "a webhook's TLS fails"),
        _ => {}
    }
    Sent::Unreachable
}

/// Resolves whatever is asked for to the addresses that were judged before.
#[derive(Debug)]
struct Pinned(Vec<SocketAddr>);

impl Resolver for Pinned {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        for address in &self.0 {
            addresses.push(*address);
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_that_may_not_be_sent_to_spoils_them_all() {
        let at = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 443)).collect()
        };
        assert_eq!(judge(at(&["9.9.9.9", "2620:fe::fe"]), false).unwrap().len(), 2);
        for mixed in [["9.9.9.9", "10.0.0.1"], ["9.9.9.9", "::1"], ["::ffff:127.0.0.1", "9.9.9.9"]] {
            assert_eq!(judge(at(&mixed), false), Err(Sent::AddressRefused), "{mixed:?}");
            assert!(judge(at(&mixed), true).is_ok(), "{mixed:?}");
        }
        assert_eq!(judge(at(&["9.9.9.9", "169.254.169.254"]), true), Err(Sent::AddressRefused));
        assert_eq!(judge(Vec::new(), true), Err(Sent::Unresolved));
    }

    #[test]
    fn only_a_2xx_has_arrived() {
        for (status, arrived) in
            [(200, true), (204, true), (199, false), (301, false), (404, false), (500, false)]
        {
            assert_eq!(sort(status).arrived(), arrived, "{status}");
        }
        assert_eq!(sort(307), Sent::Redirected(307));
    }
}
