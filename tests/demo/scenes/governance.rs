//! What the rules do not let happen.

use crate::failure::Failure;
use crate::stage::{Stage, Who, text};

/// Ada tries to approve what she proposed, and takes it back.
pub(crate) fn self_approval(stage: &Stage) -> Result<(String, ()), Failure> {
    let arguments = ["slot", "create", "adas-own", "--algorithm", "ecdsa-p384-sha384"];
    let action = stage.propose(Who::Ada, arguments, "Nobody needs to look at this")?;
    let refused = stage.run(Who::Ada, ["action", "approve", &action, "--yes"])?.with_code(4)?;
    let code = text(&refused.error_json()?, "code")?;
    if code != "approval.own" {
        return Err(Failure::Unexpected(format!("a self-approval was refused for another reason: {code}")));
    }
    stage.ask(Who::Ada, ["action", "cancel", &action, "--yes"])?;
    Ok((format!("Ada may not approve her own proposal: refused ({code})"), ()))
}

/// Grace proposes something; one person is enough to stop it.
pub(crate) fn rejected_proposal(stage: &Stage) -> Result<(String, ()), Failure> {
    let arguments = ["slot", "create", "friday-hotfix", "--algorithm", "ecdsa-p256-sha256"];
    let action = stage.propose(Who::Grace, arguments, "A second release key, just for today")?;
    let view = stage.ask(Who::Alan, ["action", "reject", &action, "--yes"])?;
    match text(&view, "status")?.as_str() {
        "rejected" => Ok(("Alan rejected Grace's proposal: no key was made".to_owned(), ())),
        status => Err(Failure::Unexpected(format!("the rejected proposal is {status}"))),
    }
}
