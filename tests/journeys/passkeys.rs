//! Passkeys made in browsers: the same registrations as a page sends, by founders, candidates and members.

use std::path::Path;

use integration::bundle::Bundle;
use integration::programs::verify;
use integration::server::Options;
use integration::tenant::{self, DECIDING};
use integration::vendor::Vendor;
use integration::{Person, Server, Tenant};
use sealbook_ledger::encoding::Hash;
use serde_json::{Value, json};

const FOUNDERS: [&[&str]; 2] = [DECIDING, DECIDING];

#[test]
fn founders_register_passkeys_in_browsers_and_found_the_ledger() {
    let server = Server::shared();
    let opened = tenant::open(&server, &FOUNDERS);
    let path = |end: &str| format!("/v1/tenants/{}/founding{end}", opened.name);
    let folder = tempfile::tempdir().unwrap();
    let web_origin = server.url();
    let mut people = Vec::new();
    for ticket in &opened.tickets {
        let api = server.api().with_token(ticket);
        let mut person = Person::new(folder.path(), &api, &web_origin);
        let first = api.post(&path("/registration-options"), &json!({})).expect(200).json();
        let options = api.post(&path("/registration-options"), &json!({})).expect(200).json();
        assert_eq!(options["credential_rules"], json!({ "hardware_only": false }));
        let stale = json!({ "passkey": person.passkey(&first) });
        api.post(&path("/candidates"), &stale).refused(400, "registration.challenge");
        let none = json!({ "display_name": "Ada" });
        api.post(&path("/candidates"), &none).refused(400, "registration.form");
        let body = json!({ "passkey": person.passkey(&options), "display_name": "Ada" });
        let made = api.post(&path("/candidates"), &body).expect(201).json();
        person.id = made["member"].as_str().unwrap().to_owned();
        api.post(&path("/candidates"), &body).refused(409, "ticket.invalid");
        api.post(&path("/registration-options"), &json!({})).refused(409, "ticket.invalid");
        people.push(person);
    }
    let status = people[0].api.get(&path("")).expect(200).json();
    assert_eq!(status["you"], people[0].id.as_str());
    assert_eq!(status["candidates"][0]["display_name"], "Ada");
    assert_eq!(status["candidates"][0]["kind"], "unattested");
    let digest: Hash = status["founding_digest"].as_str().unwrap().parse().unwrap();
    for person in &people {
        let body = Value::Object(person.sign_as_member(digest));
        person.api.post(&path("/assertions"), &body).expect(200);
    }
    let founded = people[0].api.get(&path("")).expect(200).json();
    assert_eq!(founded["state"], "founded");
    assert!(founded["codes"]["vkey"].as_str().unwrap().starts_with("<svg "));

    let certificate = format!("/v1/tenants/{}/birth-certificate", opened.name);
    let printed = people[0].api.get(&certificate).expect(200).body;
    assert!(printed.starts_with(b"%PDF-"));
    assert_eq!(printed, people[1].api.get(&certificate).expect(200).body);
    server.api().get(&certificate).refused(401, "auth.token");
}

