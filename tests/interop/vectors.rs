//! The independent reader reproduces the golden vectors: otherwise its agreement would say little.

use std::process::Command;

use integration::programs::run;

use crate::reader::script;

#[test]
fn the_independent_reader_reproduces_the_golden_vectors() {
    let vectors = format!("{}/../ledger/testdata/ledger-v1.json", env!("CARGO_MANIFEST_DIR"));
    let ended = run(Command::new("python3").arg(script("vectors.py")).arg(vectors)).expect(0);
    assert!(ended.stdout.starts_with("ok: "), "{ended:?}");
}
