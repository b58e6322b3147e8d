//! Dual-control actions: what was asked, who consented, and what became of it.

use std::collections::{BTreeMap, HashMap};

use sealbook_ledger::action::{ActionDocument, ActionType};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, KeyId, MemberId, ProposerId, SlotName};
use sealbook_ledger::payload::{FailureCode, Payload};
use sealbook_ledger::policy::{Clause, Role};
use sealbook_ledger::webauthn::Purpose;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod naming;

pub(super) use naming::action_of;

use super::artifacts::ArtifactView;
use super::sentence::sentence;
use super::{Names, ViewError, events};
use crate::store::projections::ActionRow;
use crate::store::read::ActionFilter;
use crate::store::{LedgerId, Store};

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionStatus {
    /// It collects approvals.
    Open,
    /// It takes effect.
    Executing,
    /// Its effects are complete.
    Executed,
    /// It began and could not take effect.
    Failed,
    /// Somebody refused it.
    Rejected,
    /// Its proposer took it back.
    Cancelled,
    /// It ran out of time.
    Expired,
    /// The ledger policy changed under it.
    Voided,
}

impl ActionStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Executing,
        Self::Executed,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
        Self::Voided,
    ];

    /// The status's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Voided => "voided",
        }
    }
}

/// The challenges that people sign about an action, in hex; absent once it has ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct Challenges {
    /// To approve it.
    #[schema(value_type = String)]
    pub approval: Hash,
    /// To reject it.
    #[schema(value_type = String)]
    pub rejection: Hash,
    /// To take it back.
    #[schema(value_type = String)]
    pub cancellation: Hash,
}

/// A person's consent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApprovalView {
    /// Who.
    #[schema(value_type = String, format = Uuid)]
    pub member: MemberId,
    /// In which role.
    #[schema(value_type = String)]
    pub role: Role,
    /// By which authenticator.
    #[schema(value_type = String)]
    pub credential_id: B64,
    /// The event.
    pub seq: u64,
}

/// A person's refusal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RejectionView {
    /// Who.
    #[schema(value_type = String, format = Uuid)]
    pub member: MemberId,
    /// In which role.
    #[schema(value_type = String)]
    pub role: Role,
    /// Why, if that was said and is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The event.
    pub seq: u64,
}

/// A seat of the quorum.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Seat {
    /// The role that fills it.
    #[schema(value_type = String)]
    pub role: Role,
    /// Who does, in the order of the approvals. Whether the quorum holds is judged when the action begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub filled_by: Option<MemberId>,
}

/// What an action brought into being.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Created {
    /// A slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub slot: Option<SlotName>,
    /// A key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub key: Option<KeyId>,
    /// A ledger key, in C2SP form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vkey: Option<String>,
}

/// A private field of a proposal, with what opens its digest in the document.
#[derive(Serialize, ToSchema)]
pub struct Disclosed {
    /// The field's name.
    #[schema(example = "reason")]
    pub name: String,
    /// 16 random bytes, base64url.
    #[schema(value_type = String)]
    pub salt: B64,
    /// What it says.
    pub value: String,
}

impl std::fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosed").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An action.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionView {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub action: ActionId,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "slot.create")]
    pub kind: ActionType,
    /// Where it stands.
    pub status: ActionStatus,
    /// What it asks for, in words.
    pub sentence: String,
    /// The names of the members and services that the document mentions, by their ids, as far as they are disclosed.
    pub names: BTreeMap<String, String>,
    /// What it asks for, exactly: what people sign.
    #[schema(value_type = Object)]
    pub document: ActionDocument,
    /// What to sign about it.
    pub challenges: Challenges,
    /// Who asks.
    #[schema(value_type = String, format = Uuid)]
    pub proposed_by: ProposerId,
    /// Why, if that is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the document holds by its digest, as far as it is disclosed: whoever decides checks it against the document.
    pub disclosures: Vec<Disclosed>,
    /// The artifacts whose signatures it is about, where it is shown by itself and is about signatures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactView>,
    /// The consents, in their order.
    pub approvals: Vec<ApprovalView>,
    /// The quorum, seat by seat.
    pub seats: Vec<Seat>,
    /// Who refused it, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<RejectionView>,
    /// A stable word for why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub failure: Option<FailureCode>,
    /// The events that name it.
    pub events: Vec<u64>,
    /// What the proposer signed with, for a break-glass type: that fills a seat.
    #[serde(skip)]
    pub own: Option<ApprovalView>,
    /// What it brought into being.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Created>,
}

