//! Signers that ask without pause, and the account that is held with their ledger afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use integration::bundle::Bundle;
use integration::server::Reachable;
use integration::tenant::{Service, Tenant, sha256};
use integration::{Answer, Api, waiting};
use serde_json::{Value, json};

/// Signers at once.
const SIGNERS: usize = 8;

/// The slot that they use.
pub const SLOT: &str = "release";

/// A tenant with one slot, and a service that may use it.
pub fn site(server: &dyn Reachable) -> (Tenant, Service) {
    let tenant = Tenant::founded(server, 3);
    tenant.slot(SLOT, "ecdsa-p256-sha256");
    let service = tenant.service(&[SLOT]);
    (tenant, service)
}

/// What signers do.
#[derive(Clone)]
pub struct Work {
    /// The slots that they use, by turns.
    pub slots: Vec<&'static str>,
    /// Sets the digests of one load apart from another's.
    pub name: String,
    /// Told that an answer begins to arrive.
    pub arriving: Arc<dyn Fn() + Send + Sync>,
}

impl Default for Work {
    fn default() -> Self {
        Self { slots: vec![SLOT], name: String::new(), arriving: Arc::new(|| ()) }
    }
}

/// A signature that a client received: the only ones that count.
#[derive(Debug, Clone)]
pub struct Received {
    /// The event that records it.
    pub seq: u64,
    /// What was signed, in hex.
    pub digest: String,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What the signers saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Signatures that arrived.
    pub received: Vec<Received>,
    /// The codes of the problems that came in their place, and how often. Connections that broke count as `broken`.
    pub refused: BTreeMap<String, usize>,
    /// The longest that anybody waited for an answer.
    pub longest: Duration,
}

/// Signers at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicUsize>,
    refused: Arc<[AtomicBool; SIGNERS]>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Load {
    /// Starts the signers.
    pub fn begin(tenant: &Tenant, service: &Service) -> Self {
        Self::begin_with(tenant, service, &Work::default())
    }

    /// Starts signers that do something else.
    pub fn begin_with(tenant: &Tenant, service: &Service, work: &Work) -> Self {
        let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let refused: Arc<[AtomicBool; SIGNERS]> = Arc::default();
        let threads = (0..SIGNERS).map(|number| {
            let slot = work.slots[number % work.slots.len()];
            let signer = Signer {
                api: service.api.clone(),
                path: tenant.path(&format!("/slots/{slot}/sign")),
                name: format!("{}{number}", work.name),
                stop: Arc::clone(&stop),
                received: Arc::clone(&received),
                refused: (Arc::clone(&refused), number),
                arriving: Arc::clone(&work.arriving),
            };
            std::thread::spawn(move || signer.sign())
        });
        Self { threads: threads.collect(), stop, received, refused }
    }

    /// How many signatures have arrived.
    pub fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits until so many more signatures have arrived.
    pub fn wait_for(&self, more: usize) {
        let wanted = self.received.load(Ordering::Relaxed) + more;
        waiting::until("signatures", || (self.received.load(Ordering::Relaxed) >= wanted).then_some(()));
    }

    /// Waits until signing has stopped: until what each signer was last told is a refusal of after this call.
    pub fn wait_until_refused(&self) {
        self.refused.iter().for_each(|refused| refused.store(false, Ordering::Relaxed));
        let all = || self.refused.iter().all(|refused| refused.load(Ordering::Relaxed));
        waiting::until("everybody to be refused", || all().then_some(()));
    }

    /// Lets the signers end, and adds up what they saw.
    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for thread in self.threads {
            let seen = thread.join().expect("a signer ends in order");
            all.received.extend(seen.received);
            all.longest = all.longest.max(seen.longest);
            for (code, count) in seen.refused {
                *all.refused.entry(code).or_default() += count;
            }
        }
        all
    }
}

/// One that asks for one signature after another.
struct Signer {
    api: Api,
    path: String,
    name: String,
    stop: Arc<AtomicBool>,
    received: Arc<AtomicUsize>,
    /// Whether the last answer of each signer was a refusal, and which of them this one is.
    refused: (Arc<[AtomicBool; SIGNERS]>, usize),
    arriving: Arc<dyn Fn() + Send + Sync>,
}

