//! Signatures that people approve first: asked for by a service, decided by the change board, signed once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use integration::api::Answer;
use integration::programs::{Ended, program, run};
use integration::tenant::{Service, sha256, signing_policy, text};
use integration::{Server, Tenant, waiting};
use sealbook_ledger::timestamp::Timestamp;
use serde_json::{Value, json};

/// Founders who decide on signatures, too.
const BOARD: &[&str] = &["approver", "change_board", "platform_admin", "security_reviewer"];

/// A tenant whose slot `release` signs for production what people have approved, and a service that may use it.
fn guarded(server: &Server) -> (Tenant, Service) {
    let tenant = Tenant::founded_with(server, &[BOARD; 3]);
    tenant.slot_with("release", "ecdsa-p256-sha256", &policy());
    let service = tenant.service(&["release"]);
    (tenant, service)
}

fn policy() -> Value {
    let mut policy = signing_policy();
    policy["approval"] = json!(["production"]);
    policy["callers"] = json!(["packaging_engineers", "services"]);
    policy
}

fn ask(tenant: &Tenant, service: &Service, body: &Value) -> Answer {
    service.api.post(&tenant.path("/slots/release/sign"), body)
}

fn app(n: u32) -> Value {
    let name = format!("app-{n}.bin");
    json!({ "digest": sha256(name.as_bytes()), "artifact": { "name": name, "version": "7.1" } })
}

fn batch(tenant: &Tenant, service: &Service, numbers: std::ops::Range<u32>) -> Answer {
    let artifacts: Vec<Value> =
        numbers.map(app).map(|a| json!({ "name": a["artifact"]["name"], "digest": a["digest"] })).collect();
    let body = json!({ "artifacts": artifacts, "reason": "release 7.1" });
    service.api.post(&tenant.path("/slots/release/batches"), &body)
}

/// The action as members see it.
fn seen(tenant: &Tenant, awaiting: &Value) -> Value {
    tenant.get(&format!("/actions/{}", text(&awaiting["action"]))).expect(200).json()
}

#[test]
fn a_signature_waits_for_the_change_board_and_is_made_once() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let asked = ask(&tenant, &service, &app(1)).expect(202);
    let awaiting = asked.json();
    let path = format!("/actions/{}", text(&awaiting["action"]));
    assert_eq!(asked.header("location"), Some(tenant.path(&path).as_str()));
    assert_eq!((text(&awaiting["status"]), text(&awaiting["seats"][0]["role"])), ("open", "change_board"));
    assert!(text(&awaiting["reason"]).ends_with("asks to sign app-1.bin for production"), "{awaiting}");
    // Asked again it is the same question; a service sees its own, and no other.
    assert_eq!(ask(&tenant, &service, &app(1)).expect(202).json()["action"], awaiting["action"]);
    assert_eq!(service.api.get(&tenant.path(&path)).expect(200).json()["status"], "open");
    let stranger = tenant.service(&["release"]);
    stranger.api.get(&tenant.path(&path)).refused(404, "action.unknown");

    let action = seen(&tenant, &awaiting);
    assert_eq!(action["proposed_by"], service.id);
    let listed = json!([{ "name": "app-1.bin", "digest": app(1)["digest"], "signed": false }]);
    assert_eq!(action["artifacts"], listed);
    assert_eq!(tenant.approved(&action)["status"], "executed");
    let waited = service.api.get(&tenant.path(&format!("{path}?wait_ms=10000"))).expect(200).json();
    assert_eq!(waited["status"], "executed");

    ask(&tenant, &service, &app(2)).expect(202);
    ask(&tenant, &service, &app(1)).expect(200);
    // Used up: it is asked anew.
    let anew = ask(&tenant, &service, &app(1)).expect(202).json();
    assert_ne!(anew["action"], awaiting["action"]);
    // Elsewhere nobody is asked.
    let staging = json!({ "digest": app(3)["digest"], "environment": "staging" });
    ask(&tenant, &service, &staging).expect(200);
    waiting::until("the artifact to be told as signed", || {
        (seen(&tenant, &awaiting)["artifacts"][0]["signed"] == true).then_some(())
    });
    tenant.verified();
}

