//! Where each step of a rotation stands, and what it waits for.

use sealbook_ledger::ids::{ActionId, ChannelName, KeyId};
use sealbook_ledger::issuance::{Issuance, IssuanceStep};
use sealbook_ledger::member::Suspension;
use sealbook_ledger::rotation::{IssuerPolicy, MAX_PREPARATION_S, Rotation, RotationStep};
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::proofs::Proofs;
use super::steps::{StepName, StepState, StepView, view};
use super::{issuances, made_for};
use crate::views::story::{plural, short, short_end};

const NO_CERTIFICATE: &str = "The slot's policy asks for no certificate.";
const OVERTAKEN: &str = "Another key has taken over since: nobody waits for it.";
const RESTS: &str = "It rests while the slot is suspended: a quorum has to resume it.";

/// A state and the sentence that goes with it.
type Judged = (StepState, String);

fn done(sentence: impl Into<String>) -> Judged {
    (StepState::Done, sentence.into())
}

fn now(sentence: impl Into<String>) -> Judged {
    (StepState::Now, sentence.into())
}

fn waiting(sentence: impl Into<String>) -> Judged {
    (StepState::Waiting, sentence.into())
}

fn skipped(sentence: impl Into<String>) -> Judged {
    (StepState::Skipped, sentence.into())
}

/// How far a rotation is past its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Nothing,
    Key,
    Canary,
    CutOver,
    End,
}

/// A rotation, and what its steps are judged by.
pub(super) struct Course<'a> {
    founded: &'a Founded,
    rotation: &'a Rotation,
    reached: Reached,
    new_key: Option<KeyId>,
    /// The newest certificate that was ordered for the new key in it.
    issuance: Option<&'a Issuance>,
    proofs: &'a Proofs,
    bars: Vec<Rule>,
    at: Timestamp,
}

