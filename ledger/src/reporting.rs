//! Documents that the evidence key signs: the intent is recorded before the device is touched, the outcome before anybody is
//! given the document (rules version 2). What it signs is a pure function of the intent: a statement that the manifest is
//! that of a pack about this.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::{Document, DocumentSubject};
use crate::encoding::{Hash, HexBytes};
use crate::event::Event;
use crate::ids::{ActionId, IncidentId, KeyId, Origin, Seq};
use crate::pack::{Kind, MANIFEST, PAYLOAD_TYPE, PackError, Statement, envelope_algorithm, pae};
use crate::payload::{DocumentAbandoned, DocumentAuthorized, DocumentFailed, Payload, RepIssued, ReportKind};
use crate::public_key::PublicKey;
use crate::rule::Rule;
use crate::signature::MAX_AUTHORIZATION_S;
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// `predicateType` of the statements of evidence packs, whose predicate is a [`Report`]: a URI by RFC 3986, of a scheme of
/// its own, that leads nowhere.
pub const PREDICATE_TYPE: &str = "sealbook:evidence-pack/v1";

/// `predicateType` of the statements about trust roots; a URI like [`PREDICATE_TYPE`].
pub const TRUST_ROOT_TYPE: &str = "sealbook:trust-root/v1";

/// The name by which a statement calls a trust root.
pub const TRUST_ROOT: &str = "trust-root.json";

/// What a statement says that its manifest is: the predicate (packs §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report<'a> {
    /// The rotation, or change of the ledger key, that the pack is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// First moment of the period that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The incident that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// What the pack is.
    pub kind: ReportKind,
    /// The ledger.
    pub origin: Cow<'a, Origin>,
    /// First moment after the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl DocumentSubject {
    /// What a pack about it says of itself.
    pub const fn kind(self) -> ReportKind {
        match self {
            Self::Rotation(_) => ReportKind::Rotation,
            Self::LedgerKey(_) => ReportKind::LedgerKey,
            Self::Period { .. } => ReportKind::Period,
            Self::Incident(_) => ReportKind::Incident,
        }
    }

    /// The predicate of a pack about it.
    pub fn report(self, origin: &Origin) -> Report<'_> {
        let of_kind = Report {
            action: None,
            from: None,
            incident: None,
            kind: self.kind(),
            origin: Cow::Borrowed(origin),
            to: None,
        };
        match self {
            Self::Rotation(action) | Self::LedgerKey(action) => Report { action: Some(action), ..of_kind },
            Self::Period { from, to } => Report { from: Some(from), to: Some(to), ..of_kind },
            Self::Incident(incident) => Report { incident: Some(incident), ..of_kind },
        }
    }
}

impl Document {
    /// What the evidence key's statement says that it is.
    pub fn report(self, origin: &Origin) -> Report<'_> {
        match self {
            Self::Pack(about) => about.report(origin),
            Self::TrustRoot => {
                let origin = Cow::Borrowed(origin);
                let kind = ReportKind::TrustRoot;
                Report { action: None, from: None, incident: None, kind, origin, to: None }
            }
        }
    }
}

impl Report<'_> {
    /// What the document is; none where the members are not those of the kind.
    pub fn document(&self) -> Option<Document> {
        if let (ReportKind::Incident, None, None, None, Some(incident)) =
            (self.kind, self.action, self.from, self.to, self.incident)
        {
            return Some(DocumentSubject::Incident(incident).into());
        }
        match (self.kind, self.action, self.from, self.to) {
            _ if self.incident.is_some() => None,
            (ReportKind::Rotation, Some(action), None, None) => {
                Some(DocumentSubject::Rotation(action).into())
            }
            (ReportKind::LedgerKey, Some(action), None, None) => {
                Some(DocumentSubject::LedgerKey(action).into())
            }
            (ReportKind::Period, None, Some(from), Some(to)) if from < to => {
                Some(DocumentSubject::Period { from, to }.into())
            }
            (ReportKind::TrustRoot, None, None, None) => Some(Document::TrustRoot),
            _ => None,
        }
    }

    /// The canonical JSON of the in-toto statement about the file with this SHA-256: a pack's manifest, or the trust root.
    pub fn statement(&self, sha256: Hash) -> Result<Vec<u8>, PackError> {
        match self.kind {
            ReportKind::Incident | ReportKind::LedgerKey | ReportKind::Period | ReportKind::Rotation => {
                Statement::write(PREDICATE_TYPE, self, (MANIFEST, sha256))
            }
            ReportKind::TrustRoot => Statement::write(TRUST_ROOT_TYPE, self, (TRUST_ROOT, sha256)),
        }
    }
}

impl From<DocumentSubject> for Kind {
    fn from(about: DocumentSubject) -> Self {
        match about {
            DocumentSubject::Rotation(_) => Self::Rotation,
            DocumentSubject::LedgerKey(_) => Self::LedgerKey,
            DocumentSubject::Period { .. } => Self::Period,
            DocumentSubject::Incident(_) => Self::Incident,
        }
    }
}

/// A document that the evidence key was asked to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDocument {
    /// The rotation, or change of the ledger key, that it is about.
    pub action: Option<ActionId>,
    /// The incident that it is about.
    pub incident: Option<IncidentId>,
    /// What it is.
    pub kind: ReportKind,
    /// The evidence key.
    pub key: KeyId,
    /// What is signed.
    pub digest: HexBytes,
    /// First moment that it no longer may be issued.
    pub expires_at: Timestamp,
}

