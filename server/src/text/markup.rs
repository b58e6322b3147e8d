//! Texts that go further than this server, such as what those are told who rely on a key: statements quote them, feeds and
//! mails repeat them. No reader is to take any of it for more than text.

/// A text that some reader would take for markup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "what a statement quotes is plain text: no angle brackets, backticks, character references or links in brackets"
)]
pub struct Markup;

/// Refuses what HTML, XML or Markdown would read as more than text.
pub fn plain(text: &str) -> Result<(), Markup> {
    let marks = ['<', '>', '`'];
    let referenced = text.split('&').skip(1).any(begins_reference);
    let linked = text.contains("](") || text.contains("][") || text.contains("]:");
    if text.contains(marks) || referenced || linked { Err(Markup) } else { Ok(()) }
}

/// Whether what follows an ampersand makes it a character reference (HTML §13.1.4): `lt;`, `#60;`, `#x3c;`.
fn begins_reference(rest: &str) -> bool {
    let name = rest.strip_prefix('#').unwrap_or(rest);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric());
    end.is_some_and(|end| end > 0 && name[end..].starts_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_pass_with_everything_that_they_need() {
        for text in [
            "ACME-2026-001",
            "Use 1.1 or later; check R&D's list [see site].",
            "https://acme.example/a?b=1&c=2",
            "5 * 3 = 15_000",
        ] {
            assert_eq!(plain(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn markup_of_any_reader_is_refused() {
        for text in [
            "<b>now</b>",
            "a > b",
            "<script>",
            "`rm -rf`",
            "[here](https://evil.example)",
            "[here][1]",
            "[1]: https://evil.example",
            "&lt;script",
            "&#60;b",
            "&#x3c;b",
        ] {
            assert_eq!(plain(text), Err(Markup), "{text}");
        }
    }
}
