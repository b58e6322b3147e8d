//! A database that is behind, and files outside it that are missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use integration::bundle::Bundle;
use integration::server::Options;
use integration::story::Story;
use integration::tenant::sha256;
use integration::{Server, programs, waiting};
use serde_json::json;

use crate::alarm;
use crate::forged::{evidence, evidence_request, site};
use crate::forger::{Forger, service};
use crate::operator::command;

/// Copies a stopped cluster with owners and modes.
pub fn copy(from: &Path, to: &Path) {
    programs::run(Command::new("cp").arg("-a").arg(from).arg(to)).expect(0);
}

#[test]
fn a_missing_high_water_file_is_refused_then_accepted_by_the_operators_word_and_recorded() {
    let mut server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    story.sealed();
    server.stop();
    for file in fs::read_dir(server.data().join("high-water")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    server.start_again();
    let (code, sentence) = alarm::missing(&server, &story.tenant.origin).unwrap();
    assert_eq!(code, "high_water.missing");
    assert!(sentence.contains("--accept-missing-high-water"), "{sentence}");
    server.stop();
    server.start_again_with(Options {
        arguments: vec!["--accept-missing-high-water".to_owned()],
        ..Options::default()
    });
    let mut tenant = story.tenant;
    tenant.sign_in_again();
    let page = tenant.get("/events?type=ledger.high_water_accepted&limit=10").expect(200).json();
    assert_eq!(page["events"].as_array().unwrap().len(), 1, "{page:#}");
    tenant.verified();
}

#[test]
fn a_database_that_is_behind_is_refused_and_a_backup_puts_the_lost_tail_back_byte_for_byte() {
    let mut server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256", "ed25519"]);
    story.sealed();
    server.stop();
    let (cluster, older) = (server.data().join("postgres/data"), server.scratch().join("older"));
    copy(&cluster, &older);
    server.start_again();
    let mut tenant = story.tenant;
    tenant.sign_in_again();
    tenant.slot("second", "ecdsa-p256-sha256");
    // The change of the ledger key that the story told gets its evidence pack.
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    let pack = waiting::until("the evidence pack", || {
        let reports = tenant.get("/reports").expect(200).json();
        reports["reports"][0]["sha256"].as_str().map(|sha256| format!("/reports/{sha256}"))
    });
    let kept = tenant.get(&pack).expect(200).body;
    let before = Bundle::open(&tenant.exported());
    server.stop();
    let backup = server.scratch().join("backup");
    command(&server, "backup", &["--out", backup.to_str().unwrap()]).expect(0);

    fs::remove_dir_all(&cluster).unwrap();
    copy(&older, &cluster);
    server.start_again();
    let said = alarm::raised(&server, &tenant.name, &tenant.origin);
    assert!(said.contains("sealbook restore"), "{said}");
    server.stop();

    let bundle = backup.join(format!("{}.tar", tenant.name));
    let bundle = bundle.to_str().unwrap();
    let other = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";
    assert_ne!(command(&server, "restore", &[bundle, "--vkey", other]).code, Some(0));
    let keys = backup.join(format!("{}.keys.json", tenant.name));
    let arguments = [bundle, "--vkey", &tenant.vkey, "--keys", keys.to_str().unwrap(), "--json"];
    let restored = command(&server, "restore", &arguments).expect(0).json();
    assert!(restored["has"].as_u64() > restored["had"].as_u64(), "{restored:#}");
    server.start_again();
    tenant.sign_in_again();
    tenant.verified();
    let after = Bundle::open(&tenant.exported());
    assert_eq!(after.events()[..before.events().len()], before.events()[..]);
    assert_eq!(tenant.get(&pack).expect(200).body, kept, "packs come back byte for byte");
    // Restored read tables are what the events say.
    assert_eq!(tenant.get("/slots/second").expect(200).json()["status"], "active");
}

#[test]
fn a_bundle_of_another_history_is_refused() {
    let mut server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    let path = story.tenant.exported();
    let mut bundle = Bundle::open(&path);
    let mut events = bundle.events();
    events[5][9] ^= 1;
    bundle.set_events(&events);
    fs::write(&path, bundle.to_tar()).unwrap();
    server.stop();
    let refused = command(&server, "restore", &[path.to_str().unwrap(), "--vkey", &story.tenant.vkey]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("does not verify"), "{refused:?}");
    server.start_again();
}

/// The older backup is a whole database: ledgers that have not moved since are right, others are behind, and those opened
/// since are not in it at all.
#[test]
fn an_older_base_backup_is_refused_ledger_by_ledger_also_when_somebody_appended_to_it_since() {
    let mut server = Server::start();
    let (mut quiet, quiet_signer) = site(&server);
    let (moved, signer) = site(&server);
    [&quiet, &moved].into_iter().for_each(|tenant| drop(tenant.exported()));
    server.stop();
    let (cluster, older) = (server.data().join("postgres/data"), server.scratch().join("older"));
    copy(&cluster, &older);
    server.start_again();
    for n in 0..3 {
        signer.api.post(&moved.path("/evidence"), &evidence_request(n)).expect(201);
    }
    let (opened_since, late) = site(&server);
    waiting::until("everything to be sealed", || {
        let tenants = server.operator().get("/v1/tenants").expect(200).json();
        let mut tenants = tenants["tenants"].as_array().unwrap().iter();
        tenants.all(|tenant| tenant["size"] == tenant["sealed_size"]).then_some(())
    });
    server.stop();
    fs::remove_dir_all(&cluster).unwrap();
    copy(&older, &cluster);

    server.start_again();
    let behind = alarm::raised(&server, &moved.name, &moved.origin);
    assert!(behind.contains("are known to have been there"), "{behind}");
    let gone = alarm::raised(&server, &opened_since.name, &opened_since.origin);
    assert!(gone.contains("knows no such ledger"), "{gone}");
    opened_since.sign(&late, "release", &sha256(b"gone")).refused(500, "ledger.corrupt");
    quiet.sign(&quiet_signer, "release", &sha256(b"quiet")).expect(200);

    // Appended past where it had been, with a right chain, by somebody with the owner's rights.
    let mut forger = Forger::read(&server, &moved.origin);
    for n in 10..20 {
        forger.append("evidence.recorded", &service(&signer.id), &evidence(n));
    }
    server.stop();
    server.start_again();
    let longer = alarm::raised(&server, &moved.name, &moved.origin);
    assert!(longer.contains("the history was rewritten or replaced"), "{longer}");
    moved.sign(&signer, "release", &sha256(b"longer")).refused(500, "ledger.corrupt");
    quiet.sign_in_again();
    quiet.verified();
}
