//! A small real ledger, built event by event with software keys.
//!
//! Everything is judged as it is appended, unless a test says otherwise; nothing is mocked.

mod sealing;

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use sealbook_ledger::action::{ActionDocument, Params, ServiceEnrollParams, SlotCreateParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::chain::event_hash;
use sealbook_ledger::checkpoint::SignedCheckpoint;
use sealbook_ledger::disclosure::Disclosure;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::founding::{founder_data, founding_digest};
use sealbook_ledger::ids::{ActionId, KeyId, Origin, Seq, ServiceId, SlotName};
use sealbook_ledger::merkle::{Tree, leaf_hash};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{
    ActionApproved, ActionExecuted, ActionExecuting, ActionProposed, FounderAssertion, FoundingDocument,
    KeyActivated, KeyGenerated, KeyGenerationAuthorized, LedgerFounded, LedgerOpened, MemberEnrolled,
    NextVkey, Payload, ServiceEnrolled, SignatureAuthorized, SignatureCreated, SignedProposal, SlotCreated,
};
use sealbook_ledger::policy::{Environment, LedgerPolicy, Role, SigningPolicy};
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::slot::device_label;
use sealbook_ledger::state::{Prechecked, State};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::verify::Pins;
use sealbook_ledger::webauthn::{ApprovalRp, Purpose};

use crate::people::{Person, SlotKey, p256};
pub use sealing::seal;

pub const ORIGIN: &str = "sealbook.example.com/acme";
pub const RP: &str = "sealbook.example.com";

const CONFINED: KeyAttributes = KeyAttributes {
    always_sensitive: true,
    extractable: false,
    local: true,
    never_extractable: true,
    sensitive: true,
};

pub fn uuid_of(n: u64) -> uuid::Uuid {
    format!("01934f00-0000-7000-8000-{n:012x}").parse().unwrap()
}

struct UsedSlot {
    name: SlotName,
    id: KeyId,
    algorithm: Algorithm,
    key: SlotKey,
}

/// A ledger that grows.
pub struct Ledger {
    pub origin: Origin,
    pub events: Vec<Vec<u8>>,
    pub state: State,
    pub people: Vec<Person>,
    pub disclosures: Vec<Disclosure>,
    pub messages: Vec<Vec<u8>>,
    pub transitions: Vec<SignedCheckpoint>,
    pub founding: Hash,
    ledger_key: SigningKey,
    tree: Tree,
    slots: Vec<UsedSlot>,
    ids: u64,
    standby: SigningKey,
}

pub fn ledger_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub fn vkey_of(key: &SigningKey) -> Vkey {
    Vkey::from_ed25519(ORIGIN.parse().unwrap(), key.verifying_key().to_bytes()).unwrap()
}

impl Ledger {
    /// Opened under key 1 with standby key 99, and founded by three.
    pub fn founded() -> Self {
        let origin: Origin = ORIGIN.parse().unwrap();
        let mut ledger = Self {
            state: State::new(origin.clone()),
            origin,
            events: Vec::new(),
            people: (1..=3).map(Person::new).collect(),
            disclosures: Vec::new(),
            messages: Vec::new(),
            transitions: Vec::new(),
            founding: Hash::ZERO,
            ledger_key: ledger_key(1),
            tree: Tree::new(),
            slots: Vec::new(),
            ids: 0x1000,
            standby: ledger_key(99),
        };
        let opened = LedgerOpened {
            attributes: CONFINED,
            continues: None,
            custody: "pkcs11".parse().unwrap(),
            next_vkey_digest: NextVkey::Digest(vkey_of(&ledger.standby).digest()),
            rules: 1,
            vkey: ledger.vkey(),
        };
        ledger.append(Actor::System, opened, Vec::new());
        let founders = ledger.enroll_founders();
        ledger.found(founders);
        ledger
    }

    fn enroll_founders(&mut self) -> Vec<serde_json::Map<String, serde_json::Value>> {
        let roles = BTreeSet::from([
            Role::Approver,
            Role::ChangeBoard,
            Role::IncidentCommander,
            Role::KeyOwner,
            Role::PlatformAdmin,
            Role::SecurityReviewer,
        ]);
        let mut founders = Vec::new();
        for n in 0..self.people.len() {
            let person = &self.people[n];
            let enrolled = MemberEnrolled {
                action: None,
                credentials: vec![person.credential()],
                member: person.id,
                roles: roles.clone(),
            };
            let sd = self.disclose("display_name", &format!("Founder {n}"));
            founders.push(founder_data(&enrolled, &sd));
            self.append(Actor::System, enrolled, sd);
        }
        founders
    }

    fn found(&mut self, founders: Vec<serde_json::Map<String, serde_json::Value>>) {
        let document = FoundingDocument {
            approval_rp: ApprovalRp {
                id: RP.to_owned(),
                origins: BTreeSet::from([format!("https://{RP}")]),
                shared: true,
            },
            founders,
            origin: self.origin.clone(),
            policy: LedgerPolicy::default_for(3, 1),
            rules: 1,
            v: 1,
            vkey: self.vkey(),
        };
        self.founding = founding_digest(&document).unwrap();
        let assertion = |person: &Person| {
            let (authenticator_data, client_data_json, signature) = person.assert(self.founding);
            FounderAssertion {
                authenticator_data,
                client_data_json,
                credential_id: person.credential_id.clone(),
                member: person.id,
                signature,
            }
        };
        let assertions = self.people.iter().map(assertion).collect();
        self.append(Actor::System, LedgerFounded { assertions, document }, Vec::new());
    }

    pub fn vkey(&self) -> Vkey {
        vkey_of(&self.ledger_key)
    }

    pub fn size(&self) -> u64 {
        self.events.len() as u64
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(1_795_305_600_000_000 + self.events.len() as i64 * 1000).unwrap()
    }

    fn next_id(&mut self) -> uuid::Uuid {
        self.ids += 1;
        uuid_of(self.ids)
    }

    /// Notes a disclosure of the next event and gives its digest.
    pub fn disclose(&mut self, name: &str, value: &str) -> Vec<B64> {
        let salt = [self.disclosures.len() as u8; 16];
        let seq = Seq::new(self.size()).unwrap();
        let disclosure = Disclosure::new(seq, name.to_owned(), value.to_owned(), salt);
        let digest = disclosure.digest().unwrap();
        self.disclosures.push(disclosure);
        vec![B64::from(digest.0.as_slice())]
    }

    pub fn append(&mut self, actor: Actor, payload: impl Into<Payload>, sd: Vec<B64>) -> Seq {
        let event = self.event(actor, payload.into(), sd);
        if let Err(rule) = self.state.judge(&event, &Prechecked::default()) {
            panic!("{} refused: {rule}", event.payload.type_name());
        }
        self.push(event)
    }

    /// What a server would append whose code, or whose operator, does not care for the rules.
    pub fn append_unjudged(&mut self, actor: Actor, payload: impl Into<Payload>, sd: Vec<B64>) -> Seq {
        let event = self.event(actor, payload.into(), sd);
        self.push(event)
    }

    fn event(&self, actor: Actor, payload: Payload, sd: Vec<B64>) -> Event {
        Event {
            origin: self.origin.clone(),
            seq: Seq::new(self.size()).unwrap(),
            time: self.now(),
            actor,
            correlation: uuid_of(self.size()).to_string().parse().unwrap(),
            prev: self.events.last().map_or(Hash::ZERO, |bytes| event_hash(bytes)),
            payload,
            sd,
        }
    }

    fn push(&mut self, event: Event) -> Seq {
        let bytes = event.to_bytes().unwrap();
        self.state.apply(&event, event_hash(&bytes));
        self.tree.append(leaf_hash(&bytes));
        self.events.push(bytes);
        event.seq
    }

    pub fn propose(&mut self, by: usize, role: Role, params: Params) -> ActionId {
        let action: ActionId = self.next_id().into();
        let sd = self.disclose("reason", "because it is due");
        let founded = self.state.founded().unwrap();
        let document = ActionDocument {
            action,
            expires_at: self.now().plus_seconds(3600),
            execute_at: None,
            head: founded.latest_head().unwrap(),
            origin: self.origin.clone(),
            policy: founded.policy_digest(),
            proposed_at: self.now(),
            proposed_by: self.people[by].id.into(),
            quorum: founded.policy().actions[&params.kind()].quorum.clone(),
            reason_digest: sd[0].clone(),
            params,
        };
        let bytes = document.to_bytes().unwrap();
        let person = &self.people[by];
        let (authenticator_data, client_data_json, signature) =
            person.assert(Purpose::Proposal.challenge(&bytes));
        let proposed = ActionProposed {
            document,
            signed: Some(SignedProposal {
                authenticator_data,
                client_data_json,
                credential_id: person.credential_id.clone(),
                member: person.id,
                role,
                signature,
            }),
        };
        self.append(Actor::Member(self.people[by].id), proposed, sd);
        action
    }

    pub fn approval(&self, by: usize, role: Role, action: ActionId) -> (Actor, ActionApproved) {
        let person = &self.people[by];
        let open = self.state.founded().unwrap().action(action).unwrap();
        let challenge = Purpose::Approval.challenge(open.document_bytes());
        let (authenticator_data, client_data_json, signature) = person.assert(challenge);
        let approved = ActionApproved {
            action,
            authenticator_data,
            client_data_json,
            credential_id: person.credential_id.clone(),
            member: person.id,
            role,
            signature,
        };
        (Actor::Member(person.id), approved)
    }

    pub fn approve(&mut self, by: usize, role: Role, action: ActionId) {
        let (actor, approved) = self.approval(by, role, action);
        self.append(actor, approved, Vec::new());
    }

    pub fn executing(&self, action: ActionId) -> ActionExecuting {
        ActionExecuting { action, expires_at: self.now().plus_seconds(600) }
    }

    /// Proposed by the first founder and approved by the others in these roles; now executing.
    pub fn decide(&mut self, params: Params, roles: [Role; 2]) -> ActionId {
        let action = self.propose(0, Role::PlatformAdmin, params);
        self.approve(1, roles[0], action);
        self.approve(2, roles[1], action);
        let executing = self.executing(action);
        self.append(Actor::System, executing, Vec::new());
        action
    }

    pub fn slot_params(&self, name: &str, algorithm: Algorithm) -> SlotCreateParams {
        SlotCreateParams {
            algorithm,
            backend: "softhsm".parse().unwrap(),
            drill: false,
            overlap_days: 7,
            owner: self.people[0].id,
            rotation: None,
            rotation_days: 90,
            signing_policy: SigningPolicy::default(),
            slot: name.parse().unwrap(),
        }
    }

    pub fn create_slot(&mut self, name: &str, algorithm: Algorithm) {
        let params = self.slot_params(name, algorithm);
        let action = self.decide(Params::SlotCreate(params.clone()), [Role::Approver; 2]);
        let (key, slot): (KeyId, SlotName) = (self.next_id().into(), params.slot.clone());
        let created = SlotCreated {
            action,
            algorithm,
            backend: params.backend,
            drill: false,
            overlap_days: params.overlap_days,
            owner: params.owner,
            rotation: None,
            rotation_days: params.rotation_days,
            signing_policy: params.signing_policy,
            slot: slot.clone(),
        };
        self.append(Actor::System, created, Vec::new());
        let authorized = KeyGenerationAuthorized {
            action,
            algorithm,
            expires_at: self.now().plus_seconds(60),
            key,
            label: device_label(&self.origin, key),
            slot: slot.clone(),
        };
        self.append(Actor::System, authorized, Vec::new());
        let slot_key = match algorithm {
            Algorithm::EcdsaP256Sha256 => SlotKey::P256(p256()),
            _ => SlotKey::Ed25519(ledger_key(0x70 + self.slots.len() as u8)),
        };
        let public = slot_key.public();
        let generated = KeyGenerated {
            attributes: CONFINED,
            key,
            spki: B64::from(public.der()),
            spki_sha256: public.sha256(),
        };
        self.append(Actor::System, generated, Vec::new());
        self.append(Actor::System, KeyActivated { action, key, slot: slot.clone() }, Vec::new());
        self.append(Actor::System, ActionExecuted { action }, Vec::new());
        self.slots.push(UsedSlot { name: slot, id: key, algorithm, key: slot_key });
    }

    /// A service that may use every slot there is.
    pub fn enroll_service(&mut self) -> ServiceId {
        let service: ServiceId = self.next_id().into();
        let slots: BTreeSet<SlotName> = self.slots.iter().map(|slot| slot.name.clone()).collect();
        let params = ServiceEnrollParams {
            display_name_digest: None,
            service,
            slots: slots.clone(),
            token_expires_at: self.now().plus_seconds(30 * 24 * 3600),
            token_sha256: Hash::sha256(b"token"),
        };
        let action = self.decide(Params::ServiceEnroll(params.clone()), [Role::Approver; 2]);
        let enrolled = ServiceEnrolled {
            action,
            service,
            slots,
            token_expires_at: params.token_expires_at,
            token_sha256: params.token_sha256,
        };
        self.append(Actor::System, enrolled, Vec::new());
        self.append(Actor::System, ActionExecuted { action }, Vec::new());
        service
    }

    /// Signs a message with the slot of this number; the seq of `signature.created`.
    pub fn sign(&mut self, service: ServiceId, slot: usize, message: &[u8]) -> Seq {
        let used = &self.slots[slot];
        let (key, algorithm, name) = (used.id, used.algorithm, used.name.clone());
        let (spki_sha256, signature) = (used.key.public().sha256(), B64(used.key.sign(message)));
        let sha256 = Hash::sha256(message);
        let digest = HexBytes(sha256.0.to_vec());
        let attached = algorithm.needs_message().then(|| Attachment {
            sha256,
            size: message.len() as u64,
            media_type: "application/octet-stream".parse().unwrap(),
        });
        if attached.is_some() {
            self.messages.push(message.to_vec());
        }
        let authorized = SignatureAuthorized {
            clearance: None,
            algorithm,
            digest: digest.clone(),
            environment: Some(Environment::Production),
            expires_at: self.now().plus_seconds(60),
            key,
            message: attached,
            policy: SigningPolicy::default().digest().unwrap(),
            slot: name,
            purpose: None,
            signing: None,
        };
        let sd = self.disclose("artifact_name", "a.tar.gz");
        let authorization = self.append(Actor::Service(service), authorized, sd);
        let created =
            SignatureCreated { algorithm, authorization, digest, key, signature, signing: None, spki_sha256 };
        self.append(Actor::System, created, Vec::new())
    }

    pub fn public_key(&self, slot: usize) -> PublicKey {
        self.slots[slot].key.public()
    }
}

pub fn pins(ledger: &Ledger) -> Pins {
    Pins {
        vkeys: vec![vkey_of(&ledger_key(1))],
        founding: Some(ledger.founding),
        signatures: true,
        ..Pins::default()
    }
}

/// Founding, two slots, a service, signatures both ways, a rotation, and more signatures: 43 events.
pub fn story() -> Ledger {
    let mut ledger = Ledger::founded();
    ledger.create_slot("release-p256", Algorithm::EcdsaP256Sha256);
    ledger.create_slot("edge-ed25519", Algorithm::Ed25519);
    let service = ledger.enroll_service();
    ledger.sign(service, 0, b"one");
    ledger.sign(service, 1, b"two");
    ledger.rotate_ledger_key(2);
    ledger.sign(service, 0, b"three");
    ledger.sign(service, 1, b"four");
    ledger
}
