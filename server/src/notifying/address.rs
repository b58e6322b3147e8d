//! Which addresses a notice may be sent to: what a name resolves to is nothing that the server's own network should
//! answer for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far away an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Routed on the internet.
    Public,
    /// Of this machine or an organisation's own network: only where the destination says `allow_private`.
    Private,
    /// Never a receiver: link-local (where clouds keep credentials), multicast, reserved, for documentation.
    Never,
}

/// IPv4 networks that are not public (IANA IPv4 Special-Purpose Address Registry).
const V4: [([u8; 4], u32, Reach); 17] = [
    ([0, 0, 0, 0], 8, Reach::Never),
    ([10, 0, 0, 0], 8, Reach::Private),
    // Shared by carriers' customers (RFC 6598).
    ([100, 64, 0, 0], 10, Reach::Private),
    ([127, 0, 0, 0], 8, Reach::Private),
    ([169, 254, 0, 0], 16, Reach::Never),
    ([172, 16, 0, 0], 12, Reach::Private),
    ([192, 0, 0, 0], 24, Reach::Never),
    ([192, 0, 2, 0], 24, Reach::Never),
    // Relays of 6to4 (RFC 7526).
    ([192, 88, 99, 0], 24, Reach::Never),
    ([192, 168, 0, 0], 16, Reach::Private),
    // Benchmarks (RFC 2544).
    ([198, 18, 0, 0], 15, Reach::Never),
    ([198, 51, 100, 0], 24, Reach::Never),
    ([203, 0, 113, 0], 24, Reach::Never),
    // Multicast, then what is reserved, with the broadcast address.
    ([224, 0, 0, 0], 4, Reach::Never),
    ([240, 0, 0, 0], 4, Reach::Never),
    // Direct delegation and AMT: services of the network itself.
    ([192, 31, 196, 0], 24, Reach::Never),
    ([192, 52, 193, 0], 24, Reach::Never),
];

/// IPv6 networks that are not what the rest of 2000::/3 is (IANA IPv6 Special-Purpose Address Registry).
const V6: [([u16; 3], u32, Reach); 6] = [
    // Protocol assignments, Teredo and ORCHID among them.
    ([0x2001, 0, 0], 23, Reach::Never),
    ([0x2001, 0xdb8, 0], 32, Reach::Never),
    // 6to4 carries an IPv4 address within it.
    ([0x2002, 0, 0], 16, Reach::Never),
    ([0x3fff, 0, 0], 20, Reach::Never),
    ([0x2620, 0x4f, 0x8000], 48, Reach::Never),
    // Unique local addresses: an organisation's own network.
    ([0xfc00, 0, 0], 7, Reach::Private),
];

/// Judges an address. One that carries an IPv4 address is what that one is.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let bits = address.to_bits();
    let within = |(network, length, _): &&([u8; 4], u32, Reach)| {
        (bits ^ u32::from_be_bytes(*network)).leading_zeros() >= *length
    };
    V4.iter().find(within).map_or(Reach::Public, |(_, _, reach)| *reach)
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address == Ipv6Addr::LOCALHOST {
        return Reach::Private;
    }
    if let Some(carried) = carried_v4(address) {
        return reach_v4(carried);
    }
    let bits = address.to_bits();
    let within = |([a, b, c], length, _): &&([u16; 3], u32, Reach)| {
        let network = Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0).to_bits();
        (bits ^ network).leading_zeros() >= *length
    };
    let global_unicast = address.segments()[0] & 0xe000 == 0x2000;
    let other = if global_unicast { Reach::Public } else { Reach::Never };
    V6.iter().find(within).map_or(other, |(_, _, reach)| *reach)
}

/// The IPv4 address within a mapped one (`::ffff:0:0/96`) or one behind a NAT64 (`64:ff9b::/96`, RFC 6052).
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn the_first_and_last_address_of_every_special_network_are_not_public_and_their_neighbours_are() {
        for (first, last, expected) in [
            ("0.0.0.0", "0.255.255.255", Reach::Never),
            ("10.0.0.0", "10.255.255.255", Reach::Private),
            ("100.64.0.0", "100.127.255.255", Reach::Private),
            ("127.0.0.0", "127.255.255.255", Reach::Private),
            ("169.254.0.0", "169.254.255.255", Reach::Never),
            ("172.16.0.0", "172.31.255.255", Reach::Private),
            ("192.0.0.0", "192.0.0.255", Reach::Never),
            ("192.0.2.0", "192.0.2.255", Reach::Never),
            ("192.31.196.0", "192.31.196.255", Reach::Never),
            ("192.52.193.0", "192.52.193.255", Reach::Never),
            ("192.88.99.0", "192.88.99.255", Reach::Never),
            ("192.168.0.0", "192.168.255.255", Reach::Private),
            ("198.18.0.0", "198.19.255.255", Reach::Never),
            ("198.51.100.0", "198.51.100.255", Reach::Never),
            ("203.0.113.0", "203.0.113.255", Reach::Never),
            ("224.0.0.0", "255.255.255.255", Reach::Never),
        ] {
            let [low, high]: [u32; 2] = [first, last].map(|text| text.parse::<Ipv4Addr>().unwrap().to_bits());
            assert_eq!((of(first), of(last)), (expected, expected), "{first} to {last}");
            for neighbour in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten() {
                let neighbour = Ipv4Addr::from_bits(neighbour);
                assert_eq!(reach(neighbour.into()), Reach::Public, "{neighbour}, beside {first} to {last}");
            }
        }
    }

    #[test]
    fn an_ipv6_address_is_public_only_within_global_unicast() {
        for (text, expected) in [
            ("::", Reach::Never),
            ("::1", Reach::Private),
            ("::2", Reach::Never),
            // Compatible with IPv4, as once was said: deprecated, and never a way to a loopback address.
            ("::127.0.0.1", Reach::Never),
            ("100::1", Reach::Never),
            ("2001::1", Reach::Never),
            ("2001:1ff:ffff::", Reach::Never),
            ("2001:200::", Reach::Public),
            ("2001:db8::1", Reach::Never),
            ("2001:db9::1", Reach::Public),
            ("2002:7f00:1::", Reach::Never),
            ("2003::1", Reach::Public),
            ("2606:4700::1111", Reach::Public),
            ("2620:4f:8000::1", Reach::Never),
            ("3ffe:ffff::1", Reach::Public),
            ("3fff::1", Reach::Never),
            ("4000::1", Reach::Never),
            ("5f00::1", Reach::Never),
            ("fbff::1", Reach::Never),
            ("fc00::1", Reach::Private),
            ("fdff:ffff::1", Reach::Private),
            ("fe80::1", Reach::Never),
            ("febf::1", Reach::Never),
            ("fec0::1", Reach::Never),
            ("ff02::1", Reach::Never),
            ("64:ff9b:1::a00:1", Reach::Never),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_within_an_address_counts() {
        for prefix in ["::ffff:", "64:ff9b::"] {
            for (carried, expected) in [
                ("127.0.0.1", Reach::Private),
                ("10.1.2.3", Reach::Private),
                ("100.100.0.1", Reach::Private),
                ("169.254.169.254", Reach::Never),
                ("0.0.0.0", Reach::Never),
                ("224.0.0.1", Reach::Never),
                ("9.9.9.9", Reach::Public),
            ] {
                assert_eq!(of(&format!("{prefix}{carried}")), expected, "{prefix}{carried}");
            }
        }
    }
}
