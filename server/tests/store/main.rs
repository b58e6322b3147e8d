//! The store against a real Postgres.

mod cluster;
mod faults;
mod grants;
mod ledger;
mod projections;
mod reading;
mod rounds;
