//! A ledger whose people approve by one passkey and sign in by another: neither stands in for the other.

use integration::people::Passkey;
use integration::server::Options;
use integration::tenant::{DECIDING, open, open_with, signing_policy, text};
use integration::{Api, Person, Server, Tenant};
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::webauthn::Purpose;
use serde_json::{Value, json};
use uuid::Uuid;

const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

fn server() -> Server {
    Server::start_with(Options { arguments: vec!["--separate-sign-in".into()], ..Options::default() })
}

fn apart(server: &Server, founders: usize) -> Tenant {
    Tenant::found(server, open_with(server, &vec![DECIDING; founders], &json!({ "separate_sign_in": true })))
}

fn post(api: &Api, path: &str, body: &Value) -> integration::Answer {
    let headers = [OWN, ("content-type", "application/json")];
    api.send("POST", path, &headers, body.to_string().as_bytes())
}

/// Signs in as a browser does, by what the person answers the challenge with.
fn by_browser(
    server: &Server,
    person: &Person,
    shared: bool,
    answered: impl Fn(Hash) -> Value,
) -> integration::Answer {
    let api = server.api();
    let asked = post(&api, "/v1/session/challenge", &json!({ "shared": shared })).expect(200).json();
    let host = if shared { "approve.sealbook.localhost" } else { "sealbook.localhost" };
    assert_eq!(asked["public_key"]["rpId"], host);
    let challenge: B64 = text(&asked["public_key"]["challenge"]).parse().unwrap();
    let mut answer = answered(Hash(challenge.as_bytes().try_into().unwrap()));
    let handle = Uuid::parse_str(&person.id).unwrap();
    answer["user_handle"] = B64::from(handle.as_bytes().as_slice()).to_string().into();
    answer["challenge"] = asked["challenge"].clone();
    post(&api, "/v1/session", &answer)
}

