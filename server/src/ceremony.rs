//! The founding ceremony: a ledger is opened, its founders register with one-time tickets, and each signs the same
//! document. Only then does anybody exist in the ledger.

use std::collections::BTreeSet;

use sealbook_ledger::attachment::Attachment;
use sealbook_ledger::canonical;
use sealbook_ledger::command::{Command, Founder};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::founding::{founder_data, founding_digest};
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::note::Vkey;
use sealbook_ledger::payload::{FounderAssertion, FoundingDocument, LedgerFounded, MemberEnrolled};
use sealbook_ledger::policy::{LedgerPolicy, Role};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Prechecked;
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{Credential, CredentialKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock;
use crate::ledger::{Disclosure, EngineError, Ledger, Submission};
use crate::passkeys::{self, Asked, Begun, MadePasskey};
use crate::relying_parties::{RelyingParties, Use};
use crate::store::candidates::{CandidateRow, Exchange, FOUNDER};
use crate::store::{LedgerId, Store, StoreError};

mod plan;

pub(crate) use plan::issue_tickets;
pub use plan::{Issued, Plan};

/// The rules version that new ledgers open under: the latest whose every action this server carries out.
pub const RULES: u64 = 4;

/// How long a ticket can be used, in seconds: three days.
pub const TICKET_LIFE_S: u32 = 3 * 24 * 60 * 60;

/// Who is invited to found a ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FounderInvite {
    /// What others will see; a disclosure.
    pub display_name: Option<String>,
    /// The roles to begin with.
    pub roles: BTreeSet<Role>,
}

/// A one-time ticket: shown once, kept as a hash.
pub struct Ticket {
    /// `sbf_` and 32 random bytes in base64url.
    pub secret: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The row that knows its hash.
    pub candidate: Uuid,
}

/// What a candidate's row says; the members stand in the order of their becoming known.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateBody {
    pub(crate) order: usize,
    /// Who the candidate is to become.
    pub member: MemberId,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) display_name: Option<String>,
    /// Of the disclosure `display_name`; drawn once, so that the document stays the same.
    pub(crate) salt: B64,
    pub(crate) credential: Option<Credential>,
    /// The bytes that the credential's attestation refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attestation: Option<B64>,
    /// The passkey that signs in, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sign_in: Option<MadePasskey>,
    /// What a browser was asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) begun: Option<Begun>,
}

impl CandidateBody {
    pub(crate) fn new(order: usize, invite: FounderInvite) -> Self {
        let salt: [u8; 16] = rand::random();
        Self {
            order,
            member: MemberId::from(Uuid::now_v7()),
            roles: invite.roles,
            display_name: invite.display_name,
            salt: B64::from(salt.as_slice()),
            credential: None,
            attestation: None,
            sign_in: None,
            begun: None,
        }
    }

    /// What is to be registered next; `None` once everything is.
    pub(crate) fn next(&self, parties: &RelyingParties) -> Option<Use> {
        let made = |wanted: &Use| match wanted {
            Use::Approve => self.credential.is_some(),
            Use::SignIn => self.sign_in.is_some(),
        };
        parties.uses().iter().copied().find(|wanted| !made(wanted))
    }

    fn credentials(&self) -> impl Iterator<Item = &Credential> {
        self.credential.iter().chain(self.sign_in.iter().map(|made| &made.credential))
    }

    /// The display name as a disclosure, where there is one.
    pub(crate) fn disclosure(&self) -> Option<Disclosure> {
        let salt = self.salt.as_bytes().try_into().ok()?;
        Some(Disclosure::with_salt("display_name", salt, self.display_name.clone()?))
    }

    /// The attestation objects, with the references that the credentials make to them.
    fn attachments(&self) -> Vec<(Attachment, Vec<u8>)> {
        let approving = self.credential.as_ref().map(|made| (made, self.attestation.as_ref()));
        let signing_in = self.sign_in.as_ref().map(|made| (&made.credential, made.attestation.as_ref()));
        let both = approving.into_iter().chain(signing_in);
        both.filter_map(|(made, bytes)| Some((made.attestation.clone()?, bytes?.as_bytes().to_vec())))
            .collect()
    }

