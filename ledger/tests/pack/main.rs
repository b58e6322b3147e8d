//! Evidence packs: made alike every time, read by tools that nobody here wrote, and refused whatever is done to one.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

// What the shared `openssl.rs` speaks of as its own crate's.
use sealbook_ledger::{algorithm, public_key};

mod archives;
mod contents;
mod envelopes;
mod golden;
#[path = "../../src/openssl_for_tests.rs"]
mod openssl;
mod parts;
mod round_trip;
mod tools;
mod zip;
