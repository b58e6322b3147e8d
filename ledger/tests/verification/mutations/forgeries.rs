//! Forgers who compute every later link anew: some hold other keys, some even the ledger's.

use ed25519_dalek::SigningKey;
use sealbook_ledger::merkle::{Tree, leaf_hash};

use super::Mutated;
use super::genuine::Genuine;
use super::lines::exchange_values;
use crate::dice::Dice;
use crate::ledger::{ORIGIN, ledger_key, seal};
use crate::parts::Parts;

pub fn mutate(genuine: &Genuine, dice: &mut Dice) -> Mutated {
    let mut parts = genuine.parts.clone();
    let size = parts.events.len();
    let (at, other) = (dice.below(size), dice.below(size));
    let (from, kind) = match dice.below(5) {
        0 => {
            parts.events.remove(at);
            (at, "forgeries: an event dropped, all later links anew")
        }
        1 => {
            let event = parts.events[other].clone();
            parts.events.insert(at, event);
            (at, "forgeries: an event inserted, all later links anew")
        }
        2 => {
            parts.events.swap(at, other);
            (at.min(other), "forgeries: two events swapped, all later links anew")
        }
        _ => (exchange_values(&mut parts.events, dice), "forgeries: values exchanged, all later links anew"),
    };
    // What can't be read any more has no link to compute.
    relink(&mut parts, from);
    let mut mutated = Mutated::new(kind, Vec::new());
    mutated.relinked = true;
    match dice.below(3) {
        0 => {}
        1 => sealed_by(&mut parts, &[&ledger_key(77)], &ledger_key(77)),
        _ => {
            sealed_by(&mut parts, &[&ledger_key(1), &ledger_key(2)], &ledger_key(2));
            mutated.known = true;
        }
    }
    mutated.archive = parts.tar();
    mutated
}

fn relink(parts: &mut Parts, from: usize) {
    // The first link to compute is that of the event which follows the change; a moved event needs its own.
    let object =
        |bytes: &Vec<u8>| serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|v| v.is_object());
    if parts.events.iter().all(object) {
        parts.rechain(from, true);
    }
}

/// Every checkpoint of the bundle over the forged events, by these keys.
fn sealed_by(parts: &mut Parts, handover: &[&SigningKey], last: &SigningKey) {
    let mut tree = Tree::new();
    parts.events.iter().for_each(|event| tree.append(leaf_hash(event)));
    let origin = ORIGIN.parse().unwrap();
    let rotated = parts.events.iter().position(|event| {
        let event: serde_json::Value = serde_json::from_slice(event).unwrap_or_default();
        event["type"] == "ledger.key_rotated"
    });
    if let Some(at) = rotated {
        let size = at as u64 + 1;
        let note = seal(&origin, size, tree.root_at(size).unwrap(), handover).to_string();
        parts.transitions = vec![(size.to_string(), note)];
    }
    parts.checkpoint = seal(&origin, tree.size(), tree.root_at(tree.size()).unwrap(), &[last]).to_string();
}
