//! What an auditor asks of an incident.

use super::{Clock, IncidentEvidence};
use crate::evidence::checks::{Check, CheckResult};
use crate::evidence::{Decision, Facts};
use crate::ids::MemberId;
use crate::incident::{IncidentOutcome, IncidentStep};

impl IncidentEvidence {
    pub(super) fn checked(&self, facts: &Facts<'_>) -> Vec<Check> {
        let mut checks: Vec<Check> = [
            ("contained", "The key was kept from signing", IncidentStep::Contained),
            ("rotated", "The slot has another key", IncidentStep::Rotated),
            ("revoked", "The key is not to be believed", IncidentStep::Revoked),
        ]
        .into_iter()
        .map(|(id, claim, step)| self.taken(id, claim, step))
        .collect();
        checks.insert(1, self.scoped());
        checks.push(self.advised());
        checks.push(self.accounted());
        checks.push(self.reinstated());
        checks.push(self.listed());
        checks.extend(self.clocks.iter().map(|clock| self.in_time(clock)));
        checks.push(self.within_targets());
        checks.push(self.answered());
        checks.push(self.approved(facts));
        checks
    }

    /// A step that is not there is open as long as the incident is, and needless in a false alarm.
    fn taken(&self, id: &'static str, claim: &str, step: IncidentStep) -> Check {
        let check = Check::new(id, claim);
        match (self.step(step), self.outcome) {
            (Some(taken), _) => check.holds(true, "on record").at([taken.mark.seq]),
            (None, None) => check.none("not yet"),
            (None, Some(IncidentOutcome::FalseAlarm)) => check.none("it was a false alarm"),
            (None, Some(IncidentOutcome::GivenUp)) => check.none("its slot was given up"),
            (None, Some(IncidentOutcome::Resolved)) => check.none("no event of this pack says so"),
        }
    }

    /// The look through the ledger began no later than anything that is suspected.
    fn scoped(&self) -> Check {
        let check =
            self.taken("scoped", "The signatures that may be affected are known", IncidentStep::Scoped);
        let Some(scope) = &self.scope else { return check };
        let suspected = match &self.revoked {
            Some(revoked) => self.suspected_since.zip(revoked.compromised_since).map(|(a, b)| a.min(b)),
            None => self.suspected_since,
        };
        let reaches = scope.since.is_none_or(|since| suspected.is_some_and(|suspected| since <= suspected));
        if reaches { check } else { check.holds(false, "not as far back as the suspicion") }
    }

    /// What others were told is about what was found.
    fn advised(&self) -> Check {
        let check = self.taken("advised", "Those who rely on it were told", IncidentStep::Advised);
        let (Some(last), Some(scope)) = (self.advised.last(), &self.scope) else { return check };
        let after = last.mark.seq > scope.taken.mark.seq;
        if after { check } else { check.none("not since the last look through the ledger") }
    }

    fn accounted(&self) -> Check {
        let check = Check::new("resigned", "Everything that was affected is signed again, or given up");
        let scope = self.scope.as_ref();
        match (&self.resigned, scope) {
            (Some(resigned), Some(scope)) => {
                let all = resigned.resigned + resigned.dropped == scope.count;
                let text = format!(
                    "{} signed again and {} given up of {}",
                    resigned.resigned, resigned.dropped, scope.count
                );
                check.holds(all, text).at([scope.taken.mark.seq, resigned.taken.mark.seq])
            }
            (None, Some(scope)) if scope.count == 0 => {
                check.holds(true, "nothing was affected").at([scope.taken.mark.seq])
            }
            _ => check.none("no event of this pack says so"),
        }
    }

    fn reinstated(&self) -> Check {
        let check = Check::new("channels", "Channels offer replacements in place of what was withdrawn");
        if self.channels.is_empty() {
            return check.none("nothing was withdrawn");
        }
        let all = self.channels.values().all(|channel| channel.reinstated.is_some());
        let seqs = self.channels.values().flat_map(|channel| {
            [Some(&channel.withdrawn), channel.reinstated.as_ref()].into_iter().flatten()
        });
        let check = check.at(seqs.map(|taken| taken.mark.seq));
        if all || self.outcome.is_some() {
            check.holds(all, format!("{} channels", self.channels.len()))
        } else {
            check.none("not all of them yet")
        }
    }

