//! Revocation lists as relying parties fetch them: by anybody, at the places that certificates name (RFC 5280 §4.2.1.13).

use std::sync::Arc;

use actix_web::http::header::{self, ETag, EntityTag, HttpDate, IfNoneMatch, LastModified};
use actix_web::web::Header;
use actix_web::{HttpResponse, get, web};
use sealbook_ledger::encoding::pem;
use sealbook_ledger::ids::{KeyId, SlotName, TenantName};
use sealbook_ledger::revocation::Crl;
use sealbook_ledger::timestamp::Timestamp;

use super::Api;
use super::problem::{Problem, ProblemDocument};
use crate::ledger::Ledger;

/// How long a list may be kept without asking again, in seconds. A list says for how long it holds, and a newer one may come
/// at any moment: whoever keeps it longer learns of a revocation late.
const FRESH_S: u32 = 60;

/// The form in which a list is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// DER, `application/pkix-crl` (RFC 2585 §4.2).
    Der,
    /// PEM (RFC 7468 §6).
    Pem,
}

impl Form {
    /// What a file's name asks for, and the name without its endings.
    fn of(file: &str) -> Option<(Self, &str)> {
        let der = file.strip_suffix(".crl").map(|name| (Self::Der, name));
        der.or_else(|| file.strip_suffix(".crl.pem").map(|name| (Self::Pem, name)))
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Der => "application/pkix-crl",
            Self::Pem => "application/x-pem-file",
        }
    }
}

/// The newest revocation list of the key that a CA's slot signs with: `<slot>.crl` (DER) or `<slot>.crl.pem`.
#[utoipa::path(tag = "revocation", params(("tenant" = String, Path), ("file" = String, Path)), security(()), responses(
    (status = 200, body = Vec<u8>, content_type = "application/pkix-crl"), (status = 304),
    (status = "4XX", body = ProblemDocument)))]
#[get("/crl/{tenant}/{file}")]
pub(super) async fn list_of_slot(
    api: web::Data<Api>,
    path: web::Path<(TenantName, String)>,
    known: Header<IfNoneMatch>,
) -> Result<HttpResponse, Problem> {
    let (tenant, file) = path.into_inner();
    let (form, slot) = Form::of(&file).ok_or_else(nothing)?;
    let slot: SlotName = slot.parse().map_err(|_| nothing())?;
    let ledger = served(&api, &tenant)?;
    let state = ledger.state();
    let active = state.founded().ok().and_then(|founded| founded.slots().get(&slot)?.active);
    answer(&ledger, active.ok_or_else(nothing)?, form, &known).await
}

/// The newest revocation list of one key of a CA's slot: `<key>.crl` (DER), where the certificates that it signed say, or
/// `<key>.crl.pem`.
#[utoipa::path(tag = "revocation", security(()),
    params(("tenant" = String, Path), ("slot" = String, Path), ("file" = String, Path)), responses(
    (status = 200, body = Vec<u8>, content_type = "application/pkix-crl"), (status = 304),
    (status = "4XX", body = ProblemDocument)))]
#[get("/crl/{tenant}/{slot}/{file}")]
pub(super) async fn list_of_key(
    api: web::Data<Api>,
    path: web::Path<(TenantName, SlotName, String)>,
    known: Header<IfNoneMatch>,
) -> Result<HttpResponse, Problem> {
    let (tenant, slot, file) = path.into_inner();
    let (form, key) = Form::of(&file).ok_or_else(nothing)?;
    let key: KeyId = key.parse().map_err(|_| nothing())?;
    let ledger = served(&api, &tenant)?;
    let state = ledger.state();
    let held = state.founded().ok().and_then(|founded| founded.keys().get(&key));
    if held.is_none_or(|key| key.slot != slot) {
        return Err(nothing());
    }
    answer(&ledger, key, form, &known).await
}

/// A tenant that is not there, a slot that is no CA, a key that has signed none: all the same to whoever asks.
fn nothing() -> Problem {
    Problem::of("path.unknown")
}

/// The ledger of a tenant. Of one that is refused nobody is told that it has no lists: whoever holds one goes on with it.
fn served(api: &Api, tenant: &TenantName) -> Result<Arc<Ledger>, Problem> {
    let refused = || api.app.refused(tenant).map_or_else(nothing, |refused| refused.error().into());
    api.app.ledger(tenant).ok_or_else(refused)
}

async fn answer(
    ledger: &Ledger,
    key: KeyId,
    form: Form,
    known: &IfNoneMatch,
) -> Result<HttpResponse, Problem> {
    let state = ledger.state();
    let founded = state.founded().map_err(|_| nothing())?;
    let crl = founded.crls().get(&key);
    if ledger.list_numbers.lost(key, crl.map(|crl| crl.number)).is_some() {
        return Err(Problem::of("crl.lost"));
    }
    let crl = crl.ok_or_else(nothing)?;
    // Before anybody sees it: no list with a lower number follows, whatever becomes of the database.
    let noted = ledger.list_numbers.note(key, crl.number).await;
    noted.map_err(|error| Problem::of("crl.note").because(error))?;
    let tag = EntityTag::new_strong(crl.sha256.to_string());
    let same = match known {
        IfNoneMatch::Any => true,
        IfNoneMatch::Items(tags) => tags.iter().any(|other| other.weak_eq(&tag)),
    };
    let mut answer = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header(ETag(tag))
        .insert_header(LastModified(date(crl.this_update())))
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={}", fresh_for(crl, state.time()))))
        .insert_header(("cross-origin-resource-policy", "cross-origin"));
    if same {
        return Ok(answer.finish());
    }
    let der = founded.crl_der(key)?;
    let body = match form {
        Form::Der => der,
        Form::Pem => pem("X509 CRL", &der).into_bytes(),
    };
    Ok(answer.content_type(form.media_type()).body(body))
}

/// For how long a list may be kept: never past its own end.
fn fresh_for(crl: &Crl, now: Option<Timestamp>) -> i64 {
    let left = now.map_or(0, |now| (crl.next_update().unix_micros() - now.unix_micros()) / 1_000_000);
    left.clamp(0, i64::from(FRESH_S))
}

fn date(at: Timestamp) -> HttpDate {
    let seconds = u64::try_from(at.unix_micros() / 1_000_000).unwrap_or(0);
    (std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_ending_says_in_which_form_a_list_is_wanted() {
        assert_eq!(Form::of("root.crl"), Some((Form::Der, "root")));
        assert_eq!(Form::of("root.crl.pem"), Some((Form::Pem, "root")));
        for other in ["root", "root.pem", "root.crl.der", ""] {
            assert_eq!(Form::of(other), None, "{other}");
        }
    }
}
