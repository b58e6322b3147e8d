//! The blast radius of a key that has signed a great deal: told, and listed row by row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use integration::tenant::text;
use integration::{Server, Tenant};
use sealbook::app::App;
use sealbook::ledger::{Disclosure, Ledger, Submission, digests};
use sealbook::signing::{Reply, SignCall, SignInput};
use sealbook_ledger::command::{Command, SignRequest, SigningOutcome};
use sealbook_ledger::encoding::{B64, HexBytes};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{Seq, ServiceId};
use sealbook_ledger::policy::Environment;

use crate::measure::{Plan, median};
use crate::report::{Goal, Row};
use crate::signing::rss_mib;
use crate::{appending, http, reading};

const SLOT: &str = "release";

/// Signatures under way while the ledger is filled.
const UNDER_WAY: u64 = 4096;

/// Artifacts of different names; each has a version for every so many signatures.
const NAMES: u64 = 2_000;

/// What the goal is for.
const AIMED_AT: f64 = 10e6;

/// The rows about it, at a tenth of so many signatures and at all of them.
pub(crate) fn measure(plan: Plan, signatures: u64) -> Vec<Row> {
    let mut server = Server::start();
    let mut tenant = Tenant::founded(&server, 3);
    tenant.slot(SLOT, "ecdsa-p256-sha256");
    let service = tenant.service(&[SLOT]);
    let of = format!("{} {}", tenant.name, service.id);
    let mut taken = Vec::new();
    for more in [signatures / 10, signatures - signatures / 10] {
        server.stop();
        appending::in_process(&server.data(), &of, "sign", &[more, 0]);
        server.start_again();
        tenant.sign_in_again();
        taken.push(Taken::by(&server, &tenant, plan));
    }
    let [small, large] = &taken[..] else { panic!("two sizes") };
    rows(small, large)
}

fn rows(small: &Taken, large: &Taken) -> Vec<Row> {
    let slope = (large.summary - small.summary) / (large.count - small.count);
    let all = large.summary + slope * (AIMED_AT - large.count);
    let each = |taken: &Taken| taken.summary / taken.count;
    vec![
        Row {
            name: "blast_radius_1m",
            value: large.summary,
            unit: "s",
            baseline: Some(large.copied),
            goal: None,
            beside: vec![
                ("signatures", large.count),
                ("signatures/s", large.count / large.summary),
                ("at a tenth of them, s", small.summary),
                ("time of one, at all over at a tenth", each(large) / each(small)),
                ("since the last tenth, s", large.since),
                ("the table (CSV), s", large.csv),
                ("the JSON lines, s", large.jsonl),
                ("memory that the summary takes, MiB", large.summary_mib),
                ("at a tenth of them, MiB", small.summary_mib),
                ("memory that the rows take, MiB", large.rows_mib),
                ("at a tenth of them, rows, MiB", small.rows_mib),
            ],
        },
        Row {
            name: "blast_radius_10m",
            value: all,
            unit: "s",
            baseline: None,
            goal: Some(Goal::AtMost(60.0)),
            beside: vec![("extrapolated from signatures", large.count)],
        },
    ]
}

/// What one size takes: seconds, and MiB beyond what the server had before.
struct Taken {
    count: f64,
    summary: f64,
    since: f64,
    csv: f64,
    jsonl: f64,
    /// Bare COPY of the ledger's events.
    copied: f64,
    summary_mib: f64,
    rows_mib: f64,
}

impl Taken {
    fn by(server: &Server, tenant: &Tenant, plan: Plan) -> Self {
        let keys = tenant.get("/keys").expect(200).json();
        let path = tenant.path(&format!("/keys/{}/blast-radius", text(&keys["keys"][0]["key"])));
        let asking = Asking {
            runtime: http::runtime(),
            address: format!("127.0.0.1:{}", server.port()),
            token: tenant.person(0).api.token().expect("a session").to_owned(),
            pid: server.pid().expect("it runs"),
        };
        let (_, _, told) = asking.ask(&path);
        let told: serde_json::Value = serde_json::from_slice(&told).expect("a summary");
        let recent = format!("{path}?since={}", recent(tenant, &told));
        let (mut figures, mut mib) = ([const { Vec::new() }; 5], [0.0f64; 2]);
        for round in 0..plan.rounds.min(3) {
            let [summary, since, csv, jsonl] =
                [&path, &recent, &format!("{path}.csv"), &format!("{path}.jsonl")]
                    .map(|path| asking.ask(path));
            let copied = Instant::now();
            asking.runtime.block_on(reading::copy(server, &tenant.name));
            let copied = copied.elapsed().as_secs_f64();
            let seconds = [summary.0, since.0, csv.0, jsonl.0, copied];
            eprintln!("  blast radius, turn {}: {seconds:.2?} s", round + 1);
            figures.iter_mut().zip(seconds).for_each(|(figures, seconds)| figures.push(seconds));
            mib = [mib[0].max(summary.1), mib[1].max(csv.1).max(jsonl.1)];
        }
        let [summary, since, csv, jsonl, copied] = figures.map(median);
        Self {
            count: told["count"].as_f64().expect("a count"),
            summary,
            since,
            csv,
            jsonl,
            copied,
            summary_mib: mib[0],
            rows_mib: mib[1],
        }
    }
}

