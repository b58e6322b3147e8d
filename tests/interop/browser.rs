//! The modules by which browsers verify accept and refuse what the golden vectors say, without a page around them.

use std::process::Command;

use integration::programs::run;

use crate::reader::script;

#[test]
fn what_browsers_verify_by_reproduces_the_golden_vectors() {
    let vectors = format!("{}/../ledger/testdata/ledger-v1.json", env!("CARGO_MANIFEST_DIR"));
    let ended = run(Command::new("node").arg(script("browser.mjs")).arg(vectors)).expect(0);
    assert!(ended.stdout.starts_with("ok: "), "{ended:?}");
}
