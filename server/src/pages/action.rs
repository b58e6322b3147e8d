//! One action: what it asks for in words, what it changes, who decides, and the exact document that is signed.

use actix_web::{HttpResponse, get, web};
use askama::Template;
use sealbook_ledger::action::{ActionType, Params, SigningBatchParams};
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::{ActionId, MemberId};
use sealbook_ledger::policy::Role;
use sealbook_ledger::recovery::RECOVERY_WAIT_S;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::Founded;
use sealbook_ledger::timestamp::Timestamp;

use super::Visit;
use super::page::{self, Frame, Place};
use super::wording;
use crate::http::problem::Problem;
use crate::views::actions::{self, ActionStatus, ActionView, Disclosed};
use crate::views::artifacts;
use crate::views::changes::{self, Change};
use crate::views::decisions::{Decisions, Hindrance};

/// The page.
#[derive(Template)]
#[template(path = "action.html")]
struct ActionPage {
    frame: Frame,
    action: String,
    kind: &'static str,
    sentence: String,
    status: Status,
    emergency: bool,
    /// Whether it began a rotation, which goes by its id.
    rotates: bool,
    /// Whether it is about a slot for drills.
    drill: bool,
    open: bool,
    proposer: String,
    proposed_at: String,
    proposed_ago: String,
    expires_at: String,
    left: String,
    pressing: bool,
    changes: Vec<Change>,
    /// Whether "now" still is before the action.
    ahead: bool,
    private: Vec<Disclosed>,
    batch: Option<Batch>,
    seats: Vec<SeatRow>,
    recovery: Option<Wait>,
    rejection: Option<Rejected>,
    decisions: Offered,
    events: Vec<u64>,
    pretty: String,
    subject: Subject,
}

/// Who refused it, and why.
struct Rejected {
    name: String,
    role: &'static str,
    reason: Option<String>,
    seq: u64,
}

/// How long a recovery can still be refused.
struct Wait {
    until: String,
    /// Empty once it is over.
    left: String,
}

/// Where the action stands: tone, icon, word.
struct Status {
    tone: &'static str,
    icon: &'static str,
    word: &'static str,
    /// The word for why it failed.
    failure: Option<String>,
}

/// A seat of the quorum.
struct SeatRow {
    role: &'static str,
    by: Option<SeatTaken>,
    yours: bool,
}

/// Who took a seat, and with what.
struct SeatTaken {
    name: String,
    initials: String,
    with: String,
    seq: u64,
}

/// What the member is offered.
struct Offered {
    approve: Vec<RoleChoice>,
    reject: Vec<RoleChoice>,
    cancel: Option<RoleChoice>,
    /// Whether the member's approval would be the last that is missing.
    completes: bool,
    /// Why there is nothing to approve.
    hindrance: Option<String>,
}

/// A role to act in.
struct RoleChoice {
    name: &'static str,
    words: &'static str,
}

/// What the page's module checks and signs.
struct Subject {
    document: B64,
    origin: String,
    sha256: Hash,
    approval: Hash,
    rejection: Hash,
    cancellation: Hash,
    rp_id: String,
    credentials: String,
}

/// A release: names and digests, one decision.
struct Batch {
    /// Empty where the list is not here.
    items: Vec<BatchItem>,
    root: Hash,
    count: u32,
}

/// One artifact of a release.
struct BatchItem {
    name: Option<String>,
    digest: String,
}

#[get("/t/{tenant}/actions/{action}")]
pub(super) async fn action(
    visit: Visit,
    path: web::Path<(String, ActionId)>,
) -> Result<HttpResponse, Problem> {
    let view = actions::one(visit.store(), visit.ledger(), path.into_inner().1).await?;
    let view = view.ok_or(Rule::ActionUnknown)?;
    let batch = match &view.document.params {
        Params::SigningBatch(params) => Some(batch(&visit, params, &view).await?),
        _ => None,
    };
    page::show(&ActionPage::new(&visit, view, batch)?)
}

