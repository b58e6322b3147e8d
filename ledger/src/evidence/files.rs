//! The files of a pack that follow from its events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{
    About, Canary, CheckResult, EvidenceError, Facts, LedgerKeyEvidence, PeriodEvidence, RotationEvidence,
    Sealed, verdict,
};
use crate::canonical;
use crate::ids::Seq;
use crate::pack::PackFile;

/// The evidence itself.
pub const EVIDENCE: &str = "evidence.json";

/// The evidence for people: the one file that does not follow from the events.
pub const REPORT: &str = "REP.pdf";

/// What its events disclose.
pub const DISCLOSURES: &str = "disclosures.jsonl";

const JSON: &str = "application/json";
const PEM: &str = "application/x-pem-file";

/// The name of an event's receipt in a pack.
pub fn receipt_name(seq: Seq) -> String {
    format!("receipts/{seq}.tlog-proof")
}

/// The event of a receipt's name.
pub fn receipt_seq(name: &str) -> Option<Seq> {
    let seq = name.strip_prefix("receipts/")?.strip_suffix(".tlog-proof")?;
    let seq = Seq::new(crate::checkpoint::parse_decimal(seq)?)?;
    (receipt_name(seq) == name).then_some(seq)
}

/// Every file that follows from a pack's events: all but the receipts, the disclosures and the report.
pub fn files(facts: &Facts<'_>, about: About, sealed: Sealed) -> Result<Vec<PackFile>, EvidenceError> {
    match about {
        About::Rotation(rotation) => of_rotation(&RotationEvidence::new(facts, rotation, sealed)?),
        About::LedgerKey(action) => {
            let evidence = LedgerKeyEvidence::new(facts, action, sealed)?;
            let policy = json("policies/ledger.json", &evidence.policy.policy)?;
            Ok(vec![json(EVIDENCE, &evidence)?, policy])
        }
        About::Period { from, to } => {
            let evidence = PeriodEvidence::new(facts, (from, to), sealed)?;
            let policy = json("policies/ledger.json", &evidence.policy.policy)?;
            Ok(vec![json(EVIDENCE, &evidence)?, policy])
        }
    }
}

/// A pack in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What it is about, in words.
    pub about: String,
    /// What its checks came to.
    pub verdict: CheckResult,
    /// The checks that fail.
    pub failed: Vec<&'static str>,
}

/// What a pack is about, and what its checks came to.
pub fn summary(facts: &Facts<'_>, about: About, sealed: Sealed) -> Result<Summary, EvidenceError> {
    let (about, checks) = match about {
        About::Rotation(rotation) => {
            let evidence = RotationEvidence::new(facts, rotation, sealed)?;
            let event = &evidence.rotation_event;
            let how = if event.emergency { " by break-glass" } else { "" };
            let about = format!("rotation {rotation} of slot {}{how}, {}", event.slot, event.outcome);
            (about, evidence.checks)
        }
        About::LedgerKey(action) => {
            let evidence = LedgerKeyEvidence::new(facts, action, sealed)?;
            (format!("the change of the ledger key to {}", evidence.new_vkey), evidence.checks)
        }
        About::Period { from, to } => {
            let evidence = PeriodEvidence::new(facts, (from, to), sealed)?;
            (format!("the time from {from} to before {to}"), evidence.checks)
        }
    };
    let failed = checks.iter().filter(|check| check.result == CheckResult::Fail);
    Ok(Summary { about, verdict: verdict(&checks), failed: failed.map(|check| check.id).collect() })
}

fn of_rotation(evidence: &RotationEvidence) -> Result<Vec<PackFile>, EvidenceError> {
    let policies = &evidence.policies;
    let mut files = vec![
        json(EVIDENCE, evidence)?,
        json("canary.json", &evidence.canary)?,
        file("canary.csv", "text/csv", canary_csv(&evidence.canary).into_bytes()),
        json("policies/ledger.json", &policies.ledger.policy)?,
        json("policies/rotation.json", &policies.rotation.policy)?,
        json("policies/signing.json", &policies.signing.policy)?,
    ];
    let keys = [(evidence.old_key(), "old"), (evidence.new_key(), "new")];
    for (key, which) in keys {
        let Some(key) = key else { continue };
        let public = key.public_key()?.to_pem().into_bytes();
        files.push(file(&format!("keys/{which}.pem"), PEM, public));
        let Some(certificate) = evidence.certificate_of(key.key) else { continue };
        let chain: String = certificate.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        files.push(file(&format!("certificates/{which}.pem"), PEM, chain.into_bytes()));
        if let Some(request) = &certificate.request {
            let request = pem("CERTIFICATE REQUEST", request).into_bytes();
            files.push(file(&format!("certificates/{which}.csr"), PEM, request));
        }
    }
    Ok(files)
}

fn json<T: Serialize>(name: &str, value: &T) -> Result<PackFile, EvidenceError> {
    Ok(file(name, JSON, canonical::to_vec(value)?))
}

#[allow(clippy::expect_used, reason = "the names and types above are literals of the right form")]
fn file(name: &str, media_type: &str, bytes: Vec<u8>) -> PackFile {
    PackFile {
        name: name.parse().expect("a name of a file in a pack"),
        media_type: media_type.parse().expect("a media type"),
        bytes,
    }
}

/// The canary for spreadsheets (RFC 4180): numbers and hex digits alone, so nothing in it is a formula.
fn canary_csv(canary: &Canary) -> String {
    let mut text = "authorization,digest,original,outcome,outcome_type,verified\r\n".to_owned();
    let number = |seq: Option<Seq>| seq.map_or_else(String::new, |seq| seq.to_string());
    for result in &canary.results {
        let verified = result.verified.map_or("", |holds| if holds { "true" } else { "false" });
        text.push_str(&format!(
            "{},{},{},{},{},{verified}\r\n",
            result.authorization,
            result.digest,
            number(result.original),
            number(result.outcome),
            result.outcome_type.unwrap_or_default(),
        ));
    }
    text
}

/// One PEM block, lines of 64 characters ended by LF (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line));
    let body: String = lines.flat_map(|line| [line.into_owned(), "\n".to_owned()]).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}
