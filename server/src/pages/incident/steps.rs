//! The steps of an incident as the page shows them: where each stands, who took it, and the one thing to do about it.

use std::collections::BTreeMap;

use sealbook_ledger::action::ActionType;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::ChannelName;
use sealbook_ledger::incident::{Incident, IncidentStep};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::pages::Visit;
use crate::pages::slots::Chip;
use crate::pages::wording;
use crate::views::blast_radius::MarkView;
use crate::views::incidents::{IncidentView, StepView, decided_by};
use crate::views::story;

/// A step, with what the member may do about it.
pub(super) struct StepRow {
    /// Where the page finds it again after it was exchanged.
    pub(super) anchor: String,
    pub(super) class: &'static str,
    pub(super) title: &'static str,
    pub(super) word: &'static str,
    pub(super) about: String,
    pub(super) view: StepView,
    /// Who took it, in words.
    pub(super) who: Option<String>,
    /// From the opening until then.
    pub(super) took: Option<String>,
    pub(super) target: Option<Target>,
    pub(super) offer: Offer,
}

/// Within which time a step is to be taken.
pub(super) struct Target {
    pub(super) words: String,
    /// Whether it was; none while the time runs.
    pub(super) chip: Option<Chip>,
    pub(super) due: Timestamp,
}

/// What is offered at a step.
pub(super) enum Offer {
    /// Nothing, or nothing to this member.
    Nothing,
    /// The slot is contained.
    Contain,
    /// The signatures that may be affected are looked for; again, where they were before.
    Scope { again: bool },
    /// What each channel offers is said.
    Channels(Vec<ChannelRow>),
    /// A form proposes it.
    Propose { href: String, words: &'static str },
    /// So many signatures are accounted for; whether there is a key that signs them again.
    Resign { count: u64, again: bool },
    /// Those who rely on the key are told.
    Advise,
}

/// A channel of the slot.
pub(super) struct ChannelRow {
    pub(super) channel: ChannelName,
    pub(super) chip: Chip,
    pub(super) at: Option<MarkView>,
    /// `withdraw` or `reinstate`, where the member may.
    pub(super) verb: Option<&'static str>,
}

/// What a member may do about an incident, and what rows are made from.
pub(super) struct Desk<'a> {
    pub(super) visit: &'a Visit,
    pub(super) founded: &'a Founded,
    pub(super) incident: &'a Incident,
    pub(super) view: &'a IncidentView,
    /// Who caused the events of its steps.
    pub(super) who: BTreeMap<u64, String>,
}

