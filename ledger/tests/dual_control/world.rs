//! One history: what is tried goes through `decide`, what is recorded goes to the model.

use std::collections::{BTreeMap, HashMap};

use sealbook_ledger::action::{ActionDocument, Params};
use sealbook_ledger::command::Command;
use sealbook_ledger::decide::{Context, Refusal, decide};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{ActionId, Correlation, Seq};
use sealbook_ledger::payload::{ActionApproved, ActionProposed, Payload, SignedProposal};
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::{Founded, Prechecked, State};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{Assertion, Purpose};

use crate::cast::Cast;
use crate::model::Model;
use crate::support::{Answer, WEB, action_id, uuid};

/// Answers are kept by whose they are, for what, and under which relying party.
type Asked = (Hash, Purpose, Hash, bool);

/// Answers that authenticators gave and that were checked before: histories resemble each other, and each answer is
/// made and verified in earnest once.
#[derive(Default)]
pub struct Desk {
    answers: HashMap<Asked, Answer>,
    checked: Prechecked,
}

impl Desk {
    /// What is kept at most: about 100 MiB.
    const MOST: usize = 50_000;
}

pub struct World<'a> {
    pub cast: &'a Cast,
    desk: &'a mut Desk,
    pub state: State,
    pub clock: Timestamp,
    pub ids: u128,
    /// Every document that was proposed, whatever became of it.
    pub documents: Vec<ActionDocument>,
    pub refusals: BTreeMap<&'static str, u64>,
    /// How often each type of event occurred.
    pub types: BTreeMap<&'static str, u64>,
    model: Model,
    events: Vec<Vec<u8>>,
    /// Set once the model objects.
    pub bypassed: Option<String>,
}

impl<'a> World<'a> {
    pub fn begin(cast: &'a Cast, desk: &'a mut Desk) -> Self {
        if desk.answers.len() > Desk::MOST {
            *desk = Desk::default();
        }
        Self {
            cast,
            desk,
            state: cast.state.clone(),
            clock: cast.clock,
            ids: cast.ids,
            documents: Vec::new(),
            refusals: BTreeMap::new(),
            types: BTreeMap::new(),
            model: cast.model.clone(),
            events: Vec::new(),
            bypassed: None,
        }
    }

    pub fn now(&self) -> &Founded {
        self.state.founded().unwrap()
    }

    pub fn fresh(&mut self) -> u128 {
        self.ids += 1;
        self.ids
    }

    /// Decides and records; whether it went through.
    pub fn run(&mut self, command: Command) -> bool {
        let correlation = Correlation::new(uuid(0)).unwrap();
        let context = Context { clock: self.clock, correlation, checked: &self.desk.checked };
        match decide(&self.state, command, context) {
            Ok(decided) => {
                for one in decided {
                    self.record(&one.event, &one.bytes, one.hash);
                }
                true
            }
            Err(refusal) => {
                self.refused(&refusal);
                false
            }
        }
    }

