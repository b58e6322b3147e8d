//! The repository's own rules, held against its files: what a reader relies on without being told twice.

mod documents;
mod rooms;
mod sources;
mod words;
