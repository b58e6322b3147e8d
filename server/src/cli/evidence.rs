//! `sealbook evidence`: what happened elsewhere, recorded by its digest.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};
use sealbook_ledger::attachment::MediaType;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::payload::Subject;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::context::Context;
use super::failure::Failure;
use super::output::{fields, table};
use super::sentence::short;
use crate::client::Call;
use crate::client::answers::{EvidenceList, EvidenceRecorded};

/// Outside evidence
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Record the digest of a file, or a digest
    Add(Add),
    /// List what was recorded
    List {
        /// Begin after this event
        #[arg(long)]
        after: Option<u64>,
        /// Most that are shown
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

/// What is recorded.
#[derive(Debug, Args)]
pub struct Add {
    /// The file; it stays here, its SHA-256 is sent
    #[arg(required_unless_present = "digest", conflicts_with = "digest")]
    file: Option<PathBuf>,
    /// SHA-256 in hex, in place of a file
    #[arg(long)]
    digest: Option<Hash>,
    /// What it is about: action:ID, event:SEQ, key:ID, member:ID, service:ID or slot:NAME
    #[arg(long)]
    subject: SubjectArg,
    /// What kind of thing it is
    #[arg(long, default_value = "application/octet-stream")]
    media_type: MediaType,
    /// A description, disclosed by its digest
    #[arg(long)]
    description: Option<String>,
}

/// [`Subject`] on a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectArg(Subject);

impl FromStr for SubjectArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected action:ID, event:SEQ, key:ID, member:ID, service:ID or slot:NAME";
        let (kind, id) = text.split_once(':').ok_or(expected)?;
        let wrong = |error: sealbook_ledger::ids::InvalidId| error.to_string();
        let seq = || id.parse().ok().and_then(sealbook_ledger::ids::Seq::new);
        Ok(Self(match kind {
            "action" => Subject::Action(id.parse().map_err(wrong)?),
            "event" => Subject::Event(seq().ok_or("an event is named by its number")?),
            "key" => Subject::Key(id.parse().map_err(wrong)?),
            "member" => Subject::Member(id.parse().map_err(wrong)?),
            "service" => Subject::Service(id.parse().map_err(wrong)?),
            "slot" => Subject::Slot(id.parse().map_err(wrong)?),
            _ => return Err(expected.to_owned()),
        }))
    }
}

#[derive(Serialize)]
struct AddRequest<'a> {
    digest: Hash,
    media_type: &'a MediaType,
    subject: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// Runs the command.
pub fn run(command: &EvidenceCommand, context: &Context) -> Result<(), Failure> {
    match command {
        EvidenceCommand::Add(add) => record(context, add),
        EvidenceCommand::List { after, limit } => {
            let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let path = context.path(&format!("/evidence?limit={limit}{after}"))?;
            let list: EvidenceList = context.caller()?.json(&Call::get(path))?;
            let rows: Vec<Vec<String>> = list
                .evidence
                .iter()
                .map(|one| {
                    let about = serde_json::to_value(&one.subject).unwrap_or_default();
                    let word = |name: &str| about[name].to_string().replace('"', "");
                    let subject = format!("{}:{}", word("kind"), word("id"));
                    let what = one.description.clone().unwrap_or_else(|| one.media_type.to_string());
                    vec![one.seq.to_string(), short(&one.digest.to_string()), subject, what]
                })
                .collect();
            context.out.show(&list, || table(&["EVENT", "SHA-256", "ABOUT", "WHAT"], &rows))
        }
    }
}

fn record(context: &Context, add: &Add) -> Result<(), Failure> {
    let hint = "Give a file, or --digest.";
    let digest = match (&add.file, add.digest) {
        (Some(file), None) => sha256(file)?,
        (None, Some(digest)) => digest,
        (Some(_), Some(_)) | (None, None) => return Err(Failure::usage("one of file and digest", hint)),
    };
    let request = AddRequest {
        digest,
        media_type: &add.media_type,
        subject: &add.subject.0,
        description: add.description.as_deref(),
    };
    let recorded: EvidenceRecorded =
        context.caller()?.json(&Call::post(context.path("/evidence")?, &request)?)?;
    context.out.show(&recorded, || {
        fields(&[
            ("evidence", recorded.evidence.to_string()),
            ("event", recorded.seq.to_string()),
            ("sha256", digest.to_string()),
        ])
    })
}

/// Streamed: evidence may be larger than memory.
fn sha256(path: &Path) -> Result<Hash, Failure> {
    struct Sink(Sha256);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(Sha256::new());
    std::fs::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut sink))
        .map_err(Failure::file("read", path))?;
    Ok(Hash(sink.0.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_kind_and_an_id() {
        let slot: SubjectArg = "slot:apt-repo".parse().unwrap();
        assert_eq!(slot.0, Subject::Slot("apt-repo".parse().unwrap()));
        assert!("event:12".parse::<SubjectArg>().is_ok());
        for bad in ["", "slot", "slot:A B", "event:-1", "thing:1"] {
            assert!(bad.parse::<SubjectArg>().is_err(), "{bad}");
        }
    }
}
