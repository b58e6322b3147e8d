//! One slot: its key, the lives of the keys before it, its policy and how that came about, and what it signed.

mod awaited;
mod gate;
mod keys;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::action::ActionType;
use sealbook_ledger::encoding::HexBytes;
use sealbook_ledger::ids::SlotName;
use sealbook_ledger::incident::Incident;
use sealbook_ledger::revocation::REVOKING;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::incidents::{IncidentRow, may_open};
use super::page::{self, Frame, Place};
use super::revocations::ListRow;
use super::slots::{Age, Chip, DAY_S, may_propose};
use super::wording;
use crate::http::problem::Problem;
use crate::store::signatures::{Outcome, SignatureDay};
use crate::views::changes::rotation_lines;
use crate::views::incidents;
use crate::views::revocations;
use crate::views::slot_history::{History, PolicyVersion, RecentSignature, policy_lines, recent_signatures};
use crate::views::slots::{SlotStatus, SlotView};
use crate::views::story;
use awaited::Awaited;
use gate::GateCard;
use keys::{KeyCard, Scale, Span, key_cards};

pub(super) use gate::Due;
pub(super) use keys::state_words;

/// Events of a slot, signatures aside, that a page tells of.
const MAX_EVENTS: usize = 200;

/// Signatures that a page lists.
const MAX_SIGNATURES: usize = 20;

/// Days of the activity's picture.
const DAYS: u64 = 30;

/// What becomes of a request that is given up.
const GIVEN_UP: &str = "Given up, it is recorded that no certificate comes of this request. The key goes on without, and \
    another certificate can be proposed.";

