//! The offline check of a person's passkey assertion (WebAuthn Level 3 §7.2): it needs no server and no clock.
//!
//! A person decides on a document by an assertion whose challenge is the document's digest in the context of one
//! [`Purpose`]. Nobody else can make one, so founding, approvals and rejections stand on their own in the ledger.

pub mod attestation;
mod authenticator_data;
mod client_data;
mod cose;
mod credential;

#[cfg(test)]
mod cose_tests;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encoding::{B64, Hash};
use authenticator_data::AuthenticatorData;
use client_data::ClientData;

pub use cose::{CoseError, CosePublicKey};
pub use credential::{ApprovalRp, Credential, CredentialKind};

/// What a person says with an assertion; each purpose has a context of its own, so that none stands for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A founder signs the founding document.
    Founding,
    /// A member proposes an action.
    Proposal,
    /// A member approves an action.
    Approval,
    /// A member rejects an action.
    Rejection,
    /// A member takes a proposal back.
    Cancellation,
    /// A member signs in; the document is the server's nonce. Never recorded as a decision.
    Session,
}

impl Purpose {
    /// The bytes that are hashed before the document.
    pub const fn context(self) -> &'static [u8] {
        match self {
            Self::Founding => b"sealbook founding v1\0",
            Self::Proposal => b"sealbook proposal v1\0",
            Self::Approval => b"sealbook approval v1\0",
            Self::Rejection => b"sealbook rejection v1\0",
            Self::Cancellation => b"sealbook cancellation v1\0",
            Self::Session => b"sealbook session v1\0",
        }
    }

    /// The challenge to sign: SHA-256 of the context and the document's canonical bytes.
    pub fn challenge(self, canonical_document: &[u8]) -> Hash {
        Hash::sha256_in_context(self.context(), canonical_document)
    }
}

/// What an authenticator answered, as the browser handed it over; bounded, and otherwise unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "UnboundedAssertion")]
pub struct Assertion {
    credential_id: B64,
    authenticator_data: B64,
    client_data_json: B64,
    signature: B64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnboundedAssertion {
    credential_id: B64,
    authenticator_data: B64,
    client_data_json: B64,
    signature: B64,
}

impl Assertion {
    /// Longest credential id in bytes (WebAuthn §4, "credential ID").
    pub const MAX_CREDENTIAL_ID: usize = 1023;
    /// Longest authenticator data in bytes: 37 and what extensions add.
    pub const MAX_AUTHENTICATOR_DATA: usize = 4096;
    /// Longest client data in bytes: browsers write some 200.
    pub const MAX_CLIENT_DATA: usize = 4096;
    /// Longest signature in bytes: RSA 4096 takes 512.
    pub const MAX_SIGNATURE: usize = 1024;

    /// Refuses an assertion with a member longer than its bound.
    pub fn new(
        credential_id: B64,
        authenticator_data: B64,
        client_data_json: B64,
        signature: B64,
    ) -> Result<Self, AssertionError> {
        let lengths = [
            (credential_id.0.len(), "credential_id", Self::MAX_CREDENTIAL_ID),
            (authenticator_data.0.len(), "authenticator_data", Self::MAX_AUTHENTICATOR_DATA),
            (client_data_json.0.len(), "client_data_json", Self::MAX_CLIENT_DATA),
            (signature.0.len(), "signature", Self::MAX_SIGNATURE),
        ];
        match lengths.into_iter().find(|(len, _, max)| len > max) {
            Some((_, member, max)) => Err(AssertionError::TooLong { member, max }),
            None => Ok(Self { credential_id, authenticator_data, client_data_json, signature }),
        }
    }

    /// Which credential is said to have signed.
    pub fn credential_id(&self) -> &B64 {
        &self.credential_id
    }

    /// The authenticator data (WebAuthn §6.1).
    pub fn authenticator_data(&self) -> &B64 {
        &self.authenticator_data
    }

    /// The client data, JSON as the browser wrote it (WebAuthn §5.8.1).
    pub fn client_data_json(&self) -> &B64 {
        &self.client_data_json
    }

    /// The signature over authenticator data and SHA-256 of the client data.
    pub fn signature(&self) -> &B64 {
        &self.signature
    }
}

impl TryFrom<UnboundedAssertion> for Assertion {
    type Error = AssertionError;

    fn try_from(raw: UnboundedAssertion) -> Result<Self, AssertionError> {
        Self::new(raw.credential_id, raw.authenticator_data, raw.client_data_json, raw.signature)
    }
}

/// What else an assertion that holds says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssertionInfo {
    /// The authenticator's signature counter, 0 where it keeps none. One that goes back is worth a warning.
    pub counter: u32,
    /// Whether the credential is synchronised to other devices now (BS).
    pub backed_up: bool,
}

