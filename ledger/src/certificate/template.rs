//! Certificates that are made here: the bytes that are signed, from facts alone.

use std::collections::BTreeSet;
use std::time::Duration;

use x509_cert::der;
use x509_cert::der::{DateTime, Encode};
use x509_cert::ext::Extension;
use x509_cert::time::{Time, Validity};

use super::asn1::{explicit, sequence, signed};
use super::signature_algorithm::identifier_der;
use super::{Certificate, CrlUrl, PolicyOid, SerialNumber, Subject, Usage, extension};
use crate::algorithm::{Algorithm, KeyType};
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

/// Everything that a certificate of ours depends on, apart from its signature.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// With what the issuer's key signs.
    pub algorithm: Algorithm,
    /// Where the issuer's revocation list will be.
    pub crl_url: Option<&'a CrlUrl>,
    /// Who issues it.
    pub issuer: Issuer<'a>,
    /// The key that is certified.
    pub key: &'a PublicKey,
    /// The last moment of its validity, in whole seconds.
    pub not_after: Timestamp,
    /// The first moment of its validity, in whole seconds.
    pub not_before: Timestamp,
    /// The policies it is issued under, in this order: at most [`MAX_POLICIES`], none twice.
    pub policies: &'a [PolicyOid],
    /// Its number among those of its issuer.
    pub serial: &'a SerialNumber,
    /// Whom it names.
    pub subject: &'a Subject,
    /// What its key is for.
    pub usage: Usage,
}

/// Who issues a certificate.
#[derive(Debug, Clone, Copy)]
pub enum Issuer<'a> {
    /// The certified key itself: a root.
    SelfSigned,
    /// The CA that this certificate is of.
    Certificate(&'a Certificate),
}

/// Most policies of one certificate.
pub const MAX_POLICIES: usize = 8;

/// Why a certificate, request or revocation list can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// X.509 has no name for the algorithm.
    #[error("{algorithm} can't sign certificates: X.509 does not know it")]
    NotCertifiable {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
    },
    /// The algorithm needs another kind of key than the issuer's.
    #[error("{algorithm} needs a key of kind {:?}, the issuer's is {}", algorithm.key_type(), kind(*found))]
    KeyType {
        /// The algorithm that was asked for.
        algorithm: Algorithm,
        /// The kind of the issuer's key; `None` outside the registry.
        found: Option<KeyType>,
    },
    /// The issuer may not issue this certificate.
    #[error("the issuer may not issue this: {why}")]
    Issuer {
        /// What stands against it.
        why: &'static str,
    },
    /// A time that certificates can't hold.
    #[error("{at} can't be written: times are whole seconds from 1970 on")]
    Time {
        /// The time.
        at: Timestamp,
    },
    /// It would end before it begins.
    #[error("it ends before it begins")]
    Validity,
    /// Too many policies, or one twice.
    #[error("at most {MAX_POLICIES} policies, each once")]
    Policies,
    /// Two entries of a revocation list for one certificate.
    #[error("serial number {serial} is listed twice")]
    ListedTwice {
        /// The number.
        serial: SerialNumber,
    },
    /// Longer than DER can say; no template is.
    #[error("it can't be encoded")]
    Encoding(#[from] der::Error),
}

fn kind(found: Option<KeyType>) -> String {
    found.map_or("of another kind".to_owned(), |found| format!("{found:?}"))
}

impl TemplateError {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotCertifiable { .. } => "certificate.not_certifiable",
            Self::KeyType { .. } => "certificate.key_type",
            Self::Issuer { .. } => "certificate.issuer",
            Self::Time { .. } => "certificate.time",
            Self::Validity => "certificate.validity",
            Self::Policies => "certificate.policies",
            Self::ListedTwice { .. } => "certificate.listed_twice",
            Self::Encoding(_) => "certificate.encoding",
        }
    }
}

