//! The certificates of a pack's keys, and the way from each to its root.

use serde::Serialize;

use super::{EvidenceError, Facts, Mark};
use crate::certificate::{Certificate, MAX_PATH};
use crate::encoding::{B64, Hash};
use crate::ids::{CertificateId, KeyId};
use crate::payload::Payload;
use crate::timestamp::Timestamp;

/// A certificate with what is above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateFacts {
    /// Its id in the ledger.
    pub certificate: CertificateId,
    /// SHA-256 of the certificate.
    pub fingerprint: Hash,
    /// Whether a CA elsewhere issued it.
    pub imported: bool,
    /// Who issued it (RFC 4514).
    pub issuer: String,
    /// The key that it names.
    pub key: KeyId,
    /// The second that it is still valid in.
    pub not_after: Timestamp,
    /// The first moment of its validity.
    pub not_before: Timestamp,
    /// SHA-256 of the certificates from this one up, as far as the pack has them.
    pub path: Vec<Hash>,
    /// Whether each certificate of the path is signed by the next, and the last by itself or, of an imported one, taken by
    /// the rules as an anchor.
    pub path_holds: bool,
    /// When it was recorded.
    pub recorded: Mark,
    /// When the request for it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<Mark>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Mark>,
    /// Its number among those of its issuer, hex.
    pub serial: String,
    /// Whom it names (RFC 4514).
    pub subject: String,
    /// The certificates of the path, DER.
    #[serde(skip)]
    pub chain: Vec<Vec<u8>>,
    /// The request, DER.
    #[serde(skip)]
    pub request: Option<Vec<u8>>,
}

/// A certificate as it was recorded: that of the key first.
struct Recorded<'a> {
    id: CertificateId,
    mark: Mark,
    ders: Vec<&'a B64>,
    imported: bool,
}

impl CertificateFacts {
    /// The certificate of a key that was recorded last.
    pub(super) fn of_key(facts: &Facts<'_>, key: KeyId) -> Result<Option<Self>, EvidenceError> {
        let ordered: Vec<CertificateId> = facts
            .all(move |payload| match payload {
                Payload::CertificateOrdered(p) if p.key == key => Some(p.certificate),
                _ => None,
            })
            .map(|(_, certificate)| certificate)
            .collect();
        let own = recorded(facts).into_iter().rev().find(|recorded| ordered.contains(&recorded.id));
        own.map(|own| Self::read(facts, key, &own)).transpose()
    }

    fn read(facts: &Facts<'_>, key: KeyId, own: &Recorded<'_>) -> Result<Self, EvidenceError> {
        let id = own.id;
        let content = || EvidenceError::Content { seq: own.mark.seq, what: "certificate" };
        let read = |der: &B64| Certificate::from_der(der.as_bytes()).map_err(|_| content());
        let first = read(own.ders.first().ok_or_else(content)?)?;
        let (path, path_holds) = if own.imported {
            let chain = own.ders.iter().map(|der| read(der)).collect::<Result<Vec<_>, _>>()?;
            let signed = chain.windows(2).all(|pair| vouches(&pair[1], &pair[0]));
            (chain, signed)
        } else {
            upwards(facts, first.clone())
        };
        let request = facts.first(move |payload| match payload {
            Payload::CertificateRequested(p) if p.certificate == id => Some(p.csr.as_bytes().to_vec()),
            _ => None,
        });
        Ok(Self {
            certificate: id,
            fingerprint: first.sha256(),
            imported: own.imported,
            issuer: first.issuer().to_string(),
            key,
            not_after: first.not_after(),
            not_before: first.not_before(),
            path: path.iter().map(Certificate::sha256).collect(),
            path_holds,
            recorded: own.mark,
            requested: request.as_ref().map(|(event, _)| Mark::of(event)),
            revoked: facts.mark(
                move |payload| matches!(payload, Payload::CertificateRevoked(p) if p.certificate == id),
            ),
            serial: crate::encoding::HexBytes(first.serial().as_bytes().to_vec()).to_string(),
            subject: first.subject().to_string(),
            chain: path.iter().map(|certificate| certificate.der().to_vec()).collect(),
            request: request.map(|(_, der)| der),
        })
    }
}

/// Every certificate that the events record, in order.
fn recorded<'a>(facts: &Facts<'a>) -> Vec<Recorded<'a>> {
    let all = facts.all(|payload| match payload {
        Payload::CertificateIssued(p) => Some((p.certificate, vec![&p.der], false)),
        Payload::CertificateImported(p) => Some((p.certificate, p.chain.iter().collect(), true)),
        _ => None,
    });
    all.map(|(event, (id, ders, imported))| Recorded { id, mark: Mark::of(event), ders, imported }).collect()
}

/// A certificate and those above it, and whether the last signed itself or was taken by the rules as an anchor.
fn upwards(facts: &Facts<'_>, first: Certificate) -> (Vec<Certificate>, bool) {
    let known: Vec<(Certificate, Vec<Certificate>)> = recorded(facts)
        .iter()
        .filter_map(|recorded| {
            let chain: Option<Vec<Certificate>> =
                recorded.ders.iter().map(|der| Certificate::from_der(der.as_bytes()).ok()).collect();
            let chain = chain?;
            Some((chain.first()?.clone(), chain))
        })
        .collect();
    let mut path = vec![first];
    while path.len() <= MAX_PATH {
        let Some(last) = path.last() else { break };
        if vouches(last, last) {
            return (path, true);
        }
        // The newest one of the issuer's name that really signed.
        let Some((_, chain)) = known.iter().rev().find(|(issuer, _)| vouches(issuer, last)) else { break };
        path.extend(chain.iter().cloned());
        if chain.len() > 1 {
            let signed = path.windows(2).all(|pair| vouches(&pair[1], &pair[0]));
            return (path, signed);
        }
    }
    (path, false)
}

fn vouches(issuer: &Certificate, subject: &Certificate) -> bool {
    let named = issuer.subject() == subject.issuer() && issuer.extensions().may_issue();
    named && issuer.public_key().is_ok_and(|key| subject.is_signed_by(&key))
}
