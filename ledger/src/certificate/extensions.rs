//! Extensions as they are read (RFC 5280 §4.2), of certificates and of requests.

use std::collections::BTreeSet;
use std::fmt;

use x509_cert::der::asn1::OctetString;
use x509_cert::der::flagset::FlagSet;
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::der::{Decode, Encode, Error};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage,
    KeyUsage, KeyUsages, NameConstraints, SubjectAltName, SubjectKeyIdentifier,
};

use super::asn1::{Inexact, exact};
use super::{CertificateError, PolicyOid, Usage};

/// Those that may be critical: what they say is checked here, or (the last two) by the path validation.
const PROCESSED: [ObjectIdentifier; 5] =
    [BasicConstraints::OID, KeyUsage::OID, ExtendedKeyUsage::OID, NameConstraints::OID, SubjectAltName::OID];

/// What a certificate's extensions say, of what is looked at here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The identifier of the issuer's key.
    pub authority_key_id: Option<Vec<u8>>,
    /// basicConstraints: whether it is a CA.
    pub ca: bool,
    /// The URIs of all distribution points of revocation lists.
    pub crl_urls: Vec<String>,
    /// What the key may do; `None` where nothing is said.
    pub key_uses: Option<KeyUses>,
    /// Whether it constrains the names below it.
    pub name_constraints: bool,
    /// basicConstraints: how many further CAs may follow in a path.
    pub path_len: Option<u8>,
    /// The policies' identifiers.
    pub policies: Vec<PolicyOid>,
    /// extKeyUsage: the purposes; `None` where nothing is said.
    pub purposes: Option<Vec<ObjectIdentifier>>,
    /// The identifier of its own key.
    pub subject_key_id: Option<Vec<u8>>,
}

impl Extensions {
    /// Reads extensions: none twice, and none critical that isn't understood.
    pub(super) fn read(list: &[Extension]) -> Result<Self, CertificateError> {
        let mut seen = BTreeSet::new();
        let mut read = Self::default();
        for extension in list {
            let oid = extension.extn_id;
            if !seen.insert(oid) {
                return Err(CertificateError::DuplicateExtension { oid });
            }
            if extension.critical && !PROCESSED.contains(&oid) {
                return Err(CertificateError::CriticalExtension { oid });
            }
            read.take(oid, extension.extn_value.as_bytes())?;
        }
        Ok(read)
    }

    fn take(&mut self, oid: ObjectIdentifier, value: &[u8]) -> Result<(), CertificateError> {
        match oid {
            BasicConstraints::OID => {
                let BasicConstraints { ca, path_len_constraint } = inside(value)?;
                if !ca && path_len_constraint.is_some() {
                    return Err(CertificateError::Extension { oid, why: "a path length without being a CA" });
                }
                (self.ca, self.path_len) = (ca, path_len_constraint);
            }
            KeyUsage::OID => self.key_uses = Some(KeyUses(inside::<KeyUsage>(value)?.0)),
            ExtendedKeyUsage::OID => {
                let purposes = inside::<ExtendedKeyUsage>(value)?.0;
                if purposes.is_empty() {
                    return Err(CertificateError::Extension { oid, why: "no purpose at all" });
                }
                self.purposes = Some(purposes);
            }
            SubjectKeyIdentifier::OID => {
                self.subject_key_id = Some(octets(&inside::<SubjectKeyIdentifier>(value)?.0));
            }
            AuthorityKeyIdentifier::OID => {
                let authority: AuthorityKeyIdentifier = inside(value)?;
                self.authority_key_id = authority.key_identifier.as_ref().map(octets);
            }
            CertificatePolicies::OID => {
                let policies = inside::<CertificatePolicies>(value)?.0;
                self.policies =
                    policies.iter().map(|policy| PolicyOid::new(policy.policy_identifier)).collect();
            }
            CrlDistributionPoints::OID => self.crl_urls = urls(&inside(value)?),
            NameConstraints::OID => self.name_constraints = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether the key may sign certificates: a CA's, whose key usage, if there is any, allows it.
    pub fn may_issue(&self) -> bool {
        self.ca && self.key_uses.is_none_or(KeyUses::signs_certificates)
    }

    /// Whether the purpose of a usage is named.
    pub fn names_purpose_of(&self, usage: Usage) -> bool {
        let named = self.purposes.as_deref().unwrap_or_default();
        usage.purpose().is_some_and(|purpose| named.contains(&purpose))
    }
}

/// Reads an extension's value that has to be exactly its DER.
fn inside<T: for<'a> Decode<'a, Error = Error> + Encode + AssociatedOid>(
    value: &[u8],
) -> Result<T, CertificateError> {
    exact(value).map_err(|error| CertificateError::Extension {
        oid: T::OID,
        why: match error {
            Inexact::Der(_) => "it can't be read",
            Inexact::NotCanonical => "it is not DER",
        },
    })
}

fn octets(octets: &OctetString) -> Vec<u8> {
    octets.as_bytes().to_vec()
}

fn urls(points: &CrlDistributionPoints) -> Vec<String> {
    let mut urls = Vec::new();
    for point in &points.0 {
        let Some(DistributionPointName::FullName(names)) = &point.distribution_point else { continue };
        urls.extend(names.iter().filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
            _ => None,
        }));
    }
    urls
}

/// keyUsage (RFC 5280 §4.2.1.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyUses(FlagSet<KeyUsages>);

impl KeyUses {
    /// digitalSignature.
    pub fn signs(self) -> bool {
        self.0.contains(KeyUsages::DigitalSignature)
    }

    /// keyCertSign.
    pub fn signs_certificates(self) -> bool {
        self.0.contains(KeyUsages::KeyCertSign)
    }

    /// cRLSign.
    pub fn signs_revocation_lists(self) -> bool {
        self.0.contains(KeyUsages::CRLSign)
    }

    /// The names of RFC 5280, in its order.
    pub fn names(self) -> Vec<&'static str> {
        [
            (KeyUsages::DigitalSignature, "digitalSignature"),
            (KeyUsages::NonRepudiation, "nonRepudiation"),
            (KeyUsages::KeyEncipherment, "keyEncipherment"),
            (KeyUsages::DataEncipherment, "dataEncipherment"),
            (KeyUsages::KeyAgreement, "keyAgreement"),
            (KeyUsages::KeyCertSign, "keyCertSign"),
            (KeyUsages::CRLSign, "cRLSign"),
            (KeyUsages::EncipherOnly, "encipherOnly"),
            (KeyUsages::DecipherOnly, "decipherOnly"),
        ]
        .into_iter()
        .filter(|(flag, _)| self.0.contains(*flag))
        .map(|(_, name)| name)
        .collect()
    }
}

impl fmt::Debug for KeyUses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
