//! The Sealbook server: IO around the pure `sealbook_ledger` core.

pub mod authenticator;
pub mod clock;
pub mod config;
pub mod custody;
pub mod embedded;
pub mod high_water;
pub mod ledger;
pub mod projections;
mod sequencer;
pub mod store;
pub mod tls;