impl ActionView {
    /// Every consent that may fill a seat.
    pub fn consents(&self) -> impl Iterator<Item = &ApprovalView> {
        self.approvals.iter().chain(&self.own)
    }
}

/// A page of actions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionPage {
    /// In the order of their proposals.
    pub actions: Vec<ActionView>,
    /// The value of `after` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A page of the actions that a filter lets pass.
pub async fn page(
    store: &Store,
    ledger: LedgerId,
    filter: &ActionFilter,
    limit: usize,
) -> Result<ActionPage, ViewError> {
    let rows = store.actions(ledger, filter, limit).await?;
    let next = (rows.len() == limit).then(|| rows.last().map(|row| row.proposed_seq)).flatten();
    Ok(ActionPage { actions: views(store, ledger, rows).await?, next })
}

/// One action; `None` if nobody proposed it.
pub async fn one(store: &Store, ledger: LedgerId, id: ActionId) -> Result<Option<ActionView>, ViewError> {
    let Some(row) = store.action(ledger, id).await? else { return Ok(None) };
    Ok(views(store, ledger, vec![row]).await?.pop())
}

async fn views(store: &Store, ledger: LedgerId, rows: Vec<ActionRow>) -> Result<Vec<ActionView>, ViewError> {
    let names = Names::load(store, ledger).await?;
    let mut histories: HashMap<ActionId, History> = HashMap::with_capacity(rows.len());
    let ends: HashMap<ActionId, u64> = rows.iter().map(|row| (row.action, row.last_seq)).collect();
    for stored in store.events_of_actions(&rows).await? {
        let event = events::parse(&stored)?;
        // A rotation goes on under the id of the action that started it, which has ended by then.
        let within = |action: &ActionId| ends.get(action).is_some_and(|end| stored.seq <= *end);
        if let Some(action) = action_of(&event.payload).filter(within) {
            histories.entry(action).or_default().add(&event);
        }
    }
    let rejections = histories.values().filter_map(|history| Some(history.rejection.as_ref()?.seq));
    let saying: Vec<u64> = rows.iter().map(|row| row.proposed_seq).chain(rejections).collect();
    let disclosed = store.disclosures_of(ledger, &saying).await?;
    let mut opened: HashMap<u64, Vec<Disclosed>> = HashMap::with_capacity(rows.len());
    for row in disclosed {
        let salt = B64::from(row.salt.as_slice());
        opened.entry(row.seq).or_default().push(Disclosed { name: row.name, salt, value: row.value });
    }
    rows.into_iter()
        .map(|row| {
            let mut history = histories.remove(&row.action).unwrap_or_default();
            if let Some(rejection) = &mut history.rejection {
                let said = opened.remove(&rejection.seq).unwrap_or_default();
                let reason = said.into_iter().find(|field| field.name == "reason");
                rejection.reason = reason.map(|field| field.value);
            }
            let disclosures = opened.remove(&row.proposed_seq).unwrap_or_default();
            view(row, history, disclosures, &names)
        })
        .collect()
}

fn view(
    row: ActionRow,
    history: History,
    disclosures: Vec<Disclosed>,
    names: &Names,
) -> Result<ActionView, ViewError> {
    let corrupt = |what| ViewError::Corrupt { what, seq: row.proposed_seq };
    let status = ActionStatus::ALL.into_iter().find(|status| status.name() == row.status);
    let document: ActionDocument =
        serde_json::from_value(row.document).map_err(|_| corrupt("action document"))?;
    let bytes = document.to_bytes().map_err(|_| corrupt("action document"))?;
    let own = if document.kind().is_emergency() { history.proposal } else { None };
    Ok(ActionView {
        action: row.action,
        kind: document.kind(),
        status: status.ok_or_else(|| corrupt("action status"))?,
        sentence: sentence(&document, names),
        names: names.in_document(&document).map_err(|_| corrupt("action document"))?,
        challenges: Challenges {
            approval: Purpose::Approval.challenge(&bytes),
            rejection: Purpose::Rejection.challenge(&bytes),
            cancellation: Purpose::Cancellation.challenge(&bytes),
        },
        proposed_by: document.proposed_by,
        reason: disclosures.iter().find(|field| field.name == "reason").map(|field| field.value.clone()),
        disclosures,
        artifacts: Vec::new(),
        seats: seats(&document.quorum, history.approvals.iter().chain(&own)),
        approvals: history.approvals,
        rejection: history.rejection,
        failure: history.failure,
        events: history.seqs,
        own,
        created: (history.created != Created::default()).then_some(history.created),
        document,
    })
}