    fn founder(&self, parties: &RelyingParties) -> Option<Founder> {
        if self.next(parties).is_some() {
            return None;
        }
        let mut credentials: Vec<Credential> = self.credentials().cloned().collect();
        credentials.sort_by_key(|credential| credential.credential_id.to_string());
        let enrolled =
            MemberEnrolled { action: None, credentials, member: self.member, roles: self.roles.clone() };
        Some(Founder { enrolled, sd: self.disclosure().iter().map(Disclosure::digest).collect() })
    }
}

/// Where a founding stands.
#[derive(Debug, Clone)]
pub struct FoundingView {
    /// Each founder: id, whether registered, whether signed.
    pub founders: Vec<FounderView>,
    /// The policy that they sign.
    pub policy: LedgerPolicy,
    /// What they sign, once all have registered.
    pub document: Option<FoundingDocument>,
    /// Its digest.
    pub digest: Option<Hash>,
    /// Whether the ledger is founded.
    pub founded: bool,
}

/// Where one founder stands.
#[derive(Debug, Clone)]
pub struct FounderView {
    /// Who.
    pub member: MemberId,
    /// As the invitation, or the founder, says; it opens the digest in the founder's entry of the document.
    pub display_name: Option<Disclosure>,
    /// The roles to begin with.
    pub roles: BTreeSet<Role>,
    /// What kind of authenticator is registered; the one that approves.
    pub kind: Option<CredentialKind>,
    /// Whether everything is registered.
    pub registered: bool,
    /// What is to be registered next.
    pub next: Option<Use>,
    /// Whether the document is signed.
    pub signed: bool,
}

/// Makes a ticket and keeps its hash.
pub(crate) async fn issue_ticket(
    store: &Store,
    ledger: LedgerId,
    purpose: &str,
    body: &CandidateBody,
) -> Result<Ticket, EngineError> {
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
    let now = clock::now();
    let row = CandidateRow {
        ledger,
        candidate: Uuid::now_v7(),
        ticket_hash: Hash::sha256(secret.as_slice()),
        purpose: purpose.to_owned(),
        body: to_json(body)?,
        created_at: now,
        expires_at: now.plus_seconds(TICKET_LIFE_S),
        used_at: None,
    };
    store.insert_candidate(&row).await?;
    let text = Zeroizing::new(format!("sbf_{}", B64::from(secret.as_slice())));
    Ok(Ticket { secret: text, expires_at: row.expires_at, candidate: row.candidate })
}

pub(crate) fn to_json(body: &CandidateBody) -> Result<serde_json::Value, EngineError> {
    serde_json::to_value(body).map_err(|error| EngineError::fault("a candidate has no JSON form", error))
}

pub(crate) fn from_row(row: &CandidateRow) -> Result<CandidateBody, EngineError> {
    serde_json::from_value(row.body.clone())
        .map_err(|error| EngineError::fault("a stored candidate can't be read", error))
}

/// The candidate of a ticket, if the ticket is still good.
pub(crate) async fn candidate_of(
    store: &Store,
    ledger: LedgerId,
    ticket_hash: Hash,
    purpose: &str,
) -> Result<(CandidateRow, CandidateBody), EngineError> {
    let row = store.candidate_by_ticket(ledger, ticket_hash).await?;
    let row =
        row.filter(|row| row.purpose == purpose && clock::now() < row.expires_at).ok_or(INVALID_TICKET)?;
    let body = from_row(&row)?;
    Ok((row, body))
}

const INVALID_TICKET: EngineError = EngineError::Conflict {
    code: "ticket.invalid",
    sentence: "the ticket is unknown, used or expired; ask for another",
};