impl Founded {
    /// The documents that wait for the evidence key, by the seq of their authorisations.
    pub fn pending_documents(&self) -> &BTreeMap<Seq, PendingDocument> {
        &self.documents
    }

    pub(crate) fn judge_document_authorized(
        &self,
        authorized: &DocumentAuthorized,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let (key, _) = self.evidence_key.as_ref().ok_or(Rule::EvidenceKey)?;
        if authorized.key != *key {
            return Err(Rule::EvidenceKey);
        }
        let DocumentAuthorized { action, from, incident, kind, to, .. } = *authorized;
        let report = Report { action, from, incident, kind, origin: Cow::Borrowed(&self.origin), to };
        let open = |action| self.documents.values().any(|document| document.action == Some(action));
        if let Some(member) = authorized.asked_by {
            self.active_member(member, at)?;
        }
        let due = match report.document().ok_or(Rule::ReportForm)? {
            Document::Pack(DocumentSubject::Rotation(action)) => {
                let rotation = self.rotation(action)?;
                rotation.has_ended() && !rotation.reported && !open(action)
            }
            Document::Pack(DocumentSubject::LedgerKey(action)) => {
                let reported = self.successions.get(&action).ok_or(Rule::ReportForm)?;
                !reported && !open(action)
            }
            Document::Pack(DocumentSubject::Period { to, .. }) => to <= at,
            // Also before it is closed: who has to tell others can't wait for the end.
            Document::Pack(DocumentSubject::Incident(id)) => {
                self.incident(id)?;
                !self.documents.values().any(|open| open.incident == Some(id))
            }
            // One at a time.
            Document::TrustRoot => !self.documents.values().any(|open| open.kind == ReportKind::TrustRoot),
        };
        if !due {
            return Err(Rule::ReportForm);
        }
        if self.document_digest(&report, authorized.manifest)? != authorized.digest {
            return Err(Rule::ReportStatement);
        }
        let ends = at.plus_seconds(MAX_AUTHORIZATION_S);
        if authorized.expires_at > at && authorized.expires_at <= ends {
            Ok(())
        } else {
            Err(Rule::SignatureLife)
        }
    }

    /// What the evidence key in force signs of a pack with this manifest, or of a trust root of this digest.
    pub(crate) fn document_digest(&self, report: &Report<'_>, manifest: Hash) -> Result<HexBytes, Rule> {
        let (_, spki) = self.evidence_key.as_ref().ok_or(Rule::EvidenceKey)?;
        let key = PublicKey::from_der(spki.as_bytes()).map_err(|_| Rule::EvidenceKey)?;
        let statement = report.statement(manifest).map_err(|_| Rule::ReportStatement)?;
        Ok(envelope_algorithm(key.key_type()).digest_of(&pae(PAYLOAD_TYPE, &statement)))
    }

    /// The changes of the ledger key, by their actions, and whether each has its evidence pack.
    pub fn successions(&self) -> &BTreeMap<ActionId, bool> {
        &self.successions
    }

    fn pending_document(&self, seq: Seq) -> Result<&PendingDocument, Rule> {
        self.documents.get(&seq).ok_or(Rule::SignatureUnknown)
    }

    pub(crate) fn judge_document_failed(&self, failed: &DocumentFailed) -> Result<(), Rule> {
        self.pending_document(failed.authorization).map(drop)
    }

    /// Only once nobody may record it as issued any more.
    pub(crate) fn judge_document_abandoned(
        &self,
        abandoned: &DocumentAbandoned,
        at: Timestamp,
    ) -> Result<(), Rule> {
        let pending = self.pending_document(abandoned.authorization)?;
        if at >= pending.expires_at { Ok(()) } else { Err(Rule::SignatureNotExpired) }
    }

    pub(crate) fn judge_rep_issued(&self, issued: &RepIssued, at: Timestamp) -> Result<(), Rule> {
        let pending = self.pending_document(issued.authorization)?;
        let in_force = self.evidence_key.as_ref().is_some_and(|(key, _)| *key == issued.key);
        if issued.key != pending.key || issued.digest != pending.digest || !in_force {
            return Err(Rule::EvidenceKey);
        }
        if at < pending.expires_at { Ok(()) } else { Err(Rule::ReleaseBarred) }
    }

    pub(crate) fn apply_document(&mut self, event: &Event) {
        match &event.payload {
            Payload::DocumentAuthorized(p) => {
                let pending = PendingDocument {
                    action: p.action,
                    incident: p.incident,
                    kind: p.kind,
                    key: p.key,
                    digest: p.digest.clone(),
                    expires_at: p.expires_at,
                };
                Arc::make_mut(&mut self.documents).insert(event.seq, pending);
            }
            Payload::DocumentAbandoned(p) => {
                Arc::make_mut(&mut self.documents).remove(&p.authorization);
            }
            Payload::DocumentFailed(p) => {
                Arc::make_mut(&mut self.documents).remove(&p.authorization);
            }
            Payload::RepIssued(p) => {
                let pending = Arc::make_mut(&mut self.documents).remove(&p.authorization);
                if let Some(incident) = pending.as_ref().and_then(|pending| pending.incident) {
                    // A statement from before the end is followed by another one.
                    self.with_incident(incident, |incident| {
                        incident.reported =
                            incident.closed.is_some_and(|(_, closed)| closed.seq < p.authorization);
                    });
                }
                if let Some(action) = pending.and_then(|pending| pending.action) {
                    self.with_rotation(action, |rotation| rotation.reported = true);
                    if let Some(reported) = Arc::make_mut(&mut self.successions).get_mut(&action) {
                        *reported = true;
                    }
                }
            }
            _ => {}
        }
    }
}
