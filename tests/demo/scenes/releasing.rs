//! A release with its papers, and what becomes of it once its key is not to be believed.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::scenes::compromise::STOLEN;
use crate::scenes::responding::{ADVISORY, Incident};
use crate::scenes::rotation::NEW_VKEY;
use crate::stage::{Stage, Who, text};

/// The release that the stolen key signed, and the one that took its place.
const BEFORE: &str = "release/1.0";
const AFTER: &str = "release/1.1";

/// What is released.
const ARTIFACTS: [&str; 2] = ["env", "id"];

/// Signs a release, and checks it as whoever uses it would.
pub(crate) fn release(stage: &Stage) -> Result<(String, ()), Failure> {
    stage.ask(Who::Service, manifest(stage, BEFORE, "1.0")?)?;
    verify(stage, BEFORE, &[], 0)?;
    Ok(("a release has its papers, signed, and is valid offline".to_owned(), ()))
}

/// Another key takes the stolen one's place, by break-glass.
pub(crate) fn replace(stage: &Stage) -> Result<(String, ()), Failure> {
    let propose = ["rotation", "propose", STOLEN, "--emergency", "--role", "security_reviewer"];
    let action = stage.propose(Who::Grace, propose, "Releases have to go on")?;
    stage.ask(Who::Ada, ["action", "approve", &action, "--yes"])?;
    let show = ["rotation", "show", &action];
    let ended = |shown: &Value| matches!(shown["state"].as_str(), Some("completed" | "failed"));
    let shown = stage.ask_until(Who::Grace, &show, "another key", ended)?;
    match text(&shown, "state")?.as_str() {
        "completed" => Ok((format!("{STOLEN} has another key and certificate, made at once"), ())),
        state => Err(Failure::Unexpected(format!("the rotation of {STOLEN} {state}: {shown}"))),
    }
}

/// The release is signed anew, as the change board has approved; evidence beside it says why the old one is not to be
/// believed.
pub(crate) fn release_again(stage: &Stage, incident: &Incident) -> Result<(String, ()), Failure> {
    approved(stage, manifest(stage, AFTER, "1.1")?)?;
    let affected = stage.place().private("affected.txt");
    fs::write(&affected, "packages 1.0\n").map_err(Failure::file("write", &affected))?;
    let key = &incident.key;
    let evidence = stage.place().public(format!("{AFTER}/release-evidence.json"));
    let compose = ["release", "revocation-evidence", "--key", key, "--releases"].map(PathBuf::from);
    let told = ["--advisory", ADVISORY, "--new-evidence"].map(PathBuf::from);
    stage.ask(Who::Grace, compose.into_iter().chain([affected]).chain(told).chain([evidence]))?;
    verify(stage, AFTER, &[], 0)?;
    let revocations = stage.place().public(format!("{AFTER}/revocation-evidence.json"));
    verify(stage, BEFORE, &["--revocations".into(), revocations], 1)?;
    Ok(("the release is signed anew; the evidence has the old one refused".to_owned(), ()))
}

/// A folder of artifacts, and what writes and signs its papers.
fn manifest(stage: &Stage, folder: &str, version: &str) -> Result<Vec<PathBuf>, Failure> {
    let at = stage.place().public(folder);
    fs::create_dir_all(&at).map_err(Failure::file("create", &at))?;
    for name in ARTIFACTS {
        let from = PathBuf::from("/usr/bin").join(name);
        fs::copy(&from, at.join(name)).map_err(Failure::file("copy", &from))?;
    }
    let manifest = ["release", "manifest", "--slot", STOLEN, "--name", "packages", "--version", version];
    Ok(manifest.map(PathBuf::from).into_iter().chain([at]).collect())
}

/// Signs what waits for the change board, which Grace is.
fn approved(stage: &Stage, manifest: Vec<PathBuf>) -> Result<(), Failure> {
    stage.run(Who::Service, manifest.clone())?.with_code(3)?;
    let open = stage.ask(Who::Grace, ["action", "list", "--status", "open"])?;
    let waiting = open["actions"].as_array().into_iter().flatten();
    for action in waiting.filter(|action| action["type"] == "signing.approve") {
        let id = text(action, "action")?;
        stage.ask(Who::Grace, ["action", "approve", &id, "--yes", "--wait"])?;
    }
    stage.ask(Who::Service, manifest).map(|_| ())
}

fn verify(stage: &Stage, folder: &str, more: &[PathBuf], code: i32) -> Result<(), Failure> {
    let vkey = format!("@{}", stage.place().public(NEW_VKEY).display());
    let words = ["release", "verify", "--vkey", &vkey].map(PathBuf::from).into_iter();
    let words = words.chain(more.iter().cloned()).chain([stage.place().public(folder)]);
    stage.run(Who::Service, words)?.with_code(code).map(|_| ())
}
