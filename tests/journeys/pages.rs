//! Pages of actions: every type of action is read, and proposed, in a page of its own.

use integration::rotating::certify;
use integration::tenant::{in_seconds, sha256, signing_policy, text};
use integration::{Server, Tenant};
use sealbook::ceremony::RULES;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::canonical;
use serde_json::{Value, json};
use uuid::Uuid;

/// The roles of whoever proposes and decides here.
const DECIDING: &[&str] = &["approver", "change_board", "key_owner", "platform_admin", "security_reviewer"];

/// A page as a member reads it.
#[track_caller]
fn read(tenant: &Tenant, person: usize, path: &str) -> String {
    let path = format!("/t/{}{path}", tenant.name);
    let answer = tenant.person(person).api.send("GET", &path, &[("accept", "text/html")], b"");
    answer.expect(200).text()
}

/// A policy under which people approve each signature for production.
fn approved_policy() -> Value {
    let mut policy = signing_policy();
    policy["approval"] = json!(["production"]);
    policy
}

/// A rotation policy without certificates.
fn rotation() -> Value {
    json!({ "channels": ["apt-stable"], "old_key_signs": true, "overlap_days": 7, "propose_days": 14,
        "revoke_superseded": false, "rotation_days": 60, "v": 1 })
}

/// A rotation policy of a CA that certifies itself.
fn issuing() -> Value {
    let certificate = json!({ "issuer": { "kind": "self" }, "policies": [], "required": false,
        "subject": { "common_name": "Acme Root" }, "usage": { "kind": "issuing", "path_len": 1 },
        "validity_days": 3650 });
    json!({ "certificate": certificate, "channels": [], "old_key_signs": false, "overlap_days": 90,
        "propose_days": 14, "revoke_superseded": false, "rotation_days": 1825, "v": 1 })
}

/// The digest of a rotation policy, by which people approve under it.
fn digest(rotation: &Value) -> String {
    sha256(&canonical::to_vec(rotation).unwrap())
}

/// What to ask for, by type, in a tenant with a slot, a CA, a service, another authenticator and suspended things.
struct Stage {
    tenant: Tenant,
    slot: Value,
    root: Value,
    certificate: Value,
    spent: Value,
    service: String,
    credential: String,
}

impl Stage {
    fn set(server: &Server) -> Self {
        let recovery: &[&str] = &["recovery"];
        let tenant =
            Tenant::founded_with(server, &[DECIDING, DECIDING, DECIDING, DECIDING, recovery, recovery]);
        let slot = tenant.slot_with("apt-repo", "ecdsa-p256-sha256", &approved_policy());
        let mut root = tenant.slot_params("root", "ecdsa-p256-sha256", &signing_policy());
        root["rotation_days"] = json!(1825);
        root["overlap_days"] = json!(90);
        root["rotation"] = issuing();
        let root = tenant.executed("slot.create", &root);
        let certificate = certify(&tenant, "root", "active")["certificate"].take();
        let spent = tenant.slot("spent", "ecdsa-p256-sha256");
        tenant.executed("key.revoke", &json!({ "key": spent["created"]["key"], "reason": "superseded" }));
        let service = tenant.service(&["apt-repo"]).id;
        let other = tenant.stranger();
        let member = &tenant.person(2).id;
        tenant.executed("credential.add", &json!({ "member": member, "credential": other.credential() }));
        let credential = text(&other.credential()["credential_id"]).to_owned();
        for suspended in ["slots/apt-repo".to_owned(), format!("services/{service}")] {
            tenant.post(&format!("/{suspended}/suspend"), &json!({})).expect(201);
        }
        tenant.post(&format!("/members/{member}/credentials/{credential}/suspend"), &json!({})).expect(201);
        Self { tenant, slot, root, certificate, spent, service, credential }
    }

