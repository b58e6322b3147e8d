//! A delegation: a role for a time, given by a quorum, and used.

use integration::tenant::{DECIDING, signing_policy, text};
use integration::{Server, Tenant};

use crate::support::walk;

#[test]
fn a_role_is_lent_for_a_holiday_and_used() {
    let server = Server::shared();
    let auditor: &[&str] = &["auditor"];
    let tenant = Tenant::founded_with(&server, &[DECIDING, DECIDING, DECIDING, auditor]);
    let params = tenant.slot_params("apt-repo", "ed25519", &signing_policy());
    let waiting =
        tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json();
    walk("delegating", |[ada, ben, cleo, dan]| {
        for (n, person) in [ada, ben, cleo, dan].into_iter().enumerate() {
            person.signs_in(&server, tenant.person(n));
        }
        dan.opens(&server, &tenant, text(&waiting["sentence"]));
        dan.sees("It takes the role approver, which you don't hold");

        ada.visits(&server, &tenant, "/people");
        ada.click("Change Founder 4");
        ada.click("Delegate for a holiday to Founder 4");
        ada.choose("Role", "approver");
        // A delegation that never ends is none.
        ada.fill("Reason", "Ben is on the lake for a week.");
        ada.click("Show what it changes");
        assert!(!ada.shows("Propose with passkey"), "a delegation without an end");
        ada.at_moment("Until", 7);
        let sentence = ada.proposes("Ben is on the lake for a week.", "propose-delegation");
        assert!(sentence.contains("approver") && sentence.contains("until"), "{sentence}");
        ben.approves(&server, &tenant, &sentence);
        cleo.approves(&server, &tenant, &sentence);
        ada.sees("It has taken effect");
        ada.visits(&server, &tenant, "/people");
        ada.sees("approver until");
        ada.looks("delegated");

        // What waited before waits for the delegate now, on the page that was open.
        dan.sees("you or somebody else who holds it");
        dan.click("Approve with passkey");
        dan.sees("approved with");
        dan.looks("used");
        ben.approves(&server, &tenant, text(&waiting["sentence"]));
        assert_eq!(tenant.ended(&waiting)["status"], "executed");
    });
    tenant.verified();
}
