//! The command line, read once into what it means.

use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::note::{MAX_NOTE, Vkey};
use sealbook_ledger::verify::Pins;
use sealbook_ledger::webauthn::attestation::AttestationRoots;

use crate::verdict::{Unreadable, read_small};

pub(crate) const HELP: &str = "\
Verifies what Sealbook has recorded, offline, from a key that you pin.

Usage:
  sealbook-verify FILE --vkey VKEY|@FILE [options]
  sealbook-verify --artifact A --signature S --receipt R --pubkey PEM --vkey VKEY|@FILE [--json]

FILE is a bundle (a whole ledger or a selection of events, tar), a receipt (.tlog-proof) or an
evidence pack (zip).

What you pin, and have from somewhere else than FILE:
  --vkey VKEY          a ledger key, name+hash+base64; may be given again for other keys.
                       @FILE reads one from each line of a file
  --founding DIGEST    the founding digest, 64 hex digits or @FILE: whose ledger it is
  --known FILE         a checkpoint that you have seen before: the ledger has to extend it

What to check and how to say it:
  --signatures         check every released signature as well
  --attestation-root FILE
                       certificates (PEM) of makers of authenticators that you believe, from their
                       makers: every credential that claims hardware has to lead to one. May be
                       given again
  --json               the report as JSON on standard output

One signed file, with what `sealbook sign` left beside it:
  --artifact A         the file
  --signature S        its signature, as openssl reads it or in base64
  --receipt R          its receipt (.tlog-proof)
  --pubkey PEM         the public key

  -h, --help           this text
  -V, --version        the version

Exit code: 0 valid, 1 invalid, 2 can't judge (bad usage, unreadable file, unknown rules version).

Example:
  sealbook-verify acme.tar --vkey @acme.vkey --founding @acme.founding --signatures
";

/// Largest file that `@FILE` reads, in bytes.
const MAX_AT_FILE: u64 = 64 * 1024;

/// Largest file of roots, in bytes: that of the FIDO Metadata Service has some hundred certificates.
const MAX_ROOTS: u64 = 4 * 1024 * 1024;

/// What is to be done.
pub(crate) enum Command {
    Help,
    Version,
    File { file: PathBuf, pins: Pins, json: bool },
    Artifact { files: ArtifactFiles, pins: Pins, json: bool },
}

/// A signed file and what belongs to it.
pub(crate) struct ArtifactFiles {
    pub(crate) artifact: PathBuf,
    pub(crate) signature: PathBuf,
    pub(crate) receipt: PathBuf,
    pub(crate) public_key: PathBuf,
}

