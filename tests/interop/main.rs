//! What others make of what Sealbook writes: openssl of its signatures, and a reader that shares no code with it of its
//! bundles.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

mod browser;
mod reader;
mod readings;
mod signatures;
mod vectors;
