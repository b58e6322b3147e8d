//! Every kind of tampering with a real export, and what `sealbook-verify` says of it: where, and by which rule.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests: a panic is the report")]

use std::path::PathBuf;
use std::sync::OnceLock;

use integration::Server;
use integration::bundle::Bundle;
use integration::story::Story;
use integration::verifier::{Judged, Pinned, judge};
use tempfile::TempDir;

mod archives;
mod events;
mod pins;
mod seals;

/// What the tests take apart.
pub struct Genuine {
    /// The bundle as it was exported.
    pub bundle: Bundle,
    /// What its auditors pin.
    pub pinned: Pinned,
    /// The checkpoint over its first half.
    pub halfway: String,
    /// The newest checkpoint.
    pub newest: String,
    folder: TempDir,
}

/// The export of a ledger in which much has happened; made once.
pub fn genuine() -> &'static Genuine {
    static GENUINE: OnceLock<Genuine> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let server = Server::start();
        let story = Story::tell(&server, &["ecdsa-p256-sha256", "ed25519"]);
        let newest = story.sealed();
        let bundle = Bundle::open(&story.tenant.exported());
        let folder = tempfile::Builder::new().prefix("sb-tamper-").tempdir().unwrap();
        Genuine { bundle, pinned: story.pinned(), halfway: story.halfway.clone(), newest, folder }
    })
}

impl Genuine {
    /// A file with these bytes.
    pub fn file(&self, bytes: &[u8]) -> PathBuf {
        let (_, path) = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap().keep().unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// What is said of these bytes, by whoever pinned `pinned`.
    pub fn judged_by(&self, bytes: &[u8], pinned: &Pinned) -> Judged {
        judge(&self.file(bytes), pinned)
    }

    /// What is said of the bundle after something was done to it.
    pub fn tampered(&self, tamper: impl FnOnce(&mut Bundle)) -> Judged {
        let mut bundle = self.bundle.clone();
        tamper(&mut bundle);
        self.judged_by(&bundle.to_tar(), &self.pinned)
    }
}

/// Where a failure is said to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At one event.
    Event(usize),
    /// Somewhere from the first to the last.
    Range(usize, usize),
    /// At no event.
    Whole,
}

/// Fails unless the bundle is invalid, and this layer says so at this place by this rule.
#[track_caller]
pub fn assert_found(what: &str, judged: &Judged, layer: &str, rule: &str, place: Place) {
    let failure = judged.failure(layer);
    let number = |name: &str| failure[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let found = match (number("seq"), number("from"), number("to")) {
        (Some(seq), _, _) => Place::Event(seq),
        (None, Some(from), Some(to)) => Place::Range(from, to),
        _ => Place::Whole,
    };
    let said = (judged.code, failure["rule"].as_str(), found);
    assert_eq!(said, (Some(1), Some(rule), place), "{what}: {layer}: {:#}", judged.report["layers"]);
    let reason = failure["reason"].as_str().unwrap_or_default();
    assert!(reason.len() > 10, "{what}: no reason is given: {failure}");
}

#[test]
fn the_export_is_valid_on_all_five_layers_before_anybody_touches_it() {
    let genuine = genuine();
    let judged = genuine.judged_by(&genuine.bundle.to_tar(), &genuine.pinned);
    judged.assert_valid();
    assert_eq!(judged.report["founding"]["pinned"], true);
}
