//! `sealbook hsm`: who can reach a device.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::ids::BackendName;
use serde_json::json;

use super::context::Context;
use super::document::{Asked, PrivateField};
use super::failure::Failure;
use super::proposal::Terms;

/// Longest list in bytes: what a line of a bundle holds.
const MAX_LIST: u64 = 64 * 1024;

/// Devices, and who can reach them
#[derive(Debug, Subcommand)]
pub enum HsmCommand {
    /// Propose to put a review of a device's access on record
    Review {
        /// The device
        backend: BackendName,
        /// A file that names the people and machines that can reach it, one a line; the ledger holds their number and a
        /// digest
        #[arg(long, value_name = "FILE")]
        holders: PathBuf,
        /// What was found amiss; by digest too
        #[arg(long, value_name = "TEXT")]
        findings: Option<String>,
        /// The number of the device's FIPS 140 certificate, where it has one
        #[arg(long, value_name = "NUMBER", requires = "fips_level")]
        fips_certificate: Option<u32>,
        /// Its security level, 1 to 4
        #[arg(long, value_name = "LEVEL", requires = "fips_certificate")]
        fips_level: Option<u8>,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Runs the command.
pub fn run(command: &HsmCommand, context: &Context) -> Result<(), Failure> {
    let HsmCommand::Review { backend, holders, findings, fips_certificate, fips_level, terms } = command;
    let holders = read_lines(holders)?;
    let mut params = json!({ "backend": backend, "holder_count": holders.len() });
    if let (Some(certificate), Some(level)) = (fips_certificate, fips_level) {
        params["fips"] = json!({ "certificate": certificate, "level": level });
    }
    let asked = Asked::new(ActionType::HsmAccessReview, &params)?
        .with_private("holders", Some(PrivateField::Lines(holders)))
        .with_private("findings", findings.clone().map(PrivateField::Text));
    context.propose(&context.person()?, &asked, terms)
}

/// The lines of a file that say something, each once.
fn read_lines(file: &Path) -> Result<Vec<String>, Failure> {
    use std::io::Read as _;
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(Failure::file("read", file))?;
    opened.take(MAX_LIST + 1).read_to_string(&mut text).map_err(Failure::file("read", file))?;
    let mut seen = BTreeSet::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && seen.insert(*line));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let hint = "Name everybody and everything that can reach the device, one a line.";
    match (lines.is_empty(), text.len() as u64 > MAX_LIST) {
        (false, false) => Ok(lines),
        (true, _) => Err(Failure::usage(format!("{} names nobody", file.display()), hint)),
        (_, true) => Err(Failure::usage(format!("a list has at most {MAX_LIST} bytes"), hint)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_named_counts_once_and_an_empty_list_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("holders");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read_lines(&file).ok()
        };
        assert_eq!(read("Zoë\n\n  the build farm\nZoë\n").unwrap(), ["Zoë", "the build farm"]);
        assert_eq!(read("\n \n"), None);
        assert_eq!(read(&"x".repeat(64 * 1024 + 1)), None);
    }
}