impl ActionPage {
    fn new(visit: &Visit, view: ActionView, batch: Option<Batch>) -> Result<Self, Problem> {
        let (member, at) = (&visit.member, visit.member.at);
        let founded = member.founded()?;
        let subject = Subject::new(visit, &view, founded)?;
        let decisions = Decisions::of(&view, founded, member.id, &member.roles, at);
        let seats = seats(visit, &view, founded, &decisions);
        let document = &view.document;
        let recovers = view.kind == ActionType::MemberRecover;
        let open = matches!(view.status, ActionStatus::Open) && at < document.expires_at;
        let left = wording::seconds_until(at, document.expires_at);
        Ok(Self {
            frame: visit.frame(view.sentence.clone(), Place::Inbox),
            action: view.action.to_string(),
            kind: view.kind.name(),
            status: Status::of(&view, open),
            emergency: view.kind.is_emergency(),
            rotates: founded.rotation(view.action).is_ok(),
            drill: is_of_drill(&document.params, founded),
            open,
            proposer: visit.names.proposer(view.proposed_by),
            proposed_at: document.proposed_at.to_string(),
            proposed_ago: wording::ago(document.proposed_at, at),
            expires_at: document.expires_at.to_string(),
            left: wording::span(left),
            pressing: left < 60 * 60,
            changes: changes::changes(document, &member.state, &visit.names, at)?,
            ahead: matches!(view.status, ActionStatus::Open | ActionStatus::Executing),
            batch,
            recovery: recovers.then(|| Wait::new(document.proposed_at.plus_seconds(RECOVERY_WAIT_S), at)),
            decisions: Offered::new(decisions, &seats),
            seats,
            events: view.events,
            pretty: serde_json::to_string_pretty(document).map_err(Problem::fault)?,
            subject,
            rejection: view.rejection.map(|rejection| Rejected {
                name: visit.names.person(rejection.member),
                role: wording::role(rejection.role),
                reason: rejection.reason,
                seq: rejection.seq,
            }),
            private: view.disclosures,
            sentence: view.sentence,
        })
    }
}

/// Whether an action is about a slot for drills.
fn is_of_drill(params: &Params, founded: &Founded) -> bool {
    let of_key = |key| founded.keys().get(key).map(|key| &key.slot);
    let slot = match params {
        Params::SlotCreate(p) => return p.drill,
        Params::KeyRevoke(p) | Params::KeyRevokeEmergency(p) => of_key(&p.key),
        Params::KeyRotate(p) | Params::KeyRotateEmergency(p) => Some(&p.slot),
        Params::KeyDestroy(p) => of_key(&p.key),
        Params::SlotResume(p) => Some(&p.slot),
        Params::CertificateIssue(p) => Some(&p.slot),
        Params::SlotPolicySet(p) => Some(&p.slot),
        Params::SlotRotationSet(p) => Some(&p.slot),
        _ => None,
    };
    slot.and_then(|name| founded.slot(name).ok()).is_some_and(|slot| slot.drill)
}

impl Wait {
    fn new(until: Timestamp, at: Timestamp) -> Self {
        let left = wording::seconds_until(at, until);
        Self { until: until.to_string(), left: if left > 0 { wording::span(left) } else { String::new() } }
    }
}

impl Subject {
    fn new(visit: &Visit, view: &ActionView, founded: &Founded) -> Result<Self, Problem> {
        let bytes = view.document.to_bytes().map_err(|_| Rule::ActionDocument)?;
        let rp = founded.approval_rp();
        Ok(Self {
            origin: view.document.origin.to_string(),
            sha256: Hash::sha256(&bytes),
            approval: view.challenges.approval,
            rejection: view.challenges.rejection,
            cancellation: view.challenges.cancellation,
            document: B64::from(bytes),
            rp_id: rp.id.clone(),
            credentials: visit.approval_credentials(founded),
        })
    }
}

impl Status {
    fn of(view: &ActionView, open: bool) -> Self {
        let (tone, icon, word) = match view.status {
            ActionStatus::Open if open => ("calm", "clock", "Open"),
            ActionStatus::Open | ActionStatus::Expired => ("dim", "clock", "Expired"),
            ActionStatus::Executing => ("calm", "play", "Taking effect"),
            ActionStatus::Executed => ("ok", "check", "Done"),
            ActionStatus::Failed => ("bad", "alarm", "Failed"),
            ActionStatus::Rejected => ("bad", "cross", "Rejected"),
            ActionStatus::Cancelled => ("dim", "back", "Taken back"),
            ActionStatus::Voided => ("dim", "cross", "Void: the policy changed"),
        };
        Self { tone, icon, word, failure: view.failure.as_ref().map(ToString::to_string) }
    }
}