/// Registers a founder's authenticator, if the policy that the founders sign accepts it; each use has one, once.
pub(crate) async fn register_founder(
    store: &Store,
    ledger: LedgerId,
    parties: &RelyingParties,
    ticket_hash: Hash,
    made: MadePasskey,
    display_name: Option<String>,
) -> Result<CandidateBody, EngineError> {
    let others = founders(store, ledger).await?;
    if !policy(store, ledger, others.len()).await?.credentials.accept(&made.credential) {
        return Err(Rule::CredentialPolicy.into());
    }
    let (row, mut body) = candidate_of(store, ledger, ticket_hash, FOUNDER).await?;
    let next = body.next(parties).filter(|_| row.used_at.is_none()).ok_or(INVALID_TICKET)?;
    // It was made for what the ticket asked for when the request began; another one may have been faster.
    if parties.of(next).is_none_or(|party| party.id != made.credential.rp_id) {
        return Err(INVALID_TICKET);
    }
    // Found out later, it would end the founding: nobody could take it back.
    let taken = |held: &Credential| {
        held.credential_id == made.credential.credential_id
            || held.cose_public_key.as_bytes() == made.credential.cose_public_key.as_bytes()
    };
    if others.iter().flat_map(CandidateBody::credentials).any(taken) {
        return Err(Rule::CredentialDuplicate.into());
    }
    match next {
        Use::Approve => (body.credential, body.attestation) = (Some(made.credential), made.attestation),
        Use::SignIn => body.sign_in = Some(made),
    }
    body.begun = None;
    body.display_name = display_name.or(body.display_name);
    let (json, now) = (to_json(&body)?, clock::now());
    let bodies = Exchange { before: &row.body, after: &json };
    let kept = match body.next(parties) {
        Some(_) => store.update_candidate(ledger, ticket_hash, bodies, now).await,
        None => store.use_candidate(ledger, ticket_hash, bodies, now).await,
    };
    match kept {
        Ok(()) => Ok(body),
        Err(StoreError::Conflict { .. }) => Err(INVALID_TICKET),
        Err(error) => Err(error.into()),
    }
}

/// Draws the challenge of a founder's registration in a browser, and keeps it with the ticket.
pub(crate) async fn begin(
    store: &Store,
    ledger: &Ledger,
    parties: &RelyingParties,
    ticket_hash: Hash,
) -> Result<serde_json::Value, EngineError> {
    let (row, mut body) = candidate_of(store, ledger.id(), ticket_hash, FOUNDER).await?;
    let next = body.next(parties).filter(|_| row.used_at.is_none());
    let rp = next.and_then(|next| parties.of(next)).ok_or(INVALID_TICKET)?;
    let name = body.display_name.clone().unwrap_or_else(|| format!("A founder of {}", ledger.tenant()));
    let asked = Asked { rp, member: body.member, name: &name, exclude: &[] };
    let (options, begun) = passkeys::begin(&asked, clock::now())
        .map_err(|error| EngineError::fault("the options of a registration", error))?;
    body.begun = Some(begun);
    let (before, after) = (&row.body, &to_json(&body)?);
    match store.update_candidate(ledger.id(), ticket_hash, Exchange { before, after }, clock::now()).await {
        Ok(()) => Ok(options),
        Err(StoreError::Conflict { .. }) => Err(INVALID_TICKET),
        Err(error) => Err(error.into()),
    }
}

/// Where a ledger's founding stands, and the document once it is complete.
pub(crate) async fn view(
    store: &Store,
    ledger: &Ledger,
    parties: &RelyingParties,
) -> Result<FoundingView, EngineError> {
    let bodies = founders(store, ledger.id()).await?;
    let signed: BTreeSet<MemberId> =
        store.founding_assertions(ledger.id()).await?.into_iter().map(|(member, _)| member).collect();
    let state = ledger.state();
    let vkey = state.ledger_key().map(|key| key.vkey.clone());
    let policy = policy(store, ledger.id(), bodies.len()).await?;
    let document = vkey.and_then(|vkey| document(ledger, vkey, parties, &policy, &bodies));
    let digest = document.as_ref().map(founding_digest).transpose();
    let digest =
        digest.map_err(|error| EngineError::fault("the founding document has no canonical form", error))?;
    let founders = bodies
        .iter()
        .map(|body| FounderView {
            member: body.member,
            display_name: body.disclosure(),
            roles: body.roles.clone(),
            kind: body.credential.as_ref().map(|credential| credential.kind),
            registered: body.next(parties).is_none(),
            next: body.next(parties),
            signed: signed.contains(&body.member),
        })
        .collect();
    Ok(FoundingView { founders, policy, document, digest, founded: state.founded().is_ok() })
}

/// The policy that a founding's document holds; the defaults, for a ledger that was opened before plans were kept.
async fn policy(store: &Store, ledger: LedgerId, founders: usize) -> Result<LedgerPolicy, EngineError> {
    let plan = Plan::of(store, ledger).await?;
    Ok(plan.map_or_else(|| LedgerPolicy::default_for(founders, plan::FIRST_RULES), |plan| plan.policy))
}

async fn candidate_rows(store: &Store, ledger: LedgerId) -> Result<Vec<CandidateRow>, EngineError> {
    let rows = store.candidates(ledger).await?;
    Ok(rows.into_iter().filter(|row| row.purpose == FOUNDER).collect())
}

