//! Ledgers for tests: founded by people whose authenticators are genuine ES256 keys, and driven by commands.
//!
//! Everything that is decided is read back from its bytes and judged again, as a verifier would.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy.toml allows it in test functions, but not in the functions they share"
)]

mod custody;
mod deciding;
mod responding;
mod revoking;
mod rotating;
mod signed;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use sealbook_ledger::action::{ActionType, Params};
use sealbook_ledger::algorithm::{Algorithm, KeyType};
use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::command::{Command, Founder};
use sealbook_ledger::decide::{Context, Decided, Refusal, decide};
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Envelope, Event};
use sealbook_ledger::founding::founder_data;
use sealbook_ledger::ids::{ActionId, Correlation, KeyId, MemberId, Origin, Seq, ServiceId, SlotName};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{
    FounderAssertion, FoundingDocument, LedgerFounded, LedgerOpened, MemberEnrolled, NextVkey, Payload,
};
use sealbook_ledger::policy::{ActionRule, LedgerPolicy, Role};
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::{Founded, Prechecked, State};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{ApprovalRp, CosePublicKey, Credential, CredentialKind, Purpose};

#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use responding::*;
#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use revoking::*;
#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use rotating::*;
pub use signed::{cancellation_of, rejection_of};

/// The roles that founders hold unless told otherwise: everything that decides.
pub const DECIDING: [Role; 6] = [
    Role::Approver,
    Role::ChangeBoard,
    Role::IncidentCommander,
    Role::KeyOwner,
    Role::PlatformAdmin,
    Role::SecurityReviewer,
];

/// Attributes of a key that was made in the device and can't leave it.
pub const CONFINED: KeyAttributes = KeyAttributes {
    always_sensitive: true,
    extractable: false,
    local: true,
    never_extractable: true,
    sensitive: true,
};

pub fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x01934f00_0000_7000_8000_000000000000 | n)
}

pub fn slot_name(name: &str) -> SlotName {
    name.parse().unwrap()
}

pub fn action_id(n: u128) -> ActionId {
    ActionId::from(uuid(0xa0000 + n))
}

pub fn key_id(n: u128) -> KeyId {
    KeyId::from(uuid(0xb0000 + n))
}

pub fn service_id(n: u128) -> ServiceId {
    ServiceId::from(uuid(0xc0000 + n))
}

/// A person with one authenticator in memory.
pub struct Person {
    pub id: MemberId,
    key: EcdsaKeyPair,
    pub credential: Credential,
}

/// The flat members of an assertion.
#[derive(Clone)]
pub struct Answer {
    pub authenticator_data: B64,
    pub client_data_json: B64,
    pub credential_id: B64,
    pub signature: B64,
}

impl Person {
    pub fn new(n: u128) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        let credential = Credential {
            credential_id: B64::from(Hash::sha256(key.public_key().as_ref()).0.as_slice()),
            cose_public_key: CosePublicKey::from_p256_point(key.public_key().as_ref()).unwrap(),
            aaguid: uuid::Uuid::nil().into(),
            rp_id: "sealbook.example.com".to_owned(),
            backup_eligible: false,
            kind: CredentialKind::Software,
            attestation: None,
        };
        Self { id: MemberId::from(uuid(0xd0000 + n)), key, credential }
    }

    /// Answers a challenge as the authenticator would.
    pub fn answer(&self, purpose: Purpose, document: &[u8], web_origin: &str) -> Answer {
        let challenge = B64::from(purpose.challenge(document).0.as_slice());
        let client =
            format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{web_origin}"}}"#);
        let data = [Hash::sha256(self.credential.rp_id.as_bytes()).0.as_slice(), &[5, 0, 0, 0, 0]].concat();
        let signed = [data.as_slice(), &Hash::sha256(client.as_bytes()).0].concat();
        Answer {
            authenticator_data: data.into(),
            client_data_json: client.into_bytes().into(),
            credential_id: self.credential.credential_id.clone(),
            signature: self.key.sign(&SystemRandom::new(), &signed).unwrap().as_ref().into(),
        }
    }
}

