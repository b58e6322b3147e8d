//! The event-sourced custody ledger server: input and output around the pure core, `sealbook_ledger`.

pub mod custody;
