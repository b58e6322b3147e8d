//! Dual control can't be bypassed: in generated histories nothing protected happens without the people that the policy in
//! force demanded. What they are is told by a small model of its own, from the recorded bytes alone.
//!
//! `SEALBOOK_HISTORIES` says how many (a million by `make faults`), `SEALBOOK_SEED` which, `SEALBOOK_HISTORY` this one
//! alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

#[path = "../support/dice.rs"]
mod dice;
#[path = "../support/mod.rs"]
mod support;

mod attempts;
mod cast;
mod cheats;
mod model;
mod proposals;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cast::Cast;
use dice::{Dice, setting};
use world::World;

/// A failure can be repeated as it stands; another seed tries other histories.
const SEED: u64 = 20_261_122;

/// The slice that every run of the tests takes.
const HISTORIES: u64 = 2_000;

/// Commands that are tried in each history.
const ATTEMPTS: usize = 40;

/// What the histories of one thread came to.
#[derive(Default)]
struct Tally {
    histories: u64,
    types: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<&'static str, u64>,
}

fn history(casts: &[Cast], desk: &mut world::Desk, seed: u64, number: u64, tally: &mut Tally) {
    let mut dice = Dice::new(seed, number);
    let cast = &casts[dice.below(casts.len())];
    let mut world = World::begin(cast, desk);
    for _ in 0..ATTEMPTS {
        attempts::attempt(&mut world, &mut dice);
        if let Some(why) = &world.bypassed {
            panic!("history {number} of seed {seed}: {why}\n{}", world.story());
        }
    }
    tally.histories += 1;
    world.types.iter().for_each(|(name, count)| *tally.types.entry(name).or_default() += count);
    world.refusals.iter().for_each(|(code, count)| *tally.refusals.entry(code).or_default() += count);
}

#[test]
fn no_generated_history_bypasses_dual_control() {
    let seed = setting("SEALBOOK_SEED", SEED);
    let (from, to) = match setting("SEALBOOK_HISTORY", u64::MAX) {
        u64::MAX => (0, setting("SEALBOOK_HISTORIES", HISTORIES)),
        one => (one, one + 1),
    };
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let work = || {
            let (casts, mut desk, mut tally) = (Cast::all(), world::Desk::default(), Tally::default());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= to {
                    return tally;
                }
                history(&casts, &mut desk, seed, number, &mut tally);
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut all = Tally::default();
    for tally in tallies {
        all.histories += tally.histories;
        tally.types.into_iter().for_each(|(name, count)| *all.types.entry(name).or_default() += count);
        tally.refusals.into_iter().for_each(|(code, count)| *all.refusals.entry(code).or_default() += count);
    }
    let seconds = began.elapsed().as_secs_f64();
    let events: u64 = all.types.values().sum();
    println!(
        "seed {seed}: {} histories, {events} events, no bypass, {seconds:.0} s, {:.0} histories/s",
        all.histories,
        all.histories as f64 / seconds
    );
    all.types.iter().for_each(|(name, count)| println!("  {name}: {count}"));
    all.refusals.iter().for_each(|(code, count)| println!("  refused by {code}: {count}"));
    if to - from >= HISTORIES {
        comes_far(&all);
    }
}

/// Histories that never get anywhere would prove nothing: everything protected happens, and is refused, in some.
fn comes_far(all: &Tally) {
    for name in model::PROTECTED {
        assert!(all.types.contains_key(name), "{name} never happened");
    }
    let tried = [
        "approval.own",
        "approval.duplicate",
        "quorum.open",
        "action.voided",
        "action.expired",
        "action.closed",
        "action.premature",
        "action.effect",
        "role.missing",
        "member.inactive",
        "credential.unknown",
        "assertion.invalid",
        "slot.suspended",
        "signing.used",
    ];
    for code in tried {
        assert!(all.refusals.contains_key(code), "nothing was ever refused by {code}");
    }
}
