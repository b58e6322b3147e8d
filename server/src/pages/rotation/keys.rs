//! The key that goes and the key that comes, side by side.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{CertificateId, KeyId};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::http::problem::Problem;
use crate::pages::slot::state_words;
use crate::pages::slots::Chip;
use crate::views::certificates::{self, CertificateState, CertificateView, IssuedView};
use crate::views::keys::KeyView;
use crate::views::rotations::RotationView;
use crate::views::story;

/// A key of the rotation.
pub(super) struct KeySide {
    pub(super) key: KeyId,
    pub(super) short: String,
    pub(super) chip: Chip,
    pub(super) fingerprint: Option<Hash>,
    /// Whether it can't leave its device, once the device has told.
    pub(super) confined: Option<bool>,
    /// Its certificate, from its order on.
    pub(super) certificate: Option<Held>,
    /// The certificate whose request is there.
    pub(super) request: Option<CertificateId>,
}

/// A certificate, and what it says once it exists.
pub(super) struct Held {
    pub(super) id: CertificateId,
    pub(super) chip: Chip,
    pub(super) issued: Option<IssuedView>,
    /// When it was revoked, and why, in a few words.
    pub(super) revoked: Option<(Timestamp, &'static str)>,
}

impl KeySide {
    /// The key that is replaced.
    pub(super) fn old(founded: &Founded, view: &RotationView, at: Timestamp) -> Result<Self, Problem> {
        Self::of(founded, view.old_key, at)
    }

    /// What its certificate says, once there is one.
    pub(super) fn issued(&self) -> Option<&IssuedView> {
        self.certificate.as_ref()?.issued.as_ref()
    }

    /// The key that takes its place, once it is there.
    pub(super) fn new(
        founded: &Founded,
        view: &RotationView,
        at: Timestamp,
    ) -> Result<Option<Self>, Problem> {
        view.new_key.map(|key| Self::of(founded, key, at)).transpose()
    }

    /// Whether it can leave its device, in words.
    pub(super) const fn leaves(&self) -> &'static str {
        match self.confined {
            Some(true) => "never",
            Some(false) => "it could",
            None => "–",
        }
    }

    fn of(founded: &Founded, id: KeyId, at: Timestamp) -> Result<Self, Problem> {
        let key = founded.keys().get(&id).ok_or(sealbook_ledger::rule::Rule::KeyUnknown)?;
        let is_active = founded.slot(&key.slot)?.active == Some(id);
        let (tone, icon, word) = state_words(key, is_active);
        let view = KeyView::new(id, key)?;
        let ordered = certificates::of_key(founded, id);
        let certificate =
            ordered.map(|(id, issuance)| CertificateView::new(id, issuance, founded, at)).transpose()?;
        Ok(Self {
            key: id,
            short: story::short_end(&id.to_string()),
            chip: Chip { tone, icon, word },
            fingerprint: view.spki_sha256,
            confined: view.attributes.map(|attributes| attributes.is_confined()),
            certificate: certificate.map(Held::new),
            request: ordered.filter(|(_, issuance)| issuance.csr.is_some()).map(|(id, _)| id),
        })
    }
}

impl Held {
    fn new(view: CertificateView) -> Self {
        let reason = view.revocation_reason.map(story::revocation);
        Self {
            id: view.certificate,
            chip: Chip::of_certificate(view.state),
            revoked: view.revoked_at.zip(reason),
            issued: view.issued,
        }
    }
}

impl Chip {
    pub(in crate::pages) const fn of_certificate(state: CertificateState) -> Self {
        match state {
            CertificateState::Ordered => Self { tone: "calm", icon: "clock", word: "Ordered" },
            CertificateState::Requested => Self { tone: "calm", icon: "clock", word: "Requested" },
            CertificateState::Active => Self { tone: "ok", icon: "check", word: "In force" },
            CertificateState::Expired => Self { tone: "warn", icon: "alarm", word: "Expired" },
            CertificateState::Revoked => Self { tone: "dim", icon: "stop", word: "Revoked" },
            CertificateState::Failed => Self { tone: "bad", icon: "cross", word: "Did not come" },
        }
    }
}