impl Desk<'_> {
    /// Whether the member may take its steps.
    pub(super) fn may(&self) -> bool {
        may(self.visit, self.founded, self.incident)
    }

    fn keeps(&self) -> bool {
        let (slot, visit) = (self.founded.slot(&self.incident.slot), self.visit);
        slot.is_ok_and(|slot| self.founded.judge_keeper(visit.member.id, slot, visit.member.at).is_ok())
    }

    /// Every step.
    pub(super) fn rows(&self) -> Vec<StepRow> {
        let next = self.view.next().map(|step| step.step);
        self.view.steps.iter().map(|step| self.row(step, next == Some(step.step))).collect()
    }

    fn row(&self, step: &StepView, next: bool) -> StepRow {
        let open = self.view.is_open();
        let (class, word) = match (step.done, step.pending.is_some(), next) {
            (true, ..) => ("done", "Done"),
            (false, ..) if open && step.rotation.is_some() => ("now", "Under way"),
            (false, true, _) if open => ("now", "Waits for people"),
            (false, _, true) if open => ("now", "Next"),
            (false, ..) if open => ("", "To do"),
            (false, ..) => ("", "Not done"),
        };
        let due = |target: u32| self.view.opened.time.plus_seconds(target);
        StepRow {
            anchor: format!("step-{}", name(step.step)),
            class,
            title: title(step.step),
            word,
            about: self.about(step),
            who: step.taken.and_then(|mark| self.who.get(&mark.seq.get()).cloned()),
            took: step.seconds.map(wording::counter),
            target: step.target.map(|target| Target {
                words: wording::counter(target.into()),
                chip: step.met.map(met),
                due: due(target),
            }),
            offer: if open { self.offer(step) } else { Offer::Nothing },
            view: step.clone(),
        }
    }

    fn about(&self, step: &StepView) -> String {
        let (view, slot) = (self.view, &self.view.slot);
        match (step.step, step.done) {
            (IncidentStep::Contained, false) => format!("Slot {slot} still signs. One person stops it."),
            (IncidentStep::Contained, true) if view.contained => {
                format!("Slot {slot} signs nothing with it.")
            }
            (IncidentStep::Contained, true) => format!("Slot {slot} was suspended, and signs again."),
            (IncidentStep::Scoped, _) => self.about_scope(),
            (IncidentStep::Withdrawn, _) if view.channels.is_empty() => {
                "The slot has no channels to take anything from.".to_owned()
            }
            (IncidentStep::Withdrawn, false) => {
                "What is affected leaves every channel, and comes back once replacements verify.".to_owned()
            }
            (IncidentStep::Withdrawn, true) => "Every channel offers what is not affected alone.".to_owned(),
            (IncidentStep::Rotated, _) => match view.replacement {
                Some(key) => {
                    format!("Key …{} signs in its place.", story::short_end(&key.to_string()))
                }
                None => "The slot gets another key, made in the same device.".to_owned(),
            },
            (IncidentStep::Resigned, false) => {
                "The new key signs again what is affected, or it is given up.".to_owned()
            }
            (IncidentStep::Resigned, true) => match view.scope.as_ref().map(|scope| scope.count) {
                None | Some(0) => "There is nothing to sign again.".to_owned(),
                Some(_) => "Every affected signature was made again, or given up.".to_owned(),
            },
            (IncidentStep::Revoked, false) => "The key is recorded as compromised, for good.".to_owned(),
            (IncidentStep::Revoked, true) => "The key is not to be believed.".to_owned(),
            (IncidentStep::Advised, false) => "Those who rely on the key hear of it.".to_owned(),
            (IncidentStep::Advised, true) => "Those who rely on the key were told.".to_owned(),
            (IncidentStep::Resumed, false) => "A quorum lets the slot sign again.".to_owned(),
            (IncidentStep::Resumed, true) => format!("Slot {slot} is not suspended."),
        }
    }

    fn about_scope(&self) -> String {
        let Some(scope) = &self.view.scope else {
            return "Nobody has looked yet which signatures may be affected.".to_owned();
        };
        let signatures = match scope.count {
            0 => "No signature is affected".to_owned(),
            1 => "One signature may be affected".to_owned(),
            many => format!("{many} signatures may be affected"),
        };
        let stale = if scope.stale { " More was signed or is suspected since: look again." } else { "" };
        format!("{signatures}, of the first {} events.{stale}", scope.size)
    }

    fn offer(&self, step: &StepView) -> Offer {
        let (view, may) = (self.view, self.may());
        match step.step {
            IncidentStep::Contained if may && !view.contained => Offer::Contain,
            IncidentStep::Scoped if may => Offer::Scope { again: step.done },
            IncidentStep::Withdrawn if !view.channels.is_empty() => Offer::Channels(self.channels(may)),
            IncidentStep::Resigned if may && !step.done => match view.scope.as_ref() {
                Some(scope) => Offer::Resign { count: scope.count, again: view.replacement.is_some() },
                None => Offer::Nothing,
            },
            IncidentStep::Advised if may && !step.done => Offer::Advise,
            IncidentStep::Rotated | IncidentStep::Revoked | IncidentStep::Resumed
                if !step.done && step.pending.is_none() && step.rotation.is_none() =>
            {
                self.proposal(step.step)
            }
            _ => Offer::Nothing,
        }
    }

    fn channels(&self, may: bool) -> Vec<ChannelRow> {
        let may = may || self.keeps();
        let resigned = self.view.steps.iter().any(|step| step.step == IncidentStep::Resigned && step.done);
        let rows = self.view.channels.iter().map(|one| {
            let (chip, at, verb) = match (one.withdrawn, one.reinstated) {
                (_, Some(at)) => {
                    let chip = Chip { tone: "ok", icon: "check", word: "Replacements are offered" };
                    (chip, Some(at), "withdraw")
                }
                (Some(at), None) => {
                    (Chip { tone: "warn", icon: "pause", word: "Withdrawn" }, Some(at), "reinstate")
                }
                (None, None) => {
                    (Chip { tone: "bad", icon: "alarm", word: "Offers what is affected" }, None, "withdraw")
                }
            };
            let may = may && (verb == "withdraw" || resigned);
            ChannelRow { channel: one.channel.clone(), chip, at, verb: may.then_some(verb) }
        });
        rows.collect()
    }

    /// The form that proposes a step, where the member may.
    fn proposal(&self, step: IncidentStep) -> Offer {
        let Some(kind) = decided_by(step) else { return Offer::Nothing };
        let rule = self.founded.policy().actions.get(&kind);
        let may = rule.is_some_and(|rule| !rule.proposing(&self.visit.member.roles).is_empty());
        let (tenant, slot, key) = (self.visit.member.ledger.tenant(), &self.view.slot, self.view.key);
        let (query, words) = match kind {
            ActionType::KeyRotateEmergency => {
                (format!("slot={slot}&old_key={key}"), "Propose another key now")
            }
            ActionType::KeyRevokeEmergency => {
                let since =
                    self.view.scope.as_ref().and_then(|scope| scope.since).or(self.view.suspected_since);
                let since = since.map(|since| format!("&compromised_since={since}")).unwrap_or_default();
                (format!("key={key}&reason=key_compromise{since}"), "Propose to revoke the key now")
            }
            // It may only sign again where it stands still.
            _ if !self.view.contained => return Offer::Nothing,
            _ => (format!("slot={slot}"), "Propose to resume the slot"),
        };
        match may {
            true => Offer::Propose { href: format!("/t/{tenant}/propose/{kind}?{query}"), words },
            false => Offer::Nothing,
        }
    }
}

