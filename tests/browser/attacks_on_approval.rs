//! Attacks on dual control, with a browser in the attacker's hands: one's own proposal, somebody else's passkey, an
//! approval sent twice, a server that changes its mind between the page and the passkey.

use integration::tenant::{signing_policy, text};
use integration::{Person, Server, Tenant};
use serde_json::{Value, json};

use crate::support::attacker::records_nothing;
use crate::support::{Browser, Key, walk};

/// An action of the tenant's first person, which two others have to approve.
fn proposed(tenant: &Tenant, slot: &str) -> Value {
    let params = tenant.slot_params(slot, "ed25519", &signing_policy());
    tenant.propose(tenant.person(0), "platform_admin", "slot.create", &params).expect(201).json()
}

/// Opens an action's page, and waits until it has checked itself.
fn opens(browser: &Browser, server: &Server, tenant: &Tenant, action: &Value) {
    browser.visits(server, tenant, &page_of(action));
    browser.sees("The digests are those of the document on this page");
}

fn page_of(action: &Value) -> String {
    format!("/actions/{}", text(&action["action"]))
}

/// Where a decision is sent.
fn decision(tenant: &Tenant, action: &Value, verb: &str) -> String {
    tenant.path(&format!("/actions/{}/{verb}", text(&action["action"])))
}

/// Who has taken a seat of an action.
fn seated(tenant: &Tenant, action: &Value) -> Vec<String> {
    let seats = tenant.action(action)["seats"].clone();
    let taken = seats.as_array().unwrap().iter().filter_map(|seat| seat["filled_by"].as_str());
    taken.map(str::to_owned).collect()
}

fn approval(assertion: &Value, role: &str) -> Value {
    json!({ "role": role, "assertion": assertion })
}

#[test]
fn who_proposed_an_action_cannot_approve_it() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let action = proposed(&tenant, "apt-repo");
    walk("own-proposal", |[ada]| {
        ada.signs_in(&server, tenant.person(0));
        opens(ada, &server, &tenant, &action);
        ada.sees("This is your own proposal: other people decide about it.");
        assert!(ada.control("Approve with passkey").is_none(), "there is a button");
        ada.snap("no-button");

        let challenge = text(&action["challenges"]["approval"]);
        let path = decision(&tenant, &action, "approve");
        records_nothing(&tenant, || {
            for role in ["approver", "platform_admin", "security_reviewer"] {
                ada.forces("POST", &path, &approval(&ada.asserts(challenge), role))
                    .refused(403, "approval.own");
            }
        });
        assert!(seated(&tenant, &action).is_empty());
    });
}

#[test]
fn nobody_approves_with_another_members_passkey() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let action = proposed(&tenant, "apt-repo");
    let [bruno, carla] = [tenant.person(1), tenant.person(2)];
    walk("anothers-passkey", |[ben]| {
        let stick = ben.signs_in(&server, bruno);
        stick.remove(&Key::of(bruno));
        stick.put(&Key::of(carla));
        records_nothing(&tenant, || {
            opens(ben, &server, &tenant, &action);
            ben.click("Approve with passkey");
            ben.sees("No passkey was used");
            ben.snap("the-page-asks-for-his-own");

            // Hers is signed over the right digest, and by her.
            let hers = ben.asserts(text(&action["challenges"]["approval"]));
            assert_eq!(hers["credential_id"], Key::of(carla).id());
            let path = decision(&tenant, &action, "approve");
            ben.forces("POST", &path, &approval(&hers, "approver")).refused(403, "credential.unknown");
            // It does not become his by bearing his credential's name.
            let mut renamed = hers.clone();
            renamed["credential_id"] = Key::of(bruno).id().into();
            ben.forces("POST", &path, &approval(&renamed, "approver")).refused(403, "assertion.signature");
        });
        assert!(seated(&tenant, &action).is_empty());
    });
}

#[test]
fn an_approval_counts_once_for_one_action_and_one_person() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let [action, other] = ["apt-repo", "rpm-repo"].map(|slot| proposed(&tenant, slot));
    let path = |action: &Value, verb: &str| decision(&tenant, action, verb);
    walk("replayed-approval", |[ben, cleo]| {
        ben.signs_in(&server, tenant.person(1));
        cleo.signs_in(&server, tenant.person(2));
        opens(ben, &server, &tenant, &action);
        ben.taps("/approve");
        ben.click("Approve with passkey");
        ben.sees("approved with");
        let sent = ben.tapped();
        assert_eq!(seated(&tenant, &action), [tenant.person(1).id.clone()]);

        records_nothing(&tenant, || {
            ben.forces("POST", &path(&action, "approve"), &sent).refused(409, "approval.duplicate");
            ben.forces("POST", &path(&other, "approve"), &sent).refused(403, "assertion.challenge");
            // What was signed to approve is signed for nothing else.
            ben.forces("POST", &path(&action, "reject"), &sent).refused(403, "assertion.challenge");
            cleo.forces("POST", &path(&action, "approve"), &sent).refused(403, "credential.unknown");
            // Another of his roles gives him no second seat.
            let another = approval(&sent["assertion"], "security_reviewer");
            ben.forces("POST", &path(&action, "approve"), &another).refused(403, "approval.seat");
        });
        assert_eq!(seated(&tenant, &action), [tenant.person(1).id.clone()]);
        assert_eq!(tenant.action(&action)["status"], "open");
        assert!(seated(&tenant, &other).is_empty());

        // Nor does it count once the action has ended.
        opens(cleo, &server, &tenant, &action);
        cleo.click("Reject with passkey");
        cleo.sees("Rejected");
        assert_eq!(tenant.ended(&action)["status"], "rejected");
        records_nothing(&tenant, || {
            ben.forces("POST", &path(&action, "approve"), &sent).refused(409, "action.closed");
        });
    });
}

