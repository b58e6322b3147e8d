//! A thousand rows of a running server's database, edited one after another by its owner with the triggers off: each edit
//! is found, and named by its event or checkpoint.
//!
//! `SEALBOOK_SEED` repeats a run, `SEALBOOK_ROWS` says how many edits, `SEALBOOK_ROW` makes this one alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use integration::Server;
use integration::story::Story;
use sealbook::rebuilding::rebuild;
use sealbook::store::{Store, StoreConfig, Transport};
use sealbook_ledger::event::Event;
use serde_json::{Value, json};
use tokio_postgres::{Client, Config, NoTls};

use crate::dice::{Dice, setting};

const SEED: u64 = 20_261_122;
const ROWS: u64 = 1_000;

/// What an edit did, and what has to be said of it.
struct Edit {
    kind: &'static str,
    said: Expected,
}

enum Expected {
    /// A scrub names this event.
    Event(usize),
    /// A scrub names one of these checkpoints.
    Checkpoints(Vec<u64>),
    /// A rebuild of the read tables disagrees with them, and mends them.
    ReadTables,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// The database in its owner's hands, and what it held before anybody touched it.
struct Owner {
    client: Client,
    store: Arc<Store>,
    events: Vec<(String, Vec<u8>)>,
    checkpoints: Vec<(u64, String, bool)>,
    /// A checkpoint row that no other covers: the newest, and those that two keys signed.
    needed: Vec<u64>,
}

const EVENTS: &str = "sealbook.events";
const CHECKPOINTS: &str = "sealbook.checkpoints";

impl Owner {
    async fn of(server: &Server) -> Self {
        let connect = |user: &str, secret: &str| {
            let password = std::fs::read_to_string(server.data().join("secrets").join(secret)).unwrap();
            let mut config = Config::new();
            config.host_path(server.data().join("postgres/socket")).port(5432).dbname("sealbook");
            config.user(user).password(password.trim());
            config
        };
        let (client, connection) =
            connect("sealbook_owner", "postgres-owner.password").connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let app = connect("sealbook_app", "postgres-app.password");
        let store = Arc::new(Store::open(StoreConfig::new(app, Transport::Plain)).unwrap());
        client
            .batch_execute(&format!(
                "CREATE SCHEMA kept; CREATE TABLE kept.events AS SELECT * FROM {EVENTS};
                 CREATE TABLE kept.checkpoints AS SELECT * FROM {CHECKPOINTS};
                 ALTER TABLE {EVENTS} DISABLE TRIGGER append_only;
                 ALTER TABLE {CHECKPOINTS} DISABLE TRIGGER append_only;"
            ))
            .await
            .unwrap();
        let rows =
            client.query(&format!("SELECT type, bytes FROM {EVENTS} ORDER BY seq"), &[]).await.unwrap();
        let events: Vec<(String, Vec<u8>)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let sql = format!("SELECT size, note, transition FROM {CHECKPOINTS} ORDER BY size");
        let rows = client.query(&sql, &[]).await.unwrap();
        let checkpoints: Vec<(u64, String, bool)> =
            rows.iter().map(|row| (row.get::<_, i64>(0) as u64, row.get(1), row.get(2))).collect();
        let needed = checkpoints.iter().filter(|(_, _, two)| *two).map(|(size, _, _)| *size);
        let needed = needed.chain(checkpoints.last().map(|(size, _, _)| *size)).collect();
        Self { client, store, events, checkpoints, needed }
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Everything as it was.
    async fn undo(&self) {
        self.run(&format!(
            "BEGIN; DELETE FROM {EVENTS}; INSERT INTO {EVENTS} SELECT * FROM kept.events;
             DELETE FROM {CHECKPOINTS}; INSERT INTO {CHECKPOINTS} SELECT * FROM kept.checkpoints; COMMIT;"
        ))
        .await;
    }

    /// One edit of a row of events.
    async fn edit_event(&self, dice: &mut Dice) -> Edit {
        let (at, other) = (dice.below(self.events.len()), dice.below(self.events.len() - 1));
        // Another one.
        let other = if other >= at { other + 1 } else { other };
        let bytes = &self.events[at].1;
        let found = |kind, seq| Edit { kind, said: Expected::Event(seq) };
        let set =
            |column: &str, value: String| format!("UPDATE {EVENTS} SET {column} = {value} WHERE seq = {at}");
        match dice.below(12) {
            0 => {
                let (byte, bit) = (dice.below(bytes.len()), 1 << dice.below(8));
                self.run(&set("bytes", format!("set_byte(bytes, {byte}, get_byte(bytes, {byte}) # {bit})")))
                    .await;
                found("a byte of an event", at)
            }
            1 => {
                let (byte, bit) = (dice.below(32), 1 << dice.below(8));
                self.run(&set("hash", format!("set_byte(hash, {byte}, get_byte(hash, {byte}) # {bit})")))
                    .await;
                found("a hash", at)
            }
            2 => {
                self.replace(at, &edited(bytes, dice)).await;
                found("a value and its hash", at)
            }
            3 => {
                let mut event: Value = serde_json::from_slice(bytes).unwrap();
                event["prev"] = "ab".repeat(32).into();
                self.replace(at, &serde_json::to_vec(&event).unwrap()).await;
                found("`prev` and the hash", at)
            }
            4 => {
                self.run(&set("seq", format!("{}", self.events.len() + 1000))).await;
                found("a seq", at)
            }
            5 => {
                let kind = if self.events[at].0 == self.events[other].0 {
                    "refusal.made"
                } else {
                    &self.events[other].0
                };
                self.run(&set("type", format!("'{kind}'"))).await;
                found("a type", at)
            }
            6 => {
                self.run(&set("time", "time + interval '1 microsecond'".to_owned())).await;
                found("a time", at)
            }
            7 => {
                self.run(&set("end_offset", "end_offset + 1".to_owned())).await;
                found("an offset", at)
            }
            8 => {
                self.run(&format!("DELETE FROM {EVENTS} WHERE seq = {at}")).await;
                found("a row deleted", at)
            }
            9 => {
                self.run(&format!(
                    "UPDATE {EVENTS} SET seq = -1 - seq + 2000000 WHERE seq IN ({at}, {other});
                     UPDATE {EVENTS} SET seq = CASE seq WHEN 1999999 - {at} THEN {other} ELSE {at} END
                     WHERE seq > 1000000"
                ))
                .await;
                found("two rows swapped", at.min(other))
            }
            10 => {
                self.run(&format!(
                    "UPDATE {EVENTS} SET seq = seq + 1000000 WHERE seq >= {at};
                     UPDATE {EVENTS} SET seq = seq - 999999 WHERE seq >= 1000000;
                     INSERT INTO {EVENTS} SELECT ledger_id, {at}, hash, end_offset, time, type, bytes
                         FROM kept.events WHERE seq = {other}"
                ))
                .await;
                found("a row inserted", at)
            }
            _ => {
                self.relink(at, &edited(bytes, dice)).await;
                found("a value, with every later link anew", at)
            }
        }
    }

    /// Other bytes for an event, with their hash.
    async fn replace(&self, at: usize, bytes: &[u8]) {
        let (hash, text) = (Event::hash(bytes), hex::encode(bytes));
        self.run(&format!("UPDATE {EVENTS} SET bytes = '\\x{text}', hash = '\\x{hash}' WHERE seq = {at}"))
            .await;
    }

    /// The same, and every later event with the link that it must have then: only a root differs.
    async fn relink(&self, at: usize, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.replace(at, &bytes).await;
        for later in at + 1..self.events.len() {
            let mut event: Value = serde_json::from_slice(&self.events[later].1).unwrap();
            event["prev"] = Event::hash(&bytes).to_string().into();
            bytes = serde_json::to_vec(&event).unwrap();
            self.replace(later, &bytes).await;
        }
    }

    async fn edit_checkpoint(&self, dice: &mut Dice) -> Edit {
        let at = dice.below(self.checkpoints.len());
        let (size, note, _) = &self.checkpoints[at];
        let other =
            &self.checkpoints[(at + 1 + dice.below(self.checkpoints.len() - 1)) % self.checkpoints.len()];
        let found = |kind| Edit { kind, said: Expected::Checkpoints(vec![*size]) };
        let row = format!("UPDATE {CHECKPOINTS} SET");
        match dice.below(5) {
            0 => {
                let mut changed = note.clone().into_bytes();
                let byte = dice.below(changed.len());
                changed[byte] = if changed[byte] == b'B' { b'C' } else { b'B' };
                let text = String::from_utf8_lossy(&changed).replace('\'', "''");
                self.run(&format!("{row} note = '{text}' WHERE size = {size}")).await;
                found("a character of a checkpoint")
            }
            1 => {
                self.run(&format!("{row} note = '{}' WHERE size = {size}", other.1)).await;
                found("another checkpoint's note")
            }
            2 => {
                self.run(&format!("{row} transition = NOT transition WHERE size = {size}")).await;
                found("whether two keys signed")
            }
            3 => {
                let moved = size + 1 + dice.below(3) as u64;
                let free = self.checkpoints.iter().all(|(size, _, _)| *size != moved);
                let moved = if free { moved } else { self.events.len() as u64 + 7 };
                self.run(&format!("{row} size = {moved} WHERE size = {size}")).await;
                // Beyond what is sealed it covers nothing, and is missed only where it was needed.
                match (moved > self.events.len() as u64, self.needed.contains(size)) {
                    (true, false) => Edit { kind: "a checkpoint moved", said: Expected::Nothing(COVERED) },
                    _ => Edit { kind: "a checkpoint moved", said: Expected::Checkpoints(vec![*size, moved]) },
                }
            }
            _ => {
                self.run(&format!("DELETE FROM {CHECKPOINTS} WHERE size = {size}")).await;
                let said = match self.needed.contains(size) {
                    true => Expected::Checkpoints(vec![*size]),
                    false => Expected::Nothing(COVERED),
                };
                Edit { kind: "a checkpoint deleted", said }
            }
        }
    }

    async fn edit_projection(&self, dice: &mut Dice) -> Edit {
        let some =
            |table: &str| format!("ctid = (SELECT ctid FROM sealbook.{table} ORDER BY random() LIMIT 1)");
        let (kind, sql): (&str, String) = match dice.below(6) {
            0 => (
                "an action's status",
                format!("UPDATE sealbook.p_actions SET status = 'doctored' WHERE {}", some("p_actions")),
            ),
            1 => (
                "a slot's status",
                format!("UPDATE sealbook.p_slots SET status = 'doctored' WHERE {}", some("p_slots")),
            ),
            2 => ("a member's row", format!("DELETE FROM sealbook.p_members WHERE {}", some("p_members"))),
            3 => (
                "a key's state",
                format!("UPDATE sealbook.p_keys SET state = 'doctored' WHERE {}", some("p_keys")),
            ),
            4 => (
                "a service's place",
                format!(
                    "UPDATE sealbook.p_services SET last_seq = last_seq + 1 WHERE {}",
                    some("p_services")
                ),
            ),
            _ => (
                "a signature's outcome",
                format!("UPDATE sealbook.p_signatures SET outcome = 2 WHERE {}", some("p_signatures")),
            ),
        };
        self.run(&sql).await;
        Edit { kind, said: Expected::ReadTables }
    }

    async fn edit(&self, dice: &mut Dice) -> Edit {
        match dice.below(10) {
            0 => self.edit_projection(dice).await,
            1 | 2 => self.edit_checkpoint(dice).await,
            _ => self.edit_event(dice).await,
        }
    }

    /// Whether the read tables were what the events say; afterwards they are.
    async fn agrees(&self) -> bool {
        let ledgers = self.store.ledgers().await.unwrap();
        rebuild(&self.store, &ledgers[0]).await.unwrap().agreed
    }
}

const COVERED: &str = "a later checkpoint covers what one that is gone covered";

/// The event with other words in it, still in its one form.
fn edited(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(bytes).unwrap();
    event["correlation"] = format!("01934f00-0000-7000-8000-{:012x}", dice.next() >> 16).into();
    serde_json::to_vec(&event).unwrap()
}

#[test]
fn a_thousand_edited_rows_are_found_and_named() {
    let seed = setting("SEALBOOK_SEED", SEED);
    let (from, to) = match setting("SEALBOOK_ROW", u64::MAX) {
        u64::MAX => (0, setting("SEALBOOK_ROWS", ROWS)),
        one => (one, one + 1),
    };
    let server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    story.sealed();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let owner = runtime.block_on(Owner::of(&server));
    let scrub = || server.operator().post(&story.tenant.path("/scrub"), &json!({}));
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for number in from..to {
        let mut dice = Dice::new(seed, number);
        let edit = runtime.block_on(owner.edit(&mut dice));
        let what = format!("edit {number} of seed {seed} ({})", edit.kind);
        match edit.said {
            Expected::ReadTables => {
                assert!(!runtime.block_on(owner.agrees()), "{what}: the read tables are believed");
                assert!(runtime.block_on(owner.agrees()), "{what}: the read tables are not mended");
            }
            Expected::Nothing(why) => assert_eq!(scrub().status, 200, "{what}: {why}"),
            Expected::Event(_) | Expected::Checkpoints(_) => {
                assert_eq!(scrub().expect(500).code(), "ledger.corrupt", "{what}");
                let said = server.api().get("/readyz").expect(503).text();
                let named = match &edit.said {
                    Expected::Checkpoints(sizes) => {
                        sizes.iter().any(|size| said.contains(&format!("checkpoint at {size} events")))
                    }
                    Expected::Event(seq) => said.contains(&format!("the sealed event {seq} ")),
                    Expected::ReadTables | Expected::Nothing(_) => true,
                };
                assert!(named, "{what}: {said}");
            }
        }
        *kinds.entry(edit.kind).or_default() += 1;
        runtime.block_on(owner.undo());
    }
    assert_eq!(scrub().status, 200, "everything is as it was");
    println!("seed {seed}: {} edits, all found", to - from);
    kinds.iter().for_each(|(kind, count)| println!("  {kind}: {count}"));
}
