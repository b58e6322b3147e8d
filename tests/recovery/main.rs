//! What is lost, altered or replaced under a server, and how it comes back: high-water files, backups, restores, rebuilt
//! read tables, and rows that somebody edited.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

#[path = "../../ledger/tests/support/dice.rs"]
mod dice;

mod alarm;
mod altered;
mod behind;
mod damaged;
mod database;
mod doctored;
mod forged;
mod forger;
mod lists;
mod operator;
mod rows;