    fn params(&self, kind: ActionType) -> Value {
        use ActionType as T;
        let tenant = &self.tenant;
        let (member, credential) = (&tenant.person(2).id, tenant.stranger().credential());
        let service = json!({ "service": self.service });
        let device = json!({ "backend": "softhsm" });
        let (key, root_key) = (&self.slot["created"]["key"], &self.root["created"]["key"]);
        match kind {
            T::ApprovalRpSet => json!({ "approval_rp":
                { "id": "localhost", "origins": ["http://localhost:1"], "shared": true } }),
            T::CredentialAdd => json!({ "member": member, "credential": credential }),
            T::CertificateIssue => json!({ "slot": "root", "key": root_key, "policy": digest(&issuing()) }),
            T::CertificateRevoke => json!({ "certificate": self.certificate, "reason": "superseded" }),
            T::CredentialRemove => json!({ "member": member, "credential_id": self.credential }),
            T::HsmAccessReview => json!({ "backend": "softhsm", "holder_count": 2 }),
            T::KeyAdopt => json!({ "label": "an older key", "spki_sha256": sha256(b"its public key"),
                "slot": tenant.slot_params("adopted", "ed25519", &signing_policy()) }),
            T::KeyDestroy => json!({ "key": self.spent["created"]["key"] }),
            T::KeyRotate | T::KeyRotateEmergency => {
                json!({ "slot": "root", "old_key": root_key, "policy": digest(&issuing()) })
            }
            T::KeyRevoke => json!({ "key": key, "reason": "superseded" }),
            T::KeyRevokeEmergency => json!({ "key": key, "reason": "key_compromise" }),
            T::LedgerEvidenceKeySet | T::LedgerKeyRecover | T::LedgerKeyRotate => device,
            T::MemberEnroll => {
                json!({ "member": Uuid::new_v4(), "credentials": [credential], "roles": ["approver"] })
            }
            T::MemberRecover => json!({ "member": member, "credentials": [credential] }),
            T::MemberRemove => json!({ "member": member }),
            T::MemberRestore => json!({ "member": member, "credential_id": self.credential }),
            T::PolicySet => {
                let mut policy = tenant.get("/policy").expect(200).json()["policy"].clone();
                policy["actions"]["slot.create"]["quorum"] =
                    json!([{ "count": 1, "role": "security_reviewer" }, { "count": 1, "role": "approver" }]);
                json!({ "policy": policy })
            }
            T::RoleGrant => {
                json!({ "member": member, "role": "incident_commander", "not_after": in_seconds(3600) })
            }
            T::RoleRevoke => json!({ "member": member, "role": "change_board" }),
            T::RulesAdopt => json!({ "rules": RULES + 1 }),
            T::ServiceEnroll => json!({ "service": Uuid::new_v4(), "slots": ["apt-repo"],
                "token_sha256": sha256(b"a token"), "token_expires_at": in_seconds(3600) }),
            T::ServiceGrant => json!({ "service": self.service, "slots": [] ,
                "token": { "sha256": sha256(b"another"), "expires_at": in_seconds(3600) } }),
            T::ServiceRemove | T::ServiceRestore => service,
            T::SigningApprove => {
                json!({ "slot": "apt-repo", "environment": "production", "digest": sha256(b"an artifact") })
            }
            T::SigningBatch => json!({ "slot": "apt-repo", "environment": "production", "count": 1,
                "root": sha256(b"a root"),
                "digests": { "media_type": "application/octet-stream", "sha256": sha256(b"x"), "size": 32 } }),
            T::SlotCreate => tenant.slot_params("release", "ed25519", &signing_policy()),
            T::SlotPolicySet => json!({ "slot": "apt-repo", "signing_policy": signing_policy() }),
            T::SlotResume => json!({ "slot": "apt-repo" }),
            T::SlotRotationSet => json!({ "slot": "apt-repo", "rotation": rotation() }),
        }
    }