/// What changes between the page, which was right, and the prompt: each a script that runs once the page has checked
/// itself.
const CHANGES: [(&str, &str, &str); 4] = [
    ("the document", "view.document.params.slot = 'apt-rep0'", "another document for this action"),
    ("the digest", "view.challenges.approval = 'ab'.repeat(32)", "another digest for this action"),
    (
        "the reason",
        "view.disclosures[0].value = 'all is well'",
        "is not the one that the document commits to",
    ),
    (
        "the reason, with a salt of its own",
        "view.disclosures = [{ ...view.disclosures[0], salt: 'A'.repeat(22), value: 'all is well' }]",
        "is not the one that the document commits to",
    ),
];

/// Has every later answer about an action changed, and counts what is asked of passkeys.
fn changes_its_mind(browser: &Browser, change: &str) {
    let script = format!(
        "const ask = window.fetch;
         window.fetch = async (...request) => {{
             const answer = await ask(...request);
             if (!String(request[0]).startsWith('/v1/')) return answer;
             const view = await answer.json();
             {change};
             const headers = {{ 'content-type': 'application/json' }};
             return new Response(JSON.stringify(view), {{ status: 200, headers }});
         }};
         window.prompts = 0;
         const get = navigator.credentials.get.bind(navigator.credentials);
         navigator.credentials.get = (...asked) => {{ window.prompts += 1; return get(...asked); }};
         // An honest server's page, drawn anew in the meantime, would undo nothing, but let the page stand still.
         document.getElementById('main').dataset.liveOff = '';"
    );
    browser.run(&script, &[]);
}

#[test]
fn what_changes_between_the_page_and_the_prompt_is_not_signed() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let action = proposed(&tenant, "apt-repo");
    walk("changed-before-the-prompt", |[ben]| {
        ben.signs_in(&server, tenant.person(1));
        for (what, change, words) in CHANGES {
            records_nothing(&tenant, || {
                opens(ben, &server, &tenant, &action);
                changes_its_mind(ben, change);
                ben.click("Approve with passkey");
                ben.sees("Do not decide on this page");
                ben.sees(words);
                assert_eq!(ben.run("return window.prompts", &[]), 0, "a passkey was asked for: {what}");
                assert!(ben.control("Approve with passkey").is_none(), "after {what} changed");
            });
        }
        // The counter counts: an answer that is passed on as it is leads to the prompt.
        opens(ben, &server, &tenant, &action);
        changes_its_mind(ben, "");
        ben.click("Approve with passkey");
        ben.sees_no_more("Waiting for your passkey");
        ben.until("the prompt", || (ben.run("return window.prompts", &[]) == 1).then_some(()));
        ben.until("the approval", || (seated(&tenant, &action).len() == 1).then_some(()));
    });
}

/// A thief with a stolen session, and no passkey, decides nothing.
#[test]
fn a_stolen_session_decides_nothing_without_the_passkey() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let action = proposed(&tenant, "apt-repo");
    let owner: &Person = tenant.person(1);
    walk("stolen-session", |[ben, dan]| {
        ben.signs_in(&server, owner);
        let stick = dan.security_key();
        stick.put(&Key::of(&thief(&tenant)));
        dan.is_planted(&server, &ben.session_cookie().expect("a session"));
        records_nothing(&tenant, || {
            opens(dan, &server, &tenant, &action);
            dan.click("Approve with passkey");
            dan.sees("No passkey was used");
            let own = dan.asserts(text(&action["challenges"]["approval"]));
            let path = decision(&tenant, &action, "approve");
            dan.forces("POST", &path, &approval(&own, "approver")).refused(403, "credential.unknown");
        });
        assert!(seated(&tenant, &action).is_empty());
    });
}

/// Somebody with a passkey for this server that no ledger knows.
fn thief(tenant: &Tenant) -> Person {
    let mut thief = tenant.stranger();
    thief.id = uuid::Uuid::new_v4().to_string();
    thief
}
