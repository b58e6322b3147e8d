//! A release: files digested in the browser, one decision over the list, and then each is signed once.

use std::fs;

use integration::tenant::{sha256, signing_policy, text};
use integration::{Server, Tenant};
use serde_json::{Value, json};

use crate::support::{Browser, walk};

/// Founders who own slots and decide on signatures, too.
const BOARD: &[&str] = &["approver", "change_board", "key_owner", "platform_admin", "security_reviewer"];

/// A policy under which people approve what is signed for production.
fn guarded() -> Value {
    let mut policy = signing_policy();
    policy["approval"] = json!(["production"]);
    policy
}

fn value(browser: &Browser, name: &str) -> String {
    let value =
        browser.run("return document.querySelector(`[data-name=\"${arguments[0]}\"]`).value", &[json!(name)]);
    text(&value).to_owned()
}

/// Drops files with these names and contents on the page, as a file manager does.
fn drop_files(browser: &Browser, files: &[(&str, &str)]) {
    let script = "
        const carried = new DataTransfer();
        for (const [name, text] of arguments[0]) carried.items.add(new File([text], name));
        const place = document.querySelector('[data-drop]');
        for (const type of ['dragenter', 'dragover', 'drop']) {
            place.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: carried }));
        }";
    browser.run(script, &[json!(files)]);
}

#[test]
fn a_release_is_dropped_on_the_page_approved_and_signed() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[BOARD; 3]);
    tenant.slot_with("apt-repo", "ecdsa-p256-sha256", &guarded());
    tenant.slot_with("vendor", "ecdsa-p384-sha384", &guarded());
    let service = tenant.service(&["apt-repo"]);
    tenant.sign(&service, "apt-repo", &sha256(b"one")).expect(202);
    walk("releasing", |[ada, ben]| {
        ada.signs_in(&server, tenant.person(0));
        ben.signs_in(&server, tenant.person(1));
        ada.visits(&server, &tenant, "/propose/signing.batch");
        ada.choose("Slot", "vendor");
        drop_files(ada, &[("one.deb", "one")]);
        ada.sees("One file, SHA-384, digested in this browser");
        ada.choose("Slot", "apt-repo");
        ada.sees("apt-repo signs SHA-256: drop the files once more");
        assert_eq!(value(ada, "digests"), "");
        drop_files(ada, &[("one.deb", "one"), ("two.deb", "two")]);
        ada.sees("2 files, SHA-256, digested in this browser");
        let list = format!("{}  one.deb\n{}  two.deb", sha256(b"one"), sha256(b"two"));
        assert_eq!(value(ada, "digests"), list);
        ada.choose("Environment", "production");
        ada.looks("list");
        let sentence = ada.proposes("Release 7.1 of the summer.", "propose-release");
        ada.sees("two.deb");
        ben.opens(&server, &tenant, &sentence);
        ben.sees("The list: 2 artifacts");
        ben.looks("release");
        ben.click("Approve with passkey");
        ben.sees("It has taken effect");
        for artifact in ["one", "two"] {
            tenant.sign(&service, "apt-repo", &sha256(artifact.as_bytes())).expect(200);
        }
        // Signed once, it is asked anew.
        tenant.sign(&service, "apt-repo", &sha256(b"two")).expect(202);
    });
    tenant.verified();
}

#[test]
fn one_artifact_is_chosen_as_a_file_approved_and_signed() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[BOARD; 3]);
    tenant.slot_with("apt-repo", "ecdsa-p256-sha256", &guarded());
    let service = tenant.service(&["apt-repo"]);
    let file = tenant.folder().join("hotfix.deb");
    fs::write(&file, "a hotfix").unwrap();
    walk("releasing-one", |[ada, ben]| {
        ada.signs_in(&server, tenant.person(0));
        ben.signs_in(&server, tenant.person(1));
        ada.visits(&server, &tenant, "/propose/signing.approve");
        ada.choose_file("Or drop the file here, or choose it", &file);
        ada.sees("One file, SHA-256, digested in this browser");
        assert_eq!(value(ada, "digest"), sha256(b"a hotfix"));
        assert_eq!(value(ada, "artifact_name"), "hotfix.deb");
        ada.fill("Version (optional)", "7.1.1");
        ada.choose("Environment", "production");
        let sentence = ada.proposes("Mends the crash.", "propose-hotfix");
        ben.approves(&server, &tenant, &sentence);
        ben.sees("hotfix.deb");
        ben.looks("hotfix");
        tenant.sign(&service, "apt-repo", &sha256(b"a hotfix")).expect(200);
    });
    tenant.verified();
}

#[test]
fn the_form_of_a_slots_policy_begins_with_what_is_in_force_for_the_slot_it_stands_at() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[BOARD; 3]);
    let mut strict = guarded();
    (strict["rate_per_minute"], strict["release"]) = (json!(7), json!("sealed"));
    strict["environments"] = json!(["production"]);
    tenant.slot_with("aa-strict", "ed25519", &strict);
    tenant.slot_with("bb-free", "ed25519", &signing_policy());
    let stands = |browser: &Browser| -> Vec<String> {
        let script = "return [...document.querySelectorAll('[data-name^=\"signing_policy.\"]')].map(field =>
            field.matches('fieldset') ? [...field.querySelectorAll('input:checked')].map(box => box.value).join() : field.value)";
        let all = browser.run(script, &[]);
        all.as_array().unwrap().iter().map(|one| text(one).to_owned()).collect()
    };
    let of_strict = ["services", "production", "production", "", "7", "sealed"];
    let of_free = ["services", "development,production,staging", "", "", "", "durable"];
    walk("policy-of-a-slot", |[ada]| {
        ada.signs_in(&server, tenant.person(0));
        ada.visits(&server, &tenant, "/propose/slot.policy_set");
        assert_eq!(stands(ada), of_strict);
        ada.fill("Reason", "Typed before the slot was chosen.");
        ada.choose("Slot", "bb-free");
        ada.until("the other slot's policy", || (stands(ada) == of_free).then_some(()));
        let reason = ada.run("return document.getElementById('reason').value", &[]);
        assert_eq!(reason, "Typed before the slot was chosen.");
        ada.choose("Slot", "aa-strict");
        ada.until("the first slot's policy", || (stands(ada) == of_strict).then_some(()));
        ada.reload();
        assert_eq!(stands(ada), of_strict);
        ada.choose("Slot", "bb-free");
        ada.until("the other slot's policy", || (stands(ada) == of_free).then_some(()));
        ada.fill("Signatures a minute (optional)", "30");
        let sentence = ada.proposes("No build needs more.", "propose-policy");
        assert!(sentence.contains("bb-free"), "{sentence}");
        ada.sees("Signatures a minute");
    });
}
