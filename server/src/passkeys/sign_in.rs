//! Signing in without a name: any passkey of this server answers a challenge, and says by its user handle whose it is.
//!
//! webauthn-rs-core draws the challenge and checks the answer. The ledger crate's own check runs over the same bytes: it is
//! the stricter one about frames of other sites, and a sign-in is not to hold where an approval would not.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{self, ApprovalRp, Assertion, Credential};
use serde_json::{Value, json};
use uuid::Uuid;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{
    AttestationFormat, AttestationMetadata, AuthenticationState, AuthenticatorAssertionResponseRaw, COSEKey,
    Credential as CoreCredential, ParsedAttestation, ParsedAttestationData, PublicKeyCredential,
    UserVerificationPolicy,
};

use super::registration::{PasskeyError, core};

/// How long a challenge can be answered, in seconds: time to find and touch an authenticator.
pub const SIGN_IN_LIFE_S: u32 = 2 * 60;

/// Most challenges that wait for their answers; some 300 bytes each. Beyond it the oldest is forgotten: nobody who asks
/// for many can keep another from signing in for longer than it takes to ask again.
const MAX_WAITING: usize = 10_000;

/// Challenges that went out and wait for their answers. Each is good for one.
#[derive(Default)]
pub struct SignIns(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    states: HashMap<Hash, (u64, Pending)>,
    /// By age.
    order: BTreeMap<u64, Hash>,
    next: u64,
}

struct Pending {
    challenge: Hash,
    state: AuthenticationState,
    /// Of which relying party a passkey was asked for: one of another is no answer.
    rp_id: String,
    expires_at: Timestamp,
}

/// What a browser answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyAnswer {
    /// The assertion.
    pub assertion: Assertion,
    /// Whom the authenticator made the passkey for.
    pub user_handle: B64,
}

impl PasskeyAnswer {
    /// The member whom the user handle names.
    pub fn member(&self) -> Option<MemberId> {
        Uuid::from_slice(self.user_handle.as_bytes()).ok().map(MemberId::from)
    }
}

/// A challenge that was taken back to be answered.
pub struct Challenged(Pending);

impl Challenged {
    /// Of which relying party a passkey was asked for.
    pub fn rp_id(&self) -> &str {
        &self.0.rp_id
    }
}

impl SignIns {
    /// Draws a challenge: what it is called, and what `navigator.credentials.get` is to be asked. Whoever is known already
    /// is asked for one of their own passkeys; of others none is listed, for that would say who has one.
    ///
    /// # Errors
    /// [`PasskeyError::Options`] where the relying party can't be used.
    pub fn begin(&self, rp: &ApprovalRp, own: &[B64], now: Timestamp) -> Result<(B64, Value), PasskeyError> {
        let failed = |error: WebauthnError| PasskeyError::Options(error.into());
        let core = core(rp)?;
        let builder =
            core.new_challenge_authenticate_builder(Vec::new(), Some(UserVerificationPolicy::Required));
        let (options, state) =
            core.generate_challenge_authenticate(builder.map_err(failed)?).map_err(failed)?;
        let drawn = <[u8; 32]>::try_from(options.public_key.challenge.as_slice());
        let challenge = Hash(drawn.map_err(|error| PasskeyError::Options(error.into()))?);
        let mut options =
            serde_json::to_value(options.public_key).map_err(|error| PasskeyError::Options(error.into()))?;
        let listed = own.iter().map(|id| json!({ "type": "public-key", "id": id }));
        options["allowCredentials"] = listed.collect();
        options["timeout"] = (u64::from(SIGN_IN_LIFE_S) * 1000).into();
        let expires_at = now.plus_seconds(SIGN_IN_LIFE_S);
        let name = Hash::sha256_in_context(b"sealbook sign-in v1\0", &challenge.0);
        let rp_id = rp.id.clone();
        self.lock().keep(name, Pending { challenge, state, rp_id, expires_at });
        Ok((B64::from(name.0.as_slice()), options))
    }

