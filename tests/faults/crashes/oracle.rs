//! What has to hold whenever the server was killed, told from the database itself, the device's record, the high-water
//! file, and what clients received: never from what the server says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use integration::shim::Stage;
use integration::{Installation, postgres};
use pkcs11_shim::record::{RECORD_BYTES, Record};
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::state::State;
use sealbook_ledger::verify::Verifier;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, IsolationLevel, NoTls};

use crate::load::{Account, Received};

/// One ledger's.
pub struct Oracle {
    runtime: Runtime,
    client: Client,
    ledger: i64,
    verifier: Verifier,
    /// By size.
    roots: Vec<Hash>,
    /// Whatever was ever said of a size, by whom and what: its root.
    notes: BTreeMap<u64, String>,
    sealed: u64,
    signatures: Signatures,
    device: Device,
    high_water: PathBuf,
}

/// What a look found, for whoever wants to know where exactly the server died.
#[derive(Debug, Clone, Copy, Default)]
pub struct Found {
    /// The size in the high-water file.
    pub marked: u64,
    /// The newest stored checkpoint's.
    pub sealed: u64,
    /// A new high-water file lies beside the old one.
    pub mark_in_writing: bool,
    /// Signatures that the device made and nothing is recorded of.
    pub unsettled: usize,
}

