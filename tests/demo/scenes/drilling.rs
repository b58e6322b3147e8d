//! The same, practised: on a key that was made for it.

use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::scenes::certifying;
use crate::scenes::responding::statement;
use crate::stage::{Stage, Who, number, text};

/// The slot to practise on, and its authority.
const SLOT: &str = "drill-p256";
const AUTHORITY: &str = "drill-root-p256";

/// The drill's statement.
pub(crate) const STATEMENT: &str = "drill/statement.zip";
pub(crate) const STATEMENT_PDF: &str = "drill/statement.pdf";
const STATEMENT_JSON: &str = "drill/statement.json";

/// Makes a key for drills in the same HSM, certified by an authority of its own.
pub(crate) fn prepare(stage: &Stage) -> Result<(String, ()), Failure> {
    let [root, leaf] = certifying::policies_for_drills(stage, AUTHORITY, SLOT)?;
    for (slot, policy) in [(AUTHORITY, root), (SLOT, leaf)] {
        let create = ["slot", "create", slot, "--drill", "--algorithm", "ecdsa-p256-sha256", "--rotation"];
        let create = create.map(PathBuf::from).into_iter().chain([policy]);
        stage.by_quorum(Who::Ada, create, "To practise on")?;
        certifying::certified(stage, Who::Ada, slot, "To practise on")?;
    }
    Ok((format!("{SLOT} is for drills alone, as is the CA that certifies it"), ()))
}

/// From the samples to the statement, with everybody who would be asked in earnest.
pub(crate) fn run(stage: &Stage) -> Result<(String, ()), Failure> {
    let targets = ["contained=1", "scoped=5", "rotated=60", "revoked=60", "resumed=120"];
    let start = ["drill", "start", "--slot", SLOT, "--acknowledge-within", "15"].into_iter();
    let start = start.chain(targets.into_iter().flat_map(|target| ["--target", target]));
    let drill = stage.ask(Who::Alan, start.chain(["--reason", "The quarter's"]))?;
    let (id, key) = (text(&drill, "incident")?, text(&drill, "key")?);
    for who in [Who::Ada, Who::Grace] {
        stage.ask(who, ["incident", "acknowledge", &id])?;
    }
    stage.ask(Who::Alan, ["drill", "advance", &id])?;
    consent(stage, &key)?;
    let ended = stage.ask(Who::Alan, ["drill", "advance", &id])?;
    let drill = &ended["incident"];
    if drill["closed"]["outcome"] != "resolved" {
        return Err(Failure::Unexpected(format!("the drill did not come to its end: {ended}")));
    }
    statement(stage, &id, (STATEMENT, STATEMENT_PDF, STATEMENT_JSON))?;
    let steps = drill["steps"].as_array().into_iter().flatten();
    let met = steps.filter(|step| step["met"] == true).count();
    let count = number(&drill["scope"], "count")?;
    Ok((format!("a drill over {count} signatures: {met} of {} targets met", targets.len()), ()))
}

/// What people approve, in a drill as in earnest.
fn consent(stage: &Stage, key: &str) -> Result<(), Failure> {
    let rotate = ["rotation", "propose", SLOT, "--emergency", "--role", "security_reviewer"];
    let rotation = stage.propose(Who::Grace, rotate, "DRILL")?;
    stage.ask(Who::Ada, ["action", "approve", &rotation, "--yes"])?;
    let ended = |shown: &Value| matches!(shown["state"].as_str(), Some("completed" | "failed"));
    stage.ask_until(Who::Grace, &["rotation", "show", &rotation], "another key", ended)?;
    let revoke =
        ["key", "revoke", key, "--because", "key-compromise", "--emergency", "--role", "security_reviewer"];
    let revocation = stage.propose(Who::Grace, revoke, "DRILL")?;
    stage.ask(Who::Ada, ["action", "approve", &revocation, "--yes", "--wait"])?;
    let resume = ["slot", "resume", SLOT, "--role", "security_reviewer"];
    stage.by_quorum(Who::Grace, resume, "DRILL").map(|_| ())
}
