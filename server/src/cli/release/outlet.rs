//! Where a release's signatures go: `*.sig.json`, and the receipts of their events.

use std::path::{Path, PathBuf};

use sealbook_ledger::ids::Seq;
use sealbook_ledger::note::Vkey;

use super::refused;
use crate::cli::failure::Failure;
use crate::cli::sign::{Artifact, Outlet, Released, Signer, Target, write_whole};
use crate::release::proof::Proved;
use crate::release::signature::{self, Events};
use crate::release::{PART_ENDING, SIGNATURE_ENDING, receipt_name};

/// The folder of a release.
pub(super) struct Papers {
    pub(super) folder: PathBuf,
}

impl Outlet for Papers {
    /// Half of the paper: with it a signature that people approved once is not lost while the ledger is slow to seal.
    fn keep(&self, target: &Target, released: &Released) -> Result<PathBuf, Failure> {
        let path = target.output(&format!("{SIGNATURE_ENDING}{PART_ENDING}"));
        let json = serde_json::to_vec(&released.signed).map_err(|error| Failure::Output(error.into()))?;
        write_whole(&path, &json)?;
        Ok(target.output(SIGNATURE_ENDING))
    }

    fn prove(
        &self,
        signer: &Signer,
        target: &Target,
        _: &Artifact,
        released: &Released,
        receipt: &str,
    ) -> Result<PathBuf, Failure> {
        let signed = &released.signed;
        let authorized =
            self.receipt(signed.authorization, &signer.receipt(signed.authorization)?, &signed.vkey)?;
        let created = self.receipt(signed.seq, receipt, &signed.vkey)?;
        let bytes = super::given(&target.file)?;
        let name = self.name(&target.file);
        let events = Events { authorized: &authorized, created: &created };
        let paper = signature::write(&name, &bytes, target.form, events).map_err(refused)?;
        write_whole(&target.output(SIGNATURE_ENDING), &paper)?;
        let part = target.output(&format!("{SIGNATURE_ENDING}{PART_ENDING}"));
        std::fs::remove_file(&part).map_err(Failure::file("remove", &part))?;
        Ok(self.folder.join(receipt_name(signed.seq)))
    }
}

impl Papers {
    /// Keeps a receipt that holds.
    fn receipt(&self, seq: Seq, text: &str, vkey: &Vkey) -> Result<Proved, Failure> {
        let name = receipt_name(seq);
        let proved = Proved::read(&name, text.as_bytes(), std::slice::from_ref(vkey));
        let proved = proved.map_err(|refusal| Failure::Distrust { what: refusal.sentence })?;
        if proved.event.seq != seq {
            return Err(Failure::Distrust { what: format!("{name} is of event {}", proved.event.seq) });
        }
        write_whole(&self.folder.join(name), text.as_bytes())?;
        Ok(proved)
    }

    /// A file of the folder as the papers name it.
    fn name(&self, file: &Path) -> String {
        file.strip_prefix(&self.folder).unwrap_or(file).to_string_lossy().into_owned()
    }
}
