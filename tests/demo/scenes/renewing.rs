//! A slot's key is replaced: review, canary, cutover, overlap, and the end of the old key eight days later.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::Failure;
use crate::scenes::certifying::CHANNEL;
use crate::scenes::rotation::FOLDER;
use crate::scenes::signing::sign;
use crate::scenes::slots::CERTIFIED;
use crate::stage::{Stage, Who, number, text};

/// Longer than the overlap of seven days.
const DAYS_LATER: u16 = 8;

/// What the new key signs first.
const FIRST: &str = "/usr/bin/tail";

/// A rotation under way.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// Its id.
    pub(crate) rotation: String,
    /// How many digests the canary signed.
    pub(crate) canary: u64,
}

/// Puts on record who can reach the device: auditors ask for that beside a rotation.
pub(crate) fn review_access(stage: &Stage) -> Result<(String, ()), Failure> {
    let holders = stage.place().private("holders.txt");
    fs::write(&holders, "Ada\nGrace\nthe server of acme\n").map_err(Failure::file("write", &holders))?;
    let review = ["hsm", "review", "softhsm", "--holders"].map(PathBuf::from).into_iter().chain([holders]);
    stage.by_quorum(Who::Ada, review, "Reviewed every quarter")?;
    Ok(("who can reach the HSM was reviewed: 3 holders, named by digest".to_owned(), ()))
}

/// Proposes another key, has it approved, and waits until it has taken over.
pub(crate) fn rotate(stage: &Stage) -> Result<(String, Renewal), Failure> {
    let propose = ["rotation", "propose", CERTIFIED];
    let action = stage.by_quorum(Who::Grace, propose, "Every 90 days another key")?;
    let rotation = text(&action, "action")?;
    let shown = until(stage, &rotation, "a cutover", |shown| shown["state"] == "cut_over")?;
    let canary = number(shown.get("canary").unwrap_or(&Value::Null), "signed")?;
    let sentence = format!("{CERTIFIED} has a new key: {canary} digests tried it out first");
    Ok((sentence, Renewal { rotation, canary }))
}

/// The service signs with the new key and says so; the channel has moved.
pub(crate) fn confirm(stage: &Stage, renewal: &Renewal) -> Result<(String, ()), Failure> {
    sign(stage, CERTIFIED, &[&PathBuf::from(FIRST)], Path::new(FOLDER))?;
    stage.ask(Who::Service, ["rotation", "confirm", &renewal.rotation])?;
    let shown = stage.ask(Who::Service, ["rotation", "moved", &renewal.rotation, CHANNEL])?;
    let waits = shown["waits_for"].as_array().map(Vec::as_slice).unwrap_or_default();
    match waits {
        [bar] if bar["code"] == "rotation.overlap" => {
            Ok((format!("the service confirmed it, {CHANNEL} moved; the overlap has 7 days"), ()))
        }
        _ => Err(Failure::Unexpected(format!("the rotation waits for more than its overlap: {shown}"))),
    }
}

/// Eight days pass, and what waited for them happens by itself.
pub(crate) fn let_days_pass(stage: &mut Stage, renewal: &Renewal) -> Result<(String, ()), Failure> {
    stage.restart(DAYS_LATER)?;
    let shown = until(stage, &renewal.rotation, "the evidence pack", |shown| shown["reported"] == true)?;
    let state = |name: &str| {
        let mut steps = shown["steps"].as_array().into_iter().flatten();
        steps.find(|step| step["step"] == name).and_then(|step| step["state"].as_str())
    };
    for step in ["retired", "certificate_revoked", "evidence_pack"] {
        if state(step) != Some("done") {
            return Err(Failure::Unexpected(format!("step {step} of the rotation is not done: {shown}")));
        }
    }
    Ok((format!("{DAYS_LATER} days later: old key retired, its certificate revoked"), ()))
}

fn until(
    stage: &Stage,
    rotation: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value, Failure> {
    let show = ["rotation", "show", rotation];
    let shown =
        stage.ask_until(Who::Grace, &show, what, |shown| shown["state"] == "failed" || holds(shown))?;
    match text(&shown, "state")?.as_str() {
        "failed" => Err(Failure::Unexpected(format!("the rotation failed: {shown}"))),
        _ => Ok(shown),
    }
}
