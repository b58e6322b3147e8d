//! Reports as others read them: qpdf of the file, poppler of its fonts and its words.

use std::path::Path;
use std::process::Command;

use integration::programs::run;
use sealbook::reports::document::Document;
use sealbook::reports::pdf;
use serde_json::Value;
use tempfile::TempDir;

use crate::samples;

/// A4 and its margins of 20 mm, in points of 1/72 inch; heads and feet stand a little further out.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 595.3 - LEFT;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 841.9 - 50.0;

/// A report in a file of its own.
struct Printed {
    folder: TempDir,
}

impl Printed {
    fn new(report: &Document) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report.pdf"), pdf::render(report).unwrap()).unwrap();
        Self { folder }
    }

    fn read(&self, program: &str, arguments: &[&str], after: &[&str]) -> String {
        let file = self.folder.path().join("report.pdf");
        run(Command::new(program).args(arguments).arg(Path::new(&file)).args(after)).expect(0).stdout
    }
}

fn reports() -> [Document; 3] {
    [samples::evidence_pack(), samples::adversarial(300), samples::empty()]
}

#[test]
fn qpdf_finds_nothing_wrong_and_nothing_that_acts() {
    for report in reports() {
        let printed = Printed::new(&report);
        let said = printed.read("qpdf", &["--check"], &[]);
        assert!(said.contains("No syntax or stream encoding errors found"), "{said}");
        let objects = printed.read("qpdf", &["--json"], &[]);
        for name in
            ["/JavaScript", "/JS", "/AA", "/OpenAction", "/Launch", "/URI", "/EmbeddedFile", "/Annots"]
        {
            assert!(!objects.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}

#[test]
fn every_font_is_embedded_in_part_and_says_what_its_glyphs_mean() {
    for report in reports() {
        let said = Printed::new(&report).read("pdffonts", &[], &[]);
        let fonts: Vec<&str> = said.lines().skip(2).collect();
        assert!(fonts.len() >= 2, "{said}");
        for font in fonts {
            let words: Vec<&str> = font.split_whitespace().collect();
            let flags = &words[words.len() - 5..words.len() - 2];
            assert_eq!(flags, ["yes", "yes", "yes"], "{font}");
        }
    }
}

#[test]
fn poppler_reads_the_words_in_their_order() {
    let text = Printed::new(&samples::evidence_pack()).read("pdftotext", &["-raw"], &["-"]);
    let pages: Vec<&str> = text.trim_end_matches('\u{c}').split('\u{c}').collect();
    assert!(pages.iter().all(|page| page.starts_with("DRILL\n")), "{text}");
    let mut from = 0;
    for line in [
        "Rotation Evidence Pack",
        "1 Summary",
        "Slot apt-repo-rsa3072",
        "2 Checks",
        "Result Check Evidence",
        "Pass A quorum of two approvers other than the proposer signed it seq 18207, 18209",
        "Fail Every canary verifies under the new key alone seq 18229",
        "18206 2026-11-24 15:08:51 action.approved Никола Тесла",
        "18207 2026-11-24 15:10:08 key.activated Ελένη Παππά",
        "7.1 Packages",
        "8 Policies in force",
        "9 How to verify",
    ] {
        from += text[from..].find(line).unwrap_or_else(|| panic!("{line} in {}", &text[from..])) + line.len();
    }
    // A digest is copied without its gaps.
    let digest = samples::evidence_pack().verification.unwrap().digest;
    assert!(text.contains(&format!("Evidence digest {digest}\n")), "{text}");
}

#[test]
fn every_word_stands_within_the_margins() {
    let number = |line: &str, name: &str| -> f64 {
        let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    for report in reports() {
        let said = Printed::new(&report).read("pdftotext", &["-bbox"], &["-"]);
        let words: Vec<&str> = said.lines().filter(|line| line.contains("<word ")).collect();
        assert!(words.len() > 5);
        for word in words {
            assert!(number(word, "xMin") > LEFT && number(word, "xMax") < RIGHT, "{word}");
            assert!(number(word, "yMin") > TOP && number(word, "yMax") < BOTTOM, "{word}");
        }
    }
}

#[test]
fn the_outline_has_sections_and_their_parts_in_their_order() {
    let said = Printed::new(&samples::evidence_pack()).read("qpdf", &["--json", "--json-key=outlines"], &[]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let titles = |of: &Value| -> Vec<String> {
        of.as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    };
    let sections = titles(&said["outlines"]);
    assert_eq!(sections.len(), 9);
    assert_eq!(
        (&*sections[0], &*sections[6], &*sections[8]),
        ("1 Summary", "7 Canary results", "9 How to verify")
    );
    assert_eq!(titles(&said["outlines"][6]["kids"]), ["7.1 Packages", "7.2 Indices"]);
}
