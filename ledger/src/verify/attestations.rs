//! What vouches for credentials that claim to live in devices, checked against roots that the user brought along.

use std::collections::BTreeMap;

use crate::encoding::Hash;
use crate::payload::Payload;
use crate::verify::{Failure, Layer, Place, Pushed};
use crate::webauthn::attestation::{self, AttestationError, AttestationRoots, Evidence};
use crate::webauthn::{Credential, CredentialKind};

/// Bytes of attachments that are kept until their credential passes by; what is beyond counts as missing.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// How every canonical [`Evidence`] begins.
const START: &[u8] = br#"{"attestation_object":"#;

/// Checks attestations as the events that enrol their credentials pass by.
#[derive(Debug, Default)]
pub(super) struct Attestations {
    kept: BTreeMap<Hash, Vec<u8>>,
    size: usize,
    pub(super) checked: u64,
    /// Of formats that this program does not know.
    pub(super) unknown: u64,
    /// Credentials that claim hardware, where no roots were given.
    pub(super) claimed: u64,
    pub(super) failure: Option<Failure>,
}

impl Attestations {
    /// Whether an attachment may be one.
    pub(super) fn wants(bytes: &[u8]) -> bool {
        bytes.len() <= Evidence::MAX_LEN && bytes.starts_with(START)
    }

    /// Keeps one, as long as there is room.
    pub(super) fn keep(&mut self, sha256: Hash, bytes: Vec<u8>) {
        if self.size + bytes.len() <= MAX_KEPT {
            self.size += bytes.len();
            self.kept.insert(sha256, bytes);
        }
    }

    /// Checks the credentials of an event that passed, if it enrols any.
    pub(super) fn after_event(&mut self, pushed: &Pushed, roots: Option<&AttestationRoots>) {
        let credentials = match &pushed.event.payload {
            Payload::MemberEnrolled(enrolled) => enrolled.credentials.as_slice(),
            Payload::MemberRecovered(recovered) => recovered.credentials.as_slice(),
            Payload::CredentialAdded(added) => std::slice::from_ref(&added.credential),
            _ => return,
        };
        for credential in credentials.iter().filter(|credential| credential.kind == CredentialKind::Hardware)
        {
            match roots {
                None => self.claimed += 1,
                Some(roots) => self.check(pushed, credential, roots),
            }
        }
    }

    fn check(&mut self, pushed: &Pushed, credential: &Credential, roots: &AttestationRoots) {
        if self.failure.is_some() {
            return;
        }
        let kept = credential.attestation.as_ref().and_then(|reference| self.kept.get(&reference.sha256));
        let checked = match kept {
            Some(evidence) => attestation::check(evidence, credential, pushed.event.time, roots),
            None => Err(AttestationError::Form { what: "it is not in the bundle" }),
        };
        match checked {
            Ok(()) => self.checked += 1,
            Err(AttestationError::Format { .. }) => self.unknown += 1,
            Err(error) => {
                let type_name = Some(pushed.event.payload.type_name().to_owned());
                let place = Place::Event { seq: pushed.event.seq.get(), type_name };
                self.failure = Some(Failure::of_error(Layer::Signatures, place, error.code(), &error));
            }
        }
    }
}
