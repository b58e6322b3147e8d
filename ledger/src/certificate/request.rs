//! Certification requests (PKCS#10, RFC 2986).

use std::collections::BTreeSet;
use std::fmt;

use x509_cert::attr::{Attribute, Attributes};
use x509_cert::der::asn1::Any;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode, Error};
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::asn1::{exact, signed};
use super::signature_algorithm::{holds, identifier_der};
use super::template::TemplateError;
use super::{Certificate, CertificateError, DistinguishedName, Extensions, Subject, Usage, extension};
use crate::algorithm::Algorithm;
use crate::public_key::{PublicKey, PublicKeyError};

/// The CertificationRequestInfo (RFC 2986 §4.1), DER: what the key that asks signs.
///
/// With a usage there is one attribute, extensionRequest (RFC 2985 §5.4.2), which holds basicConstraints, keyUsage and
/// extKeyUsage as a certificate of ours would; without one there is none.
pub fn request_info(
    subject: &Subject,
    key: &PublicKey,
    usage: Option<Usage>,
) -> Result<Vec<u8>, TemplateError> {
    let attributes = match usage {
        Some(usage) => Attributes::from_iter([extension_request(usage)?])?,
        None => Attributes::new(),
    };
    let info = CertReqInfo {
        version: Version::V1,
        subject: Name::from_der(&subject.to_der()?)?,
        public_key: SubjectPublicKeyInfoOwned::from_der(key.der())?,
        attributes,
    };
    Ok(info.to_der()?)
}

fn extension_request(usage: Usage) -> Result<Attribute, Error> {
    Attribute::try_from(ExtensionReq(extension::of_usage(usage)?))
}

/// The CertificationRequest (RFC 2986 §4.2), DER; the signature as in [`super::assemble`].
pub fn assemble_request(
    info: &[u8],
    algorithm: Algorithm,
    signature: &[u8],
) -> Result<Vec<u8>, TemplateError> {
    Ok(signed(info, &identifier_der(algorithm)?, signature)?)
}

/// A certification request of anybody's; [`Self::verify`] tells whether its key signed it.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    der: Vec<u8>,
    extensions: Extensions,
    info: Vec<u8>,
    signature: Vec<u8>,
    signature_algorithm: Vec<u8>,
    spki: Vec<u8>,
    subject: DistinguishedName,
}

/// A request that its own key did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is not signed by its own key with an algorithm of the registry")]
pub struct NotSelfSigned;

impl NotSelfSigned {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        "certificate.request_not_self_signed"
    }
}

impl Request {
    /// Reads a request that is exactly its DER, of at most [`Certificate::MAX_LEN`] bytes. Attributes other than the
    /// extensions it asks for are left alone; none may stand there twice.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Certificate::MAX_LEN {
            return Err(CertificateError::TooLong);
        }
        let read: CertReq = exact(der)?;
        if read.signature.has_unused_bits() || read.info.public_key.subject_public_key.has_unused_bits() {
            return Err(CertificateError::Member { what: "its key or signature is not of whole bytes" });
        }
        Ok(Self {
            der: der.to_vec(),
            extensions: requested(&read.info.attributes)?,
            info: read.info.to_der().map_err(CertificateError::Der)?,
            signature: read.signature.as_bytes().unwrap_or_default().to_vec(),
            signature_algorithm: read.algorithm.to_der().map_err(CertificateError::Der)?,
            spki: read.info.public_key.to_der().map_err(CertificateError::Der)?,
            subject: DistinguishedName::new(read.info.subject).map_err(CertificateError::Der)?,
        })
    }

    /// The request itself, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What is signed, DER.
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// The signature over [`Self::info`].
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whom it asks to be named.
    pub const fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The extensions that it asks for.
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The key, if it is one of the registry's.
    pub fn public_key(&self) -> Result<PublicKey, PublicKeyError> {
        PublicKey::from_der(&self.spki)
    }

    /// Checks that whoever asks has the key.
    pub fn verify(&self) -> Result<(), NotSelfSigned> {
        let key = self.public_key().map_err(|_| NotSelfSigned)?;
        if holds(&key, &self.signature_algorithm, &self.info, &self.signature) {
            Ok(())
        } else {
            Err(NotSelfSigned)
        }
    }
}

fn requested(attributes: &Attributes) -> Result<Extensions, CertificateError> {
    let mut seen = BTreeSet::new();
    let mut extensions = Extensions::default();
    for Attribute { oid, values } in attributes.iter() {
        if !seen.insert(*oid) {
            return Err(CertificateError::DuplicateExtension { oid: *oid });
        }
        if *oid != ExtensionReq::OID {
            continue;
        }
        let [value] = values.as_slice() else {
            return Err(CertificateError::Extension { oid: *oid, why: "not exactly one list" });
        };
        extensions = Extensions::read(&list(value).map_err(CertificateError::Der)?)?;
    }
    Ok(extensions)
}

fn list(value: &Any) -> Result<Vec<x509_cert::ext::Extension>, Error> {
    let der = value.to_der()?;
    Vec::from_der(&der)
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {} bytes)", self.subject, self.der.len())
    }
}
