//! What was asked of the device, in records that a kill can't tear.

use std::fmt;
use std::str::FromStr;

/// Bytes of a record. A page holds a whole number of them: the kernel may stop a write of a killed process between two
/// pages, and only there.
pub const RECORD_BYTES: usize = 512;

/// How far a `C_Sign` has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// It was called; nothing has been forwarded.
    Entered,
    /// The real module answered `CKR_OK`: there is a signature.
    Signed,
    /// The real module answered something else.
    Refused,
}

/// One step of one `C_Sign` with an output buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which step.
    pub stage: Stage,
    /// The process.
    pub process: u32,
    /// The call's number in its process, from 1: the same in all records of a call.
    pub call: u64,
    /// The first 32 bytes of what was to be signed, in hex: for P-256 the digest.
    pub input: String,
    /// The key's `CKA_LABEL`.
    pub key: String,
}

impl Record {
    /// The record as it is appended: text, padded with spaces to [`RECORD_BYTES`], its last byte a line feed.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let text = self.to_string();
        let length = text.len().min(RECORD_BYTES - 1);
        let mut bytes = [b' '; RECORD_BYTES];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        bytes[RECORD_BYTES - 1] = b'\n';
        bytes
    }

    /// Every record of a file.
    ///
    /// # Errors
    /// What can't be read as a record.
    pub fn all(bytes: &[u8]) -> Result<Vec<Self>, Unreadable> {
        let (records, rest) = bytes.as_chunks::<RECORD_BYTES>();
        if !rest.is_empty() {
            return Err(Unreadable(format!("a record of {} bytes", rest.len())));
        }
        records.iter().map(|bytes| String::from_utf8_lossy(bytes).parse()).collect()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Entered => "entered",
            Stage::Signed => "signed",
            Stage::Refused => "refused",
        };
        write!(f, "{stage} {} {} {} {}", self.process, self.call, self.input, self.key)
    }
}

impl FromStr for Record {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let unreadable = || Unreadable(text.to_owned());
        let mut fields = text.trim_end().splitn(5, ' ');
        let mut field = || fields.next().ok_or_else(unreadable);
        let stage = match field()? {
            "entered" => Stage::Entered,
            "signed" => Stage::Signed,
            "refused" => Stage::Refused,
            _ => return Err(unreadable()),
        };
        Ok(Self {
            stage,
            process: field()?.parse().map_err(|_| unreadable())?,
            call: field()?.parse().map_err(|_| unreadable())?,
            input: field()?.to_owned(),
            key: field()?.to_owned(),
        })
    }
}

/// A line that is neither a record nor a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub(crate) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't be read: {:?}", self.0)
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record {
            stage: Stage::Signed,
            process: 17,
            call: 4,
            input: "00ff".to_owned(),
            key: "a label with spaces".to_owned(),
        };
        let file = [record.to_bytes(), record.to_bytes()].concat();
        assert_eq!(Record::all(&file).unwrap(), [record.clone(), record]);
        assert!(Record::all(&file[1..]).is_err());
        assert_eq!(4096 % RECORD_BYTES, 0);
    }
}