#[test]
fn a_ledger_for_hardware_alone_tells_founders_at_once() {
    let server = Server::shared();
    let name = format!("hardware-{}", uuid::Uuid::new_v4().simple());
    let founders = [json!({ "display_name": "Ada" }), json!({ "display_name": "Bea" })];
    let body = json!({ "tenant": name, "founders": founders, "credentials": { "hardware_only": true } });
    let opened = server.operator().post("/v1/tenants", &body).expect(201).json();
    let api = server.api().with_token(opened["tickets"][0]["ticket"].as_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let person = Person::new(folder.path(), &api, &server.url());
    let path = format!("/v1/tenants/{name}/founding");
    let options = api.post(&format!("{path}/registration-options"), &json!({})).expect(200).json();
    assert_eq!(options["credential_rules"]["hardware_only"], true);
    let body = json!({ "passkey": person.passkey(&options) });
    api.post(&format!("{path}/candidates"), &body).refused(403, "credential.policy");
    // The ticket is still good for another authenticator.
    api.post(&format!("{path}/registration-options"), &json!({})).expect(200);
}

#[test]
fn a_candidate_registers_in_a_browser_and_is_enrolled_with_that_passkey() {
    let server = Server::shared();
    let mut tenant = Tenant::founded(&server, 3);
    let mut candidate = tenant.stranger();
    let ticket = tenant.anonymous().with_token(&tenant.invited(&["approver"]));
    let options = ticket.post(&tenant.path("/candidates/registration-options"), &json!({})).expect(200);
    let body = json!({ "passkey": candidate.passkey(&options.json()) });
    let made = ticket.post(&tenant.path("/candidates/register"), &body).expect(201).json();
    candidate.id = made["member"].as_str().unwrap().to_owned();
    ticket.post(&tenant.path("/candidates/register"), &body).refused(409, "ticket.invalid");

    let listed = tenant.get("/candidates").expect(200).json()["candidates"][0].clone();
    assert_eq!((&listed["purpose"], &listed["enrolled"]), (&json!("enrolment"), &json!(false)));
    assert_eq!(listed["credential"]["kind"], "unattested");
    let mut claimed = listed["credential"].clone();
    claimed["kind"] = json!("synced");
    let params = |credential: &Value| json!({ "member": listed["member"], "credentials": [credential], "roles": ["approver"] });
    tenant
        .propose(tenant.person(0), "platform_admin", "member.enroll", &params(&claimed))
        .refused(409, "credential.unregistered");
    tenant.executed("member.enroll", &params(&listed["credential"]));
    candidate.sign_in(&tenant.name);
    assert_eq!(tenant.get("/candidates").expect(200).json()["candidates"][0]["enrolled"], true);
    tenant.people.push(candidate);
    tenant.verified();
}

#[test]
fn a_member_registers_another_authenticator_that_a_quorum_adds() {
    let server = Server::shared();
    let tenant = Tenant::founded(&server, 3);
    let (person, other) = (tenant.person(2), tenant.person(1));
    let path = format!("/members/{}/invitations", person.id);
    let invited = person.api.post(&tenant.path(&path), &json!({})).expect(201).json();
    let ticket = tenant.anonymous().with_token(invited["ticket"].as_str().unwrap());
    let mut second = person.with_another_key(tenant.folder());
    second.api = tenant.anonymous().clone();
    let options =
        ticket.post(&tenant.path("/candidates/registration-options"), &json!({})).expect(200).json();
    let asked = &options["options"]["publicKey"];
    assert_eq!(asked["excludeCredentials"][0]["id"], person.credential()["credential_id"]);
    let body = json!({ "passkey": second.passkey(&options) });
    let made = ticket.post(&tenant.path("/candidates/register"), &body).expect(201).json();
    assert_eq!(made["member"], person.id.as_str());

    let listed = tenant.get("/candidates").expect(200).json()["candidates"][0].clone();
    assert_eq!(listed["purpose"], "credential");
    let params = |member: &str| json!({ "member": member, "credential": listed["credential"] });
    tenant
        .propose(tenant.person(0), "platform_admin", "credential.add", &params(&other.id))
        .refused(409, "credential.unregistered");
    tenant.executed("credential.add", &params(&person.id));
    second.sign_in(&tenant.name);
    tenant.verified();
}

#[test]
fn attested_hardware_is_recorded_with_its_proof_and_the_proof_travels_in_bundles() {
    let folder = tempfile::tempdir().unwrap();
    let vendor = Vendor::new(folder.path());
    let roots = vendor.roots().display().to_string();
    let options = Options { arguments: vec!["--attestation-roots".into(), roots], ..Options::default() };
    let server = Server::start_with(options);
    let rules = json!({ "hardware_only": true });
    let founders = [json!({ "display_name": "Ada" }), json!({ "display_name": "Bea" })];
    let body = json!({ "tenant": "hardware", "founders": founders, "credentials": rules });
    let opened = server.operator().post("/v1/tenants", &body).expect(201).json();
    let path = |end: &str| format!("/v1/tenants/hardware{end}");
    let mut people = Vec::new();
    let mut proofs = Vec::new();
    for ticket in opened["tickets"].as_array().unwrap() {
        let api = server.api().with_token(ticket["ticket"].as_str().unwrap());
        let mut person = Person::new(folder.path(), &api, &server.url());
        let asked = api.post(&path("/founding/registration-options"), &json!({})).expect(200).json();
        let passkey = vendor.attested(&person.passkey(&asked));
        // The statement signs the client data too: either alone proves nothing.
        let proof = format!(
            "{{\"attestation_object\":{},\"client_data_json\":{}}}",
            passkey["attestation_object"], passkey["client_data_json"]
        );
        let made = api.post(&path("/founding/candidates"), &json!({ "passkey": passkey })).expect(201).json();
        person.id = made["member"].as_str().unwrap().to_owned();
        people.push(person);
        proofs.push(proof.into_bytes());
    }
    let status = people[0].api.get(&path("/founding")).expect(200).json();
    assert_eq!(status["candidates"][0]["kind"], "hardware");
    assert_eq!(status["document"]["policy"]["credentials"], rules);
    let digest: Hash = status["founding_digest"].as_str().unwrap().parse().unwrap();
    for person in &people {
        let body = Value::Object(person.sign_as_member(digest));
        person.api.post(&path("/founding/assertions"), &body).expect(200);
    }

    people[0].sign_in("hardware");
    let file = folder.path().join("hardware.tar");
    std::fs::write(&file, people[0].api.get(&path("/export?wait_ms=10000")).expect(200).body).unwrap();
    let mut bundle = Bundle::open(&file);
    for proof in &proofs {
        let name = format!("attachments/{}", Hash::sha256(proof));
        assert!(bundle.members().iter().any(|(member, bytes)| *member == name && bytes == proof), "{name}");
    }
    let vkey = opened["vkey"].as_str().unwrap();
    let check = |roots: &Path| {
        let (file, roots, digest) = (file.to_str().unwrap(), roots.to_str().unwrap(), digest.to_string());
        verify([file, "--vkey", vkey, "--founding", &digest, "--attestation-root", roots])
    };
    let said = check(vendor.roots()).expect(0).stdout;
    assert!(said.contains("attestations that lead to the roots given: 2"), "{said}");
    let elsewhere = tempfile::tempdir().unwrap();
    let said = check(Vendor::new(elsewhere.path()).roots()).expect(1).stdout;
    assert!(said.contains("(attestation.chain)"), "{said}");
    let said = verify([file.to_str().unwrap(), "--vkey", vkey]).expect(0).stdout;
    assert!(said.contains("credentials that claim hardware: 2"), "{said}");
}

#[test]
fn the_pages_of_one_time_links_say_of_no_tenant_whether_it_exists() {
    let server = Server::shared();
    for page in ["found", "join"] {
        let answer = server.api().get(&format!("/t/nobody-s/{page}")).expect(200);
        let html = String::from_utf8(answer.body).unwrap();
        assert!(html.contains("data-step=\"register\"") && html.contains("<noscript>"), "{page}");
    }
    server.api().get("/t/Not_A_Name/found").expect(404);
}
