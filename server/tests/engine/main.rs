//! The engine without its borders: founding, dual control, signing, containment, rotation of the ledger key, export and
//! verification, against a real Postgres and a real PKCS#11 module.
//!
//! SoftHSM reads its variable once a process, so the program runs itself again with it set.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic in a test is its report")]

mod clocks;
mod crashes;
mod fickle;
mod moody;
mod packs;
mod radius;
mod rotations;
mod servers;
mod snapshots;
mod speculation;
mod starting;
mod statements;
mod troubles;
mod world;
mod year;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealbook::app::App;
use sealbook::authenticator::SoftAuthenticator;
use sealbook::ceremony::{FounderInvite, Plan};
use sealbook::custody::softhsm;
use sealbook::embedded::{DataFolder, EmbeddedPostgres};
use sealbook::ledger::{Disclosure, EngineError, IdempotencyKey, Ledger, Submission, digests};
use sealbook::passkeys::MadePasskey;
use sealbook::signing::{Reply, SignCall, SignInput, Signed};
use sealbook_ledger::action::{
    ActionDocument, DeviceKeyParams, Params, ServiceEnrollParams, SlotCreateParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, Containment};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{ActionId, MemberId, ServiceId, TenantName};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{ActionApproved, ActionProposed, FounderAssertion, SignedProposal};
use sealbook_ledger::policy::{Environment, LedgerPolicy, Role, SigningPolicy};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::verify::{Pins, verify_bundle};
use sealbook_ledger::webauthn::{Assertion, Purpose};
use starting::{start, start_keeping, start_moody};

const ORIGIN: &str = "http://localhost:7420";

struct Person {
    id: MemberId,
    key: SoftAuthenticator,
}

struct Site {
    app: App,
    ledger: Arc<Ledger>,
    people: Vec<Person>,
}

/// Each runs in a process of its own, over a device and a database of its own. An argument picks those whose names hold it.
const TESTS: [&str; 7] = ["journey", "year", "crashes", "servers", "troubles", "radius", "statements"];

fn main() {
    match std::env::var_os("SEALBOOK_ENGINE_TEST") {
        Some(name) => {
            let folder = std::env::var_os("SEALBOOK_ENGINE_FOLDER").expect("a folder");
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(test(name.to_str().unwrap(), Path::new(&folder)));
        }
        None => {
            let picked: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
            let is_picked =
                |name: &&str| picked.is_empty() || picked.iter().any(|picked| name.contains(picked.as_str()));
            let names: Vec<&str> = TESTS.into_iter().filter(is_picked).collect();
            // They mostly wait: for the disk, and for what is not to happen.
            std::thread::scope(|scope| {
                let running: Vec<_> =
                    names.iter().map(|name| scope.spawn(move || in_a_process(name))).collect();
                let failed = running.into_iter().filter_map(|one| one.join().err()).count();
                assert_eq!(failed, 0, "tests failed");
            });
            let (ran, out) = (names.len(), TESTS.len() - names.len());
            println!("test result: ok. {ran} passed; 0 failed; 0 ignored; 0 measured; {out} filtered out");
        }
    }
}

fn in_a_process(name: &str) {
    let folder = tempfile::Builder::new().prefix("sealbook-engine-").tempdir().unwrap();
    let (data, began) = (folder.path().canonicalize().unwrap().join("data"), Instant::now());
    let (variable, value) = softhsm::environment(&data.join("token"));
    let status = Process::new(std::env::current_exe().unwrap())
        .env("SEALBOOK_ENGINE_TEST", name)
        .env("SEALBOOK_ENGINE_FOLDER", data)
        .env(variable, value)
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed: {status}");
    println!("test {name} ... ok after {:?}", began.elapsed());
}