impl Signer {
    fn sign(&self) -> Seen {
        let mut seen = Seen::default();
        for n in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let digest = sha256(format!("{} {n}", self.name).as_bytes());
            let began = Instant::now();
            let answer = self.ask(&digest);
            seen.longest = seen.longest.max(began.elapsed());
            let refused = !answer.as_ref().is_ok_and(|answer| answer.status == 200);
            self.refused.0[self.refused.1].store(refused, Ordering::Relaxed);
            match answer {
                Ok(answer) if answer.status == 200 => {
                    let signed = answer.json();
                    let signature = STANDARD.decode(signed["signature_b64"].as_str().unwrap()).unwrap();
                    seen.received.push(Received { seq: signed["seq"].as_u64().unwrap(), digest, signature });
                    self.received.fetch_add(1, Ordering::Relaxed);
                }
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{}", answer.said());
                    *seen.refused.entry(answer.code()).or_default() += 1;
                    self.come_back_later();
                }
                Err(_) => {
                    *seen.refused.entry("broken".to_owned()).or_default() += 1;
                    self.come_back_later();
                }
            }
        }
        seen
    }

    fn ask(&self, digest: &str) -> Result<Answer, ureq::Error> {
        let body = json!({ "digest": digest }).to_string();
        let headers = [("content-type", "application/json")];
        self.api.try_send_watched("POST", &self.path, &headers, body.as_bytes(), || (self.arriving)())
    }

    /// A client that is told to come back later does, or it would only keep the processors busy.
    fn come_back_later(&self) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How the ledger's authorisations ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Authorised.
    pub authorized: usize,
    /// Recorded and released, as far as there was somebody to release to.
    pub created: usize,
    /// Certainly not signed.
    pub failed: usize,
    /// Signed and kept back.
    pub withheld: usize,
    /// Nobody knows.
    pub abandoned: usize,
    /// Nothing is recorded yet: they count as signed.
    pub open: usize,
}

/// Exports and verifies the ledger, and finds in it every signature that a client received. Says how the authorisations
/// ended.
#[track_caller]
pub fn settle(tenant: &Tenant, seen: &Seen) -> Account {
    tenant.verified();
    let events = Bundle::open(&tenant.exported()).parsed();
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    for received in &seen.received {
        let event = &events[usize::try_from(received.seq).unwrap()];
        assert_eq!(event["type"], "signature.created", "{event:#}");
        assert_eq!(event["data"]["digest"], received.digest.as_str());
        let signature = URL_SAFE_NO_PAD.encode(&received.signature);
        assert_eq!(event["data"]["signature"], signature.as_str());
    }
    let account = Account {
        authorized: of("signature.authorized"),
        created: of("signature.created"),
        failed: of("signature.failed"),
        withheld: of("signature.withheld"),
        abandoned: of("signature.abandoned"),
        open: pending(&events),
    };
    assert!(account.created >= seen.received.len(), "{account:?}");
    let ended = account.created + account.failed + account.withheld + account.abandoned;
    assert_eq!(account.authorized, ended + account.open, "{account:?}");
    account
}

/// The same account, for each key by its id.
pub fn accounts(events: &[Value]) -> BTreeMap<String, Account> {
    let mut keys = BTreeMap::new();
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        if kind == "signature.authorized" {
            let key = event["data"]["key"].as_str().unwrap().to_owned();
            keys.insert(event["seq"].as_u64().unwrap(), key.clone());
            let account = accounts.entry(key).or_default();
            account.authorized += 1;
            account.open += 1;
        }
        let Some(key) = event["data"]["authorization"].as_u64().and_then(|seq| keys.get(&seq)) else {
            continue;
        };
        let account = accounts.get_mut(key).unwrap();
        let outcome = match kind {
            "signature.created" => &mut account.created,
            "signature.failed" => &mut account.failed,
            "signature.withheld" => &mut account.withheld,
            "signature.abandoned" => &mut account.abandoned,
            _ => continue,
        };
        *outcome += 1;
        account.open -= 1;
    }
    accounts
}

/// Authorisations without an outcome. Fails where one has two.
fn pending(events: &[Value]) -> usize {
    let (mut open, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for event in events {
        match event["type"].as_str().unwrap() {
            "signature.authorized" => assert!(open.insert(event["seq"].as_u64().unwrap())),
            "signature.created" | "signature.failed" | "signature.withheld" | "signature.abandoned" => {
                let authorization = event["data"]["authorization"].as_u64().unwrap();
                assert!(open.remove(&authorization), "an outcome of nothing: {event}");
                assert!(ended.insert(authorization), "two outcomes: {event}");
            }
            _ => {}
        }
    }
    open.len()
}
