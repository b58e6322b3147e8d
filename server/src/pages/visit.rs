//! Who looks at a page: a member of the tenant that the path names, recognised as the API does it.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use sealbook_ledger::policy::Role;

use super::inbox::waits_for;
use super::page::{Frame, Place};
use super::wording;
use crate::http::Api;
use crate::http::auth::MemberCaller;
use crate::http::problem::Problem;
use crate::http::session_table::Carrier;
use crate::http::shown::Shown;
use crate::store::{LedgerId, Store};
use crate::views::Names;

/// A member who looks at a page.
pub struct Visit {
    /// The server.
    pub api: web::Data<Api>,
    /// The member, the ledger, and its state at the moment of asking.
    pub member: MemberCaller,
    /// How people and services are called.
    pub names: Names,
    csrf: String,
}

impl Visit {
    /// What is around a page of this visit.
    pub fn frame(&self, title: impl Into<String>, here: Place) -> Frame {
        let member = &self.member;
        let waiting = member.state.founded().map_or(0, |founded| {
            let waits = |action: &&_| waits_for(founded, action, member.id, &member.roles, member.at);
            founded.actions().values().filter(waits).count()
        });
        let incidents = member.state.founded().map_or(0, |founded| {
            founded.incidents().values().filter(|incident| incident.is_open() && !incident.drill).count()
        });
        Frame {
            title: title.into(),
            here,
            tenant: member.ledger.tenant().to_string(),
            origin: member.ledger.origin().to_string(),
            member: self.names.person(member.id),
            roles: wording::list(member.roles.iter().map(|role| wording::role(*role))),
            member_id: member.id,
            csrf: self.csrf.clone(),
            waiting,
            incidents,
            now: member.at,
            // What the page shows is as of this state: whatever comes after is news to it.
            size: member.state.size(),
            sealed: member.ledger.sealed_size(),
        }
    }

    /// Whether the member may suspend people, services and slots by one word of their own.
    pub fn may_contain(&self) -> bool {
        const CONTAINING: [Role; 3] = [Role::IncidentCommander, Role::PlatformAdmin, Role::SecurityReviewer];
        CONTAINING.iter().any(|role| self.member.roles.contains(role))
    }

    /// The store, for views.
    pub fn store(&self) -> &Store {
        self.member.store()
    }

    /// What rows call the ledger.
    pub fn ledger(&self) -> LedgerId {
        self.member.ledger.id()
    }
}

impl FromRequest for Visit {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let member = MemberCaller::from_request(&req, &mut Payload::None).await?;
            let api = req.app_data::<web::Data<Api>>().cloned();
            let api = api.ok_or_else(|| Problem::fault("an app without its data"))?;
            let csrf = match Shown::of(&req) {
                Some(Shown { token, carrier: Carrier::Cookie }) => {
                    api.sessions.csrf(&token.sha256()).to_string()
                }
                // A program that reads pages has nothing to prove beside its token.
                Some(_) | None => String::new(),
            };
            let names = Names::load(member.store(), member.ledger.id()).await?;
            Ok(Self { api, member, names, csrf })
        })
    }
}
