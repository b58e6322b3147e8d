//! What can go wrong with a device, by what it means for the caller.

use std::time::Duration;

use thiserror::Error;

/// The error that a backend's own library reported.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a call to a device has no result.
#[derive(Debug, Error)]
pub enum CustodyError {
    /// The request can't be granted for this key, algorithm or input, now or later.
    #[error("the device can't do this: {why}")]
    Refused {
        /// What doesn't fit.
        why: String,
        /// What the device said, where it was asked.
        #[source]
        source: Option<Cause>,
    },
    /// There is no private key under the label.
    #[error("the device has no private key labelled {label:?}")]
    NotFound {
        /// The label.
        label: String,
    },
    /// The label is taken.
    #[error("the device already has an object labelled {label:?}; it is never overwritten")]
    AlreadyExists {
        /// The label.
        label: String,
    },
    /// Several keys carry the label: which one is meant can't be known.
    #[error("the device has {count} keys labelled {label:?}; remove or relabel all but one")]
    Ambiguous {
        /// The label.
        label: String,
        /// How many there are.
        count: usize,
    },
    /// The device can't be reached at present; nothing was done.
    #[error("the device is unavailable: {why}")]
    Unavailable {
        /// What is missing.
        why: Unavailability,
        /// What the device or its library said.
        #[source]
        source: Option<Cause>,
    },
    /// The device didn't answer in time. **The outcome is unknown**: it may still do what it was asked.
    #[error("the device didn't answer within {after:?}; whether it did the work is unknown")]
    DeadlineExceeded {
        /// How long it was waited for.
        after: Duration,
    },
    /// The device was asked, and what became of it can't be told: it went away in the middle, or a key that it made
    /// can't be read back. **The outcome is unknown.**
    #[error("the call to the device was interrupted; whether it did the work is unknown")]
    Interrupted {
        /// What came in between.
        #[source]
        source: Option<Cause>,
    },
    /// The device answered with something that can't be what was asked for.
    #[error("the device's answer is malformed: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
}

/// What is missing for a device to be reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unavailability {
    /// The library can't be loaded or initialised.
    #[error("its library can't be loaded or initialised")]
    Library,
    /// No token with the configured label, or it went away.
    #[error("the token isn't there or stopped answering")]
    Token,
    /// Several tokens carry the configured label.
    #[error("several tokens carry the configured label")]
    AmbiguousToken,
    /// The PIN can't be read from its file or environment variable.
    #[error("the PIN can't be read from where the configuration says")]
    PinSource,
    /// The token refused the PIN. It isn't tried again until it changes: tokens lock themselves after a few attempts.
    #[error("the token refused the PIN; it isn't tried again until it is corrected")]
    PinRefused,
    /// The token has locked the PIN.
    #[error("the token has locked the PIN; its security officer must reset it")]
    PinLocked,
    /// The queue is full, or no session became free before the deadline. The device wasn't asked.
    #[error("all its sessions are busy")]
    Busy,
    /// A key of this label is still being made by a call that has not returned.
    #[error("a key under this label is still being made")]
    Generating,
    /// Too many calls hang inside the library.
    #[error("too many calls hang inside its library; restart the server")]
    Hung,
}

impl CustodyError {
    /// The error's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "custody.refused",
            Self::NotFound { .. } => "custody.not_found",
            Self::AlreadyExists { .. } => "custody.already_exists",
            Self::Ambiguous { .. } => "custody.ambiguous",
            Self::Unavailable { why, .. } => why.code(),
            Self::DeadlineExceeded { .. } => "custody.deadline_exceeded",
            Self::Interrupted { .. } => "custody.interrupted",
            Self::Malformed { .. } => "custody.malformed",
        }
    }

    /// Whether the device may have done the work, or may still do it.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::DeadlineExceeded { .. } | Self::Interrupted { .. })
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into(), source: None }
    }

    pub(super) fn interrupted_by(source: Self) -> Self {
        Self::Interrupted { source: Some(source.into()) }
    }

    pub(super) fn unavailable(why: Unavailability) -> Self {
        Self::Unavailable { why, source: None }
    }

    pub(super) fn unavailable_because(why: Unavailability, source: impl Into<Cause>) -> Self {
        Self::Unavailable { why, source: Some(source.into()) }
    }

    pub(super) fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed { why: why.into() }
    }
}

impl Unavailability {
    /// The stable code of this reason.
    pub fn code(self) -> &'static str {
        match self {
            Self::Library => "custody.library_unavailable",
            Self::Token => "custody.token_unavailable",
            Self::AmbiguousToken => "custody.token_ambiguous",
            Self::PinSource => "custody.pin_missing",
            Self::PinRefused => "custody.pin_refused",
            Self::PinLocked => "custody.pin_locked",
            Self::Busy => "custody.busy",
            Self::Generating => "custody.generating",
            Self::Hung => "custody.hung",
        }
    }
}
