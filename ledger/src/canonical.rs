//! RFC 8785 (JCS) bytes: the one definition of what is hashed and signed.
//!
//! The format's profile of JCS is narrower than the RFC: numbers are integers within ±(2^53 − 1), and nesting
//! is bounded. [`check`] decides in one pass whether bytes are their own canonical form; [`to_vec`] makes them.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

/// The largest integer magnitude, 2^53 − 1: beyond it a double is not exact (RFC 7493 §2.2).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Levels of objects and arrays; the outermost is level 1.
pub const MAX_DEPTH: usize = 16;

/// Why some bytes are not their own canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {why}")]
pub struct NotCanonical {
    /// Offset of the first byte that is wrong.
    pub at: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum Unrepresentable {
    /// A float, or an integer beyond ±(2^53 − 1).
    #[error("a number that is not an integer within 2^53 - 1")]
    Number,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The value's own serialisation failed.
    #[error("not serialisable as JSON")]
    Serialise(#[source] serde_json::Error),
}

/// Writes a value in canonical form.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Unrepresentable> {
    let value = serde_json::to_value(value).map_err(Unrepresentable::Serialise)?;
    value_to_vec(&value)
}

/// Writes a JSON value in canonical form.
pub fn value_to_vec(value: &Value) -> Result<Vec<u8>, Unrepresentable> {
    let mut out = Vec::with_capacity(1024);
    write_value(value, 0, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
    if depth == MAX_DEPTH && (value.is_array() || value.is_object()) {
        return Err(Unrepresentable::TooDeep);
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let exact = number.as_i64().filter(|n| n.unsigned_abs() <= MAX_INTEGER);
            out.extend_from_slice(exact.ok_or(Unrepresentable::Number)?.to_string().as_bytes());
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(item, depth + 1, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            // Sorted here, whatever order the map keeps: RFC 8785 §3.2.3 orders by UTF-16 code units.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| utf16_order(a, b));
            out.push(b'{');
            for (i, (key, item)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_value(item, depth + 1, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// RFC 8785 §3.2.2.2: the two-character escapes where JSON has them, `\u00xx` for other controls, all else literal.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    // Nearly every string: ids, digests, names.
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    let plain = text.as_bytes().iter().fold(true, |plain, byte| plain & is_plain(byte));
    if plain {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Decides in one pass whether bytes are exactly one JSON value in its canonical form.
pub fn check(bytes: &[u8]) -> Result<(), NotCanonical> {
    let text =
        std::str::from_utf8(bytes).map_err(|e| NotCanonical { at: e.valid_up_to(), why: "not UTF-8" })?;
    let mut scanner = Scanner { text, bytes, at: 0 };
    scanner.value(0)?;
    if scanner.at == bytes.len() { Ok(()) } else { Err(scanner.refuse("bytes after the value")) }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// A key as it stands between its quotes, and whether it holds an escape.
#[derive(Clone, Copy)]
struct RawString<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Scanner<'a> {
    fn refuse(&self, why: &'static str) -> NotCanonical {
        NotCanonical { at: self.at, why }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Result<(), NotCanonical> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.refuse(why))
        }
    }

    /// `depth` counts the containers around the value; recursion is bounded by [`MAX_DEPTH`].
    fn value(&mut self, depth: usize) -> Result<(), NotCanonical> {
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(self.refuse("nested too deep")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b' ' | b'\t' | b'\n' | b'\r') => Err(self.refuse("white space")),
            _ => Err(self.refuse("not a JSON value")),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), NotCanonical> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.refuse("not a JSON value"))
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), NotCanonical> {
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut previous: Option<RawString<'a>> = None;
        loop {
            let start = self.at;
            let key = self.string()?;
            if previous.is_some_and(|p| key_order(p, key) != Ordering::Less) {
                return Err(NotCanonical { at: start, why: "keys out of order or repeated" });
            }
            previous = Some(key);
            self.expect(b':', "expected `:`")?;
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.refuse("expected `,` or `}`")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), NotCanonical> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.refuse("expected `,` or `]`")),
            }
        }
    }

    fn integer(&mut self) -> Result<(), NotCanonical> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let digits = self.at;
        let mut value: u64 = 0;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            value = value.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
            self.at += 1;
        }
        let (length, leading_zero) = (self.at - digits, self.bytes.get(digits) == Some(&b'0'));
        let why = if length == 0 {
            "expected a digit"
        } else if leading_zero && (length > 1 || digits > start) {
            "a leading or negative zero"
        } else if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            "a number that is not an integer in plain digits"
        } else if value > MAX_INTEGER {
            "an integer beyond 2^53 - 1"
        } else {
            return Ok(());
        };
        Err(NotCanonical { at: start, why })
    }

    fn string(&mut self) -> Result<RawString<'a>, NotCanonical> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = &self.bytes[self.at..];
            let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            if rest[..plain].iter().fold(false, |control, byte| control | (*byte < 0x20)) {
                self.at += rest[..plain].iter().position(|byte| *byte < 0x20).unwrap_or(plain);
                return Err(self.refuse("a control character that is not escaped"));
            }
            self.at += plain;
            match self.peek() {
                None => return Err(self.refuse("unterminated string")),
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => break,
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(RawString { raw, escaped })
    }

    /// Only the escapes that JCS itself writes; so no surrogate can be spelt at all.
    fn escape(&mut self) -> Result<(), NotCanonical> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some([b'0', b'0', high @ b'0'..=b'1', low @ (b'0'..=b'9' | b'a'..=b'f')])
                    if !has_short_escape(*high, *low) =>
                {
                    self.at += 6;
                    Ok(())
                }
                _ => Err(self.refuse("an escape where JCS writes none")),
            },
            _ => Err(self.refuse("an escape where JCS writes none")),
        }
    }
}

/// U+0008, 9, A, C and D are written `\b \t \n \f \r`.
fn has_short_escape(high: u8, low: u8) -> bool {
    high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd')
}

fn key_order(a: RawString<'_>, b: RawString<'_>) -> Ordering {
    if !a.escaped && !b.escaped {
        utf16_order(a.raw, b.raw)
    } else {
        utf16_order(&unescape(a.raw), &unescape(b.raw))
    }
}

/// Undoes the escapes of a string that the scanner has already accepted.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('f') => out.push('\u{c}'),
            Some('r') => out.push('\r'),
            Some('u') => {
                let code = chars.by_ref().take(4).fold(0, |sum, c| sum * 16 + c.to_digit(16).unwrap_or(0));
                out.extend(char::from_u32(code));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}
