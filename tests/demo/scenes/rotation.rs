//! The keys that the ledger itself runs on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::scenes::signing::sign;
use crate::scenes::slots::SLOTS;
use crate::stage::{Stage, Who, number, text};

/// What is signed under the new ledger key.
const FILES: [&str; 3] = ["/usr/bin/env", "/usr/bin/id", "/usr/bin/sort"];

/// Where that goes, in `target/demo/`.
pub(crate) const FOLDER: &str = "after-rotation";

/// The new ledger key's file in that folder.
pub(crate) const NEW_VKEY: &str = "after-rotation/acme.vkey";

/// Sets the key that will sign documents.
pub(crate) fn evidence_key(stage: &Stage) -> Result<(String, ()), Failure> {
    stage.by_quorum(Who::Alan, ["evidence-key", "set"], "Reports will be signed")?;
    Ok(("the key for reports and statements was made, after 2 approvals".to_owned(), ()))
}

/// Replaces the ledger key; the old one signs the handover.
pub(crate) fn rotate(stage: &Stage) -> Result<(String, ()), Failure> {
    let view = stage.by_quorum(Who::Ada, ["ledger-key", "rotate"], "Rotated every year")?;
    let made = view.get("created").unwrap_or_default();
    let folder = stage.place().public(FOLDER);
    fs::create_dir_all(&folder).map_err(Failure::file("create", &folder))?;
    let file = stage.place().public(NEW_VKEY);
    fs::write(&file, text(made, "vkey")? + "\n").map_err(Failure::file("write", &file))?;
    Ok(("the ledger key was rotated: old and new key sign the handover".to_owned(), ()))
}

/// What happened under the new ledger key.
#[derive(Debug)]
pub(crate) struct Afterwards {
    /// The event that recorded the outside evidence.
    pub(crate) evidence: u64,
}

/// Signs with every slot and records outside evidence.
pub(crate) fn work_on(stage: &Stage) -> Result<(String, Afterwards), Failure> {
    for (slot, file) in SLOTS.iter().zip(FILES) {
        sign(stage, slot.name, &[&PathBuf::from(file)], Path::new(FOLDER))?;
    }
    let report = stage.place().public("test-report.txt");
    let written = "Tests of release 1.0: 4,211 passed, 0 failed.\n";
    fs::write(&report, written).map_err(Failure::file("write", &report))?;
    let mut arguments: Vec<PathBuf> =
        ["evidence", "add", "--subject", "slot:release-p256"].map(Into::into).into();
    arguments.extend(["--media-type", "text/plain", "--description", "Test report of 1.0"].map(Into::into));
    arguments.push(report);
    let recorded = stage.ask(Who::Service, arguments)?;
    let afterwards = Afterwards { evidence: number(&recorded, "seq")? };
    Ok(("3 more signatures; a test report is recorded as outside evidence".to_owned(), afterwards))
}
