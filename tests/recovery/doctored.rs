//! Read tables that somebody edited: they are what people are shown, and nothing is decided by them.

use integration::api::Answer;
use integration::tenant::{Service, sha256, signing_policy, text};
use integration::{Server, Tenant};
use sealbook_ledger::clearance;
use sealbook_ledger::encoding::{Hash, HexBytes};
use serde_json::{Value, json};

use crate::database::{Role, execute};
use crate::operator::command;

/// A ledger in which somebody could gain something by every table.
struct Scene {
    tenant: Tenant,
    /// May sign with `open` alone.
    signer: Service,
    /// Was suspended.
    stopped: Service,
    /// Holds only `auditor`.
    auditor: usize,
    /// Proposed, and approved by nobody.
    proposed: Value,
    /// Proposed, and approved by one of two.
    half: Value,
    /// A release that the board approved, and what is in it.
    batch: Value,
}

const BOARD: &[&str] = &["approver", "change_board", "platform_admin", "security_reviewer"];

impl Scene {
    fn set(server: &Server) -> Self {
        let mut tenant = Tenant::founded_with(server, &[BOARD; 3]);
        for slot in ["open", "closed", "suspended"] {
            tenant.slot(slot, "ecdsa-p256-sha256");
        }
        let mut policy = signing_policy();
        policy["approval"] = json!(["production"]);
        tenant.slot_with("guarded", "ecdsa-p256-sha256", &policy);
        let auditor = tenant.enrolled(&["auditor"]);
        let signer = tenant.service(&["guarded", "open", "suspended"]);
        let stopped = tenant.service(&["open"]);
        let reason = json!({ "reason": "an alarm" });
        tenant.post("/slots/suspended/suspend", &reason).expect(201);
        tenant.post(&format!("/services/{}/suspend", stopped.id), &reason).expect(201);
        let artifact = json!({ "name": "app", "digest": sha256(b"approved") });
        let body = json!({ "artifacts": [artifact], "reason": "a release" });
        let asked = signer.api.post(&tenant.path("/slots/guarded/batches"), &body).expect(202).json();
        let batch = tenant.approved(&tenant.action(&asked));
        let params = json!({ "service": signer.id, "slots": ["closed", "guarded", "open", "suspended"] });
        let propose = || tenant.propose(tenant.person(0), "platform_admin", "service.grant", &params);
        let (proposed, half) = (propose().expect(201).json(), propose().expect(201).json());
        let half = tenant.decide(tenant.person(1), "approver", "approve", &half).expect(200).json();
        Self { tenant, signer, stopped, auditor, proposed, half, batch }
    }

