//! What journeys stand on: a real server in a folder of its own, people with authenticators, and plain HTTP.
//!
//! [`Server`] starts the built `sealbook` in development mode (a private Postgres, a SoftHSM token), [`Installation`] as
//! in production, with a Postgres that it reaches through a [`proxy`]. [`Tenant`] is a ledger on either with its people,
//! founded over HTTP. [`Api`] sends requests as they are, so that tests can send bad ones.
//! [`programs`] runs the other built programs. Waiting is always for a condition, with a deadline ([`waiting`]).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests' support: a panic is the report")]

pub mod api;
pub mod bundle;
pub mod house;
pub mod installation;
pub mod outside_ca;
pub mod people;
pub mod port;
pub mod postgres;
pub mod programs;
pub mod proxy;
pub mod receiver;
pub mod rotating;
pub mod server;
pub mod shim;
pub mod story;
pub mod tenant;
pub mod token;
pub mod vendor;
pub mod verifier;
pub mod waiting;

pub use api::{Answer, Api};
pub use installation::Installation;
pub use people::Person;
pub use server::Server;
pub use shim::Shim;
pub use tenant::{Service, Tenant};
