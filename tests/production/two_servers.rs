//! Two servers over one database and one token: both sign, neither forks, and the idle one sees what the other wrote.

use std::fs;
use std::thread;

use integration::programs::verify;
use integration::waiting;
use serde_json::Value;

use crate::deployment::Deployment;
use crate::operating::{by_quorum, found, founder_pins};

/// Files that each server signs.
const FILES: usize = 12;

fn size_of(shown: &Value) -> (u64, u64) {
    (shown["size"].as_u64().unwrap(), shown["sealed_size"].as_u64().unwrap())
}

#[test]
fn two_servers_sign_into_one_ledger_that_stays_one() {
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
    let second = deployment.second();

    // The second one is not asked for anything and follows all the same, approvals included.
    by_quorum(
        &deployment,
        &["slot", "create", "later", "--algorithm", "ecdsa-p256-sha256", "--backend", "hsm"],
    );
    let reading = ["--token-file", &at("ci.token"), "tenant", "show"];
    let (size, _) = size_of(&deployment.client(reading).expect(0).json());
    waiting::until("the idle server to follow", || {
        let (seen, sealed) = size_of(&second.client(reading).expect(0).json());
        (seen >= size && sealed >= size).then_some(())
    });

    let files = |by: &str| -> Vec<String> {
        (0..FILES)
            .map(|n| {
                let file = at(&format!("{by}-{n}.bin"));
                fs::write(&file, format!("signed by {by}, {n}")).unwrap();
                file
            })
            .collect()
    };
    let (ours, theirs) = (files("first"), files("second"));
    let token = at("ci.token");
    let sign = ["--token-file", &token, "sign", "--slot", "release"];
    thread::scope(|scope| {
        let other =
            scope.spawn(|| second.client(sign.iter().copied().chain(theirs.iter().map(String::as_str))));
        deployment.client(sign.iter().copied().chain(ours.iter().map(String::as_str))).expect(0);
        other.join().unwrap().expect(0);
    });

    // Each knows its own last event at once and the other's within a second.
    waiting::until("both to know everything", || {
        let (one, other) =
            (deployment.client(reading).expect(0).json(), second.client(reading).expect(0).json());
        let (one, other) = (size_of(&one), size_of(&other));
        (one == other && one.0 == one.1).then_some(())
    });

    let (vkey, founding) = founder_pins(&deployment);
    let members = deployment.client(["--as", &at("ada"), "member", "list"]).expect(0).json();
    let mut members = members["members"].as_array().unwrap().iter();
    let ada = members.find(|member| member["display_name"] == "ada").unwrap()["member"]
        .as_str()
        .unwrap()
        .to_owned();
    for (by, bundle) in [("first", at("first.tar")), ("second", at("second.tar"))] {
        let export = ["--as", &at("ada"), "--member", &ada, "export", "--wait", "--out", &bundle];
        let exported = if by == "first" { deployment.client(export) } else { second.client(export) };
        exported.expect(0);
        verify([bundle.as_str(), "--vkey", &vkey, "--founding", &founding, "--signatures"]).expect(0);
        let events =
            std::process::Command::new("tar").args(["-xOf", &bundle, "events.jsonl"]).output().unwrap();
        let events = String::from_utf8(events.stdout).unwrap();
        let signed = events.lines().filter(|line| line.contains("\"type\":\"signature.created\"")).count();
        assert_eq!(signed, 2 * FILES, "{by}");
    }
    for log in [first.log(), second.log()] {
        assert!(!log.contains("LEDGER FROZEN"), "{log}");
    }
    assert!(second.stop().success());
    assert!(first.stop().success());
}
