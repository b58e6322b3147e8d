//! Certificates as they are read, wherever they come from.

use std::fmt;

use x509_cert::Version;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{self, Encode};
use x509_cert::time::Time;

use super::asn1::{Inexact, exact};
use super::signature_algorithm::{holds, named};
use super::{DistinguishedName, Extensions, SerialNumber, extension};
use crate::algorithm::{Algorithm, KeyType};
use crate::encoding::Hash;
use crate::public_key::{PublicKey, PublicKeyError};
use crate::timestamp::Timestamp;

/// An X.509 certificate, version 3 (RFC 5280 §4.1), of anybody's; its signature has not been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    extensions: Extensions,
    issuer: DistinguishedName,
    not_after: Timestamp,
    not_before: Timestamp,
    serial: SerialNumber,
    signature: Vec<u8>,
    signature_algorithm: Vec<u8>,
    spki: Vec<u8>,
    subject: DistinguishedName,
    tbs: Vec<u8>,
}

/// Why bytes are not a certificate, or a request, that is accepted here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than any that is accepted.
    #[error("at most {} bytes are read", Certificate::MAX_LEN)]
    TooLong,
    /// Not the structure, or something follows it.
    #[error("it can't be read")]
    Der(#[source] der::Error),
    /// Readable, but not as DER writes it.
    #[error("it is not exact DER")]
    NotCanonical,
    /// Not of the version that is accepted.
    #[error("not of the version that is accepted: 3 of certificates")]
    Version,
    /// A member that has no place in it.
    #[error("{what}")]
    Member {
        /// What is wrong, of which member.
        what: &'static str,
    },
    /// An extension, or an attribute of a request, that stands there twice.
    #[error("{oid} stands there twice")]
    DuplicateExtension {
        /// Which.
        oid: ObjectIdentifier,
    },
    /// A critical extension that is not understood here.
    #[error("the critical extension {oid} is not understood")]
    CriticalExtension {
        /// Which.
        oid: ObjectIdentifier,
    },
    /// An extension with a value that it can't have.
    #[error("the extension {oid} is invalid: {why}")]
    Extension {
        /// Which.
        oid: ObjectIdentifier,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl CertificateError {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "certificate.too_long",
            Self::Der(_) => "certificate.der",
            Self::NotCanonical => "certificate.not_canonical",
            Self::Version => "certificate.version",
            Self::Member { .. } => "certificate.member",
            Self::DuplicateExtension { .. } => "certificate.duplicate_extension",
            Self::CriticalExtension { .. } => "certificate.critical_extension",
            Self::Extension { .. } => "certificate.extension",
        }
    }
}

impl From<Inexact> for CertificateError {
    fn from(error: Inexact) -> Self {
        match error {
            Inexact::Der(error) => Self::Der(error),
            Inexact::NotCanonical => Self::NotCanonical,
        }
    }
}

impl Certificate {
    /// Longest certificate in bytes.
    pub const MAX_LEN: usize = 8 * 1024;

    /// Reads a certificate that is exactly its DER, extensions that matter included: what differs from what DER would
    /// write, by a default that is spelled out or a time of the wrong type, is refused. So are object identifiers that
    /// the decoder can't hold: longer than 39 bytes, with a second number above 39, or with any of more than 32 bits.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Self::MAX_LEN {
            return Err(CertificateError::TooLong);
        }
        let read: x509_cert::Certificate = exact(der)?;
        let tbs = read.tbs_certificate();
        check_members(&read)?;
        let member = |what| CertificateError::Member { what };
        let (not_before, not_after) = (time(tbs.validity().not_before)?, time(tbs.validity().not_after)?);
        if not_before > not_after {
            return Err(member("it ends before it begins"));
        }
        Ok(Self {
            der: der.to_vec(),
            extensions: Extensions::read(tbs.extensions().map_or(&[], Vec::as_slice))?,
            issuer: DistinguishedName::new(tbs.issuer().clone()).map_err(CertificateError::Der)?,
            not_after,
            not_before,
            serial: SerialNumber::from_content(tbs.serial_number().as_bytes())
                .ok_or(member("the serial number is not positive, or longer than 20 octets"))?,
            signature: read.signature().as_bytes().unwrap_or_default().to_vec(),
            signature_algorithm: read.signature_algorithm().to_der().map_err(CertificateError::Der)?,
            spki: tbs.subject_public_key_info().to_der().map_err(CertificateError::Der)?,
            subject: DistinguishedName::new(tbs.subject().clone()).map_err(CertificateError::Der)?,
            tbs: tbs.to_der().map_err(CertificateError::Der)?,
        })
    }

    /// The certificate itself, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What is signed, DER.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// SHA-256 of [`Self::der`], by which certificates are pinned.
    pub fn sha256(&self) -> Hash {
        Hash::sha256(&self.der)
    }

    /// The signature over [`Self::tbs`].
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The AlgorithmIdentifier of the signature, DER.
    pub fn signature_algorithm(&self) -> &[u8] {
        &self.signature_algorithm
    }

    /// Which algorithm of the registry signed it, if the issuer's key is of this type; `None` outside the registry.
    pub fn algorithm(&self, issuer_key: KeyType) -> Option<Algorithm> {
        named(&self.signature_algorithm, issuer_key)
    }

    /// The SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The certified key, if it is one of the registry's.
    pub fn public_key(&self) -> Result<PublicKey, PublicKeyError> {
        PublicKey::from_der(&self.spki)
    }

    /// Whom it names.
    pub const fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Who issued it.
    pub const fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Its number among those of its issuer.
    pub const fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// The first moment of its validity.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The second that it is still valid in.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// What its extensions say.
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Whether this key of the registry signed it. Names, dates and what a CA may are [`super::verify_path`]'s.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        holds(key, &self.signature_algorithm, &self.tbs, &self.signature)
    }

    /// The name of its key for certificates that it issues: its own, or else computed as for ours (RFC 7093 §2).
    pub(super) fn key_identifier(&self) -> Result<Vec<u8>, der::Error> {
        match &self.extensions.subject_key_id {
            Some(own) => Ok(own.clone()),
            None => extension::key_identifier(&self.spki),
        }
    }
}

fn check_members(read: &x509_cert::Certificate) -> Result<(), CertificateError> {
    let tbs = read.tbs_certificate();
    if tbs.version() != Version::V3 {
        return Err(CertificateError::Version);
    }
    let unique_ids = tbs.issuer_unique_id().is_some() || tbs.subject_unique_id().is_some();
    let key = &tbs.subject_public_key_info().subject_public_key;
    for (wrong, what) in [
        (tbs.signature() != read.signature_algorithm(), "it names two signature algorithms"),
        (unique_ids, "it has a unique identifier, which nobody may use (RFC 5280 section 4.1.2.8)"),
        (tbs.issuer().is_empty(), "it names no issuer"),
        (read.signature().has_unused_bits(), "the signature is not of whole bytes"),
        (key.has_unused_bits(), "the key is not of whole bytes"),
        (tbs.extensions().is_some_and(Vec::is_empty), "its list of extensions is empty"),
    ] {
        if wrong {
            return Err(CertificateError::Member { what });
        }
    }
    Ok(())
}

fn time(time: Time) -> Result<Timestamp, CertificateError> {
    i64::try_from(time.to_unix_duration().as_micros())
        .ok()
        .and_then(Timestamp::from_unix_micros)
        .ok_or(CertificateError::Member { what: "a time that can't be represented" })
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.subject, self.sha256())
    }
}