/// A ledger and the people around it.
pub struct Ledger {
    pub state: State,
    pub people: Vec<Person>,
    pub clock: Timestamp,
    pub history: Vec<Decided>,
    /// The state before each event of the history.
    pub before: Vec<State>,
    pub ids: u128,
    /// The rules version that it is opened under.
    pub rules: u64,
}

pub const WEB: &str = "https://sealbook.example.com";

pub fn approval_rp() -> ApprovalRp {
    ApprovalRp { id: "sealbook.example.com".to_owned(), origins: [WEB.to_owned()].into(), shared: true }
}

pub fn vkey(origin: &Origin, seed: u8) -> Vkey {
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    Vkey::from_ed25519(origin.clone(), key.verifying_key().to_bytes()).unwrap()
}

pub fn standby(vkey: &Vkey) -> NextVkey {
    NextVkey::Digest(Hash::sha256(vkey.to_string().as_bytes()))
}

/// The rules of a policy that it may change: recovery is as it is.
pub fn ordinary(policy: &mut LedgerPolicy) -> impl Iterator<Item = &mut ActionRule> {
    policy.actions.iter_mut().filter(|(kind, _)| **kind != ActionType::MemberRecover).map(|(_, rule)| rule)
}

pub fn rule_of(refusal: Refusal) -> Rule {
    match refusal {
        Refusal::Rule(rule) => rule,
        other => panic!("not a rule: {other}"),
    }
}

impl Ledger {
    /// A ledger without events.
    pub fn unopened(name: &str) -> Self {
        let origin: Origin = format!("sealbook.example.com/{name}").parse().unwrap();
        Self {
            state: State::new(origin),
            people: Vec::new(),
            clock: "2026-11-22T00:00:00.000000Z".parse().unwrap(),
            history: Vec::new(),
            before: Vec::new(),
            ids: 0,
            rules: 1,
        }
    }

    /// Opened by ledger key 1, with ledger key 2 as its standby.
    pub fn opened(name: &str) -> Self {
        let mut ledger = Self::unopened(name);
        ledger.run(Command::Open(ledger.opening())).unwrap();
        ledger
    }

    pub fn opening(&self) -> LedgerOpened {
        LedgerOpened {
            attributes: CONFINED,
            continues: None,
            custody: "pkcs11".parse().unwrap(),
            next_vkey_digest: standby(&vkey(self.state.origin(), 2)),
            rules: self.rules,
            vkey: vkey(self.state.origin(), 1),
        }
    }

    /// Founded by this many people who hold every deciding role.
    pub fn founded(founders: u128) -> Self {
        Self::founded_as("acme", (0..founders).map(|_| DECIDING.to_vec()).collect(), |_| {})
    }

    /// Founded by people with these roles under the default policy, changed.
    pub fn founded_as(name: &str, roles: Vec<Vec<Role>>, change: impl FnOnce(&mut LedgerPolicy)) -> Self {
        Self::founded_under(1, name, roles, change)
    }

    /// The same under a rules version.
    pub fn founded_under(
        rules: u64,
        name: &str,
        roles: Vec<Vec<Role>>,
        change: impl FnOnce(&mut LedgerPolicy),
    ) -> Self {
        let mut ledger = Self { rules, ..Self::unopened(name) };
        ledger.run(Command::Open(ledger.opening())).unwrap();
        let people = roles.iter().filter(|roles| !roles.contains(&Role::Recovery)).count();
        let mut policy = LedgerPolicy::default_for(people, rules);
        change(&mut policy);
        let command = ledger.founding(roles, policy, |_| {});
        ledger.run(command).unwrap();
        ledger
    }

