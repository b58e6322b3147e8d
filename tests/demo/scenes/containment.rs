//! One person stops a slot; it takes a quorum to let it sign again.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::scenes::signing::sign;
use crate::stage::{Stage, Who, text};

/// The slot that is suspended.
const SLOT: &str = "release-p256";

/// A file that is to be signed meanwhile and afterwards.
const FILE: &str = "/usr/bin/env";

/// Where its signature goes once it is made.
const FOLDER: &str = "after-suspension";

/// Grace alone suspends the slot; the next signature is refused.
pub(crate) fn suspend(stage: &Stage) -> Result<(String, ()), Failure> {
    stage.ask(Who::Grace, ["slot", "suspend", SLOT, "--reason", "A build machine behaves oddly"])?;
    let out = stage.place().public(FOLDER);
    let arguments = ["sign", "--slot", SLOT, FILE, "--out"].map(PathBuf::from).into_iter().chain([out]);
    let refused = stage.run(Who::Service, arguments)?.with_code(4)?.json()?;
    let code = text(refused.get(0).unwrap_or_default(), "code")?;
    if code != "slot.suspended" {
        return Err(Failure::Unexpected(format!("a signature was refused for another reason: {code}")));
    }
    Ok((format!("Grace suspended {SLOT}: a signature is refused"), ()))
}

/// The others agree that it may go on, and it signs.
pub(crate) fn resume(stage: &Stage) -> Result<(String, ()), Failure> {
    // The key is not hers: she proposes it as the one who answers for security.
    let resume = ["slot", "resume", SLOT, "--role", "security_reviewer"];
    stage.by_quorum(Who::Grace, resume, "The machine was replaced")?;
    sign(stage, SLOT, &[&PathBuf::from(FILE)], Path::new(FOLDER))?;
    Ok((format!("two others let {SLOT} go on: it signs again"), ()))
}
