//! `sealbook release`: the papers of a release, signed by its slot, checked offline; and the evidence of revoked keys.

mod drafting;
mod manifest;
mod outlet;
mod revocation;
mod verify;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::release::Refusal;
use crate::release::contents::{Contents, Unreadable};

/// Releases: their papers, and the evidence of revoked keys
#[derive(Debug, Subcommand)]
pub enum ReleaseCommand {
    /// Write the papers of a release into its folder and have them signed
    ///
    /// Writes NAME-VERSION.signing-operations.json with its receipts, checksums.txt, release-evidence.json and
    /// NAME-VERSION.intoto.json, and a *.sig.json for each that is signed. Run again, it goes on where it stopped.
    /// Exit codes are those of `sealbook sign`.
    Manifest(Box<manifest::ManifestCommand>),
    /// Check a release offline, under a ledger key that you pin
    ///
    /// Exit codes: 0 valid, 1 invalid, 2 can't judge.
    Verify(verify::VerifyCommand),
    /// Compose the evidence of a revoked key, and record it
    RevocationEvidence(revocation::RevocationCommand),
}

/// Runs the command.
pub fn run(command: &ReleaseCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ReleaseCommand::Manifest(command) => manifest::run(command, context),
        ReleaseCommand::Verify(command) => verify::run(command, context),
        ReleaseCommand::RevocationEvidence(command) => revocation::run(command, context),
    }
}

/// A folder that is to be signed.
fn read(folder: &Path) -> Result<Contents, Failure> {
    Contents::read(folder).map_err(|error| match error {
        Unreadable::Io { path, source } => Failure::File { doing: "read", path, source },
        Unreadable::Refused(refusal) => refused(refusal),
    })
}

/// Papers that can't be written as they would have to be.
fn refused(refusal: Refusal) -> Failure {
    Failure::Release {
        code: refusal.code.name(),
        sentence: refusal.sentence,
        exit: Exit::Refused,
        hint: "docs/spec/release.md says what each paper holds, and which events prove it.",
    }
}

/// Longest paper that a command line names, in bytes.
const MAX_GIVEN: u64 = crate::release::MAX_PAPER;

/// A small file; the error says that it could not be had.
fn given(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Failure::file("read", path))?;
    file.take(MAX_GIVEN + 1).read_to_end(&mut bytes).map_err(Failure::file("read", path))?;
    if bytes.len() as u64 > MAX_GIVEN {
        let source = std::io::Error::new(std::io::ErrorKind::FileTooLarge, "longer than a paper may be");
        return Err(Failure::File { doing: "read", path: path.to_owned(), source });
    }
    Ok(bytes)
}

/// A name with something added to it.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
