//! What happened, in plain words.

use sealbook_ledger::event::Actor;
use sealbook_ledger::evidence::{IncidentEvidence, RevocationFacts, Taken};
use sealbook_ledger::incident::{IncidentOutcome, IncidentStep};

use crate::reports::rep::Source;
use crate::views::sentence::moment;

/// The summary, for somebody who knows neither this ledger nor its words.
pub(super) fn what_happened(source: &Source<'_>, evidence: &IncidentEvidence) -> Vec<String> {
    let mut texts = vec![happened(source, evidence)];
    if evidence.outcome != Some(IncidentOutcome::FalseAlarm) {
        texts.push(affected(evidence));
    }
    let done = done(evidence);
    if !done.is_empty() {
        texts.push(format!("What was done: {}.", done.join("; ")));
    }
    texts.extend(ended(source, evidence));
    texts
}

fn happened(source: &Source<'_>, evidence: &IncidentEvidence) -> String {
    let (at, slot) = (moment(evidence.opened.mark.time), &evidence.slot);
    let alarm = match evidence.drill {
        false => format!(
            "What happened: on {at} people raised the alarm that somebody else may hold, or may have used, the private key \
             that signs for {slot}."
        ),
        true => format!(
            "What was practised: from {at} on people acted as if somebody else held the private key that signs for {slot}."
        ),
    };
    let since = evidence.suspected_since.map(|since| format!(" It is suspected since {}.", moment(since)));
    let why = source.remarks.get(&evidence.opened.mark.seq);
    let why = why.map(|why| format!(" The reason that was given: \u{201c}{why}\u{201d}"));
    format!("{alarm}{}{}", since.unwrap_or_default(), why.unwrap_or_default())
}

fn affected(evidence: &IncidentEvidence) -> String {
    let Some(scope) = &evidence.scope else {
        return "What is affected: not known yet. Take every signature of this key for affected.".to_owned();
    };
    let from = scope.since.map(|since| format!(" from {} on", moment(since))).unwrap_or_default();
    let listed = match scope.count {
        0 => format!("no signature that this server was asked to make with the key{from}"),
        1 => format!("one signature that this server was asked to make with the key{from}"),
        count => format!("the {count} signatures that this server was asked to make with the key{from}"),
    };
    let believed = match &evidence.revoked {
        Some(RevocationFacts { compromised_since: Some(since), .. }) => {
            format!(
                "believe no signature of the key that was made, or may have been made, after {}",
                moment(*since)
            )
        }
        _ => "believe no signature of the key".to_owned(),
    };
    format!(
        "What is affected: {listed}. What somebody else may have signed with it nobody can list: {believed}, whatever it is \
         over."
    )
}

/// What was done, by the time that it took.
fn done(evidence: &IncidentEvidence) -> Vec<String> {
    let after = |step| {
        let taken = evidence.steps.iter().find(|one| one.step == step)?;
        taken.seconds.map(|seconds| match seconds {
            0..60 => "at once".to_owned(),
            seconds => format!("after {}", lasting(seconds).replace(' ', "\u{a0}")),
        })
    };
    let mut done = Vec::new();
    let mut say = |step, what: &str| done.extend(after(step).map(|after| format!("{what} {after}")));
    say(IncidentStep::Contained, "the key was kept from signing");
    say(IncidentStep::Rotated, "another key took its place");
    say(IncidentStep::Revoked, "it was revoked");
    let channels: Vec<&str> = evidence.channels.keys().map(|name| name.as_str()).collect();
    if !channels.is_empty() {
        let back = evidence.channels.values().all(|channel| channel.reinstated.is_some());
        let replaced = match (back, channels.len()) {
            (false, _) => "",
            (true, 1) => ", which offers replacements now",
            (true, _) => ", which offer replacements now",
        };
        done.push(format!("what is affected was taken from {}{replaced}", channels.join(", ")));
    }
    if let Some(resigned) = &evidence.resigned {
        let (again, dropped) = (resigned.resigned, resigned.dropped);
        done.push(format!("of what is affected, signed again: {again}, given up: {dropped}"));
    }
    done
}

fn ended(source: &Source<'_>, evidence: &IncidentEvidence) -> Option<String> {
    let closed = evidence.closed.as_ref()?;
    let at = moment(closed.mark.time);
    let what = match evidence.outcome? {
        IncidentOutcome::FalseAlarm => format!("On {at} people found that nobody else held it: it goes on."),
        IncidentOutcome::GivenUp => format!("It was closed on {at}: the slot signs no more."),
        IncidentOutcome::Resolved => format!("It was closed on {at}."),
    };
    let why = source.remarks.get(&closed.mark.seq);
    Some(why.map_or_else(|| what.clone(), |why| format!("{what} What was said: \u{201c}{why}\u{201d}")))
}

/// Who took a step; a quorum's are named by the approvals.
pub(super) fn told(source: &Source<'_>, taken: &Taken) -> String {
    match taken.by {
        Actor::Member(member) => source.name(member),
        Actor::Service(service) => format!("service {service}"),
        Actor::System => "the server".to_owned(),
    }
}

/// A time as people say it, to the minute where it is longer than one.
pub(super) fn lasting(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// What a reader might take for proven and is not.
pub(super) fn limits(evidence: &IncidentEvidence) -> Vec<&'static str> {
    let mut limits = vec![
        "That nobody else used the key. The list holds what this server was asked to sign; a key that was taken away, or a \
         device that was used behind the server's back, leaves no event.",
        "That what people recorded is so: that a channel offers something no longer, that something was signed again, that \
         customers were told. Each such event says who said it, and when.",
        "Names of people and of artifacts: they are what was disclosed to the ledger, and what callers said. Digests and ids \
         are what was signed.",
        "The time of day: it is the server's clock. That events stand in this order, and that none was changed, receipts and \
         checkpoint prove.",
        "That the device told the truth about its keys: it attested nothing.",
    ];
    limits.push(match evidence.outcome {
        Some(_) => {
            "That nothing else belongs here. Steps of the incident itself are counted by its end, so none is missing; of \
             what happened beside it the whole ledger tells."
        }
        None => "What came after the moment of this statement. It goes on; a later statement says more.",
    });
    limits
}

#[cfg(test)]
mod tests {
    use super::lasting;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0, 59, 60, 3599, 3600, 3660, 86_399, 86_400, 90_000, 432_000].map(lasting);
        let meant =
            ["0 s", "59 s", "1 min", "59 min", "1 h", "1 h 1 min", "23 h 59 min", "1 d", "1 d 1 h", "5 d"];
        assert_eq!(said, meant);
    }
}
