//! Everything that a request can bring beside its headers, by name: what reads it is what the handlers use, so that it can
//! be tried without a server.

use actix_web::web::Query;
use serde::de::DeserializeOwned;

use super::body;

/// Reads a form; says why not.
pub type ReadForm = fn(&[u8]) -> Result<(), String>;

macro_rules! forms {
    ($by:ident: $($module:ident::$form:ident),+ $(,)?) => {
        &[$((stringify!($form), $by::<super::$module::$form>)),+]
    };
}

/// The bodies of requests, by the names of their forms.
pub const BODIES: &[(&str, ReadForm)] = forms! { body:
    actions::ProposalBody,
    actions::DecisionBody,
    actions::RejectionBody,
    batches::BatchBody,
    candidates::InvitationBody,
    candidates::CandidateRegistration,
    candidates::AnotherBody,
    certificates::ChainBody,
    drafts::DraftBody,
    drills::DrillBody,
    evidence::EvidenceBody,
    founding::FounderRegistration,
    founding::FounderAssertion,
    incident_steps::AdvisoryBody,
    incident_steps::ChannelBody,
    incident_steps::ClosingBody,
    incident_steps::FoundBody,
    incident_steps::NoteBody,
    incident_steps::ResignBody,
    incidents::OpeningBody,
    passkey_sessions::ChallengeBody,
    passkey_sessions::PasskeyBody,
    reports::PeriodBody,
    rotations::NoMembers,
    rotations::StopBody,
    sessions::Empty,
    sessions::SessionBody,
    signing::SignBody,
    signing::VerifyBody,
    suspensions::SuspensionBody,
    tenants::TenantBody,
};

/// The queries of requests, by the names of their forms.
pub const QUERIES: &[(&str, ReadForm)] = forms! { query:
    actions::ActionQuery,
    audit::AsAtQuery,
    audit::SampleQuery,
    blast_radius::ProvenQuery,
    blast_radius::ScopeQuery,
    certificates::CertificateQuery,
    events::EventQuery,
    evidence::EvidenceQuery,
    proofs::Wait,
    proofs::Since,
    proofs::ExportQuery,
    incidents::IncidentQuery,
    revocations::RevocationQuery,
    rotations::RotationQuery,
    rotations::Until,
    slots::KeyForm,
};

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    body::parse::<T>(bytes).map(drop).map_err(|problem| problem.to_string())
}

fn query<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Query::<T>::from_query(text).map(drop).map_err(|error| body::refused_query(&error).to_string())
}
