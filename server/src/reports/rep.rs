//! `REP.pdf`: an evidence pack as an auditor reads it. It says what `evidence.json` says, and how people are called.

mod incident;
mod ledger_key;
mod period;
mod rotation;

use std::collections::BTreeMap;

use sealbook_ledger::blast_radius::Affected;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::evidence::{Approval, Check as Checked, CheckResult, Decision, Evidence, Mark as At};
use sealbook_ledger::ids::{MemberId, Origin, ProposerId, Seq};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::CredentialKind;

use super::document::{Block, Check, Code, Column, Document, Foot, Mark, Status, Table, Value, Verification};
use crate::views::sentence::moment;

/// What those were told who rely on a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advisory {
    /// What it is called where it was published.
    pub reference: String,
    /// What it says.
    pub text: String,
}

/// Most affected signatures that a report shows one by one: some four pages. The list has them all.
pub const MAX_SHOWN: usize = 100;

/// An affected signature as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What the list says of it.
    pub line: Affected,
    /// The artifact's name, where it is disclosed.
    pub name: Option<String>,
    /// Its version, likewise.
    pub version: Option<String>,
}

/// What a report is made of.
pub struct Source<'a> {
    /// What the pack says.
    pub evidence: &'a Evidence,
    /// Whose ledger.
    pub origin: &'a Origin,
    /// How many events the checkpoint covers that the receipts lead to.
    pub sealed: u64,
    /// SHA-256 of `evidence.json`.
    pub digest: Hash,
    /// How people are called, where that is disclosed.
    pub names: &'a BTreeMap<MemberId, String>,
    /// What those were told who rely on a key, by event.
    pub advisories: &'a BTreeMap<Seq, Advisory>,
    /// What was said when an incident was opened and closed, by event, where it is disclosed.
    pub remarks: &'a BTreeMap<Seq, String>,
    /// The first affected signatures, where the pack lists them.
    pub affected: Option<&'a [Shown]>,
    /// Whose tenant.
    pub tenant: &'a str,
    /// The ledger key that sealed it.
    pub vkey: &'a Vkey,
}

impl Source<'_> {
    /// The report of the pack.
    pub fn document(&self) -> Document {
        match self.evidence {
            Evidence::Rotation(evidence) => rotation::document(self, evidence),
            Evidence::LedgerKey(evidence) => ledger_key::document(self, evidence),
            Evidence::Period(evidence) => period::document(self, evidence),
            Evidence::Incident(evidence) => incident::document(self, evidence),
        }
    }

    fn name(&self, member: MemberId) -> String {
        self.names.get(&member).cloned().unwrap_or_else(|| format!("member {member}"))
    }

    /// The frame of every report.
    fn frame(
        &self,
        subtitle: String,
        checks: &[Checked],
        about: (&str, &str),
        blocks: Vec<Block>,
    ) -> Document {
        let failed = checks.iter().any(|check| check.result == CheckResult::Fail);
        let (mark, word) = if failed { (Mark::Fail, "FAIL") } else { (Mark::Pass, "PASS") };
        Document {
            title: match about.0 {
                "period" => "Evidence Pack of a Period",
                "incident" => "Incident Statement",
                "drill" => "Drill Statement",
                _ => "Rotation Evidence Pack",
            }
            .to_owned(),
            subtitle,
            status: Some(Status { mark, word: word.to_owned() }),
            banner: (about.0 == "drill").then(|| "DRILL".to_owned()),
            origin: self.origin.to_string(),
            made: None,
            blocks,
            verification: Some(self.verification()),
            foot: Foot {
                tenant: self.tenant.to_owned(),
                id: format!("{} {}, checkpoint {}", about.0, about.1, self.sealed),
            },
        }
    }

    fn verification(&self) -> Verification {
        let tenant = self.tenant;
        Verification {
            lead: "Whoever has this pack and the ledger's public key, from anywhere but this server, checks offline that the \
                   ledger sealed every event in it, that its other files say what the events say, and that the ledger's \
                   evidence key signed the whole. The key that sealed it is the one in section \u{201c}Keys and digests to \
                   compare\u{201d}: hold what you have against it."
                .to_owned(),
            name: "evidence.json".to_owned(),
            digest: self.digest.to_string(),
            commands: vec![
                format!("cat {tenant}.vkey"),
                format!("sealbook-verify rep.zip --vkey @{tenant}.vkey"),
                "unzip -p rep.zip evidence.json | sha256sum".to_owned(),
            ],
            meaning: "VALID and exit status 0 say that all of it holds; the answer names what the pack is about and the checks \
                      that fail. The digest is the one above. This document itself no program can check: where it differs \
                      from evidence.json, that counts. Nor does VALID say that nothing was left out: a pack holds the \
                      events that belong to its subject, the export of the whole ledger holds them all. Nor that a device \
                      told the truth about its keys: it attested nothing."
                .to_owned(),
        }
    }

    fn pins(&self) -> Vec<Block> {
        vec![Block::Codes(vec![
            Code { name: "Ledger key (vkey)".to_owned(), text: self.vkey.to_string() },
            Code { name: "evidence.json, SHA-256".to_owned(), text: self.digest.to_string() },
        ])]
    }

    /// Who asked and who approved, with which authenticator.
    fn decision(&self, decision: &Decision) -> Vec<Block> {
        let mut rows = Vec::new();
        match (&decision.proposer, decision.document.proposed_by) {
            (Some(proposer), _) => rows.push(self.person("Proposed", proposer)),
            (None, by) => rows.push(vec![
                words("Proposed"),
                words(match by {
                    ProposerId::Server => "the server, ahead of the due date",
                    ProposerId::Id(_) => "a service",
                }),
                words("\u{2013}"),
                words("\u{2013}"),
                time(decision.proposed.time),
                words(decision.proposed.seq.to_string()),
            ]),
        }
        rows.extend(decision.approvals.iter().map(|approval| self.person("Approved", approval)));
        let quorum = Decision::quorum_text(&decision.document.quorum).replace('_', " ");
        vec![
            Block::Text(format!(
                "The policy asked for: {quorum}. Each approval is a passkey's signature over the whole document."
            )),
            Block::Table(Table {
                columns: vec![
                    Column::new("", 11),
                    Column::new("Who", 25),
                    Column::new("As", 19),
                    Column::new("Authenticator", 15),
                    Column::new("When, UTC", 21),
                    Column::numbers("Seq", 9),
                ],
                rows,
            }),
        ]
    }

    fn person(&self, what: &str, approval: &Approval) -> Vec<Value> {
        vec![
            words(what),
            words(self.name(approval.member)),
            words(approval.role.to_string().replace('_', " ")),
            words(approval.authenticator.map_or("\u{2013}", authenticator)),
            time(approval.mark.time),
            words(approval.mark.seq.to_string()),
        ]
    }
}

