//! Slots, the services that use them, signatures and containment.

use std::collections::BTreeSet;

use sealbook_ledger::action::{ActionDocument, Params, SlotCreateParams, SlotPolicyParams};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::command::{Command, Containment, SignRequest, SigningOutcome};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::{B64, Hash, HexBytes};
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, KeyId, Seq, ServiceId};
use sealbook_ledger::payload::ActionProposed;
use sealbook_ledger::policy::{Caller, Environment, Role, SigningPolicy};

use super::{CONFINED, Ledger, service_id, slot_name, spki};

impl Ledger {
    pub fn slot_params(&self, name: &str, algorithm: Algorithm) -> SlotCreateParams {
        SlotCreateParams {
            algorithm,
            backend: "softhsm".parse().unwrap(),
            drill: false,
            overlap_days: 7,
            owner: self.people[0].id,
            rotation: None,
            rotation_days: 90,
            signing_policy: SigningPolicy {
                callers: BTreeSet::from([Caller::PackagingEngineers, Caller::Services]),
                environments: BTreeSet::from([Environment::Production]),
                ..SigningPolicy::default()
            },
            slot: slot_name(name),
        }
    }

    /// A slot whose key is being made.
    pub fn slot_being_made(&mut self, name: &str, algorithm: Algorithm) -> KeyId {
        let params = self.slot_params(name, algorithm);
        self.decree(Params::SlotCreate(params));
        *self
            .now()
            .keys()
            .iter()
            .find(|(_, key)| key.slot.as_str() == name && key.state_name() == "generating")
            .unwrap()
            .0
    }

    /// A slot with an active key.
    pub fn slot(&mut self, name: &str, algorithm: Algorithm) -> KeyId {
        let key = self.slot_being_made(name, algorithm);
        let seed = self.fresh();
        self.run(Command::KeyMade { key, spki: spki(algorithm, seed), attributes: CONFINED }).unwrap();
        key
    }

    /// A service that may use slots.
    pub fn service(&mut self, slots: &[&str]) -> ServiceId {
        let service = service_id(self.fresh());
        let params = self.service_params(service, slots);
        self.decree(Params::ServiceEnroll(params));
        service
    }

    pub fn service_params(
        &self,
        service: ServiceId,
        slots: &[&str],
    ) -> sealbook_ledger::action::ServiceEnrollParams {
        sealbook_ledger::action::ServiceEnrollParams {
            display_name_digest: Some(Hash::sha256(b"name").0.as_slice().into()),
            service,
            slots: slots.iter().map(|name| slot_name(name)).collect(),
            token_expires_at: self.clock.plus_seconds(30 * 24 * 60 * 60),
            token_sha256: Hash::sha256(service.to_string().as_bytes()),
        }
    }

    pub fn request(&self, slot: &str, len: usize) -> SignRequest {
        SignRequest {
            slot: slot_name(slot),
            digest: HexBytes(vec![7; len]),
            message: None,
            environment: Environment::Production,
            life_s: 60,
            sd: Vec::new(),
            clearance: None,
            key: None,
        }
    }

    /// A slot that asks for approval in production.
    pub fn guarded_slot(&mut self, name: &str, algorithm: Algorithm) -> KeyId {
        let key = self.slot(name, algorithm);
        let mut signing_policy = self.slot_params(name, algorithm).signing_policy;
        signing_policy.approval = [Environment::Production].into();
        self.decree(Params::SlotPolicySet(SlotPolicyParams { signing_policy, slot: slot_name(name) }));
        key
    }

    /// A service's own proposal, which nobody signs.
    pub fn service_proposal(&mut self, service: ServiceId, params: Params) -> Result<ActionId, Refusal> {
        let document = ActionDocument { proposed_by: service.into(), ..self.document(0, params) };
        let action = document.action;
        self.run(Command::Propose(Box::new(ActionProposed { document, signed: None }))).map(|_| action)
    }

    /// Asked for by a service, approved by one of the change board, and begun.
    pub fn cleared(&mut self, service: ServiceId, params: Params) -> ActionId {
        let action = self.service_proposal(service, params).unwrap();
        self.approve(1, Role::ChangeBoard, action).unwrap();
        self.begin(action).unwrap();
        action
    }

    pub fn authorize(&mut self, service: ServiceId, request: SignRequest) -> Result<Seq, Refusal> {
        let command = Command::Authorize { caller: Actor::Service(service), request: Box::new(request) };
        self.run(command).map(|events| events[0].seq)
    }

    pub fn settle(&mut self, authorization: Seq) -> Result<Event, Refusal> {
        let outcome = SigningOutcome::Signed(B64(vec![9; 70]));
        self.run(Command::Settle { authorization, outcome }).map(|mut events| events.remove(0))
    }

    pub fn contain(&mut self, by: usize, target: Containment) -> Result<Event, Refusal> {
        let by = self.people[by].id;
        self.run(Command::Contain { by, target, sd: Vec::new() }).map(|mut events| events.remove(0))
    }
}
