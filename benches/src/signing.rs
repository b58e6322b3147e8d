//! Signing over HTTP, beside the bare device.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use integration::tenant::Service;
use integration::{Server, Tenant};
use sealbook_ledger::algorithm::Algorithm;
use serde_json::json;

use crate::http::{self, Asked, Pace};
use crate::measure::{Plan, median, percentile};
use crate::report::{Goal, Row};
use crate::{device, reading};

/// Connections that sign at once.
const CONNECTIONS: usize = 64;

/// What is measured: name, algorithm, and the share of the bare device that is aimed for.
const ALGORITHMS: [(&str, Algorithm, f64); 3] = [
    ("sign_p256", Algorithm::EcdsaP256Sha256, 0.45),
    ("sign_ed25519", Algorithm::Ed25519OverSha256Digest, 0.70),
    ("sign_rsa3072", Algorithm::Rsa3072Pkcs1Sha256, 0.95),
];

/// All rows about signing.
pub(crate) fn measure(plan: Plan) -> Vec<Row> {
    let server = Server::start();
    let mut tenant = Tenant::founded(&server, 3);
    let slots: Vec<&str> = ALGORITHMS.iter().map(|(name, ..)| slot_of(name)).collect();
    for (name, algorithm, _) in ALGORITHMS {
        tenant.slot(slot_of(name), &algorithm.to_string());
    }
    let service = tenant.service(&slots);
    let runtime = http::runtime();
    let mut rows = Vec::new();
    for (name, algorithm, goal) in ALGORITHMS {
        let asked = Arc::new(sign(&server, &tenant, &service, slot_of(name)));
        let mut product =
            |turn| runtime.block_on(http::load(&asked, CONNECTIONS, Pace::Saturated, turn)).per_second;
        let mut bare = |turn| device::per_second(&server.data(), algorithm, false, turn);
        let mut checked = |turn| device::per_second(&server.data(), algorithm, true, turn);
        let [value, baseline, verified] = plan.interleave(name, [&mut product, &mut bare, &mut checked]);
        rows.push(Row {
            name,
            value,
            unit: "sigs/s",
            baseline: Some(baseline),
            goal: Some(Goal::RatioAtLeast(goal)),
            beside: vec![("C_Sign and verification, sigs/s", verified), ("ratio to those", value / verified)],
        });
        if algorithm == Algorithm::EcdsaP256Sha256 {
            rows.extend(latency(&runtime, &asked, value, plan));
            rows.push(seal_lag(&runtime, &tenant, &service, &asked, plan));
        }
    }
    rows.push(idle(&server));
    // Nobody reads with a sign-in of before the measurements.
    tenant.sign_in_again();
    let bundle = reading::exported(&server, &tenant);
    rows.push(reading::verify_signatures(plan, &bundle, &tenant.vkey));
    rows
}

fn slot_of(name: &'static str) -> &'static str {
    name.strip_prefix("sign_").unwrap_or(name)
}

fn sign(server: &Server, tenant: &Tenant, service: &Service, slot: &str) -> Asked {
    let (path, token) =
        (tenant.path(&format!("/slots/{slot}/sign")), service.api.token().expect("a token").to_owned());
    Asked {
        address: format!("127.0.0.1:{}", server.port()),
        method: Method::POST,
        path: Box::new(move |_| path.clone()),
        token: Box::new(move |_| token.clone()),
        body: Box::new(|_, n| {
            json!({ "digest": blake3::hash(&n.to_le_bytes()).to_hex().as_str() }).to_string()
        }),
        expected: StatusCode::OK,
    }
}

/// What the product adds to a signature's time at half of its throughput: the 99th percentile, beside one connection's
/// median as what a signature takes when nobody waits for anybody.
fn latency(runtime: &tokio::runtime::Runtime, asked: &Arc<Asked>, throughput: f64, plan: Plan) -> Vec<Row> {
    let (mut loaded, mut middle, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let half = Pace::PerSecond(throughput / 2.0);
        let mut latencies = runtime.block_on(http::load(asked, CONNECTIONS, half, plan.turn)).latencies;
        loaded.push(percentile(&mut latencies, 0.99));
        middle.push(percentile(&mut latencies, 0.5));
        let one = runtime.block_on(http::load(asked, 1, Pace::Saturated, plan.turn / 2));
        alone.push(median(one.latencies));
    }
    let (loaded, middle, alone) = (median(loaded), median(middle), median(alone));
    vec![Row {
        name: "sign_latency_p99_ms",
        value: loaded - alone,
        unit: "ms",
        baseline: None,
        goal: Some(Goal::AtMost(5.0)),
        beside: vec![
            ("p99 at half the throughput, ms", loaded),
            ("median at half the throughput, ms", middle),
            ("median of one alone, ms", alone),
        ],
    }]
}

/// From the answer to a committed event to the moment at which the server has a checkpoint over it.
fn seal_lag(
    runtime: &tokio::runtime::Runtime,
    tenant: &Tenant,
    service: &Service,
    asked: &Arc<Asked>,
    plan: Plan,
) -> Row {
    const PROBES: usize = 4;
    let turn = plan.turn * u32::try_from(plan.rounds).unwrap_or(1);
    let stop = Instant::now() + turn;
    let mut lags = std::thread::scope(|scope| {
        let probes: Vec<_> = (0..PROBES)
            .map(|_| {
                let (api, tenant) = (service.api.clone(), &tenant);
                scope.spawn(move || probe(&api, tenant, stop))
            })
            .collect();
        runtime.block_on(http::load(asked, CONNECTIONS, Pace::Saturated, turn));
        probes.into_iter().flat_map(|probe| probe.join().expect("a probe ends")).collect::<Vec<f64>>()
    });
    Row {
        name: "seal_lag_p99_ms",
        value: percentile(&mut lags, 0.99),
        unit: "ms",
        baseline: None,
        goal: Some(Goal::AtMost(1000.0)),
        beside: vec![
            ("median, ms", percentile(&mut lags, 0.5)),
            ("events that were followed", lags.len() as f64),
        ],
    }
}

fn probe(api: &integration::Api, tenant: &Tenant, stop: Instant) -> Vec<f64> {
    let mut lags = Vec::new();
    while Instant::now() < stop {
        let digest = blake3::hash(uuid::Uuid::new_v4().as_bytes()).to_hex().to_string();
        let body = json!({ "digest": digest });
        let seq = api.post(&tenant.path("/slots/p256/sign"), &body).expect(200).json()["seq"]
            .as_u64()
            .expect("a seq");
        let committed = Instant::now();
        while sealed(api, tenant) <= seq {
            std::thread::sleep(Duration::from_millis(5));
        }
        lags.push(committed.elapsed().as_secs_f64() * 1000.0);
    }
    lags
}

/// The size of the newest checkpoint (C2SP tlog-checkpoint: the second line).
fn sealed(api: &integration::Api, tenant: &Tenant) -> u64 {
    let note = api.get(&tenant.path("/checkpoint")).expect(200).text();
    note.lines().nth(1).and_then(|size| size.parse().ok()).expect("a checkpoint's size")
}

/// Memory of the server's process when nobody asks it anything.
fn idle(server: &Server) -> Row {
    let server_alone = Server::start();
    let rest = rss_mib(server_alone.pid().expect("it runs"));
    Row {
        name: "idle_rss_mib",
        value: rest,
        unit: "MiB",
        baseline: None,
        goal: None,
        beside: vec![("after the signing above, MiB", rss_mib(server.pid().expect("it runs")))],
    }
}

/// Resident memory (proc(5), VmRSS).
pub(crate) fn rss_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).expect("a figure") / 1024.0
}
