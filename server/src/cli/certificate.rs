//! `sealbook certificate`: certificates of slots' keys, from here and from CAs outside.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::action::{ActionType, CertificateIssueParams, CertificateRevokeParams};
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::timestamp::Timestamp;
use serde_json::json;

use super::context::Context;
use super::document::Asked;
use super::failure::Failure;
use super::key::Because;
use super::output::{fields, printable, printable_lines, table};
use super::proposal::Terms;
use super::rotation::{policy_digest, shown_slot, signing_key};
use super::short_id::IdArg;
use crate::client::Call;
use crate::client::answers::{Certificate, Certificates};

/// Longest file of certificates that is read, in bytes: the server takes no more.
const MAX_FILE: u64 = 64 * 1024;

/// Certificates of slots' keys
#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// List certificates, the newest first
    List {
        /// Only of this slot's keys
        #[arg(long)]
        slot: Option<SlotName>,
        /// Only of this key
        #[arg(long)]
        key: Option<IdArg>,
    },
    /// Show one certificate
    Show {
        /// Which
        certificate: IdArg,
    },
    /// Print the request for a certificate, as PEM: what a CA outside is sent
    Request {
        /// Which
        certificate: IdArg,
        /// The file to write; the request is printed if absent
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print a certificate and those above it, as PEM
    Chain {
        /// Which
        certificate: IdArg,
        /// The file to write; the chain is printed if absent
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Bring the chain that a CA outside issued for a request
    Import {
        /// Which
        certificate: IdArg,
        /// A PEM file: the key's certificate first, each followed by its issuer's, up to an anchor of the slot's policy
        file: PathBuf,
    },
    /// Give up a certificate that its CA outside does not return
    GiveUp {
        /// Which
        certificate: IdArg,
    },
    /// Propose to revoke a certificate for good, and not its key
    Revoke {
        /// Which
        certificate: IdArg,
        /// Why, by RFC 5280
        #[arg(long, value_enum)]
        because: Because,
        /// From when on it is not to be believed, where that is before now
        #[arg(long)]
        invalid_since: Option<Timestamp>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose another certificate for a slot's key, as its rotation policy says
    Propose {
        /// Which
        slot: SlotName,
        /// The key; the one that the slot signs with, if absent
        #[arg(long)]
        key: Option<IdArg>,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Runs the command.
pub fn run(command: &CertificateCommand, context: &Context) -> Result<(), Failure> {
    match command {
        CertificateCommand::List { slot, key } => list(context, slot.as_ref(), key.as_ref()),
        CertificateCommand::Show { certificate } => {
            let client = context.caller()?;
            let id = context.certificate_id(&client, certificate)?;
            show(context, &client.json(&Call::get(context.path(&format!("/certificates/{id}"))?))?)
        }
        CertificateCommand::Request { certificate, out } => {
            print(context, certificate, "request.pem", out.as_deref())
        }
        CertificateCommand::Chain { certificate, out } => {
            print(context, certificate, "chain.pem", out.as_deref())
        }
        CertificateCommand::Import { certificate, file } => import(context, certificate, file),
        CertificateCommand::GiveUp { certificate } => {
            let client = context.person()?.client;
            let id = context.certificate_id(&client, certificate)?;
            let path = context.path(&format!("/certificates/{id}/give-up"))?;
            show(context, &client.json(&Call::post(path, &json!({}))?)?)
        }
        CertificateCommand::Revoke { certificate, because, invalid_since, terms } => {
            let person = context.person()?;
            let params = CertificateRevokeParams {
                certificate: context.certificate_id(&person.client, certificate)?,
                invalid_since: *invalid_since,
                reason: (*because).into(),
            };
            context.propose(&person, &Asked::new(ActionType::CertificateRevoke, &params)?, terms)
        }
        CertificateCommand::Propose { slot, key, terms } => propose(context, slot, key.as_ref(), terms),
    }
}

fn list(context: &Context, slot: Option<&SlotName>, key: Option<&IdArg>) -> Result<(), Failure> {
    let mut filters = Vec::new();
    if let Some(slot) = slot {
        filters.push(format!("slot={slot}"));
    }
    if let Some(key) = key {
        filters.push(format!("key={}", context.key_id(key)?));
    }
    let path = context.path(&format!("/certificates?{}", filters.join("&")))?;
    let certificates: Certificates = context.caller()?.json(&Call::get(path))?;
    let row = |one: &Certificate| {
        let until = one.issued.as_ref().map(|issued| issued.not_after.to_string());
        let until = until.map_or_else(|| "-".to_owned(), |at| at.get(..10).unwrap_or(&at).to_owned());
        vec![one.certificate.to_string(), one.state.clone(), until, one.slot.to_string()]
    };
    let rows: Vec<_> = certificates.certificates.iter().map(row).collect();
    context.out.show(&certificates, || table(&["CERTIFICATE", "STATE", "UNTIL", "SLOT"], &rows))
}

fn show(context: &Context, certificate: &Certificate) -> Result<(), Failure> {
    context.out.show(certificate, || {
        let mut pairs = vec![
            ("certificate", certificate.certificate.to_string()),
            ("state", certificate.state.clone()),
            ("slot", certificate.slot.to_string()),
            ("key", certificate.key.to_string()),
            ("ordered by", certificate.action.to_string()),
        ];
        match &certificate.issued {
            None => pairs.push(("subject", certificate.subject.common_name.to_string())),
            Some(issued) => pairs.extend([
                ("subject", issued.subject.clone()),
                ("issuer", issued.issuer.clone()),
                ("serial", issued.serial.clone()),
                ("SHA-256", issued.fingerprint.to_string()),
                ("not before", issued.not_before.to_string()),
                ("not after", issued.not_after.to_string()),
                ("event", issued.seq.to_string()),
            ]),
        }
        if let (Some(reason), Some(at)) = (&certificate.revocation_reason, certificate.revoked_at) {
            pairs.push(("revoked", format!("{at} ({reason})")));
        }
        pairs.extend(certificate.invalid_since.map(|since| ("not believed since", since.to_string())));
        fields(&pairs)
    })
}

/// Prints what is there of a certificate as PEM, or writes it into a file.
fn print(context: &Context, certificate: &IdArg, what: &str, out: Option<&Path>) -> Result<(), Failure> {
    let client = context.caller()?;
    let id = context.certificate_id(&client, certificate)?;
    let pem = client.text(&Call::get(context.path(&format!("/certificates/{id}/{what}"))?))?;
    match out {
        None => context.out.line(printable_lines(&pem).trim_end()),
        Some(file) => {
            std::fs::write(file, &pem).map_err(Failure::file("write", file))?;
            context.out.show(&json!({"certificate": id, "file": file}), || {
                fields(&[("wrote", printable(&file.display().to_string()))])
            })
        }
    }
}

fn import(context: &Context, certificate: &IdArg, file: &Path) -> Result<(), Failure> {
    let length = std::fs::metadata(file).map_err(Failure::file("read", file))?.len();
    if length > MAX_FILE {
        let what = format!("a chain has at most {MAX_FILE} bytes; this file has {length}");
        return Err(Failure::usage(what, "Give the PEM file that the CA returned."));
    }
    let chain = std::fs::read_to_string(file).map_err(Failure::file("read", file))?;
    let client = context.person()?.client;
    let id = context.certificate_id(&client, certificate)?;
    let path = context.path(&format!("/certificates/{id}/chain"))?;
    show(context, &client.json(&Call::post(path, &json!({"chain_pem": chain}))?)?)
}

fn propose(context: &Context, slot: &SlotName, key: Option<&IdArg>, terms: &Terms) -> Result<(), Failure> {
    let person = context.person()?;
    let shown = shown_slot(context, &person, slot)?;
    let key = match key {
        Some(given) => context.key_id(given)?,
        None => signing_key(&shown)?,
    };
    let params = CertificateIssueParams { key, policy: policy_digest(&shown)?, slot: slot.clone() };
    context.propose(&person, &Asked::new(ActionType::CertificateIssue, &params)?, terms)
}
