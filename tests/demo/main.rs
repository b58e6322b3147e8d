//! `make demo`: a company's signing keys from their founding to the proof, on this machine, in about a minute.
//!
//! Everything happens as users would do it: through the `sealbook` and `sealbook-verify` programs, against a
//! `sealbook dev` of its own. What is public ends up in `target/demo/`; secrets lie in a temporary folder, which is kept
//! for `make look` where all of it held.

mod bundle;
mod ending;
mod failure;
mod index;
mod interruption;
mod place;
mod programs;
mod scenes;
mod server;
mod stage;
mod telling;
mod visit;

use std::process::ExitCode;

use ending::Ending;
use failure::Failure;
use interruption::Interruption;
use place::Place;
use programs::Programs;
use scenes::exporting::Export;
use scenes::renewing::Renewal;
use scenes::reporting::Refusal;
use scenes::signing::Signed;
use scenes::tampering::Rejection;
use scenes::{
    certifying, compromise, containment, drilling, exporting, founding, governance, releasing, renewing,
    reporting, responding, rotation, signing, slots, tampering,
};
use server::Server;
use stage::Stage;
use telling::Telling;

fn main() -> ExitCode {
    let mut telling = Telling::new();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let visit = arguments.iter().any(|argument| argument == "look");
    if arguments.len() > usize::from(visit) {
        eprintln!("usage: demo [look]");
        return ExitCode::from(2);
    }
    let outcome = Interruption::watch().and_then(|interruption| match visit {
        true => visit::receive(&mut telling, interruption),
        false => perform(&mut telling, interruption),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            telling.failed(&failure);
            failure.exit()
        }
    }
}

/// The whole story, in its order. The server ends with the stage, however the story ends.
fn perform(telling: &mut Telling, interruption: Interruption) -> Result<(), Failure> {
    let place = Place::fresh()?;
    let programs = Programs::beside_this_one(interruption)?;
    telling.opening(&place);

    let server = telling.scene("starting a server", || {
        let server = Server::start(&programs, &place)?;
        Ok(("a server with its own PostgreSQL and SoftHSM token is ready".to_owned(), server))
    })?;
    let mut stage = Stage::new(programs, place, server);
    let signed = keys_and_signatures(telling, &stage)?;
    telling.scene("restarting the server", || {
        stage
            .restart(0)
            .map(|()| ("the server was stopped and started: it goes on where it ended".to_owned(), ()))
    })?;
    let renewal = rotations(telling, &mut stage)?;
    let after = telling.scene("working under the new keys", || rotation::work_on(&stage))?;
    telling.scene("fetching the evidence packs", || reporting::fetch(&stage))?;
    let export = telling.scene("exporting the ledger", || exporting::export(&stage))?;
    telling.scene("stopping the server", || {
        stage.end().map(|()| ("the server is gone: from here on there is nothing but files".to_owned(), ()))
    })?;
    let (rejected, pack) = offline(telling, &stage, &signed, &export)?;
    stage.keep()?;
    let (verify, demo) = stage.typed();
    telling.ending(&Ending {
        verify: &verify,
        demo: &demo,
        export: &export,
        signed: &signed,
        renewal: &renewal,
        after: &after,
        rejected: &rejected,
        pack: &pack,
    });
    Ok(())
}

/// People, keys with and without certificates, and what is signed with them.
fn keys_and_signatures(telling: &mut Telling, stage: &Stage) -> Result<Signed, Failure> {
    telling.scene("founding the tenant", || founding::found(stage))?;
    telling.scene("making a certificate authority", || certifying::found_authority(stage))?;
    let slots = telling.scene("making keys", || slots::create(stage))?;
    telling.scene("certifying a key", || certifying::certify(stage))?;
    telling.scene("enrolling a service", || slots::enrol_service(stage))?;
    telling.scene("refusing a self-approval", || governance::self_approval(stage))?;
    telling.scene("rejecting a proposal", || governance::rejected_proposal(stage))?;
    let signed = telling.scene("signing files", || signing::sign_files(stage, &slots))?;
    telling.scene("suspending a slot", || containment::suspend(stage))?;
    telling.scene("resuming the slot", || containment::resume(stage))?;
    Ok(signed)
}

/// The ledger's key is replaced, then a slot's; another slot's is revoked.
fn rotations(telling: &mut Telling, stage: &mut Stage) -> Result<Renewal, Failure> {
    telling.scene("setting the evidence key", || rotation::evidence_key(stage))?;
    telling.scene("rotating the ledger key", || rotation::rotate(stage))?;
    telling.scene("reviewing access to the HSM", || renewing::review_access(stage))?;
    let renewal = telling.scene("rotating a slot's key", || renewing::rotate(stage))?;
    telling.scene("confirming the new key", || renewing::confirm(stage, &renewal))?;
    telling.scene("certifying the release key", || compromise::certify(stage))?;
    telling.scene("signing a release", || releasing::release(stage))?;
    emergency(telling, stage)?;
    telling.scene("making a key for drills", || drilling::prepare(stage))?;
    telling.scene("running a drill", || drilling::run(stage))?;
    telling.scene("letting 8 days pass", || renewing::let_days_pass(stage, &renewal))?;
    Ok(renewal)
}

/// A key may be in other hands: stopped by one person, dealt with by all.
fn emergency(telling: &mut Telling, stage: &Stage) -> Result<(), Failure> {
    let incident = telling.scene("opening an incident", || responding::open(stage))?;
    telling.scene("finding what the key has signed", || responding::scope(stage, &incident))?;
    telling.scene("replacing the release key", || releasing::replace(stage))?;
    telling.scene("revoking the release key", || compromise::revoke(stage, &incident))?;
    telling.scene("listing the revocation", || compromise::listed(stage))?;
    telling.scene("resuming the slot", || responding::resume(stage))?;
    telling.scene("signing the release again", || releasing::release_again(stage, &incident))?;
    telling.scene("fetching the trust root", || compromise::trust_root(stage))?;
    telling.scene("closing the incident", || responding::close(stage, &incident))
}

/// Everything that holds without the server, and everything that does not.
fn offline(
    telling: &mut Telling,
    stage: &Stage,
    signed: &Signed,
    export: &Export,
) -> Result<(Vec<Rejection>, Refusal), Failure> {
    telling.scene("verifying the export", || exporting::verify(stage))?;
    telling.scene("verifying one signed file", || exporting::verify_one_file(stage, signed))?;
    telling.scene("verifying the evidence packs", || reporting::verify(stage))?;
    telling.scene("verifying the statements", || {
        responding::verify(stage, [responding::STATEMENT, drilling::STATEMENT])
    })?;
    telling.scene("following the certificates", || reporting::follow(stage))?;
    let mut rejected = Vec::new();
    for tampering in tampering::Tampering::ALL {
        let rejection = telling.scene(tampering.doing(), || tampering.show(stage, export))?;
        telling.detail(&rejection.told());
        rejected.push(rejection);
    }
    let pack = telling.scene("changing a byte of a pack", || reporting::tamper(stage))?;
    telling.detail(&pack.told);
    Ok((rejected, pack))
}
