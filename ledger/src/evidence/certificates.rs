//! The certificates of a pack's keys, and the way from each to its root.

use serde::Serialize;

use super::{EvidenceError, Facts, Mark};
use crate::certificate::{Certificate, MAX_PATH, Usage, verify_path};
use crate::encoding::{B64, Hash};
use crate::ids::{CertificateId, KeyId, Seq};
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

/// What tells one certificate of a key from another.
pub(super) struct Made {
    /// SHA-256 of it.
    pub(super) fingerprint: Hash,
    /// The event that recorded it.
    pub(super) seq: Seq,
}

/// A certificate as it was recorded: that of the key first.
struct Recorded<'a> {
    id: CertificateId,
    fingerprint: Hash,
    mark: Mark,
    ders: Vec<&'a B64>,
    imported: bool,
}

impl CertificateFacts {
    /// Of the certificates of a key the last that a test lets pass.
    pub(super) fn of_key(
        facts: &Facts<'_>,
        key: KeyId,
        usage: Option<Usage>,
        test: impl Fn(&Made) -> bool,
    ) -> Result<Option<Self>, EvidenceError> {
        let ordered: Vec<CertificateId> = facts
            .all(move |payload| match payload {
                Payload::CertificateOrdered(p) if p.key == key => Some(p.certificate),
                _ => None,
            })
            .map(|(_, certificate)| certificate)
            .collect();
        let own = recorded(facts).into_iter().rev().find(|one| {
            let made = Made { fingerprint: one.fingerprint, seq: one.mark.seq };
            ordered.contains(&one.id) && test(&made)
        });
        own.map(|own| Self::read(facts, key, usage, &own)).transpose()
    }

    fn read(
        facts: &Facts<'_>,
        key: KeyId,
        usage: Option<Usage>,
        own: &Recorded<'_>,
    ) -> Result<Self, EvidenceError> {
        let id = own.id;
        let content = || EvidenceError::Content { seq: own.mark.seq, what: "certificate" };
        let read = |der: &B64| Certificate::from_der(der.as_bytes()).map_err(|_| content());
        let first = read(own.ders.first().ok_or_else(content)?)?;
        let (path, path_holds) = if own.imported {
            let chain = own.ders.iter().map(|der| read(der)).collect::<Result<Vec<_>, _>>()?;
            let holds = is_path(&chain, usage, own.mark.time);
            (chain, holds)
        } else {
            upwards(facts, first.clone(), own.mark.seq)
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
        Payload::CertificateIssued(p) => Some((p.certificate, p.fingerprint, vec![&p.der], false)),
        Payload::CertificateImported(p) => {
            Some((p.certificate, p.fingerprint, p.chain.iter().collect(), true))
        }
        _ => None,
    });
    all.map(|(event, (id, fingerprint, ders, imported))| Recorded {
        id,
        fingerprint,
        mark: Mark::of(event),
        ders,
        imported,
    })
    .collect()
}

/// Whether a chain from outside leads to its own last certificate, by the rules that judged it when it came.
fn is_path(chain: &[Certificate], usage: Option<Usage>, at: Timestamp) -> bool {
    let (Some(usage), Some(first), Some(anchor)) = (usage, chain.first(), chain.last()) else { return false };
    let Ok(key) = first.public_key() else { return false };
    verify_path(chain, &[anchor.sha256()], &key, usage, at).is_ok()
}

/// A certificate and those above it, and whether each is signed by the next: up to one that signed itself, or through a
/// CA's chain from outside, up to where that ends.
fn upwards(facts: &Facts<'_>, first: Certificate, before: Seq) -> (Vec<Certificate>, bool) {
    let recorded = recorded(facts);
    let earlier = recorded.iter().filter(|one| one.mark.seq < before);
    let read = |one: &Recorded<'_>| -> Option<Vec<Certificate>> {
        one.ders.iter().map(|der| Certificate::from_der(der.as_bytes()).ok()).collect()
    };
    let known: Vec<(bool, Vec<Certificate>)> =
        earlier.filter_map(|one| Some((one.imported, read(one)?))).collect();
    let mut path = vec![first];
    while path.len() <= MAX_PATH {
        let Some(last) = path.last() else { break };
        if vouches(last, last) {
            return (path, true);
        }
        // The newest one of the issuer's name that really signed.
        let signer = known.iter().rev().find(|(_, chain)| chain.first().is_some_and(|ca| vouches(ca, last)));
        let Some((imported, chain)) = signer else { break };
        path.extend(chain.iter().cloned());
        if *imported {
            // The rules judged the rest when it came.
            return (path, true);
        }
    }
    (path, false)
}

fn vouches(issuer: &Certificate, subject: &Certificate) -> bool {
    let named = issuer.subject() == subject.issuer() && issuer.extensions().may_issue();
    named && issuer.public_key().is_ok_and(|key| subject.is_signed_by(&key))
}