impl Oracle {
    /// Of an installation's only ledger.
    pub fn of(at: &Installation, origin: &str, calls: PathBuf) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut config = Config::new();
        config.host_path(at.postgres.socket()).port(postgres::PORT);
        config.user(postgres::ADMIN).dbname("sealbook");
        let (client, ledger) = runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await.expect("Postgres is there");
            tokio::spawn(connection);
            let find = "SELECT ledger_id FROM sealbook.ledgers WHERE origin = $1";
            let row = client.query_one(find, &[&origin]).await.unwrap();
            let ledger = row.get(0);
            (client, ledger)
        });
        let verifier = Verifier::new(origin.parse().unwrap());
        let roots = vec![verifier.root()];
        let high_water = at.at("state/high-water");
        let (notes, signatures) = (BTreeMap::new(), Signatures::default());
        let device = Device { calls, read: 0, keys: BTreeMap::new(), entered: BTreeMap::new() };
        Self { runtime, client, ledger, verifier, roots, notes, sealed: 0, signatures, device, high_water }
    }

    /// Looks at everything that is new since the last look, and fails where something does not hold.
    #[track_caller]
    pub fn look(&mut self, received: &[Received], clients_notes: &[String]) -> Found {
        self.device.read();
        let (marked, mark_in_writing) = self.read_database();
        for note in clients_notes {
            self.hold_note(note, "a client");
        }
        for received in received {
            self.signatures.released(received);
        }
        let signed = self.device.hold(&self.signatures, &self.verifier);
        Found { marked, sealed: self.sealed, mark_in_writing, unsettled: signed - self.signatures.made() }
    }

    /// How the authorisations stand.
    pub fn account(&self) -> Account {
        self.signatures.keys.values().fold(Account::default(), |all, one| Account {
            authorized: all.authorized + one.authorized,
            created: all.created + one.created,
            failed: all.failed + one.failed,
            withheld: all.withheld + one.withheld,
            abandoned: all.abandoned + one.abandoned,
            open: all.open + one.open,
        })
    }

    /// The ledger's state, as of the last look.
    pub fn state(&self) -> &State {
        self.verifier.state()
    }

    /// The labels of the keys of the ledger's slots.
    pub fn slot_keys(&self) -> Vec<String> {
        let founded = self.verifier.state().founded().unwrap();
        founded.keys().values().map(|key| key.label.clone()).collect()
    }

    /// Events, head and checkpoints of one moment; and before them the high-water file, which they may not be behind.
    #[track_caller]
    fn read_database(&mut self) -> (u64, bool) {
        let mark = self.mark();
        let (size, sealed) = (self.verifier.size() as i64, self.sealed as i64);
        let (ledger, client) = (self.ledger, &mut self.client);
        let (events, head, checkpoints) = self.runtime.block_on(async {
            let moment = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
            let moment = moment.read_only(true).start().await.unwrap();
            let events = "SELECT seq, hash, bytes FROM sealbook.events WHERE ledger_id = $1 AND seq >= $2 ORDER BY seq";
            let events = moment.query(events, &[&ledger, &size]).await.unwrap();
            let head = "SELECT size, hash, root FROM sealbook.heads WHERE ledger_id = $1";
            let head = moment.query_one(head, &[&ledger]).await.unwrap();
            let notes = "SELECT size, note FROM sealbook.checkpoints WHERE ledger_id = $1 AND size > $2 ORDER BY size";
            (events, head, moment.query(notes, &[&ledger, &sealed]).await.unwrap())
        });
        for row in events {
            let (seq, hash, bytes): (i64, Vec<u8>, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
            assert_eq!(seq as u64, self.verifier.size(), "a gap");
            let pushed = self.verifier.push(&bytes).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(hash, pushed.hash.0, "seq {seq}");
            self.roots.push(self.verifier.root());
            self.signatures.follow(&serde_json::from_slice(&bytes).unwrap());
        }
        let head: (i64, Vec<u8>, Vec<u8>) = (head.get(0), head.get(1), head.get(2));
        assert_eq!(head.0 as u64, self.verifier.size());
        assert_eq!(
            (head.1, head.2),
            (self.verifier.state().head().0.to_vec(), self.verifier.root().0.to_vec())
        );
        for row in checkpoints {
            self.sealed = row.get::<_, i64>(0) as u64;
            self.hold_note(&row.get::<_, String>(1), "the database");
        }
        let marked = mark.sealed.map_or(0, |(size, root)| {
            self.hold_root(size, &root, "the high-water file");
            size
        });
        assert!(
            marked >= self.sealed,
            "a seal at {} that the high-water file at {marked} does not know",
            self.sealed
        );
        (marked, mark.in_writing)
    }

    /// A checkpoint holds for its size, whoever shows it.
    #[track_caller]
    fn hold_note(&mut self, note: &str, whose: &str) {
        let signed = SignedCheckpoint::parse(note.as_bytes()).unwrap();
        signed.verify(&self.verifier.state().ledger_key().unwrap().vkey).unwrap();
        let checkpoint = signed.checkpoint();
        self.hold_root(checkpoint.size, &checkpoint.root.to_string(), whose);
    }

    #[track_caller]
    fn hold_root(&mut self, size: u64, root: &str, whose: &str) {
        let said = self.notes.entry(size).or_insert_with(|| root.to_owned());
        assert_eq!(said, root, "two roots of size {size}, the second {whose}'s");
        let durable = self.roots.get(usize::try_from(size).unwrap());
        let durable = durable.unwrap_or_else(|| panic!("{whose} has size {size}, which is not durable"));
        assert_eq!(durable.to_string(), root, "{whose} has another root of size {size}");
    }

    fn mark(&self) -> Mark {
        let files = fs::read_dir(&self.high_water).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut mark = Mark::default();
        for path in files {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            mark.in_writing |= name.ends_with(".high-water.new");
            if !name.ends_with(".high-water") {
                continue;
            }
            let text = fs::read_to_string(path).unwrap_or_default();
            let sealed = text.lines().find_map(|line| line.strip_prefix("sealed ")?.split_once(' '));
            mark.sealed = sealed.map(|(size, root)| (size.parse().unwrap(), root.to_owned()));
        }
        mark
    }
}

/// A high-water file as it is.
#[derive(Debug, Default)]
struct Mark {
    sealed: Option<(u64, String)>,
    in_writing: bool,
}

/// What the events say of signatures, those of revocation lists among them.
#[derive(Default)]
struct Signatures {
    /// By key.
    keys: BTreeMap<String, Account>,
    /// The key of each open authorisation, by seq.
    open: BTreeMap<u64, String>,
    ended: BTreeSet<u64>,
    /// How often each digest was authorised, in hex.
    digests: BTreeMap<String, usize>,
    /// Digest and signature of what was created, by seq.
    created: BTreeMap<u64, (String, String)>,
}

