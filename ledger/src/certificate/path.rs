//! Chains of certificates from a key to a CA that is pinned.
//!
//! Each rule is checked here, certificate by certificate, so that a refusal can say which and why; signatures are checked
//! by rustls-webpki, which knows more keys than the registry does (RSA from 2048 bits, P-521). For a last use it then
//! validates the path a second time by its own rules, which adds name constraints (RFC 5280 §4.2.1.10).
//!
//! What webpki leaves to its caller is checked here: dates, path length and purposes of the anchor, keyCertSign of every
//! CA, digitalSignature of the last certificate, and the order of the chain. Its rules for purposes hold: a CA that names
//! purposes has to name the one in question, `anyExtendedKeyUsage` counts for none. Policies and revocation are not
//! looked at; the anchor's own signature neither, for its bytes are pinned.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{Certificate, Usage};
use crate::encoding::Hash;
use crate::public_key::PublicKey;
use crate::timestamp::Timestamp;

/// Most certificates of a chain, the first and the anchor included.
pub const MAX_PATH: usize = 5;

/// Why a chain does not vouch for a key. `n` is the certificate's place, 0 for the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No certificate, or more than [`MAX_PATH`].
    #[error("a chain has 1 to {MAX_PATH} certificates, this one {found}")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// The first certificate is for another key.
    #[error("the chain's first certificate is for another key")]
    KeyMismatch,
    /// The last certificate is not among those that are trusted.
    #[error("the chain's last certificate {found} is not pinned")]
    UnpinnedAnchor {
        /// SHA-256 of its DER.
        found: Hash,
    },
    /// It is not valid yet.
    #[error("certificate {n} is not valid before {not_before}")]
    NotYetValid {
        /// Which.
        n: usize,
        /// When it begins.
        not_before: Timestamp,
    },
    /// It is not valid any more.
    #[error("certificate {n} is not valid after {not_after}")]
    Expired {
        /// Which.
        n: usize,
        /// When it ended.
        not_after: Timestamp,
    },
    /// It issues or is to issue certificates, and may not: no CA, or a key usage without keyCertSign.
    #[error("certificate {n} may not issue certificates")]
    NotACa {
        /// Which.
        n: usize,
    },
    /// There are more CAs below it than it allows.
    #[error("certificate {n} allows {path_len} CAs below it, there are {below}")]
    PathTooLong {
        /// Which.
        n: usize,
        /// How many it allows.
        path_len: u8,
        /// How many there are, or are to be.
        below: usize,
    },
    /// It does not allow what the key is for.
    #[error("certificate {n} does not allow {}: {why}", usage.name())]
    WrongUsage {
        /// Which.
        n: usize,
        /// What the key is for.
        usage: Usage,
        /// What stands against it.
        why: &'static str,
    },
    /// The next certificate is not its issuer's.
    #[error("certificate {n} is not signed by the next one: {why}")]
    NotSignedByNext {
        /// Which.
        n: usize,
        /// What stands against it.
        why: &'static str,
    },
    /// A CA with constraints on names that can't be evaluated for what is asked.
    #[error("certificate {n} constrains names, which is not evaluated for CAs")]
    NameConstraints {
        /// Which.
        n: usize,
    },
    /// The second validation refuses what the first accepted.
    #[error("path validation refuses the chain: {0}")]
    Refused(#[source] webpki::Error),
}

impl PathError {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "certificate.chain_length",
            Self::KeyMismatch => "certificate.key_mismatch",
            Self::UnpinnedAnchor { .. } => "certificate.unpinned_anchor",
            Self::NotYetValid { .. } => "certificate.not_yet_valid",
            Self::Expired { .. } => "certificate.expired",
            Self::NotACa { .. } => "certificate.not_a_ca",
            Self::PathTooLong { .. } => "certificate.path_too_long",
            Self::WrongUsage { .. } => "certificate.wrong_usage",
            Self::NotSignedByNext { .. } => "certificate.not_signed_by_next",
            Self::NameConstraints { .. } => "certificate.name_constraints",
            Self::Refused(_) => "certificate.path_refused",
        }
    }
}

