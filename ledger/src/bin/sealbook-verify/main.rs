//! `sealbook-verify`: what auditors run. Offline, small, and without any of the server's code.

mod arguments;
mod verdict;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use arguments::Command;
use sealbook_ledger::verify::{Report, Style, render};

/// Nothing was judged: bad usage, an unreadable file.
const CANT_JUDGE: u8 = 2;

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Where not even standard error can be written, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "sealbook-verify: {}", in_full(&*error));
            ExitCode::from(CANT_JUDGE)
        }
    }
}

fn run() -> Result<u8, Box<dyn std::error::Error>> {
    let (report, json) = match arguments::parse(lexopt::Parser::from_env())? {
        Command::Help => return print(arguments::HELP).map(|()| 0),
        Command::Version => {
            return print(concat!("sealbook-verify ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| 0);
        }
        Command::File { file, pins, json } => (verdict::of_file(&file, &pins)?, json),
        Command::Artifact { files, pins, json } => (verdict::of_artifact(&files, &pins)?, json),
    };
    print(&if json { to_json(&report)? } else { render(&report, style()) })?;
    Ok(report.verdict().exit_code())
}

fn to_json(report: &Report) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// Colour for people at a terminal who have not asked to be spared it (no-color.org).
fn style() -> Style {
    let spared = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stdout().is_terminal() && !spared { Style::Colour } else { Style::Plain }
}

fn print(text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The error and what is behind it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
