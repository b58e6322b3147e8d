//! Recovery: two sealed authenticators together give a member others, after 72 hours in which anybody may refuse.

use integration::tenant::{DECIDING, text};
use integration::{Server, Tenant};

use crate::support::walk;

#[test]
fn two_sealed_authenticators_recover_a_member_and_any_member_refuses() {
    let server = Server::shared();
    let (recovery, auditor): (&[&str], &[&str]) = (&["recovery"], &["auditor"]);
    let founders = [DECIDING, DECIDING, DECIDING, auditor, recovery, recovery];
    let tenant = Tenant::founded_with(&server, &founders);
    walk("recovering", |[ada, ben, cleo, dan]| {
        ada.signs_in(&server, tenant.person(4));
        ben.signs_in(&server, tenant.person(5));
        cleo.signs_in(&server, tenant.person(3));

        // Nobody else may be left who could invite the one to recover.
        ada.visits(&server, &tenant, "/people");
        ada.click("Change Founder 2");
        ada.looks("sealed");
        ada.click("Recover Founder 2");
        ada.sees("Nobody has registered yet");
        ada.click("Nobody there yet? Invite the member to register an authenticator");
        ada.choose("Whom to invite", "Founder 2");
        ada.click("Make an invitation link");
        ada.sees("it is shown once");
        let link = ada.run("return document.querySelector('#invited code').textContent", &[]);

        let _key = dan.security_key();
        dan.visit(text(&link));
        dan.click("Register an authenticator");
        dan.sees("Registered, and not yet in force");
        dan.looks("registered");
        let fingerprint = dan.run("return document.getElementById('fingerprint').textContent", &[]);

        ada.reload();
        ada.sees("Founder 2: unattested");
        let sentence = ada.proposes("His house burnt down.", "propose-recovery");
        ben.opens(&server, &tenant, &sentence);
        ben.sees(text(&fingerprint));
        ben.sees("of which 2 d 23 h are left");
        ben.looks("waiting");
        ben.click("Approve with passkey");
        ben.sees("approved with");
        ben.sees("of which 2 d 23 h are left");
        ben.looks("approved");

        cleo.opens(&server, &tenant, &sentence);
        cleo.looks("anybody");
        cleo.click("Reject with passkey");
        cleo.sees("Somebody rejected it");
        cleo.looks("refused");
        ada.sees("Somebody rejected it");
        dan.reload();
        dan.sees("Registered, and not yet in force");
    });
    tenant.verified();
}
