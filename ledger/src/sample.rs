//! Random samples that anybody can draw again: which events an auditor looks at follows from a seed and a checkpoint.
//!
//! Draw number `i` (from 0) is SHA-256 of `"sealbook sample v1\0" ‖ seed ‖ 0x00 ‖ origin ‖ 0x00 ‖ type ‖ 0x00 ‖ size ‖ i`,
//! where `type` is empty for a sample of all events, and `size` (of the checkpoint) and `i` are 8 bytes, big-endian. Its
//! first 8 bytes, big-endian, are a number `x`. With a population of `N`, `x` at or above the largest multiple of `N`
//! that 64 bits hold is passed over, as is a place that was drawn before; else the place is `x mod N`.
//!
//! A place counts, from 0 and by rising seq, the events of the type below `size`: without a type it is the seq itself.

use std::collections::BTreeSet;

use crate::encoding::Hash;
use crate::ids::{InvalidId, Origin};

/// Most places of one sample.
pub const MAX_SAMPLE: usize = 200;

const CONTEXT: &[u8] = b"sealbook sample v1\0";

/// What an auditor chose: 1 to 64 letters, digits, dots, underscores and hyphens, so that it is written one way only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed(String);

impl Seed {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Seed {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let clean = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(clean) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId { what: "seed", why: "1 to 64 letters, digits, dots, underscores and hyphens" })
        }
    }
}

crate::ids::serde_as_text!(Seed);

/// What a sample is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Population<'a> {
    /// The ledger.
    pub origin: &'a Origin,
    /// The checkpoint's size.
    pub size: u64,
    /// The events' type; all where absent.
    pub kind: Option<&'a str>,
    /// How many events below `size` are of that type.
    pub count: u64,
}

impl Population<'_> {
    /// At most `n` different places, and at most [`MAX_SAMPLE`], in the order in which they are drawn. Where there are no
    /// more than that, all of them, in order.
    pub fn places(&self, seed: &Seed, n: usize) -> Vec<u64> {
        let n = n.min(MAX_SAMPLE);
        if self.count <= n as u64 {
            return (0..self.count).collect();
        }
        let (mut places, mut seen) = (Vec::with_capacity(n), BTreeSet::new());
        // More than half of all draws are below the bound, and the last place is found among at least two: the loop ends.
        for draw in 0.. {
            if places.len() == n {
                break;
            }
            let place = self.place(seed, draw);
            places.extend(place.filter(|place| seen.insert(*place)));
        }
        places
    }

    fn place(&self, seed: &Seed, draw: u64) -> Option<u64> {
        let mut bytes = CONTEXT.to_vec();
        for text in [seed.as_str(), self.origin.as_str(), self.kind.unwrap_or_default()] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&draw.to_be_bytes());
        let digest = Hash::sha256(&bytes).0;
        let number = digest[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        // The numbers from the largest multiple of the count on, of which there are 2^64 mod count, would favour some.
        let surplus = (u64::MAX % self.count + 1) % self.count;
        (number <= u64::MAX - surplus).then(|| number % self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(seed: &str, kind: Option<&str>, count: u64, n: usize) -> Vec<u64> {
        let origin: Origin = "sealbook.example.com/acme".parse().unwrap();
        let population = Population { origin: &origin, size: 1000, kind, count };
        population.places(&seed.parse().unwrap(), n)
    }

    /// The worked example of docs/operations/auditing.md, made there with Python's hashlib.
    #[test]
    fn the_worked_example_comes_out_again() {
        assert_eq!(places("2026-Q4", None, 1000, 5), EXAMPLE);
        assert_eq!(places("2026-Q4", Some("signature.created"), 300, 3), EXAMPLE_OF_A_TYPE);
    }

    const EXAMPLE: [u64; 5] = [363, 553, 424, 850, 638];
    const EXAMPLE_OF_A_TYPE: [u64; 3] = [211, 152, 61];

    #[test]
    fn places_are_different_and_a_longer_sample_begins_with_the_shorter_one() {
        let all = places("s", None, 1000, 200);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200);
        assert!(all.iter().all(|place| *place < 1000));
        assert_eq!(places("s", None, 1000, 20), all[..20]);
        assert_ne!(places("t", None, 1000, 20), all[..20]);
        assert_eq!(places("s", None, 1000, 5000).len(), MAX_SAMPLE);
    }

    #[test]
    fn a_small_population_is_taken_whole() {
        assert_eq!(places("s", None, 3, 25), [0, 1, 2]);
        assert_eq!(places("s", None, 0, 25), [0_u64; 0]);
        assert_eq!(places("s", None, 2, 1).len(), 1);
    }

    #[test]
    fn a_seed_is_written_one_way_only() {
        for bad in ["", "a b", "ä", "a\0", &"a".repeat(65)] {
            assert!(bad.parse::<Seed>().is_err(), "{bad}");
        }
    }
}
