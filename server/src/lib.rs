//! x

pub mod authenticator;
pub mod cli;
pub mod client;
