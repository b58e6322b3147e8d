//! Pages: what people see in a browser, over the same extractors and views as the API.
//!
//! A handler takes a [`Visit`] (who looks, at which ledger), asks the views, and fills a template of `web/templates`. Pages
//! only show: whatever changes something is asked of the API by the page's own modules, so there is one way to do a thing.

mod action;
pub mod assets;
mod audit;
mod calendar;
mod ceremonies;
mod drills;
mod event;
mod health;
mod home;
mod inbox;
mod incident;
mod incidents;
mod ledger;
mod live;
pub mod page;
mod people;
mod problem;
mod propose;
mod reports;
mod revocations;
mod rotation;
mod rotations;
mod sessions;
mod slot;
mod slots;
mod visit;
mod wording;

use actix_web::web;

use crate::http::Pages;

pub use visit::Visit;

/// The pages, for the server to serve beside the API.
pub const PAGES: Pages = Pages { routes, problem: problem::page };

/// Registers every page.
fn routes(config: &mut web::ServiceConfig) {
    config
        .service(action::action)
        .service(assets::asset)
        .service(ceremonies::birth_certificate)
        .service(ceremonies::found)
        .service(ceremonies::join)
        .service(audit::audit)
        .service(calendar::calendar_page)
        .service(health::health)
        .service(people::people)
        .service(home::home)
        .service(home::sign_in)
        .service(inbox::inbox)
        .service(live::live)
        .service(propose::propose)
        .service(propose::propose_form)
        .service(reports::reports)
        .service(revocations::revocations_page)
        .service(sessions::sessions);
    config.service(incidents::incidents).service(incident::incident).service(drills::drills_page);
    config.service(rotations::rotations).service(rotation::rotation);
    config.service(slots::slots).service(slot::slot).service(ledger::ledger).service(event::event);
}
