//! x
pub mod high_water;
pub mod store;