async fn test(name: &str, path: &Path) {
    match name {
        "journey" => journey(path).await,
        "year" => year::keys_are_replaced_in_time_for_a_year(path).await,
        "crashes" => crashes::a_server_that_ends_anywhere_in_a_rotation_leaves_one_that_goes_on(path).await,
        "servers" => servers::two_servers_carry_out_one_rotation(path).await,
        "troubles" => troubles::a_device_that_fails_puts_no_key_in_charge(path).await,
        "radius" => radius::a_list_is_what_the_events_come_to(path).await,
        "statements" => statements::incidents_and_drills_are_told_of(path).await,
        other => panic!("no test is called {other}"),
    }
}

async fn journey(path: &Path) {
    let folder = DataFolder::open(path).unwrap();
    let postgres = EmbeddedPostgres::start(&folder).await.unwrap();
    let app = start(&folder, &postgres).await;
    let site = found(app, path).await;
    create_slot(&site, "release-p256", Algorithm::EcdsaP256Sha256).await;
    create_slot(&site, "edge-ed25519", Algorithm::Ed25519OverSha256Digest).await;
    let service = enrol_service(&site, &["release-p256", "edge-ed25519"]).await;
    for n in 0..20u8 {
        sign(&site, service, "release-p256", n).await.unwrap();
        sign(&site, service, "edge-ed25519", n).await.unwrap();
    }
    one_key_signs_once(&site, service).await;
    suspend(&site, "release-p256").await;
    let refused = sign(&site, service, "release-p256", 1).await.unwrap_err();
    assert!(matches!(refused, EngineError::Refused(_)) && refused.code() == "slot.suspended", "{refused}");
    rotate_ledger_key(&site).await;
    sign(&site, service, "edge-ed25519", 99).await.unwrap();
    let first = export_and_verify(&site).await;

    let founding = site.ledger.state().founded().unwrap().founding_digest();
    site.app.stop().await;
    let Site { people, app, .. } = site;
    drop(app);
    let app = start(&folder, &postgres).await;
    let ledger = app.ledger(&"acme".parse().unwrap()).expect("the tenant is there after a restart");
    assert_eq!(ledger.state().founded().unwrap().founding_digest(), founding);
    let site = Site { app, ledger, people };
    sign(&site, service, "edge-ed25519", 100).await.unwrap();
    assert!(export_and_verify(&site).await > first);
    site.app.stop().await;
    let site = snapshots::a_start_begins_from_a_snapshot_and_every_event_is_folded_behind_its_back(
        &folder, &postgres, site, service,
    )
    .await;
    let Site { people, app, ledger } = site;
    drop((app, ledger));
    let app = start(&folder, &postgres).await;
    let ledger = app.ledger(&"acme".parse().unwrap()).unwrap();
    let site = Site { app, ledger, people };
    let slot = "edge-ed25519".parse().unwrap();
    let other = enrol_service(&site, &["edge-ed25519"]).await;
    speculation::a_repetition_decided_ahead_is_one(&site, &postgres, service).await;
    speculation::what_builds_upon_a_failed_round_is_decided_again(&site, &postgres, service).await;
    speculation::a_refusal_that_rests_on_a_failed_round_is_none(&site, &postgres, &slot, service).await;
    speculation::containment_goes_before_what_was_decided_ahead(&site, &postgres, other).await;
    speculation::a_refusal_waits_for_what_it_rests_on(&site, &postgres, &slot, service).await;
    site.app.stop().await;
    let Site { people, .. } = site;
    interrupted(&folder, &postgres, people).await;
    rotations::keys_are_replaced_with_certificates_and_canaries(&folder, &postgres, path).await;
    postgres.stop().await.unwrap();
}

