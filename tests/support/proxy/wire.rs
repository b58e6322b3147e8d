//! As much of Postgres' wire protocol as it takes to know which statement is where (PostgreSQL documentation, "Message
//! Formats").

use std::collections::HashMap;
use std::io::{self, Read};

/// What may stand in a startup message's place.
pub const CANCEL: u32 = 80_877_102;
pub const TLS: u32 = 80_877_103;
pub const GSS: u32 = 80_877_104;

/// One message, byte for byte.
pub struct Message {
    /// Its tag; 0 for those that begin a connection.
    pub tag: u8,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Message {
    /// Reads a message with a tag.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 5];
        from.read_exact(&mut head)?;
        Self::rest(from, head[0], &head, 1)
    }

    /// Reads a message that begins a connection.
    pub fn read_first(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 4];
        from.read_exact(&mut head)?;
        Self::rest(from, 0, &head, 0)
    }

    /// The length counts itself and not the tag.
    fn rest(from: &mut impl Read, tag: u8, head: &[u8], before: usize) -> io::Result<Self> {
        let length = u32::from_be_bytes(head[before..].try_into().expect("four bytes")) as usize;
        let mut bytes = head.to_vec();
        bytes.resize(before + length.max(4), 0);
        from.read_exact(&mut bytes[head.len()..])?;
        Ok(Self { tag, bytes })
    }

    /// The code of a message that begins a connection.
    pub fn code(&self) -> u32 {
        self.bytes.get(4..8).map_or(0, |code| u32::from_be_bytes(code.try_into().expect("four bytes")))
    }

    fn body(&self) -> &[u8] {
        &self.bytes[5..]
    }
}

/// A statement on its way to being executed.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    /// Its text; several at once where they were sent so.
    pub sql: String,
    /// Its parameters as they travel.
    pub parameters: Vec<u8>,
}

impl Statement {
    /// Whether the text begins so.
    pub fn begins(&self, beginning: &str) -> bool {
        self.sql.trim_start().starts_with(beginning)
    }

    /// Whether it is an INSERT into a table with these bytes among its parameters.
    pub fn inserts(&self, table: &str, bytes: &str) -> bool {
        let holds =
            |what: &[u8]| bytes.is_empty() || what.windows(bytes.len()).any(|at| at == bytes.as_bytes());
        self.begins(&format!("INSERT INTO {table} ")) && holds(&self.parameters)
    }

    /// Whether it ends a transaction and keeps it.
    pub fn commits(&self) -> bool {
        self.sql.contains("COMMIT")
    }
}

/// What a client has prepared and bound, and the transaction it is in.
#[derive(Default)]
pub struct Session {
    prepared: HashMap<Vec<u8>, String>,
    bound: HashMap<Vec<u8>, Statement>,
    /// The statements of the open transaction so far.
    pub transaction: Vec<Statement>,
}

impl Session {
    /// Follows a message of the client's; the statement that it has executed, if it does.
    pub fn follow(&mut self, message: &Message) -> Option<Statement> {
        let (name, rest) = text(message.body());
        match message.tag {
            b'P' => {
                let sql = String::from_utf8_lossy(text(rest).0).into_owned();
                self.prepared.insert(name.to_vec(), sql);
                None
            }
            b'B' => {
                let (statement, parameters) = text(rest);
                let sql = self.prepared.get(statement).cloned().unwrap_or_default();
                self.bound.insert(name.to_vec(), Statement { sql, parameters: parameters.to_vec() });
                None
            }
            b'E' => self.bound.get(name).cloned(),
            b'Q' => {
                let sql = String::from_utf8_lossy(name).into_owned();
                Some(Statement { sql, parameters: Vec::new() })
            }
            _ => None,
        }
    }

    /// Remembers a statement as one of its transaction's, or forgets them at the transaction's end.
    pub fn remember(&mut self, statement: Statement) {
        if statement.commits() || statement.begins("ROLLBACK") || statement.begins("BEGIN") {
            self.transaction.clear();
        } else {
            self.transaction.push(statement);
        }
    }
}

/// Whether the server answers this message, with all before it, by ReadyForQuery.
pub fn ends_a_unit(message: &Message) -> bool {
    matches!(message.tag, b'S' | b'Q')
}

/// Splits after a NUL.
fn text(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}
