//! `sealbook release manifest`: writes the papers, has them signed, and checks what came out of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sealbook_ledger::ids::SlotName;
use serde_json::json;

use super::drafting::{Custody, Draft};
use super::outlet::Papers as Outlet;
use super::{given, read, refused};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{fields, printable};
use crate::cli::sign::{self, Course, Outcome, Request, Signer, Target};
use crate::cli::slot::EnvironmentArg;
use crate::client::Call;
use crate::client::answers::Signed;
use crate::release::operations::Header;
use crate::release::provenance::{self, MAX_WORD, Pipeline};
use crate::release::signature::{Form, Signature};
use crate::release::verify::{self, Pins};
use crate::release::{CHECKSUMS, Label, PART_ENDING, Papers, SIGNATURE_ENDING, receipt_name};
use crate::views::custody::CustodyView;

/// What a release is, and how it is signed.
#[derive(Debug, Args)]
pub struct ManifestCommand {
    /// The folder that holds the release's artifacts
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The slot to sign with
    #[arg(long, short)]
    slot: SlotName,
    /// What the release is called
    #[arg(long)]
    name: Label,
    /// Which one it is
    #[arg(long)]
    version: Label,
    /// Where it is meant to go
    #[arg(long, value_enum, default_value_t = EnvironmentArg::Production)]
    environment: EnvironmentArg,
    /// The ticket that asked for it
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// Why it is to be signed, for those who approve it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait for people's approval, so many seconds at most, and sign then
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "3600")]
    wait: Option<u64>,
    /// Longest wait for an event to be sealed, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    receipt_wait: u64,
    #[command(flatten)]
    pipeline: PipelineArgs,
}

/// What the pipeline says of itself; it stands in the provenance, and nobody has checked it.
#[derive(Debug, Args)]
#[command(next_help_heading = "What the pipeline says of itself")]
struct PipelineArgs {
    /// What built the artifacts
    #[arg(long, value_name = "URI", value_parser = word)]
    builder: Option<String>,
    /// The run that built them
    #[arg(long, value_name = "URI", value_parser = word)]
    run: Option<String>,
    /// Where the source is
    #[arg(long, value_name = "URI", value_parser = word)]
    source: Option<String>,
    /// The commit that they were built from
    #[arg(long, value_name = "COMMIT", value_parser = word)]
    commit: Option<String>,
}

fn word(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("1 to {MAX_WORD} printable ASCII characters without spaces"))
    }
}

/// Runs the command.
pub(super) fn run(command: &ManifestCommand, context: &Context) -> Result<(), Failure> {
    let papers = Papers::new(&command.name, &command.version);
    let contents = read(&command.folder)?;
    // Before the server is asked anything.
    Draft::artifacts(&papers, &contents)?;
    let custody = custody(command, context)?;
    let header = Header {
        active_key_id: custody.facts.key.id,
        at: custody.facts.key.since,
        environment: command.environment.into(),
        name: command.name.clone(),
        slot: command.slot.clone(),
        version: command.version.clone(),
    };
    let PipelineArgs { builder, run, source, commit } = &command.pipeline;
    let [builder, run, source, commit] = [builder, run, source, commit].map(Clone::clone);
    let pipeline = Pipeline { builder, commit, run, source };
    let mut draft = Draft { folder: &command.folder, papers, contents, custody, header, pipeline };
    draft.write()?;
    let outcomes = signed(command, context, &draft)?;
    let complete = outcomes.iter().all(|outcome| outcome.exit() == crate::cli::failure::Exit::Done);
    if complete {
        finish(&mut draft)?;
    }
    report(command, context, &draft, &outcomes)?;
    sign::conclude(context, &outcomes)
}

fn custody(command: &ManifestCommand, context: &Context) -> Result<Custody, Failure> {
    let wait = Duration::from_secs(command.receipt_wait);
    let wait_ms = wait.as_millis().min(10_000);
    let path = context.path(&format!("/slots/{}/custody?wait_ms={wait_ms}", command.slot))?;
    let call = Call::get(path).within(wait + Duration::from_secs(10));
    let view: CustodyView = context.caller()?.json(&call)?;
    if view.slot != command.slot {
        return Err(Failure::Distrust { what: "the server answered for another slot".to_owned() });
    }
    Custody::read(view)
}

