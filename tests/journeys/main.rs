//! What people and machines do with Sealbook from end to end, over HTTP and the command line, against a real Postgres and
//! a real PKCS#11 module.
//!
//! One server serves them all; each test founds a tenant of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests: a panic there is the report")]

mod approvals_of_signatures;
mod auditing;
mod blast_radius;
mod calendar;
mod command_line;
mod containment;
mod drills;
mod founding;
mod founding_policy;
mod governance;
mod incidents;
mod pages;
mod passkeys;
mod people;
mod reading;
mod refusals;
mod releases;
mod revoking;
mod rotating;
mod separate_sign_in;
mod signing;
mod trust_roots;
