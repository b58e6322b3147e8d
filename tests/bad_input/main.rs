//! Bad input, by name: each item gets a problem with its code, and leaves the ledger valid.
