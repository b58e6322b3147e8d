//! What people and scripts see: aligned text of 80 columns, or JSON.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;
pub use crate::views::story::{printable, steers};

/// The width that tables keep to, in columns.
const WIDTH: usize = 80;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// JSON if asked for, colour only for a terminal whose user hasn't said NO_COLOR.
    pub fn new(json: bool) -> Self {
        let unset = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: unset && !json && io::stdout().is_terminal() }
    }

    /// Whether a person sees the results at once: secrets are shown there, and nowhere where they are kept.
    pub fn is_seen(self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Whether results are JSON.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Shows a result: as one JSON value, or as the text that `human` makes.
    pub fn show<T: Serialize>(self, value: &T, human: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))?;
            self.line(&text)
        } else {
            self.line(human().trim_end_matches('\n'))
        }
    }

    /// Writes a line. A reader that went away is no failure.
    pub fn line(self, text: &str) -> Result<(), Failure> {
        match writeln!(io::stdout().lock(), "{text}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome.map_err(Failure::Output),
        }
    }

    /// Says something beside the result; nothing where results are JSON.
    pub fn note(self, text: &str) {
        if !self.json {
            // Somebody who closed stderr doesn't want to read it.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Marks a word that deserves attention.
    pub fn strong(self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A bar for long work, drawn only where a terminal is.
    pub fn progress(self, length: u64, template: &str) -> ProgressBar {
        let target = if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(length), target).with_style(style)
    }
}

/// Rows under headings, aligned; the last column takes what is left of 80 and is cut there.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let clean: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width_of = |column: usize| {
        let cells = clean.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width_of).collect();
    let heading: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&heading).chain(&clean) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            if column + 1 == row.len() {
                let room = WIDTH.saturating_sub(line.chars().count()).max(12);
                line.push_str(&cut(cell, room));
            } else {
                line.push_str(&format!("{cell:<width$}  ", width = widths[column]));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, one a line, aligned.
pub fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {}\n", printable(value));
    pairs.iter().map(line).collect()
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// [`printable`], for text whose own line breaks are wanted.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_at_most_eighty_columns_wide() {
        let rows = vec![vec!["a".to_owned(), "b".repeat(200)], vec!["longer".to_owned(), "c".to_owned()]];
        let text = table(&["SLOT", "WHAT"], &rows);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(text.lines().next(), Some("SLOT    WHAT"));
        assert_eq!(text.lines().nth(2), Some("longer  c"));
    }

    #[test]
    fn names_from_elsewhere_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}");
    }
}
