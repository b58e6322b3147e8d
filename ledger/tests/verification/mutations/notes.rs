//! What can be done to checkpoints: notes exchanged, cut, and made of pieces of others.

use sealbook_ledger::encoding::Hash;

use super::Mutated;
use super::genuine::Genuine;
use crate::dice::Dice;
use crate::ledger::{ORIGIN, ledger_key, seal};

pub fn mutate(genuine: &Genuine, dice: &mut Dice) -> Mutated {
    let mut parts = genuine.parts.clone();
    let size = parts.events.len();
    let (some, origin) = (1 + dice.below(size), ORIGIN.parse().unwrap());
    let elsewhere = "sealbook.example.com/other".parse().unwrap();
    let other = match dice.below(5) {
        0 => genuine.sealed_at(some),
        1 => seal(&origin, some as u64, Hash::sha256(&dice.bytes(4)), &[&ledger_key(2)]).to_string(),
        2 => seal(&elsewhere, size as u64, genuine.root_at(size), &[&ledger_key(2)]).to_string(),
        3 => seal(&origin, size as u64, genuine.root_at(size), &[&ledger_key(1 + dice.below(4) as u8)])
            .to_string(),
        _ => parts.transitions[0].1.clone(),
    };
    let kind = match dice.below(6) {
        0 => {
            parts.checkpoint = other;
            "notes: another in the place of the checkpoint"
        }
        1 => {
            parts.transitions[0].1 = other;
            "notes: another in the place of the transition"
        }
        2 => {
            parts.transitions.push((some.to_string(), other));
            parts.transitions.sort_by_key(|(size, _)| size.parse::<u64>().unwrap());
            "notes: one more transition"
        }
        3 => {
            std::mem::swap(&mut parts.checkpoint, &mut parts.transitions[0].1);
            "notes: checkpoint and transition exchanged"
        }
        _ => {
            let note = if dice.one_in(2) { &mut parts.checkpoint } else { &mut parts.transitions[0].1 };
            *note = patched(note, &other, dice);
            "notes: lines of others"
        }
    };
    Mutated::new(kind, parts.tar())
}

/// A line dropped, doubled, moved, exchanged with another note's, or with a character changed.
fn patched(note: &str, other: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = note.lines().map(str::to_owned).collect();
    let others: Vec<&str> = other.lines().collect();
    let (at, to) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(to, lines[at].clone()),
        2 => lines.swap(at, to),
        3 => lines[at] = (*dice.pick(&others)).to_owned(),
        4 => lines.push(others.last().unwrap_or(&"").to_string()),
        _ if !lines[at].is_empty() => {
            let mut characters: Vec<char> = lines[at].chars().collect();
            let place = dice.below(characters.len());
            characters[place] = char::from(*dice.pick(b"0123456789+/=AZaz \x7f"));
            lines[at] = characters.into_iter().collect();
        }
        _ => {}
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
