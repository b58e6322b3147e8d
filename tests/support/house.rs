//! A house that has kept its keys here for a while: people with names and different roles, slots, services, signatures,
//! and actions in every state. It is what pages are looked at with.

mod revocations;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::Person;
use crate::rotating;
use crate::server::Server;
use crate::tenant::{Opened, Service, Tenant, in_seconds, open_with, sha256, signing_policy, text};
use crate::waiting;
use sealbook::http::token::{Token, TokenKind};
use sealbook_ledger::webauthn::Purpose;

/// Its people, in the order of [`Tenant::people`].
pub const PEOPLE: [(&str, &[&str]); 5] = [
    ("Ada Lindqvist", &["approver", "platform_admin", "security_reviewer"]),
    ("Ben Okafor", &["approver", "change_board", "platform_admin", "security_reviewer"]),
    ("Cleo Marchetti", &["approver", "change_board", "key_owner", "security_reviewer"]),
    ("Noor Haddad", &["incident_commander"]),
    ("Elif Aydın", &["auditor"]),
];

/// Somebody who decides: the one who looks at pages.
pub const READER: usize = 2;

/// The house, and the actions that pages are to be looked at by, by what they are.
pub struct House {
    /// Its tenant.
    pub tenant: Tenant,
    /// Its build service.
    pub service: Service,
    /// The id of each action: `pending`, `own`, `approved`, `rejected`, `cancelled`, `expired`, `signing`, `batch`,
    /// `enrolment`, `emergency`, `policy`, and of two rotations `broken-glass` and `planned`.
    pub actions: Vec<(&'static str, String)>,
    /// A ticket of somebody who has not registered, and of one who has.
    pub invitations: [String; 2],
}

impl House {
    /// Builds it; `name` is the tenant's.
    pub fn build(server: &Server, name: &str) -> Self {
        let tenant = founded(server, name);
        let service = Service { id: String::new(), api: tenant.anonymous().clone() };
        let mut house =
            Self { tenant, service, actions: Vec::new(), invitations: [String::new(), String::new()] };
        house.make_slots();
        house.sign();
        house.end_some();
        house.leave_waiting();
        house.rotate();
        house.give_up();
        house
    }

    /// Where the page of a rotation is, by the action that began it.
    pub fn rotation_of(&self, what: &str) -> String {
        self.page_of(what).replace("/actions/", "/rotations/")
    }

    /// Where an action's page is.
    pub fn page_of(&self, what: &str) -> String {
        let (_, id) = self.actions.iter().find(|(name, _)| *name == what).expect("an action of the house");
        format!("/actions/{id}")
    }

    fn person(&self, n: usize) -> &Person {
        self.tenant.person(n)
    }

    /// Proposes with a reason of its own and private fields.
    fn propose(&self, by: usize, role: &str, body: &Value) -> Value {
        let (tenant, person) = (&self.tenant, self.person(by));
        let draft = person.api.post(&tenant.path("/actions/draft"), body).expect(200).json();
        let proposal = json!({
            "document": draft["document"], "role": role, "disclosures": draft["disclosures"],
            "assertion": person.sign(Purpose::Proposal, &draft["document"]),
        });
        person.api.post(&tenant.path("/actions"), &proposal).expect(201).json()
    }

    fn executed(&self, by: usize, role: &str, body: &Value) -> Value {
        let ended = self.tenant.approved(&self.propose(by, role, body));
        assert_eq!(ended["status"], "executed", "{ended:#}");
        ended
    }

    fn keep(&mut self, what: &'static str, action: &Value) {
        self.actions.push((what, text(&action["action"]).to_owned()));
    }

    fn slot(&self, name: &str, algorithm: &str, policy: &Value, reason: &str) -> Value {
        let mut params = self.tenant.slot_params(name, algorithm, policy);
        params["owner"] = json!(self.person(2).id);
        json!({ "type": "slot.create", "params": params, "reason": reason })
    }

    fn make_slots(&mut self) {
        let slots = [
            ("apt-repo", "ecdsa-p256-sha256", "Packages of the stable branch are signed with it."),
            ("release-p256", "ecdsa-p256-sha256", "Installers that customers download."),
            ("firmware-ed25519", "ed25519", "Firmware of the sensor line, from series 7 on."),
            ("images-p384", "ecdsa-p384-sha384", "Base images of the platform team."),
            (
                "apt-legacy",
                "ecdsa-p256-sha256",
                "Packages of the branch that is still supported until autumn.",
            ),
        ];
        for (name, algorithm, reason) in slots {
            let mut policy = signing_policy();
            if name == "release-p256" {
                policy["approval"] = json!(["production"]);
                policy["artifact_fields"] = json!(["name", "version"]);
                policy["rate_per_minute"] = json!(60);
            }
            let made = self.executed(0, "platform_admin", &self.slot(name, algorithm, &policy, reason));
            if name == "apt-repo" {
                self.keep("approved", &made);
            }
        }
        let slots = ["apt-repo", "firmware-ed25519", "images-p384", "release-p256"];
        self.service = self.enrol("the build farm", &slots, "It signs what CI has built.");
        self.enrol("nightly images", &["images-p384"], "Images that nobody outside gets.");
    }

