//! A tenant with its people: founded, and led through dual control, over HTTP.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sealbook::clock;
use sealbook::http::token::{Token, TokenKind};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::webauthn::Purpose;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::api::{Answer, Api};
use crate::people::Person;
use crate::programs::{Ended, verify};
use crate::server::Reachable;
use crate::waiting;

/// A founder's roles where nothing else is said: all that decide.
pub const DECIDING: &[&str] = &["approver", "platform_admin", "security_reviewer"];

/// Tenants of one test binary are numbered.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A founded ledger and its people.
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its origin.
    pub origin: String,
    /// The vkey of seq 0.
    pub vkey: String,
    /// What its founders signed.
    pub founding_digest: String,
    /// The founders, then whoever was enrolled later.
    pub people: Vec<Person>,
    /// The founders' tickets, used up.
    pub tickets: Vec<String>,
    api: Api,
    url: String,
    folder: TempDir,
}

/// A machine client.
pub struct Service {
    /// Its id.
    pub id: String,
    /// Asked with its token.
    pub api: Api,
}

/// A tenant that was opened, and its founders' tickets.
pub struct Opened {
    /// Its name.
    pub name: String,
    /// What `POST /v1/tenants` answered.
    pub answer: Value,
    /// One ticket a founder.
    pub tickets: Vec<String>,
}

/// Opens a tenant under a new name for founders with these roles.
pub fn open(server: &dyn Reachable, founders: &[&[&str]]) -> Opened {
    open_with(server, founders, &json!({}))
}

