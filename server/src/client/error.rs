//! What can go wrong between a client and a server, each with a code, a sentence and what to do about it.

use std::time::Duration;

use serde::Deserialize;

use super::base_url::InvalidUrl;
use super::token::InvalidToken;
use crate::authenticator::AuthenticatorError;

/// A problem as the server described it (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// A short name for the kind of problem.
    pub title: String,
    /// What happened this time.
    pub detail: Option<String>,
    /// The events' correlation, to be named to whoever runs the server.
    pub correlation: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct ProblemJson {
    title: Option<String>,
    detail: Option<String>,
    code: Option<String>,
    correlation: Option<String>,
}

impl Problem {
    /// Reads a problem; an answer that isn't one still has its status.
    pub(super) fn parse(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let json: Option<ProblemJson> = serde_json::from_slice(body).ok();
        let json = json.unwrap_or(ProblemJson { title: None, detail: None, code: None, correlation: None });
        Self {
            status,
            code: json.code.unwrap_or_else(|| format!("http.{status}")),
            title: json.title.unwrap_or_else(|| format!("the server answered with HTTP status {status}")),
            detail: json.detail,
            correlation: json.correlation,
            retry_after,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or(&self.title))
    }
}

/// Why a call brought no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's URL.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The system's certificate store holds nothing to check a server by.
    #[error("no certificate authority is trusted on this machine")]
    NoRoots,
    /// The server can't be reached, or the connection broke.
    #[error("{url} can't be reached: {source}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the transport said.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The deadline passed.
    #[error("{url} did not answer in time")]
    TimedOut {
        /// Where it was asked.
        url: String,
    },
    /// The answer is longer than an answer of its kind can be.
    #[error("the answer is longer than {max} bytes")]
    TooLong {
        /// The bound in bytes.
        max: u64,
    },
    /// The answer is not of the form that the contract fixes.
    #[error("the server's answer to {path} is not of the expected form")]
    Form {
        /// What was asked for.
        path: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The request could not be written.
    #[error("the request can't be written as JSON")]
    Request(#[source] serde_json::Error),
    /// The server answered with a token of another kind.
    #[error("the server answered with a token that is none")]
    Token(#[from] InvalidToken),
    /// The server refused, or could not.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The person's authenticator could not answer.
    #[error("the authenticator can't sign in")]
    Authenticator(#[from] AuthenticatorError),
    /// Nobody has said which member the authenticator belongs to.
    #[error("it is not known here which member this authenticator belongs to")]
    MemberUnknown,
    /// The cached session could not be kept.
    #[error("the session can't be kept in {}", path.display())]
    Cache {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl ClientError {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Url(_) => "client.url",
            Self::NoRoots => "client.no_roots",
            Self::Unreachable { .. } => "client.unreachable",
            Self::TimedOut { .. } => "client.timed_out",
            Self::TooLong { .. } => "client.answer_too_long",
            Self::Form { .. } => "client.answer_form",
            Self::Request(_) => "client.request_form",
            Self::Token(_) => "client.answer_token",
            Self::Problem(problem) => &problem.code,
            Self::Authenticator(error) => error.code(),
            Self::MemberUnknown => "client.member_unknown",
            Self::Cache { .. } => "client.cache",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url(_) => "Give the server's address with --url or SEALBOOK_URL.",
            Self::NoRoots => "Install the ca-certificates package, or set SSL_CERT_FILE.",
            Self::Unreachable { .. } => {
                "Check --url, and that the server runs; `sealbook doctor` looks closer."
            }
            Self::TimedOut { .. } => "Try again; `sealbook doctor` shows whether the server is ready.",
            Self::TooLong { .. } | Self::Form { .. } | Self::Token(_) => {
                "Check that --url is a Sealbook server of this version."
            }
            Self::Request(_) => "Shorten or correct what was given.",
            Self::Problem(problem) => hint_for(problem),
            Self::Authenticator(_) => "Check the file given with --as.",
            Self::MemberUnknown => {
                "Register the authenticator first, or name the member with --member or SEALBOOK_MEMBER."
            }
            Self::Cache { .. } => "Make the folder writable, or name another with --state.",
        }
    }

    /// The problem that the server described, if it did.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the server said that it can't at present, and nothing was wrong with the request.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 429 | 500..=599),
            _ => false,
        }
    }

    /// Whether a sign-in mends it: the session has ended, or is not fresh enough for what was asked.
    pub(super) fn wants_sign_in(&self) -> bool {
        self.problem().is_some_and(|problem| problem.status == 401 || problem.code == "session.stale")
    }
}

/// By code where a code has an answer of its own, by status otherwise.
fn hint_for(problem: &Problem) -> &'static str {
    match problem.code.as_str() {
        "tenant.unknown" => "Check --tenant, and that whoever asks belongs to it.",
        "slot.unknown" => {
            "Check the name with `sealbook slot list`; a service sees only slots it was granted."
        }
        "slot.suspended" => "Propose to resume it: `sealbook slot resume`.",
        "approval.own" => "Somebody else has to approve it.",
        "signing.approval" => "Have it approved first: propose signing.approve, or let a service ask for it.",
        "signing.names" => "Sign in several runs of fewer files.",
        "role.missing" => "Somebody who holds the role has to do it, or name another with --role.",
        "quorum.unreachable" => "Enrol enough people first.",
        "action.voided" | "action.expired" => "Propose it again.",
        "assertion.invalid" => "Check that --url is the address that the ledger's approval origins list.",
        "founding.missing" => "Finish the founding first: `sealbook founding show`.",
        "incident.open" | "incident.step" => {
            "`sealbook incident show` says what is left, and what comes next."
        }
        "incident.busy" => "Go on with the one that is open: `sealbook incident list --open`.",
        "incident.drill" => {
            "Start drills on slots for drills (`sealbook drill list`), and open incidents on others."
        }
        "advisory.markup" => "Write it in plain words; name links as they are, without brackets round them.",
        "seal.pending" => "Try again in a moment; the event is recorded and waits to be sealed.",
        "ledger.corrupt" => "Stop, keep everything as it is, and call whoever runs the server.",
        _ => match problem.status {
            400 => "Correct the request.",
            401 => "Use a token or authenticator that is in force.",
            403 => "Somebody with the right role has to do it.",
            404 => "Check the name or id.",
            409 => {
                "Look at the present state first, e.g. with `sealbook slot show` or `sealbook action show`."
            }
            413 => "Send less.",
            429 => "Slow down and try again.",
            503 => "Try again; `sealbook doctor` shows what is missing.",
            _ => "Name the code and correlation to whoever runs the server.",
        },
    }
}
