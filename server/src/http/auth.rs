//! Who asks: extractors whose types say what authority a handler was given, so that none can forget to ask.
//!
//! A token is looked up first and the tenant compared afterwards, so a tenant that does not exist and one that the token
//! does not belong to look the same (404), and so do all tokens that are not valid, whatever the tenant (401). What a
//! caller may decide is judged again by the rules.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{MemberId, ServiceId, SlotName, TenantName};
use sealbook_ledger::policy::Role;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::{Founded, State};
use sealbook_ledger::timestamp::Timestamp;
use serde::de::DeserializeOwned;

use super::Api;
use super::answer::Known;
use super::body::Body;
use super::cookie;
use super::problem::Problem;
use super::session_table::Carrier;
use super::shown::Shown;
use super::token::{Token, TokenKind, same};
use crate::app::App;
use crate::clock;
use crate::ledger::Ledger;
use crate::store::Store;
use crate::store::candidates::{CREDENTIAL, CandidateRow, ENROLMENT, FOUNDER};

/// Whoever holds the operator's token.
pub struct Operator(());

/// A member or a service of the tenant that the path names.
pub struct Caller {
    /// The engine.
    pub app: App,
    /// The tenant's ledger.
    pub ledger: Arc<Ledger>,
    /// Its state when the caller was recognised.
    pub state: Arc<State>,
    /// The moment that the caller was judged at.
    pub at: Timestamp,
    /// Who.
    pub who: Who,
}

/// The two kinds of caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A person, by session.
    Member {
        /// Who.
        id: MemberId,
        /// The roles that hold now.
        roles: BTreeSet<Role>,
    },
    /// A machine client, by token.
    Service {
        /// Which.
        id: ServiceId,
        /// The slots that it may use.
        slots: BTreeSet<SlotName>,
    },
}

/// A member of the tenant, with whatever role.
pub struct MemberCaller {
    /// The engine.
    pub app: App,
    /// The tenant's ledger.
    pub ledger: Arc<Ledger>,
    /// Its state when the member was recognised.
    pub state: Arc<State>,
    /// The moment that the member was judged at.
    pub at: Timestamp,
    /// Who.
    pub id: MemberId,
    /// The roles that hold now.
    pub roles: BTreeSet<Role>,
}

/// A member who reads: every active member may.
pub type Reader = MemberCaller;

/// What a [`Holder`] has to hold.
pub trait Demand {
    /// One of these.
    const ANY_OF: &'static [Role];
}

/// A member who holds one of the roles that `D` demands.
pub struct Holder<D> {
    /// The member.
    pub member: MemberCaller,
    demand: PhantomData<D>,
}

impl<D> From<Holder<D>> for MemberCaller {
    fn from(holder: Holder<D>) -> Self {
        holder.member
    }
}

/// Takes the whole ledger away.
pub struct Export;

/// Invites people.
pub struct Invite;

/// Looks after the deployment: where notices go.
pub struct Oversee;

/// Proposes and decides: every role but the auditor's.
pub struct Act;

impl Demand for Export {
    const ANY_OF: &'static [Role] =
        &[Role::Auditor, Role::IncidentCommander, Role::PlatformAdmin, Role::SecurityReviewer];
}

impl Demand for Invite {
    const ANY_OF: &'static [Role] = &[Role::PlatformAdmin, Role::SecurityReviewer];
}

impl Demand for Oversee {
    const ANY_OF: &'static [Role] = &[Role::Auditor, Role::PlatformAdmin];
}

impl Demand for Act {
    const ANY_OF: &'static [Role] = &[
        Role::Approver,
        Role::ChangeBoard,
        Role::IncidentCommander,
        Role::KeyOwner,
        Role::PackagingEngineer,
        Role::PlatformAdmin,
        Role::Recovery,
        Role::SecurityReviewer,
    ];
}

/// A member who may export.
pub type Exporter = Holder<Export>;

/// A member who may invite.
pub type Inviter = Holder<Invite>;

/// A member who looks after the deployment.
pub type Overseer = Holder<Oversee>;

/// A member who may act.
pub type ActingMember = Holder<Act>;

/// Whoever holds a ticket of the tenant that has not expired, used or not.
///
/// A ticket is looked for in the path's tenant alone; anywhere else it is a wrong token.
pub struct TicketHolder {
    /// The engine.
    pub app: App,
    /// The tenant's ledger.
    pub ledger: Arc<Ledger>,
    /// The ticket.
    pub token: Token,
    /// The invitation that it belongs to.
    pub invitation: CandidateRow,
}

/// What a ticket was given for.
pub trait Purpose {
    /// Whether an invitation is for this.
    fn fits(invitation: &CandidateRow) -> bool;
}

/// To found the ledger.
pub struct ToFound;

/// To be enrolled by action, or to have another authenticator added.
pub struct ToEnrol;

impl Purpose for ToFound {
    fn fits(invitation: &CandidateRow) -> bool {
        invitation.purpose == FOUNDER
    }
}

impl Purpose for ToEnrol {
    fn fits(invitation: &CandidateRow) -> bool {
        invitation.purpose == ENROLMENT || invitation.purpose == CREDENTIAL
    }
}

