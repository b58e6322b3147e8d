//! `sealbook calendar`: what must come round, by date.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::Context;
use super::failure::Failure;
use super::output::printable;
use crate::client::Call;

/// The width that sentences keep to, in columns.
const WIDTH: usize = 78;

/// `GET …/calendar`.
#[derive(Serialize, Deserialize)]
struct Calendar {
    at: String,
    overdue: usize,
    entries: Vec<Entry>,
    /// What later servers say as well.
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    kind: String,
    subject: String,
    due_at: String,
    state: String,
    sentence: String,
    blockers: Vec<String>,
    #[serde(flatten)]
    more: serde_json::Map<String, Value>,
}

/// Runs the command.
pub fn run(context: &Context) -> Result<(), Failure> {
    let calendar: Calendar = context.caller()?.json(&Call::get(context.path("/calendar")?))?;
    context.out.show(&calendar, || calendar.text(context))
}

impl Calendar {
    fn text(&self, context: &Context) -> String {
        let late = match self.overdue {
            0 => "nothing is overdue".to_owned(),
            1 => "one thing is overdue".to_owned(),
            many => format!("{many} things are overdue"),
        };
        let mut text = format!("As of {}: {late}.\n", printable(&self.at));
        for entry in &self.entries {
            text.push_str(&entry.text(context));
        }
        text
    }
}

impl Entry {
    fn text(&self, context: &Context) -> String {
        let day: String = self.due_at.chars().take(10).collect();
        let state = self.state.to_uppercase();
        let state = if self.state == "overdue" { context.out.strong(&state) } else { self.state.clone() };
        let what = self.kind.replace('_', " ");
        let mut text =
            format!("\n{}  {state}  {} {}\n", printable(&day), printable(&what), printable(&self.subject));
        text.push_str(&indented("  ", &printable(&self.sentence)));
        for blocker in &self.blockers {
            text.push_str(&indented("  ! ", &printable(blocker)));
        }
        text
    }
}

/// A sentence in lines of [`WIDTH`], the first after a mark, the others below it.
fn indented(mark: &str, sentence: &str) -> String {
    let (mut text, mut line) = (String::new(), mark.to_owned());
    let margin = " ".repeat(mark.chars().count());
    for word in sentence.split_whitespace() {
        let begun = line.chars().count() > margin.len();
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.clone_from(&margin);
        } else if begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_to_the_width_and_loses_no_word() {
        let sentence = "word ".repeat(40);
        let text = indented("  ! ", &sentence);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH && line.starts_with("  ")), "{text}");
        assert_eq!(text.split_whitespace().filter(|word| *word == "word").count(), 40);
        assert!(text.starts_with("  ! word word"));
        assert_eq!(indented("  ", "short"), "  short\n");
    }
}