/// Checks that a chain vouches for a key: `leaf_first[0]` certifies `key` for `usage`, each certificate is signed by the
/// next, the last one's SHA-256 is among `anchors`, and all are valid at `at` (RFC 5280 §6).
///
/// The anchor has to be a CA; it need not be self-signed. For [`Usage::Issuing`] the first certificate is a CA's, may be
/// the anchor itself, and every path length of the chain has to leave room for the one that is asked.
pub fn verify_path(
    leaf_first: &[Certificate],
    anchors: &[Hash],
    key: &PublicKey,
    usage: Usage,
    at: Timestamp,
) -> Result<(), PathError> {
    let (first, anchor) = match leaf_first {
        [first, .., anchor] => (first, anchor),
        [only] => (only, only),
        [] => return Err(PathError::Length { found: 0 }),
    };
    if leaf_first.len() > MAX_PATH {
        return Err(PathError::Length { found: leaf_first.len() });
    }
    if first.spki() != key.der() {
        return Err(PathError::KeyMismatch);
    }
    if !anchors.contains(&anchor.sha256()) {
        return Err(PathError::UnpinnedAnchor { found: anchor.sha256() });
    }
    for (n, certificate) in leaf_first.iter().enumerate() {
        check_dates(n, certificate, at)?;
        let is_last_use = n == 0 && usage.purpose().is_some();
        if is_last_use {
            check_last(n, certificate, usage)?;
        }
        // The anchor has to be a CA's, even if it stands alone.
        if !is_last_use || leaf_first.len() == 1 {
            check_ca(n, certificate, usage)?;
        }
    }
    for (n, pair) in leaf_first.windows(2).enumerate() {
        check_link(&pair[0], &pair[1]).map_err(|why| PathError::NotSignedByNext { n, why })?;
    }
    match usage {
        Usage::CodeSigning | Usage::ClientAuth => second_validation(leaf_first, usage, at),
        // webpki validates no paths that end in a CA.
        Usage::Issuing { .. } => leaf_first
            .iter()
            .position(|certificate| certificate.extensions().name_constraints)
            .map_or(Ok(()), |n| Err(PathError::NameConstraints { n })),
    }
}

/// Validity includes its first and its last second (RFC 5280 §4.1.2.5).
fn check_dates(n: usize, certificate: &Certificate, at: Timestamp) -> Result<(), PathError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if at < not_before {
        Err(PathError::NotYetValid { n, not_before })
    } else if seconds(at) > seconds(not_after) {
        Err(PathError::Expired { n, not_after })
    } else {
        Ok(())
    }
}

fn check_ca(n: usize, certificate: &Certificate, usage: Usage) -> Result<(), PathError> {
    let allowed = certificate.extensions();
    if !allowed.may_issue() {
        return Err(PathError::NotACa { n });
    }
    // The CAs between this one and the last certificate; those with the same subject and issuer count too.
    let below = match usage {
        Usage::Issuing { path_len } => n + usize::from(path_len.get()),
        Usage::CodeSigning | Usage::ClientAuth => n.saturating_sub(1),
    };
    match allowed.path_len {
        Some(path_len) if usize::from(path_len) < below => {
            return Err(PathError::PathTooLong { n, path_len, below });
        }
        Some(_) | None => {}
    }
    let restricted = usage.purpose().is_some() && allowed.purposes.is_some();
    if restricted && !allowed.names_purpose_of(usage) {
        return Err(PathError::WrongUsage { n, usage, why: "its purposes are others" });
    }
    Ok(())
}

fn check_last(n: usize, certificate: &Certificate, usage: Usage) -> Result<(), PathError> {
    let allowed = certificate.extensions();
    let why = if allowed.ca {
        "it is a CA's"
    } else if !allowed.names_purpose_of(usage) {
        "it does not name that purpose"
    } else if allowed.key_uses.is_some_and(|uses| !uses.signs()) {
        "its key usage allows no signatures"
    } else {
        return Ok(());
    };
    Err(PathError::WrongUsage { n, usage, why })
}

/// Whether one certificate names and is signed by the other.
fn check_link(certificate: &Certificate, issuer: &Certificate) -> Result<(), &'static str> {
    if certificate.issuer() != issuer.subject() {
        return Err("it names another issuer");
    }
    let der = CertificateDer::from(issuer.der());
    let issuer = EndEntityCert::try_from(&der).map_err(|_| "the issuer's certificate can't be read")?;
    let (signed, signature) = (certificate.tbs(), certificate.signature());
    let mut known = false;
    for algorithm in ALL_VERIFICATION_ALGS {
        let Ok(identifier) = super::asn1::sequence(&[algorithm.signature_alg_id().as_ref()]) else {
            continue;
        };
        if identifier == certificate.signature_algorithm() {
            known = true;
            if issuer.verify_signature(*algorithm, signed, signature).is_ok() {
                return Ok(());
            }
        }
    }
    Err(if known { "the signature does not hold" } else { "the signature's algorithm is not known" })
}

fn second_validation(leaf_first: &[Certificate], usage: Usage, at: Timestamp) -> Result<(), PathError> {
    let ders: Vec<_> = leaf_first.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
    let [first, between @ .., anchor] = ders.as_slice() else {
        // No certificate is both a CA's and for a last use.
        return Err(PathError::NotACa { n: 0 });
    };
    let first = EndEntityCert::try_from(first).map_err(PathError::Refused)?;
    let anchor = anchor_from_trusted_cert(anchor).map_err(PathError::Refused)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds(at)).unwrap_or(0)));
    // That the first certificate names its purpose has been checked; CAs need not name any.
    let purpose = match usage {
        Usage::ClientAuth => KeyUsage::client_auth(),
        Usage::CodeSigning | Usage::Issuing { .. } => KeyUsage::required_if_present(CODE_SIGNING),
    };
    first
        .verify_for_usage(ALL_VERIFICATION_ALGS, &[anchor], between, time, purpose, None, None)
        .map(|_| ())
        .map_err(PathError::Refused)
}

/// `id-kp-codeSigning`: the content of its OBJECT IDENTIFIER.
const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];

fn seconds(at: Timestamp) -> i64 {
    at.unix_micros().div_euclid(1_000_000)
}
