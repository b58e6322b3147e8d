//! What auditors are handed about the rotations, and what becomes of it in other hands.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::index::{Certificates, Pack};
use crate::scenes::compromise::STOLEN;
use crate::scenes::rotation::NEW_VKEY;
use crate::scenes::slots::CERTIFIED;
use crate::stage::{Stage, Who, text};

/// The pack about the slot's rotation, and the report in it.
const ROTATION: &str = "rep/apt-repo-rsa3072.zip";
const REPORT: &str = "rep/REP.pdf";

/// The pack about that of the stolen key.
const REPLACED: &str = "rep/release-p256.zip";

/// The pack about the ledger key's.
const LEDGER_KEY: &str = "rep/ledger-key.zip";

/// A copy of the first with one byte changed.
pub(crate) const TAMPERED: &str = "tampered/rep.zip";

/// What the leaves are for, as newer and older openssl know it.
const PURPOSES: [&str; 2] = ["codesign", "any"];

/// Fetches the packs, and the certificates that the rotation is about.
pub(crate) fn fetch(stage: &Stage) -> Result<(String, ()), Failure> {
    let all = |listed: &Value| wanted(listed).count() == 3;
    let listed = stage.ask_until(Who::Alan, &["report", "list"], "three evidence packs", all)?;
    let mut packs = Vec::new();
    for (report, name, slot) in wanted(&listed) {
        let sha256 = text(report, "sha256")?;
        saved(stage, &["report", "fetch", &sha256, "--out"], name)?;
        if slot == Some(CERTIFIED) {
            saved(stage, &["report", "fetch", &sha256, "--pdf", "--out"], REPORT)?;
        }
        packs.push(Pack { file: name, slot, sha256, vkey: NEW_VKEY });
    }
    let certificates = certificates(stage)?;
    Pack::write_index(&packs, &certificates, &stage.place().public("rep/index.json"))?;
    Ok(("the evidence packs of all three rotations are fetched".to_owned(), ()))
}

/// Those about rotations that count, each with its file and slot: not the drill's, nor the statements.
fn wanted(listed: &Value) -> impl Iterator<Item = (&Value, &'static str, Option<&'static str>)> {
    let reports = listed["reports"].as_array().into_iter().flatten();
    reports.filter_map(|report| match (report["kind"].as_str()?, report["slot"].as_str()) {
        ("rotation", Some(STOLEN)) => Some((report, REPLACED, Some(STOLEN))),
        ("rotation", Some(CERTIFIED)) => Some((report, ROTATION, Some(CERTIFIED))),
        ("ledger_key", _) => Some((report, LEDGER_KEY, None)),
        _ => None,
    })
}

/// Both certificates alone, what stands above them, and the request for the new one.
fn certificates(stage: &Stage) -> Result<Certificates, Failure> {
    let listed = stage.ask(Who::Alan, ["certificate", "list", "--slot", CERTIFIED])?;
    let mut above = Vec::new();
    for (at, leaf) in [(0, Certificates::FILES.new), (1, Certificates::FILES.old)] {
        let id = text(&listed["certificates"][at], "certificate")?;
        let chain = stage.tell(Who::Alan, ["certificate", "chain", &id])?;
        let end = "-----END CERTIFICATE-----\n";
        let (first, rest) = chain.split_at(chain.find(end).map_or(0, |at| at + end.len()));
        stage.write(leaf, first)?;
        above.push(rest.to_owned());
        if at == 0 {
            saved(stage, &["certificate", "request", &id, "--out"], Certificates::FILES.request)?;
        }
    }
    above.dedup();
    match above.as_slice() {
        [above] if !above.is_empty() => stage.write(Certificates::FILES.above, above)?,
        _ => return Err(Failure::Unexpected("the certificates lead to different roots".to_owned())),
    }
    Ok(Certificates::FILES)
}

fn saved(stage: &Stage, words: &[&str], name: &str) -> Result<(), Failure> {
    let words = words.iter().map(PathBuf::from).chain([stage.place().public(name)]);
    stage.ask(Who::Alan, words).map(|_| ())
}

/// Verifies both packs without the server, from the ledger key that seals now.
pub(crate) fn verify(stage: &Stage) -> Result<(String, ()), Failure> {
    for name in [LEDGER_KEY, REPLACED, ROTATION] {
        stage.verify(arguments(stage, name), 0)?;
    }
    Ok(("all packs are valid offline: receipts, checks, signed statement".to_owned(), ()))
}

/// A pack that was rejected.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The rule that it breaks.
    pub(crate) rule: String,
    /// The layer and the reason.
    pub(crate) told: String,
}

/// Changes one byte of the pack.
pub(crate) fn tamper(stage: &Stage) -> Result<(String, Refusal), Failure> {
    let original = stage.place().public(ROTATION);
    let mut bytes = fs::read(&original).map_err(Failure::file("read", &original))?;
    let half = bytes.len() / 2;
    bytes[half] ^= 1;
    let copy = stage.place().public(TAMPERED);
    fs::write(&copy, bytes).map_err(Failure::file("write", &copy))?;
    let report = stage.verify(arguments(stage, TAMPERED), 1)?;
    let failure = report.get("failure").unwrap_or(&Value::Null);
    let told = format!("{}: {}", text(failure, "layer")?, text(failure, "reason")?);
    let refusal = Refusal { rule: text(failure, "rule")?, told };
    Ok(("a pack with one byte changed: rejected".to_owned(), refusal))
}

fn arguments(stage: &Stage, pack: &str) -> [PathBuf; 3] {
    let vkey = stage.place().public(NEW_VKEY);
    [stage.place().public(pack), "--vkey".into(), format!("@{}", vkey.display()).into()]
}

/// Has openssl follow both certificates to the root, where there is an openssl.
pub(crate) fn follow(stage: &Stage) -> Result<(String, ()), Failure> {
    for leaf in [Certificates::FILES.old, Certificates::FILES.new] {
        let mut holds = false;
        for purpose in PURPOSES {
            let root = stage.place().public(Certificates::FILES.above);
            let words = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile"].map(PathBuf::from);
            let words = words.into_iter().chain([root, stage.place().public(leaf)]);
            let Some(ended) = stage.openssl(words)? else {
                return Ok(("no openssl here: the certificates were not followed".to_owned(), ()));
            };
            holds |= ended.with_code(0).is_ok();
        }
        if !holds {
            return Err(Failure::Unexpected(format!("openssl does not follow {leaf} to its root")));
        }
    }
    Ok(("openssl follows both certificates to the root".to_owned(), ()))
}
