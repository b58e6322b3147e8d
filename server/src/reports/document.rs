//! What a report says, in the order of its reading; pages, fonts and places are the drawing's business.
//!
//! Texts are shown as they are: nothing in them is markup, and a line feed begins a line.

use sealbook_ledger::timestamp::Timestamp;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is, e.g. "Ledger birth certificate".
    pub title: String,
    /// The reader's first question, answered in a sentence; or what it is about.
    pub subtitle: String,
    /// Its verdict, where it has one.
    pub status: Option<Status>,
    /// A word that stands on every page, e.g. "DRILL".
    pub banner: Option<String>,
    /// The ledger's origin: at the head of every page but the first.
    pub origin: String,
    /// When it was made, where it says so: the file's only time.
    pub made: Option<Timestamp>,
    /// What follows the title.
    pub blocks: Vec<Block>,
    /// The last page, where there is something to verify.
    pub verification: Option<Verification>,
    /// What stands at every page's foot.
    pub foot: Foot,
}

/// A verdict in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its sign.
    pub mark: Mark,
    /// The word, e.g. "PASS".
    pub word: String,
}

/// What a check came to. It is drawn as a sign and said in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// Nothing says whether it holds.
    None,
}

/// A page's foot, beside its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foot {
    /// Whose ledger.
    pub tenant: String,
    /// What tells this document from others.
    pub id: String,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Begins a subject in a short document, without a number.
    Heading(String),
    /// Begins a section: they are numbered in their order.
    Section(String),
    /// Begins a part of the section.
    Subsection(String),
    /// Prose.
    Text(String),
    /// A remark, set apart from what it is about.
    Note(String),
    /// Names and values, one a line.
    Facts(Vec<(String, Value)>),
    /// Rows under a head that is repeated on every page.
    Table(Table),
    /// What was checked, what it came to, and what proves it.
    Checks(Vec<Check>),
    /// Spans of time, to scale.
    Scale(Scale),
    /// Commands to copy, each a line.
    Commands(Vec<String>),
    /// Texts to compare or scan, side by side.
    Codes(Vec<Code>),
    /// Lines to sign on.
    Signatures(Vec<Signature>),
    /// What follows begins a page.
    NewPage,
}

/// Spans of time over one axis, drawn to scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// The axis' first moment.
    pub from: Timestamp,
    /// Its last one.
    pub to: Timestamp,
    /// What stands at its two ends.
    pub names: (String, String),
    /// The rows.
    pub spans: Vec<Span>,
}

/// From one moment to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub name: String,
    /// Its first moment.
    pub from: Timestamp,
    /// Its last one.
    pub to: Timestamp,
    /// Whether it stands out.
    pub strong: bool,
}

/// A value in a fact or a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Words.
    Words(String),
    /// Something to compare character by character.
    Exact(String),
    /// A digest: exact, and in groups of eight.
    Digest(String),
    /// What a check came to.
    Mark(Mark),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows. A cell beyond the columns has one without a name.
    pub rows: Vec<Vec<Value>>,
}

/// A table's column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What is in it.
    pub name: String,
    /// Its share of the width, relative to the others'.
    pub weight: u16,
    /// Whether it is flush right, as numbers are.
    pub right: bool,
}

impl Column {
    /// A column that is flush left.
    pub fn new(name: &str, weight: u16) -> Self {
        Self { name: name.to_owned(), weight, right: false }
    }

    /// A column of numbers, flush right.
    pub fn numbers(name: &str, weight: u16) -> Self {
        Self { right: true, ..Self::new(name, weight) }
    }
}

/// Something that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it came to.
    pub mark: Mark,
    /// What should hold.
    pub claim: String,
    /// Where to see it, e.g. "seq 18214".
    pub evidence: String,
}

/// How a reader verifies the report without trusting whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// What the commands show.
    pub lead: String,
    /// What the digest is of.
    pub name: String,
    /// The digest to compare.
    pub digest: String,
    /// Commands to copy, each a line.
    pub commands: Vec<String>,
    /// What their answer means, and what it does not.
    pub meaning: String,
}

/// A text as a QR code, with its name and itself beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What it is.
    pub name: String,
    /// What it encodes.
    pub text: String,
}

/// A line to sign on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Who signs.
    pub name: String,
    /// As what.
    pub role: String,
}
