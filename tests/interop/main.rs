//! What others make of what Sealbook writes: openssl of its signatures, and a reader that shares no code with it of its
//! bundles; qpdf and poppler of its reports.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

// Where the samples of reports look for them.
use sealbook::reports;

mod browser;
mod packs;
mod printed;
mod reader;
mod readings;
mod revocations;
mod rotations;
#[path = "../../server/src/reports/pdf/tests/samples.rs"]
mod samples;
mod signatures;
mod vectors;