impl<'a> Course<'a> {
    pub(super) fn new(
        founded: &'a Founded,
        (id, rotation): (ActionId, &'a Rotation),
        proofs: &'a Proofs,
        at: Timestamp,
    ) -> Self {
        let (reached, bars) = match rotation.step {
            RotationStep::Started | RotationStep::Generating(_) => (Reached::Nothing, Vec::new()),
            RotationStep::Generated(_) => (Reached::Key, Vec::new()),
            RotationStep::Proved(_) => (Reached::Canary, Vec::new()),
            RotationStep::CutOver { .. } => (Reached::CutOver, founded.completion_bars(rotation, at)),
            RotationStep::Completed { .. } | RotationStep::Failed => (Reached::End, Vec::new()),
        };
        let new_key = made_for(founded, id, rotation);
        let mut ordered = issuances(founded, id).into_iter().map(|(_, issuance)| issuance);
        let issuance = ordered.rfind(|issuance| Some(issuance.key) == new_key);
        Self { founded, rotation, reached, new_key, issuance, proofs, bars, at }
    }

    pub(super) fn step(&self, name: StepName, failed: &mut bool) -> StepView {
        let judged = match self.rotation.step {
            RotationStep::Failed => self.judge_failed(name, failed),
            _ => self.judge(name),
        };
        let failure = self.proofs.failure.as_ref().map(|failed| failed.proof);
        let proof = match judged.0 {
            StepState::Done => self.proofs.steps.get(&name).copied(),
            StepState::Failed => failure,
            StepState::Now | StepState::Waiting | StepState::Skipped => None,
        };
        view(name, None, judged, proof)
    }

    pub(super) fn channel(&self, channel: &ChannelName) -> StepView {
        let judged = if self.rotation.moved.contains(channel) {
            done(format!("Channel {channel} relies on the new key."))
        } else {
            self.unless_waited_for(
                "Once the slot signs with the new key.",
                now(format!(
                    "Whoever looks after channel {channel} has to say that it relies on the new key."
                )),
            )
        };
        let proof = self.proofs.channels.get(channel).filter(|_| judged.0 == StepState::Done).copied();
        view(StepName::ChannelMoved, Some(channel), judged, proof)
    }

    /// What was recorded before a rotation failed is done; at the first step that was not it ended.
    fn judge_failed(&self, name: StepName, failed: &mut bool) -> Judged {
        if name == StepName::EvidencePack {
            return self.evidence();
        }
        let certificate = matches!(name, StepName::Request | StepName::Certificate);
        if certificate && self.rotation.policy.certificate.is_none() {
            return self.request();
        }
        if self.proofs.steps.contains_key(&name) {
            return done(name.done());
        }
        let code = self.proofs.failure.as_ref().map(|failed| failed.code.as_str());
        // Its first two steps made it a rotation, wherever their events are.
        match name {
            StepName::Proposed | StepName::Approved => done(name.done()),
            _ if std::mem::take(failed) => {
                let why = code.map(|code| format!(" ({code})")).unwrap_or_default();
                (StepState::Failed, format!("Here it ended{why}; the old key stays in charge."))
            }
            _ => skipped("The rotation ended before."),
        }
    }

    fn judge(&self, name: StepName) -> Judged {
        match name {
            StepName::Proposed | StepName::Approved => done(name.done()),
            StepName::KeyGenerated => self.key(),
            StepName::Request => self.request(),
            StepName::Certificate => self.certificate(),
            StepName::Canary => self.canary(),
            StepName::CutOver => self.cut_over(),
            StepName::Overlap => self.overlap(),
            StepName::Confirmed => self.confirmation(),
            // Each channel has a step of its own.
            StepName::ChannelMoved => skipped("The slot's policy names no channel."),
            StepName::Retired => self.retirement(),
            StepName::CertificateRevoked => self.revocation(),
            StepName::EvidencePack => self.evidence(),
        }
    }

    fn key(&self) -> Judged {
        let slot = self.founded.slots().get(&self.rotation.slot);
        let backend = slot.map(|slot| slot.backend.to_string()).unwrap_or_default();
        match (self.reached, self.rotation.step) {
            (Reached::Nothing, RotationStep::Generating(_)) => {
                now(format!("The device {backend} is making the new key."))
            }
            (Reached::Nothing, _) if self.rests() => now(RESTS),
            (Reached::Nothing, _) => now(format!("The device {backend} has to make the new key.")),
            _ => {
                let key = self.new_key.map(|key| short_end(&key.to_string())).unwrap_or_default();
                done(format!("The device {backend} made key {key}."))
            }
        }
    }

    /// A planned rotation makes no key and does not cut over while its slot is contained.
    fn rests(&self) -> bool {
        let slot = self.founded.slots().get(&self.rotation.slot);
        let holds = |suspension: Suspension| suspension.holds(self.at);
        !self.rotation.emergency && slot.and_then(|slot| slot.suspension).is_some_and(holds)
    }

    fn request(&self) -> Judged {
        if self.rotation.policy.certificate.is_none() {
            return skipped(NO_CERTIFICATE);
        }
        match self.issuance.map(|issuance| &issuance.step) {
            _ if self.reached >= Reached::CutOver => done(StepName::Request.done()),
            _ if self.reached == Reached::Nothing => waiting("The new key has to exist first."),
            None | Some(IssuanceStep::Failed) => now("The server has to order the new key's certificate."),
            Some(IssuanceStep::Ordered) => now("The new key has to sign the request for its certificate."),
            Some(IssuanceStep::Requested | IssuanceStep::Active(_) | IssuanceStep::Revoked { .. }) => {
                done(StepName::Request.done())
            }
        }
    }

    fn certificate(&self) -> Judged {
        if self.rotation.policy.certificate.is_none() {
            return skipped(NO_CERTIFICATE);
        }
        let Some(issuance) = self.issuance else { return waiting("It is requested first.") };
        match &issuance.step {
            IssuanceStep::Ordered | IssuanceStep::Failed => waiting("It is requested first."),
            IssuanceStep::Requested => now(self.issuer(issuance)),
            IssuanceStep::Active(issued) | IssuanceStep::Revoked { issued, .. } => {
                if self.reached < Reached::CutOver && !self.is_certified() {
                    return now("It no longer holds: another has to be ordered before the cutover.");
                }
                let (fingerprint, until) = (issued.fingerprint.to_string(), issued.not_after.to_string());
                done(format!(
                    "Certificate {} holds until {}.",
                    short(&fingerprint),
                    until.get(..10).unwrap_or(&until)
                ))
            }
        }
    }

    /// Whose turn it is while a certificate is requested and not there.
    fn issuer(&self, issuance: &Issuance) -> String {
        match &issuance.policy.issuer {
            IssuerPolicy::Outside { .. } => {
                "Somebody has to have the request signed by the CA outside, and to \
                                             bring the chain."
                    .to_owned()
            }
            IssuerPolicy::SelfSigned => "The key has to sign its own certificate.".to_owned(),
            IssuerPolicy::Slot { slot } => match self.founded.issuer_key(issuance) {
                Ok(_) => format!("CA {slot} has to sign it."),
                Err(_) => format!("CA {slot} has no certificate in force to sign it under."),
            },
        }
    }

    /// Whether the new key has the certificate that the policy asks for.
    fn is_certified(&self) -> bool {
        let certified = |key| self.founded.certificate_in_force(key, self.at).is_ok();
        self.rotation.policy.certificate.is_none() || self.new_key.is_some_and(certified)
    }

    fn canary(&self) -> Judged {
        let (signed, due) = (self.rotation.canary as usize, self.rotation.due.len());
        if self.rotation.canary_broken {
            let why = "A signature of the new key did not verify: the rotation can only fail.";
            return (StepState::Failed, why.to_owned());
        }
        match self.reached {
            Reached::Nothing => waiting("The new key has to exist first."),
            Reached::Key if !self.is_certified() => waiting("The certificate comes first."),
            Reached::Key => {
                now(format!("{signed} of {} signed and verified.", plural(signed + due, "digest")))
            }
            Reached::Canary | Reached::CutOver | Reached::End => {
                done(format!("The new key signed {}; every signature verified.", plural(signed, "digest")))
            }
        }
    }

    fn cut_over(&self) -> Judged {
        let ends = self.rotation.started_at.plus_seconds(MAX_PREPARATION_S);
        match self.reached {
            Reached::Nothing | Reached::Key => waiting("The canary comes first."),
            Reached::Canary if self.at >= ends => {
                now("It was not ready within 30 days: it has to be given up.")
            }
            Reached::Canary if !self.is_certified() => waiting("A certificate in force comes first."),
            Reached::Canary if self.rests() => now(RESTS),
            Reached::Canary => now("The new key has to take over."),
            Reached::CutOver | Reached::End => done(StepName::CutOver.done()),
        }
    }

    fn overlap(&self) -> Judged {
        if self.rotation.emergency {
            return skipped("Break-glass has no overlap.");
        }
        let ends = match self.rotation.step {
            RotationStep::CutOver { overlap_ends_at, .. } => Some(overlap_ends_at),
            _ => self.proofs.overlap_ends_at,
        };
        let completed = match self.rotation.step {
            RotationStep::Completed { at, .. } => Some(at),
            _ => None,
        };
        match (ends, completed) {
            _ if self.reached < Reached::CutOver => waiting(format!(
                "It begins with the cutover and lasts {}.",
                plural(usize::from(self.rotation.policy.overlap_days), "day")
            )),
            (Some(ends), Some(completed)) if completed < ends => skipped(OVERTAKEN),
            (Some(ends), None) if self.at < ends && self.is_overtaken() => {
                skipped(format!("{OVERTAKEN} It would have lasted until {ends}."))
            }
            (Some(ends), None) if self.at < ends => {
                now(format!("The old key stays beside the new one until {ends}."))
            }
            _ => done(StepName::Overlap.done()),
        }
    }

    /// Whether another key has taken the new one's place since.
    fn is_overtaken(&self) -> bool {
        let slot = self.founded.slots().get(&self.rotation.slot);
        slot.and_then(|slot| slot.active) != self.new_key
    }

    fn confirmation(&self) -> Judged {
        if self.rotation.confirmed {
            return done(StepName::Confirmed.done());
        }
        let wanted = match self.reached {
            Reached::CutOver if !self.bars.contains(&Rule::RotationUnconfirmed) => {
                skipped("No service in force uses the slot: nobody has to confirm.")
            }
            _ => now("A client of the slot has to confirm that the new key works."),
        };
        self.unless_waited_for("Once the slot signs with the new key.", wanted)
    }

    /// What is waited for between cutover and completion, and neither before nor after, nor where nobody waits.
    fn unless_waited_for(&self, before: &str, wanted: Judged) -> Judged {
        match self.reached {
            _ if self.rotation.emergency => skipped("Break-glass does not wait for it."),
            Reached::Nothing | Reached::Key | Reached::Canary => waiting(before),
            Reached::CutOver if self.is_overtaken() => skipped(OVERTAKEN),
            Reached::CutOver => wanted,
            Reached::End if self.rotation.step == RotationStep::Failed => {
                skipped("The rotation ended before.")
            }
            Reached::End => skipped("Nobody waited for it."),
        }
    }

    fn retirement(&self) -> Judged {
        let old = self.rotation.old_key;
        match self.reached {
            Reached::Nothing | Reached::Key | Reached::Canary => waiting("The cutover comes first."),
            Reached::CutOver if !self.bars.is_empty() => {
                let bars: Vec<&str> = self.bars.iter().map(|bar| bar.sentence()).collect();
                waiting(bars.join(" "))
            }
            Reached::CutOver if self.founded.pending_signatures().values().any(|open| open.key == old) => {
                now("The last signature of the old key has to end.")
            }
            Reached::CutOver => now("The old key has to be retired."),
            Reached::End => done(StepName::Retired.done()),
        }
    }

    fn revocation(&self) -> Judged {
        let of_old = |issuance: &Issuance| issuance.key == self.rotation.old_key;
        let old = || self.founded.issuances().values().map(AsRef::as_ref).filter(|issuance| of_old(issuance));
        match self.reached {
            _ if !self.rotation.policy.revoke_superseded => {
                skipped("The slot's policy does not have the old key's certificate revoked.")
            }
            Reached::End if old().any(|one| matches!(one.step, IssuanceStep::Revoked { .. })) => {
                done(StepName::CertificateRevoked.done())
            }
            Reached::End => skipped("The old key had no certificate in force."),
            _ => waiting("Once the old key is retired."),
        }
    }

    fn evidence(&self) -> Judged {
        match (self.rotation.reported, self.rotation.has_ended()) {
            (true, _) => done(StepName::EvidencePack.done()),
            (false, true) if self.founded.evidence_key().is_none() => {
                now("The ledger has no evidence key to sign it: ledger.evidence_key_set makes one.")
            }
            (false, true) => now("The evidence key has to sign the pack about this rotation."),
            (false, false) => waiting("Once the rotation has ended."),
        }
    }
}
