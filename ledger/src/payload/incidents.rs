//! Payloads of incidents and drills (rules version 4).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::encoding::Hash;
use crate::ids::{ChannelName, IncidentId, KeyId, MemberId, Seq, SlotName};
use crate::incident::{IncidentOutcome, IncidentStep};
use crate::timestamp::Timestamp;

/// See [`super::Payload::IncidentOpened`]; who opens it is the event's actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentOpened {
    /// Until when whoever is called has to answer: holders of `incident_commander` or `change_board` but for the opener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge_by: Option<Timestamp>,
    /// Whether it is practised on a key that was made for it.
    pub drill: bool,
    /// The last incident about this key, where there was one: its clocks go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<IncidentId>,
    /// Its id.
    pub incident: IncidentId,
    /// The key that somebody else may hold or have used.
    pub key: KeyId,
    /// Its slot.
    pub slot: SlotName,
    /// Since when that is suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected_since: Option<Timestamp>,
    /// Whether people talk each step of a drill through before it is taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tabletop: bool,
    /// Within how many seconds from the opening steps are to be taken: 1 to 432 000 (five days).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<IncidentStep, u32>,
}

payload!(
    /// See [`super::Payload::IncidentAcknowledged`]; who takes part is the event's actor.
    IncidentAcknowledged {
        /// The incident.
        incident: IncidentId,
    }
);

payload!(
    /// See [`super::Payload::IncidentEscalated`].
    IncidentEscalated {
        /// The incident.
        incident: IncidentId,
        /// Whoever was called and has not answered in time.
        missed: BTreeSet<MemberId>,
    }
);

payload!(
    /// See [`super::Payload::IncidentNoted`]; the note is a disclosure.
    IncidentNoted {
        /// The incident.
        incident: IncidentId,
    }
);

/// See [`super::Payload::IncidentScoped`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentScoped {
    /// How many signatures may be affected.
    pub count: u64,
    /// The first of their authorisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Seq>,
    /// The incident.
    pub incident: IncidentId,
    /// The last of their authorisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Seq>,
    /// SHA-256 of the list of them (docs/spec/blast-radius.md).
    pub list: Hash,
    /// From when on they count; all of the key's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The size of the ledger that was looked through.
    pub size: u64,
}

payload!(
    /// See [`super::Payload::IncidentWithdrawn`].
    IncidentWithdrawn {
        /// Where affected artifacts are offered no longer.
        channel: ChannelName,
        /// The incident.
        incident: IncidentId,
    }
);

/// See [`super::Payload::IncidentResigned`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentResigned {
    /// How many of the signatures need no other one: what they are over is given up.
    pub dropped: u64,
    /// The incident.
    pub incident: IncidentId,
    /// The key that has signed again; exactly where anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// How many of them it has signed again.
    pub resigned: u64,
}

payload!(
    /// See [`super::Payload::IncidentReinstated`].
    IncidentReinstated {
        /// Where replacements, which verify, are offered instead.
        channel: ChannelName,
        /// The incident.
        incident: IncidentId,
    }
);

payload!(
    /// See [`super::Payload::IncidentAdvised`]; reference and text are disclosures.
    IncidentAdvised {
        /// The incident.
        incident: IncidentId,
    }
);

payload!(
    /// See [`super::Payload::IncidentClosed`].
    IncidentClosed {
        /// The incident.
        incident: IncidentId,
        /// What it came to.
        outcome: IncidentOutcome,
        /// How many events it has, this one included: none can be left out of its statement.
        steps: u64,
    }
);

impl super::Payload {
    /// The incident that it is a step of.
    pub fn incident(&self) -> Option<IncidentId> {
        match self {
            Self::IncidentAcknowledged(p) => Some(p.incident),
            Self::IncidentAdvised(p) => Some(p.incident),
            Self::IncidentClosed(p) => Some(p.incident),
            Self::IncidentEscalated(p) => Some(p.incident),
            Self::IncidentNoted(p) => Some(p.incident),
            Self::IncidentOpened(p) => Some(p.incident),
            Self::IncidentReinstated(p) => Some(p.incident),
            Self::IncidentResigned(p) => Some(p.incident),
            Self::IncidentScoped(p) => Some(p.incident),
            Self::IncidentWithdrawn(p) => Some(p.incident),
            _ => None,
        }
    }
}
