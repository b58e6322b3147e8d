//! How often somebody may try to sign in, by tenant and address: enough for a busy office, not for a flood.
//!
//! Nothing can be guessed here, so this is about work and room alone. The rate is kept as one moment for each address
//! (generic cell rate algorithm: the time by which all that was asked would have been asked at the steady pace).
//!
//! Behind a proxy, every request comes from the proxy's address: those that the operator trusts say whom they ask for.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};
use sealbook_ledger::ids::TenantName;
use sealbook_ledger::timestamp::Timestamp;

use super::problem::Problem;
use crate::network::Network;

/// One attempt's share of the steady pace, in microseconds: two a second.
const SHARE_US: i64 = 500_000;

/// Attempts at once, after a pause.
const BURST: i64 = 120;

/// Most addresses that are told apart; some 100 bytes each.
const MAX_ADDRESSES: usize = 8192;

/// Where attempts come from. Whoever comes when the table is full shares one place with all who do.
type Source = Option<(Option<TenantName>, IpAddr)>;

/// The pace of every address.
#[derive(Default)]
pub struct Throttle {
    due: Mutex<HashMap<Source, i64>>,
    proxies: Vec<Network>,
}

impl Throttle {
    /// One that believes these proxies' word on whom they ask for.
    pub fn behind(proxies: Vec<Network>) -> Self {
        Self { due: Mutex::default(), proxies }
    }

    /// Lets an attempt pass, or refuses it as one too many.
    pub fn pass(&self, tenant: Option<&TenantName>, req: &HttpRequest, at: Timestamp) -> Result<(), Problem> {
        let address = req.peer_addr().map(|peer| self.asker(peer.ip(), req.headers()));
        self.count(address.map(|address| (tenant.cloned(), network(address))), at)
    }

    /// Who asks: the nearest address that is no trusted proxy's. Each proxy adds at the end of `X-Forwarded-For` whom it
    /// heard, so that what stands before an untrusted address is that one's own word, and counts for nothing.
    fn asker(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer;
        let mut hops = hops(headers);
        while self.proxies.iter().any(|proxy| proxy.contains(nearest)) {
            // One that can't be read is nobody's address: the proxy that passed it on stands for it.
            let Some(Some(hop)) = hops.next() else { break };
            nearest = hop;
        }
        nearest
    }

    fn count(&self, from: Source, at: Timestamp) -> Result<(), Problem> {
        let now = at.unix_micros();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.len() >= MAX_ADDRESSES && !due.contains_key(&from) {
            due.retain(|_, until| *until > now);
        }
        let from = if due.len() < MAX_ADDRESSES || due.contains_key(&from) { from } else { None };
        let until = due.entry(from).or_insert(now);
        let next = (*until).max(now).saturating_add(SHARE_US);
        if next - now > BURST * SHARE_US {
            return Err(Problem::of("session.rate"));
        }
        *until = next;
        Ok(())
    }
}

/// The addresses of `X-Forwarded-For`, the last first, over all of its lines; none for what is no address.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default()).collect();
    lines.into_iter().rev().flat_map(|line| line.rsplit(',')).map(|hop| {
        let hop = hop.trim();
        let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
        // Some proxies add the port.
        let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
        bare.parse().ok().or_else(with_port)
    })
}

/// What one customer of a network provider has: an IPv4 address, or an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            v6.to_ipv4_mapped().map_or_else(|| IpAddr::from(segments), IpAddr::V4)
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn at(second: u32) -> Timestamp {
        "2026-11-22T00:00:00.000000Z".parse::<Timestamp>().unwrap().plus_seconds(second)
    }

    fn from(address: &str) -> Source {
        Some(("acme".parse().ok(), address.parse().unwrap()))
    }

    #[test]
    fn a_burst_passes_and_then_two_a_second() {
        let throttle = Throttle::default();
        let pass = |second| throttle.count(from("192.0.2.1"), at(second)).is_ok();
        assert!((0..BURST).all(|_| pass(0)));
        assert!(!pass(0));
        assert!(throttle.count(from("192.0.2.2"), at(0)).is_ok());
        assert!(throttle.count(Some((None, "192.0.2.1".parse().unwrap())), at(0)).is_ok());
        assert!(pass(1) && pass(1) && !pass(1));
    }

    #[test]
    fn the_table_is_bounded_and_late_comers_share() {
        let throttle = Throttle::default();
        for n in 0..20_000_u32 {
            let address = IpAddr::from(n.to_be_bytes());
            let passed = throttle.count(Some((None, address)), at(0)).is_ok();
            assert_eq!(passed, i64::from(n) < MAX_ADDRESSES as i64 + BURST, "{n}");
        }
        assert!(throttle.due.lock().unwrap().len() <= MAX_ADDRESSES + 1);
        assert!(throttle.count(from("192.0.2.1"), at(1000)).is_ok());
    }

    /// Who asks, for a server that trusts the proxies of 10.0.0.0/8 and 2001:db8::7.
    fn asker(peer: &str, forwarded: &[&str]) -> String {
        let proxies = ["10.0.0.0/8", "2001:db8::7"].map(|proxy| proxy.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        Throttle::behind(proxies).asker(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_trusted_proxy_says_whom_it_asks_for() {
        assert_eq!(asker("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(asker("::ffff:10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(asker("2001:db8::7", &["2001:db8::9"]), "2001:db8::9");
        assert_eq!(asker("10.0.0.1", &["192.0.2.1:4711"]), "192.0.2.1");
        assert_eq!(asker("10.0.0.1", &["[2001:db8::9]:4711"]), "2001:db8::9");
        assert_eq!(asker("10.0.0.1", &["[2001:db8::9]"]), "2001:db8::9");
        // Through several, and over several lines.
        assert_eq!(asker("10.0.0.1", &["192.0.2.1, 10.0.0.3,10.0.0.2"]), "192.0.2.1");
        assert_eq!(asker("10.0.0.1", &["192.0.2.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(asker("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(asker("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(asker("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        // What a caller wrote stands before what the proxy added.
        assert_eq!(asker("10.0.0.1", &["198.51.100.1, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(asker("10.0.0.1", &["10.0.0.9", "192.0.2.1"]), "192.0.2.1");
        for unreadable in
            ["unknown", "", "192.0.2.1, ", "198.51.100.1, _hidden", "198.51.100.1, 1.2.3", "\u{fffd}"]
        {
            assert_eq!(asker("10.0.0.1", &[unreadable]), "10.0.0.1", "{unreadable}");
        }
        let nobody = Throttle::default();
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"));
        assert_eq!(nobody.asker("10.0.0.1".parse().unwrap(), &headers).to_string(), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_customer_is_one() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
