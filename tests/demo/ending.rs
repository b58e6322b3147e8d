//! The last page: what was done, what came of it, where it lies, and how to check it without us.

use std::fmt::Write as _;

use crate::scenes::exporting::Export;
use crate::scenes::renewing::Renewal;
use crate::scenes::reporting::{self, Refusal};
use crate::scenes::rotation::Afterwards;
use crate::scenes::signing::Signed;
use crate::scenes::tampering::Rejection;
use crate::scenes::{compromise, drilling, responding};

/// Widths of the columns, in columns of a terminal.
const WHAT: usize = 29;
const RESULT: usize = 28;
const WHERE: usize = 20;

/// What the last page is made of.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    /// `sealbook-verify` as one would type it.
    pub(crate) verify: &'a str,
    /// `target/demo` likewise.
    pub(crate) demo: &'a str,
    pub(crate) export: &'a Export,
    pub(crate) signed: &'a Signed,
    pub(crate) renewal: &'a Renewal,
    pub(crate) after: &'a Afterwards,
    pub(crate) rejected: &'a [Rejection],
    /// How the tampered pack was.
    pub(crate) pack: &'a Refusal,
}

impl Ending<'_> {
    /// The table; headings are written by whoever knows the terminal.
    pub(crate) fn table(&self, heading: impl Fn(&str) -> String) -> String {
        let files = format!("all, by {} keys", crate::scenes::slots::SLOTS.len());
        let signed = format!("{} files of /usr/bin signed", self.signed.entries.len());
        let events = format!("{} events, sealed", self.export.bundle.events().len());
        let canary = format!("tried out on {} digests", self.renewal.canary);
        let pack = format!("rejected: {}", self.pack.rule);
        let evidence = format!("its digest in event {}", self.after.evidence);
        let mut rows = vec![
            ("Company founded by 3 people", "each signed the document", "acme.founding"),
            ("A certificate authority made", "a key of the HSM as well", "pki/ca.pem"),
            ("3 keys made in the HSM", "2 approvals for each", "pubkeys/"),
            ("A key certified by it", "2 approvals", "pki/leaf-old.pem"),
            ("Build service enrolled", "2 approvals", "events.txt"),
            ("Own proposal approved", "refused", "events.txt"),
            ("Proposal rejected by one", "no key was made", "events.txt"),
            (signed.as_str(), files.as_str(), "signatures/"),
            ("A receipt for each of them", "each stands alone", "receipts/"),
            ("Slot suspended by one person", "next signature refused", "events.txt"),
            ("Slot resumed by quorum", "signs again", "after-suspension/"),
            ("Key for reports made", "2 approvals", "events.txt"),
            ("Ledger key rotated", "handover by both keys", "after-rotation/"),
            ("Access to the HSM reviewed", "2 approvals", "events.txt"),
            ("A slot's key rotated", canary.as_str(), "pki/leaf-new.pem"),
            ("A release with its papers", "valid offline", "release/1.0/"),
            ("Key suspected by one person", "next signature refused", "events.txt"),
            ("What it may have signed", "each signature listed", "incident/"),
            ("It is replaced and revoked", "openssl refuses it", "pki/revoked.pem"),
            ("Revocation list signed", "names its certificate", compromise::LIST),
            ("Release signed again", "the old one is refused", "release/1.1/"),
            ("Incident closed", "a statement for customers", responding::STATEMENT_PDF),
            ("Drill run on a key for drills", "targets and times stated", drilling::STATEMENT_PDF),
            ("Trust root signed", "valid offline", compromise::TRUST_ROOT),
            ("Old key retired", "its certificate revoked", "events.txt"),
            ("Evidence pack of each", "signed, with a report", "rep/"),
            ("Test report as evidence", evidence.as_str(), "test-report.txt"),
            ("Ledger exported", events.as_str(), "acme.tar"),
            ("Export verified offline", "valid on all five layers", "acme.vkey"),
            ("Packs verified offline", "valid, with their receipts", "rep/index.json"),
        ];
        let rejected: Vec<_> =
            self.rejected.iter().map(|one| (one, format!("rejected: {}", one.short_place()))).collect();
        rows.extend(
            rejected
                .iter()
                .map(|(one, result)| (one.tampering.name(), result.as_str(), one.tampering.file())),
        );
        rows.push(("Pack with one byte changed", pack.as_str(), reporting::TAMPERED));
        let mut text =
            heading(&format!("{:WHAT$} {:RESULT$} {}", "What was done", "Result", "Where to look"));
        let _ = writeln!(text, "\n{:\u{2500}<WHAT$} {:\u{2500}<RESULT$} {:\u{2500}<WHERE$}", "", "", "");
        for (what, result, place) in rows {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{what:WHAT$} {result:RESULT$} {place}");
        }
        text
    }

    /// Commands that work from the workspace's folder: nothing in them needs the server, or this program.
    pub(crate) fn commands(&self) -> String {
        let (verify, demo) = (self.verify, self.demo);
        let mut text = format!(
            "  The export, offline, from what the founders wrote down:\n\n\
             \x20   {verify} {demo}/acme.tar --signatures \\\n\
             \x20     --vkey @{demo}/acme.vkey --founding @{demo}/acme.founding\n\n"
        );
        if let Some(entry) = self.signed.entries.iter().find(|entry| entry.slot == "release-p256") {
            let (file, pem) = (entry.file.display(), entry.public_key_pem.display());
            let name = entry.file.file_name().unwrap_or_default().display();
            // Writing to a string can't fail.
            let _ = write!(
                text,
                "  One signature, with openssl alone:\n\n\
                 \x20   openssl dgst -sha256 -verify {demo}/{pem} \\\n\
                 \x20     -signature {demo}/signatures/{}/{name}.sig \\\n\
                 \x20     {file}\n\n",
                entry.slot
            );
        }
        let _ = write!(
            text,
            "  An evidence pack, from the ledger key that seals now, and its report:\n\n\
             \x20   {verify} {demo}/rep/apt-repo-rsa3072.zip \\\n\
             \x20     --vkey @{demo}/after-rotation/acme.vkey\n\
             \x20   {demo}/rep/REP.pdf\n\n\
             \x20 The new key's certificate, with openssl alone:\n\n\
             \x20   openssl verify -purpose any -CAfile {demo}/pki/ca.pem \\\n\
             \x20     {demo}/pki/leaf-new.pem\n\n\
             \x20 The revoked one, which openssl refuses:\n\n\
             \x20   openssl verify -purpose any -crl_check -CRLfile {demo}/pki/acme.crl.pem \\\n\
             \x20     -CAfile {demo}/pki/ca.pem {demo}/pki/revoked.pem\n\n\
             \x20 Which keys to believe:\n\n\
             \x20   {verify} {demo}/trust-root.json \\\n\
             \x20     --vkey @{demo}/after-rotation/acme.vkey\n\n\
             \x20 The statement that customers get, and the drill's:\n\n\
             \x20   {verify} {demo}/incident/statement.zip \\\n\
             \x20     --vkey @{demo}/after-rotation/acme.vkey\n\
             \x20   {verify} {demo}/drill/statement.zip \\\n\
             \x20     --vkey @{demo}/after-rotation/acme.vkey\n\n\
             \x20 The copies: like the export. The one whose tail is cut off passes for an older\n\
             \x20 ledger, until it is held against a checkpoint that somebody has seen:\n\n\
             \x20   {verify} {demo}/tampered/cut.tar \\\n\
             \x20     --vkey @{demo}/acme.vkey --known {demo}/acme.checkpoint\n\n\
             \x20 Files signed after the rotations, and the new ledger key that their receipts\n\
             \x20 need, are in {demo}/after-rotation/.\n\
             \x20 What happened, event by event, is in {demo}/events.txt.\n\n\
             \x20 The pages, in your browser, with a passkey of your own: `make look` starts this\n\
             \x20 company's server again, and invites you.\n"
        );
        text
    }
}
