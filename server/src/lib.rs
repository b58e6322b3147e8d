//! The Sealbook server: IO around the pure `sealbook_ledger` core.
//!
//! HTTP and command line ask [`app`]; commands go through the sequencers into the [`store`]; sealer, projector, effects
//! and scrubber follow the ledgers by themselves.

pub mod app;
pub mod assembly;
mod auditing;
pub mod authenticator;
pub mod blast_radius;
pub mod canary;
pub mod ceremony;
pub mod clearing;
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
pub mod http;
mod inventory;
pub mod ledger;
pub mod list_numbers;
mod loading;
pub mod milestones;
pub mod network;
pub mod notifying;
mod packs;
pub mod pages;
pub mod passkeys;
mod projections;
mod projector;
pub mod proving;
pub mod rebuilding;
mod refusals;
pub mod registration;
pub mod release;
pub mod relying_parties;
mod replaying;
pub mod reports;
pub mod restoring;
pub mod running;
pub mod scrubber;
mod sealer;
mod sequencer;
pub mod signing;
mod snapshots;
pub mod store;
pub mod text;
pub mod tls;
pub mod views;
