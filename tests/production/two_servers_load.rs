//! Two servers on one database under load on one ledger: one history, everything that was acknowledged in it exactly once;
//! and what becomes of it when one of them dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use integration::bundle::Bundle;
use integration::programs::verify;
use integration::tenant::sha256;
use integration::{Api, waiting};
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::operating::{by_quorum, found, founder_pins};

/// Who asks each server.
const SIGNERS: usize = 8;
const RECORDERS: usize = 2;

/// How long each measurement lasts, and how often one server and two are measured in turn, for machines are noisy.
const LASTS: Duration = Duration::from_millis(1500);
const TURNS: u32 = 2;

/// How soon a server has to seal alone once the other one was killed. Postgres gives up a dead server's locks as soon as
/// its socket closes; a sealer then waits half a second at most after a failure. The rest is for a busy machine.
const TAKEOVER: Duration = Duration::from_secs(15);

/// What was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Acknowledged {
    Signature { seq: u64, digest: String, signature: String },
    Evidence { seq: u64, digest: String },
}

/// What clients saw: what was acknowledged, and the codes of what was not.
type Seen = (Vec<Acknowledged>, BTreeMap<String, usize>);

/// Clients of one server.
struct Clients {
    stop: Arc<AtomicBool>,
    rest: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    seen: Arc<Mutex<Seen>>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn begin(name: &'static str, api: &Api) -> Self {
        let (stop, rest, count, seen) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        let mut clients = Self { stop, rest, count, seen, threads: Vec::new() };
        for client in 0..SIGNERS + RECORDERS {
            let (api, stop, rest) = (api.clone(), Arc::clone(&clients.stop), Arc::clone(&clients.rest));
            let (count, seen) = (Arc::clone(&clients.count), Arc::clone(&clients.seen));
            clients.threads.push(thread::spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if rest.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(10));
                        continue;
                    }
                    let answer =
                        ask(&api, client < SIGNERS, sha256(format!("{name} {client} {n}").as_bytes()));
                    let mut seen = seen.lock().unwrap();
                    match answer {
                        Ok(acknowledged) => {
                            count.fetch_add(1, Ordering::Relaxed);
                            seen.0.push(acknowledged);
                        }
                        Err(code) => {
                            *seen.1.entry(code).or_default() += 1;
                            drop(seen);
                            thread::sleep(Duration::from_millis(20));
                        }
                    }
                }
            }));
        }
        clients
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// What was not acknowledged so far, by its codes.
    fn refused(&self) -> BTreeMap<String, usize> {
        self.seen.lock().unwrap().1.clone()
    }

    fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// One request; the code of the problem, or `broken`, where nothing was acknowledged.
fn ask(api: &Api, sign: bool, digest: String) -> Result<Acknowledged, String> {
    let (path, body) = match sign {
        true => ("/v1/tenants/acme/slots/release/sign", json!({ "digest": digest })),
        false => {
            let subject = json!({ "kind": "slot", "id": "release" });
            let body = json!({ "digest": digest, "media_type": "text/plain", "subject": subject });
            ("/v1/tenants/acme/evidence", body)
        }
    };
    let json = [("content-type", "application/json")];
    let answer = api.try_send("POST", path, &json, body.to_string().as_bytes());
    let answer = answer.map_err(|_| "broken".to_owned())?;
    if !matches!(answer.status, 200 | 201) {
        return Err(answer.code());
    }
    let said = answer.json();
    let seq = said["seq"].as_u64().unwrap();
    Ok(match sign {
        true => {
            let signature = STANDARD.decode(said["signature_b64"].as_str().unwrap()).unwrap();
            Acknowledged::Signature { seq, digest, signature: URL_SAFE_NO_PAD.encode(signature) }
        }
        false => Acknowledged::Evidence { seq, digest },
    })
}

/// Everything acknowledged is an event of its own, and nothing was recorded twice.
fn hold(events: &[Value], acknowledged: &[Acknowledged]) {
    let mut seqs = BTreeSet::new();
    for one in acknowledged {
        let (seq, kind, digest) = match one {
            Acknowledged::Signature { seq, digest, .. } => (*seq, "signature.created", digest),
            Acknowledged::Evidence { seq, digest } => (*seq, "evidence.recorded", digest),
        };
        assert!(seqs.insert(seq), "two acknowledgements of {seq}");
        let event = &events[usize::try_from(seq).unwrap()];
        assert_eq!(
            (event["type"].as_str(), event["data"]["digest"].as_str()),
            (Some(kind), Some(digest.as_str()))
        );
        if let Acknowledged::Signature { signature, .. } = one {
            assert_eq!(event["data"]["signature"].as_str(), Some(signature.as_str()));
        }
    }
    // Every request had a digest of its own.
    let mut digests = BTreeSet::new();
    for event in events
        .iter()
        .filter(|event| event["type"] == "signature.created" || event["type"] == "evidence.recorded")
    {
        assert!(digests.insert(event["data"]["digest"].as_str().unwrap()), "recorded twice: {event}");
    }
}

