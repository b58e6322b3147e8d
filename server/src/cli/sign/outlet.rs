//! Where signatures go, and what proves them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::artifact::Artifact;
use super::one::{Released, Signer, Target};
use super::verify_txt::VerifyTxt;
use crate::cli::failure::Failure;

/// Keeps what was signed; threads share it.
pub(in crate::cli) trait Outlet: Send + Sync {
    /// Keeps a signature, before anything after it can fail; says where.
    fn keep(&self, target: &Target, released: &Released) -> Result<PathBuf, Failure>;

    /// Keeps the receipt that proves it, and what follows from both; says where the receipt is.
    fn prove(
        &self,
        signer: &Signer,
        target: &Target,
        artifact: &Artifact,
        released: &Released,
        receipt: &str,
    ) -> Result<PathBuf, Failure>;
}

/// `FILE.sig`, `FILE.tlog-proof`, `FILE.VERIFY.txt` and the public key.
pub(super) struct Beside;

impl Outlet for Beside {
    fn keep(&self, target: &Target, released: &Released) -> Result<PathBuf, Failure> {
        let path = target.output(".sig");
        write_whole(&path, &released.signature)?;
        Ok(path)
    }

    fn prove(
        &self,
        _: &Signer,
        target: &Target,
        artifact: &Artifact,
        released: &Released,
        receipt: &str,
    ) -> Result<PathBuf, Failure> {
        let path = target.output(".tlog-proof");
        write_whole(&path, receipt.as_bytes())?;
        let Released { signed, key, .. } = released;
        let short: String = key.sha256().to_string().chars().take(8).collect();
        let pem_name = format!("{}.{short}.pem", signed.slot);
        write_whole(&target.output_named(&pem_name), key.to_pem().as_bytes())?;
        let text = VerifyTxt {
            name: &target.name,
            artifact: &target.seen_from_outputs()?,
            sha256: artifact.sha256,
            slot: &signed.slot,
            seq: signed.seq,
            pem_name: &pem_name,
            vkey: &signed.vkey,
        };
        write_whole(&target.output(".VERIFY.txt"), text.to_string().as_bytes())?;
        Ok(path)
    }
}

/// Written beside and renamed: whoever looks sees the whole file or none.
pub(in crate::cli) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut beside = OsString::from(path);
    beside.push(format!(".{}.part", Uuid::new_v4().simple()));
    let beside = PathBuf::from(beside);
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| {
        // What is left of it is in nobody's way; this error outranks the removal's.
        let _ = fs::remove_file(&beside);
        Failure::File { doing: "write", path: path.to_owned(), source }
    })
}
