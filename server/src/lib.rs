//! The Sealbook server: IO around the pure `sealbook_ledger` core.

pub mod app;
pub mod assembly;
pub mod authenticator;
pub mod ceremony;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod custody;
pub mod devices;
mod effects;
pub mod embedded;
pub mod exporting;
pub mod high_water;
pub mod ledger;
mod loading;
mod projections;
mod projector;
mod refusals;
pub mod scrubber;
mod sealer;
mod sequencer;
pub mod signing;
pub mod store;
pub mod tls;
