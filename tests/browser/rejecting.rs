//! What does not come about: refused with a reason, taken back, or out of time.

use integration::tenant::{signing_policy, text};
use integration::{Server, Tenant};
use serde_json::{Value, json};

use crate::support::walk;

fn proposed(tenant: &Tenant, slot: &str) -> Value {
    let params = tenant.slot_params(slot, "ed25519", &signing_policy());
    tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json()
}

#[test]
fn a_proposal_is_rejected_with_a_reason_that_its_proposer_reads() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let action = proposed(&tenant, "apt-repo");
    walk("rejecting", |[ada, ben]| {
        ada.signs_in(&server, tenant.person(0));
        ben.signs_in(&server, tenant.person(1));
        ada.visits(&server, &tenant, &format!("/actions/{}", text(&action["action"])));
        ada.sees("This is your own proposal");

        ben.opens(&server, &tenant, text(&action["sentence"]));
        ben.fill("Why it is rejected (optional)", "That name is taken elsewhere:\ncall it deb-repo.");
        ben.looks("reject");
        ben.click("Reject with passkey");
        ben.sees("Somebody rejected it");
        ben.sees("That name is taken elsewhere: call it deb-repo.");
        ben.looks("rejected");

        // It comes to whoever waits for it, and stands in the ledger.
        ada.sees("Rejected by Founder 2");
        ada.sees("That name is taken elsewhere: call it deb-repo.");
        let seq = tenant.action(&action)["rejection"]["seq"].clone();
        ada.click(&format!("event {seq}"));
        ada.arrives("the event", |path| path.ends_with(&format!("/ledger/{seq}")));
        ada.sees("That name is taken elsewhere: call it deb-repo.");
        ada.looks("rejection-in-the-ledger");
    });
    assert_eq!(tenant.action(&action)["status"], "rejected");
    tenant.verified();
}

#[test]
fn a_proposer_takes_a_proposal_back() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let action = proposed(&tenant, "apt-repo");
    walk("taking-back", |[ada, ben]| {
        ben.reads_as(tenant.person(1));
        ben.visits(&server, &tenant, &format!("/actions/{}", text(&action["action"])));
        ben.sees("matches");
        assert!(
            ben.control("Take back with passkey").is_none(),
            "somebody else's is offered to be taken back"
        );

        ada.signs_in(&server, tenant.person(0));
        ada.opens(&server, &tenant, text(&action["sentence"]));
        ada.click("Take back with passkey");
        ada.sees("It has ended: nothing is left to decide");
        ada.looks("taken-back");
        ben.sees("Taken back");
        ada.visits(&server, &tenant, "/inbox");
        ada.sees("Nothing waits for you");
    });
    assert_eq!(tenant.action(&action)["status"], "cancelled");
    tenant.verified();
}

#[test]
fn what_runs_out_of_time_says_so_by_itself() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let person = tenant.person(0);
    let params = tenant.slot_params("apt-repo", "ed25519", &signing_policy());
    // Time enough for a browser to be there before it is over.
    let asked =
        json!({ "type": "slot.create", "params": params, "reason": "a test needs it", "expires_in_s": 15 });
    walk("expiring", |[ben]| {
        ben.signs_in(&server, tenant.person(1));
        let draft = person.api.post(&tenant.path("/actions/draft"), &asked).expect(200).json();
        let proposal = tenant.proposal(person, "platform_admin", &draft);
        let action = person.api.post(&tenant.path("/actions"), &proposal).expect(201).json();
        ben.opens(&server, &tenant, text(&action["sentence"]));
        ben.sees("s left");
        ben.snap("pressing");
        ben.sees("Its time is over");
        ben.sees("Expired");
        assert!(ben.control("Approve with passkey").is_none());
        ben.looks("expired");
        assert_eq!(tenant.action(&action)["status"], "expired");
    });
    tenant.verified();
}
