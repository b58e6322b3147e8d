//! `sealbook verify`: what `sealbook-verify` does, for those who have this binary at hand. Nothing is asked of a server.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use clap::Args;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::note::{MAX_NOTE, Vkey};
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::MAX_RECEIPT;
use sealbook_ledger::verify::{
    Pins, Report, Signed, Style, render, verify_artifact, verify_bundle, verify_receipt,
};

use super::context::Context;
use super::failure::Failure;

/// What every receipt begins with.
const RECEIPT_HEADER: &[u8] = b"c2sp.org/tlog-proof@";

/// Largest file that `@FILE` reads, and longest signature file, in bytes.
const MAX_AT_FILE: u64 = 64 * 1024;
const MAX_SIGNATURE: u64 = 4096;

/// Verify a bundle, a receipt or a signed file, offline, as sealbook-verify does
///
/// Exit codes: 0 valid, 1 invalid, 2 can't judge.
#[derive(Debug, Args)]
pub struct VerifyCommand {
    /// A bundle or a receipt
    #[arg(required_unless_present = "artifact", conflicts_with = "artifact")]
    file: Option<PathBuf>,
    /// A ledger key that you pinned, or @FILE with one in each line; may be repeated
    #[arg(long = "vkey", required = true, value_name = "VKEY|@FILE")]
    vkeys: Vec<String>,
    /// The founding digest that you pinned, or @FILE
    #[arg(long, value_name = "DIGEST|@FILE", conflicts_with = "artifact")]
    founding: Option<String>,
    /// A checkpoint that you have seen before: the ledger has to extend it
    #[arg(long, value_name = "FILE", conflicts_with = "artifact")]
    known: Option<PathBuf>,
    /// Check every released signature as well
    #[arg(long, conflicts_with = "artifact")]
    signatures: bool,
    /// A signed file
    #[arg(long, value_name = "FILE", requires_all = ["signature", "receipt", "pubkey"])]
    artifact: Option<PathBuf>,
    /// Its signature
    #[arg(long, value_name = "FILE", requires = "artifact")]
    signature: Option<PathBuf>,
    /// Its receipt
    #[arg(long, value_name = "FILE", requires = "artifact")]
    receipt: Option<PathBuf>,
    /// The public key
    #[arg(long, value_name = "PEM", requires = "artifact")]
    pubkey: Option<PathBuf>,
}

/// Runs the command; a verdict other than valid is a failure with the verifier's exit code.
pub fn run(command: &VerifyCommand, context: &Context) -> Result<(), Failure> {
    let report = command.judge().map_err(|failure| Failure::CantJudge(Box::new(failure)))?;
    let style = if context.out.is_coloured() { Style::Colour } else { Style::Plain };
    context.out.show(&report, || render(&report, style))?;
    match report.verdict().exit_code() {
        0 => Ok(()),
        code => Err(Failure::NotValid { code }),
    }
}

impl VerifyCommand {
    fn judge(&self) -> Result<Report, Failure> {
        let pins = self.pins()?;
        match (&self.file, self.signed_file()) {
            (Some(file), _) => of_file(file, &pins),
            (None, Some(files)) => of_artifact(files, &pins),
            (None, None) => Err(Failure::usage("there is nothing to verify", "Name a file, or --artifact.")),
        }
    }

    fn signed_file(&self) -> Option<[&Path; 4]> {
        Some([
            self.artifact.as_deref()?,
            self.signature.as_deref()?,
            self.receipt.as_deref()?,
            self.pubkey.as_deref()?,
        ])
    }

    fn pins(&self) -> Result<Pins, Failure> {
        let hint = "Give what you pinned, as it was written down.";
        let wrong = |error: &dyn std::error::Error| Failure::usage(error.to_string(), hint);
        let mut vkeys: Vec<Vkey> = Vec::new();
        for argument in &self.vkeys {
            let text = literal_or_file(argument)?;
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                vkeys.push(line.parse().map_err(|error| wrong(&error))?);
            }
        }
        if vkeys.is_empty() {
            return Err(Failure::usage("there is no ledger key in what --vkey names", hint));
        }
        let founding = self.founding.as_deref().map(literal_or_file).transpose()?;
        let founding = founding.map(|text| text.trim().parse()).transpose().map_err(|error| wrong(&error))?;
        let known = self.known.as_deref().map(|path| read_small(path, MAX_NOTE as u64)).transpose()?;
        let known = known.map(|note| SignedCheckpoint::parse(&note)).transpose();
        let known = known.map_err(|error| wrong(&error))?;
        Ok(Pins { vkeys, founding, known, signatures: self.signatures })
    }
}

fn literal_or_file(argument: &str) -> Result<String, Failure> {
    let Some(path) = argument.strip_prefix('@').map(Path::new) else { return Ok(argument.to_owned()) };
    let invalid = |error| Failure::file("read", path)(io::Error::new(io::ErrorKind::InvalidData, error));
    String::from_utf8(read_small(path, MAX_AT_FILE)?).map_err(invalid)
}

/// A bundle or a receipt, whichever it is. What begins like neither is read as a bundle, and is none.
fn of_file(path: &Path, pins: &Pins) -> Result<Report, Failure> {
    let mut file = File::open(path).map_err(Failure::file("read", path))?;
    let mut start = Vec::new();
    let head = (&mut file).take(RECEIPT_HEADER.len() as u64).read_to_end(&mut start);
    head.map_err(Failure::file("read", path))?;
    if start == RECEIPT_HEADER {
        let rest = file.take(MAX_RECEIPT as u64).read_to_end(&mut start);
        rest.map_err(Failure::file("read", path))?;
        return Ok(verify_receipt(&start, pins));
    }
    // Pipes can't be rewound; what was taken from them is put in front again.
    let report = match file.rewind() {
        Ok(()) => verify_bundle(file, pins),
        Err(_) => verify_bundle(start.chain(file), pins),
    };
    report.map_err(Failure::file("read", path))
}

fn of_artifact([artifact, signature, receipt, pubkey]: [&Path; 4], pins: &Pins) -> Result<Report, Failure> {
    let public_key = read_small(pubkey, PublicKey::MAX_PEM as u64)?;
    let signed = Signed {
        artifact: File::open(artifact).map_err(Failure::file("read", artifact))?,
        signature: &read_small(signature, MAX_SIGNATURE)?,
        receipt: &read_small(receipt, MAX_RECEIPT as u64)?,
        public_key: &String::from_utf8_lossy(&public_key),
    };
    verify_artifact(signed, pins).map_err(Failure::file("read", artifact))
}

fn read_small(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(max + 1).read_to_end(&mut bytes))
        .map_err(Failure::file("read", path))?;
    if bytes.len() as u64 > max {
        let what = format!("{} is larger than {max} bytes", path.display());
        return Err(Failure::usage(what, "Name a file of the kind that the option asks for."));
    }
    Ok(bytes)
}
