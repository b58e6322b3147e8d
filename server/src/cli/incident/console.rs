//! An incident as those who respond read it: what has to be done by when, what is done, and what comes next.

use sealbook_ledger::incident::{IncidentOutcome, IncidentStep};
use sealbook_ledger::timestamp::Timestamp;

pub(in crate::cli) use super::opening::name;
use crate::cli::output::{fields, table};
use crate::cli::sentence::short_end;
use crate::views::blast_radius::MarkView;
use crate::views::incidents::{ChannelView, ClockView, IncidentView, ResponderView, ScopeView, StepView};

/// What a list of incidents says of each.
pub(in crate::cli) const HEADINGS: [&str; 5] = ["WHAT", "ID", "OPENED", "STATE", "SLOT"];

/// An incident in a list.
pub(in crate::cli) fn row(incident: &IncidentView) -> Vec<String> {
    let state = match &incident.closed {
        Some(closed) => outcome(closed.outcome).to_owned(),
        None => match incident.next() {
            Some(step) => format!("open, {} next", name(step.step)),
            None => "open, to be closed".to_owned(),
        },
    };
    let what = what(incident).to_owned();
    vec![what, short(incident), stamp(incident.opened.time), state, incident.slot.to_string()]
}

/// What nobody may take for the other.
pub(in crate::cli) fn what(incident: &IncidentView) -> &'static str {
    if incident.drill { "DRILL" } else { "INCIDENT" }
}

/// An incident in a line.
pub(in crate::cli) fn head(incident: &IncidentView) -> String {
    let what = what(incident);
    let tabletop = if incident.tabletop { ", tabletop" } else { "" };
    format!("{what} {} of slot {}{tabletop}", short(incident), incident.slot)
}

/// All of it: a head, what is known, the steps, and the next command.
pub(in crate::cli) fn describe(incident: &IncidentView) -> String {
    let rows: Vec<_> = incident.steps.iter().map(step).collect();
    let steps = table(&["STEP", "STATE", "TAKEN", "AFTER", "TARGET", "BY"], &rows);
    let what = if incident.reported { "its statement" } else { "next" };
    format!("{}\n\n{}\n{steps}\n{what}: {}\n", head(incident), fields(&facts(incident)), next(incident))
}

fn facts(incident: &IncidentView) -> Vec<(&'static str, String)> {
    let by = incident.opened_by_name.clone().unwrap_or_else(|| short_end(&incident.opened_by.to_string()));
    let mut facts = vec![
        ("id", incident.incident.to_string()),
        (
            "slot",
            format!("{}, {}", incident.slot, if incident.contained { "contained" } else { "NOT CONTAINED" }),
        ),
        ("key", incident.key.to_string()),
        ("opened", format!("{} by {by}", marked(&incident.opened))),
    ];
    facts.extend(incident.suspected_since.map(|since| ("suspected", format!("since {}", stamp(since)))));
    facts.extend(
        incident.follows.map(|before| ("follows", format!("incident {}", short_end(&before.to_string())))),
    );
    facts.extend(incident.clocks.iter().map(|clock| (clock_name(clock), clock_state(clock, incident.at))));
    facts.extend(incident.acknowledge_by.map(|by| ("to answer by", until(by, incident.at))));
    facts.extend(incident.responders.iter().map(|one| ("responder", responder(one))));
    let missed = |mark: &MarkView| format!("{}: others were told who did not answer", marked(mark));
    facts.extend(incident.escalated.as_ref().map(|mark| ("escalated", missed(mark))));
    facts.extend(incident.scope.as_ref().map(|found| ("scope", scope(found))));
    facts.extend(incident.channels.iter().map(|one| ("channel", channel(one))));
    facts.extend(incident.replacement.map(|key| ("new key", key.to_string())));
    let ended = incident.closed.as_ref();
    facts.extend(ended.map(|end| ("closed", format!("{}, {}", outcome(end.outcome), marked(&end.mark)))));
    facts
}

/// What to do next, as a command.
fn next(incident: &IncidentView) -> String {
    let id = short(incident);
    let decided = incident.next().and_then(|step| decision(incident, step));
    match (incident.is_open(), decided, incident.next()) {
        (false, ..) => format!("sealbook incident statement {id} --out FILE.zip"),
        (true, Some(decided), _) => decided,
        (true, None, _) if incident.drill => format!("sealbook drill advance {id}"),
        (true, None, Some(step)) => by_hand(incident, step.step),
        (true, None, None) => format!("sealbook incident close {id}"),
    }
}

/// The command for a step that takes a quorum: the proposal, or the approval of what was proposed.
pub(in crate::cli) fn decision(incident: &IncidentView, step: &StepView) -> Option<String> {
    let proposal = match step.step {
        IncidentStep::Rotated => format!("sealbook rotation propose {} --emergency", incident.slot),
        IncidentStep::Revoked => {
            let since = incident.suspected_since.map(|since| format!(" --compromised-since {since}"));
            let (key, since) = (short_end(&incident.key.to_string()), since.unwrap_or_default());
            format!("sealbook key revoke {key} --because key-compromise{since} --emergency")
        }
        IncidentStep::Resumed => format!("sealbook slot resume {}", incident.slot),
        IncidentStep::Contained
        | IncidentStep::Scoped
        | IncidentStep::Withdrawn
        | IncidentStep::Resigned
        | IncidentStep::Advised => return None,
    };
    Some(match (step.pending, step.rotation) {
        (Some(action), _) => format!("sealbook action approve {}", short_end(&action.to_string())),
        (None, Some(rotation)) => {
            format!("sealbook rotation show {} --watch", short_end(&rotation.to_string()))
        }
        (None, None) => format!("{proposal} --reason TEXT"),
    })
}

