//! Decisions on the steps of rotations, certificates and the documents about them.

use super::{Refusal, Trial};
use crate::action::RevocationReason;
use crate::attachment::Attachment;
use crate::command::{Document, DocumentOutcome, OwnSignature, RotationCommand};
use crate::encoding::{Hash, HexBytes};
use crate::event::Actor;
use crate::ids::{ActionId, CertificateId, KeyId, MemberId, Seq, SlotName};
use crate::issuance::{Issuance, IssuanceStep, Terms};
use crate::payload::{
    CertificateFailed, CertificateImported, CertificateIssued, CertificateOrdered, CertificateRequested,
    CertificateRevoked, DocumentAbandoned, DocumentAuthorized, DocumentFailed, KeyGenerationAuthorized,
    RepIssued, RotationCanaryRecorded, RotationChannelMoved, RotationCompleted, RotationConfirmed,
    RotationCutOver, RotationFailed, SignatureAuthorized, SigningPurpose, SlotRotationOverdue,
};
use crate::reporting::Report;
use crate::rule::Rule;
use crate::signature::drill_sample;
use crate::slot::device_label;

/// The code of a rotation that made way for a break-glass one.
const SUPERSEDED: &str = "rotation.superseded";

impl Trial<'_> {
    pub(super) fn rotate(&mut self, command: RotationCommand) -> Result<(), Refusal> {
        match command {
            RotationCommand::Generate { action, key, life_s } => self.generate(action, key, life_s),
            RotationCommand::Order { action, certificate } => self.order(action, certificate),
            RotationCommand::Authorize { own, message, life_s } => self.authorize_own(own, message, life_s),
            RotationCommand::Record(certificate) => self.record_certificate(certificate),
            RotationCommand::Import { by, certificate, chain } => {
                let fingerprint = Hash::sha256(chain.first().map(|der| der.as_bytes()).unwrap_or_default());
                let imported = CertificateImported { certificate, chain, fingerprint };
                self.emit(Actor::Member(by), imported, Vec::new()).map(drop)
            }
            RotationCommand::FailCertificate { by, certificate, code } => {
                self.emit(by, CertificateFailed { certificate, code }, Vec::new()).map(drop)
            }
            RotationCommand::Canary { action, results } => self.record_canary(action, results),
            RotationCommand::CutOver(action) => self.cut_over(action),
            RotationCommand::Confirm { by, action } => {
                let key = self.new_key(action)?;
                self.emit(by, RotationConfirmed { action, key }, Vec::new()).map(drop)
            }
            RotationCommand::MoveChannel { by, action, channel } => {
                self.emit(by, RotationChannelMoved { action, channel }, Vec::new()).map(drop)
            }
            RotationCommand::Complete(action) => self.complete(action),
            RotationCommand::Fail { by, action, code, sd } => {
                self.emit(by, RotationFailed { action, code }, sd).map(drop)
            }
            RotationCommand::Overdue(slot) => self.overdue(slot),
            RotationCommand::AuthorizeDocument { about, asked_by, manifest, life_s } => {
                self.authorize_document(about, asked_by, manifest, life_s)
            }
            RotationCommand::SettleDocument { authorization, outcome } => {
                self.settle_document(authorization, outcome)
            }
        }
    }

    /// Ends what stands in a break-glass rotation's way. While a device makes a key, nobody knows yet what there is to end.
    pub(super) fn make_way(&mut self, slot: &SlotName) -> Result<(), Refusal> {
        let Some((action, _)) = self.founded()?.preparing(slot) else { return Ok(()) };
        let code = SUPERSEDED.parse().map_err(|_| Rule::RotationStep)?;
        match self.system(RotationFailed { action, code }) {
            Ok(_) => Ok(()),
            Err(Refusal::Rule(Rule::RotationStep)) => Err(Rule::RotationBusy.into()),
            Err(other) => Err(other),
        }
    }

    fn new_key(&mut self, action: ActionId) -> Result<KeyId, Rule> {
        self.founded()?.rotation(action)?.new_key().ok_or(Rule::RotationStep)
    }

    fn generate(&mut self, action: ActionId, key: KeyId, life_s: u32) -> Result<(), Refusal> {
        let expires_at = self.now().plus_seconds(life_s);
        let label = device_label(self.state().origin(), key);
        let founded = self.founded()?;
        let slot = founded.rotation(action)?.slot.clone();
        let algorithm = founded.slot(&slot)?.algorithm;
        self.system(KeyGenerationAuthorized { action, algorithm, expires_at, key, label, slot }).map(drop)
    }

    fn order(&mut self, action: ActionId, certificate: CertificateId) -> Result<(), Refusal> {
        let key = self.new_key(action)?;
        let slot = self.founded()?.rotation(action)?.slot.clone();
        self.system(CertificateOrdered { action, certificate, key, slot }).map(drop)
    }

    fn authorize_own(
        &mut self,
        own: OwnSignature,
        message: Option<Attachment>,
        life_s: u32,
    ) -> Result<(), Refusal> {
        let at = self.now();
        let founded = self.founded()?;
        let (key, bytes, purpose) = match own {
            OwnSignature::Canary { action, digest } => {
                let rotation = founded.rotation(action)?;
                let key = rotation.new_key().ok_or(Rule::RotationStep)?;
                let due = rotation.due.iter().find(|due| due.digest == digest);
                let original = due.and_then(|due| due.original);
                (key, Err(digest), SigningPurpose::Canary { action, original })
            }
            OwnSignature::Sample { slot, number } => {
                let key = founded.slot(&slot)?.active.ok_or(Rule::SlotKeyless)?;
                (key, Ok(drill_sample(&slot, number)), SigningPurpose::Sample { number })
            }
            OwnSignature::Request(certificate) => {
                let issuance = founded.issuance(certificate)?;
                let bytes = founded.request_bytes(issuance)?;
                (issuance.key, Ok(bytes), SigningPurpose::CertificateRequest { certificate })
            }
            OwnSignature::Certificate { certificate, terms } => {
                let issuance = founded.issuance(certificate)?;
                let (bytes, signer) = founded.certificate_bytes(issuance, &terms)?;
                let Terms { serial, not_before, not_after } = terms;
                (
                    signer,
                    Ok(bytes),
                    SigningPurpose::Certificate { certificate, not_after, not_before, serial },
                )
            }
        };
        let held = founded.keys().get(&key).ok_or(Rule::KeyUnknown)?;
        let slot = founded.slot(&held.slot)?;
        let digest = bytes.map_or_else(|digest: HexBytes| digest, |bytes| slot.algorithm.digest_of(&bytes));
        let authorized = SignatureAuthorized {
            algorithm: slot.algorithm,
            clearance: None,
            digest,
            environment: None,
            expires_at: at.plus_seconds(life_s),
            key,
            message,
            policy: slot.policy_digest,
            purpose: Some(purpose),
            signing: None,
            slot: held.slot.clone(),
        };
        self.system(authorized).map(drop)
    }

    fn record_certificate(&mut self, certificate: CertificateId) -> Result<(), Refusal> {
        let founded = self.founded()?;
        let issuance = founded.issuance(certificate)?;
        let authorization = issuance.signed().ok_or(Rule::CertificateStep)?;
        let der = founded.assembled(issuance)?;
        match issuance.step {
            IssuanceStep::Ordered => {
                self.system(CertificateRequested { authorization, certificate, csr: der }).map(drop)
            }
            _ => {
                let fingerprint = Hash::sha256(der.as_bytes());
                self.system(CertificateIssued { authorization, certificate, der, fingerprint }).map(drop)
            }
        }
    }

    fn record_canary(&mut self, action: ActionId, results: Attachment) -> Result<(), Refusal> {
        let key = self.new_key(action)?;
        let signed = self.founded()?.rotation(action)?.canary;
        self.system(RotationCanaryRecorded { action, key, results, signed }).map(drop)
    }

    fn cut_over(&mut self, action: ActionId) -> Result<(), Refusal> {
        let at = self.now();
        let new_key = self.new_key(action)?;
        let founded = self.founded()?;
        let rotation = founded.rotation(action)?;
        let (old_key, overlap_ends_at) = (rotation.old_key, rotation.overlap_end(at));
        let fingerprint = founded.cut_over_fingerprint(rotation, new_key);
        self.system(RotationCutOver { action, fingerprint, new_key, old_key, overlap_ends_at }).map(drop)
    }

    fn complete(&mut self, action: ActionId) -> Result<(), Refusal> {
        let new_key = self.new_key(action)?;
        let old_key = self.founded()?.rotation(action)?.old_key;
        self.system(RotationCompleted { action, new_key, old_key })?;
        let founded = self.founded()?;
        if !founded.rotation(action)?.policy.revoke_superseded {
            return Ok(());
        }
        let of_old = |issuance: &Issuance| issuance.key == old_key && issuance.active().is_some();
        let issuances = founded.issuances().iter();
        let superseded: Vec<CertificateId> =
            issuances.filter(|(_, issuance)| of_old(issuance)).map(|(id, _)| *id).collect();
        superseded.into_iter().try_for_each(|certificate| {
            let reason = RevocationReason::Superseded;
            let invalid_since = None;
            self.system(CertificateRevoked { action, certificate, invalid_since, reason }).map(drop)
        })
    }

    fn overdue(&mut self, slot: SlotName) -> Result<(), Refusal> {
        let founded = self.founded()?;
        let key = founded.slot(&slot)?.active.ok_or(Rule::SlotKeyless)?;
        let due_at = founded.due_at(key).ok_or(Rule::SlotKeyless)?;
        self.system(SlotRotationOverdue { due_at, key, slot }).map(drop)
    }

    fn authorize_document(
        &mut self,
        about: Document,
        asked_by: Option<MemberId>,
        manifest: Hash,
        life_s: u32,
    ) -> Result<(), Refusal> {
        let expires_at = self.now().plus_seconds(life_s);
        let founded = self.founded()?;
        let key = founded.evidence_key().ok_or(Rule::EvidenceKey)?.0;
        let report = about.report(&founded.origin);
        let Report { action, from, incident, kind, to, .. } = report;
        let digest = founded.document_digest(&report, manifest)?;
        let authorized = DocumentAuthorized {
            action,
            asked_by,
            digest,
            expires_at,
            from,
            incident,
            key,
            kind,
            manifest,
            to,
        };
        self.system(authorized).map(drop)
    }

    fn settle_document(&mut self, authorization: Seq, outcome: DocumentOutcome) -> Result<(), Refusal> {
        match outcome {
            DocumentOutcome::Abandoned => self.system(DocumentAbandoned { authorization }).map(drop),
            DocumentOutcome::Failed(code) => self.system(DocumentFailed { authorization, code }).map(drop),
            DocumentOutcome::Signed { signature, sha256, size } => {
                let pending = self.founded()?.pending_documents().get(&authorization);
                let pending = pending.ok_or(Rule::SignatureUnknown)?;
                let (digest, key) = (pending.digest.clone(), pending.key);
                self.system(RepIssued { authorization, digest, key, sha256, signature, size }).map(drop)
            }
        }
    }
}
