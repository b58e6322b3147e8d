//! Rows of a blast radius as they leave: what is in the list, and beside it what is disclosed.

use std::collections::BTreeMap;

use sealbook_ledger::blast_radius::Affected;
use sealbook_ledger::canonical::Unrepresentable;
use sealbook_ledger::policy::ArtifactField;
use serde::Serialize;
use serde_json::value::RawValue;

use super::name_of;
use crate::views::Names;
use crate::views::csv::Table;

/// What is disclosed about a signature's artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The ticket that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Told {
    /// Whether nothing is disclosed.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.ticket.is_none() && self.version.is_none()
    }

    /// Takes in one field; others than an artifact's are passed over.
    pub fn hear(&mut self, field: &str, value: String) {
        let own = |known: ArtifactField| known.name() == field;
        if own(ArtifactField::Name) {
            self.name = Some(value);
        } else if own(ArtifactField::Ticket) {
            self.ticket = Some(value);
        } else if own(ArtifactField::Version) {
            self.version = Some(value);
        }
    }
}

/// What a table has beside the facts.
const TOLD_HEADINGS: [&str; 5] =
    ["caller_name", "artifact_name", "artifact_version", "artifact_ticket", "resign_required"];

/// The first line of a table (RFC 4180).
pub fn table_head() -> String {
    Table::new(&[&Affected::HEADINGS[..], &TOLD_HEADINGS[..]].concat()).into_text()
}

/// Rows of a table, without its first line.
pub fn table(rows: &[(Affected, Told)], names: &Names) -> String {
    let mut table = Table::further();
    for (row, told) in rows {
        let caller = name_of(names, row.caller);
        let texts = [caller, told.name.as_deref(), told.version.as_deref(), told.ticket.as_deref()];
        let texts = texts.map(|text| text.unwrap_or_default().to_owned());
        let mark = row.is_resign_required().to_string();
        table.row(row.cells().into_iter().chain(texts).chain([mark]));
    }
    table.into_text()
}

#[derive(Serialize)]
struct JsonRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact: Option<&'a Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    receipts: Vec<&'a str>,
    resign_required: bool,
    signature: &'a RawValue,
}

/// Rows as an object a line, each with the receipts of its events, which are given by seq.
pub fn json_lines(
    rows: &[(Affected, Told)],
    names: &Names,
    receipts: &BTreeMap<u64, String>,
) -> Result<Vec<u8>, Unrepresentable> {
    let (mut out, mut line) = (Vec::new(), Vec::new());
    for (row, told) in rows {
        line.clear();
        row.write_line(&mut line)?;
        let seqs = [Some(row.authorization), row.ended.map(|ended| ended.seq)].into_iter().flatten();
        let json = JsonRow {
            artifact: (!told.is_empty()).then_some(told),
            caller_name: name_of(names, row.caller),
            receipts: seqs.filter_map(|seq| receipts.get(&seq.get())).map(String::as_str).collect(),
            resign_required: row.is_resign_required(),
            signature: serde_json::from_slice(line.trim_ascii_end()).map_err(Unrepresentable::Serialise)?,
        };
        serde_json::to_writer(&mut out, &json).map_err(Unrepresentable::Serialise)?;
        out.push(b'\n');
    }
    Ok(out)
}
