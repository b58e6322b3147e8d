//! What breaks under a server, and what its ledger says afterwards: nothing was released that is not recorded, and
//! nothing that was recorded is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

mod clock;
mod commits;
mod crashes;
mod database;
mod device;
mod disk;
mod duplicates;
mod endings;
mod failover;
mod lease;
mod load;
mod processes;
mod sealing;
mod server_killed;
mod suspensions;