#[test]
fn what_was_rejected_is_asked_anew() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let first = ask(&tenant, &service, &app(1)).expect(202).json();
    let action = seen(&tenant, &first);
    tenant.decide(tenant.person(1), "change_board", "reject", &action).expect(200);
    let second = ask(&tenant, &service, &app(1)).expect(202).json();
    assert_ne!(second["action"], first["action"]);
    assert_eq!(seen(&tenant, &first)["status"], "rejected");
    tenant.verified();
}

#[test]
fn an_idempotency_key_is_one_question_and_one_signature() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let path = tenant.path("/slots/release/sign");
    let once = |key: &str, body: &Value| service.api.post_once(&path, key, body);
    let awaiting = once("build 1", &app(1)).expect(202).json();
    assert_eq!(once("build 1", &app(1)).expect(202).json()["action"], awaiting["action"]);
    tenant.approved(&seen(&tenant, &awaiting));
    let signed = once("build 1", &app(1)).expect(200).json();
    assert_eq!(once("build 1", &app(1)).expect(200).json(), signed);
    once("build 1", &app(2)).refused(409, "idempotency.other_content");
    // A question that was refused is not asked again under its key.
    let asked = once("build 2", &app(2)).expect(202).json();
    tenant.decide(tenant.person(0), "change_board", "reject", &seen(&tenant, &asked)).expect(200);
    once("build 2", &app(2)).refused(409, "signing.ended");
    once("build 3", &app(2)).expect(202);
    tenant.verified();
}

#[test]
fn a_release_is_one_decision_and_each_of_its_artifacts_is_signed_once() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let awaiting = batch(&tenant, &service, 0..50).expect(202).json();
    assert_eq!(batch(&tenant, &service, 0..50).expect(202).json()["action"], awaiting["action"]);
    // Part of it is asked for already.
    assert_eq!(batch(&tenant, &service, 3..9).expect(202).json()["action"], awaiting["action"]);
    assert_eq!(ask(&tenant, &service, &app(7)).expect(202).json()["action"], awaiting["action"]);
    let action = seen(&tenant, &awaiting);
    assert_eq!(action["reason"], "release 7.1");
    let artifacts = action["artifacts"].as_array().unwrap();
    assert_eq!((artifacts.len(), text(&artifacts[49]["name"])), (50, "app-49.bin"));
    assert_eq!(tenant.approved(&action)["status"], "executed");
    for n in 0..50 {
        ask(&tenant, &service, &app(n)).expect(200);
    }
    let mut unasked = app(50);
    unasked["propose"] = json!(false);
    ask(&tenant, &service, &unasked).refused(409, "signing.approval");
    unasked["digest"] = app(7)["digest"].clone();
    ask(&tenant, &service, &unasked).refused(409, "signing.approval");
    assert_ne!(ask(&tenant, &service, &app(50)).expect(202).json()["action"], awaiting["action"]);
    tenant.verified();
}

#[test]
fn batches_that_nobody_could_decide_on_are_refused() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let path = tenant.path("/slots/release/batches");
    let post = |artifacts: Value| service.api.post(&path, &json!({ "artifacts": artifacts }));
    let digest = sha256(b"x");
    batch(&tenant, &service, 0..0).refused(400, "signing.list");
    post(json!([{ "name": "a\nb", "digest": digest }])).refused(400, "text.characters");
    post(json!([{ "name": "a", "digest": "00" }])).refused(400, "digest.length");
    let long: Vec<Value> = (0..400).map(|_| json!({ "name": "n".repeat(200), "digest": digest })).collect();
    post(json!(long)).refused(400, "signing.names");
    let elsewhere = json!({ "environment": "staging", "artifacts": [{ "name": "a", "digest": digest }] });
    service.api.post(&path, &elsewhere).refused(409, "signing.approval_needless");
    tenant.post("/slots/release/batches", &elsewhere).refused(403, "role.missing");
    for n in 0..100 {
        ask(&tenant, &service, &app(n)).expect(202);
    }
    ask(&tenant, &service, &app(100)).refused(429, "signing.waiting");
    tenant.verified();
}

