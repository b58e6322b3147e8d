//! The command line as its users meet it: what it accepts, what it ends with, and what it refuses to sign.

use std::path::Path;

use sealbook_ledger::action::{ActionDocument, ActionType, SlotParams};
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::policy::LedgerPolicy;
use sealbook_ledger::webauthn::Purpose;
use serde_json::{Value, json};

use super::document::{Asked, CheckedDocument, CheckedFounding, DocumentError, PrivateField};
use super::*;
use crate::authenticator::SoftAuthenticator;
use crate::client::answers::{DraftDisclosure, Founding};
use crate::client::fake_server::{Answer, FakeServer, Request};
use crate::client::{ClientError, Token, TokenKind};

const ACTION: &str = "01934f00-0000-4000-8000-0000000000a1";
const MEMBER: &str = "01934f00-0000-4000-8000-0000000000b1";
const VKEY: &str = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

/// A proposal to resume a slot.
fn document(slot: &str) -> Value {
    json!({
        "action": ACTION,
        "expires_at": "2030-01-02T00:00:00.000000Z",
        "head": {"hash": Hash::ZERO, "seq": 3},
        "origin": "sealbook.example.com/vectors",
        "params": {"slot": slot},
        "policy": Hash::ZERO,
        "proposed_at": "2030-01-01T00:00:00.000000Z",
        "proposed_by": MEMBER,
        "quorum": [{"count": 1, "role": "approver"}],
        "reason_digest": reason().1,
        "type": "slot.resume",
        "v": 1,
    })
}

fn reason() -> (DraftDisclosure, String) {
    let disclosure =
        DraftDisclosure { name: "reason".to_owned(), salt: vec![7; 16].into(), value: "done".to_owned() };
    let bytes = canonical::to_vec(&[&disclosure.salt.to_string(), "reason", "done"]).unwrap();
    let digest = sealbook_ledger::encoding::B64::from(Hash::sha256(&bytes).0.as_slice());
    (disclosure, digest.to_string())
}

fn asked(slot: &str) -> Asked {
    Asked::new(ActionType::SlotResume, &SlotParams { slot: slot.parse().unwrap() }).unwrap()
}

fn open(value: &Value) -> Result<CheckedDocument, DocumentError> {
    CheckedDocument::open(value, &"sealbook.example.com/vectors".parse().unwrap())
}