/// Acknowledgements a second while `clients` go on.
fn rate(clients: &[&Clients]) -> f64 {
    let total = || clients.iter().map(|clients| clients.count()).sum::<usize>();
    let (before, began) = (total(), Instant::now());
    thread::sleep(LASTS);
    (total() - before) as f64 / began.elapsed().as_secs_f64()
}

#[test]
fn two_servers_under_load_keep_one_history_and_one_goes_on_alone_when_the_other_dies() {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    let first = deployment.serve();
    found(&deployment);
    let at = |name: &str| deployment.at(name).display().to_string();
    by_quorum(
        &deployment,
        &["slot", "create", "release", "--algorithm", "ecdsa-p256-sha256", "--backend", "hsm"],
    );
    by_quorum(&deployment, &["service", "enroll", "CI", "--slot", "release", "--token-out", &at("ci.token")]);
    let (vkey, founding) = founder_pins(&deployment);
    let ada = deployment.client(["--as", &at("ada"), "member", "list"]).expect(0).json();
    let ada = ada["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["display_name"] == "ada")
        .unwrap()["member"]
        .clone();
    assert!(first.stop().success());
    deployment.goes_behind_a_proxy("");
    let (first, one) = deployment.serve_plainly();
    let (second, other) = deployment.second_plainly();
    let token = std::fs::read_to_string(at("ci.token")).unwrap();
    let (one, other) = (one.with_token(token.trim()), other.with_token(token.trim()));

    let (ours, theirs) = (Clients::begin("ours", &one), Clients::begin("theirs", &other));
    waiting::until("signatures of both", || (ours.count() > 50 && theirs.count() > 50).then_some(()));
    let (mut alone, mut both) = (0.0, 0.0);
    for _ in 0..TURNS {
        theirs.rest.store(true, Ordering::Relaxed);
        alone += rate(&[&ours]) / f64::from(TURNS);
        theirs.rest.store(false, Ordering::Relaxed);
        both += rate(&[&ours, &theirs]) / f64::from(TURNS);
    }

    // The first one dies in the middle of everything; what it had not acknowledged is nobody's loss.
    let size = |api: &Api| {
        let shown = api.get("/v1/tenants/acme").expect(200).json();
        (shown["size"].as_u64().unwrap(), shown["sealed_size"].as_u64().unwrap())
    };
    let before = theirs.refused();
    assert!(before.is_empty(), "refused without a reason: {before:?}");
    first.kill();
    let (died, stands, had) = (Instant::now(), size(&other).0, theirs.count());
    waiting::until("the second to acknowledge", || (theirs.count() > had + SIGNERS).then_some(()));
    let acknowledges = died.elapsed();
    waiting::until("the second to seal", || (size(&other).1 > stands).then_some(()));
    let seals = died.elapsed();
    let after = rate(&[&theirs]);
    let (mut acknowledged, refused_by_the_dead) = ours.end();
    let (beside, refused) = theirs.end();
    println!(
        "two servers: {alone:.0}/s alone, {both:.0}/s together ({:.2}), {after:.0}/s after one died; after its death the \
         other acknowledged within {acknowledges:?} and sealed within {seals:?}; {} and {} acknowledged, refused {refused:?}",
        both / alone,
        acknowledged.len(),
        beside.len(),
    );
    assert!(seals < TAKEOVER, "{seals:?}");
    // Until the second seals, sealing may be too far behind.
    assert!(refused.keys().all(|code| code == "seal.behind"), "refused without a reason: {refused:?}");
    assert!(refused_by_the_dead.keys().all(|code| code == "broken"), "{refused_by_the_dead:?}");
    acknowledged.extend(beside);

    // What the dead one had authorised and not settled is given up by the other; until then it is not settled.
    let bundle = at("both.tar");
    let export =
        ["--as", &at("ada"), "--member", ada.as_str().unwrap(), "export", "--wait", "--out", &bundle];
    second.plain_client(export).expect(0);
    verify([bundle.as_str(), "--vkey", &vkey, "--founding", &founding, "--signatures"]).expect(0);
    hold(&Bundle::open(bundle.as_ref()).parsed(), &acknowledged);
    for log in [deployment.log(), second.log()] {
        assert!(!log.contains("LEDGER FROZEN"), "{log}");
    }
    assert!(second.stop().success());
}
