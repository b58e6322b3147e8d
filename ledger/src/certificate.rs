//! X.509 certificates (RFC 5280): made so that their bytes follow from recorded facts, and read strictly when they come
//! from elsewhere.
//!
//! # What is made
//!
//! A verifier rebuilds the signed bytes of a certificate from the facts that a ledger holds and compares; therefore a
//! [`Template`] has exactly one encoding. A TBSCertificate of ours is DER of version 3 with
//!
//! - the serial number as recorded,
//! - the AlgorithmIdentifier of the issuer's algorithm, with the parameters that its RFC fixes ([`is_certifiable`]),
//! - the issuer's name: the subject of its certificate byte for byte, or its own subject where it signs itself,
//! - validity in whole seconds, UTCTime until 2049 and GeneralizedTime from 2050 on (§4.1.2.5),
//! - the subject ([`Subject`]: C, ST, L, O, OU, CN), the key's SubjectPublicKeyInfo, no unique identifiers,
//! - extensions in this order, each only where it applies:
//!   1. basicConstraints, critical: cA and path length of a CA, an empty sequence for others,
//!   2. keyUsage, critical: keyCertSign and cRLSign of a CA, digitalSignature of others,
//!   3. extKeyUsage, not critical: codeSigning or clientAuth; CAs have none,
//!   4. subjectKeyIdentifier: the leftmost 160 bits of SHA-256 of the key's bits (RFC 7093 §2, method 1),
//!   5. authorityKeyIdentifier: the issuer's subjectKeyIdentifier as its certificate has it, or else computed likewise,
//!   6. certificatePolicies: identifiers without qualifiers, in the template's order,
//!   7. cRLDistributionPoints: one point, its full name one URI.
//!
//! A request (PKCS#10) has the extensions 1 to 3 in its extensionRequest, if it asks for a usage.
//!
//! A [`RevocationList`] is DER of version 2 with the AlgorithmIdentifier and the issuer's name as above, and
//!
//! - entries in the order of their serial numbers as numbers, each with reasonCode and invalidityDate where they are
//!   recorded, in this order; without entries the list of them is absent (§5.1.2.6),
//! - the extensions authorityKeyIdentifier, cRLNumber, and expiredCertsOnCRL (ITU-T X.509 §9.5.2.8) where it is
//!   recorded, in this order, none of them critical; times within extensions are GeneralizedTime.
//!
//! # What is read
//!
//! [`Certificate`] and [`Request`] read anybody's, if they are exact DER. Whether a chain vouches for a key is
//! [`verify_path`]'s to say.

mod asn1;
mod extension;
mod extensions;
mod name;
mod parsed;
mod path;
mod reference;
mod request;
mod revocation_list;
mod serial;
mod signature_algorithm;
mod subject;
mod template;
mod usage;

#[cfg(test)]
mod openssl_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod revocation_list_tests;
#[cfg(test)]
mod vector_tests;

pub use extensions::{Extensions, KeyUses};
pub use name::DistinguishedName;
pub use parsed::{Certificate, CertificateError};
pub use path::{MAX_PATH, PathError, verify_path};
pub use reference::{CrlUrl, PolicyOid};
pub use request::{NotSelfSigned, Request, assemble_request, request_info};
pub use revocation_list::{RevocationList, RevocationReason, Revoked, assemble_crl, tbs_crl};
pub use serial::SerialNumber;
pub use signature_algorithm::is_certifiable;
pub use subject::{Country, NameText, Subject};
pub use template::{Issuer, MAX_POLICIES, Template, TemplateError, assemble, tbs};
pub use usage::{InvalidPathLen, PathLen, Usage};
