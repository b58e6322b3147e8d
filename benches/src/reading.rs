//! Starting on, exporting and verifying a ledger of a million events.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use integration::bundle::Bundle;
use integration::programs::program;
use integration::{Server, Tenant};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::public_key::{PublicKey, SigningInput};
use tokio_postgres::NoTls;

use crate::measure::Plan;
use crate::report::{Goal, Row};
use crate::{appending, http, pages};

/// Events of the small ledger.
const SMALL: u64 = 1_000;

/// All rows about reading, and those about appending to one ledger, which makes the events.
pub(crate) fn measure(plan: Plan, events: u64) -> Vec<Row> {
    let mut server = Server::start();
    let [(mut large, of), (small, of_small)] = [(), ()].map(|()| {
        let tenant = Tenant::founded(&server, 3);
        tenant.slot("release", "ecdsa-p256-sha256");
        let service = tenant.service(&["release"]);
        let of = format!("{} {}", tenant.name, service.id);
        (tenant, of)
    });
    server.stop();
    let data = server.data();
    appending::grow(&data, &of_small, SMALL);
    let began = Instant::now();
    server.start_again();
    let start_small = began.elapsed().as_secs_f64();
    server.stop();
    let mut rows = appending::measure(plan, &data, &of);
    appending::grow(&data, &of, events);

    // What another build has put aside is not read: every event is folded, and the state put aside anew.
    let told = SystemTime::now();
    let began = Instant::now();
    server.start_again();
    let after_upgrade = began.elapsed().as_secs_f64();
    wait_for_snapshot(&data, told);
    server.stop();
    let began = Instant::now();
    server.start_again();
    rows.push(Row {
        name: "start_1m",
        value: began.elapsed().as_secs_f64(),
        unit: "s",
        baseline: None,
        goal: Some(Goal::AtMost(3.0)),
        beside: vec![
            ("with 1 k events, Postgres included, s", start_small),
            ("the first of another build, s", after_upgrade),
        ],
    });
    rows.push(pages::measure(&large, &small));
    large.sign_in_again();
    rows.push(export(plan, &server, &large));
    rows.push(verify(plan, &exported(&server, &large), &large.vkey));
    rows
}

/// Waits until the largest ledger's state is put aside.
fn wait_for_snapshot(data: &Path, since: SystemTime) {
    let kept = || -> std::io::Result<Vec<std::fs::Metadata>> {
        let files = std::fs::read_dir(data.join("high-water"))?.collect::<Result<Vec<_>, _>>()?;
        let snapshots =
            files.iter().filter(|file| file.path().extension().is_some_and(|end| end == "snapshot"));
        snapshots.map(std::fs::DirEntry::metadata).collect()
    };
    integration::waiting::until("the state to be put aside", || {
        let kept = kept().expect("the high-water folder");
        let largest = kept.iter().max_by_key(|file| file.len())?;
        (largest.modified().expect("a time") > since).then_some(())
    });
}

/// An export under way: of whom, and how to ask for it.
struct Export {
    address: String,
    path: String,
    token: String,
}

impl Export {
    fn of(server: &Server, tenant: &Tenant) -> Self {
        Self {
            address: format!("127.0.0.1:{}", server.port()),
            path: tenant.path("/export?wait_ms=10000"),
            token: tenant.person(0).api.token().expect("a session").to_owned(),
        }
    }

    /// Megabytes a second.
    fn stream(&self, runtime: &tokio::runtime::Runtime, out: &mut dyn std::io::Write) -> f64 {
        runtime.block_on(download(&self.address, &self.path, &self.token, out))
    }
}

/// A tenant's bundle, in a file.
pub(crate) fn exported(server: &Server, tenant: &Tenant) -> PathBuf {
    let path = server.scratch().join("exported.tar");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path).expect("a file"));
    Export::of(server, tenant).stream(&http::runtime(), &mut out);
    out.flush().expect("room on the disk");
    path
}

/// Megabytes a second of a streamed export, beside a bare COPY of the same events. Nobody keeps them, on neither side.
fn export(plan: Plan, server: &Server, tenant: &Tenant) -> Row {
    let (runtime, export) = (http::runtime(), Export::of(server, tenant));
    let mut product = |_| export.stream(&runtime, &mut std::io::sink());
    let origin = tenant.name.clone();
    let mut copy = |_| runtime.block_on(copy(server, &origin));
    // Each takes as long as it takes.
    let plan = Plan { rounds: plan.rounds.min(3), ..plan };
    let [value, baseline] = plan.interleave("export", [&mut product, &mut copy]);
    let goal = Some(Goal::RatioAtLeast(0.6));
    Row { name: "export", value, unit: "MB/s", baseline: Some(baseline), goal, beside: Vec::new() }
}

async fn download(address: &str, path: &str, token: &str, out: &mut dyn std::io::Write) -> f64 {
    let mut sender = http::connect(address).await;
    let request = http::get(address, path, token);
    let began = Instant::now();
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200, "no export");
    let mut body = answer.into_body();
    let mut bytes = 0usize;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.expect("the export goes on").into_data() {
            bytes += data.len();
            out.write_all(&data).expect("room on the disk");
        }
    }
    bytes as f64 / 1e6 / began.elapsed().as_secs_f64()
}

