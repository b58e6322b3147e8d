//! What a member may decide about an action, and why not: the rules' own answers, told before anybody signs.

use std::collections::BTreeSet;

use sealbook_ledger::action::ActionType;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::Role;
use sealbook_ledger::rule::Rule;
use sealbook_ledger::state::{Founded, OpenAction, Stage};
use sealbook_ledger::timestamp::Timestamp;

use super::actions::{ActionStatus, ActionView, Seat};

/// Roles whose holders refuse any action, in no particular seat.
const REFUSING: [Role; 3] = [Role::IncidentCommander, Role::PlatformAdmin, Role::SecurityReviewer];

/// Why a member can't approve an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// It has ended.
    Ended(ActionStatus),
    /// It takes effect already.
    Executing,
    /// Its time is over.
    Expired,
    /// The ledger policy has changed since.
    Voided,
    /// It is the member's own proposal.
    Own,
    /// The member has approved it.
    Decided,
    /// No clause of the quorum is for a role that the member holds.
    NoSeat(BTreeSet<Role>),
    /// The seats for the member's roles are taken.
    Taken,
}

/// What a member may decide.
#[derive(Debug, PartialEq, Eq)]
pub struct Decisions {
    /// The roles to approve in, or why there is none.
    pub approve: Result<Vec<Role>, Hindrance>,
    /// The roles to reject in.
    pub reject: Vec<Role>,
    /// The role to take it back in.
    pub cancel: Option<Role>,
}

impl Decisions {
    fn none(why: Hindrance) -> Self {
        Self { approve: Err(why), reject: Vec::new(), cancel: None }
    }

    /// What a member with these roles may decide about an action at a moment.
    pub fn of(
        view: &ActionView,
        founded: &Founded,
        member: MemberId,
        roles: &BTreeSet<Role>,
        at: Timestamp,
    ) -> Self {
        let action = match founded.action(view.action) {
            Ok(action) => action,
            Err(Rule::ActionExpired) => return Self::none(Hindrance::Expired),
            Err(Rule::ActionVoided) => return Self::none(Hindrance::Voided),
            Err(_) => return Self::none(Hindrance::Ended(view.status)),
        };
        if action.stage() != Stage::Open {
            return Self::none(Hindrance::Executing);
        }
        if at >= action.document().expires_at {
            return Self::none(Hindrance::Expired);
        }
        if founded.is_outdated(action) {
            return Self::none(Hindrance::Voided);
        }
        if action.proposal().by == Actor::Member(member) {
            let cancel = own_role(action, roles);
            return Self { approve: Err(Hindrance::Own), reject: Vec::new(), cancel };
        }
        let reject = rejecting(action, founded, member, roles);
        let decided = action.approvals().iter().any(|approval| approval.member == member);
        let approve = if decided { Err(Hindrance::Decided) } else { seats_for(&view.seats, roles) };
        Self { approve, reject, cancel: None }
    }
}

/// The role that the proposal was signed in, or another one if that is gone.
fn own_role(action: &OpenAction, roles: &BTreeSet<Role>) -> Option<Role> {
    let signed = action.proposal().signed.as_ref().map(|signed| signed.role);
    signed.filter(|role| roles.contains(role)).or_else(|| roles.first().copied())
}

fn seats_for(seats: &[Seat], roles: &BTreeSet<Role>) -> Result<Vec<Role>, Hindrance> {
    let asked: BTreeSet<Role> = seats.iter().map(|seat| seat.role).collect();
    let held: Vec<Role> = asked.intersection(roles).copied().collect();
    if held.is_empty() {
        return Err(Hindrance::NoSeat(asked));
    }
    let open = |role: &Role| seats.iter().any(|seat| seat.role == *role && seat.filled_by.is_none());
    let open: Vec<Role> = held.into_iter().filter(open).collect();
    if open.is_empty() { Err(Hindrance::Taken) } else { Ok(open) }
}

fn rejecting(action: &OpenAction, founded: &Founded, member: MemberId, roles: &BTreeSet<Role>) -> Vec<Role> {
    let document = action.document();
    // What the sealed authenticators ask for, any member may refuse (DOMAIN, recovery).
    let anybody = document.kind() == ActionType::MemberRecover;
    let may = |role: &Role| {
        anybody
            || REFUSING.contains(role)
            || document.quorum.iter().any(|clause| clause.role == *role)
            || (*role == Role::KeyOwner && founded.owners(&document.params).contains(&member))
    };
    roles.iter().copied().filter(may).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(role: Role, by: Option<u128>) -> Seat {
        Seat { role, filled_by: by.map(|n| uuid::Uuid::from_u128(n).into()) }
    }

    fn roles<const N: usize>(roles: [Role; N]) -> BTreeSet<Role> {
        roles.into()
    }

    #[test]
    fn a_member_is_offered_each_open_seat_of_the_roles_held() {
        let seats = [seat(Role::SecurityReviewer, None), seat(Role::PlatformAdmin, None)];
        let held = roles([Role::Approver, Role::PlatformAdmin, Role::SecurityReviewer]);
        assert_eq!(seats_for(&seats, &held), Ok(vec![Role::PlatformAdmin, Role::SecurityReviewer]));
    }

    #[test]
    fn a_seat_that_is_taken_is_offered_to_nobody() {
        let seats = [seat(Role::SecurityReviewer, Some(1)), seat(Role::PlatformAdmin, None)];
        assert_eq!(seats_for(&seats, &roles([Role::SecurityReviewer])), Err(Hindrance::Taken));
    }

    #[test]
    fn a_member_without_a_role_that_is_asked_for_is_told_which_are() {
        let seats = [seat(Role::Approver, None), seat(Role::Approver, None)];
        let asked = Err(Hindrance::NoSeat(roles([Role::Approver])));
        assert_eq!(seats_for(&seats, &roles([Role::Auditor])), asked);
    }
}
