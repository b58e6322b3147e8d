//! What a report says, in the order of its reading; pages, fonts and places are the drawing's business.

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is, e.g. "Ledger birth certificate".
    pub kind: String,
    /// The reader's only question, answered in one sentence.
    pub sentence: String,
    /// What follows it.
    pub blocks: Vec<Block>,
    /// What stands at every page's foot.
    pub foot: Foot,
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
    /// Begins a subject.
    Heading(String),
    /// Prose.
    Text(String),
    /// Names and values, one a line.
    Facts(Vec<(String, Value)>),
    /// Rows under a head that is repeated on every page.
    Table(Table),
    /// Commands to copy, each a line.
    Commands(Vec<String>),
    /// Texts to compare or scan, side by side.
    Codes(Vec<Code>),
    /// Lines to sign on.
    Signatures(Vec<Signature>),
    /// What follows begins a page.
    NewPage,
}

/// A fact's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Words.
    Words(String),
    /// Something to compare character by character.
    Exact(String),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Each column's name and its share of the width, in hundredths.
    pub columns: Vec<(String, u8)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
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
