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
use crate::passkeys::{Begun, MadePasskey};
use crate::relying_parties::{RelyingParties, Use};
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
    /// What a member's other authenticators are to be for; empty says: for approving.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) uses: BTreeSet<Use>,
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
    /// The passkey that signs in, where an enrolment has one beside the one that approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sign_in: Option<MadePasskey>,
}

impl Registered {
    /// The credentials as an enrolment takes them.
    pub(super) fn credentials(&self) -> Vec<Credential> {
        let both = std::iter::once(&self.credential).chain(self.sign_in.iter().map(|made| &made.credential));
        let mut credentials: Vec<Credential> = both.cloned().collect();
        credentials.sort_by_key(|credential| credential.credential_id.to_string());
        credentials
    }

    /// The attestation of one of them; `None` where it is none of them.
    fn evidence_of(&self, credential: &Credential) -> Option<Option<&B64>> {
        let second = self.sign_in.as_ref().filter(|made| made.credential == *credential);
        let first = (self.credential == *credential).then_some(self.attestation.as_ref());
        first.or_else(|| second.map(|made| made.attestation.as_ref()))
    }
}

impl Known {
    /// What is to be registered next under this invitation; `None` once everything is.
    pub(super) fn next(&self, purpose: &str, parties: &RelyingParties) -> Option<Use> {
        let made = self.registered.as_ref().map_or(0, |made| 1 + usize::from(made.sign_in.is_some()));
        self.wanted(purpose, parties).get(made).copied()
    }

    /// What is registered under this invitation, in this order.
    pub(super) fn wanted(&self, purpose: &str, parties: &RelyingParties) -> Vec<Use> {
        match purpose {
            CREDENTIAL if self.uses.is_empty() => vec![Use::Approve],
            CREDENTIAL => self.uses.iter().copied().collect(),
            _ => parties.uses().to_vec(),
        }
    }

    /// Keeps what was registered.
    pub(super) fn add(&mut self, member: MemberId, made: MadePasskey) {
        self.begun = None;
        self.member = Some(member);
        match &mut self.registered {
            Some(registered) => registered.sign_in = Some(made),
            None => {
                let MadePasskey { credential, attestation } = made;
                self.registered = Some(Registered { member, credential, attestation, sign_in: None });
            }
        }
    }

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
        let mut own = registered.iter().filter(|made| made.member == of);
        let found = own.find_map(|made| made.evidence_of(credential));
        let bytes = found.ok_or_else(|| Problem::of("credential.unregistered"))?;
        let bytes = bytes.map(|bytes| bytes.as_bytes().to_vec());
        attachments.extend(credential.attestation.clone().zip(bytes));
    }
    Ok(attachments)
}
