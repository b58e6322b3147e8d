//! A PKCS#11 module for tests: it forwards every call to a real module, counts signatures in a way that survives
//! `kill -9`, and fails as a plan tells it.
//!
//! # How a server gets it
//!
//! The server is told that this library is its module, and has two variables in its environment:
//!
//! - [`MODULE`]: the real module's path
//! - [`FOLDER`]: a folder with the files below
//!
//! `integration::shim::Shim` does all of it: `Server::start_with(shim.options())`. Below it are three files:
//!
//! | file | written by | what it holds |
//! |---|---|---|
//! | `calls` | the module | a [record](record::Record) for each `C_Sign` with an output buffer: one when it is entered, before anything is forwarded, and one when the real module has answered |
//! | `plan` | the test | [rules](plan::Rule), one a line; replaced whole by a rename; absent means no rules |
//! | `fired` | the module | a rule's number each time that it takes effect, written before it does |
//!
//! # What counts
//!
//! `C_Sign` with a null output buffer only asks for the length: it is no signature and is not counted. A call is counted
//! under its key's `CKA_LABEL`, read at `C_SignInit`. [`Stage::Signed`](record::Stage::Signed) means that the *real*
//! module answered `CKR_OK`, whatever the rules made of the answer afterwards. Records are as long as a divisor of a
//! page and are appended by one `write` each, so that a kill leaves them whole or out. Nothing is synced: they outlive the
//! process, not the machine.
//!
//! # Rules
//!
//! At each call the plan is read anew, so that a change takes effect at the next one. The first rule that fits function
//! and key, and isn't used up, fires; see [`plan`]. How often a rule has fired outlives the process (`fired`), so that a rule
//! that kills once doesn't kill the next process. How many calls it has let pass is counted by each process anew.

#![allow(
    clippy::expect_used,
    reason = "without its environment a test's module has nothing to do: a panic is the report"
)]

mod device;
mod faults;
mod module;
pub mod plan;
pub mod record;

/// Names the real module.
pub const MODULE: &str = "SEALBOOK_SHIM_MODULE";

/// Names the folder of plan and records.
pub const FOLDER: &str = "SEALBOOK_SHIM_FOLDER";

/// The record of calls in [`FOLDER`].
pub const CALLS: &str = "calls";

/// The rules in [`FOLDER`].
pub const PLAN: &str = "plan";

/// What has fired, in [`FOLDER`].
pub const FIRED: &str = "fired";

/// Return values, under the standard's names.
pub mod rv {
    pub use cryptoki_sys::{
        CK_RV, CKR_BUFFER_TOO_SMALL, CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_FUNCTION_FAILED,
        CKR_GENERAL_ERROR, CKR_OK, CKR_OPERATION_ACTIVE, CKR_SESSION_HANDLE_INVALID, CKR_TOKEN_NOT_PRESENT,
        CKR_USER_NOT_LOGGED_IN,
    };
}