/// Why an assertion does not hold.
#[derive(Debug, thiserror::Error)]
pub enum AssertionError {
    /// A member beyond its bound.
    #[error("{member} is longer than {max} bytes")]
    TooLong {
        /// The member's name.
        member: &'static str,
        /// Its bound in bytes.
        max: usize,
    },
    /// It names another credential.
    #[error("the assertion is of another credential")]
    Credential,
    /// The client data is not the JSON object that a browser writes.
    #[error("the client data is not a JSON object with type, challenge and origin")]
    ClientData(#[source] serde_json::Error),
    /// A registration or something else.
    #[error("the client data is not of type webauthn.get")]
    CeremonyType,
    /// Another document, another purpose, or another spelling of the challenge.
    #[error("the assertion answers another challenge")]
    Challenge,
    /// A page that may not ask for this.
    #[error("the origin is not one that approvals come from")]
    Origin,
    /// Made inside a frame of another site.
    #[error("the assertion was made in a frame of another origin")]
    CrossOrigin,
    /// Too short, with attested data, or not consumed whole.
    #[error("malformed authenticator data: {why}")]
    AuthenticatorData {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Made for another relying party, or by a credential that was enrolled for another.
    #[error("the assertion or its credential is of another relying party")]
    RelyingParty,
    /// UP is not set.
    #[error("the user was not present")]
    UserPresence,
    /// UV is not set.
    #[error("the user was not verified")]
    UserVerification,
    /// BE differs from the enrolment, or is set on hardware.
    #[error("the credential's backup eligibility is not as enrolled")]
    BackupEligibility,
    /// BS without BE, which WebAuthn §6.1.3 forbids.
    #[error("the credential claims to be backed up without being eligible")]
    BackupState,
    /// The mathematics says no.
    #[error("the assertion's signature does not hold")]
    Signature,
}

impl AssertionError {
    /// The refusal's stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "assertion.too_long",
            Self::Credential => "assertion.credential",
            Self::ClientData(_) => "assertion.client_data",
            Self::CeremonyType => "assertion.ceremony_type",
            Self::Challenge => "assertion.challenge",
            Self::Origin => "assertion.origin",
            Self::CrossOrigin => "assertion.cross_origin",
            Self::AuthenticatorData { .. } => "assertion.authenticator_data",
            Self::RelyingParty => "assertion.relying_party",
            Self::UserPresence => "assertion.user_presence",
            Self::UserVerification => "assertion.user_verification",
            Self::BackupEligibility => "assertion.backup_eligibility",
            Self::BackupState => "assertion.backup_state",
            Self::Signature => "assertion.signature",
        }
    }
}

/// Decides whether an assertion by this credential answers this challenge.
///
/// Everything but the counter is judged here; a counter that goes back is for the caller to warn about.
pub fn verify(
    assertion: &Assertion,
    credential: &Credential,
    rp: &ApprovalRp,
    challenge: Hash,
) -> Result<AssertionInfo, AssertionError> {
    if assertion.credential_id != credential.credential_id {
        return Err(AssertionError::Credential);
    }
    let client = ClientData::parse(assertion.client_data_json.as_bytes())?;
    check_client_data(&client, rp, challenge)?;
    let data = AuthenticatorData::parse(assertion.authenticator_data.as_bytes())?;
    check_authenticator_data(&data, credential, rp)?;

    let client_hash = digest::digest(&digest::SHA256, assertion.client_data_json.as_bytes());
    let signed = [assertion.authenticator_data.as_bytes(), client_hash.as_ref()].concat();
    if !credential.cose_public_key.holds(&signed, assertion.signature.as_bytes()) {
        return Err(AssertionError::Signature);
    }
    Ok(AssertionInfo { counter: data.counter, backed_up: data.flags.backup_state() })
}

fn check_client_data(client: &ClientData, rp: &ApprovalRp, challenge: Hash) -> Result<(), AssertionError> {
    if client.kind != "webauthn.get" {
        return Err(AssertionError::CeremonyType);
    }
    // Compared as text: padding, or bits beyond the digest, make another challenge.
    if client.challenge != B64::from(challenge.0.as_slice()).to_string() {
        return Err(AssertionError::Challenge);
    }
    if !rp.origins.contains(&client.origin) {
        return Err(AssertionError::Origin);
    }
    if client.cross_origin || client.has_top_origin {
        return Err(AssertionError::CrossOrigin);
    }
    Ok(())
}

fn check_authenticator_data(
    data: &AuthenticatorData,
    credential: &Credential,
    rp: &ApprovalRp,
) -> Result<(), AssertionError> {
    let flags = data.flags;
    if data.rp_id_hash != Hash::sha256(rp.id.as_bytes()) || credential.rp_id != rp.id {
        return Err(AssertionError::RelyingParty);
    }
    if !flags.user_present() {
        return Err(AssertionError::UserPresence);
    }
    if !flags.user_verified() {
        return Err(AssertionError::UserVerification);
    }
    let hardware = credential.kind == CredentialKind::Hardware;
    if flags.backup_eligible() != credential.backup_eligible || (hardware && flags.backup_eligible()) {
        return Err(AssertionError::BackupEligibility);
    }
    if flags.backup_state() && !flags.backup_eligible() {
        return Err(AssertionError::BackupState);
    }
    Ok(())
}

/// Names one question to [`verify`]: equal fingerprints have equal answers, so an answer may be kept under it.
///
/// SHA-256 over every input that the verdict depends on, each preceded by its length.
pub fn fingerprint(assertion: &Assertion, credential: &Credential, rp: &ApprovalRp, challenge: Hash) -> Hash {
    let mut hash = Sha256::new_with_prefix(b"sealbook assertion check v1\0");
    let mut add = |bytes: &[u8]| {
        // A slice is shorter than 2^64 bytes.
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    add(assertion.credential_id.as_bytes());
    add(assertion.authenticator_data.as_bytes());
    add(assertion.client_data_json.as_bytes());
    add(assertion.signature.as_bytes());
    add(credential.credential_id.as_bytes());
    add(credential.cose_public_key.as_bytes());
    add(credential.rp_id.as_bytes());
    add(&[u8::from(credential.backup_eligible), u8::from(credential.kind == CredentialKind::Hardware)]);
    add(&challenge.0);
    add(rp.id.as_bytes());
    // Last, because their number varies.
    rp.origins.iter().for_each(|origin| add(origin.as_bytes()));
    Hash(hash.finalize().into())
}
