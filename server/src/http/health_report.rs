//! A tenant's health, for its members: what the platform's own `/health` can't tell everybody.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use actix_web::{HttpResponse, get};

use super::auth::{self, Demand as _, MemberCaller, Oversee, Reader};
use super::problem::{Problem, ProblemDocument};
use super::webhooks;
use crate::custody::{Backend, BackendHealth};
use crate::high_water::Reading;
use crate::ledger::{Ledger, Replay};
use crate::store::Store;
use crate::views::Names;
use crate::views::events;
use crate::views::health::{
    AbsentView, DeviceHealth, HealthReport, HighWaterHealth, InventoryHealth, ReplayHealth, ScrubbedHealth,
    SealingHealth, StorageHealth, UnreachableView,
};

/// Devices, sealing, storage, the last audits of storage and devices, and whose absence would block what.
#[utoipa::path(tag = "tenants", params(("tenant" = String, Path)),
    responses((status = 200, body = HealthReport), (status = "4XX", body = ProblemDocument)))]
#[get("/v1/tenants/{tenant}/health-report")]
pub(super) async fn health_report(reader: Reader) -> Result<HttpResponse, Problem> {
    let names = Names::load(reader.store(), reader.ledger.id()).await?;
    Ok(HttpResponse::Ok().json(gather(&reader, &names).await?))
}

/// Finds everything out.
pub(crate) async fn gather(member: &MemberCaller, names: &Names) -> Result<HealthReport, Problem> {
    let (ledger, at) = (&member.ledger, member.at);
    let vitals = ledger.vitals();
    let webhooks = match auth::any(&member.roles, Oversee::ANY_OF) {
        true => Some(webhooks::of_tenant(member).await?),
        false => None,
    };
    Ok(HealthReport {
        at,
        devices: member.app.devices().all().map(|device| self::device(device.as_ref())).collect(),
        sealing: sealing(member).await?,
        storage: storage(member.store()).await,
        high_water: high_water(Arc::clone(ledger)).await?,
        scrubbed: vitals.scrubbed.map(|pass| ScrubbedHealth { at: pass.at, events: pass.events }),
        replay: match vitals.replay {
            Replay::NotOwed => None,
            Replay::UnderWay { events } => Some(ReplayHealth { events, ended_at: None }),
            Replay::Ended(pass) => Some(ReplayHealth { events: pass.events, ended_at: Some(pass.at) }),
        },
        inventory: vitals.stocked.map(|stock| InventoryHealth {
            at: stock.at,
            unexplained: stock.unexplained,
            silent: stock.silent,
        }),
        webhooks,
        unreachable: UnreachableView::list(member.founded()?, at),
        absence: AbsentView::list(member.founded()?, names, at),
    })
}

fn device(device: &dyn Backend) -> DeviceHealth {
    let (custody, counters, health) = (device.custody(), device.counters(), device.health());
    let quarantined = health.quarantined();
    let (state, reason) = match health {
        BackendHealth::Ready => ("ready", None),
        BackendHealth::Degraded { .. } => ("degraded", None),
        BackendHealth::Down { reason, .. } => ("down", Some(reason)),
    };
    let micros = u64::try_from(counters.sign_time.as_micros()).unwrap_or(u64::MAX);
    DeviceHealth {
        name: device.name().to_string(),
        kind: custody.kind,
        fips_certificate: custody.fips_certificate,
        state,
        reason,
        quarantined,
        signatures: counters.signatures,
        failures: counters.sign_failures,
        mean_sign_us: micros.checked_div(counters.signatures),
    }
}

async fn sealing(member: &MemberCaller) -> Result<SealingHealth, Problem> {
    let ledger = &member.ledger;
    let (size, sealed_size) = (ledger.size(), ledger.sealed_size());
    // Without the database nobody knows how old the oldest is; the rest of the report is still worth having.
    let oldest = match sealed_size < size {
        true => member.store().page(ledger.id(), sealed_size, 1).await.ok().and_then(|mut page| page.pop()),
        false => None,
    };
    let oldest = oldest.as_ref().map(events::parse).transpose()?;
    let age =
        |since: i64| u64::try_from(member.at.unix_micros().saturating_sub(since) / 1_000_000).unwrap_or(0);
    Ok(SealingHealth {
        size,
        sealed_size,
        lag_s: oldest.map(|event| age(event.time.unix_micros())),
        sealed_at: ledger.vitals().sealed_at,
        frozen: ledger.frozen().map(|why| why.to_string()),
        failing: ledger.unsealable(),
    })
}

async fn storage(store: &Store) -> StorageHealth {
    let begun = Instant::now();
    let checked = store.check_server().await;
    let answered_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    StorageHealth { ok: checked.is_ok(), answered_ms, trouble: checked.err().map(|error| error.code()) }
}

async fn high_water(ledger: Arc<Ledger>) -> Result<HighWaterHealth, Problem> {
    let reading = actix_web::rt::task::spawn_blocking(move || {
        ledger.high_water.lock().unwrap_or_else(PoisonError::into_inner).read()
    });
    let none = |state| HighWaterHealth { state, sealed: None, contained: None };
    Ok(match reading.await.map_err(Problem::fault)? {
        Ok(Reading::Present(marks)) => HighWaterHealth {
            state: "present",
            sealed: marks.sealed.map(|mark| mark.size),
            contained: marks.contained.map(|mark| mark.size),
        },
        Ok(Reading::Missing) => none("missing"),
        Ok(Reading::Corrupt { .. }) => none("damaged"),
        Err(_) => none("unreadable"),
    })
}
