//! The orders that reports of a run have lines of: what was settled for no other order has changed.

use std::fmt::Write;

/// Row ids of a table, a bit for each: they are given one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ledger) struct IdSet {
    words: Vec<u64>,
    count: i64,
}

/// What is known of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ledger) enum Touched {
    /// No report was taken over yet.
    #[default]
    Nothing,
    These(IdSet),
    /// An earlier run took lines over and died before it learnt from them.
    Unknown,
}

/// Ids that are handed to a query at a time.
const AT_A_TIME: usize = 10_000;

impl IdSet {
    pub(super) fn insert(&mut self, id: i64) {
        let Some((word, bit)) = place(id) else { return };
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word)
            && *word & bit == 0
        {
            *word |= bit;
            self.count += 1;
        }
    }

    pub(super) fn contains(&self, id: i64) -> bool {
        place(id).is_some_and(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    pub(super) fn count(&self) -> i64 {
        self.count
    }

    pub(super) fn extend(&mut self, other: &Self) {
        other.ids().for_each(|id| self.insert(id));
    }

    /// Rising.
    fn ids(&self) -> impl Iterator<Item = i64> {
        (0_i64..)
            .step_by(64)
            .zip(&self.words)
            .flat_map(|(first, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit))
    }

    /// As lists that a query can read.
    pub(super) fn as_json(&self) -> impl Iterator<Item = String> {
        let mut ids = self.ids();
        std::iter::from_fn(move || {
            let mut list = format!("[{}", ids.next()?);
            for id in ids.by_ref().take(AT_A_TIME - 1) {
                // A string takes what is written to it.
                let _ = write!(list, ",{id}");
            }
            list.push(']');
            Some(list)
        })
    }
}

/// The word, and the bit in it.
fn place(id: i64) -> Option<(usize, u64)> {
    let at = usize::try_from(id).ok()?;
    Some((at >> 6, 1 << (at & 63)))
}

impl Touched {
    /// A report's orders; `is_behind` if lines of an earlier run are still to be learnt from.
    pub(in crate::ledger) fn add(&mut self, orders: &IdSet, is_behind: bool) {
        match self {
            Self::Nothing if is_behind => *self = Self::Unknown,
            Self::Nothing => *self = Self::These(orders.clone()),
            Self::These(all) => all.extend(orders),
            Self::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[i64]) -> IdSet {
        let mut set = IdSet::default();
        for id in ids {
            set.insert(*id);
        }
        set
    }

    #[test]
    fn every_id_is_there_and_listed_once_and_in_order() {
        let set = set(&[700, 1, 64, 63, 1, 128]);
        assert_eq!(set.count(), 5);
        assert_eq!(
            [0, 1, 62, 63, 64, 701, -1].map(|id| set.contains(id)),
            [false, true, false, true, true, false, false]
        );
        assert_eq!(set.as_json().collect::<Vec<_>>(), ["[1,63,64,128,700]"]);
        assert_eq!(IdSet::default().as_json().count(), 0);
    }

    #[test]
    fn long_lists_come_in_parts_and_nothing_is_lost_between_them() {
        let all: Vec<i64> = (1..=20_001).collect();
        let parts: Vec<Vec<i64>> = set(&all).as_json().map(|part| serde_json::from_str(&part).unwrap()).collect();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 10_000, 1]);
        assert_eq!(parts.concat(), all);
    }

    #[test]
    fn what_a_dead_run_left_makes_the_rest_unknown() {
        let mut touched = Touched::default();
        touched.add(&set(&[1]), true);
        touched.add(&set(&[2]), true);
        assert_eq!(touched, Touched::Unknown);
        let mut touched = Touched::default();
        touched.add(&set(&[1]), false);
        // Those are this run's own.
        touched.add(&set(&[2]), true);
        assert_eq!(touched, Touched::These(set(&[1, 2])));
    }
}
