//! What a browser checks by itself: receipts under a pinned key, its successions, and that nothing seen was rewritten.

use integration::Server;
use integration::story::Story;
use integration::tenant::signing_policy;

use crate::support::walk;

#[test]
fn a_reader_pins_a_key_and_every_receipt_is_verified_on_that_device() {
    let server = Server::shared();
    // The ledger key changes in the middle: the pinned one has to hand over before anything recent verifies.
    let story = Story::tell(&server, &["ed25519"]);
    story.sealed();
    let tenant = &story.tenant;
    walk("verification", |[ada]| {
        ada.reads_as(tenant.person(2));
        ada.visits(&server, tenant, "/ledger");
        ada.sees("Key not pinned here yet");
        ada.click("Pin a key in this browser");
        ada.fill("Verifier key", &tenant.vkey.replace("tenant", "other"));
        ada.click("Pin this key");
        ada.sees("Not pinned");
        ada.fill("Verifier key", &format!("vkey: {}\n", tenant.vkey));
        ada.click("Pin this key");
        ada.sees("Pinned in this browser");
        ada.sees("the key that this ledger was opened under");
        ada.sees("Checked in this browser");

        ada.click("Verify this page in this browser");
        ada.sees("events on this page hold under the key you pinned");
        ada.looks("verified");
        ada.visits(&server, tenant, "/ledger/3");
        ada.sees("Event 3 stands at its place in checkpoint");
        ada.sees("handed over to");
        ada.looks("event-verified");
        ada.visits(&server, tenant, "/slots");
        ada.sees("Checked in this browser");
    });
}

#[test]
fn a_rewritten_history_is_noticed_on_every_page_and_the_proof_of_it_is_kept() {
    let server = Server::shared();
    let story = Story::tell(&server, &["ed25519"]);
    story.sealed();
    let tenant = &story.tenant;
    walk("rewritten", |[ada]| {
        ada.reads_as(tenant.person(2));
        ada.visits(&server, tenant, "/ledger");
        ada.sees("Key not pinned here yet");
        // As if this browser had seen another history up to half way: its checkpoint has another root.
        let seen = story.halfway.lines().collect::<Vec<_>>();
        let (size, root) = (seen[1].parse::<u64>().unwrap(), "A".repeat(43) + "=");
        let note = story.halfway.replace(seen[2], &root);
        let kept =
            serde_json::json!({ "size": size, "root": root, "note": note, "at": "2026-11-22T00:00:00Z" });
        let key = format!("sealbook.seen.{}", tenant.origin);
        ada.run(
            "localStorage.setItem(arguments[0], arguments[1])",
            &[key.clone().into(), kept.to_string().into()],
        );
        ada.visits(&server, tenant, "/slots");
        ada.sees("This is not the ledger that this browser saw before");
        ada.sees("history was rewritten");
        ada.looks("alarm");
        // It stays, on every page, and what was seen is not overwritten.
        ada.visits(&server, tenant, "/inbox");
        ada.sees("This is not the ledger that this browser saw before");
        let still = ada.run("return localStorage.getItem(arguments[0])", &[key.into()]);
        assert_eq!(still.as_str().unwrap(), kept.to_string());
        assert!(ada.control("Keep checkpoint-seen-before.txt").is_some());
        assert!(ada.control("Keep checkpoint-shown-now.txt").is_some());
        ada.click("When this has been looked into");
        ada.click("I have kept both notes and told whoever audits this ledger");
        ada.click("Begin anew with what the server shows");
        ada.sees_no_more("This is not the ledger that this browser saw before");
        ada.sees("Key not pinned here yet");
    });
}

/// Somebody opens the story of a slot and of one event, without a pointer.
#[test]
fn the_story_is_filtered_by_keyboard() {
    let server = Server::shared();
    let tenant = integration::Tenant::founded(&server, 2);
    tenant.slot_with("apt-repo", "ed25519", &signing_policy());
    walk("story", |[ada]| {
        ada.reads_as(tenant.person(0));
        ada.visits(&server, &tenant, "/ledger");
        let keyboard = ada.keyboard();
        keyboard.choose("Slot", "apt-repo");
        keyboard.press("Show these events");
        ada.sees("slot apt-repo exists");
        ada.sees_no_more("the ledger is founded");
        ada.keyboard().press("Show everything");
        ada.sees("the ledger is founded");
    });
}
