//! Health: devices, sealing, storage, and the people without whom things stand still.

use actix_web::{HttpResponse, get};
use askama::Template;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::health_report;
use crate::http::problem::Problem;
use crate::views::health::{AbsentView, HealthReport};

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    report: HealthReport,
    /// What is wrong, one sentence each; none where all is well.
    troubles: Vec<String>,
    absences: Vec<Absence>,
}

/// What one person's absence would block, in words.
struct Absence {
    name: String,
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
    let absences = report.absence.iter().map(|view| Absence::new(&visit, view)).collect();
    let (frame, troubles) = (visit.frame("Health", Place::Health), troubles(&report));
    page::show(&HealthPage { frame, report, troubles, absences })
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
    told
}

impl Absence {
    fn new(visit: &Visit, view: &AbsentView) -> Self {
        let blocked = view.blocked.iter().map(|group| {
            let roles: Vec<&str> = group.mended_by.iter().map(|role| wording::role(*role)).collect();
            let mending = match roles.as_slice() {
                [] => "Another person who may propose these would mend it.".to_owned(),
                [role] => format!("Another {role} would mend it."),
                roles => {
                    format!("Another person with one of these roles would mend it: {}.", roles.join(", "))
                }
            };
            Blocked { types: group.types.iter().map(ToString::to_string).collect(), mending }
        });
        Self { name: visit.names.person(view.member), blocked: blocked.collect() }
    }
}
