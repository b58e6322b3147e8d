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
use scenes::{containment, exporting, founding, governance, rotation, signing, slots, tampering};
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

    telling.scene("founding the tenant", || founding::found(&stage))?;
    let slots = telling.scene("making keys", || slots::create(&stage))?;
    telling.scene("enrolling a service", || slots::enrol_service(&stage))?;
    telling.scene("refusing a self-approval", || governance::self_approval(&stage))?;
    telling.scene("rejecting a proposal", || governance::rejected_proposal(&stage))?;
    let signed = telling.scene("signing files", || signing::sign_files(&stage, &slots))?;
    telling.scene("suspending a slot", || containment::suspend(&stage))?;
    telling.scene("resuming the slot", || containment::resume(&stage))?;
    telling.scene("restarting the server", || {
        stage
            .restart()
            .map(|()| ("the server was stopped and started: it goes on where it ended".to_owned(), ()))
    })?;
    telling.scene("setting the evidence key", || rotation::evidence_key(&stage))?;
    telling.scene("rotating the ledger key", || rotation::rotate(&stage))?;
    let after = telling.scene("working under the new ledger key", || rotation::work_on(&stage))?;
    let export = telling.scene("exporting the ledger", || exporting::export(&stage))?;
    telling.scene("stopping the server", || {
        stage.end().map(|()| ("the server is gone: from here on there is nothing but files".to_owned(), ()))
    })?;

    telling.scene("verifying the export", || exporting::verify(&stage))?;
    telling.scene("verifying one signed file", || exporting::verify_one_file(&stage, &signed))?;
    let mut rejected = Vec::new();
    for tampering in tampering::Tampering::ALL {
        let rejection = telling.scene(tampering.doing(), || tampering.show(&stage, &export))?;
        telling.detail(&rejection.told());
        rejected.push(rejection);
    }
    stage.keep()?;
    let (verify, demo) = stage.typed();
    telling.ending(&Ending {
        verify: &verify,
        demo: &demo,
        export: &export,
        signed: &signed,
        after: &after,
        rejected: &rejected,
    });
    Ok(())
}