    /// Proposes as somebody whose role may; `None` where the state of this tenant permits it to nobody.
    fn proposed(&self, kind: ActionType) -> Option<Value> {
        let (person, roles) = match kind {
            ActionType::MemberRecover => (self.tenant.person(4), &["recovery"] as &[&str]),
            _ => (self.tenant.person(0), DECIDING),
        };
        let policy = self.tenant.get("/policy").expect(200).json();
        let proposers = policy["policy"]["actions"][kind.name()]["proposers"].as_array().unwrap().clone();
        let role = roles.iter().find(|role| proposers.contains(&json!(role))).unwrap();
        let private = match kind {
            ActionType::HsmAccessReview => {
                json!({ "holders": ["Ada", "the build farm"], "findings": "none" })
            }
            _ => json!({}),
        };
        let draft = self.tenant.draft_with(person, kind.name(), &self.params(kind), &private);
        let proposal = self.tenant.proposal(person, role, &draft.expect(200).json());
        let answer = person.api.post(&self.tenant.path("/actions"), &proposal);
        (answer.status == 201).then(|| answer.json())
    }
}

#[test]
fn every_type_of_action_has_a_form_that_a_link_fills_in() {
    let server = Server::shared();
    let stage = Stage::set(&server);
    let list = read(&stage.tenant, 0, "/propose");
    for kind in ActionType::of(RULES) {
        let form = read(&stage.tenant, 0, &format!("/propose/{kind}"));
        let listed = list.contains(&format!("/propose/{kind}\""));
        // The sealed authenticators propose the one, and no server knows later rules.
        let closed = matches!(kind, ActionType::MemberRecover | ActionType::RulesAdopt);
        assert_eq!(listed, !closed, "{kind}: listed as open");
        assert_eq!(form.contains("id=\"proposal\""), !closed, "{kind}: a form");
    }
    let resume = read(&stage.tenant, 0, "/propose/slot.resume?slot=apt-repo");
    assert!(resume.contains("<option value=\"apt-repo\" selected>"), "a link chooses the slot");
    let key = text(&stage.root["created"]["key"]);
    for link in
        [format!("key.rotate?slot=root&old_key={key}"), format!("certificate.issue?slot=root&key={key}")]
    {
        let form = read(&stage.tenant, 0, &format!("/propose/{link}"));
        let chosen = format!("<option value=\"root {key} {}\" selected>", digest(&issuing()));
        assert!(form.contains(&chosen), "{link}: a link chooses the key");
    }
    let policy = read(&stage.tenant, 0, "/propose/slot.policy_set?slot=apt-repo");
    assert_eq!(
        policy.matches("value=\"production\" checked").count(),
        2,
        "a policy begins with the one in force"
    );
    let of = |kind: &str| format!("/t/{}/propose/{kind}", stage.tenant.name);
    stage.tenant.person(0).api.get(&of("slot.explode")).expect(404);
    // What comes with later rules is neither listed nor drawn.
    for kind in ActionType::ALL.into_iter().filter(|kind| kind.rules() > RULES) {
        assert!(!list.contains(&format!("/propose/{kind}\"")), "{kind}: listed");
        stage.tenant.person(0).api.get(&of(kind.name())).expect(400);
    }
}

#[test]
fn every_type_of_action_is_read_in_a_page_of_its_own() {
    let server = Server::shared();
    let stage = Stage::set(&server);
    let mut without = Vec::new();
    for kind in ActionType::of(RULES) {
        let Some(action) = stage.proposed(kind) else {
            without.push(kind.name());
            continue;
        };
        let path = format!("/actions/{}", text(&action["action"]));
        let (own, other) = (read(&stage.tenant, 0, &path), read(&stage.tenant, 1, &path));
        for page in [&own, &other] {
            assert!(page.contains("a test needs it"), "{kind}: the reason is missing");
            assert!(page.contains("class=\"new\""), "{kind}: nothing changes");
            assert!(page.contains(text(&action["challenges"]["approval"])), "{kind}: no digest");
        }
        if kind == ActionType::SlotResume {
            assert!(other.contains(">suspended</td>"), "what is now");
            assert!(other.contains("data-label=\"After\">signs</td>"), "what is after");
        }
        assert!(!own.contains("data-decision=\"approve\""), "{kind}: a proposer is offered to approve");
        assert!(other.contains("data-decision=\"reject\""), "{kind}: nobody is offered to reject");
    }
    // No standby, no later rules, a list that comes along with its proposal.
    let refused = ["ledger.key_recover", "rules.adopt", "signing.batch"];
    without.retain(|kind| !refused.contains(kind));
    assert_eq!(without, [""; 0], "these could not be proposed");
}
