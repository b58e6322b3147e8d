//! A release as it comes out of a house that keeps its keys here, made in memory: for tests that change one thing.

mod drafts;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use sealbook_ledger::action::{ActionDocument, RevocationReason};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{KeyId, Seq};
use sealbook_ledger::merkle::{Tree, leaf_hash};
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{
    ActionApproved, ActionProposed, HsmAccessReviewed, KeyActivated, KeyAdopted, KeyGenerated,
    KeyGenerationAuthorized, KeyRevoked, Payload, PolicySet, RotationCutOver, SignatureAuthorized,
    SignatureCreated, SignedProposal, SlotCreated,
};
use sealbook_ledger::policy::{Cadence, Environment, LedgerPolicy, Role, SigningPolicy};
use sealbook_ledger::public_key::PublicKey;
use sealbook_ledger::receipt::Receipt;
use sealbook_ledger::timestamp::Timestamp;
use serde_json::json;

use super::facts::Facts;
use super::proof::{Proofs, Proved};
use super::receipt_name;
use super::signature::{self, Events, Form};
use super::verify::Pins;

pub(crate) use drafts::{Draft, good, rebuilt, receipts, record, record_by_itself, told, told_of};

pub(crate) const SLOT: &str = "release";
const ACTION: &str = "01934f00-0000-7000-8000-0000000000a1";
const MEMBER: &str = "01934f00-0000-7000-8000-0000000000b1";
const OTHER: &str = "01934f00-0000-7000-8000-0000000000b2";

pub(crate) fn key_id(n: u8) -> KeyId {
    format!("01934f00-0000-7000-8000-0000000000c{n}").parse().unwrap()
}

pub(crate) fn approver() -> sealbook_ledger::ids::MemberId {
    OTHER.parse().unwrap()
}

/// A key in a device that does as it is told.
pub(crate) struct Device(EcdsaKeyPair);

