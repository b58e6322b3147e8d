//! Which piece of work a command continues: a rotation stands under one correlation from its proposal to its evidence.

use super::{
    Command, CrlCommand, CrlLife, Document, DocumentSubject, IncidentMove, OwnSignature, RotationCommand,
};
use crate::event::Actor;
use crate::ids::{ActionId, CertificateId, Correlation, KeyId};
use crate::state::Founded;

impl Command {
    /// Whether it is containment: it goes through whatever else is refused (LEDGER_FORMAT §4).
    pub fn is_containment(&self) -> bool {
        let stops = matches!(self, Self::Rotate(RotationCommand::Fail { by: Actor::Member(_), .. }));
        stops || matches!(self, Self::Contain { .. } | Self::Reject { .. }) || self.opens_incident()
    }

    fn opens_incident(&self) -> bool {
        matches!(self, Self::Incident(command) if matches!(command.step, IncidentMove::Open(_)))
    }

    /// The correlation of the action, rotation or certificate that it takes a step further; none where it begins
    /// something, or is about none.
    pub fn work(&self, founded: &Founded) -> Option<Correlation> {
        match self {
            Self::Approve(p) => of_action(founded, p.action),
            Self::Reject { rejected, .. } => of_action(founded, rejected.action),
            Self::Cancel(p) => of_action(founded, p.action),
            Self::Expire(action) | Self::Void(action) => of_action(founded, *action),
            Self::Begin { action, .. }
            | Self::Fail { action, .. }
            | Self::KeyFound { action, .. }
            | Self::LedgerKeyMade { action, .. }
            | Self::EvidenceKeyMade { action, .. } => of_action(founded, *action),
            Self::KeyMade { key, .. } | Self::KeyNotMade { key, .. } | Self::KeyAbandoned(key) => {
                of_key(founded, *key)
            }
            Self::Rotate(command) => of_step(founded, command),
            Self::Incident(command) => {
                founded.incidents().get(&command.incident).map(|incident| incident.correlation)
            }
            Self::KeyDestroyed(action)
            | Self::List(CrlCommand::Authorize { lasting: CrlLife::Last(action), .. }) => {
                of_action(founded, *action)
            }
            Self::List(CrlCommand::Settle { authorization, .. }) => {
                founded.pending_crls().get(authorization).map(|pending| pending.correlation)
            }
            Self::Open(_)
            | Self::Found { .. }
            | Self::Propose(_)
            | Self::Contain { .. }
            | Self::List(_)
            | Self::Authorize { .. }
            | Self::Settle { .. }
            | Self::Abandon(_)
            | Self::RecordEvidence { .. }
            | Self::RecordRefusal(_)
            | Self::AcceptHighWater { .. }
            | Self::ReportUnexplained(_) => None,
        }
    }
}

fn of_step(founded: &Founded, command: &RotationCommand) -> Option<Correlation> {
    match command {
        RotationCommand::Generate { action, .. }
        | RotationCommand::Order { action, .. }
        | RotationCommand::Canary { action, .. }
        | RotationCommand::CutOver(action)
        | RotationCommand::Confirm { action, .. }
        | RotationCommand::MoveChannel { action, .. }
        | RotationCommand::Complete(action)
        | RotationCommand::Fail { action, .. } => of_rotation(founded, *action),
        RotationCommand::Authorize { own, .. } => match own {
            OwnSignature::Canary { action, .. } => of_rotation(founded, *action),
            OwnSignature::Sample { .. } => None,
            OwnSignature::Request(certificate) | OwnSignature::Certificate { certificate, .. } => {
                of_certificate(founded, *certificate)
            }
        },
        RotationCommand::Record(certificate)
        | RotationCommand::Import { certificate, .. }
        | RotationCommand::FailCertificate { certificate, .. } => of_certificate(founded, *certificate),
        RotationCommand::AuthorizeDocument {
            about: Document::Pack(DocumentSubject::Rotation(action)),
            ..
        } => of_rotation(founded, *action),
        RotationCommand::AuthorizeDocument {
            about: Document::Pack(DocumentSubject::Incident(incident)),
            ..
        } => founded.incidents().get(incident).map(|incident| incident.correlation),
        RotationCommand::AuthorizeDocument { .. }
        | RotationCommand::SettleDocument { .. }
        | RotationCommand::Overdue(_) => None,
    }
}

fn of_action(founded: &Founded, action: ActionId) -> Option<Correlation> {
    founded.actions().get(&action).map(|action| action.proposal().correlation)
}

fn of_rotation(founded: &Founded, action: ActionId) -> Option<Correlation> {
    founded.rotations().get(&action).map(|rotation| rotation.correlation)
}

fn of_certificate(founded: &Founded, certificate: CertificateId) -> Option<Correlation> {
    founded.issuances().get(&certificate).map(|issuance| issuance.correlation)
}

/// That of the rotation that a key is made for, or of the action that has its slot's first one made.
fn of_key(founded: &Founded, key: KeyId) -> Option<Correlation> {
    match founded.keys().get(&key)?.rotation {
        Some(rotation) => of_rotation(founded, rotation),
        None => of_action(founded, founded.generating_action(key)?),
    }
}
