//! How often somebody may try to sign in, by tenant and address: enough for a busy office, not for a flood.
//!
//! Nothing can be guessed here, so this is about work and room alone. The rate is kept as one moment for each address
//! (generic cell rate algorithm: the time by which all that was asked would have been asked at the steady pace).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use actix_web::HttpRequest;
use sealbook_ledger::ids::TenantName;
use sealbook_ledger::timestamp::Timestamp;

use super::problem::Problem;

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
pub struct Throttle(Mutex<HashMap<Source, i64>>);

impl Throttle {
    /// Lets an attempt pass, or refuses it as one too many.
    pub fn pass(&self, tenant: Option<&TenantName>, req: &HttpRequest, at: Timestamp) -> Result<(), Problem> {
        let address = req.peer_addr().map(|peer| network(peer.ip()));
        self.count(address.map(|address| (tenant.cloned(), address)), at)
    }

    fn count(&self, from: Source, at: Timestamp) -> Result<(), Problem> {
        let now = at.unix_micros();
        let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        assert!(throttle.0.lock().unwrap().len() <= MAX_ADDRESSES + 1);
        assert!(throttle.count(from("192.0.2.1"), at(1000)).is_ok());
    }

    #[test]
    fn an_ipv6_customer_is_one() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
