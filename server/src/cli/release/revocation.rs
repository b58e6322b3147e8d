//! `sealbook release revocation-evidence`: what the ledger says of a revoked key, what people add, and the event that binds
//! both.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{KeyId, MemberId, Seq};
use sealbook_ledger::payload::Subject;
use serde::Deserialize;
use serde_json::json;

use super::{beside, given, refused};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{fields, printable};
use crate::cli::short_id::IdArg;
use crate::cli::sign::write_whole;
use crate::client::answers::{Action, EvidenceRecorded};
use crate::client::{Call, Client};
use crate::release::evidence::Evidence as ReleaseEvidence;
use crate::release::revocation::{Evidence, MAX_REFERENCE, MAX_RELEASES, ReleaseName, Revocation, Told};
use crate::release::signature::Signature;
use crate::release::{EVIDENCE, Label, REVOCATIONS, REVOCATIONS_PROOF, SIGNATURE_ENDING};
use crate::views::revocations::{RevokedView, What};

/// What only people know.
#[derive(Debug, Args)]
pub struct RevocationCommand {
    /// The key that was revoked
    #[arg(long)]
    key: IdArg,
    /// The releases that are not to be believed: a file with NAME VERSION in each line
    #[arg(long, value_name = "FILE")]
    releases: PathBuf,
    /// Where customers are told: a URL or an identifier
    #[arg(long, value_name = "REF", value_parser = reference)]
    advisory: String,
    /// The release-evidence.json of the release that was built and signed anew; its signature lies beside it
    #[arg(long, value_name = "FILE")]
    new_evidence: PathBuf,
    /// A member who approved the revocation; all of them, if absent. May be given again
    #[arg(long, value_name = "MEMBER")]
    approver: Vec<IdArg>,
    /// The key that signs in its place; the one of the rotation, if absent
    #[arg(long, value_name = "KEY")]
    replacement: Option<IdArg>,
    /// The folder to write to; that of the new evidence, if absent. Evidence of other keys that is there is kept
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn reference(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=MAX_REFERENCE).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("1 to {MAX_REFERENCE} bytes without control characters"))
    }
}

/// `GET …/revocations`, as far as it matters here.
#[derive(Deserialize)]
struct Revoked {
    revoked: Vec<RevokedView>,
}

/// The new release, as its papers say.
struct Rebuilt {
    evidence: ReleaseEvidence,
    sha256: Hash,
    signature: Signature,
}

/// Runs the command.
pub(super) fn run(command: &RevocationCommand, context: &Context) -> Result<(), Failure> {
    let affected_releases = releases(&command.releases)?;
    let rebuilt = Rebuilt::read(&command.new_evidence)?;
    let client = context.caller()?;
    let key = context.key_id(&command.key)?;
    let revoked = revoked(context, &client, key)?;
    let wanted = command.replacement.as_ref().map(|key| context.key_id(key)).transpose()?;
    rebuilt.is_by(wanted.or(revoked.replacement_key))?;
    let approvers = command.approver.iter().map(|member| context.member_id(member));
    let approvers: BTreeSet<MemberId> = approvers.collect::<Result<_, _>>()?;
    let receipts = receipts(context, &client, &revoked, &rebuilt)?;
    let ledger = context.ledger(&client)?;
    let told = Told {
        affected_releases,
        customer_advisory: command.advisory.clone(),
        rebuilt: rebuilt.named(),
        approvers,
    };
    let vkeys = std::slice::from_ref(&ledger.vkey);
    let revocation = Revocation::compose(key, told, receipts, vkeys).map_err(refused)?;
    let folder = command.out.clone().or_else(|| command.new_evidence.parent().map(Path::to_owned));
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| ".".into());
    let file = folder.join(REVOCATIONS);
    let mut evidence = standing(&file)?.unwrap_or_else(|| Evidence::new(ledger.origin.clone()));
    evidence.put(revocation);
    let bytes = evidence.write().map_err(refused)?;
    let recorded = record(context, &client, key, &bytes)?;
    let proof = receipt(context, &client, recorded.seq)?;
    evidence.check(&bytes, proof.as_bytes(), vkeys).map_err(refused)?;
    write_whole(&file, &bytes)?;
    write_whole(&folder.join(REVOCATIONS_PROOF), proof.as_bytes())?;
    let shown = file.display().to_string();
    let value =
        json!({ "file": shown, "key": key, "recorded": recorded.seq, "sha256": Hash::sha256(&bytes) });
    context.out.show(&value, || {
        fields(&[
            ("wrote", printable(&shown)),
            ("key", key.to_string()),
            ("recorded", format!("event {}", recorded.seq)),
            ("next", "lay both files beside the papers of every release of the slot".to_owned()),
        ])
    })
}

