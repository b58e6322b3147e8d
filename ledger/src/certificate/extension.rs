//! Extensions as they are written here (RFC 5280 §4.2).

use sha2::{Digest as _, Sha256};
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::flagset::FlagSet;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode, Error};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage,
    KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{CrlUrl, PolicyOid, Usage};

/// An extension of a type that knows its identifier.
pub(super) fn extension<T: Encode + AssociatedOid>(critical: bool, value: &T) -> Result<Extension, Error> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// basicConstraints and keyUsage, critical, and extKeyUsage where the usage has a purpose.
///
/// extKeyUsage is not critical: the CA/Browser Forum's code signing requirements (§7.1.2.3) leave that open, and most
/// certificates have it so.
pub(super) fn of_usage(usage: Usage) -> Result<Vec<Extension>, Error> {
    let (ca, path_len_constraint, uses) = match usage {
        Usage::Issuing { path_len } => {
            (true, Some(path_len.get()), KeyUsages::KeyCertSign | KeyUsages::CRLSign)
        }
        Usage::CodeSigning | Usage::ClientAuth => (false, None, FlagSet::from(KeyUsages::DigitalSignature)),
    };
    let mut list = vec![
        extension(true, &BasicConstraints { ca, path_len_constraint })?,
        extension(true, &KeyUsage(uses))?,
    ];
    if let Some(purpose) = usage.purpose() {
        list.push(extension(false, &ExtendedKeyUsage(vec![purpose]))?);
    }
    Ok(list)
}

/// The leftmost 160 bits of SHA-256 of the key's bits (RFC 7093 §2, method 1).
pub(super) fn key_identifier(spki: &[u8]) -> Result<Vec<u8>, Error> {
    let bits = SubjectPublicKeyInfoRef::from_der(spki)?.subject_public_key;
    Ok(Sha256::digest(bits.raw_bytes())[..20].to_vec())
}

pub(super) fn subject_key_identifier(key: &[u8]) -> Result<Extension, Error> {
    extension(false, &SubjectKeyIdentifier(OctetString::new(key)?))
}

pub(super) fn authority_key_identifier(key: &[u8]) -> Result<Extension, Error> {
    let key_identifier = Some(OctetString::new(key)?);
    extension(false, &AuthorityKeyIdentifier { key_identifier, ..Default::default() })
}

/// Policies without qualifiers.
pub(super) fn certificate_policies(policies: &[PolicyOid]) -> Result<Extension, Error> {
    let information =
        |policy: &PolicyOid| PolicyInformation { policy_identifier: policy.oid(), policy_qualifiers: None };
    extension(false, &CertificatePolicies(policies.iter().map(information).collect()))
}

/// One distribution point whose full name is one URI.
pub(super) fn crl_distribution_point(url: &CrlUrl) -> Result<Extension, Error> {
    let uri = GeneralName::UniformResourceIdentifier(Ia5String::new(url.as_str())?);
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![uri])),
        reasons: None,
        crl_issuer: None,
    };
    extension(false, &CrlDistributionPoints(vec![point]))
}
