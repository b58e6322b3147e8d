//! Reviews of who can reach a device, and the key that signs checkpoints.

use sealbook_ledger::action::{ActionType, Params};
use sealbook_ledger::ids::BackendName;
use sealbook_ledger::timestamp::Timestamp;

use super::{
    Desk, Entry, Kind, NEAR_DAYS, REVIEW_AHEAD_DAYS, State, day, days_after, days_before, devices_in_use,
    every, unnamed,
};

impl Desk<'_> {
    /// A review of each device that holds keys, under rules that know of reviews.
    pub(super) fn reviews(&self) -> impl Iterator<Item = Entry> {
        let devices = devices_in_use(self.founded, self.milestones).into_iter();
        devices.filter(|_| self.is_ageing()).filter_map(|backend| self.review(backend))
    }

    /// A device that nobody ever reviewed is due since there were rules that ask for it.
    fn review(&self, backend: &BackendName) -> Option<Entry> {
        let often = self.founded.policy().cadence().access_review_days;
        let last = self.milestones.reviews.get(backend);
        let due_at = match last {
            Some(review) => days_after(review.at, often),
            None => self.milestones.founded_at.max(self.milestones.ageing_since)?,
        };
        let near = days_before(due_at, REVIEW_AHEAD_DAYS.min(often));
        let proposal = self.proposal(
            |params| matches!(params, Params::HsmAccessReview(review) if review.backend == *backend),
        );
        let state = self.state(due_at, near, proposal.is_some(), false);
        let waits = if proposal.is_some() { " A review is proposed and waits for people." } else { "" };
        let sentence = match (state, last) {
            (State::Overdue, None) => format!("Nobody has put on record who can reach {backend}.{waits}"),
            (State::Overdue, Some(_)) => {
                format!("Who can reach {backend} was to be reviewed {} ago.{waits}", self.until(due_at))
            }
            (_, Some(review)) => format!(
                "Who can reach {backend} is reviewed {}: last on {}, event {}.{waits}",
                every(often),
                day(review.at),
                review.seq
            ),
            (_, None) => format!("Who can reach {backend} is to be reviewed.{waits}"),
        };
        Some(Entry {
            kind: Kind::AccessReview,
            subject: backend.to_string(),
            key: None,
            due_at,
            propose_from: None,
            state,
            action: proposal,
            sentence,
            blockers: (!self.names(ActionType::HsmAccessReview)).then(unnamed).into_iter().collect(),
        })
    }

    /// The key that signs checkpoints.
    pub(super) fn ledger_key(&self) -> Option<Entry> {
        let often = self.founded.policy().cadence().ledger_key_days;
        let due_at = days_after(self.milestones.ledger_key_since?, often);
        let proposal = self
            .proposal(|params| matches!(params, Params::LedgerKeyRotate(_) | Params::LedgerKeyRecover(_)));
        let near = days_before(due_at, NEAR_DAYS.min(often));
        let state = self.state(due_at, near, proposal.is_some(), false);
        Some(Entry {
            kind: Kind::LedgerKey,
            subject: "ledger".to_owned(),
            key: None,
            due_at,
            propose_from: None,
            state,
            action: proposal,
            sentence: self.said_of_ledger_key(state, often, due_at),
            blockers: Vec::new(),
        })
    }

    fn said_of_ledger_key(&self, state: State, often: u16, due_at: Timestamp) -> String {
        match state {
            State::Overdue => format!(
                "The key that signs checkpoints was to be replaced by {}, {} ago.",
                day(due_at),
                self.until(due_at)
            ),
            State::Proposed => "Another key for checkpoints is proposed and waits for people.".to_owned(),
            State::Soon => {
                format!("The key that signs checkpoints is to be replaced within {}.", self.until(due_at))
            }
            State::Fine | State::Rotating => {
                format!("The key that signs checkpoints is replaced {}.", every(often))
            }
        }
    }
}
