//! Filling seats: distinct people match injectively to the seats of a quorum.

use std::collections::BTreeSet;

use crate::ids::MemberId;
use crate::policy::{Clause, Role};

/// A person and the roles in which that person could take a seat.
pub(crate) type Candidate = (MemberId, BTreeSet<Role>);

/// Whether different candidates can fill every seat, each by one role of theirs.
pub(crate) fn fillable(quorum: &[Clause], candidates: &[Candidate]) -> bool {
    seated(quorum, candidates).is_some()
}

/// Different candidates who fill every seat, each by one role of theirs; `None` where nobody can.
///
/// Kuhn's augmenting paths: at most 8 seats, so the search stays tiny.
pub(crate) fn seated(quorum: &[Clause], candidates: &[Candidate]) -> Option<BTreeSet<MemberId>> {
    let seats = quorum.iter().flat_map(|clause| std::iter::repeat_n(clause.role, usize::from(clause.count)));
    let mut taken: Vec<Option<Role>> = vec![None; candidates.len()];
    for role in seats {
        let mut visited = vec![false; candidates.len()];
        if !seat(role, candidates, &mut taken, &mut visited) {
            return None;
        }
    }
    Some(candidates.iter().zip(taken).filter(|(_, seat)| seat.is_some()).map(|((id, _), _)| *id).collect())
}

/// Seats somebody for `role`, moving those who already sit to other seats where that helps.
fn seat(role: Role, candidates: &[Candidate], taken: &mut [Option<Role>], visited: &mut [bool]) -> bool {
    for (i, (_, roles)) in candidates.iter().enumerate() {
        if visited[i] || !roles.contains(&role) {
            continue;
        }
        visited[i] = true;
        let free = match taken[i] {
            None => true,
            Some(current) => seat(current, candidates, taken, visited),
        };
        if free {
            taken[i] = Some(role);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn person(n: u128, roles: &[Role]) -> Candidate {
        (MemberId::from(uuid::Uuid::from_u128(n)), roles.iter().copied().collect())
    }

    fn clause(count: u8, role: Role) -> Clause {
        Clause { count, role }
    }

    #[test]
    fn one_person_fills_one_seat() {
        let both = [Role::Approver, Role::SecurityReviewer];
        let quorum = [clause(1, Role::Approver), clause(1, Role::SecurityReviewer)];
        assert!(!fillable(&quorum, &[person(1, &both)]));
        assert!(fillable(&quorum, &[person(1, &both), person(2, &[Role::Approver])]));
        assert!(!fillable(&quorum, &[person(1, &[Role::Approver]), person(2, &[Role::Approver])]));
    }

    /// Tries every assignment: slow and plainly right.
    fn brute(seats: &[Role], candidates: &[Candidate], used: &mut Vec<bool>) -> bool {
        let Some((first, rest)) = seats.split_first() else { return true };
        (0..candidates.len()).any(|i| {
            if used[i] || !candidates[i].1.contains(first) {
                return false;
            }
            used[i] = true;
            let fits = brute(rest, candidates, used);
            used[i] = false;
            fits
        })
    }

    proptest! {
        #[test]
        fn matching_agrees_with_trying_every_assignment(
            seats in prop::collection::vec(0usize..3, 1..5),
            people in prop::collection::vec(prop::collection::btree_set(0usize..3, 0..4), 0..6),
        ) {
            let roles = [Role::Approver, Role::PlatformAdmin, Role::SecurityReviewer];
            let seats: Vec<Role> = seats.into_iter().map(|i| roles[i]).collect();
            let quorum: Vec<Clause> = seats.iter().map(|&role| clause(1, role)).collect();
            let candidates: Vec<Candidate> = people
                .into_iter()
                .enumerate()
                .map(|(n, set)| person(n as u128, &set.into_iter().map(|i| roles[i]).collect::<Vec<_>>()))
                .collect();
            let expected = brute(&seats, &candidates, &mut vec![false; candidates.len()]);
            prop_assert_eq!(fillable(&quorum, &candidates), expected);
        }
    }
}
