//! A report as text: a table that reads without colour, and words beside every mark.

use std::fmt::Write as _;

use crate::verify::{Layer, LayerReport, Report, Subject, Verdict};

/// How a report is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With the colours of a terminal (ECMA-48 SGR).
    Colour,
}

#[derive(Clone, Copy)]
enum Mark {
    Good,
    Bad,
    Open,
}

impl Mark {
    const fn symbol(self) -> char {
        match self {
            Self::Good => '\u{2713}',
            Self::Bad => '\u{2717}',
            Self::Open => '\u{2013}',
        }
    }

    fn paint(self, text: &str, style: Style) -> String {
        let colour = match self {
            Self::Good => 32,
            Self::Bad => 31,
            Self::Open => 33,
        };
        match style {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        }
    }
}

/// The report as lines of text, with a final newline.
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = write_report(&mut out, report, style);
    out
}

fn write_report(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let subject = match report.subject {
        Subject::Ledger => "ledger",
        Subject::Selection => "selection of ledger",
        Subject::Receipt => "receipt of ledger",
        Subject::Artifact => "signed file, ledger",
        Subject::Pack => "evidence pack of ledger",
        Subject::TrustRoot => "trust root of ledger",
    };
    match report.origin() {
        Some(origin) => writeln!(out, "{subject} {origin}, {}\n", events(report.events))?,
        None => writeln!(out, "a file that is no bundle to its end\n")?,
    }
    for step in &report.steps {
        let (mark, word) = match step.holds {
            Some(true) => (Mark::Good, "holds"),
            Some(false) => (Mark::Bad, "fails"),
            None => (Mark::Open, "open"),
        };
        write_row(out, mark, (step.claim, 44), (word, 6), &step.detail, style)?;
    }
    if !report.steps.is_empty() {
        out.push('\n');
    }
    for layer in Layer::ALL {
        let (mark, word, detail) = match report.layer(layer) {
            LayerReport::Valid(detail) => (Mark::Good, "valid", detail.clone()),
            LayerReport::Invalid(failure) => {
                let detail = format!("{}: {} ({})", failure.place(), failure.reason(), failure.rule());
                (Mark::Bad, "invalid", detail)
            }
            LayerReport::NotChecked(why) => (Mark::Open, "not checked", why.to_string()),
        };
        write_row(out, mark, (layer.name(), 11), (word, 12), &detail, style)?;
    }
    out.push('\n');
    write_facts(out, report)?;
    let (mark, word) = match report.verdict() {
        Verdict::Valid => (Mark::Good, "VALID"),
        Verdict::Invalid => (Mark::Bad, "INVALID"),
        Verdict::CantJudge => (Mark::Open, "CAN'T JUDGE"),
    };
    write!(out, "{}", mark.paint(word, style))?;
    if let Some(failure) = report.failure() {
        write!(out, "  first failure: {}, {} ({})", failure.layer(), failure.place(), failure.rule())?;
    }
    out.push('\n');
    Ok(())
}

fn write_row(
    out: &mut String,
    mark: Mark,
    (name, name_width): (&str, usize),
    (word, word_width): (&str, usize),
    detail: &str,
    style: Style,
) -> std::fmt::Result {
    let verdict = mark.paint(&format!("{} {name:name_width$} {word:word_width$}", mark.symbol()), style);
    writeln!(out, "  {verdict} {}", printable(detail))
}

fn write_facts(out: &mut String, report: &Report) -> std::fmt::Result {
    let mut fact = |name: &str, text: &str| writeln!(out, "  {name:13} {}", printable(text));
    if let Some((size, root)) = &report.tree {
        fact("root", &format!("{root} at size {size}"))?;
    }
    if let Some(founding) = &report.founding {
        let pinned = if founding.pinned { "pinned" } else { "founders unpinned" };
        fact("founding", &format!("{} ({pinned})", founding.digest))?;
    }
    if let Some(disclosed) = &report.disclosures {
        fact("disclosures", &format!("{} shown, {} redacted", disclosed.shown, disclosed.redacted))?;
    }
    for note in &report.notes {
        fact("note", note)?;
    }
    out.push('\n');
    Ok(())
}

fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

/// Without anything that could move a terminal's cursor or turn text around.
fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}
