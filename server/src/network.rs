//! Networks: addresses that share their first bits, as operators write them.

use std::net::IpAddr;
use std::str::FromStr;

/// An address, or a network of them (CIDR, RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

/// Why a text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no address, and no network of at least one bit whose other bits are 0")]
pub struct InvalidNetwork;

impl Network {
    /// Whether an address lies in it. One of IPv4 that is written as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    /// Reads `192.0.2.7`, `192.0.2.0/24` or their like of IPv6. Everybody's address (`/0`) is none, and an address inside a
    /// network is not the network's: both are slips that would widen it.
    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| InvalidNetwork)?)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        // Addresses are looked at as what they are: one of IPv4 in IPv6's clothes would match none.
        if base != base.to_canonical() {
            return Err(InvalidNetwork);
        }
        let (zeros, most) = match base {
            IpAddr::V4(base) => (base.to_bits().trailing_zeros(), 32),
            IpAddr::V6(base) => (base.to_bits().trailing_zeros(), 128),
        };
        let bits = bits.unwrap_or(most);
        let fits = (1..=most).contains(&bits) && zeros >= most - bits;
        if fits { Ok(Self { base, bits }) } else { Err(InvalidNetwork) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_the_addresses_that_share_its_bits() {
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("10.1.0.0/16", "10.1.255.255") && !holds("10.1.0.0/16", "10.2.0.0"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("::1", "::1") && !holds("::1", "127.0.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.9.8.7") && !holds("fc00::/7", "10.0.0.1"));
    }

    #[test]
    fn what_would_be_wider_than_it_reads_is_refused() {
        for bad in [
            "",
            "proxy.example.com",
            "0.0.0.0/0",
            "::/0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::ffff:10.0.0.0/104",
            "::/129",
            "10.0.0.0/",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(InvalidNetwork), "{bad}");
        }
    }
}