    /// What everybody who wants more than they have is told.
    fn refusals(&self) -> Vec<(&'static str, u16, String)> {
        let Self { tenant, signer, stopped, .. } = self;
        let auditor = tenant.person(self.auditor);
        let sign = |service: &Service, slot: &str, what: &[u8]| tenant.sign(service, slot, &sha256(what));
        let reason = json!({ "reason": "an alarm" });
        let grant = json!({ "member": auditor.id, "role": "approver" });
        let suspend = tenant.path("/slots/open/suspend");
        let second = |role: &str| tenant.decide(auditor, role, "approve", &self.proposed);
        let tried: [(&'static str, Answer); 10] = [
            ("a slot that was not granted", sign(signer, "closed", b"closed")),
            ("a suspended slot", sign(signer, "suspended", b"suspended")),
            ("a suspended service", sign(stopped, "open", b"stopped")),
            ("a digest that was not approved", sign(signer, "guarded", b"not approved")),
            ("an approval by somebody without the role", second("approver")),
            ("an approval in a role that is no seat", second("auditor")),
            (
                "an approval of one's own",
                tenant.decide(tenant.person(0), "approver", "approve", &self.proposed),
            ),
            ("a second seat", tenant.decide(tenant.person(1), "approver", "approve", &self.half)),
            ("a suspension by an auditor", auditor.api.post(&suspend, &reason)),
            ("a proposal by an auditor", tenant.draft(auditor, "role.grant", &grant)),
        ];
        let code = |answer: &Answer| match answer.status {
            // It waits for people, as it should.
            202 => "open".to_owned(),
            _ => answer.code(),
        };
        tried.map(|(what, answer)| (what, answer.status, code(&answer))).into()
    }
}

/// What an owner would write to give somebody more, table after table.
fn doctoring(scene: &Scene) -> Vec<(&'static str, String)> {
    let everything = r#"["approver","auditor","change_board","platform_admin","security_reviewer"]"#;
    let list = HexBytes(hex::decode(sha256(b"not approved")).unwrap());
    let root = clearance::root(std::slice::from_ref(&list)).to_string();
    let listed = Hash::sha256(&list.0).to_string();
    let document = &scene.batch["document"];
    let mut forged = document.clone();
    forged["params"]["root"] = root.into();
    forged["params"]["digests"]["sha256"] = listed.clone().into();
    let attached = format!(
        "INSERT INTO sealbook.attachments SELECT ledger_id, '\\x{listed}', seq, media_type, 32, '\\x{}' \
         FROM sealbook.attachments LIMIT 1;",
        hex::encode(&list.0)
    );
    vec![
        (
            "members",
            format!(
                "UPDATE sealbook.p_members SET status = 'active', body = \
                 (jsonb_set(body::jsonb, '{{roles}}', COALESCE((SELECT body::jsonb->'roles' FROM sealbook.p_members \
                 ORDER BY json_array_length(body->'roles') DESC LIMIT 1), '{everything}'::jsonb)))::json"
            ),
        ),
        (
            "services",
            r#"UPDATE sealbook.p_services SET status = 'active', body = (jsonb_set(body::jsonb, '{slots}',
               '["closed","guarded","open","suspended"]'::jsonb))::json"#
                .to_owned(),
        ),
        ("slots", "UPDATE sealbook.p_slots SET status = 'active'".to_owned()),
        ("slot bodies", slots_without_a_guard()),
        ("keys", "UPDATE sealbook.p_keys SET state = 'active', slot = 'closed'".to_owned()),
        (
            "actions",
            "UPDATE sealbook.p_actions SET status = 'executed', proposed_by = 'nobody' WHERE type = 'service.grant'"
                .to_owned(),
        ),
        (
            "a release's list",
            format!(
                "{attached} UPDATE sealbook.p_actions SET document = '{}' WHERE action = '{}'",
                forged.to_string().replace('\'', "''"),
                text(&scene.batch["action"])
            ),
        ),
        ("signatures", "UPDATE sealbook.p_signatures SET outcome = 1, slot = 'closed'".to_owned()),
        ("signature days", "UPDATE sealbook.p_signature_days SET created = 0, slot = 'closed'".to_owned()),
        ("positions", "UPDATE sealbook.projection_positions SET position = 0".to_owned()),
        ("webhooks", "UPDATE sealbook.webhook_positions SET position = 0".to_owned()),
    ]
}

fn slots_without_a_guard() -> String {
    "UPDATE sealbook.p_slots SET body = (SELECT body FROM sealbook.p_slots WHERE slot = 'open' LIMIT 1)"
        .to_owned()
}

#[test]
fn an_edited_read_table_grants_nobody_anything() {
    let mut server = Server::start();
    let mut scene = Scene::set(&server);
    let before = scene.refusals();
    assert!(before.iter().all(|(_, status, _)| (400..500).contains(status) || *status == 202), "{before:?}");
    for (table, statement) in doctoring(&scene) {
        execute(&server, Role::Owner, &statement).unwrap_or_else(|error| panic!("{table}: {error}"));
        assert_eq!(scene.refusals(), before, "after the {table} were edited");
    }
    // A new process reads the events as well.
    server.stop();
    server.start_again();
    scene.tenant.sign_in_again();
    assert_eq!(scene.refusals(), before, "after a restart");

    // What was approved is what takes effect, whatever the tables say of it.
    let Scene { tenant, signer, half, .. } = &scene;
    let decided = tenant.decide(tenant.person(2), "approver", "approve", half);
    assert!(decided.status == 200 || decided.status == 500, "{}", decided.said());
    integration::waiting::until("the grant", || {
        (tenant.sign(signer, "closed", &sha256(b"granted")).status == 200).then_some(())
    });
    tenant.sign(signer, "guarded", &sha256(b"approved"));
    tenant.verified();
    server.stop();
    let rebuilt = command(&server, "rebuild", &["--json"]).expect(0).json();
    assert_eq!(rebuilt["ledgers"][0]["agreed"], false, "{rebuilt:#}");
    let again = command(&server, "rebuild", &["--json"]).expect(0).json();
    assert_eq!(again["ledgers"][0]["agreed"], true, "{again:#}");
}
