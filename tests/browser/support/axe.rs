//! axe-core, which finds what keeps people out. tests/prerequisites.sh puts it into the target folder.

use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::browser::Browser;
use super::screens::target;

/// The rules that pages are held to: WCAG 2.2 AA, and what axe-core calls best practice.
const TAGS: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

static AXE: LazyLock<String> = LazyLock::new(|| {
    let file = target().join("browser-tests/node_modules/axe-core/axe.min.js");
    fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}: run `tests/prerequisites.sh test`", file.display()))
});

/// Something that axe-core found.
#[derive(Debug)]
pub struct Violation {
    /// The rule, e.g. `color-contrast`.
    pub rule: String,
    /// What would satisfy it.
    pub help: String,
    /// The elements, as selectors with what is wrong.
    pub nodes: Vec<String>,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({}): {}", self.rule, self.help, self.nodes.join("; "))
    }
}

impl Browser {
    /// What axe-core finds wrong with the page as it is shown.
    ///
    /// It runs in a world of its own: the page's scripts don't meet it, and the page's policy doesn't concern it.
    #[track_caller]
    pub fn violations(&self) -> Vec<Violation> {
        let tree = self.devtools("Page.getFrameTree", json!({}));
        let frame = &tree["frameTree"]["frame"]["id"];
        let world = json!({ "frameId": frame, "worldName": "axe" });
        let context = self.devtools("Page.createIsolatedWorld", world)["executionContextId"].clone();
        let evaluate = |expression: &str| {
            let asked = json!({
                "contextId": context, "expression": expression, "awaitPromise": true, "returnByValue": true,
            });
            let answer = self.devtools("Runtime.evaluate", asked);
            assert!(answer.get("exceptionDetails").is_none(), "axe-core failed: {answer:#}");
            answer["result"]["value"].clone()
        };
        if evaluate("typeof axe") != "object" {
            evaluate(&format!("{};0", *AXE));
        }
        let options = json!({ "runOnly": { "type": "tag", "values": TAGS }, "resultTypes": ["violations"] });
        let found = evaluate(&format!("axe.run(document, {options}).then(found => found.violations)"));
        found.as_array().expect("a list").iter().map(violation).collect()
    }
}

fn violation(found: &Value) -> Violation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = found["nodes"].as_array().into_iter().flatten();
    let told = nodes.map(|node| {
        let summary = text(&node["failureSummary"]).split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{} — {summary}", node["target"])
    });
    Violation { rule: text(&found["id"]), help: text(&found["help"]), nodes: told.collect() }
}
