//! What was revoked, as rows.

use std::collections::BTreeSet;

use sealbook_ledger::action::RevocationReason;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, ProposerId, SlotName};
use sealbook_ledger::slot::KeyState;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::Group;
use super::listed::Listed;
use crate::http::problem::Problem;
use crate::pages::Visit;
use crate::pages::slots::Chip;
use crate::pages::wording;
use crate::views::certificates::IssuedView;
use crate::views::revocations::{RevokedView, What};
use crate::views::story;

/// A key, or a certificate that was revoked alone.
pub(super) struct Row {
    /// Where the page finds it.
    pub(super) anchor: String,
    pub(super) slot: SlotName,
    pub(super) key: KeyId,
    /// The end of the key's id.
    pub(super) short: String,
    pub(super) is_key: bool,
    pub(super) chip: Chip,
    pub(super) why: &'static str,
    /// The reason's name in RFC 5280, and its number there.
    pub(super) code: (&'static str, u8),
    pub(super) revoked_at: Timestamp,
    pub(super) ago: String,
    /// Since when it is not believed, where that is before, and how much before.
    pub(super) since: Option<(Timestamp, String)>,
    /// Who asked.
    pub(super) asked: Option<String>,
    /// The page of what people approved, or of the rotation, and its words.
    pub(super) page: (String, &'static str),
    pub(super) replaced: Option<Replaced>,
    pub(super) seq: u64,
    /// Of a key those that it took along; of a certificate itself.
    pub(super) certificates: Vec<CertificateLine>,
    /// Whether it is a key that never had a certificate.
    pub(super) bare: bool,
    /// Of a key since when its device holds it no longer.
    pub(super) destroyed: Option<Timestamp>,
}

/// The key that took another's place.
pub(super) struct Replaced {
    pub(super) key: KeyId,
    pub(super) short: String,
    pub(super) rotation: ActionId,
    /// Who asked for the rotation.
    pub(super) asked: Option<String>,
}

/// A certificate.
pub(super) struct CertificateLine {
    pub(super) id: CertificateId,
    pub(super) subject: String,
    pub(super) serial: String,
    pub(super) fingerprint: Hash,
    pub(super) listed: Listed,
    pub(super) chip: Chip,
}

impl Row {
    pub(super) fn new(
        visit: &Visit,
        founded: &Founded,
        issuers: &BTreeSet<KeyId>,
        Group { one, certificates }: Group,
    ) -> Result<Self, Problem> {
        let (is_key, at) = (one.what == What::Key, visit.member.at);
        let tenant = visit.member.ledger.tenant();
        let own = std::iter::once(&one).filter(|_| !is_key);
        let lines = own.chain(&certificates).map(|one| CertificateLine::new(founded, issuers, one));
        let certificates = lines.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        let certified = |key: KeyId| {
            founded.issuances().values().any(|issuance| issuance.key == key && issuance.issued().is_some())
        };
        let before = |since| {
            format!("{} before it was revoked", wording::span(wording::seconds_until(since, one.revoked_at)))
        };
        Ok(Self {
            anchor: anchor(&one),
            short: story::short_end(&one.key.to_string()),
            is_key,
            chip: Chip::of_reason(one.revocation_reason),
            why: why(one.revocation_reason, is_key),
            code: (rfc_name(one.reason_code), one.reason_code),
            revoked_at: one.revoked_at,
            ago: wording::ago(one.revoked_at, at),
            since: one
                .invalid_since
                .filter(|since| *since < one.revoked_at)
                .map(|since| (since, before(since))),
            asked: one.revoked_by.as_deref().map(|by| called(visit, by)),
            page: match founded.rotations().contains_key(&one.action) {
                true => {
                    (format!("/t/{tenant}/rotations/{}", one.action), "the rotation that made it needless")
                }
                false => (format!("/t/{tenant}/actions/{}", one.action), "what people approved"),
            },
            replaced: Replaced::of(visit, &one),
            seq: one.seq.get(),
            destroyed: match founded.keys().get(&one.key).map(|key| &key.state) {
                Some(KeyState::Destroyed { at, .. }) if is_key => Some(*at),
                _ => None,
            },
            bare: is_key && certificates.is_empty() && !certified(one.key),
            certificates,
            key: one.key,
            slot: one.slot,
        })
    }
}

impl Replaced {
    fn of(visit: &Visit, one: &RevokedView) -> Option<Self> {
        let key = one.replacement_key?;
        Some(Self {
            key,
            short: story::short_end(&key.to_string()),
            rotation: one.rotation?,
            asked: one.rotated_by.as_deref().map(|by| called(visit, by)),
        })
    }
}

impl CertificateLine {
    fn new(founded: &Founded, issuers: &BTreeSet<KeyId>, one: &RevokedView) -> Result<Option<Self>, Problem> {
        let (Some(id), Some(listed)) = (one.certificate, Listed::of(founded, issuers, one)) else {
            return Ok(None);
        };
        let Some(issued) = founded.issuance(id)?.issued() else { return Ok(None) };
        let view = IssuedView::new(issued)?;
        Ok(Some(Self {
            id,
            subject: view.subject,
            serial: view.serial,
            fingerprint: view.fingerprint,
            chip: listed.chip(),
            listed,
        }))
    }
}

fn anchor(one: &RevokedView) -> String {
    match one.what {
        What::Key => format!("key-{}", one.key),
        What::Certificate => format!("certificate-{}", one.id()),
    }
}

fn called(visit: &Visit, by: &str) -> String {
    by.parse::<ProposerId>().map_or_else(|_| by.to_owned(), |by| visit.names.proposer(by))
}

impl Chip {
    /// Why something was revoked, in a word or two.
    pub(in crate::pages) const fn of_reason(reason: RevocationReason) -> Self {
        match reason {
            RevocationReason::KeyCompromise => Self { tone: "bad", icon: "alarm", word: "Compromised" },
            RevocationReason::PrivilegeWithdrawn => {
                Self { tone: "bad", icon: "stop", word: "Privilege withdrawn" }
            }
            RevocationReason::Superseded => Self { tone: "dim", icon: "stop", word: "Superseded" },
            RevocationReason::CessationOfOperation => {
                Self { tone: "dim", icon: "stop", word: "No longer needed" }
            }
            RevocationReason::AffiliationChanged => {
                Self { tone: "dim", icon: "stop", word: "Affiliation changed" }
            }
        }
    }
}

/// Why a key or a certificate was revoked, as a sentence.
pub(in crate::pages) fn why(reason: RevocationReason, is_key: bool) -> &'static str {
    match (reason, is_key) {
        (RevocationReason::AffiliationChanged, _) => "Its owner’s affiliation changed",
        (RevocationReason::CessationOfOperation, _) => "It is no longer needed",
        (RevocationReason::KeyCompromise, true) => "Somebody else may hold or have used it",
        (RevocationReason::KeyCompromise, false) => "Somebody else may hold or have used its key",
        (RevocationReason::PrivilegeWithdrawn, _) => "Its privileges were withdrawn",
        (RevocationReason::Superseded, true) => "Another key took its place",
        (RevocationReason::Superseded, false) => "Another certificate took its place",
    }
}

/// The name of a reason's number in RFC 5280 §5.3.1.
const fn rfc_name(code: u8) -> &'static str {
    match code {
        1 => "keyCompromise",
        2 => "cACompromise",
        3 => "affiliationChanged",
        4 => "superseded",
        5 => "cessationOfOperation",
        9 => "privilegeWithdrawn",
        _ => "unspecified",
    }
}
