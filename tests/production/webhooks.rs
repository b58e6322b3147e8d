//! Notices: that they arrive, signed, once; that they go nowhere else; and that nothing loses one.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use integration::receiver::{Answer, Received, Receiver};
use integration::waiting;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::deployment::{DOMAIN, Deployment};
use crate::operating::{by_quorum, found};

const SECRET: &str = "a receiver's secret, of 32 bytes and more";
const FIRST_SLOT: [&str; 6] = ["slot", "create", "release", "--algorithm", "ecdsa-p256-sha256", "--backend"];

/// A deployment that tells a receiver of everything, before its server is started.
pub fn prepare(receiver: &Receiver, more: &str) -> Deployment {
    let deployment = Deployment::prepare();
    deployment.operated(["migrate"]).expect(0);
    tell(&deployment, "chat", &format!("http://{}/hook", receiver.address()), more);
    deployment
}

/// Adds a destination.
pub fn tell(deployment: &Deployment, name: &str, url: &str, more: &str) {
    let secret = deployment.at("hook_secret");
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    deployment.configure(&format!(
        "\n[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"{}\"\ntenants = [\"acme\"]\n\
         kinds = [\"action.waiting\", \"action.approved\", \"action.refused\", \"action.overdue\", \
         \"custody.trouble\", \"sealing.trouble\", \"incident\", \"incident.escalated\"]\n{more}\n",
        secret.display()
    ));
}

/// Proposes a slot as Ada; the action's id.
fn propose(deployment: &Deployment, reason: &str) -> String {
    let ada = deployment.at("ada").display().to_string();
    let words = [&["--as", ada.as_str()][..], &FIRST_SLOT, &["hsm", "--reason", reason, "--yes"]].concat();
    let proposed = deployment.client(words);
    // 3: it awaits approval.
    assert!(matches!(proposed.code, Some(0 | 3)), "{proposed:?}");
    proposed.json()["action"].as_str().unwrap().to_owned()
}

/// The notices of a kind and status that a receiver took.
fn accepted(receiver: &Receiver, kind: &str, status: &str) -> Vec<Received> {
    let of = |received: &Received| {
        let body = received.json();
        received.was_accepted() && body["kind"] == kind && body["status"] == status
    };
    receiver.received().into_iter().filter(of).collect()
}

fn await_one(receiver: &Receiver, kind: &str, status: &str) -> Value {
    waiting::until(&format!("{kind} ({status})"), || {
        accepted(receiver, kind, status).first().map(Received::json)
    })
}

/// HMAC (RFC 2104) as a receiver computes it, by other code than the server's.
fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

/// Fails unless the sender knew the secret.
#[track_caller]
pub fn is_signed(received: &Received) {
    let (time, signature) = received.headers["sealbook-signature"].split_once(',').unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let message = [time.as_bytes(), b".", &received.body].concat();
    assert_eq!(signature, format!("v1={}", hmac(SECRET.as_bytes(), &message)));
}

#[test]
fn what_waits_and_how_it_ended_arrives_signed_and_without_what_is_private() {
    let receiver = Receiver::start(Answer::Status(204));
    let knowing = Receiver::start(Answer::Status(200));
    let deployment = prepare(&receiver, "allow_private = true");
    let url = format!("http://{}/with?a=word", knowing.address());
    tell(&deployment, "knowing", &url, "allow_private = true\ndisclose = true");
    let serving = deployment.serve();
    found(&deployment);
    by_quorum(&deployment, &[&FIRST_SLOT[..], &["hsm"]].concat());
    let waits = await_one(&receiver, "action.waiting", "open");
    await_one(&receiver, "action.approved", "executing");
    let approved = await_one(&receiver, "action.approved", "executed");
    let id = approved["action"]["id"].as_str().unwrap();
    assert_eq!(waits["action"]["id"], id);
    assert_eq!(waits["action"]["type"], "slot.create");
    assert_eq!(waits["tenant"], "acme");
    assert_eq!(waits["url"], format!("https://{DOMAIN}/t/acme/actions/{id}"));
    let seats = waits["action"]["open_seats"].as_array().unwrap();
    assert!(seats.iter().any(|seat| seat["count"].as_u64() > Some(0)), "{waits}");

    let ada = deployment.at("ada").display().to_string();
    let rejected = propose_another(&deployment);
    let grace = deployment.at("grace").display().to_string();
    let reject = ["--as", &grace, "action", "reject", &rejected, "--yes"];
    deployment.client(reject).expect(0);
    assert_eq!(await_one(&receiver, "action.refused", "rejected")["action"]["id"], rejected.as_str());
    let cancelled = propose_another(&deployment);
    deployment.client(["--as", &ada, "action", "cancel", &cancelled, "--yes"]).expect(0);
    assert_eq!(await_one(&receiver, "action.refused", "cancelled")["action"]["id"], cancelled.as_str());

    for received in receiver.received() {
        is_signed(&received);
        assert_eq!(received.json()["delivery"], received.delivery());
        let text = String::from_utf8_lossy(&received.body).into_owned();
        for private in ["a test needs it", "release", "grace", "sb_", "sbs_", "disclosed"] {
            assert!(!text.contains(private), "{private}: {text}");
        }
    }
    let told = await_one(&knowing, "action.approved", "executed");
    assert_eq!(told["disclosed"]["reason"], "a test needs it");
    assert!(told["disclosed"]["sentence"].as_str().unwrap().contains("release"), "{told}");

    let deliveries: Vec<String> =
        receiver.received().iter().map(|received| received.delivery().to_owned()).collect();
    let unique: BTreeSet<&String> = deliveries.iter().collect();
    assert_eq!(unique.len(), deliveries.len(), "what was accepted is not sent again");
    let metrics = deployment.get("/metrics");
    assert!(metrics.contains("sealbook_webhooks_delivered_total{destination=\"chat\"}"), "{metrics}");
    let log = serving.log();
    assert!(!log.contains(SECRET) && !log.contains("a=word") && !metrics.contains("a=word"));
    deployment.keeps_its_secrets_from("the log", &log);
    assert!(serving.stop().success());
}

