//! What works: from an empty database to a signature, and the operator's commands around it.

use std::fs;
use std::path::Path;

use integration::programs::verify;
use integration::waiting;
use serde_json::Value;

use crate::deployment::{DOMAIN, Deployment, PIN_VARIABLE};

const FOUNDERS: [&str; 3] = ["ada", "grace", "alan"];

/// Opens the tenant with the operator's token, and founds it by people with software authenticators.
pub fn found(deployment: &Deployment) {
    let at = |name: &str| deployment.at(name).display().to_string();
    let (token, tickets) = (at("operator_token"), at("tickets"));
    let mut open = vec!["tenant", "open", "acme", "--operator-token-file", &token, "--out", &tickets];
    open.extend(FOUNDERS.iter().flat_map(|name| ["--founder", *name]));
    deployment.client(open).expect(0);
    for (n, name) in FOUNDERS.iter().enumerate() {
        deployment.client(["authenticator", "create", "--rp-id", DOMAIN, &at(name)]).expect(0);
        let ticket = at(&format!("tickets/acme-founder-{}.ticket", n + 1));
        deployment.client(["--as", &at(name), "founding", "register", "--ticket-file", &ticket]).expect(0);
    }
    for (n, name) in FOUNDERS.iter().enumerate() {
        let ticket = at(&format!("tickets/acme-founder-{}.ticket", n + 1));
        let sign =
            ["--as", &at(name), "founding", "sign", "--yes", "--pin", &at("pins"), "--ticket-file", &ticket];
        deployment.client(sign).expect(0);
    }
}

/// Proposes as Ada, and has the others approve, until the action is executed.
pub fn by_quorum(deployment: &Deployment, arguments: &[&str]) {
    let at = |name: &str| deployment.at(name).display().to_string();
    let ada = at("ada");
    let propose = [&["--as", ada.as_str()], arguments, &["--reason", "a test needs it", "--yes"]].concat();
    let proposed = deployment.client(propose);
    // 3: it awaits approval.
    assert!(matches!(proposed.code, Some(0 | 3)), "{proposed:?}");
    let action = proposed.json()["action"].as_str().unwrap().to_owned();
    deployment.client(["--as", &at("grace"), "action", "approve", &action, "--yes"]);
    let last = deployment.client(["--as", &at("alan"), "action", "approve", &action, "--yes", "--wait"]);
    assert_eq!(last.expect(0).json()["status"], "executed");
}

pub fn founder_pins(deployment: &Deployment) -> (String, String) {
    let pins = fs::read_dir(deployment.at("pins")).unwrap();
    let files: Vec<_> = pins.map(|entry| entry.unwrap().path()).collect();
    let read = |kind: &str| {
        let file = files.iter().find(|file| file.extension().is_some_and(|extension| extension == kind));
        fs::read_to_string(file.unwrap_or_else(|| panic!("{kind}: {files:?}"))).unwrap().trim().to_owned()
    };
    (read("vkey"), read("founding"))
}

fn signs_a_file(deployment: &Deployment) {
    let file = deployment.at("artifact");
    fs::write(&file, "what is released").unwrap();
    let token = deployment.at("ci.token").display().to_string();
    let file = file.display().to_string();
    deployment.client(["--token-file", &token, "sign", "--slot", "release", &file]).expect(0);
    let (vkey, _) = founder_pins(deployment);
    let at = |suffix: &str| format!("{file}.{suffix}");
    let pem =
        deployment.client(["--as", &deployment.at("ada").display().to_string(), "slot", "pubkey", "release"]);
    let pem = pem.expect(0);
    let pem = pem.stdout.parse::<Value>().map_or(pem.stdout, |json| json["pem"].as_str().unwrap().to_owned());
    fs::write(deployment.at("key.pem"), pem).unwrap();
    let key = deployment.at("key.pem").display().to_string();
    let (signature, receipt) = (at("sig"), at("tlog-proof"));
    let parts = ["--artifact", &file, "--signature", &signature, "--receipt", &receipt, "--pubkey", &key];
    verify(parts.into_iter().chain(["--vkey", &vkey])).expect(0);
}