/// The time from which on a tenth of the signatures lies.
fn recent(tenant: &Tenant, told: &serde_json::Value) -> String {
    let seq = |end: &str| told[end]["seq"].as_u64().expect("a seq");
    let (first, last) = (seq("first"), seq("last"));
    let event = tenant.get(&format!("/events/{}", last - (last - first) / 10)).expect(200).json();
    text(&event["event"]["time"]).to_owned()
}

/// A client of the server, and what the server's process is.
struct Asking {
    runtime: tokio::runtime::Runtime,
    address: String,
    token: String,
    pid: u32,
}

impl Asking {
    /// Seconds that an answer took to its end, MiB that the server grew by meanwhile, and the answer; one that is long is
    /// not kept.
    fn ask(&self, path: &str) -> (f64, f64, Vec<u8>) {
        let (before, is_over) = (rss_mib(self.pid), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let peak = scope.spawn(|| {
                let mut peak = before;
                while !is_over.load(Ordering::Relaxed) {
                    peak = peak.max(rss_mib(self.pid));
                    std::thread::sleep(Duration::from_millis(10));
                }
                peak
            });
            let began = Instant::now();
            let kept = self.runtime.block_on(self.read(path));
            let took = began.elapsed().as_secs_f64();
            is_over.store(true, Ordering::Relaxed);
            (took, peak.join().expect("a peak") - before, kept)
        })
    }

    async fn read(&self, path: &str) -> Vec<u8> {
        const MOST_KEPT: usize = 1 << 20;
        let mut sender = http::connect(&self.address).await;
        let answer = sender.send_request(http::get(&self.address, path, &self.token)).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200, "no blast radius");
        let (mut body, mut kept) = (answer.into_body(), Vec::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.expect("the rows go on").into_data()
                && kept.len() + data.len() <= MOST_KEPT
            {
                kept.extend_from_slice(&data);
            }
        }
        kept
    }
}

/// Has so many signatures recorded: one that the device made of one digest, over and over, each of another artifact.
pub(crate) async fn fill(app: &App, ledger: &Arc<Ledger>, service: ServiceId, signatures: u64) {
    let digest = HexBytes(blake3::hash(b"an artifact").as_bytes().to_vec());
    let call = SignCall {
        caller: Actor::Service(service),
        slot: SLOT.parse().expect("a name"),
        input: SignInput::Digest(digest.0.clone()),
        environment: Environment::Production,
        artifact: Vec::new(),
        may_ask: false,
        idempotency: None,
        correlation: sealbook::clock::correlation(),
    };
    let Ok(Reply::Signed(signed)) = app.sign(Arc::clone(ledger), call).await else { panic!("no signature") };
    let signature = signed.created.signature;
    // The first one counts.
    let numbers = Arc::new(AtomicU64::new(1));
    let tasks: Vec<_> = (0..UNDER_WAY)
        .map(|_| {
            let (ledger, numbers) = (Arc::clone(ledger), Arc::clone(&numbers));
            let (digest, signature) = (digest.clone(), signature.clone());
            tokio::spawn(async move {
                loop {
                    let n = numbers.fetch_add(1, Ordering::Relaxed);
                    if n >= signatures {
                        return;
                    }
                    one(&ledger, service, n, digest.clone(), signature.clone()).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a signer ends in order");
    }
}

async fn one(ledger: &Ledger, service: ServiceId, n: u64, digest: HexBytes, signature: B64) {
    let disclosures = vec![
        Disclosure::new("artifact_name", format!("package-{:04}.msi", n % NAMES)),
        Disclosure::new("artifact_ticket", format!("CHG-{n:07}")),
        Disclosure::new("artifact_version", format!("4.{}.0", n / NAMES)),
    ];
    let request = SignRequest {
        slot: SLOT.parse().expect("a name"),
        digest,
        message: None,
        environment: if n.is_multiple_of(10) { Environment::Staging } else { Environment::Production },
        life_s: 60,
        sd: digests(&disclosures),
        clearance: None,
        key: None,
    };
    let command = Command::Authorize { caller: Actor::Service(service), request: Box::new(request) };
    let submission = Submission { disclosures, ..Submission::new(command) };
    let appended = ledger.submit(submission).await.expect("authorised");
    let authorization = Seq::new(appended.first_seq).expect("a seq");
    let outcome = SigningOutcome::Signed(signature);
    ledger.submit(Submission::new(Command::Settle { authorization, outcome })).await.expect("recorded");
}
