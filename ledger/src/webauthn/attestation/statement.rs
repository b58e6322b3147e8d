//! Attestation statements with certificates: `packed` (WebAuthn §8.2) and `fido-u2f` (§8.6).

use std::time::Duration;

use minicbor::Decoder;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::aws_lc_rs::{ECDSA_P256_SHA256, ECDSA_P384_SHA256, ED25519, RSA_PKCS1_2048_8192_SHA256};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::oid::ObjectIdentifier;

use super::{AttestationError, AttestationObject, AttestationRoots};
use crate::encoding::Hash;
use crate::timestamp::Timestamp;
use crate::webauthn::CosePublicKey;

/// `id-fido-gen-ce-aaguid` (WebAuthn §8.2.1): the make that a certificate is for.
const AAGUID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");

/// `organizationalUnitName` (X.520).
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// Most certificates that a statement may carry.
const MAX_CERTIFICATES: u64 = 8;

/// COSE's numbers (RFC 9053 §2, RFC 8812 §2).
mod cose {
    pub(super) const ES256: i64 = -7;
    pub(super) const EDDSA: i64 = -8;
    pub(super) const RS256: i64 = -257;
}

/// The members of a statement.
#[derive(Default)]
struct Statement<'a> {
    alg: Option<i64>,
    sig: Option<&'a [u8]>,
    x5c: Vec<CertificateDer<'a>>,
}

/// Checks the statement's signature, its certificate, and the path from there to a root.
pub(super) fn check(
    object: &AttestationObject<'_>,
    client_data_hash: Hash,
    at: Timestamp,
    roots: &AttestationRoots,
) -> Result<(), AttestationError> {
    let form = |what| AttestationError::Form { what };
    let u2f = match object.format {
        "packed" => false,
        "fido-u2f" => true,
        other => return Err(AttestationError::Format { format: other.to_owned() }),
    };
    let statement = Statement::parse(object.statement).ok_or(form("not a statement of its format"))?;
    let Some((leaf, intermediates)) = statement.x5c.split_first() else {
        // Self attestation (§8.2) is a signature by the credential itself, and nobody's word for it.
        return Err(form("a statement without a certificate vouches for nothing"));
    };
    let (algorithm, message) = if u2f {
        (cose::ES256, u2f_message(object, client_data_hash).ok_or(form("not a U2F key"))?)
    } else {
        let alg = statement.alg.ok_or(form("a statement without its algorithm"))?;
        (alg, [object.authenticator_data, &client_data_hash.0].concat())
    };
    let end = EndEntityCert::try_from(leaf)
        .map_err(|_| AttestationError::Certificate { what: "it can't be read as X.509 version 3" })?;
    let signature = statement.sig.ok_or(form("a statement without its signature"))?;
    let holds = |with| end.verify_signature(with, &message, signature).is_ok();
    if !algorithms(algorithm).into_iter().any(holds) {
        return Err(AttestationError::Signature);
    }
    check_certificate(leaf, object.credential.aaguid, u2f)?;
    let seconds = u64::try_from(at.unix_micros() / 1_000_000).unwrap_or(0);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    // No key purpose is registered for attestation; certificates that name purposes are for something else.
    let usage = KeyUsage::client_auth();
    end.verify_for_usage(ALL_VERIFICATION_ALGS, roots.anchors(), intermediates, time, usage, None, None)
        .map(|_| ())
        .map_err(|error| AttestationError::Chain { why: error.to_string() })
}

impl<'a> Statement<'a> {
    /// Reads a map of `alg`, `sig` and `x5c`, each at most once and no others.
    fn parse(cbor: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(cbor);
        let mut statement = Self::default();
        for _ in 0..decoder.map().ok()?? {
            match decoder.str().ok()? {
                "alg" if statement.alg.is_none() => statement.alg = Some(decoder.i64().ok()?),
                "sig" if statement.sig.is_none() => statement.sig = Some(decoder.bytes().ok()?),
                "x5c" if statement.x5c.is_empty() => {
                    let count = decoder.array().ok()??;
                    if count > MAX_CERTIFICATES {
                        return None;
                    }
                    for _ in 0..count {
                        statement.x5c.push(CertificateDer::from(decoder.bytes().ok()?));
                    }
                }
                _ => return None,
            }
        }
        Some(statement)
    }
}

fn algorithms(cose: i64) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    match cose {
        // COSE's ES256 leaves the curve open (RFC 9053 §2.1).
        cose::ES256 => vec![ECDSA_P256_SHA256, ECDSA_P384_SHA256],
        cose::EDDSA => vec![ED25519],
        cose::RS256 => vec![RSA_PKCS1_2048_8192_SHA256],
        _ => Vec::new(),
    }
}

/// What a U2F authenticator signs (§8.6, step 5).
fn u2f_message(object: &AttestationObject<'_>, client_data_hash: Hash) -> Option<Vec<u8>> {
    let made = &object.credential;
    let key = CosePublicKey::parse(made.cose_public_key).ok()?;
    let point = key.p256_point()?;
    Some([&[0], &made.rp_id_hash.0[..], &client_data_hash.0, made.credential_id, point].concat())
}

/// What WebAuthn §8.2.1 asks of an attestation certificate, beside what every end entity's has to be.
fn check_certificate(der: &[u8], aaguid: [u8; 16], u2f: bool) -> Result<(), AttestationError> {
    let refuse = |what| AttestationError::Certificate { what };
    let certificate = Certificate::from_der(der).map_err(|_| refuse("it can't be read"))?;
    let tbs = certificate.tbs_certificate();
    // U2F's certificates are older than that rule.
    let names_its_use = tbs.subject().iter().any(|attribute| {
        attribute.oid == ORGANIZATIONAL_UNIT && attribute.value.value() == b"Authenticator Attestation"
    });
    if !u2f && !names_its_use {
        return Err(refuse("its subject's unit is not `Authenticator Attestation`"));
    }
    let mut extensions = tbs.extensions().into_iter().flatten();
    match extensions.find(|extension| extension.extn_id == AAGUID) {
        // An OCTET STRING of sixteen bytes within that of the extension.
        Some(extension) if extension.extn_value.as_bytes() != [&[4, 16], &aaguid[..]].concat() => {
            Err(refuse("it is for another make of authenticator"))
        }
        Some(_) | None => Ok(()),
    }
}
