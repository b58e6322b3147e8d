//! What callers can make of a problem, and its status.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What a caller can make of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request can't be right in any state.
    Invalid,
    /// Nobody knows who asks.
    Unauthenticated,
    /// Whoever asks may not.
    Forbidden,
    /// What it names does not exist, or not for this caller.
    NotFound,
    /// The path takes other methods.
    Method,
    /// The request did not arrive in time.
    Timeout,
    /// It does not fit the state that things are in.
    Conflict,
    /// The body is too long.
    TooLarge,
    /// The body is of another media type.
    MediaType,
    /// Too many at once.
    Rate,
    /// Something the server needs is away: the same request may succeed later.
    Unavailable,
    /// A bug, or a broken installation.
    Fault,
    /// What is stored can't be true; the ledger is frozen.
    Corrupt,
}

impl Kind {
    /// The HTTP status (RFC 9110 §15).
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Rate => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault | Self::Corrupt => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A short title, the same for every problem of the kind.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Invalid => "The request is not valid",
            Self::Unauthenticated => "Not authenticated",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::Method => "Method not allowed",
            Self::Timeout => "The request took too long to arrive",
            Self::Conflict => "Conflict with the present state",
            Self::TooLarge => "The request is too large",
            Self::MediaType => "Unsupported media type",
            Self::Rate => "Too many requests",
            Self::Unavailable => "Unavailable for now",
            Self::Fault => "The server failed",
            Self::Corrupt => "The ledger is damaged",
        }
    }

    /// Whether a retry needs no change: such answers carry `Retry-After`, in seconds.
    pub(super) const fn retry_after(self) -> Option<u64> {
        match self {
            Self::Unavailable => Some(2),
            Self::Rate => Some(10),
            Self::Invalid
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Method
            | Self::Timeout
            | Self::Conflict
            | Self::TooLarge
            | Self::MediaType
            | Self::Fault
            | Self::Corrupt => None,
        }
    }

    /// Whether it is worth an operator's attention, and its details are not for callers.
    pub(super) const fn is_internal(self) -> bool {
        matches!(self, Self::Fault | Self::Corrupt)
    }
}
