//! The Sealbook server: IO around the ledger.

pub mod embedded;
