//! Appending in process, beside what Postgres does with the same rows; and over HTTP to many ledgers at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use integration::{Server, Tenant};
use sealbook::app::App;
use sealbook::assembly::Parts;
use sealbook::config::{Mode, OperatorToken, OriginPrefix, RelyingParty};
use sealbook::custody::softhsm;
use sealbook::embedded::{DataFolder, EmbeddedPostgres};
use sealbook::ledger::{Ledger, Submission};
use sealbook::notifying::Notifying;
use sealbook::store::{StoreConfig, Transport};
use sealbook_ledger::command::Command;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::ServiceId;
use sealbook_ledger::payload::{EvidenceRecorded, Subject};
use serde_json::{Value, json};

use crate::blast_radius;
use crate::http::{self, Asked, Pace};
use crate::limits::Limits;
use crate::measure::Plan;
use crate::report::{Goal, Row};

/// Requests under way at once: 16 submitters with 64 each, and enough to saturate.
const HOT: usize = 16 * 64;
const SATURATED: usize = 16 * 512;

/// Ledgers that are written to at once, over so many connections each.
const LEDGERS: usize = 64;
const CONNECTIONS_EACH: usize = 4;

const ORIGIN: &str = "http://localhost:7420";

/// Rows about one ledger, measured by a process of its own: SoftHSM reads its configuration once a process.
pub(crate) fn measure(plan: Plan, data: &Path, of: &str) -> Vec<Row> {
    let figures = in_process(data, of, "rates", &[plan.turn.as_millis() as u64, plan.rounds as u64]);
    let figure = |name: &str| figures[name].as_f64().expect("a figure");
    vec![
        Row {
            name: "append_hot",
            value: figure("hot"),
            unit: "events/s",
            baseline: Some(figure("contended")),
            goal: Some(Goal::RatioAtLeast(20.0)),
            beside: Vec::new(),
        },
        Row {
            name: "append_bulk",
            value: figure("saturated"),
            unit: "events/s",
            baseline: Some(figure("bulk")),
            goal: Some(Goal::RatioAtLeast(0.5)),
            beside: Vec::new(),
        },
    ]
}

/// Appends until a ledger has so many events.
pub(crate) fn grow(data: &Path, of: &str, events: u64) {
    in_process(data, of, "grow", &[events, 0]);
}

/// Has a process append to a ledger, and reads its figures.
pub(crate) fn in_process(data: &Path, of: &str, what: &str, numbers: &[u64; 2]) -> Value {
    let (name, value) = softhsm::environment(&data.join("token"));
    let mut process = Process::new(std::env::current_exe().expect("the own program"));
    process
        .args(["append", what])
        .args(of.split(' '))
        .args(numbers.map(|n| n.to_string()))
        .arg(data)
        .env(name, value);
    let output = process.stderr(std::process::Stdio::inherit()).output().expect("a process");
    assert!(output.status.success(), "the appending process failed");
    serde_json::from_slice(&output.stdout).expect("figures")
}

/// The process.
pub(crate) fn run(what: &str, tenant: &str, service: &str, numbers: [u64; 2], data: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let figures = runtime.block_on(async {
        let folder = DataFolder::open(data).expect("a data folder");
        let postgres = EmbeddedPostgres::start(&folder).await.expect("Postgres");
        let app = start(&folder, &postgres).await;
        let ledger = app.ledger(&tenant.parse().expect("a name")).expect("the tenant");
        let service: ServiceId = service.parse().expect("an id");
        let figures = match what {
            "grow" => {
                while ledger.state().size() < numbers[0] {
                    append(&ledger, service, SATURATED, Duration::from_secs(1)).await;
                }
                json!({ "size": ledger.state().size() })
            }
            "sign" => {
                blast_radius::fill(&app, &ledger, service, numbers[0]).await;
                json!({ "size": ledger.state().size() })
            }
            _ => rates(&ledger, service, &postgres, numbers).await,
        };
        // What was committed is sealed before anybody reads it.
        let size = ledger.state().size();
        assert!(
            ledger.wait_sealed(size, Duration::from_secs(600)).await.is_some(),
            "sealing does not follow"
        );
        app.stop().await;
        drop((ledger, app));
        postgres.stop().await.expect("Postgres stops");
        figures
    });
    println!("{figures}");
}

async fn rates(
    ledger: &Arc<Ledger>,
    service: ServiceId,
    postgres: &EmbeddedPostgres,
    numbers: [u64; 2],
) -> Value {
    let plan = Plan { turn: Duration::from_millis(numbers[0]), rounds: numbers[1] as usize };
    let limits = Limits::open(&postgres.owner_config()).await;
    let handle = tokio::runtime::Handle::current();
    let on = |future: std::pin::Pin<Box<dyn Future<Output = f64> + '_>>| {
        tokio::task::block_in_place(|| handle.block_on(future))
    };
    let mut hot = |turn| on(Box::pin(append(ledger, service, HOT, turn)));
    let mut contended = |turn| on(Box::pin(limits.contended(turn)));
    let mut saturated = |turn| on(Box::pin(append(ledger, service, SATURATED, turn)));
    let mut bulk = |turn| on(Box::pin(limits.bulk(turn)));
    let sides: [&mut dyn FnMut(Duration) -> f64; 4] = [&mut hot, &mut contended, &mut saturated, &mut bulk];
    let [hot, contended, saturated, bulk] = plan.interleave("append", sides);
    json!({ "hot": hot, "contended": contended, "saturated": saturated, "bulk": bulk })
}

