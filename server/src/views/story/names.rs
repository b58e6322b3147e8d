//! What a story knows of whom and what its events are about.

use std::collections::{BTreeMap, BTreeSet};

use sealbook_ledger::action::ActionDocument;
use sealbook_ledger::event::{Actor, Event};
use sealbook_ledger::ids::{
    ActionId, CertificateId, IncidentId, KeyId, MemberId, ProposerId, Seq, ServiceId, SlotName,
};
use sealbook_ledger::payload::Payload;
use sealbook_ledger::state::Founded;

use super::{printable, rotations, short, short_end, title};
use crate::views::Names as Disclosed;

/// What is known of people, services, actions and signatures when an event is told; it grows with each event.
///
/// It holds one entry for each member, service, key, certificate, action and drill; those of signatures leave it with their outcome.
#[derive(Debug, Default)]
pub struct Names {
    members: BTreeMap<MemberId, String>,
    services: BTreeMap<ServiceId, String>,
    actions: BTreeMap<ActionId, String>,
    keys: BTreeMap<KeyId, SlotName>,
    certificates: BTreeMap<CertificateId, KeyId>,
    signatures: BTreeMap<Seq, String>,
    drills: BTreeSet<IncidentId>,
}

impl Names {
    /// Gives a person a name.
    pub fn name_member(&mut self, member: MemberId, name: &str) {
        self.members.insert(member, printable(name));
    }

    /// Gives a service a name.
    pub fn name_service(&mut self, service: ServiceId, name: &str) {
        self.services.insert(service, printable(name));
    }

    /// A person's name, or a short form of the id.
    pub fn member(&self, id: MemberId) -> String {
        self.members.get(&id).cloned().unwrap_or_else(|| format!("member {}", short_end(&id.to_string())))
    }

    /// Whoever proposed an action: a person's or a service's name, or a short form of the id.
    pub fn proposer(&self, id: ProposerId) -> String {
        let ProposerId::Id(id) = id else { return "the server".to_owned() };
        match self.services.get(&ServiceId::from(id)) {
            Some(service) => service.clone(),
            None => self.member(MemberId::from(id)),
        }
    }

    /// A service's name, or a short form of the id.
    pub fn service(&self, id: ServiceId) -> String {
        self.services.get(&id).cloned().unwrap_or_else(|| format!("service {}", short(&id.to_string())))
    }

    /// The names as the server's views know them.
    pub fn shown(&self) -> Disclosed {
        let members = self.members.iter().map(|(id, name)| (id.to_string(), name.clone()));
        let services = self.services.iter().map(|(id, name)| (id.to_string(), name.clone()));
        members.chain(services).collect()
    }

    /// Whoever caused an event.
    pub fn actor(&self, actor: Actor) -> String {
        match actor {
            Actor::Member(id) => self.member(id),
            Actor::Service(id) => self.service(id),
            Actor::System => "the server".to_owned(),
        }
    }

    pub(super) fn action(&self, id: ActionId) -> String {
        match self.actions.get(&id) {
            Some(text) => format!("{text} (action {})", short(&id.to_string())),
            None => format!("action {id}"),
        }
    }

    pub(super) fn key(&self, id: KeyId) -> String {
        let key = short_end(&id.to_string());
        match self.keys.get(&id) {
            Some(slot) => format!("key {key} of {slot}"),
            None => format!("key {key}"),
        }
    }

    pub(super) fn certificate(&self, id: CertificateId) -> String {
        match self.certificates.get(&id) {
            Some(key) => format!("the certificate of {}", self.key(*key)),
            None => format!("certificate {}", short_end(&id.to_string())),
        }
    }

    /// How an incident is called. A drill says so wherever it is named.
    pub(super) fn incident(&self, id: IncidentId) -> String {
        let what = if self.drills.contains(&id) { "DRILL" } else { "incident" };
        format!("{what} {}", short_end(&id.to_string()))
    }

    pub(super) fn signature(&self, authorization: Seq) -> String {
        let known = self.signatures.get(&authorization).cloned();
        known.unwrap_or_else(|| format!("what event {authorization} authorised"))
    }

    /// Learns what the folded state and the disclosures of enrolments say: for an event that is told by itself.
    pub fn learn_state(&mut self, founded: &Founded, disclosed: &Disclosed) {
        for id in founded.members().keys() {
            disclosed.member(*id).into_iter().for_each(|name| self.name_member(*id, name));
        }
        for id in founded.services().keys() {
            disclosed.service(*id).into_iter().for_each(|name| self.name_service(*id, name));
        }
        self.keys.extend(founded.keys().iter().map(|(id, key)| (*id, key.slot.clone())));
        let drills = founded.incidents().iter().filter(|(_, incident)| incident.drill);
        self.drills.extend(drills.map(|(id, _)| *id));
        self.certificates.extend(founded.issuances().iter().map(|(id, issuance)| (*id, issuance.key)));
    }

    /// Learns what an action asked for.
    pub fn learn_action(&mut self, document: &ActionDocument) {
        let text = title(document, self);
        self.actions.insert(document.action, text);
    }

    /// Learns from an event, before it is told: who is called what, and what later events refer to.
    pub fn learn(&mut self, event: &Event, disclosures: &BTreeMap<String, String>) {
        let name = disclosures.get("display_name");
        match &event.payload {
            Payload::MemberEnrolled(p) => {
                name.into_iter().for_each(|name| self.name_member(p.member, name));
            }
            Payload::ServiceEnrolled(p) => {
                name.into_iter().for_each(|name| self.name_service(p.service, name));
            }
            Payload::ActionProposed(p) => {
                self.learn_action(&p.document);
            }
            Payload::KeyGenerationAuthorized(p) => {
                self.keys.insert(p.key, p.slot.clone());
            }
            Payload::KeyAdopted(p) => {
                self.keys.insert(p.key, p.slot.clone());
            }
            Payload::CertificateOrdered(p) => {
                self.certificates.insert(p.certificate, p.key);
            }
            Payload::IncidentOpened(p) if p.drill => {
                self.drills.insert(p.incident);
            }
            Payload::DocumentAuthorized(p) => {
                let report = rotations::report(p, self);
                self.signatures.insert(event.seq, report);
            }
            Payload::SignatureAuthorized(p) => {
                let artifact = disclosures.get("artifact_name").map(|name| printable(name));
                let what = artifact.unwrap_or_else(|| format!("digest {}…", short(&p.digest.to_string())));
                self.signatures.insert(event.seq, format!("{what} with {}", p.slot));
            }
            _ => {}
        }
    }

    /// Forgets a signature whose outcome was told.
    pub fn forget(&mut self, event: &Event) {
        let ended = match &event.payload {
            Payload::DocumentAbandoned(p) => Some(p.authorization),
            Payload::DocumentFailed(p) => Some(p.authorization),
            Payload::RepIssued(p) => Some(p.authorization),
            Payload::SignatureAbandoned(p) => Some(p.authorization),
            Payload::SignatureCreated(p) => Some(p.authorization),
            Payload::SignatureFailed(p) => Some(p.authorization),
            Payload::SignatureWithheld(p) => Some(p.authorization),
            _ => None,
        };
        if let Some(authorization) = ended {
            self.signatures.remove(&authorization);
        }
    }
}