/// What a device's failure and a server's death leave half done is finished, by this server or the next.
async fn interrupted(folder: &DataFolder, postgres: &EmbeddedPostgres, people: Vec<Person>) {
    let (app, device) = start_moody(folder, postgres, usize::MAX).await;
    let ledger = app.ledger(&"acme".parse().unwrap()).unwrap();
    let site = Site { app, ledger, people };

    let before = site.ledger.state().ledger_key().unwrap().vkey.clone();
    device.set_seals(false);
    rotate_ledger_key(&site).await;
    device.refuses(3).await;
    assert!(site.app.missing().await.iter().any(|missing| missing.code == "seal.behind"));
    device.set_seals(true);
    export_and_verify_under(&site, before).await;

    device.fall_silent();
    let late = propose_slot(&site, "late-p256", Algorithm::EcdsaP256Sha256).await;
    device.has_made_in_silence().await;
    site.app.stop().await;
    let Site { people, .. } = site;
    let app = start(folder, postgres).await;
    let ledger = app.ledger(&"acme".parse().unwrap()).unwrap();
    let site = Site { app, ledger, people };
    executed(&site, late).await;
    export_and_verify(&site).await;
    site.app.stop().await;
}

async fn found(app: App, path: &Path) -> Site {
    found_under(app, path, "acme", 1).await
}

/// A tenant of three people, under a rules version.
async fn found_under(app: App, path: &Path, name: &str, rules: u64) -> Site {
    let tenant: TenantName = name.parse().unwrap();
    let roles = BTreeSet::from([
        Role::Approver,
        Role::ChangeBoard,
        Role::KeyOwner,
        Role::PlatformAdmin,
        Role::SecurityReviewer,
    ]);
    let invites =
        (1..=3).map(|n| FounderInvite { display_name: Some(format!("Founder {n}")), roles: roles.clone() });
    let plan = Plan::new(invites.collect(), LedgerPolicy::default_for(3, rules)).under(rules);
    let opened = app.open_tenant(tenant.clone(), plan, None).await.unwrap();
    let ledger = app.ledger(&tenant).unwrap();
    let mut people = Vec::new();
    let tickets: Vec<Hash> = opened.tickets.iter().map(|ticket| ticket_hash(&ticket.ticket.secret)).collect();
    for (n, ticket) in tickets.iter().enumerate() {
        let key =
            SoftAuthenticator::create(&path.join(format!("person-{name}-{n}.json")), "localhost").unwrap();
        let made = MadePasskey { credential: key.credential().clone(), attestation: None };
        let id = app.register_founder(&ledger, *ticket, made, None).await.unwrap().member;
        people.push(Person { id, key });
    }
    let digest = app.founding(&ledger).await.unwrap().digest.expect("all have registered");
    for (person, ticket) in people.iter().zip(&tickets) {
        let (assertion, member) = (person.key.assert(digest, ORIGIN).unwrap(), person.id);
        let assertion = FounderAssertion {
            authenticator_data: assertion.authenticator_data().clone(),
            client_data_json: assertion.client_data_json().clone(),
            credential_id: assertion.credential_id().clone(),
            member,
            signature: assertion.signature().clone(),
        };
        app.sign_founding(&ledger, *ticket, assertion).await.unwrap();
    }
    assert_eq!(ledger.state().founded().unwrap().founding_digest(), digest);
    Site { app, ledger, people }
}

fn ticket_hash(secret: &str) -> Hash {
    let bytes: sealbook_ledger::encoding::B64 = secret.strip_prefix("sbf_").unwrap().parse().unwrap();
    Hash::sha256(bytes.as_bytes())
}

async fn act(site: &Site, params: Params, proposer: usize, role: Role, approvals: &[(usize, Role)]) {
    let action = propose(site, params, proposer, role, approvals).await;
    executed(site, action).await;
}

