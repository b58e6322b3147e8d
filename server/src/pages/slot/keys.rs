//! The slot's keys: how each stands, its life as a lane of a timeline, its certificates, and what can be proposed about it.

use sealbook_ledger::ids::{CertificateId, KeyId, SlotName};
use sealbook_ledger::issuance::Issuance;
use sealbook_ledger::revocation::{REVOKING, Revocation};
use sealbook_ledger::slot::{Key, KeyState};
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use crate::http::problem::Problem;
use crate::pages::Visit;
use crate::pages::revocations::why;
use crate::pages::slots::Chip;
use crate::views::certificates::{CertificateState, CertificateView};
use crate::views::keys::KeyView;
use crate::views::slot_history::{History, Life, Phase};
use crate::views::story;

/// The width of a timeline, in units of its picture.
const WIDTH: i64 = 1000;

/// A key, with its life as a lane of the timeline.
pub(super) struct KeyCard {
    pub(super) view: KeyView,
    pub(super) short: String,
    /// Its state, in words.
    pub(super) state: String,
    pub(super) tone: &'static str,
    pub(super) icon: &'static str,
    pub(super) spans: Vec<Span>,
    pub(super) turns: Vec<(Timestamp, String)>,
    pub(super) is_active: bool,
    /// Why it is not to be believed, where it was revoked.
    pub(super) revoked: Option<Revoked>,
    /// Since when its device holds it no longer.
    pub(super) destroyed: Option<Timestamp>,
    /// The newest order first.
    pub(super) certificates: Vec<Held>,
    /// What can be proposed about it.
    pub(super) may: Proposals,
    pub(super) confined: bool,
}

/// Why a key or a certificate is not to be believed.
pub(super) struct Revoked {
    /// When it was revoked.
    pub(super) at: Timestamp,
    /// A sentence.
    pub(super) why: &'static str,
    /// Since when it is not to be believed, where that is before.
    pub(super) since: Option<Timestamp>,
}

/// A certificate of a key.
pub(super) struct Held {
    pub(super) view: CertificateView,
    pub(super) chip: Chip,
    pub(super) revoked: Option<Revoked>,
}

/// What can be proposed about a key, as far as the rules go.
#[derive(Clone, Copy)]
pub(super) struct Proposals {
    /// To revoke it.
    pub(super) revoke: bool,
    /// To revoke it once more, as compromised: that is often found out after it was given up.
    pub(super) compromised: bool,
    /// To have its device forget it.
    pub(super) destroy: bool,
    /// To revoke a certificate of it that is in force.
    pub(super) certificates: bool,
}

/// A stretch of a lane.
pub(super) struct Span {
    pub(super) x: i64,
    pub(super) width: i64,
    pub(super) class: &'static str,
}

/// From one moment to another, as a picture of [`WIDTH`] units.
pub(super) struct Scale {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Scale {
    fn x(&self, at: Timestamp) -> i64 {
        let (from, to, at) = (self.from.unix_micros(), self.to.unix_micros(), at.unix_micros());
        // In seconds, so that nothing overflows in ten thousand years.
        ((at - from) / 1_000_000 * WIDTH / ((to - from) / 1_000_000).max(1)).clamp(0, WIDTH)
    }

    pub(super) fn span(&self, from: Timestamp, to: Timestamp, class: &'static str) -> Span {
        let x = self.x(from).min(WIDTH - 4);
        Span { x, width: (self.x(to) - x).max(4), class }
    }
}

impl Revoked {
    fn of_key(revocation: &Revocation) -> Self {
        let Revocation { reason, since, at, .. } = *revocation;
        Self { at, why: why(reason, true), since: since.filter(|since| *since < at) }
    }

    fn of_certificate(view: &CertificateView) -> Option<Self> {
        let (reason, at) = view.revocation_reason.zip(view.revoked_at)?;
        let since = view.invalid_since.filter(|since| *since < at);
        Some(Self { at, why: why(reason, false), since })
    }
}

impl Held {
    pub(super) fn new(
        founded: &Founded,
        id: CertificateId,
        issuance: &Issuance,
        at: Timestamp,
    ) -> Result<Self, Problem> {
        let view = CertificateView::new(id, issuance, founded, at)?;
        Ok(Self { chip: Chip::of_certificate(view.state), revoked: Revoked::of_certificate(&view), view })
    }

