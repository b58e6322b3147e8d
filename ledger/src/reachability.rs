//! Whether quorums can be filled: what nobody may change away, and what one person's absence would block.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::ActionType;
use crate::event::Actor;
use crate::ids::{MemberId, ServiceId, SlotName};
use crate::member::{Member, SUSPENSION_LAPSE_S};
use crate::policy::{ActionRule, Clause, Environment, Proposer, Role, SigningPolicy};
use crate::quorum::{self, Candidate};
use crate::rule::Rule;
use crate::state::Founded;
use crate::timestamp::Timestamp;

/// What would be blocked while one person is away: each action type with the roles of which one more holder, able to
/// sign, would mend it. No role where only another proposer would.
pub type Blocked = BTreeMap<ActionType, BTreeSet<Role>>;

impl Founded {
    /// Every (action type, permitted proposer) whose quorum could not be filled by people who may sign.
    ///
    /// Proposers are all who may propose now or later, suspended ones included: they come back.
    /// A service counts where one of its slots asks for approval of signatures.
    pub fn unreachable(&self, at: Timestamp) -> BTreeSet<(ActionType, Actor)> {
        let living: Vec<(MemberId, &Member)> =
            self.members.iter().filter(|(_, member)| !member.removed).map(|(id, m)| (*id, m)).collect();
        let seats = self.seats(at);
        let asking = self.asking_services();
        let mut unreachable = BTreeSet::new();
        for (&kind, rule) in &self.policy.actions {
            // Whoever is not needed for a filled quorum may propose: then the others fill it.
            let seated = quorum::seated(&rule.quorum, &seats);
            if seated.is_none() && rule.proposers.contains(&Proposer::Service) {
                unreachable.extend(asking.iter().map(|id| (kind, Actor::Service(*id))));
            }
            if seated.is_none() && rule.proposers.contains(&Proposer::System) {
                unreachable.insert((kind, Actor::System));
            }
            for &(proposer, member) in &living {
                if seated.as_ref().is_some_and(|people| !people.contains(&proposer)) {
                    continue;
                }
                let proposing = rule.proposing(&member.coming_roles(at));
                if proposing.is_empty() {
                    continue;
                }
                if seated.is_none() && !kind.is_emergency() {
                    unreachable.insert((kind, Actor::Member(proposer)));
                    continue;
                }
                let others = seats.iter().filter(|(id, _)| *id != proposer).cloned();
                let own = (kind.is_emergency() && member.can_sign(&self.approval_rp, at))
                    .then_some((proposer, proposing));
                let candidates: Vec<Candidate> = others.chain(own).collect();
                if !quorum::fillable(&rule.quorum, &candidates) {
                    unreachable.insert((kind, Actor::Member(proposer)));
                }
            }
        }
        unreachable
    }

    /// Who could sign a decision, each with the roles that last.
    fn seats(&self, at: Timestamp) -> Vec<Candidate> {
        let signing = self.members.iter().filter(|(_, m)| !m.removed && m.can_sign(&self.approval_rp, at));
        signing.map(|(id, member)| (*id, member.lasting_roles())).collect()
    }

    /// The services that have to ask for approval somewhere.
    fn asking_services(&self) -> Vec<ServiceId> {
        let asks = |name: &SlotName| {
            let slot = self.slots.get(name).map(|slot| &slot.signing_policy);
            slot.is_some_and(|policy| {
                let during = policy.environments.contains(&Environment::Production)
                    && self.open_incidents(name).next().is_some();
                during || !policy.approval.is_empty()
            })
        };
        let services = self.services.iter().filter(|(_, s)| !s.removed && s.slots.iter().any(asks));
        services.map(|(id, _)| *id).collect()
    }

    /// Refuses a signing policy that asks for an approval that nobody could give.
    pub(crate) fn judge_approvable(&self, policy: &SigningPolicy, at: Timestamp) -> Result<(), Rule> {
        let kinds = self.policy.actions.iter().filter(|(kind, _)| kind.concerns_signatures());
        let given =
            kinds.map(|(_, rule)| &rule.quorum).all(|quorum| quorum::fillable(quorum, &self.seats(at)));
        if policy.approval.is_empty() || given { Ok(()) } else { Err(Rule::QuorumUnreachable) }
    }

