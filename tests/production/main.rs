//! `sealbook migrate` and `sealbook serve --config` as an operator runs them: a Postgres on the network with a certificate
//! and passwords, a PKCS#11 token with its PIN, TLS on the listener, a real domain as the relying party, and the
//! command-line client over HTTPS.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic there is the report")]

mod authority;
mod database;
mod deployment;
mod incidents;
mod operating;
mod proxies;
mod refusals;
mod two_servers;
mod two_servers_load;
mod webhooks;