/// Whoever holds a ticket that was given for `P`; one for anything else is a wrong token.
pub struct Ticket<P> {
    /// The holder.
    pub holder: TicketHolder,
    purpose: PhantomData<P>,
}

/// Whoever holds a ticket that was given for `P`, and a body. Extractors of one handler run side by side: this one reads
/// the body only once the ticket has proved valid, so that what is wrong with a body is said to nobody else.
pub struct Ticketed<P, T> {
    /// The holder.
    pub holder: TicketHolder,
    /// What is asked.
    pub body: Body<T>,
    purpose: PhantomData<P>,
}

/// A founder of a ledger.
pub type Founder = Ticket<ToFound>;

/// A member, a service, or the holder of a ticket: whoever may know that the tenant exists.
pub struct Visitor {
    /// The tenant's ledger.
    pub ledger: Arc<Ledger>,
}

impl Caller {
    /// The caller as events name it.
    pub fn actor(&self) -> Actor {
        match self.who {
            Who::Member { id, .. } => Actor::Member(id),
            Who::Service { id, .. } => Actor::Service(id),
        }
    }

    /// The store, for views.
    pub fn store(&self) -> &Store {
        self.app.store()
    }

    /// Refuses a slot that the caller may not see, as if it did not exist.
    pub fn may_see(&self, slot: &SlotName) -> Result<(), Problem> {
        match &self.who {
            Who::Service { slots, .. } if !slots.contains(slot) => Err(Rule::SlotUnknown.into()),
            Who::Service { .. } | Who::Member { .. } => Ok(()),
        }
    }

    /// Refuses a member who only reads.
    pub fn must_act(&self) -> Result<(), Problem> {
        match &self.who {
            Who::Member { roles, .. } if !any(roles, Act::ANY_OF) => Err(Rule::RoleMissing.into()),
            Who::Member { .. } | Who::Service { .. } => Ok(()),
        }
    }

    /// The member who asks; services are refused.
    pub(super) fn into_member(self) -> Result<MemberCaller, Problem> {
        let Self { app, ledger, state, at, who } = self;
        match who {
            Who::Member { id, roles } => Ok(MemberCaller { app, ledger, state, at, id, roles }),
            Who::Service { .. } => Err(Rule::RoleMissing.into()),
        }
    }
}

impl MemberCaller {
    /// The store, for views.
    pub fn store(&self) -> &Store {
        self.app.store()
    }

    /// The founded ledger: there are no members before.
    pub fn founded(&self) -> Result<&Founded, Problem> {
        Ok(self.state.founded()?)
    }
}

pub(super) fn any(held: &BTreeSet<Role>, demanded: &[Role]) -> bool {
    demanded.iter().any(|role| held.contains(role))
}

pub(super) fn unauthenticated() -> Problem {
    Problem::of("auth.token")
}

pub(super) fn api(req: &HttpRequest) -> Result<&Api, Problem> {
    let api = req.app_data::<web::Data<Api>>().ok_or_else(|| Problem::fault("an app without its data"))?;
    Ok(api)
}

fn bearer(req: &HttpRequest) -> Result<Token, Problem> {
    Token::bearer(req.headers()).ok_or_else(unauthenticated)
}

fn is_operator(app: &App, token: &Token) -> bool {
    token.kind() == TokenKind::Operator && same(&token.sha256(), &app.config().operator_token_sha256)
}

/// Recognises the caller and compares the tenant; notes the name under which refusals are recorded.
fn identify(req: &HttpRequest) -> Result<Caller, Problem> {
    let (api, Shown { token, carrier }) = (api(req)?, Shown::of(req).ok_or_else(unauthenticated)?);
    is_not_refused(api, req)?;
    let found = match token.kind() {
        TokenKind::Service => service_of(&api.app, &token),
        TokenKind::Session => member_of(api, req, &token, carrier),
        TokenKind::Operator if is_operator(&api.app, &token) => return Err(Problem::of("tenant.unknown")),
        TokenKind::Operator | TokenKind::Ticket => None,
    };
    let caller = found.ok_or_else(unauthenticated)?;
    if carrier == Carrier::Cookie {
        cookie::guard(api, req, &token)?;
    }
    if req.match_info().get("tenant") != Some(caller.ledger.tenant().as_str()) {
        return Err(Problem::of("tenant.unknown"));
    }
    req.extensions_mut().insert(Known { ledger: caller.ledger.clone(), actor: caller.actor() });
    Ok(caller)
}

/// Nobody is known to a ledger that is not served: whoever shows a token is told why.
fn is_not_refused(api: &Api, req: &HttpRequest) -> Result<(), Problem> {
    let tenant: Option<TenantName> = req.match_info().get("tenant").and_then(|tenant| tenant.parse().ok());
    match tenant.and_then(|tenant| api.app.refused(&tenant)) {
        Some(refused) => Err(refused.error().into()),
        None => Ok(()),
    }
}

