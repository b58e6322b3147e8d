//! A database that is behind, and files outside it that are missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use integration::bundle::Bundle;
use integration::server::Options;
use integration::story::Story;
use integration::{Server, programs};

use crate::operator::{command, refused_start};

/// Copies a stopped cluster with owners and modes.
fn copy(from: &Path, to: &Path) {
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
    let said = refused_start(&server);
    assert!(said.contains("--accept-missing-high-water"), "{said}");
    server.start_again_with(Options {
        arguments: vec!["--accept-missing-high-water".to_owned()],
        ..Options::default()
    });
    let mut tenant = story.tenant;
    let name = tenant.name.clone();
    tenant.people.iter_mut().for_each(|person| person.sign_in(&name));
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
    let name = tenant.name.clone();
    tenant.people.iter_mut().for_each(|person| person.sign_in(&name));
    tenant.slot("second", "ecdsa-p256-sha256");
    let before = Bundle::open(&tenant.exported());
    server.stop();
    let backup = server.scratch().join("backup");
    command(&server, "backup", &["--out", backup.to_str().unwrap()]).expect(0);

    fs::remove_dir_all(&cluster).unwrap();
    copy(&older, &cluster);
    let said = refused_start(&server);
    assert!(said.contains("sealbook restore"), "{said}");

    let bundle = backup.join(format!("{name}.tar"));
    let bundle = bundle.to_str().unwrap();
    let other = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";
    assert_ne!(command(&server, "restore", &[bundle, "--vkey", other]).code, Some(0));
    let keys = backup.join(format!("{name}.keys.json"));
    let arguments = [bundle, "--vkey", &tenant.vkey, "--keys", keys.to_str().unwrap(), "--json"];
    let restored = command(&server, "restore", &arguments).expect(0).json();
    assert!(restored["has"].as_u64() > restored["had"].as_u64(), "{restored:#}");
    server.start_again();
    tenant.people.iter_mut().for_each(|person| person.sign_in(&name));
    tenant.verified();
    let after = Bundle::open(&tenant.exported());
    assert_eq!(after.events()[..before.events().len()], before.events()[..]);
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
