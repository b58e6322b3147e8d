//! The last page: what was done, what came of it, where it lies, and how to check it without us.

use std::fmt::Write as _;

use crate::place::Place;
use crate::scenes::exporting::Export;
use crate::scenes::rotation::Afterwards;
use crate::scenes::signing::Signed;
use crate::scenes::tampering::Rejection;

/// Widths of the first two columns; the third takes what is left of 80.
const WHAT: usize = 31;
const RESULT: usize = 27;

/// What the last page is made of.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) place: &'a Place,
    pub(crate) export: &'a Export,
    pub(crate) signed: &'a Signed,
    pub(crate) after: &'a Afterwards,
    pub(crate) rejected: &'a [Rejection],
}

impl Ending<'_> {
    /// The table; headings are written by whoever knows the terminal.
    pub(crate) fn table(&self, heading: impl Fn(&str) -> String) -> String {
        let files = format!("all, by {} keys", crate::scenes::slots::SLOTS.len());
        let signed = format!("{} files of /usr/bin signed", self.signed.entries.len());
        let events = format!("{} events, sealed", self.export.bundle.events().len());
        let evidence = format!("its digest in event {}", self.after.evidence);
        let mut rows = vec![
            ("Company founded by 3 people", "each signed the document", "acme.founding"),
            ("3 keys made in the HSM", "2 approvals for each", "pubkeys/"),
            ("Build service enrolled", "2 approvals", "events.txt"),
            ("Own proposal approved", "refused", "events.txt"),
            ("Proposal rejected by one", "no key was made", "events.txt"),
            (signed.as_str(), files.as_str(), "signatures/"),
            ("A receipt for each of them", "each stands alone", "receipts/"),
            ("Slot suspended by one person", "next signature refused", "events.txt"),
            ("Slot resumed by quorum", "signs again", "after-suspension/"),
            ("Ledger key rotated", "handover by both keys", "after-rotation/"),
            ("Test report as evidence", evidence.as_str(), "test-report.txt"),
            ("Ledger exported", events.as_str(), "acme.tar"),
            ("Export verified offline", "valid on all five layers", "acme.vkey"),
        ];
        let rejected: Vec<_> =
            self.rejected.iter().map(|one| (one, format!("rejected: {}", one.short_place()))).collect();
        rows.extend(
            rejected
                .iter()
                .map(|(one, result)| (one.tampering.name(), result.as_str(), one.tampering.file())),
        );
        let mut text =
            heading(&format!("{:WHAT$} {:RESULT$} {}", "What was done", "Result", "Where to look"));
        text.push('\n');
        for (what, result, place) in rows {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{what:WHAT$} {result:RESULT$} {place}");
        }
        text
    }

    /// Commands that work from the workspace's folder.
    pub(crate) fn commands(&self) -> String {
        String::new()
    }
}