impl Device {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_ec_point(self.0.public_key().as_ref()).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// A ledger that records what it is given, a second apart; no rule is asked.
pub(crate) struct House {
    seal: Ed25519KeyPair,
    events: Vec<Vec<u8>>,
    tree: Tree,
    pub(crate) devices: [Device; 2],
    pub(crate) rotation_days: u16,
    pub(crate) longest_days: u16,
    pub(crate) environments: BTreeSet<Environment>,
    pub(crate) confined: bool,
    /// Whether its keys were in the device before.
    pub(crate) adopts: bool,
    /// Who causes what comes next.
    pub(crate) actor: Actor,
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            seal: Ed25519KeyPair::generate().unwrap(),
            events: Vec::new(),
            tree: Tree::new(),
            devices: [Device::new(), Device::new()],
            rotation_days: 90,
            longest_days: 90,
            environments: SigningPolicy::default().environments,
            confined: true,
            adopts: false,
            actor: Actor::System,
        }
    }

    pub(crate) fn vkey(&self) -> Vkey {
        let key = self.seal.public_key().as_ref().try_into().unwrap();
        Vkey::from_ed25519("localhost/acme".parse().unwrap(), key).unwrap()
    }

    pub(crate) fn pins(&self) -> Pins {
        Pins { vkeys: vec![self.vkey()], revocations: None }
    }

    fn time(seconds: usize) -> Timestamp {
        let start: Timestamp = "2030-01-01T00:00:00.000000Z".parse().unwrap();
        start.plus_seconds(u32::try_from(seconds).unwrap())
    }

    pub(crate) fn push(&mut self, payload: impl Into<Payload>) -> Seq {
        let seq = self.events.len();
        let event = Event {
            origin: "localhost/acme".parse().unwrap(),
            seq: Seq::new(seq as u64).unwrap(),
            time: Self::time(seq),
            actor: self.actor,
            correlation: "01934f00-0000-7000-8000-000000000000".parse().unwrap(),
            prev: Hash::ZERO,
            payload: payload.into(),
            sd: Vec::new(),
        };
        let bytes = event.to_bytes().unwrap();
        self.tree.append(leaf_hash(&bytes));
        self.events.push(bytes);
        event.seq
    }

    /// The receipt of an event under a checkpoint over everything so far.
    pub(crate) fn receipt(&self, seq: Seq) -> String {
        let size = self.events.len() as u64;
        let bytes = self.events[usize::try_from(seq.get()).unwrap()].clone();
        let path = self.tree.inclusion_proof(seq.get(), size).unwrap();
        let root = self.tree.root_at(size).unwrap();
        let checkpoint = Checkpoint { origin: "localhost/acme".parse().unwrap(), size, root };
        let sealed = self.seal.sign(&checkpoint.to_signable()).as_ref().try_into().unwrap();
        let checkpoint = SignedCheckpoint::assemble(checkpoint, &[(self.vkey(), sealed)]).unwrap();
        Receipt::new(bytes, seq.get(), path, checkpoint).unwrap().to_string()
    }

    fn proved(&self, seq: Seq) -> (String, Proved) {
        let receipt = self.receipt(seq);
        let proved = Proved::read("a receipt", receipt.as_bytes(), &[self.vkey()]).unwrap();
        (receipt, proved)
    }

    /// A slot under policies, with its key in charge and a review of its device.
    pub(crate) fn open(&mut self) -> Vec<Seq> {
        let action = ACTION.parse().unwrap();
        let cadence = Some(Cadence { rotation_days: self.longest_days, ..Cadence::default() });
        let policy = LedgerPolicy { cadence, ..LedgerPolicy::default_for(3, 3) };
        let policy = self.push(PolicySet { action, policy });
        let signing_policy =
            SigningPolicy { environments: self.environments.clone(), ..SigningPolicy::default() };
        let created = self.push(SlotCreated {
            action,
            algorithm: Algorithm::EcdsaP256Sha256,
            backend: "hsm-a".parse().unwrap(),
            drill: false,
            overlap_days: 7,
            owner: MEMBER.parse().unwrap(),
            rotation: None,
            rotation_days: self.rotation_days,
            signing_policy,
            slot: SLOT.parse().unwrap(),
        });
        let made = self.make_key(0);
        let active = self.push(KeyActivated { action, key: key_id(0), slot: SLOT.parse().unwrap() });
        let review =
            HsmAccessReviewed { action, backend: "hsm-a".parse().unwrap(), fips: None, holder_count: 3 };
        let review = self.push(review);
        [policy, created, active, review].into_iter().chain(made).collect()
    }

    fn make_key(&mut self, n: u8) -> Vec<Seq> {
        if self.adopts {
            return vec![self.adopt_key(n)];
        }
        let asked = self.push(KeyGenerationAuthorized {
            action: ACTION.parse().unwrap(),
            algorithm: Algorithm::EcdsaP256Sha256,
            expires_at: Self::time(100),
            key: key_id(n),
            label: format!("sealbook/localhost/acme/{}", key_id(n)),
            slot: SLOT.parse().unwrap(),
        });
        let public = self.devices[usize::from(n)].public();
        let attributes = KeyAttributes {
            always_sensitive: true,
            extractable: !self.confined,
            local: true,
            never_extractable: self.confined,
            sensitive: true,
        };
        let made = self.push(KeyGenerated {
            attributes,
            key: key_id(n),
            spki: public.der().into(),
            spki_sha256: public.sha256(),
        });
        vec![asked, made]
    }

    fn adopt_key(&mut self, n: u8) -> Seq {
        let public = self.devices[usize::from(n)].public();
        let attributes = KeyAttributes {
            always_sensitive: true,
            extractable: false,
            local: true,
            never_extractable: true,
            sensitive: true,
        };
        self.push(KeyAdopted {
            action: ACTION.parse().unwrap(),
            attributes,
            key: key_id(n),
            label: "the old key".to_owned(),
            slot: SLOT.parse().unwrap(),
            spki: public.der().into(),
            spki_sha256: public.sha256(),
        })
    }

    /// The first key is replaced and revoked in an emergency; gives what the papers cite from then on, and what the
    /// evidence of the revocation holds beside.
    pub(crate) fn lose_first_key(&mut self) -> (Vec<Seq>, Vec<Seq>) {
        let action = ACTION.parse().unwrap();
        let asked = self.make_key(1);
        let cut_over = self.push(RotationCutOver {
            action,
            fingerprint: None,
            new_key: key_id(1),
            old_key: key_id(0),
            overlap_ends_at: Self::time(100),
        });
        let proposed = self.push(proposal());
        let signed = |role| ActionApproved {
            action: ACTION.parse().unwrap(),
            authenticator_data: vec![1].into(),
            client_data_json: vec![2].into(),
            credential_id: vec![3].into(),
            member: approver(),
            role,
            signature: vec![4].into(),
        };
        let approved = self.push(signed(Role::PlatformAdmin));
        let revoked = self.push(KeyRevoked {
            action,
            compromised_since: Some(Self::time(1)),
            key: key_id(0),
            reason: RevocationReason::KeyCompromise,
        });
        let cited = asked.into_iter().chain([cut_over, revoked]).collect();
        (cited, vec![proposed, approved, revoked])
    }

    pub(crate) fn facts(&self, seqs: &[Seq], key: KeyId) -> (Facts, BTreeMap<String, String>, String) {
        let seqs: BTreeSet<Seq> = seqs.iter().copied().collect();
        let mut receipts = BTreeMap::new();
        let mut proved = Vec::new();
        for seq in seqs {
            let (receipt, one) = self.proved(seq);
            receipts.insert(receipt_name(seq), receipt);
            proved.push(one);
        }
        let checkpoint = proved[0].checkpoint.clone();
        let facts = Facts::of(Proofs::new(&proved).unwrap(), &SLOT.parse().unwrap(), key).unwrap();
        (facts, receipts, checkpoint)
    }

    /// The moment of the newest event.
    pub(crate) fn now(&self) -> Timestamp {
        Self::time(self.events.len() - 1)
    }

    /// Has a file signed; gives its paper, and the receipts by their names.
    pub(crate) fn sign(
        &mut self,
        (name, bytes, form): (&str, &[u8], Form),
        (facts, environment): (&Facts, Environment),
    ) -> (Vec<u8>, [(String, String); 2]) {
        let n = usize::from(facts.key.id == key_id(1));
        let message = form.message(bytes);
        let digest = Algorithm::EcdsaP256Sha256.digest_of(&message);
        let authorized = self.push(SignatureAuthorized {
            algorithm: Algorithm::EcdsaP256Sha256,
            clearance: None,
            digest: digest.clone(),
            environment: Some(environment),
            expires_at: Self::time(1000),
            key: facts.key.id,
            message: None,
            policy: facts.signing.digest,
            purpose: None,
            signing: None,
            slot: SLOT.parse().unwrap(),
        });
        let created = self.push(SignatureCreated {
            algorithm: Algorithm::EcdsaP256Sha256,
            authorization: authorized,
            digest,
            key: facts.key.id,
            signature: self.devices[n].sign(&message).into(),
            signing: None,
            spki_sha256: facts.key.public.sha256(),
        });
        let (asked, authorized) = self.proved(authorized);
        let (outcome, created) = self.proved(created);
        let events = Events { authorized: &authorized, created: &created };
        let paper = signature::write(name, bytes, form, events).unwrap();
        let names = [receipt_name(authorized.event.seq), receipt_name(created.event.seq)];
        let [first, second] = names;
        (paper, [(first, asked), (second, outcome)])
    }
}

/// An emergency's proposal, by a member who fills a seat of it.
fn proposal() -> ActionProposed {
    let document: ActionDocument = serde_json::from_value(json!({
        "action": ACTION, "expires_at": "2030-02-01T00:00:00.000000Z", "head": {"hash": Hash::ZERO, "seq": 0},
        "origin": "localhost/acme", "params": {"key": key_id(0), "reason": "key_compromise"}, "policy": Hash::ZERO,
        "proposed_at": "2030-01-01T00:00:00.000000Z", "proposed_by": MEMBER,
        "quorum": [{"count": 1, "role": "security_reviewer"}, {"count": 1, "role": "platform_admin"}],
        "reason_digest": sealbook_ledger::encoding::B64::from(Hash::ZERO.0.as_slice()),
        "type": "key.revoke_emergency", "v": 1,
    }))
    .unwrap();
    let signed = SignedProposal {
        authenticator_data: vec![1].into(),
        client_data_json: vec![2].into(),
        credential_id: vec![3].into(),
        member: MEMBER.parse().unwrap(),
        role: Role::SecurityReviewer,
        signature: vec![4].into(),
    };
    ActionProposed { document, signed: Some(signed) }
}
