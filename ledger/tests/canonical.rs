//! Canonical bytes against an oracle that shares nothing with them but serde_json's reader.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

use proptest::prelude::*;
use sealbook_ledger::canonical::{MAX_DEPTH, MAX_INTEGER, check, to_vec, value_to_vec};
use serde_json::{Map, Value};

/// Text that stresses escapes and the order of keys: controls, quotes, and both sides of the surrogates.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::char::range('\0', '\u{7f}'),
        prop::sample::select(vec![
            '"',
            '\\',
            '/',
            '\u{2028}',
            '\u{e000}',
            '\u{ffff}',
            '\u{10000}',
            '\u{1f600}'
        ]),
        any::<char>(),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|chars| chars.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    let max = MAX_INTEGER as i64;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-max..=max).prop_map(Value::from),
        prop::sample::select(vec![0, 1, -1, max, -max]).prop_map(Value::from),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// RFC 8785 written once more, the slow way: every character by its code point, keys by their UTF-16.
fn oracle_bytes(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => {
            let number =
                number.as_i64().filter(|n| (-9_007_199_254_740_991..=9_007_199_254_740_991).contains(n))?;
            format!("{number}")
        }
        Value::String(text) => oracle_text(text),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(oracle_bytes).collect();
            format!("[{}]", items?.join(","))
        }
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_by_key(|key| key.encode_utf16().collect::<Vec<u16>>());
            let members: Option<Vec<String>> = keys
                .into_iter()
                .map(|key| Some(format!("{}:{}", oracle_text(key), oracle_bytes(&members[key])?)))
                .collect();
            format!("{{{}}}", members?.join(","))
        }
    })
}

fn oracle_text(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c as u32 {
            0x08 => "\\b".to_owned(),
            0x09 => "\\t".to_owned(),
            0x0a => "\\n".to_owned(),
            0x0c => "\\f".to_owned(),
            0x0d => "\\r".to_owned(),
            0x22 => "\\\"".to_owned(),
            0x5c => "\\\\".to_owned(),
            code @ 0..0x20 => format!("\\u{code:04x}"),
            _ => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Whether bytes are their own canonical form: read, written again, compared.
///
/// serde_json forgets repeated keys, and reads `-0` and `1e0` as floats: each makes other bytes when written again.
fn oracle(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
    depth(&value) <= MAX_DEPTH && oracle_bytes(&value).is_some_and(|text| text.as_bytes() == bytes)
}

/// Changes bytes in a way that keeps them close to JSON.
#[derive(Debug, Clone)]
enum Change {
    Flip(prop::sample::Index, u8),
    Drop(prop::sample::Index),
    Insert(prop::sample::Index, &'static str),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = vec![
        " ",
        "\n",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\u0000",
        "\\u0008",
        "\\u001F",
        "\\u001f",
        "\\/",
        "\\ud800",
        "0",
        "-",
        "-0",
        ".0",
        "e1",
        "E0",
        "9007199254740992",
        "null",
        "true",
        "\u{feff}",
        "\u{7f}",
        "é",
        "\0",
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<prop::sample::Index>().prop_map(Change::Drop),
        (any::<prop::sample::Index>(), prop::sample::select(pieces))
            .prop_map(|(at, what)| Change::Insert(at, what)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(a, b)| Change::Repeat(a, b)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        match change {
            Change::Flip(at, bits) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Change::Drop(at) if !bytes.is_empty() => {
                bytes.remove(at.index(bytes.len()));
            }
            Change::Insert(at, what) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, what.bytes());
            }
            Change::Repeat(a, b) => {
                let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
                let piece = bytes[a.min(b)..a.max(b)].to_vec();
                bytes.splice(a..a, piece);
            }
            Change::Flip(..) | Change::Drop(_) => {}
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_is_its_own_canonical_form(value in value()) {
        let bytes = to_vec(&value).unwrap();
        prop_assert_eq!(check(&bytes), Ok(()));
        prop_assert_eq!(std::str::from_utf8(&bytes).unwrap(), oracle_bytes(&value).unwrap());
        prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn the_scanner_agrees_with_the_oracle_on_mutated_bytes(
        value in value(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let bytes = changed(to_vec(&value).unwrap(), &changes);
        prop_assert_eq!(check(&bytes).is_ok(), oracle(&bytes), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn the_scanner_agrees_with_the_oracle_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(check(&bytes).is_ok(), oracle(&bytes));
    }

    #[test]
    fn the_scanner_agrees_with_the_oracle_on_any_punctuation(text in r#"[\[\]{}",:0-9a\\u.eE\-tn ]{0,24}"#) {
        prop_assert_eq!(check(text.as_bytes()).is_ok(), oracle(text.as_bytes()), "{}", text);
    }

    #[test]
    fn the_scanner_agrees_with_the_oracle_on_numbers(text in r"-?[0-9]{1,20}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?") {
        prop_assert_eq!(check(text.as_bytes()).is_ok(), oracle(text.as_bytes()), "{}", text);
    }

    #[test]
    fn the_scanner_agrees_with_the_oracle_on_two_keys(a in text(), b in text()) {
        let text = format!("{{{}:1,{}:2}}", oracle_text(&a), oracle_text(&b));
        let ordered = a.encode_utf16().lt(b.encode_utf16());
        prop_assert_eq!(check(text.as_bytes()).is_ok(), ordered, "{}", text);
    }
}

#[test]
fn keys_stand_in_the_order_of_their_utf_16_code_units() {
    // U+1F600 is D83D DE00 in UTF-16: before U+FB33, although its code point and its UTF-8 come after.
    let members: Map<String, Value> = ["\u{fb33}", "\u{1f600}", "\u{20ac}", "\r", "1"]
        .into_iter()
        .map(|key| (key.to_owned(), Value::Null))
        .collect();
    let expected = "{\"\\r\":null,\"1\":null,\"\u{20ac}\":null,\"\u{1f600}\":null,\"\u{fb33}\":null}";
    assert_eq!(value_to_vec(&Value::Object(members)).unwrap(), expected.as_bytes());
    check(expected.as_bytes()).unwrap();
}

#[test]
fn a_deep_or_hostile_text_is_refused_without_a_panic() {
    for piece in ["[", "{\"a\":", "[[],", "\"\\", "\"\\u", "\"\\u00", "-", "{\"", "{\"a\"", "tru", "\u{feff}"]
    {
        for times in [1, 15, 16, 17, 100_000] {
            assert!(check(piece.repeat(times).as_bytes()).is_err(), "{piece} {times}");
        }
    }
    for cut in 0..16 {
        assert!(check(&r#"{"a":["\u001f",-1]}"#.as_bytes()[..cut]).is_err());
    }
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(check(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(check(nested(MAX_DEPTH + 1).as_bytes()).is_err());
    let value: Value = serde_json::from_str(&nested(MAX_DEPTH + 1)).unwrap();
    assert!(value_to_vec(&value).is_err());
}

#[test]
fn numbers_that_doubles_do_not_hold_have_no_canonical_form() {
    for text in ["9007199254740992", "-9007199254740992", "18446744073709551615", "0.5", "1e3", "-0.0"] {
        let value: Value = serde_json::from_str(text).unwrap();
        assert!(value_to_vec(&value).is_err(), "{text}");
        assert!(check(text.as_bytes()).is_err(), "{text}");
    }
}
