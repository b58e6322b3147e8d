//! Authenticators in words.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::webauthn::{Credential, CredentialKind};

use super::Change;

/// Where an authenticator's private key lives.
pub fn kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Hardware => "hardware authenticator",
        CredentialKind::Synced => "synced passkey",
        CredentialKind::Unattested => "unattested authenticator",
        CredentialKind::Software => "software key",
    }
}

/// An authenticator, by its kind and the beginning of its id.
pub(super) fn authenticator(credential: &Credential) -> String {
    let id: String = credential.credential_id.to_string().chars().take(8).collect();
    format!("{} {id}…", kind(credential.kind))
}

/// What the registered read aloud to those who decide: SHA-256 of the public key.
pub fn fingerprint(credential: &Credential) -> Hash {
    Hash::sha256(credential.cose_public_key.as_bytes())
}

/// The fingerprint as a row.
pub(super) fn fingerprint_row(credential: &Credential) -> Change {
    Change::new(format!("Fingerprint of {}", authenticator(credential)), fingerprint(credential).to_string())
}
