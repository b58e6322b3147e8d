//! What is checked, and what it came to.

use serde::Serialize;

use crate::ids::Seq;

/// The longest interval between two keys that needs no rule of the tenant's own, in days: a longer one is a blocker.
pub const CADENCE_DAYS: u16 = 90;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It does not apply, or nothing on record says whether it holds; `detail` says which.
    None,
}

/// Something that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What should hold, in words: for reports, in no file that is compared.
    #[serde(skip)]
    pub claim: String,
    /// What was seen, in words, likewise.
    #[serde(skip)]
    pub detail: String,
    /// The events that prove it.
    pub events: Vec<Seq>,
    /// Its stable name.
    pub id: &'static str,
    /// What it came to.
    pub result: CheckResult,
}

impl Check {
    pub(super) fn new(id: &'static str, claim: &str) -> Self {
        Self {
            claim: claim.to_owned(),
            detail: String::new(),
            events: Vec::new(),
            id,
            result: CheckResult::None,
        }
    }

    /// Passes where something holds, with what was seen in either case.
    pub(super) fn holds(self, holds: bool, detail: impl Into<String>) -> Self {
        let result = if holds { CheckResult::Pass } else { CheckResult::Fail };
        Self { result, detail: detail.into(), ..self }
    }

    /// It does not apply, or nobody knows.
    pub(super) fn none(self, detail: impl Into<String>) -> Self {
        Self { result: CheckResult::None, detail: detail.into(), ..self }
    }

    /// Where to see it.
    pub(super) fn at(self, events: impl IntoIterator<Item = Seq>) -> Self {
        let mut events: Vec<Seq> = events.into_iter().collect();
        events.sort_unstable();
        events.dedup();
        Self { events, ..self }
    }
}

/// `fail` where any check does, else `pass`.
pub fn verdict(checks: &[Check]) -> CheckResult {
    let failed = checks.iter().any(|check| check.result == CheckResult::Fail);
    if failed { CheckResult::Fail } else { CheckResult::Pass }
}
