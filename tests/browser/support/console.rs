//! What browsers say in their consoles: errors of scripts, refusals by the page's policy, requests that failed.

use std::sync::Mutex;

use http::Method;
use serde_json::{Value, json};

use super::browser::Browser;

/// What a journey has expected of its console, and what is left to complain about.
#[derive(Default)]
pub struct Console {
    complaints: Mutex<Vec<String>>,
}

impl Browser {
    /// What the console complained of since the last look and nobody expected: warnings and worse.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let said = self.command(Method::POST, "se/log", Some(json!({ "type": "browser" })));
        let mut complaints = self.console.complaints.lock().unwrap();
        let said = said.as_array().into_iter().flatten();
        let bad = said.filter(|entry| matches!(entry["level"].as_str(), Some("WARNING" | "SEVERE")));
        complaints.extend(bad.map(told));
        complaints.clone()
    }

    /// Waits until the console complains with these words, and takes every such complaint as expected: a refusal that a
    /// journey provokes is told there as well.
    #[track_caller]
    pub fn expects_complaint(&self, words: &str) {
        self.until(&format!("the console to say “{words}”"), || {
            let all = self.complaints();
            let (expected, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|told| told.contains(words));
            *self.console.complaints.lock().unwrap() = others;
            (!expected.is_empty()).then_some(())
        });
    }

    /// Takes complaints with these words as expected, if there are any: of what may be told or not, as it happens.
    #[track_caller]
    pub fn forgives(&self, words: &str) {
        let all = self.complaints();
        *self.console.complaints.lock().unwrap() =
            all.into_iter().filter(|told| !told.contains(words)).collect();
    }

    /// Fails if the console complained of anything that was not expected.
    #[track_caller]
    pub fn expects_quiet(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{}'s console says:\n{}", self.person, complaints.join("\n"));
    }
}

fn told(entry: &Value) -> String {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    format!("{} {}: {}", text("level"), text("source"), text("message"))
}