#[test]
fn the_definition_is_sound_and_takes_no_secret_as_a_value() {
    definition().debug_assert();
    for line in ["sealbook tenant list --operator-token sbo_x", "sealbook slot list --token sbt_x"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn the_documented_commands_are_accepted() {
    let id = MEMBER;
    for line in [
        "sealbook tenant open acme --founder Ada --founder Bob:approver,key_owner --out t --operator-token-file f",
        "sealbook tenant open acme --founder Ada --founder Bob --policy p.json --hardware-only \
         --aaguid ee882879-721c-4913-9775-3dfcce97072a",
        "sealbook tenant tickets acme --out t",
        "sealbook action approve 5a1d2c3e --yes",
        "sealbook key show 5a1d2c3e",
        "sealbook authenticator create ada.key --rp-id localhost",
        "sealbook founding sign --ticket-file t --as ada.key --tenant acme --yes --pin p",
        "sealbook slot create s --algorithm ed25519 --environment production --caller packaging_engineers \
         --release sealed --reason r --role platform_admin --wait",
        "sealbook service enroll ci --slot s --slot t --token-out f --reason r",
        &format!("sealbook member grant {id} key_owner --reason r --role platform_admin"),
        &format!("sealbook key revoke {id} --because key-compromise --emergency --reason r"),
        "sealbook ledger-key rotate --reason r --yes --wait",
        "sealbook slot create s --algorithm ed25519 --rotation r.json --reason r",
        "sealbook slot rotation s r.json --reason r",
        "sealbook rotation propose s --reason r",
        "sealbook rotation propose s --emergency --reason r --yes --wait",
        &format!("sealbook certificate propose s --key {id} --reason r"),
        "sealbook hsm review hsm-a --holders h.txt --findings none --reason r",
        "sealbook key adopt s --algorithm ed25519 --label old --public-key-sha256 \
         0000000000000000000000000000000000000000000000000000000000000000 --reason r",
        &format!("sealbook action approve {id} --yes --wait --json"),
        "sealbook sign --slot s a b --jobs 8 --summary markdown --environment staging --artifact-version 1",
        "sealbook release manifest dist --slot s --name app --version 2.1.0 --environment staging --wait=60 --reason r \
         --source git+https://git.example.com/app --commit 1f2e --run https://ci.example.com/7 --builder https://ci.example.com",
        &format!("sealbook release verify dist --vkey {VKEY} --vkey @acme.vkey --revocations r.json"),
        &format!(
            "sealbook release revocation-evidence --key {id} --releases a.txt --advisory CVE-2026-1 \
             --new-evidence dist/release-evidence.json --approver {id} --replacement {id} --out dist"
        ),
        "sealbook evidence add --digest 0000000000000000000000000000000000000000000000000000000000000000 \
         --subject slot:s",
        "sealbook export --out x.tar --wait",
        "sealbook events --story",
        "sealbook incident list --slot s --open",
        "sealbook incident open --slot s --key 5a1d2c3e --suspected-since 2026-11-24 --no-contain --reason r \
         --acknowledge-within 15 --target contained=5 --target revoked=1440",
        "sealbook incident scope 5a1d2c3e --since 2026-11-24T15:00:00Z",
        "sealbook incident withdraw 5a1d2c3e apt-stable --note n",
        "sealbook incident resign 5a1d2c3e --dropped 2",
        "sealbook incident advise 5a1d2c3e --reference CVE-2026-1 --file -",
        "sealbook incident close 5a1d2c3e --outcome false_alarm",
        "sealbook incident statement 5a1d2c3e -o s.zip --pdf s.pdf",
        "sealbook drill start --slot s --tabletop --acknowledge-within 15 --target rotated=30",
        "sealbook drill run 5a1d2c3e --yes --wait-for 60",
        "sealbook slot create s --algorithm ed25519 --drill --reason r",
    ] {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(parse(&line).is_ok(), "{line}: {}", parse(&line).unwrap_err());
    }
}

#[test]
fn what_is_wrong_is_a_usage_error() {
    for line in [
        "sealbook sign --slot s",
        "sealbook sign --slot ../s a",
        "sealbook slot create s --algorithm md5 --reason r",
        "sealbook slot list --url http://sealbook.example.com",
        "sealbook tenant open acme",
        // The file says the days.
        "sealbook slot create s --algorithm ed25519 --rotation r.json --rotation-days 30 --reason r",
        "sealbook hsm review hsm-a --reason r",
        "sealbook release manifest dist --slot s --name ../app --version 1",
        "sealbook release manifest dist --slot s --name app",
        "sealbook release verify dist",
        "sealbook incident open --slot s --target opened=5",
        "sealbook incident open --slot s --acknowledge-within 1441",
        "sealbook incident advise 5a1d2c3e --reference CVE-2026-1",
        "sealbook incident advise 5a1d2c3e --reference CVE-2026-1 --text t --file f",
        "sealbook incident statement 5a1d2c3e",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn exit_codes_tell_refusals_from_outages() {
    let server = FakeServer::start(|request, _| {
        let status = request.line.rsplit('/').next().and_then(|text| text.parse().ok()).unwrap();
        (status, "", "{}".to_owned())
    });
    let client = crate::client::Client::new(server.url()).unwrap();
    let exit = |status: u16| {
        let call = Call::post(format!("/{status}"), &json!({})).unwrap();
        Failure::from(client.json::<Value>(&call).unwrap_err()).exit()
    };
    for refused in [400, 401, 403, 404, 409, 413, 415] {
        assert_eq!(exit(refused), Exit::Refused, "{refused}");
    }
    for unavailable in [429, 500, 503] {
        assert_eq!(exit(unavailable), Exit::Unavailable, "{unavailable}");
    }
    let local = Failure::from(ClientError::MemberUnknown).exit();
    assert_eq!(local, Exit::Failed);
    assert_eq!(
        [Exit::Done, Exit::Usage, Exit::Awaiting, Exit::Refused, Exit::Unavailable].map(|e| e as u8),
        [0, 2, 3, 4, 5]
    );
}

#[test]
fn an_error_says_what_failed_its_code_and_what_to_do() {
    let report = Failure::usage("no tenant was named", "Name it with --tenant.").report();
    assert_eq!(report, "error: no tenant was named\n  code: cli.usage\n  to do: Name it with --tenant.\n");
}

#[test]
fn a_draft_is_signed_only_if_it_is_what_wmatching_for() {
    let member = MEMBER.parse().unwrap();
    let disclosures = [reason().0];
    let draft =
        |value: &Value, reason: &str| open(value)?.matching(&asked("apt"), reason, member, &disclosures);
    assert!(draft(&document("apt"), "done").is_ok());
    let swapped = [
        (document("release"), "done", "document.differs"),
        (document("apt"), "another reason", "document.differs"),
        (with(document("apt"), "proposed_by", json!(ACTION)), "done", "document.differs"),
        (with(document("apt"), "origin", json!("sealbook.example.com/other")), "done", "document.differs"),
        (
            with(
                document("apt"),
                "params",
                json!({"slot": "apt", "execute_at": "2030-01-01T01:00:00.000000Z"}),
            ),
            "done",
            "document.differs",
        ),
        (with(document("apt"), "also", json!(1)), "done", "document.form"),
    ];
    for (value, reason, code) in swapped {
        assert_eq!(draft(&value, reason).unwrap_err().code(), code, "{value}");
    }
}

#[test]
fn what_is_private_is_signed_only_under_the_digest_of_what_was_given() {
    let member = MEMBER.parse().unwrap();
    let asked = |holders: &[&str]| {
        let holders = holders.iter().map(ToString::to_string).collect();
        Asked::new(ActionType::HsmAccessReview, &json!({"backend": "softhsm", "holder_count": 2}))
            .unwrap()
            .with_private("holders", Some(PrivateField::Lines(holders)))
    };
    let holders = DraftDisclosure {
        name: "holders".to_owned(),
        salt: vec![9; 16].into(),
        value: "Ada\nthe build farm".to_owned(),
    };
    let bytes = canonical::to_vec(&[&holders.salt.to_string(), "holders", &holders.value]).unwrap();
    let digest = B64::from(Hash::sha256(&bytes).0.as_slice());
    let params = json!({"backend": "softhsm", "holder_count": 2, "holders_digest": digest});
    let document = with(with(document("apt"), "params", params), "type", json!("hsm.access_review"));
    let disclosures = [reason().0, holders];
    let draft = |holders: &[&str], disclosures: &[DraftDisclosure]| {
        open(&document)?.matching(&asked(holders), "done", member, disclosures).map(drop)
    };
    assert!(draft(&["Ada", "the build farm"], &disclosures).is_ok());
    for (given, disclosed) in
        [(["Ada", "Mallory"], &disclosures[..]), (["Ada", "the build farm"], &disclosures[..1])]
    {
        assert_eq!(draft(&given, disclosed).unwrap_err().code(), "document.differs", "{given:?}");
    }
}

fn with(mut value: Value, member: &str, other: Value) -> Value {
    value[member] = other;
    value
}

fn founding(names: [Option<&str>; 2], labels: [Option<&str>; 2]) -> Founding {
    let ids = [MEMBER, ACTION];
    let salt = "AAAAAAAAAAAAAAAAAAAAAA";
    let opened = |name: &str| {
        let bytes = canonical::to_vec(&[salt, "display_name", name]).unwrap();
        B64::from(Hash::sha256(&bytes).0.as_slice())
    };
    let founder = |(id, name): (&str, Option<&str>)| {
        let mut entry = json!({"member": id, "roles": ["approver"], "credentials": []});
        if let Some(name) = name {
            entry["_sd"] = json!([opened(name)]);
        }
        entry
    };
    let candidate = |(id, label): (&str, Option<&str>)| {
        let disclosure = label.map(|value| json!({"name": "display_name", "salt": salt, "value": value}));
        json!({"member": id, "display_name": label, "disclosure": disclosure, "registered": true, "signed": false})
    };
    let origin = "sealbook.example.com/vectors";
    let document = json!({
        "v": 1, "origin": origin, "vkey": VKEY, "rules": 1, "policy": LedgerPolicy::default_for(2, 1),
        "approval_rp": {"id": "localhost", "origins": ["http://localhost"], "shared": true},
        "founders": ids.into_iter().zip(names).map(founder).collect::<Vec<_>>(),
    });
    let candidates = ids.into_iter().zip(labels).map(candidate).collect::<Vec<_>>();
    let answer = json!({
        "state": "signing", "origin": origin, "vkey": VKEY, "document": document, "candidates": candidates,
    });
    serde_json::from_value(answer).unwrap()
}

#[test]
fn a_founder_signs_only_beside_names_that_the_document_holds_for_those_very_founders() {
    let (ada, ben) = (Some("Ada"), Some("Ben"));
    let named = |names, labels| {
        let answer = founding(names, labels);
        CheckedFounding::open(&answer).unwrap().founders(&answer.candidates)
    };
    let shown: Vec<_> = named([ada, ben], [ada, ben]).unwrap().into_iter().map(|(_, name)| name).collect();
    assert_eq!(shown, [Some("Ada".to_owned()), Some("Ben".to_owned())]);
    assert!(named([ada, None], [ada, None]).is_ok());
    for (names, labels) in [
        ([ada, ben], [ben, ada]),
        ([ada, ben], [ada, None]),
        ([ada, None], [ada, ben]),
        ([ada, ben], [ada, ada]),
    ] {
        assert_eq!(named(names, labels).unwrap_err().code(), "document.differs", "{names:?} as {labels:?}");
    }
}

#[test]
fn a_challenge_that_is_not_the_documents_is_refused() {
    let checked = open(&document("apt")).unwrap();
    let own = checked.challenge(Purpose::Approval, None).unwrap();
    assert!(checked.challenge(Purpose::Approval, Some(&own)).is_ok());
    assert!(matches!(
        checked.challenge(Purpose::Rejection, Some(&own)),
        Err(DocumentError::Digest { what: "challenge" })
    ));
    assert!(checked.of_action(MEMBER.parse().unwrap()).is_err(), "a document of another action");
}

fn ledger() -> String {
    json!({
        "tenant": "acme", "origin": "sealbook.example.com/vectors", "vkey": VKEY, "founded": true,
        "size": 9, "sealed_size": 9, "rules": 1,
    })
    .to_string()
}

fn run_as_person(server: &FakeServer, folder: &Path, command: &str) -> Exit {
    let key = folder.join("ada.key");
    SoftAuthenticator::create(&key, "localhost").unwrap();
    let globals = format!(
        "--url {} --tenant acme --as {} --member {MEMBER} --state {}",
        server.url(),
        key.display(),
        folder.join("state").display()
    );
    parse(&format!("sealbook {command} {globals}")).unwrap().run()
}

/// Answers sign-in and reads; the action's document is `shown`, its challenges are those of `signed`.
fn deceiver(request: &Request, session: &str, shown: &Value, signed: &Value) -> Answer {
    let path = request.line.trim_start_matches("POST ").trim_start_matches("GET ");
    let body = match path.trim_start_matches("/v1/tenants/acme") {
        "" => ledger(),
        "/session/challenge" => json!({"nonce": "bm9uY2U", "origin": "localhost/acme"}).to_string(),
        "/session" => json!({"token": session, "expires_at": "2030-01-01T00:00:00.000000Z"}).to_string(),
        "/services" => json!({"services": []}).to_string(),
        "/members" => json!({"members": []}).to_string(),
        rest if rest.starts_with("/actions/") => {
            let document: ActionDocument = serde_json::from_value(signed.clone()).unwrap();
            let challenge = Purpose::Approval.challenge(&document.to_bytes().unwrap());
            json!({
                "action": ACTION, "type": "slot.resume", "status": "open", "document": shown,
                "challenges": {"approval": challenge}, "proposed_by": MEMBER,
            })
            .to_string()
        }
        other => panic!("not expected: {other}"),
    };
    (200, "", body)
}

fn approve(shown: Value, signed: Value) -> (Exit, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let session = Token::generate(TokenKind::Session).unwrap();
    let server = FakeServer::start(move |request, _| deceiver(request, session.expose(), &shown, &signed));
    let exit =
        run_as_person(&server, folder.path(), &format!("action approve {ACTION} --yes --role approver"));
    let lines = server.requests().into_iter().map(|request| request.line).collect();
    (exit, lines)
}

#[test]
fn a_document_swapped_for_another_gets_no_assertion() {
    let route = format!("POST /v1/tenants/acme/actions/{ACTION}/approve");
    let (exit, lines) = approve(document("apt"), document("apt"));
    assert_eq!(exit, Exit::Done);
    assert!(lines.contains(&route), "the honest server gets the assertion");

    let other_digest = approve(document("apt"), document("release"));
    let other_action = with(document("apt"), "action", json!(MEMBER));
    for (exit, lines) in [other_digest, approve(other_action.clone(), other_action)] {
        assert_eq!(exit, Exit::Refused);
        assert!(!lines.contains(&route), "{lines:?}");
    }
}
