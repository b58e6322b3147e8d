//! Payloads about the ledger itself: its keys, its founding, its policies and rules.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::attributes::KeyAttributes;
use crate::encoding::{B64, Hash};
use crate::ids::{ActionId, BackendName, KeyId, MemberId, Origin};
use crate::note::Vkey;
use crate::policy::LedgerPolicy;
use crate::webauthn::ApprovalRp;

payload!(
    /// See [`super::Payload::ApprovalRpSet`].
    ApprovalRpSet {
        /// The action.
        action: ActionId,
        /// The relying party from now on.
        approval_rp: ApprovalRp,
    }
);

payload!(
    /// See [`super::Payload::LedgerEvidenceKeySet`].
    LedgerEvidenceKeySet {
        /// The action.
        action: ActionId,
        /// The key.
        key: KeyId,
        /// SubjectPublicKeyInfo, DER.
        spki: B64,
    }
);

/// The digest of a standby ledger key's vkey, on another device, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextVkey {
    /// There is no standby.
    None,
    /// SHA-256 of the standby's vkey string.
    Digest(Hash),
}

impl std::str::FromStr for NextVkey {
    type Err = crate::ids::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::Digest) }
    }
}

impl std::fmt::Display for NextVkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Digest(hash) => hash.fmt(f),
        }
    }
}

crate::ids::serde_as_text!(NextVkey);

/// A ledger that this one continues under another origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continues {
    /// Its origin.
    pub origin: Origin,
    /// Its root at `size` (RFC 6962 §2.1).
    pub root: Hash,
    /// How many of its events count.
    pub size: u64,
    /// The key that signed its last checkpoint.
    pub vkey: Vkey,
}

/// See [`super::Payload::LedgerOpened`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerOpened {
    /// The ledger key's attributes, read back.
    pub attributes: KeyAttributes,
    /// The ledger that this one continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Continues>,
    /// The kind of custody, such as `pkcs11`.
    pub custody: BackendName,
    /// The standby.
    pub next_vkey_digest: NextVkey,
    /// The rules version that governs from the start.
    pub rules: u64,
    /// The ledger key, in C2SP form.
    pub vkey: Vkey,
}

macro_rules! ledger_key_change {
    ($(#[$doc:meta])* $name:ident) => {
        payload!($(#[$doc])* $name {
            /// The action.
            action: ActionId,
            /// The new key's attributes, read back.
            attributes: KeyAttributes,
            /// The kind of custody.
            custody: BackendName,
            /// The next standby.
            next_vkey_digest: NextVkey,
            /// The new ledger key.
            vkey: Vkey,
        });
    };
}

ledger_key_change!(
    /// See [`super::Payload::LedgerKeyRotated`].
    LedgerKeyRotated
);

ledger_key_change!(
    /// See [`super::Payload::LedgerKeyRecovered`].
    LedgerKeyRecovered
);

payload!(
    /// One founder's signature over the founding document.
    FounderAssertion {
        /// WebAuthn §6.1.
        authenticator_data: B64,
        /// WebAuthn §5.8.1.
        client_data_json: B64,
        /// Which of the founder's authenticators.
        credential_id: B64,
        /// Who.
        member: MemberId,
        /// Over `authenticator_data` and the hash of `client_data_json`.
        signature: B64,
    }
);

payload!(
    /// What every founder signs (LEDGER_FORMAT §7); its digest is the founding digest.
    FoundingDocument {
        /// Who may ask for approvals.
        approval_rp: ApprovalRp,
        /// The founders' `member.enrolled` data objects, unchanged, in their order.
        founders: Vec<Map<String, Value>>,
        /// The ledger.
        origin: Origin,
        /// The whole ledger policy.
        policy: LedgerPolicy,
        /// The rules version.
        rules: u64,
        /// 1.
        v: u8,
        /// The ledger key.
        vkey: Vkey,
    }
);

payload!(
    /// See [`super::Payload::LedgerFounded`].
    LedgerFounded {
        /// One of each founder, in the founders' order.
        assertions: Vec<FounderAssertion>,
        /// What they signed.
        document: FoundingDocument,
    }
);

payload!(
    /// See [`super::Payload::LedgerHighWaterAccepted`].
    LedgerHighWaterAccepted {
        /// The root that was found in the database.
        root: Hash,
        /// The size that was found there.
        size: u64,
    }
);

payload!(
    /// See [`super::Payload::LedgerRulesAdopted`].
    LedgerRulesAdopted {
        /// The action.
        action: ActionId,
        /// The version.
        rules: u64,
    }
);

payload!(
    /// See [`super::Payload::PolicySet`].
    PolicySet {
        /// The action.
        action: ActionId,
        /// The policy.
        policy: LedgerPolicy,
    }
);