async fn propose(
    site: &Site,
    params: Params,
    proposer: usize,
    role: Role,
    approvals: &[(usize, Role)],
) -> ActionId {
    let state = site.ledger.state();
    let founded = state.founded().unwrap();
    let reason = Disclosure::new("reason", "because the test says so");
    let now = site.ledger.now();
    let rule = &founded.policy().actions[&params.kind()];
    let document = ActionDocument {
        action: ActionId::from(uuid::Uuid::now_v7()),
        expires_at: now.plus_seconds(3600),
        execute_at: None,
        head: founded.latest_head().unwrap(),
        origin: site.ledger.origin().clone(),
        params,
        policy: founded.policy_digest(),
        proposed_at: now,
        proposed_by: site.people[proposer].id.into(),
        quorum: rule.quorum.clone(),
        reason_digest: digests(std::slice::from_ref(&reason)).remove(0),
    };
    let (bytes, action) = (document.to_bytes().unwrap(), document.action);
    let said = assertion(site, proposer, Purpose::Proposal.challenge(&bytes));
    let signed = SignedProposal {
        authenticator_data: said.authenticator_data().clone(),
        client_data_json: said.client_data_json().clone(),
        credential_id: said.credential_id().clone(),
        member: site.people[proposer].id,
        role,
        signature: said.signature().clone(),
    };
    let proposed = ActionProposed { document, signed: Some(signed) };
    let mut submission = Submission::new(Command::Propose(Box::new(proposed)));
    submission.disclosures = vec![reason];
    site.ledger.submit(submission).await.unwrap();
    for approval in approvals {
        approve(site, action, *approval).await.unwrap();
    }
    action
}

/// Has somebody approve what is proposed.
async fn approve(site: &Site, action: ActionId, (who, role): (usize, Role)) -> Result<(), EngineError> {
    let state = site.ledger.state();
    let bytes = state.founded().unwrap().action(action).unwrap().document_bytes();
    let said = assertion(site, who, Purpose::Approval.challenge(bytes));
    let approved = ActionApproved {
        action,
        authenticator_data: said.authenticator_data().clone(),
        client_data_json: said.client_data_json().clone(),
        credential_id: said.credential_id().clone(),
        member: site.people[who].id,
        role,
        signature: said.signature().clone(),
    };
    site.ledger.submit(Submission::new(Command::Approve(Box::new(approved)))).await.map(drop)
}

async fn executed(site: &Site, action: ActionId) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut size = site.ledger.watch_size();
    loop {
        size.borrow_and_update();
        if let Some(closure) = site.ledger.state().founded().unwrap().closure(action) {
            assert_eq!(closure, sealbook_ledger::state::Closure::Executed);
            return;
        }
        assert!(Instant::now() < until, "the action did not end in time");
        let _ = tokio::time::timeout(Duration::from_secs(1), size.changed()).await;
    }
}

fn assertion(site: &Site, who: usize, challenge: Hash) -> Assertion {
    site.people[who].key.assert(challenge, ORIGIN).unwrap()
}

async fn create_slot(site: &Site, name: &str, algorithm: Algorithm) {
    let action = propose_slot(site, name, algorithm).await;
    executed(site, action).await;
}

async fn propose_slot(site: &Site, name: &str, algorithm: Algorithm) -> ActionId {
    let params = SlotCreateParams {
        algorithm,
        backend: "softhsm".parse().unwrap(),
        drill: false,
        overlap_days: 7,
        owner: site.people[0].id,
        rotation: None,
        rotation_days: 90,
        signing_policy: SigningPolicy::default(),
        slot: name.parse().unwrap(),
    };
    let approvals = [(1, Role::Approver), (2, Role::Approver)];
    propose(site, Params::SlotCreate(params), 0, Role::PlatformAdmin, &approvals).await
}

async fn enrol_service(site: &Site, slots: &[&str]) -> ServiceId {
    let service = ServiceId::from(uuid::Uuid::now_v7());
    let params = ServiceEnrollParams {
        display_name_digest: None,
        service,
        slots: slots.iter().map(|name| name.parse().unwrap()).collect(),
        // Some tests last longer than a year.
        token_expires_at: site.ledger.now().plus_seconds(700 * 86_400),
        token_sha256: Hash::sha256(service.uuid().as_bytes()),
    };
    let approvals = [(1, Role::Approver), (2, Role::Approver)];
    act(site, Params::ServiceEnroll(params), 0, Role::PlatformAdmin, &approvals).await;
    service
}