/// The command for a step that one person takes.
fn by_hand(incident: &IncidentView, step: IncidentStep) -> String {
    let id = short(incident);
    let channel = |left: fn(&ChannelView) -> bool| {
        incident.channels.iter().find(|one| left(one)).map_or("CHANNEL", |one| one.channel.as_str())
    };
    match step {
        IncidentStep::Contained => format!("sealbook slot suspend {}", incident.slot),
        IncidentStep::Scoped => format!("sealbook incident scope {id}"),
        IncidentStep::Withdrawn if incident.channels.iter().any(|one| one.withdrawn.is_none()) => {
            format!("sealbook incident withdraw {id} {}", channel(|one| one.withdrawn.is_none()))
        }
        // What was reinstated before the last look is taken out again.
        IncidentStep::Withdrawn if incident.channels.iter().all(|one| one.reinstated.is_some()) => {
            format!("sealbook incident withdraw {id} {}", channel(|_| true))
        }
        IncidentStep::Withdrawn => {
            format!("sealbook incident reinstate {id} {}", channel(|one| one.reinstated.is_none()))
        }
        IncidentStep::Resigned => {
            format!("sealbook sign --slot {} --wait FILE…, then sealbook incident resign {id}", incident.slot)
        }
        IncidentStep::Advised => format!("sealbook incident advise {id} --reference NAME --file FILE"),
        // Decided by a quorum.
        IncidentStep::Rotated | IncidentStep::Revoked | IncidentStep::Resumed => {
            format!("sealbook incident show {id}")
        }
    }
}

fn step(step: &StepView) -> Vec<String> {
    let state = match (step.done, step.pending, step.rotation) {
        (true, ..) => "done",
        (false, Some(_), _) => "waits",
        (false, None, Some(_)) => "runs",
        (false, None, None) => "open",
    };
    let target = step.target.map(|target| span(target.into()));
    let target = match (target, step.met) {
        (None, _) => "-".to_owned(),
        (Some(target), None) => target,
        (Some(target), Some(true)) => format!("{target} met"),
        (Some(target), Some(false)) => format!("{target} MISSED"),
    };
    let action = step.action.filter(|_| step.done).or(step.pending).or(step.rotation);
    let by = match (action, &step.taken) {
        (Some(action), _) => format!("action {}", short_end(&action.to_string())),
        (None, Some(taken)) => format!("event {}", taken.seq),
        (None, None) => "-".to_owned(),
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let taken = step.taken.as_ref().map(|taken| stamp(taken.time));
    vec![name(step.step), state.to_owned(), or_none(taken), or_none(step.seconds.map(span)), target, by]
}

fn clock_name(clock: &ClockView) -> &'static str {
    match clock.id.as_str() {
        "revoked" => "to revoke by",
        "closed" => "to close by",
        _ => "due by",
    }
}

fn clock_state(clock: &ClockView, at: Timestamp) -> String {
    match clock.met {
        Some(true) => format!("{}, done in time", stamp(clock.due)),
        Some(false) => format!("{}, MISSED", stamp(clock.due)),
        None => until(clock.due, at),
    }
}

/// A moment, and what is left until then.
fn until(due: Timestamp, at: Timestamp) -> String {
    match u64::try_from((due.unix_micros() - at.unix_micros()) / 1_000_000) {
        Ok(left) => format!("{}, {} left", stamp(due), span(left)),
        Err(_) => format!("{}, over", stamp(due)),
    }
}

fn responder(responder: &ResponderView) -> String {
    let who = responder.name.clone().unwrap_or_else(|| short_end(&responder.member.to_string()));
    let answered = if responder.acknowledged { "takes part" } else { "has not answered" };
    format!("{who} ({answered})")
}

fn scope(scope: &ScopeView) -> String {
    let since =
        scope.since.map_or_else(|| "all of the key's".to_owned(), |since| format!("since {}", stamp(since)));
    let stale = if scope.stale { "; OUT OF DATE" } else { "" };
    let signatures = if scope.count == 1 { "signature" } else { "signatures" };
    format!("{} {signatures}, {since}, in the first {} events{stale}", scope.count, scope.size)
}

/// What a channel offers.
pub(super) fn channel(channel: &ChannelView) -> String {
    let state = match (&channel.withdrawn, &channel.reinstated) {
        (None, _) => "OFFERED".to_owned(),
        (Some(withdrawn), None) => format!("withdrawn by event {}", withdrawn.seq),
        (Some(_), Some(reinstated)) => format!("replaced by event {}", reinstated.seq),
    };
    format!("{}: {state}", channel.channel)
}

fn outcome(outcome: IncidentOutcome) -> &'static str {
    match outcome {
        IncidentOutcome::FalseAlarm => "a false alarm",
        IncidentOutcome::GivenUp => "given up",
        IncidentOutcome::Resolved => "resolved",
    }
}

fn marked(mark: &MarkView) -> String {
    format!("{}, event {}", stamp(mark.time), mark.seq)
}

fn short(incident: &IncidentView) -> String {
    short_end(&incident.incident.to_string())
}

/// A moment to the second.
pub(in crate::cli) fn stamp(at: Timestamp) -> String {
    let at = at.to_string();
    at.get(..19).unwrap_or(&at).replace('T', " ")
}

/// A time in its two largest units.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let parts = match (days, hours, minutes) {
        (0, 0, 0) => [(seconds, "s"), (0, "")],
        (0, 0, _) => [(minutes, "min"), (seconds % 60, "s")],
        (0, ..) => [(hours, "h"), (minutes % 60, "min")],
        _ => [(days, "d"), (hours % 24, "h")],
    };
    let [first, second] = parts.map(|(count, unit)| format!("{count} {unit}"));
    if parts[1].0 == 0 { first } else { format!("{first} {second}") }
}

#[cfg(test)]
mod tests;
