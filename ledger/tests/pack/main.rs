//! Evidence packs: made alike every time, read by tools that nobody here wrote, and refused whatever is done to one.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

mod archives;
mod contents;
mod envelopes;
mod golden;
mod parts;
mod round_trip;
mod tools;
mod zip;
