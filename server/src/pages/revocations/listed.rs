//! Whether a list says that a certificate is not to be believed, and whose list would.

use std::collections::BTreeSet;

use sealbook_ledger::ids::{KeyId, Seq, SlotName};
use sealbook_ledger::rotation::IssuerPolicy;
use sealbook_ledger::state::Founded;

use crate::pages::slots::Chip;
use crate::views::revocations::RevokedView;

/// Where a revoked certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listed {
    /// On the newest list of this CA's key.
    On {
        /// The CA's slot.
        slot: SlotName,
        /// Its key.
        key: KeyId,
        /// The newest list's number.
        number: Seq,
    },
    /// On a list of this CA, whose key somebody else may hold: what it says is not to be believed.
    OnCompromised(SlotName),
    /// On the next list of this CA.
    Next(SlotName),
    /// On none: the key of this CA that would say so signs no lists any more.
    Silent(SlotName),
    /// On none: it is a root's own.
    Own,
    /// On none of this ledger: a CA outside issued it.
    Outside,
}

impl Listed {
    /// Of a certificate; none of a key.
    pub(super) fn of(founded: &Founded, issuers: &BTreeSet<KeyId>, revoked: &RevokedView) -> Option<Self> {
        let certificate = revoked.certificate?;
        let Some(key) = revoked.listed_by else {
            let policy = founded.issuances().get(&certificate).map(|issuance| &issuance.policy.issuer);
            let outside = matches!(policy, Some(IssuerPolicy::Outside { .. }));
            return Some(if outside { Self::Outside } else { Self::Own });
        };
        let ca = founded.keys().get(&key)?;
        let slot = ca.slot.clone();
        let number = founded.crls().get(&key).map(|crl| crl.number).filter(|number| *number > revoked.seq);
        Some(match number {
            Some(_) if ca.is_compromised() => Self::OnCompromised(slot),
            Some(number) => Self::On { slot, key, number },
            None if issuers.contains(&key) => Self::Next(slot),
            None => Self::Silent(slot),
        })
    }

    /// The list that it is on: the CA's slot and key, and the list's number.
    pub(super) const fn list(&self) -> Option<(&SlotName, KeyId, Seq)> {
        match self {
            Self::On { slot, key, number } => Some((slot, *key, *number)),
            _ => None,
        }
    }

    /// The same as pages show it.
    pub(super) const fn chip(&self) -> Chip {
        match self {
            Self::On { .. } => Chip { tone: "ok", icon: "check", word: "Listed" },
            Self::Next(_) => Chip { tone: "warn", icon: "clock", word: "Not listed yet" },
            Self::OnCompromised(_) | Self::Silent(_) | Self::Own | Self::Outside => {
                Chip { tone: "warn", icon: "alarm", word: "On no list" }
            }
        }
    }

    /// Why it is on none, or which one it is to be on.
    pub(super) fn words(&self) -> String {
        match self {
            Self::On { .. } => String::new(),
            Self::Next(ca) => format!("The next list of {ca} names it."),
            Self::OnCompromised(ca) => {
                format!(
                    "The list of {ca} names it, and says nothing: somebody else may hold the key that signed it."
                )
            }
            Self::Silent(ca) => format!("The key of {ca} that issued it signs no lists."),
            Self::Own => {
                "A root’s own certificate is on nobody’s list: whoever trusts it has to be told.".to_owned()
            }
            Self::Outside => "A CA outside issued it: that CA’s list has to name it.".to_owned(),
        }
    }
}
