//! The certificates of slots' keys, and the chains above them.

use sealbook_ledger::action::RevocationReason;
use sealbook_ledger::certificate::{Certificate, Subject};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::{ActionId, CertificateId, Correlation, KeyId, Seq, SlotName};
use sealbook_ledger::issuance::{Issuance, IssuanceStep, Issued};
use sealbook_ledger::rotation::IssuerPolicy;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::ViewError;

/// Longest chain that is followed: a root, and fewer CAs below it than path lengths have values.
const MOST_ABOVE: usize = 16;

/// How far a certificate has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// Its key has to sign the request.
    Ordered,
    /// The request is there; the issuer has to sign, or somebody to bring the chain.
    Requested,
    /// In force.
    Active,
    /// Its dates don't cover this moment.
    Expired,
    /// Revoked.
    Revoked,
    /// It will not come.
    Failed,
}

impl CertificateState {
    /// The state of a certificate at a moment.
    pub fn of(step: &IssuanceStep, at: Timestamp) -> Self {
        match step {
            IssuanceStep::Ordered => Self::Ordered,
            IssuanceStep::Requested => Self::Requested,
            IssuanceStep::Active(issued) if issued.covers(at) => Self::Active,
            IssuanceStep::Active(_) => Self::Expired,
            IssuanceStep::Revoked { .. } => Self::Revoked,
            IssuanceStep::Failed => Self::Failed,
        }
    }
}

/// A certificate, from its order on.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub certificate: CertificateId,
    /// The slot of its key.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// The key that it names.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// The `certificate.issue` or the rotation that it is for.
    #[schema(value_type = String, format = Uuid)]
    pub action: ActionId,
    /// The piece of work that its events belong to.
    #[schema(value_type = String, format = Uuid)]
    pub correlation: Correlation,
    /// How far it has come.
    pub state: CertificateState,
    /// Whether it is the newest of its key.
    pub newest: bool,
    /// Whom it names, as its policy says: a CA outside may name somebody else.
    #[schema(value_type = Object)]
    pub subject: Subject,
    /// Who issues it: `kind` is `self`, `slot` or `outside`.
    #[schema(value_type = Object)]
    pub issuer: IssuerPolicy,
    /// The event that ordered it.
    #[schema(value_type = u64)]
    pub ordered_seq: Seq,
    /// Whether its request is there.
    pub requested: bool,
    /// The certificate itself, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<IssuedView>,
    /// Why it was revoked, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub revocation_reason: Option<RevocationReason>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// From when on it is not to be believed, where that is before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub invalid_since: Option<Timestamp>,
}

/// A certificate that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IssuedView {
    /// SHA-256 of it.
    #[schema(value_type = String)]
    pub fingerprint: Hash,
    /// Its serial number, in hex.
    pub serial: String,
    /// Whom it names, as it says itself.
    pub subject: String,
    /// Who issued it, as it says itself.
    pub issuer: String,
    /// The CA's key that signed it; absent where it came from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub issuer_key: Option<KeyId>,
    /// From when it holds.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// The last second that it holds.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// The event that recorded it.
    #[schema(value_type = u64)]
    pub seq: Seq,
}

impl IssuedView {
    /// The view of a certificate that exists. Fails where it can't be read, which the rules don't let pass.
    pub fn new(issued: &Issued) -> Result<Self, ViewError> {
        let read = Certificate::from_der(issued.der.as_bytes());
        let corrupt = |_| ViewError::Corrupt { what: "certificate", seq: issued.seq.get() };
        let read = read.map_err(corrupt)?;
        Ok(Self {
            fingerprint: issued.fingerprint,
            serial: read.serial().to_string(),
            subject: read.subject().to_string(),
            issuer: read.issuer().to_string(),
            issuer_key: issued.issuer,
            not_before: issued.not_before,
            not_after: issued.not_after,
            seq: issued.seq,
        })
    }
}

impl CertificateView {
    /// The view of a certificate at a moment.
    pub fn new(
        id: CertificateId,
        issuance: &Issuance,
        founded: &Founded,
        at: Timestamp,
    ) -> Result<Self, ViewError> {
        let revocation = match &issuance.step {
            IssuanceStep::Revoked { revocation, .. } => Some(revocation),
            _ => None,
        };
        Ok(Self {
            certificate: id,
            slot: issuance.slot.clone(),
            key: issuance.key,
            action: issuance.action,
            correlation: issuance.correlation,
            state: CertificateState::of(&issuance.step, at),
            newest: founded.keys().get(&issuance.key).is_some_and(|key| key.certificate == Some(id)),
            subject: issuance.policy.subject.clone(),
            issuer: issuance.policy.issuer.clone(),
            ordered_seq: issuance.ordered,
            requested: issuance.csr.is_some(),
            issued: issuance.issued().map(IssuedView::new).transpose()?,
            revocation_reason: revocation.map(|revocation| revocation.reason),
            revoked_at: revocation.map(|revocation| revocation.at),
            invalid_since: revocation.and_then(|revocation| revocation.since),
        })
    }
}

/// A key's certificate; where it has none yet, the one that was ordered last.
pub fn of_key(founded: &Founded, key: KeyId) -> Option<(CertificateId, &Issuance)> {
    let held = founded.keys().get(&key)?.certificate;
    if let Some(held) = held.and_then(|id| Some((id, founded.issuance(id).ok()?))) {
        return Some(held);
    }
    let ordered = founded.issuances().iter().filter(|(_, issuance)| issuance.key == key);
    ordered.max_by_key(|(_, issuance)| issuance.ordered).map(|(id, issuance)| (*id, issuance.as_ref()))
}

/// A certificate and what is above it, its own first: up to a root of this ledger, or as it was brought from outside.
pub fn chain(founded: &Founded, issuance: &Issuance) -> Option<Vec<B64>> {
    let mut issued = issuance.issued()?;
    let mut chain = vec![issued.der.clone()];
    let mut own = issuance.key;
    loop {
        chain.extend(issued.chain.iter().cloned());
        let above = issued.issuer.filter(|issuer| *issuer != own);
        let Some(issuer) = above.filter(|_| chain.len() < MOST_ABOVE) else { return Some(chain) };
        let Some(above) = issuing(founded, issuer, issued) else { return Some(chain) };
        chain.push(above.der.clone());
        (own, issued) = (issuer, above);
    }
}

/// The certificate under which a CA's key signed another: of those that bear the issuer's name the newest at that time.
fn issuing<'a>(founded: &'a Founded, key: KeyId, below: &Issued) -> Option<&'a Issued> {
    let name = Certificate::from_der(below.der.as_bytes()).ok()?.issuer().clone();
    let named = |issued: &&Issued| {
        Certificate::from_der(issued.der.as_bytes()).is_ok_and(|above| *above.subject() == name)
    };
    let of_key = founded.issuances().values().filter(|issuance| issuance.key == key);
    let before = of_key.filter_map(|issuance| issuance.issued()).filter(|issued| issued.seq < below.seq);
    before.filter(named).max_by_key(|issued| issued.seq)
}
