//! Opening the files and asking the library.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use sealbook_ledger::pack::MAX_PACK;
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::MAX_RECEIPT;
use sealbook_ledger::trust_root::{MAX_TRUST_ROOT, TrustRootFile};
use sealbook_ledger::verify::{
    PACK_START, Pins, Report, Signed, verify_artifact, verify_bundle, verify_pack, verify_receipt,
    verify_trust_root,
};

use crate::arguments::ArtifactFiles;

/// What every receipt begins with.
const RECEIPT_HEADER: &[u8] = b"c2sp.org/tlog-proof@";

/// Longest signature file in bytes: RSA 4096 in base64 with line ends takes some 700.
const MAX_SIGNATURE: u64 = 4096;

/// A file that can't be had, which says nothing about what it holds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("can't read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is larger than {max} bytes, more than such a file ever has", path.display())]
    TooLarge { path: PathBuf, max: u64 },
}

/// A bundle, a receipt, an evidence pack or a trust root, whichever it is. What begins like none of them is read as a bundle,
/// and is none.
pub(crate) fn of_file(path: &Path, pins: &Pins) -> Result<Report, Unreadable> {
    let failed = |source| Unreadable::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    (&mut file).take(RECEIPT_HEADER.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start == RECEIPT_HEADER {
        file.take(MAX_RECEIPT as u64).read_to_end(&mut start).map_err(failed)?;
        return Ok(verify_receipt(&start, pins));
    }
    if start.starts_with(PACK_START) {
        // One byte more than any pack has is enough to refuse it.
        file.take(MAX_PACK as u64).read_to_end(&mut start).map_err(failed)?;
        return Ok(verify_pack(&start, pins));
    }
    if TrustRootFile::looks_like(&start) {
        file.take(MAX_TRUST_ROOT as u64).read_to_end(&mut start).map_err(failed)?;
        return Ok(verify_trust_root(&start, pins));
    }
    // Pipes can't be rewound; what was taken from them is put in front again.
    match file.rewind() {
        Ok(()) => verify_bundle(file, pins).map_err(failed),
        Err(_) => verify_bundle(start.chain(file), pins).map_err(failed),
    }
}

/// One signed file.
pub(crate) fn of_artifact(files: &ArtifactFiles, pins: &Pins) -> Result<Report, Unreadable> {
    let signature = read_small(&files.signature, MAX_SIGNATURE)?;
    let receipt = read_small(&files.receipt, MAX_RECEIPT as u64)?;
    let public_key = read_small(&files.public_key, PublicKey::MAX_PEM as u64)?;
    let path = &files.artifact;
    let failed = |source| Unreadable::Io { path: path.clone(), source };
    let signed = Signed {
        artifact: File::open(path).map_err(failed)?,
        signature: &signature,
        receipt: &receipt,
        public_key: &String::from_utf8_lossy(&public_key),
    };
    verify_artifact(signed, pins).map_err(failed)
}

/// The whole of a file that is known to be small.
pub(crate) fn read_small(path: &Path, max: u64) -> Result<Vec<u8>, Unreadable> {
    let failed = |source| Unreadable::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max {
        return Err(Unreadable::TooLarge { path: path.to_owned(), max });
    }
    Ok(bytes)
}
