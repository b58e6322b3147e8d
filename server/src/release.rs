//! Releases (`docs/spec/release.md`): a folder of artifacts, and the papers that say with which key it was signed, how that
//! key is kept, and how anybody checks both offline.
//!
//! What the papers say follows from events that travel with them as receipts: whoever checks a release makes the papers
//! again and compares them byte for byte. The modules, in the order of the papers: what events say ([`facts`]), the
//! operations manifest ([`operations`], [`controls`]), [`checksums`], the release's [`evidence`], its [`provenance`],
//! [`signature`]s; beside them the evidence of [`revocation`]s; and [`verify`](mod@verify), which reads a folder
//! ([`contents`]) and asks nobody.

pub mod checksums;
pub mod contents;
pub mod controls;
pub mod evidence;
pub mod facts;
pub mod label;
pub mod operations;
pub mod proof;
pub mod provenance;
pub mod refusal;
pub mod revocation;
pub mod signature;
pub mod verify;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use sealbook_ledger::canonical;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{Seq, SlotName};
use sealbook_ledger::policy::Environment;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use label::Label;
pub use refusal::{Code, Refusal};

/// The list of SHA-256 digests, as coreutils' `sha256sum` writes and checks it.
pub const CHECKSUMS: &str = "checksums.txt";

/// What binds the papers to a slot, a key and a state of the ledger.
pub const EVIDENCE: &str = "release-evidence.json";

/// The public key that signs the release, PEM.
pub const KEY: &str = "release-signing-key.pem";

/// What people and the ledger say of keys that were revoked.
pub const REVOCATIONS: &str = "revocation-evidence.json";

/// The receipt of the event that recorded [`REVOCATIONS`] by its digest.
pub const REVOCATIONS_PROOF: &str = "revocation-evidence.tlog-proof";

/// The folder of receipts.
pub const RECEIPTS: &str = "receipts/";

/// What the name of an operations manifest ends in.
pub const OPERATIONS_ENDING: &str = ".signing-operations.json";

/// What is added to the name of a file that was signed.
pub const SIGNATURE_ENDING: &str = ".sig.json";

/// What is added to that while the ledger has not sealed the signature yet.
pub const PART_ENDING: &str = ".part";

/// Most artifacts of a release.
pub const MAX_ARTIFACTS: usize = 10_000;

/// Most papers of a release, receipts among them.
pub const MAX_PAPERS: usize = 512;

/// Longest paper in bytes, 16 MiB: the envelope of a statement about [`MAX_ARTIFACTS`] names of
/// [`checksums::MAX_NAME`] bytes, with 64 digits and some 30 bytes of JSON each, in base64, has some 8 MiB.
pub const MAX_PAPER: u64 = 16 * 1024 * 1024;

/// Most bytes of all papers together: those of the largest release four times over.
pub const MAX_PAPERS_LEN: u64 = 64 * 1024 * 1024;

/// The papers' names of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Papers {
    stem: String,
}

impl Papers {
    /// Those of a release of this name and version.
    pub fn new(name: &Label, version: &Label) -> Self {
        Self { stem: format!("{name}-{version}") }
    }

    /// The operations manifest.
    pub fn operations(&self) -> String {
        format!("{}{OPERATIONS_ENDING}", self.stem)
    }

    /// The in-toto statement.
    pub fn statement(&self) -> String {
        format!("{}.intoto.json", self.stem)
    }

    /// The DSSE envelope around the statement, a line of JSON.
    pub fn envelope(&self) -> String {
        format!("{}.intoto.jsonl", self.stem)
    }

    /// What the slot signs, in this order.
    pub fn signed(&self) -> [String; 3] {
        [CHECKSUMS.to_owned(), EVIDENCE.to_owned(), self.statement()]
    }

    /// Whether a file is one of the papers, and no artifact.
    pub fn has(&self, name: &str) -> bool {
        let signed = self.signed();
        let beside =
            |of: &String| name.strip_prefix(of.as_str()).and_then(|rest| rest.strip_prefix(SIGNATURE_ENDING));
        [KEY, REVOCATIONS, REVOCATIONS_PROOF].contains(&name)
            || name == self.operations()
            || name == self.envelope()
            || signed
                .iter()
                .any(|of| name == of || beside(of).is_some_and(|rest| ["", PART_ENDING].contains(&rest)))
            || receipt_seq(name).is_some()
    }
}

impl Papers {
    /// Whether a file is half a paper that a run which was broken off has left.
    pub fn has_left(&self, name: &str) -> bool {
        let run = |rest: &str| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit());
        let paper = name.strip_suffix(PART_ENDING).and_then(|name| name.rsplit_once('.'));
        paper.is_some_and(|(paper, rest)| run(rest) && self.has(paper))
    }
}

/// Where the receipt of an event lies.
pub fn receipt_name(seq: Seq) -> String {
    format!("{RECEIPTS}{seq}.tlog-proof")
}

/// The event whose receipt a file of this name is.
pub fn receipt_seq(name: &str) -> Option<Seq> {
    let digits = name.strip_prefix(RECEIPTS)?.strip_suffix(".tlog-proof")?;
    let seq = digits.parse().ok().and_then(Seq::new)?;
    (receipt_name(seq) == name).then_some(seq)
}

/// A file by its name and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name, seen from the release's folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

impl Named {
    /// A file with these bytes.
    pub fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), sha256: Hash::sha256(bytes) }
    }
}

/// Which release something is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseId {
    /// Where it is meant to go.
    pub environment: Environment,
    /// What it is called.
    pub name: Label,
    /// The slot that signs it.
    pub slot: SlotName,
    /// Which one.
    pub version: Label,
}

impl ReleaseId {
    /// The release of an operations manifest.
    pub fn of(header: &operations::Header) -> Self {
        let operations::Header { environment, name, slot, version, .. } = header.clone();
        Self { environment, name, slot, version }
    }
}

/// The JSON of a paper that is in its one form, RFC 8785; the error says what is wrong.
fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    canonical::check(bytes).map_err(|error| format!("it is not canonical JSON: {error}"))?;
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// A word of a closed list as its JSON says it.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