/// Megabytes a second of a bare COPY of a tenant's events.
pub(crate) async fn copy(server: &Server, tenant: &str) -> f64 {
    let (client, connection) = appending::owner(server).connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let sql = format!(
        "COPY (SELECT bytes FROM sealbook.events WHERE ledger_id = (SELECT ledger_id FROM sealbook.ledgers \
         WHERE tenant = '{tenant}') ORDER BY seq) TO STDOUT (FORMAT binary)"
    );
    let (began, mut bytes) = (Instant::now(), 0usize);
    let stream = client.copy_out(&sql).await.expect("rows");
    let mut stream = std::pin::pin!(stream);
    while let Some(chunk) = stream.next().await {
        bytes += chunk.expect("rows go on").len();
    }
    bytes as f64 / 1e6 / began.elapsed().as_secs_f64()
}

/// `sealbook-verify` without signatures, beside hashing the same events one behind the other.
fn verify(plan: Plan, file: &Path, vkey: &str) -> Row {
    let events = events_of(file);
    let count = events.iter().filter(|byte| **byte == b'\n').count() as f64;
    let mut peak = 0.0f64;
    let mut product = |_| {
        let (seconds, rss) = run_verifier(file, vkey, &[]);
        peak = peak.max(rss);
        count / seconds
    };
    let mut baseline = |_| {
        let (began, mut hash) = (Instant::now(), [0u8; 32]);
        for event in events.split(|byte| *byte == b'\n') {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&hash).update(event);
            hash = *hasher.finalize().as_bytes();
        }
        std::hint::black_box(hash);
        count / began.elapsed().as_secs_f64()
    };
    let plan = Plan { rounds: plan.rounds.min(3), ..plan };
    let [value, baseline] = plan.interleave("verify", [&mut product, &mut baseline]);
    Row {
        name: "verify",
        value,
        unit: "events/s",
        baseline: Some(baseline),
        goal: Some(Goal::RatioAtLeast(0.5)),
        beside: vec![("events", count), ("peak memory, MiB (goal ≤ 256)", peak)],
    }
}

/// The signatures layer apart, beside verifying the same signatures and nothing else on both cores.
pub(crate) fn verify_signatures(plan: Plan, file: &Path, vkey: &str) -> Row {
    let signatures = signatures_of(&events_of(file));
    let count = signatures.len() as f64;
    let mut product = |_| {
        let (with, _) = run_verifier(file, vkey, &["--signatures"]);
        let (without, _) = run_verifier(file, vkey, &[]);
        count / (with - without).max(0.001)
    };
    let mut baseline = |_| {
        let began = Instant::now();
        let half = signatures.len().div_ceil(2);
        std::thread::scope(|scope| {
            for part in signatures.chunks(half) {
                scope.spawn(move || {
                    for (key, algorithm, digest, signature) in part {
                        let input = SigningInput::Digest(digest);
                        key.verify(*algorithm, input, signature).expect("it holds");
                    }
                });
            }
        });
        count / began.elapsed().as_secs_f64()
    };
    let plan = Plan { rounds: plan.rounds.min(3), ..plan };
    let [value, baseline] = plan.interleave("verify_signatures", [&mut product, &mut baseline]);
    Row {
        name: "verify_signatures",
        value,
        unit: "sigs/s",
        baseline: Some(baseline),
        goal: Some(Goal::RatioAtLeast(0.9)),
        beside: vec![("signatures", count)],
    }
}

type Signature = (PublicKey, Algorithm, Vec<u8>, Vec<u8>);

fn signatures_of(events: &[u8]) -> Vec<Signature> {
    let mut keys = std::collections::HashMap::new();
    let mut signatures = Vec::new();
    for line in events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: serde_json::Value = serde_json::from_slice(line).expect("an event");
        let data = &event["data"];
        let bytes = |name: &str| -> Vec<u8> {
            let text: B64 = data[name].as_str().expect("base64url").parse().expect("base64url");
            text.as_bytes().to_vec()
        };
        match event["type"].as_str() {
            Some("key.generated") => {
                let key = PublicKey::from_der(&bytes("spki")).expect("a public key");
                keys.insert(data["key"].as_str().expect("an id").to_owned(), key);
            }
            Some("signature.created") => {
                let key: &PublicKey = &keys[data["key"].as_str().expect("an id")];
                let algorithm = data["algorithm"].as_str().expect("a name").parse().expect("an algorithm");
                let digest: sealbook_ledger::encoding::HexBytes =
                    serde_json::from_value(data["digest"].clone()).expect("hex");
                signatures.push((key.clone(), algorithm, digest.0, bytes("signature")));
            }
            _ => {}
        }
    }
    signatures
}

fn events_of(file: &Path) -> Vec<u8> {
    let mut bundle = Bundle::open(file);
    let members = bundle.members();
    members.iter().find(|(name, _)| name == "events.jsonl").expect("events").1.clone()
}

/// Seconds that the verifier took, and its largest resident memory in MiB.
fn run_verifier(file: &Path, vkey: &str, more: &[&str]) -> (f64, f64) {
    let began = Instant::now();
    let mut child = Command::new(program("sealbook-verify"))
        .arg(file)
        .args(["--vkey", vkey])
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .expect("the verifier");
    let mut peak = 0.0f64;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a process") {
            break status;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "the bundle is not valid");
    (began.elapsed().as_secs_f64(), peak)
}