/// What the events say about one action.
#[derive(Default)]
struct History {
    seqs: Vec<u64>,
    proposal: Option<ApprovalView>,
    approvals: Vec<ApprovalView>,
    rejection: Option<RejectionView>,
    failure: Option<FailureCode>,
    created: Created,
}

impl History {
    fn add(&mut self, event: &Event) {
        let seq = event.seq.get();
        self.seqs.push(seq);
        match &event.payload {
            Payload::ActionProposed(p) => {
                let signed = p.signed.as_ref();
                self.proposal = signed.map(|s| consent(s.member, s.role, &s.credential_id, seq));
            }
            Payload::ActionApproved(p) => {
                self.approvals.push(consent(p.member, p.role, &p.credential_id, seq));
            }
            Payload::ActionRejected(p) => {
                self.rejection = Some(RejectionView { member: p.member, role: p.role, reason: None, seq });
            }
            Payload::ActionFailed(p) => self.failure = Some(p.code.clone()),
            Payload::SlotCreated(p) => self.created.slot = Some(p.slot.clone()),
            Payload::KeyActivated(p) => self.created.key = Some(p.key),
            Payload::LedgerEvidenceKeySet(p) => self.created.key = Some(p.key),
            Payload::LedgerKeyRotated(p) => self.created.vkey = Some(p.vkey.to_string()),
            Payload::LedgerKeyRecovered(p) => self.created.vkey = Some(p.vkey.to_string()),
            // The others add nothing but their place to what the document and the status say.
            _ => {}
        }
    }
}

fn consent(member: MemberId, role: Role, credential_id: &B64, seq: u64) -> ApprovalView {
    ApprovalView { member, role, credential_id: credential_id.clone(), seq }
}

/// Seats as the approvals fill them, each person one. Whoever has a seat keeps one, and moves where that seats another:
/// as the rules match them, so that no seat of a quorum that holds is shown open.
fn seats<'a>(quorum: &[Clause], approvals: impl Iterator<Item = &'a ApprovalView>) -> Vec<Seat> {
    let mut seats: Vec<Seat> = quorum
        .iter()
        .flat_map(|clause| std::iter::repeat_n(clause.role, usize::from(clause.count)))
        .map(|role| Seat { role, filled_by: None })
        .collect();
    let mut people: Vec<(MemberId, Vec<Role>)> = Vec::new();
    for approval in approvals {
        match people.iter_mut().find(|(member, _)| *member == approval.member) {
            Some((_, roles)) => roles.push(approval.role),
            None => people.push((approval.member, vec![approval.role])),
        }
    }
    for at in 0..people.len() {
        let mut visited = vec![false; seats.len()];
        sit(at, &people, &mut seats, &mut visited);
    }
    seats
}

/// Finds a seat for somebody, moving whoever sits there where that helps (Kuhn's augmenting paths, over 8 seats at most).
fn sit(who: usize, people: &[(MemberId, Vec<Role>)], seats: &mut [Seat], visited: &mut [bool]) -> bool {
    let (member, roles) = &people[who];
    for at in 0..seats.len() {
        if visited[at] || !roles.contains(&seats[at].role) {
            continue;
        }
        visited[at] = true;
        let sitting = seats[at].filled_by;
        let sitting = sitting.and_then(|sitting| people.iter().position(|(member, _)| *member == sitting));
        if sitting.is_none_or(|sitting| sit(sitting, people, seats, visited)) {
            seats[at].filled_by = Some(*member);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(n: u128, role: Role) -> ApprovalView {
        consent(uuid::Uuid::from_u128(n).into(), role, &B64::from(vec![1]), n as u64)
    }

    #[test]
    fn one_person_fills_one_seat_and_only_of_the_approvals_role() {
        let quorum =
            [Clause { role: Role::SecurityReviewer, count: 1 }, Clause { role: Role::Approver, count: 1 }];
        let given = [
            approval(1, Role::SecurityReviewer),
            approval(1, Role::Approver),
            approval(2, Role::SecurityReviewer),
            approval(3, Role::Approver),
        ];
        let filled = |given: &[ApprovalView]| -> Vec<_> {
            seats(&quorum, given.iter()).into_iter().map(|seat| seat.filled_by).collect()
        };
        let [first, second, third] = [0, 2, 3].map(|at: usize| Some(given[at].member));
        assert_eq!(filled(&given[..2]), [first, None]);
        assert_eq!(filled(&given), [second, first]);
        // Whoever came first in both roles moves for somebody who has only one of them.
        let moved = [given[1].clone(), given[0].clone(), given[3].clone()];
        assert_eq!(filled(&moved), [first, third]);
    }

    #[test]
    fn a_status_has_the_name_that_json_gives_it() {
        for status in ActionStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}
