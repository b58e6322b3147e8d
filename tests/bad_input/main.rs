//! Bad input, by name: each item gets a problem with its code, and leaves the ledger valid.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests: a panic there is the report")]

mod approvals;
mod callers;
mod digests;
mod requests;
mod texts;
