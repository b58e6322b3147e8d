//! Text from outside: bounded, and free of characters that hide what a person reads.

mod markup;

use serde::{Deserialize, Serialize};

pub use markup::{Markup, plain};

/// Longest name of a person, a service or an artifact, in bytes of UTF-8.
pub const MAX_NAME: usize = 200;

/// Longest reason or description, in bytes of UTF-8.
pub const MAX_TEXT: usize = 1000;

/// Longest text of several lines, such as an advisory, in bytes of UTF-8.
pub const MAX_PROSE: usize = 4000;

/// Text as it came in. Nothing can be done with it but to read it as a name, a text, or what its field takes.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

/// Text of at most `MAX` bytes that displays as it was written.
///
/// Refused are control characters, line breaks among them, and the marks that change the direction of what follows
/// (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069): with those, what a person approves could read differently
/// from what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FreeText<const MAX: usize = MAX_TEXT>(String);

/// A name.
pub type Name = FreeText<MAX_NAME>;

/// Text of one or several lines, of at most [`MAX_PROSE`] bytes. Lines end with U+000A alone; what else [`FreeText`] refuses
/// is refused here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prose(String);

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty, or too long.
    #[error("a text here has 1 to {max} bytes; this one has {len}")]
    Length {
        /// The bound in bytes.
        max: usize,
        /// What it has.
        len: usize,
    },
    /// A character that hides something.
    #[error("the text holds U+{:04X}; control characters and direction marks are refused", u32::from(*.0))]
    Character(char),
}

impl TextError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "text.length",
            Self::Character(_) => "text.characters",
        }
    }
}

impl Untrusted {
    /// The text as a name of at most [`MAX_NAME`] bytes.
    pub fn name(self) -> Result<Name, TextError> {
        FreeText::new(self.0)
    }

    /// The text as names, a line each.
    pub fn names(self) -> Result<String, TextError> {
        self.0.split('\n').try_for_each(|name| Name::new(name.to_owned()).map(drop))?;
        Ok(self.0)
    }

    /// The text as a reason or description of at most [`MAX_TEXT`] bytes.
    pub fn text(self) -> Result<FreeText, TextError> {
        FreeText::new(self.0)
    }

    /// The text as one of several lines, of at most [`MAX_PROSE`] bytes.
    pub fn prose(self) -> Result<Prose, TextError> {
        check(&self.0, MAX_PROSE, |c| c != '\n' && hides(c))?;
        Ok(Prose(self.0))
    }
}

impl Prose {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, for a disclosure.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> FreeText<MAX> {
    /// Refuses text that is empty, too long, or holds a character that hides something.
    pub fn new(text: String) -> Result<Self, TextError> {
        check(&text, MAX, hides)?;
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself, for a disclosure.
    pub fn into_string(self) -> String {
        self.0
    }
}

fn check(text: &str, max: usize, refused: impl Fn(char) -> bool) -> Result<(), TextError> {
    let len = text.len();
    if len == 0 || len > max {
        return Err(TextError::Length { max, len });
    }
    text.chars().find(|c| refused(*c)).map_or(Ok(()), |c| Err(TextError::Character(c)))
}

/// Control characters, and the marks of Unicode's bidirectional algorithm (UAX #9 §2).
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        // Line and paragraph separators break a line as a control character would.
        || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<FreeText, TextError> {
        Untrusted(text.to_owned()).text()
    }

    #[test]
    fn people_may_have_any_name_that_reads_as_it_is_written() {
        for good in ["Ada", "Zoë Ångström", "山田 太郎", "מרים", "O'Brien 🗝"] {
            assert_eq!(Untrusted(good.to_owned()).name().unwrap().as_str(), good);
        }
    }

    #[test]
    fn characters_that_hide_something_are_refused_by_their_own_code() {
        for bad in [
            "a\0",
            "a\nb",
            "a\tb",
            "\u{7f}",
            "\u{85}",
            "\u{200e}a",
            "a\u{200f}",
            "\u{202a}",
            "x\u{202e}y",
            "\u{2066}",
            "\u{2069}",
            "\u{2028}",
        ] {
            assert_eq!(text(bad).unwrap_err().code(), "text.characters", "{bad:?}");
        }
    }

    #[test]
    fn names_are_lines_and_each_is_a_name() {
        let names = |text: &str| Untrusted(text.to_owned()).names();
        assert_eq!(names("a.bin\nb.bin").unwrap(), "a.bin\nb.bin");
        assert_eq!(names("a.bin\n").unwrap_err().code(), "text.length");
        assert_eq!(names("a\tb\nc").unwrap_err().code(), "text.characters");
        assert_eq!(names(&"n".repeat(MAX_NAME + 1)).unwrap_err().code(), "text.length");
    }

    #[test]
    fn prose_has_lines_and_nothing_else_that_a_text_has_not() {
        let prose = |text: &str| Untrusted(text.to_owned()).prose();
        let longest = "é\n".repeat(MAX_PROSE / 3) + "a";
        for good in ["Take 2.1.1.", "Take 2.1.1.\n\nIt is signed anew.\n", &longest] {
            assert_eq!(prose(good).unwrap().as_str(), good);
        }
        for bad in ["a\r\nb", "a\tb", "a\0", "\u{85}", "\u{2028}", "x\u{202e}y", "\u{200f}a"] {
            assert_eq!(prose(bad).unwrap_err().code(), "text.characters", "{bad:?}");
        }
        for (len, bad) in [(0, String::new()), (MAX_PROSE + 1, longest + "a")] {
            assert_eq!(prose(&bad).unwrap_err(), TextError::Length { max: MAX_PROSE, len });
        }
    }

    #[test]
    fn a_bound_counts_bytes() {
        assert!(text(&"a".repeat(MAX_TEXT)).is_ok());
        assert_eq!(text(&"a".repeat(MAX_TEXT + 1)).unwrap_err().code(), "text.length");
        assert_eq!(text("").unwrap_err().code(), "text.length");
        assert_eq!(Untrusted("é".repeat(101)).name().unwrap_err(), TextError::Length { max: 200, len: 202 });
    }
}