    /// Refuses a change after which somebody could never get an action approved whom nothing stopped before.
    pub(crate) fn judge_reachability(&self, after: &Self, at: Timestamp) -> Result<(), Rule> {
        let before = self.unreachable(at);
        if after.unreachable(at).is_subset(&before) { Ok(()) } else { Err(Rule::QuorumUnreachable) }
    }

    /// Whether some permitted proposer could get an action type approved.
    fn is_liftable(&self, kind: ActionType, at: Timestamp) -> bool {
        let Some(rule) = self.policy.actions.get(&kind) else { return false };
        let unreachable = self.unreachable(at);
        self.members.iter().any(|(id, member)| {
            let may_propose = !rule.proposing(&member.roles_at(at)).is_empty();
            member.can_sign(&self.approval_rp, at)
                && may_propose
                && !unreachable.contains(&(kind, Actor::Member(*id)))
        })
    }

    /// When a suspension has to lapse: 72 h on where its lifting can't be reached once it holds.
    pub(crate) fn lapse(&self, after: &Self, lifting: ActionType, at: Timestamp) -> Option<Timestamp> {
        debug_assert_eq!(self.origin, after.origin);
        (!after.is_liftable(lifting, at)).then(|| at.plus_seconds(SUSPENSION_LAPSE_S))
    }
}

impl Founded {
    /// Which one person's absence would block what.
    ///
    /// An action type is blocked by somebody's absence if a proposer who could get it approved now no longer could, or
    /// if nobody else may propose it. Whoever is suspended already is away already, and not listed.
    pub fn absence(&self, at: Timestamp) -> BTreeMap<MemberId, Blocked> {
        let mut absence: BTreeMap<MemberId, Blocked> = BTreeMap::new();
        let seats = self.seats(at);
        for (&kind, rule) in &self.policy.actions {
            let filling = Filling::new(kind, rule, &seats, self.proposers(kind, rule, at));
            for away in filling.needed() {
                let mending = filling.mending(away);
                absence.entry(away).or_default().insert(kind, mending);
            }
        }
        absence.retain(|id, _| self.members.get(id).is_some_and(|member| member.is_active(at)));
        absence
    }

    /// Who could propose an action type now, each with the seats that the proposal itself may fill; services where they
    /// have to ask.
    fn proposers(&self, kind: ActionType, rule: &ActionRule, at: Timestamp) -> Vec<Asker> {
        let people = self.members.iter().filter_map(|(id, member)| {
            let proposing = rule.proposing(&member.roles_at(at));
            let able = member.can_sign(&self.approval_rp, at) && !member.removed && !proposing.is_empty();
            let own = if kind.is_emergency() { proposing } else { BTreeSet::new() };
            able.then_some(Asker { id: Some(*id), own })
        });
        let asks = rule.proposers.contains(&Proposer::Service) && !self.asking_services().is_empty();
        people.chain(asks.then(|| Asker { id: None, own: BTreeSet::new() })).collect()
    }
}

/// Somebody who asks for approval: a person, or machine clients, who fill no seat and are never away.
struct Asker {
    id: Option<MemberId>,
    own: BTreeSet<Role>,
}

/// Who could fill a quorum, and for whom.
///
/// People who could fill the same seats stand for each other: beyond as many as there are seats, a proposer and somebody
/// who is away, more of them change nothing. So each kind of person is kept a few times only, and what a check costs
/// does not grow with the number of members.
struct Filling<'a> {
    quorum: &'a [Clause],
    seats: Vec<Candidate>,
    askers: Vec<Asker>,
}