/// The releases that a file names, one a line.
fn releases(path: &Path) -> Result<BTreeSet<ReleaseName>, Failure> {
    let hint = "Write a release a line, as NAME VERSION; an empty file says that none is affected.";
    let wrong = |why: String| Failure::usage(format!("{}: {why}", path.display()), hint);
    let text = String::from_utf8(given(path)?).map_err(|_| wrong("it is not text".to_owned()))?;
    let mut releases = BTreeSet::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let parsed = match words.as_slice() {
            [name, version] => {
                name.parse::<Label>().and_then(|name| Ok((name, version.parse::<Label>()?))).ok()
            }
            _ => None,
        };
        let (name, version) = parsed.ok_or_else(|| wrong(format!("line {} is not NAME VERSION", at + 1)))?;
        releases.insert(ReleaseName { name, version });
    }
    if releases.len() > MAX_RELEASES {
        Err(wrong("it names more than 10,000 releases".to_owned()))
    } else {
        Ok(releases)
    }
}

impl Rebuilt {
    fn read(file: &Path) -> Result<Self, Failure> {
        let bytes = given(file)?;
        let evidence = ReleaseEvidence::read(&bytes).map_err(refused)?;
        let signature =
            Signature::read(EVIDENCE, &given(&beside(file, SIGNATURE_ENDING))?).map_err(refused)?;
        let signed = signature.sha256 == Hash::sha256(&bytes)
            && signature.digest == signature.algorithm.digest_of(&bytes)
            && signature.key_id == evidence.key_id;
        if signed {
            return Ok(Self { evidence, sha256: signature.sha256, signature });
        }
        let hint = "Name the release-evidence.json in the folder of the new release.";
        Err(Failure::usage("the signature beside the new release evidence is not over it", hint))
    }

    fn named(&self) -> (ReleaseName, Hash) {
        let (name, version) = (self.evidence.name.clone(), self.evidence.version.clone());
        (ReleaseName { name, version }, self.sha256)
    }

    /// Refuses a release that another key signed than the one that took the revoked one's place.
    fn is_by(&self, replacement: Option<KeyId>) -> Result<(), Failure> {
        let hint =
            "Rotate the slot first; where another key signs in its place, name that with --replacement.";
        match replacement {
            Some(key) if key == self.evidence.key_id => Ok(()),
            Some(key) => {
                let why = format!(
                    "the new release is signed by key {}, not by the replacement {key}",
                    self.evidence.key_id
                );
                Err(Failure::usage(why, hint))
            }
            None => Err(Failure::usage("no key has taken the revoked one's place", hint)),
        }
    }
}

fn revoked(context: &Context, client: &Client, key: KeyId) -> Result<RevokedView, Failure> {
    let all: Revoked = client.json(&Call::get(context.path("/revocations")?))?;
    let found = all.revoked.into_iter().find(|one| one.what == What::Key && one.key == key);
    let hint = "`sealbook revocation list` names the keys that were; `sealbook key revoke` proposes it.";
    found.ok_or_else(|| Failure::usage(format!("key {key} was not revoked"), hint))
}

/// The receipts of what the ledger says: who asked, who approved, the revocation, and the new release's signature.
fn receipts(
    context: &Context,
    client: &Client,
    revoked: &RevokedView,
    rebuilt: &Rebuilt,
) -> Result<Vec<String>, Failure> {
    let action: Action = client.json(&Call::get(context.path(&format!("/actions/{}", revoked.action))?))?;
    let approved = action.approvals.iter().map(|approval| approval.seq);
    let own = [revoked.seq, rebuilt.signature.created.seq];
    let seqs: BTreeSet<Seq> = action.events.first().copied().into_iter().chain(approved).chain(own).collect();
    seqs.into_iter().map(|seq| receipt(context, client, seq)).collect()
}

fn receipt(context: &Context, client: &Client, seq: Seq) -> Result<String, Failure> {
    let path = context.path(&format!("/receipts/{seq}?wait_ms=10000"))?;
    Ok(client.text(&Call::get(path).within(Duration::from_secs(40)))?)
}

/// The evidence that lies there already.
fn standing(file: &Path) -> Result<Option<Evidence>, Failure> {
    match given(file) {
        Ok(bytes) => Ok(Some(Evidence::read(&bytes).map_err(refused)?)),
        Err(Failure::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Records the file by its digest, as evidence about the key.
fn record(context: &Context, client: &Client, key: KeyId, bytes: &[u8]) -> Result<EvidenceRecorded, Failure> {
    let digest = Hash::sha256(bytes);
    let body = json!({
        "digest": digest, "media_type": "application/json", "subject": Subject::Key(key),
        "description": "revocation evidence",
    });
    let call = Call::post(context.path("/evidence")?, &body)?;
    Ok(client.json(
        &call.idempotency_key(Hash::sha256(format!("revocation evidence {digest}").as_bytes()).to_string()),
    )?)
}