/// Looks through the services of every ledger, all of them whether found or not.
fn service_of(app: &App, token: &Token) -> Option<Caller> {
    let hash = token.sha256();
    let mut found = None;
    for ledger in app.ledgers() {
        let (state, at) = (ledger.state(), ledger.now());
        let Ok(founded) = state.founded() else { continue };
        for (&id, service) in founded.services() {
            if same(&service.token_sha256, &hash) && founded.active_service(id, at).is_ok() {
                let who = Who::Service { id, slots: service.slots.clone() };
                found =
                    Some(Caller { app: app.clone(), ledger: ledger.clone(), state: state.clone(), at, who });
            }
        }
    }
    found
}

/// The member of a session; a session ends with the member's or the credential's suspension.
pub(super) fn member_of(api: &Api, req: &HttpRequest, token: &Token, carrier: Carrier) -> Option<Caller> {
    let (hash, now) = (token.sha256(), clock::forward());
    let by_itself = req.headers().contains_key(&cookie::BACKGROUND);
    let session = if by_itself { api.sessions.peek(&hash, now) } else { api.sessions.find(&hash, now) };
    let session = session.filter(|session| session.carrier == carrier)?;
    let ledger = api.app.ledger(&session.tenant)?;
    let (state, at) = (ledger.state(), ledger.now());
    let Some(roles) = session.roles(&state, at) else {
        api.sessions.end(&hash);
        return None;
    };
    let who = Who::Member { id: session.member, roles };
    Some(Caller { app: api.app.clone(), ledger, state, at, who })
}

async fn ticket_of(req: &HttpRequest) -> Result<TicketHolder, Problem> {
    let (api, token) = (api(req)?, bearer(req)?);
    is_not_refused(api, req)?;
    if is_operator(&api.app, &token) {
        return Err(Problem::of("tenant.unknown"));
    }
    let tenant = req.match_info().get("tenant").and_then(|tenant| tenant.parse().ok());
    let ledger = tenant.and_then(|tenant| api.app.ledger(&tenant)).ok_or_else(unauthenticated)?;
    if token.kind() != TokenKind::Ticket {
        return Err(unauthenticated());
    }
    let invitation = api.app.store().candidate_by_ticket(ledger.id(), token.sha256()).await?;
    let valid = |row: &CandidateRow| same(&row.ticket_hash, &token.sha256()) && ledger.now() < row.expires_at;
    let invitation = invitation.filter(valid).ok_or_else(unauthenticated)?;
    Ok(TicketHolder { app: api.app.clone(), ledger, token, invitation })
}

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let checked = api(req).and_then(|api| {
            let token = bearer(req)?;
            if is_operator(&api.app, &token) { Ok(Self(())) } else { Err(unauthenticated()) }
        });
        ready(checked)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(identify(req))
    }
}

impl FromRequest for MemberCaller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(identify(req).and_then(Caller::into_member))
    }
}

impl<D: Demand> FromRequest for Holder<D> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let held = identify(req).and_then(Caller::into_member).and_then(|member| {
            if any(&member.roles, D::ANY_OF) {
                Ok(Self { member, demand: PhantomData })
            } else {
                Err(Rule::RoleMissing.into())
            }
        });
        ready(held)
    }
}

impl<P: Purpose> FromRequest for Ticket<P> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let holder = ticket_of(&req).await?;
            let fits = P::fits(&holder.invitation);
            if fits { Ok(Self { holder, purpose: PhantomData }) } else { Err(unauthenticated()) }
        })
    }
}

impl<P: Purpose, T: DeserializeOwned + 'static> FromRequest for Ticketed<P, T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let Ticket::<P> { holder, purpose } = Ticket::from_request(&req, &mut Payload::None).await?;
            let body = Body::from_request(&req, &mut payload).await?;
            Ok(Self { holder, body, purpose })
        })
    }
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            match Shown::of(&req).ok_or_else(unauthenticated)?.token.kind() {
                TokenKind::Ticket => Ok(Self { ledger: ticket_of(&req).await?.ledger }),
                TokenKind::Operator | TokenKind::Service | TokenKind::Session => {
                    Ok(Self { ledger: identify(&req)?.ledger })
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(held: &[Role]) -> BTreeSet<Role> {
        held.iter().copied().collect()
    }

    #[test]
    fn an_auditor_exports_and_never_acts_or_invites() {
        let auditor = roles(&[Role::Auditor]);
        assert!(any(&auditor, Export::ANY_OF));
        assert!(!any(&auditor, Act::ANY_OF));
        assert!(!any(&auditor, Invite::ANY_OF));
    }

    #[test]
    fn who_packages_acts_and_never_exports() {
        let engineer = roles(&[Role::PackagingEngineer]);
        assert!(any(&engineer, Act::ANY_OF));
        assert!(!any(&engineer, Export::ANY_OF));
    }

    #[test]
    fn every_role_but_the_auditors_acts() {
        let acting: Vec<Role> = Role::ALL.into_iter().filter(|role| *role != Role::Auditor).collect();
        assert_eq!(Act::ANY_OF, acting);
        assert!(!any(&BTreeSet::new(), Act::ANY_OF));
    }
}