impl From<Role> for RoleChoice {
    fn from(role: Role) -> Self {
        Self { name: role.name(), words: wording::role(role) }
    }
}

impl Offered {
    fn new(decisions: Decisions, seats: &[SeatRow]) -> Self {
        let choices = |roles: Vec<Role>| roles.into_iter().map(RoleChoice::from).collect::<Vec<_>>();
        let missing = seats.iter().filter(|seat| seat.by.is_none()).count();
        let (approve, hindrance) = match decisions.approve {
            Ok(roles) => (choices(roles), None),
            Err(why) => (Vec::new(), Some(why_not(&why))),
        };
        Self {
            completes: missing == 1 && !approve.is_empty(),
            approve,
            reject: choices(decisions.reject),
            cancel: decisions.cancel.map(RoleChoice::from),
            hindrance,
        }
    }
}

/// Why a member can't approve, in words.
fn why_not(hindrance: &Hindrance) -> String {
    match hindrance {
        Hindrance::Ended(ActionStatus::Executed) => "It has taken effect: nothing is left to decide.".into(),
        Hindrance::Ended(ActionStatus::Failed) => {
            "It began and could not take effect. Propose it again once the cause is mended.".into()
        }
        Hindrance::Ended(ActionStatus::Rejected) => "Somebody rejected it: nothing is left to decide.".into(),
        Hindrance::Ended(_) => "It has ended: nothing is left to decide.".into(),
        Hindrance::Executing => "Its quorum holds and it takes effect now: nothing is left to decide.".into(),
        Hindrance::Expired => "Its time is over: it would have to be proposed again.".into(),
        Hindrance::Voided => {
            "The ledger policy has changed since it was proposed, so it is void. It would have to be proposed again."
                .into()
        }
        Hindrance::Own => "This is your own proposal: other people decide about it.".into(),
        Hindrance::Decided => "You have approved it. One person fills one seat.".into(),
        Hindrance::NoSeat(asked) => format!(
            "It takes the role {}, which you don't hold.",
            wording::list(asked.iter().map(|role| wording::role(*role))),
        ),
        Hindrance::Taken => "The seats for your roles are taken already.".into(),
    }
}

fn seats(visit: &Visit, view: &ActionView, founded: &Founded, decisions: &Decisions) -> Vec<SeatRow> {
    let yours = decisions.approve.as_ref().map(Vec::as_slice).unwrap_or_default();
    let row = |seat: &actions::Seat| SeatRow {
        role: wording::role(seat.role),
        by: seat.filled_by.map(|member| taken(visit, view, founded, member)),
        yours: seat.filled_by.is_none() && yours.contains(&seat.role),
    };
    view.seats.iter().map(row).collect()
}

fn taken(visit: &Visit, view: &ActionView, founded: &Founded, member: MemberId) -> SeatTaken {
    let name = visit.names.person(member);
    let consent = view.consents().find(|consent| consent.member == member);
    let held = consent.and_then(|consent| {
        let person = founded.members().get(&member)?;
        person.credentials.iter().find(|held| held.credential.credential_id == consent.credential_id)
    });
    let with =
        held.map_or("an authenticator that was removed since", |held| changes::kind(held.credential.kind));
    SeatTaken {
        initials: wording::initials(&name),
        name,
        with: with.to_owned(),
        seq: consent.map_or(0, |consent| consent.seq),
    }
}

/// The list of a release, in the order of the tree.
async fn batch(visit: &Visit, params: &SigningBatchParams, view: &ActionView) -> Result<Batch, Problem> {
    let listed = artifacts::of(visit.store(), visit.ledger(), view).await?;
    let items = listed.into_iter().map(|one| BatchItem { name: one.name, digest: one.digest.to_string() });
    Ok(Batch { items: items.collect(), root: params.root, count: params.count })
}

impl Visit {
    /// The member's credentials that sign decisions now, by id, parted by spaces.
    pub(super) fn approval_credentials(&self, founded: &Founded) -> String {
        let (rp, at): (_, Timestamp) = (founded.approval_rp(), self.member.at);
        let held = founded.members().get(&self.member.id).into_iter().flat_map(|member| &member.credentials);
        let signs = held.filter(|held| {
            held.credential.rp_id == rp.id && !held.suspension.is_some_and(|suspension| suspension.holds(at))
        });
        let ids: Vec<String> = signs.map(|held| held.credential.credential_id.to_string()).collect();
        ids.join(" ")
    }
}
