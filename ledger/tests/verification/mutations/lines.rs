//! What can be done to the lines of a bundle by somebody who computes nothing anew.

use serde_json::Value;

use super::Mutated;
use super::genuine::Genuine;
use crate::dice::Dice;

/// Lines of events or disclosures, or values within them.
pub fn mutate(genuine: &Genuine, dice: &mut Dice) -> Mutated {
    let mut parts = genuine.parts.clone();
    let kind = match dice.below(5) {
        0 => shuffle(&mut parts.disclosures, dice, "disclosures"),
        1 => {
            exchange_values(&mut parts.disclosures, dice);
            "disclosures: values exchanged"
        }
        2 | 3 => shuffle(&mut parts.events, dice, "events"),
        _ => {
            exchange_values(&mut parts.events, dice);
            "events: values exchanged"
        }
    };
    if dice.one_in(12) {
        let at = dice.below(parts.attachments.len());
        let kind = attachment(&mut parts.attachments[at].1, dice);
        return Mutated::new(kind, parts.tar());
    }
    Mutated::new(kind, parts.tar())
}

fn attachment(bytes: &mut Vec<u8>, dice: &mut Dice) -> &'static str {
    match dice.below(3) {
        0 => bytes.push(0),
        1 => bytes.truncate(bytes.len() - 1),
        _ => bytes[0] ^= 1 << dice.below(8),
    }
    "attachments: changed beside lines"
}

fn shuffle(lines: &mut Vec<Vec<u8>>, dice: &mut Dice, of: &str) -> &'static str {
    let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
    let events = of == "events";
    match dice.below(6) {
        0 => {
            lines.swap(at, other);
            if events { "events: two swapped" } else { "disclosures: two swapped" }
        }
        1 => {
            lines.remove(at);
            if events { "events: one dropped" } else { "disclosures: one dropped" }
        }
        2 => {
            let line = lines[at].clone();
            lines.insert(other, line);
            if events { "events: one doubled" } else { "disclosures: one doubled" }
        }
        3 => {
            lines.truncate(at);
            if events { "events: the tail dropped" } else { "disclosures: the tail dropped" }
        }
        4 => {
            let keep = dice.below(lines[at].len());
            lines[at].truncate(keep);
            if events { "events: one truncated" } else { "disclosures: one truncated" }
        }
        _ => {
            let byte = dice.below(lines[at].len());
            match dice.below(3) {
                0 => lines[at][byte] ^= 1 << dice.below(8),
                1 => lines[at].insert(byte, *dice.pick(b" \n\t\"{}0aA\0\xff")),
                _ => drop(lines[at].remove(byte)),
            }
            if events { "events: a byte of one changed" } else { "disclosures: a byte of one changed" }
        }
    }
}

/// A value of one line put in the place of a value of another, in the canonical form that a forger would keep to.
pub fn exchange_values(lines: &mut [Vec<u8>], dice: &mut Dice) -> usize {
    let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
    let mut mine: Value = serde_json::from_slice(&lines[at]).unwrap();
    let theirs: Value = serde_json::from_slice(&lines[other]).unwrap();
    let (my_paths, their_paths) = (paths(&mine), paths(&theirs));
    let to = dice.pick::<String>(&my_paths).clone();
    // Mostly the value of the same name: such a forgery stays in form, and gets furthest.
    let same = theirs.pointer(&to).filter(|_| !dice.one_in(4));
    let value = same.or_else(|| theirs.pointer(dice.pick::<String>(&their_paths))).unwrap().clone();
    *mine.pointer_mut(&to).unwrap() = nudged(value, dice);
    lines[at] = sealbook_ledger::canonical::value_to_vec(&mine).unwrap();
    at
}

/// The value, or one beside it.
fn nudged(value: Value, dice: &mut Dice) -> Value {
    match value {
        Value::Number(number) if dice.one_in(2) => (number.as_i64().unwrap() + 1).into(),
        Value::Bool(truth) if dice.one_in(2) => (!truth).into(),
        Value::String(text) if !text.is_empty() && dice.one_in(2) => {
            let mut bytes = text.into_bytes();
            let at = dice.below(bytes.len());
            bytes[at] = *dice.pick(b"0123456789abcdefABCDEF-_");
            Value::String(String::from_utf8(bytes).unwrap_or_default())
        }
        other => other,
    }
}

/// Every value in a document, whole objects and lists included; not the document itself.
fn paths(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
        let mut step = |name: String, item: &Value| {
            let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
            walk(item, &path, out);
            out.push(path);
        };
        match value {
            Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| step(n.to_string(), item)),
            Value::Object(members) => members.iter().for_each(|(name, item)| step(name.clone(), item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut out = Vec::new();
    walk(value, "", &mut out);
    out
}
