//! Counting by groups of which there may be more than memory should hold.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use super::{CountView, GroupsView, RestView};

/// Groups that are told apart: an artifact's name and version are some hundred bytes, and 400 at their longest.
const MOST_TOLD_APART: usize = 50_000;

/// Groups that are listed.
const MOST_LISTED: usize = 100;

/// Counts by group. What first comes once there are [`MOST_TOLD_APART`] is counted together.
#[derive(Debug)]
pub(super) struct Groups<K> {
    known: HashMap<K, CountView>,
    beyond: CountView,
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self { known: HashMap::new(), beyond: CountView::default() }
    }
}

impl<K: Hash + Eq + Ord> Groups<K> {
    /// Counts one more of a group.
    pub(super) fn count(&mut self, group: K, has_failed: bool) {
        let has_room = self.known.len() < MOST_TOLD_APART;
        let count = match self.known.get_mut(&group) {
            Some(count) => count,
            None if has_room => self.known.entry(group).or_default(),
            None => &mut self.beyond,
        };
        count.count += 1;
        count.failed += u64::from(has_failed);
    }

    /// The largest, by falling count, and what is left of the others.
    pub(super) fn into_view<T>(self, view: impl Fn(K, CountView) -> T) -> GroupsView<T> {
        let mut groups: Vec<(K, CountView)> = self.known.into_iter().collect();
        groups
            .sort_unstable_by(|(a, of_a), (b, of_b)| (Reverse(of_a.count), a).cmp(&(Reverse(of_b.count), b)));
        let others = groups.split_off(groups.len().min(MOST_LISTED));
        let all_are_known = self.beyond.count == 0;
        let mut rest = self.beyond;
        for (_, count) in &others {
            rest.count += count.count;
            rest.failed += count.failed;
        }
        let number = all_are_known.then_some(others.len() as u64);
        GroupsView {
            groups: groups.into_iter().map(|(group, count)| view(group, count)).collect(),
            rest: (rest.count > 0).then_some(RestView { groups: number, count: rest }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(groups: impl Iterator<Item = u32>) -> GroupsView<(u32, u64)> {
        let mut counted = Groups::default();
        groups.for_each(|group| counted.count(group, group == 0));
        counted.into_view(|group, count| (group, count.count))
    }

    #[test]
    fn the_largest_groups_come_first_and_the_others_together() {
        let few = counted([3, 1, 3, 2, 1, 3].into_iter());
        assert_eq!((few.groups, few.rest), (vec![(3, 3), (1, 2), (2, 1)], None));
        let many = counted((0..200).chain(150..200));
        assert_eq!((many.groups.len(), many.groups[0], many.groups[50]), (100, (150, 2), (0, 1)));
        let rest = RestView { groups: Some(100), count: CountView { count: 100, failed: 0 } };
        assert_eq!(many.rest, Some(rest));
    }

    #[test]
    fn groups_beyond_what_is_told_apart_are_counted_all_the_same() {
        let more = 10;
        let most = u32::try_from(MOST_TOLD_APART).unwrap();
        let counted = counted((0..most + more).chain(0..5));
        assert_eq!(counted.groups[..6], [(0, 2), (1, 2), (2, 2), (3, 2), (4, 2), (5, 1)]);
        let rest = counted.rest.unwrap();
        assert_eq!(rest.groups, None);
        let listed: u64 = counted.groups.iter().map(|(_, count)| count).sum();
        assert_eq!(listed + rest.count.count, u64::from(most + more + 5));
    }
}