/// The page.
#[derive(Template)]
#[template(path = "slot.html")]
struct SlotPage {
    frame: Frame,
    name: SlotName,
    chip: Chip,
    suspended: bool,
    view: SlotView,
    owner: String,
    age: Age,
    keys: Vec<KeyCard>,
    halts: Vec<Span>,
    /// The newest list of each of its keys, of a CA.
    lists: Vec<ListRow>,
    /// What CAs outside have to answer.
    awaited: Vec<Awaited>,
    /// What becomes of a request that is given up; empty where the rules in force let nobody.
    gives_up: &'static str,
    /// Where the timelines begin, and how long ago that is.
    since: Option<(Timestamp, String)>,
    policy: Vec<(&'static str, String)>,
    /// Whether it would sign, and how its key is replaced.
    gate: GateCard,
    /// The rotation policy, where the rules in force know any.
    rotation: Vec<(&'static str, String)>,
    versions: Vec<PolicyVersion>,
    signatures: Vec<SignatureLine>,
    days: Vec<DayBar>,
    total: u64,
    missed: u64,
    services: Vec<String>,
    /// Whether earlier events were left out.
    cut_off: bool,
    may_propose: bool,
    may_contain: bool,
    /// Whether the member may open an incident about its key.
    may_open: bool,
    /// The incidents, or the drill, that go on.
    incidents: Vec<IncidentRow>,
    /// What containment stops: its path below the tenant, and its name in words.
    containment: String,
    what: String,
}

struct SignatureLine {
    seq: u64,
    time: Timestamp,
    ago: String,
    artifact: Option<String>,
    digest: String,
    caller: String,
    tone: &'static str,
    icon: &'static str,
    word: &'static str,
}

/// A day of the activity's picture, 40 units high.
struct DayBar {
    x: usize,
    day: String,
    created: u64,
    missed: u64,
    /// Heights of the two bars.
    up: u64,
    over: u64,
}

#[get("/t/{tenant}/slots/{slot}")]
pub(super) async fn slot(visit: Visit, path: web::Path<(String, SlotName)>) -> Result<HttpResponse, Problem> {
    let (_, name) = path.into_inner();
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let (store, ledger) = (visit.store(), visit.ledger());
    let slot = founded.slot(&name)?;
    let view = SlotView::new(&name, slot, founded, at);
    let size = visit.member.state.size();
    let known = (founded, &visit.names);
    // A slot whose first key never came may have been created before.
    let told = story::of_slot(store, ledger, known, &name, (0, size), MAX_EVENTS).await?;
    let history = History::of(&name, &told.told);
    let scale = told.told.last().map(|first| Scale { from: first.time, to: at });
    let since = scale.as_ref().map(|scale| (scale.from, wording::ago(scale.from, at)));
    let halts = scale.iter().flat_map(|scale| {
        let halt =
            |(from, to): &(Timestamp, Option<Timestamp>)| scale.span(*from, to.unwrap_or(at).min(at), "halt");
        history.halts.iter().map(halt).collect::<Vec<_>>()
    });
    let keys = key_cards(&visit, &name, &history, scale.as_ref())?;
    let since_day = Timestamp::from_unix_micros(at.unix_micros() - days_micros(DAYS - 1)).unwrap_or(at);
    let counted = store.signature_days(ledger, &name, since_day).await?;
    let days = day_bars(&counted, at);
    let signatures = recent_signatures(store, ledger, &name, MAX_SIGNATURES).await?;
    let signatures = signatures.into_iter().map(|row| SignatureLine::new(&visit, row)).collect();
    let services = founded
        .services()
        .iter()
        .filter(|(_, service)| service.is_active(at) && service.slots.contains(&name));
    let served = &visit.member.ledger;
    let lists = revocations::lists(founded, served.tenant().as_str(), &served.list_numbers, at);
    let lists = lists.into_iter().filter(|list| list.slot == name);
    let rotates = ActionType::SlotRotationSet.rules() <= founded.rules();
    let going_on = |incident: &Incident| incident.is_open() && incident.slot == name;
    let incidents = incidents::list(founded, &visit.names, at, going_on).into_iter();
    let page = SlotPage {
        frame: visit.frame(name.as_str(), Place::Slots),
        chip: Chip::of(view.status),
        suspended: view.status == SlotStatus::Suspended,
        owner: visit.names.person(view.owner),
        age: Age::of(&view),
        halts: halts.collect(),
        lists: lists.map(|list| ListRow::new(&visit, founded, list, at)).collect(),
        awaited: Awaited::of(founded, &name, visit.member.id, at),
        gives_up: if founded.rules() >= REVOKING { GIVEN_UP } else { "" },
        since,
        keys,
        policy: policy_lines(&view.signing_policy),
        gate: GateCard::of(founded, &name, at)?,
        rotation: if rotates { rotation_lines(&view.rotation) } else { Vec::new() },
        total: counted.iter().map(|day| day.created).sum(),
        missed: counted.iter().map(|day| day.missed).sum(),
        days,
        versions: history.policies,
        signatures,
        services: services.map(|(id, _)| visit.names.machine(*id)).collect(),
        cut_off: told.next.is_some(),
        may_propose: may_propose(&visit),
        may_contain: visit.may_contain(),
        may_open: may_open(&visit, founded, false).contains(&name),
        incidents: incidents.map(|view| IncidentRow::new(&visit, view)).collect(),
        containment: format!("slots/{name}"),
        what: format!("slot {name}"),
        view,
        name,
    };
    page::show(&page)
}

const fn days_micros(days: u64) -> i64 {
    // A few weeks of microseconds fit by far.
    (days * DAY_S * 1_000_000).cast_signed()
}

impl SignatureLine {
    fn new(visit: &Visit, row: RecentSignature) -> Self {
        let (tone, icon, word) = match row.outcome {
            Outcome::Authorized => ("calm", "clock", "Under way"),
            Outcome::Created => ("ok", "check", "Signed"),
            Outcome::Failed => ("bad", "cross", "Failed"),
            Outcome::Withheld => ("bad", "stop", "Withheld"),
            Outcome::Abandoned => ("warn", "alarm", "Unknown"),
        };
        let person = row.caller.parse().ok().and_then(|id| visit.names.member(id)).map(str::to_owned);
        let machine = || row.caller.parse().map(|id| visit.names.machine(id)).ok();
        Self {
            seq: row.seq,
            time: row.time,
            ago: wording::ago(row.time, visit.member.at),
            artifact: row.artifact.as_deref().map(story::printable),
            digest: HexBytes(row.digest).to_string(),
            caller: person.or_else(machine).unwrap_or(row.caller),
            tone,
            icon,
            word,
        }
    }
}

/// The last [`DAYS`] UTC days up to a moment, those without a signature among them.
fn day_bars(counted: &[SignatureDay], at: Timestamp) -> Vec<DayBar> {
    let most = counted.iter().map(|day| day.created + day.missed).max().unwrap_or(0).max(1);
    let day = |n: u64| {
        let moment = Timestamp::from_unix_micros(at.unix_micros() - days_micros(DAYS - 1 - n)).unwrap_or(at);
        let text: String = moment.to_string().chars().take(10).collect();
        let found = counted.iter().find(|day| day.day.to_string().starts_with(&text));
        let (created, missed) = found.map_or((0, 0), |day| (day.created, day.missed));
        // What there is, is to be seen: at least one unit of the 40.
        let height = |count: u64| if count == 0 { 0 } else { (count * 38 / most).max(1) };
        let x = usize::try_from(n * 10).unwrap_or(0);
        DayBar { x, day: text, created, missed, up: height(created), over: height(missed) }
    };
    (0..DAYS).map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_without_signatures_has_its_place_and_no_bar() {
        let busy = SignatureDay { day: at("2026-11-20T00:00:00.000000Z"), created: 76, missed: 1 };
        let bars = day_bars(&[busy], at("2026-11-22T10:00:00.000000Z"));
        assert_eq!((bars.len(), bars[29].day.as_str(), bars[29].up), (30, "2026-11-22", 0));
        assert_eq!((bars[27].up, bars[27].over, bars[27].created), (37, 1, 76));
    }
}