async fn start(folder: &DataFolder, postgres: &EmbeddedPostgres) -> App {
    let owner = StoreConfig::new(postgres.owner_config(), Transport::Plain);
    sealbook::assembly::migrate(&owner).await.expect("migrations");
    let token = softhsm::prepare(&folder.token()).expect("the token");
    let secret = B64::from([7u8; 32].as_slice());
    let parts = Parts {
        store: StoreConfig::new(postgres.app_config(), Transport::Plain),
        backends: BTreeMap::from([("softhsm".parse().expect("a name"), token)]),
        ledger_backend: "softhsm".parse().expect("a name"),
        origin_prefix: OriginPrefix::new("localhost").expect("a prefix"),
        rp: RelyingParty::new("localhost", &[ORIGIN.to_owned()], Mode::Dev).expect("a relying party"),
        attestation_roots: Default::default(),
        high_water: folder.high_water(),
        snapshot_every: 25_000,
        max_unsealed: Duration::from_secs(600),
        fresh_sign_in_s: 300,
        operator_token: OperatorToken::parse(&format!("sbo_{secret}")).expect("a token"),
        accept_missing_high_water: false,
        notifying: Notifying { webhooks: Vec::new(), public_url: ORIGIN.to_owned() },
    };
    parts.assemble().await.expect("an app")
}

/// Appends evidence with so many requests under way, and says how many events a second became durable.
async fn append(ledger: &Arc<Ledger>, service: ServiceId, under_way: usize, turn: Duration) -> f64 {
    let (began, done) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..under_way)
        .map(|_| {
            let (ledger, done) = (Arc::clone(ledger), Arc::clone(&done));
            tokio::spawn(async move {
                while began.elapsed() < turn {
                    ledger.submit(Submission::new(evidence(service))).await.expect("recorded");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a submitter ends in order");
    }
    done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn evidence(service: ServiceId) -> Command {
    let id = uuid::Uuid::new_v4();
    let evidence = EvidenceRecorded {
        digest: Hash::sha256(id.as_bytes()),
        evidence: id.into(),
        media_type: "application/vnd.in-toto+json".parse().expect("a media type"),
        subject: Subject::Service(service),
    };
    Command::RecordEvidence { by: Actor::Service(service), evidence: Box::new(evidence), sd: Vec::new() }
}

/// The same over HTTP, to many ledgers.
pub(crate) fn measure_many(plan: Plan) -> Row {
    let server = Server::start();
    let services: Vec<_> = (0..LEDGERS)
        .map(|_| {
            let tenant = Tenant::founded(&server, 2);
            let service = tenant.service(&[]);
            let token = service.api.token().expect("a token").to_owned();
            (tenant.path("/evidence"), token, service.id)
        })
        .collect();
    let (paths, tokens): (Vec<String>, Vec<String>) =
        services.iter().map(|(path, token, _)| (path.clone(), token.clone())).unzip();
    let subjects: Vec<String> = services.into_iter().map(|(.., id)| id).collect();
    let asked = Arc::new(Asked {
        address: format!("127.0.0.1:{}", server.port()),
        method: Method::POST,
        path: Box::new(move |n| paths[n % LEDGERS].clone()),
        token: Box::new(move |n| tokens[n % LEDGERS].clone()),
        body: Box::new(move |connection, n| {
            let digest = blake3::hash(&n.to_le_bytes()).to_hex();
            json!({ "digest": digest.as_str(), "media_type": "application/vnd.in-toto+json",
                "subject": { "kind": "service", "id": subjects[connection % LEDGERS] } })
            .to_string()
        }),
        expected: StatusCode::CREATED,
    });
    let runtime = http::runtime();
    let limits = runtime.block_on(Limits::open(&owner(&server)));
    let mut product = |turn| {
        runtime.block_on(http::load(&asked, LEDGERS * CONNECTIONS_EACH, Pace::Saturated, turn)).per_second
    };
    let mut baseline = |turn| runtime.block_on(limits.single(turn));
    let [value, baseline] = plan.interleave("append_64", [&mut product, &mut baseline]);
    Row {
        name: "append_64",
        value,
        unit: "events/s",
        baseline: Some(baseline),
        goal: Some(Goal::RatioAtLeast(1.0)),
        beside: Vec::new(),
    }
}

/// How the database's owner connects to a running server's Postgres.
pub(crate) fn owner(server: &Server) -> tokio_postgres::Config {
    let password =
        std::fs::read_to_string(server.data().join("secrets/postgres-owner.password")).expect("a password");
    let mut config = tokio_postgres::Config::new();
    config.host_path(server.data().join("postgres/socket")).port(5432).dbname("sealbook");
    config.user("sealbook_owner").password(password.trim());
    config
}
