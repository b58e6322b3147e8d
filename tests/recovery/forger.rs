//! Somebody with the database owner's rights and the code: everything but the device and the members' passkeys. What
//! they write has canonical bytes, right links, right columns and a right head.

use integration::{Server, Tenant};
use sealbook::clock;
use sealbook_ledger::canonical;
use sealbook_ledger::event::Event;
use sealbook_ledger::merkle::{Frontier, leaf_hash};
use serde_json::{Value, json};

use crate::database::{Role, execute, query};

/// A ledger in a forger's hands.
pub struct Forger<'a> {
    server: &'a Server,
    origin: String,
    events: Vec<Value>,
}

impl<'a> Forger<'a> {
    /// Reads a ledger whose tenant is served, once everything is sealed.
    pub fn of(server: &'a Server, tenant: &Tenant) -> Self {
        tenant.exported();
        Self::read(server, &tenant.origin)
    }

    /// Reads a ledger from the database.
    pub fn read(server: &'a Server, origin: &str) -> Self {
        let mut forger = Self { server, origin: origin.to_owned(), events: Vec::new() };
        let rows = format!("SELECT bytes FROM sealbook.events WHERE {} ORDER BY seq", forger.mine());
        let rows = query(server, &rows);
        forger.events = rows.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
        forger
    }

    /// The events as the forger knows them.
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// The seq of the last event of a type.
    #[track_caller]
    pub fn last(&self, kind: &str) -> usize {
        self.events.iter().rposition(|event| event["type"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    /// Adds an event at the end, with a right chain; says which seq it has.
    pub fn append(&mut self, kind: &str, actor: &Value, data: &Value) -> usize {
        let at = self.events.len();
        let correlation = clock::correlation();
        self.events.push(json!({
            "v": 1, "origin": self.origin, "seq": at, "time": clock::now().to_string(), "type": kind,
            "actor": actor, "correlation": correlation, "prev": "", "data": data,
        }));
        self.write_from(at, true);
        at
    }

    /// Replaces the history from a seq on by another one, with a right chain.
    pub fn rewrite(&mut self, from: usize, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.events);
        self.write_from(from, true);
    }

    /// The same below the head, which is left as it was.
    pub fn rewrite_under(&mut self, from: usize, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.events);
        self.write_from(from, false);
    }

    /// Takes the ledger's rows out of some tables.
    pub fn forget(&self, tables: &[&str]) {
        for table in tables {
            self.execute(&format!("DELETE FROM sealbook.{table} WHERE {}", self.mine()));
        }
    }

    /// What a statement says of the ledger's rows.
    pub fn mine(&self) -> String {
        format!("ledger_id = (SELECT ledger_id FROM sealbook.ledgers WHERE origin = '{}')", self.origin)
    }

    /// Runs statements as the owner, past the trigger.
    pub fn execute(&self, statements: &str) {
        let disabled = format!(
            "ALTER TABLE sealbook.events DISABLE TRIGGER append_only; {statements}; ALTER TABLE sealbook.events ENABLE ALWAYS TRIGGER append_only;"
        );
        execute(self.server, Role::Owner, &format!("BEGIN; {disabled} COMMIT;")).unwrap();
    }

    fn write_from(&mut self, from: usize, head_too: bool) {
        let (mut frontier, mut end_offset, mut prev) = (Frontier::new(), 0, "0".repeat(64));
        let mut rows = Vec::new();
        for (at, event) in self.events.iter_mut().enumerate() {
            if at >= from {
                event["seq"] = at.into();
                event["prev"] = prev.into();
            }
            let bytes = canonical::to_vec(event).unwrap();
            let hash = Event::hash(&bytes);
            frontier.append(leaf_hash(&bytes));
            end_offset += bytes.len() + 1;
            prev = hash.to_string();
            if at >= from {
                rows.push(format!(
                    "SELECT ledger_id, {at}, '\\x{hash}'::bytea, {end_offset}, '{}'::timestamptz, '{}', '\\x{}'::bytea \
                     FROM sealbook.ledgers WHERE origin = '{}'",
                    event["time"].as_str().unwrap(),
                    event["type"].as_str().unwrap(),
                    hex::encode(&bytes),
                    self.origin
                ));
            }
        }
        let mine = self.mine();
        let insert = "INSERT INTO sealbook.events (ledger_id, seq, hash, end_offset, time, type, bytes)";
        let inserts: String = rows.iter().map(|row| format!("{insert} {row};\n")).collect();
        let (size, root) = (self.events.len(), frontier.root());
        let head = format!(
            "UPDATE sealbook.heads SET size = {size}, hash = '\\x{prev}', root = '\\x{root}', end_offset = {end_offset} \
             WHERE {mine}"
        );
        let head = if head_too { head } else { String::new() };
        self.execute(&format!(
            "DELETE FROM sealbook.events WHERE {mine} AND seq >= {from};\n{inserts}{head}"
        ));
    }
}

/// A service as the actor of an event.
pub fn service(id: &str) -> Value {
    json!({ "kind": "service", "id": id })
}

/// A member as the actor of an event.
pub fn member(id: &str) -> Value {
    json!({ "kind": "member", "id": id })
}

/// The server as the actor of an event.
pub fn system() -> Value {
    json!({ "kind": "system", "id": "server" })
}
