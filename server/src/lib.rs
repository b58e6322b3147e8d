//! x

pub mod authenticator;
pub mod high_water;
pub mod store;
