//! What many clients do to one another. A program of its own, whose tests take turns: they measure, and nothing else is to
//! run meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

mod slow_clients;
