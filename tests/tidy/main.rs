//! The repository's own rules, held against its files: what a reader relies on without being told twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

mod documents;
mod rooms;
mod sources;
mod words;
