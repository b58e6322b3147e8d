//! The ledger birth certificate, for those who founded the ledger and those who are in it.

use actix_web::dev::Payload as Stream;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{FromRequest as _, HttpRequest, HttpResponse, get};

use sealbook_ledger::rule::Rule;

use super::auth::{Founder, Reader};
use super::problem::{Problem, ProblemDocument};
use super::token::{Token, TokenKind};
use crate::app::App;
use crate::ledger::Ledger;
use crate::reports::birth_certificate::BirthCertificate;
use crate::reports::pdf;
use crate::views::Names;
use crate::views::events::first_events;

/// Events before and with the founding: the opening, 16 founders, and the founding itself.
const FIRST: usize = 18;

/// Prints the ledger birth certificate: its key, its founding digest, its founders, and lines to sign on.
#[utoipa::path(tag = "founding", params(("tenant" = String, Path)), security(("session" = []), ("ticket" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/birth-certificate")]
pub(super) async fn birth_certificate(req: HttpRequest) -> Result<HttpResponse, Problem> {
    answer(&req).await
}

/// Answers a founder by ticket, or any member.
///
/// # Errors
/// As of any caller who is neither; and `founding.missing`.
pub async fn answer(req: &HttpRequest) -> Result<HttpResponse, Problem> {
    let by_ticket = Token::bearer(req.headers()).is_some_and(|token| token.kind() == TokenKind::Ticket);
    let (app, ledger) = if by_ticket {
        let holder = Founder::from_request(req, &mut Stream::None).await?.holder;
        (holder.app, holder.ledger)
    } else {
        let reader = Reader::from_request(req, &mut Stream::None).await?;
        (reader.app, reader.ledger)
    };
    let bytes = printed(&app, &ledger).await?;
    let name = format!("attachment; filename=\"{}-birth-certificate.pdf\"", ledger.tenant());
    Ok(HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header((CONTENT_DISPOSITION, name))
        .body(bytes))
}

async fn printed(app: &App, ledger: &Ledger) -> Result<Vec<u8>, Problem> {
    let events = first_events(app.store(), ledger.id(), FIRST).await?;
    let names = Names::load(app.store(), ledger.id()).await?;
    let certificate = BirthCertificate::from_events(&events, |id| names.member(id).map(str::to_owned));
    let certificate = certificate.ok_or_else(|| Problem::from(Rule::FoundingMissing))?;
    let document = certificate.document(ledger.tenant().as_str());
    // Drawing takes some milliseconds, in which no other request is to wait.
    let drawn = actix_web::web::block(move || pdf::render(&document)).await.map_err(Problem::fault)?;
    drawn.map_err(Problem::fault)
}
