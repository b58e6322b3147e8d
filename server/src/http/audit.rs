//! What auditors ask: people, keys, decisions and refusals as at a moment, and random samples. Whoever may export may ask.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION};
use actix_web::{HttpRequest, HttpResponse, get, web};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::sample::{MAX_SAMPLE, Seed};
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Exporter, MemberCaller};
use super::events::kinds;
use super::moment::Moment;
use super::problem::{Problem, ProblemDocument};
use crate::auditing::Sample;
use crate::views::Names;
use crate::views::as_at::{
    self, ACTION_TYPES, ApprovalsAsAt, KeysAsAt, MembersAsAt, REFUSAL_TYPES, RefusalsAsAt,
};
use crate::views::calendar::days_before;
use crate::views::rotation_audit::{LATENESS, Past, RotationAudit, WINDOW_DAYS};

/// When, and in which form.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AsAtQuery {
    /// The moment, RFC 3339; now where absent.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Moment>,
    /// Decisions and refusals: not before this time. Rotations: keys that were put away before it are not looked at.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// `csv` or `json`; else the `Accept` header decides.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
}

/// The form of a list.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

/// What is to be drawn.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SampleQuery {
    /// How many events: at most 200; 25 where nothing is said.
    n: Option<usize>,
    /// 1 to 64 letters, digits, dots, underscores and hyphens: the same seed draws the same sample.
    #[param(value_type = String)]
    seed: Seed,
    /// Only events of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The size of the checkpoint to draw under, for a sample that was drawn before; the newest where absent.
    size: Option<u64>,
}

/// A random sample that anybody can draw again.
#[derive(Serialize, ToSchema)]
struct SampleView {
    /// How places follow from the seed; docs/operations/auditing.md says it step by step.
    #[schema(example = "sealbook sample v1")]
    algorithm: &'static str,
    origin: String,
    /// The checkpoint's size.
    size: u64,
    #[schema(value_type = String)]
    root: Hash,
    /// The checkpoint that every receipt leads to (C2SP tlog-checkpoint).
    checkpoint: String,
    #[schema(value_type = String)]
    seed: Seed,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// How many events were asked for.
    n: usize,
    /// How many events below `size` it was drawn from.
    population: u64,
    /// In the order of the draws.
    sample: Vec<DrawnView>,
}

/// An event of a sample.
#[derive(Serialize, ToSchema)]
struct DrawnView {
    /// Its place in the population, from 0.
    place: u64,
    seq: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// The event's bytes and the proof that it is in the ledger (C2SP tlog-proof).
    receipt: String,
}

/// A question about the past, asked by somebody who may.
pub(crate) struct Question {
    member: MemberCaller,
    at: Timestamp,
    since: Option<Timestamp>,
}

impl Question {
    /// About everything up to a moment, or now; of decisions and refusals, not before another.
    pub(crate) fn new(member: MemberCaller, at: Option<Timestamp>, since: Option<Timestamp>) -> Self {
        // What has not happened yet can't be said.
        let at = at.map_or(member.at, |at| at.min(member.at));
        Self { member, at, since }
    }

    /// The same about everything up to a moment, by somebody who goes on looking.
    pub(crate) fn of(member: &MemberCaller, at: Option<Timestamp>) -> Self {
        let MemberCaller { app, ledger, state, at: now, id, roles } = member;
        let member = MemberCaller {
            app: app.clone(),
            ledger: ledger.clone(),
            state: state.clone(),
            at: *now,
            id: *id,
            roles: roles.clone(),
        };
        Self::new(member, at, None)
    }

    fn moment(&self, size: u64) -> as_at::Moment {
        as_at::Moment { origin: self.member.ledger.origin().to_string(), at: self.at, size }
    }

    async fn names(&self) -> Result<Names, Problem> {
        Ok(Names::load(self.member.store(), self.member.ledger.id()).await?)
    }

    /// The people.
    pub(crate) async fn members(&self) -> Result<MembersAsAt, Problem> {
        let (names, then) =
            (self.names().await?, self.member.app.as_at(self.member.ledger.clone(), self.at).await?);
        Ok(MembersAsAt::new(self.moment(then.size), then.state.founded()?, &names))
    }

