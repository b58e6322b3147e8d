//! What breaks under a server, and what its ledger says afterwards: nothing was released that is not recorded, and
//! nothing that was recorded is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

mod clock;
mod database;
mod device;
mod disk;
mod endings;
mod lease;
mod load;
mod processes;
mod sealing;
mod server_killed;