/// The same, with more members in the request.
pub fn open_with(server: &dyn Reachable, founders: &[&[&str]], more: &Value) -> Opened {
    let name = format!("tenant-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let invites = founders.iter().enumerate();
    let invites: Vec<Value> = invites
        .map(|(n, roles)| json!({ "display_name": format!("Founder {}", n + 1), "roles": roles }))
        .collect();
    let mut body = json!({ "tenant": name, "founders": invites });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = server.operator().post("/v1/tenants", &body).expect(201).json();
    let tickets = answer["tickets"].as_array().unwrap().iter();
    let tickets = tickets.map(|ticket| ticket["ticket"].as_str().unwrap().to_owned()).collect();
    Opened { name, answer, tickets }
}

impl Tenant {
    /// A tenant founded by this many people, each with every deciding role.
    pub fn founded(server: &dyn Reachable, founders: usize) -> Self {
        Self::founded_with(server, &vec![DECIDING; founders])
    }

    /// A tenant founded by people with these roles.
    pub fn founded_with(server: &dyn Reachable, founders: &[&[&str]]) -> Self {
        Self::found(server, open(server, founders))
    }

    /// A tenant that was opened, founded by new people.
    pub fn found(server: &dyn Reachable, opened: Opened) -> Self {
        let Opened { name, answer, tickets } = opened;
        let folder = tempfile::Builder::new().prefix("sb-people-").tempdir().unwrap();
        let (api, url) = (server.api(), server.url());
        let base = format!("/v1/tenants/{name}");
        let mut people = Vec::new();
        for ticket in &tickets {
            let mut person = Person::new(folder.path(), &api, &url);
            person.register(ticket, &format!("{base}/founding/candidates"), folder.path());
            people.push(person);
        }
        let shown = api.with_token(&tickets[0]).get(&format!("{base}/founding")).expect(200).json();
        let founding_digest = shown["founding_digest"].as_str().unwrap().to_owned();
        let challenge: Hash = founding_digest.parse().unwrap();
        for (person, ticket) in people.iter().zip(&tickets) {
            let body = Value::Object(person.sign_as_member(challenge));
            api.with_token(ticket).post(&format!("{base}/founding/assertions"), &body).expect(200);
        }
        for person in &mut people {
            person.sign_in(&name);
        }
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        Self {
            origin: text("origin"),
            vkey: text("vkey"),
            tickets,
            name,
            founding_digest,
            people,
            api,
            url,
            folder,
        }
    }

    /// A path under the tenant, e.g. of `/slots`.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/tenants/{}{rest}", self.name)
    }

    /// The API, without a token.
    pub fn anonymous(&self) -> &Api {
        &self.api
    }

    /// A folder for the test's own files, gone with this.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One of the people.
    pub fn person(&self, n: usize) -> &Person {
        &self.people[n]
    }

    /// A new person who is not a member yet.
    pub fn stranger(&self) -> Person {
        Person::new(self.folder.path(), &self.api, &self.url)
    }

    /// `GET` under the tenant, as its first person.
    #[track_caller]
    pub fn get(&self, rest: &str) -> Answer {
        self.person(0).api.get(&self.path(rest))
    }

    /// `POST` under the tenant, as its first person.
    #[track_caller]
    pub fn post(&self, rest: &str, body: &Value) -> Answer {
        self.person(0).api.post(&self.path(rest), body)
    }

    /// Has an action drawn up.
    #[track_caller]
    pub fn draft(&self, by: &Person, kind: &str, params: &Value) -> Answer {
        self.draft_with(by, kind, params, &json!({}))
    }

    /// The same with private fields.
    #[track_caller]
    pub fn draft_with(&self, by: &Person, kind: &str, params: &Value, private: &Value) -> Answer {
        let reason = "a test needs it";
        let body = json!({ "type": kind, "params": params, "reason": reason, "private": private });
        by.api.post(&self.path("/actions/draft"), &body)
    }

    /// The signed body of a proposal, from a draft.
    pub fn proposal(&self, by: &Person, role: &str, draft: &Value) -> Value {
        json!({
            "document": draft["document"],
            "role": role,
            "assertion": by.sign(Purpose::Proposal, &draft["document"]),
            "disclosures": draft["disclosures"],
        })
    }

    /// Drafts, signs and sends a proposal.
    #[track_caller]
    pub fn propose(&self, by: &Person, role: &str, kind: &str, params: &Value) -> Answer {
        let draft = self.draft(by, kind, params).expect(200).json();
        by.api.post(&self.path("/actions"), &self.proposal(by, role, &draft))
    }

    /// Signs and sends a decision about an action: `approve`, `reject` or `cancel`.
    #[track_caller]
    pub fn decide(&self, by: &Person, role: &str, verb: &str, action: &Value) -> Answer {
        let purpose = match verb {
            "approve" => Purpose::Approval,
            "reject" => Purpose::Rejection,
            "cancel" => Purpose::Cancellation,
            other => panic!("{other} is no decision"),
        };
        let body = json!({ "role": role, "assertion": by.sign(purpose, &action["document"]) });
        by.api.post(&self.path(&format!("/actions/{}/{verb}", text(&action["action"]))), &body)
    }

    /// An action as it stands.
    #[track_caller]
    pub fn action(&self, action: &Value) -> Value {
        self.get(&format!("/actions/{}", text(&action["action"]))).expect(200).json()
    }

    /// Waits until an action has ended, and shows it.
    #[track_caller]
    pub fn ended(&self, action: &Value) -> Value {
        waiting::until("an action to end", || {
            let view = self.action(action);
            (!matches!(text(&view["status"]), "open" | "executing")).then_some(view)
        })
    }

    /// Fills every open seat of an action with people who hold its role and did not propose it, until its end.
    #[track_caller]
    pub fn approved(&self, action: &Value) -> Value {
        let proposer = text(&action["proposed_by"]);
        let free: Vec<&Person> = self.people.iter().filter(|person| person.id != proposer).collect();
        let members = self.get("/members").expect(200).json();
        let open = action["seats"].as_array().unwrap().iter().filter(|seat| seat.get("filled_by").is_none());
        let roles: Vec<&str> = open.map(|seat| text(&seat["role"])).collect();
        let seated = seated(&members, &roles, &free);
        let seated = seated.unwrap_or_else(|| panic!("nobody is left for a seat of {roles:?}"));
        for (holder, role) in seated.into_iter().zip(roles) {
            self.decide(holder, role, "approve", action).expect(200);
        }
        self.ended(action)
    }

    /// Proposes as the first person, in a role that may, has it approved, and waits for its end.
    #[track_caller]
    pub fn attempted(&self, kind: &str, params: &Value) -> Value {
        let policy = self.get("/policy").expect(200).json();
        let members = self.get("/members").expect(200).json();
        let proposer = self.person(0);
        let roles = policy["policy"]["actions"][kind]["proposers"].as_array().unwrap().iter();
        let role = roles.map(text).find(|role| holds(&members, &proposer.id, role));
        let role = role.unwrap_or_else(|| panic!("the first person may not propose {kind}"));
        let action = self.propose(proposer, role, kind, params).expect(201).json();
        self.approved(&action)
    }

    /// The same, for an action that is to be executed.
    #[track_caller]
    pub fn executed(&self, kind: &str, params: &Value) -> Value {
        let action = self.attempted(kind, params);
        assert_eq!(action["status"], "executed", "{action:#}");
        action
    }

    /// Creates a slot that services may use.
    #[track_caller]
    pub fn slot(&self, name: &str, algorithm: &str) -> Value {
        self.slot_with(name, algorithm, &signing_policy())
    }

    /// Creates a slot with a signing policy.
    #[track_caller]
    pub fn slot_with(&self, name: &str, algorithm: &str, policy: &Value) -> Value {
        self.executed("slot.create", &self.slot_params(name, algorithm, policy))
    }

    /// The parameters of `slot.create`.
    pub fn slot_params(&self, name: &str, algorithm: &str, policy: &Value) -> Value {
        json!({
            "slot": name, "algorithm": algorithm, "backend": "softhsm", "owner": self.person(0).id,
            "rotation_days": 90, "overlap_days": 7, "signing_policy": policy,
        })
    }

    /// Enrols a service for these slots.
    #[track_caller]
    pub fn service(&self, slots: &[&str]) -> Service {
        let (id, token) = (Uuid::new_v4().to_string(), Token::draw(TokenKind::Service).unwrap());
        let params = json!({
            "service": id, "slots": sorted(slots), "token_sha256": token.sha256(),
            "token_expires_at": in_seconds(24 * 60 * 60),
        });
        self.executed("service.enroll", &params);
        Service { id, api: self.api.with_token(&token.reveal()) }
    }

    /// Everybody signs in anew: sessions end with the server, and what needs a fresh sign-in wants one of now.
    pub fn sign_in_again(&mut self) {
        let name = &self.name;
        self.people.iter_mut().for_each(|person| person.sign_in(name));
    }

    /// Invites a person, has them register, enrols them with these roles, and signs them in.
    #[track_caller]
    pub fn enrolled(&mut self, roles: &[&str]) -> usize {
        let (mut person, ticket) = (self.stranger(), self.invited(roles));
        person.register(&ticket, &self.path("/candidates/register"), self.folder.path());
        let params =
            json!({ "member": person.id, "credentials": person.credentials(), "roles": sorted(roles) });
        self.executed("member.enroll", &params);
        person.sign_in(&self.name);
        self.people.push(person);
        self.people.len() - 1
    }

    /// A ticket for somebody who is to be enrolled.
    #[track_caller]
    pub fn invited(&self, roles: &[&str]) -> String {
        let invited =
            self.post("/candidates", &json!({ "display_name": "Candidate", "roles": sorted(roles) }));
        text(&invited.expect(201).json()["ticket"]).to_owned()
    }

    /// Has a digest signed.
    #[track_caller]
    pub fn sign(&self, service: &Service, slot: &str, digest: &str) -> Answer {
        service.api.post(&self.path(&format!("/slots/{slot}/sign")), &json!({ "digest": digest }))
    }

    /// Exports the ledger, up to a checkpoint over all that was recorded before, into a file.
    #[track_caller]
    pub fn exported(&self) -> PathBuf {
        let bundle = self.get("/export?wait_ms=10000").expect(200);
        let file = self.folder.path().join(format!("{}.tar", Uuid::new_v4()));
        std::fs::write(&file, bundle.body).unwrap();
        file
    }

    /// Exports the ledger and judges it with `sealbook-verify`, every layer.
    #[track_caller]
    pub fn verified(&self) -> Ended {
        let bundle = self.exported();
        let founding = ["--founding", &self.founding_digest, "--signatures"];
        let verdict = verify([bundle.to_str().unwrap(), "--vkey", &self.vkey].into_iter().chain(founding));
        verdict.expect(0)
    }
}