    /// Records an event that no command makes, as a server could whose code is not ours, if the rules allow it.
    pub fn write(&mut self, payload: Payload, sd: Vec<sealbook_ledger::encoding::B64>) {
        let event = Event {
            origin: self.state.origin().clone(),
            seq: Seq::new(self.state.size()).unwrap(),
            time: self.state.time_at(self.clock),
            actor: Actor::System,
            correlation: Correlation::new(uuid(0)).unwrap(),
            prev: self.state.head(),
            payload,
            sd,
        };
        match self.state.judge(&event, &self.desk.checked) {
            Ok(()) => {
                let bytes = event.to_bytes().unwrap();
                let hash = Event::hash(&bytes);
                self.record(&event, &bytes, hash);
            }
            Err(rule) => self.refused(&rule.into()),
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        *self.refusals.entry(refusal.code()).or_default() += 1;
    }

    fn record(&mut self, event: &Event, bytes: &[u8], hash: Hash) {
        self.state.apply(event, hash);
        *self.types.entry(event.payload.type_name()).or_default() += 1;
        self.events.push(bytes.to_vec());
        if let Err(why) = self.model.see(bytes) {
            self.bypassed.get_or_insert(why);
        }
    }

    pub fn document(&mut self, proposer: usize, params: Params) -> ActionDocument {
        let action = action_id(self.fresh());
        let founded = self.now();
        ActionDocument {
            action,
            expires_at: self.clock.plus_seconds(24 * 60 * 60),
            execute_at: None,
            // Any earlier event may be named: the founding's last is that of many histories.
            head: self.cast.head,
            origin: self.state.origin().clone(),
            policy: founded.policy_digest(),
            proposed_at: self.clock,
            proposed_by: self.cast.humans[proposer].id.into(),
            quorum: founded.policy().actions[&params.kind()].quorum.clone(),
            reason_digest: Hash::sha256(b"reason").0.as_slice().into(),
            params,
        }
    }

    /// What somebody's authenticator answers; checked ahead of the rules, as the server does.
    pub fn answer(&mut self, human: usize, key: usize, purpose: Purpose, document: &[u8]) -> Answer {
        let person = &self.cast.humans[human].keys[key];
        let shared = self.now().approval_rp().shared;
        let whose = Hash::sha256(person.credential.credential_id.as_bytes());
        let asked = (whose, purpose, Hash::sha256(document), shared);
        if let Some(known) = self.desk.answers.get(&asked) {
            return known.clone();
        }
        let answer = person.answer(purpose, document, WEB);
        let assertion = Assertion::new(
            answer.credential_id.clone(),
            answer.authenticator_data.clone(),
            answer.client_data_json.clone(),
            answer.signature.clone(),
        );
        let rp = self.state.founded().unwrap().approval_rp();
        let challenge = purpose.challenge(document);
        self.desk.checked.check(&assertion.unwrap(), &person.credential, rp, challenge).unwrap();
        self.desk.answers.insert(asked, answer.clone());
        answer
    }

    pub fn propose(
        &mut self,
        proposer: usize,
        key: usize,
        role: Role,
        document: ActionDocument,
    ) -> Option<ActionId> {
        let action = document.action;
        let answer = self.answer(proposer, key, Purpose::Proposal, &document.to_bytes().unwrap());
        self.documents.push(document.clone());
        let signed = SignedProposal {
            authenticator_data: answer.authenticator_data,
            client_data_json: answer.client_data_json,
            credential_id: answer.credential_id,
            member: self.cast.humans[proposer].id,
            role,
            signature: answer.signature,
        };
        self.run(Command::Propose(Box::new(ActionProposed { document, signed: Some(signed) })))
            .then_some(action)
    }

    /// A decision about an action, open or not, with an answer given for some purpose.
    pub fn consent(
        &mut self,
        human: usize,
        key: usize,
        role: Role,
        of: usize,
        purpose: Purpose,
    ) -> ActionApproved {
        let (action, document) = (self.documents[of].action, self.documents[of].to_bytes().unwrap());
        let answer = self.answer(human, key, purpose, &document);
        ActionApproved {
            action,
            authenticator_data: answer.authenticator_data,
            client_data_json: answer.client_data_json,
            credential_id: answer.credential_id,
            member: self.cast.humans[human].id,
            role,
            signature: answer.signature,
        }
    }

    pub fn approve(&mut self, human: usize, key: usize, role: Role, of: usize) -> bool {
        let approved = self.consent(human, key, role, of, Purpose::Approval);
        self.run(Command::Approve(Box::new(approved)))
    }

    /// The events without their signatures, a line each.
    pub fn story(&self) -> String {
        let told = |event: &Vec<u8>| {
            let mut event: serde_json::Value = serde_json::from_slice(event).unwrap();
            for long in ["authenticator_data", "client_data_json", "signature"] {
                event["data"].as_object_mut().unwrap().remove(long);
            }
            format!(
                "{} {} {} {} {}\n",
                event["seq"], event["time"], event["type"], event["actor"], event["data"]
            )
        };
        self.events.iter().map(told).collect()
    }
}
