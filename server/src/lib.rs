//! The Sealbook server: IO around the ledger.

pub mod config;
pub mod embedded;
pub mod tls;
