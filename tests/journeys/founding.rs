//! Founding a ledger.

use integration::tenant::{DECIDING, open, sha256, text};
use integration::{Person, Server, Tenant};
use sealbook_ledger::encoding::Hash;
use serde_json::{Value, json};

#[test]
fn three_people_found_a_ledger_that_signs_and_whose_export_verifies() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let shown = tenant.get("").expect(200).json();
    assert_eq!((&shown["founded"], &shown["rules"]), (&json!(true), &json!(sealbook::ceremony::RULES)));
    assert_eq!(shown["founding_digest"], tenant.founding_digest.as_str());
    assert_eq!(shown["vkey"], tenant.vkey.as_str());

    tenant.slot("release-p256", "ecdsa-p256-sha256");
    let service = tenant.service(&["release-p256"]);
    let signed = tenant.sign(&service, "release-p256", &sha256(b"an artifact")).expect(200).json();
    assert_eq!(signed["origin"], tenant.origin.as_str());
    assert!(tenant.verified().stdout.contains("valid"));
}

#[test]
fn the_document_appears_with_the_last_registration_and_the_last_signature_founds() {
    let server = Server::shared();
    let opened = open(&server, &[DECIDING; 2]);
    let path = |rest: &str| format!("/v1/tenants/{}{rest}", opened.name);
    let asked_by = |n: usize| server.api().with_token(&opened.tickets[n]);
    let founding = || asked_by(0).get(&path("/founding")).expect(200).json();
    assert_eq!(founding()["state"], "collecting");

    let mut people = Vec::new();
    for (n, ticket) in opened.tickets.iter().enumerate() {
        assert_eq!(founding().get("document"), None);
        let mut person = Person::new(server.scratch(), &server.api(), &server.url());
        let body = json!({ "registration": person.registration(ticket), "display_name": "Somebody" });
        let made = asked_by(n).post(&path("/founding/candidates"), &body).expect(201).json();
        person.id = text(&made["member"]).to_owned();
        people.push(person);
    }
    let signing = founding();
    assert_eq!(
        (text(&signing["state"]), text(&signing["document"]["origin"])),
        ("signing", text(&opened.answer["origin"]))
    );
    let digest: Hash = text(&signing["founding_digest"]).parse().unwrap();

    let sign = |n: usize| {
        asked_by(n).post(&path("/founding/assertions"), &Value::Object(people[n].sign_as_member(digest)))
    };
    let first = sign(0).expect(200).json();
    assert_eq!((&first["state"], &first["missing"]), (&json!("signing"), &json!([people[1].id])));
    let last = sign(1).expect(200).json();
    assert_eq!((&last["state"], &last["missing"]), (&json!("founded"), &json!([])));
    assert_eq!(founding()["state"], "founded");
}
