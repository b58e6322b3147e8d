//! What callers are told when something is not done: `application/problem+json` (RFC 9457), from one table.
//!
//! A code decides kind, status and documentation anchor. Rules bring their codes with them ([`Rule::ALL`]); the rest is
//! [`BORDER`]. Nothing reads the text of an error.

mod kind;
mod table;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::public_key::PublicKeyError;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::webauthn::AssertionError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::EngineError;
use crate::passkeys::PasskeyError;
use crate::registration::RegistrationError;
use crate::store::StoreError;
use crate::text::TextError;
use crate::views::ViewError;

use table::{entry, lookup};

pub use kind::Kind;
pub use table::{BORDER, Entry, table};

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem {
    code: &'static str,
    kind: Kind,
    detail: String,
    retry_after: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// A problem as it is sent (RFC 9457 §3).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Where the code is documented.
    #[serde(rename = "type")]
    #[schema(example = "https://sealbook.example.com/docs/errors#slot.suspended")]
    pub kind: String,
    /// The same for every problem of a kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and what would help.
    pub detail: String,
    /// The stable code.
    pub code: &'static str,
    /// Finds the request in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

impl Problem {
    /// The problem of a code of the table, with the table's sentence.
    ///
    /// A code that the table lacks is the server's fault, and said so.
    pub fn of(code: &'static str) -> Self {
        let entry = lookup(code).unwrap_or(entry(
            code,
            Kind::Fault,
            "The server failed; its operator finds the cause in the log under the correlation id.",
        ));
        Self {
            code,
            kind: entry.kind,
            detail: entry.sentence.to_owned(),
            retry_after: entry.kind.retry_after(),
            source: None,
        }
    }

    /// A code that belongs to a kind whether or not the table lists it.
    fn of_kind(code: &'static str, kind: Kind, detail: String) -> Self {
        let kind = lookup(code).map_or(kind, |entry| entry.kind);
        Self { code, kind, detail, retry_after: kind.retry_after(), source: None }
    }

    /// Says more than the table does. Only for what the caller sent, or may know.
    pub fn saying(mut self, detail: impl fmt::Display) -> Self {
        if !self.kind.is_internal() {
            self.detail = detail.to_string();
        }
        self
    }

    /// Keeps the cause, for the log.
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A failure of the server itself.
    pub fn fault(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::of("server.fault").because(source)
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What a caller can make of it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Seconds after which the same request may succeed.
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// What is worth an operator's attention: the error with its cause.
    pub fn internal(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.is_internal().then_some(self)
    }

    /// Whether it is a refusal that a ledger records: one that its rules, or a slot's guards, make.
    pub fn is_recorded(&self) -> bool {
        self.kind == Kind::Rate || Rule::ALL.iter().any(|rule| rule.code() == self.code)
    }

    /// The document that is sent.
    pub fn document(&self, public_url: &str, correlation: Option<String>) -> ProblemDocument {
        ProblemDocument {
            kind: format!("{public_url}/docs/errors#{}", self.code),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            correlation,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

/// The body is written by [`answer`](super::answer::answer), which knows the public URL and the correlation.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

impl From<Rule> for Problem {
    fn from(rule: Rule) -> Self {
        // What a slot that a service may not use looks like, or whether it is there, is not for the service.
        match rule {
            Rule::ServiceSlot => Self::of(Rule::SlotUnknown.code()),
            other => Self::of(other.code()),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let code = error.code();
        match &error {
            EngineError::Refused(Refusal::Rule(rule)) => (*rule).into(),
            EngineError::Refused(Refusal::TooLong | Refusal::Unrepresentable(_) | Refusal::Disclosures) => {
                Self::of_kind(code, Kind::Invalid, error.to_string())
            }
            EngineError::Conflict { sentence, .. } => {
                Self::of_kind(code, Kind::Conflict, (*sentence).to_owned())
            }
            EngineError::Unavailable { sentence, .. } => {
                Self::of_kind(code, Kind::Unavailable, sentence.clone()).because(error)
            }
            EngineError::Corrupt(_) => Self::of("ledger.corrupt").because(error),
            EngineError::Fault { .. } => Self::of("server.fault").because(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::of(error.code()).because(error)
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Store(error) => error.into(),
            ViewError::Corrupt { .. } => Self::of("ledger.corrupt").because(error),
        }
    }
}

impl From<PublicKeyError> for Problem {
    /// A recorded key that can't be read; what callers send is checked where it comes in.
    fn from(error: PublicKeyError) -> Self {
        Self::of("ledger.corrupt").because(error)
    }
}

impl From<TextError> for Problem {
    fn from(error: TextError) -> Self {
        Self::of(error.code()).saying(&error)
    }
}

impl From<RegistrationError> for Problem {
    fn from(error: RegistrationError) -> Self {
        Self::of(error.code()).saying(&error)
    }
}

impl From<PasskeyError> for Problem {
    fn from(error: PasskeyError) -> Self {
        Self::of(error.code()).saying(&error).because(error)
    }
}

impl From<AssertionError> for Problem {
    fn from(error: AssertionError) -> Self {
        Self::of(error.code()).saying(&error)
    }
}