/// The TBSCertificate (RFC 5280 §4.1), DER: what the issuer's key signs.
///
/// A template has one such encoding, described in [`super`]; the same facts give the same bytes at any time. The issuer has
/// to be a CA with room for what it issues, and to have the key that the algorithm needs; whether the certificate outlives
/// its issuer is not looked at.
pub fn tbs(template: &Template<'_>) -> Result<Vec<u8>, TemplateError> {
    let subject = template.subject.to_der()?;
    let issuer = match template.issuer {
        Issuer::SelfSigned => subject.clone(),
        Issuer::Certificate(issuer) => issuer.subject().der().to_vec(),
    };
    check_issuer(template, &subject)?;
    Ok(sequence(&[
        &explicit(0, &VERSION_3.to_der()?)?,
        &template.serial.to_der()?,
        &identifier_der(template.algorithm)?,
        &issuer,
        &validity(template)?,
        &subject,
        template.key.der(),
        &explicit(3, &extensions(template)?.to_der()?)?,
    ])?)
}

/// The Certificate (RFC 5280 §4.1), DER, from its TBSCertificate and the signature over it as the device gave it: ECDSA
/// as DER of an Ecdsa-Sig-Value (RFC 3279 §2.2.3), RSA as long as the modulus, Ed25519 as 64 bytes.
///
/// Nothing is checked here: `algorithm` has to be the template's, and the signature to hold.
pub fn assemble(tbs: &[u8], algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>, TemplateError> {
    Ok(signed(tbs, &identifier_der(algorithm)?, signature)?)
}

/// v3 (RFC 5280 §4.1.2.1).
const VERSION_3: u8 = 2;

fn check_issuer(template: &Template<'_>, subject: &[u8]) -> Result<(), TemplateError> {
    let found = match template.issuer {
        Issuer::SelfSigned => Some(template.key.key_type()),
        Issuer::Certificate(issuer) => issuer.public_key().ok().map(|key| key.key_type()),
    };
    check_key(template.algorithm, found)?;
    let Issuer::Certificate(issuer) = template.issuer else { return Ok(()) };
    let allowed = issuer.extensions();
    let below = match template.usage {
        Usage::Issuing { path_len } => path_len.get() + 1,
        Usage::CodeSigning | Usage::ClientAuth => 0,
    };
    let why = if !allowed.may_issue() {
        "it is no CA"
    } else if allowed.path_len.is_some_and(|path_len| path_len < below) {
        "its path length is too short"
    } else if issuer.subject().der() == subject {
        // Whoever builds paths takes such a certificate for one of the issuer's own.
        "the subject has its name"
    } else {
        return Ok(());
    };
    Err(TemplateError::Issuer { why })
}

/// That the issuer's key, of type `found`, is one that the algorithm signs with.
pub(super) fn check_key(algorithm: Algorithm, found: Option<KeyType>) -> Result<(), TemplateError> {
    if found == Some(algorithm.key_type()) {
        Ok(())
    } else {
        Err(TemplateError::KeyType { algorithm, found })
    }
}

fn validity(template: &Template<'_>) -> Result<Vec<u8>, TemplateError> {
    if template.not_before > template.not_after {
        return Err(TemplateError::Validity);
    }
    let validity: Validity = Validity::new(time(template.not_before)?, time(template.not_after)?);
    Ok(validity.to_der()?)
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
pub(super) fn time(at: Timestamp) -> Result<Time, TemplateError> {
    Ok(Time::from(date_time(at)?))
}

pub(super) fn date_time(at: Timestamp) -> Result<DateTime, TemplateError> {
    let micros = u64::try_from(at.unix_micros()).ok().filter(|micros| micros % 1_000_000 == 0);
    micros
        .and_then(|micros| DateTime::from_unix_duration(Duration::from_micros(micros)).ok())
        .ok_or(TemplateError::Time { at })
}

/// The extensions in their order (see [`super`]).
fn extensions(template: &Template<'_>) -> Result<Vec<Extension>, TemplateError> {
    let own = extension::key_identifier(template.key.der())?;
    let authority = match template.issuer {
        Issuer::SelfSigned => own.clone(),
        Issuer::Certificate(issuer) => issuer.key_identifier()?,
    };
    let mut list = extension::of_usage(template.usage)?;
    list.push(extension::subject_key_identifier(&own)?);
    list.push(extension::authority_key_identifier(&authority)?);
    if !template.policies.is_empty() {
        let each: BTreeSet<_> = template.policies.iter().collect();
        if template.policies.len() > MAX_POLICIES || each.len() != template.policies.len() {
            return Err(TemplateError::Policies);
        }
        list.push(extension::certificate_policies(template.policies)?);
    }
    if let Some(url) = template.crl_url {
        list.push(extension::crl_distribution_point(url)?);
    }
    Ok(list)
}
