//! `sealbook revocation`: what is not to be believed any more, and the lists in which CAs say so.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::SlotName;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure::Failure;
use super::output::{fields, printable, table};
use super::short_id::IdArg;
use crate::client::Call;
use crate::views::revocations::{ListView, RevokedView, What};

/// Revoked keys and certificates, and the lists that say so
#[derive(Debug, Subcommand)]
pub enum RevocationCommand {
    /// List what was revoked, the newest first
    List {
        /// With each row the event that proves it and its inclusion proof; for --json
        #[arg(long)]
        receipts: bool,
    },
    /// Show the newest revocation list of each CA's key
    Lists,
    /// Fetch the newest revocation list of a CA's key, as anybody can
    Crl {
        /// The CA's slot
        slot: SlotName,
        /// The key; the one that the slot signs with, if absent
        #[arg(long)]
        key: Option<IdArg>,
        /// As PEM instead of DER
        #[arg(long)]
        pem: bool,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Fetch which keys are to be believed, signed by the evidence key, as anybody can
    TrustRoot {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// `GET …/revocations`.
#[derive(Serialize, Deserialize)]
struct Revocations {
    lists: Vec<ListView>,
    revoked: Vec<RevokedView>,
}

/// A file that was written.
#[derive(Serialize)]
struct Written {
    file: String,
    sha256: Hash,
    size: usize,
}

/// Runs the command.
pub fn run(command: &RevocationCommand, context: &Context) -> Result<(), Failure> {
    match command {
        RevocationCommand::List { receipts } => {
            let all = asked(context, *receipts)?;
            context.out.show(&all, || all.revoked())
        }
        RevocationCommand::Lists => {
            let all = asked(context, false)?;
            context.out.show(&all.lists, || all.lists())
        }
        RevocationCommand::Crl { slot, key, pem, out } => {
            let ending = if *pem { "crl.pem" } else { "crl" };
            let tenant = context.tenant()?;
            let path = match key {
                None => format!("/crl/{tenant}/{slot}.{ending}"),
                Some(key) => format!("/crl/{tenant}/{slot}/{}.{ending}", context.key_id(key)?),
            };
            fetch(context, path, out)
        }
        RevocationCommand::TrustRoot { out } => {
            fetch(context, format!("/.well-known/sealbook/{}/trust-root.json", context.tenant()?), out)
        }
    }
}

/// Writes what anybody may read.
fn fetch(context: &Context, path: String, out: &Path) -> Result<(), Failure> {
    let (_, bytes) = context.anonymous()?.bytes(&Call::get(path))?;
    std::fs::write(out, &bytes).map_err(Failure::file("write", out))?;
    let written =
        Written { file: out.display().to_string(), sha256: Hash::sha256(&bytes), size: bytes.len() };
    context.out.show(&written, || {
        fields(&[
            ("wrote", format!("{}, {} bytes", printable(&written.file), written.size)),
            ("SHA-256", written.sha256.to_string()),
        ])
    })
}

fn asked(context: &Context, receipts: bool) -> Result<Revocations, Failure> {
    let path = context.path(if receipts { "/revocations?receipts=true" } else { "/revocations" })?;
    Ok(context.caller()?.json(&Call::get(path))?)
}

impl Revocations {
    fn revoked(&self) -> String {
        let row = |one: &RevokedView| {
            let (what, id) = match (one.what, one.certificate) {
                (What::Certificate, Some(certificate)) => ("certificate", certificate.to_string()),
                _ => ("key", one.key.to_string()),
            };
            let reason = serde_json::to_value(one.revocation_reason).ok();
            let reason = reason.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
            let at = one.revoked_at.to_string();
            let since = one.invalid_since.map_or_else(|| "-".to_owned(), |since| since.to_string());
            vec![
                at.get(..19).unwrap_or(&at).to_owned(),
                what.to_owned(),
                one.slot.to_string(),
                reason,
                since.get(..19).unwrap_or(&since).to_owned(),
                one.seq.to_string(),
                id,
            ]
        };
        let rows: Vec<_> = self.revoked.iter().map(row).collect();
        table(&["REVOKED", "WHAT", "SLOT", "REASON", "INVALID SINCE", "EVENT", "ID"], &rows)
    }

    fn lists(&self) -> String {
        let row = |list: &ListView| {
            let next = list.next_update.map_or_else(|| "never".to_owned(), |next| next.to_string());
            vec![
                list.slot.to_string(),
                list.number.to_string(),
                list.entries.to_string(),
                match list.lost {
                    Some(number) => format!("{number} is lost"),
                    None => if list.complete { "yes" } else { "no" }.to_owned(),
                },
                next.get(..19).unwrap_or(&next).to_owned(),
                list.path.clone(),
            ]
        };
        let rows: Vec<_> = self.lists.iter().map(row).collect();
        table(&["CA", "NUMBER", "NAMES", "COMPLETE", "NEXT BY", "AT"], &rows)
    }
}