/// Whether a member may take an incident's steps: whoever may contain its slot.
pub(super) fn may(visit: &Visit, founded: &Founded, incident: &Incident) -> bool {
    let actor = Actor::Member(visit.member.id);
    founded.judge_containment(actor, Some(&incident.slot), visit.member.at).is_ok()
}

/// Whether a target was met, as a chip.
pub(in crate::pages) const fn met(met: bool) -> Chip {
    match met {
        true => Chip { tone: "ok", icon: "check", word: "Met" },
        false => Chip { tone: "bad", icon: "alarm", word: "Missed" },
    }
}

/// What is to be done.
pub(in crate::pages) const fn title(step: IncidentStep) -> &'static str {
    match step {
        IncidentStep::Contained => "Contain",
        IncidentStep::Scoped => "Scope",
        IncidentStep::Withdrawn => "Withdraw",
        IncidentStep::Rotated => "Rotate",
        IncidentStep::Resigned => "Re-sign",
        IncidentStep::Revoked => "Revoke",
        IncidentStep::Advised => "Advise",
        IncidentStep::Resumed => "Resume",
    }
}

/// Its name, as the API has it.
pub(in crate::pages) const fn name(step: IncidentStep) -> &'static str {
    match step {
        IncidentStep::Contained => "contained",
        IncidentStep::Scoped => "scoped",
        IncidentStep::Withdrawn => "withdrawn",
        IncidentStep::Rotated => "rotated",
        IncidentStep::Resigned => "resigned",
        IncidentStep::Revoked => "revoked",
        IncidentStep::Advised => "advised",
        IncidentStep::Resumed => "resumed",
    }
}
