//! Whether a slot would sign now, the certificate of its key, and how its key is replaced: due, under way, done last.

use sealbook_ledger::ids::{ActionId, SlotName};
use sealbook_ledger::rotation::Rotation;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::keys::Held;
use crate::http::problem::Problem;
use crate::pages::rotations::Progress;
use crate::pages::slots::Chip;
use crate::pages::wording;
use crate::views::certificates;
use crate::views::gate::GateView;
use crate::views::rotations::{RotationState, steps_of};

/// What the page says of it.
pub(super) struct GateCard {
    pub(super) view: GateView,
    pub(super) chip: Chip,
    /// Whether the slot's policy wants a certificate, or its key has one.
    pub(super) certified: bool,
    pub(super) certificate: Option<Held>,
    pub(super) due: Option<Due>,
    pub(super) open: Option<Open>,
    pub(super) last: Option<Last>,
}

/// When something is due: for a key, when it has to be replaced.
pub(in crate::pages) struct Due {
    pub(in crate::pages) at: Timestamp,
    pub(in crate::pages) words: String,
    pub(in crate::pages) late: bool,
}

/// A rotation that is on its way, or in its overlap.
pub(super) struct Open {
    pub(super) id: ActionId,
    pub(super) progress: Progress,
}

/// The rotation that ended last.
pub(super) struct Last {
    pub(super) id: ActionId,
    pub(super) began: Timestamp,
    pub(super) chip: Chip,
}

impl GateCard {
    pub(super) fn of(founded: &Founded, name: &SlotName, at: Timestamp) -> Result<Self, Problem> {
        let slot = founded.slot(name)?;
        let view = GateView::new(name, founded, at)?;
        let certificate = slot.active.and_then(|key| certificates::of_key(founded, key));
        let certificate = certificate.map(|(id, one)| Held::new(founded, id, one, at)).transpose()?;
        let newest = |ended: bool| {
            let of_slot = |one: &(ActionId, &Rotation)| one.1.slot == *name && one.1.has_ended() == ended;
            let all = founded.rotations().iter().map(|(id, rotation)| (*id, rotation.as_ref()));
            all.filter(of_slot).max_by_key(|(_, rotation)| rotation.started)
        };
        Ok(Self {
            chip: match view.pass {
                true => Chip { tone: "ok", icon: "check", word: "Open" },
                false => Chip { tone: "bad", icon: "stop", word: "Closed" },
            },
            certified: slot.rotation.certificate.is_some() || certificate.is_some(),
            certificate,
            // Keys for drills wait for the next one.
            due: view.due_at.filter(|_| !slot.drill).map(|due| Due::new(due, at)),
            open: newest(false)
                .map(|one| Open { id: one.0, progress: Progress::of(&steps_of(founded, one, at)) }),
            last: newest(true).map(|(id, rotation)| Last {
                id,
                began: rotation.started_at,
                chip: Chip::of_rotation(RotationState::of(rotation.step)),
            }),
            view,
        })
    }
}

impl Due {
    /// As it stands at a moment.
    pub(in crate::pages) fn new(due: Timestamp, at: Timestamp) -> Self {
        let late = at >= due;
        let words = match late {
            true => wording::ago(due, at),
            false => format!("in {}", wording::span(wording::seconds_until(at, due))),
        };
        Self { at: due, words, late }
    }
}
