//! Who may know whom (docs/ARCHITECTURE). A new dependency between rooms is a decision: it is made here, in the open.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{self, Source, report};

/// The rooms of the server and what each may use. Data flows from the borders to the store; nothing points back.
const ROOMS: [(&str, &[&str]); 46] = [
    // The borders.
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app",
            "assembly",
            "authenticator",
            "ceremony",
            "client",
            "config",
            "custody",
            "embedded",
            "notifying",
            "passkeys",
            "rebuilding",
            // The papers of releases.
            "release",
            "relying_parties",
            "restoring",
            "running",
            "store",
            // How long a text may be.
            "text",
            "tls",
            // The sentence of an action: what is signed is told in one way only.
            "views",
        ],
    ),
    ("client", &["authenticator", "relying_parties"]),
    ("authenticator", &[]),
    (
        "http",
        &[
            "app",
            "auditing",
            // Of which key, and since when.
            "blast_radius",
            "ceremony",
            "clearing",
            "clock",
            "custody",
            // What part of a ledger is exported.
            "exporting",
            // A tenant's health shows the marks outside the database.
            "high_water",
            "ledger",
            // Which proxies are believed.
            "network",
            "notifying",
            "passkeys",
            "proving",
            "registration",
            "relying_parties",
            "reports",
            "signing",
            "store",
            "text",
            "views",
        ],
    ),
    // Pages stand over the API and take its extractors; `running` hands them to `http`, which knows none of them.
    // What may be adopted are the rules that new ledgers open under.
    ("pages", &["app", "ceremony", "clock", "http", "ledger", "relying_parties", "store", "views"]),
    // Lists that were handed out and are lost.
    ("views", &["authenticator", "list_numbers", "milestones", "relying_parties", "store"]),
    ("passkeys", &["clock"]),
    ("registration", &["authenticator"]),
    // Their tests use a software authenticator.
    ("reports", &["authenticator", "views"]),
    ("text", &[]),
    // Putting a server together and keeping it up.
    ("running", &["app", "custody", "http", "network", "pages"]),
    (
        "assembly",
        &[
            "app",
            "clock",
            "config",
            "custody",
            "devices",
            // By whose clock a trial goes.
            "embedded",
            "ledger",
            "notifying",
            "passkeys",
            "store",
            "tls",
        ],
    ),
    ("config", &["custody", "network", "notifying", "tls"]),
    ("tls", &["config"]),
    ("embedded", &[]),
    // The engine.
    (
        "app",
        &[
            "auditing",
            "blast_radius",
            "ceremony",
            "clearing",
            "clock",
            "config",
            "custody",
            "devices",
            "effects",
            "exporting",
            "high_water",
            "inventory",
            "ledger",
            "loading",
            "notifying",
            "packs",
            "passkeys",
            "projector",
            "proving",
            "refusals",
            "relying_parties",
            "replaying",
            "scrubber",
            "sealer",
            "sequencer",
            "signing",
            "snapshots",
            "store",
            // Which packs were issued, and what a key's signatures are called.
            "views",
        ],
    ),
    ("ceremony", &["clock", "ledger", "passkeys", "relying_parties", "store"]),
    // What a service asks of people, and what they approved.
    ("clearing", &["ledger", "store"]),
    ("signing", &["clearing", "custody", "devices", "ledger", "store"]),
    // Rotations sign on the path that callers take.
    ("effects", &["canary", "clock", "custody", "devices", "ledger", "packs", "signing", "store"]),
    // An incident's pack lists what its key signed.
    ("packs", &["blast_radius", "clock", "custody", "devices", "ledger", "proving", "reports", "store"]),
    ("canary", &["ledger", "store"]),
    ("auditing", &["ledger", "store"]),
    // What is disclosed is told with the rows as views tell it.
    ("blast_radius", &["auditing", "exporting", "ledger", "store", "views"]),
    ("exporting", &["ledger", "store"]),
    // Sentence and names of an action, for destinations that may know them: told in one way only.
    ("notifying", &["clock", "custody", "devices", "ledger", "store", "views"]),
    ("refusals", &["ledger"]),
    ("loading", &["high_water", "ledger", "list_numbers", "replaying", "sequencer", "snapshots", "store"]),
    ("replaying", &["ledger", "snapshots", "store"]),
    ("rebuilding", &["ledger", "projector", "sequencer", "store"]),
    ("restoring", &["clock", "exporting", "ledger", "store"]),
    ("list_numbers", &["high_water"]),
    ("sealer", &["devices", "high_water", "ledger", "snapshots", "store"]),
    ("snapshots", &[]),
    ("scrubber", &["ledger", "store"]),
    ("inventory", &["devices", "ledger", "store"]),
    ("projector", &["ledger", "store"]),
    ("proving", &["ledger", "store"]),
    ("sequencer", &["clock", "high_water", "ledger", "projections", "store"]),
    ("devices", &["clock", "custody", "ledger", "store"]),
    ("ledger", &["clock", "high_water", "list_numbers", "milestones", "store"]),
    // When what has to come round came round: calendars are made of it, ledgers keep it.
    ("milestones", &["store"]),
    // What everything rests on.
    ("projections", &["store"]),
    ("custody", &[]),
    ("store", &[]),
];

