//! Registration: a challenge goes out, a browser's answer comes back, and a credential for the ledger is made of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sealbook_ledger::attachment::{Attachment, MediaType};
use sealbook_ledger::canonical;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::{Aaguid, MemberId};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::attestation::{AttestationObject, Evidence};
use sealbook_ledger::webauthn::{ApprovalRp, Assertion, CosePublicKey, Credential, CredentialKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::attestation::verify_attestation_ca_chain;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{
    AttestationConveyancePreference, AuthenticatorAttestationResponseRaw, COSEAlgorithm,
    RegisterPublicKeyCredential, RegistrationState, UserVerificationPolicy,
};

use super::roots::AttestationRoots;

/// How long a challenge can be answered, in seconds: people look for their key, and read what the browser says.
pub const CHALLENGE_LIFE_S: u32 = 5 * 60;

/// Longest attestation object in bytes; with a TPM's whole chain one has some 6 KiB.
const MAX_ATTESTATION: usize = 32 * 1024;

/// What the ledger can check later, in the order of preference.
const ALGORITHMS: [COSEAlgorithm; 3] = [COSEAlgorithm::ES256, COSEAlgorithm::EDDSA, COSEAlgorithm::RS256];

/// Whose passkey is to be made.
pub struct Asked<'a> {
    /// Whom it is made for.
    pub rp: &'a ApprovalRp,
    /// The user handle: what a discoverable sign-in finds the member by.
    pub member: MemberId,
    /// What the authenticator lists it under.
    pub name: &'a str,
    /// Credentials of the same person: an authenticator that holds one of them is not to make another.
    pub exclude: &'a [B64],
}

/// A registration that waits for a browser's answer. It is kept with its ticket, never sent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    expires_at: Timestamp,
    state: RegistrationState,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What `navigator.credentials.create` answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyResponse {
    /// `response.attestationObject`.
    pub attestation_object: B64,
    /// `response.clientDataJSON`.
    pub client_data_json: B64,
}

/// A passkey as the ledger is to enrol it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadePasskey {
    /// As it is to be enrolled.
    pub credential: Credential,
    /// The bytes that the credential's `attestation` refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<B64>,
}

/// Why a browser's answer is refused.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// No challenge went out for this ticket, or too long ago.
    #[error(
        "no registration waits for this answer: ask for its options again and answer within five minutes"
    )]
    Expired,
    /// Client data or attestation object beyond its bound.
    #[error("the answer is longer than browsers and authenticators make it")]
    TooLong,
    /// The client data can't be read.
    #[error("the client data is not a JSON object with type, challenge and origin")]
    ClientData(#[source] serde_json::Error),
    /// An assertion, or something else.
    #[error("the client data is not of type webauthn.create")]
    CeremonyType,
    /// It answers something else.
    #[error("the answer is to another challenge")]
    Challenge,
    /// Another page, or a frame in one.
    #[error("the passkey was made at an origin that approvals don't come from, or inside another page")]
    Origin,
    /// Made for another relying party.
    #[error("the passkey was made for another relying party")]
    RelyingParty,
    /// The authenticator did not ask who its user is.
    #[error("the authenticator must verify its user by PIN, fingerprint or face")]
    UserVerification,
    /// Claims a backup that can't be.
    #[error("the authenticator claims a backup of a passkey that can't be backed up")]
    BackupState,
    /// A key that the ledger can't check.
    #[error("the passkey's public key is not of ES256, EdDSA or RS256 in canonical form")]
    Algorithm,
    /// The attestation object can't be read.
    #[error("the attestation object is malformed")]
    Malformed,
    /// The attestation does not hold.
    #[error("the authenticator's attestation does not verify")]
    Attestation(#[source] WebauthnError),
    /// The options could not be drawn up.
    #[error("the registration's options can't be drawn up")]
    Options(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PasskeyError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Expired => "registration.expired",
            Self::TooLong => "registration.too_long",
            Self::ClientData(_) => "registration.client_data",
            Self::CeremonyType => "registration.ceremony_type",
            Self::Challenge => "registration.challenge",
            Self::Origin => "registration.origin",
            Self::RelyingParty => "registration.relying_party",
            Self::UserVerification => "registration.user_verification",
            Self::BackupState => "registration.backup_state",
            Self::Algorithm => "registration.algorithm",
            Self::Malformed => "registration.attestation_object",
            Self::Attestation(_) => "registration.attestation",
            Self::Options(_) => "server.fault",
        }
    }
}

