//! Revocation lists that are made here (RFC 5280 §5): as with certificates, the same facts give the same bytes.

use serde::{Deserialize, Serialize};
use x509_cert::der::Encode;
use x509_cert::der::asn1::{GeneralizedTime, OctetString};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{CrlNumber, CrlReason};

use super::asn1::{explicit, sequence, signed};
use super::extension::{authority_key_identifier, extension};
use super::signature_algorithm::identifier_der;
use super::template::{check_key, date_time, time};
use super::{Certificate, SerialNumber, TemplateError};
use crate::algorithm::Algorithm;
use crate::timestamp::Timestamp;

/// `id-ce-invalidityDate` (RFC 5280 §5.3.2).
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");
/// `id-ce-expiredCertsOnCRL` (ITU-T X.509 §9.5.2.8).
const EXPIRED_CERTS_ON_CRL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.60");

/// v2 (RFC 5280 §5.1.2.1).
const VERSION_2: u8 = 1;

/// Everything that a revocation list depends on, apart from its signature. All times are in whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct RevocationList<'a> {
    /// With what the issuer's key signs.
    pub algorithm: Algorithm,
    /// The certificates that are revoked, none twice.
    pub entries: &'a [Revoked],
    /// Certificates that expired at this time or later stay on the list.
    pub expired_since: Option<Timestamp>,
    /// The CA that issued the certificates, and issues the list.
    pub issuer: &'a Certificate,
    /// When the next list will be there at the latest; after [`Self::this_update`].
    pub next_update: Timestamp,
    /// The list's number: each list of an issuer has a greater one than those before it.
    pub number: u64,
    /// When the list was made.
    pub this_update: Timestamp,
}

/// A certificate that is not to be trusted any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// From when on its key is not to be trusted; signatures before that time hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<Timestamp>,
    /// Why; absent where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RevocationReason>,
    /// When it was revoked.
    pub revoked_at: Timestamp,
    /// The certificate's number.
    pub serial: SerialNumber,
}

/// Why a certificate is revoked for good (RFC 5280 §5.3.1; what can be undone, or says nothing, is left out).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// Somebody else has, or may have, the key.
    KeyCompromise,
    /// Somebody else has, or may have, the key of the CA.
    CaCompromise,
    /// What it says of its subject is true no more.
    AffiliationChanged,
    /// Another certificate takes its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// Its subject may not do any more what it allows.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    const fn code(self) -> CrlReason {
        match self {
            Self::KeyCompromise => CrlReason::KeyCompromise,
            Self::CaCompromise => CrlReason::CaCompromise,
            Self::AffiliationChanged => CrlReason::AffiliationChanged,
            Self::Superseded => CrlReason::Superseded,
            Self::CessationOfOperation => CrlReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        }
    }
}

/// The TBSCertList (RFC 5280 §5.1), DER: what the issuer's key signs. A list has one such encoding, described in
/// [`super`]; the order in which its entries are given does not matter.
pub fn tbs_crl(list: &RevocationList<'_>) -> Result<Vec<u8>, TemplateError> {
    check_key(list.algorithm, list.issuer.public_key().ok().map(|key| key.key_type()))?;
    let allowed = list.issuer.extensions();
    if !allowed.ca || allowed.key_uses.is_some_and(|uses| !uses.signs_revocation_lists()) {
        return Err(TemplateError::Issuer { why: "it may not sign revocation lists" });
    }
    if list.this_update >= list.next_update {
        return Err(TemplateError::Validity);
    }
    Ok(sequence(&[
        &VERSION_2.to_der()?,
        &identifier_der(list.algorithm)?,
        list.issuer.subject().der(),
        &time(list.this_update)?.to_der()?,
        &time(list.next_update)?.to_der()?,
        &entries(list.entries)?,
        &explicit(0, &extensions(list)?.to_der()?)?,
    ])?)
}

/// The CertificateList (RFC 5280 §5.1), DER; the signature as in [`super::assemble`].
pub fn assemble_crl(tbs: &[u8], algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>, TemplateError> {
    Ok(signed(tbs, &identifier_der(algorithm)?, signature)?)
}

fn extensions(list: &RevocationList<'_>) -> Result<Vec<Extension>, TemplateError> {
    let mut extensions = vec![
        authority_key_identifier(&list.issuer.key_identifier()?)?,
        extension(false, &CrlNumber::try_from(list.number)?)?,
    ];
    if let Some(since) = list.expired_since {
        extensions.push(dated(EXPIRED_CERTS_ON_CRL, since)?);
    }
    Ok(extensions)
}

/// `revokedCertificates`, or nothing where there are none.
fn entries(entries: &[Revoked]) -> Result<Vec<u8>, TemplateError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut sorted: Vec<&Revoked> = entries.iter().collect();
    // Without leading zeros a longer number is a greater one.
    sorted.sort_by_key(|entry| (entry.serial.as_bytes().len(), entry.serial.as_bytes()));
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].serial == pair[1].serial) {
        return Err(TemplateError::ListedTwice { serial: pair[0].serial.clone() });
    }
    let mut all = Vec::new();
    for entry in sorted {
        all.extend(entry_der(entry)?);
    }
    Ok(sequence(&[&all])?)
}

fn entry_der(entry: &Revoked) -> Result<Vec<u8>, TemplateError> {
    let mut extensions = Vec::new();
    if let Some(reason) = entry.reason {
        extensions.push(extension(false, &reason.code())?);
    }
    if let Some(since) = entry.invalid_since {
        extensions.push(dated(INVALIDITY_DATE, since)?);
    }
    let extensions = if extensions.is_empty() { Vec::new() } else { extensions.to_der()? };
    Ok(sequence(&[&entry.serial.to_der()?, &time(entry.revoked_at)?.to_der()?, &extensions])?)
}

/// An extension whose value is a GeneralizedTime.
fn dated(oid: ObjectIdentifier, at: Timestamp) -> Result<Extension, TemplateError> {
    let value = GeneralizedTime::from_date_time(date_time(at)?).to_der()?;
    Ok(Extension { extn_id: oid, critical: false, extn_value: OctetString::new(value)? })
}