impl Signatures {
    #[track_caller]
    fn follow(&mut self, event: &Value) {
        let (kind, data) = (event["type"].as_str().unwrap(), &event["data"]);
        let seq = event["seq"].as_u64().unwrap();
        let text = |name: &str| data[name].as_str().unwrap().to_owned();
        if ["crl.authorized", "signature.authorized"].contains(&kind) {
            let account = self.keys.entry(text("key")).or_default();
            account.authorized += 1;
            account.open += 1;
            *self.digests.entry(text("digest")).or_default() += 1;
            self.open.insert(seq, text("key"));
            return;
        }
        let count: fn(&mut Account) -> &mut usize = match kind {
            "crl.issued" | "signature.created" => |account| &mut account.created,
            "crl.failed" | "signature.failed" => |account| &mut account.failed,
            "signature.withheld" => |account| &mut account.withheld,
            "crl.abandoned" | "signature.abandoned" => |account| &mut account.abandoned,
            _ => return,
        };
        let authorization = data["authorization"].as_u64().unwrap();
        assert!(self.ended.insert(authorization), "a second outcome: {event}");
        let key =
            self.open.remove(&authorization).unwrap_or_else(|| panic!("an outcome of nothing: {event}"));
        let account = self.keys.get_mut(&key).unwrap();
        account.open -= 1;
        *count(account) += 1;
        if kind == "signature.created" {
            self.created.insert(seq, (text("digest"), text("signature")));
        }
    }

    /// Released ⊆ durable.
    #[track_caller]
    fn released(&self, received: &Received) {
        let recorded = self.created.get(&received.seq);
        let released = (received.digest.clone(), URL_SAFE_NO_PAD.encode(&received.signature));
        assert_eq!(recorded, Some(&released), "released at seq {} and not recorded so", received.seq);
    }

    /// Those that were certainly made.
    fn made(&self) -> usize {
        self.keys.values().map(|account| account.created + account.withheld).sum()
    }
}

/// What the device says that it was asked.
struct Device {
    calls: PathBuf,
    /// Bytes of its record that were read.
    read: usize,
    /// Signatures made, by the key's label.
    keys: BTreeMap<String, usize>,
    /// Calls, by key and input.
    entered: BTreeMap<(String, String), usize>,
}

impl Device {
    fn read(&mut self) {
        let bytes = fs::read(&self.calls).unwrap_or_default();
        let whole = bytes.len() - bytes.len() % RECORD_BYTES;
        for call in Record::all(&bytes[self.read..whole]).unwrap() {
            match call.stage {
                Stage::Entered => *self.entered.entry((call.key, call.input)).or_default() += 1,
                Stage::Signed => *self.keys.entry(call.key).or_default() += 1,
                Stage::Refused => {}
            }
        }
        self.read = whole;
    }

    /// created + withheld ≤ signed ≤ created + withheld + failed + abandoned, where what is open may have been signed; and
    /// nothing was ever asked for that was not authorised before. Says how much was signed with the slots' keys.
    #[track_caller]
    fn hold(&self, signatures: &Signatures, verifier: &Verifier) -> usize {
        let Ok(founded) = verifier.state().founded() else { return 0 };
        let mut all = 0;
        for (id, key) in founded.keys() {
            let account = signatures.keys.get(&id.to_string()).copied().unwrap_or_default();
            let signed = self.keys.get(&key.label).copied().unwrap_or_default();
            let least = account.created + account.withheld;
            let most = least + account.failed + account.abandoned + account.open;
            assert!((least..=most).contains(&signed), "{signed} signatures of {}: {account:?}", key.label);
            all += signed;
        }
        let of_a_slot = |label: &String| founded.keys().values().any(|key| key.label == *label);
        for ((label, digest), calls) in self.entered.iter().filter(|((label, _), _)| of_a_slot(label)) {
            let authorized = signatures.digests.get(digest).copied().unwrap_or_default();
            assert!(
                *calls <= authorized,
                "{label} was asked {calls} times for {digest}, authorised {authorized} times"
            );
        }
        all
    }
}