/// A different person for each role. Who holds several is not spent on a seat that others could take as well.
fn seated<'a>(members: &Value, roles: &[&str], free: &[&'a Person]) -> Option<Vec<&'a Person>> {
    let Some((role, others)) = roles.split_first() else { return Some(Vec::new()) };
    let mut holders = (0..free.len()).filter(|n| holds(members, &free[*n].id, role));
    holders.find_map(|n| {
        let mut left = free.to_vec();
        let holder = left.remove(n);
        let mut seated = seated(members, others, &left)?;
        seated.insert(0, holder);
        Some(seated)
    })
}

fn holds(members: &Value, id: &str, role: &str) -> bool {
    let member = members["members"].as_array().unwrap().iter().find(|member| member["member"] == id);
    member.is_some_and(|member| member["roles"].as_array().unwrap().iter().any(|held| held["role"] == role))
}

fn sorted<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

/// The text of a JSON value that is one.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// A signing policy that services may use in every environment.
pub fn signing_policy() -> Value {
    json!({
        "artifact_fields": [], "callers": ["services"],
        "environments": ["development", "production", "staging"], "release": "durable", "v": 1,
    })
}

/// A time from now, as the API writes it.
pub fn in_seconds(seconds: u32) -> String {
    clock::now().plus_seconds(seconds).to_string()
}

/// The SHA-256 of some bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Hash::sha256(bytes).to_string()
}
