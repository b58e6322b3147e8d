//! Registrations: what a person's authenticator hands over before the ledger enrols it.

use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::webauthn::{ApprovalRp, Assertion, Credential, CredentialKind};
use serde::{Deserialize, Serialize};

/// Set before a ticket's bytes, so that their hash is a challenge and nothing else.
const CONTEXT: &[u8] = b"sealbook registration v1\0";

/// A credential and the client data of the ceremony that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// As it is to be enrolled.
    pub credential: Credential,
    /// WebAuthn §5.8.1, of type `webauthn.create`.
    pub client_data_json: B64,
}

/// Why a registration is refused.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// Client data or credential id beyond its bound.
    #[error("the registration's client data or credential id is longer than a browser makes it")]
    TooLong,
    /// The client data can't be read.
    #[error("the client data is not a JSON object with type, challenge and origin")]
    ClientData(#[source] serde_json::Error),
    /// An assertion, or something else.
    #[error("the client data is not of type webauthn.create")]
    CeremonyType,
    /// It answers something else than the ticket.
    #[error("the registration answers another challenge than the ticket's")]
    Challenge,
    /// A page that may not ask for this.
    #[error("the registration comes from an origin that approvals don't come from")]
    Origin,
    /// Made for another relying party.
    #[error("the credential was made for another relying party")]
    RelyingParty,
    /// Only software authenticators can be registered without a browser.
    #[error("this form registers credentials of kind software only")]
    Kind,
}

impl RegistrationError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "registration.too_long",
            Self::ClientData(_) => "registration.client_data",
            Self::CeremonyType => "registration.ceremony_type",
            Self::Challenge => "registration.challenge",
            Self::Origin => "registration.origin",
            Self::RelyingParty => "registration.relying_party",
            Self::Kind => "registration.kind",
        }
    }
}

/// The challenge that a registration by some ticket answers.
pub fn challenge(ticket: &[u8; 32]) -> Hash {
    Hash::sha256_in_context(CONTEXT, ticket)
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
}

impl Registration {
    /// Refuses a registration that does not answer this challenge towards this relying party.
    ///
    /// Nothing here proves that the registrant holds the private key: the first assertion does, and a founding or an
    /// approval takes one.
    pub fn check(&self, challenge: Hash, rp: &ApprovalRp) -> Result<(), RegistrationError> {
        let id_len = self.credential.credential_id.as_bytes().len();
        if self.client_data_json.as_bytes().len() > Assertion::MAX_CLIENT_DATA
            || !(1..=Assertion::MAX_CREDENTIAL_ID).contains(&id_len)
        {
            return Err(RegistrationError::TooLong);
        }
        let client: ClientData = serde_json::from_slice(self.client_data_json.as_bytes())
            .map_err(RegistrationError::ClientData)?;
        if client.kind != "webauthn.create" {
            return Err(RegistrationError::CeremonyType);
        }
        if client.challenge != B64::from(challenge.0.as_slice()).to_string() {
            return Err(RegistrationError::Challenge);
        }
        if !rp.origins.contains(&client.origin) {
            return Err(RegistrationError::Origin);
        }
        if self.credential.rp_id != rp.id {
            return Err(RegistrationError::RelyingParty);
        }
        match self.credential.kind {
            CredentialKind::Software => Ok(()),
            CredentialKind::Hardware | CredentialKind::Synced | CredentialKind::Unattested => {
                Err(RegistrationError::Kind)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::authenticator::SoftAuthenticator;

    const ORIGIN: &str = "http://localhost:8080";

    fn made(answering: Hash) -> Registration {
        let folder = tempfile::tempdir().unwrap();
        let authenticator = SoftAuthenticator::create(&folder.path().join("key"), "localhost").unwrap();
        let made = authenticator.register(answering, ORIGIN).unwrap();
        Registration { credential: made.credential, client_data_json: made.client_data_json }
    }

    fn rp() -> ApprovalRp {
        ApprovalRp { id: "localhost".into(), origins: BTreeSet::from([ORIGIN.into()]), shared: true }
    }

    #[test]
    fn a_registration_answers_its_own_ticket() {
        let registration = made(challenge(&[7; 32]));
        assert!(registration.check(challenge(&[7; 32]), &rp()).is_ok());
        let other = registration.check(challenge(&[8; 32]), &rp()).unwrap_err();
        assert_eq!(other.code(), "registration.challenge");
    }

    #[test]
    fn a_registration_is_for_one_relying_party_and_claims_no_hardware() {
        let ticket = challenge(&[7; 32]);
        let mut registration = made(ticket);
        let elsewhere = ApprovalRp { origins: BTreeSet::from(["https://a.example".into()]), ..rp() };
        assert_eq!(registration.check(ticket, &elsewhere).unwrap_err().code(), "registration.origin");
        let other = ApprovalRp { id: "a.example".into(), ..rp() };
        assert_eq!(registration.check(ticket, &other).unwrap_err().code(), "registration.relying_party");
        registration.credential.kind = CredentialKind::Hardware;
        assert_eq!(registration.check(ticket, &rp()).unwrap_err().code(), "registration.kind");
    }
}
