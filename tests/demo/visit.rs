//! `make look`: the demonstration's company once more, for a visitor with a browser and a passkey.
//!
//! A visitor is invited, registers, and is enrolled by the founders, as everybody would be; then a key waits for the
//! visitor's approval.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::place::Place;
use crate::programs::Programs;
use crate::server::Server;
use crate::stage::{Stage, TENANT, Who, text};
use crate::telling::Telling;

/// How often is looked whether the visitor has registered, or whether it is over.
const LOOK: Duration = Duration::from_millis(500);

/// Somebody who was invited.
struct Visitor {
    candidate: String,
    link: String,
}

/// Serves the kept ledger until it is interrupted.
pub(crate) fn receive(telling: &mut Telling, interruption: Interruption) -> Result<(), Failure> {
    let (place, port) = Place::kept()?;
    let programs = Programs::beside_this_one(interruption.clone())?;
    let server = telling.scene("starting the server", || {
        let server = Server::start_at(port, &programs, &place, 0)?;
        Ok((format!("the server of {TENANT} goes on where the demonstration ended"), server))
    })?;
    let stage = Stage::new(programs, place, server);
    let visitor = telling.scene("inviting a visitor", || invite(&stage))?;
    telling.invitation(&visitor.link);
    telling.scene("waiting for the visitor's passkey", || registered(&stage, &interruption, &visitor))?;
    telling.scene("enrolling the visitor", || enrol(&stage, &visitor))?;
    telling.scene("proposing a key", || propose(&stage, &visitor))?;
    telling.visit(&format!("{}/t/{TENANT}/inbox", stage.url()));
    while interruption.check().is_ok() {
        std::thread::sleep(LOOK);
    }
    stage.end()
}

fn invite(stage: &Stage) -> Result<(String, Visitor), Failure> {
    let ticket = stage.place().private("visitor.ticket");
    // An earlier visit's, which holds no longer than it did.
    let _ = fs::remove_file(&ticket);
    let arguments =
        ["member", "invite", "Visitor", "--role", "approver", "--role", "auditor", "--ticket-out"];
    let arguments = arguments.map(Into::into).into_iter().chain([ticket.clone().into_os_string()]);
    let candidate = text(&stage.ask(Who::Ada, arguments)?, "candidate")?;
    let secret = fs::read_to_string(&ticket).map_err(Failure::file("read", &ticket))?;
    let link = format!("{}/t/{TENANT}/join#{}", stage.url(), secret.trim());
    Ok(("Ada has invited a visitor".to_owned(), Visitor { candidate, link }))
}

fn registered(
    stage: &Stage,
    interruption: &Interruption,
    visitor: &Visitor,
) -> Result<(String, ()), Failure> {
    loop {
        interruption.check()?;
        let listed = stage.ask(Who::Ada, ["member", "candidates"])?;
        let mut listed = listed["candidates"].as_array().into_iter().flatten();
        let own = listed.find(|candidate| candidate["candidate"] == visitor.candidate.as_str());
        if own.is_some_and(|candidate| candidate.get("credential").is_some_and(Value::is_object)) {
            return Ok(("the visitor has registered a passkey".to_owned(), ()));
        }
        std::thread::sleep(LOOK);
    }
}

fn enrol(stage: &Stage, visitor: &Visitor) -> Result<(String, ()), Failure> {
    stage.by_quorum(Who::Ada, ["member", "enroll", &visitor.candidate], "A visitor looks at the pages")?;
    Ok(("Ada proposed to enrol the visitor; Grace and Alan approved".to_owned(), ()))
}

/// One of the two seats stays open. Each visit has a slot of its own.
fn propose(stage: &Stage, visitor: &Visitor) -> Result<(String, ()), Failure> {
    let slot = format!("visit-{}", visitor.candidate.get(..8).unwrap_or_default());
    let create = ["slot", "create", &slot, "--algorithm", "ecdsa-p256-sha256"];
    let action = stage.propose(Who::Ada, create, "So that the visitor has something to decide")?;
    stage.ask(Who::Grace, ["action", "approve", &action, "--yes"])?;
    Ok((format!("Ada proposed slot {slot}; one more approval is missing"), ()))
}
