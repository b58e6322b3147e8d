//! The ledger leaves the server, and is verified without it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::scenes::signing::Signed;
use crate::stage::{Stage, Who, number, text};

/// The export's file in `target/demo/`.
pub(crate) const EXPORT: &str = "acme.tar";

/// Its checkpoint, for `--known`.
pub(crate) const CHECKPOINT: &str = "acme.checkpoint";

/// The layers of a verdict.
const LAYERS: [&str; 5] = ["bytes", "chain", "seals", "rules", "signatures"];

/// The export.
#[derive(Debug)]
pub(crate) struct Export {
    /// What it holds.
    pub(crate) bundle: Bundle,
}

/// Exports the ledger, and tells its story.
pub(crate) fn export(stage: &Stage) -> Result<(String, Export), Failure> {
    let file = stage.place().public(EXPORT);
    stage.ask(Who::Ada, ["export".into(), "--wait".into(), "--out".into(), file.clone()])?;
    let story = stage.place().public("events.txt");
    let told = stage.tell(Who::Ada, ["events", "--story"])?;
    fs::write(&story, told).map_err(Failure::file("write", &story))?;
    let bundle = Bundle::read(&file)?;
    let checkpoint = stage.place().public(CHECKPOINT);
    fs::write(&checkpoint, bundle.checkpoint().to_string()).map_err(Failure::file("write", &checkpoint))?;
    Ok((format!("the ledger is exported: {} events in one file", bundle.events().len()), Export { bundle }))
}

/// What every verification starts from: written down at the founding, never taken from the export.
pub(crate) fn pins(stage: &Stage) -> [PathBuf; 4] {
    let at = |name: &str| PathBuf::from(format!("@{}", stage.place().public(name).display()));
    ["--vkey".into(), at("acme.vkey"), "--founding".into(), at("acme.founding")]
}

/// Verifies the export on every layer.
pub(crate) fn verify(stage: &Stage) -> Result<(String, ()), Failure> {
    let file = stage.place().public(EXPORT);
    let report = stage.verify([file, "--signatures".into()].into_iter().chain(pins(stage)), 0)?;
    let verdict = |layer: &str| report["layers"][layer]["verdict"].as_str();
    if let Some(layer) = LAYERS.into_iter().find(|layer| verdict(layer) != Some("valid")) {
        return Err(Failure::Unexpected(format!("layer {layer} of the export is not valid: {report}")));
    }
    let signatures = number(report.get("signatures").unwrap_or(&Value::Null), "checked")?;
    Ok((format!("the export is valid on all five layers, {signatures} signatures held"), ()))
}

/// Verifies one signed file by its receipt alone.
pub(crate) fn verify_one_file(stage: &Stage, signed: &Signed) -> Result<(String, ()), Failure> {
    let entry = signed.entries.first();
    let entry = entry.ok_or_else(|| Failure::Unexpected("nothing was signed".to_owned()))?;
    let place = stage.place();
    let [vkey, pinned, ..] = pins(stage);
    let arguments = [
        ("--artifact", entry.file.clone()),
        ("--signature", entry.signature.clone()),
        ("--receipt", place.public(&entry.receipt)),
        ("--pubkey", place.public(&entry.public_key_pem)),
    ];
    let arguments = arguments.into_iter().flat_map(|(option, file)| [option.into(), file]);
    let report = stage.verify(arguments.chain([vkey, pinned]), 0)?;
    match text(&report, "verdict")?.as_str() {
        "valid" => Ok((format!("{} is valid by its receipt alone", entry.file.display()), ())),
        verdict => Err(Failure::Unexpected(format!("one signed file is {verdict}: {report}"))),
    }
}
