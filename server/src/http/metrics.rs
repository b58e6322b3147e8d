//! Metrics in Prometheus' text format, read from the engine when they are asked for.

use actix_web::{HttpResponse, get, web};
use prometheus::{
    CounterVec, Encoder as _, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::Api;
use super::problem::Problem;
use crate::app::App;
use crate::custody::BackendHealth;
use crate::views::calendar::{Calendar, Kind};

/// One gauge a tenant.
fn by_tenant(registry: &Registry, name: &str, help: &str) -> Result<IntGaugeVec, prometheus::Error> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), &["tenant"])?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

/// A count as a gauge takes it.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn ledgers(app: &App, registry: &Registry) -> Result<(), prometheus::Error> {
    let events = by_tenant(registry, "sealbook_ledger_events", "Events of a ledger.")?;
    let sealed = by_tenant(registry, "sealbook_ledger_sealed_events", "Events under its newest checkpoint.")?;
    let frozen = by_tenant(
        registry,
        "sealbook_ledger_frozen",
        "1 while storage contradicts its proofs, or its high-water file is missing.",
    )?;
    let open = by_tenant(registry, "sealbook_actions_open", "Actions that have not ended.")?;
    let pending =
        by_tenant(registry, "sealbook_signatures_pending", "Authorised signatures without an outcome.")?;
    for refused in app.all_refused() {
        frozen.with_label_values(&[refused.tenant.as_str()]).set(1);
    }
    for ledger in app.ledgers() {
        let labels = [ledger.tenant().as_str()];
        events.with_label_values(&labels).set(number(ledger.size()));
        sealed.with_label_values(&labels).set(number(ledger.sealed_size()));
        frozen.with_label_values(&labels).set(i64::from(ledger.frozen().is_some()));
        if let Ok(founded) = ledger.state().founded() {
            open.with_label_values(&labels).set(number(founded.actions().len() as u64));
            pending.with_label_values(&labels).set(number(founded.pending_signatures().len() as u64));
        }
    }
    Ok(())
}

/// What has to come round. Reviews and the ledger key are counted once the events were looked through for them.
fn calendars(app: &App, registry: &Registry) -> Result<(), prometheus::Error> {
    let options = Opts::new("sealbook_calendar_overdue", "What has to come round and is late, by kind.");
    let overdue = IntGaugeVec::new(options, &["tenant", "kind"])?;
    registry.register(Box::new(overdue.clone()))?;
    let next = by_tenant(
        registry,
        "sealbook_calendar_next_due_days",
        "Whole days until the next date of the calendar; below 0 where it has passed.",
    )?;
    for ledger in app.ledgers() {
        let (state, tenant) = (ledger.state(), ledger.tenant().as_str());
        let Ok(founded) = state.founded() else { continue };
        let calendar =
            Calendar::new(ledger.origin().to_string(), founded, &ledger.milestones(), ledger.now());
        for kind in Kind::ALL {
            overdue.with_label_values(&[tenant, kind.name()]).set(number(calendar.overdue_of(kind) as u64));
        }
        if let Some(days) = calendar.days_to_next() {
            next.with_label_values(&[tenant]).set(days);
        }
    }
    Ok(())
}

fn devices(app: &App, registry: &Registry) -> Result<(), prometheus::Error> {
    let options = Opts::new("sealbook_custody_up", "1 while a custody backend answers.");
    let up = IntGaugeVec::new(options, &["backend"])?;
    let options = Opts::new("sealbook_custody_quarantined_calls", "Calls to a device that hang.");
    let hanging = IntGaugeVec::new(options, &["backend"])?;
    registry.register(Box::new(up.clone()))?;
    registry.register(Box::new(hanging.clone()))?;
    for device in app.devices().all() {
        let labels = [device.name().as_str()];
        let health = device.health();
        let answers = match health {
            BackendHealth::Ready | BackendHealth::Degraded { .. } => true,
            BackendHealth::Down { .. } => false,
        };
        up.with_label_values(&labels).set(i64::from(answers));
        hanging.with_label_values(&labels).set(number(health.quarantined() as u64));
    }
    device_work(app, registry)
}

/// How notices arrive. Without destinations there is nothing to count.
fn webhooks(app: &App, registry: &Registry) -> Result<(), prometheus::Error> {
    let gauge = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["destination"]);
    let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["destination"]);
    let pending = gauge("sealbook_webhooks_pending", "Notices that wait or are tried again.")?;
    let dead = gauge("sealbook_webhooks_dead", "Notices that were given up in the last 31 days.")?;
    let delivered = counter("sealbook_webhooks_delivered_total", "Requests with notices that arrived.")?;
    let failed = counter("sealbook_webhooks_failed_total", "Requests with notices that did not arrive.")?;
    registry.register(Box::new(pending.clone()))?;
    registry.register(Box::new(dead.clone()))?;
    registry.register(Box::new(delivered.clone()))?;
    registry.register(Box::new(failed.clone()))?;
    for standing in app.notifier().standings() {
        let labels = [standing.name.as_str()];
        pending.with_label_values(&labels).set(number(standing.pending));
        dead.with_label_values(&labels).set(number(standing.dead));
        delivered.with_label_values(&labels).inc_by(standing.delivered);
        failed.with_label_values(&labels).inc_by(standing.failed);
    }
    Ok(())
}

/// What the devices have done since the process started; signatures made count whether or not they were released.
fn device_work(app: &App, registry: &Registry) -> Result<(), prometheus::Error> {
    let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["backend"]);
    let made = counter("sealbook_custody_signatures_total", "Signatures that a device made.")?;
    let failed =
        counter("sealbook_custody_sign_failures_total", "Signatures that a device refused or lost.")?;
    let options = Opts::new("sealbook_custody_sign_seconds_total", "Time that signatures took in a device.");
    let seconds = CounterVec::new(options, &["backend"])?;
    registry.register(Box::new(made.clone()))?;
    registry.register(Box::new(failed.clone()))?;
    registry.register(Box::new(seconds.clone()))?;
    for device in app.devices().all() {
        let (labels, counters) = ([device.name().as_str()], device.counters());
        made.with_label_values(&labels).inc_by(counters.signatures);
        failed.with_label_values(&labels).inc_by(counters.sign_failures);
        seconds.with_label_values(&labels).inc_by(counters.sign_time.as_secs_f64());
    }
    Ok(())
}

fn text(app: &App) -> Result<Vec<u8>, prometheus::Error> {
    let registry = Registry::new();
    let uptime = IntGauge::new("sealbook_uptime_seconds", "Seconds since the server started.")?;
    uptime.set(number(app.started().elapsed().as_secs()));
    registry.register(Box::new(uptime))?;
    let queued = IntGauge::new("sealbook_commands_queued", "Commands that no round has taken up yet.")?;
    queued.set(number(app.queued() as u64));
    registry.register(Box::new(queued))?;
    ledgers(app, &registry)?;
    calendars(app, &registry)?;
    devices(app, &registry)?;
    webhooks(app, &registry)?;
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text)?;
    Ok(text)
}

/// Metrics in Prometheus' text format.
#[utoipa::path(tag = "platform", security(()), responses((status = 200, body = str, content_type = "text/plain")))]
#[get("/metrics")]
pub(super) async fn metrics(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let text = text(&api.app).map_err(Problem::fault)?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
