//! What each rule refuses, one sentence a test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

#[path = "../support/mod.rs"]
mod support;

mod adoptions;
mod ages;
mod annexes;
mod approvals;
mod break_glass;
mod certificates;
mod cheating;
mod clearances;
mod custody;
mod destructions;
mod effects;
mod evidence;
mod founding;
mod incidents;
mod packs;
mod people;
mod reachability;
mod recovery;
mod reporting;
mod responders;
mod revocations;
mod rotations;
mod signatures;
mod statements;

#[test]
fn every_code_is_a_failure_code_and_belongs_to_one_rule() {
    use sealbook_ledger::payload::FailureCode;
    use sealbook_ledger::rule::Rule;
    let codes: std::collections::BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    assert!(codes.iter().all(|code| code.parse::<FailureCode>().is_ok()));
}
