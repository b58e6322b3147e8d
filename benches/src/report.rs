//! What was measured: as a table for people and as JSON for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What the limit reached in the same run, in the same unit.
    pub(crate) baseline: Option<f64>,
    /// What was aimed for.
    pub(crate) goal: Option<Goal>,
    /// Further figures of the same run, by name.
    pub(crate) beside: Vec<(&'static str, f64)>,
}

/// What a figure is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Product over baseline is at least this.
    RatioAtLeast(f64),
    /// Product over baseline is at most this.
    RatioAtMost(f64),
    /// The value is at most this.
    AtMost(f64),
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.baseline.map(|baseline| self.value / baseline)
    }

    /// Whether the goal is met; `None` where there is none.
    fn met(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::RatioAtLeast(goal) => self.ratio()? >= goal,
            Goal::RatioAtMost(goal) => self.ratio()? <= goal,
            Goal::AtMost(goal) => self.value <= goal,
        })
    }

    fn to_json(&self) -> Value {
        let goal = self.goal.map(|goal| match goal {
            Goal::RatioAtLeast(goal) => json!({ "ratio_at_least": goal }),
            Goal::RatioAtMost(goal) => json!({ "ratio_at_most": goal }),
            Goal::AtMost(goal) => json!({ "at_most": goal }),
        });
        let mut row = json!({
            "value": self.value, "unit": self.unit, "baseline": self.baseline, "ratio": self.ratio(), "goal": goal,
            "met": self.met(),
        });
        for (name, value) in &self.beside {
            row[*name] = json!(value);
        }
        row
    }
}

/// Writes `report.json` into a folder: rows of earlier runs that were not measured again stay.
pub(crate) fn write(folder: &Path, rows: &[Row]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join("report.json");
    let known = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut all: BTreeMap<String, Value> = known.unwrap_or_default();
    all.extend(rows.iter().map(|row| (row.name.to_owned(), row.to_json())));
    std::fs::write(file, serde_json::to_string_pretty(&all)? + "\n")
}

/// The rows as a table.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "{:20} {:>12} {:9} {:>12} {:>7}  {:8} {}\n",
        "name", "value", "unit", "baseline", "ratio", "goal", "met"
    );
    for row in rows {
        let goal = match row.goal {
            None => "-".to_owned(),
            Some(Goal::RatioAtLeast(goal)) => format!("≥ {goal}"),
            Some(Goal::RatioAtMost(goal) | Goal::AtMost(goal)) => format!("≤ {goal}"),
        };
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let met = row.met().map_or("-", |met| if met { "yes" } else { "no" });
        // Writing to a string can't fail.
        let _ = writeln!(
            out,
            "{:20} {:>12} {:9} {:>12} {:>7}  {:8} {}",
            row.name,
            number(Some(row.value), 1),
            row.unit,
            number(row.baseline, 1),
            number(row.ratio(), 2),
            goal,
            met
        );
        for (name, value) in &row.beside {
            let _ = writeln!(out, "{:20} {value:>12.1} {name}", "");
        }
    }
    out
}