#[test]
fn members_propose_with_their_own_signature() {
    let server = Server::shared();
    let (mut tenant, service) = guarded(&server);
    let packager = tenant.enrolled(&["packaging_engineer"]);
    let by = tenant.person(packager);
    by.api.post(&tenant.path("/slots/release/sign"), &app(1)).refused(409, "signing.approval");

    let params = json!({ "slot": "release", "environment": "production" });
    let digests: Vec<Value> = (1..4).map(|n| app(n)["digest"].clone()).collect();
    let mut body = json!({
        "type": "signing.batch", "params": params, "reason": "release 8", "digests": digests,
        "private": { "names": ["one", "two", "three"] },
    });
    let mut fewer = body.clone();
    fewer["private"]["names"] = json!(["one", "two"]);
    by.api.post(&tenant.path("/actions/draft"), &fewer).refused(400, "request.json");
    let drawn = |body: &Value| by.api.post(&tenant.path("/actions/draft"), body).expect(200).json();
    let draft = drawn(&body);
    let mut proposal = tenant.proposal(by, "packaging_engineer", &draft);
    let propose = |proposal: &Value| by.api.post(&tenant.path("/actions"), proposal);
    propose(&proposal).refused(400, "attachment.mismatch");
    (body["digests"], body["private"]["names"]) = (json!([app(9)["digest"]]), json!(["nine"]));
    proposal["attachments"] = drawn(&body)["attachments"].clone();
    propose(&proposal).refused(400, "attachment.mismatch");
    proposal["attachments"] = draft["attachments"].clone();
    let action = propose(&proposal).expect(201).json();
    let shown = seen(&tenant, &action);
    assert_eq!(shown["artifacts"][2], json!({ "name": "three", "digest": digests[2], "signed": false }));
    assert_eq!(tenant.approved(&action)["status"], "executed");
    by.api.post(&tenant.path("/slots/release/sign"), &app(1)).expect(200);
    ask(&tenant, &service, &app(2)).expect(200);

    let mut params = params;
    params["digest"] = app(5)["digest"].clone();
    let one = json!({
        "type": "signing.approve", "params": params, "reason": "a hotfix",
        "private": { "artifact_name": "fix.bin", "artifact_version": "8.1", "artifact_ticket": "OPS-1" },
    });
    let draft = drawn(&one);
    let action = propose(&tenant.proposal(by, "packaging_engineer", &draft)).expect(201).json();
    tenant.approved(&action);
    by.api.post(&tenant.path("/slots/release/sign"), &app(5)).expect(200);
    tenant.verified();
}

#[test]
fn an_approval_outlives_the_server() {
    let mut server = Server::start();
    let (mut tenant, service) = guarded(&server);
    let awaiting = batch(&tenant, &service, 0..5).expect(202).json();
    tenant.approved(&seen(&tenant, &awaiting));
    ask(&tenant, &service, &app(4)).expect(200);
    server.kill();
    server.start_again();
    for n in 0..4 {
        ask(&tenant, &service, &app(n)).expect(200);
    }
    ask(&tenant, &service, &app(4)).expect(202);
    tenant.sign_in_again();
    tenant.verified();
}

/// The command line of a pipeline and of people, in a folder of files.
struct Line<'a> {
    server: &'a Server,
    tenant: &'a Tenant,
    folder: &'a Path,
}

impl Line<'_> {
    fn new<'a>(server: &'a Server, tenant: &'a Tenant, service: &Service, folder: &'a Path) -> Line<'a> {
        let token = folder.join("ci.token");
        fs::write(&token, service.api.token().unwrap()).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        for n in 0..4 {
            fs::write(folder.join(format!("app-{n}.bin")), format!("app-{n}.bin")).unwrap();
        }
        Line { server, tenant, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("sealbook"));
        command
            .current_dir(self.folder)
            .env("SEALBOOK_URL", self.server.url())
            .env("SEALBOOK_TENANT", &self.tenant.name)
            .env("SEALBOOK_STATE", self.folder.join("state"))
            .args(arguments);
        command
    }

    fn signing(&self, arguments: &[&str]) -> Command {
        self.command(&[&["--token-file", "ci.token", "sign", "--slot", "release"], arguments].concat())
    }

    fn sign(&self, arguments: &[&str]) -> Ended {
        run(&mut self.signing(arguments))
    }

    /// A person of the board decides at a terminal of their own.
    fn by_board(&self, arguments: &[&str]) -> Ended {
        let person = self.tenant.person(1);
        let who = ["--as", person.key_file.to_str().unwrap(), "--member", &person.id];
        run(&mut self.command(&[&who[..], arguments].concat()))
    }

    fn open_action(&self) -> Option<Value> {
        let open = self.tenant.get("/actions?status=open").expect(200).json();
        open["actions"].as_array().unwrap().first().cloned()
    }
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_pipeline_stops_with_three_and_signs_after_the_decision() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let folder = tempfile::Builder::new().prefix("sb-board-").tempdir().unwrap();
    let line = Line::new(&server, &tenant, &service, folder.path());
    let waits = line.sign(&["app-0.bin"]).expect(3);
    assert!(waits.stderr.contains("waits for approval by change_board"), "{waits:?}");
    let action = line.open_action().unwrap();
    let id = text(&action["action"]);
    assert!(waits.stderr.contains(id), "{waits:?}");
    let shown = line.by_board(&["action", "show", id]).expect(0);
    assert!(shown.stdout.contains("1 artifact:") && shown.stdout.contains("app-0.bin"), "{shown:?}");
    line.by_board(&["action", "approve", id, "--yes", "--wait"]).expect(0);
    line.sign(&["app-0.bin"]).expect(0);
    assert!(folder.path().join("app-0.bin.sig").is_file());
    tenant.verified();
}

