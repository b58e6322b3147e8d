//! What people do in a browser, in a real one: headless Chromium, driven through chromedriver, with an authenticator for
//! each person.
//!
//! Each person of a journey has a browser of their own ([`support::journey`]). Nothing is waited for by the clock. One
//! server serves them all; each test founds a tenant of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests: a panic there is the report")]

mod appearance;
mod attacks_on_approval;
mod attacks_on_links;
mod attacks_on_sessions;
mod deciding;
mod delegating;
mod forms;
mod founding;
mod harness;
mod hostile_text;
mod joining;
mod keyboard;
mod liveness;
mod losing;
mod recovering;
mod rejecting;
mod releasing;
mod responding;
mod revoking;
mod rotating;
mod support;
mod two_passkeys;
mod verification;
mod whole_way;