    /// Whether it can be revoked without its key.
    pub(super) fn is_in_force(&self) -> bool {
        self.view.state == CertificateState::Active
    }
}

impl Proposals {
    fn of(founded: &Founded, key: &Key) -> Self {
        let revoking = founded.rules() >= REVOKING;
        let living = matches!(
            key.state,
            KeyState::PreActivation(_)
                | KeyState::Active { .. }
                | KeyState::Retiring { .. }
                | KeyState::Deactivated { .. }
        );
        let spent = matches!(key.state, KeyState::Deactivated { .. } | KeyState::Revoked { .. });
        let given_up = matches!(key.state, KeyState::Revoked { .. } | KeyState::Destroyed { .. });
        Self {
            revoke: living,
            compromised: revoking && given_up && !key.is_compromised(),
            destroy: revoking && spent,
            certificates: revoking,
        }
    }
}

/// The slot's keys, the newest first.
pub(super) fn key_cards(
    visit: &Visit,
    name: &SlotName,
    history: &History,
    scale: Option<&Scale>,
) -> Result<Vec<KeyCard>, Problem> {
    let founded = visit.member.founded()?;
    let active = founded.slot(name)?.active;
    let mut keys: Vec<_> = founded.keys().iter().filter(|(_, key)| key.slot == *name).collect();
    keys.sort_by_key(|(_, key)| std::cmp::Reverse(key.created));
    let card = |(id, key): (&KeyId, &Key)| {
        let view = KeyView::new(*id, key)?;
        let life = history.lives.iter().find(|life| life.key == *id);
        let is_active = active == Some(*id);
        let (tone, icon, state) = state_words(key, is_active);
        Ok(KeyCard {
            short: story::short_end(&id.to_string()),
            state: state.to_owned(),
            tone,
            icon,
            spans: life.zip(scale).map(|(life, scale)| spans(life, scale)).unwrap_or_default(),
            turns: life.map(turns).unwrap_or_default(),
            revoked: key.revocation().map(Revoked::of_key),
            destroyed: match key.state {
                KeyState::Destroyed { at, .. } => Some(at),
                _ => None,
            },
            certificates: certificates(founded, *id, visit.member.at)?,
            may: Proposals::of(founded, key),
            confined: view.attributes.is_some_and(|attributes| attributes.is_confined()),
            is_active,
            view,
        })
    };
    keys.into_iter().map(card).collect()
}

fn certificates(founded: &Founded, key: KeyId, at: Timestamp) -> Result<Vec<Held>, Problem> {
    let mut held: Vec<_> = founded.issuances().iter().filter(|(_, issuance)| issuance.key == key).collect();
    held.sort_by_key(|(_, issuance)| std::cmp::Reverse(issuance.ordered));
    held.into_iter().map(|(id, issuance)| Held::new(founded, *id, issuance, at)).collect()
}

/// A key's state: tone, icon, words.
pub(in crate::pages) fn state_words(
    key: &Key,
    is_active: bool,
) -> (&'static str, &'static str, &'static str) {
    match &key.state {
        KeyState::Active { .. } if is_active => ("ok", "check", "Active"),
        KeyState::Active { .. } => ("calm", "clock", "Earlier key"),
        KeyState::Retiring { .. } => ("calm", "clock", "Retiring"),
        KeyState::Deactivated { .. } => ("dim", "key", "Retired"),
        KeyState::PreActivation(_) => ("calm", "key", "Not used yet"),
        KeyState::Generating { .. } => ("calm", "clock", "Being made"),
        KeyState::NotGenerated => ("dim", "empty", "Never made"),
        KeyState::Revoked { .. } if key.is_compromised() => ("bad", "alarm", "Compromised"),
        KeyState::Revoked { .. } => ("bad", "stop", "Revoked"),
        KeyState::Destroyed { revocation: None, .. } => ("dim", "empty", "Destroyed"),
        KeyState::Destroyed { .. } if key.is_compromised() => ("bad", "empty", "Compromised, destroyed"),
        KeyState::Destroyed { revocation: Some(_), .. } => ("bad", "empty", "Revoked, destroyed"),
    }
}

fn spans(life: &Life, scale: &Scale) -> Vec<Span> {
    let ends = life.turns.iter().skip(1).map(|(at, _)| *at).chain([scale.to]);
    let class = |phase: Phase| match phase {
        Phase::Making => "making",
        Phase::Ready => "ready",
        Phase::Active => "active",
        Phase::Retiring => "retiring",
        Phase::Retired => "retired",
        Phase::Revoked(_) => "revoked",
        Phase::Destroyed => "destroyed",
        Phase::Never => "never",
    };
    life.turns.iter().zip(ends).map(|((at, phase), end)| scale.span(*at, end, class(*phase))).collect()
}

fn turns(life: &Life) -> Vec<(Timestamp, String)> {
    let words = |phase: Phase| match phase {
        Phase::Making => "asked for".to_owned(),
        Phase::Ready => "made in the device".to_owned(),
        Phase::Active => "signs".to_owned(),
        Phase::Retiring => "replaced".to_owned(),
        Phase::Retired => "retired".to_owned(),
        Phase::Revoked(reason) => format!("revoked: {}", story::revocation(reason)),
        Phase::Destroyed => "destroyed".to_owned(),
        Phase::Never => "never made".to_owned(),
    };
    life.turns.iter().map(|(at, phase)| (*at, words(*phase))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_is_seen_however_short_and_never_leaves_its_lane() {
        let scale = Scale { from: at("2026-11-01T00:00:00.000000Z"), to: at("2026-11-21T00:00:00.000000Z") };
        let middle = scale.span(at("2026-11-11T00:00:00.000000Z"), scale.to, "active");
        assert_eq!((middle.x, middle.width), (500, 500));
        let last = scale.span(scale.to, scale.to, "ready");
        assert_eq!((last.x, last.width), (996, 4));
    }
}
