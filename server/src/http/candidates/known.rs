//! What is known about an invitation: who was invited, then what they registered.

use std::collections::BTreeSet;

use sealbook_ledger::action::{ActionDocument, Params};
use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::Role;
use sealbook_ledger::webauthn::{Credential, CredentialKind};
use serde::{Deserialize, Serialize};

use crate::http::auth::MemberCaller;
use crate::http::problem::Problem;
use crate::passkeys::Begun;
use crate::store::candidates::{CREDENTIAL, CandidateRow, ENROLMENT};

/// The body of an invitation's row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<String>,
    pub(super) roles: BTreeSet<Role>,
    /// Who it will be, once a browser was asked; or who it is, where a member registers another authenticator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) member: Option<MemberId>,
    /// What a browser was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<Begun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registered: Option<Registered>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registered {
    pub(super) member: MemberId,
    pub(super) credential: Credential,
    /// The bytes that the credential's attestation refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attestation: Option<B64>,
}

impl Known {
    pub(super) fn of(row: &CandidateRow) -> Result<Self, Problem> {
        Self::deserialize(&row.body).map_err(|error| Problem::of("store.corruption").because(error))
    }
}

/// The attestation objects that an action's credentials refer to: they are stored with the proposal, the first event
/// that names them.
///
/// Where a private key lives is what the server found out at a registration: a credential that claims anything but
/// `software` has to be one that a candidate registered here, for the very member.
pub(in crate::http) async fn attestations(
    member: &MemberCaller,
    document: &ActionDocument,
) -> Result<Vec<(Attachment, Vec<u8>)>, Problem> {
    let (of, credentials) = match &document.params {
        Params::MemberEnroll(params) => (params.member, params.credentials.as_slice()),
        Params::MemberRecover(params) => (params.member, params.credentials.as_slice()),
        Params::CredentialAdd(params) => (params.member, std::slice::from_ref(&params.credential)),
        _ => return Ok(Vec::new()),
    };
    let plain = |credential: &Credential| {
        credential.kind == CredentialKind::Software && credential.attestation.is_none()
    };
    if credentials.iter().all(plain) {
        return Ok(Vec::new());
    }
    let rows = member.store().candidates(member.ledger.id()).await?;
    let invited = rows.iter().filter(|row| row.purpose == ENROLMENT || row.purpose == CREDENTIAL);
    let registered: Vec<Registered> = invited
        .map(|row| Ok(Known::of(row)?.registered))
        .filter_map(Result::transpose)
        .collect::<Result<_, Problem>>()?;
    let mut attachments = Vec::new();
    for credential in credentials.iter().filter(|credential| !plain(credential)) {
        let found = registered.iter().find(|made| made.member == of && made.credential == *credential);
        let found = found.ok_or_else(|| Problem::of("credential.unregistered"))?;
        let bytes = found.attestation.as_ref().map(|bytes| bytes.as_bytes().to_vec());
        attachments.extend(credential.attestation.clone().zip(bytes));
    }
    Ok(attachments)
}