/// Has everything signed that is not yet; gives what became of it.
fn signed(command: &ManifestCommand, context: &Context, draft: &Draft<'_>) -> Result<Vec<Outcome>, Failure> {
    let pins = pins(draft);
    let unsigned = verify::unsigned(&draft.contents, &pins).map_err(refused)?;
    if unsigned.is_empty() {
        return Ok(Vec::new());
    }
    let request = Request {
        slot: command.slot.clone(),
        environment: command.environment.into(),
        version: Some(command.version.to_string()),
        ticket: command.ticket.clone(),
        receipt_wait: Duration::from_secs(command.receipt_wait),
    };
    let outlet = Outlet { folder: command.folder.clone() };
    let signer = Signer::new(context, request, Box::new(outlet))?;
    let (mut outcomes, mut targets) = (Vec::new(), Vec::new());
    for name in unsigned {
        let target = target(draft, &name);
        match kept(&target)? {
            Some(signed) => outcomes.push(signer.resume(&target, signed)),
            None => targets.push(target),
        }
    }
    // One question for all of them, also where one alone is left.
    let wait = command.wait.map(Duration::from_secs);
    let course = Course { jobs: 1, together: true, reason: command.reason.as_deref(), wait };
    outcomes.extend(course.run(context, &signer, &targets));
    Ok(outcomes)
}

fn pins(draft: &Draft<'_>) -> Pins {
    Pins { vkeys: vec![draft.custody.vkey.clone()], revocations: None }
}

/// One of the papers that are signed, as approvers see it: with the release that it is of.
fn target(draft: &Draft<'_>, name: &str) -> Target {
    let form = if name == draft.papers.statement() { Form::Statement } else { Form::Bytes };
    let shown = match form {
        Form::Statement => name.to_owned(),
        Form::Bytes => format!("{}-{}/{name}", draft.header.name, draft.header.version),
    };
    Target::one(draft.folder.join(name), shown, form)
}

/// A signature that was made by an earlier run, which did not see it sealed.
fn kept(target: &Target) -> Result<Option<Signed>, Failure> {
    let part = target.output(&format!("{SIGNATURE_ENDING}{PART_ENDING}"));
    match given(&part) {
        // Half a file is of no use: it is signed anew.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(Failure::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Wraps the statement in its envelope, and holds everything against everything once more.
fn finish(draft: &mut Draft<'_>) -> Result<(), Failure> {
    for name in draft.papers.signed() {
        let paper = format!("{name}{SIGNATURE_ENDING}");
        let bytes = given(&draft.folder.join(&paper))?;
        let signature = Signature::read(&name, &bytes).map_err(refused)?;
        draft.contents.remove(&format!("{paper}{PART_ENDING}"));
        draft.contents.put(paper, bytes);
        for seq in [signature.authorization.seq, signature.created.seq] {
            let receipt = receipt_name(seq);
            draft.contents.put(receipt.clone(), given(&draft.folder.join(&receipt))?);
        }
        if name == draft.papers.statement() {
            let statement = given(&draft.folder.join(&name))?;
            let key = draft.custody.facts.key.public.sha256();
            let bytes = signature.bytes().map_err(refused)?;
            let envelope = provenance::envelope(&statement, key, &bytes).map_err(refused)?;
            draft.put(&draft.papers.envelope(), envelope)?;
        }
    }
    verify::signed(&draft.contents, &pins(draft)).map_err(|refusal| Failure::Release {
        code: refusal.code.name(),
        sentence: refusal.sentence,
        exit: crate::cli::failure::Exit::Refused,
        hint: "Run the command again: where the slot's key or policy changed meanwhile, the papers are made anew.",
    })
}

fn report(
    command: &ManifestCommand,
    context: &Context,
    draft: &Draft<'_>,
    outcomes: &[Outcome],
) -> Result<(), Failure> {
    let folder = command.folder.display().to_string();
    let value = json!({
        "folder": folder, "name": command.name, "version": command.version, "slot": command.slot,
        "key": draft.custody.facts.key.id, "operations_manifest": draft.papers.operations(),
        "checksums": CHECKSUMS, "origin": draft.custody.facts.origin, "vkey": draft.custody.vkey,
        "files": sign::told(outcomes),
    });
    context.out.show(&value, || {
        let mut text = fields(&[
            ("release", format!("{} {}", command.name, command.version)),
            ("folder", printable(&folder)),
            ("key", format!("{} of slot {}", draft.custody.facts.key.id, command.slot)),
            ("check it", format!("sealbook release verify {} --vkey @PINNED.vkey", printable(&folder))),
        ]);
        if outcomes.is_empty() {
            text.push_str("everything was signed already\n");
        } else {
            text.push('\n');
            text.push_str(&sign::shown(outcomes));
        }
        text
    })
}
