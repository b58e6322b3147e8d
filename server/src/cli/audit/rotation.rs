//! `sealbook audit rotation`: fails where a key came by nothing that is on record, or was in charge for too long.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use super::{AsAtArgs, asked};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::{printable, table};

/// `GET …/audit/rotation`.
#[derive(Serialize, Deserialize)]
struct Audit {
    origin: String,
    at: String,
    size: u64,
    from: String,
    passed: bool,
    failed: usize,
    blockers: Vec<String>,
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    slot: String,
    key: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_since: Option<String>,
    came_by: CameBy,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<String>,
    pack: String,
    verdict: String,
    reasons: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct CameBy {
    seq: u64,
    #[serde(rename = "type")]
    kind: String,
    time: String,
}

pub(super) fn run(args: &AsAtArgs, context: &Context) -> Result<(), Failure> {
    let bytes = asked(args, context, "rotation")?;
    if args.csv {
        std::io::stdout().lock().write_all(&bytes).map_err(Failure::Output)?;
    }
    // The list has no verdict of its own: the exit code is that of the same question's answer.
    let judged = if args.csv { asked(&args.as_json(), context, "rotation")? } else { bytes };
    let audit: Audit = serde_json::from_slice(&judged).map_err(|error| Failure::Output(error.into()))?;
    if !args.csv {
        context.out.show(&audit, || audit.text())?;
    }
    if audit.passed { Ok(()) } else { Err(Failure::Audited { what: audit.outcome() }) }
}

impl Audit {
    fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self.keys.iter().map(Key::row).collect();
        let head = format!("Keys since {}, as at {}, after {} events.", self.from, self.at, self.size);
        let list = table(&["VERDICT", "SLOT", "KEY", "ACTIVE SINCE", "EVENT", "ROTATION", "PACK"], &rows);
        let mut text = format!("{head}\n\n{list}");
        let said = self.keys.iter().filter(|key| !key.reasons.is_empty());
        for key in said {
            text.push_str(&format!("\n{}: {} {}", key.verdict, short(&key.key), key.reasons.join(" ")));
        }
        for blocker in &self.blockers {
            text.push_str(&format!("\nblocker: {}", printable(blocker)));
        }
        if self.passed {
            text.push_str(&format!("\n{}", self.outcome()));
        }
        text
    }

    fn outcome(&self) -> String {
        if self.passed {
            return "The audit passes: every key is on record, and none was in charge for too long."
                .to_owned();
        }
        let (keys, blockers) = (self.keys.len(), self.blockers.len());
        format!("{} of {keys} keys failed, and {blockers} blockers stand in the way", self.failed)
    }
}

impl Key {
    fn row(&self) -> Vec<String> {
        let day = |time: &String| time.chars().take(10).collect::<String>();
        vec![
            self.verdict.clone(),
            self.slot.clone(),
            short(&self.key),
            self.active_since.as_ref().map(day).unwrap_or_else(|| self.state.clone()),
            self.came_by.seq.to_string(),
            self.rotation.as_deref().map_or_else(|| "first key".to_owned(), short),
            self.pack.clone(),
        ]
    }
}

/// The end of an id, as the events' story names keys.
fn short(id: &str) -> String {
    let skipped = id.chars().count().saturating_sub(8);
    id.chars().skip(skipped).collect()
}
