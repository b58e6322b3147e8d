//! What callers are told when something is not done: `application/problem+json` (RFC 9457), from one table.
//!
//! A code decides kind, status and documentation anchor. Rules bring their codes with them ([`Rule::ALL`]); the rest is
//! [`BORDER`]. Nothing reads the text of an error.

use std::error::Error;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::public_key::PublicKeyError;
use sealbook_ledger::rule::{RefusalKind, Rule};
use sealbook_ledger::webauthn::AssertionError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::EngineError;
use crate::registration::RegistrationError;
use crate::store::StoreError;
use crate::text::TextError;
use crate::views::ViewError;

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
    const fn retry_after(self) -> Option<u64> {
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
    const fn is_internal(self) -> bool {
        matches!(self, Self::Fault | Self::Corrupt)
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Entry {
    /// Stable for ever.
    pub code: &'static str,
    /// What a caller can make of it.
    pub kind: Kind,
    /// What would satisfy it.
    pub sentence: &'static str,
}

const fn entry(code: &'static str, kind: Kind, sentence: &'static str) -> Entry {
    Entry { code, kind, sentence }
}

/// The codes that no rule brings, sorted.
pub const BORDER: &[Entry] = &[
    entry(
        "artifact.fields",
        Kind::Invalid,
        "The slot's policy demands more about the artifact: name, version or ticket is missing.",
    ),
    entry("assertion.authenticator_data", Kind::Forbidden, "The authenticator data is malformed."),
    entry(
        "assertion.backup_eligibility",
        Kind::Forbidden,
        "The credential's backup eligibility is not as enrolled.",
    ),
    entry(
        "assertion.backup_state",
        Kind::Forbidden,
        "The credential claims a backup that it is not eligible for.",
    ),
    entry("assertion.ceremony_type", Kind::Forbidden, "The client data must be of type webauthn.get."),
    entry(
        "assertion.challenge",
        Kind::Forbidden,
        "The assertion answers another challenge: sign exactly this document for this purpose.",
    ),
    entry(
        "assertion.client_data",
        Kind::Forbidden,
        "The client data must be a JSON object with type, challenge and origin.",
    ),
    entry("assertion.credential", Kind::Forbidden, "The assertion is of another credential."),
    entry("assertion.cross_origin", Kind::Forbidden, "The assertion was made in a frame of another origin."),
    entry(
        "assertion.origin",
        Kind::Forbidden,
        "The assertion was made at an origin that approvals don't come from.",
    ),
    entry(
        "assertion.relying_party",
        Kind::Forbidden,
        "The assertion or its credential is of another relying party.",
    ),
    entry("assertion.signature", Kind::Forbidden, "The assertion's signature does not hold."),
    entry(
        "assertion.too_long",
        Kind::Invalid,
        "A member of the assertion is longer than authenticators make it.",
    ),
    entry(
        "assertion.user_presence",
        Kind::Forbidden,
        "The authenticator must report that the user was present.",
    ),
    entry("assertion.user_verification", Kind::Forbidden, "The authenticator must verify its user."),
    entry(
        "auth.token",
        Kind::Unauthenticated,
        "Send a valid token: it is missing, wrong, expired, revoked, or not meant for this.",
    ),
    entry(
        "clock.skew",
        Kind::Unavailable,
        "The clocks of server and database differ by more than 2 s; containment alone is recorded until they agree.",
    ),
    entry(
        "custody.already_exists",
        Kind::Unavailable,
        "The device holds a key of this label already; its operator looks.",
    ),
    entry(
        "custody.ambiguous",
        Kind::Unavailable,
        "The device holds several keys of one label; its operator looks.",
    ),
    entry(
        "custody.bad_signature",
        Kind::Unavailable,
        "The device's signature does not verify, so it was not released.",
    ),
    entry("custody.busy", Kind::Unavailable, "Every session of the device is taken; try again shortly."),
    entry("custody.deadline_exceeded", Kind::Unavailable, "The device did not answer in time."),
    entry("custody.generating", Kind::Unavailable, "The device is still making this key."),
    entry("custody.hung", Kind::Unavailable, "Calls to the device hang; see /readyz."),
    entry(
        "custody.interrupted",
        Kind::Unavailable,
        "The device was interrupted; nobody knows yet what it did.",
    ),
    entry("custody.library_unavailable", Kind::Unavailable, "The device's module can't be loaded."),
    entry("custody.malformed", Kind::Unavailable, "The device answered what can't be read."),
    entry("custody.not_found", Kind::Unavailable, "The device has no key of this label."),
    entry("custody.pin_locked", Kind::Unavailable, "The device's PIN is locked; its operator unlocks it."),
    entry("custody.pin_missing", Kind::Unavailable, "The device's PIN is not configured."),
    entry("custody.pin_refused", Kind::Unavailable, "The device refuses its PIN."),
    entry("custody.refused", Kind::Unavailable, "The device refused."),
    entry("custody.token_ambiguous", Kind::Unavailable, "Several tokens have the configured label."),
    entry("custody.token_unavailable", Kind::Unavailable, "The device's token is not there."),
    entry(
        "custody.unavailable",
        Kind::Unavailable,
        "The device that holds the key does not answer; nothing was signed.",
    ),
    entry("custody.unknown", Kind::Unavailable, "No custody backend of this name is configured."),
    entry(
        "disclosure.mismatch",
        Kind::Invalid,
        "Send exactly the disclosures whose digests the document lists, `reason` among them.",
    ),
    entry("event.disclosures", Kind::Invalid, "The disclosures must be those whose digests the events list."),
    entry("event.too_long", Kind::Invalid, "The event would be longer than 65,535 bytes; send less."),
    entry("event.unknown", Kind::NotFound, "There is no such event, or it is not this caller's to read."),
    entry("event.unrepresentable", Kind::Invalid, "The event would have no canonical form."),
    entry("export.abandoned", Kind::Unavailable, "The export was cut off; start it again."),
    entry(
        "founding.incomplete",
        Kind::Conflict,
        "Not every founder has registered yet; the document comes with the last.",
    ),
    entry(
        "high_water.missing",
        Kind::Unavailable,
        "The ledger's high-water file is missing; the operator puts it back or accepts the loss.",
    ),
    entry(
        "high_water.write",
        Kind::Unavailable,
        "The ledger's high-water file can't be written; nothing was acknowledged.",
    ),
    entry("idempotency.key", Kind::Invalid, "An Idempotency-Key is 1 to 255 printable ASCII characters."),
    entry(
        "idempotency.other_content",
        Kind::Conflict,
        "This idempotency key was used for another request; use a new key.",
    ),
    entry(
        "ledger.corrupt",
        Kind::Corrupt,
        "What is stored does not verify; the ledger is frozen until its operator has run `sealbook doctor`.",
    ),
    entry(
        "ledger.unknown",
        Kind::Unavailable,
        "The ledger is not served here at the moment; try again shortly.",
    ),
    entry("method.unknown", Kind::Method, "The path exists but takes other methods."),
    entry("path.unknown", Kind::NotFound, "There is nothing at this path."),
    entry("rate.exceeded", Kind::Rate, "The slot's policy allows fewer signatures a minute."),
    entry("registration.ceremony_type", Kind::Invalid, "The client data must be of type webauthn.create."),
    entry("registration.challenge", Kind::Invalid, "The registration must answer the ticket's challenge."),
    entry(
        "registration.client_data",
        Kind::Invalid,
        "The client data must be a JSON object with type, challenge and origin.",
    ),
    entry("registration.kind", Kind::Invalid, "This version registers credentials of kind software only."),
    entry(
        "registration.origin",
        Kind::Invalid,
        "The registration must come from an origin that approvals come from.",
    ),
    entry(
        "registration.relying_party",
        Kind::Invalid,
        "The credential must be made for the ledger's relying party.",
    ),
    entry(
        "registration.too_long",
        Kind::Invalid,
        "Client data or credential id is longer than authenticators make it.",
    ),
    entry(
        "request.json",
        Kind::Invalid,
        "The body must be JSON of the documented form, without members that are unknown.",
    ),
    entry("request.malformed", Kind::Invalid, "The request can't be read."),
    entry("request.media_type", Kind::MediaType, "Send the body as application/json."),
    entry("request.query", Kind::Invalid, "The query holds an unknown name or a value of the wrong form."),
    entry("request.timeout", Kind::Timeout, "The body did not arrive within 10 seconds."),
    entry("request.too_large", Kind::TooLarge, "A body has at most 1 MiB."),
    entry("role.values", Kind::Invalid, "Name at least one role, each a role of the catalogue."),
    entry(
        "seal.behind",
        Kind::Unavailable,
        "Sealing is behind; new signatures and keys wait until it has caught up.",
    ),
    entry(
        "seal.pending",
        Kind::Unavailable,
        "No checkpoint covers this yet; try again shortly, or wait with `wait_ms`.",
    ),
    entry("server.busy", Kind::Unavailable, "The ledger's queue is full; try again shortly."),
    entry(
        "server.fault",
        Kind::Fault,
        "The server failed; its operator finds the cause in the log under the correlation id.",
    ),
    entry(
        "server.slow",
        Kind::Unavailable,
        "The ledger did not answer in time; what was asked may still happen: look before asking again.",
    ),
    entry(
        "server.stopping",
        Kind::Unavailable,
        "The server is stopping; ask another one, or try again shortly.",
    ),
    entry("session.full", Kind::Unavailable, "Too many people are signed in; try again later."),
    entry(
        "session.nonce",
        Kind::Unauthenticated,
        "The nonce is unknown, used or older than two minutes; ask for another.",
    ),
    entry(
        "session.not_shared",
        Kind::Forbidden,
        "This ledger's approval credentials don't sign in: its founders did not share them.",
    ),
    entry(
        "session.refused",
        Kind::Unauthenticated,
        "Member, credential and assertion don't belong together, or no longer hold.",
    ),
    entry("sign.input", Kind::Invalid, "Send either a digest or a message."),
    entry("signature.abandoned", Kind::Unavailable, "Nobody knows whether the device signed; ask again."),
    entry("signature.failed", Kind::Unavailable, "The device did not sign."),
    entry(
        "signature.pending",
        Kind::Unavailable,
        "The first request with this idempotency key is still under way; ask again.",
    ),
    entry(
        "store.commit_unknown",
        Kind::Unavailable,
        "The database went away during a commit; ask again with the same idempotency key to learn its outcome.",
    ),
    entry("store.conflict", Kind::Unavailable, "Other writers were faster again and again; try again."),
    entry(
        "store.corruption",
        Kind::Corrupt,
        "What is stored can't be true; the operator runs `sealbook doctor`.",
    ),
    entry("store.disk_full", Kind::Unavailable, "The database's disk is full; nothing was written."),
    entry(
        "store.fault",
        Kind::Fault,
        "The database is not set up as it should be; its operator finds the cause in the log.",
    ),
    entry("store.unavailable", Kind::Unavailable, "The database does not answer; nothing was written."),
    entry("tenant.exists", Kind::Conflict, "A tenant of this name exists already."),
    entry("tenant.founders", Kind::Invalid, "A ledger is founded by 2 to 16 people."),
    entry("tenant.unknown", Kind::NotFound, "There is no such tenant for this token."),
    entry("text.characters", Kind::Invalid, "Control characters and direction marks are refused in texts."),
    entry("text.length", Kind::Invalid, "Names have 1 to 200 bytes, other texts 1 to 1,000."),
    entry("ticket.invalid", Kind::Conflict, "The ticket is unknown, used or expired; ask for another."),
];

/// Every code there is, rules first.
pub fn table() -> impl Iterator<Item = Entry> {
    Rule::ALL.into_iter().map(of_rule).chain(BORDER.iter().copied())
}

fn of_rule(rule: Rule) -> Entry {
    let kind = match rule.kind() {
        RefusalKind::Invalid => Kind::Invalid,
        RefusalKind::NotFound => Kind::NotFound,
        RefusalKind::Forbidden => Kind::Forbidden,
        RefusalKind::Conflict => Kind::Conflict,
    };
    entry(rule.code(), kind, rule.sentence())
}

fn lookup(code: &str) -> Option<Entry> {
    table().find(|entry| entry.code == code)
}

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

impl From<AssertionError> for Problem {
    fn from(error: AssertionError) -> Self {
        Self::of(error.code()).saying(&error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_one_line_a_status_and_a_sentence() {
        let mut codes = BTreeSet::new();
        for entry in table() {
            assert!(codes.insert(entry.code), "{} is listed twice", entry.code);
            assert!(entry.sentence.ends_with('.') && entry.sentence.len() > 10, "{}", entry.code);
            assert!(entry.kind.status().is_client_error() || entry.kind.status().is_server_error());
            assert!(entry.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'));
        }
        assert!(Rule::ALL.iter().all(|rule| codes.contains(rule.code())));
    }

    #[test]
    fn the_border_is_sorted_for_whoever_reads_it() {
        assert!(BORDER.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn the_kinds_of_refusal_become_the_contracts_statuses() {
        for (rule, status) in [
            (Rule::DigestLength, 400),
            (Rule::ApprovalOwn, 403),
            (Rule::SlotUnknown, 404),
            (Rule::SlotSuspended, 409),
        ] {
            assert_eq!(Problem::from(rule).status_code().as_u16(), status, "{rule}");
        }
    }

    #[test]
    fn a_slot_that_a_service_may_not_use_looks_like_none() {
        let (foreign, unknown) = (Problem::from(Rule::ServiceSlot), Problem::from(Rule::SlotUnknown));
        assert_eq!(foreign.to_string(), unknown.to_string());
    }

    #[test]
    fn every_error_of_assertions_registrations_texts_and_the_store_is_in_the_table() {
        let json = || serde_json::from_str::<u8>("x").unwrap_err();
        let assertions = [
            AssertionError::TooLong { member: "signature", max: 1 },
            AssertionError::Credential,
            AssertionError::ClientData(json()),
            AssertionError::CeremonyType,
            AssertionError::Challenge,
            AssertionError::Origin,
            AssertionError::CrossOrigin,
            AssertionError::AuthenticatorData { why: "short" },
            AssertionError::RelyingParty,
            AssertionError::UserPresence,
            AssertionError::UserVerification,
            AssertionError::BackupEligibility,
            AssertionError::BackupState,
            AssertionError::Signature,
        ];
        let registrations = [
            RegistrationError::TooLong,
            RegistrationError::ClientData(json()),
            RegistrationError::CeremonyType,
            RegistrationError::Challenge,
            RegistrationError::Origin,
            RegistrationError::RelyingParty,
            RegistrationError::Kind,
        ];
        let stores = [
            StoreError::Unavailable { doing: "x", source: None },
            StoreError::DiskFull { doing: "x", source: "full".into() },
            StoreError::CommitUnknown { source: None },
            StoreError::Conflict { what: "x", source: None },
            StoreError::Corruption { what: "x", source: None },
            StoreError::Fault { what: "x", source: None },
        ];
        let texts = [TextError::Length { max: 1, len: 2 }, TextError::Character('\0')];
        let codes = assertions.iter().map(AssertionError::code);
        let codes = codes.chain(registrations.iter().map(RegistrationError::code));
        let codes = codes.chain(stores.iter().map(StoreError::code)).chain(texts.iter().map(TextError::code));
        for code in codes {
            assert!(lookup(code).is_some(), "{code}");
        }
    }

    #[test]
    fn a_fault_keeps_its_cause_to_itself() {
        let problem = Problem::fault("the password is hunter2").saying("hunter2");
        let sent = serde_json::to_string(&problem.document("https://a.example", None)).unwrap();
        assert!(!sent.contains("hunter2"));
        assert!(problem.internal().and_then(Error::source).is_some());
        assert!(Problem::of("slot.unknown").internal().is_none());
    }

    #[test]
    fn a_document_links_its_code() {
        let document = Problem::of("slot.unknown").document("https://a.example", Some("c".into()));
        assert_eq!(document.kind, "https://a.example/docs/errors#slot.unknown");
        assert_eq!((document.status, document.title), (404, "Not found"));
    }
}
