//! x

pub mod authenticator;