    /// The keys.
    pub(crate) async fn keys(&self) -> Result<KeysAsAt, Problem> {
        let then = self.member.app.as_at(self.member.ledger.clone(), self.at).await?;
        KeysAsAt::new(self.moment(then.size), then.state.founded()?).map_err(Problem::fault)
    }

    /// The decisions.
    pub(crate) async fn approvals(&self) -> Result<ApprovalsAsAt, Problem> {
        let (events, size) = self.events(ACTION_TYPES).await?;
        Ok(ApprovalsAsAt::new(self.moment(size), &events, &self.names().await?))
    }

    /// The refusals.
    pub(crate) async fn refusals(&self) -> Result<RefusalsAsAt, Problem> {
        let (events, size) = self.events(REFUSAL_TYPES).await?;
        Ok(RefusalsAsAt::new(self.moment(size), &events, &self.names().await?))
    }

    /// Whether every key came by a rotation that is on record, and none was in charge for too long.
    pub(crate) async fn rotation(&self) -> Result<RotationAudit, Problem> {
        let MemberCaller { app, ledger, .. } = &self.member;
        let from = self.since.unwrap_or_else(|| days_before(self.at, WINDOW_DAYS));
        let then = app.as_at(ledger.clone(), self.at).await?;
        let founded = then.state.founded()?;
        let mut events = app.events_at(ledger.clone(), RotationAudit::asks(founded, from)).await?;
        if let Some(first) = events.iter().map(|event| event.time).min() {
            events.extend(app.events_until(ledger.clone(), &LATENESS, Some(first), self.at).await?);
        }
        let mut past = Past { from, events: &events, beginning: None };
        // It is folded anew, so only where it decides something.
        let beginning = match RotationAudit::asks_beginning(founded, &past) {
            true => Some(app.as_at(ledger.clone(), from).await?),
            false => None,
        };
        past.beginning = beginning.as_ref().map(|then| then.state.founded()).transpose()?;
        Ok(RotationAudit::new(self.moment(then.size), founded, &past)?)
    }

    async fn events(
        &self,
        kinds: &'static [&'static str],
    ) -> Result<(Vec<sealbook_ledger::event::Event>, u64), Problem> {
        let MemberCaller { app, ledger, .. } = &self.member;
        let events = app.events_until(ledger.clone(), kinds, self.since, self.at).await?;
        let size = app.store().size_at(ledger.id(), self.at).await?;
        Ok((events, size))
    }
}

impl AsAtQuery {
    fn question(&self, exporter: Exporter) -> Question {
        Question::new(exporter.member, self.at.map(Moment::get), self.from.map(Moment::get))
    }

    /// Answers in the form that was asked for.
    fn answer<T: Serialize>(
        &self,
        req: &HttpRequest,
        list: &T,
        what: &str,
        csv: impl FnOnce(&T) -> String,
    ) -> HttpResponse {
        let accepts = req.headers().get(ACCEPT).is_some_and(|accept| accept == "text/csv");
        if !self.format.map_or(accepts, |format| format == Format::Csv) {
            return HttpResponse::Ok().json(list);
        }
        HttpResponse::Ok()
            .content_type("text/csv; charset=utf-8; header=present")
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{what}.csv\"")))
            .body(csv(list))
    }
}

