//! What breaks under a server, and what its ledger says afterwards: nothing was released that is not recorded, and
//! nothing that was recorded is lost.

mod database;
mod device;
mod disk;
mod endings;
mod load;
mod processes;
mod server_killed;