    /// Takes a challenge back by its name; nobody gets it twice, whatever becomes of the answer.
    pub fn take(&self, name: &B64, now: Timestamp) -> Option<Challenged> {
        let name = Hash(name.as_bytes().try_into().ok()?);
        let pending = self.lock().remove(&name)?;
        (now < pending.expires_at).then_some(Challenged(pending))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn keep(&mut self, name: Hash, pending: Pending) {
        while self.states.len() >= MAX_WAITING {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.states.remove(&oldest);
        }
        self.order.insert(self.next, name);
        self.states.insert(name, (self.next, pending));
        self.next += 1;
    }

    fn remove(&mut self, name: &Hash) -> Option<Pending> {
        let (age, pending) = self.states.remove(name)?;
        self.order.remove(&age);
        Some(pending)
    }
}

/// Whether an answer to a challenge holds for a credential of the relying party: right origin, user verified, signature.
pub fn holds(
    challenged: Challenged,
    answer: &PasskeyAnswer,
    credential: &Credential,
    rp: &ApprovalRp,
) -> bool {
    let Challenged(Pending { challenge, mut state, rp_id, .. }) = challenged;
    if rp_id != rp.id {
        return false;
    }
    let Some(known) = for_core(credential) else { return false };
    state.set_allowed_credentials(vec![known]);
    let core_agrees = core(rp).is_ok_and(|core| {
        core.authenticate_credential(&response(answer), &state).is_ok_and(|r| r.user_verified())
    });
    core_agrees && webauthn::verify(&answer.assertion, credential, rp, challenge).is_ok()
}

/// A credential of the ledger as webauthn-rs-core takes it. The ledger keeps no counter: it starts at nothing.
fn for_core(credential: &Credential) -> Option<CoreCredential> {
    let cbor: serde_cbor_2::Value = serde_cbor_2::from_slice(credential.cose_public_key.as_bytes()).ok()?;
    Some(CoreCredential {
        cred_id: credential.credential_id.as_bytes().to_vec(),
        cred: COSEKey::try_from(&cbor).ok()?,
        counter: 0,
        transports: None,
        user_verified: true,
        backup_eligible: credential.backup_eligible,
        backup_state: false,
        registration_policy: UserVerificationPolicy::Required,
        extensions: Default::default(),
        attestation: ParsedAttestation {
            data: ParsedAttestationData::None,
            metadata: AttestationMetadata::None,
        },
        attestation_format: AttestationFormat::None,
    })
}

fn response(answer: &PasskeyAnswer) -> PublicKeyCredential {
    let assertion = &answer.assertion;
    PublicKeyCredential {
        id: assertion.credential_id().to_string(),
        raw_id: assertion.credential_id().as_bytes().to_vec(),
        response: AuthenticatorAssertionResponseRaw {
            authenticator_data: assertion.authenticator_data().as_bytes().to_vec(),
            client_data_json: assertion.client_data_json().as_bytes().to_vec(),
            signature: assertion.signature().as_bytes().to_vec(),
            user_handle: Some(answer.user_handle.as_bytes().to_vec()),
        },
        extensions: Default::default(),
        type_: "public-key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::authenticator::SoftAuthenticator;

    const ORIGIN: &str = "https://sealbook.example.com";

    fn at(second: u32) -> Timestamp {
        "2026-11-22T00:00:00.000000Z".parse::<Timestamp>().unwrap().plus_seconds(second)
    }

    fn rp() -> ApprovalRp {
        let origins = BTreeSet::from([ORIGIN.to_owned()]);
        ApprovalRp { id: "sealbook.example.com".into(), origins, shared: true }
    }

    fn passkey(rp_id: &str) -> SoftAuthenticator {
        let folder = tempfile::tempdir().unwrap();
        SoftAuthenticator::create(&folder.path().join("key"), rp_id).unwrap()
    }

    fn asked(sign_ins: &SignIns, now: Timestamp) -> (B64, Hash) {
        let (name, options) = sign_ins.begin(&rp(), &[], now).unwrap();
        assert_eq!(options["userVerification"], "required");
        assert_eq!(options["allowCredentials"], serde_json::json!([]));
        let challenge: B64 = options["challenge"].as_str().unwrap().parse().unwrap();
        (name, Hash(challenge.as_bytes().try_into().unwrap()))
    }

    fn answered(key: &SoftAuthenticator, challenge: &Hash, origin: &str) -> PasskeyAnswer {
        let assertion = key.assert(*challenge, origin).unwrap();
        PasskeyAnswer { assertion, user_handle: Uuid::from_u128(7).as_bytes().as_slice().into() }
    }

    #[test]
    fn a_passkey_of_the_relying_party_signs_in() {
        let (sign_ins, key) = (SignIns::default(), passkey("sealbook.example.com"));
        let (name, challenge) = asked(&sign_ins, at(0));
        let answer = answered(&key, &challenge, ORIGIN);
        assert_eq!(answer.member(), Some(Uuid::from_u128(7).into()));
        assert!(holds(sign_ins.take(&name, at(1)).unwrap(), &answer, key.credential(), &rp()));
    }

    #[test]
    fn a_challenge_is_good_once_for_two_minutes_and_on_one_server() {
        let (sign_ins, other) = (SignIns::default(), SignIns::default());
        let (name, _) = asked(&sign_ins, at(0));
        assert!(other.take(&name, at(1)).is_none());
        assert!(sign_ins.take(&name, at(1)).is_some());
        assert!(sign_ins.take(&name, at(1)).is_none());
        let (late, _) = asked(&sign_ins, at(0));
        assert!(sign_ins.take(&late, at(SIGN_IN_LIFE_S)).is_none());
        assert!(sign_ins.take(&B64(vec![1]), at(0)).is_none());
    }

    #[test]
    fn another_challenge_origin_key_or_relying_party_does_not() {
        let (sign_ins, key) = (SignIns::default(), passkey("sealbook.example.com"));
        let other = passkey("sealbook.example.com");
        let foreign = passkey("example.com");
        let challenged = || {
            let (name, challenge) = asked(&sign_ins, at(0));
            (sign_ins.take(&name, at(0)).unwrap(), challenge)
        };
        let (challenge, _) = challenged();
        let answer = answered(&key, &Hash::sha256(b"another"), ORIGIN);
        assert!(!holds(challenge, &answer, key.credential(), &rp()));
        let (challenge, drawn) = challenged();
        assert!(!holds(
            challenge,
            &answered(&key, &drawn, "https://evil.example.com"),
            key.credential(),
            &rp()
        ));
        let (challenge, drawn) = challenged();
        assert!(!holds(challenge, &answered(&key, &drawn, ORIGIN), other.credential(), &rp()));
        let (challenge, drawn) = challenged();
        assert!(!holds(challenge, &answered(&foreign, &drawn, ORIGIN), foreign.credential(), &rp()));
    }

    #[test]
    fn the_oldest_challenge_makes_room() {
        let sign_ins = SignIns::default();
        let (first, _) = asked(&sign_ins, at(0));
        for _ in 0..MAX_WAITING {
            asked(&sign_ins, at(0));
        }
        assert_eq!(sign_ins.lock().states.len(), MAX_WAITING);
        assert_eq!(sign_ins.lock().order.len(), MAX_WAITING);
        assert!(sign_ins.take(&first, at(0)).is_none());
    }
}