#[test]
fn several_files_are_one_question_to_the_board() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let folder = tempfile::Builder::new().prefix("sb-board-").tempdir().unwrap();
    let line = Line::new(&server, &tenant, &service, folder.path());
    let files = ["app-0.bin", "app-1.bin", "app-2.bin"];
    let page =
        line.sign(&[&["--reason", "release 7", "--summary", "markdown"], &files[..]].concat()).expect(3);
    assert!(page.stdout.contains("**Waits for approval** by change\\_board"), "{page:?}");
    // A second run before the decision asks nothing new.
    line.sign(&files).expect(3);
    let open = tenant.get("/actions?status=open").expect(200).json();
    assert_eq!(open["actions"].as_array().unwrap().len(), 1);
    let action = line.open_action().unwrap();
    assert_eq!((text(&action["type"]), text(&action["reason"])), ("signing.batch", "release 7"));
    let id = text(&action["action"]);
    let approved = line.by_board(&["action", "approve", id, "--yes", "--wait"]).expect(0);
    assert!(
        approved.stderr.contains("3 artifacts:") && approved.stderr.contains("app-2.bin"),
        "{approved:?}"
    );
    line.sign(&files).expect(0);
    assert!(line.open_action().is_none());
    tenant.verified();
}

#[test]
fn who_waits_signs_on_approval_and_gives_up_on_a_refusal_or_when_time_is_over() {
    let server = Server::shared();
    let (tenant, service) = guarded(&server);
    let folder = tempfile::Builder::new().prefix("sb-board-").tempdir().unwrap();
    let line = Line::new(&server, &tenant, &service, folder.path());
    for (files, verb, code) in [
        (&["app-0.bin"][..], "approve", 0),
        (&["app-1.bin", "app-2.bin"][..], "approve", 0),
        (&["app-3.bin"][..], "reject", 4),
    ] {
        let run = started(&mut line.signing(&[&["--wait=60", "--json"], files].concat()));
        let action = waiting::until("the question", || line.open_action());
        tenant.decide(tenant.person(2), "change_board", verb, &action).expect(200);
        Ended::from(run.wait_with_output().unwrap()).expect(code);
    }
    line.sign(&["--wait=1", "app-3.bin"]).expect(3);
    assert!(folder.path().join("app-2.bin.sig").is_file() && !folder.path().join("app-3.bin.sig").exists());
    tenant.verified();
}

#[test]
fn a_recovery_stays_open_for_longer_than_it_has_to_wait() {
    let server = Server::shared();
    let (tenant, _) = guarded(&server);
    let person = tenant.person(1);
    let params = json!({ "member": person.id, "credentials": [person.credential()] });
    let document =
        tenant.draft(tenant.person(0), "member.recover", &params).expect(200).json()["document"].clone();
    assert!(document["params"].get("execute_at").is_none());
    let at = |member: &str| text(&document[member]).parse::<Timestamp>().unwrap();
    assert!(at("expires_at").unix_micros() - at("proposed_at").unix_micros() > 72 * 3600 * 1_000_000);
}