/// Rooms that use no other.
const LEAVES: [&str; 5] = ["clock", "high_water", "network", "release", "relying_parties"];

fn server() -> Vec<Source> {
    sources::rust().into_iter().filter(|source| source.path.starts_with("server/src/")).collect()
}

fn room(source: &Source) -> &str {
    let inside = source.path.trim_start_matches("server/src/");
    inside.split(['/', '.']).next().unwrap_or(inside)
}

/// What follows each `crate::` of a line; `crate::{a, b::c}` names several.
fn used(line: &str) -> Vec<&str> {
    let name = |text: &'_ str| -> usize {
        text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len())
    };
    let mut names = Vec::new();
    for (at, needle) in line.match_indices("crate::") {
        let rest = &line[at + needle.len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or(list);
                names.extend(list.split(',').map(str::trim).map(|item| &item[..name(item)]));
            }
            None => names.push(&rest[..name(rest)]),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    let rooms: BTreeMap<&str, &[&str]> =
        ROOMS.into_iter().chain(LEAVES.map(|leaf| (leaf, &[][..]))).collect();
    let mut complaints = Vec::new();
    for source in server() {
        let here = room(&source);
        if here == "lib" {
            continue;
        }
        let Some(allowed) = rooms.get(here) else {
            complaints.push(format!("{}: a room that no rule knows", source.path));
            continue;
        };
        for (at, line) in source.code() {
            for other in used(line).into_iter().filter(|other| *other != here && !allowed.contains(other)) {
                complaints.push(format!("{}:{at}: {here} uses {other}", source.path));
            }
        }
    }
    report(&complaints);
}

#[test]
fn the_rules_of_the_rooms_name_only_what_is_there() {
    let there: BTreeSet<String> = server().iter().map(|source| room(source).to_owned()).collect();
    let gone: Vec<String> = ROOMS
        .iter()
        .flat_map(|(room, used)| std::iter::once(room).chain(*used))
        .chain(&LEAVES)
        .filter(|room| !there.contains(**room))
        .map(|room| format!("there is no room {room}"))
        .collect();
    report(&gone);
}

/// Lines of the server's code that say one of `words` outside the places that may.
fn outside(places: &[&str], words: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in server() {
        if places.iter().any(|place| source.path.starts_with(&format!("server/src/{place}"))) {
            continue;
        }
        for (at, line) in source.code() {
            complaints.extend(
                words
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| format!("{}:{at}: {word}", source.path)),
            );
        }
    }
    complaints
}

#[test]
fn only_the_devices_room_knows_pkcs11() {
    report(&outside(&["custody/pkcs11/", "custody/softhsm.rs"], &["cryptoki"]));
}

/// `lopdf` is what `printpdf` writes with.
#[test]
fn only_one_file_knows_how_a_pdf_is_written() {
    report(&outside(&["reports/pdf"], &["printpdf", "lopdf", "typst_assets"]));
}