impl<'a> Filling<'a> {
    fn new(kind: ActionType, rule: &'a ActionRule, seats: &[Candidate], mut askers: Vec<Asker>) -> Self {
        let asked: BTreeSet<Role> = rule.quorum.iter().map(|clause| clause.role).collect();
        let places: usize = rule.quorum.iter().map(|clause| usize::from(clause.count)).sum();
        let enough = places + 2;
        let mut kept: BTreeMap<BTreeSet<Role>, usize> = BTreeMap::new();
        let few = seats.iter().filter_map(|(id, roles)| {
            let fits: BTreeSet<Role> = roles.intersection(&asked).copied().collect();
            let count = kept.entry(fits.clone()).or_default();
            *count += 1;
            (!fits.is_empty() && *count <= enough).then_some((*id, fits))
        });
        let seats: Vec<Candidate> = few.collect();
        // An asker whose proposal fills no seat and who is not kept is like any other such one, but two are kept: with
        // one of them away, another may still ask.
        let known: BTreeSet<MemberId> = seats.iter().map(|(id, _)| *id).collect();
        let mut alike = 0;
        askers.retain(|asker| {
            let plain = !kind.is_emergency() && asker.id.is_some_and(|id| !known.contains(&id));
            alike += usize::from(plain);
            !plain || alike <= 2
        });
        Self { quorum: &rule.quorum, seats, askers }
    }

    /// Different people who fill every seat for an asker while somebody is away; `None` where nobody can.
    fn seated(
        &self,
        asker: &Asker,
        away: Option<MemberId>,
        more: Option<Role>,
    ) -> Option<BTreeSet<MemberId>> {
        let there = |id: &MemberId| Some(*id) != asker.id && Some(*id) != away;
        let others = self.seats.iter().filter(|(id, _)| there(id)).cloned();
        let own = asker.id.filter(|_| !asker.own.is_empty()).map(|id| (id, asker.own.clone()));
        // A nil id is nobody's: ids are random.
        let more = more.map(|role| (MemberId::from(uuid::Uuid::nil()), BTreeSet::from([role])));
        quorum::seated(self.quorum, &others.chain(own).chain(more).collect::<Vec<_>>())
    }

    /// Those without whom somebody could no longer get an approval, or nobody could ask.
    fn needed(&self) -> BTreeSet<MemberId> {
        let mut needed = BTreeSet::new();
        let mut able = Vec::new();
        for asker in &self.askers {
            let Some(people) = self.seated(asker, None, None) else { continue };
            able.push(asker.id);
            let others = people.into_iter().filter(|id| Some(*id) != asker.id && !needed.contains(id));
            let missed: Vec<MemberId> =
                others.filter(|id| self.seated(asker, Some(*id), None).is_none()).collect();
            needed.extend(missed);
        }
        if let [Some(only)] = able[..] {
            needed.insert(only);
        }
        needed
    }

