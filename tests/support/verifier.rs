//! `sealbook-verify`, asked as an auditor's script would ask it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::programs;

/// What it answered.
#[derive(Debug)]
pub struct Judged {
    /// Its exit code: 0 valid, 1 invalid, 2 can't judge.
    pub code: Option<i32>,
    /// Its report.
    pub report: Value,
}

impl Judged {
    /// What it says of a layer: `valid`, `invalid` or `not_checked`.
    pub fn layer(&self, name: &str) -> &str {
        self.report["layers"][name]["verdict"].as_str().unwrap_or("absent")
    }

    /// The first failure of a layer.
    pub fn failure(&self, layer: &str) -> &Value {
        &self.report["layers"][layer]["failure"]
    }

    /// Fails with the whole report unless everything is valid.
    #[track_caller]
    pub fn assert_valid(&self) {
        assert_eq!(self.code, Some(0), "{:#}", self.report);
        for layer in ["bytes", "chain", "seals", "rules", "signatures"] {
            assert_eq!(self.layer(layer), "valid", "{layer}: {:#}", self.report);
        }
    }
}

/// What an auditor has from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Pinned {
    /// The ledger's first key.
    pub vkey: String,
    /// The founding digest.
    pub founding: Option<String>,
    /// A checkpoint that was seen before.
    pub known: Option<PathBuf>,
}

/// Verifies a bundle or receipt on all layers.
pub fn judge(file: &Path, pinned: &Pinned) -> Judged {
    let path = |path: &Path| path.display().to_string();
    let mut arguments = vec![path(file), "--vkey".to_owned(), pinned.vkey.clone()];
    arguments.extend(["--signatures", "--json"].map(str::to_owned));
    if let Some(digest) = &pinned.founding {
        arguments.extend(["--founding".to_owned(), digest.clone()]);
    }
    if let Some(known) = &pinned.known {
        arguments.extend(["--known".to_owned(), path(known)]);
    }
    let ended = programs::verify(&arguments);
    Judged { code: ended.code, report: ended.json() }
}
