//! The device gone: nothing is signed, and everything else goes on.

use std::fs;

use integration::server::Options;
use integration::story::Story;
use integration::tenant::signing_policy;
use integration::{Server, waiting};
use serde_json::json;

#[test]
fn without_its_device_a_server_signs_nothing_does_all_else_and_needs_no_restart() {
    let arguments = ["--max-unsealed", "1"].map(str::to_owned).to_vec();
    let server = Server::start_with(Options { arguments, ..Options::default() });
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    let (tenant, slot) = (&story.tenant, &story.slots[0]);
    let params = json!({ "slot": slot, "signing_policy": signing_policy() });
    let pending = tenant.propose(tenant.person(1), "security_reviewer", "slot.policy_set", &params);
    let pending = pending.expect(201).json();
    story.sealed();
    let (here, away) = (server.data().join("token/tokens"), server.data().join("token/away"));
    fs::rename(&here, &away).unwrap();

    let refused = waiting::until("the loss to be noticed", || {
        let answer = story.sign(slot, "without a device");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.status, 503, "{}", refused.said());
    assert!(refused.header("retry-after").is_some());

    // Approvals, containment and reads go on; the ledger grows although nothing seals it.
    let decided = tenant.approved(&pending);
    assert_eq!(decided["status"], "executed", "{decided:#}");
    tenant.post(&format!("/slots/{slot}/suspend"), &json!({ "reason": "at 3 a.m." })).expect(201);
    let resume =
        tenant.propose(tenant.person(1), "security_reviewer", "slot.resume", &json!({ "slot": slot }));
    assert_eq!(tenant.approved(&resume.expect(201).json())["status"], "executed");
    for path in ["", "/members", "/slots", "/keys", "/events", "/checkpoint", "/actions"] {
        tenant.get(path).expect(200);
    }
    let shown = tenant.get("").expect(200).json();
    assert!(shown["size"].as_u64() > shown["sealed_size"].as_u64(), "{shown:#}");
    let ready = server.api().get("/readyz").expect(503);
    assert!(ready.text().contains("custody."), "{}", ready.text());

    // Longer than max_unsealed: new signatures are refused, and a suspension goes through all the same.
    waiting::until("sealing to be behind", || {
        let answer = story.sign(slot, "unsealed for too long");
        assert_eq!(answer.status, 503, "{}", answer.said());
        let code = answer.code();
        (code == "seal.behind" || code.starts_with("custody.")).then_some(())
    });
    tenant.post(&format!("/slots/{slot}/suspend"), &json!({ "reason": "and again" })).expect(201);

    fs::rename(&away, &here).unwrap();
    let resume =
        tenant.propose(tenant.person(1), "security_reviewer", "slot.resume", &json!({ "slot": slot }));
    assert_eq!(tenant.approved(&resume.expect(201).json())["status"], "executed");
    waiting::until("signing to go on", || (story.sign(slot, "with its device").status == 200).then_some(()));
    tenant.verified();
}

#[test]
fn a_change_of_the_ledger_key_that_could_not_be_sealed_at_once_is_sealed_with_its_transition() {
    let server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    let (here, away) = (server.data().join("token/tokens"), server.data().join("token/away"));
    let params = json!({ "backend": "softhsm" });
    let rotation =
        story.tenant.propose(story.tenant.person(0), "platform_admin", "ledger.key_rotate", &params);
    let action = rotation.expect(201).json();
    // Taken away the moment that the new key is recorded: sometimes before it is sealed, never with harm.
    let tenant = &story.tenant;
    tenant.decide(tenant.person(1), "security_reviewer", "approve", &action).expect(200);
    tenant.decide(tenant.person(2), "platform_admin", "approve", &action).expect(200);
    waiting::until("the new key", || {
        let page = tenant.get("/events?type=ledger.key_rotated&limit=10").expect(200).json();
        (page["events"].as_array().unwrap().len() == 2).then_some(())
    });
    fs::rename(&here, &away).unwrap();
    waiting::until("the loss to be noticed", || (server.api().get("/readyz").status == 503).then_some(()));
    fs::rename(&away, &here).unwrap();
    waiting::until("signing to go on", || (story.sign(&story.slots[0], "later").status == 200).then_some(()));
    tenant.verified();
}