/// `embedded/cluster.rs` makes the private Postgres' two roles before there is a store, `embedded/ahead.rs` a trial's clock.
#[test]
fn only_the_store_and_the_views_know_sql() {
    let verbs = [
        "SELECT ",
        "INSERT INTO",
        "DELETE FROM",
        "UPDATE heads",
        "TRUNCATE ",
        " RETURNING ",
        ".query_one(",
        ".query(&",
        ".batch_execute(",
    ];
    report(&outside(&["store/", "views/", "embedded/ahead.rs", "embedded/cluster.rs"], &verbs));
}

/// What moves a clock ahead is for tests: a server that is configured goes by the system's.
#[test]
fn no_part_of_the_server_moves_its_clock() {
    report(&outside(&["clock.rs"], &["clock::Hand", "Hand::", "Hand}", "set_ahead("]));
}

/// A trial's clock may run ahead of the system's. Only `sealbook dev`, beside the Postgres that it starts, gets there.
#[test]
fn only_a_trial_runs_ahead() {
    report(&outside(&["clock.rs", "assembly.rs"], &["ahead_by("]));
    report(&outside(&["assembly.rs", "cli/dev.rs"], &["assemble_beside("]));
    report(&outside(&["embedded/ahead.rs", "cli/dev.rs"], &["run_ahead("]));
}

/// One room fills templates: everything else answers with data.
#[test]
fn only_pages_know_templates() {
    report(&outside(&["pages/"], &["askama", "text/html"]));
}

/// What browsers' passkeys say is checked in one room.
#[test]
fn only_passkeys_know_webauthn_rs() {
    report(&outside(&["passkeys"], &["webauthn_rs", "serde_cbor_2"]));
}

/// Elsewhere a connection's configuration is handed over, nothing more.
#[test]
fn only_the_store_talks_to_postgres() {
    let places = ["store/", "views/", "embedded/", "config/database.rs", "assembly.rs"];
    report(&outside(&places, &["tokio_postgres", "deadpool_postgres", "refinery"]));
}

#[test]
fn only_the_border_knows_http() {
    report(&outside(&["http/", "pages/", "running.rs"], &["actix_web", "actix_http", "actix_rt"]));
    report(&outside(&["client.rs", "client/"], &["reqwest", "hyper::"]));
    report(&outside(&["client.rs", "client/", "notifying/post.rs"], &["ureq::Agent", "Agent::with_parts"]));
}

/// The client says how old things are, by the clock of the machine that it runs on.
#[test]
fn time_comes_from_one_place() {
    report(&outside(
        &["clock.rs", "cli/context.rs"],
        &["SystemTime::now", "Utc::now", "OffsetDateTime::now"],
    ));
}

/// The pure crate: no input or output, no clock, no chance, no runtime. Its verifier reads files; that is its program. What
/// one file may nevertheless is decided here: threads that help to verify change no verdict (ADR 23).
const PURE_BUT: [(&str, &str); 1] = [("ledger/src/verify/crew.rs", "std::thread")];

#[test]
fn the_ledger_is_pure() {
    let words = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "rand::",
        "tokio",
        "actix",
        "postgres",
        "async fn",
        ".await",
    ];
    let mut complaints = Vec::new();
    for source in sources::rust() {
        let ours = source.path.starts_with("ledger/src/") && !source.path.starts_with("ledger/src/bin/");
        if !ours || source.path.ends_with("tests.rs") {
            continue;
        }
        for (at, line) in source.code() {
            complaints.extend(
                words
                    .iter()
                    .filter(|word| line.contains(*word) && !PURE_BUT.contains(&(&*source.path, **word)))
                    .map(|word| format!("{}:{at}: {word}", source.path)),
            );
        }
    }
    report(&complaints);
}

#[test]
fn the_ledger_depends_on_little() {
    let manifest = std::fs::read_to_string(sources::root().join("ledger/Cargo.toml")).expect("its manifest");
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table");
    let heavy = ["tokio", "actix-web", "tokio-postgres", "reqwest", "sealbook", "chrono", "rand"];
    let complaints: Vec<String> = heavy
        .iter()
        .filter(|name| dependencies.contains_key(**name))
        .map(|name| format!("the ledger depends on {name}"))
        .collect();
    report(&complaints);
    assert!(dependencies.len() <= 21, "{} dependencies are too many to audit", dependencies.len());
}