/// Proposes another slot as Ada; the action's id.
fn propose_another(deployment: &Deployment) -> String {
    let ada = deployment.at("ada").display().to_string();
    let words = ["slot", "create", "other", "--algorithm", "ecdsa-p256-sha256", "--backend", "hsm"];
    let words = [&["--as", ada.as_str()][..], &words, &["--reason", "a test needs it", "--yes"]].concat();
    deployment.client(words).json()["action"].as_str().unwrap().to_owned()
}

#[test]
fn a_receiver_that_fails_gets_the_same_delivery_again_until_it_takes_it_and_no_more() {
    let receiver = Receiver::start(Answer::Status(500));
    let deployment = prepare(&receiver, "allow_private = true");
    let serving = deployment.serve();
    found(&deployment);
    propose(&deployment, "it fails first");
    waiting::until("two attempts", || (receiver.received().len() >= 2).then_some(()));
    receiver.answer(Answer::Status(200));
    await_one(&receiver, "action.waiting", "open");
    // A later notice shows that the first is over.
    let other = propose_another(&deployment);
    waiting::until("the next notice", || {
        receiver
            .received()
            .iter()
            .any(|received| received.json()["action"]["id"] == other.as_str())
            .then_some(())
    });
    let received = receiver.received();
    let first: BTreeSet<&str> = received
        .iter()
        .filter(|received| received.json()["action"]["id"] != other.as_str())
        .map(Received::delivery)
        .collect();
    assert_eq!(first.len(), 1, "one delivery, however often it is tried");
    assert_eq!(accepted(&receiver, "action.waiting", "open").len(), 2, "each is taken once");
    received.iter().for_each(is_signed);
    assert!(serving.stop().success());
}

#[test]
fn a_redirect_is_not_followed_and_a_name_of_this_machine_is_not_sent_to() {
    let elsewhere = Receiver::start(Answer::Status(200));
    let receiver = Receiver::start(Answer::Redirect(format!("http://{}/elsewhere", elsewhere.address())));
    let deployment = prepare(&receiver, "allow_private = true");
    let listener = Receiver::start(Answer::Status(200));
    let named = format!("https://localhost:{}/", listener.address().port());
    tell(&deployment, "named", &named, "");
    // Nobody's proxy is asked: it would be one more that learns of everything.
    let mut command = deployment.operate(["serve"]);
    let proxy = format!("http://{}", elsewhere.address());
    for variable in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(variable, &proxy);
    }
    let serving = deployment.serve_by(command);
    found(&deployment);
    propose(&deployment, "it is redirected");
    let log = waiting::until("both refusals", || {
        Some(serving.log())
            .filter(|log| log.contains("redirect refused (307)") && log.contains("address refused"))
    });
    assert!(log.contains("\"webhook\":\"named\""), "{log}");
    let metrics = waiting::until("the failures to be counted", || {
        Some(deployment.get("/metrics")).filter(|metrics| {
            metrics.contains("sealbook_webhooks_pending{destination=\"named\"} 1")
                && metrics.contains("sealbook_webhooks_pending{destination=\"chat\"} 1")
        })
    });
    assert!(metrics.contains("sealbook_webhooks_failed_total{destination=\"named\"}"), "{metrics}");
    assert_eq!(deployment.missing().as_deref(), Some("ready"), "a receiver's failure is not the server's");
    assert!(elsewhere.received().is_empty());
    assert!(listener.received().is_empty());
    assert!(serving.stop().success());
}