    /// The founding command, with the document changed before it is signed.
    pub fn founding(
        &mut self,
        roles: Vec<Vec<Role>>,
        policy: LedgerPolicy,
        change: impl FnOnce(&mut FoundingDocument),
    ) -> Command {
        self.people = (0..roles.len()).map(|n| Person::new(n as u128)).collect();
        let founders: Vec<Founder> = self
            .people
            .iter()
            .zip(roles)
            .map(|(person, roles)| Founder {
                enrolled: MemberEnrolled {
                    action: None,
                    credentials: vec![person.credential.clone()],
                    member: person.id,
                    roles: roles.into_iter().collect(),
                },
                sd: vec![Hash::sha256(person.id.to_string().as_bytes()).0.as_slice().into()],
            })
            .collect();
        self.founding_of(founders, policy, change)
    }

    /// The founding command of founders that are given whole.
    pub fn founding_of(
        &self,
        founders: Vec<Founder>,
        policy: LedgerPolicy,
        change: impl FnOnce(&mut FoundingDocument),
    ) -> Command {
        let mut document = FoundingDocument {
            approval_rp: approval_rp(),
            founders: founders.iter().map(|founder| founder_data(&founder.enrolled, &founder.sd)).collect(),
            origin: self.state.origin().clone(),
            policy,
            rules: self.rules,
            v: 1,
            vkey: vkey(self.state.origin(), 1),
        };
        change(&mut document);
        let bytes = sealbook_ledger::canonical::to_vec(&document).unwrap();
        let assertions = self
            .people
            .iter()
            .map(|person| {
                let answer = person.answer(Purpose::Founding, &bytes, WEB);
                FounderAssertion {
                    authenticator_data: answer.authenticator_data,
                    client_data_json: answer.client_data_json,
                    credential_id: answer.credential_id,
                    member: person.id,
                    signature: answer.signature,
                }
            })
            .collect();
        Command::Found { founders, founded: Box::new(LedgerFounded { assertions, document }) }
    }

    pub fn now(&self) -> &Founded {
        self.state.founded().unwrap()
    }

    pub fn wait(&mut self, seconds: u32) {
        self.clock = self.clock.plus_seconds(seconds);
    }

    pub fn fresh(&mut self) -> u128 {
        self.ids += 1;
        self.ids
    }

    /// Decides a command and appends what it decides; each event is first read back from its bytes.
    pub fn run(&mut self, command: Command) -> Result<Vec<Event>, Refusal> {
        let checked = Prechecked::default();
        let correlation = Correlation::new(uuid(0)).unwrap();
        let decided =
            decide(&self.state, command, Context { clock: self.clock, correlation, checked: &checked })?;
        let mut events = Vec::new();
        for one in decided {
            let read = read_back(&one.bytes);
            assert_eq!(format!("{read:?}"), format!("{:?}", one.event));
            assert_eq!(one.hash, Event::hash(&one.bytes));
            assert_eq!(read.prev, self.state.head());
            self.before.push(self.state.clone());
            self.state.judge(&read, &checked).unwrap();
            self.state.apply(&read, one.hash);
            events.push(read);
            self.history.push(one);
        }
        Ok(events)
    }

    /// An event that another server might write next.
    pub fn written(&self, payload: impl Into<Payload>) -> Event {
        let payload = payload.into();
        let (actor, sd) = match &payload {
            Payload::ActionProposed(p) => (p.actor(), p.document.private_digests()),
            _ => (Actor::System, Vec::new()),
        };
        Event {
            origin: self.state.origin().clone(),
            seq: Seq::new(self.state.size()).unwrap(),
            time: self.state.time_at(self.clock),
            actor,
            correlation: Correlation::new(uuid(0)).unwrap(),
            prev: self.state.head(),
            payload,
            sd,
        }
    }

    /// What the rules say to an event that another server might write next.
    pub fn judged(&self, payload: impl Into<Payload>) -> Result<(), Rule> {
        self.state.judge(&self.written(payload), &Prechecked::default())
    }

