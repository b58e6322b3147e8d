//! What every page is made of: the frame around a page's own part, and the headers that browsers keep it by.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
};
use askama::Template;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::timestamp::Timestamp;

use crate::http::problem::Problem;

/// A page runs this server's own modules and nothing else, talks to this server alone, and is framed by nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What every page has beside its policy.
const HEADERS: [(&str, &str); 3] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "publickey-credentials-get=(self), publickey-credentials-create=(self)"),
];

/// A place that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What waits for the member.
    Inbox,
    /// What can be asked for.
    Propose,
    /// Signing slots and their keys.
    Slots,
    /// What must come round.
    Calendar,
    /// Keys that somebody else may hold, and the practice of it.
    Incidents,
    /// What is not to be believed any more.
    Revocations,
    /// The events.
    Ledger,
    /// Members and services.
    People,
    /// Evidence packs.
    Reports,
    /// Bundles, proofs, pins.
    Audit,
    /// Devices, sealing, storage.
    Health,
    /// A page that the navigation does not list.
    Elsewhere,
}

impl Place {
    /// What the navigation lists, in its order.
    pub const LISTED: [Self; 11] = [
        Self::Inbox,
        Self::Propose,
        Self::Slots,
        Self::Calendar,
        Self::Incidents,
        Self::Revocations,
        Self::Ledger,
        Self::People,
        Self::Reports,
        Self::Audit,
        Self::Health,
    ];

    /// The last part of its path, which is its icon's name too.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Propose => "propose",
            Self::Slots => "slots",
            Self::Calendar => "calendar",
            Self::Incidents => "incidents",
            Self::Revocations => "revocations",
            Self::Ledger => "ledger",
            Self::People => "people",
            Self::Reports => "reports",
            Self::Audit => "audit",
            Self::Health => "health",
            Self::Elsewhere => "",
        }
    }

    /// What people call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Inbox => "Inbox",
            Self::Propose => "Propose",
            Self::Slots => "Slots",
            Self::Calendar => "Calendar",
            Self::Incidents => "Incidents",
            Self::Revocations => "Revocations",
            Self::Ledger => "Ledger",
            Self::People => "Members and services",
            Self::Reports => "Reports",
            Self::Audit => "Audit",
            Self::Health => "Health",
            Self::Elsewhere => "",
        }
    }
}

/// What is around a signed-in member's page.
pub struct Frame {
    /// The page's title.
    pub title: String,
    /// Where it is.
    pub here: Place,
    /// Whose ledger.
    pub tenant: String,
    /// The ledger's name, under which browsers keep what they pinned and saw of it.
    pub origin: String,
    /// The member's name, or words for somebody whose name is withheld.
    pub member: String,
    /// The roles that hold now, in words.
    pub roles: String,
    /// Whom the page was made for.
    pub member_id: MemberId,
    /// What the page's modules send along with whatever changes something.
    pub csrf: String,
    /// Number of actions that wait for the member.
    pub waiting: usize,
    /// Number of open incidents, drills not counted.
    pub incidents: usize,
    /// The moment that the page shows.
    pub now: Timestamp,
    /// Number of events.
    pub size: u64,
    /// Number of events under the newest checkpoint.
    pub sealed: u64,
}

impl Frame {
    /// The address of a place of this tenant.
    pub fn path(&self, place: &Place) -> String {
        format!("/t/{}/{}", self.tenant, place.path())
    }

    /// Events that no checkpoint covers yet.
    pub fn unsealed(&self) -> u64 {
        self.size.saturating_sub(self.sealed)
    }
}

/// Answers with a page.
pub fn show(page: &impl Template) -> Result<HttpResponse, Problem> {
    answer(StatusCode::OK, page.render().map_err(Problem::fault)?)
}

/// Answers with HTML under a status.
pub fn answer(status: StatusCode, html: String) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "no-store"));
    for (name, value) in HEADERS {
        response.insert_header((HeaderName::from_static(name), HeaderValue::from_static(value)));
    }
    Ok(response.body(html))
}

/// Leads a browser to another page of this server.
pub fn lead(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header(("location", to))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
