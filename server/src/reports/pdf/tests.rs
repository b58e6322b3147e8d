use super::*;
use crate::reports::document::{Block, Code, Document, Foot, Signature, Table, Value};

fn document(rows: usize) -> Document {
    let row = |n: usize| vec![Value::Words(format!("Row {n}")), Value::Exact("0123456789abcdef".repeat(5))];
    Document {
        kind: "Report".into(),
        sentence: "山 and Ada agree.".into(),
        blocks: vec![
            Block::Facts(vec![("Name".into(), Value::Words("word ".repeat(80)))]),
            Block::Table(Table {
                columns: vec![("Row".into(), 30), ("Digest".into(), 70)],
                rows: (0..rows).map(row).collect(),
            }),
            Block::Commands(vec!["a-command with --many arguments ".repeat(10)]),
            Block::Codes(vec![Code { name: "Key".into(), text: "a key".into() }]),
            Block::Signatures(vec![Signature { name: "Ada".into(), role: "approver".into() }]),
        ],
        foot: Foot { tenant: "acme".into(), id: "report 1".into() },
    }
}

#[test]
fn the_same_report_gives_the_same_bytes_and_another_gives_others() {
    let first = render(&document(3)).unwrap();
    assert_eq!(first, render(&document(3)).unwrap());
    assert_ne!(first, render(&document(4)).unwrap());
    assert!(first.starts_with(b"%PDF-"));
    // Fonts are embedded in part only.
    assert!(first.len() < 150_000, "{} bytes", first.len());
}

#[test]
fn a_long_table_goes_on_over_pages() {
    let fonts = Fonts::load().unwrap();
    assert_eq!(layout::pages(&document(3), fonts).len(), 1);
    assert!(layout::pages(&document(100), fonts).len() > 3);
}