    /// Appends an event that no command makes, if the rules allow it.
    pub fn append(&mut self, payload: impl Into<Payload>) {
        let event = self.written(payload);
        self.state.judge(&event, &Prechecked::default()).unwrap();
        let bytes = event.to_bytes().unwrap();
        let hash = Event::hash(&bytes);
        self.before.push(self.state.clone());
        self.state.apply(&event, hash);
        self.history.push(Decided { event, bytes, hash });
    }

    /// The rule that refuses a command.
    pub fn refused(&mut self, command: Command) -> Rule {
        rule_of(self.run(command).expect_err("the command went through"))
    }

    /// Enrols one more person by quorum; returns that person's place.
    pub fn enroll(&mut self, roles: &[Role]) -> usize {
        let params = self.enroll_params(roles);
        self.decree(Params::MemberEnroll(params));
        self.people.len() - 1
    }

    /// Parameters that enrol a new person, who joins the people at once.
    pub fn enroll_params(&mut self, roles: &[Role]) -> sealbook_ledger::action::MemberEnrollParams {
        let person = Person::new(self.people.len() as u128);
        let params = sealbook_ledger::action::MemberEnrollParams {
            credentials: vec![person.credential.clone()],
            display_name_digest: Some(Hash::sha256(b"display name").0.as_slice().into()),
            member: person.id,
            roles: roles.iter().copied().collect(),
        };
        self.people.push(person);
        params
    }

    /// Replays the whole history from its bytes alone.
    pub fn replayed(&self) -> State {
        let mut state = State::new(self.state.origin().clone());
        for one in &self.history {
            let event = read_back(&one.bytes);
            state.judge(&event, &Prechecked::default()).unwrap();
            state.apply(&event, Event::hash(&one.bytes));
        }
        state
    }
}

/// An event as a verifier reads it.
pub fn read_back(bytes: &[u8]) -> Event {
    let event = Event::from_envelope(Envelope::parse(bytes).unwrap()).unwrap();
    assert_eq!(event.to_bytes().unwrap(), bytes);
    event
}

/// A public key of the type that an algorithm needs.
pub fn spki(algorithm: Algorithm, seed: u128) -> B64 {
    let key = match algorithm.key_type() {
        KeyType::EcP256 => {
            let pkcs8 =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
            PublicKey::from_ec_point(pair.public_key().as_ref())
        }
        KeyType::EcP384 => {
            let pkcs8 =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &SystemRandom::new()).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
            PublicKey::from_ec_point(pair.public_key().as_ref())
        }
        KeyType::Rsa3072 => PublicKey::from_rsa(&modulus(384, seed), &[1, 0, 1]),
        KeyType::Rsa4096 => PublicKey::from_rsa(&modulus(512, seed), &[1, 0, 1]),
        KeyType::Ed25519 => {
            let seed = Hash::sha256(&seed.to_be_bytes()).0;
            let key = ed25519_dalek::SigningKey::from_bytes(&seed);
            PublicKey::from_ed25519(&key.verifying_key().to_bytes())
        }
    };
    key.unwrap().der().into()
}

/// An odd number of the right length: nobody signs with it here.
fn modulus(len: usize, seed: u128) -> Vec<u8> {
    let mut bytes: Vec<u8> = Hash::sha256(&seed.to_be_bytes()).0.into_iter().cycle().take(len).collect();
    bytes[0] |= 0x80;
    bytes[len - 1] |= 1;
    bytes
}

/// A list of digests, by reference.
pub fn digest_list(digests: &[HexBytes]) -> Attachment {
    message(&digests.iter().flat_map(|digest| digest.0.clone()).collect::<Vec<u8>>())
}

/// A message for pure Ed25519, by reference.
pub fn message(bytes: &[u8]) -> Attachment {
    Attachment {
        sha256: Hash::sha256(bytes),
        size: bytes.len() as u64,
        media_type: "application/octet-stream".parse().unwrap(),
    }
}
