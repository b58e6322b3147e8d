//! One rotation: its steps with the events that prove them, the two keys side by side, and what the member may do about it.

mod keys;
mod overlap;

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{ActionId, CertificateId, ChannelName};
use sealbook_ledger::revocation::REVOKING;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::page::{self, Frame, Place};
use super::rotations::{Progress, class};
use super::slots::Chip;
use super::wording;
use crate::http::problem::Problem;
use crate::views::actions::{self, ActionView};
use crate::views::changes::rotation_lines;
use crate::views::reports;
use crate::views::rotations::{self, Offers, RotationView, StepName, StepState, StepView};
use keys::KeySide;
use overlap::Overlap;

/// What becomes of a request that is given up.
const GIVEN_UP: &str = "Given up, it is recorded that no certificate comes of this request. The new key then signs another \
    one for the CA; the old key stays in charge meanwhile.";

/// The page.
#[derive(Template)]
#[template(path = "rotation.html")]
struct RotationPage {
    frame: Frame,
    view: RotationView,
    chip: Chip,
    progress: Progress,
    started: String,
    /// Who asked for it and who approved it, as far as its action is there.
    asked: Option<(String, String)>,
    steps: Vec<StepRow>,
    /// Whether a step has a button.
    acts: bool,
    may_stop: bool,
    /// What becomes of a request that is given up; empty where the rules in force let nobody.
    gives_up: &'static str,
    overlap: Option<Overlap>,
    old: KeySide,
    new: Option<KeySide>,
    /// Whether either key has, or waits for, a certificate.
    certified: bool,
    failure: Option<Failure>,
    pack: Option<Pack>,
    policy: Vec<(&'static str, String)>,
}

/// A step, with what the member may do about it.
struct StepRow {
    /// Where the page finds it again after it was exchanged.
    anchor: String,
    class: &'static str,
    icon: &'static str,
    word: &'static str,
    view: StepView,
    sentence: Sentence,
    offer: Option<Offer>,
}

/// What is offered at a step.
enum Offer {
    Confirm,
    Move(ChannelName),
    Import(CertificateId),
}

/// A sentence, parted where it names a moment: pages say that in the reader's zone.
struct Sentence {
    before: String,
    moment: Option<Timestamp>,
    after: String,
}

/// How it ended before its cutover.
struct Failure {
    code: String,
    seq: u64,
    time: Timestamp,
    by: Option<String>,
    reason: Option<String>,
}

/// The evidence pack.
struct Pack {
    sha256: Hash,
    issued_at: Timestamp,
    seq: u64,
}

#[get("/t/{tenant}/rotations/{rotation}")]
pub(super) async fn rotation(
    visit: Visit,
    path: web::Path<(String, ActionId)>,
) -> Result<HttpResponse, Problem> {
    let (_, id) = path.into_inner();
    let (founded, at) = (visit.member.founded()?, visit.member.at);
    let rotation = founded.rotation(id)?;
    let (store, ledger, size) = (visit.store(), visit.ledger(), visit.member.state.size());
    let view = rotations::one(store, ledger, (founded, size), (id, rotation), at).await?;
    let view = view.with_reason(store, ledger).await?;
    let packs = match rotation.reported {
        true => reports::all(store, ledger, founded, size).await?,
        false => Vec::new(),
    };
    let pack = packs.into_iter().find(|pack| pack.action == Some(id));
    let asked = actions::one(store, ledger, id).await?.map(|action| asked(&visit, &action));
    let offers = Offers::of(founded, (id, rotation), visit.member.id, at);
    let page = RotationPage {
        frame: visit.frame(format!("Rotation of {}", view.slot), Place::Slots),
        chip: Chip::of_rotation(view.state),
        progress: Progress::of(&view.steps),
        started: wording::ago(view.started_at, at),
        asked,
        steps: Vec::new(),
        acts: false,
        may_stop: offers.stop,
        gives_up: if founded.rules() >= REVOKING { GIVEN_UP } else { "" },
        overlap: Overlap::of(&view, at),
        old: KeySide::old(founded, &view, at)?,
        new: KeySide::new(founded, &view, at)?,
        certified: false,
        failure: Failure::of(&visit, &view),
        pack: pack.map(|pack| Pack { sha256: pack.sha256, issued_at: pack.issued_at, seq: pack.seq.get() }),
        policy: rotation_lines(&view.policy),
        view,
    };
    page::show(&page.with_steps(offers))
}

impl RotationPage {
    fn with_steps(mut self, offers: Offers) -> Self {
        let moment = self.view.overlap_ends_at;
        let steps = std::mem::take(&mut self.view.steps).into_iter();
        self.steps = steps.map(|step| StepRow::new(step, offers, moment)).collect();
        if self.failure.is_some() {
            self.steps.iter_mut().for_each(|step| step.after_failure(self.view.policy.certificate.is_some()));
        }
        self.acts = self.steps.iter().any(|step| step.offer.is_some());
        let new = self.new.as_ref().and_then(|new| new.certificate.as_ref());
        self.certified = self.old.certificate.is_some() || new.is_some();
        self
    }
}

impl StepRow {
    fn new(view: StepView, offers: Offers, moment: Option<Timestamp>) -> Self {
        let (icon, word) = match view.state {
            StepState::Done => ("check", "Done"),
            StepState::Now => ("play", "Now"),
            StepState::Waiting => ("clock", "Waits"),
            StepState::Skipped => ("dash", "Not needed"),
            StepState::Failed => ("cross", "Failed"),
        };
        let offer = match (view.state, view.step) {
            (StepState::Now, StepName::Confirmed) => offers.confirm.then_some(Offer::Confirm),
            (StepState::Now, StepName::ChannelMoved) if offers.move_channels => {
                view.channel.clone().map(Offer::Move)
            }
            (StepState::Now, StepName::Certificate) => offers.import.map(Offer::Import),
            _ => None,
        };
        Self {
            anchor: anchor(&view),
            class: class(view.state),
            icon,
            word,
            sentence: Sentence::new(&view.sentence, moment),
            offer,
            view,
        }
    }
}

impl StepRow {
    /// What a failed rotation did not come to was needed all the same, unless its policy asks for no certificate.
    fn after_failure(&mut self, certified: bool) {
        let certificate = matches!(self.view.step, StepName::Request | StepName::Certificate);
        if self.view.state == StepState::Skipped && (certified || !certificate) {
            self.word = "Not reached";
        }
    }
}

/// An id that is the same whenever the page is drawn.
fn anchor(step: &StepView) -> String {
    match &step.channel {
        Some(channel) => format!("channel-{channel}"),
        None => format!("step-{}", step.title.to_lowercase().replace(' ', "-")),
    }
}

impl Sentence {
    fn new(text: &str, moment: Option<Timestamp>) -> Self {
        let parts = moment.and_then(|at| text.split_once(&at.to_string()));
        match parts {
            Some((before, after)) => Self { before: before.to_owned(), moment, after: after.to_owned() },
            None => Self { before: text.to_owned(), moment: None, after: String::new() },
        }
    }
}

impl Failure {
    fn of(visit: &Visit, view: &RotationView) -> Option<Self> {
        let failure = view.failure.as_ref()?;
        let by = failure.by.as_ref().and_then(|id| id.parse().ok()).map(|id| visit.names.person(id));
        Some(Self {
            code: failure.code.clone(),
            seq: failure.seq,
            time: failure.time,
            by,
            reason: failure.reason.clone(),
        })
    }
}

/// Who asked for it, and who approved it.
fn asked(visit: &Visit, action: &ActionView) -> (String, String) {
    let approved: Vec<String> = action.consents().map(|consent| visit.names.person(consent.member)).collect();
    (visit.names.proposer(action.proposed_by), wording::list(approved.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_parted_at_the_moment_that_it_names() {
        let at: Timestamp = "2026-12-05T10:00:00.000000Z".parse().unwrap();
        let said = Sentence::new(&format!("It stays until {at}."), Some(at));
        assert_eq!(
            (said.before.as_str(), said.moment, said.after.as_str()),
            ("It stays until ", Some(at), ".")
        );
        let said = Sentence::new("It stays.", Some(at));
        assert_eq!((said.before.as_str(), said.moment, said.after.as_str()), ("It stays.", None, ""));
    }
}