/// The members of the client data that webauthn-rs-core does not look at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(default)]
    top_origin: Option<String>,
}

/// Draws a challenge: what `navigator.credentials.create` is to be asked, and what has to be kept for the answer.
///
/// # Errors
/// [`PasskeyError::Options`] where the relying party can't be used.
pub fn begin(asked: &Asked<'_>, now: Timestamp) -> Result<(Value, Begun), PasskeyError> {
    let core = core(asked.rp)?;
    let exclude =
        (!asked.exclude.is_empty()).then(|| asked.exclude.iter().map(|id| id.as_bytes().to_vec()).collect());
    let builder = core
        .new_challenge_register_builder(asked.member.uuid().as_bytes(), asked.name, asked.name)
        .map_err(|error| PasskeyError::Options(error.into()))?
        .attestation(AttestationConveyancePreference::Direct)
        .user_verification_policy(UserVerificationPolicy::Required)
        .credential_algorithms(ALGORITHMS.to_vec())
        .require_resident_key(true)
        .exclude_credentials(exclude);
    let (options, state) =
        core.generate_challenge_register(builder).map_err(|error| PasskeyError::Options(error.into()))?;
    let options = serde_json::to_value(options).map_err(|error| PasskeyError::Options(error.into()))?;
    Ok((options, Begun { expires_at: now.plus_seconds(CHALLENGE_LIFE_S), state }))
}

/// Checks a browser's answer and makes a credential of it.
///
/// It is `hardware` only where its attestation chain ends in one of `roots` and it can't be copied; software that says
/// what hardware says is `unattested`.
///
/// # Errors
/// [`PasskeyError`]: what is wrong with the answer.
pub fn finish(
    begun: Option<&Begun>,
    response: &PasskeyResponse,
    rp: &ApprovalRp,
    roots: &AttestationRoots,
    now: Timestamp,
) -> Result<MadePasskey, PasskeyError> {
    let begun = begun.filter(|begun| now < begun.expires_at).ok_or(PasskeyError::Expired)?;
    let object = response.attestation_object.as_bytes();
    if object.len() > MAX_ATTESTATION
        || response.client_data_json.as_bytes().len() > Assertion::MAX_CLIENT_DATA
    {
        return Err(PasskeyError::TooLong);
    }
    let client: ClientData =
        serde_json::from_slice(response.client_data_json.as_bytes()).map_err(PasskeyError::ClientData)?;
    if client.top_origin.is_some() {
        return Err(PasskeyError::Origin);
    }
    let made = AttestationObject::parse(object).ok_or(PasskeyError::Malformed)?.credential;
    if !(1..=Assertion::MAX_CREDENTIAL_ID).contains(&made.credential_id.len()) {
        return Err(PasskeyError::TooLong);
    }
    let verified = core(rp)?
        .register_credential(&for_core(response, made.credential_id), &begun.state, None)
        .map_err(refusal)?;
    let same =
        verified.cred_id.as_slice() == made.credential_id && verified.backup_eligible == made.backup_eligible;
    if !same {
        return Err(PasskeyError::Malformed);
    }
    let cose_public_key = CosePublicKey::parse(made.cose_public_key).map_err(|_| PasskeyError::Algorithm)?;
    let attested = !roots.is_empty()
        && verify_attestation_ca_chain(&verified.attestation.data, roots.list(), system_time(now))
            .is_ok_and(|root| root.is_some());
    let kind = match (made.backup_eligible, attested) {
        (true, _) => CredentialKind::Synced,
        (false, true) => CredentialKind::Hardware,
        (false, false) => CredentialKind::Unattested,
    };
    let attestation = match kind {
        CredentialKind::Hardware => Some(response.evidence()?),
        CredentialKind::Synced | CredentialKind::Unattested | CredentialKind::Software => None,
    };
    Ok(MadePasskey {
        credential: Credential {
            credential_id: B64::from(made.credential_id),
            cose_public_key,
            aaguid: Aaguid::from(Uuid::from_bytes(made.aaguid)),
            rp_id: rp.id.clone(),
            backup_eligible: made.backup_eligible,
            kind,
            attestation: attestation.as_ref().map(|bytes| reference(bytes.as_bytes())),
        },
        attestation,
    })
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(at.unix_micros().unsigned_abs())
}