    /// The roles of which one more holder would mend somebody's absence.
    fn mending(&self, away: MemberId) -> BTreeSet<Role> {
        let roles: BTreeSet<Role> = self.quorum.iter().map(|clause| clause.role).collect();
        let able: Vec<&Asker> = self
            .askers
            .iter()
            .filter(|asker| asker.id != Some(away) && self.seated(asker, None, None).is_some())
            .collect();
        let mends = |role: &Role| {
            !able.is_empty() && able.iter().all(|asker| self.seated(asker, Some(away), Some(*role)).is_some())
        };
        roles.into_iter().filter(mends).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROLES: [Role; 3] = [Role::Approver, Role::PlatformAdmin, Role::SecurityReviewer];

    fn id(n: usize) -> MemberId {
        MemberId::from(uuid::Uuid::from_u128(n as u128 + 1))
    }

    fn rule(quorum: &[(u8, Role)]) -> ActionRule {
        let quorum = quorum.iter().map(|&(count, role)| Clause { count, role }).collect();
        ActionRule { proposers: [Role::PlatformAdmin.into()].into(), quorum }
    }

    fn askers(people: &[Candidate], rule: &ActionRule, kind: ActionType) -> Vec<Asker> {
        let may = people.iter().map(|(id, roles)| (*id, rule.proposing(roles)));
        let may = may.filter(|(_, proposing)| !proposing.is_empty());
        may.map(|(id, own)| Asker {
            id: Some(id),
            own: if kind.is_emergency() { own } else { BTreeSet::new() },
        })
        .collect()
    }

    /// The definition, without anything kept out: slow and plainly right.
    fn plainly(people: &[Candidate], rule: &ActionRule, kind: ActionType) -> BTreeSet<MemberId> {
        let gets = |asker: &Asker, away: Option<MemberId>| {
            let others = people.iter().filter(|(id, _)| Some(*id) != asker.id && Some(*id) != away).cloned();
            let own = asker.id.map(|id| (id, asker.own.clone()));
            quorum::fillable(&rule.quorum, &others.chain(own).collect::<Vec<_>>())
        };
        let able: Vec<Asker> =
            askers(people, rule, kind).into_iter().filter(|asker| gets(asker, None)).collect();
        let blocks = |away: MemberId| {
            let others = || able.iter().filter(|asker| asker.id != Some(away));
            !able.is_empty() && (others().next().is_none() || others().any(|asker| !gets(asker, Some(away))))
        };
        people.iter().map(|(id, _)| *id).filter(|id| blocks(*id)).collect()
    }

    proptest! {
        #[test]
        fn whose_absence_blocks_is_what_the_definition_says(
            quorum in prop::collection::vec((1u8..3, 0usize..3), 1..4),
            people in prop::collection::vec(prop::collection::btree_set(0usize..3, 0..4), 0..16),
            emergency in any::<bool>(),
        ) {
            let kind = if emergency { ActionType::KeyRevokeEmergency } else { ActionType::SlotCreate };
            let rule = rule(&quorum.into_iter().map(|(count, role)| (count, ROLES[role])).collect::<Vec<_>>());
            let people: Vec<Candidate> = people
                .into_iter()
                .enumerate()
                .map(|(n, roles)| (id(n), roles.into_iter().map(|role| ROLES[role]).collect()))
                .collect();
            let filling = Filling::new(kind, &rule, &people, askers(&people, &rule, kind));
            prop_assert_eq!(filling.needed(), plainly(&people, &rule, kind));
        }
    }

    #[test]
    fn one_more_holder_of_the_role_that_is_short_mends_it() {
        let people = [
            (id(0), BTreeSet::from([Role::PlatformAdmin])),
            (id(1), BTreeSet::from([Role::Approver])),
            (id(2), BTreeSet::from([Role::Approver, Role::SecurityReviewer])),
        ];
        let rule = rule(&[(1, Role::Approver), (1, Role::SecurityReviewer)]);
        let kind = ActionType::SlotResume;
        let filling = Filling::new(kind, &rule, &people, askers(&people, &rule, kind));
        assert_eq!(filling.needed(), BTreeSet::from([id(0), id(1), id(2)]));
        // With a second reviewer, the one who is both may sit as approver.
        assert_eq!(filling.mending(id(1)), BTreeSet::from([Role::Approver, Role::SecurityReviewer]));
        assert_eq!(filling.mending(id(2)), BTreeSet::from([Role::SecurityReviewer]));
        // Only another proposer helps where the only one is away.
        assert_eq!(filling.mending(id(0)), BTreeSet::new());
    }

    #[test]
    fn a_check_does_not_grow_with_the_number_of_members() {
        let people: Vec<Candidate> =
            (0..900).map(|n| (id(n), BTreeSet::from([ROLES[n % 3], ROLES[(n / 3) % 3]]))).collect();
        let rule = rule(&[(2, Role::Approver), (1, Role::SecurityReviewer)]);
        let filling = Filling::new(
            ActionType::SlotCreate,
            &rule,
            &people,
            askers(&people, &rule, ActionType::SlotCreate),
        );
        // Three kinds of fitting people, each as often as there are seats and two more.
        assert!(filling.seats.len() <= 3 * 5 && filling.askers.len() <= filling.seats.len() + 2);
        assert!(filling.needed().is_empty());
    }
}