    fn listed(&self) -> Check {
        let check = Check::new("listed", "A revocation list of the key's CA was issued after its revocation");
        let revoked = self.revoked.as_ref();
        match revoked.and_then(|revoked| revoked.listed.as_ref()) {
            Some(list) => check.holds(true, format!("list number {}", list.number)).at([list.mark.seq]),
            None => {
                check.none("no list is in this pack: the key had no certificate of a CA here, or goes on")
            }
        }
    }

    fn in_time(&self, clock: &Clock) -> Check {
        let (id, claim) = match clock.id {
            "revoked" => ("revoked_in_time", "The key was revoked within 24 hours"),
            _ => ("closed_in_time", "The incident was closed within 5 days"),
        };
        let check = Check::new(id, claim).at([self.opened.mark.seq]);
        match clock.met {
            Some(met) => check.holds(met, format!("due {}", clock.due)),
            None => check.none("the time is not over, or did not matter"),
        }
    }

    fn within_targets(&self) -> Check {
        let check = Check::new("targets", "Each step was taken within its target");
        let met = self.steps.iter().filter(|step| step.met == Some(true)).count();
        let missed = self.steps.iter().filter(|step| step.met == Some(false)).count();
        // What the end found needless counts no more.
        let counts = |met: Option<bool>| met.is_some() || self.outcome.is_none();
        let set = self.steps.iter().filter(|step| step.target.is_some() && counts(step.met)).count();
        let check = check.at([self.opened.mark.seq]);
        match (set, self.outcome) {
            (0, _) => check.none("none was set"),
            (_, Some(IncidentOutcome::FalseAlarm)) => check.none("it was a false alarm"),
            _ if missed == 0 && met < set => check.none("not all of them yet"),
            _ => check.holds(missed == 0, format!("{met} of {set}")),
        }
    }

    fn answered(&self) -> Check {
        let check = Check::new("answered", "Whoever was called answered in time");
        match (&self.escalated, self.acknowledge_by) {
            (Some(escalated), _) => check
                .holds(false, format!("{} did not by {}", escalated.missed.len(), escalated.due))
                .at([self.opened.mark.seq, escalated.mark.seq]),
            (None, Some(due)) if self.as_of <= due => check.none("the time was not over"),
            (None, Some(_)) if self.called.is_empty() => check.none("nobody was called"),
            (None, Some(due)) => {
                let late =
                    |member: &&MemberId| self.acknowledged.get(*member).is_some_and(|mark| mark.time > due);
                let late = self.called.iter().filter(late).count();
                if late > 0 {
                    return check.holds(false, format!("{late} only after {due}")).at([self.opened.mark.seq]);
                }
                let in_time = |member| self.acknowledged.get(member).filter(|mark| mark.time <= due);
                let answers: Vec<_> = self.called.iter().filter_map(in_time).collect();
                // Somebody who is left may have been suspended, or the server may not have recorded yet whom it missed.
                if answers.len() < self.called.len() {
                    return check.none("no event of this pack says whom the call has missed");
                }
                let seqs = answers.iter().map(|mark| mark.seq).chain([self.opened.mark.seq]);
                check.holds(true, format!("all {} did by {due}", answers.len())).at(seqs)
            }
            (None, None) => check.none("no time was set"),
        }
    }

    /// What takes people's consent had it.
    fn approved(&self, facts: &Facts<'_>) -> Check {
        let check = Check::new("dual_control", "Whatever takes more than one person was approved by others");
        if self.decisions.is_empty() {
            return check.none("nothing was decided by a quorum");
        }
        let holds = |decision: &Decision| {
            decision.checks(facts).iter().all(|check| check.result == CheckResult::Pass)
        };
        let all = self.decisions.iter().all(holds);
        check
            .holds(all, format!("{} decisions", self.decisions.len()))
            .at(self.decisions.iter().flat_map(Decision::seqs))
    }
}
