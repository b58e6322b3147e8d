//! Health: devices, sealing, storage, and the people without whom things stand still.

use actix_web::{HttpResponse, get};
use askama::Template;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::health_report;
use crate::http::problem::Problem;
use crate::views::health::{AbsentView, BlockedView, HealthReport, UnreachableView};

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    report: HealthReport,
    /// What is wrong, one sentence each; none where all is well.
    troubles: Vec<String>,
    /// What stands still now, in words.
    stuck: Vec<Stuck>,
    absences: Vec<Absence>,
}

/// An action type that nobody, or not everybody, could get approved now.
struct Stuck {
    kind: String,
    proposers: String,
}

/// What the absence of any one of these people would block, in words.
struct Absence {
    names: String,
    count: String,
    blocked: Vec<Blocked>,
}

struct Blocked {
    types: Vec<String>,
    mending: String,
}

/// Unsealed events of this age, in seconds, are behind: nothing new is signed then, by default.
const BEHIND_S: u64 = 5;

#[get("/t/{tenant}/health")]
pub(super) async fn health(visit: Visit) -> Result<HttpResponse, Problem> {
    let report = health_report::gather(&visit.member, &visit.names).await?;
    let absences = Absence::grouped(&visit, &report.absence);
    let stuck = report.unreachable.iter().map(|view| Stuck::new(&visit, view)).collect();
    let (frame, troubles) = (visit.frame("Health", Place::Health), troubles(&report));
    page::show(&HealthPage { frame, report, troubles, stuck, absences })
}

fn troubles(report: &HealthReport) -> Vec<String> {
    let mut told = Vec::new();
    let sealing = &report.sealing;
    if let Some(why) = &sealing.frozen {
        told.push(format!("The ledger is frozen: {why}. Nothing is recorded until an operator has looked."));
    }
    if let Some(why) = &sealing.failing {
        told.push(format!("Sealing fails: {why}."));
    } else if sealing.lag_s.is_some_and(|lag| lag > BEHIND_S) {
        told.push("Sealing is behind: nothing new is signed until it has caught up.".to_owned());
    }
    if !report.storage.ok {
        told.push("The database does not answer as it should; nothing is recorded without it.".to_owned());
    }
    if report.high_water.state != "present" {
        told.push(format!("The high-water file is {}; an operator looks.", report.high_water.state));
    }
    for device in &report.devices {
        match device.state {
            "down" => told.push(format!("The device {} is down: slots on it sign nothing.", device.name)),
            "degraded" => told.push(format!("Calls to the device {} hang.", device.name)),
            _ => {}
        }
    }
    if let Some(stock) = report.inventory.as_ref().filter(|stock| stock.unexplained > 0) {
        let objects = wording::counted(stock.unexplained, "object", "objects");
        told.push(format!("{objects} in the devices that no event explains; ask the security reviewers."));
    }
    if !report.unreachable.is_empty() {
        let types = wording::counted(report.unreachable.len(), "kind of action", "kinds of action");
        told.push(format!("{types} can't be approved as things stand: see below who is missing."));
    }
    told
}

impl Stuck {
    fn new(visit: &Visit, view: &UnreachableView) -> Self {
        let proposers: Vec<String> = view.proposers.iter().map(|id| visit.names.proposer(*id)).collect();
        let proposers = wording::list(proposers.iter().map(String::as_str));
        Self { kind: view.kind.to_string(), proposers }
    }
}

impl Absence {
    /// People whose absence would block the same stand together.
    fn grouped(visit: &Visit, views: &[AbsentView]) -> Vec<Self> {
        let mut groups: Vec<(&[BlockedView], Vec<String>)> = Vec::new();
        for view in views {
            let name = visit.names.person(view.member);
            match groups.iter_mut().find(|(blocked, _)| *blocked == view.blocked.as_slice()) {
                Some((_, names)) => names.push(name),
                None => groups.push((&view.blocked, vec![name])),
            }
        }
        let absence = |(blocked, names): (&[BlockedView], Vec<String>)| Self {
            names: names.join(" or "),
            count: wording::counted(
                blocked.iter().map(|group| group.types.len()).sum(),
                "kind of action",
                "kinds of action",
            ),
            blocked: blocked.iter().map(Blocked::new).collect(),
        };
        groups.into_iter().map(absence).collect()
    }
}

impl Blocked {
    fn new(group: &BlockedView) -> Self {
        let roles: Vec<&str> = group.mended_by.iter().map(|role| wording::role(*role)).collect();
        let mending = match roles.as_slice() {
            [] => "Mended by another person who may propose these.".to_owned(),
            [role] => format!("Mended by another {role}."),
            roles => format!("Mended by another person with one of these roles: {}.", roles.join(", ")),
        };
        Self { types: group.types.iter().map(ToString::to_string).collect(), mending }
    }
}