async fn founders(store: &Store, ledger: LedgerId) -> Result<Vec<CandidateBody>, EngineError> {
    let rows = candidate_rows(store, ledger).await?;
    let mut bodies = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    bodies.sort_by_key(|body| body.order);
    Ok(bodies)
}

fn document(
    ledger: &Ledger,
    vkey: Vkey,
    parties: &RelyingParties,
    policy: &LedgerPolicy,
    bodies: &[CandidateBody],
) -> Option<FoundingDocument> {
    let founders = bodies.iter().map(|body| body.founder(parties));
    let founders: Vec<Founder> = founders.collect::<Option<_>>()?;
    Some(FoundingDocument {
        approval_rp: parties.approval().clone(),
        founders: founders.iter().map(|founder| founder_data(&founder.enrolled, &founder.sd)).collect(),
        origin: ledger.origin().clone(),
        policy: policy.clone(),
        rules: ledger.state().rules()?,
        v: 1,
        vkey,
    })
}

/// Takes one founder's signature; with the last one the ledger is founded.
pub(crate) async fn sign(
    store: &Store,
    ledger: &Ledger,
    parties: &RelyingParties,
    ticket_hash: Hash,
    assertion: FounderAssertion,
) -> Result<FoundingView, EngineError> {
    let (_, body) = candidate_of(store, ledger.id(), ticket_hash, FOUNDER).await?;
    let current = view(store, ledger, parties).await?;
    let (Some(document), Some(digest)) = (current.document, current.digest) else {
        return Err(EngineError::Conflict {
            code: "founding.incomplete",
            sentence: "not every founder has registered yet; the document comes with the last",
        });
    };
    let credential = body.credential.as_ref().filter(|_| body.member == assertion.member);
    let credential = credential.ok_or(Rule::FoundingSignatures)?;
    let signed = assertion.to_assertion().map_err(|_| Rule::AssertionInvalid)?;
    let mut checked = Prechecked::default();
    if let Err(error) = checked.check(&signed, credential, parties.approval(), digest) {
        tracing::info!(origin = %ledger.origin(), code = error.code(), "a founder's signature does not hold");
        return Err(Rule::AssertionInvalid.into());
    }
    let json = serde_json::to_value(&assertion);
    let json = json.map_err(|error| EngineError::fault("an assertion has no JSON form", error))?;
    match store.insert_founding_assertion(ledger.id(), assertion.member, &json).await {
        // Signed before: the first signature stands.
        Ok(()) | Err(StoreError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if !current.founded {
        complete(store, ledger, parties, document).await?;
    }
    view(store, ledger, parties).await
}

async fn complete(
    store: &Store,
    ledger: &Ledger,
    parties: &RelyingParties,
    document: FoundingDocument,
) -> Result<(), EngineError> {
    let bodies = founders(store, ledger.id()).await?;
    let stored = store.founding_assertions(ledger.id()).await?;
    let mut assertions = Vec::with_capacity(bodies.len());
    for body in &bodies {
        let Some((_, json)) = stored.iter().find(|(member, _)| *member == body.member) else { return Ok(()) };
        let assertion: FounderAssertion = serde_json::from_value(json.clone())
            .map_err(|error| EngineError::fault("a stored assertion can't be read", error))?;
        assertions.push(assertion);
    }
    let mut checked = Prechecked::default();
    let digest = founding_digest(&document)
        .map_err(|error: canonical::Unrepresentable| EngineError::fault("the founding document", error))?;
    for (body, assertion) in bodies.iter().zip(&assertions) {
        if let (Some(credential), Ok(signed)) = (&body.credential, assertion.to_assertion()) {
            // The rules check again what does not hold here.
            let _ = checked.check(&signed, credential, parties.approval(), digest);
        }
    }
    let founders = bodies.iter().filter_map(|body| body.founder(parties)).collect();
    let founded = Box::new(LedgerFounded { assertions, document });
    let mut submission = Submission::new(Command::Found { founders, founded });
    submission.attachments = bodies.iter().flat_map(CandidateBody::attachments).collect();
    submission.disclosures = bodies.iter().filter_map(CandidateBody::disclosure).collect();
    submission.checked = checked;
    match ledger.submit(submission).await {
        Ok(_) => Ok(()),
        // Another founder's last signature was a moment earlier.
        Err(EngineError::Refused(_)) if ledger.state().founded().is_ok() => Ok(()),
        Err(error) => Err(error),
    }
}