fn exported_ledger_verifies(deployment: &Deployment, bundle: &Path) {
    let (vkey, founding) = founder_pins(deployment);
    let bundle = bundle.display().to_string();
    verify([bundle.as_str(), "--vkey", &vkey, "--founding", &founding, "--signatures"]).expect(0);
}

#[test]
fn a_deployment_is_migrated_founded_signs_and_is_backed_up_without_showing_a_secret() {
    let deployment = Deployment::prepare();
    assert_eq!(deployment.operated(["--json", "migrate"]).expect(0).json()["applied"], 5);
    assert_eq!(deployment.operated(["--json", "migrate"]).expect(0).json()["applied"], 0);
    let serving = deployment.serve();
    assert_eq!(deployment.missing().as_deref(), Some("ready"));
    found(&deployment);
    by_quorum(
        &deployment,
        &["slot", "create", "release", "--algorithm", "ecdsa-p256-sha256", "--backend", "hsm"],
    );
    let token = deployment.at("ci.token").display().to_string();
    by_quorum(&deployment, &["service", "enroll", "ci", "--slot", "release", "--token-out", &token]);
    signs_a_file(&deployment);

    let service_token = fs::read_to_string(&token).unwrap();
    deployment.keeps_its_secrets_from("the process' arguments", &serving.process());
    let log = deployment.at("server.log");
    let status = serving.stop();
    let said = fs::read_to_string(log).unwrap();
    assert!(status.success(), "{status}\n{said}");
    assert!(said.lines().all(|line| line.parse::<Value>().is_ok()), "logs are JSON lines:\n{said}");
    deployment.keeps_its_secrets_from("the log", &said);
    deployment.keeps_its_secrets_from("Postgres' log", &deployment.database.log());
    assert!(!said.contains(service_token.trim()), "the log shows a service's token");

    let out = deployment.at("backup").display().to_string();
    deployment.operated(["backup", "--out", &out]).expect(0);
    let backups = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let bundle = backups.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "tar")).unwrap();
    exported_ledger_verifies(&deployment, &bundle);
    let rebuilt = deployment.operated(["--json", "rebuild"]).expect(0).json();
    assert_eq!(rebuilt["ledgers"][0]["tenant"], "acme");
    assert_eq!(rebuilt["ledgers"][0]["agreed"], true, "{rebuilt}");

    let again = deployment.serve();
    assert_eq!(deployment.missing().as_deref(), Some("ready"));
    signs_a_file(&deployment);
    assert!(again.stop().success());
}

#[test]
fn a_wrong_pin_leaves_the_server_up_and_a_corrected_one_needs_no_restart() {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    let pin = deployment.secret("pin").to_owned();
    deployment.write_secret("pin", "not the token's pin");
    let serving = deployment.serve();
    let missing = waiting::until("the refusal of the PIN to be noticed", || {
        deployment.missing().filter(|missing| missing.contains("custody.unavailable"))
    });
    assert!(missing.contains("hsm") && missing.contains("PIN"), "{missing}");
    assert!(!serving.log().contains("not the token's pin"));
    deployment.write_secret("pin", &pin);
    waiting::until("the device to come back", || deployment.missing().filter(|missing| missing == "ready"));
    assert!(serving.stop().success());
}

#[test]
fn a_pin_may_come_from_the_environment() {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    let file = format!("pin_file = \"{}\"", deployment.at("pin").display());
    deployment.reconfigure(&file, &format!("pin_env = \"{PIN_VARIABLE}\""));
    let mut command = deployment.operate(["serve"]);
    command.env(PIN_VARIABLE, deployment.secret("pin"));
    let serving = deployment.serve_by(command);
    waiting::until("the device to be ready", || deployment.missing().filter(|missing| missing == "ready"));
    deployment.keeps_its_secrets_from("the log", &serving.log());
    assert!(serving.stop().success());
}