async fn rotate_ledger_key(site: &Site) {
    let before = site.ledger.state().ledger_key().unwrap().vkey.clone();
    let params = Params::LedgerKeyRotate(DeviceKeyParams { backend: "softhsm".parse().unwrap() });
    let approvals = [(1, Role::SecurityReviewer), (2, Role::PlatformAdmin)];
    act(site, params, 0, Role::PlatformAdmin, &approvals).await;
    assert_ne!(site.ledger.state().ledger_key().unwrap().vkey, before);
}

fn call(service: ServiceId, slot: &str, n: u8) -> SignCall {
    SignCall {
        caller: Actor::Service(service),
        slot: slot.parse().unwrap(),
        input: SignInput::Digest(Hash::sha256(&[n]).0.to_vec()),
        environment: Environment::Production,
        artifact: Vec::new(),
        may_ask: true,
        idempotency: None,
        correlation: sealbook::clock::correlation(),
    }
}

fn signed(reply: Reply) -> Signed {
    match reply {
        Reply::Signed(signed) => *signed,
        Reply::Awaiting(action) => panic!("nobody has to approve this, and yet {action}"),
    }
}

async fn sign(site: &Site, service: ServiceId, slot: &str, n: u8) -> Result<(), EngineError> {
    let signed = signed(site.app.sign(Arc::clone(&site.ledger), call(service, slot, n)).await?);
    let receipt = site.app.receipt(&site.ledger, signed.seq.get(), Duration::from_secs(10)).await.unwrap();
    let vkey = site.ledger.state().ledger_key().unwrap().vkey.clone();
    receipt.verify(&[vkey]).expect("the receipt holds");
    Ok(())
}

async fn one_key_signs_once(site: &Site, service: ServiceId) {
    let key = IdempotencyKey { key_hash: Hash::sha256(b"key"), body_hash: Hash::sha256(b"body") };
    let asked = || SignCall { idempotency: Some(key), ..call(service, "release-p256", 77) };
    let first = signed(site.app.sign(Arc::clone(&site.ledger), asked()).await.unwrap());
    let again = signed(site.app.sign(Arc::clone(&site.ledger), asked()).await.unwrap());
    assert_eq!((first.seq, first.created), (again.seq, again.created));
}

async fn suspend(site: &Site, slot: &str) {
    let target = Containment::Slot(slot.parse().unwrap());
    let command = Command::Contain { by: site.people[1].id, target, sd: Vec::new() };
    site.ledger.submit(Submission::new(command.clone())).await.unwrap();
    let again = site.ledger.submit(Submission::new(command)).await.unwrap_err();
    assert_eq!(again.code(), Rule::SuspensionDuplicate.code());
}

async fn export_and_verify(site: &Site) -> u64 {
    let vkey = site.ledger.state().ledger_key().unwrap().vkey.clone();
    export_and_verify_under(site, vkey).await
}

async fn export_and_verify_under(site: &Site, vkey: Vkey) -> u64 {
    let mut stream = site.app.export(Arc::clone(&site.ledger), Duration::from_secs(10)).await.unwrap();
    let mut bundle = Vec::new();
    while let Some(chunk) = stream.chunks.recv().await {
        bundle.extend_from_slice(&chunk.unwrap());
    }
    let pins = Pins {
        vkeys: vec![vkey],
        founding: Some(site.ledger.state().founded().unwrap().founding_digest()),
        signatures: true,
        ..Pins::default()
    };
    let report = verify_bundle(bundle.as_slice(), &pins).unwrap();
    assert!(report.failure().is_none(), "{:?}", report.failure());
    assert_eq!(report.verdict(), sealbook_ledger::verify::Verdict::Valid);
    stream.size
}