    /// A key is replaced by break-glass, which waits for nothing, and its evidence pack is there; the key that took over is
    /// being replaced in turn, as planned.
    fn rotate(&mut self) {
        let evidence = json!({
            "type": "ledger.evidence_key_set", "params": { "backend": "softhsm" },
            "reason": "Auditors ask for packs that are signed.",
        });
        self.executed(0, "platform_admin", &evidence);
        let emergency =
            self.replacement("key.rotate_emergency", "The host that used it was cleaned too late.");
        let emergency = self.executed(0, "security_reviewer", &emergency);
        self.keep("broken-glass", &emergency);
        waiting::until("the evidence pack", || {
            let reports = self.tenant.get("/reports").expect(200).json();
            reports["reports"].as_array().is_some_and(|all| !all.is_empty()).then_some(())
        });
        let planned = self.replacement("key.rotate", "Before the holidays, while everybody is here.");
        let planned = self.executed(READER, "key_owner", &planned);
        let id = text(&planned["action"]).to_owned();
        rotating::until(&self.tenant, &id, "the cutover", |rotation| rotation["state"] == "cut_over");
        self.keep("planned", &planned);
    }

    fn replacement(&self, kind: &str, reason: &str) -> Value {
        let (slot, policy) = rotating::shown(&self.tenant, "images-p384");
        let params = json!({ "old_key": slot["active_key"], "policy": policy, "slot": "images-p384" });
        json!({ "type": kind, "params": params, "reason": reason })
    }

    fn enrol(&self, name: &str, slots: &[&str], reason: &str) -> Service {
        let (id, token) = (Uuid::new_v4().to_string(), Token::draw(TokenKind::Service).unwrap());
        let params = json!({
            "service": id, "slots": slots, "token_sha256": token.sha256(),
            "token_expires_at": in_seconds(90 * 24 * 60 * 60),
        });
        let body = json!({
            "type": "service.enroll", "params": params, "private": { "display_name": name }, "reason": reason,
        });
        self.executed(1, "platform_admin", &body);
        Service { id, api: self.tenant.anonymous().with_token(&token.reveal()) }
    }

    fn sign(&self) {
        let sign = |slot: &str, name: &str, version: &str| {
            let body = match slot {
                "firmware-ed25519" => {
                    json!({ "message": sealbook_ledger::encoding::B64::from(name.as_bytes()) })
                }
                "images-p384" => {
                    json!({ "digest": format!("{}{}", sha256(name.as_bytes()), &sha256(b"48")[..32]) })
                }
                _ => json!({ "digest": sha256(name.as_bytes()) }),
            };
            let mut body = body;
            body["artifact"] = json!({ "name": name, "version": version });
            body["environment"] = json!("staging");
            self.service.api.post(&self.tenant.path(&format!("/slots/{slot}/sign")), &body).expect(200);
        };
        for (n, name) in
            ["linux-image", "openssh-server", "nginx", "postgresql-16", "curl"].into_iter().enumerate()
        {
            sign("apt-repo", name, &format!("7.1.{n}"));
        }
        sign("firmware-ed25519", "sensor-s7.bin", "2.4");
        sign("images-p384", "base-bookworm.tar", "2026-11");
        sign("release-p256", "setup-x64.msi", "5.0-rc1");
    }

    fn end_some(&mut self) {
        let resume = json!({
            "type": "slot.resume", "params": { "slot": "firmware-ed25519" }, "reason": "The laptop was found, untouched.",
        });
        let suspend = json!({ "reason": "A build host was imaged by an unknown session." });
        let path = self.tenant.path("/slots/firmware-ed25519/suspend");
        self.person(3).api.post(&path, &suspend).expect(201);
        let rejected = self.propose(0, "platform_admin", &resume);
        self.tenant.decide(self.person(1), "security_reviewer", "reject", &rejected).expect(200);
        self.keep("rejected", &rejected);
        let cancelled = self.propose(1, "platform_admin", &resume);
        self.tenant.decide(self.person(1), "platform_admin", "cancel", &cancelled).expect(200);
        self.keep("cancelled", &cancelled);
        let mut short =
            self.slot("kernel-modules", "ed25519", &signing_policy(), "Modules of the long-term kernel.");
        short["expires_in_s"] = json!(2);
        let expired = self.propose(0, "platform_admin", &short);
        assert_eq!(self.tenant.ended(&expired)["status"], "expired");
        self.keep("expired", &expired);
    }