impl PasskeyResponse {
    /// The attestation object and the client data, canonical: the statement signs both (WebAuthn §8), so that either alone
    /// proves nothing offline.
    fn evidence(&self) -> Result<B64, PasskeyError> {
        let (attestation_object, client_data_json) =
            (self.attestation_object.clone(), self.client_data_json.clone());
        let bytes = canonical::to_vec(&Evidence { attestation_object, client_data_json });
        Ok(B64::from(bytes.map_err(|error| PasskeyError::Options(error.into()))?))
    }
}

fn reference(evidence: &[u8]) -> Attachment {
    Attachment { sha256: Hash::sha256(evidence), size: evidence.len() as u64, media_type: json() }
}

#[allow(clippy::expect_used, reason = "the literal is a media type")]
fn json() -> MediaType {
    "application/json".parse().expect("a media type")
}

pub(super) fn core(rp: &ApprovalRp) -> Result<WebauthnCore, PasskeyError> {
    let origins = rp.origins.iter().map(|origin| origin.parse());
    let origins =
        origins.collect::<Result<Vec<_>, _>>().map_err(|error| PasskeyError::Options(Box::new(error)))?;
    let patience = Duration::from_secs(u64::from(CHALLENGE_LIFE_S));
    // No subdomains and no other ports: exactly the origins that approvals come from.
    Ok(WebauthnCore::new_unsafe_experts_only("Sealbook", &rp.id, origins, patience, Some(false), Some(false)))
}

fn for_core(response: &PasskeyResponse, credential_id: &[u8]) -> RegisterPublicKeyCredential {
    RegisterPublicKeyCredential {
        id: B64::from(credential_id).to_string(),
        raw_id: credential_id.to_vec(),
        response: AuthenticatorAttestationResponseRaw {
            attestation_object: response.attestation_object.as_bytes().to_vec(),
            client_data_json: response.client_data_json.as_bytes().to_vec(),
            transports: None,
        },
        type_: "public-key".to_owned(),
        extensions: Default::default(),
    }
}

fn refusal(error: WebauthnError) -> PasskeyError {
    match error {
        WebauthnError::ParseJSONFailure(error) => PasskeyError::ClientData(error),
        WebauthnError::InvalidClientDataType => PasskeyError::CeremonyType,
        WebauthnError::MismatchedChallenge => PasskeyError::Challenge,
        WebauthnError::InvalidRPOrigin | WebauthnError::CredentialCrossOrigin => PasskeyError::Origin,
        WebauthnError::InvalidRPIDHash => PasskeyError::RelyingParty,
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => PasskeyError::UserVerification,
        WebauthnError::CredentialMayNotBeHardwareBound => PasskeyError::BackupState,
        WebauthnError::CredentialAlteredAlgFromRequest | WebauthnError::COSEKeyInvalidAlgorithm => {
            PasskeyError::Algorithm
        }
        WebauthnError::ParseCBORFailure(_)
        | WebauthnError::ParseNOMFailure
        | WebauthnError::MissingAttestationCredentialData => PasskeyError::Malformed,
        other => PasskeyError::Attestation(other),
    }
}