#[test]
fn a_receivers_certificate_has_to_hold() {
    let receiver = Receiver::start(Answer::Status(200));
    let deployment = prepare(&receiver, "allow_private = true");
    // The server's own listener stands for a receiver with a certificate; it has no such page.
    tell(&deployment, "certified", &format!("{}/hook", deployment.url()), "allow_private = true");
    let serving = deployment.serve();
    found(&deployment);
    propose(&deployment, "a certificate");
    waiting::until("the unknown authority to be refused", || {
        let log = serving.log();
        (log.contains("invalid peer certificate") && log.contains("unreachable")).then_some(())
    });
    assert!(!serving.log().contains("\"outcome\":\"answered"), "nothing was sent");
    assert!(serving.stop().success());
    let mut command = deployment.operate(["serve"]);
    command.env("SSL_CERT_FILE", deployment.root());
    let serving = deployment.serve_by(command);
    waiting::until("the request to pass", || serving.log().contains("answered 404").then_some(()));
    assert!(serving.stop().success());
}

#[test]
fn an_address_that_may_not_be_sent_to_is_refused_before_anything_is_served() {
    let receiver = Receiver::start(Answer::Status(200));
    let deployment = prepare(&receiver, "");
    let url = format!("http://{}/hook", receiver.address());
    let mut from = url;
    for to in [
        "https://127.0.0.1/hook",
        "https://10.0.0.1/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://169.254.169.254/hook",
        "https://2130706433/hook",
        "http://hooks.example.com/hook",
    ] {
        deployment.reconfigure(&from, to);
        let refused = deployment.operated(["serve"]).expect(1);
        assert!(refused.stderr.contains("`webhooks.chat.url`"), "{to}: {}", refused.stderr);
        to.clone_into(&mut from);
    }
}

#[test]
fn a_server_that_is_killed_before_it_could_tell_tells_after_its_restart_once() {
    let receiver = Receiver::start(Answer::Status(503));
    let deployment = prepare(&receiver, "allow_private = true");
    let serving = deployment.serve();
    found(&deployment);
    let action = propose(&deployment, "the server is killed");
    serving.kill();
    receiver.answer(Answer::Status(200));
    let serving = deployment.serve();
    let waits = await_one(&receiver, "action.waiting", "open");
    assert_eq!(waits["action"]["id"], action.as_str());
    let grace = deployment.at("grace").display().to_string();
    deployment.client(["--as", &grace, "action", "reject", &action, "--yes"]).expect(0);
    await_one(&receiver, "action.refused", "rejected");
    assert_eq!(accepted(&receiver, "action.waiting", "open").len(), 1);
    let deliveries: BTreeSet<String> =
        receiver.received().iter().map(|received| received.delivery().to_owned()).collect();
    assert_eq!(deliveries.len(), 2, "one for what waited, one for its end");
    assert!(serving.stop().success());
}

#[test]
fn a_proposal_whose_time_is_three_quarters_over_is_called_overdue_once() {
    let receiver = Receiver::start(Answer::Status(200));
    let deployment = prepare(&receiver, "allow_private = true");
    let serving = deployment.serve();
    found(&deployment);
    let ada = deployment.at("ada").display().to_string();
    let words = [&["--as", ada.as_str()][..], &FIRST_SLOT, &["hsm", "--expires-in", "60"]].concat();
    deployment.client([&words[..], &["--reason", "soon over", "--yes"]].concat());
    let overdue = await_one(&receiver, "action.overdue", "open");
    assert!(!overdue["action"]["open_seats"].as_array().unwrap().is_empty(), "{overdue}");
    assert!(overdue["time"].as_str() < overdue["action"]["expires_at"].as_str(), "{overdue}");
    let id = overdue["action"]["id"].as_str().unwrap();
    deployment.client(["--as", &ada, "action", "cancel", id, "--yes"]).expect(0);
    assert_eq!(await_one(&receiver, "action.refused", "cancelled")["action"]["id"], id);
    assert_eq!(accepted(&receiver, "action.overdue", "open").len(), 1);
    assert!(serving.stop().success());
}

#[test]
fn a_device_and_sealing_in_trouble_are_told_and_that_they_are_back() {
    let receiver = Receiver::start(Answer::Status(200));
    let deployment = prepare(&receiver, "allow_private = true");
    let serving = deployment.serve();
    found(&deployment);
    assert!(serving.stop().success());
    let pin = deployment.secret("pin").to_owned();
    deployment.write_secret("pin", "not the token's pin");
    let serving = deployment.serve();
    let down = await_one(&receiver, "custody.trouble", "down");
    assert_eq!(down["backend"], "hsm");
    assert!(down.get("tenant").is_none(), "{down}");
    propose(&deployment, "it can't be sealed");
    let behind = await_one(&receiver, "sealing.trouble", "behind");
    assert_eq!(behind["tenant"], "acme");
    assert_eq!(behind["url"], format!("https://{DOMAIN}/t/acme/health"));
    deployment.write_secret("pin", &pin);
    await_one(&receiver, "custody.trouble", "ready");
    await_one(&receiver, "sealing.trouble", "ready");
    for (kind, status) in [("custody.trouble", "down"), ("sealing.trouble", "behind")] {
        assert_eq!(accepted(&receiver, kind, status).len(), 1, "{kind} is told once, however long it lasts");
    }
    assert!(serving.stop().success());
}