const fn authenticator(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Hardware => "hardware",
        CredentialKind::Synced => "synced",
        CredentialKind::Unattested => "unattested",
        CredentialKind::Software => "software",
    }
}

fn words(text: impl Into<String>) -> Value {
    Value::Words(text.into())
}

fn exact(text: impl ToString) -> Value {
    Value::Exact(text.to_string())
}

fn fact(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

fn checks(checks: &[Checked]) -> Block {
    let check = |check: &Checked| Check {
        mark: match check.result {
            CheckResult::Pass => Mark::Pass,
            CheckResult::Fail => Mark::Fail,
            CheckResult::None => Mark::None,
        },
        claim: format!("{}: {}", check.claim, check.detail),
        evidence: seqs(&check.events),
    };
    Block::Checks(checks.iter().map(check).collect())
}

/// The first few of many: the rest is in `evidence.json`.
fn seqs(seqs: &[Seq]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = seqs.iter().take(SHOWN).map(Seq::to_string).collect();
    match seqs.len() {
        0 => "no event".to_owned(),
        count if count <= SHOWN => format!("seq {}", shown.join(", ")),
        count => format!("seq {} and {} more", shown.join(", "), count - SHOWN),
    }
}

/// How many checks hold, as the first page says it.
fn tally(checks: &[Checked]) -> String {
    let count = |result| checks.iter().filter(|check| check.result == result).count();
    let (pass, fail, none) = (count(CheckResult::Pass), count(CheckResult::Fail), count(CheckResult::None));
    let open =
        if none == 0 { String::new() } else { format!("; {none} do not apply or have nothing on record") };
    match fail {
        0 => format!("all {pass} checks that apply pass{open}"),
        1 => format!("1 of {} checks that apply fails{open}", pass + fail),
        _ => format!("{fail} of {} checks that apply fail{open}", pass + fail),
    }
}

/// A row of a timeline.
fn step(name: &str, at: Option<At>) -> Option<Vec<Value>> {
    let at = at?;
    Some(vec![words(name), time(at.time), words(at.seq.to_string())])
}

fn timeline(rows: Vec<Vec<Value>>) -> Block {
    let columns = vec![Column::new("Step", 50), Column::new("When, UTC", 35), Column::numbers("Seq", 15)];
    Block::Table(Table { columns, rows })
}

/// A day as a reader's calendar has it, kept together.
fn day(at: Timestamp) -> String {
    let text = super::birth_certificate::date(at);
    text.split_once(", ").map_or(text.as_str(), |(day, _)| day).replace(' ', "\u{a0}")
}

/// A moment in a column that says UTC itself.
fn time(at: Timestamp) -> Value {
    let text = moment(at);
    words(text.strip_suffix(" UTC").unwrap_or(&text))
}