#[test]
fn two_passkeys_each_do_their_own_and_the_verdict_has_nothing_to_say_of_sharing() {
    let server = server();
    let mut tenant = apart(&server, 3);
    let shown = tenant.get("").expect(200).json();
    assert_eq!(shown["approval_rp"]["shared"], false);
    assert_eq!(shown["approval_rp"]["id"], "approve.sealbook.localhost");
    for member in tenant.get("/members").expect(200).json()["members"].as_array().unwrap() {
        let mut uses: Vec<Value> =
            member["credentials"].as_array().unwrap().iter().map(|held| held["uses"].clone()).collect();
        uses.sort_by_key(Value::to_string);
        assert_eq!(uses, [json!(["approve"]), json!(["sign_in"])]);
    }

    // What approves signs nobody in: not a program, and not a browser, whatever it was asked for.
    let (ada, ben) = (tenant.person(0), tenant.person(1));
    let nonce = ada.api.post(&tenant.path("/session/challenge"), &json!({})).expect(200).json();
    let document = json!({ "nonce": nonce["nonce"], "origin": nonce["origin"], "v": 1 });
    let bytes = canonical::value_to_vec(&document).unwrap();
    let mut body = ada.sign_as_member(Purpose::Session.challenge(&bytes));
    body.insert("nonce".to_owned(), nonce["nonce"].clone());
    ada.api.post(&tenant.path("/session"), &Value::Object(body)).refused(403, "session.not_shared");
    by_browser(&server, ada, false, |challenge| ada.assert(challenge)).refused(401, "session.refused");
    by_browser(&server, ada, true, |challenge| ada.assert(challenge)).refused(401, "session.refused");
    by_browser(&server, ada, true, |challenge| ada.assert_sign_in(challenge)).refused(401, "session.refused");
    by_browser(&server, ada, false, |challenge| ada.assert_sign_in(challenge)).expect(201);

    // What signs in decides nothing, and proposes nothing.
    let params = tenant.slot_params("release", "ecdsa-p256-sha256", &signing_policy());
    let draft = tenant.draft(ada, "slot.create", &params).expect(200).json();
    let mut proposal = tenant.proposal(ada, "platform_admin", &draft);
    let digest = |purpose: Purpose| purpose.challenge(&canonical::value_to_vec(&draft["document"]).unwrap());
    proposal["assertion"] = ada.assert_sign_in(digest(Purpose::Proposal));
    ada.api.post(&tenant.path("/actions"), &proposal).refused(403, "assertion.relying_party");
    let action = ada.api.post(&tenant.path("/actions"), &tenant.proposal(ada, "platform_admin", &draft));
    let action = action.expect(201).json();
    let approval = json!({ "role": "approver", "assertion": ben.assert_sign_in(digest(Purpose::Approval)) });
    let path = tenant.path(&format!("/actions/{}/approve", text(&action["action"])));
    ben.api.post(&path, &approval).refused(403, "assertion.relying_party");
    assert_eq!(tenant.approved(&action)["status"], "executed");

    // Whoever joins registers both by one link, the approving one first.
    let ticket = tenant.invited(&["auditor"]);
    let stranger = tenant.stranger();
    let early = stranger.registration_of(&Passkey::to_sign_in(tenant.folder()), &ticket);
    let holder = server.api().with_token(&ticket);
    holder
        .post(&tenant.path("/candidates/register"), &json!({ "registration": early }))
        .refused(400, "registration.relying_party");
    let half = json!({ "registration": stranger.registration(&ticket) });
    let half = holder.post(&tenant.path("/candidates/register"), &half).expect(201).json();
    assert_eq!(half["next"], "sign_in");
    let listed = tenant.get("/candidates").expect(200).json();
    assert_eq!(listed["candidates"][0].get("credential"), None, "half a registration is nothing to enrol");
    tenant.enrolled(&["approver", "security_reviewer"]);

    // Another passkey for signing in, in the place of a lost one.
    let own = tenant.path(&format!("/members/{}/invitations", tenant.person(3).id));
    let invited = tenant.person(3).api.post(&own, &json!({ "uses": ["sign_in"] })).expect(201).json();
    let (ticket, second) = (text(&invited["ticket"]).to_owned(), Passkey::to_sign_in(tenant.folder()));
    let registration = tenant.person(3).registration_of(&second, &ticket);
    let body = json!({ "registration": registration });
    let made = server.api().with_token(&ticket).post(&tenant.path("/candidates/register"), &body);
    assert_eq!(made.expect(201).json().get("next"), None);
    let params = json!({ "credential": registration["credential"], "member": tenant.person(3).id });
    tenant.executed("credential.add", &params);
    tenant.people[3].sign_in_key = Some(second);
    let dan = tenant.person(3);
    by_browser(&server, dan, false, |challenge| dan.assert_sign_in(challenge)).expect(201);

    let verdict = tenant.verified();
    assert!(verdict.stdout.contains("valid") && !verdict.stdout.contains("shared"), "{}", verdict.stdout);
}

#[test]
fn a_ledger_that_shares_lives_on_beside_those_that_do_not() {
    let server = server();
    let shared = Tenant::found(&server, open(&server, &[DECIDING; 2]));
    let verdict = shared.verified();
    assert!(verdict.stdout.contains("approval_rp.shared"), "{}", verdict.stdout);
    let ada = shared.person(0);
    by_browser(&server, ada, false, |challenge| ada.assert(challenge)).refused(401, "session.refused");
    by_browser(&server, ada, true, |challenge| ada.assert(challenge)).expect(201);
    let page = server.api().get("/signin").expect(200).text();
    assert!(page.contains("My passkey approves, too"), "{page}");

    // Nobody holds a passkey that only signs in: kept apart, they would all be locked out.
    let rp = shared.get("").expect(200).json()["approval_rp"].clone();
    let mut after = rp;
    after["shared"] = false.into();
    shared.draft(ada, "approval_rp.set", &json!({ "approval_rp": after })).refused(409, "session.none_left");
    let path = shared.path(&format!("/members/{}/invitations", ada.id));
    ada.api.post(&path, &json!({ "uses": ["sign_in"] })).refused(409, "session.shared");
}

#[test]
fn a_server_without_a_domain_for_it_opens_no_such_tenant() {
    let server = Server::shared();
    let founders = json!([{ "display_name": "Ada" }, { "display_name": "Ben" }]);
    let body = json!({ "tenant": "apart", "founders": founders, "separate_sign_in": true });
    server.operator().post("/v1/tenants", &body).refused(409, "tenant.sign_in");
}
