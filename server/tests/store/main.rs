//! The store against a real Postgres.

#![allow(clippy::unwrap_used, reason = "a panic in a test or in what it stands on is the report")]

mod cluster;
mod faults;
mod grants;
mod ledger;
mod projections;
mod reading;
mod rounds;
mod webhooks;
