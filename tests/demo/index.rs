//! `signatures/index.json`: every signed file with what it takes to check it. `rep/index.json`: the same of the evidence
//! packs and of the certificates.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::place::Place;
use crate::scenes::slots::Slot;
use crate::stage::text;

/// One signed file. Paths other than `file` are relative to `target/demo/`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// The file, absolute.
    pub(crate) file: PathBuf,
    sha256: String,
    /// The slot that signed it.
    pub(crate) slot: &'static str,
    algorithm: String,
    /// Standard base64 with padding.
    signature_b64: String,
    /// The public key of the slot.
    pub(crate) public_key_pem: PathBuf,
    /// The receipt; it verifies under `acme.vkey`.
    pub(crate) receipt: PathBuf,
    /// Where `sealbook sign` left the signature, for the ending's commands.
    #[serde(skip)]
    pub(crate) signature: PathBuf,
}

impl Entry {
    /// From one object that `sealbook sign --json` printed; the receipt is copied to `receipts/`.
    pub(crate) fn of(place: &Place, slot: &Slot, outcome: &Value) -> Result<Self, Failure> {
        let file = PathBuf::from(text(outcome, "file")?);
        let signature = PathBuf::from(text(outcome, "signature")?);
        let bytes = fs::read(&signature).map_err(Failure::file("read", &signature))?;
        let from = PathBuf::from(text(outcome, "receipt")?);
        let receipt = Path::new("receipts").join(from.file_name().unwrap_or_default());
        fs::copy(&from, place.public(&receipt)).map_err(Failure::file("copy", &from))?;
        Ok(Self {
            file,
            sha256: text(outcome, "sha256")?,
            slot: slot.name,
            algorithm: text(outcome, "algorithm")?,
            signature_b64: STANDARD.encode(bytes),
            public_key_pem: slot.public_key_name(),
            receipt,
            signature,
        })
    }

    /// Writes the list.
    pub(crate) fn write_index(entries: &[Self], path: &Path) -> Result<(), Failure> {
        write(&entries, path)
    }
}

/// An evidence pack. Paths are relative to `target/demo/`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pack {
    /// The zip.
    pub(crate) file: &'static str,
    /// The slot whose key was replaced; none where it was the ledger's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<&'static str>,
    /// Its name in the ledger.
    pub(crate) sha256: String,
    /// The ledger key that it verifies under.
    pub(crate) vkey: &'static str,
}

/// The certificates of the slot whose key was replaced. Paths are relative to `target/demo/`.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Certificates {
    /// What both lead to, the root included.
    pub(crate) above: &'static str,
    /// The old key's certificate alone.
    pub(crate) old: &'static str,
    /// The new key's.
    pub(crate) new: &'static str,
    /// The new key's request.
    pub(crate) request: &'static str,
}

impl Certificates {
    /// Where they are.
    pub(crate) const FILES: Self = Self {
        above: "pki/ca.pem",
        old: "pki/leaf-old.pem",
        new: "pki/leaf-new.pem",
        request: "pki/request.csr",
    };
}

impl Pack {
    /// Writes the list.
    pub(crate) fn write_index(
        packs: &[Self],
        certificates: &Certificates,
        path: &Path,
    ) -> Result<(), Failure> {
        write(&json!({ "packs": packs, "certificates": certificates }), path)
    }
}

fn write(list: &impl Serialize, path: &Path) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(list)
        .map_err(|error| Failure::Unexpected(format!("the index can't be written as JSON: {error}")))?;
    fs::write(path, text + "\n").map_err(Failure::file("write", path))
}
