//! Proposals, what people say to them, and what they bring about.

use sealbook_ledger::action::{ActionDocument, Params};
use sealbook_ledger::command::Command;
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::ActionId;
use sealbook_ledger::payload::{ActionApproved, ActionProposed, SignedProposal};
use sealbook_ledger::policy::Role;
use sealbook_ledger::webauthn::Purpose;

use super::{Ledger, WEB, action_id, cancellation_of, key_id, rejection_of};

impl Ledger {
    pub fn document(&mut self, proposer: usize, params: Params) -> ActionDocument {
        let action = action_id(self.fresh());
        let founded = self.now();
        ActionDocument {
            action,
            expires_at: self.clock.plus_seconds(24 * 60 * 60),
            execute_at: None,
            head: founded.latest_head().unwrap(),
            origin: self.state.origin().clone(),
            policy: founded.policy_digest(),
            proposed_at: self.clock,
            proposed_by: self.people[proposer].id.into(),
            quorum: founded.policy().actions[&params.kind()].quorum.clone(),
            reason_digest: Hash::sha256(b"reason").0.as_slice().into(),
            params,
        }
    }

    /// A proposal of a document, signed by one of the people.
    pub fn proposal(&self, proposer: usize, role: Role, document: ActionDocument) -> Command {
        Command::Propose(Box::new(self.proposed(proposer, role, document)))
    }

    pub fn proposed(&self, proposer: usize, role: Role, document: ActionDocument) -> ActionProposed {
        let person = &self.people[proposer];
        let answer = person.answer(Purpose::Proposal, &document.to_bytes().unwrap(), WEB);
        ActionProposed {
            document,
            signed: Some(SignedProposal {
                authenticator_data: answer.authenticator_data,
                client_data_json: answer.client_data_json,
                credential_id: answer.credential_id,
                member: person.id,
                role,
                signature: answer.signature,
            }),
        }
    }

    pub fn propose_as(&mut self, proposer: usize, role: Role, params: Params) -> Result<ActionId, Refusal> {
        let document = self.document(proposer, params);
        let action = document.action;
        let command = self.proposal(proposer, role, document);
        self.run(command).map(|_| action)
    }

    /// A proposal by one of the recovery authenticators, open for long enough.
    pub fn propose_recovery(
        &mut self,
        proposer: usize,
        params: sealbook_ledger::action::MemberRecoverParams,
    ) -> Result<ActionId, Refusal> {
        let document = self.document(proposer, Params::MemberRecover(params));
        let expires_at = self.clock.plus_seconds(7 * 24 * 60 * 60);
        let action = document.action;
        let command = self.proposal(proposer, Role::Recovery, ActionDocument { expires_at, ..document });
        self.run(command).map(|_| action)
    }

    pub fn propose(&mut self, proposer: usize, params: Params) -> Result<ActionId, Refusal> {
        self.propose_as(proposer, Role::PlatformAdmin, params)
    }

    pub fn document_bytes(&self, action: ActionId) -> Vec<u8> {
        self.now().action(action).unwrap().document_bytes().to_vec()
    }

    pub fn approval(&self, person: usize, role: Role, action: ActionId) -> ActionApproved {
        self.approval_over(person, role, action, Purpose::Approval, &self.document_bytes(action))
    }

    /// An approval event whose assertion may answer something else.
    pub fn approval_over(
        &self,
        person: usize,
        role: Role,
        action: ActionId,
        purpose: Purpose,
        document: &[u8],
    ) -> ActionApproved {
        let person = &self.people[person];
        let answer = person.answer(purpose, document, WEB);
        ActionApproved {
            action,
            authenticator_data: answer.authenticator_data,
            client_data_json: answer.client_data_json,
            credential_id: answer.credential_id,
            member: person.id,
            role,
            signature: answer.signature,
        }
    }

    pub fn approve(&mut self, person: usize, role: Role, action: ActionId) -> Result<(), Refusal> {
        let approval = self.approval(person, role, action);
        self.run(Command::Approve(Box::new(approval))).map(drop)
    }

    pub fn rejection(&self, person: usize, role: Role, action: ActionId) -> Command {
        let a = self.approval_over(person, role, action, Purpose::Rejection, &self.document_bytes(action));
        rejection_of(a)
    }

    pub fn cancellation(&self, person: usize, role: Role, action: ActionId) -> Command {
        let a = self.approval_over(person, role, action, Purpose::Cancellation, &self.document_bytes(action));
        cancellation_of(a)
    }

    pub fn begin(&mut self, action: ActionId) -> Result<Vec<Event>, Refusal> {
        let key = key_id(self.fresh());
        self.run(Command::Begin { action, key, life_s: 600 })
    }

    /// Proposed by the first, approved by as many of the others as its quorum needs, each in the seat's role.
    pub fn approved(&mut self, params: Params) -> ActionId {
        let action = self.propose(0, params).unwrap();
        let quorum = self.now().action(action).unwrap().document().quorum.clone();
        let seats = quorum.iter().flat_map(|clause| std::iter::repeat_n(clause.role, clause.count.into()));
        for (seat, role) in seats.collect::<Vec<_>>().into_iter().enumerate() {
            self.approve(seat + 1, role, action).unwrap();
        }
        action
    }

    /// Proposed by the first, approved by those from some place on, and begun.
    pub fn decree_by(&mut self, from: usize, params: Params) -> Vec<Event> {
        let action = self.propose(0, params).unwrap();
        let quorum = self.now().action(action).unwrap().document().quorum.clone();
        let seats = quorum.iter().flat_map(|clause| std::iter::repeat_n(clause.role, clause.count.into()));
        for (seat, role) in seats.collect::<Vec<_>>().into_iter().enumerate() {
            self.approve(from + seat, role, action).unwrap();
        }
        self.begin(action).unwrap()
    }

    /// Proposed, approved and begun.
    pub fn decree(&mut self, params: Params) -> Vec<Event> {
        let action = self.approved(params);
        self.begin(action).unwrap()
    }
}
