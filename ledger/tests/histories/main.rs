//! Whole histories: what holds after any sequence of commands, and what a forger can't change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

#[path = "../support/mod.rs"]
mod support;

mod ageing;
mod forged;
mod invariants;
mod random;
mod responding;
mod revoking;

use proptest::prelude::*;

use random::{Step, steps};
use sealbook_ledger::snapshot;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_history_breaks_an_invariant_and_each_replays_from_its_bytes_to_the_same_state(
        founders in 2u128..6,
        steps in steps(),
    ) {
        let ledger = random::history(founders, &steps);
        invariants::check(&ledger);
        let replayed = ledger.replayed();
        prop_assert_eq!(
            (replayed.size(), replayed.head(), replayed.time()),
            (ledger.state.size(), ledger.state.head(), ledger.state.time())
        );
        prop_assert_eq!(format!("{replayed:?}"), format!("{:?}", ledger.state));
        let kept = snapshot::to_vec(&ledger.state).unwrap();
        let read = snapshot::from_slice(&kept).unwrap();
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", ledger.state));
        prop_assert_eq!(snapshot::to_vec(&read).unwrap(), kept);
    }
}

/// The random histories are of use only if they come far: every type of event that a command makes occurs in some.
#[test]
fn random_histories_reach_every_type_of_event() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for founders in [3, 4, 5].into_iter().cycle().take(160) {
        let steps: Vec<Step> = steps().new_tree(&mut runner).unwrap().current();
        let ledger = random::history(founders, &steps);
        seen.extend(ledger.history.iter().map(|one| one.event.payload.type_name()));
    }
    let known = sealbook_ledger::payload::Payload::types_since(1);
    let missing: Vec<&str> = known.filter(|name| !seen.contains(name)).collect();
    // No version beyond the first can be adopted yet.
    assert_eq!(missing, ["ledger.rules_adopted"]);
}
