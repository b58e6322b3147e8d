//! `sealbook release verify`: judges a folder, asks no server.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use sealbook_ledger::note::Vkey;

use super::given;
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::printable;
use crate::release::contents::{Contents, Unreadable};
use crate::release::verify::{Pins, Report, Step, Verdict, verify};
use crate::release::{REVOCATIONS, REVOCATIONS_PROOF};

/// What is checked, and what was pinned.
#[derive(Debug, Args)]
pub struct VerifyCommand {
    /// The release's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A ledger key that you have from somewhere else, or @FILE with a key in each line; may be given again
    #[arg(long, required = true, value_name = "VKEY|@FILE")]
    vkey: Vec<VkeyArg>,
    /// Revocation evidence beside that of the folder; its receipt, *.tlog-proof, lies beside the file
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
}

/// A pinned key on a command line.
#[derive(Debug, Clone)]
enum VkeyArg {
    Key(Box<Vkey>),
    File(PathBuf),
}

impl FromStr for VkeyArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some(path) => Ok(Self::File(path.into())),
            None => text.parse().map(|key| Self::Key(Box::new(key))).map_err(|error| format!("{error}")),
        }
    }
}

/// Runs the command.
pub(super) fn run(command: &VerifyCommand, context: &Context) -> Result<(), Failure> {
    let pins = pins(command)?;
    let report = match Contents::read(&command.folder) {
        Ok(contents) => verify(&contents, &pins),
        Err(Unreadable::Refused(refusal)) => Report::of(refusal),
        Err(Unreadable::Io { path, source }) => return Err(Failure::Unjudged { path, source }),
    };
    context.out.show(&report, || text(context, &report))?;
    let exit = match report.verdict {
        Verdict::Valid => return Ok(()),
        Verdict::Invalid => Exit::Failed,
        Verdict::CantJudge => Exit::Usage,
    };
    Err(Failure::Release {
        code: report.code.unwrap_or_default(),
        sentence: report.sentence.unwrap_or_default(),
        exit,
        hint: match exit {
            Exit::Usage => "Check it with a later version of sealbook.",
            _ => "Do not use it: fetch the release again, and if it stays so, ask whoever signed it.",
        },
    })
}

fn pins(command: &VerifyCommand) -> Result<Pins, Failure> {
    let mut vkeys = Vec::new();
    for argument in &command.vkey {
        match argument {
            VkeyArg::Key(key) => vkeys.push((**key).clone()),
            VkeyArg::File(path) => vkeys.extend(keys_of(path)?),
        }
    }
    let revocations = command.revocations.as_deref().map(|file| {
        let proof = match file.file_name().is_some_and(|name| name == REVOCATIONS) {
            true => file.with_file_name(REVOCATIONS_PROOF),
            false => file.with_extension("tlog-proof"),
        };
        Ok::<_, Failure>((unjudged(file)?, unjudged(&proof)?))
    });
    Ok(Pins { vkeys, revocations: revocations.transpose()? })
}

fn keys_of(path: &Path) -> Result<Vec<Vkey>, Failure> {
    let hint = "Give the file that the founding's pin was written to, with a key in each line.";
    let wrong = |why: String| Failure::usage(format!("{}: {why}", path.display()), hint);
    let text = String::from_utf8(unjudged(path)?).map_err(|_| wrong("it is not text".to_owned()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<Vkey> = lines
        .map(|line| line.parse().map_err(|error| wrong(format!("{error}"))))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(wrong("there is no key in it".to_owned())) } else { Ok(keys) }
}

/// A file that can't be had says nothing about the release.
fn unjudged(path: &Path) -> Result<Vec<u8>, Failure> {
    given(path).map_err(|failure| match failure {
        Failure::File { path, source, .. } => Failure::Unjudged { path, source },
        other => other,
    })
}

/// The steps, a line each, and the verdict.
fn text(context: &Context, report: &Report) -> String {
    let mut text = String::new();
    if let Some(release) = &report.release {
        text.push_str(&format!("release {} {}, slot {}\n\n", release.name, release.version, release.slot));
    }
    for Step { claim, detail, holds } in &report.steps {
        let (mark, word) = match holds {
            Some(true) => ('\u{2713}', "holds"),
            Some(false) => ('\u{2717}', "fails"),
            None => ('\u{2013}', "open"),
        };
        text.push_str(&format!("  {mark} {word:5}  {claim}\n           {}\n", printable(detail)));
    }
    let verdict = match report.verdict {
        Verdict::Valid => "VALID",
        Verdict::Invalid => "INVALID",
        Verdict::CantJudge => "CAN'T JUDGE",
    };
    let code = report.code.map(|code| format!("  {code}")).unwrap_or_default();
    text.push_str(&format!("\n{}{code}\n", context.out.strong(verdict)));
    text
}