    fn leave_waiting(&mut self) {
        let reason = "Containers of the public registry get a key of their own.";
        let pending = self.propose(
            0,
            "platform_admin",
            &self.slot("registry", "ecdsa-p256-sha256", &signing_policy(), reason),
        );
        self.tenant.decide(self.person(1), "approver", "approve", &pending).expect(200);
        self.keep("pending", &pending);
        let mut policy = signing_policy();
        policy["approval"] = json!(["production"]);
        policy["rate_per_minute"] = json!(120);
        let own = json!({
            "type": "slot.policy_set", "params": { "slot": "apt-repo", "signing_policy": policy },
            "reason": "Production packages get a second pair of eyes.",
        });
        let own = self.propose(READER, "key_owner", &own);
        self.keep("own", &own);
        self.ask_for_signatures();
        self.invite();
        let key = self.tenant.get("/slots/firmware-ed25519").expect(200).json()["active_key"].clone();
        let revoke = json!({
            "type": "key.revoke_emergency", "reason": "Its token could be reached from the imaged host.",
            "params": { "key": key, "reason": "key_compromise", "compromised_since": "2026-11-19T14:00:00.000000Z" },
            "expires_in_s": 50 * 60,
        });
        let emergency = self.propose(0, "platform_admin", &revoke);
        self.keep("emergency", &emergency);
        let mut policy = self.tenant.get("/policy").expect(200).json()["policy"].clone();
        policy["credentials"]["hardware_only"] = json!(true);
        policy["actions"]["slot.create"]["quorum"] =
            json!([{ "role": "security_reviewer", "count": 1 }, { "role": "approver", "count": 1 }]);
        let set = json!({ "type": "policy.set", "params": { "policy": policy }, "reason": "The audit of October asks for it." });
        let set = self.propose(0, "platform_admin", &set);
        self.keep("policy", &set);
    }

    fn ask_for_signatures(&mut self) {
        let api = &self.service.api;
        let one = json!({
            "digest": sha256(b"setup-x64.msi"), "environment": "production",
            "artifact": { "name": "setup-x64.msi", "version": "5.0" },
        });
        let asked = api.post(&self.tenant.path("/slots/release-p256/sign"), &one).expect(202).json();
        let names = [
            "setup-x64.msi",
            "setup-arm64.msi",
            "sealbook-5.0.pkg",
            "sealbook_5.0_amd64.deb",
            "checksums.txt",
        ];
        let artifacts: Vec<Value> =
            names.iter().map(|name| json!({ "name": name, "digest": sha256(name.as_bytes()) })).collect();
        let list = json!({ "artifacts": artifacts, "environment": "production", "reason": "Release 5.0" });
        let batch = api.post(&self.tenant.path("/slots/release-p256/batches"), &list).expect(202).json();
        self.keep("signing", &asked);
        self.keep("batch", &batch);
    }

    fn invite(&mut self) {
        let tenant = &self.tenant;
        let invite = |name: &str| {
            let body = json!({ "display_name": name, "roles": ["approver"] });
            text(&tenant.post("/candidates", &body).expect(201).json()["ticket"]).to_owned()
        };
        let (waiting, registered) = (invite("Jonas Weber"), invite("Dana Novak"));
        let dana = tenant.stranger();
        let body = json!({ "registration": dana.registration(&registered) });
        let made =
            tenant.anonymous().with_token(&registered).post(&tenant.path("/candidates/register"), &body);
        let member = made.expect(201).json()["member"].clone();
        let params = json!({ "member": member, "credentials": [dana.credential()], "roles": ["approver"] });
        let enrol = json!({
            "type": "member.enroll", "params": params, "private": { "display_name": "Dana Novak" },
            "reason": "She takes over from Cleo in January.",
        });
        let enrolment = self.propose(0, "platform_admin", &enrol);
        self.keep("enrolment", &enrolment);
        self.invitations = [waiting, registered];
    }
}

fn founded(server: &Server, name: &str) -> Tenant {
    let founders: Vec<Value> =
        PEOPLE.iter().map(|(name, roles)| json!({ "display_name": name, "roles": roles })).collect();
    let more = json!({ "tenant": name, "founders": founders });
    let opened = open_with(server, &[], &more);
    Tenant::found(server, Opened { name: name.to_owned(), ..opened })
}