/// Why the command line asks for nothing that can be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("{0}; see --help")]
    Arguments(#[from] lexopt::Error),
    #[error("`{option}` is missing; see --help")]
    Missing { option: &'static str },
    #[error("a FILE, or --artifact with --signature, --receipt and --pubkey: not both; see --help")]
    Both,
    #[error("`{option}` was given twice; see --help")]
    Twice { option: &'static str },
    #[error("`{option}` does not apply to a single signed file; see --help")]
    NotForArtifact { option: &'static str },
    #[error("{option}: {why}")]
    Value { option: &'static str, why: String },
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

#[derive(Default)]
struct Given {
    file: Option<PathBuf>,
    artifact: Option<PathBuf>,
    signature: Option<PathBuf>,
    receipt: Option<PathBuf>,
    public_key: Option<PathBuf>,
    pins: Pins,
    json: bool,
}

/// Reads the command line, and the small files that it names with `@` or `--known`.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let mut given = Given::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("vkey") => given.pins.vkeys.extend(vkeys(&parser.value()?.string()?)?),
            Long("founding") => {
                let text = literal_or_file("--founding", &parser.value()?.string()?)?;
                let digest = text.trim().parse().map_err(|error| value("--founding", &error))?;
                once("--founding", &mut given.pins.founding, digest)?;
            }
            Long("known") => {
                let checkpoint = known(Path::new(&parser.value()?))?;
                once("--known", &mut given.pins.known, checkpoint)?;
            }
            Long("attestation-root") => {
                let roots = attestation_roots(Path::new(&parser.value()?))?;
                match &mut given.pins.attestation_roots {
                    Some(known) => known.extend(roots),
                    none => *none = Some(roots),
                }
            }
            Long("signatures") => given.pins.signatures = true,
            Long("json") => given.json = true,
            Long("artifact") => once("--artifact", &mut given.artifact, parser.value()?.into())?,
            Long("signature") => once("--signature", &mut given.signature, parser.value()?.into())?,
            Long("receipt") => once("--receipt", &mut given.receipt, parser.value()?.into())?,
            Long("pubkey") => once("--pubkey", &mut given.public_key, parser.value()?.into())?,
            Value(file) => once("FILE", &mut given.file, file.into())?,
            other => return Err(other.unexpected().into()),
        }
    }
    given.into_command()
}

impl Given {
    fn into_command(self) -> Result<Command, UsageError> {
        let Self { file, artifact, signature, receipt, public_key, pins, json } = self;
        let for_artifact = [&artifact, &signature, &receipt, &public_key].into_iter().any(Option::is_some);
        let command = match (file, for_artifact) {
            (Some(_), true) => return Err(UsageError::Both),
            (None, false) => return Err(UsageError::Missing { option: "FILE" }),
            (Some(file), false) => Command::File { file, pins, json },
            (None, true) => {
                for (given, option) in [
                    (pins.founding.is_some(), "--founding"),
                    (pins.known.is_some(), "--known"),
                    (pins.signatures, "--signatures"),
                    (pins.attestation_roots.is_some(), "--attestation-root"),
                ] {
                    if given {
                        return Err(UsageError::NotForArtifact { option });
                    }
                }
                let required = |path: Option<PathBuf>, option| path.ok_or(UsageError::Missing { option });
                let files = ArtifactFiles {
                    artifact: required(artifact, "--artifact")?,
                    signature: required(signature, "--signature")?,
                    receipt: required(receipt, "--receipt")?,
                    public_key: required(public_key, "--pubkey")?,
                };
                Command::Artifact { files, pins, json }
            }
        };
        match &command {
            Command::File { pins, .. } | Command::Artifact { pins, .. } if pins.vkeys.is_empty() => {
                Err(UsageError::Missing { option: "--vkey" })
            }
            _ => Ok(command),
        }
    }
}

fn once<T>(option: &'static str, slot: &mut Option<T>, value: T) -> Result<(), UsageError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(UsageError::Twice { option }),
    }
}

fn value(option: &'static str, why: &dyn std::error::Error) -> UsageError {
    UsageError::Value { option, why: why.to_string() }
}

/// One key, or `@FILE` with a key in each line that is not empty.
fn vkeys(argument: &str) -> Result<Vec<Vkey>, UsageError> {
    let text = literal_or_file("--vkey", argument)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<Vkey> =
        lines.map(|line| line.parse().map_err(|error| value("--vkey", &error))).collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(UsageError::Value { option: "--vkey", why: "there is no key in it".to_owned() });
    }
    Ok(keys)
}

fn literal_or_file(option: &'static str, argument: &str) -> Result<String, UsageError> {
    match argument.strip_prefix('@') {
        None => Ok(argument.to_owned()),
        Some(path) => String::from_utf8(read_small(Path::new(path), MAX_AT_FILE)?)
            .map_err(|_| UsageError::Value { option, why: "the file is not text".to_owned() }),
    }
}

fn attestation_roots(path: &Path) -> Result<AttestationRoots, UsageError> {
    let bytes = read_small(path, MAX_ROOTS)?;
    AttestationRoots::from_pem(&bytes).map_err(|error| value("--attestation-root", &error))
}

fn known(path: &Path) -> Result<SignedCheckpoint, UsageError> {
    let bytes = read_small(path, MAX_NOTE as u64)?;
    SignedCheckpoint::parse(&bytes).map_err(|error| value("--known", &error))
}
