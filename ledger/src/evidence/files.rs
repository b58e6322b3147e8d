//! The evidence of whatever a pack is about, and the files that follow from it.

use serde::Serialize;

use super::{
    Canary, Check, EvidenceError, Facts, IncidentEvidence, LedgerKeyEvidence, PeriodEvidence,
    RotationEvidence, ScopeFacts, Sealed,
};
use crate::canonical;
use crate::command::DocumentSubject;
use crate::encoding::pem;
use crate::ids::{KeyId, Seq};
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

/// The list of signatures that an incident may affect (docs/spec/blast-radius.md).
pub const AFFECTED: &str = "affected.jsonl";

/// Longest such list that a pack holds, in lines: at some 350 bytes each 35 MB, an eighth of what a pack may have. Of a
/// longer one it tells number and digest alone.
pub const MAX_AFFECTED: u64 = 100_000;

/// A list that an event names by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annex<'a> {
    /// Its name in the pack.
    pub name: &'static str,
    /// Whose signatures.
    pub key: KeyId,
    /// What the event says of it.
    pub scope: &'a ScopeFacts,
}

impl Annex<'_> {
    /// Whether the pack holds it; where it does not, it is too long for one.
    pub const fn is_held(&self) -> bool {
        self.scope.count <= MAX_AFFECTED
    }
}

/// What a pack says, whatever it is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// About a rotation.
    Rotation(Box<RotationEvidence>),
    /// About a change of the ledger key.
    LedgerKey(Box<LedgerKeyEvidence>),
    /// About a period.
    Period(Box<PeriodEvidence>),
    /// About an incident or drill.
    Incident(Box<IncidentEvidence>),
}

impl Evidence {
    /// What the events say of something.
    pub fn new(facts: &Facts<'_>, about: DocumentSubject, sealed: Sealed) -> Result<Self, EvidenceError> {
        Ok(match about {
            DocumentSubject::Rotation(action) => {
                Self::Rotation(Box::new(RotationEvidence::new(facts, action, sealed)?))
            }
            DocumentSubject::LedgerKey(action) => {
                Self::LedgerKey(Box::new(LedgerKeyEvidence::new(facts, action, sealed)?))
            }
            DocumentSubject::Incident(incident) => {
                Self::Incident(Box::new(IncidentEvidence::new(facts, incident, sealed)?))
            }
            DocumentSubject::Period { from, to } => {
                Self::Period(Box::new(PeriodEvidence::new(facts, (from, to), sealed)?))
            }
        })
    }

    /// What was checked.
    pub fn checks(&self) -> &[Check] {
        match self {
            Self::Rotation(evidence) => &evidence.checks,
            Self::LedgerKey(evidence) => &evidence.checks,
            Self::Period(evidence) => &evidence.checks,
            Self::Incident(evidence) => &evidence.checks,
        }
    }

    /// What it is about, in words.
    pub fn about(&self) -> String {
        match self {
            Self::Rotation(evidence) => {
                let event = &evidence.rotation_event;
                let how = if event.emergency { " by break-glass" } else { "" };
                format!("rotation {} of slot {}{how}, {}", event.rotation, event.slot, event.outcome)
            }
            Self::LedgerKey(evidence) => format!("the change of the ledger key to {}", evidence.new_vkey),
            Self::Incident(evidence) => {
                let what = if evidence.drill { "drill" } else { "incident" };
                format!("{what} {} of slot {}, key {}", evidence.incident, evidence.slot, evidence.key.key)
            }
            Self::Period(evidence) => format!("the time from {} to before {}", evidence.from, evidence.to),
        }
    }

    /// The list that comes along with the pack: an event names its digest.
    pub fn annex(&self) -> Option<Annex<'_>> {
        match self {
            Self::Incident(evidence) => {
                evidence.scope.as_ref().map(|scope| Annex { name: AFFECTED, key: evidence.key.key, scope })
            }
            Self::Rotation(_) | Self::LedgerKey(_) | Self::Period(_) => None,
        }
    }

    /// Every file that follows from the events: all but the receipts, the disclosures, the report and the
    /// annex.
    pub fn files(&self) -> Result<Vec<PackFile>, EvidenceError> {
        let ledger_policy = "policies/ledger.json";
        match self {
            Self::Rotation(evidence) => of_rotation(evidence),
            Self::LedgerKey(evidence) => {
                Ok(vec![json(EVIDENCE, evidence)?, json(ledger_policy, &evidence.policy.policy)?])
            }
            Self::Incident(evidence) => {
                Ok(vec![json(EVIDENCE, evidence)?, json(ledger_policy, &evidence.policy.policy)?])
            }
            Self::Period(evidence) => {
                Ok(vec![json(EVIDENCE, evidence)?, json(ledger_policy, &evidence.policy.policy)?])
            }
        }
    }
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

/// A file of a pack. Name and type are the program's own: literals, and numbers within them.
#[allow(
    clippy::expect_used,
    reason = "a name or type of the program's own that is malformed is a fault in the program"
)]
pub fn file(name: &str, media_type: &str, bytes: Vec<u8>) -> PackFile {
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