/// People, their roles and authenticators as at a moment.
#[utoipa::path(tag = "audit", params(("tenant" = String, Path), AsAtQuery), responses(
    (status = 200, content((MembersAsAt = "application/json"), (String = "text/csv"))),
    (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/audit/members")]
pub(super) async fn members_as_at(
    exporter: Exporter,
    query: web::Query<AsAtQuery>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let list = query.question(exporter).members().await?;
    Ok(query.answer(&req, &list, "members", MembersAsAt::to_csv))
}

/// Proposals, approvals, rejections and cancellations up to a moment, and where their actions stood then.
#[utoipa::path(tag = "audit", params(("tenant" = String, Path), AsAtQuery), responses(
    (status = 200, content((ApprovalsAsAt = "application/json"), (String = "text/csv"))),
    (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/audit/approvals")]
pub(super) async fn approvals_as_at(
    exporter: Exporter,
    query: web::Query<AsAtQuery>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let list = query.question(exporter).approvals().await?;
    Ok(query.answer(&req, &list, "approvals", ApprovalsAsAt::to_csv))
}

/// Keys and their states as at a moment.
#[utoipa::path(tag = "audit", params(("tenant" = String, Path), AsAtQuery), responses(
    (status = 200, content((KeysAsAt = "application/json"), (String = "text/csv"))),
    (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/audit/keys")]
pub(super) async fn keys_as_at(
    exporter: Exporter,
    query: web::Query<AsAtQuery>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let list = query.question(exporter).keys().await?;
    Ok(query.answer(&req, &list, "keys", KeysAsAt::to_csv))
}

/// Refusals up to a moment, counted by caller, rule and minute.
#[utoipa::path(tag = "audit", params(("tenant" = String, Path), AsAtQuery), responses(
    (status = 200, content((RefusalsAsAt = "application/json"), (String = "text/csv"))),
    (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/audit/refusals")]
pub(super) async fn refusals_as_at(
    exporter: Exporter,
    query: web::Query<AsAtQuery>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let list = query.question(exporter).refusals().await?;
    Ok(query.answer(&req, &list, "refusals", RefusalsAsAt::to_csv))
}

/// Whether every key that was active since `from`, or in the last 90 days, came by a rotation that is on record with its
/// evidence pack, and none was in charge for longer than its slot's interval, though it has been replaced since.
#[utoipa::path(tag = "audit", params(("tenant" = String, Path), AsAtQuery), responses(
    (status = 200, content((RotationAudit = "application/json"), (String = "text/csv"))),
    (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/audit/rotation")]
pub(super) async fn rotation_audit(
    exporter: Exporter,
    query: web::Query<AsAtQuery>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let list = query.question(exporter).rotation().await?;
    Ok(query.answer(&req, &list, "rotation", RotationAudit::to_csv))
}

/// A random sample of events with their receipts, which anybody can draw again from seed and checkpoint.
#[utoipa::path(tag = "audit", params(("tenant" = String, Path), SampleQuery), responses(
    (status = 200, body = SampleView), (status = "4XX", body = ProblemDocument),
    (status = 503, body = ProblemDocument)
))]
#[get("/v1/tenants/{tenant}/audit/sample")]
pub(super) async fn draw_sample(
    exporter: Exporter,
    query: web::Query<SampleQuery>,
) -> Result<HttpResponse, Problem> {
    let MemberCaller { app, ledger, .. } = exporter.member;
    let SampleQuery { n, seed, kind, size } = query.into_inner();
    let n = n.unwrap_or(25);
    if !(1..=MAX_SAMPLE).contains(&n) {
        return Err(Problem::of("request.query").saying(format!("`n` is 1 to {MAX_SAMPLE}")));
    }
    let mut named = kinds(kind.as_deref())?;
    if named.len() > 1 {
        return Err(Problem::of("request.query").saying("a sample is of one type, or of all"));
    }
    let kind = named.pop();
    let sample = app.sample(ledger.clone(), seed.clone(), n, kind.clone(), size).await?;
    Ok(HttpResponse::Ok().json(SampleView::new(&sample, ledger.origin().to_string(), seed, kind, n)))
}

impl SampleView {
    fn new(sample: &Sample, origin: String, seed: Seed, kind: Option<String>, n: usize) -> Self {
        let checkpoint = sample.checkpoint.checkpoint();
        let drawn = sample.drawn.iter().map(|drawn| DrawnView {
            place: drawn.place,
            seq: drawn.event.seq.get(),
            kind: drawn.event.payload.type_name(),
            time: drawn.event.time,
            receipt: drawn.receipt.to_string(),
        });
        Self {
            algorithm: "sealbook sample v1",
            origin,
            size: checkpoint.size,
            root: checkpoint.root,
            checkpoint: sample.checkpoint.to_string(),
            seed,
            kind,
            n,
            population: sample.population,
            sample: drawn.collect(),
        }
    }
}
